"""The text of a device tree: blanks and comments, tokens, and the arithmetic of numbers in cells."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NoReturn

from pynq.errors import DeviceTreeError

__all__ = ["ALL_ONES", "MACROS", "NUMBER", "WORD", "Scanner", "integer", "unescaped"]

MAX_EXPRESSION = 32
"""Deepest nesting of parentheses."""
MAX_NOTES = 100

#: What interrupt specifiers are written with (include/dt-bindings/interrupt-controller/*.h of Linux).
MACROS = {
    "GIC_SPI": 0,
    "GIC_PPI": 1,
    "IRQ_TYPE_NONE": 0,
    "IRQ_TYPE_EDGE_RISING": 1,
    "IRQ_TYPE_EDGE_FALLING": 2,
    "IRQ_TYPE_EDGE_BOTH": 3,
    "IRQ_TYPE_LEVEL_HIGH": 4,
    "IRQ_TYPE_LEVEL_LOW": 8,
}

_BLANK = re.compile(r"(?:[ \t\r\n\f\v]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_DIRECTIVE = re.compile(
    r"#[ \t]*(?:([0-9]+[^\n]*)|((?:include|define|undef|ifdef|ifndef|if|else|elif|endif|pragma|error|warning"
    r"|line)\b(?:[^\n\\]|\\\r?\n|\\.)*))"
)
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)(?:[uU]?[lL]{0,2}[uU]?)(?![A-Za-z0-9_])")
_CHARACTER = re.compile(r"'(\\?[^\n]{1,4}?)'")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11}
_OPERATORS = re.compile(r"<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>&^|?]")
_LEVELS = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)
ALL_ONES = (1 << 64) - 1


class Scanner:
    """A text, the place in it, and the notes on what was left out."""

    def __init__(self, text: str, name: str, notes: list[tuple[int, str]]) -> None:
        self._text = text
        self._name = name
        self._notes = notes
        self._place = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    # -- the text --------------------------------------------------------------------------------------------
    def _line(self) -> int:
        return bisect_right(self._starts, self._place)

    def _fail(self, message: str) -> NoReturn:
        raise DeviceTreeError(f"{self._name}:{self._line()}: {message}")

    def _expected(self, what: str) -> NoReturn:
        found = self._text[self._place : self._place + 20].split("\n")[0]
        self._fail(f"expected {what}, found {found!r}" if found else f"expected {what}, found the end")

    def _note(self, message: str) -> None:
        if len(self._notes) < MAX_NOTES:
            self._notes.append((self._line(), message))

    def _skip(self) -> None:
        """Go to what comes next: not a blank, a comment or a line of the preprocessor."""
        while True:
            start = self._place
            match = _BLANK.match(self._text, start)
            if match:
                self._place = match.end()
            if self._text.startswith("/*", self._place):
                self._fail("this comment has no end")
            if not self._text.startswith("#", self._place):
                return
            alone = not start or self._text[start - 1] == "\n" or "\n" in self._text[start : self._place]
            directive = _DIRECTIVE.match(self._text, self._place) if alone else None
            if directive is None:
                return
            if directive[2] and not directive[2].startswith("line"):
                self._note(f"#{directive[2].split(chr(10))[0][:60]}: the C preprocessor is not run")
            self._place = directive.end()

    def _take(self, symbol: str) -> bool:
        self._skip()
        if self._text.startswith(symbol, self._place):
            self._place += len(symbol)
            return True
        return False

    def _need(self, symbol: str) -> None:
        if not self._take(symbol):
            self._expected(repr(symbol))

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        match = pattern.match(self._text, self._place)
        if match:
            self._place = match.end()
        return match

    # -- expressions: unsigned, of 64 bits -------------------------------------------------------------------
    def _atom(self, depth: int) -> int:
        if depth > MAX_EXPRESSION:
            self._fail(f"an expression is nested deeper than {MAX_EXPRESSION}")
        if (match := self._match(NUMBER)) is not None:
            digits = match[1]
            if len(digits) > 40 or integer(digits) > ALL_ONES:
                self._fail(f"{digits[:40]} does not fit 64 bits")
            if digits[0] == "0" and digits.isdecimal() and not set(digits) <= set("01234567"):
                self._fail(f"{digits} is no octal number, though it begins with 0")
            return integer(digits)
        if (match := self._match(_CHARACTER)) is not None:
            data = unescaped(match[1])
            if len(data) != 1:
                self._fail(f"{match[0]} is not one character")
            return data[0]
        if self._take("("):
            value = self._ternary(depth + 1)
            self._need(")")
            return value
        if (match := self._match(WORD)) is None:
            self._expected("a number, a reference or '>'")
        return self._macro(match[0], depth)

    def _macro(self, name: str, depth: int) -> int:
        if self._text.startswith("(", self._place):
            self._place += 1
            while not self._take(")"):
                self._ternary(depth + 1)
                self._take(",")
        elif name in MACROS:
            return MACROS[name]
        self._note(f"macro {name!r} is not known; 0 stands for it")
        return 0

    def _ternary(self, depth: int) -> int:
        value = self._binary(0, depth)
        if self._take("?"):
            first = self._ternary(depth + 1)
            self._need(":")
            second = self._ternary(depth + 1)
            return first if value else second
        return value

    def _binary(self, level: int, depth: int) -> int:
        if depth > MAX_EXPRESSION:
            self._fail(f"an expression is nested deeper than {MAX_EXPRESSION}")
        if level == len(_LEVELS):
            return self._unary(depth)
        value = self._binary(level + 1, depth)
        while True:
            self._skip()
            match = _OPERATORS.match(self._text, self._place)
            if match is None or match[0] not in _LEVELS[level]:
                return value
            self._place = match.end()
            value = self._apply(match[0], value, self._binary(level + 1, depth))

    def _unary(self, depth: int) -> int:
        if depth > MAX_EXPRESSION:
            self._fail(f"an expression is nested deeper than {MAX_EXPRESSION}")
        if self._take("-"):
            return -self._unary(depth + 1) & ALL_ONES
        if self._take("~"):
            return ~self._unary(depth + 1) & ALL_ONES
        if self._take("!"):
            return int(not self._unary(depth + 1))
        return self._atom(depth + 1)

    def _apply(self, operator: str, left: int, right: int) -> int:
        if operator in ("/", "%"):
            if not right:
                self._fail("a division by zero")
            return left // right if operator == "/" else left % right
        if operator in ("<<", ">>"):
            shift = min(right, 64)
            return (left << shift if operator == "<<" else left >> shift) & ALL_ONES
        result = {
            "||": int(bool(left or right)),
            "&&": int(bool(left and right)),
            "|": left | right,
            "^": left ^ right,
            "&": left & right,
            "==": int(left == right),
            "!=": int(left != right),
            "<": int(left < right),
            ">": int(left > right),
            "<=": int(left <= right),
            ">=": int(left >= right),
            "+": left + right,
            "-": left - right,
            "*": left * right,
        }[operator]
        return result & ALL_ONES


def integer(digits: str) -> int:
    """Return what a number's digits stand for, as in C."""
    if digits[:2] in ("0x", "0X"):
        return int(digits[:60], 16)
    if digits[0] == "0" and set(digits) <= set("01234567"):
        return int(digits[:60], 8)
    return int(digits[:60])


def unescaped(text: str) -> bytes:
    """Return the bytes of a string or a character, its escapes replaced."""
    data, place = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        data += text[place : match.start()].encode(errors="replace")
        place, code = match.end(), match[1]
        if code[0] == "x" and len(code) > 1:
            data.append(int(code[1:], 16))
        elif code[0] in "01234567":
            data.append(int(code, 8) & 0xFF)
        else:
            data += bytes([_ESCAPES[code]]) if code in _ESCAPES else code.encode(errors="replace")
    return bytes(data + text[place:].encode(errors="replace"))
