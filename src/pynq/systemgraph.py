"""What was read from an overlay's description, as programs that look into it themselves find it."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

from pynq.binding import Views
from pynq.bitstream import Bitstream
from pynq.errors import DesignError, Problem

__all__ = ["Parser", "SystemGraph"]


class SystemGraph:
    """The description's XML, for programs that look into it themselves."""

    def __init__(self, bitstream: Bitstream) -> None:
        self._bitstream = bitstream

    @cached_property
    def _root(self) -> Element:
        """The root element, parsed on first use.

        Raises :class:`~pynq.errors.DesignError` for a document type declaration, and for a description of
        another kind, which has no XML.
        """
        design = self._bitstream.design
        if design.format != "hwh":
            text = (
                f"is a description of the kind {design.format!r} and has no XML; a hand-off file (.hwh) has"
            )
            raise DesignError([Problem(design.file, 0, text)])
        parser = XMLParser(target=_PlainTree())
        parser.feed(self._bitstream.description_bytes())
        root: Element = parser.close()
        return root


class Parser:
    """What was read from the description: the dictionaries, which are the overlay's own, and the XML."""

    _views: Views | None = None

    def __init__(self, views: Views, systemgraph: SystemGraph | None) -> None:
        self._views = views
        self.systemgraph = systemgraph

    def __getattr__(self, name: str) -> Any:
        if name in Views.__dataclass_fields__:
            return getattr(self._views, name)
        names = ", ".join(Views.__dataclass_fields__)
        raise AttributeError(f"a parser has no {name!r}; it has {names}, systemgraph")


class _PlainTree(TreeBuilder):
    """Refuses document type declarations, where entity bombs live."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DesignError(f"a document type declaration ({name}); hand-off files have none")
