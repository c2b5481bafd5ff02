"""What the view of an overlay in a notebook asks for, and the answers: plain data, no notebook needed.

A question is a dictionary with a ``kind`` and what :class:`Panel` says for it; the answer has the same kind,
or is ``{"kind": "error", "error": text}``. Values of registers go both ways as hexadecimal text, because
numbers of a page have 53 bits. Questions come from a page: what they name is looked up, never evaluated.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from pynq.binding import class_name
from pynq.errors import FieldValueError, OverlayNotLoadedError, PynqError
from pynq.interrupt_tree import activity
from pynq.registers import RegisterMap, RegisterRow, register_rows
from pynq.report import assets
from pynq.report.graph import graph_of

__all__ = ["Panel", "outline"]

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}|0[bB][01]{1,64}")
_WIDTHS = (1, 2, 4, 8)

Message = Mapping[str, Any]
Answer = dict[str, Any]


class Panel:
    """Answers the questions about one overlay, which it does not keep alive.

    Questions: ``outline``; ``registers`` of a block (``path``); ``read`` (``path``, ``names`` of registers,
    None for all that reading does not change); ``write`` (``path``, ``register``, perhaps ``field``,
    ``value``); ``peek`` and ``poke`` of bytes at an ``offset`` (``width`` 1, 2, 4 or 8 bytes);
    ``activity``; ``diagram``.
    """

    def __init__(self, overlay: Any) -> None:
        self._overlay = weakref.ref(overlay)
        self._questions: dict[str, Callable[[Any, Message], Answer]] = {
            "outline": lambda overlay, _: {"outline": outline(overlay)},
            "registers": self._registers,
            "read": self._read,
            "write": self._write,
            "peek": self._peek,
            "poke": self._poke,
            "activity": lambda overlay, _: _activity(overlay),
            "diagram": lambda overlay, _: _diagram(overlay),
        }

    def answer(self, question: Message) -> Answer:
        """Return the answer to a question; what fails, a driver of the user's too, is an answer as well."""
        kind = question.get("kind")
        try:
            overlay = self._overlay()
            if overlay is None:
                raise OverlayNotLoadedError("the overlay is gone: show a new one")
            known = self._questions.get(kind) if isinstance(kind, str) else None
            if known is None:
                raise FieldValueError(f"no question {kind!r}; there are {', '.join(self._questions)}")
            return {"kind": kind, **known(overlay, question)}
        except (PynqError, KeyError, AttributeError) as error:
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            return {"kind": "error", "of": str(kind), "error": text or type(error).__name__}
        except Exception as error:  # noqa: BLE001 (drivers are anybody's; the page has to hear of it)
            return {"kind": "error", "of": str(kind), "error": f"{type(error).__name__}: {error}"}

    # -- registers -------------------------------------------------------------------------------------
    def _registers(self, overlay: Any, question: Message) -> Answer:
        path, block = _block(overlay, question)
        registers = getattr(block, "register_map", None) if path in overlay.ip_dict else None
        rows = register_rows(registers) if isinstance(registers, RegisterMap) else []
        size = getattr(getattr(block, "mmio", None), "length", 0)
        return {"path": path, "size": size, "registers": [_row(row) for row in rows]}

    def _read(self, overlay: Any, question: Message) -> Answer:
        path, block = _block(overlay, question)
        rows = {row.attribute: row for row in register_rows(block.register_map)}
        names = question.get("names")
        if names is None:
            names = [name for name, row in rows.items() if row.readable and not row.sensitive]
        if not isinstance(names, list):
            raise FieldValueError(f"{path}: names={names!r}: expected a list of names of registers")
        values: dict[str, str] = {}
        for name in names:
            row = rows.get(name) if isinstance(name, str) else None
            if row is None or not row.readable:
                what = "there is no such register" if row is None else "it can't be read"
                raise FieldValueError(f"{path}: {name!r}: {what}")
            values[name] = hex(int(getattr(block.register_map, name)))
        return {"path": path, "values": values}

    def _write(self, overlay: Any, question: Message) -> Answer:
        path, block = _block(overlay, question)
        name, field = question.get("register"), question.get("field")
        rows = {row.attribute: row for row in register_rows(block.register_map)}
        row = rows.get(name) if isinstance(name, str) else None
        if row is None:
            raise FieldValueError(f"{path} has no register {name!r}")
        value = _number(question.get("value"))
        if field is None:
            setattr(block.register_map, row.attribute, value)
        elif any(one.attribute == field for one in row.fields):
            setattr(getattr(block.register_map, row.attribute), field, value)
        else:
            raise FieldValueError(f"register {row.name} of {path} has no field {field!r}")
        again = [row.attribute] if row.readable and not row.sensitive else []
        return self._read(overlay, {"path": path, "names": again})

    def _peek(self, overlay: Any, question: Message) -> Answer:
        path, block = _block(overlay, question)
        offset, width = _place(question)
        value = block.mmio.read(offset, width)
        return {"path": path, "offset": hex(offset), "value": f"0x{value:0{2 * width}x}"}

    def _poke(self, overlay: Any, question: Message) -> Answer:
        path, block = _block(overlay, question)
        offset, width = _place(question)
        value = _number(question.get("value"))
        if value >> (8 * width):
            raise FieldValueError(f"{value:#x} has more than {8 * width} bits")
        block.mmio.write(offset, value.to_bytes(width, "little"))
        return {"path": path, "offset": hex(offset), "value": ""}


def outline(overlay: Any) -> dict[str, Any]:
    """Return what an overlay holds as a tree: blocks, hierarchies and memories by name."""
    return {
        "name": overlay.bitfile_name,
        "device": getattr(overlay.device, "name", str(overlay.device)),
        "loaded": overlay.is_loaded(),
        "state": "" if overlay.is_loaded() else overlay._why_not_loaded(),
        **_children(overlay.description, "", overlay.pr_dict),
    }


def _children(description: Mapping[str, Any], above: str, regions: Mapping[str, Any]) -> dict[str, Any]:
    children = []
    for name, entry in description.get("hierarchies", {}).items():
        if "/" not in name:
            path = f"{above}{name}"
            loaded = regions.get(path, {}).get("loaded", "")
            inner = _children(entry, f"{path}/", regions)
            children.append(_node(name, path, "hierarchy", entry) | {"region": loaded} | inner)
    for name, entry in description.get("ip", {}).items():
        if "/" not in name:
            children.append(_node(name, f"{above}{name}", "ip", entry))
    for name, entry in description.get("memories", {}).items():
        if "/" not in name:
            children.append(_node(name, f"{above}{name}", "memory", entry))
    return {
        "children": children,
        "interrupts": list(description.get("interrupts", {})),
        "gpio": list(description.get("gpio", {})),
    }


def _node(name: str, path: str, kind: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    driver = entry.get("driver")
    base, size = entry.get("phys_addr"), entry.get("addr_range")
    addressed = isinstance(base, int) and bool(size)
    return {
        "name": name,
        "path": path,
        "kind": kind,
        "type": entry.get("type", "") or "",
        "driver": class_name(driver) if isinstance(driver, type) else "",
        "base": hex(base) if addressed and base is not None else "",
        "size": size if addressed else 0,
        "registers": len(entry.get("registers", {}) or {}),
        "interrupts": list(entry.get("interrupts", {}) or {}),
        "gpio": list(entry.get("gpio", {}) or {}),
    }


def _row(row: RegisterRow) -> dict[str, Any]:
    return {
        **row._asdict(),
        "reset": None if row.reset is None else hex(row.reset),
        "fields": [
            {**field._asdict(), "names": {hex(value): name for value, name in field.names.items()}}
            for field in row.fields
        ],
    }


def _block(overlay: Any, question: Message) -> tuple[str, Any]:
    path = question.get("path")
    if not isinstance(path, str) or not path:
        raise FieldValueError(f"no block {path!r}")
    return path, overlay[path]


def _number(text: object) -> int:
    """A value as typed: decimal, hexadecimal or binary, without sign."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text.strip()):
        raise FieldValueError(f"{text!r} is no value: write 10, 0x1f or 0b101, of 64 bits at most")
    return int(text.strip(), 0) if not text.strip().isdecimal() else int(text.strip(), 10)


def _place(question: Message) -> tuple[int, int]:
    width = question.get("width", 4)
    if width not in _WIDTHS:
        raise FieldValueError(f"an access has 1, 2, 4 or 8 bytes, not {width!r}")
    return _number(question.get("offset")), width


def _diagram(overlay: Any) -> Answer:
    """The graph of what is in the PL, and what draws it: ELK comes once, when the diagram is first shown."""
    drivers = {path: class_name(entry["driver"]) for path, entry in overlay.ip_dict.items()}
    return {
        "graph": graph_of(overlay.design, drivers),
        "module": assets.diagram_module(),
        "style": assets.diagram_css(),
        "elk": assets.elk_source(),
        "notice": assets.ELK_NOTICE,
    }


def _activity(overlay: Any) -> Answer:
    """What the DMA channels in use do, and what came of each interrupt. Status registers are read only."""
    device = overlay.device
    channels = []
    if overlay.is_loaded():
        for mover in sorted(device.movers, key=lambda mover: mover.name):
            try:
                state = _state(mover)
            except PynqError as error:  # its overlay went meanwhile
                state = f"gone: {error}"
            channels.append(
                {
                    "name": mover.name,
                    "state": state,
                    "nbytes": getattr(mover, "nbytes", 0),
                    "transferred": getattr(mover, "transferred", 0),
                }
            )
    pins = activity(device) if overlay.is_loaded() and overlay.described else []
    return {"channels": channels, "interrupts": [pin._asdict() for pin in pins]}


def _state(mover: Any) -> str:
    if getattr(mover, "error", False):
        return "error"
    if getattr(mover, "halted", False):
        return "stopped"
    return "transfer" if getattr(mover, "nbytes", 0) and not getattr(mover, "idle", False) else "idle"
