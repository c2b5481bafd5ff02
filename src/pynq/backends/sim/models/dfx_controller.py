"""DFX Controller (PG374) and Partial Reconfiguration Controller (PG193): its registers, not its fetching."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pynq.backends.sim.model import Model
from pynq.backends.sim.models._dictionary import entries, parse
from pynq.backends.sim.nets import number, parameter
from pynq.backends.sim.regfile import Reg, RegisterSpec, specs_of_model
from pynq.design.model import Cell
from pynq.device.notes import emit
from pynq.errors import UnmodelledIPWarning

__all__ = ["DfxController"]

_EMPTY, _FULL = 0, 7
_SHUTDOWN = 0x80
_FETCH_ERROR = 4
_PENDING = 1 << 31
_SOCKETS, _MODULES = 32, 128  # as many as there can be


@dataclass
class _Socket:
    """A virtual socket, as the description has it: where its registers are, and what is in it at first."""

    name: str
    base: int  # offset of its registers
    bank: int  # lowest bit of an offset that tells the bank
    triggers: int
    modules: int
    first: int  # the module in it after a reset, -1 for none
    shutdown: bool
    stops: bool  # an error shuts it down


class DfxController(Model, built_in=True):
    """Virtual sockets that take commands and tell their state; a trigger ends with a fetch error.

    The simulated board configures no PL through ICAP: bytes in memory do not tell what would be in the
    region then. A software trigger is answered by the error code 4 in STATUS (fetch error), and a warning
    says what to do instead; hardware triggers are taken no notice of. Commands of CONTROL: 0 shuts the socket
    down, 1 starts it again without the error, 2 does and tells what was loaded meanwhile (byte 1: whether
    anything, bits 31:16: which module); 3 and 4 have no effect.

    Registers, as the vendor's driver (embeddedsw, ``prc``) reaches them: bank 0 of a socket has STATUS, which
    written is CONTROL, and SW_TRIGGER; banks 1 to 3 are the tables of triggers, modules and bitstreams, which
    are kept and start as zeros. A bank has the room of the largest table, a socket that of four banks. Where
    ``ALL_PARAMS`` does not tell of the sockets, accesses are refused.

    The guide itself was not at hand. Fields, commands and the order of the bits of an address are from that
    driver (``xprc_hw.h``, ``xprc.c``). Inferred are: the room of a bank, from two designs, one with tables
    of 4 and of 32 rows; what ``ALL_PARAMS`` leaves out (no module at first, 2 modules, 4 triggers, an error
    shuts down, no start in shutdown), from designs that name other values; that a restart ends the error; and
    that command 2 counts in shutdown only.
    """

    bindto = ["xilinx.com:ip:dfx_controller", "xilinx.com:ip:prc"]

    @classmethod
    def applies(cls, cell: Cell) -> bool:
        """Return whether it has registers at all."""
        return any("axi_reg" in name.lower() for name in cell.interfaces)

    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers of all sockets."""
        declared: dict[str, Reg | int] = {}
        for socket in _sockets(cell):
            at = {bank: socket.base + (bank << socket.bank) for bank in range(4)}
            declared[f"{socket.name}_STATUS"] = Reg(at[0])
            declared[f"{socket.name}_SW_TRIGGER"] = Reg(at[0] + 4)
            for row in range(socket.triggers):
                declared[f"{socket.name}_TRIGGER{row}"] = Reg(at[1] + 4 * row)
            for row in range(socket.modules):
                declared[f"{socket.name}_RM_BS_INDEX{row}"] = Reg(at[2] + 8 * row)
                declared[f"{socket.name}_RM_CONTROL{row}"] = Reg(at[2] + 8 * row + 4)
                for place, name in enumerate(("ID", "ADDRESS", "SIZE")):
                    declared[f"{socket.name}_BS_{name}{row}"] = Reg(at[3] + 16 * row + 4 * place)
        return specs_of_model(cls.__name__, declared)

    def on_reset(self) -> None:
        """Begin as the description says."""
        self._parts = list(_sockets(self.cell))
        if not self._parts:
            self.host.refusal = f"ALL_PARAMS of {self.name} does not tell where its registers are"
        self._state = [
            (_EMPTY if one.first < 0 else _FULL | one.first << 8) | _SHUTDOWN * one.shutdown
            for one in self._parts
        ]
        self._trigger = [0] * len(self._parts)

    def _connect_hooks(self) -> None:
        super()._connect_hooks()
        there = set(self.registers)  # those within the address range
        for index, one in enumerate(_sockets(self.cell)):
            if f"{one.name}_SW_TRIGGER" not in there:
                continue
            self._hook(one.base, partial(self._status, index), partial(self._command, index))
            self._hook(one.base + 4, partial(self._last, index), partial(self._start, index))

    def _hook(self, offset: int, read: Callable[[], int], write: Callable[[int, int], None]) -> None:
        self.host.on_read(offset, self._guard(read))
        self.host.on_write(offset, self._guard(write))

    def _status(self, index: int) -> int:
        state = self._state[index]
        return state & ~7 if state & _SHUTDOWN else state  # bits 2:0 then are an input, RM_SHUTDOWN_ACK

    def _last(self, index: int) -> int:
        return self._trigger[index]

    def _command(self, index: int, value: int, before: int) -> None:
        command, full, module = value & 0xFF, value >> 8 & 0xFF, value >> 16
        state = self._state[index]
        if command == 0:
            state |= _SHUTDOWN
        elif command == 1:
            state &= ~(_SHUTDOWN | 0x78)
        elif command == 2 and state & _SHUTDOWN:
            state = _FULL | module << 8 if full else _EMPTY
        self._state[index] = state
        if not state & _SHUTDOWN and self._trigger[index] & _PENDING:
            self._fail(index)

    def _start(self, index: int, value: int, before: int) -> None:
        self._trigger[index] = value & ~_PENDING | _PENDING
        if not self._state[index] & _SHUTDOWN:
            self._fail(index)

    def _fail(self, index: int) -> None:
        one, trigger = self._parts[index], self._trigger[index] & ~_PENDING
        self._trigger[index] = trigger
        self._state[index] = self._state[index] & ~0x78 | _FETCH_ERROR << 3 | _SHUTDOWN * one.stops
        emit(
            UnmodelledIPWarning(
                f"{self.name}: trigger {trigger} of virtual socket {one.name} loads nothing, STATUS tells of "
                "a fetch error: the simulated board configures no PL through ICAP. Load the region by "
                "overlay.pr_download(region, file), then restart the socket with its new state (command 2)"
            )
        )


def _bits(rows: int) -> int:
    return max(rows - 1, 0).bit_length()


def _sockets(cell: Cell) -> Iterator[_Socket]:
    """Return the sockets in the order of their registers, none where their places are not known.

    Their numbers must be those from 0 on. Places are not known either for several sockets in UltraScale (not
    UltraScale+): its tables have rows for clearing bitstreams as well.
    """
    said = parse(parameter(cell, "ALL_PARAMS"))
    named = list(entries(said.get("VS")))
    if len(named) > _SOCKETS or (len(named) > 1 and said.get("CP_FAMILY") == "ultrascale"):
        return
    found: list[tuple[int, _Socket]] = []
    for name, body in named:
        about = dict(entries(body))
        words = {key: value for key, value in about.items() if isinstance(value, str)}
        modules = {one: dict(entries(rm)).get("ID") for one, rm in entries(about.get("RM"))}
        room = words.get("NUM_RMS_ALLOCATED") or words.get("RMS_ALLOCATED") or "2"
        rows = min(max(number(room), len(modules), 2), _MODULES)
        triggers = max(number(words.get("NUM_TRIGGERS_ALLOCATED", "4")), 1)
        first = modules.get(words.get("POR_RM", "")) if number(words.get("HAS_POR_RM", "0")) else None
        made = _Socket(
            name,
            0,
            0,
            min(triggers, 512),
            1 << _bits(rows),
            number(first) & 0xFFFF if isinstance(first, str) else -1,
            bool(number(words.get("START_IN_SHUTDOWN", "0"))),
            bool(number(words.get("SHUTDOWN_ON_ERROR", "1"))),
        )
        found.append((number(words.get("ID", str(len(found)))), made))
    bank = max((2 + max(_bits(one.triggers), _bits(one.modules) + 2) for _, one in found), default=2)
    found.sort(key=lambda entry: entry[0])
    names = {one.name for _, one in found}
    if [place for place, _ in found] != list(range(len(names))):
        return
    for place, one in found:
        one.base, one.bank = place << (bank + 2), bank
        yield one
