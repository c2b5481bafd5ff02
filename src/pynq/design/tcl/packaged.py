"""IP of the user's own: what its packager has written beside the script, ``component.xml``.

Vivado's catalogue has what the folders of ``ip_repo_paths`` hold; a script comes with those folders, or with
some of them. Here they are looked for below the script's own folder alone, whatever path the script says:
``/home/me/project/ip`` is looked for as ``home/me/project/ip``, ..., ``ip``. Folders of usual names are
looked into as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pynq.design import ipxact
from pynq.design.model import AddressBlock, BusInterface, Port, SourceRef
from pynq.design.tcl.catalogue import InterfaceType, IpType, PortType, Width
from pynq.design.tcl.netlist import Cell
from pynq.design.xmltree import load
from pynq.errors import DesignError, DesignNotFoundError, Problem

__all__ = ["FOLDERS", "MAX_COMPONENTS", "MAX_DEPTH", "MAX_FOLDERS", "Packaged", "PackagedType"]

FOLDERS = ("ip", "ips", "ip_repo", "iprepo", "ip_repos")
"""Folders beside a script that are looked into without its saying so."""
MAX_DEPTH = 8
"""Deepest folder below such a one."""
MAX_FOLDERS = 2_000
"""Most folders that are looked into."""
MAX_COMPONENTS = 500
"""Most components that are looked at."""
_OF_VENDOR = "xilinx.com:ip:"  # these are in the table of common IP
_ROLES = {"MASTER": "INITIATOR", "SLAVE": "TARGET"}  # of buses without addresses, in hand-off files


@dataclass(frozen=True)
class PackagedType(IpType):
    """An IP as its component has it, for the parameters of one cell."""

    packaged: tuple[AddressBlock, ...] = ()

    def blocks(
        self, source: SourceRef, release: str, parameters: Mapping[str, str]
    ) -> tuple[AddressBlock, ...]:
        """Return the component's address blocks; their source is the component's file."""
        return self.packaged

    def blocks_of(self, release: str) -> list[Any]:
        """Return name, interface, offset and range of each block."""
        return [[one.name, one.interface, one.offset, one.range] for one in self.packaged]


class Packaged:
    """The components below a script's folder; they are looked for when a cell first needs one.

    ``notes`` has what was found and can't be used.
    """

    def __init__(self, script: str, repositories: Iterable[str] = ()) -> None:
        self._script = script
        self._home = Path(script).absolute().parent
        self._repositories = list(repositories)
        self._files: dict[str, Path] | None = None
        self._known: dict[tuple[Any, ...], PackagedType | None] = {}
        self.notes: list[Problem] = []

    def of(self, cell: Cell) -> PackagedType | None:
        """Return what a component says of a cell; None where there is none for its type."""
        parts = cell.type.split(":")
        if cell.kind != "ip" or len(parts) not in (3, 4) or cell.type.startswith(_OF_VENDOR):
            return None
        path = self._file(parts)
        if path is None:
            return None
        key = (path, *sorted(cell.parameters.items()))
        if key not in self._known:
            self._known[key] = None
            try:
                self._known[key] = self._read(path, cell.parameters)
            except (DesignError, DesignNotFoundError) as error:
                self._refuse(path, error)
        return self._known[key]

    def _refuse(self, path: Path, error: Exception) -> None:
        self.notes.append(Problem(self._script, 0, f"the component {path} can't be used: {error}"))

    def _read(self, path: Path, parameters: Mapping[str, str]) -> PackagedType:
        found = ipxact.packaged(path, parameters)
        self.notes += found.notes
        cell = found.cell
        assert cell.vlnv is not None
        buses = [bus for bus in cell.interfaces.values() if bus.vlnv and bus.vlnv.library != "signal"]
        return PackagedType(
            name=cell.vlnv.without_version,
            version=cell.vlnv.version,
            attributes={},
            versions={},
            parameters={name: text for name, text in cell.parameters.items() if name != "Component_Name"},
            follows={},
            ports={port.name: _port(port, port.name in found.hidden) for port in cell.ports.values()},
            interfaces={bus.name: _interface(bus, bus.name in found.hidden) for bus in buses},
            memories=frozenset(
                f"{block.interface.lower()}/{block.name}" for block in cell.blocks if block.usage == "memory"
            ),
            packaged=cell.blocks,
        )

    # -- files ----
    def _file(self, parts: list[str]) -> Path | None:
        """The component of a type, of the same version if there is one."""
        if self._files is None:
            self._files = self._found()
        exact = self._files.get(":".join(parts))
        if exact is None:
            start = ":".join(parts[:3]) + ":"
            others = [kind for kind in self._files if kind.startswith(start)]
            exact = self._files[others[-1]] if others else None
            if exact is not None and len(parts) == 4:
                text = f"the component {exact} is {others[-1]}; the script wants version {parts[3]}"
                note = Problem(self._script, 0, text)
                if note not in self.notes:
                    self.notes.append(note)
        return exact

    def _found(self) -> dict[str, Path]:
        """Every component by its type, in the order of their paths; of two of a type, the first."""
        files: dict[str, Path] = {}
        for path in self._walk():
            try:
                kind = str(ipxact.type_of(load(path), path))
            except (DesignError, DesignNotFoundError) as error:
                self._refuse(path, error)
                continue
            files.setdefault(kind, path)
        return files

    def _starts(self) -> Iterator[Path]:
        for folder in self._repositories:
            parts = PurePosixPath(folder.replace("\\", "/")).parts
            plain = [part for part in parts if part not in ("/", "//", "..") and not part.endswith(":")]
            tails = (self._home.joinpath(*plain[start:]) for start in range(len(plain) + (not plain)))
            yield from [one for one in tails if _is_folder(one)][:1]
        yield from (self._home / name for name in FOLDERS)

    def _walk(self) -> Iterator[Path]:
        home = os.path.realpath(self._home)
        left = MAX_FOLDERS
        seen: set[str] = set()
        components = 0
        for start in (self._home, *self._starts()):
            if not _is_folder(start) or os.path.commonpath([home, os.path.realpath(start)]) != home:
                continue
            for place, folders, names in os.walk(start):
                deep = len(Path(place).relative_to(start).parts)
                # Of the script's own folder only what lies in it; links are not followed.
                folders[:] = sorted(folders) if start != self._home and deep < MAX_DEPTH else []
                real = os.path.realpath(place)
                if real in seen:
                    continue
                seen.add(real)
                left -= 1
                if "component.xml" in names:
                    components += 1
                    yield Path(place, "component.xml")
                if left <= 0 or components >= MAX_COMPONENTS:
                    text = f"more than {MAX_FOLDERS} folders or {MAX_COMPONENTS} components beside the script"
                    self.notes.append(Problem(self._script, 0, f"{text}: the rest is not looked at"))
                    return


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # a name that is too long, or has a NUL


def _port(port: Port, hidden: bool) -> PortType:
    if port.left is None or port.right is None:
        width = Width()
    elif port.right == 0:
        width = Width(bits=port.left + 1)
    else:
        width = Width(bounds=(port.left, port.right))
    when = "used" if hidden else None
    return PortType(port.name, port.direction, port.kind, width, when, port.sensitivity, port.polarity)


def _protocol(bus: BusInterface) -> str:
    """The protocol by the signals (IHI 0022), as Vivado finds it where the packager has written none."""
    if "WID" in bus.port_map:
        return "AXI3"
    return "AXI4" if {"AWLEN", "ARLEN"} & set(bus.port_map) else "AXI4LITE"


def _interface(bus: BusInterface, hidden: bool) -> InterfaceType:
    mapped = bus.vlnv is not None and bus.vlnv.name == "aximm"
    return InterfaceType(
        name=bus.name,
        role=bus.role if mapped else _ROLES.get(bus.role, bus.role),
        vlnv=str(bus.vlnv),
        when="used" if hidden else None,
        protocol=(bus.protocol or _protocol(bus)) if mapped else "",
        ports=bus.port_map,
        parameters=bus.parameters,
    )
