"""What is no file, wherever a path leads to a reader: an error that names it, and no waiting."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pynq.design import archive, devicetree, hwh, images, ipxact, litex, regmaps, systemrdl, tcl, xclbin
from pynq.errors import DesignError, DesignNotFoundError

READERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("a.hwh", hwh.read),
    ("a.tcl", tcl.read),
    ("a.xsa", archive.read),
    ("a.hdf", archive.read),
    ("a.bit", images.describe_image),
    ("a.bin", images.describe_image),
    ("a.pdi", images.describe_image),
    ("a.xclbin", xclbin.read),
    ("a.json", litex.read),
    ("a.csv", litex.read),
    ("a.dtbo", devicetree.read),
    ("a.dtsi", devicetree.read),
    ("component.xml", ipxact.read),
    ("a.rdl", systemrdl.registers),
    ("a.toml", lambda path: regmaps.sources(path, path)),
]
NAMED = pytest.mark.parametrize(("name", "read"), READERS, ids=[name for name, _ in READERS])


@NAMED
@pytest.mark.timeout(10)
def test_a_pipe_that_nobody_writes(tmp_path: Path, name: str, read: Callable[[Any], Any]) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DesignError, match=f"{name}: is no file"):
        read(tmp_path / name)


@NAMED
def test_a_folder(tmp_path: Path, name: str, read: Callable[[Any], Any]) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DesignError, match=f"{name}: (can't be read: Is a directory|is no file)"):
        read(tmp_path / name)


@NAMED
def test_nothing(tmp_path: Path, name: str, read: Callable[[Any], Any]) -> None:
    with pytest.raises((DesignNotFoundError, DesignError), match=rf"(?s){name}.*[Nn]o such file"):
        read(tmp_path / name)


@pytest.mark.parametrize("read", [hwh.read, tcl.read, litex.read, devicetree.read])
def test_a_name_that_is_none(read: Callable[[Any], Any]) -> None:
    with pytest.raises(DesignError, match="can't be read: embedded null byte"):
        read("a\0b")


@pytest.mark.parametrize("read", [hwh.read, tcl.read, litex.read, devicetree.read])
def test_a_device_without_end(read: Callable[[Any], Any]) -> None:
    with pytest.raises(DesignError, match=r"is larger than [0-9]+ MiB: no .* is that large"):
        read("/dev/zero")
