"""What ``pynq check`` tells: the rules of the design, and those that need this machine."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pynq.backends.sim.assembly import behaves
from pynq.backends.sim.model import models
from pynq.backends.sim.models import load as load_models
from pynq.backends.sim.rtl import manifest
from pynq.backends.sim.rtl.prepared import beside
from pynq.backends.sim.rtl.resolve import mapped
from pynq.binding import DefaultHierarchy, DefaultIP, Plan, bind
from pynq.binding.drivers import registry
from pynq.cli.opened import opened
from pynq.design import Design
from pynq.design.bitfile import parse_bitfile
from pynq.design.check import RULES as DESIGN_RULES
from pynq.design.check import check, ordered
from pynq.design.findings import SEVERITIES, Facts, Finding, Hit, Rule, rule
from pynq.design.image_files import mismatch
from pynq.design.inside import contents
from pynq.design.locate import Located, image_of
from pynq.design.memories import is_memory
from pynq.design.model import CellKind
from pynq.errors import PynqError, RtlBuildError, VersionMismatchWarning
from pynq.overlay import Overlay

__all__ = ["OVERLAY_ATTRIBUTES", "RULES", "collect", "failed", "findings", "findings_of"]

#: What every overlay and hierarchy has of its own, beside the attributes of its class.
OVERLAY_ATTRIBUTES = (
    "binfile_name",
    "bit_data",
    "bitfile_name",
    "clock_dict",
    "description",
    "description_file",
    "device",
    "dtbo",
    "firmware_path",
    "gpio_dict",
    "hierarchy_dict",
    "ignore_version",
    "interrupt_controllers",
    "interrupt_pins",
    "ip_dict",
    "mem_dict",
    "parser",
    "partial",
    "pr_dict",
    "rtl",
    "systemgraph",
    "timestamp",
)
_HIERARCHY_ATTRIBUTES = ("bitstreams", "description", "device", "parsers")
_HANDOFF_TIME = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})\Z")
_BIT_TIME = re.compile(r"(\d{4})/(\d{2})/(\d{2})\Z")
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr)}


class _Machine(NamedTuple):
    """What a rule of this module looks at."""

    facts: Facts
    found: Located
    plan: Plan
    rtl: frozenset[str]

    @property
    def design(self) -> Design:
        return self.facts.design


@rule("bitstream-mismatch", "error")
def _mismatch(machine: _Machine) -> Iterator[Hit]:
    """The bitstream is for another part than the description, or can't be read.

    The two are of different builds, or even designs: what a program writes goes to other registers than it
    means, and the board refuses the bitstream, or hangs.

    Copy both files from the same build.
    """
    image = image_of(machine.found)
    if image is not None:
        try:
            reason = mismatch(image, machine.design)
        except PynqError as error:
            reason = str(error)
        if reason:
            yield Hit(
                str(image),
                reason,
                "copy bitstream and description from the same build",
                machine.design.source,
            )


@rule("bitstream-older", "warning")
def _older(machine: _Machine) -> Iterator[Hit]:
    """The bitstream was made before its description.

    Vivado writes the description first. A bitstream that is older is of an earlier build: addresses and
    interrupts may have moved since.

    Copy both files from the same build.
    """
    path = image_of(machine.found)
    if path is None or path.suffix.lower() != ".bit":
        return
    try:
        header = parse_bitfile(contents(path), str(path))
    except PynqError:
        return  # told by bitstream-mismatch
    written = _HANDOFF_TIME.match(machine.design.timestamp)
    made = _BIT_TIME.match(header.date)
    if written is None or made is None:
        return
    month, day, *clock, year = written.groups()
    before = (int(year), _MONTHS.get(month, 0), int(day), ":".join(clock))
    if (int(made[1]), int(made[2]), int(made[3]), header.time) < before:
        yield Hit(
            str(path),
            f"it was made {header.date} {header.time}, its description {machine.design.timestamp}",
            "copy bitstream and description from the same build",
            machine.design.source,
        )


@rule("name-clash", "warning")
def _clash(machine: _Machine) -> Iterator[Hit]:
    """A block has a name that overlays use themselves.

    `overlay.download` is the method, not a block of that name.

    Write `overlay["download"]`, or rename the block.
    """
    own = {"": {*dir(Overlay), *OVERLAY_ATTRIBUTES}}
    default = {*dir(DefaultHierarchy), *_HIERARCHY_ATTRIBUTES}
    for path, driver in machine.plan.hierarchies.items():
        own[path] = {*dir(driver), *_HIERARCHY_ATTRIBUTES}
    for path in (*machine.plan.ip, *machine.plan.hierarchies):
        owner, _, name = path.rpartition("/")
        if name in own.get(owner, default):
            cell = machine.design.cells.get(path)
            yield Hit(
                path,
                f"{name!r} is an attribute of every {'hierarchy' if owner else 'overlay'}",
                f'write overlay["{path}"], or rename the block',
                cell.source if cell is not None else machine.design.source,
            )


@rule("driver-version", "warning")
def _version(machine: _Machine) -> Iterator[Hit]:
    """There is a driver, but for another version of the IP.

    Drivers bind to the version that they were written for; the block gets `DefaultIP`.

    Load with `Overlay(..., ignore_version=True)` if the registers are the same, or add the version to the
    driver's `bindto`.
    """
    for note in machine.plan.warnings:
        if isinstance(note, VersionMismatchWarning):
            path = str(note).partition(" ")[0]
            cell = machine.design.cells.get(path)
            source = cell.source if cell is not None else machine.design.source
            yield Hit(path, str(note), "load with ignore_version=True if the registers are the same", source)


@rule("no-driver", "note")
def _driver(machine: _Machine) -> Iterator[Hit]:
    """No driver is bound to a block.

    It gets `DefaultIP`: registers by number, by name where the description has them, and a kernel's
    `start` and `call`. Drivers in a Python file beside the bitstream are not counted without `--companion`.

    Write a driver, if that is not enough: a class with `bindto`.
    """
    types: dict[str, list[str]] = {}
    for path, driver in machine.plan.ip.items():
        cell = machine.design.cells.get(path)
        if driver is DefaultIP and cell is not None and cell.kind in (CellKind.PERIPHERAL, CellKind.LOGIC):
            types.setdefault(cell.type, []).append(path)
    for name, paths in types.items():
        cell = machine.design.cells[paths[0]]
        registers = any(block.registers for block in cell.blocks)
        yield Hit(
            ", ".join(paths),
            f"no driver for {name or 'a block without type'}: DefaultIP, with registers by "
            f"{'name' if registers else 'number only'}",
            "write a driver with bindto, if that is not enough",
            cell.source,
        )


@rule("no-model", "note")
def _model(machine: _Machine) -> Iterator[Hit]:
    """The simulated board has no model for a block.

    There it is a register file: registers keep what is written, streams are not served, nothing interrupts.
    On a board it makes no difference.

    Write a model, or name its RTL in `NAME.sim.toml` beside the description.
    """
    load_models()
    cells = machine.design.cells
    types: dict[str, list[str]] = {}
    reached = {entry.slave for entry in machine.design.reachable if not is_memory(cells, entry)}
    for path, cell in cells.items():
        streams = any(one.protocol == "AXIS" for one in cell.interfaces.values())
        if (
            (path in reached or streams)
            and path not in machine.rtl
            and cell.kind in (CellKind.PERIPHERAL, CellKind.LOGIC)
            and not behaves(cell, models)
        ):
            types.setdefault(cell.type or cell.module_type, []).append(path)
    for name, paths in types.items():
        yield Hit(
            ", ".join(paths),
            f"no model for {name or 'a block without type'}: only registers that keep what is written",
            "write a model, or name its RTL, to run it on the simulated board",
            machine.design.cells[paths[0]].source,
        )


_HERE = (_mismatch, _older, _clash, _version, _driver, _model)
RULES: tuple[Rule, ...] = (*DESIGN_RULES, *_HERE)
"""All rules, in the documentation's order."""


def findings(
    file: Path, *, rules: Collection[str] = (), ignore: Collection[str] = (), run_companion: bool = False
) -> tuple[Design, tuple[Finding, ...]]:
    """Check what belongs to a file; with ``rules`` by these only, never by those to ``ignore``.

    Raises what :func:`pynq.design.locate` and :func:`pynq.design.read` raise.
    """
    found, design = opened(file, run_companion=run_companion)
    every = findings_of(design, found, bind(design, registry.snapshot()), _rtl(found.description, design))
    chosen = [one for one in every if (not rules or one.rule in rules) and one.rule not in ignore]
    return design, tuple(chosen)


def findings_of(design: Design, found: Located, plan: Plan, rtl: frozenset[str]) -> tuple[Finding, ...]:
    """Check a design that is read already: by the rules for designs and by those that need this machine.

    ``plan`` says which driver binds to what, ``rtl`` which cells the user's manifest makes RTL.
    """
    machine = _Machine(Facts(design), found, plan, rtl)
    here = (machine.facts.finding(one, hit) for one in _HERE for hit in one.find(machine))
    return tuple(ordered([*check(design), *here]))


def collect(file: Path, **options: Any) -> dict[str, Any]:
    """Return what :func:`findings` does as the JSON of ``pynq check --json``."""
    design, found = findings(file, **options)
    return {
        "name": design.name,
        "description": design.file,
        "findings": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "subject": one.subject,
                "message": one.message,
                "advice": one.advice,
                "file": one.source.file,
                "line": one.source.line,
            }
            for one in found
        ],
        **{f"{name}s": sum(one.severity == name for one in found) for name in SEVERITIES},
    }


def failed(found: dict[str, Any], *, strict: bool) -> bool:
    """Whether there is an error, or with ``strict`` a warning."""
    return bool(found["errors"] or (strict and found["warnings"]))


def _rtl(description: Path, design: Design) -> frozenset[str]:
    """The cells that a manifest beside the description makes RTL."""
    path = beside(description)
    try:
        return frozenset(mapped(manifest.load(path), design)[0]) if path is not None else frozenset()
    except RtlBuildError:
        return frozenset()  # `pynq inspect` and the loading of the overlay say what is wrong with it
