"""XML files of tools as plain trees, bounded: what IP-XACT components (IEEE 1685) are read from.

As with hand-off files, document type declarations are refused, and size, depth and number of elements are
bounded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from pynq.design import bounded
from pynq.errors import DesignError, Problem

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_ELEMENTS", "Node", "component", "load"]

MAX_BYTES = 64 << 20
"""Largest file that is read, in bytes."""
MAX_DEPTH = 64
"""Deepest nesting of elements."""
MAX_ELEMENTS = 2_000_000
"""Most elements."""

_NAMESPACES = ("spiritconsortium.org", "accellera.org")


@dataclass
class Node:
    """An element: its name and attributes without namespaces, its line, its text and what is in it."""

    tag: str
    attributes: dict[str, str]
    line: int
    words: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def content(self) -> str:
        """The text directly in the element."""
        return "".join(self.words).strip()

    def all(self, *tags: str) -> list[Node]:
        """Return the elements at the end of a way down from here."""
        found = [self]
        for tag in tags:
            found = [child for node in found for child in node.children if child.tag == tag]
        return found

    def first(self, *tags: str) -> Node | None:
        """Return the first of :meth:`all`."""
        return next(iter(self.all(*tags)), None)

    def text(self, *tags: str) -> str:
        """Return the text of the first of :meth:`all`; "" for none."""
        found = self.all(*tags)
        return found[0].content if found else ""

    def descendants(self) -> Iterator[Node]:
        """Yield everything below, in the file's order."""
        todo = list(reversed(self.children))
        while todo:
            node = todo.pop()
            yield node
            todo += reversed(node.children)


def load(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a component's file. Raises what :func:`pynq.design.bounded.load` does."""
    return bounded.load(path, MAX_BYTES, "component")


def component(data: bytes, path: str | os.PathLike[str]) -> Node:
    """Return the root element of an IP-XACT component; ``path`` is what errors call the file.

    Elements of other namespaces than IP-XACT's keep theirs before the name, except references. Raises
    :class:`~pynq.errors.DesignError` for what is no such component, or too large, deep or odd.
    """
    bounded.check_size(data, os.fspath(path), MAX_BYTES, "component")
    root = _Tree(os.fspath(path)).parse(data)
    if root.tag != "component":
        message = f"the root element is <{root.tag}>: no IP-XACT component (IEEE 1685)"
        raise DesignError([Problem(os.fspath(path), root.line, message)])
    return root


class _Tree:
    """Builds the tree; extensions of vendors are kept too."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._root: Node | None = None
        self._stack: list[Node] = []
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")

    def parse(self, data: bytes) -> Node:
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
            if isinstance(error, DesignError):
                raise
            raise self._refuse(1, f"has an encoding that can't be read ({error})") from error
        finally:
            parser.StartElementHandler = parser.EndElementHandler = None
            parser.CharacterDataHandler = parser.StartDoctypeDeclHandler = None
        assert self._root is not None  # expat refuses a document without elements
        return self._root

    def _refuse(self, line: int, message: str) -> DesignError:
        return DesignError([Problem(self._path, line, message)])

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
        node = Node(name if known or "ref" in name.lower() else f"{space} {name}", plain, line)
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
