"""The block diagram as an SVG file, laid out by ELK without a browser.

The same JavaScript as in the page runs in V8 (the package mini-racer) or, where that is not installed, in
Node.js. It gets the graph as JSON and gives text back; neither engine is given files or a network.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pynq.errors import MissingPackageError, PynqError
from pynq.report import assets

__all__ = ["LAYERS", "svg"]

#: Kinds of connection, in the order of the page's boxes; the first four are shown unless told otherwise.
LAYERS = ("axi", "stream", "bus", "interrupt", "clock", "reset", "wire")
_SHOWN = LAYERS[:4]
SECONDS = 300  # that an engine gets
_MEGABYTES = 2048  # that V8 gets
_RUNNER = f"""
import sys
from pathlib import Path
from py_mini_racer import MiniRacer

script, made = map(Path, sys.argv[1:])
text = MiniRacer().eval(script.read_text(encoding="utf-8"), max_memory={_MEGABYTES << 20})
made.write_text(str(text), encoding="utf-8")
"""


def svg(
    graph: Mapping[str, Any],
    *,
    depth: int = 0,
    unfold: Sequence[str] = (),
    layers: Sequence[str] = _SHOWN,
    pins: bool = True,
) -> str:
    """Return the picture of a graph (:func:`pynq.report.graph.graph_of`) as the text of an SVG file.

    ``depth`` levels of hierarchies are open, and those in ``unfold``; ``layers`` are the kinds of connection
    drawn, ``pins`` whether the design's own interfaces are. Raises
    :class:`~pynq.errors.MissingPackageError` where neither engine is there, or ELK is not, and
    :class:`~pynq.errors.PynqError` where the layout fails or takes longer than 300 s.
    """
    options = {"depth": depth, "unfold": list(unfold), "layers": list(layers), "externals": pins}
    program = "\n".join(
        [
            "var setTimeout = globalThis.setTimeout || function () {};",
            assets.elk_function(),
            assets.bundle("fold.js", "draw.js", "elk.js", "still.js"),
            f"const made = stillPicture({_literal(graph)}, {_literal(options)}, "
            f"{_literal(assets.diagram_css())}, pynqElk);",
        ]
    )
    return _run(program)


def _literal(value: Any) -> str:
    """JSON as an expression: in ASCII, so that no engine and no pipe changes it."""
    return f"JSON.parse({json.dumps(json.dumps(value))})"


def _run(program: str) -> str:
    """Run it in an engine, in a process of its own: that can be stopped, and can run out of memory alone."""
    with TemporaryDirectory(prefix="pynq-svg-") as folder:
        script, made = Path(folder) / "diagram.js", Path(folder) / "diagram.svg"
        if _has_v8():
            script.write_text(f"(function () {{\n{program}\nreturn made;\n}})()", encoding="utf-8")
            command = [sys.executable, "-c", _RUNNER, str(script), str(made)]
            engine = "V8 (mini-racer)"
        else:
            node = _node()
            script.write_text(
                f"{program}\nrequire('fs').writeFileSync({json.dumps(str(made))}, made);\n", encoding="utf-8"
            )
            command, engine = [node, str(script)], node
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                cwd=folder,  # where `python -c` looks for modules first
            )
        except subprocess.TimeoutExpired:
            raise PynqError(f"{engine} did not lay the diagram out in {SECONDS} s") from None
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = " ".join(words[-8:])[:800] or f"it ended with {done.returncode}"
            raise PynqError(f"The diagram could not be laid out by {engine}: {why}")
        return made.read_text(encoding="utf-8")


def _has_v8() -> bool:
    return importlib.util.find_spec("py_mini_racer") is not None


def _node() -> str:
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        raise MissingPackageError(
            "A diagram as SVG is laid out by JavaScript, and there is no engine for it: "
            "`pip install 'pynq-anywhere[svg]'` brings mini-racer (V8), or install Node.js "
            "(`apt-get install nodejs`). A page (--html) needs neither: the browser does it."
        )
    return node
