"""Bitstreams: what they say of themselves, what is wrong with them, what ``pynq convert`` makes of them."""

from __future__ import annotations

import json
import os
import stat
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from archivekit import EXAMPLES, archive, bitfile, configuration, example, packet, pdi
from hypothesis import given
from hypothesis import strategies as st

from pynq.cli import main
from pynq.design.bitfile import image_for, parse_bitfile, turned
from pynq.design.configdata import walk
from pynq.design.idcodes import devices_of
from pynq.design.image_files import describe_image
from pynq.design.images import Identity, describe, family_of, identify, misfit, same_device
from pynq.design.model import Processor
from pynq.errors import DesignError


def test_a_bit() -> None:
    options = "top;COMPRESS=TRUE;PARTIAL=TRUE;UserID=0XFFFFFFFF;SW_CRC=1a2b3c4d;Version=2025.2"
    found = describe(bitfile(design=options), "a.bit")
    assert json.loads(json.dumps(found)) == found
    assert (found["design"], found["part"], found["version"]) == ("top", "7z020clg400", "2025.2")
    assert (found["sw_crc"], found["user_id"]) == ("1a2b3c4d", "0XFFFFFFFF")
    assert (found["partial"], found["compressed"], found["encrypted"]) == (True, True, False)
    assert (found["date"], found["time"]) == ("2024/05/01", "12:00:00")
    assert (found["idcode"], found["devices"], found["order"]) == ("0x03727093", ["7z020"], "vivado")
    assert (found["frame_words"], found["crc"], found["notes"]) == (202, ["0x12345678"], [])


def test_a_bin_of_either_order() -> None:
    data = configuration(0x04A42093)
    assert describe(data, "a.bin")["order"] == "vivado"
    found = describe(turned(data), "a.bin")
    assert (found["order"], found["devices"], found["frame_words"]) == ("swapped", ["zu3"], 202)
    assert "encrypted by Bootgen" in describe(b"x" * 100, "a.bin")["notes"][0]


def test_flags_in_the_data() -> None:
    compressed = describe(configuration(more=packet(10, 0, 0, 0, 0) + packet(13, 0xCAFE)), "a.bin")
    assert (compressed["compressed"], compressed["usr_access"]) == (True, "0x0000cafe")
    encrypted = describe(configuration(more=packet(11, 1, 2, 3, 4)), "a.bin")
    assert (encrypted["encrypted"], encrypted["frame_words"]) == (True, 0)  # the rest is not looked at


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (configuration()[:-24], "end without DESYNC"),
        (configuration()[:500], "there is no packet: they are damaged"),
        (configuration(more=struct.pack(">I", 0xDEADBEEF)), "of the configuration data there is no packet"),
        (configuration(more=struct.pack(">I", 0x50000001)), ""),  # type 2 for the register before it
        (b"", "no sync word: the device ignores them"),
    ],
)
def test_damaged_data_are_told_of(data: bytes, note: str) -> None:
    notes = describe(bitfile(data), "a.bit")["notes"]
    assert note in (notes[0] if notes else "")


def test_a_header_that_lies() -> None:
    found = describe(bitfile(configuration(0x03722093)), "a.bit")
    assert found["notes"] == [
        "the header says part 7z020clg400, the data are for device 7z010 (IDCODE 0x03722093)"
    ]


def test_the_walk_is_bounded() -> None:
    data = configuration() + bytes.fromhex("20000000") * 100
    assert walk(data, 5) is not None
    assert describe(configuration()[:64] + bytes.fromhex("20000000") * 1_100_000, "a.bin")["notes"] == [
        "the configuration data have more packets than are looked at"
    ]
    start = time.process_time()
    identify(configuration()[:64] + bytes.fromhex("20000000") * 1_100_000, "a.bin")
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("code", "devices"),
    [
        (0x23727093, "7z020"),
        (0x04A49093, "k26"),
        (0x04A44093, "k24"),
        (0x04826093, "zu1"),
        (0x0484B093, "zu6"),
        (0x04A4B093, "zu6"),
        (0x04A56093, "zu19 ku15p"),  # one die
        (0x04A82093, "zu28"),
        (0x147E0093, "zu28"),  # its PS
        (0x14CA8093, "vc1902"),
        (0x14CC8093, "ve2302"),
        (0x14CD3093, "ve2802"),
        (0x0362D093, ""),
    ],
)
def test_codes(code: int, devices: str) -> None:
    assert " ".join(devices_of(code)) == devices


def test_fitting() -> None:
    assert Identity("", 0x04A42093, ("zu3",), None, False).fits("zu3eg")
    assert not Identity("", 0x04A43093, ("zu2",), None, False).fits("zu21dr")
    assert Identity("", 1, (), None, False).fits("anything")
    shared = Identity("", 0x04A56093, devices_of(0x04A56093), None, False)
    assert shared.fits("xcku15p-ffve1517-2-e")
    assert shared.fits("xczu19eg-ffvc1760-2-i")
    assert not shared.fits("xczu1eg-sbva484-1-e")
    assert same_device("xczu7ev-ffvc1156-2-e", "zu7ev")
    assert same_device("xqzu9eg-ffrb1156-1-i", "xczu9eg") is True
    assert not same_device("xc7z0201", "7z020")
    assert same_device("xc2ve3858-ssva2112-2MP-e-S", "2ve3858")


def test_pdis() -> None:
    found = describe(pdi(), "a.pdi")
    assert json.loads(json.dumps(found)) == found
    assert (found["version"], found["idcode"], found["devices"]) == ("4.0", "0x14ca8093", ["vc1902"])
    assert (found["partial"], found["encrypted"]) == (False, False)
    assert [image["name"] for image in found["images"]] == ["pmc_subsys", "pl_cfi"]
    first = found["images"][0]["partitions"][0]
    assert (first["kind"], first["size"], first["id"], first["load"]) == ("cdo", 64, "0x10", "0xf2000000")
    assert describe(pdi(partial=True), "a.pdi")["partial"] is True


def changed(at: int, value: int, *, partial: bool = False) -> bytes:
    data = bytearray(pdi(partial=partial))
    struct.pack_into("<I", data, at, value)
    return bytes(data)


TABLE = 16 + 0xF30


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is no .pdi"),
        (b"PK\3\4" + bytes(1000), "this is no .pdi"),
        (bytes.fromhex("0000dd00 22114433 66558877 aa99ccbb") + bytes(200), "for a bus of 8 or 16 bits"),
        (changed(0xC4, 1 << 30), "the image header table has 128 bytes, but the file has"),
        (changed(TABLE, 7), "the checksum of the image header table is"),
        (pdi()[: TABLE + 100], "the image header table has 128 bytes, but the file has"),
        (changed(TABLE + 128, 7), "the checksum of image header 0 is"),
        (changed(TABLE + 256, 7), "the checksum of partition header 0 is"),
        (pdi()[:-1], "partition 0x11 of 'pl_cfi' has 64 bytes, but the file has"),
        (pdi(images=[("x", 1)] * 257), "257 images with 257 partitions, more than 256"),
    ],
)
def test_damaged_pdis(data: bytes, message: str) -> None:
    with pytest.raises(DesignError) as caught:
        describe(data, "a.pdi")
    assert message in str(caught.value)
    assert str(caught.value).startswith("a.pdi: at byte 0x")


def resummed(table: dict[int, int]) -> bytes:
    """Return a .pdi with other words in its table."""
    data = bytearray(pdi())
    for word, value in table.items():
        struct.pack_into("<I", data, TABLE + 4 * word, value)
    total = sum(struct.unpack_from("<31I", data, TABLE))
    struct.pack_into("<I", data, TABLE + 124, ~total & 0xFFFFFFFF)
    return bytes(data)


def test_more_damaged_pdis() -> None:
    with pytest.raises(DesignError, match="the table of a partial image follows a boot header"):
        describe(resummed({10: 0x50504449}), "a.pdi")
    with pytest.raises(DesignError, match="partition header 0 has 128 bytes, but the file has"):
        describe(resummed({4: 0x3FFFFFFF}), "a.pdi")
    with pytest.raises(DesignError, match="image 'pmc_subsys' has the partitions 0 to 0 of 0"):
        describe(resummed({3: 0}), "a.pdi")
    secret = describe(resummed({16: 0xA5C3C5A3}), "a.pdi")
    assert (secret["encrypted"], secret["images"]) == (True, [])


@given(
    st.binary(max_size=400),
    st.text(st.characters(codec="ascii", exclude_characters="\0;"), max_size=40),
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0;"), max_size=20), max_size=4),
)
def test_every_bit_reads_back(data: bytes, part: str, options: list[str]) -> None:
    found = parse_bitfile(bitfile(data, part, ";".join(["top", *options])), "a.bit")
    assert (found.design, found.options, found.part, found.data) == ("top", tuple(options), part, data)


@given(st.binary(max_size=200))
def test_turning_twice_changes_nothing(data: bytes) -> None:
    data = data[: len(data) // 4 * 4]
    assert turned(turned(data)) == data


@given(st.binary(max_size=300), st.booleans())
def test_any_packets_are_walked(data: bytes, swapped: bool) -> None:
    sync = bytes.fromhex("aa995566")
    found = walk((sync[::-1] if swapped else sync) + data)
    assert found is not None
    assert found.swapped is swapped
    assert found.at <= 4 + len(data) + 3


def test_families() -> None:
    for part, family in (
        ("7z020clg400", Processor.ZYNQ),
        ("xczu7ev-ffvc1156-2-e", Processor.ZYNQMP),
        ("xck26-sfvc784-2LV-c", Processor.ZYNQMP),
        ("xcvc1902-vsva2197-2MP-e-S", Processor.VERSAL),
        ("7a100tcsg324", None),
    ):
        assert family_of(Identity(part, None, (), None, False)) is family


def test_a_pdi_of_another_device() -> None:
    from pynq.design import read

    design = read(EXAMPLES / "polynomial" / "polynomial.hwh")
    wrong = misfit("a.pdi", identify(pdi(), "a.pdi"), design)
    assert "a.pdi is for device vc1902 (IDCODE 0x14ca8093), its description" in wrong


# -- the commands --


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")


def told(capsys: pytest.CaptureFixture[str], *arguments: Any, code: int = 0) -> str:
    assert main([str(one) for one in arguments]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.bit"
    file.write_bytes(bitfile())
    assert told(capsys, "convert", file) == f"wrote {tmp_path / 'a.bin'}\n"
    made = (tmp_path / "a.bin").read_bytes()
    assert made == turned(configuration()) == image_for(file, Processor.ZYNQ)
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.bit"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o666 & ~mask
    assert "is there already: --force replaces it" in told(capsys, "convert", file, code=1)
    (tmp_path / "a.bin").write_bytes(b"old")
    told(capsys, "convert", file, "--force")
    assert (tmp_path / "a.bin").read_bytes() == made
    told(capsys, "convert", tmp_path / "a.bin", "-o", tmp_path / "b.bin")  # it is in that form already
    assert (tmp_path / "b.bin").read_bytes() == made
    assert "is the file to convert" in told(capsys, "convert", tmp_path / "a.bin", "--force", code=1)


def test_convert_out_of_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = archive(tmp_path / "a.xsa", {"top.hwh": example("vector_add"), "top.bit": bitfile()})
    assert told(capsys, "convert", file) == f"wrote {tmp_path / 'a.bin'}\n"
    assert (tmp_path / "a.bin").read_bytes() == turned(configuration())
    told(capsys, "convert", file / "top.bit", "-o", tmp_path / "b.bin")
    assert (tmp_path / "b.bin").read_bytes() == turned(configuration())


@pytest.mark.parametrize(
    ("name", "data", "options", "message"),
    [
        (
            "a.bit",
            bitfile(part="7a100tcsg324"),
            [],
            "is for part 7a100tcsg324, which is no Zynq: say --family",
        ),
        ("a.bit", bitfile(part="xczu3eg-sbva484-1-e"), ["--family", "zynq"], "a zynqmp, not for zynq"),
        ("a.bit", bitfile(), ["--family", "versal"], "--family 'versal' is none of zynq, zynqmp"),
        ("a.bit", bitfile(part="xcvc1902-vsva2197-2MP-e-S"), [], "a Versal is configured with a .pdi"),
        ("a.bit", bitfile(design="top;ENCRYPT=YES"), [], "is encrypted by Vivado"),
        ("a.bit", b"no", [], "its first field has 28271"),
        ("a.bit", bitfile()[:-1], [], "but the file ends after"),
        ("a.bin", b"nothing", [], "does not tell its part: say --family zynq or zynqmp"),
        ("a.pdi", pdi(), [], "is converted from .bit or .bin only"),
    ],
)
def test_convert_refuses(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    data: bytes,
    options: list[str],
    message: str,
) -> None:
    (tmp_path / name).write_bytes(data)
    said = told(capsys, "convert", tmp_path / name, "-o", tmp_path / "out.bin", *options, code=1)
    assert message in said.replace("\n", " ")
    assert os.listdir(tmp_path) == [name]


def test_inspect_of_an_image_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.bit"
    file.write_bytes(bitfile(design="top;COMPRESS=TRUE;Version=2022.1"))
    said = told(capsys, "inspect", file)
    for text in (
        "7z020clg400",
        "IDCODE 0x03727093 (7z020)",
        "compressed",
        "Vivado 2022.1",
        "no description for",
    ):
        assert text in said
    found = json.loads(told(capsys, "inspect", file, "--json"))
    assert found["image"] == describe_image(file)
    (tmp_path / "a.pdi").write_bytes(pdi())
    assert "pl_cfi: cdo 64 bytes" in told(capsys, "inspect", tmp_path / "a.pdi")
    file.write_bytes(b"no")
    assert "its first field has" in told(capsys, "inspect", file, code=1)


def test_inspect_with_a_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.hwh").write_bytes(example("polynomial"))
    (tmp_path / "a.bit").write_bytes(bitfile())
    found = json.loads(told(capsys, "inspect", tmp_path / "a.bit", "--json"))
    assert found["image"]["part"] == "7z020clg400"
    assert found["archive"] is None
    (tmp_path / "a.bit").write_bytes(b"")
    assert (
        "ends after 0" in json.loads(told(capsys, "inspect", tmp_path / "a.bit", "--json"))["image"]["error"]
    )
    file = archive(
        tmp_path / "b.xsa",
        {
            "a.hwh": example("polynomial"),
            "a.bit": bitfile(),
            "ps7_init.tcl": "proc ps7_init_data {} {\n  mwr -force 0XF8000008 0x0000DF0D\n}\n",
        },
    )
    found = json.loads(told(capsys, "inspect", file, "--json"))
    assert found["bitstream"] == f"{file}/a.bit"
    assert found["archive"]["ps_init"]["sections"] == {"ps7_init_data": 1}
    said = told(capsys, "inspect", file)
    assert "1 accesses in" in said
    assert "archive: 3 members; a.hwh" in said


def test_check_compares_an_archive_with_its_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = archive(tmp_path / "b.xsa", {"a.hwh": example("polynomial"), "a.bit": bitfile(part="7z010clg400")})
    assert main(["check", str(file), "--json"]) == 1
    rules = {one["rule"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert "bitstream-mismatch" in rules
