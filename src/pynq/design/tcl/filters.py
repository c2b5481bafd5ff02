"""The expressions of ``-filter``: ``VLNV =~ "*axi_gpio*" && (TYPE == ip || NAME != x)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from pynq.design.tcl import properties
from pynq.design.tcl.diagram import Diagram
from pynq.design.tcl.globs import like
from pynq.design.tcl.words import CommandError

__all__ = ["compile_filter", "expression", "select"]

_TOKEN = re.compile(r'\s*(?:(&&|\|\||==|!=|=~|!~|<=|>=|[()!<>])|"([^"]*)"|\{([^{}]*)\}|([^\s()&|=!~<>"{}]+))')
_MAX_DEPTH = 20

Test = Callable[[Callable[[str], str]], bool]


def select(
    diagram: Diagram, kind: str, paths: Sequence[str], text: str, expressions: bool = False
) -> list[str]:
    """The paths whose properties a filter holds for, its patterns regular ``expressions`` or globs."""
    test = compile_filter(text, expressions)
    return [path for path in paths if test(partial(properties.of_object, diagram, kind, path))]


def expression(text: str, any_case: bool = False) -> Callable[[str], bool]:
    """Return the test whether all of a text is what a regular expression means.

    Those that scripts use mean the same in Tcl and Python; the process's limits bound their time.

    Raises:
        CommandError: it is none.
    """
    try:
        compiled = re.compile(text, re.IGNORECASE if any_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise CommandError(f"{text[:80]!r} is no regular expression: {error}") from None
    return lambda one: compiled.fullmatch(one) is not None


def compile_filter(text: str, expressions: bool = False) -> Test:
    """Return the test that a filter makes of a function from a property's name to its value.

    Raises:
        CommandError: the expression is none.
    """
    tokens: list[tuple[str, str]] = []
    place = 0
    stripped = text.rstrip()
    while place < len(stripped):
        found = _TOKEN.match(stripped, place)
        if not found:
            raise CommandError(f"-filter {text[:80]!r} is not understood at {stripped[place:][:10]!r}")
        operator, *words = found.groups()
        tokens.append(
            ("operator", operator) if operator else ("word", next(w for w in words if w is not None))
        )
        place = found.end()
    reader = _Reader(tokens, text, expressions)
    test = reader.either(0)
    if reader.tokens:
        raise reader.wrong()
    return test


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]], text: str, expressions: bool) -> None:
        self.expressions = expressions
        self.tokens = tokens[::-1]
        self.text = text

    def wrong(self) -> CommandError:
        rest = self.tokens[-1][1] if self.tokens else "its end"
        return CommandError(f"-filter {self.text[:80]!r} is not understood at {rest[:40]!r}")

    def take(self, *operators: str) -> str:
        if self.tokens and self.tokens[-1][0] == "operator" and self.tokens[-1][1] in operators:
            return self.tokens.pop()[1]
        return ""

    def word(self) -> str:
        if not self.tokens or self.tokens[-1][0] != "word":
            raise self.wrong()
        return self.tokens.pop()[1]

    def either(self, depth: int) -> Test:
        tests = [self.both(depth)]
        while self.take("||"):
            tests.append(self.both(depth))
        return lambda get: any(test(get) for test in tests)

    def both(self, depth: int) -> Test:
        tests = [self.single(depth)]
        while self.take("&&"):
            tests.append(self.single(depth))
        return lambda get: all(test(get) for test in tests)

    def single(self, depth: int) -> Test:
        if depth > _MAX_DEPTH:
            raise CommandError(f"-filter {self.text[:80]!r} is deeper than {_MAX_DEPTH}")
        if self.take("!"):
            inner = self.single(depth + 1)
            return lambda get: not inner(get)
        if self.take("("):
            inner = self.either(depth + 1)
            if not self.take(")"):
                raise self.wrong()
            return inner
        name = self.word()
        operator = self.take("==", "!=", "=~", "!~")
        if not operator:
            return lambda get: get(name).lower() in ("1", "true", "yes")
        wanted = self.word()
        if operator in ("==", "!="):
            return lambda get: (get(name) == wanted) == (operator == "==")
        test = expression(wanted) if self.expressions else partial(like, wanted)
        return lambda get: test(get(name)) == (operator == "=~")
