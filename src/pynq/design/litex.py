"""Reader of LiteX's register lists, ``csr.json`` and ``csr.csv``.

Both hold the same (LiteX, litex/soc/integration/export.py): the base of each peripheral (``csr_bases``), its
registers with address, number of words and "rw" or "ro" (``csr_registers``), ``constants``, and ``memories``.
A word has ``config_csr_data_width`` bits and takes ``config_csr_alignment`` bits of the address space; of a
register of several words the most significant one has the lowest address where ``config_csr_ordering_big`` is
there, which is LiteX's default.

A register of several words is one register here where that is what an access of the bus gives: words of 32
bits, the least significant first. Any other is a register per word, called as in LiteX's own SVD files:
``uptime_cycles1`` (upper half) and ``uptime_cycles0``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pynq.design.addresses import conflicts
from pynq.design.assembled import PS, cell, clock_input, concat, interrupt_output, port, slave
from pynq.design.bounded import load
from pynq.design.model import (
    AddressBlock,
    BusInterface,
    Cell,
    CellKind,
    Design,
    Endpoint,
    MemoryKind,
    MemoryRange,
    Processor,
    Register,
    SourceRef,
    Vlnv,
)
from pynq.design.resolve import resolve
from pynq.errors import DesignError, Problem

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "read"]

MAX_BYTES = 16 << 20
"""Largest file that is read; those of real SoCs have some 100 KiB."""
MAX_ENTRIES = 50_000
"""Most entries of one kind."""
MAX_PROBLEMS = 50
MAX_WORDS = 4096
"""Most words of a register."""
MAX_INTERRUPTS = 256
PAGE = 0x800
"""What LiteX gives a peripheral in the CSR space unless told otherwise (``csr_paging``)."""

_TABLES = ("csr_bases", "csr_registers", "constants", "memories")
_KINDS = dict(zip(("csr_base", "csr_register", "constant", "memory_region"), _TABLES, strict=True))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}\Z")
_KEY = re.compile(r'\s*"([^"\\]{1,255})"\s*:')
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z|[0-9]{1,20}\Z")
#: CPUs that are the hard PS of a device.
_HARD = {"zynq7000": Processor.ZYNQ, "zynqmp": Processor.ZYNQMP}
_IRQ = {Processor.ZYNQ: ("IRQ_F2P", 16), Processor.ZYNQMP: ("pl_ps_irq0", 8)}
_BUS, _CPU, _CLOCK, _WIRES = "bus", "cpu", "sys_clk", "cpu_interrupts"


def read(path: str | os.PathLike[str]) -> Design:
    """Read a register list; what does not end in ``.csv`` is JSON.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used; ``problems`` holds every reason, with its line.
    """
    name = os.fspath(path)
    data = load(name, MAX_BYTES, "register list")
    lists = _Lists(name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lists.fail(data.count(b"\n", 0, error.start) + 1, "is no text in UTF-8")
    if name.lower().endswith(".csv"):
        lists.read_csv(text)
    else:
        lists.read_json(text)
    lists.stop()
    return _Builder(lists).design()


@dataclass(frozen=True)
class _Csr:
    """A register of the list."""

    address: int
    words: int
    access: str


@dataclass(frozen=True)
class _Region:
    base: int
    size: int
    type: str


@dataclass
class _Lists:
    """What a file holds, checked entry by entry."""

    file: str
    bases: dict[str, int] = field(default_factory=dict)
    registers: dict[str, _Csr] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    memories: dict[str, _Region] = field(default_factory=dict)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, message: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.file, line, message))

    def fail(self, line: int, message: str) -> None:
        self.problem(line, message)
        self.stop()

    def stop(self) -> None:
        if self.problems:
            raise DesignError(self.problems)

    # -- reading -----------------------------------------------------------------------------------------
    def read_json(self, text: str) -> None:
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            self.fail(error.lineno, f"is no JSON: {error.msg}")
        except (RecursionError, ValueError):
            self.fail(0, "is no JSON of a register list: too deep, or a number of too many digits")
        if not isinstance(data, dict) or not isinstance(data.get("csr_bases"), dict):
            self.fail(0, f"is no register list of LiteX: expected an object with {', '.join(_TABLES)}")
        self._find_lines(text)
        for table in _TABLES:
            entries = data.get(table, {})
            if not isinstance(entries, dict):
                self.problem(0, f"{table} is no object")
                continue
            if len(entries) > MAX_ENTRIES:
                self.fail(0, f"{table} has {len(entries)} entries; at most {MAX_ENTRIES} are read")
            for name, entry in entries.items():
                line = self.lines.get((table, name), 0)
                if table in ("csr_bases", "constants"):
                    self._add(line, table, name, entry)
                elif not isinstance(entry, dict):
                    self.problem(line, f"{table}: {name!r} is no object")
                elif table == "csr_registers":
                    get = entry.get
                    self._add(line, table, name, get("addr"), get("size"), get("type", "rw"))
                else:
                    self._add(line, table, name, entry.get("base"), entry.get("size"), entry.get("type", ""))

    def _find_lines(self, text: str) -> None:
        """Remember where each name of each table is; LiteX writes one entry a line."""
        table = ""
        for number, line in enumerate(text.splitlines(), 1):
            match = _KEY.match(line)
            if match is None:
                continue
            if match[1] in _TABLES:
                table = match[1]
            self.lines.setdefault((table, match[1]), number)

    def read_csv(self, text: str) -> None:
        rows = csv.reader(line if not line.startswith("#") else "\n" for line in io.StringIO(text))
        count = 0
        try:
            for row in rows:
                if not row or not row[0].strip():
                    continue
                count += 1
                if count > MAX_ENTRIES:
                    self.fail(rows.line_num, f"has more than {MAX_ENTRIES} entries")
                kind, name, *values = (part.strip() for part in [*row, "", "", "", ""][:5])
                if kind not in _KINDS:
                    self.problem(rows.line_num, f"{kind[:40]!r} is no entry; there are {', '.join(_KINDS)}")
                    continue
                table = _KINDS[kind]
                self.lines.setdefault((table, name), rows.line_num)
                self._add(
                    rows.line_num, table, name, *values[: 1 if table in ("csr_bases", "constants") else 3]
                )
        except csv.Error as error:
            self.fail(rows.line_num, f"is no CSV: {error}")
        if not self.bases and not self.problems:
            self.fail(0, "is no register list of LiteX: it has no csr_base")

    def _add(self, line: int, table: str, name: str, *values: Any) -> None:
        if not _NAME.match(name):
            self.problem(line, f"{table}: {name[:40]!r} is no name")
            return
        what = f"{table}: {name!r}"
        if table == "csr_bases":
            self.bases[name] = self._number(line, what, "address", values[0], 1 << 64)
        elif table == "constants":
            # A flag has no value: null, or None in a CSV.
            self.constants[name] = "" if values[0] in (None, "None") else str(values[0])[:4096]
        elif table == "csr_registers":
            address = self._number(line, what, "addr", values[0], 1 << 64)
            words = self._number(line, what, "size", values[1], MAX_WORDS + 1, 1)
            if values[2] not in ("rw", "ro"):
                self.problem(line, f"{what}: type {str(values[2])[:40]!r} is neither 'rw' nor 'ro'")
            self.registers[name] = _Csr(address, words, "read-only" if values[2] == "ro" else "read-write")
        else:
            base = self._number(line, what, "base", values[0], 1 << 64)
            size = self._number(line, what, "size", values[1], (1 << 64) - base + 1, 1)
            self.memories[name] = _Region(base, size, str(values[2])[:80])

    def _number(self, line: int, what: str, name: str, value: Any, limit: int, least: int = 0) -> int:
        number = -1
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str) and _NUMBER.match(value):
            number = int(value, 16 if value[:2] in ("0x", "0X") else 10)
        if not least <= number < limit:
            self.problem(
                line, f"{what}: {name} {str(value)[:40]!r} is no number from {least} to {limit - 1:#x}"
            )
            return least
        return number


class _Builder:
    """Makes the design of the lists."""

    def __init__(self, lists: _Lists) -> None:
        self._lists = lists
        self._file = lists.file
        self._notes: list[Problem] = []
        self._width = self._config("config_csr_data_width", 32, (8, 16, 32, 64))
        self._stride = self._config("config_csr_alignment", 32, (32, 64)) // 8
        if "config_csr_data_width" not in lists.constants:
            self._note(0, "config_csr_data_width is not there; 32 bits are assumed")
        if self._width > 8 * self._stride:
            lists.problem(0, f"words of {self._width} bits at a distance of {8 * self._stride} bits overlap")
        self._big = "config_csr_ordering_little" not in lists.constants
        several = any(one.words > 1 for one in lists.registers.values())
        if several and self._big and "config_csr_ordering_big" not in lists.constants:
            self._note(0, "the order of words is not told; LiteX's default is assumed, big")
        lists.stop()
        frequency = lists.constants.get("config_clock_frequency", "")
        self._frequency = int(frequency) if frequency.isdecimal() and len(frequency) < 12 else None
        self._cpu = self._cpu_type()

    def _config(self, name: str, default: int, allowed: tuple[int, ...]) -> int:
        text = self._lists.constants.get(name, str(default))
        if text not in {str(number) for number in allowed}:
            line = self._lists.lines.get(("constants", name), 0)
            self._lists.problem(line, f"constants: {name} is {text[:40]!r}; expected one of {allowed}")
            return default
        return int(text)

    def _note(self, line: int, message: str) -> None:
        self._notes.append(Problem(self._file, line, message))

    def _cpu_type(self) -> str:
        constants = self._lists.constants
        if constants.get("config_cpu_type"):
            return constants["config_cpu_type"].lower()
        prefix = "config_cpu_type_"
        found = next((name[len(prefix) :] for name in constants if name.startswith(prefix)), "none")
        return found.lower()

    def design(self) -> Design:
        lists = self._lists
        family = _HARD.get(self._cpu)
        self._master = PS[family][0] if family else ""
        cells = self._peripherals()
        ranges = [self._range(one, MemoryKind.REGISTER) for one in cells.values()]
        for one, memory in self._memories(cells):
            cells[one.path] = one
            ranges.append(self._range(one, MemoryKind.MEMORY if memory else MemoryKind.REGISTER))
        for first, second in conflicts(ranges):
            lists.problem(
                second.source.line,
                f"{second.slave!r} at {second.base:#x} and {first.slave!r}, which ends at "
                f"{first.high:#x}, overlap",
            )
        lists.stop()
        cells = {path: replace(one, parameters=self._parameters(path)) for path, one in cells.items()}
        self._add_processor(cells, family, ranges)
        clock = port(_CLOCK, "I", 0, kind="clk", frequency=self._frequency)
        boundary = [] if family else ranges
        source = SourceRef(self._file, 0)
        fields = resolve(self._file, cells, {_CLOCK: clock}, boundary)
        return Design(
            name=lists.constants.get("config_platform_name") or Path(self._file).resolve().parent.name,
            file=self._file,
            tool_version="LiteX",
            timestamp="",
            architecture={Processor.ZYNQ: "zynq", Processor.ZYNQMP: "zynquplus", None: ""}[family],
            device="",
            package="",
            speed_grade="",
            board=lists.constants.get("config_platform_name", ""),
            interfaces=MappingProxyType({} if family else {_BUS: self._bus(source)}),
            source=source,
            format="litex",
            notes=tuple(self._notes),
            **fields,
        )

    def _bus(self, source: SourceRef) -> BusInterface:
        constants = {
            name.upper(): text for name, text in self._lists.constants.items() if name.startswith("config_")
        }
        return replace(
            slave(_BUS, source), parameters=MappingProxyType({"PROTOCOL": "AXI4LITE", **constants})
        )

    # -- peripherals -----------------------------------------------------------------------------------------
    def _peripherals(self) -> dict[str, Cell]:
        lists = self._lists
        held: dict[str, list[tuple[str, _Csr, int]]] = {name: [] for name in lists.bases}
        for name, csr in lists.registers.items():
            line = lists.lines.get(("csr_registers", name), 0)
            owner = self._owner(name, csr.address)
            if owner is None:
                lists.problem(line, f"register {name!r} at {csr.address:#x} is of no peripheral in csr_bases")
            elif len(name) <= len(owner) + 1:
                lists.problem(line, f"register {name!r} has the name of a peripheral")
            else:
                held[owner].append((name[len(owner) + 1 :], csr, line))
        starts = sorted(set(lists.bases.values()))
        cells = {}
        for name, base in lists.bases.items():
            source = SourceRef(self._file, lists.lines.get(("csr_bases", name), 0))
            registers = [one for entry in held[name] for one in self._registers(base, *entry)]
            end = max(
                (one.offset + self._stride * -(-one.size // (8 * self._stride)) for one in registers),
                default=4,
            )
            following = bisect_right(starts, base)
            gap = starts[following] - base if following < len(starts) else PAGE
            size = max(end, min(gap, PAGE))
            kind = Vlnv("litex", "csr", name.rstrip("0123456789") or name, "1.0")
            ports = [clock_input(_CLOCK, source.line, Endpoint("", _CLOCK), self._frequency)]
            made = cell(
                name, kind, CellKind.PERIPHERAL, source, ports=ports, interfaces=[slave("csr", source)]
            )
            names: set[str] = set()
            for one in registers:
                if one.name in names:
                    lists.problem(one.line, f"register {one.name!r} of {name!r} is there twice")
                names.add(one.name)
            block = AddressBlock("csr", "csr", 0, size, "register", "read-write", tuple(registers), source)
            cells[name] = replace(made, blocks=(block,))
        return cells

    def _owner(self, name: str, address: int) -> str | None:
        """The peripheral of a register: the one with the longest name that it begins with, at or below it."""
        end = len(name)
        while end > 0:
            if name[:end] in self._lists.bases and self._lists.bases[name[:end]] <= address:
                return name[:end]
            end = name.rfind("_", 0, end)
        return None

    def _registers(self, base: int, name: str, csr: _Csr, line: int) -> Iterator[Register]:
        offset, access, bits = csr.address - base, csr.access, self._width
        if csr.words == 1 or (not self._big and bits == 32 and self._stride == 4):
            yield Register(name, offset, bits * csr.words, access, None, "", (), line)
            return
        for place in range(csr.words):
            word = csr.words - 1 - place if self._big else place
            text = f"bits {bits * word + bits - 1}:{bits * word} of {name}"
            label = f"{name}{word}" if not name[-1].isdigit() else f"{name}_{word}"
            yield Register(label, offset + self._stride * place, bits, access, None, text, (), line)

    def _range(self, one: Cell, kind: MemoryKind) -> MemoryRange:
        if one.blocks:
            base, size = self._lists.bases[one.path], one.blocks[0].range
        else:
            region = self._lists.memories[one.module_type]
            base, size = region.base, region.size
        master, block = (self._master, _BUS), one.blocks[0].name if one.blocks else one.module_type
        return MemoryRange(*master, one.path, "csr", block, base, base + size - 1, kind, one.source)

    def _parameters(self, path: str) -> Mapping[str, str]:
        prefix = f"{path}_"
        return MappingProxyType(
            {
                name[len(prefix) :].upper(): text
                for name, text in self._lists.constants.items()
                if name.startswith(prefix)
            }
        )

    def _memories(self, taken: Mapping[str, Cell]) -> Iterator[tuple[Cell, bool]]:
        for name, region in self._lists.memories.items():
            line = self._lists.lines.get(("memories", name), 0)
            if name == "csr":
                continue  # the window that all the peripherals are in
            if "linker" in region.type:
                self._note(line, f"memory {name!r} is for the linker only and is left out")
                continue
            path = name if name not in taken else f"{name}_mem"
            if path in taken:
                self._lists.problem(line, f"memory {name!r}: {path!r} is a peripheral, too")
                continue
            memory = "io" not in region.type.split("+")
            kind = CellKind.MEMORY_CONTROLLER if memory else CellKind.PERIPHERAL
            vlnv = Vlnv("litex", "memory" if memory else "region", name, "1.0")
            yield cell(path, vlnv, kind, SourceRef(self._file, line), module_type=name), memory

    # -- processor and interrupts ----------------------------------------------------------------------------
    def _add_processor(
        self, cells: dict[str, Cell], family: Processor | None, ranges: list[MemoryRange]
    ) -> None:
        source = SourceRef(self._file, 0)
        if self._cpu == "none":
            self._note(0, "there is no CPU: addresses are those of the bus that a host's bridge is master of")
            return
        if family is None:
            self._note(
                0,
                f"addresses are those of the bus of the CPU {self._cpu!r}; a program on a host reaches it "
                "through a bridge (PCIe, Etherbone, UART)",
            )
        name, width = _IRQ[family] if family else ("irq", MAX_INTERRUPTS)
        path, vlnv = PS[family] if family else (_CPU, Vlnv("litex", "cpu", self._cpu, "1.0"))
        for taken in {path, _WIRES} & set(cells):
            self._lists.fail(0, f"a peripheral is called {taken!r}, as what leads to the processor")
        wires = self._interrupts(cells, width)
        ports = []
        if wires:
            bits = max(wires) + 1
            ports.append(port(name, "I", 0, Endpoint(_WIRES, "dout"), width=bits, kind="INTERRUPT"))
            cells[_WIRES] = concat(_WIRES, wires, Endpoint(path, name), source)
        kind = CellKind.PROCESSOR if family else CellKind.SOFT_PROCESSOR
        made = cell(path, vlnv, kind, source, ports=ports, ranges=ranges if family else ())
        cells[path] = made

    def _interrupts(self, cells: dict[str, Cell], width: int) -> dict[int, Endpoint]:
        found: dict[int, Endpoint] = {}
        for name, text in self._lists.constants.items():
            if not name.endswith("_interrupt"):
                continue
            line = self._lists.lines.get(("constants", name), 0)
            stem = name.removesuffix("_interrupt")
            owner = self._owner(stem, 1 << 64)
            number = int(text) if text.isdecimal() and len(text) < 6 else -1
            if not 0 <= number < width:
                self._lists.problem(line, f"constants: {name} is {text[:40]!r}; expected 0 to {width - 1}")
            elif owner is None or owner not in cells:
                self._note(line, f"interrupt {number}: {stem!r} is no peripheral in csr_bases")
            elif number in found:
                self._note(line, f"interrupt {number} of {stem!r} is also that of {found[number].cell!r}")
            else:
                pin = "irq" if stem == owner else f"{stem[len(owner) + 1 :]}_irq"
                found[number] = Endpoint(owner, pin)
                load = Endpoint(_WIRES, f"In{number}")
                ports = {**cells[owner].ports, pin: interrupt_output(pin, line, load)}
                cells[owner] = replace(cells[owner], ports=MappingProxyType(ports))
        self._lists.stop()
        return found
