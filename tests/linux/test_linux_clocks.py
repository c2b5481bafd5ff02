"""PL clocks from registers with settings of real boot loaders, and through AMD's driver."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psdesigns import with_ps
from pskit import Board, Registers, put

from pynq.backends.kernel import Kernel, failure
from pynq.backends.linux.clocks import Clocks, described_reference, nearest
from pynq.design.model import Processor
from pynq.errors import FieldValueError, KernelAccessError, UnsupportedByDeviceError

# ps7_init of PYNQ-Z1 (PS_CLK 50 MHz), base overlay: PLLs 1300, 1050, 1000 MHz; FCLKs 100, 142.9, 200, 166.7.
ZYNQ = {
    0xF800_0100: 0x0001_A008,
    0xF800_0104: 0x0001_5008,
    0xF800_0108: 0x0001_4008,
    0xF800_0170: 0x0020_0500,
    0xF800_0180: 0x0010_0700,
    0xF800_0190: 0x0010_0500,
    0xF800_01A0: 0x0010_0630,
}
# psu_init of ZCU104 (33.333 MHz): IOPLL 1500, RPLL 1500, DPLL 1066.7 / 2 in the LPD.
ZYNQMP = {
    0xFF5E_0020: 0x0001_5A00,
    0xFF5E_0030: 0x0001_5A00,
    0xFD1A_002C: 0x0001_4000,
    0xFD1A_004C: 0x0000_0200,
    0xFF5E_00C0: 0x0101_0F00,
    0xFF5E_00C4: 0x0101_0502,
    0xFF5E_00C8: 0x0101_0503,
    0xFF5E_00CC: 0x0001_0602,
}
# VCK190: PPLL 33.333 * 72 / 2, NPLL 33.333 * 120 / 4.
VERSAL = {
    0xF126_0040: 0x0001_4800,
    0xF126_0050: 0x0002_7800,
    0xF126_05C0: 0x0100_0C00,
    0xF126_05C4: 0x0100_0303,
    0xF126_05C8: 0x0100_0500,
    0xF126_05CC: 0x0000_0500,
}
WORDS = {Processor.ZYNQ: ZYNQ, Processor.ZYNQMP: ZYNQMP, Processor.VERSAL: VERSAL}
MHZ = 1e6


def board(root: Path, processor: Processor, reference: float | None = None) -> tuple[Clocks, Registers]:
    registers = Registers(dict(WORDS[processor]))
    return Clocks(Kernel(root), Board(processor), registers.physical, reference=reference), registers


@pytest.mark.parametrize(
    ("processor", "reference", "megahertz"),
    [
        (Processor.ZYNQ, 50e6, (100, 1000 / 7, 200, 175)),
        (Processor.ZYNQMP, 33.333e6, (99.999, 299.997, 106.6656, 0)),
        (Processor.VERSAL, 33.333e6, (99.999, 333.33, 239.9976, 0)),
    ],
)
def test_rates(tmp_path: Path, processor: Processor, reference: float, megahertz: tuple[float, ...]) -> None:
    clocks, registers = board(tmp_path, processor, reference)
    assert [clocks.rate(index) for index in range(4)] == pytest.approx([f * MHZ for f in megahertz])
    assert registers.written == []


@pytest.mark.parametrize(
    ("processor", "node", "name"),
    [
        (Processor.ZYNQ, "amba/slcr@f8000000/clkc@100", "ps-clk-frequency"),
        (Processor.ZYNQ, "axi/slcr@f8000000/clkc@100", "ps-clk-frequency"),
        (Processor.ZYNQMP, "pss_ref_clk", "clock-frequency"),
        (Processor.ZYNQMP, "pss-ref-clk", "clock-frequency"),
        (Processor.VERSAL, "ref_clk", "clock-frequency"),
    ],
)
def test_the_reference_clock_is_the_device_trees(
    tmp_path: Path, processor: Processor, node: str, name: str
) -> None:
    clocks, _ = board(tmp_path, processor, 20e6)
    assert clocks.rate(0) < 70 * MHZ
    put(tmp_path, f"/proc/device-tree/{node}/{name}", struct.pack(">I", 50_000_000))
    assert clocks.rate(0) == pytest.approx(150 * MHZ if processor is not Processor.ZYNQ else 100 * MHZ)
    put(tmp_path, f"/proc/device-tree/{node}/{name}", b"odd")
    assert clocks.rate(0) < 70 * MHZ


def test_without_any_word_of_it_the_reference_is_the_usual_one(tmp_path: Path) -> None:
    clocks, _ = board(tmp_path, Processor.ZYNQMP)
    assert clocks.rate(0) == pytest.approx(100 * MHZ, rel=1e-6)


@pytest.mark.parametrize(
    ("processor", "text", "hertz"),
    [
        (Processor.ZYNQ, "50.000000", 50e6),
        (Processor.ZYNQMP, "33.333", 33.333e6),
        (Processor.VERSAL, "33.333333", 33.333333e6),
        (Processor.ZYNQ, "", None),
        (Processor.ZYNQ, "nan", None),
        (Processor.ZYNQ, "1e300", None),
    ],
)
def test_the_reference_clock_of_a_description(processor: Processor, text: str, hertz: float | None) -> None:
    name = {
        Processor.ZYNQ: "PCW_CRYSTAL_PERIPHERAL_FREQMHZ",
        Processor.ZYNQMP: "PSU__PSS_REF_CLK__FREQMHZ",
        Processor.VERSAL: "PMC_REF_CLK_FREQMHZ",
    }[processor]
    assert described_reference(with_ps(processor, {name: text})) == hertz
    assert described_reference(with_ps(processor)) is None


# -- divisors ------------------------------------------------------------------------------------------------
_SOURCES = st.floats(20e6, 3e9)
_WANTED = st.floats(1e-3, 4e9)


@given(source=_SOURCES, hertz=_WANTED)
def test_two_divisors_are_the_nearest_of_all(source: float, hertz: float) -> None:
    found = nearest(source, hertz, (63, 63))
    assert all(1 <= divisor <= 63 for divisor in found)
    one = np.arange(1, 64)
    distances = np.abs(source / one[:, None] / one[None, :] - hertz)
    assert abs(source / found[0] / found[1] - hertz) == pytest.approx(distances.min(), rel=1e-12, abs=1e-6)


@given(source=_SOURCES, hertz=_WANTED)
def test_one_divisor_is_the_nearest_of_all(source: float, hertz: float) -> None:
    (found,) = nearest(source, hertz, (1023,))
    distances = np.abs(source / np.arange(1, 1024) - hertz)
    assert abs(source / found - hertz) == distances.min()


@given(hertz=_WANTED, processor=st.sampled_from(Processor), index=st.integers(0, 3))
def test_what_was_set_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, hertz: float, processor: Processor, index: int
) -> None:
    clocks, registers = board(tmp_path_factory.getbasetemp(), processor, 33.333e6)
    before = dict(registers.words)
    reached = clocks.set(index, hertz)
    assert clocks.rate(index) == reached
    address = {Processor.ZYNQ: 0xF800_0170 + 0x10 * index}.get(processor)
    address = address or {Processor.ZYNQMP: 0xFF5E_00C0, Processor.VERSAL: 0xF126_05C0}[processor] + 4 * index
    changed = {one for one in registers.words if registers.words[one] != before.get(one, 0)}
    assert changed <= {address}
    # source select and everything else stays
    keep = {Processor.ZYNQ: ~0x03F0_3F00, Processor.ZYNQMP: ~0x013F_3F00, Processor.VERSAL: ~0x0103_FF00}
    assert registers.words[address] & keep[processor] == before[address] & keep[processor]


# -- registers -----------------------------------------------------------------------------------------------
def test_both_divisors_change_in_one_write(tmp_path: Path) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQ, 50e6)
    assert clocks.set(0, 50 * MHZ) == 50 * MHZ
    assert len(registers.written) == 1
    assert clocks.set(0, 50 * MHZ) == 50 * MHZ
    assert len(registers.written) == 1  # it was right already
    assert clocks.rate(1) == clocks.set(1, clocks.rate(1))
    assert len(registers.written) == 1


def test_a_stopped_clock_starts_when_it_is_right(tmp_path: Path) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQMP, 33.333e6)
    assert clocks.rate(3) == 0
    clocks.set(3, 100 * MHZ)
    first, second = (value for _, value in registers.written)
    assert (first >> 24 & 1, second) == (0, first | 1 << 24)
    assert clocks.rate(3) == pytest.approx(99.999 * MHZ)
    clocks, registers = board(tmp_path, Processor.ZYNQ, 50e6)
    registers.words[0xF800_0178] = 1  # a kernel that thinks that nobody uses FCLK_CLK0
    assert clocks.rate(0) == 0
    clocks.set(0, 100 * MHZ)
    assert registers.written == [(0xF800_0178, 0)]


@pytest.mark.parametrize("processor", list(Processor))
def test_zero_stops_a_clock(tmp_path: Path, processor: Processor) -> None:
    clocks, _ = board(tmp_path, processor, 33.333e6)
    before = clocks.rate(0)
    assert clocks.set(0, 0) == 0
    assert clocks.rate(0) == 0
    assert clocks.set(0, before) == before


@pytest.mark.parametrize("locked", [False, True])
def test_the_locks_are_as_before(tmp_path: Path, locked: bool) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQ, 50e6)
    registers.locked = locked
    clocks.set(1, 25 * MHZ)
    assert clocks.rate(1) == 25 * MHZ
    assert registers.locked == locked
    clocks, registers = board(tmp_path, Processor.VERSAL, 33.333e6)
    registers.protected = locked
    clocks.set(1, 100 * MHZ)
    assert clocks.rate(1) == pytest.approx(99.999 * MHZ)
    assert registers.protected == locked


def test_a_pll_in_bypass_with_a_fraction_and_switched_off(tmp_path: Path) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQMP, 33.333e6)
    registers.words[0xFF5E_0028] = 1 << 31 | 0x8000  # IOPLL_FRAC_CFG: half
    assert clocks.rate(0) == pytest.approx(33.333e6 * 90.5 / 2 / 15)
    registers.words[0xFF5E_0020] |= 1 << 3
    assert clocks.rate(0) == pytest.approx(33.333e6 / 15)
    registers.words[0xFF5E_0020] ^= 1 << 3 | 1
    with pytest.raises(UnsupportedByDeviceError, match=r"IOPLL, which is switched off \(register 0x15a01"):
        clocks.rate(0)
    registers.words[0xFF5E_0020] = 0x0041_5A00
    with pytest.raises(UnsupportedByDeviceError, match="does not run on the PS's reference clock"):
        clocks.rate(0)
    registers.words[0xFF5E_00C0] = 0x0101_0F05
    with pytest.raises(UnsupportedByDeviceError, match=r"source 5.*known are 0 \(IOPLL\)"):
        clocks.set(0, 1e8)


def test_divisors_of_0_are_1_as_the_kernel_has_it(tmp_path: Path) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQ, 50e6)
    registers.words[0xF800_0170] = 0x0000_0500
    assert clocks.rate(0) == 200 * MHZ


@pytest.mark.parametrize("hertz", [-1, float("nan"), float("inf")])
def test_frequencies_that_are_none(tmp_path: Path, hertz: float) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQ)
    with pytest.raises(FieldValueError, match="0 Hz or above"):
        clocks.set(0, hertz)
    assert registers.log == []


def test_other_clocks_and_other_boards(tmp_path: Path) -> None:
    clocks, registers = board(tmp_path, Processor.ZYNQ)
    for index in (4, -1, 99):
        with pytest.raises(ValueError, match="0 to 3"):
            clocks.rate(index)
        with pytest.raises(ValueError, match="0 to 3"):
            clocks.set(index, 1e8)
    unknown = Clocks(Kernel(tmp_path), Board(None), registers.physical)
    with pytest.raises(UnsupportedByDeviceError, match="names no Zynq or Versal"):
        unknown.rate(0)


# -- AMD's driver --------------------------------------------------------------------------------------------
class ClockFramework(Kernel):
    """A kernel with the driver xlnx,fclk, whose divisors round down as CLK_DIVIDER does."""

    def __init__(self, root: Path, registers: Registers, names: list[str], pll: float) -> None:
        super().__init__(root)
        self.registers = registers
        self.pll = pll
        self.paths = {f"/sys/bus/platform/devices/{name}/set_rate": int(name[-1]) for name in names}
        for path in self.paths:
            put(root, path, "0\n")
        self.refused = False
        self.asked: list[int] = []

    def write(self, name: str, data: bytes | str, hint: str = "") -> None:
        if self.refused:
            raise failure(errno.EACCES, "open", name)
        wanted = int(data)
        self.asked.append(wanted)
        one = np.arange(1, 64)
        rates = self.pll / one[:, None] / one[None, :]
        best = np.where(rates <= wanted, rates, 0)
        first, second = np.unravel_index(best.argmax(), best.shape)
        self.registers.words[0xF800_0170 + 0x10 * self.paths[name]] = (
            int(first + 1) << 8 | int(second + 1) << 20
        )
        put(self.root, name, f"{int(best.max())}\n")


@pytest.mark.parametrize("prefix", ["fclk", "amba:fclk", "axi:clocking"])
@given(hertz=st.floats(3e5, 9e8))
def test_the_driver_reaches_the_nearest(
    tmp_path_factory: pytest.TempPathFactory, prefix: str, hertz: float
) -> None:
    registers = Registers(dict(ZYNQ))
    kernel = ClockFramework(
        tmp_path_factory.mktemp("fclk"), registers, [f"{prefix}{i}" for i in range(4)], 1e9
    )
    clocks = Clocks(kernel, Board(Processor.ZYNQ), registers.physical, reference=50e6)
    first, second = nearest(1e9, hertz, (63, 63))
    assert clocks.set(2, hertz) == pytest.approx(1e9 / first / second, abs=1)
    assert clocks.rate(2) == pytest.approx(1e9 / first / second, abs=1)
    assert registers.written == []


def test_the_driver_without_registers_and_registers_without_the_driver(tmp_path: Path) -> None:
    registers = Registers(dict(ZYNQ), denied=True)
    kernel = ClockFramework(tmp_path, registers, ["fclk0"], 1e9)
    clocks = Clocks(kernel, Board(Processor.ZYNQ), registers.physical, reference=50e6)
    assert clocks.set(0, 125e6) == 125e6
    assert kernel.asked == [125_000_000]
    assert clocks.rate(0) == 125e6
    with pytest.raises(KernelAccessError, match=r"PL clock 1:.*xlnx,fclk"):
        clocks.set(1, 1e8)
    with pytest.raises(KernelAccessError, match=r"PL clock 1:.*xlnx,fclk"):
        clocks.rate(1)
    put(tmp_path, "/sys/kernel/debug/clk/fclk1/clk_rate", "142857142\n")
    assert clocks.rate(1) == 142857142
    kernel.refused, registers.denied = True, False
    assert clocks.set(0, 50e6) == 50e6
    assert registers.written != []


def test_a_driver_for_root_only_without_registers(tmp_path: Path) -> None:
    registers = Registers(dict(ZYNQ), denied=True)
    kernel: Any = ClockFramework(tmp_path, registers, ["fclk0"], 1e9)
    kernel.refused = True
    clocks = Clocks(kernel, Board(Processor.ZYNQ), registers.physical, reference=50e6)
    with pytest.raises(KernelAccessError, match="PL clock 0"):
        clocks.set(0, 1e8)
