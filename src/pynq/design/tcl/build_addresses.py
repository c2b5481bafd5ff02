"""Address maps: which master reaches what, through which of its interfaces, and where.

The tool's scripts give an offset and a size for every range. A script by hand may leave them out
(``assign_bd_address`` alone); the rule is then: the size is 64 KiB; ranges
take, in the script's order, the lowest free place in the window of the master's interface that their size
divides (4 GiB from 0 for a master without a window of its own). On a Zynq-7000, the search begins at the
place that Vivado has for the kind of IP (:data:`~pynq.design.tcl.catalogue_rules.USUAL_OFFSETS`). Its own
choice also depends on what was there when; a note says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pynq.design.model import MemoryKind, MemoryRange, SourceRef
from pynq.design.pswindows import PL_WINDOWS
from pynq.design.tcl import catalogue_rules as rules
from pynq.design.tcl.build_parts import Draft, Face
from pynq.design.tcl.catalogue import integer
from pynq.design.tcl.netlist import Netlist, Segment
from pynq.design.tcl.packaged import PackagedType
from pynq.errors import Problem

__all__ = ["Addresses", "assign"]

_DEFAULT_SIZE = 0x1_0000
_MAPPED = ("aximm", "lmb", "inimm")
"""Buses with addresses."""
_PROCESSORS = ("processing_system7", "zynq_ultra_ps_e", "versal_cips", "ps_wizard")
_ANYWHERE = ((0, 0xFFFF_FFFF),)
MAX_RANGES = 50_000
"""Most ranges; a script that assigns everything to every master multiplies them."""


class Addresses(NamedTuple):
    """The ranges of masters outside of the design, and what could not be told or is wrong."""

    boundary: list[MemoryRange]
    notes: list[Problem]
    problems: list[Problem]


class _Slave(NamedTuple):
    cell: str
    interface: str
    block: str


class _Master(NamedTuple):
    cell: str
    interface: str


def assign(
    file: str,
    netlist: Netlist,
    cells: Mapping[str, Draft],
    top: Mapping[str, Face],
    pairs: Sequence[tuple[Face, Face]],
) -> Addresses:
    """Put the address segments into the ranges of their masters."""
    return _Assignment(file, netlist, cells, top, pairs).run()


class _Assignment:
    def __init__(
        self,
        file: str,
        netlist: Netlist,
        cells: Mapping[str, Draft],
        top: Mapping[str, Face],
        pairs: Sequence[tuple[Face, Face]],
    ) -> None:
        self._file = file
        self._netlist = netlist
        self._cells = cells
        self._top = top
        self._above: dict[tuple[str, str], list[Face]] = defaultdict(list)
        self._outer: dict[str, list[Face]] = defaultdict(list)  # of a net: the design's own interfaces
        for face in top.values():
            self._outer[face.net].append(face)
        for sender, receiver in pairs:
            self._above[receiver.cell, receiver.name].append(sender)
        self._routes: dict[tuple[str, str], set[_Master]] = {}
        self._boundary: list[MemoryRange] = []
        self._notes: list[Problem] = []
        self._problems: list[Problem] = []
        self._count = 0

    def run(self) -> Addresses:
        excluded = {(one.space, one.slave) for one in self._netlist.segments if one.excluded}
        later: list[tuple[Segment, _Slave]] = []
        rest: list[Segment] = []
        for segment in self._netlist.segments:
            if segment.excluded or (segment.space, segment.slave) in excluded:
                continue
            if not segment.slave:
                rest.append(segment)
                continue
            slave = self._slave(segment)
            if slave is None:
                continue
            if segment.offset is None:
                later.append((segment, slave))
            else:
                self._place(segment, slave, segment.offset)
        for segment, slave in later:
            self._place(segment, slave, None)
        for segment in rest:
            for slave in self._unassigned(segment):
                named = replace(segment, slave="/".join(slave), size=None)
                self._place(named, slave, None)
        for draft in self._cells.values():
            draft.ranges.sort(key=lambda one: one.base)
        self._boundary.sort(key=lambda one: one.base)
        return Addresses(self._boundary, self._notes, self._problems)

    def _unassigned(self, segment: Segment) -> Iterator[_Slave]:
        """What ``assign_bd_address`` without a segment means: every slave in reach that has no address.

        What the PS's memory is to other masters is left out: its parameters decide on the segments.
        """
        given = {
            (one.slave, one.slave_interface) for draft in self._cells.values() for one in draft.ranges
        } | {(one.slave, one.slave_interface) for one in self._boundary}
        owner = segment.space.rpartition("/")[0]
        for path, draft in self._cells.items():
            if draft.short in (*rules.PASSING, *_PROCESSORS) or draft.script.kind == "container":
                continue
            for face in draft.faces.values():
                if face.sends or face.bus != "aximm" or not face.net or (path, face.name) in given:
                    continue
                slave = _Slave(path, face.name, self._block(draft, face.name))
                reach = self._masters(slave)
                if any(not segment.space or one.cell == owner for one in reach):
                    yield slave

    def _block(self, draft: Draft, interface: str) -> str:
        """The name of an interface's first address block; HLS and packaged IP call it Reg."""
        blocks = draft.known.blocks_of(self._netlist.version) if draft.known else []
        return next((str(raw[0]) for raw in blocks if str(raw[1]).lower() == interface.lower()), "Reg")

    def _note(self, line: int, message: str) -> None:
        self._notes.append(Problem(self._file, line, message))

    def _slave(self, segment: Segment) -> _Slave | None:
        owner, _, block = segment.slave.rpartition("/")
        path, _, name = owner.rpartition("/")
        draft = self._cells.get(path)
        if draft is not None:
            name = rules.PS_SEGMENT_OWNERS.get(draft.short, {}).get(name, name)
            face = draft.face(name)
            return _Slave(path, face.name if face else name, _named_block(draft, name, block))
        if not path and name in self._top:
            return _Slave("", name, block)
        self._note(segment.line, f"the address segment {segment.slave!r} belongs to no cell of the script")
        return None

    # -- masters ----
    def _masters(self, slave: _Slave) -> set[_Master]:
        """The interfaces that lead to a slave's; an empty cell for those of the design itself."""
        key = (slave.cell, slave.interface)
        if key in self._routes:
            return self._routes[key]
        found: set[_Master] = set()
        todo = [key]
        seen = {key}
        if not slave.cell:
            todo = [
                (f.cell, f.name)
                for d in self._cells.values()
                for f in d.faces.values()
                if f.net and f.net == self._top[slave.interface].net
            ]
        while todo:
            path, name = todo.pop()
            draft = self._cells[path]
            face = draft.face(name)
            if face is not None and face.net:
                found |= {
                    _Master("", one.name) for one in self._outer[face.net] if not one.sends and not face.sends
                }
            senders = self._above.get((path, name), [])
            if face is not None and face.sends:
                senders = [face]
            for sender in senders:
                above = self._cells[sender.cell]
                if above.short not in rules.PASSING and above.script.kind != "container":
                    found.add(_Master(sender.cell, sender.name))
                    continue
                for entry in above.faces.values():
                    key = (sender.cell, entry.name)
                    if not entry.sends and entry.bus == sender.bus and key not in seen:
                        seen.add(key)
                        todo.append(key)
        self._routes[slave.cell, slave.interface] = found
        return found

    def _of_space(self, segment: Segment, slave: _Slave) -> Iterator[_Master]:
        """The interfaces through which a segment's space reaches its slave."""
        reach = self._masters(slave)
        if not segment.space:
            yield from sorted(reach)
            return
        path, _, space = segment.space.rpartition("/")
        draft = self._cells.get(path)
        if draft is None:
            if not path and space in self._top:
                yield _Master("", space)
            else:
                self._note(
                    segment.line, f"the address space {segment.space!r} belongs to no cell of the script"
                )
            return
        named = self._named(draft, space)
        fitting = [one for one in sorted(reach) if one.cell == path and (not named or one.interface in named)]
        if len(fitting) > 1 and segment.offset is not None:
            offset = segment.offset
            windows = PL_WINDOWS.get(draft.short, {})
            inside = [
                one
                for one in fitting
                if any(low <= offset <= high for low, high in windows.get(one.interface, _ANYWHERE))
            ]
            fitting = inside or fitting
        if fitting:
            yield fitting[0]
            return
        faces = [face.name for face in draft.faces.values() if face.sends and face.bus in _MAPPED]
        choice = next((name for name in faces if not named or name in named), named[0] if named else "")
        if not choice:
            self._note(segment.line, f"no interface of {path!r} leads from its space {space!r}")
        yield _Master(path, choice or space)

    def _named(self, draft: Draft, space: str) -> list[str]:
        """The interfaces that a space stands for by its name; none where it may be any."""
        table = rules.SPACES.get(draft.short, {})
        if space in table:
            return list(table[space])
        word = space.lower()
        exact = [name for name in draft.faces if name.lower() == word]
        if exact:
            return exact
        tail = word.removeprefix("data_")
        if tail != word:
            return [
                face.name
                for face in draft.faces.values()
                if face.sends and face.bus in _MAPPED and face.name.lower() in (tail, f"m_axi_{tail}")
            ]
        return []

    # -- ranges ----
    def _place(self, segment: Segment, slave: _Slave, offset: int | None) -> None:
        for master in self._of_space(segment, slave):
            self._count += 1
            if self._count > MAX_RANGES:
                if self._count == MAX_RANGES + 1:
                    text = f"the script assigns more than {MAX_RANGES} address ranges"
                    self._problems.append(Problem(self._file, segment.line, text))
                return
            size = segment.size or self._size(slave)
            ranges = self._cells[master.cell].ranges if master.cell else self._boundary
            base = offset
            if base is None:
                base = _known_base(slave.block)
            if base is None:
                base = self._free(master, slave, ranges, size)
                if base is None:
                    self._note(segment.line, f"there is no room for {segment.slave!r} at {'/'.join(master)}")
                    continue
                self._note(
                    segment.line,
                    f"{segment.slave!r} has no offset in the script: {base:#x} is the first that is free,"
                    " the tool may have chosen another",
                )
            if size <= 0 or (base + size - 1) >> 64:
                text = f"{segment.slave!r} at {base:#x} with {size:#x} bytes is no range of 64 bits"
                self._problems.append(Problem(self._file, segment.line, text))
                continue
            self._add(segment, slave, master, ranges, base, size)

    def _add(
        self,
        segment: Segment,
        slave: _Slave,
        master: _Master,
        ranges: list[MemoryRange],
        base: int,
        size: int,
    ) -> None:
        draft = self._cells.get(slave.cell)
        memory = self._is_memory(draft, slave)
        ranges.append(
            MemoryRange(
                master=master.cell,
                master_interface=master.interface,
                slave=slave.cell,
                slave_interface=slave.interface,
                block=slave.block,
                base=base,
                high=base + size - 1,
                kind=MemoryKind.MEMORY if memory else MemoryKind.REGISTER,
                source=SourceRef(self._file, segment.line),
            )
        )
        if draft is not None:
            draft.reached = bool(draft.reached) or memory
            draft.parameters.setdefault("C_BASEADDR", f"0x{base:08X}")
            draft.parameters.setdefault("C_HIGHADDR", f"0x{base + size - 1:08X}")

    @staticmethod
    def _is_memory(draft: Draft | None, slave: _Slave) -> bool:
        key = f"{slave.interface.lower()}/{slave.block}"
        if draft is not None and draft.known is not None and key in draft.known.memories:
            return True
        return "_DDR_" in slave.block or (
            (draft is None or draft.known is None or not draft.known.raw_blocks)
            and slave.block.lower().startswith(("mem", "ram"))
        )

    def _size(self, slave: _Slave) -> int:
        draft = self._cells.get(slave.cell)
        if draft is None or draft.known is None:
            return _DEFAULT_SIZE
        if "_DDR_LOW" in slave.block:
            high = integer(draft.parameters.get("PCW_DDR_RAM_HIGHADDR", "")) or 0x7FFF_FFFF
            return high + 1
        if isinstance(draft.known, PackagedType):
            held = (one for one in draft.known.packaged if one.interface.lower() == slave.interface.lower())
            largest = max((one.offset + one.range for one in held), default=1)
            return max(_DEFAULT_SIZE, 1 << (largest - 1).bit_length())
        return _DEFAULT_SIZE

    def _free(self, master: _Master, slave: _Slave, ranges: Sequence[MemoryRange], size: int) -> int | None:
        draft, far = self._cells.get(master.cell), self._cells.get(slave.cell)
        windows = PL_WINDOWS.get(draft.short, {}).get(master.interface) if draft else None
        places = list(windows or _ANYWHERE)
        if windows and draft and draft.short == "processing_system7":
            low, high = windows[0]
            offset = rules.USUAL_OFFSETS.get(far.short if far else "", rules.USUAL_OFFSET)
            places.insert(0, (low + offset, high))
        taken = sorted((one.base, one.high) for one in ranges)
        step = 1 << max(12, (size - 1).bit_length())
        for low, high in places:
            base = -(-low // step) * step
            for first, last in taken:
                if first < base + size and base <= last:
                    base = -(-(last + 1) // step) * step
            if base + size - 1 <= high:
                return base
        return None


def _named_block(draft: Draft, interface: str, block: str) -> str:
    """The block of a packaged IP that is meant: the automation, which has no component, calls it Reg."""
    if not isinstance(draft.known, PackagedType) or block != "Reg":
        return block
    names = [one.name for one in draft.known.packaged if one.interface.lower() == interface.lower()]
    return block if block in names or not names else names[0]


def _known_base(block: str) -> int | None:
    """Where a block of a PS is, for whatever master (UG585 table 4-1; UG1085, "System Addresses")."""
    for suffix, base in (
        ("_DDR_LOWOCM", 0),
        ("_DDR_LOW", 0),
        ("_DDR_HIGH", 0x8_0000_0000),
        ("_LPS_OCM", 0xFF00_0000),
        ("_QSPI", 0xC000_0000),
    ):
        if block.endswith(suffix):
            return base
    return None
