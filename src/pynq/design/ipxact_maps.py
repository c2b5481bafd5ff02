"""Memory maps of IP-XACT components (IEEE 1685-2009, -2014 and -2022): address blocks and their registers.

What can't be worked out (a formula with a name that is not known, a definition in another file) is left out,
with a note. Registers of arrays are ``NAME[0]``, ``NAME[1]``, ...; those of register files have the file's
name before theirs: ``lane[2].ctrl``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from pynq.design.expressions import Unresolved, evaluate
from pynq.design.model import AddressBlock, Field, Register, SourceRef
from pynq.design.xmltree import Node
from pynq.errors import Problem

__all__ = ["MAX_REGISTERS", "Values", "memory_map"]

MAX_REGISTERS = 65_536
"""Most registers of a component."""
MAX_NESTING = 16
"""Deepest nesting of register files."""
MAX_NOTES = 50
MAX_STEPS = 5_000_000
"""Most numbers, names and operators in the formulas of a component, parameters counted as often as used."""
_ACCESS = ("read-write", "read-only", "write-only", "writeOnce", "read-writeOnce", "no-access")
_LARGEST = 1 << 64


class _LeftOut(Exception):
    """Something that can't be worked out."""


@dataclass
class Values:
    """The parameters of a component, with which its formulas are worked out, and the notes that come up.

    ``given``: the parameters are those of a cell, not the component's own defaults.
    """

    file: str
    names: dict[str, str | int]
    given: bool = False
    notes: list[Problem] = field(default_factory=list)
    left: int = MAX_REGISTERS
    spent: int = 0
    known: dict[str, int] = field(default_factory=dict)

    def note(self, line: int, message: str) -> None:
        """Note what was left out; after :data:`MAX_NOTES` notes no more."""
        if len(self.notes) < MAX_NOTES:
            self.notes.append(Problem(self.file, line, message))
        elif len(self.notes) == MAX_NOTES:
            self.notes.append(Problem(self.file, 0, f"there are more than {MAX_NOTES} such notes"))

    def number(self, node: Node) -> int:
        """Return the value of an element. Raises :class:`~pynq.design.expressions.Unresolved`."""
        text = node.content
        dependency = node.attributes.get("dependency", "")
        if self.given and dependency:
            # The text is the result for the component's own parameters, the formula holds for all.
            try:
                return self._evaluate(dependency)
            except Unresolved:
                pass
        if node.attributes.get("format") == "bitString" and len(text) > 2 and text[0] == text[-1] == '"':
            text = f"'b{text[1:-1]}"
        return self._evaluate(text)

    def _evaluate(self, text: str) -> int:
        if text not in self.known:
            if self.spent > MAX_STEPS:
                raise Unresolved("the formulas of this component take too long")
            steps = [0]
            try:
                self.known[text] = evaluate(text, self.names, steps)
            finally:
                self.spent += steps[0]
        return self.known[text]

    def at(self, node: Node, tag: str, default: int | None, limit: int = _LARGEST) -> int:
        """Return the value of a child, from 0 and below ``limit``. Raises :class:`_LeftOut` without one."""
        child = node.first(tag)
        if child is None or not child.content:
            if default is None:
                raise _LeftOut(f"it has no {tag}")
            return default
        try:
            value = self.number(child)
        except Unresolved as error:
            raise _LeftOut(f"its {tag} {child.content[:60]!r} can't be worked out: {error}") from None
        if not 0 <= value < limit:
            raise _LeftOut(f"its {tag} is {value}; expected 0 to {limit - 1}")
        return value

    def present(self, node: Node) -> bool:
        """Whether a component of these parameters has the element (isPresent)."""
        return bool(self.at(node, "isPresent", 1, 1 << 256))


def memory_map(node: Node, interface: str, values: Values) -> Iterator[AddressBlock]:
    """Yield the address blocks of a memory map, as seen through an interface; addresses in bytes."""
    name = node.text("name")
    try:
        unit = values.at(node, "addressUnitBits", 8, 1025)
        if not unit or (unit % 8 and 8 % unit):
            raise _LeftOut(f"its addressUnitBits is {unit}; expected a divisor or multiple of 8")
    except _LeftOut as error:
        values.note(node.line, f"memory map {name!r} is left out: {error}")
        return
    for child in node.children:
        if child.tag in ("bank", "subspaceMap", "memoryMapDefinitionRef", "memoryRemap"):
            values.note(child.line, f"memory map {name!r}: <{child.tag}> is left out: it is not read")
        elif child.tag == "addressBlock":
            try:
                if values.present(child):
                    yield _Block(child, interface, unit, values).made()
            except _LeftOut as error:
                text = child.text("name")
                values.note(child.line, f"address block {text!r} of {name!r} is left out: {error}")


class _Block:
    def __init__(self, node: Node, interface: str, unit: int, values: Values) -> None:
        self._node = node
        self._interface = interface
        self._unit = unit
        self._values = values

    def made(self) -> AddressBlock:
        node, values = self._node, self._values
        if node.first("addressBlockDefinitionRef") is not None or node.first("array") is not None:
            raise _LeftOut("arrays of blocks and definitions in other files are not read")
        base = self._bytes(values.at(node, "baseAddress", 0))
        size = self._bytes(values.at(node, "range", 0, _LARGEST + 1))
        access = _access(node) or "read-write"
        registers = tuple(self._contents(node, "", 0, access, 0))
        usage = node.text("usage") or ("register" if registers else "")
        return AddressBlock(
            name=node.text("name"),
            interface=self._interface,
            offset=base,
            range=size,
            usage=usage,
            access=access,
            registers=registers,
            source=SourceRef(values.file, node.line),
        )

    def _bytes(self, units: int) -> int:
        bits = units * self._unit
        if bits % 8:
            raise _LeftOut(f"address {units} in units of {self._unit} bits is no whole number of bytes")
        return bits // 8

    def _contents(self, node: Node, prefix: str, base: int, access: str, depth: int) -> Iterator[Register]:
        for child in node.children:
            if child.tag not in ("register", "registerFile"):
                continue
            name = prefix + child.text("name")
            try:
                if child.tag == "registerFile" and depth >= MAX_NESTING:
                    raise _LeftOut(f"register files are nested deeper than {MAX_NESTING}")
                if not self._values.present(child):
                    continue
                if not child.text("name"):
                    raise _LeftOut("it has no name")
                inner = _access(child) or access
                if inner == "no-access":
                    continue
                if child.tag == "register":
                    yield from self._register(child, name, base, inner)
                else:
                    for index, place in self._places(child, self._values.at(child, "range", None)):
                        yield from self._contents(child, f"{name}{index}.", base + place, inner, depth + 1)
            except _LeftOut as error:
                what = "register" if child.tag == "register" else "register file"
                self._values.note(child.line, f"{what} {name!r} is left out: {error}")

    def _places(self, node: Node, step: int) -> Iterator[tuple[str, int]]:
        """Yield the index, as text, and the place in bytes of each element of what may be an array.

        ``step``: in address units. Several dimensions count like those of C: the last one runs fastest.
        """
        array = node.first("array")
        stride = step if array is None else self._values.at(array, "stride", step)
        dims = [*node.all("dim"), *node.all("array", "dim")]
        sizes, count = [], 1
        for dim in dims:
            try:
                size = self._values.number(dim)
            except Unresolved as error:
                message = f"its dimension {dim.content[:60]!r} can't be worked out: {error}"
                raise _LeftOut(message) from None
            if size < 1:
                raise _LeftOut(f"its dimension is {size}; expected 1 or more")
            sizes.append(size)
            count *= size
        self._take(count)
        start = self._values.at(node, "addressOffset", None)
        for number, indices in enumerate(itertools.product(*(range(size) for size in sizes))):
            place = self._bytes(start + number * stride)
            if place >= _LARGEST:
                raise _LeftOut("its last elements lie beyond 64 bits of address")
            yield "".join(f"[{index}]" for index in indices), place

    def _take(self, count: int) -> None:
        if count > self._values.left:
            raise _LeftOut(f"{count} registers here; a component has {MAX_REGISTERS} at the most")
        self._values.left -= count

    def _register(self, node: Node, name: str, base: int, access: str) -> Iterator[Register]:
        values = self._values
        if node.first("registerDefinitionRef") is not None:
            raise _LeftOut("definitions in other files are not read")
        size = values.at(node, "size", None, (1 << 20) + 1)
        if not size:
            raise _LeftOut("its size is 0; expected 1 bit or more")
        made = self._single(node, name, size, access)
        alternates = [
            self._single(other, f"{name}.{other.text('name')}", size, _access(other) or access)
            for other in node.all("alternateRegisters", "alternateRegister")
            if values.present(other)
        ]
        for index, place in self._places(node, -(-size // self._unit)):
            yield made._replace(name=made.name + index, offset=base + place)
            for one in alternates:
                self._take(1)
                yield one._replace(name=one.name + index, offset=base + place)

    def _single(self, node: Node, name: str, size: int, access: str) -> Register:
        reset: int | None = None
        with_value = node.first("reset", "value") or node.first("resets", "reset", "value")
        if with_value is not None:
            reset = self._reset(with_value, size, f"register {name!r}")
        fields = tuple(
            part for child in node.all("field") for part in self._fields(child, name, size, access, reset)
        )
        if reset is None and any(part.reset is not None for part in fields):
            reset = 0
            for part in fields:
                reset |= (part.reset or 0) << part.offset
        return Register(name, 0, size, access, reset, _about(node), fields, node.line)

    def _reset(self, node: Node, width: int, what: str) -> int | None:
        try:
            return self._values.number(node) & ((1 << width) - 1)
        except Unresolved as error:
            text = f"the reset value of {what} can't be worked out: {node.content[:60]!r}: {error}"
            self._values.note(node.line, text)
            return None

    def _fields(
        self, node: Node, register: str, size: int, access: str, whole: int | None
    ) -> Iterator[Field]:
        values, name = self._values, node.text("name")
        try:
            if not values.present(node) or _access(node) == "no-access":
                return
            if not name or node.first("fieldDefinitionRef") is not None:
                raise _LeftOut("it has no name" if not name else "definitions in other files are not read")
            low = values.at(node, "bitOffset", None, size)
            if node.first("bitWidth") is None and (most := node.all("bitRange")):
                raise _LeftOut(f"it has bitRange {most[0].content!r} in place of bitWidth")
            width = values.at(node, "bitWidth", None, size + 1)
            if not width or low + width > size:
                raise _LeftOut(f"bits {low} to {low + width - 1} are not within {size} bits")
        except _LeftOut as error:
            values.note(node.line, f"field {name!r} of register {register!r} is left out: {error}")
            return
        own = node.first("resets", "reset", "value") or node.first("reset", "value")
        reset = None
        if own is not None:
            reset = self._reset(own, width, f"field {name!r} of register {register!r}")
        elif whole is not None:
            reset = whole >> low & ((1 << width) - 1)
        policy = node.first("fieldAccessPolicies", "fieldAccessPolicy") or node
        yield Field(
            name,
            low,
            width,
            _access(node) or access,
            reset,
            _about(node),
            node.line,
            policy.text("modifiedWriteValue"),
            policy.text("readAction"),
            tuple(self._enumeration(node, width)),
        )

    def _enumeration(self, node: Node, width: int) -> Iterator[tuple[str, int]]:
        for entry in node.all("enumeratedValues", "enumeratedValue"):
            name = entry.text("name") or entry.text("displayName")
            try:
                value = self._values.at(entry, "value", None, 1 << width)
            except _LeftOut as error:
                self._values.note(entry.line, f"enumerated value {name!r} is left out: {error}")
                continue
            if name:
                yield name, value


def _access(node: Node) -> str:
    """Return an element's own right of access; "" without one (IEEE 1685-2022 has policies)."""
    ways = (
        ("access",),
        ("accessPolicies", "accessPolicy", "access"),
        ("fieldAccessPolicies", "fieldAccessPolicy", "access"),
    )
    found = next((text for way in ways if (text := node.text(*way))), "")
    return found if found in _ACCESS else ""


def _about(node: Node) -> str:
    return " ".join((node.text("description") or node.text("displayName")).split())
