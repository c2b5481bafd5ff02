"""The processing system (PS) of a virtual board, as far as programs and drivers meet it beside the PL.

Clocks, resets, level shifters and the widths of the ports (UG585 module slcr and axi_hp; UG1087 modules
CRL_APB, CRF_APB, AFIFM, FPD_SLCR, LPD_SLCR; AM012 module CRP), GPIO, and the port that configures the PL. At
first everything is as a boot loader for the design leaves it. All other registers of those modules keep
what is written to them, and mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pynq.backends.sim.serve import PsBlock, Served
from pynq.design.clocks import ps_parameters
from pynq.design.model import Design, Endpoint, Processor
from pynq.errors import OverlayNotLoadedError
from pynq.vm.psblock import PAGE, ConfigPort, Words
from pynq.vm.psgpio import CONTROLLERS, GpioBlock

if TYPE_CHECKING:
    from pynq.backends.sim import SimDevice

__all__ = ["Ps"]

_SLCR, _ZYNQ_AFI = 0xF800_0000, 0xF800_8000
_CRL, _CRF, _CRP = 0xFF5E_0000, 0xFD1A_0000, 0xF126_0000
_FPD_AFI_FS, _LPD_AFI_FS = 0xFD61_5000, 0xFF41_9000
_AFIFM = (*(0xFD36_0000 + 0x1_0000 * port for port in range(6)), 0xFF9B_0000)
_RESETS = 4
_FIRST_RESET = 95  # EMIO GPIO that is pl_resetn0 of an UltraScale+; the others are below


class Ps:
    """The PS of a board that is served.

    Give :attr:`blocks` to :meth:`SimDevice.serve`, then call :meth:`connect` with what that returns.

    Args:
        device: With the design loaded.
        known: Names of the images that configure the PL, by CRC32 (:func:`pynq.vm.psblock.checksums`).
        load: Called with name and flags of an image that the guest has transferred; by default the design is
            loaded again, but for images that are for a region only (flags bit 0), of which nothing comes.
    """

    def __init__(
        self,
        device: SimDevice,
        *,
        known: Mapping[int, str] | None = None,
        load: Callable[[str, int], None] | None = None,
    ) -> None:
        self._device = device
        self._served: Served | None = None
        self._cut: set[str] = set()  # why the PL is isolated
        self._pending: dict[int, bool] = {}  # interrupts raised before the board was served
        self._chosen_load = load
        design = device.plant.design
        self.config = ConfigPort(known or {}, partial(self._isolate, "configuration"), self._load)
        self.clocks: _Clocks | None = None
        self.gpio: list[GpioBlock] = []
        blocks: list[Words] = [self.config]
        if design.processor is not None:
            blocks += self._family(design)
        self.blocks: list[PsBlock] = list(blocks)
        self._attach()
        device.watchers.add(self)

    def connect(self, served: Served) -> None:
        """Go on with a board that is served with these blocks."""
        self._served = served
        self.config.settled = lambda: served.settled
        for number, level in self._pending.items():
            served.set_interrupt(number, level)
        self._pending.clear()
        served.isolate(bool(self._cut))

    # -- what the blocks do to the board ---------------------------------------------------------------------
    def _isolate(self, why: str, on: bool) -> None:
        (self._cut.add if on else self._cut.discard)(why)
        if self._served is not None:
            self._served.isolate(bool(self._cut))

    def _interrupt(self, number: int, level: bool) -> None:
        if self._served is None:
            self._pending[number] = level
        else:
            self._served.set_interrupt(number, level)

    def _load(self, name: str, flags: int) -> None:
        if self._chosen_load is not None:
            self._chosen_load(name, flags)
        elif not flags & ConfigPort.PARTIAL:
            if self._served is None:
                raise OverlayNotLoadedError(f"{name} was loaded, but the board is not served yet")
            self._served.reset()
        self._attach()

    def _attach(self) -> None:
        """Lead wires and clocks to the plant that there is now."""
        plant = self._device.plant
        for gpio in self.gpio:
            gpio.attach(plant)
        if self.clocks is not None:
            self.clocks.apply(everything=True)

    # A watcher of the device.
    def _programmed(self) -> None:
        self._attach()

    def _reconfigured(self) -> None:
        """A region's contents changed: the wires of the PS stay."""

    def _reset(self, port: str, active: bool) -> None:
        """Set a reset of the PL, active low."""
        plant = self._device.plant
        end = Endpoint(plant.design.ps, port)
        if port in plant.design.cells[plant.design.ps].ports:
            net = plant.nets.of(end)
            if net is not None:
                net.drive(0 if active else 1)

    # -- families --------------------------------------------------------------------------------------------
    def _family(self, design: Design) -> list[Words]:
        assert design.processor is not None
        parameters = ps_parameters(design.cells[design.ps])
        generator = {Processor.ZYNQ: _zynq, Processor.ZYNQMP: _zynqmp, Processor.VERSAL: _versal}
        pages = generator[design.processor](parameters)
        self.clocks = _Clocks(self._device, design.processor, pages, _reference(design.processor, parameters))
        blocks: list[Words] = []
        for address, words in pages.items():
            if address == _SLCR:
                blocks.append(
                    _Slcr(words, self.clocks, partial(self._isolate, "level shifters"), self._reset)
                )
            elif address in (_CRL, _CRF, _CRP):
                blocks.append(_ClockPage(address, words, self.clocks))
            else:
                blocks.append(Words(address, words, 4 * PAGE if address == _ZYNQ_AFI else PAGE))
        for controller in CONTROLLERS[design.processor]:
            outputs = self._emio_reset if design.processor is Processor.ZYNQMP else _nothing
            block = GpioBlock(controller, partial(self._interrupt, controller.interrupt), outputs)
            if design.processor is Processor.ZYNQMP:
                for number in range(_number(parameters, "PSU__NUM_FABRIC_RESETS", 1)):
                    block.preset(_FIRST_RESET - number)
            self.gpio.append(block)
            blocks.append(block)
        return blocks

    def _emio_reset(self, index: int, level: int) -> None:
        if _FIRST_RESET - _RESETS < index <= _FIRST_RESET:
            self._reset(f"pl_resetn{_FIRST_RESET - index}", level == 0)

    def __repr__(self) -> str:
        return f"<Ps of {self._device.name!r}: {', '.join(map(repr, self.blocks))}>"


def _nothing(index: int, level: int) -> None:
    """EMIO outputs that are nothing but that."""


# -- pages with a meaning ------------------------------------------------------------------------------------
class _ClockPage(Words):
    """A page of clock control; Versal's is write protected while bit 0 of WPROT is set."""

    def __init__(self, address: int, words: dict[int, int], clocks: _Clocks) -> None:
        super().__init__(address, words)
        self.words = words  # the clocks look at them
        self._clocks = clocks

    def put(self, offset: int, value: int) -> None:
        if self.address == _CRP and offset != 0x1C and self.words.get(0x1C, 0) & 1:
            return
        super().put(offset, value)

    def write(self, offset: int, value: int, width: int) -> None:
        super().write(offset, value, width)
        self._clocks.apply()


class _Slcr(_ClockPage):
    """The SLCR: locks, clocks, level shifters and resets."""

    _LOCK, _UNLOCK, _LOCKED, _FPGA_RESET, _SHIFTERS = 0x4, 0x8, 0xC, 0x240, 0x900

    def __init__(
        self,
        words: dict[int, int],
        clocks: _Clocks,
        isolate: Callable[[bool], None],
        reset: Callable[[str, bool], None],
    ) -> None:
        super().__init__(_SLCR, words, clocks)
        self._isolate = isolate
        self._reset = reset

    def put(self, offset: int, value: int) -> None:
        if offset == self._LOCK and value & 0xFFFF == 0x767B:
            self.words[self._LOCKED] = 1
        elif offset == self._UNLOCK and value & 0xFFFF == 0xDF0D:
            self.words[self._LOCKED] = 0
        elif offset not in (self._LOCK, self._UNLOCK, self._LOCKED) and not self.words.get(self._LOCKED):
            super().put(offset, value)

    def write(self, offset: int, value: int, width: int) -> None:
        before = dict(self.words)
        super().write(offset, value, width)
        shifters = self.words.get(self._SHIFTERS, 0)
        if shifters != before.get(self._SHIFTERS, 0):
            self._isolate(shifters & 0xF != 0xF)
        resets = self.words.get(self._FPGA_RESET, 0)
        for number in range(_RESETS):
            if (resets ^ before.get(self._FPGA_RESET, 0)) >> number & 1:
                self._reset(f"FCLK_RESET{number}_N", bool(resets >> number & 1))


class _Pll(NamedTuple):
    """Where a PLL's control register is: page and offset; ``divider``: a register it is divided by then."""

    page: int
    offset: int
    fraction: int = 0
    divider: int = 0


class _Source(NamedTuple):
    """The PL clocks of a family: first register, bytes to the next, PLL by value of the source select."""

    page: int
    offset: int
    step: int
    plls: dict[int, _Pll]


_SOURCES = {
    Processor.ZYNQ: _Source(
        _SLCR,
        0x170,
        0x10,
        {0: _Pll(_SLCR, 0x108), 1: _Pll(_SLCR, 0x108), 2: _Pll(_SLCR, 0x100), 3: _Pll(_SLCR, 0x104)},
    ),
    Processor.ZYNQMP: _Source(
        _CRL,
        0xC0,
        4,
        {0: _Pll(_CRL, 0x20, 0x28), 2: _Pll(_CRL, 0x30, 0x38), 3: _Pll(_CRF, 0x2C, 0x34, 0x4C)},
    ),
    Processor.VERSAL: _Source(_CRP, 0x5C0, 4, {0: _Pll(_CRP, 0x40), 3: _Pll(_CRP, 0x50)}),
}


class _Clocks:
    """Lets the clocks of the simulated PL follow the registers of the PS."""

    def __init__(
        self, device: SimDevice, processor: Processor, pages: Mapping[int, dict[int, int]], reference: float
    ) -> None:
        self._device = device
        self._processor = processor
        self._pages = pages
        self._reference = reference
        #: As the boot loader left them; a plant has these frequencies by itself.
        self._start = self.rates()
        self._now = list(self._start)

    def rates(self) -> list[float]:
        """Return the four frequencies in Hz that the registers say; 0: stopped, or no such source."""
        return [self._rate(index) for index in range(4)]

    def apply(self, *, everything: bool = False) -> None:
        """Let the plant have what changed; ``everything``: it is a new one."""
        plant = self._device.plant
        for index, hertz in enumerate(self.rates()):
            if hertz == (self._start if everything else self._now)[index]:
                continue
            self._now[index] = hertz
            domain = plant.clock_of_ps(index)
            for clock in plant.design.clocks:
                if clock.index == index and clock.cell == plant.design.ps and domain is not None:
                    domain.hertz = hertz
                    plant.clock_changed(Endpoint(clock.cell, clock.port), hertz)

    def _word(self, page: int, offset: int) -> int:
        return self._pages[page].get(offset, 0)

    def _rate(self, index: int) -> float:
        source = _SOURCES[self._processor]
        control = self._word(source.page, source.offset + index * source.step)
        if self._processor is Processor.ZYNQ:
            selected, second = control >> 4 & 3, control >> 20 & 63
            first, stopped = control >> 8 & 63, self._word(_SLCR, 0x178 + index * 0x10) & 1
        else:
            versal = self._processor is Processor.VERSAL
            selected, stopped = control & 7, not control >> 24 & 1
            first, second = control >> 8 & (1023 if versal else 63), 1 if versal else control >> 16 & 63
        pll = source.plls.get(selected)
        if stopped or pll is None:
            return 0.0
        return self._pll(pll) / ((first or 1) * (second or 1))

    def _pll(self, pll: _Pll) -> float:
        control = self._word(pll.page, pll.offset)
        if self._processor is Processor.ZYNQ:
            bypass, reset, hertz = control >> 4 & 1, control & 3, self._reference * (control >> 12 & 127)
        else:
            bypass, reset = control >> 3 & 1, control & 1
            versal = self._processor is Processor.VERSAL
            feedback = float(control >> 8 & (255 if versal else 127))
            fraction = self._word(pll.page, pll.fraction) if pll.fraction else 0
            if fraction >> 31:
                feedback += (fraction & 0xFFFF) / 65536
            hertz = self._reference * feedback / (1 << (control >> 16 & (3 if versal else 1)))
        if bypass:
            hertz = self._reference
        elif reset:
            return 0.0
        return hertz / (self._word(pll.page, pll.divider) >> 8 & 63 or 1) if pll.divider else hertz


# -- as a boot loader leaves it ------------------------------------------------------------------------------
_REFERENCES = {
    Processor.ZYNQ: "PCW_CRYSTAL_PERIPHERAL_FREQMHZ",
    Processor.ZYNQMP: "PSU__PSS_REF_CLK__FREQMHZ",
    Processor.VERSAL: "PMC_REF_CLK_FREQMHZ",
}


def _reference(processor: Processor, parameters: Mapping[str, str]) -> float:
    return _float(parameters.get(_REFERENCES[processor], ""), 33.333333) * 1e6


def _zynq(parameters: Mapping[str, str]) -> dict[int, dict[int, int]]:
    slcr = {0x10C: 0x3F, 0x240: 0, 0x900: 0xF}
    for name, offset, usual in (("ARM", 0x100, 40), ("DDR", 0x104, 32), ("IO", 0x108, 30)):
        slcr[offset] = _number(parameters, f"PCW_{name}PLL_CTRL_FBDIV", usual) << 12 | 1 << 3
    for index in range(4):
        first, second = (
            _number(parameters, f"PCW_FCLK{index}_PERIPHERAL_DIVISOR{which}", usual)
            for which, usual in ((0, 10), (1, 1))
        )
        chosen = {"ARM PLL": 2, "DDR PLL": 3}.get(parameters.get(f"PCW_FCLK{index}_PERIPHERAL_CLKSRC", ""), 0)
        slcr[0x170 + index * 0x10] = second << 20 | first << 8 | chosen << 4
    return {_SLCR: slcr, _ZYNQ_AFI: {}}


def _zynqmp(parameters: Mapping[str, str]) -> dict[int, dict[int, int]]:
    crl, crf = {0x40: 0x1B, 0x23C: 0x0010_0000}, {0x44: 0x3F, 0x100: 0x0007_E07E}
    for module, page, name, offset, usual in (
        ("CRL", crl, "IOPLL", 0x20, 90),
        ("CRL", crl, "RPLL", 0x30, 64),
        ("CRF", crf, "APLL", 0x20, 72),
        ("CRF", crf, "DPLL", 0x2C, 64),
        ("CRF", crf, "VPLL", 0x38, 90),
    ):
        prefix = f"PSU__{module}_APB__{name}"
        halves = _number(parameters, f"{prefix}_CTRL__DIV2", 1) & 1
        page[offset] = _number(parameters, f"{prefix}_CTRL__FBDIV", usual) << 8 | halves << 16
        if parameters.get(f"{prefix}_FRAC_CFG__ENABLED") == "1":
            share = _float(parameters.get(f"{prefix}_CTRL__FRACDATA", ""), 0.0)
            page[offset + 8] = 1 << 31 | round(share * 65536) & 0xFFFF
    crf[0x4C] = _number(parameters, "PSU__CRF_APB__DPLL_TO_LPD_CTRL__DIVISOR0", 2) << 8
    for index in range(4):
        prefix = f"PSU__CRL_APB__PL{index}_REF_CTRL"
        active = parameters.get(f"PSU__FPGA_PL{index}_ENABLE", "0" if index else "1") == "1"
        chosen = {"RPLL": 2, "DPLL": 3}.get(parameters.get(f"{prefix}__SRCSEL", ""), 0)
        first = _number(parameters, f"{prefix}__DIVISOR0", 15)
        second = _number(parameters, f"{prefix}__DIVISOR1", 1)
        crl[0xC0 + 4 * index] = active << 24 | second << 16 | first << 8 | chosen
    afifm = {base: {0x00: 0x3B0, 0x14: 0x3B0} for base in _AFIFM}
    return {_CRL: crl, _CRF: crf, _FPD_AFI_FS: {0: 0xA00}, _LPD_AFI_FS: {0: 0x200}, **afifm}


def _versal(parameters: Mapping[str, str]) -> dict[int, dict[int, int]]:
    crp: dict[int, int] = {}
    for name, offset, feedback, out in (("PPLL", 0x40, 72, 2), ("NPLL", 0x50, 120, 4)):
        feedback = _number(parameters, f"PMC_CRP_{name}_CTRL_FBDIV", feedback)
        out = _number(parameters, f"PMC_CRP_{name}_CTRL_CLKOUTDIV", out)
        crp[offset] = feedback << 8 | (out.bit_length() - 1 & 3) << 16
    for index in range(4):
        prefix = f"PMC_CRP_PL{index}_REF_CTRL"
        active = parameters.get(f"PS_USE_PMCPL_CLK{index}", "0" if index else "1") == "1"
        chosen = {"NPLL": 3}.get(parameters.get(f"{prefix}_SRCSEL", ""), 0)
        crp[0x5C0 + 4 * index] = active << 24 | _number(parameters, f"{prefix}_DIVISOR0", 12) << 8 | chosen
    return {_CRP: crp}


def _number(parameters: Mapping[str, str], name: str, usual: int) -> int:
    text = parameters.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else usual


def _float(text: str, usual: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return usual
    return value if 0 <= value < 1e4 else usual
