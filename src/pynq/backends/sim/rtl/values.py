"""Values of parameters, as descriptions and manifests write them, in the words of Verilog and of GHDL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pynq.backends.sim.rtl.declared import Kind, Parameter

__all__ = ["defaults", "literal", "lookup", "number_of"]

_DECIMAL = re.compile(r"[+-]?[0-9]{1,64}\Z")
_HEX = re.compile(r"0[xX]([0-9a-fA-F]+)\Z")
_BINARY = re.compile(r"0[bB]([01]+)\Z")
_QUOTED_BITS = re.compile(r"\"([01]+)\"\Z")
_REAL = re.compile(r"[+-]?\d+\.\d*(?:[eE][+-]?\d+)?\Z|[+-]?\d+[eE][+-]?\d+\Z")
_VERILOG = re.compile(r"(?:[0-9]+[ \t]*)?'[sS]?[bBoOdDhH][0-9a-fA-F_xXzZ?]+\Z")
_SIZED = re.compile(r"([0-9]{0,9})[ \t]*'[sS]?([bBoOdDhH])([0-9a-fA-F_]{1,4000})\Z")
_TRUE = {"true": "1", "false": "0"}


def literal(value: str | int | float | bool, kind: Kind) -> str | None:
    """Return a value as Verilog takes it, for a parameter of that kind; None where it can't be one.

    Vivado's files have ``26``, ``0x1F``, ``0b101``, ``"0010"`` in quotes (binary) and ``true``; a text is
    whatever else there is. In a parameter that takes a text all of them stay text.
    """
    if kind == "type":
        return None
    if isinstance(value, bool):
        return '"true"' if value and kind == "text" else '"false"' if kind == "text" else str(int(value))
    if isinstance(value, (int, float)):
        return f'"{value}"' if kind == "text" else repr(value)
    text = value.strip()
    if kind == "text":
        return _text(text)
    if _DECIMAL.match(text):
        number = int(text)
        # An unsized number of Verilog has 32 bits (IEEE 1800-2017, 5.7.1).
        return str(number) if -(1 << 31) <= number < 1 << 32 else f"64'h{number & ((1 << 64) - 1):x}"
    if found := _HEX.match(text):
        return f"{max(32, 4 * len(found[1]))}'h{found[1]}"
    if found := _BINARY.match(text) or _QUOTED_BITS.match(text):
        return f"{len(found[1])}'b{found[1]}"
    if _VERILOG.match(text) or _REAL.match(text):
        return text.replace(" ", "")
    if text.lower() in _TRUE and kind in ("number", "real"):
        return _TRUE[text.lower()]
    return _text(text) if kind == "unknown" else None


def _text(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number_of(value: str | int | float | bool) -> tuple[int, int] | None:
    """Return a whole number and its width in bits, 0 where the value says none; None for other values."""
    if isinstance(value, (bool, int)):
        return int(value), 0
    if isinstance(value, float):
        return None
    text = value.strip()
    if text.lower() in _TRUE:
        return int(_TRUE[text.lower()]), 0
    if _DECIMAL.match(text):
        return int(text), 0
    if found := _HEX.match(text):
        return int(found[1], 16), 4 * len(found[1])
    if found := _BINARY.match(text) or _QUOTED_BITS.match(text):
        return int(found[1], 2), len(found[1])
    if found := _SIZED.match(text):
        base = {"b": 2, "o": 8, "d": 10, "h": 16}[found[2].lower()]
        try:
            return int(found[3].replace("_", ""), base), int(found[1] or 0)
        except ValueError:
            return None
    return None


def lookup(described: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the values that a description gives to those names which a module really has.

    Names are compared exactly, then without case, then without the ``C_`` that Vivado puts in front of, or
    leaves out of, a parameter's name.
    """
    plain: dict[str, str] = {}
    bare: dict[str, str] = {}
    for name, value in described.items():
        word = name.rpartition(".")[2].lower()  # CONFIG.WIDTH
        plain.setdefault(word, value)
        bare.setdefault(word.removeprefix("c_"), value)
    out = {}
    for name in names:
        lower = name.lower()
        value = described.get(name, plain.get(lower, bare.get(lower.removeprefix("c_"), "")))
        if value:
            out[name] = value
    return out


def defaults(described: Mapping[str, str], declared: Mapping[str, Parameter]) -> dict[str, str]:
    """Return the values of a description as Verilog, for the parameters that a module declares.

    A value that can't be one of the parameter's kind is left out, and the module's own default stays.
    """
    found = lookup(described, declared)
    texts = {name: literal(value, declared[name].kind) for name, value in found.items()}
    return {name: text for name, text in texts.items() if text is not None}
