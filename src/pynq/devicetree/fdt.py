"""The flattened device tree: a tree of nodes in memory, and its binary form.

The binary form is that of the Devicetree Specification, release v0.4, chapter 5 ("DTB"), version 17; version
16 is read as well. Everything in it is big-endian. What is read may come from anywhere: sizes, offsets,
depth and names are checked, and what is wrong is a :class:`~pynq.errors.DeviceTreeError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pynq.errors import DeviceTreeError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Label",
    "Node",
    "Phandles",
    "Tree",
    "cells",
    "check_name",
    "read",
    "resolve",
    "strings",
    "write",
]

MAX_BYTES = 16 << 20
"""Largest blob that is read or written; those of real boards have some 100 KiB."""
MAX_DEPTH = 64
"""Deepest nesting of nodes; Linux unflattens no deeper tree (drivers/of/fdt.c, FDT_MAX_DEPTH)."""
MAX_NAME = 255
"""Longest name of a node or property. The specification has 31, which real trees do not keep to."""

_MAGIC = 0xD00DFEED
_VERSION, _COMPATIBLE = 17, 16
_HEADER = struct.Struct(">10I")
_RESERVATION = struct.Struct(">QQ")
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9
_CELL = struct.Struct(">I")
UNRESOLVED = 0xFFFFFFFF
"""What stands where the phandle of a label is to be."""


class Label(NamedTuple):
    """A reference to the node of that label: ``node.set("interrupt-parent", Label("gic"))``."""

    name: str


def cells(*values: int, size: int = 1) -> bytes:
    """Return numbers as a property's value, each of ``size`` cells (32 bits each)."""
    try:
        return b"".join(value.to_bytes(4 * size, "big") for value in values)
    except OverflowError:
        wrong = next(value for value in values if not 0 <= value < 1 << 32 * size)
        raise DeviceTreeError(f"{wrong:#x} does not fit {size} cell{'s' if size > 1 else ''}") from None


def strings(*values: str) -> bytes:
    """Return texts as a property's value: each with a NUL at its end."""
    return b"".join(value.encode() + b"\0" for value in values)


@dataclass
class Node:
    """A node: ``properties`` are bytes by name, in order.

    ``label`` and ``references`` (by property: the label at which byte) are what a source text has and a blob
    has not; :func:`resolve` and :func:`pynq.devicetree.overlay.make` turn them into phandles.
    """

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    label: str = field(default="", compare=False)
    references: dict[str, dict[int, str]] = field(default_factory=dict, compare=False)

    # -- properties ------------------------------------------------------------------------------------------
    def set(self, name: str, *values: int | str | bytes | Label) -> None:
        """Set a property: numbers become a cell each, texts end with a NUL, bytes are as they are, a label
        becomes the phandle of its node. Without values it is empty, which means true.
        """
        data, references = b"", {}
        for value in values:
            if isinstance(value, Label):
                references[len(data)] = value.name
                data += cells(UNRESOLVED)
            elif isinstance(value, int):
                data += cells(value)
            else:
                data += strings(value) if isinstance(value, str) else value
        self.properties[name] = data
        if references:
            self.references[name] = references
        else:
            self.references.pop(name, None)

    def cells(self, name: str) -> tuple[int, ...]:
        """Return a property as numbers of 32 bits; nothing where there is no such property."""
        data = self.properties.get(name, b"")
        if len(data) % 4:
            raise DeviceTreeError(f"node {self.name!r}: {name} has {len(data)} bytes, which are no cells")
        return struct.unpack(f">{len(data) // 4}I", data)

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a property as texts; nothing where there is no such property."""
        data = self.properties.get(name, b"")
        return tuple(part.decode(errors="replace") for part in data.removesuffix(b"\0").split(b"\0") if part)

    def text(self, name: str) -> str:
        """Return a property's first text, "" where there is none."""
        return next(iter(self.strings(name)), "")

    @property
    def phandle(self) -> int | None:
        """The number by which others refer to this node."""
        for name in ("phandle", "linux,phandle"):
            value = self.cells(name)
            if value:
                return value[0]
        return None

    # -- nodes -----------------------------------------------------------------------------------------------
    def child(self, name: str) -> Node | None:
        """Return the child of that name; a name without ``@`` also finds one with an address."""
        for node in self.children:
            if node.name == name:
                return node
        if "@" not in name:
            return next((node for node in self.children if node.name.partition("@")[0] == name), None)
        return None

    def find(self, path: str) -> Node | None:
        """Return the node at a path below this one ("/soc/serial@0"; "/": this one)."""
        node: Node | None = self
        for name in path.split("/"):
            if name and node is not None:
                node = node.child(name)
        return node

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Return every node with its path, this one ("/") first, parents before children."""
        pending = [(path or "/", self)]
        while pending:
            place, node = pending.pop()
            yield place, node
            inner = place.rstrip("/")
            pending += [(f"{inner}/{child.name}", child) for child in reversed(node.children)]

    def with_compatible(self, *kinds: str) -> Iterator[tuple[str, Node]]:
        """Return the nodes below that are compatible to one of these."""
        for path, node in self.walk():
            if not set(kinds).isdisjoint(node.strings("compatible")):
                yield path, node

    def remove(self, path: str) -> None:
        """Remove the node at a path, with all below; one that is not there is fine."""
        parent, _, name = path.rstrip("/").rpartition("/")
        holder = self.find(parent)
        node = holder.child(name) if holder is not None else None
        if holder is not None and node is not None:
            holder.children = [child for child in holder.children if child is not node]

    def copy(self) -> Node:
        """Return a copy that shares nothing with this one."""
        return Node(
            self.name,
            dict(self.properties),
            [child.copy() for child in self.children],
            self.label,
            {name: dict(places) for name, places in self.references.items()},
        )


@dataclass
class Tree(Node):
    """The root of a tree: ``reservations`` are (address, bytes) that the system is to leave alone."""

    name: str = ""
    reservations: tuple[tuple[int, int], ...] = ()
    boot_cpu: int = 0

    @property
    def labels(self) -> dict[str, str]:
        """Path by label, where the tree tells (``__symbols__``)."""
        symbols = self.child("__symbols__")
        return {} if symbols is None else {name: symbols.text(name) for name in symbols.properties}

    def by_phandle(self, phandle: int) -> tuple[str, Node] | None:
        """Return path and node of a phandle, None where no node has it."""
        return next(((path, node) for path, node in self.walk() if node.phandle == phandle), None)

    def copy(self) -> Tree:
        """Return a copy that shares nothing with this one."""
        node = super().copy()
        return Tree(
            node.name,
            node.properties,
            node.children,
            node.label,
            node.references,
            self.reservations,
            self.boot_cpu,
        )


class Phandles:
    """Gives nodes of a tree phandles that no other node has."""

    def __init__(self, tree: Tree) -> None:
        self.last = max((node.phandle or 0 for _, node in tree.walk()), default=0)

    def of(self, node: Node) -> int:
        """Return a node's phandle, a new one where it had none."""
        number = node.phandle
        if number is None:
            self.last += 1
            number = self.last
            node.set("phandle", number)
        return number


def resolve(tree: Tree) -> None:
    """Turn the labels in a whole tree into phandles.

    Nodes that are referred to get one; labels of ``__symbols__`` count. Raises
    :class:`~pynq.errors.DeviceTreeError` for a label that no node has, or two have.
    """
    nodes = dict(tree.walk())
    found = {name: nodes[path] for name, path in tree.labels.items() if path in nodes}
    for path, node in nodes.items():
        if node.label and found.setdefault(node.label, node) is not node:
            raise DeviceTreeError(f"{path}: label {node.label!r} is that of another node, too")
    phandles = Phandles(tree)
    for path, node in nodes.items():
        for name, places in node.references.items():
            for offset, label in places.items():
                if label not in found:
                    known = ", ".join(sorted(found)) or "none"
                    raise DeviceTreeError(f"{path}: {name} refers to label {label!r}; known: {known}")
                put_cell(node, name, offset, phandles.of(found[label]))
        node.references = {}


def put_cell(node: Node, name: str, offset: int, value: int) -> None:
    """Replace one cell of a property."""
    data = node.properties.get(name, b"")
    if not 0 <= offset <= len(data) - 4:
        raise DeviceTreeError(f"node {node.name!r}: {name} has no cell at byte {offset}")
    node.properties[name] = data[:offset] + _CELL.pack(value & 0xFFFFFFFF) + data[offset + 4 :]


def check_name(name: str, what: str) -> str:
    """Return a name that a tree may hold. Raises :class:`~pynq.errors.DeviceTreeError` for any other."""
    if not 0 < len(name) <= MAX_NAME or "/" in name or not all("!" <= char <= "~" for char in name):
        raise DeviceTreeError(
            f"{what} {name[:40]!r}: expected 1 to {MAX_NAME} printable ASCII characters, none of them '/'"
        )
    return name


# -- reading -------------------------------------------------------------------------------------------------


def read(data: bytes | bytearray | memoryview) -> Tree:
    """Return the tree that a blob (.dtb, .dtbo, ``/sys/firmware/fdt``) holds.

    Bytes after the size that its header names are left alone. Raises :class:`~pynq.errors.DeviceTreeError`
    for anything that is no device tree of version 16 or 17, or is damaged.
    """
    return _Reader(bytes(data)).tree()


class _Reader:
    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER.size or _CELL.unpack_from(data)[0] != _MAGIC:
            raise DeviceTreeError(f"no device tree: {len(data)} bytes that do not begin with d00dfeed")
        (_, total, self.start, self.names, self.reserved, version, oldest, self.cpu, length, extent) = (
            _HEADER.unpack_from(data)
        )
        if version < _COMPATIBLE or oldest > _VERSION:
            raise DeviceTreeError(f"device tree of version {version}: expected {_COMPATIBLE} or {_VERSION}")
        if total > MAX_BYTES or total > len(data):
            raise DeviceTreeError(
                f"device tree of {total} bytes: there are {len(data)}, and at most {MAX_BYTES} are read"
            )
        self.data = data[:total]
        # Version 16 does not tell the size of the structure block.
        self.end = self.start + extent if version > _COMPATIBLE else total
        self.names_end = self.names + length
        for what, begin, end in (
            ("structure", self.start, self.end),
            ("strings", self.names, self.names_end),
            ("reservation", self.reserved, self.reserved + _RESERVATION.size),
        ):
            if begin < _HEADER.size - 4 or end > total:
                raise DeviceTreeError(
                    f"device tree: its {what} block is at {begin} to {end} of {total} bytes"
                )
        if self.start % 4:
            raise DeviceTreeError(f"device tree: its structure block begins at byte {self.start}")
        self.place = self.start
        self.known: dict[int, str] = {}

    def tree(self) -> Tree:
        tree = Tree(reservations=tuple(self._reservations()), boot_cpu=self.cpu)
        if self._token() != _BEGIN_NODE or self._name() != "":
            raise self._damage("the root node is missing")
        path: list[tuple[Node, set[str]]] = [(tree, set())]
        while path:
            token = self._token()
            node, children = path[-1]
            if token == _BEGIN_NODE:
                child = Node(check_name(self._name(), "node"))
                if child.name in children:
                    raise self._damage(f"node {node.name!r} has two children {child.name!r}")
                if len(path) > MAX_DEPTH:
                    raise self._damage(f"nodes are nested deeper than {MAX_DEPTH}")
                children.add(child.name)
                node.children.append(child)
                path.append((child, set()))
            elif token == _PROP:
                name, value = self._property()
                if name in node.properties:
                    raise self._damage(f"node {node.name!r} has two properties {name!r}")
                node.properties[name] = value
            elif token == _END_NODE:
                path.pop()
            else:
                raise self._damage(f"token {token:#x} inside node {node.name!r}")
        if self._token() != _END:
            raise self._damage("something follows the root node")
        return tree

    def _reservations(self) -> Iterator[tuple[int, int]]:
        place = self.reserved
        while place + _RESERVATION.size <= len(self.data):
            address, size = _RESERVATION.unpack_from(self.data, place)
            if not address and not size:
                return
            yield address, size
            place += _RESERVATION.size
        raise DeviceTreeError("device tree: its memory reservations have no end")

    def _cell(self) -> int:
        if self.place + 4 > self.end:
            raise self._damage("the structure block ends too early")
        (value,) = _CELL.unpack_from(self.data, self.place)
        self.place += 4
        return int(value)

    def _token(self) -> int:
        while (token := self._cell()) == _NOP:
            pass
        return token

    def _name(self) -> str:
        end = self.data.find(b"\0", self.place, min(self.end, self.place + MAX_NAME + 1))
        if end < 0:
            raise self._damage(f"a node's name is longer than {MAX_NAME}")
        name = self.data[self.place : end].decode("latin-1")
        self.place = (end + 4) & ~3  # the NUL, and up to the next cell
        return name

    def _property(self) -> tuple[str, bytes]:
        length, offset = self._cell(), self._cell()
        if length > self.end - self.place:
            raise self._damage(f"a property of {length} bytes")
        value = self.data[self.place : self.place + length]
        self.place = (self.place + length + 3) & ~3
        if offset not in self.known:
            begin = self.names + offset
            end = self.data.find(b"\0", begin, min(self.names_end, begin + MAX_NAME + 1))
            if end < 0:
                raise self._damage(f"a property's name at {offset} of the strings block")
            self.known[offset] = check_name(self.data[begin:end].decode("latin-1"), "property")
        return self.known[offset], value

    def _damage(self, what: str) -> DeviceTreeError:
        return DeviceTreeError(f"damaged device tree, byte {self.place}: {what}")


# -- writing -------------------------------------------------------------------------------------------------


def write(node: Node) -> bytes:
    """Return the blob (version 17) of the tree whose root ``node`` is.

    Raises :class:`~pynq.errors.DeviceTreeError` for names that can't be, two children of one name, labels
    that :func:`resolve` was not asked to resolve, and a tree that is too deep or too large.
    """
    names = _Names()
    structure = bytearray()
    _write_node(structure, names, node, "", 0)
    structure += _CELL.pack(_END)
    tree = node if isinstance(node, Tree) else Tree()
    reservations = b"".join(_RESERVATION.pack(*entry) for entry in (*tree.reservations, (0, 0)))
    start = _HEADER.size + len(reservations)
    total = start + len(structure) + len(names.data)
    if total > MAX_BYTES:
        raise DeviceTreeError(f"device tree of {total} bytes: at most {MAX_BYTES} are written")
    header = _HEADER.pack(
        _MAGIC,
        total,
        start,
        start + len(structure),
        _HEADER.size,
        _VERSION,
        _COMPATIBLE,
        tree.boot_cpu,
        len(names.data),
        len(structure),
    )
    return b"".join((header, reservations, structure, names.data))


class _Names:
    """The strings block."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.places: dict[str, int] = {}

    def place(self, name: str) -> int:
        if name not in self.places:
            self.places[name] = len(self.data)
            self.data += check_name(name, "property").encode() + b"\0"
        return self.places[name]


def _write_node(out: bytearray, names: _Names, node: Node, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DeviceTreeError(f"{path[:80]}...: nodes are nested deeper than {MAX_DEPTH}")
    if node.references:
        label = next(iter(next(iter(node.references.values())).values()))
        raise DeviceTreeError(f"{path or '/'}: label {label!r} is not resolved")
    name = check_name(node.name, f"{path}: node") if depth else ""
    out += _CELL.pack(_BEGIN_NODE) + _padded(name.encode() + b"\0")
    for key, value in node.properties.items():
        out += struct.pack(">III", _PROP, len(value), names.place(key)) + _padded(value)
    if len({child.name for child in node.children}) < len(node.children):
        raise DeviceTreeError(f"{path or '/'}: two children have the same name")
    for child in node.children:
        _write_node(out, names, child, f"{path}/{child.name}", depth + 1)
    out += _CELL.pack(_END_NODE)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
