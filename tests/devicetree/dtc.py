"""The device-tree compiler, and its view of a tree: an order-independent one, to compare."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pynq.devicetree import Node

needs_dtc = pytest.mark.skipif(
    shutil.which("dtc") is None or shutil.which("fdtoverlay") is None,
    reason="no dtc: apt-get install device-tree-compiler",
)


def compile_source(source: str, *options: str) -> bytes:
    """What dtc makes of a source text."""
    return _run("dtc", "-q", "-I", "dts", "-O", "dtb", *options, "-", input=source.encode())


def source_of(blob: bytes) -> str:
    """The source text that dtc makes of a blob."""
    return _run("dtc", "-q", "-I", "dtb", "-O", "dts", "-", input=blob).decode()


def through_dtc(blob: bytes) -> bytes:
    """A blob as dtc writes it after having read it."""
    return _run("dtc", "-q", "-I", "dtb", "-O", "dtb", "-", input=blob)


def fdtoverlay(folder: Path, base: bytes, overlay: bytes) -> bytes:
    """The base tree with the overlay applied by libfdt."""
    (folder / "base.dtb").write_bytes(base)
    (folder / "overlay.dtbo").write_bytes(overlay)
    _run(
        "fdtoverlay",
        "-i",
        str(folder / "base.dtb"),
        "-o",
        str(folder / "out.dtb"),
        str(folder / "overlay.dtbo"),
    )
    return (folder / "out.dtb").read_bytes()


def view(node: Node) -> dict[str, Any]:
    """Properties and children by name."""
    return {
        "properties": dict(node.properties),
        "children": {child.name: view(child) for child in node.children},
    }


def _run(*command: str, input: bytes = b"") -> bytes:
    done = subprocess.run(command, input=input, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
