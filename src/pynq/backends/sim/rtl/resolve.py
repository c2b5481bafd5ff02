"""What a manifest means for a design: which cells are RTL, and what each is built from."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pynq.backends.sim.rtl import declared, vhdl
from pynq.backends.sim.rtl.files import Found, Refused, collect
from pynq.backends.sim.rtl.manifest import Manifest, Table
from pynq.backends.sim.rtl.naming import Associations
from pynq.backends.sim.rtl.sources import Sources
from pynq.backends.sim.rtl.toolchain import ToolMissing
from pynq.backends.sim.rtl.values import defaults, literal, lookup
from pynq.design import selection
from pynq.design.model import Design
from pynq.design.partial import regions
from pynq.errors import Problem, RtlBuildError
from pynq.wording import near

__all__ = ["Block", "mapped", "resolve"]

log = logging.getLogger("pynq.rtl")

_A = {"number": "a number", "text": "text", "real": "a real number", "type": "a type", "unknown": "a value"}


@dataclass(frozen=True)
class Block:
    """One block of RTL: a cell of the design, or a hierarchy whose cells it replaces.

    ``levels``: what inputs that the description has not are tied to. ``associations``: what an IP-XACT
    component says of clocks.
    """

    path: str
    hierarchy: bool
    table: Table
    sources: Sources
    levels: Mapping[str, int]
    associations: Associations = field(default_factory=Associations)


def resolve(
    manifest: Manifest,
    design: Design,
    cache: Path,
    without: Collection[str] = (),
    *,
    optional: bool = False,
) -> list[Block]:
    """Return the blocks of RTL of a design, in its order of cells.

    ``cache``: folder for what GHDL writes. ``without``: cells that are to be no RTL, nor any hierarchy
    around them. ``optional``: tables that match nothing are for other designs. So are those of a design with
    regions for partial reconfiguration that can be about what is loaded into one.

    Raises :class:`~pynq.errors.RtlBuildError` with every reason: those of the manifest, tables that match
    nothing or too much, files that are missing; and ``ToolMissing`` where nothing is wrong, but GHDL is
    not installed.
    """
    resolver = _Resolver(manifest, design, cache, without, optional)
    blocks = resolver.blocks()
    if resolver.problems:
        raise RtlBuildError(list(dict.fromkeys(resolver.problems)))
    if resolver.missing is not None:
        raise resolver.missing
    return blocks


def mapped(
    manifest: Manifest, design: Design, without: Collection[str] = ()
) -> tuple[dict[str, Table], list[Problem]]:
    """Return which cells and hierarchies are RTL by which table, and what is wrong; sources are not read."""
    resolver = _Resolver(manifest, design, Path(), without, False)
    return resolver.chosen(), resolver.problems


class _Resolver:
    def __init__(
        self, manifest: Manifest, design: Design, cache: Path, without: Collection[str], optional: bool
    ) -> None:
        self._without = without
        self._optional = optional
        self.missing: ToolMissing | None = None
        self._manifest = manifest
        self._design = design
        self._cache = cache
        self._found: dict[int, Found | None] = {}
        self.problems: list[Problem] = list(manifest.problems)

    def blocks(self) -> list[Block]:
        out = []
        for path, table in self.chosen().items():
            block = self._block(path, table)
            if block is not None:
                out.append(block)
        order = {path: place for place, path in enumerate(self._design.cells)}
        return sorted(out, key=lambda block: order.get(block.path, -1))

    def chosen(self) -> dict[str, Table]:
        """Return the tables that count, by path of cell or hierarchy; problems are noted."""
        by_cell: dict[str, list[tuple[int, Table]]] = {}
        by_hierarchy: dict[str, list[Table]] = {}
        for table in self._manifest.tables:
            hierarchies, cells = self._matches(table)
            for path in hierarchies:
                by_hierarchy.setdefault(path, []).append(table)
            for path, rank in cells:
                by_cell.setdefault(path, []).append((rank, table))
            if not hierarchies and not cells and not self._for_later(table):
                self.problems.append(table.problem(self._about_no_match(table), table.selector))
        chosen = self._choose(by_hierarchy, by_cell)
        return {path: table for path, table in chosen.items() if not self._excluded(path)}

    def _for_later(self, table: Table) -> bool:
        """Whether a table that matches nothing can be about what partial reconfiguration brings."""
        if self._optional:
            return True
        if table.selector in ("vlnv", "module"):
            return bool(regions(self._design))
        parts = table.pattern.split("/")
        return any(
            len(parts) >= len(region.split("/")) + (table.selector != "hierarchy")
            and all(map(fnmatch.fnmatchcase, region.split("/"), parts))
            for region in regions(self._design)
        )

    def _excluded(self, path: str) -> bool:
        return any(cell == path or cell.startswith(f"{path}/") for cell in self._without)

    # -- matching --------------------------------------------------------------------------------------
    def _matches(self, table: Table) -> tuple[list[str], list[tuple[str, int]]]:
        """Return the hierarchies that a table is for, and the cells with the rank of the match (0: best)."""
        pattern, design = table.pattern, self._design
        hierarchies = [
            path for path in self._design.hierarchies if path == pattern or fnmatch.fnmatchcase(path, pattern)
        ]
        if table.selector == "hierarchy":
            return hierarchies, []
        if table.selector == "instance":
            return [], selection.instances(design, pattern)
        if table.selector == "vlnv":
            return [], selection.types(design, pattern)
        if table.selector == "module":
            return [], selection.modules(design, pattern)
        # A key of a dictionary: the first thing that has that name.
        if pattern not in self._design.cells and pattern in self._design.hierarchies:
            return [pattern], []
        cells = selection.instances(design, pattern) or selection.modules(design, pattern)
        return ([], cells) if cells else (hierarchies, [])

    def _about_no_match(self, table: Table) -> str:
        pattern, design = table.pattern, self._design
        label = design.label
        if pattern == design.ps:
            return f"{pattern} is the PS of {label}, which is no RTL"
        cells = list(selection.candidates(design))
        paths = [cell.path for cell in cells]
        types = [cell.type for cell in cells if cell.type]
        kinds = [cell.module_type for cell in cells if cell.module_type]
        known = {
            "instance": paths,
            "hierarchy": list(design.hierarchies),
            "vlnv": types,
            "module": kinds,
            "any": [*paths, *design.hierarchies, *kinds],
        }[table.selector]
        what = {"instance": "cell", "hierarchy": "hierarchy", "vlnv": "type", "module": "module type"}
        return f"{label} has no {what.get(table.selector, 'cell')} {pattern!r}; {near(pattern, known)}"

    def _choose(
        self, by_hierarchy: Mapping[str, list[Table]], by_cell: Mapping[str, list[tuple[int, Table]]]
    ) -> dict[str, Table]:
        chosen: dict[str, Table] = {}
        for path, tables in by_hierarchy.items():
            for other in tables[1:]:
                self.problems.append(other.problem(f"hierarchy {path} has a table already: {tables[0]}"))
            above = [other for other in by_hierarchy if path.startswith(f"{other}/")]
            if above:
                self.problems.append(tables[0].problem(_inside(path, above[0], by_hierarchy)))
            chosen[path] = tables[0]
        for path, ranked in by_cell.items():
            best = min(rank for rank, _ in ranked)
            tables = [table for rank, table in ranked if rank == best]
            above = [other for other in by_hierarchy if path.startswith(f"{other}/")]
            if above and best > 1:
                continue  # a type that also occurs in a hierarchy which is replaced
            if above:
                self.problems.append(tables[0].problem(_inside(path, above[0], by_hierarchy)))
                continue
            for other in tables[1:]:
                self.problems.append(
                    other.problem(f"{path} has a table as special as this already: {tables[0]}")
                )
            chosen[path] = tables[0]
        return chosen

    # -- sources ---------------------------------------------------------------------------------------
    def _files(self, table: Table) -> Found | None:
        """Return the files of a table; None where they can't be used, which is noted once."""
        if id(table) not in self._found:
            try:
                self._found[id(table)] = collect(table)
            except Refused as refused:
                self.problems += refused.problems
                self._found[id(table)] = None
        return self._found[id(table)]

    def _block(self, path: str, table: Table) -> Block | None:
        found = self._files(table)
        if found is None:
            return None
        hierarchy = table.selector == "hierarchy" or path not in self._design.cells
        cell = None if hierarchy else self._design.cells[path]
        wanted = table.top or found.top or (cell.module_type if cell is not None else path.rpartition("/")[2])
        described = cell.parameters if cell is not None else {}
        try:
            make = self._from_vhdl if found.vhdl else self._from_verilog
            sources = make(table, found, wanted, described)
        except Refused as refused:
            self.problems += refused.problems
            return None
        except ToolMissing as missing:
            self.missing = missing
            return None
        except RtlBuildError as error:
            reasons = error.problems or (table.problem(str(error)),)
            self.problems += reasons
            return None
        if found.cores:
            log.info("%s: %s refers to cores that bring no RTL: %s", path, table, ", ".join(found.cores))
        return Block(path, hierarchy, table, sources, {**found.levels, **table.tie}, found.associations)

    def _from_verilog(self, table: Table, found: Found, wanted: str, described: Mapping[str, str]) -> Sources:
        files = declared.packages_first(found.verilog)
        top, parameters = wanted, declared.find_module(wanted, files) if wanted else None
        if parameters is None:
            top, parameters = self._other_top(table, found, wanted)
        values = defaults(described, parameters or {})
        problems = []
        for name, value in table.parameters.items():
            parameter = (parameters or {}).get(name)
            if parameter is None and parameters is not None:
                text = f"parameters: module {top} has no {name!r}; {near(name, parameters, 'it has')}"
                problems.append(table.problem(text, "parameters"))
                continue
            verilog = literal(value, parameter.kind if parameter is not None else "unknown")
            if verilog is None:
                takes = f"takes {_A[parameter.kind]}" if parameter is not None else ""
                text = f"parameters: {name} = {value!r}, but module {top} {takes}"
                problems.append(table.problem(text, "parameters"))
                continue
            values[name] = verilog
        if problems:
            raise Refused(problems)
        return Sources(
            top=top,
            files=files,
            include=tuple(found.include),
            defines={**found.defines, **table.defines},
            parameters=values,
            roots=_roots(found, files),
            options=table.options,
        )

    @staticmethod
    def _other_top(
        table: Table, found: Found, wanted: str
    ) -> tuple[str, dict[str, declared.Parameter] | None]:
        modules = declared.modules(found.verilog)
        if not table.top and len(modules) == 1:
            (top,) = modules
            return top, declared.find_module(top, found.verilog)
        if wanted and any("module `" in declared.read(file) for file in found.verilog):
            return wanted, None  # a name made by a macro: the tool will tell
        if not wanted:
            text = f"name the module with top = ...; {near('', modules, 'the sources have')}"
        else:
            text = f"no module {wanted!r} in the sources; {near(wanted, modules, 'they have')}"
            text += "" if table.top else " (name it with top = ...)"
        raise Refused([table.problem(text, "top")])

    def _from_vhdl(self, table: Table, found: Found, wanted: str, described: Mapping[str, str]) -> Sources:
        known = vhdl.entities(found.vhdl)
        top = wanted if wanted.lower() in known else ""
        if not top and not table.top and len(known) == 1:
            (top,) = known
        if not top:
            text = f"no entity {wanted!r} in the sources; {near(wanted.lower(), known, 'they have')}"
            raise Refused([table.problem(text + ("" if table.top else " (name it with top = ...)"), "top")])
        kinds = vhdl.generics(top, found.vhdl)
        values: dict[str, str] = {}
        for name, value in lookup(described, kinds).items():
            word = vhdl.generic_value(value, kinds[name])
            if word is not None:
                values[name] = word
        problems = []
        cases = {name.lower(): name for name in kinds}
        for name, given in table.parameters.items():
            real = cases.get(name.lower())
            if real is None:
                text = f"parameters: entity {top} has no generic {name!r}; {near(name, kinds, 'it has')}"
                problems.append(table.problem(text, "parameters"))
                continue
            word = vhdl.generic_value(given, kinds[real])
            if word is None:
                text = f"parameters: {name} = {given!r} can't be given to a generic of type {kinds[real]}"
                problems.append(table.problem(text, "parameters"))
                continue
            values[real] = word
        if problems:
            raise Refused(problems)
        file, module = vhdl.translate(
            top, found.vhdl, values, standard=table.standard, cache=self._cache / "vhdl"
        )
        return Sources(top=module, files=(file,), options=table.options)


def _inside(path: str, hierarchy: str, tables: Mapping[str, list[Table]]) -> str:
    return f"{path} is inside {hierarchy}, which is replaced as a whole by {tables[hierarchy][0]}"


def _roots(found: Found, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that may be read, where the user named some besides those of the files."""
    if not found.roots:
        return ()
    return tuple(dict.fromkeys((*(file.parent for file in files), *found.include, *found.roots)))
