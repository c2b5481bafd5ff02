"""What a hardware archive says of its members: ``sysdef.xml``, ``hwdef.xml``, ``xsa.json``, ``xsa.xml``.

No specification of them was published; this is what Vivado 2014 to 2025 writes. ``sysdef.xml`` (after
implementation) and ``hwdef.xml`` (before) have an element ``File`` a member::

    <Project Version="1" Minor="0">
      <FULL_BUILD Name="SW Build 932637 on ..."/> <MODE Name="Post-Bitstream"/>
      <SYSTEMINFO BOARD="..." ARCH="zynq" PACKAGE="clg484" DEVICE="7z020" SPEED="-1"/>
      <File Type="HW_HANDOFF" Name="top.hwh" BD_TYPE="DEFAULT_BD"/>
      <File Type="BIT" Name="top.bit"/>

``BD_TYPE`` came with hierarchical designs: ``DEFAULT_BD`` is the top, ``REFERENCE_BD`` what block containers
refer to, all else the insides of IP. ``xsa.json`` (from 2019.2) has the version, part and board, and
``files`` with a ``type`` and ``name`` each (``TOP_BD``: the source of the top).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from pynq.errors import DesignError, Problem

__all__ = ["MAX_BYTES", "NAMES", "Manifest", "read_manifest"]

MAX_BYTES = 4 << 20
"""Largest manifest that is read, in bytes."""
NAMES = ("sysdef.xml", "hwdef.xml", "xsa.json", "xsa.xml")
"""The manifests of an archive; of those that say the same thing the first one counts."""
_DEPTH = 100


@dataclass
class Manifest:
    """What the manifests say; empty where none does.

    ``tops`` and ``references`` are members with a hand-off file, ``handoffs`` all that are listed,
    ``bitstreams`` those that configure the PL, all in the order listed. ``top_designs`` are names of block
    designs that are the top.
    """

    tops: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    handoffs: list[str] = field(default_factory=list)
    bitstreams: list[str] = field(default_factory=list)
    top_designs: list[str] = field(default_factory=list)
    part: str = ""
    board: str = ""
    tool_version: str = ""
    build: str = ""
    mode: str = ""


def read_manifest(file: str, contents: Mapping[str, bytes]) -> Manifest:
    """Read the manifests of the archive ``file``, given by their names.

    Raises :class:`~pynq.errors.DesignError` for one that is none; ``problems`` has every reason.
    """
    found = Manifest()
    problems: list[Problem] = []
    for name in NAMES:
        data = contents.get(name)
        if data is None:
            continue
        try:
            (_read_json if name.endswith(".json") else _read_xml)(data, found)
        except (ParseError, LookupError, ValueError, RecursionError) as error:
            line = error.position[0] if isinstance(error, ParseError) else 0
            problems.append(Problem(f"{file}/{name}", line, f"can't be read: {error}"))
    if problems:
        raise DesignError(problems)
    return found


class _Tree(TreeBuilder):
    """Refuses document type declarations, where entity bombs live, and deep nesting."""

    depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"a document type declaration ({name}), where Vivado writes none")

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self.depth += 1
        if self.depth > _DEPTH:
            raise ValueError(f"elements are nested deeper than {_DEPTH}")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self.depth -= 1
        return super().end(tag)


def _read_xml(data: bytes, found: Manifest) -> None:
    parser = XMLParser(target=_Tree())
    parser.feed(data)
    root: Element = parser.close()
    for element in root.iter():
        name = element.get("Name", "")
        tag = element.tag.rpartition("}")[2]
        if tag == "File":
            _file(element.get("Type", ""), name, element.get("BD_TYPE", ""), found)
        elif tag == "SYSTEMINFO":
            found.part = found.part or element.get("PART", "") or _part(element)
            found.board = found.board or element.get("BOARD", "")
        elif tag == "MODE":
            found.mode = found.mode or name
        elif tag == "FULL_BUILD":
            found.build = found.build or name


def _part(element: Element) -> str:
    device, package = element.get("DEVICE", ""), element.get("PACKAGE", "")
    speed = element.get("SPEED", "") or element.get("SPEEDGRADE", "")
    return f"xc{device.removeprefix('xc')}{package}{speed}" if device else ""


def _file(kind: str, name: str, design: str, found: Manifest) -> None:
    if not name:
        return
    if kind == "HW_HANDOFF" or (design and name.lower().endswith(".hwh")):
        _add(found.handoffs, name)
        if design == "DEFAULT_BD":
            _add(found.tops, name)
        elif design == "REFERENCE_BD":
            _add(found.references, name)
    elif name.lower().endswith((".bit", ".pdi")):
        _add(found.bitstreams, name)


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _read_json(data: bytes, found: Manifest) -> None:
    document = json.loads(data.decode("utf-8-sig"))
    if not isinstance(document, dict):
        raise ValueError("there is no object at its top")
    found.tool_version = found.tool_version or _text(document.get("generatedVersion"))
    found.mode = found.mode or _text(document.get("platformState"))
    board = document.get("board")
    if isinstance(board, dict):
        found.board = found.board or _text(board.get("boardPart")) or _text(board.get("name"))
    devices = document.get("devices")
    for device in devices if isinstance(devices, list) else ():
        part = device.get("part") if isinstance(device, dict) else None
        if isinstance(part, dict):
            found.part = found.part or _text(part.get("name"))
    files = document.get("files")
    for entry in files if isinstance(files, list) else ():
        if not isinstance(entry, dict):
            continue
        kind, name = _text(entry.get("type")), _text(entry.get("name"))
        if kind == "TOP_BD":
            _add(found.top_designs, name.rpartition("/")[2].partition(".")[0])
        else:
            _file(kind, name, "", found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
