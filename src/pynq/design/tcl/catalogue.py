"""What is known of common IP: their ports, interfaces, defaults and registers.

A block-design script says which IP there are, how they differ from their defaults and what is joined; what
they look like it leaves to the tool's catalogue. This module holds the part of such a catalogue that
``catalogue.json`` has: facts that ``scripts/condense_ip.py`` has drawn from real hand-off files, together
with the rules by hand of :mod:`pynq.design.tcl.catalogue_rules`, which win.

A type's knowledge is independent of its version: a port that only some versions have is there where a script
connects it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pynq.design.model import AddressBlock, Field, Register, SourceRef
from pynq.design.tcl import catalogue_rules as rules

__all__ = ["InterfaceType", "IpType", "PortType", "Width", "bus_parameters", "defaults", "known", "lookup"]

Condition = Any  # None, [parameter, values], [parameter, number below], "used"


@dataclass(frozen=True)
class Width:
    """How many bits a port has.

    A number of them (``bits``, None for a single wire), bounds (``bounds``), or a parameter times
    ``factor`` / ``divisor``. ``open``: what is joined decides.
    """

    bits: int | None = None
    bounds: tuple[int, int] | None = None
    parameter: str = ""
    factor: int = 1
    divisor: int = 1
    open: bool = False
    usual: tuple[int | None, int | None] = (None, None)  # where nothing tells

    def of(self, parameters: Mapping[str, str]) -> tuple[int | None, int | None] | None:
        """Return left and right, both None for a single wire; None where it can't be told."""
        if self.bounds is not None:
            return self.bounds
        if self.parameter:
            value = integer(parameters.get(self.parameter, ""))
            if value is None or value * self.factor < self.divisor:
                return None
            bits = value * self.factor // self.divisor
            return (bits - 1, 0) if bits <= 1 << 16 else None
        if self.open:
            return None
        return (None, None) if self.bits is None else (self.bits - 1, 0)


@dataclass(frozen=True)
class PortType:
    """A port as its IP's type has it; fields as those of :class:`pynq.design.model.Port`."""

    name: str
    direction: str
    kind: str
    width: Width
    when: Condition
    sensitivity: str
    polarity: str


@dataclass(frozen=True)
class InterfaceType:
    """An interface as its IP's type has it. ``ports``: logical name -> port."""

    name: str
    role: str
    vlnv: str
    when: Condition
    protocol: str
    ports: Mapping[str, str]
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class IpType:
    """What is known of ``vendor:library:name``."""

    name: str
    version: str  # the newest one seen
    attributes: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]  # attributes of versions that differ
    parameters: Mapping[str, str]  # defaults
    follows: Mapping[str, str]  # parameter -> the one whose value it has
    ports: Mapping[str, PortType]
    interfaces: Mapping[str, InterfaceType]
    memories: frozenset[str]  # "interface/block", the interface in lower case
    raw_blocks: tuple[Any, ...] = field(repr=False, default=())

    def blocks(
        self, source: SourceRef, release: str, parameters: Mapping[str, str]
    ) -> tuple[AddressBlock, ...]:
        """Return the address blocks with their registers; everything is where the cell is.

        Args:
            source: where the cell is.
            release: of the tool, as in "2020.2": names of fields have changed between releases.
            parameters: of the cell, which the width of some registers follows.
        """
        return tuple(_block(raw, source, parameters) for raw in self.blocks_of(release))

    def blocks_of(self, release: str) -> list[Any]:
        """Return the raw blocks of a release of the tool: those of the newest one that is no newer."""
        wanted = _release(release)
        chosen: list[Any] = []
        for since, blocks in self.raw_blocks:
            if not chosen or not wanted or _release(since) <= wanted:
                chosen = blocks
        return chosen

    def attributes_of(self, version: str) -> Mapping[str, str]:
        """Return the attributes of a version of the IP."""
        return self.versions.get(version, self.attributes)

    def interface(self, name: str) -> InterfaceType | None:
        """Return the interface of a name in whatever case: scripts say S_AXI for ``s_axi``."""
        found = self.interfaces.get(name)
        if found is None:
            lower = name.lower()
            for one in self.interfaces.values():
                if one.name.lower() == lower:
                    return one
        return found

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return all parameters of a cell: the defaults, over them what a script has given.

        Scripts and hand-off files spell some in different case (``CONFIG.c_include_sg``, ``C_INCLUDE_SG``):
        both spellings get the value. What follows another parameter does so unless given itself.
        """
        found = dict(self.parameters)
        twins: dict[str, list[str]] = {}
        for name in self.parameters:
            twins.setdefault(name.lower(), []).append(name)
        for name, value in given.items():
            found[name] = value
            for twin in twins.get(name.lower(), ()):
                found[twin] = _spelt(value, found[twin])
        for name, other in self.follows.items():
            if name not in given and other in given:
                found[name] = _spelt(given[other], found.get(name, ""))
        return found


def holds(condition: Condition, parameters: Mapping[str, str], used: bool) -> bool:
    """Return whether something with a condition is there; what a script connects always is."""
    if used or condition is None:
        return True
    if condition == "used":
        return False
    name, wanted = condition
    value = parameters.get(name, "")
    if isinstance(wanted, int):
        number = integer(value)
        return number is not None and number > wanted
    return value.lower() in {one.lower() for one in wanted}


def integer(text: str) -> int | None:
    """Return a parameter's value where it is a number of up to eight digits: ``32``, ``0x20``."""
    word = text.strip()
    if re.fullmatch(r"[0-9]{1,8}", word):
        return int(word)
    return int(word, 16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", word) else None


def known() -> frozenset[str]:
    """Return the types there are, each as ``vendor:library:name``."""
    return frozenset(_table()["types"])


@cache
def lookup(name: str) -> IpType | None:
    """Return what is known of ``vendor:library:name``, None for an unknown type."""
    raw = _table()["types"].get(name)
    if raw is None and name.rpartition(":")[2] in rules.RENAMED:
        raw = _table()["types"].get(rules.RENAMED[name.rpartition(":")[2]])
    if raw is None:
        return None
    short = name.rpartition(":")[2]
    ports = {one.name: one for one in map(_port, raw.get("ports", ()))}
    for port, condition in rules.PORT_CONDITIONS.get(short, {}).items():
        if port in ports:
            ports[port] = _replaced(ports[port], when=condition)
    for port, width in rules.PORT_WIDTHS.get(short, {}).items():
        if port in ports:
            ports[port] = _replaced(ports[port], width=_width(width))
    interfaces = {one.name: one for one in map(_interface, raw.get("interfaces", ()))}
    return IpType(
        name=name,
        version=raw.get("version", "1.0"),
        attributes=raw.get("attributes", {}),
        versions=raw.get("versions", {}),
        parameters={**raw.get("parameters", {}), **rules.DEFAULTS.get(short, {})},
        follows={**raw.get("follows", {}), **rules.FOLLOWS.get(short, {})},
        ports=ports,
        interfaces=interfaces,
        memories=frozenset(raw.get("memories", ())),
        raw_blocks=tuple(raw.get("blocks", ())),
    )


def defaults(vlnv: str) -> Mapping[str, str]:
    """Return the parameters that a cell of a type has where its script sets none; none for unknown types.

    Args:
        vlnv: ``vendor:library:name``, with or without a version.
    """
    found = lookup(":".join(vlnv.split(":")[:3]))
    return found.parameters if found else {}


def bus_parameters(vlnv: str) -> Mapping[str, str]:
    """Return what interfaces of a bus usually have."""
    found: Mapping[str, str] = _table()["buses"].get(vlnv, {})
    return found


@cache
def _table() -> Any:
    # By place: the process that runs scripts imports this module without its package.
    return json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))


def _replaced(port: PortType, **changes: Any) -> PortType:
    return PortType(**{**vars(port), **changes})


def _spelt(value: str, like: str) -> str:
    """A truth value in the words that the other spelling of a parameter uses."""
    if like in ("0", "1") and value.lower() in ("true", "false"):
        return str(int(value.lower() == "true"))
    if like in ("true", "false") and value in ("0", "1"):
        return "true" if value == "1" else "false"
    return value


def _width(raw: Any) -> Width:
    if raw is None or isinstance(raw, int):
        return Width(bits=raw)
    if raw == "net":
        return Width(open=True)
    if raw[0] == "net":
        return Width(open=True, usual=(raw[1], raw[2]))
    if isinstance(raw[0], str):
        return Width(parameter=raw[0], factor=raw[1], divisor=raw[2])
    return Width(bounds=(raw[0], raw[1]))


def _port(raw: list[Any]) -> PortType:
    name, direction, kind, width, when, sensitivity, polarity = (*raw, *_MISSING[len(raw) :])
    return PortType(name, direction, kind, _width(width), when, sensitivity, polarity)


_MISSING: tuple[Any, ...] = ("", "I", "undef", None, None, "", "")


def _interface(raw: dict[str, Any]) -> InterfaceType:
    ports: dict[str, str] = {}
    for logical, port in raw.get("ports", {}).items():
        if logical == "*":
            prefix, *names = port.split()
            lower = prefix.endswith("~")
            ports.update({one: prefix[:-1] + (one.lower() if lower else one) for one in names})
        else:
            ports[logical] = port
    return InterfaceType(
        name=raw["name"],
        role=raw["role"],
        vlnv=raw.get("type", ""),
        when=raw.get("when"),
        protocol=raw.get("protocol", ""),
        ports=ports,
        parameters=raw.get("parameters", {}),
    )


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"[0-9]{1,6}", text)[:2])


def _block(raw: list[Any], source: SourceRef, parameters: Mapping[str, str]) -> AddressBlock:
    name, interface, offset, size, usage, access, registers = raw
    return AddressBlock(
        name=name,
        interface=interface,
        offset=offset,
        range=size,
        usage=usage,
        access=access,
        registers=tuple(_registers(registers, source.line, parameters)),
        source=source,
    )


def _registers(raw: Iterable[list[Any]], line: int, parameters: Mapping[str, str]) -> Iterable[Register]:
    def bits(size: Any) -> int:
        if isinstance(size, int):
            return size
        return integer(parameters.get(size[0], "")) or 32

    for name, offset, size, access, reset, fields in raw:
        built = tuple(
            Field(one[0], one[1], bits(one[2]), one[3], None, "", line, *one[4:6]) for one in fields
        )
        yield Register(name, offset, bits(size), access, reset, "", built, line)
