"""Where designs for the report's tests come from, and V8 with the diagram's JavaScript in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pynq.report import assets

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CHECKS = (Path(__file__).parent / "checks.js").read_text(encoding="utf-8")

_PROBE = """
let engine = null;
function probe(text, depth, layers) {
  engine = engine || elkInPlace(pynqElk);
  const graph = JSON.parse(text), index = indexGraph(graph);
  const state = { unfolded: unfoldedTo(graph, depth), layers: new Set(layers), externals: true };
  const scene = fold(graph, index, state);
  placeScene(scene, engine.layout(scene.elk));
  return JSON.stringify({ problems: sceneProblems(scene), boxes: scene.boxes.map((box) => box.node.id),
    hidden: scene.hidden, wires: scene.wires.length, svg: drawScene(scene).length,
    drawn: scene.wires.map((wire) => wire.edges.length).reduce((sum, one) => sum + one, 0) });
}
"""


def example(name: str) -> Path:
    return EXAMPLES / name / f"{name}.hwh"


class Engine:
    """Lays graphs out in V8 and looks at what came out (``checks.js``)."""

    def __init__(self) -> None:
        racer = pytest.importorskip("py_mini_racer")
        self._context = racer.MiniRacer()
        self._context.eval("var setTimeout = function () {};")
        self._context.eval(assets.elk_function())
        self._context.eval(assets.bundle("fold.js", "draw.js", "elk.js") + CHECKS + _PROBE)

    def layout(self, graph: dict[str, Any], depth: int, layers: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self._context.call("probe", json.dumps(graph), depth, list(layers))
        )
        return found
