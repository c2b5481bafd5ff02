"""The GPIO controller of a virtual board's PS, as the kernel's driver gpio-zynq drives it.

UG585 chapter "General Purpose I/O" and module gpio; UG1087, module GPIO; AM012, modules LPD_GPIO and
PMC_GPIO. The MIO pins lead nowhere: an output reads back, an input is 0. The EMIO pins are wires of the
design.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from pynq.backends.sim._engine import Net
from pynq.backends.sim.plant import Plant
from pynq.design.model import Endpoint, Processor
from pynq.vm.psblock import Words

__all__ = ["CONTROLLERS", "Controller", "GpioBlock"]


class Controller(NamedTuple):
    """A GPIO controller: ``banks`` has the pins of each bank and the EMIO index of the first, -1 for MIO."""

    address: int
    interrupt: int  # number at the GIC
    banks: dict[int, tuple[int, int]]
    ports: tuple[str, str, str]  # of the PS: into it, out of it, tri-state


CONTROLLERS = {
    Processor.ZYNQ: (
        Controller(
            0xE000_A000,
            52,
            {0: (32, -1), 1: (22, -1), 2: (32, 0), 3: (32, 32)},
            ("GPIO_I", "GPIO_O", "GPIO_T"),
        ),
    ),
    Processor.ZYNQMP: (
        Controller(
            0xFF0A_0000,
            48,
            {0: (26, -1), 1: (26, -1), 2: (26, -1), 3: (32, 0), 4: (32, 32), 5: (32, 64)},
            ("emio_gpio_i", "emio_gpio_o", "emio_gpio_t"),
        ),
    ),
    Processor.VERSAL: (
        Controller(0xFF0B_0000, 45, {0: (26, -1), 3: (32, 0)}, ("LPD_GPIO_i", "LPD_GPIO_o", "LPD_GPIO_t")),
        Controller(
            0xF102_0000,
            154,
            {0: (26, -1), 1: (26, -1), 3: (32, 0), 4: (32, 32)},
            ("PMC_GPIO_i", "PMC_GPIO_o", "PMC_GPIO_t"),
        ),
    ),
}

_MASKED, _DATA, _DATA_RO, _BANKS = 0x000, 0x040, 0x060, 0x204
_BANK_SIZE = 0x40
# Offsets of a bank's registers from 0x204.
_DIRM, _OEN, _MASK, _ENABLE, _DISABLE, _STATUS, _TYPE, _POLARITY, _ANY = range(0, 0x24, 4)

Places = Sequence[tuple[Net, int] | None]


class _Wires(NamedTuple):
    """Where the pins of a bank lead: nets and the places in them."""

    into: Places
    out: Places
    tri: Places


class _Bank:
    """The registers of one bank, and where its pins lead."""

    def __init__(self, width: int, first: int) -> None:
        self.all = (1 << width) - 1
        self.width = width
        self.first = first
        self.data = self.dirm = self.oen = self.mask = self.status = self.polarity = self.any = 0
        self.type = self.all  # edges
        self.inputs = 0  # levels from the PL
        self.wires: _Wires | None = None  # of an EMIO bank that is attached

    @property
    def emio(self) -> bool:
        return self.first >= 0

    def levels(self) -> int:
        """What the inputs of the controller see."""
        return self.inputs if self.emio else self.data & self.dirm & self.oen

    def driven(self) -> int:
        """Wires to the PL: not gated by the output enable, which is a wire of its own."""
        return self.data & self.dirm

    def pending(self) -> int:
        """Interrupts that are active and not masked. A level that lasts is active again at once."""
        self.status |= ~self.type & ~(self.levels() ^ self.polarity) & self.all
        return self.status & ~self.mask

    def edges(self, before: int) -> None:
        """Note what changed since ``before``."""
        changed = (self.levels() ^ before) & self.type
        wanted = self.any | ~(self.levels() ^ self.polarity)
        self.status |= changed & wanted & self.all


class GpioBlock(Words):
    """A GPIO controller whose EMIO pins are wires of the plant it is attached to.

    ``interrupt`` is called with the level of the controller's interrupt whenever that changes; ``outputs``
    with the EMIO index and level of a changed output.
    """

    def __init__(
        self,
        controller: Controller,
        interrupt: Callable[[bool], None],
        outputs: Callable[[int, int], None] = lambda index, level: None,
    ) -> None:
        super().__init__(controller.address)
        self.controller = controller
        self._interrupt = interrupt
        self._outputs = outputs
        self._active = False
        self._banks = {number: _Bank(*pins) for number, pins in controller.banks.items()}
        self._todo: deque[Callable[[], object]] = deque()

    def preset(self, index: int) -> None:
        """Drive EMIO pin ``index`` high, as a boot loader does with those that are resets of the PL."""
        for bank in self._banks.values():
            if bank.emio and bank.first <= index < bank.first + bank.width:
                bit = 1 << index - bank.first
                bank.data, bank.dirm, bank.oen = bank.data | bit, bank.dirm | bit, bank.oen | bit

    # -- wires: the engine is never called with the lock held, for it calls back with its own ----------------
    def attach(self, plant: Plant) -> None:
        """Lead the EMIO pins to the wires of a design; those of the one before are gone with its engine."""
        cell = plant.design.cells.get(plant.design.ps)
        has = cell.ports if cell is not None else {}
        into, out, tri = (Endpoint(plant.design.ps, port) for port in self.controller.ports)
        inputs: dict[int, Net] = {}
        made: list[tuple[_Bank, _Wires]] = []
        for bank in self._banks.values():
            if bank.emio:
                pins = range(bank.first, bank.first + bank.width)
                wires = _Wires(
                    [plant.nets.bit_into(into, pin) if into.port in has else None for pin in pins],
                    [plant.nets.bit_of(out, pin) if out.port in has else None for pin in pins],
                    [plant.nets.bit_of(tri, pin) if tri.port in has else None for pin in pins],
                )
                made.append((bank, wires))
                inputs.update({id(place[0]): place[0] for place in wires.into if place is not None})
        with self.lock:
            for bank, wires in made:
                bank.wires = wires
                self._drive(bank, bank.all)
        for net in inputs.values():
            net.on_change(lambda value, before: self._heard())
        self._heard()
        self._act()

    def write(self, offset: int, value: int, width: int) -> None:
        """Take what is written, then let the wires follow."""
        super().write(offset, value, width)
        self._act()

    def _act(self) -> None:
        """Do what was put off until the lock is free."""
        while self._todo:
            self._todo.popleft()()

    def _drive(self, bank: _Bank, changed: int) -> None:
        """Put bits of a bank on their wires, those of one net at once."""
        if bank.wires is None:
            return
        for places, levels in (
            (bank.wires.out, bank.driven()),
            (bank.wires.tri, ~(bank.dirm & bank.oen) & bank.all),
        ):
            nets: dict[int, tuple[Net, int, int]] = {}
            for bit, place in enumerate(places):
                if changed >> bit & 1 and place is not None:
                    net, position = place
                    _, value, mask = nets.get(id(net), (net, 0, 0))
                    nets[id(net)] = (net, value | (levels >> bit & 1) << position, mask | 1 << position)
            self._todo.extend(partial(net.drive, value, mask) for net, value, mask in nets.values())

    def _heard(self) -> None:
        """Take the levels of the wires from the PL. Also called inside the simulation."""
        seen: list[tuple[_Bank, int]] = []
        for bank in self._banks.values():
            if bank.wires is not None:
                bits = [place[0].value >> place[1] & 1 if place else 0 for place in bank.wires.into]
                seen.append((bank, sum(level << bit for bit, level in enumerate(bits))))
        with self.lock:
            for bank, levels in seen:
                before, bank.inputs = bank.inputs, levels
                bank.edges(before)
            self._signal()

    def _signal(self) -> None:
        active = any(bank.pending() for bank in self._banks.values())
        if active != self._active:
            self._active = active
            self._interrupt(active)

    # -- registers -------------------------------------------------------------------------------------------
    def get(self, offset: int) -> int:
        """Return a register; 0 where there is none."""
        if offset < _DATA:
            bank = self._banks.get(offset // 8)
            return 0 if bank is None else bank.data >> 16 * (offset // 4 & 1) & 0xFFFF
        if offset < _DATA_RO:
            bank = self._banks.get((offset - _DATA) // 4)
            if bank is None:
                return 0
            # The driver reads EMIO inputs here on Zynq-7000 and UltraScale+ (its GPIO_QUIRK_DATA_RO_BUG).
            return bank.data & bank.dirm | bank.levels() & ~bank.dirm if bank.emio else bank.data
        if offset < 0x80:
            bank = self._banks.get((offset - _DATA_RO) // 4)
            return 0 if bank is None else bank.levels()
        number, register = divmod(offset - _BANKS, _BANK_SIZE)
        bank = self._banks.get(number)
        if bank is None:
            return 0
        bank.pending()
        return {
            _DIRM: bank.dirm,
            _OEN: bank.oen,
            _MASK: bank.mask,
            _STATUS: bank.status,
            _TYPE: bank.type,
            _POLARITY: bank.polarity,
            _ANY: bank.any,
        }.get(register, 0)

    def put(self, offset: int, value: int) -> None:
        """Take a register; nothing where there is none."""
        if offset < _DATA:
            shift = 16 * (offset // 4 & 1)
            # The upper half says which bits stay.
            self._write_data(offset // 8, (value & 0xFFFF) << shift, (~value >> 16 & 0xFFFF) << shift)
        elif offset < _DATA_RO:
            self._write_data((offset - _DATA) // 4, value, -1)
        else:
            number, register = divmod(offset - _BANKS, _BANK_SIZE)
            bank = self._banks.get(number)
            if bank is not None:
                self._write_bank(bank, register, value & bank.all)
        self._signal()

    def _write_data(self, number: int, value: int, mask: int) -> None:
        bank = self._banks.get(number)
        if bank is not None:
            before, levels = bank.driven(), bank.levels()
            bank.data = (bank.data & ~mask | value & mask) & bank.all
            self._changed(bank, before, levels)

    def _changed(self, bank: _Bank, before: int, levels: int) -> None:
        changed = bank.driven() ^ before
        if bank.emio:
            self._drive(bank, changed)
            for bit in range(bank.width):
                if changed >> bit & 1:
                    self._todo.append(partial(self._outputs, bank.first + bit, bank.driven() >> bit & 1))
        else:
            bank.edges(levels)

    def _write_bank(self, bank: _Bank, register: int, value: int) -> None:
        before, levels = bank.driven(), bank.levels()
        if register == _DIRM:
            bank.dirm = value
        elif register == _OEN:
            bank.oen = value
        elif register == _ENABLE:
            bank.mask &= ~value
        elif register == _DISABLE:
            bank.mask |= value
        elif register == _STATUS:
            bank.status &= ~value
        elif register == _TYPE:
            bank.type = value
        elif register == _POLARITY:
            bank.polarity = value
        elif register == _ANY:
            bank.any = value
        if register in (_DIRM, _OEN):
            self._drive(bank, bank.all)
            self._changed(bank, before, levels)
