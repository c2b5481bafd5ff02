"""What changed between two builds of a design, and how much of it programs notice.

Cells are the same where their paths are; those that are there in one build only are matched by type and
connections, so that a renamed block (or a renamed hierarchy) is one change instead of all that it has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from pynq.design.findings import Facts, amount, sends
from pynq.design.interrupts import str_path
from pynq.design.memories import PS_DDR
from pynq.design.model import (
    AddressBlock,
    Cell,
    Design,
    Endpoint,
    Field,
    MemoryRange,
    Port,
    Register,
    SourceRef,
)
from pynq.design.renames import plain_type, renames, type_of

__all__ = ["KINDS", "WEIGHTS", "Change", "compare"]

WEIGHTS = ("breaks", "behaves", "harmless")
"""Programs break; may behave differently; do not notice."""

KINDS = (
    "part",
    "cell removed",
    "cell renamed",
    "cell retyped",
    "address removed",
    "address moved",
    "address resized",
    "memory",
    "register",
    "field",
    "interrupt",
    "clock",
    "GPIO",
    "version",
    "parameter",
    "bus",
    "connection",
    "port",
    "cell added",
    "address added",
    "board",
    "tool",
)
"""The kinds of change, in the order in which they are told."""

#: What tools write into parameters of their own accord, or what is told as an address.
_IGNORED = ("COMPONENT_NAME", "EDK_IPTYPE", "EDK_SPECIAL")
_ADDRESSES = ("BASEADDR", "HIGHADDR")
_DIRECTIONS = {"I": "input", "O": "output"}

_Item = TypeVar("_Item")


class Change(NamedTuple):
    """One difference. ``weight`` is one of :data:`WEIGHTS`, ``kind`` of :data:`KINDS`.

    ``subject`` is the path of what changed, by its new name where it has one; ``old`` and ``new`` say how it
    was and is, "" where it was or is not there. The sources are None there as well.
    """

    weight: str
    kind: str
    subject: str
    old: str
    new: str
    old_source: SourceRef | None
    new_source: SourceRef | None


def compare(old: Design, new: Design) -> tuple[Change, ...]:
    """Return what changed: what breaks programs first, then by kind, then in the order of the files.

    When a design was made, and the names of its files, are no changes; nor is what one kind of description
    has and the other has not: the parameters that a script leaves to their defaults, say.
    """
    found = _Comparison(old, new).changes()
    order = {kind: number for number, kind in enumerate(KINDS)}
    return tuple(sorted(found, key=lambda one: (WEIGHTS.index(one.weight), order[one.kind])))


class _Comparison:
    def __init__(self, old: Design, new: Design) -> None:
        self.old, self.new = old, new
        #: Of two kinds of description one tells more than the other, which is no change of the design.
        self.alike = old.format == new.format
        self.old_facts, self.new_facts = Facts(old), Facts(new)
        self.renamed = renames(self.old_facts, self.new_facts)
        #: Cells that are in both, by their new paths.
        self.common = {
            path: old.cells[before]
            for before in old.cells
            if (path := self.renamed.get(before, before)) in new.cells
        }

    def changes(self) -> list[Change]:
        return [
            *self._whole(),
            *self._cells(),
            *self._addresses(),
            *self._memories(),
            *self._interrupts(),
            *self._clocks(),
            *self._gpio(),
            *self._ports("", self.old.ports, self.new.ports),
            *self._connections(),
            *self._buses(),
        ]

    def name(self, path: str) -> str:
        """The new name of something of the old design: of a cell, or of what is named below one."""
        if path in self.renamed or path in self.old.cells:
            return self.renamed.get(path, path)
        head, slash, rest = path.rpartition("/")
        return f"{self.renamed.get(head, head)}{slash}{rest}"

    def _end(self, end: Endpoint | None) -> str:
        return str_path(end) if end is not None else ""

    # -- the design ---------------------------------------------------------------------------------------
    def _whole(self) -> Iterator[Change]:
        old, new = self.old, self.new
        for weight, kind, subject, before, after in (
            ("breaks", "part", "part", old.part, new.part),
            ("behaves", "board", "board", old.board, new.board),
            ("harmless", "tool", "Vivado", old.tool_version, new.tool_version),
        ):
            if before != after:
                yield Change(weight, kind, subject, before, after, old.source, new.source)

    def _cells(self) -> Iterator[Change]:
        back = {after: before for before, after in self.renamed.items()}
        used = [{entry.slave for entry in design.reachable} for design in (self.old, self.new)]
        for path, cell in self.old.cells.items():
            if self.name(path) not in self.new.cells:
                weight = "breaks" if path in used[0] else "behaves"
                yield Change(weight, "cell removed", path, type_of(cell), "", cell.source, None)
        for path, cell in self.new.cells.items():
            before = self.common.get(path)
            if before is None:
                yield Change("harmless", "cell added", path, "", type_of(cell), None, cell.source)
                continue
            if path in back:
                weight = "breaks" if path in used[1] or back[path] in used[0] else "harmless"
                yield Change(weight, "cell renamed", path, back[path], path, before.source, cell.source)
            yield from self._cell(path, before, cell)

    def _cell(self, path: str, old: Cell, new: Cell) -> Iterator[Change]:
        if plain_type(old) != plain_type(new):
            # Another block of the same name: what it has is not to be compared one by one.
            yield Change("breaks", "cell retyped", path, type_of(old), type_of(new), old.source, new.source)
            return
        if old.type != new.type:
            yield Change("behaves", "version", path, old.type, new.type, old.source, new.source)
        names = dict.fromkeys((*old.parameters, *new.parameters))
        for name in names:
            before, after = old.parameters.get(name), new.parameters.get(name)
            if not self.alike and (before is None or after is None):
                continue
            if before != after and not _ignored(name):
                yield Change(
                    "behaves",
                    "parameter",
                    f"{path} {name}",
                    before or "",
                    after or "",
                    old.source,
                    new.source,
                )
        yield from self._ports(path, old.ports, new.ports)
        blocks = dict(_numbered(old.blocks))
        for key, block in _numbered(new.blocks):
            held = blocks.get(key)
            if held is not None:
                yield from _registers(path, held, block)

    def _ports(self, path: str, old: Mapping[str, Port], new: Mapping[str, Port]) -> Iterator[Change]:
        """Ports that are on no bus: those of a bus change with it."""
        bundled = {
            port
            for design in (self.old, self.new)
            for cell in (design.cells.get(path),)
            for interface in (cell.interfaces.values() if cell is not None else design.interfaces.values())
            for port in interface.port_map.values()
        }
        for name, before, after in _paired(old, new):
            if name in bundled or (before and after and _shape(before) == _shape(after)):
                continue
            yield Change(
                "behaves" if before else "harmless",
                "port",
                f"{path}/{name}" if path else name,
                _shape(before) if before else "",
                _shape(after) if after else "",
                self.old.where(before) if before else None,
                self.new.where(after) if after else None,
            )

    # -- what programs use --------------------------------------------------------------------------------
    def _addresses(self) -> Iterator[Change]:
        old = _ranges(self.old, self.name)
        new = _ranges(self.new, str)
        for (slave, interface, block), before, after in _paired(old, new):
            subject = f"{slave}/{interface}" + (f" {block}" if block not in ("Reg", "") else "")
            if before is None or after is None:
                kind, weight = (
                    ("address removed", "breaks") if after is None else ("address added", "harmless")
                )
            elif before.base != after.base:
                kind, weight = "address moved", "breaks"
            elif before.size != after.size:
                kind = "address resized"
                weight = "breaks" if after.size < before.size else "harmless"
            else:
                continue
            yield _change(weight, kind, subject, before, after, _span)

    def _memories(self) -> Iterator[Change]:
        old = {self.name(one.name) if one.cell != self.old.ps else one.name: one for one in self.old.memories}
        new = {one.name: one for one in self.new.memories}
        for name, before, after in _paired(old, new):
            if (
                before
                and after
                and (before.base, before.size, before.kind) == (after.base, after.size, after.kind)
            ):
                continue
            grown = before and after and before.base == after.base and before.size <= after.size
            weight = "harmless" if before is None else "behaves" if grown else "breaks"
            subject = name if not name.startswith(PS_DDR) else f"{name} of the PS"
            yield _change(
                weight,
                "memory",
                subject,
                before,
                after,
                lambda one: f"{one.kind} {one.base:#x}, {one.size:#x} bytes",
            )

    def _interrupts(self) -> Iterator[Change]:
        def told(one: Any) -> str:
            way = f"{one.controller} input {one.index}" if one.controller else f"PS input {one.index}"
            return way + (f", GIC {one.gic}" if one.gic is not None else "")

        old = {self.name(path): pin for path, pin in self.old.interrupt_pins.items()}
        for path, before, after in _paired(old, self.new.interrupt_pins):
            if before and after:
                arrival = (self.name(before.controller), before.index, before.gic)
                if arrival == (after.controller, after.index, after.gic):
                    continue
            weight = "harmless" if before is None else "breaks" if after is None else "behaves"
            yield _change(weight, "interrupt", path, before, after, told)

    def _clocks(self) -> Iterator[Change]:
        def told(one: Any) -> str:
            speed = f"{one.frequency / 1e6:g} MHz" if one.frequency is not None else "frequency unknown"
            return speed if one.enabled else f"{speed}, off"

        old = {self.name(one.name): one for one in self.old.clocks}
        new = {one.name: one for one in self.new.clocks}
        for name, before, after in _paired(old, new):
            if before and after and told(before) == told(after):
                continue
            only = before if after is None else after if before is None else None
            if only is not None and not only.enabled:
                continue  # one that is off is not missed
            gone = after is None or (before is not None and before.enabled and not after.enabled)
            weight = "harmless" if before is None else "breaks" if gone else "behaves"
            yield _change(weight, "clock", name, before, after, told)

    def _gpio(self) -> Iterator[Change]:
        def told(one: Any) -> str:
            last = f" to {one.index + one.width - 1}" if one.width > 1 else ""
            return f"EMIO {one.index}{last}, {'out' if one.direction == 'O' else 'in'}"

        old = {self.name(one.name): one for one in self.old.emio}
        new = {one.name: one for one in self.new.emio}
        for name, before, after in _paired(old, new):
            if not (before and after and told(before) == told(after)):
                yield _change("harmless" if before is None else "breaks", "GPIO", name, before, after, told)

    # -- what is connected --------------------------------------------------------------------------------
    def _connections(self) -> Iterator[Change]:
        """Inputs of cells that are in both, outside of buses: what drives them."""
        for path, old in self.common.items():
            new = self.new.cells[path]
            if plain_type(old) != plain_type(new):
                continue
            bundled = {port for one in new.interfaces.values() for port in one.port_map.values()}
            for name, port in new.ports.items():
                if name in bundled or port.direction != "I" or name not in old.ports:
                    continue
                before = self.old_facts.wiring.driver(Endpoint(old.path, name))
                after = self.new_facts.wiring.driver(Endpoint(path, name))
                if before is not None and before.cell:
                    before = Endpoint(self.name(before.cell), before.port)
                if before != after:
                    yield Change(
                        "behaves",
                        "connection",
                        f"{path}/{name}",
                        self._end(before),
                        self._end(after),
                        self.old.where(old.ports[name]),
                        self.new.where(port),
                    )

    def _buses(self) -> Iterator[Change]:
        """Interfaces of cells that are in both: what they are, and who their master is."""
        masters = [_masters(self.old_facts, self.name), _masters(self.new_facts, str)]
        for path, old in self.common.items():
            new = self.new.cells[path]
            if plain_type(old) != plain_type(new):
                continue
            for name, before, after in _paired(old.interfaces, new.interfaces):
                if not self.alike and (before is None or after is None):
                    continue
                where = f"{path}/{name}"
                shapes = [
                    f"{one.protocol or one.role} {one.data_width or '?'} bits" if one else ""
                    for one in (before, after)
                ]
                sources = (before.source if before else None, after.source if after else None)
                known = before is None or after is None or None not in (before.data_width, after.data_width)
                if shapes[0] != shapes[1] and (self.alike or known):
                    yield Change(
                        "behaves" if before else "harmless", "bus", where, shapes[0], shapes[1], *sources
                    )
                elif masters[0].get(where) != masters[1].get(where):
                    ends = [one.get(where, "") for one in masters]
                    yield Change("behaves", "connection", where, ends[0], ends[1], *sources)


# -- parts ------------------------------------------------------------------------------------------------
def _paired(
    old: Mapping[Any, _Item], new: Mapping[Any, _Item]
) -> Iterator[tuple[Any, _Item | None, _Item | None]]:
    """Every key of the two, with what it has in each."""
    for key in dict.fromkeys((*old, *new)):
        yield key, old.get(key), new.get(key)


def _numbered(blocks: Iterable[AddressBlock]) -> Iterator[tuple[tuple[str, str, int], AddressBlock]]:
    """Blocks by interface and name; several of one name (real files have them) by their order."""
    seen: Counter[tuple[str, str]] = Counter()
    for block in blocks:
        name = (block.interface, block.name)
        yield (*name, seen[name]), block
        seen[name] += 1


def _registers(path: str, old: AddressBlock, new: AddressBlock) -> Iterator[Change]:
    """Registers and fields, by name; one that is at the place of another was renamed."""

    def change(kind: str, owner: str, before: Any, after: Any, told: Any, width: Any) -> Iterator[Change]:
        texts = [told(one) if one is not None else "" for one in (before, after)]
        here = after or before
        if before is not None and after is not None:
            if before.name != after.name:
                texts = [f"{one.name}: {text}" for one, text in zip((before, after), texts, strict=True)]
            elif texts[0] == texts[1]:
                return
        if before is None:
            weight = "harmless"
        elif (
            after is None
            or before.offset != after.offset
            or width(before) > width(after)  # what grew upwards still takes the values that it took
            or _spelled(before) != _spelled(after)
            or _rights(before.access) - _rights(after.access)
        ):
            weight = "breaks"
        else:
            weight = "behaves"
        sources = [
            SourceRef(block.source.file, one.line) if one is not None else None
            for block, one in ((old, before), (new, after))
        ]
        yield Change(weight, kind, f"{owner}{here.name}", texts[0], texts[1], sources[0], sources[1])

    def register(one: Register) -> str:
        return f"{one.offset:#x}, {amount(one.size, 'bit')}, {one.access}" + _reset(one.reset)

    def field(one: Field) -> str:
        high = one.offset + one.width - 1
        bits = f"bits {high}:{one.offset}" if one.width > 1 else f"bit {one.offset}"
        return f"{bits}, {one.access}" + _reset(one.reset)

    def register_place(one: Register) -> Any:
        return one.offset, one.size

    def field_place(one: Field) -> Any:
        return one.offset, one.width

    for before, after in _matched(old.registers, new.registers, register_place):
        yield from change("register", f"{path} ", before, after, register, lambda one: one.size)
        if before is not None and after is not None:
            owner = f"{path} {after.name}."
            for left, right in _matched(before.fields, after.fields, field_place):
                yield from change("field", owner, left, right, field, lambda one: one.width)


def _matched(
    old: Iterable[_Item], new: Iterable[_Item], place: Callable[[_Item], Any]
) -> Iterator[tuple[_Item | None, _Item | None]]:
    """Items by name, what is left over by place, then those that are in one only."""
    pairs = list(_paired(_named(old), _named(new)))
    added = {place(after): after for _, before, after in pairs if before is None and after is not None}
    for _, before, after in pairs:
        if before is not None:
            yield before, after if after is not None else added.pop(place(before), None)
    yield from ((None, after) for after in added.values())


def _named(items: Iterable[_Item]) -> dict[str, _Item]:
    return {one.name: one for one in items}  # type: ignore[attr-defined]


def _spelled(one: Any) -> str:
    """A name as programs write it: what Python does not allow in names is ``_`` there."""
    return re.sub(r"\W", "_", one.name, flags=re.ASCII)


def _rights(access: str) -> set[str]:
    return {right for right in ("read", "write") if right in access.lower()}


def _reset(value: int | None) -> str:
    return f", reset {value:#x}" if value is not None else ""


def _change(weight: str, kind: str, subject: str, old: Any, new: Any, told: Any) -> Change:
    texts = [told(one) if one is not None else "" for one in (old, new)]
    sources = [one.source if one is not None else None for one in (old, new)]
    return Change(weight, kind, subject, texts[0], texts[1], sources[0], sources[1])


def _ranges(design: Design, name: Any) -> dict[tuple[str, str, str], MemoryRange]:
    """A program's address map, by what answers; of several windows of one block the first."""
    found: dict[tuple[str, str, str], MemoryRange] = {}
    for entry in design.reachable:
        found.setdefault((name(entry.slave), entry.slave_interface, entry.block), entry)
    return found


def _span(entry: MemoryRange) -> str:
    return f"{entry.base:#x} to {entry.high:#x}"


def _masters(facts: Facts, name: Any) -> dict[str, str]:
    """Who sends to each interface of a cell, by path."""
    found: dict[str, str] = {}
    for ends in facts.nets.values():
        sender = next((end for end in ends if end.cell is not None and sends(end.interface)), None)
        for end in ends:
            if end.cell is not None and end is not sender and sender is not None and sender.cell is not None:
                found[f"{name(end.cell.path)}/{end.interface.name}"] = (
                    f"{name(sender.cell.path)}/{sender.interface.name}"
                )
    return found


def _shape(port: Port) -> str:
    width = f"[{port.left}:{port.right}]" if port.left is not None else "1 bit"
    return f"{_DIRECTIONS.get(port.direction, 'inout')} {width}"


def _ignored(name: str) -> bool:
    upper = name.upper()
    return upper.endswith(_IGNORED) or upper.endswith(_ADDRESSES)
