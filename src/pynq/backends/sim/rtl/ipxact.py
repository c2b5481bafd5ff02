"""Reader of IP-XACT components (``component.xml``, IEEE 1685-2009, -2014 and -2022): which files make the IP.

As with hand-off files, document type declarations are refused, and size, depth and number of elements are
bounded. Only what building needs is kept: views with their model's name and file sets, files with their kind,
macros and include marks, ports with their default levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from pynq.backends.sim.rtl.naming import Associations
from pynq.errors import Problem, RtlBuildError

__all__ = ["MAX_BYTES", "Component", "File", "View", "read", "read_bytes"]

MAX_BYTES = 64 << 20
"""Largest component that is read, in bytes."""
MAX_DEPTH = 64
MAX_ELEMENTS = 2_000_000

_NAMESPACES = ("spiritconsortium.org", "accellera.org")
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
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RtlBuildError([Problem(str(path), 0, f"can't be read: {error.strerror}")]) from error
    return read_bytes(data, path)


def read_bytes(data: bytes, path: Path) -> Component:
    """Do the same from memory; ``path`` is what errors call it."""
    if len(data) > MAX_BYTES:
        raise RtlBuildError([Problem(str(path), 0, f"is larger than {MAX_BYTES >> 20} MiB")])
    root = _Tree(path).parse(data)
    if root.tag != "component":
        message = f"the root element is <{root.tag}>: no IP-XACT component (IEEE 1685)"
        raise RtlBuildError([Problem(str(path), root.line, message)])
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


@dataclass
class _Node:
    tag: str
    attributes: dict[str, str]
    line: int
    words: list[str] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)

    def all(self, *tags: str) -> list[_Node]:
        found = [self]
        for tag in tags:
            found = [child for node in found for child in node.children if child.tag == tag]
        return found

    def text(self, *tags: str) -> str:
        found = self.all(*tags)
        return "".join(found[0].words).strip() if found else ""

    def descendants(self) -> Iterator[_Node]:
        todo = list(reversed(self.children))
        while todo:
            node = todo.pop()
            yield node
            todo += reversed(node.children)


class _Tree:
    """Builds a plain tree of the elements of IP-XACT's own namespaces; extensions of vendors are kept too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._root: _Node | None = None
        self._stack: list[_Node] = []
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def parse(self, data: bytes) -> _Node:
        parser = self._parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, str(error))
            raise self._refuse(error.lineno, f"is not well-formed XML: {reason}") from error
        except (LookupError, ValueError) as error:  # an encoding that is not known
            raise self._refuse(1, f"has an encoding that can't be read ({error})") from error
        finally:
            parser.StartElementHandler = parser.EndElementHandler = None
            parser.CharacterDataHandler = parser.StartDoctypeDeclHandler = None
        assert self._root is not None  # expat refuses a document without elements
        return self._root

    def _refuse(self, line: int, message: str) -> RtlBuildError:
        return RtlBuildError([Problem(str(self._path), line, message)])

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        self._count += 1
        if len(self._stack) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise self._refuse(
                line, f"is nested deeper than {MAX_DEPTH} or has more than {MAX_ELEMENTS} elements"
            )
        space, _, name = tag.rpartition(" ")
        known = not space or any(one in space for one in _NAMESPACES)
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        # An extension may use names of the standard for something else: only references are of interest.
        node = _Node(name if known or "ref" in name.lower() else f"{space} {name}", plain, line)
        if self._stack:
            self._stack[-1].children.append(node)
        else:
            self._root = node
        self._stack.append(node)

    def _end(self, tag: str) -> None:
        self._stack.pop()

    def _characters(self, data: str) -> None:
        self._stack[-1].words.append(data)

    def _doctype(self, name: str, system: str | None, public: str | None, internal: int) -> None:
        line = self._parser.CurrentLineNumber
        raise self._refuse(
            line, f"has a document type declaration (<!DOCTYPE {name}>): refused, components have none"
        )


def _views(root: _Node) -> Iterator[View]:
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


def _file(node: _Node) -> File:
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


def _levels(root: _Node) -> Iterator[tuple[str, int]]:
    for port in root.all("model", "ports", "port"):
        wire = port.all("wire")
        if not wire or wire[0].text("direction") != "in":
            continue
        text = wire[0].text("driver", "defaultValue") or wire[0].text("drivers", "driver", "defaultValue")
        try:
            yield port.text("name"), int(text.strip('"'), 0)
        except ValueError:
            continue  # none, or an expression


def _associations(root: _Node) -> Associations:
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
