"""Device trees as source text: ``.dts`` and ``.dtsi``.

The language is that of the Devicetree Specification, release v0.4, chapter 6 ("DTS Format"), with what dtc
has beside it: ``/plugin/``, ``&label`` and ``&{/path}``, ``/bits/``, ``/delete-node/`` and
``/delete-property/``, expressions in parentheses. No other file is ever opened: ``/include/`` and the lines
of the C preprocessor are noted and left out, and so are the values of macros, but for the few that every
interrupt specifier has.

Text may come from anywhere: its size, the depth of nodes and of expressions are bounded, and what is wrong is
a :class:`~pynq.errors.DeviceTreeError` with file and line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pynq.devicetree.dts_scan import ALL_ONES, MACROS, NUMBER, WORD, Scanner, integer, unescaped
from pynq.devicetree.fdt import MAX_BYTES, MAX_DEPTH, UNRESOLVED, Node, Tree, check_name, resolve, strings
from pynq.devicetree.overlay import Fragment, make
from pynq.errors import DeviceTreeError

__all__ = ["MACROS", "MAX_TEXT", "Source", "read"]

MAX_TEXT = MAX_BYTES
"""Longest text that is read, in characters."""
_LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t\r\n]*:")
_NAME = re.compile(r"[A-Za-z0-9,._+*#?@-]+")
_REFERENCE = re.compile(r"&(?:\{([^}\n]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BYTE = re.compile(r"[0-9a-fA-F]{2}")
_KEYWORD = re.compile(r"/[a-z0-9-]+/")


@dataclass
class Source:
    """What a text says.

    ``tree`` is what stands under ``/``; ``fragments`` is what is added to nodes that the text only refers to
    (``&amba { ... };``), in order. ``plugin``: whether it is an overlay. ``notes`` are (line, message) of
    what was left out. References are in :attr:`Node.references` still.
    """

    name: str
    tree: Tree = field(default_factory=Tree)
    fragments: list[Fragment] = field(default_factory=list)
    plugin: bool = False
    notes: list[tuple[int, str]] = field(default_factory=list)
    _lines: dict[int, int] = field(default_factory=dict)

    def line(self, node: Node) -> int:
        """Return the line in which a node begins, 0 for one that is not of this text."""
        return self._lines.get(id(node), 0)

    def parts(self) -> list[Fragment]:
        """Return what an overlay adds, and where: fragments that are written out first."""
        found = []
        for node in self.tree.children:
            content = node.child("__overlay__")
            if content is not None:
                label = node.references.get("target", {}).get(0, "")
                found.append(Fragment(node.text("target-path") or f"&{label}", content))
        return found + self.fragments

    def flat(self) -> Tree:
        """Return the tree as dtc makes it, with phandles: of an overlay one with fragments and fixups.

        Raises :class:`~pynq.errors.DeviceTreeError` for labels that no node has, where it is no overlay.
        """
        if self.plugin:
            return make(self.parts())
        tree = self.tree.copy()
        resolve(tree)
        if self.fragments:
            raise DeviceTreeError(f"{self.name}: no node has the label of {self.fragments[0].target!r}")
        return tree


def read(text: str, name: str = "<text>") -> Source:
    """Read a source text; ``name`` is what errors call it.

    Raises :class:`~pynq.errors.DeviceTreeError` for a text that is none, with the line.
    """
    if len(text) > MAX_TEXT:
        raise DeviceTreeError(f"{name}: {len(text)} characters; at most {MAX_TEXT} are read")
    return _Parser(text, name).source()


class _Same:
    """A node as a key: nodes are equal by what they hold."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.node is other.node

    def __hash__(self) -> int:
        return id(self.node)


class _Parser(Scanner):
    def __init__(self, text: str, name: str) -> None:
        self._source = Source(name)
        super().__init__(text, name, self._source.notes)
        self._labels: dict[str, tuple[str, Node]] = {}
        self._paths: dict[tuple[_Same, str], list[tuple[int, str]]] = {}  # where paths of labels are to be

    # -- nodes -----------------------------------------------------------------------------------------------
    def source(self) -> Source:
        while True:
            self._skip()
            if self._place >= len(self._text):
                break
            self._statement()
        for (node, name), places in self._paths.items():
            self._fill_in(node, name, places)
        return self._source

    def _fill_in(self, node: _Same, name: str, places: list[tuple[int, str]]) -> None:
        """Put the paths of labels where a property has them."""
        data, references = node.node.properties[name], node.node.references.get(name, {})
        for offset, label in reversed(places):
            path = self._labels[label][0] if label in self._labels else ""
            if not path:
                self._note(f"{name} is the path of {label!r}, which is not known here")
            data = data[:offset] + strings(path) + data[offset:]
            references = {
                place + (len(path) + 1 if place >= offset else 0): text for place, text in references.items()
            }
        node.node.properties[name] = data
        if references:
            node.node.references[name] = references

    def _statement(self) -> None:
        labels = self._take_labels()
        keyword = self._match(_KEYWORD)
        if keyword is not None:
            self._keyword(keyword[0])
            return
        reference = self._match(_REFERENCE)
        if reference is not None:
            self._extend(reference, labels)
        elif self._take("/"):
            self._name_node(self._source.tree, labels, "/")
            self._body(self._source.tree, "/", 0)
        else:
            self._expected("'/', a reference or a directive")

    def _keyword(self, word: str) -> None:
        if word == "/plugin/":
            self._source.plugin = True
        elif word == "/include/":
            if self._match(_STRING) is None:
                self._expected("the name of a file")
            self._note("/include/: other files are not opened")
            return
        elif word == "/memreserve/":
            numbers = [self._match(NUMBER), self._match(NUMBER)]
            if None in numbers:
                self._expected("address and size")
            address, size = (integer(match[1]) & ALL_ONES for match in numbers if match)
            self._source.tree.reservations += ((address, size),)
        elif word in ("/delete-node/", "/omit-if-no-ref/"):
            reference = self._match(_REFERENCE)
            if reference is None:
                self._expected("a reference")
            if word == "/delete-node/":
                path = reference[1] or self._labels.pop(reference[2] or "", ("", None))[0]
                if path:
                    self._source.tree.remove(path)
                else:
                    self._note(f"/delete-node/ {reference[0]}: no node here has that label")
        elif word != "/dts-v1/":
            self._fail(f"{word} has no place here")
        self._need(";")

    def _take_labels(self) -> list[str]:
        labels = []
        while (match := self._match(_LABEL)) is not None:
            labels.append(match[1])
        return labels

    def _name_node(self, node: Node, labels: list[str], path: str) -> None:
        for label in labels:
            known = self._labels.get(label)
            if known is not None and known[1] is not node:
                self._fail(f"label {label!r} is that of {known[0]}, too")
            self._labels[label] = path, node
            node.label = node.label or label
        self._source._lines.setdefault(id(node), self._line())

    def _extend(self, reference: re.Match[str], labels: list[str]) -> None:
        path, label = reference[1], reference[2] or ""
        known: Node | None = None
        if label in self._labels and not self._source.plugin:
            path, known = self._labels[label]
        elif path is not None and not self._source.plugin:
            known = self._source.tree.find(path)
        if known is None:
            if path is not None and not path.startswith("/"):
                self._fail(f"{path!r} is no path: it has to begin with '/'")
            known = Node("__overlay__")
            self._source.fragments.append(Fragment(path or f"&{label}", known))
        self._name_node(known, labels, path or f"&{label}")
        self._body(known, path or f"&{label}", 0)

    def _body(self, node: Node, path: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self._fail(f"nodes are nested deeper than {MAX_DEPTH}")
        self._need("{")
        children = {child.name: child for child in node.children}
        while not self._take("}"):
            labels = self._take_labels()
            keyword = self._match(_KEYWORD)
            if keyword is not None and keyword[0] != "/omit-if-no-ref/":
                self._delete(keyword[0], node, children)
                continue
            labels += self._take_labels()
            match = self._match(_NAME)
            if match is None:
                self._expected("a property, a node or '}'")
            self._skip()
            if not self._text.startswith("{", self._place):
                self._property(node, self._checked(match[0], "property"))
                continue
            name = self._checked(match[0], "node")
            child = children.get(name)
            if child is None:
                child = children[name] = Node(name)
                node.children.append(child)
            inner = f"{path.rstrip('/')}/{name}"
            self._name_node(child, labels, inner)
            self._body(child, inner, depth + 1)
        self._need(";")

    def _checked(self, name: str, what: str) -> str:
        try:
            return check_name(name, what)
        except DeviceTreeError as error:
            self._fail(str(error))

    def _delete(self, word: str, node: Node, children: dict[str, Node]) -> None:
        if word == "/include/":
            self._keyword(word)
            return
        match = self._match(_NAME)
        if match is None:
            self._expected("a name")
        if word == "/delete-node/":
            gone = children.pop(match[0], None)
            node.children = [child for child in node.children if child is not gone]
        elif word == "/delete-property/":
            node.properties.pop(match[0], None)
            node.references.pop(match[0], None)
        else:
            self._fail(f"{word} has no place in a node")
        self._need(";")

    # -- properties ------------------------------------------------------------------------------------------
    def _property(self, node: Node, name: str) -> None:
        data = bytearray()
        references: dict[int, str] = {}
        self._paths.pop((_Same(node), name), None)
        if self._take("="):
            while True:
                self._take_labels()
                self._value(node, name, data, references)
                self._take_labels()
                if not self._take(","):
                    break
        self._need(";")
        node.properties[name] = bytes(data)
        node.references.pop(name, None)
        if references:
            node.references[name] = references

    def _value(self, node: Node, name: str, data: bytearray, references: dict[int, str]) -> None:
        bits = 32
        keyword = self._match(_KEYWORD)
        if keyword is not None:
            if keyword[0] != "/bits/":
                self._fail(f"{keyword[0]}: other files are not opened, and nothing but /bits/ is known here")
            match = self._match(NUMBER)
            bits = integer(match[1]) if match else 0
            if bits not in (8, 16, 32, 64):
                self._fail(f"/bits/ is {bits}; expected 8, 16, 32 or 64")
        if self._take("<"):
            self._cells(bits, data, references)
            return
        if keyword is not None:
            self._expected("'<' after /bits/")
        if (match := self._match(_STRING)) is not None:
            data += unescaped(match[1]) + b"\0"
        elif self._take("["):
            while not self._take("]"):
                self._take_labels()
                byte = self._match(_BYTE)
                if byte is None:
                    self._expected("a byte of two hexadecimal digits, or ']'")
                data.append(int(byte[0], 16))
        elif (match := self._match(_REFERENCE)) is not None:
            if match[1] is not None:
                data += strings(match[1])
            else:
                self._paths.setdefault((_Same(node), name), []).append((len(data), match[2]))
        elif (match := self._match(WORD)) is not None:
            self._note(f"{name}: macro {match[0]!r} is not known; the value is left out")
        else:
            self._expected("a value")

    def _cells(self, bits: int, data: bytearray, references: dict[int, str]) -> None:
        while not self._take(">"):
            self._take_labels()
            reference = self._match(_REFERENCE)
            if reference is not None:
                if bits != 32:
                    self._fail(f"a reference does not fit {bits} bits")
                if reference[1] is not None:
                    self._fail(f"&{{{reference[1]}}} in cells: only labels are known here")
                references[len(data)] = reference[2]
                data += UNRESOLVED.to_bytes(4, "big")
                continue
            value = self._atom(0)
            # As dtc: both -1 and 0xffffffff are 32 bits.
            if not (value < 1 << bits or value > ALL_ONES - (1 << bits - 1)):
                self._fail(f"{value:#x} does not fit {bits} bits")
            data += (value & (1 << bits) - 1).to_bytes(bits // 8, "big")
