"""What a script has made so far: the designs of a project, and the current place in them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from pynq.design.tcl.netlist import Cell, InterfacePin, Netlist, Pin, Segment
from pynq.design.tcl.nets import Nets, inside, moved, parent
from pynq.design.tcl.words import CommandError

__all__ = ["Diagram", "Sheet"]

MAX_OBJECTS = 50_000
"""So many cells, pins, ends of nets and segments a script may make."""
MAX_TEXT = 32 << 20
"""So many characters its names and values may have, all together."""
MAX_NAME = 255
MAX_PATH = 4096
MAX_DEPTH = 32
MAX_NOTES = 500

_Thing = TypeVar("_Thing", Cell, Pin, InterfacePin)
_NAME = re.compile(r"[A-Za-z0-9_.\-\[\]:]+")


class Sheet:
    """One block design. Paths are without leading slash, the design itself is ""."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.here = ""  # the current instance
        self.cells: dict[str, Cell] = {}
        self.pins: dict[str, Pin] = {}
        self.interfaces: dict[str, InterfacePin] = {}
        self.wires = Nets()
        self.buses = Nets()
        self.segments: list[Segment] = []
        #: What a path was when a command last gave it out. Vivado's objects know their kind, words of Tcl
        #: don't, and a cell, a port and a net may have the same path.
        self.handed: dict[str, str] = {}

    def path(self, word: str) -> str:
        """The path that a word names: absolute with a leading slash, else from the current instance.

        Raises:
            CommandError: it can't be one.
        """
        word = word.strip()
        if not word.isprintable() or len(word) > MAX_PATH:
            raise CommandError(
                f"{word[:40]!r} is no path: it has control characters, or more than {MAX_PATH:,}"
            )
        if word.startswith("/"):
            return word.strip("/")
        if word.startswith("./"):
            word = word[2:]
        word = word.rstrip("/")
        if word in ("", "."):
            return self.here
        return f"{self.here}/{word}" if self.here else word

    def hand(self, path: str, kind: str) -> str:
        """The word by which the script gets an object."""
        self.handed[path] = kind
        return f"/{path}"

    def kind(self, path: str) -> str:
        """What a path is: "cell", "pin", "port", "intf_pin", "intf_port", "net", "intf_net", "addr_seg",
        "addr_space" or "" for nothing.
        """
        known = self.handed.get(path)
        if known and known not in ("net", "intf_net"):
            return known
        if not path or path in self.cells:
            return "cell"
        port = "port" if "/" not in path else "pin"
        if path in self.pins:
            return port
        if path in self.interfaces:
            return f"intf_{port}"
        if path in self.wires.all:
            return "net"
        if path in self.buses.all:
            return "intf_net"
        return known or ""

    def opaque(self, path: str) -> Cell | None:
        """The innermost cell on a path whose inside the script doesn't show (an IP, a module, a region)."""
        at = path
        while at:
            at = parent(at)
            cell = self.cells.get(at)
            if cell:
                return None if cell.kind == "hierarchy" else cell
        return None

    def holder(self, path: str) -> None:
        """Check that something may be made at a path.

        Raises:
            CommandError: what is to hold it is no hierarchy.
        """
        above = parent(path)
        cell = self.cells.get(above)
        if above and (cell is None or cell.kind != "hierarchy"):
            what = f"a cell of type {cell.kind}" if cell else "not there"
            raise CommandError(f"'/{path}' can't be made: '/{above}' is {what}, wanted a hierarchy")

    def move(self, old: str, new: str) -> None:
        """Follow a cell, port or pin of a hierarchy from one path to another."""
        self.cells = {moved(path, old, new): cell for path, cell in self.cells.items()}
        self.pins = {moved(path, old, new): pin for path, pin in self.pins.items()}
        self.interfaces = {moved(path, old, new): pin for path, pin in self.interfaces.items()}
        for things in (self.cells, self.pins, self.interfaces):
            for path, thing in things.items():
                thing.path = path
        self.wires.move(old, new)
        self.buses.move(old, new)
        for segment in self.segments:
            segment.space = moved(segment.space, old, new)
            segment.slave = moved(segment.slave, old, new)
        self.handed = {moved(path, old, new): kind for path, kind in self.handed.items()}
        self.here = moved(self.here, old, new)

    def delete(self, path: str) -> None:
        """Take a cell, port or pin away, with all in it."""

        def gone(one: str) -> bool:
            return one == path or inside(one, path)

        self.cells = {one: cell for one, cell in self.cells.items() if not gone(one)}
        self.pins = {one: pin for one, pin in self.pins.items() if not gone(one)}
        self.interfaces = {one: pin for one, pin in self.interfaces.items() if not gone(one)}
        self.wires.forget(gone)
        self.buses.forget(gone)
        self.segments = [one for one in self.segments if not gone(one.space) and not gone(one.slave)]
        self.handed = {one: kind for one, kind in self.handed.items() if not gone(one)}
        if gone(self.here):
            self.here = ""


class Diagram:
    """Everything that the commands of one script work on."""

    def __init__(self, version: str = "", defaults: Callable[[str], Mapping[str, str]] | None = None) -> None:
        self.version = version
        self.defaults = defaults or (lambda vlnv: {})
        self.line = 0  # of the command that runs
        self.sheets: dict[str, Sheet] = {}
        self.current = ""
        self.project: dict[str, str] = {}  # properties of the project, names in small letters
        self.notes: list[tuple[int, str]] = []
        self.complaints: list[tuple[int, str]] = []  # messages of severity ERROR that the script has sent
        self.finished = False  # by `exit`
        self.complete = False  # the design was saved or checked, and not changed since
        self.others: Mapping[str, str] = {}  # scripts that may be sourced, by their paths
        self.repositories: list[str] = []  # folders of IP that the script has named
        self.automated = False  # some of it was left to Vivado's automation
        self.exhausted = ""  # the bound that the script broke
        self._noted: set[tuple[int, str]] = set()
        self._objects = 0
        self._text = 0

    def sheet(self) -> Sheet:
        """The current design.

        Raises:
            CommandError: there is none.
        """
        if self.current not in self.sheets:
            raise CommandError("there is no open block design; create_bd_design makes one")
        return self.sheets[self.current]

    def note(self, text: str) -> None:
        """Say once a line that something does not count, or can't be known."""
        text = text if len(text) <= 500 else text[:497] + "..."
        if (self.line, text) not in self._noted and len(self.notes) < MAX_NOTES:
            self._noted.add((self.line, text))
            self.notes.append((self.line, text))

    def spend(self, text: int, objects: int = 1) -> None:
        """Count what the script makes.

        Raises:
            CommandError: it makes too much.
        """
        self.complete = self.complete and not objects
        self._objects += objects
        self._text += text
        if self._objects > MAX_OBJECTS:
            self.exhausted = f"the script makes more than {MAX_OBJECTS:,} objects"
        elif self._text > MAX_TEXT:
            self.exhausted = f"the script's names and values have more than {MAX_TEXT >> 20} MiB"
        if self.exhausted:
            raise CommandError(self.exhausted)

    def new(self, word: str, what: str) -> str:
        """The path of something to be made, checked and counted.

        Raises:
            CommandError: the name is none, or its place can't hold it.
        """
        path = self.sheet().path(word)
        name = path.rpartition("/")[2]
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME or word.strip() in ("", ".", "/"):
            shown = word if len(word) <= 60 else word[:57] + "..."
            raise CommandError(
                f"{shown!r} is no name for a {what}: wanted 1 to {MAX_NAME} of A-Z a-z 0-9 _ . -"
            )
        if path.count("/") >= MAX_DEPTH:
            raise CommandError(f"the {what} '{name}' is in more than {MAX_DEPTH} hierarchies")
        self.sheet().holder(path)
        self.spend(len(path))
        return path

    def copy(self, source: dict[str, _Thing], into: dict[str, _Thing], place: Callable[[str], str]) -> None:
        """Copy the things that ``place`` has a new path for."""
        for path, thing in list(source.items()):
            new = place(path)
            if new:
                made = copy.deepcopy(thing)
                made.path, made.line = new, self.line
                values = sum(len(value) for value in thing.parameters.values())
                self.spend(len(new) + values, 1 + len(thing.parameters))
                into[new] = made

    def netlist(self) -> Netlist | None:
        """The script's main design, None without any: the one that no other one has in a container.

        Of several, the one with the most cells.
        """
        if not self.sheets:
            return None
        used = {
            name.removesuffix(".bd")
            for sheet in self.sheets.values()
            for cell in sheet.cells.values()
            if cell.kind == "container"
            for name in (cell.type, *cell.parameters.get("LIST_SYNTH_BD", "").split(":"))
        }
        free = [sheet for sheet in self.sheets.values() if sheet.name not in used]
        top = max(free or self.sheets.values(), key=lambda sheet: len(sheet.cells))
        made = {name: self._made(sheet) for name, sheet in self.sheets.items()}
        main = made.pop(top.name)
        main.designs = made
        main.repositories = list(self.repositories)
        main.notes = list(self.notes)
        return main

    def _made(self, sheet: Sheet) -> Netlist:
        return Netlist(
            sheet.name,
            self.version,
            self.project.get("part", ""),
            self.project.get("board_part", ""),
            sheet.cells,
            sheet.pins,
            sheet.interfaces,
            list(sheet.wires.all.values()),
            list(sheet.buses.all.values()),
            sheet.segments,
        )
