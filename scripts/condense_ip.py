"""Condense what hand-off files say of IP into the table that block-design scripts are read with.

``python scripts/condense_ip.py FOLDER`` reads every ``.hwh`` of a folder and writes
``src/pynq/design/tcl/catalogue.json``: of each type of IP the names of its ports, interfaces, parameters and
registers, each with what it depends on. No text of the files gets in: descriptions are left out. A rule is
what explains *all* instances that were seen: the width of a port is a number, or a parameter times a factor;
a port is there always, or where a parameter has certain values, or (``used``) where a script connects it.
The form of the table is that of :mod:`pynq.design.tcl.catalogue`, which reads it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pynq.design import hwh
from pynq.design.model import AddressBlock, BusInterface, Cell, Port
from pynq.errors import PynqError

TABLE = Path(__file__).resolve().parents[1] / "src/pynq/design/tcl/catalogue.json"

# Parts of other IP, which no script of a user instantiates, and the module references of one design.
SKIPPED = re.compile(r"xilinx\.com:ip:(sc_|noc_|pspmc|iomodule|xram$|system_ila$)|.*:module_ref:")
# What an instance, not a type, has; what the IP's packager adds to each.
OWN = re.compile(
    r"Component_Name|EDK_|C_.*(BASE|HIGH)ADDR|.*BASENAME|C_(INSTANCE|FAMILY|DEVICE|XDEVICEFAMILY)$", re.I
)
PASSING = re.compile(
    r"FREQ_HZ|CLK_DOMAIN|PHASE|ASSOCIATED|INSERT_VIP|.*_WIDTH$|TDATA_NUM_BYTES|LAYERED_METADATA"
)
INTERCONNECTS = frozenset(("axi_interconnect", "smartconnect"))
MOST_PARAMETERS = 2000
LONGEST_VALUE = 200
TRUTH = frozenset(("0", "1", "true", "false", "TRUE", "FALSE", "EMIO", "<Select>", "NA", "GPIO (EMIO)"))
COMMON = frozenset(
    ("c", "axi", "s", "m", "i", "o", "has", "use", "en", "enable", "width", "axis", "in", "out")
)


def tokens(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+\d*|\d+", name.lower())) - COMMON


def near(name: str, parameter: str) -> int:
    """How much two names have in common."""
    mine, theirs = tokens(name), tokens(parameter)
    score = 4 * len(mine & theirs) - len(theirs - mine)
    last = name.lower().rstrip("0123456789")
    if last and last in parameter.lower():
        score += 2
    return score


class Type:
    """All instances of a type of IP."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells: list[Cell] = []
        self.releases: list[str] = []  # of the tool that wrote each
        self._sizes: dict[tuple[str, str, str], str | None] = {}
        self.memories: list[str] = []  # "interface/block" that masters see as memory

    def condense(self, buses: dict[str, dict[str, str]]) -> dict[str, Any]:
        cells = self.cells
        self.values = [dict(cell.parameters) for cell in cells]
        for values, cell in zip(self.values, cells, strict=True):
            values["@version"] = cell.vlnv.version if cell.vlnv else ""
        names = Counter(name for values in self.values for name in values)
        # Without what all have alike, or not all have.
        self.varied = [
            name
            for name, number in names.items()
            if number == len(cells) and len({values[name] for values in self.values}) > 1
        ]
        keys = ("BDTYPE", "IPTYPE", "MODCLASS", "MODTYPE")
        kinds: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        for cell in cells:
            kinds[cell.vlnv.version if cell.vlnv else ""][
                tuple(cell.attributes.get(key, "") for key in keys)
            ] += 1
        usual = common(one for values in kinds.values() for one in values.elements())
        table: dict[str, Any] = {"attributes": dict(zip(keys, usual, strict=True))}
        table["attributes"] = {key: value for key, value in table["attributes"].items() if value}
        table["versions"] = {
            version: {key: value for key, value in zip(keys, common(values.elements()), strict=True) if value}
            for version, values in kinds.items()
            if common(values.elements()) != usual
        }
        parameters = {}
        for name in names:
            if not OWN.match(name) and name != "@version":
                values = Counter(values[name] for values in self.values if name in values)
                parameters[name] = values.most_common(1)[0][0]
        # A packed configuration of a Versal PS is one design's, not a default.
        short = {name: value for name, value in parameters.items() if len(value) <= LONGEST_VALUE}
        versions = Counter(cell.vlnv.version for cell in cells if cell.vlnv)
        table["version"] = max(versions, key=lambda text: [int(one) for one in re.findall(r"\d+", text)])
        table["parameters"] = short if len(short) <= MOST_PARAMETERS else {}
        table["follows"] = self.follows()
        if self.name.rpartition(":")[2] not in INTERCONNECTS:
            table["ports"] = self.ports()
            table["interfaces"] = self.interfaces(buses)
        else:
            table["ports"] = table["interfaces"] = []
        table["memories"] = self.memories
        table["blocks"] = self.blocks()
        return {key: value for key, value in table.items() if value}

    def follows(self) -> dict[str, str]:
        """Parameters that always have the value of another one, which a script can set: name -> that one."""
        found: dict[str, str] = {}
        for name in self.varied:
            if not re.match(r"C_[A-Z]", name):
                continue
            best = [
                (near(name, other), other)
                for other in self.varied
                if not re.match(r"C_[A-Z]", other)
                and other != "@version"
                and other.lower() != name.lower()
                and near(name, other) > 0
                and all(same(values[name], values[other]) for values in self.values)
            ]
            if best:
                found[name] = max(best)[1]
        return found

    def blocks(self) -> list[list[Any]]:
        """The register maps: [first release of the tool that has it, blocks], newer ones later."""
        found: dict[str, tuple[str, tuple[AddressBlock, ...]]] = {}
        newest = sorted(
            zip(self.releases, self.cells, strict=True), key=lambda one: (one[0], weight(one[1].blocks))
        )
        for release, cell in newest:
            if cell.blocks:
                shape = json.dumps([block(one, self.sizes) for one in cell.blocks])
                if shape not in found:
                    found[shape] = (release, cell.blocks)
        variants: dict[str, list[Any]] = {}
        for release, blocks in found.values():  # of several of one release the one with the most registers
            variants[release] = [block(one, self.sizes) for one in blocks]
        kept: list[list[Any]] = []
        for release, rows in variants.items():
            if not kept or kept[-1][1] != rows:
                kept.append([release, rows])
        return kept[-3:] if len(kept) > 3 else kept

    def sizes(self, block: str, register: str, field: str, bits: int) -> Any:
        """The width of a register or field: bits, or [parameter] where all have that parameter's."""
        key = (block, register, field)
        if key not in self._sizes:
            seen: list[int | None] = []
            for cell in self.cells:
                found = None
                for one in cell.blocks:
                    for entry in one.registers if one.name == block else ():
                        if entry.name == register:
                            widths = [part.width for part in entry.fields if part.name == field]
                            found = (widths[0] if widths else None) if field else entry.size
                seen.append(found)
            numbers = set(seen) - {None}
            self._sizes[key] = None
            if len(numbers) > 1:
                word = "gpio2 width" if "2" in register else "gpio width intr num inputs" + register

                def fits(value: str, bits: Hashable) -> bool:
                    return integer(value) == bits

                name = self.explain(word, seen, fits, -9)
                self._sizes[key] = name
        return [self._sizes[key]] if self._sizes[key] else bits

    # -- rules ----
    def explain(
        self, what: str, seen: Sequence[Hashable], fits: Callable[[str, Hashable], bool], least: int
    ) -> str | None:
        """The parameter, of those with a similar name, whose values fit what was seen of each instance."""
        best: tuple[int, int, str] | None = None
        for name in self.varied:
            score = near(what, name)
            if score < least or (best is not None and score < best[0]):
                continue
            pairs = {(values[name], one) for values, one in zip(self.values, seen, strict=True)}
            if all(fits(value, one) for value, one in pairs if one is not None):
                rank = (score, -len(name), name)
                best = rank if best is None else max(best, rank)
        return best[2] if best else None

    def when(self, name: str, present: Sequence[bool]) -> Any:
        """When something is there: None for always, [parameter, values], [parameter, number that it
        exceeds], or "used".
        """
        if all(present):
            return None
        best: tuple[int, int, int, str, Any] | None = None
        for parameter in self.varied:
            score = near(name, parameter)
            if isinstance(counted := self.counts(name, parameter, present), int) and score > -4:
                rank = (score + 2, 0, -len(parameter), parameter, counted)
                best = rank if best is None else max(best, rank, key=lambda one: one[:4])
                continue
            have = {values[parameter] for values, one in zip(self.values, present, strict=True) if one}
            lack = {values[parameter] for values, one in zip(self.values, present, strict=True) if not one}
            if not have & lack and score > 0 and ((have | lack) <= TRUTH or have < {"EMIO"}):
                rank = (score, -len(have) - len(lack), -len(parameter), parameter, sorted(have))
                best = rank if best is None else max(best, rank, key=lambda one: one[:4])
        return [best[3], best[4]] if best else "used"

    def counts(self, name: str, parameter: str, present: Sequence[bool]) -> int | None:
        """The number in a name such as ``In5``, where it is there if the parameter says that many or more."""
        number = re.search(r"\d+", name)
        if number is None or not re.search(r"NUM|PORTS|SLOTS", parameter, re.I):
            return None
        index = int(number[0])
        for values, one in zip(self.values, present, strict=True):
            count = integer(values[parameter])
            if count is None or (count > index) != one:
                return None
        return index

    def width(self, name: str, ports: Sequence[Port | None]) -> Any:
        """None: a wire; a number: of bits; [left, right]; [parameter, factor, divisor]; or
        ["net", left, right]: what is joined decides, and what is usual."""
        bounds = {(port.left, port.right) for port in ports if port is not None}
        if len(bounds) == 1:
            left, right = bounds.pop()
            if left is None or right is None:
                return None
            return left + 1 if right == 0 and left >= 0 else [left, right]
        usual = common((port.left, port.right) for port in ports if port is not None)
        if any(right not in (0, None) for _, right in bounds):
            return ["net", *usual]
        seen = [None if port is None else port.width for port in ports]
        for factor, divisor in ((1, 1), (8, 1), (1, 8), (2, 1), (4, 1)):

            def fits(value: str, bits: Hashable, by: tuple[int, int] = (factor, divisor)) -> bool:
                number = integer(value)
                return number is not None and number * by[0] == bits * by[1]  # type: ignore[operator]

            found = self.explain(name, seen, fits, -3 if len(set(seen)) > 3 else 0)
            if found is not None:
                return [found, factor, divisor]
        return ["net", *usual]

    def ports(self) -> list[list[Any]]:
        table = []
        for name in ordered(cell.ports for cell in self.cells):
            ports = [cell.ports.get(name) for cell in self.cells]
            there = [port for port in ports if port is not None]
            kind = common(port.kind for port in there if port.kind != "undef") or "undef"
            row = [
                name,
                common(port.direction for port in there),
                kind,
                self.width(name, ports),
                self.when(name, [port is not None for port in ports]),
                common(port.sensitivity for port in there if port.sensitivity) or "",
                common(port.polarity for port in there if port.polarity) or "",
            ]
            while row[-1] in ("", None):
                row.pop()
            table.append(row)
        return table

    def interfaces(self, buses: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
        table = []
        for name in ordered(cell.interfaces for cell in self.cells):
            faces = [cell.interfaces.get(name) for cell in self.cells]
            there = [face for face in faces if face is not None]
            pairs = [(release, face) for release, face in zip(self.releases, faces, strict=True) if face]
            newest = sorted(pairs, key=lambda pair: pair[0], reverse=True)
            vlnv = common(str(face.vlnv) for face in there if face.vlnv) or ""
            row: dict[str, Any] = {
                "name": name,
                "role": common(face.role for face in there),
                "type": vlnv,
                "when": self.when(name, [face is not None for face in faces]),
                "protocol": common(face.parameters.get("PROTOCOL", "") for face in there),
                "ports": port_map([face for _, face in newest]),
            }
            usual = buses.get(vlnv, {})
            keys = {key for face in there for key in face.parameters}
            more = {}
            for key in sorted(keys):
                value = common(face.parameters[key] for face in there if key in face.parameters)
                if not PASSING.match(key) and value is not None and usual.get(key) != value:
                    more[key] = value
            row["parameters"] = more
            table.append({key: value for key, value in row.items() if value})
        return table


def port_map(faces: Sequence[BusInterface]) -> dict[str, str]:
    """Logical name -> port, of all instances; under "*" the names that are a prefix and their own."""
    merged: dict[str, str] = {}
    for face in faces:
        if face.vlnv is None and merged:
            continue  # before 2016.1 logical names are guessed from the ports'
        for logical, port in face.port_map.items():
            merged.setdefault(logical, port)
    prefixes = Counter(
        port[: -len(logical)] + ("~" if port.endswith(logical.lower()) else "^")
        for logical, port in merged.items()
        if port.lower().endswith(logical.lower()) and port[-len(logical) :] in (logical, logical.lower())
    )
    if not prefixes:
        return merged
    prefix = prefixes.most_common(1)[0][0]
    regular = [
        logical
        for logical, port in merged.items()
        if port == prefix[:-1] + (logical.lower() if prefix[-1] == "~" else logical)
    ]
    rest = {logical: port for logical, port in merged.items() if logical not in regular}
    return {"*": " ".join([prefix, *regular]), **rest}


def block(one: AddressBlock, sizes: Callable[[str, str, str, int], Any]) -> list[Any]:
    registers = []
    for register in one.registers:
        fields = []
        for field in register.fields:
            row: list[Any] = [
                field.name,
                field.offset,
                sizes(one.name, register.name, field.name, field.width),
                field.access,
                field.modified_write,
                field.read_action,
            ]
            while row[-1] == "":
                row.pop()
            fields.append(row)
        size = sizes(one.name, register.name, "", register.size)
        registers.append([register.name, register.offset, size, register.access, register.reset, fields])
    return [one.name, one.interface, one.offset, one.range, one.usage, one.access, registers]


def weight(blocks: Sequence[AddressBlock]) -> int:
    return sum(1 + len(one.registers) for one in blocks)


def integer(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 9 else None


def same(one: str, other: str) -> bool:
    truth = {"true": "1", "false": "0"}
    return truth.get(one.lower(), one) == truth.get(other.lower(), other)


def common(values: Iterable[Any]) -> Any:
    counted = Counter(values).most_common(1)
    return counted[0][0] if counted else None


def ordered(tables: Iterable[Iterable[str]]) -> list[str]:
    """The names of all, in the order of the longest list and then of the others."""
    found: dict[str, None] = {}
    for table in sorted(map(list, tables), key=len, reverse=True):
        found.update(dict.fromkeys(table))
    return list(found)


def usual_parameters(types: Iterable[Type]) -> dict[str, dict[str, str]]:
    """What the interfaces of each bus have most often."""
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    number: Counter[str] = Counter()
    for one in types:
        for cell in one.cells:
            for face in cell.interfaces.values():
                number[str(face.vlnv)] += 1
                for key, value in face.parameters.items():
                    counted[str(face.vlnv)][key][value] += 1
    return {
        bus: {
            key: values.most_common(1)[0][0]
            for key, values in sorted(keys.items())
            if not PASSING.match(key) and sum(values.values()) > number[bus] // 2
        }
        for bus, keys in sorted(counted.items())
    }


def condense(folder: Path) -> dict[str, Any]:
    types: dict[str, Type] = {}
    spans: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for path in sorted(folder.glob("*.hwh")):
        try:
            design = hwh.read(path)
        except PynqError as error:
            sys.stderr.write(f"{path.name} is left out: {error}\n")
            continue
        for cell in design.cells.values():
            if cell.vlnv is not None and not SKIPPED.match(cell.vlnv.without_version):
                name = cell.vlnv.without_version
                kind = types.setdefault(name, Type(name))
                kind.cells.append(cell)
                kind.releases.append(".".join(re.findall(r"\d+", design.tool_version)[:2]))
            for entry in cell.ranges:
                slave = design.cells.get(entry.slave)
                if slave is not None and slave.vlnv is not None:
                    key = f"{entry.slave_interface.lower()}/{entry.block}"
                    spans[slave.vlnv.without_version][key][entry.kind.value] += 1
    for name, one in types.items():
        one.memories = sorted(
            key for key, kinds in spans[name].items() if common(kinds.elements()) == "MEMORY"
        )
    buses = usual_parameters(types.values())
    return {"buses": buses, "types": {name: types[name].condense(buses) for name in sorted(types)}}


def main(arguments: Sequence[str]) -> int:
    """Write the table; return 1 where the folder has no hand-off file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="folder of .hwh files")
    parser.add_argument("-o", "--output", type=Path, default=TABLE)
    given = parser.parse_args(arguments)
    table = condense(given.folder)
    if not table["types"]:
        sys.stderr.write(f"{given.folder} has no hand-off file with cells\n")
        return 1
    lines = [f'{{"buses": {json.dumps(table["buses"], separators=(",", ":"))},\n"types": {{']
    rows = [
        f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}"
        for name, one in table["types"].items()
    ]
    given.output.write_text("\n".join(lines) + "\n" + ",\n".join(rows) + "\n}}\n", encoding="utf-8")
    sys.stdout.write(f"{given.output}: {len(table['types'])} types, {given.output.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
