"""The ports of the RTL against those of the description.

What differs between the two is a mistake that costs hours on a board, so all of it, of all blocks, is told at
once and before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pynq.backends.sim.rtl.glue import RtlPort
from pynq.design.model import Cell, Port
from pynq.errors import PortMismatchError, Problem

__all__ = ["Difference", "Fit", "compare", "find", "raise_differences"]

_DIRECTIONS = {"I": "in", "O": "out", "IO": "both"}


@dataclass(frozen=True)
class Difference:
    """One line of the table: a port as the RTL and as the description have it ("" where one has none)."""

    port: str
    rtl: str
    description: str
    why: str
    line: int  # in the description; 0 for a port that it has not


@dataclass(frozen=True)
class Fit:
    """How a module fits a cell: RTL port by port of the description, and what does not fit."""

    names: Mapping[str, str]
    differences: tuple[Difference, ...]


def find(name: str, names: Mapping[str, object], lower: Mapping[str, str]) -> str | None:
    """Return the name that is meant: the same, or the same but for case."""
    return name if name in names else lower.get(name.lower())


def compare(
    cell: Cell,
    ports: Sequence[RtlPort],
    *,
    renamed: Mapping[str, str] | None = None,
    tied: Mapping[str, int] | None = None,
) -> Fit:
    """Compare a module with a cell.

    Where the description only guesses the ports, the directions of those that both have must agree.
    ``renamed``: ports that the description calls otherwise, RTL name first. ``tied``: RTL inputs that get a
    level; they may be missing in the description.
    """
    renamed, tied = renamed or {}, tied or {}
    by_name = {port.name: port for port in ports}
    lower = {port.name.lower(): port.name for port in reversed(ports)}
    meant = {theirs.lower(): ours for ours, theirs in renamed.items()}
    tied_names = {find(name, by_name, lower) for name in tied}
    names: dict[str, str] = {}
    differences: list[Difference] = []
    # A script tells of a user's IP what it connects: there the RTL is what says how wide ports are.
    guessed = cell.attributes.get("GUESSED") == "ports"
    for name, port in cell.ports.items():
        wanted = meant.get(name.lower(), name)
        found = find(wanted, by_name, lower)
        if found is None:
            if not guessed:
                differences.append(Difference(name, "", _described(port), "missing in the RTL", port.line))
            continue
        names[name] = found
        rtl = by_name[found]
        reasons = []
        if _DIRECTIONS.get(port.direction, "both") != rtl.direction:
            reasons.append("direction")
        if port.width != rtl.bits and not guessed:
            reasons.append("width")
        if reasons:
            line = Difference(name, _of_rtl(rtl), _described(port), " and ".join(reasons), port.line)
            differences.append(line)
    described = {name.lower() for name in cell.ports}
    for ours, theirs in renamed.items():
        if theirs.lower() not in described:
            why = "named in ports, but the description has no such port"
            differences.append(Difference(theirs, ours, "", why, 0))
    used = set(names.values())
    for port_of_rtl in ports:
        if port_of_rtl.name in used or port_of_rtl.direction == "out" or port_of_rtl.name in tied_names:
            continue
        if guessed:
            continue
        why = f"missing in the description; give it a level with tie = {{ {port_of_rtl.name} = 0 }}"
        differences.append(Difference(port_of_rtl.name, _of_rtl(port_of_rtl), "", why, 0))
    for name in tied:
        found = find(name, by_name, lower)
        if found is None:
            differences.append(Difference(name, "", "", "tied, but the RTL has no such port", 0))
        elif by_name[found].direction != "in":
            differences.append(Difference(name, _of_rtl(by_name[found]), "", "tied, but no input", 0))
        elif tied[name] >> by_name[found].bits:
            why = f"tied to {tied[name]}, which it can't hold"
            differences.append(Difference(name, _of_rtl(by_name[found]), "", why, 0))
    return Fit(names, tuple(differences))


def raise_differences(found: Sequence[tuple[str, str, str, str, Sequence[Difference]]]) -> None:
    """Raise one :class:`~pynq.errors.PortMismatchError` for all blocks that do not fit; none, return.

    ``found``: path, top module, file of the description, how the manifest calls the block, differences.
    """
    texts, problems = [], []
    for path, top, file, where, differences in found:
        if not differences:
            continue
        texts.append(
            f"{path}: the ports of module {top} ({where}) are not those of {file}:\n"
            + _table(file, differences)
        )
        problems += [
            Problem(file, one.line, f"{path}: port {one.port}: {one.why}: RTL {one.rtl or '-'}, "
                    f"description {one.description or '-'}")
            for one in differences
        ]  # fmt: skip
    if problems:
        error = PortMismatchError("\n".join(texts))
        error.problems = tuple(problems)
        raise error


def _table(file: str, differences: Sequence[Difference]) -> str:
    rows = [("port", "RTL", "description", "")]
    for one in differences:
        place = f" ({file}:{one.line})" if one.line else ""
        rows.append((one.port, one.rtl or "-", one.description or "-", one.why + place))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        lines.append(f"  {'  '.join(cells)}  {row[3]}".rstrip())
    return "\n".join(lines)


def _bits(count: int) -> str:
    return f"{count} bit" if count == 1 else f"{count} bits"


def _of_rtl(port: RtlPort) -> str:
    return f"{'inout' if port.direction == 'both' else port.direction} {_bits(port.bits)}"


def _described(port: Port) -> str:
    direction = _DIRECTIONS.get(port.direction, port.direction)
    return f"{'inout' if direction == 'both' else direction} {_bits(port.width)}"
