"""Register maps for cells whose description has none: from IP-XACT components and SystemRDL.

Which cell gets which map says a manifest ``NAME.registers.toml`` beside the description, or a dictionary from
Python. A table has one selector (``instance``, ``vlnv`` or ``module``; globs), one source (``ipxact`` or
``systemrdl``) and options; :data:`KEYS` lists all. Relative paths start at the folder of the manifest; in a
dictionary, at the current folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pynq.design import ipxact, selection, systemrdl, tables
from pynq.design.kinds import is_register_block
from pynq.design.model import AddressBlock, Cell, Design, Register
from pynq.design.regmap_files import Where, beside
from pynq.errors import DesignError, DesignNotFoundError, Problem
from pynq.wording import near

__all__ = ["KEYS", "Source", "attach", "sources"]

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "instance": "path of a cell, a glob",
        "vlnv": "type of a cell as vendor:library:name, with or without :version, a glob",
        "module": "module type of a cell (MODTYPE), a glob",
        "ipxact": "a component.xml, or its folder",
        "systemrdl": "an .rdl file",
        "interface": "slave interface of the cell, where it has several",
        "map": "memory map (IP-XACT) or address map (SystemRDL), where the file has several",
        "replace": "true: also for a cell whose description has registers",
    }
)
"""The keys of a table, each with what it holds."""
_SELECTORS = ("instance", "vlnv", "module")
_LANGUAGES = ("ipxact", "systemrdl")
_SLAVES = ("SLAVE", "TARGET")
_STREAMS = ("AXIS",)


@dataclass(frozen=True)
class Source:
    """One table: for which cells, and where their registers are from.

    ``selector`` is "any" for a key of a dictionary: an instance or a module type. ``name`` and ``line`` say
    where the table stands, ``lines`` where its keys do.
    """

    selector: str
    pattern: str
    language: str
    path: Path
    name: str
    line: int
    interface: str = ""
    map: str = ""
    replace: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    def problem(self, message: str, key: str = "") -> Problem:
        """Return a reason to refuse this table; ``key`` is what it is about."""
        python = self.name.startswith("registers[")
        text = message if python else f"[[registers]] {self.selector} = {self.pattern!r}: {message}"
        return Problem(self.name, self.lines.get(key, self.line), text)

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class _Found(NamedTuple):
    type: str  # of an IP-XACT component, without version; "" for SystemRDL
    blocks: tuple[AddressBlock, ...]
    notes: tuple[Problem, ...]


def sources(registers: Where, description: str | os.PathLike[str]) -> tuple[Source, ...]:
    """Return what ``registers`` says, for the design that ``description`` is of.

    Raises :class:`~pynq.errors.DesignError` with everything that is wrong with it.
    """
    reader: _Reader
    if registers is False or (registers is None and beside(description) is None):
        return ()
    if isinstance(registers, Mapping):
        reader = _Reader("registers", Path.cwd())
        for key, value in registers.items():
            reader.entry(key, value)
    elif registers is True or not isinstance(registers, (str, os.PathLike, type(None))):
        raise DesignError(
            f"registers={registers!r}: expected the path of a manifest, a dictionary such as "
            "{'fir_0': 'fir.rdl'}, False for none, or None for the manifest beside the description"
        )
    else:
        path = Path(registers) if registers is not None else beside(description)
        assert path is not None  # beside() found it above
        entries, problems = tables.load(path, "registers")
        reader = _Reader(os.fspath(path), path.absolute().parent)
        reader.problems += problems
        for table, line, lines in entries:
            reader.table(table, line, lines)
    if reader.problems:
        raise DesignError(reader.problems)
    return tuple(reader.found)


def attach(design: Design, given: tuple[Source, ...]) -> Design:
    """Return the design whose cells without registers have those of the sources meant for them.

    A cell that has registers keeps them, unless its source says ``replace``. What sources could not tell is
    among the design's ``notes``.

    Raises :class:`~pynq.errors.DesignError` with every reason: sources that match no cell, files that can't
    be used, maps that do not fit the cell.
    """
    if not given:
        return design
    worker = _Attacher(design)
    made = worker.run(given)
    if worker.problems:
        raise DesignError(list(dict.fromkeys(worker.problems)))
    notes = tuple(dict.fromkeys((*design.notes, *worker.notes)))
    return replace(design, cells=MappingProxyType(made), notes=notes)


class _Reader:
    """Makes sources of tables; collects what is wrong."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self.found: list[Source] = []
        self.problems: list[Problem] = []

    def entry(self, key: Any, value: Any) -> None:
        """Take an entry of a dictionary: a file, or a table as a manifest has them."""
        self._name = f"registers[{key!r}]"
        if not isinstance(key, str) or not key:
            message = f"{key!r} is no text: expected a cell, a type or a module type"
            self.problems.append(Problem("registers", 0, message))
            return
        if isinstance(value, (str, os.PathLike)):
            path = os.fspath(value)
            rdl = isinstance(path, str) and path.lower().endswith(".rdl")
            value = {"systemrdl" if rdl else "ipxact": path}
        if not isinstance(value, Mapping):
            message = f"expected a file (.rdl or component.xml) or a dictionary, not {type(value).__name__}"
            self.problems.append(Problem(self._name, 0, message))
            return
        table = dict(value)
        if not any(name in table for name in _SELECTORS):
            table["vlnv" if ":" in key else "any"] = key
        self.table(table, 0, {})

    def table(self, entry: Mapping[str, Any], line: int, lines: Mapping[str, int]) -> None:
        """Take a table of a manifest."""
        before = len(self.problems)
        place = "[[registers]]: " if line else ""

        def note(key: str, message: str) -> None:
            self.problems.append(Problem(self._name, lines.get(key, line), f"{place}{message}"))

        for key, value in entry.items():
            if key not in KEYS and key != "any":
                note(key, f"unknown key {key!r}; {near(str(key), KEYS, 'the keys are')}")
            elif key == "replace":
                if not isinstance(value, bool):
                    note(key, f"replace: expected true or false, not {value!r}")
            elif isinstance(value, os.PathLike) and key in _LANGUAGES:
                continue
            elif not isinstance(value, str) or not value or any(ord(char) < 32 for char in value):
                note(key, f"{key}: expected text, not {value!r}")
        selectors = [key for key in (*_SELECTORS, "any") if key in entry]
        languages = [key for key in _LANGUAGES if key in entry]
        for names, found in ((_SELECTORS, selectors), (_LANGUAGES, languages)):
            if len(found) != 1:
                has = f"has {' and '.join(found)}" if found else "has none"
                note("", f"needs one of {', '.join(names[:-1])} and {names[-1]}; it {has}")
        if len(self.problems) > before:
            return
        (selector,), (language,) = selectors, languages
        pattern = entry[selector]
        self.found.append(
            Source(
                selector=selector,
                pattern=pattern if selector == "vlnv" else pattern.strip("/"),
                language=language,
                path=self._folder / os.path.expanduser(entry[language]),
                name=self._name,
                line=line,
                interface=entry.get("interface", ""),
                map=entry.get("map", ""),
                replace=entry.get("replace", False),
                lines=MappingProxyType(dict(lines)),
            )
        )


class _Attacher:
    def __init__(self, design: Design) -> None:
        self._design = design
        self._ranges: dict[str, dict[str, int]] = {}  # cell -> interface -> bytes
        for entry in (*design.boundary_ranges, *(one for c in design.cells.values() for one in c.ranges)):
            held = self._ranges.setdefault(entry.slave, {})
            held[entry.slave_interface] = max(entry.size, held.get(entry.slave_interface, 0))
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._read: dict[tuple[Any, ...], _Found | None] = {}

    def run(self, given: tuple[Source, ...]) -> dict[str, Cell]:
        """Return the cells; problems and notes are kept."""
        cells = dict(self._design.cells)
        for path, source in self._chosen(given).items():
            cells[path] = self._with_registers(cells[path], source)
        return cells

    # -- which source for which cell
    def _chosen(self, given: tuple[Source, ...]) -> dict[str, Source]:
        ranked: dict[str, list[tuple[int, Source]]] = {}
        for source in given:
            matches = self._matches(source)
            if not matches:
                self.problems.append(source.problem(self._about_no_match(source), source.selector))
            for path, rank in matches:
                ranked.setdefault(path, []).append((rank, source))
        chosen = {}
        for path, entries in ranked.items():
            best = min(rank for rank, _ in entries)
            meant = [source for rank, source in entries if rank == best]
            for other in meant[1:]:
                message = f"{path} has a table as special as this already: {meant[0]}"
                self.problems.append(other.problem(message))
            chosen[path] = meant[0]
        return chosen

    def _matches(self, source: Source) -> selection.Ranked:
        design, pattern = self._design, source.pattern
        if pattern == "*":  # for what no other table is for; a component only for its own type
            wanted = self._type_of(source)
            cells = [cell for cell in selection.candidates(design) if self._ranges.get(cell.path)]
            return [
                (cell.path, 9)
                for cell in cells
                if not wanted or (cell.vlnv is not None and cell.vlnv.without_version == wanted)
            ]
        if source.selector == "instance":
            return selection.instances(design, pattern)
        if source.selector == "vlnv":
            return selection.types(design, pattern)
        if source.selector == "module":
            return selection.modules(design, pattern)
        return selection.instances(design, pattern) or selection.modules(design, pattern)

    def _type_of(self, source: Source) -> str:
        found = self._blocks(source, {})
        return found.type if found is not None else ""

    def _about_no_match(self, source: Source) -> str:
        cells = list(selection.candidates(self._design))
        known = {
            "instance": [cell.path for cell in cells],
            "vlnv": [cell.type for cell in cells if cell.type],
            "module": [cell.module_type for cell in cells if cell.module_type],
        }
        known["any"] = [*known["instance"], *known["module"]]
        what = {"vlnv": "type", "module": "module type"}.get(source.selector, "cell")
        hint = near(source.pattern, known[source.selector])
        return f"{self._design.label} has no {what} {source.pattern!r}; {hint}"

    # -- one cell
    def _with_registers(self, cell: Cell, source: Source) -> Cell:
        count = sum(len(block.registers) for block in cell.blocks)
        if count and not source.replace:
            if cell.path == source.pattern:
                message = f"{cell.path} has {count} registers already; replace = true takes these instead"
                self.notes.append(source.problem(message))
            return cell
        found = self._blocks(source, cell.parameters if source.language == "ipxact" else {})
        if found is None:
            return cell
        self.notes += found.notes
        blocks = self._merged(found.blocks, source)
        if not blocks:
            return cell
        placed = self._placed(cell, blocks, source)
        for block in placed:
            self._check(cell, block, source)
        taken = {block.interface.lower() for block in placed}
        kept = tuple(block for block in cell.blocks if block.interface.lower() not in taken)
        return replace(cell, blocks=(*kept, *placed))

    def _blocks(self, source: Source, parameters: Mapping[str, str]) -> _Found | None:
        """Read the file of a source, once; None where it can't be used, which is noted."""
        key = (source.language, source.path, source.map, *sorted(parameters.items()))
        if key not in self._read:
            self._read[key] = None
            try:
                self._read[key] = self._file(source, parameters)
            except DesignNotFoundError:
                self.problems.append(source.problem(f"there is no {source.path}", source.language))
            except DesignError as error:
                reasons = error.problems or (Problem(str(source.path), 0, str(error)),)
                self.problems += [source.problem(str(reason), source.language) for reason in reasons]
        return self._read[key]

    @staticmethod
    def _file(source: Source, parameters: Mapping[str, str]) -> _Found:
        if source.language == "systemrdl":
            compiled = systemrdl.registers(source.path, source.map)
            return _Found("", compiled.blocks, compiled.notes)
        path = source.path / "component.xml" if source.path.is_dir() else source.path
        component = ipxact.registers(path, parameters, source.map)
        return _Found(component.vlnv.without_version, component.blocks, component.notes)

    def _merged(self, blocks: tuple[AddressBlock, ...], source: Source) -> list[AddressBlock]:
        """Return one block for each interface, with offsets that count from its map's beginning."""
        by_interface: dict[str, list[AddressBlock]] = {}
        for block in blocks:
            if is_register_block(block) and block.registers:
                by_interface.setdefault(block.interface, []).append(block)
        if not by_interface:
            wanted = f" in the memory map or interface {source.map!r}" if source.map else ""
            self.problems.append(source.problem(f"{source.path} has no registers{wanted}", source.language))
        return [_joined(held) for held in by_interface.values()]

    def _placed(self, cell: Cell, blocks: list[AddressBlock], source: Source) -> list[AddressBlock]:
        """Return the blocks with the names that the cell's own slave interfaces have."""
        interfaces = self._slaves(cell)
        known = {name.lower(): name for name in interfaces}
        if source.interface:
            name = known.get(source.interface.lower())
            if name is None:
                text = near(source.interface, interfaces, "it has")
                message = f"{cell.path} has no slave interface {source.interface!r}; {text}"
                self.problems.append(source.problem(message, "interface"))
                return []
            own = [block for block in blocks if block.interface.lower() == name.lower()] or blocks
            if len(own) > 1:
                return self._unclear(cell, own, interfaces, source)
            return [replace(own[0], interface=name)]
        if all(block.interface.lower() in known for block in blocks):
            return [replace(block, interface=known[block.interface.lower()]) for block in blocks]
        if len(blocks) == 1 and len(interfaces) == 1:
            return [replace(blocks[0], interface=interfaces[0])]
        return self._unclear(cell, blocks, interfaces, source)

    def _unclear(
        self, cell: Cell, blocks: list[AddressBlock], interfaces: list[str], source: Source
    ) -> list[AddressBlock]:
        if not interfaces:
            message = f"{cell.path} has no slave interface with an address: nothing shows its registers"
        elif len(interfaces) > 1:
            message = f"{cell.path} has several slave interfaces: name one with interface = "
            message += " or ".join(repr(name) for name in interfaces)
        else:
            names = " or ".join(repr(block.interface) for block in blocks)
            message = f"{source.path} has several memory maps: name one with map = {names}"
        self.problems.append(source.problem(message))
        return []

    def _slaves(self, cell: Cell) -> list[str]:
        """Return the slave interfaces of a cell that have an address, else all that may get one."""
        addressed = list(self._ranges.get(cell.path, ()))
        return addressed or [
            bus.name
            for bus in cell.interfaces.values()
            if bus.role in _SLAVES and bus.protocol not in _STREAMS and bus.protocol.startswith("AXI")
        ]

    def _check(self, cell: Cell, block: AddressBlock, source: Source) -> None:
        size = self._ranges.get(cell.path, {}).get(block.interface)
        if size is None:
            return
        last = max(block.registers, key=_end)
        if _end(last) > size:
            message = (
                f"{last.name} of {source.path} ends at {_end(last):#x}, but {cell.path} has {size:#x} bytes"
            )
            self.problems.append(source.problem(f"{message} at {block.interface}", source.language))


def _end(register: Register) -> int:
    return register.offset + -(-register.size // 8)


def _joined(blocks: list[AddressBlock]) -> AddressBlock:
    """Return one block of several that lie behind one interface."""
    seen: set[str] = set()
    registers = []
    for block in blocks:
        for register in block.registers:
            name = register.name if register.name not in seen else f"{block.name}.{register.name}"
            seen.add(name)
            registers.append(register._replace(name=name, offset=register.offset + block.offset))
    first = blocks[0]
    return replace(
        first,
        offset=0,
        range=max(block.offset + block.range for block in blocks),
        usage="register",
        registers=tuple(sorted(registers, key=lambda register: register.offset)),
    )
