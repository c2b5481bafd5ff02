"""Containers of cards: what they hold, and programs on them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xclbin_writer import (
    BANKS,
    IPS,
    UUID_OF_TESTS,
    Writer,
    clocks,
    connectivity,
    container,
    layout,
    memory,
    metadata,
    sections,
)

import pynq
from pynq import design as description
from pynq.backends.pcie.xrt import XrtDevice
from pynq.binding import Views
from pynq.design import xclbin_container
from pynq.design.xclbin import describe_container
from pynq.errors import (
    DesignError,
    DesignNotFoundError,
    FieldValueError,
    ProgrammingError,
    PynqError,
    UnsupportedByDeviceError,
)
from pynq.sim import HlsModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pcie"))
from fake_xrt import FakeLibrary, FakeXrt


class Adder(HlsModel):
    """``out[i] = a[i] + b[i]``."""

    bindto = ["example.org:hls:vadd:1.0"]

    async def compute(self) -> None:
        size = 4 * int(self.registers.n)
        a, b, out = (
            int(self.registers[f"{name}_1"]) | int(self.registers[f"{name}_2"]) << 32
            for name in ("a", "b", "out")
        )
        operands = self.memory("M_AXI_GMEM0")
        total = (await operands.read(a, size)).view("<u4") + (await operands.read(b, size)).view("<u4")
        await self.memory("M_AXI_GMEM1").write(out, total)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vadd.xclbin"
    path.write_bytes(container())
    return path


def test_what_a_container_holds(file: Path) -> None:
    design = description.read(file)
    assert (design.format, design.name, design.part) == ("xclbin", "vadd", "xcu50-fsvh2104-2-e")
    assert design.board == "xilinx_u50_gen3x16_xdma_base_5"
    assert design.timestamp == "2023-11-14T22:13:20Z"
    unit = design.cells["vadd_1"]
    assert unit.type == "example.org:hls:vadd:1.0"
    assert {name: one.role for name, one in unit.interfaces.items()} == {
        "M_AXI_GMEM0": "MASTER",
        "M_AXI_GMEM1": "MASTER",
        "S_AXI_CONTROL": "SLAVE",
    }
    # CONNECTIVITY: a and b in HBM[0], out in HBM[1]; of vadd_2 in the DDR.
    assert [(one.master_interface, one.slave, one.base) for one in unit.ranges] == [
        ("M_AXI_GMEM0", "HBM[0]", 0),
        ("M_AXI_GMEM1", "HBM[1]", 0x1000_0000),
    ]
    assert design.cells["vadd_2"].ranges[1].slave == "bank0"
    assert [(one.name, one.source_pll, one.frequency) for one in design.clocks] == [
        ("KERNEL_CLK", "KERNEL", 500_000_000),
        ("DATA_CLK", "DATA", 300_000_000),
    ]
    assert design.cells["source_1"].interfaces["y"].net == design.cells["sink_1"].interfaces["x"].net
    assert not design.cells["source_1"].blocks[0].registers
    assert not design.notes


def test_the_dictionaries_have_the_shape_of_pynq(file: Path) -> None:
    views = Views.of(description.read(file))
    assert list(views.ip_dict) == ["vadd_1", "vadd_2", "sink_1"]
    unit = views.ip_dict["vadd_1"]
    assert (unit["phys_addr"], unit["addr_range"]) == (0x80_0000, 0x1000)
    assert unit["cu_name"] == "vadd:vadd_1"
    assert unit["hw_control_protocol"] == "ap_ctrl_hs"
    assert unit["xclbin_uuid"] == UUID_OF_TESTS.hex
    registers = unit["registers"]
    assert list(registers) == ["CTRL", "GIER", "IP_IER", "IP_ISR", "a", "b", "out", "n"]
    assert {name: registers["a"][name] for name in ("address_offset", "size", "id", "memory", "type")} == {
        "address_offset": 0x10,
        "size": 64,
        "id": 0,
        "memory": "HBM[0:1]",  # GROUP_CONNECTIVITY: what a buffer for it is allocated in
        "type": "unsigned int const *",
    }
    assert registers["CTRL"]["fields"]["AP_DONE"]["bit_offset"] == 1
    assert list(views.ip_dict["sink_1"]["registers"]) == ["count"]
    streams = {"x": {"direction": "input", "id": 0, "type": "stream"}}
    assert views.ip_dict["sink_1"]["streams"] == streams
    places = [(unit["cu_index"], unit["index"]) for unit in views.ip_dict.values()]
    assert places == [(0, 0), (1, 1), (2, 3)]
    assert [views.mem_dict[name]["raw_type"] for name in ("HBM[0]", "bank0")] == [6, 1]
    assert [(name, one["idx"], one["used"]) for name, one in views.mem_dict.items()] == [
        ("HBM[0]", 0, 1),
        ("HBM[1]", 1, 1),
        ("HBM[2]", 2, 0),
        ("bank0", 3, 1),
        ("HBM[0:1]", 4, 1),
    ]
    bank = views.mem_dict["bank0"]
    assert (bank["type"], bank["base_address"], bank["size"]) == ("DDR4", 0x40_0000_0000, 16 << 30)
    assert views.clock_dict["clock0"] == {"name": "DATA_CLK", "frequency": 300, "type": "DATA"}


@pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")  # the streams
def test_a_program_on_the_simulated_board(file: Path) -> None:
    overlay = pynq.Overlay(str(file), device="sim:")
    a, b = (pynq.allocate(1000, "u4", target=overlay.HBM0) for _ in range(2))
    out = pynq.allocate(1000, "u4", target=overlay.HBM1)
    assert out.physical_address >= 0x1000_0000
    a[:], b[:] = np.arange(1000), 7
    overlay.vadd_1.call(a, b, out, 1000)
    assert np.array_equal(out, a + b)
    registers = overlay.vadd_1.register_map
    assert [int(registers[name]) for name in ("a", "b", "out", "n")] == [
        *(buffer.physical_address for buffer in (a, b, out)),
        1000,
    ]
    registers.b = 0x1234_5678_9ABC_DEF0  # at 0x1C, which is no multiple of 8
    assert overlay.vadd_1.read(0x20) == 0x1234_5678
    assert int(registers.b) == 0x1234_5678_9ABC_DEF0
    far = pynq.allocate(16, "u4", target=overlay.bank0)
    overlay.vadd_2.call(a, b, far, n=16)
    assert np.array_equal(far, out[:16])
    assert pynq.allocate(16, target=overlay.device).physical_address < 0x1000_0000
    with pytest.raises(UnsupportedByDeviceError, match=r"HBM\[0\] is memory of a card.*target=overlay.HBM0"):
        overlay.HBM0.mmio.read(0)
    with pytest.raises(TypeError, match=r"vadd_1\(a, b, out, n\): missing a required argument: 'n'"):
        overlay.vadd_1.call(a, b, out)
    with pytest.raises(FieldValueError, match="n = 4294967296 does not fit its 32 bits"):
        overlay.vadd_1.call(a, b, out, 1 << 32)


@pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")  # the streams
def test_a_program_on_a_card_under_xrt(file: Path) -> None:
    card = FakeXrt(description.read(file))
    with XrtDevice(pyxrt=card, library=FakeLibrary(card)) as device:
        overlay = pynq.Overlay(str(file), device=device)
        a, b, out = (
            pynq.allocate(64, "u4", target=bank) for bank in (overlay.HBM0, overlay.HBM0, overlay.HBM1)
        )
        a[:], b[:] = np.arange(64), 3
        a.flush()
        b.flush()
        overlay.vadd_1.call(a, b, out, 64)
        out.invalidate()
        assert np.array_equal(out, a + b)
        assert overlay.vadd_1.read(0x34) == 64
        assert pynq.allocate(4, target="HBM[1]", device=device).physical_address >= 0x1000_0000
        with pytest.raises(
            UnsupportedByDeviceError, match=r"not 'DDR\[3\]'; by name there are HBM\[0\], HBM"
        ):
            pynq.allocate(4, target="DDR[3]", device=device)


def test_the_device_is_told_what_xrt_says(file: Path) -> None:
    card = FakeXrt(description.read(file))
    with XrtDevice(pyxrt=card, library=FakeLibrary(card)) as device:
        card.xclbin = lambda path: (_ for _ in ()).throw(RuntimeError("wrong shell"))  # type: ignore[method-assign]
        with pytest.raises(ProgrammingError, match=r"XRT refused .*vadd.xclbin: wrong shell"):
            pynq.Overlay(str(file), device=device)


def test_a_container_is_its_own_bitstream_where_there_is_no_other(file: Path) -> None:
    for name in (file, file.with_suffix("")):
        assert description.locate(name) == (file, file)
    bitstream = file.with_suffix(".bit")  # as on Kria boards, whose containers may have metadata only
    bitstream.write_bytes(b"x")
    for name in (file, file.with_suffix(""), bitstream):
        assert description.locate(name) == (file, bitstream)


def test_sections_are_listed(file: Path) -> None:
    told = describe_container(file)
    assert told["version"] == "2.13.0"
    assert told["uuid"] == str(UUID_OF_TESTS)
    assert told["mirror_data"]
    assert {one["kind"] for one in told["sections"]} == set(sections())
    assert sum(one["size"] for one in told["sections"]) == sum(map(len, sections().values()))


def test_a_large_bitstream_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.xclbin"
    path.write_bytes(container())
    data = Writer([(k, v) for k, v in sections().items() if k != "BITSTREAM"] + [("BITSTREAM", b"")])
    start = len(data.bytes())
    data.places = {7: (start + 8, 1 << 40)}
    data.length = start + 8 + (1 << 40)
    with open(path, "wb") as stream:
        stream.write(data.bytes())
        stream.truncate(data.length)  # sparse: a terabyte
    assert len(description.read(path).cells) == len(BANKS) + len(IPS)


@pytest.mark.parametrize("protocol", ["ap_ctrl_chain", "ap_ctrl_none"])
def test_control_protocols(tmp_path: Path, protocol: str) -> None:
    path = tmp_path / "x.xclbin"
    path.write_bytes(container(EMBEDDED_METADATA=metadata(protocol)))
    registers = Views.of(description.read(path)).ip_dict["vadd_1"]["registers"]
    if protocol == "ap_ctrl_chain":
        assert registers["CTRL"]["fields"]["AP_CONTINUE"]["bit_offset"] == 4
    else:
        assert list(registers) == ["a", "b", "out", "n"]


def test_a_kernel_of_a_hand_made_container(tmp_path: Path) -> None:
    """Neither type nor protocol, and halves of an address as arguments of one number."""
    path = tmp_path / "x.xclbin"
    kernel = b"""<project name="custom"><platform><device name="fpga0"><core name="OCL_REGION_0">
      <kernel name="add"><port name="s_axi_control" mode="slave" range="0x1000" dataWidth="32"/>
      <arg name="a_lo" addressQualifier="0" id="0" port="s_axi_control" size="4" offset="0x010" type="uint"/>
      <arg name="a_hi" addressQualifier="0" id="0" port="s_axi_control" size="4" offset="0x014" type="uint"/>
      <instance name="vadd_1"><addrRemap base="0x0" range="0x10000" port="s_axi_control"/></instance>
      </kernel></core></device></platform></project>"""
    path.write_bytes(container(EMBEDDED_METADATA=kernel))
    unit = Views.of(description.read(path)).ip_dict["vadd_1"]
    assert (unit["type"], unit["hw_control_protocol"]) == ("", "s_axilite")
    offsets = {name: one["address_offset"] for name, one in unit["registers"].items()}
    assert offsets == {"CTRL": 0, "GIER": 4, "IP_IER": 8, "IP_ISR": 12, "a_lo": 16, "a_hi": 20}


def test_metadata_may_lack(tmp_path: Path) -> None:
    path = tmp_path / "x.xclbin"
    path.write_bytes(container(EMBEDDED_METADATA=None, GROUP_TOPOLOGY=None, GROUP_CONNECTIVITY=None))
    design = description.read(path)
    assert Views.of(design).ip_dict["vadd_2"]["phys_addr"] == 0x81_0000
    assert "has no EMBEDDED_METADATA: registers and arguments are not known" in str(design.notes[0])
    path.write_bytes(container(IP_LAYOUT=None, CONNECTIVITY=None, GROUP_CONNECTIVITY=None))
    assert Views.of(description.read(path)).ip_dict["vadd_2"]["phys_addr"] == 0x81_0000


def _writer(**changes: Any) -> Callable[[], bytes]:
    return lambda: replace(Writer(), **changes).bytes()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", r"is no xclbin container: it begins with b''"),
    "magic": (_writer(magic=b"xclbinX\0"), r"is no xclbin container: it begins with b'xclbinX"),
    "old": (_writer(magic=b"xclbin1\0"), r"container of the old version xclbin1; only xclbin2 is read"),
    "header": (lambda: container()[:455], r"is truncated: its 455 bytes do not hold the header of 456"),
    "table": (
        lambda: container()[:500],
        r"is truncated: its 500 bytes do not hold the headers of 8 sections",
    ),
    "length": (_writer(length=1 << 40), r"is truncated: its header tells 1099511627776 bytes, it has \d+"),
    "sections": (_writer(count=5000), r"has 5000 sections by its header; at most 1024 are read"),
    "beyond": (
        _writer(places={1: (1 << 30, 48)}),
        r"MEM_TOPOLOGY is 48 bytes at 0x40000000, beyond the file's",
    ),
    "overlap": (
        _writer(places={1: (1000, 48)}),
        r"section (MEM_TOPOLOGY|BITSTREAM) at 0x\w+ overlaps section (BITSTREAM|MEM_TOPOLOGY), which ends",
    ),
    "in-header": (_writer(places={1: (8, 48)}), r"section MEM_TOPOLOGY at 0x8 overlaps the header"),
    "twice": (
        lambda: Writer([*sections().items(), ("IP_LAYOUT", layout(*IPS))]).bytes(),
        r"section IP_LAYOUT is there twice",
    ),
    "short-table": (lambda: container(IP_LAYOUT=b"\1"), r"IP_LAYOUT has 1 bytes, too few for its number"),
    "count": (
        lambda: container(IP_LAYOUT=layout(*IPS, count=5)),
        r"IP_LAYOUT has 5 entries by its count, which need 408 bytes; it has 328",
    ),
    "negative": (
        lambda: container(MEM_TOPOLOGY=memory(*BANKS, count=-1)),
        r"MEM_TOPOLOGY has -1 entries by its count; expected 0 to 4096",
    ),
    "no-memory": (lambda: container(CONNECTIVITY=connectivity((0, 0, 9))), r"CONNECTIVITY: memory 9 of 4 is"),
    "no-ip": (
        lambda: container(CONNECTIVITY=connectivity((0, 7, 0))),
        r"CONNECTIVITY: IP 7 of 4 is connected",
    ),
    "wraps": (
        lambda: container(MEM_TOPOLOGY=memory((6, 1, 1 << 40, 2**64 - 4096, "HBM[0]"), *BANKS[1:])),
        r"memory 'HBM\[0\]': 1125899906842624 bytes at 0xfffffffffffff000 wrap around",
    ),
    "bank-twice": (
        lambda: container(MEM_TOPOLOGY=memory(*BANKS[:3], (1, 1, 4, 1 << 40, "HBM[0]"))),
        r"memory 3: the name 'HBM\[0\]' can't be used or is taken",
    ),
    "units-overlap": (
        lambda: container(IP_LAYOUT=layout((1, 0x80_0000, "vadd:vadd_1"), (1, 0x80_0800, "vadd:vadd_2"))),
        r"'vadd_1' at 0x800000 to 0x800fff and 'vadd_2' at 0x800800 to 0x8017ff overlap",
    ),
    "clock-twice": (
        lambda: container(CLOCK_FREQ_TOPOLOGY=clocks((1, 1, "c"), (2, 2, "c"))),
        r"clock 'c' is there twice",
    ),
    "doctype": (
        lambda: container(EMBEDDED_METADATA=b'<!DOCTYPE x [<!ENTITY e "e">]><project name="&e;"/>'),
        r"EMBEDDED_METADATA, line 1: a document type declaration; v\+\+ writes none",
    ),
    "xml": (
        lambda: container(EMBEDDED_METADATA=b"<project>\n</kernel>"),
        r"EMBEDDED_METADATA, line 2: mismatched tag",
    ),
    "encoding": (
        lambda: container(EMBEDDED_METADATA=b'<?xml version="1.0" encoding="bogus"?><project/>'),
        r"EMBEDDED_METADATA has an encoding that can't be read \(unknown encoding: bogus\)",
    ),
    "wide-encoding": (
        lambda: container(EMBEDDED_METADATA=b'<?xml version="1.0" encoding="shift_jis"?><project/>'),
        r"EMBEDDED_METADATA has an encoding that can't be read \(multi-byte",
    ),
    "deep": (
        lambda: container(EMBEDDED_METADATA=b"<a>" * 100),
        r"EMBEDDED_METADATA, line 1: more than 200000",
    ),
    "number": (
        lambda: container(EMBEDDED_METADATA=metadata(out="here")),
        r"line 18: argument 'out' of 'vadd': offset='here' is no number",
    ),
    "among-control": (
        lambda: container(EMBEDDED_METADATA=metadata(out="0x8")),
        r"line 18: argument 'out' of 'vadd' at offset 0x8 is among the control registers, which end at 0x10",
    ),
    "beyond-range": (
        lambda: container(EMBEDDED_METADATA=metadata(out="0xffd")),
        r"line 18: argument 'out' of 'vadd' at offset 0xffd is beyond the 0x1000 bytes of S_AXI_CONTROL",
    ),
    "unit-twice": (
        lambda: container(EMBEDDED_METADATA=metadata().replace(b"vadd_2", b"vadd_1")),
        r"EMBEDDED_METADATA, line 21: 'vadd_1' is there twice",
    ),
    "name": (
        lambda: container(EMBEDDED_METADATA=metadata().replace(b'"vadd_2"', b'""')),
        r"line 21: <instance> has no usable name: ''",
    ),
}


@pytest.mark.parametrize("rule", BAD)
def test_bad_containers(tmp_path: Path, rule: str) -> None:
    make, message = BAD[rule]
    path = tmp_path / f"{rule}.xclbin"
    path.write_bytes(make())
    with pytest.raises(DesignError, match=message) as caught:
        description.read(path)
    assert all(problem.file == str(path) for problem in caught.value.problems)


def test_a_section_of_metadata_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "vadd.xclbin"
    path.write_bytes(container())
    monkeypatch.setattr(xclbin_container, "MAX_SECTION", 100)
    with pytest.raises(DesignError, match=r"section EMBEDDED_METADATA is \d+ bytes; metadata are read up to"):
        description.read(path)


def test_no_container(tmp_path: Path) -> None:
    with pytest.raises(DesignNotFoundError, match="no such file"):
        description.read(tmp_path / "none.xclbin")
    (tmp_path / "folder.xclbin").mkdir()
    with pytest.raises(DesignError, match="can't be read"):
        description.read(tmp_path / "folder.xclbin")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 8600), st.integers(0, 255)), max_size=8), st.integers(0, 9000))
def test_damage_is_told_or_harmless(tmp_path: Path, damage: list[tuple[int, int]], end: int) -> None:
    data = bytearray(container())
    for place, value in damage:
        data[place % len(data)] = value
    path = tmp_path / "x.xclbin"
    path.write_bytes(data[:end] if end < 8000 else data)
    with suppress(PynqError):
        Views.of(description.read(path))
