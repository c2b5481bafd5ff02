"""Formulas of IP-XACT: worked out by a small evaluator of its own, nothing is executed.

Understood are numbers as IEEE 1685 writes them (decimal, ``0x1F``, ``#1F``, ``'h1F``, ``4K``), names of
parameters, ``id('NAME')``, ``decode()`` around numbers, ``true`` and ``false``, the operators of
SystemVerilog (IEEE 1800, 11.4) on whole numbers, ``? :`` and ``$clog2``, ``$pow``, ``$min``, ``$max``;
further ``div``, ``mod``, ``and``, ``or`` and ``=`` of XPath (IEEE 1685-2009) and ``$NAME``, as Vivado's
packager writes them. Values are whole numbers of up to 256 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["MAX_LENGTH", "Unresolved", "evaluate"]

MAX_LENGTH = 4096
"""Longest formula, in characters."""
MAX_NESTING = 32
"""Deepest nesting of brackets, and of parameters that refer to others."""
MAX_STEPS = 20_000
"""Most numbers, names and operators that are looked at, those of the parameters included."""
_MAX_BITS = 256

_SCALES = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<based>\d*\s*'[sS]?(?:[hH][0-9A-Fa-f_]+|[dD][0-9_]+|[oO][0-7_]+|[bB][01_]+))
    |(?P<hex>(?:0[xX]|\#)[0-9A-Fa-f]+(?P<hexscale>[KMGTkmgt]?)\b)
    |(?P<number>\d+(?:\.\d+)?(?P<scale>[KMGTkmgt]?)[bB]?(?![A-Za-z0-9_.]))
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<name>[$A-Za-z_][\w$.:]*)
    |(?P<operator>\*\*|<<<?|>>>?|<=|>=|==|!=|&&|\|\||[-+*/%()?:,<>!~&|^=])
    )""",
    re.VERBOSE | re.ASCII,
)
_BASES = {"h": 16, "d": 10, "o": 8, "b": 2}
# Operators by how they bind, loosest first (IEEE 1800, table 11-2).
_LEVELS = (
    ("||", "or"),
    ("&&", "and"),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!=", "="),
    ("<", "<=", ">", ">="),
    ("<<", ">>", "<<<", ">>>"),
    ("+", "-"),
    ("*", "/", "%", "div", "mod"),
)


class Unresolved(ValueError):
    """A formula that can't be worked out; the message says why."""


def evaluate(text: str, names: Mapping[str, str | int] | None = None, steps: list[int] | None = None) -> int:
    """Return the value of a formula. ``names``: parameters by name or id, formulas themselves.

    ``steps``: a list of one number, from which on steps are counted.

    Raises :class:`Unresolved` for what is no formula, for names that are not known, for results that are no
    whole numbers or have more than 256 bits, and for parameters that depend on themselves.
    """
    return _Evaluator(names or {}, 0, [0] if steps is None else steps).run(text)


class _Evaluator:
    def __init__(self, names: Mapping[str, str | int], depth: int, steps: list[int]) -> None:
        self._names = names
        self._steps = steps  # taken so far, by all that work on one formula
        self._depth = depth
        self._tokens: list[tuple[str, str]] = []
        self._place = 0

    def run(self, text: str) -> int:
        if len(text) > MAX_LENGTH:
            raise Unresolved(f"a formula of {len(text)} characters; {MAX_LENGTH} are the most")
        self._tokens = _tokens(text)
        self._steps[0] += len(self._tokens)
        if self._steps[0] > MAX_STEPS:
            raise Unresolved("its parameters refer to others too often")
        value = self._choice()
        if self._place < len(self._tokens):
            raise Unresolved(f"{self._tokens[self._place][1]!r} is not expected there")
        return value

    # -- grammar
    def _peek(self) -> str:
        kind, text = self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")
        return text if kind in ("operator", "name") else ""

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise Unresolved(f"{wanted!r} is missing")
        self._place += 1

    def _choice(self) -> int:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Unresolved(f"is nested deeper than {MAX_NESTING}, or parameters depend on themselves")
        value = self._binary(0)
        if self._peek() == "?":
            self._place += 1
            first = self._choice()
            self._take(":")
            second = self._choice()
            value = first if value else second
        self._depth -= 1
        return value

    def _binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        while (operator := self._peek()) in _LEVELS[level] and operator:
            self._place += 1
            value = _bounded(_apply(operator, value, self._binary(level + 1)))
        return value

    def _unary(self) -> int:
        signs = []
        while (sign := self._peek()) in ("-", "+", "!", "~") and sign:
            self._place += 1
            signs.append(sign)
        value = self._primary()
        if self._peek() == "**":
            self._place += 1
            self._depth += 1
            if self._depth > MAX_NESTING:
                raise Unresolved(f"is nested deeper than {MAX_NESTING}")
            value = _power(value, self._unary())
            self._depth -= 1
        for sign in reversed(signs):
            value = {"-": -value, "+": value, "!": int(not value), "~": ~value}[sign]
        return _bounded(value)

    def _primary(self) -> int:
        if self._place >= len(self._tokens):
            raise Unresolved("it ends where a value is expected")
        kind, text = self._tokens[self._place]
        self._place += 1
        if kind == "number":
            return int(text)
        if kind == "name":
            if self._peek() == "(":
                return self._call(text)
            return self._parameter(text)
        if kind == "text":
            return self._inner(text[1:-1])
        if text == "(":
            value = self._choice()
            self._take(")")
            return value
        raise Unresolved(f"{text!r} is not expected there")

    def _call(self, name: str) -> int:
        self._take("(")
        plain = name.rpartition(":")[2].lower()
        if plain == "id":
            _, text = self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")
            self._place += 1
            self._take(")")
            return self._parameter(text.strip("'\""))
        count, function = _FUNCTIONS.get(plain, (0, None))
        if function is None:
            raise Unresolved(f"there is no function {name!r} here")
        values = [self._choice()]
        while self._peek() == ",":
            self._place += 1
            values.append(self._choice())
        self._take(")")
        if len(values) != count:
            raise Unresolved(f"{name} takes {count} values, not {len(values)}")
        return _bounded(function(*values))

    def _parameter(self, name: str) -> int:
        if name in ("true", "false"):
            return int(name == "true")
        found = self._names.get(name, self._names.get(name.removeprefix("$")))
        if found is None:
            raise Unresolved(f"there is no parameter {name!r} with a value")
        return found if isinstance(found, int) else self._inner(found)

    def _inner(self, text: str) -> int:
        return _Evaluator(self._names, self._depth + 1, self._steps).run(text)


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise Unresolved(f"{text[place:].strip()[:20]!r} is no part of a formula")
        place = match.end()
        kind = match.lastgroup or ""
        if match["based"] is not None:
            _, _, digits = match["based"].lower().replace("_", "").replace("'s", "'").partition("'")
            if not digits[1:]:
                raise Unresolved(f"{match['based']!r} has no digits")
            found.append(("number", str(_bounded(int(digits[1:], _BASES[digits[0]])))))
        elif match["hex"] is not None:
            scale = match["hexscale"].upper()
            digits = match["hex"].lstrip("#")
            digits = digits[: len(digits) - len(scale)]
            value = int(digits.removeprefix("0x").removeprefix("0X"), 16) << _SCALES[scale]
            found.append(("number", str(_bounded(value))))
        elif match["number"] is not None:
            found.append(("number", str(_decimal(match["number"], match["scale"].upper()))))
        else:
            found.append((kind, match[kind]))
    return found


def _decimal(text: str, scale: str) -> int:
    digits = text.rstrip("bB").rstrip("KMGTkmgt")
    whole, _, fraction = digits.partition(".")
    if fraction.strip("0"):
        raise Unresolved(f"{text} is no whole number")
    if len(whole) > 80:
        raise Unresolved(f"{whole[:10]}... has more than {_MAX_BITS} bits")
    return _bounded(int(whole) << _SCALES[scale])


def _bounded(value: int) -> int:
    if value.bit_length() > _MAX_BITS:
        raise Unresolved(f"a value has more than {_MAX_BITS} bits")
    return value


def _divide(left: int, right: int) -> int:
    """Divide as SystemVerilog does: towards zero (IEEE 1800, 11.4.3)."""
    if not right:
        raise Unresolved("it divides by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _power(left: int, right: int) -> int:
    if right < 0 or (abs(left) > 1 and right > _MAX_BITS):
        raise Unresolved(f"{left} ** {right} is no whole number of up to {_MAX_BITS} bits")
    return _bounded(left**right if abs(left) > 1 else left ** (right % 2 if left == -1 else min(right, 1)))


def _shift(left: int, right: int) -> int:
    if abs(right) > _MAX_BITS:
        raise Unresolved(f"a shift by {right} bits; {_MAX_BITS} are the most")
    return left << right if right >= 0 else left >> -right


def _clog2(value: int) -> int:
    if value < 0:
        raise Unresolved(f"$clog2({value}) is not defined")
    return (value - 1).bit_length() if value > 1 else 0


_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a) or bool(b)),
    "or": lambda a, b: int(bool(a) or bool(b)),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "and": lambda a, b: int(bool(a) and bool(b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "=": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "<<": _shift,
    "<<<": _shift,
    ">>": lambda a, b: _shift(a, -b),
    ">>>": lambda a, b: _shift(a, -b),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "div": _divide,
    "%": lambda a, b: a - b * _divide(a, b),
    "mod": lambda a, b: a - b * _divide(a, b),
}

_FUNCTIONS: dict[str, tuple[int, Callable[..., int]]] = {
    "decode": (1, lambda value: value),
    "$clog2": (1, _clog2),
    "$pow": (2, _power),
    "pow": (2, _power),
    "$min": (2, min),
    "$max": (2, max),
    "min": (2, min),
    "max": (2, max),
}


def _apply(operator: str, left: int, right: int) -> int:
    return _OPERATORS[operator](left, right)
