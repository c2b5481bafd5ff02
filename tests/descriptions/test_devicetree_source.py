"""Device trees as source text, against dtc."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.devicetree import dts, fdt
from pynq.errors import DeviceTreeError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "devicetree"))
from dtc import compile_source, needs_dtc, view

TREE = r"""/dts-v1/;
/memreserve/ 0x1000 0x10;
/* a comment
   of two lines */
/ { #address-cells = <1>; // another
    a: first: n@1 {
        reg = <(1 + 2 * 3 << 1) 0x10 'a' (-1) 010 0XFfUL>;
        s = "a\n\x41\101\"", "b";
        b = [01 0203];
        p = &a, "behind", <&b>;
        link = <&b 5>, l0: <6>;
        e;
        w = /bits/ 16 <1 2>, /bits/ 64 <0x123456789abcdef>, /bits/ 8 <255 (-1)>, &b, <&a>;
        t = <(3 > 2 ? 5 : 6) (~0 & 0xff) (!7 || 2 == 2 && 9 % 4 != 0) (1 << 31 >> 30 | 4 ^ 1) (7 / 2 - 1)>;
        plus+name,x = "p";
    };
    b: c { x = <1>; gone { }; };
};
&b { x = <2>; y; /delete-node/ gone; };
&{/c} { z = "by path"; };
/ { n@1 { /delete-property/ e; late; }; spare: spare { }; };
/delete-node/ &spare;
"""
FRAGMENTS = """/dts-v1/;
/plugin/;
/ {
    fragment@0 { target = <&fpga_full>; first: __overlay__ { firmware-name = "x.bit.bin"; }; };
    fragment@1 { target-path = "/amba"; __overlay__ {
        clk0: clocking0 { #clock-cells = <0>; clocks = <&zynqmp_clk 71>; };
        dma@a0000000 { clocks = <&clk0>, <&zynqmp_clk 71>; interrupt-parent = <&gic>; };
    }; };
};
"""
SUGAR = """/dts-v1/; /plugin/;
&amba { #size-cells = <2>; d: dma@a0000000 { reg = <0 0xa0000000 0 0x1000>; link = <&d &gic>; }; };
&{/soc} { z; };
"""


@needs_dtc
@pytest.mark.parametrize("text", [TREE, FRAGMENTS, SUGAR])
def test_the_same_as_dtc(text: str) -> None:
    made = fdt.read(fdt.write(dts.read(text).flat()))
    assert view(made) == view(fdt.read(compile_source(text)))


OPERATORS = ["+", "-", "*", "&", "|", "^", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&&", "||"]


def test_lines_labels_and_references() -> None:
    source = dts.read(TREE)
    node = source.tree.find("/n@1")
    assert node is not None
    assert (source.line(node), node.label) == (6, "a")
    assert node.references["link"] == {0: "b"}
    assert source.tree.reservations == ((0x1000, 0x10),)


def test_no_other_file_is_opened() -> None:
    source = dts.read(
        '#include <dt-bindings/x.h>\n# 1 "/etc/passwd" 2\n/include/ "/etc/passwd"\n'
        "#define A \\\n  B {\n/ {\n  #address-cells = <1>;\n  n { i = <GIC_SPI 29 IRQ_TYPE_LEVEL_HIGH>; "
        "m = <M(1, 2) N>; p = &far; o = WORD;\n#ifdef X\n  };\n#endif\n};\n"
    )
    node = source.tree.find("/n")
    assert node is not None
    assert node.cells("i") == (0, 29, 4)
    assert node.cells("m") == (0, 0)
    notes = [f"{line}: {message}" for line, message in source.notes]
    assert notes[:4] == [
        "1: #include <dt-bindings/x.h>: the C preprocessor is not run",
        "3: /include/: other files are not opened",
        "4: #define A \\: the C preprocessor is not run",
        "8: macro 'M' is not known; 0 stands for it",
    ]
    assert "o: macro 'WORD' is not known; the value is left out" in notes[5]
    assert "p is the path of 'far', which is not known here" in notes[-1]


def test_what_the_text_only_refers_to_is_a_fragment() -> None:
    source = dts.read("&amba_pl { n@1 { reg = <1 2>; }; };\n&x { late; };\n")
    assert [part.target for part in source.parts()] == ["&amba_pl", "&x"]
    with pytest.raises(DeviceTreeError, match="no node has the label of '&amba_pl'"):
        source.flat()


BAD = {
    "statement": ("/ { };\nfoo;", r"x:2: expected '/', a reference or a directive, found 'foo;'"),
    "end": ("/ { n {", r"x:1: expected a property, a node or '}', found the end"),
    "semicolon": ("/ { a = <1> }", r"x:1: expected ';', found '}'"),
    "brace": ("/ a", r"x:1: expected '{', found 'a'"),
    "comment": ("/ { /* };", r"x:1: this comment has no end"),
    "cell": ("/ { a = <1,2>; };", r"x:1: expected a number, a reference or '>', found ',2>"),
    "byte": ("/ { a = [0g]; };", r"x:1: expected a byte of two hexadecimal digits, or ']', found '0g"),
    "value": ("/ { a = ; };", r"x:1: expected a value, found ';"),
    "octal": ("/ { a = <09>; };", r"x:1: 09 is no octal number, though it begins with 0"),
    "cell-large": ("/ { a = <0x100000000>; };", r"x:1: 0x100000000 does not fit 32 bits"),
    "large": ("/ { a = <(0x10000000000000000)>; };", r"does not fit 64 bits"),
    "bits": ("/ { a = /bits/ 12 <1>; };", r"x:1: /bits/ is 12; expected 8, 16, 32 or 64"),
    "bits-value": ('/ { a = /bits/ 8 "x"; };', r"x:1: expected '<' after /bits/"),
    "bits-reference": ("/ { a = /bits/ 64 <&b>; };", r"x:1: a reference does not fit 64 bits"),
    "incbin": ('/ { a = /incbin/("/etc/passwd"); };', r"x:1: /incbin/: other files are not opened"),
    "division": ("/ { a = <(1 / 0)>; };", r"x:1: a division by zero"),
    "character": ("/ { a = <'ab'>; };", r"x:1: 'ab' is not one character"),
    "parenthesis": ("/ { a = <(1>; };", r"x:1: expected a number, a reference or '>'|x:1: expected '\)'"),
    "label": ("/ { l: a { }; l: b { }; };", r"x:1: label 'l' is that of /a, too"),
    "path": ("&{soc} { };", r"x:1: 'soc' is no path: it has to begin with '/'"),
    "keyword": ("/dts-v2/;", r"x:1: /dts-v2/ has no place here"),
    "keyword-in-node": ("/ { /plugin/ a; };", r"x:1: /plugin/ has no place in a node"),
    "memreserve": ("/memreserve/ 1;", r"x:1: expected address and size"),
    "delete": ("/delete-node/ x;", r"x:1: expected a reference"),
    "name": ("/ { " + "a" * 300 + " { }; };", r"x:1: node 'aaa.*expected 1 to 255 printable"),
    "deep": ("/ " + "{ a " * 100, r"x:1: nodes are nested deeper than 64"),
    "expression": ("/ { a = <" + "(" * 100, r"x:1: an expression is nested deeper than 32"),
    "unary": ("/ { a = <(" + "-" * 100_000, r"x:1: an expression is nested deeper than 32"),
    "ternary": ("/ { a = <(" + "1?" * 1000, r"x:1: an expression is nested deeper than 32"),
}


@pytest.mark.parametrize("rule", BAD)
def test_bad_texts(rule: str) -> None:
    text, message = BAD[rule]
    with pytest.raises(DeviceTreeError, match=message):
        dts.read(text, "x")


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(DeviceTreeError, match=r"x: 16777217 characters; at most 16777216 are read"):
        dts.read(" " * (dts.MAX_TEXT + 1), "x")


def test_long_lines_take_no_longer() -> None:
    source = dts.read("/ { " + "#a = <1>; /**/" * 20_000 + "};")
    assert source.tree.cells("#a") == (1,)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*TREE.split(" "), "{", "}", ";", "<", ">", "(", "&", "/"]), max_size=40))
def test_pieces_in_any_order_are_read_or_told(words: list[str]) -> None:
    with suppress(DeviceTreeError):
        dts.read(" ".join(words))


@needs_dtc
@settings(max_examples=25, deadline=None)
@given(
    st.recursive(
        st.integers(0, 2**40).map(str),
        lambda inner: st.tuples(inner, st.sampled_from(OPERATORS), inner).map(
            lambda part: f"({part[0]} {part[1]} {part[2]})"
        ),
        max_leaves=12,
    )
)
def test_expressions_are_those_of_dtc(text: str) -> None:
    whole = f"/dts-v1/; / {{ a = /bits/ 64 <({text})>; }};"
    assert dts.read(whole).tree.properties["a"] == fdt.read(compile_source(whole)).properties["a"]
