"""Trees of any shape: every block is reached by its path, by attribute and by item, and is itself only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from kit import KNOB, OldDevice, write

import pynq

NAMES = st.sampled_from(["a", "b", "axi_x_0", "reset", "ip", "device", "_odd", "Caps", "download", "parser"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """Paths of blocks of which none is a hierarchy of another."""
    paths = draw(st.lists(PATHS, min_size=1, max_size=6, unique=True))
    instances = {path.replace("/", "_") for path in paths}
    holders = {path.rsplit("/", depth)[0] for path in paths for depth in range(1, path.count("/") + 1)}
    chosen = [path for path in paths if path not in holders]
    return dict.fromkeys(chosen, KNOB) if len(instances) == len(paths) else {"a": KNOB}


@given(trees())
@settings(max_examples=25, deadline=None)
def test_every_block_is_where_its_path_says(knobs: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        overlay: Any = pynq.DefaultOverlay(write(Path(folder), knobs=knobs), device=OldDevice())
        found = {path: overlay[path] for path in knobs}
        for number, (path, block) in enumerate(found.items()):
            assert block.description["fullpath"] == path
            assert block is overlay[path]
            assert path in overlay
            block.write(4, number + 1)
        for number, (path, block) in enumerate(found.items()):
            assert block.read(4) == number + 1
            node: Any = overlay
            for name in path.split("/"):
                assert hasattr(node, name)
                node = node[name]
            assert node is block
            assert f"{path}/more" not in overlay
        assert len({id(block) for block in found.values()}) == len(knobs)
        assert set(overlay.ip_dict) >= set(knobs)
        assert repr(overlay)
        assert all(hasattr(overlay, name) for name in dir(overlay))
