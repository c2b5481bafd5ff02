"""Registers of simulated IP: from the description, or as a model declares them, to what the engine stores.

The rules of access come from the file (IP-XACT: ``access``, ``modifiedWriteValue``, ``readAction``), field by
field where a register has fields. Bits that no field covers read as zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pynq.design.model import AddressBlock, Cell, Field, Register
from pynq.errors import ModelError

if TYPE_CHECKING:
    from pynq.backends.sim._engine import Host

__all__ = ["Reg", "RegisterSpec", "identifier", "specs_of_cell", "specs_of_model", "store"]

_WIDTHS = (1, 2, 4, 8)
_READS = {"read-only", "read-write", "read-writeonce", ""}
_WRITES = {"write-only", "read-write", "writeonce", "read-writeonce", ""}


def identifier(name: str) -> str:
    """Return the spelling of a register's, field's or pin's name that Python can use: ``IVAR[0]`` is
    ``IVAR_0``.
    """
    word = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return f"_{word}" if not word or word[0].isdigit() else word


@dataclass(frozen=True)
class Reg:
    """A register as a model declares it (``registers = {"CTRL": Reg(0x00, reset=4)}``).

    ``size`` is in bits. ``access`` is "read-write", "read-only" or "write-only". ``w1c`` (writing 1 clears),
    ``w1t`` (writing 1 toggles), ``clear_on_read`` and ``self_clearing`` (reads 0, the hook sees the 1 that
    was written) are masks of bits; ``writable`` limits writes to a mask. ``fields`` gives (lowest bit,
    width). ``port`` names the slave interface where the IP has several.
    """

    offset: int
    reset: int = 0
    access: str = "read-write"
    size: int = 32
    w1c: int = 0
    w1t: int = 0
    clear_on_read: int = 0
    self_clearing: int = 0
    writable: int = -1
    fields: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    port: str = ""


@dataclass(frozen=True)
class RegisterSpec:
    """A register in the engine's terms; ``width`` is in bytes, the rest are masks."""

    name: str
    port: str
    offset: int
    width: int
    reset: int
    readable: int
    writable: int
    w1c: int
    w1t: int
    clear_on_read: int
    self_clearing: int
    fields: Mapping[str, tuple[int, int]]  # name -> (lowest bit, width)

    @property
    def mask(self) -> int:
        """All bits of the register."""
        return (1 << 8 * self.width) - 1


def _mask(part: Field) -> int:
    return ((1 << part.width) - 1) << part.offset


def _of_register(register: Register, block: AddressBlock) -> Iterator[RegisterSpec]:
    place = block.offset + register.offset
    if register.argument is not None and register.size > 32:
        # Words by the names that Vitis HLS gives them in a hand-off file, so that a model fits both.
        for number in range(-(-register.size // 32)):
            yield from _of_register(
                register._replace(
                    name=f"{register.name}_{number + 1}",
                    offset=register.offset + 4 * number,
                    size=32,
                    argument=None,
                ),
                block,
            )
        return
    if register.size > 64:  # an array: a word at a time
        for index in range(-(-register.size // 32)):
            word = register._replace(
                name=f"{register.name}[{index}]", offset=register.offset + 4 * index, size=32
            )
            yield from _of_register(word._replace(fields=(), reset=0), block)
        return
    # Files give the bits in use (1, 5, 20) as the size; the bus reads words.
    width = next(w for w in _WIDTHS if register.size <= 8 * w and (w >= 4 or place % 4))
    full = (1 << 8 * width) - 1
    reset = register.reset or 0
    readable = writable = w1c = w1t = clear = 0
    if register.fields:
        for part in register.fields:
            mask = _mask(part) & full
            access = part.access or register.access
            readable |= mask if access in _READS else 0
            # HLS declares ISR read-only although writing ones toggles it.
            writable |= (
                mask if access in _WRITES or part.modified_write in ("oneToClear", "oneToToggle") else 0
            )
            w1c |= mask if part.modified_write == "oneToClear" else 0
            w1t |= mask if part.modified_write == "oneToToggle" else 0
            clear |= mask if part.read_action == "clear" else 0
            if register.reset is None and part.reset:
                reset |= part.reset << part.offset & mask
    else:
        readable = full if register.access in _READS else 0
        writable = full if register.access in _WRITES else 0
    yield RegisterSpec(
        name=register.name,
        port=block.interface,
        offset=place,
        width=width,
        reset=reset & full,
        readable=readable,
        writable=writable,
        w1c=w1c,
        w1t=w1t,
        clear_on_read=clear,
        self_clearing=0,
        fields={part.name: (part.offset, part.width) for part in register.fields},
    )


def specs_of_cell(cell: Cell) -> list[RegisterSpec]:
    """Return the registers that the description gives a cell, in the file's order."""
    return [
        spec
        for block in cell.blocks
        for register in block.registers
        for spec in _of_register(register, block)
    ]


def specs_of_model(owner: str, declared: Mapping[str, Reg | int]) -> list[RegisterSpec]:
    """Return the registers that a model declares. Raises :class:`ModelError` for what is no register."""
    specs = []
    for name, entry in declared.items():
        if not isinstance(entry, (Reg, int)):
            raise ModelError(
                f"{owner}.registers[{name!r}] is {entry!r}: "
                "expected an offset in bytes or pynq.sim.Reg(offset, ...)"
            )
        reg = Reg(entry) if isinstance(entry, int) else entry
        width = reg.size // 8
        if width not in _WIDTHS or reg.size % 8 or reg.offset % width or reg.offset < 0:
            raise ModelError(
                f"{owner}.registers[{name!r}]: size {reg.size} at offset {reg.offset:#x}; allowed sizes are "
                "8, 16, 32 and 64 bits, at offsets that are multiples of the size"
            )
        if reg.access not in ("read-write", "read-only", "write-only"):
            raise ModelError(
                f"{owner}.registers[{name!r}]: access {reg.access!r}; "
                "allowed are read-write, read-only and write-only"
            )
        full = (1 << reg.size) - 1
        specs.append(
            RegisterSpec(
                name=name,
                port=reg.port,
                offset=reg.offset,
                width=width,
                reset=reg.reset & full,
                readable=0 if reg.access == "write-only" else full,
                writable=0 if reg.access == "read-only" else reg.writable & full,
                w1c=reg.w1c,
                w1t=reg.w1t,
                clear_on_read=reg.clear_on_read,
                self_clearing=reg.self_clearing,
                fields=dict(reg.fields),
            )
        )
    return specs


def store(host: Host, specs: Iterable[RegisterSpec], ports: Mapping[str, int]) -> list[RegisterSpec]:
    """Make the registers in the engine; return those made. ``ports`` gives the slave ports and their range in
    bytes.

    Later registers give way where they overlap earlier ones (vendor files do overlap: one name for the whole,
    others for its parts), and so do those beyond the range.
    """
    made: list[RegisterSpec] = []
    if not ports:
        return made
    first = next(iter(ports))
    taken: dict[str, set[int]] = {port: set() for port in ports}
    for spec in specs:
        port = spec.port if spec.port in ports else first
        lanes = range(spec.offset, spec.offset + spec.width)
        beyond = ports[port] and lanes.stop > ports[port]
        if spec.offset % spec.width or beyond or not taken[port].isdisjoint(lanes):
            continue
        host.add_register(
            spec.offset,
            size=spec.width,
            reset=spec.reset,
            readable=spec.readable,
            writable=spec.writable,
            w1c=spec.w1c,
            w1t=spec.w1t,
            clear_on_read=spec.clear_on_read,
            self_clearing=spec.self_clearing,
            name=spec.name,
            port=port,
        )
        taken[port].update(lanes)
        made.append(replace(spec, port=port))
    return made
