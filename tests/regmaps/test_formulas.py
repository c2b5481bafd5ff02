"""Formulas of IP-XACT: what they mean, and that none hangs or gets anywhere."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq.design.expressions import MAX_LENGTH, Unresolved, evaluate

NAMES = {"WIDTH": "32", "DEPTH": "WIDTH * 4", "LOOP": "LOOP + 1", "id.x": 7, "WORD": "'text'"}

VALUES = {
    "42": 42,
    " 0x1F ": 31,
    "#1f": 31,
    "4K": 4096,
    "2M": 2 << 20,
    "0x4K": 4096,
    "'h1f": 31,
    "8'b1010_0001": 0xA1,
    "8'o17": 15,
    "16'd12": 12,
    "3.0": 3,
    "true": 1,
    "WIDTH/8 - 1": 3,
    "DEPTH": 128,
    "(spirit:decode(id('WIDTH')) - 1)": 31,
    'id("id.x")': 7,
    "2 ** 3 ** 2": 512,
    "-2 ** 2": -4,
    "-7 / 2": -3,
    "-7 % 2": -1,
    "7 mod 4 + 9 div 2": 7,
    "$WIDTH > 31": 1,  # as Vivado's packager writes it
    "(spirit:decode(id('WIDTH')) = 32) and ($DEPTH=128)": 1,
    "WIDTH = 1 or 0 = 0 and 2 = 3": 0,
    "1 << 4 | 1": 17,
    "256 >> 4 >= 16 && !(1 == 2)": 1,
    "WIDTH > 16 ? 4 : 2": 4,
    "~0 & 15 ^ 1": 14,
    "$clog2(WIDTH + 1)": 6,
    "$clog2(1)": 0,
    "$max($min(3, 4), $pow(2, 2))": 4,
}

REFUSED = {
    "": "ends where a value",
    "1 +": "ends where a value",
    "1 2": "'2' is not expected",
    "(1": r"'\)' is missing",
    "1 ? 2": "':' is missing",
    "NOPE": "no parameter 'NOPE'",
    "LOOP": "depend on themselves",
    "WORD": "no parameter 'text'",
    "1 / 0": "divides by zero",
    "5 % 0": "divides by zero",
    "2 ** -1": "no whole number",
    "2 ** 300": "256 bits",
    "1 << 300": "a shift by 300",
    "3.5": "no whole number",
    "9" * 100: "more than 256 bits",
    "0x" + "f" * 100: "more than 256 bits",
    "$clog2(0 - 1)": "not defined",
    "$bits(3)": r"no function '\$bits'",
    "$clog2(1, 2)": "takes 1 values, not 2",
    "__import__('os')": "no function '__import__'",
    "open('/etc/passwd')": "no function|no parameter",
    "a.__class__": "no parameter",
    "1; 2": "no part of a formula",
    "(" * 40 + "1" + ")" * 40: "nested deeper",
    "1**" * 40 + "1": "nested deeper",
    "1" * (MAX_LENGTH + 1): "characters",
    "'d_": "no digits|no part",
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_values(text: str, value: int) -> None:
    assert evaluate(text, NAMES) == value


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unresolved, match=reason):
        evaluate(text, NAMES)


def test_parameters_that_multiply_end() -> None:
    names = {f"P{n}": f"P{n + 1} + P{n + 1}" for n in range(30)}
    with pytest.raises(Unresolved):
        evaluate("P0", {**names, "P30": "1"})


@given(
    st.text(alphabet="0123456789aAxK'hbWIDTH$clog2()+-*/%<>=!~&|^?:, ._", max_size=60) | st.text(max_size=30)
)
def test_any_text_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(Unresolved):
        assert evaluate(text, NAMES).bit_length() <= 256


def _trees() -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "&", "|", "^", "<", "<=", "==", "!=", ">", ">="])
    return st.recursive(
        st.integers(0, 1000).map(str),
        lambda inner: st.tuples(inner, operators, inner).map(lambda parts: f"({' '.join(parts)})"),
        max_leaves=12,
    )


@given(_trees())
def test_operators_are_those_of_python(text: str) -> None:
    value: int = eval(text, {"__builtins__": {}})  # noqa: S307  made of numbers and operators above
    assert evaluate(text) == int(value)
