"""The clocks that the PS gives to the PL: read and set through AMD's fclk driver, or by their registers.

The registers: UG585 appendix "Register Details", module slcr (Zynq-7000); UG1087, modules CRL_APB and CRF_APB
(Zynq UltraScale+); AM012, module CRP (Versal). A clock is its PLL's, divided. The PLLs and the choice among
them stay as the boot loader left them: others depend on them.

A kernel that thinks nobody uses a PL clock stops it (on Zynq-7000 by writing 1 to its throttle counter,
FPGAx_THR_CNT). Its divisors don't show that; setting a frequency starts it again.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pynq.backends.kernel import Kernel
from pynq.design.clocks import ps_parameters
from pynq.design.model import Design, Processor
from pynq.errors import FieldValueError, KernelAccessError, KernelError, PynqError, UnsupportedByDeviceError

if TYPE_CHECKING:
    from pynq._native import Window

__all__ = ["Clocks", "described_reference", "driver_attribute", "nearest"]

PL_CLOCKS = 4
DEFAULT_REFERENCE = 33_333_333.0  # Hz; what nearly every board but those with 50 MHz has

_PAGE = 0x1000
_DEVICES = "/sys/bus/platform/devices"
_FCLK = re.compile(r"(?:.*:)?(?:fclk|clocking)([0-3])\Z")
_DEBUG = "/sys/kernel/debug/clk"
_TREE = "/proc/device-tree"


class HasProcessor(Protocol):
    """A board, as far as its clocks are concerned."""

    @property
    def processor(self) -> Processor | None: ...


class Field(NamedTuple):
    """Some bits of a register."""

    low: int
    bits: int

    def of(self, word: int) -> int:
        """Return what a register's contents has there."""
        return word >> self.low & (1 << self.bits) - 1

    def put(self, word: int, value: int) -> int:
        """Return a register's contents with that value there."""
        mask = (1 << self.bits) - 1 << self.low
        return word & ~mask | value << self.low


class Pll(NamedTuple):
    """A PLL: address of its control register, and how that says what comes out."""

    name: str
    control: int
    feedback: Field
    bypass: int  # bit that lets the reference through
    reset: int  # bit that holds it in reset
    halves: Field | None = None  # the output is divided by 2 to the power of this
    source: Field | None = None  # values 4 and above: not the reference clock
    fraction: int = 0  # address of the register with 1/65536ths of the feedback divisor; 0: none
    divider: int = 0  # address of the register that divides it on its way, in bits 13:8; 0: none


class Family(NamedTuple):
    """Where the PL clocks of a family are."""

    control: int  # address of clock 0's register
    step: int  # bytes to the next clock's
    select: Field
    plls: dict[int, Pll]  # by value of ``select``
    divisors: tuple[Field, ...]
    active: int  # bit of the control register that lets the clock through; -1: none
    throttle: int = 0  # offset of the register whose bit 0 stops the clock; 0: none
    reference: tuple[tuple[str, ...], str] = ((), "")  # device tree: names on the way to the node, property
    debug: tuple[str, ...] = ()  # names of clock {n} in debugfs


_SLCR = 0xF800_0000
_CRL, _CRF = 0xFF5E_0000, 0xFD1A_0000
_CRP = 0xF126_0000

_SIX = Field(8, 6)


def _zynq_pll(name: str, offset: int) -> Pll:
    return Pll(name, _SLCR + offset, Field(12, 7), bypass=4, reset=0)


def _zynqmp_pll(name: str, address: int, divider: int = 0) -> Pll:
    # The fractional register follows the control and the configuration register.
    return Pll(name, address, Field(8, 7), 3, 0, Field(16, 1), Field(20, 3), address + 8, divider)


def _versal_pll(name: str, offset: int) -> Pll:
    return Pll(name, _CRP + offset, Field(8, 8), 3, 0, Field(16, 2), Field(20, 3))


_IO_PLL = _zynq_pll("IO PLL", 0x108)

FAMILIES = {
    Processor.ZYNQ: Family(
        control=_SLCR + 0x170,
        step=0x10,
        select=Field(4, 2),
        plls={
            0: _IO_PLL,
            1: _IO_PLL,
            2: _zynq_pll("ARM PLL", 0x100),
            3: _zynq_pll("DDR PLL", 0x104),
        },
        divisors=(_SIX, Field(20, 6)),
        active=-1,
        throttle=8,
        reference=(("*", "slcr@f8000000", "clkc@*"), "ps-clk-frequency"),
        debug=("fclk{n}",),
    ),
    Processor.ZYNQMP: Family(
        control=_CRL + 0xC0,
        step=4,
        select=Field(0, 3),
        plls={
            0: _zynqmp_pll("IOPLL", _CRL + 0x20),
            2: _zynqmp_pll("RPLL", _CRL + 0x30),
            3: _zynqmp_pll("DPLL", _CRF + 0x2C, divider=_CRF + 0x4C),
        },
        divisors=(_SIX, Field(16, 6)),
        active=24,
        reference=(("pss[_-]ref[_-]clk*",), "clock-frequency"),
        debug=("pl{n}_ref",),
    ),
    Processor.VERSAL: Family(
        control=_CRP + 0x5C0,
        step=4,
        select=Field(0, 3),
        plls={0: _versal_pll("PPLL", 0x40), 3: _versal_pll("NPLL", 0x50)},
        divisors=(Field(8, 10),),
        active=24,
        reference=(("ref[_-]clk*",), "clock-frequency"),
        debug=("pmc_pl{n}_ref", "pl{n}_ref"),
    ),
}

# Parameters of the PS cell with the reference clock in MHz.
_DESCRIBED = {
    Processor.ZYNQ: "PCW_CRYSTAL_PERIPHERAL_FREQMHZ",
    Processor.ZYNQMP: "PSU__PSS_REF_CLK__FREQMHZ",
    Processor.VERSAL: "PMC_REF_CLK_FREQMHZ",
}


def described_reference(design: Design) -> float | None:
    """Return the PS's reference clock in Hz as the description has it; None where it does not tell."""
    if design.processor is None:
        return None
    text = ps_parameters(design.cells[design.ps]).get(_DESCRIBED[design.processor], "")
    try:
        megahertz = float(text)
    except ValueError:
        return None
    return round(megahertz * 1e6, 3) if 1 <= megahertz <= 1000 else None


def nearest(source: float, hertz: float, limits: tuple[int, ...]) -> tuple[int, ...]:
    """Return the divisors, each 1 to its limit, that bring ``source`` nearest to ``hertz`` (both in Hz).

    Nearest in Hz; of equals, the ones with the smaller first divisor.
    """
    if len(limits) == 1:
        return (_divisor(source, hertz, limits[0]),)
    first, rest = limits[0], limits[1:]
    choices = [(one, *nearest(source / one, hertz, rest)) for one in range(1, first + 1)]
    return min(choices, key=lambda divisors: abs(_divided(source, divisors) - hertz))


def _divisor(source: float, hertz: float, limit: int) -> int:
    """Return the divisor nearest in frequency; rounding the quotient would be nearest in period."""
    below = int(min(max(source / hertz, 1), limit))
    above = min(below + 1, limit)
    return min((below, above), key=lambda divisor: abs(source / divisor - hertz))


def _divided(source: float, divisors: tuple[int, ...]) -> float:
    for divisor in divisors:
        source /= divisor
    return source


def driver_attribute(kernel: Kernel, index: int) -> str:
    """Return the attribute with the frequency of PL clock ``index`` in Hz, "" without AMD's driver xlnx,fclk.

    Its devices are named after their nodes: ``fclk0`` or ``amba:fclk0``, and ``axi:clocking0`` in overlays of
    AMD's generator.
    """
    for name in kernel.names(_DEVICES):
        match = _FCLK.match(name)
        if match and int(match[1]) == index:
            path = f"{_DEVICES}/{name}/set_rate"
            if kernel.exists(path):
                return path
    return ""


class Clocks:
    """The PL clocks of a board.

    Args:
        kernel: For sysfs and the device tree.
        board: Tells the family.
        physical: Gives registers of the PS by address and length in bytes (``Registers.physical``).
        reference: The PS's reference clock in Hz where the device tree does not tell
            (:func:`described_reference`); 33.333 MHz if neither does.
    """

    def __init__(
        self,
        kernel: Kernel,
        board: HasProcessor,
        physical: Callable[[int, int], Window],
        *,
        reference: float | None = None,
    ) -> None:
        self._kernel = kernel
        self._board = board
        self._physical = physical
        self._reference = reference
        self._pages: dict[int, Window] = {}

    def rate(self, index: int) -> float:
        """Return the frequency of PL clock ``index`` (0 to 3) in Hz; 0 when it is stopped.

        Raises ``ValueError`` for another index, :class:`~pynq.errors.UnsupportedByDeviceError` for a board
        whose clocks are unknown, and :class:`~pynq.errors.KernelError` where the user may look at neither
        driver nor registers.
        """
        family = self._family(index)
        attribute = driver_attribute(self._kernel, index)
        if attribute:
            return float(self._kernel.number(attribute))
        try:
            return self._rate(family, index)
        except KernelAccessError as error:
            for name in family.debug:
                path = f"{_DEBUG}/{name.format(n=index)}/clk_rate"
                try:
                    return float(self._kernel.number(path))
                except KernelError:
                    continue
            raise _denied(index, error) from error

    def set(self, index: int, hertz: float) -> float:
        """Set PL clock ``index`` as near to ``hertz`` as its PLL's divisors come; return what was reached.

        0 stops the clock. Raises as :meth:`rate`, and ``ValueError`` for a frequency that is none.
        """
        family = self._family(index)
        if not 0 <= hertz < float("inf"):
            raise FieldValueError(f"frequency of PL clock {index} must be 0 Hz or above, not {hertz!r}")
        attribute = driver_attribute(self._kernel, index)
        if attribute and hertz:
            try:
                return self._set_by_driver(family, index, hertz, attribute)
            except KernelAccessError:  # a driver for root only; the registers may be in reach of this user
                pass
        try:
            return self._set_by_registers(family, index, hertz)
        except KernelAccessError as error:
            raise _denied(index, error) from error

    # -- AMD's driver xlnx,fclk ------------------------------------------------------------------------------
    def _set_by_driver(self, family: Family, index: int, hertz: float, attribute: str) -> float:
        """Set it through the driver, which rounds down: it is told what can be reached, where that can be
        known.
        """
        try:
            source, divisors = self._plan(family, index, hertz)
        except PynqError:
            wanted = round(hertz)
        else:
            wanted = int(_divided(source, divisors)) + 1  # whole Hz above it: rounding down finds it
        self._kernel.write(attribute, str(max(1, wanted)))
        return float(self._kernel.number(attribute))

    # -- registers -------------------------------------------------------------------------------------------
    def _family(self, index: int) -> Family:
        if index not in range(PL_CLOCKS):
            raise FieldValueError(f"PL clocks are 0 to {PL_CLOCKS - 1}, not {index!r}")
        processor = self._board.processor
        if processor is None:
            raise UnsupportedByDeviceError(
                "the clocks of this board are unknown: its device tree names no Zynq or Versal"
            )
        return FAMILIES[processor]

    def _rate(self, family: Family, index: int) -> float:
        address = family.control + index * family.step
        control = self._read(address)
        if family.active >= 0 and not control >> family.active & 1:
            return 0.0
        if family.throttle and self._read(address + family.throttle) & 1:
            return 0.0
        divisors = tuple(max(1, field.of(control)) for field in family.divisors)
        return _divided(self._source(family, index), divisors)

    def _plan(self, family: Family, index: int, hertz: float) -> tuple[float, tuple[int, ...]]:
        """Return what comes to a clock's divisors in Hz, and what they should be: as now if that will do."""
        source = self._source(family, index)
        control = self._read(family.control + index * family.step)
        held = tuple(field.of(control) for field in family.divisors)
        best = nearest(source, hertz, tuple((1 << field.bits) - 1 for field in family.divisors))
        if all(held) and abs(_divided(source, held) - hertz) <= abs(_divided(source, best) - hertz):
            return source, held
        return source, best

    def _set_by_registers(self, family: Family, index: int, hertz: float) -> float:
        address = family.control + index * family.step
        control = self._read(address)
        with self._unlocked(family):
            if hertz == 0:
                if family.active >= 0:
                    self._write(address, control & ~(1 << family.active))
                else:
                    self._write(address + family.throttle, 1)
                return 0.0
            source, divisors = self._plan(family, index, hertz)
            # Both divisors in one write: between two the clock could run far too fast.
            changed = control
            for field, divisor in zip(family.divisors, divisors, strict=True):
                changed = field.put(changed, divisor)
            if changed != control:
                self._write(address, changed)
            # A clock that stood still starts when it is right.
            if family.active >= 0 and not changed >> family.active & 1:
                self._write(address, changed | 1 << family.active)
            if family.throttle and self._read(address + family.throttle) & 1:
                self._write(address + family.throttle, 0)
        return _divided(source, divisors)

    def _source(self, family: Family, index: int) -> float:
        """Return the frequency in Hz that comes to a clock's divisors."""
        control = self._read(family.control + index * family.step)
        selected = family.select.of(control)
        pll = family.plls.get(selected)
        if pll is None:
            known = ", ".join(f"{value} ({pll.name})" for value, pll in family.plls.items())
            raise UnsupportedByDeviceError(
                f"PL clock {index} has source {selected} (register {control:#x}), whose frequency is "
                f"unknown; known are {known}"
            )
        word = self._read(pll.control)
        reference = self._find_reference(family)
        if word >> pll.bypass & 1:
            hertz = reference
        elif word >> pll.reset & 1:
            raise UnsupportedByDeviceError(
                f"PL clock {index} comes from the {pll.name}, which is switched off (register {word:#x})"
            )
        else:
            if pll.source is not None and pll.source.of(word) >= 4:
                raise UnsupportedByDeviceError(
                    f"PL clock {index} comes from the {pll.name}, which does not run on the PS's reference "
                    f"clock (register {word:#x}): its frequency is unknown"
                )
            feedback = float(pll.feedback.of(word))
            fraction = self._read(pll.fraction) if pll.fraction else 0
            if fraction >> 31:
                feedback += (fraction & 0xFFFF) / 0x1_0000
            hertz = reference * feedback / (1 << pll.halves.of(word) if pll.halves else 1)
        if pll.divider:
            hertz /= max(1, _SIX.of(self._read(pll.divider)))
        return hertz

    def _find_reference(self, family: Family) -> float:
        names, attribute = family.reference
        for path in self._matching(_TREE, names):
            try:
                data = self._kernel.read(f"{path}/{attribute}")
            except KernelError:
                continue
            if len(data) == 4:
                return float(struct.unpack(">I", data)[0])
        return self._reference or DEFAULT_REFERENCE

    def _matching(self, folder: str, names: tuple[str, ...]) -> Iterator[str]:
        """Return the folders of the device tree whose names match, level by level."""
        if not names:
            yield folder
            return
        for name in self._kernel.names(folder):
            if fnmatchcase(name, names[0]):
                yield from self._matching(f"{folder}/{name}", names[1:])

    @contextmanager
    def _unlocked(self, family: Family) -> Iterator[None]:
        """Let registers be written inside the block; afterwards they are as protected as before.

        Linux leaves the SLCR of Zynq-7000 unlocked and relies on that.
        """
        if family is FAMILIES[Processor.ZYNQ]:
            status, lock, unlock = _SLCR + 0xC, (_SLCR + 0x4, 0x767B), (_SLCR + 0x8, 0xDF0D)
        elif family is FAMILIES[Processor.VERSAL]:
            status = _CRP + 0x1C  # WPROT
            lock, unlock = (status, 1), (status, 0)
        else:
            yield
            return
        locked = bool(self._read(status) & 1)
        if locked:
            self._write(*unlock)
        try:
            yield
        finally:
            if locked:
                self._write(*lock)

    def _page(self, address: int) -> Window:
        base = address & -_PAGE
        if base not in self._pages:
            self._pages[base] = self._physical(base, _PAGE)
        return self._pages[base]

    def _read(self, address: int) -> int:
        return int(self._page(address).read(address % _PAGE))

    def _write(self, address: int, value: int) -> None:
        self._page(address).write(address % _PAGE, value)


def _denied(index: int, error: KernelError) -> KernelAccessError:
    return KernelAccessError(
        error.errno or 0,
        f"PL clock {index}: {error}. Without root it needs AMD's driver xlnx,fclk (CONFIG_XILINX_FCLK and a "
        "node in the device tree; PYNQ's images leave it out)",
    )
