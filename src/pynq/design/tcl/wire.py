"""What the process that runs a script answers: one JSON document, checked when it is read.

The document comes from a process that has run somebody's script; nothing in it is believed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from pynq.design.tcl.netlist import MODES, Cell, InterfacePin, Net, Netlist, Pin, Segment

__all__ = ["Answer", "WireError", "dump", "load"]

SCRIPT = 8 << 20
"""Bytes that a script may have."""
ANSWER = 128 << 20
"""Bytes that the answer may have."""
COMMANDS = 2_000_000
"""Commands of Tcl that a script may run (PYNQ's largest base design takes some 10,000)."""
SECONDS = 10
RECURSION = 400
PROCESSOR_SECONDS = 15
MEMORY = 1 << 30
OUT_OF_MEMORY = f"the script needs more than {MEMORY >> 20:,} MiB of memory"

_MAX_TEXT = 1 << 20
_T = TypeVar("_T")


class WireError(ValueError):
    """A document that is no answer."""


class Answer:
    """What came back: a netlist, or problems (line, text), or what is not installed there."""

    def __init__(
        self, netlist: Netlist | None = None, problems: list[tuple[int, str]] | None = None, missing: str = ""
    ) -> None:
        self.netlist = netlist
        self.problems = problems or []
        self.missing = missing


def dump(document: Mapping[str, object]) -> bytes:
    """Return the document for a netlist or problems."""
    # Pairs of surrogates and lone ones are escaped by JSON; what Tcl makes of bad bytes stays ASCII so.
    return json.dumps(document, default=vars, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def load(data: bytes) -> Answer:
    """Return what a document says.

    Raises:
        WireError: it is no such document.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {error}") from None
    if not isinstance(document, dict) or len(document) != 1:
        _wrong("the document", document)
    if "missing" in document:
        return Answer(missing=_text(document["missing"]))
    if "problems" in document:
        problems = _list(document["problems"], _note)
        if not problems:
            _wrong("problems", problems)
        return Answer(problems=problems)
    if "netlist" not in document:
        _wrong("the document", document)
    return Answer(_netlist(document["netlist"], nested=True))


def _wrong(what: str, value: object) -> NoReturn:
    raise WireError(f"{what} is {repr(value)[:60]}")


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        _wrong("a text", value)
    # A lone surrogate is what is left of bytes that were no UTF-8.
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _path(value: object) -> str:
    text = _text(value)
    if len(text) > 16_384 or text.startswith("/") or not text.isprintable():
        _wrong("a path", value)
    return text


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 20) <= value <= 1 << 64:
        _wrong("a number", value)
    return value


def _maybe(value: object) -> int | None:
    return None if value is None else _number(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        _wrong("a truth value", value)
    return value


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed:
            _wrong(f"one of {', '.join(allowed)}", value)
        return str(value)

    return check


def _list(value: object, check: Callable[[object], _T]) -> list[_T]:
    if not isinstance(value, list):
        _wrong("a list", value)
    return [check(one) for one in value]


def _dict(value: object, check: Callable[[object], _T]) -> dict[str, _T]:
    if not isinstance(value, dict):
        _wrong("a mapping", value)
    return {_text(key): check(one) for key, one in value.items()}


def _note(value: object) -> tuple[int, str]:
    if not isinstance(value, list) or len(value) != 2:
        _wrong("a note", value)
    return _number(value[0]), _text(value[1])


def _parameters(value: object) -> dict[str, str]:
    return _dict(value, _text)


def _record(kind: Callable[..., _T], checks: Mapping[str, Callable[[Any], Any]]) -> Callable[[object], _T]:
    """Return the check for an object that has exactly these fields."""

    def check(value: object) -> _T:
        if not isinstance(value, dict) or value.keys() != checks.keys():
            _wrong(f"a {kind.__name__}", value)
        return kind(**{name: test(value[name]) for name, test in checks.items()})

    return check


_CELL = _record(
    Cell,
    {
        "path": _path,
        "kind": _one_of("ip", "module", "container", "hierarchy"),
        "type": _text,
        "parameters": _parameters,
        "line": _number,
    },
)
_PIN = _record(
    Pin,
    {
        "path": _path,
        "direction": _one_of("", "I", "O", "IO"),
        "type": _text,
        "left": _maybe,
        "right": _maybe,
        "parameters": _parameters,
        "line": _number,
    },
)
_INTERFACE = _record(
    InterfacePin,
    {
        "path": _path,
        "mode": _one_of("", *MODES),
        "type": _text,
        "parameters": _parameters,
        "line": _number,
    },
)
_NET = _record(Net, {"name": _path, "pins": lambda value: _list(value, _path), "line": _number})
_SEGMENT = _record(
    Segment,
    {
        "space": _path,
        "slave": _path,
        "name": _text,
        "offset": _maybe,
        "size": _maybe,
        "excluded": _flag,
        "line": _number,
    },
)


def _keyed(value: object, check: Callable[[object], _T]) -> dict[str, _T]:
    found = _dict(value, check)
    for key, thing in found.items():
        if getattr(thing, "path", None) != key:
            _wrong("the path of a thing", key)
    return found


def _designs(value: object) -> dict[str, Netlist]:
    return _dict(value, lambda one: _netlist(one, nested=False))


def _netlist(value: object, *, nested: bool) -> Netlist:
    """Check a netlist; other designs are in the outermost one only."""
    checks: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("name", "version", "part", "board"), _text),
        "cells": lambda found: _keyed(found, _CELL),
        "pins": lambda found: _keyed(found, _PIN),
        "interfaces": lambda found: _keyed(found, _INTERFACE),
        "nets": lambda found: _list(found, _NET),
        "interface_nets": lambda found: _list(found, _NET),
        "segments": lambda found: _list(found, _SEGMENT),
        "designs": _designs if nested else _none,
        "repositories": lambda found: _list(found, _text),
        "notes": lambda found: _list(found, _note),
    }
    return _record(Netlist, checks)(value)


def _none(value: object) -> dict[str, Netlist]:
    if value != {}:
        _wrong("the designs of a design", value)
    return {}
