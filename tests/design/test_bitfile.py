"""Files that configure the PL: what is read of them, and what the kernel is given."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pynq.design import read
from pynq.design.bitfile import image_for, read_bitfile
from pynq.design.images import identify, misfit
from pynq.design.model import Processor
from pynq.errors import DesignError, DesignNotFoundError

ROOT = Path(__file__).resolve().parents[2]
SYNC = bytes.fromhex("ffffffffaa9955662000000000ff00ff")
TURNED = bytes.fromhex("ffffffff665599aa00000020ff00ff00")


def bitfile(data: bytes = SYNC, part: str = "7z020clg400", design: str = "top;UserID=0XFFFFFFFF") -> bytes:
    """Return a .bit as Vivado writes it."""
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (("a", design), ("b", part), ("c", "2024/05/01"), ("d", "12:00:00")):
        field = text.encode() + b"\0"
        head += key.encode() + len(field).to_bytes(2, "big") + field
    return head + b"e" + len(data).to_bytes(4, "big") + data


def test_header(tmp_path: Path) -> None:
    file = tmp_path / "top.bit"
    file.write_bytes(bitfile(design="top;PARTIAL=TRUE;Version=2022.1"))
    found = read_bitfile(file)
    assert found.design == "top"
    assert found.options == ("PARTIAL=TRUE", "Version=2022.1")
    assert (found.part, found.date, found.time) == ("7z020clg400", "2024/05/01", "12:00:00")
    assert found.data == SYNC
    assert (found.partial, found.encrypted) == (True, False)


@pytest.mark.parametrize("processor", [Processor.ZYNQ, Processor.ZYNQMP])
def test_words_are_turned(tmp_path: Path, processor: Processor) -> None:
    file = tmp_path / "top.bit"
    file.write_bytes(bitfile())
    assert image_for(file, processor) == TURNED


@pytest.mark.parametrize("contents", [SYNC, TURNED])
def test_bin_of_either_order(tmp_path: Path, contents: bytes) -> None:
    file = tmp_path / "top.bin"
    file.write_bytes(contents)
    assert image_for(file, Processor.ZYNQ) == TURNED


def test_bin_without_sync_word_stays(tmp_path: Path) -> None:
    file = tmp_path / "top.bin"
    file.write_bytes(b"an image of Bootgen's, encrypted")
    assert image_for(file, Processor.ZYNQMP) == b"an image of Bootgen's, encrypted"


def test_pdi(tmp_path: Path) -> None:
    file = tmp_path / "top.pdi"
    file.write_bytes(SYNC)
    assert image_for(file, Processor.VERSAL) == SYNC
    with pytest.raises(DesignError, match=r"\.pdi is for Versal; zynq is configured with \.bit or \.bin"):
        image_for(file, Processor.ZYNQ)
    (tmp_path / "top.bit").write_bytes(bitfile())
    with pytest.raises(DesignError, match=r"a Versal is configured with a \.pdi, not with \.bit"):
        image_for(tmp_path / "top.bit", Processor.VERSAL)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "a .bit's first field has 2 bytes, but the file ends after 0"),
        (b"PK\3\4 a zip", "this is no .bit: its first field has 20555 bytes instead of 9"),
        (bitfile()[:-3], "the data has 16 bytes, but the file ends after 13"),
        (bitfile()[:30], "the field design has"),
        (bitfile() + b"more", "4 bytes follow the 16 of the data"),
        (
            bitfile().replace(b"b\0\x0c7z", b"x\0\x0c7z"),
            "a field with the key 0x78, where a to e are allowed",
        ),
    ],
)
def test_damage(tmp_path: Path, contents: bytes, message: str) -> None:
    file = tmp_path / "top.bit"
    file.write_bytes(contents)
    with pytest.raises(DesignError) as caught:
        read_bitfile(file)
    assert message in str(caught.value)
    assert "top.bit" in str(caught.value)


def test_no_bitstream(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match="no such file"):
        read_bitfile(tmp_path / "none.bit")
    os.mkfifo(tmp_path / "pipe.bit")
    with pytest.raises(DesignError, match="is no file"):
        image_for(tmp_path / "pipe.bit", Processor.ZYNQ)


def test_odd_and_empty_data(tmp_path: Path) -> None:
    file = tmp_path / "top.bit"
    file.write_bytes(bitfile(SYNC[:-1]))
    with pytest.raises(DesignError, match="15 bytes of configuration data are no whole words"):
        image_for(file, Processor.ZYNQ)
    file.write_bytes(bitfile(b""))
    with pytest.raises(DesignError, match="holds no configuration data"):
        image_for(file, Processor.ZYNQ)


@pytest.mark.parametrize(
    ("part", "board", "message"),
    [
        ("7z020clg400", "", ""),
        ("xc7z020clg400-1", "7z020", ""),
        ("7z010clg400", "", "is for part 7z010clg400, its description .* for xc7z020clg400-1"),
        ("7z020clg400", "7z045", "is for part 7z020clg400, this board has 7z045"),
        ("7z0200clg400", "", "of different builds"),
        ("", "7z010", "is for part xc7z020clg400-1, this board has 7z010"),
    ],
)
def test_parts(tmp_path: Path, part: str, board: str, message: str) -> None:
    file = tmp_path / "top.bit"
    file.write_bytes(bitfile(part=part))
    design = read(ROOT / "examples/polynomial/polynomial.hwh")
    found = misfit(str(file), identify(file.read_bytes(), str(file)), design, board)
    assert re.search(message, found) if message else found == ""


def test_part_of_kria(tmp_path: Path) -> None:
    design = read(ROOT / "examples/dma_loopback/dma_loopback.hwh")
    file = tmp_path / "top.bit"
    file.write_bytes(bitfile(part="xck26-sfvc784-2LV-c"))
    identity = identify(file.read_bytes(), str(file))
    assert misfit(str(file), identity, design, "k26") == ""
    assert "this board has zu7ev" in misfit(str(file), identity, design, "zu7ev")
