"""What is no file, wherever a path leads to a reader: an error that names it, and no waiting."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pynq.design import (
    archive,
    bounded,
    devicetree,
    hwh,
    image_files,
    ipxact,
    litex,
    read,
    regmaps,
    systemrdl,
    tcl,
    xclbin,
)
from pynq.design.expressions import Unresolved, evaluate
from pynq.errors import DesignError, DesignNotFoundError

READERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("a.hwh", hwh.read),
    ("a.tcl", tcl.read),
    ("a.xsa", archive.read),
    ("a.hdf", archive.read),
    ("a.bit", image_files.describe_image),
    ("a.bin", image_files.describe_image),
    ("a.pdi", image_files.describe_image),
    ("a.xclbin", xclbin.read),
    ("a.json", litex.read),
    ("a.csv", litex.read),
    ("a.dtbo", devicetree.read),
    ("a.dtsi", devicetree.read),
    ("component.xml", ipxact.read),
    ("a.rdl", systemrdl.registers),
    ("a.toml", lambda path: regmaps.sources(path, path)),
]
NAMED = pytest.mark.parametrize(("name", "reader"), READERS, ids=[name for name, _ in READERS])


@NAMED
@pytest.mark.timeout(10)
def test_a_pipe_that_nobody_writes(tmp_path: Path, name: str, reader: Callable[[Any], Any]) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DesignError, match=f"{name}: is no file"):
        reader(tmp_path / name)


@NAMED
def test_a_folder(tmp_path: Path, name: str, reader: Callable[[Any], Any]) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DesignError, match=f"{name}: (can't be read: Is a directory|is no file)"):
        reader(tmp_path / name)


@NAMED
def test_nothing(tmp_path: Path, name: str, reader: Callable[[Any], Any]) -> None:
    with pytest.raises((DesignNotFoundError, DesignError), match=rf"(?s){name}.*[Nn]o such file"):
        reader(tmp_path / name)


@pytest.mark.parametrize("reader", [hwh.read, tcl.read, litex.read, devicetree.read])
def test_a_name_that_is_none(reader: Callable[[Any], Any]) -> None:
    with pytest.raises(DesignError, match=r"can't be read: .*embedded null (byte|character)"):
        reader("a\0b")


@pytest.mark.parametrize("reader", [hwh.read, tcl.read, litex.read, devicetree.read])
def test_a_device_without_end(reader: Callable[[Any], Any]) -> None:
    with pytest.raises(DesignError, match=r"is larger than [0-9]+ MiB: no .* is that large"):
        reader("/dev/zero")


def test_a_name_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match=r"a\.txt: is no description by its name; there are \.hwh, \.xsa"):
        read(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("registers = 3", r"registers must be an array of tables: write \[\[registers\]\]"),
        ("[registers]\na = ", r"a\.toml:?\d*: is no TOML: .*; write \[\[registers\]\], with two brackets"),
        ("[[registers]]\n" * 1001, r"has 1001 tables; 1000 are the most"),
        (b"\xff", r"is no UTF-8 text \(byte 0\)"),
        ("a = " + "[" * 5000, r"a\.toml: is nested too deeply|a\.toml:?\d*: is no TOML"),
        ("x = 1", r"a\.toml:1: unknown key 'x'; a manifest has tables \[\[registers\]\] only"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, text: str | bytes, reason: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DesignError, match=reason):
        regmaps.sources(path, path)


def test_a_field_of_a_bitstream_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "a.bit").write_bytes(
        bytes.fromhex("00090ff00ff00ff00ff0000001") + b"a\xff\xff" + bytes(1 << 16)
    )
    with pytest.raises(DesignError, match=r"a\.bit: at byte \d+: the field design has 65535 bytes"):
        image_files.describe_image(tmp_path / "a.bit")


def test_formulas_that_refer_too_often() -> None:
    names: dict[str, str | int] = {f"a{n}": " + ".join([f"a{n + 1}"] * 30) for n in range(4)}
    with pytest.raises(Unresolved, match="its parameters refer to others too often"):
        evaluate("a0", {**names, "a4": 1})


def test_a_small_file_takes_little_memory(tmp_path: Path) -> None:
    """A board may have less memory than the largest file allowed."""
    file = tmp_path / "small.bit"
    file.write_bytes(b"0123456789" * 1000)
    tracemalloc.start()
    try:
        assert bounded.load(file, 1 << 40) == file.read_bytes()
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
