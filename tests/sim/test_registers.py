"""Register files: any description obeys its access rights, as a reference in plain Python does."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine
from pynq.backends.sim.nets import active_low, number
from pynq.backends.sim.regfile import Reg, identifier, specs_of_cell, specs_of_model, store
from pynq.design.model import AddressBlock, Cell, CellKind, Field, Register, SourceRef

ACCESS = ["read-write", "read-only", "write-only"]
SOURCE = SourceRef("test.hwh", 1)


@dataclass
class Case:
    registers: tuple[Register, ...]
    accesses: list[tuple[int, int | None]]  # offset, value written or None for a read


@st.composite
def cases(draw: st.DrawFn) -> Case:
    registers = []
    for index in range(draw(st.integers(1, 4))):
        fields, low = [], 0
        while low < 32 and draw(st.booleans()):
            width = draw(st.integers(1, 32 - low))
            if draw(st.booleans()):
                special = draw(st.sampled_from(["", "", "oneToClear", "oneToToggle"]))
                access = draw(st.sampled_from(ACCESS))
                fields.append(
                    Field(
                        f"F{low}",
                        low,
                        width,
                        access,
                        None,
                        "",
                        1,
                        special,
                        draw(st.sampled_from(["", "clear"])),
                    )
                )
            low += width
        reset = draw(st.integers(0, 0xFFFFFFFF))
        access = draw(st.sampled_from(ACCESS))
        registers.append(Register(f"R{index}", 4 * index, 32, access, reset, "", tuple(fields), 1))
    offsets = st.sampled_from([4 * index for index in range(len(registers))])
    accesses = draw(st.lists(st.tuples(offsets, st.none() | st.integers(0, 0xFFFFFFFF)), max_size=12))
    return Case(tuple(registers), accesses)


class Reference:
    """A register by the rules of IP-XACT, bit by bit."""

    def __init__(self, register: Register) -> None:
        self.value = register.reset or 0
        whole = Field("", 0, 32, register.access, None, "", 1)
        self.fields = register.fields or (whole,)

    def bits(self, field: Field) -> range:
        return range(field.offset, field.offset + field.width)

    def read(self) -> int:
        seen = 0
        for field in self.fields:
            for bit in self.bits(field):
                if field.access != "write-only":
                    seen |= self.value & 1 << bit
                if field.read_action == "clear":
                    self.value &= ~(1 << bit)
        return seen

    def write(self, value: int) -> None:
        for field in self.fields:
            for bit in self.bits(field):
                mask = 1 << bit
                if field.modified_write == "oneToClear":
                    self.value &= ~(value & mask)
                elif field.modified_write == "oneToToggle":
                    self.value ^= value & mask
                elif field.access != "read-only":
                    self.value = self.value & ~mask | value & mask


@given(cases())
@settings(max_examples=150, deadline=None)
def test_register_files_follow_the_description(case: Case) -> None:
    block = AddressBlock("Reg", "s_axi", 0, 256, "register", "", case.registers, SOURCE)
    cell = Cell("ip", None, "ip", CellKind.PERIPHERAL, {}, {}, {}, (block,), (), SOURCE)
    engine = Engine(access_cycles=0)
    try:
        host = engine.host("ip", engine.clock("clock", 1e8))
        host.add_slave("s_axi", range=256)
        assert len(store(host, specs_of_cell(cell), {"s_axi": 256})) == len(case.registers)
        engine.space("PS", ps=True).map(0, 255, host)
        engine.elaborate()
        references = {register.offset: Reference(register) for register in case.registers}
        for offset, value in case.accesses:
            if value is None:
                assert engine.read(offset) == references[offset].read()
            else:
                engine.write(offset, value)
                references[offset].write(value)
    finally:
        engine.close()


def test_overlaps_odd_sizes_and_what_lies_beyond() -> None:
    registers = (
        Register("BIT", 0, 1, "read-write", 1, "", (), 1),
        Register("WORD", 0, 32, "read-write", 0, "", (), 1),  # overlaps: gives way
        Register("ARRAY", 0x10, 128, "read-write", 0, "", (), 1),
        Register("WIDE", 0x20, 64, "read-write", 0x1_0000_0002, "", (), 1),
        Register("BYTE", 0x31, 8, "read-write", 3, "", (), 1),
        Register("BEYOND", 0x100, 32, "read-write", 0, "", (), 1),
    )
    block = AddressBlock("Reg", "s_axi", 0, 256, "register", "", registers, SOURCE)
    cell = Cell("ip", None, "ip", CellKind.PERIPHERAL, {}, {}, {}, (block,), (), SOURCE)
    engine = Engine(access_cycles=0)
    host = engine.host("ip", engine.clock("clock", 1e8))
    host.add_slave("s_axi", range=0x40)
    names = [spec.name for spec in store(host, specs_of_cell(cell), {"s_axi": 0x40})]
    assert names == ["BIT", "ARRAY[0]", "ARRAY[1]", "ARRAY[2]", "ARRAY[3]", "WIDE", "BYTE"]
    engine.space("PS", ps=True).map(0, 0x3F, host)
    engine.elaborate()
    assert engine.read(0x24) == 1
    assert engine.read(0x31, 1) == 3
    engine.write(0x1C, 5)
    assert engine.read(0x1C) == 5
    assert engine.read(0x3C) == 0
    engine.close()


@given(st.text(max_size=12))
def test_any_name_has_a_spelling(name: str) -> None:
    assert identifier(name).isidentifier()


@given(st.integers(0, 1 << 64))
def test_numbers_of_parameters(value: int) -> None:
    for text in (str(value), hex(value), f"{value:#X}".replace("X", "x"), f'"{value:b}"', f"00{value}"):
        assert number(text, -1) == value
    assert (number("true"), number("false"), number("no number", 7)) == (1, 0, 7)


def test_reset_polarity_by_name() -> None:
    for name in ("s_axi_aresetn", "ap_rst_n", "axi_resetn", "ARESETN", "aRst_n", "peripheral_aresetn"):
        assert active_low(name, None), name
    for name in ("reset", "ext_reset_in", "Debug_SYS_Rst", "vid_io_in_reset", "rst", "mb_reset"):
        assert not active_low(name, None), name


def test_declared_registers() -> None:
    (spec,) = specs_of_model("M", {"A": Reg(8, reset=1, access="read-only", fields={"X": (0, 4)})})
    assert (spec.readable, spec.writable, spec.reset) == (0xFFFFFFFF, 0, 1)
