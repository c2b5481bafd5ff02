"""Reader of IP-XACT components (``component.xml``, IEEE 1685-2009, -2014 and -2022): which files make the IP.

Only what building needs is kept: views with their model's name and file sets, files with their kind, macros
and include marks, ports with their default levels. :mod:`pynq.design.ipxact` reads the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pynq.backends.sim.rtl.naming import Associations
from pynq.design import xmltree
from pynq.design.xmltree import Node
from pynq.errors import DesignError, DesignNotFoundError, Problem, RtlBuildError

__all__ = ["Component", "File", "View", "read", "read_bytes"]

_VHDL = (".vhd", ".vhdl")
_HEADERS = (".vh", ".svh", ".h", ".inc")
_VERILOG = (".v", ".sv", ".vo")


@dataclass(frozen=True)
class File:
    """A file of a component: path relative to it, kind, whether it is only included, macros set for it."""

    name: str
    kind: str  # "verilog", "vhdl", "header", "data" or the file type as it stands
    defines: Mapping[str, str]
    line: int


@dataclass(frozen=True)
class View:
    """A view of a component: what one tool needs. ``top`` is its model's name."""

    name: str
    environment: str
    language: str
    top: str
    file_sets: tuple[str, ...]


@dataclass(frozen=True)
class Component:
    """What a component.xml says. ``levels`` are the defaults of input ports that may stay unconnected."""

    path: Path
    vlnv: str
    views: tuple[View, ...]
    file_sets: Mapping[str, tuple[File, ...]]
    cores: Mapping[str, tuple[str, ...]]  # file set -> other cores that it refers to
    levels: Mapping[str, int]
    associations: Associations

    def view(self) -> View:
        """Return the view to build: for synthesis before simulation, Verilog before VHDL.

        What synthesis takes is what a board gets. Raises :class:`~pynq.errors.RtlBuildError` where no view
        has Verilog or VHDL.
        """
        ranked = []
        for place, view in enumerate(self.views):
            kinds = {file.kind for file in self.files(view)}
            if not kinds & {"verilog", "vhdl"}:
                continue
            words = f"{view.name} {view.environment}".lower()
            purpose = 0 if "synth" in words else 1 if "simul" in words or "behav" in words else 2
            ranked.append(("test" in words, purpose, "vhdl" in kinds, place, view))
        if not ranked:
            names = ", ".join(view.name for view in self.views) or "none"
            raise RtlBuildError(
                [Problem(str(self.path), 0, f"no view has Verilog or VHDL files; views: {names}")]
            )
        return min(ranked, key=lambda one: one[:-1])[-1]

    def files(self, view: View) -> Iterator[File]:
        """Yield the files of a view, each once."""
        seen = set()
        for name in view.file_sets:
            for file in self.file_sets.get(name, ()):
                if file.name not in seen:
                    seen.add(file.name)
                    yield file


def read(path: Path) -> Component:
    """Read a component.xml.

    Raises :class:`~pynq.errors.RtlBuildError` with the reason, file and line, for one that can't be used.
    """
    try:
        return _component(xmltree.component(xmltree.load(path), path), path)
    except DesignNotFoundError as error:
        raise RtlBuildError([Problem(str(path), 0, "can't be read: No such file or directory")]) from error
    except DesignError as error:
        raise RtlBuildError(error.problems) from error


def read_bytes(data: bytes, path: Path) -> Component:
    """Do the same from memory; ``path`` is what errors call it."""
    try:
        return _component(xmltree.component(data, path), path)
    except DesignError as error:
        raise RtlBuildError(error.problems) from error


def _component(root: Node, path: Path) -> Component:
    sets: dict[str, tuple[File, ...]] = {}
    cores: dict[str, tuple[str, ...]] = {}
    for one in root.all("fileSets", "fileSet"):
        name = one.text("name")
        sets[name] = tuple(_file(entry) for entry in one.all("file"))
        references = [node for node in one.descendants() if node.tag == "subCoreRef"]
        cores[name] = tuple(
            ":".join(node.attributes.get(part, "") for part in ("vendor", "library", "name", "version"))
            for reference in references
            for node in reference.descendants()
            if node.tag == "componentRef"
        )
    return Component(
        path,
        ":".join(root.text(part) for part in ("vendor", "library", "name", "version")),
        tuple(_views(root)),
        sets,
        cores,
        dict(_levels(root)),
        _associations(root),
    )


def _views(root: Node) -> Iterator[View]:
    # 1685-2009: model/views/view holds everything. Since 1685-2014 a view refers to an instantiation.
    made = {node.text("name"): node for node in root.all("model", "instantiations", "componentInstantiation")}
    for view in root.all("model", "views", "view"):
        holder = made.get(view.text("componentInstantiationRef"), view)
        # fileSetRef/localName in both; a plain text in files of some tools.
        sets = [node.text("localName") or "".join(node.words).strip() for node in holder.all("fileSetRef")]
        yield View(
            view.text("name"),
            view.text("envIdentifier"),
            holder.text("language").lower(),
            holder.text("modelName") or holder.text("moduleName"),
            tuple(sets),
        )


def _file(node: Node) -> File:
    name = node.text("name")
    types = ["".join(one.words).strip() for one in (*node.all("fileType"), *node.all("userFileType"))]
    types += [one.attributes.get("user", "") for one in node.all("fileType")]
    include = node.text("isIncludeFile").lower() == "true"
    suffix = Path(name).suffix.lower()
    words = " ".join(types).lower()
    if include or suffix in _HEADERS:
        kind = "header"
    elif suffix in _VHDL or (words.startswith("vhdl") and suffix not in _VERILOG):
        kind = "vhdl"
    elif suffix in _VERILOG or "verilogsource" in words:
        kind = "verilog"
    else:
        kind = suffix.lstrip(".") if suffix in (".xci", ".xdc", ".tcl") else "data"
    defines = {one.text("name"): one.text("value") or "1" for one in node.all("define")}
    return File(name, kind, defines, node.line)


def _levels(root: Node) -> Iterator[tuple[str, int]]:
    for port in root.all("model", "ports", "port"):
        wire = port.all("wire")
        if not wire or wire[0].text("direction") != "in":
            continue
        text = wire[0].text("driver", "defaultValue") or wire[0].text("drivers", "driver", "defaultValue")
        try:
            yield port.text("name"), int(text.strip('"'), 0)
        except ValueError:
            continue  # none, or an expression


def _associations(root: Node) -> Associations:
    """Return what the clocks' bus interfaces say of the buses and resets that go with them."""
    buses: dict[str, tuple[str, ...]] = {}
    resets: dict[str, tuple[str, ...]] = {}
    for bus in root.all("busInterfaces", "busInterface"):
        values = {
            node.text("name").upper(): node.text("value") for node in bus.all("parameters", "parameter")
        }
        names = [
            *bus.all("portMaps", "portMap", "physicalPort", "name"),
            *bus.all("abstractionTypes", "abstractionType", "portMaps", "portMap", "physicalPort", "name"),
        ]
        for port in ("".join(node.words).strip().lower() for node in names):
            if "ASSOCIATED_BUSIF" in values:
                buses[port] = tuple(values["ASSOCIATED_BUSIF"].lower().split(":"))
            if "ASSOCIATED_RESET" in values:
                resets[port] = tuple(values["ASSOCIATED_RESET"].lower().split(":"))
    return Associations(buses, resets)
