"""Parameters: what sources declare, and how values of descriptions become Verilog."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq.backends.sim.rtl import declared
from pynq.backends.sim.rtl.values import defaults, literal, lookup, number_of


def parameters(tmp_path: Path, text: str, name: str = "m") -> dict[str, str] | None:
    file = tmp_path / "m.sv"
    file.write_text(text)
    found = declared.find_module(name, [file])
    return None if found is None else {one.name: one.kind for one in found.values()}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("module m; endmodule", {}),
        (
            "module m #(parameter A = 1, B = 2, parameter [3:0] C = 4'h3) (input x); endmodule",
            {"A": "number", "B": "number", "C": "number"},
        ),
        (
            'module m #(parameter string A = F, parameter B = "x", parameter real C = 1, D = 2.5);',
            {"A": "text", "B": "text", "C": "real", "D": "real"},
        ),
        (
            "module m #(parameter A = 1, localparam B = A, parameter C = F(1, 2), D = {2{1'b1}}) ();",
            {"A": "number", "C": "unknown", "D": "unknown"},
        ),
        (
            "module m #(parameter type T = logic [7:0], parameter int A = $bits(T))",
            {"T": "type", "A": "number"},
        ),
        (
            "module m import p::*; #(int A = 1, logic [A-1:0] B [2] = '{1, 2}) ();",
            {"A": "number", "B": "number"},
        ),
        (
            'module m (x, y); parameter A = 1; localparam B = 2; parameter C = "t", D = 3; endmodule\n'
            "module n; parameter E = 1; endmodule",
            {"A": "number", "C": "text", "D": "number"},
        ),
        ("module m #(parameter A = 1) (); parameter B = 2; endmodule", {"A": "number"}),
        (
            "/* module m #(parameter OLD = 1); */ module m #(parameter NEW /* = 3 */ = 1); // OLD",
            {"NEW": "number"},
        ),
        ('module m #(parameter A = "// no comment", B = 1);', {"A": "text", "B": "number"}),
        ("module m2 #(parameter A = 1); endmodule", None),
    ],
)
def test_declarations(tmp_path: Path, text: str, kinds: dict[str, str] | None) -> None:
    assert parameters(tmp_path, text) == kinds


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("26", "number", "26"),
        (" -3 ", "number", "-3"),
        ("0x1F", "number", "32'h1F"),
        ("0x123456789ABCD", "number", "52'h123456789ABCD"),
        ("4294967296", "number", "64'h100000000"),
        ("0b101", "number", "3'b101"),
        ('"0010"', "number", "4'b0010"),
        ('"0010"', "text", '"0010"'),
        ("zynq", "text", '"zynq"'),
        ("26", "text", '"26"'),
        ("zynq", "number", None),
        ("true", "number", "1"),
        ("FALSE", "number", "0"),
        ("true", "text", '"true"'),
        ("true", "unknown", '"true"'),
        ("2.5", "real", "2.5"),
        ("8'h3F", "number", "8'h3F"),
        ("'h3F", "unknown", "'h3F"),
        (5, "number", "5"),
        (True, "number", "1"),
        (2.5, "real", "2.5"),
        (5, "text", '"5"'),
        ('say "x"', "text", '"say \\"x\\""'),
        ("5", "type", None),
    ],
)
def test_literals(value: str | int | float, kind: declared.Kind, text: str | None) -> None:
    assert literal(value, kind) == text


def test_numbers() -> None:
    assert number_of("0x1F") == (31, 8)
    assert number_of("8'd12") == (12, 8)
    assert number_of("'b2") is None
    assert number_of('"011"') == (3, 3)
    assert number_of("true") == (1, 0)
    assert number_of("x") is None
    assert number_of(1.5) is None


def test_names_are_found_in_vivados_spellings() -> None:
    described = {"C_WIDTH": "8", "Depth": "16", "MODE": "", "CONFIG.N": "3", "KEEP": "1"}
    names = ["WIDTH", "DEPTH", "C_KEEP", "MODE", "N", "MISSING"]
    assert lookup(described, names) == {"WIDTH": "8", "DEPTH": "16", "C_KEEP": "1", "N": "3"}
    assert lookup({"WIDTH": "1", "C_WIDTH": "2"}, ["C_WIDTH", "WIDTH"]) == {"C_WIDTH": "2", "WIDTH": "1"}


def test_a_value_that_is_none_leaves_the_modules_own(tmp_path: Path) -> None:
    file = tmp_path / "m.v"
    file.write_text('module m #(parameter MODE = 0, NAME = "a", W = 1); endmodule')
    found = declared.find_module("m", [file]) or {}
    assert defaults({"MODE": "FULL", "NAME": "b", "C_W": "9"}, found) == {"NAME": '"b"', "W": "9"}


def test_packages_come_first(tmp_path: Path) -> None:
    texts = {
        "a.sv": "module a; import c::*; b::t x; endmodule",
        "b.sv": "package b; typedef c::t t; endpackage",
        "c.sv": "package c; typedef int t; endpackage",
        "d.v": "module d; endmodule",
        "e.sv": "package e; typedef f::t t; endpackage",
        "f.sv": "package f; typedef e::t t; endpackage",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    order = [file.name for file in declared.packages_first([tmp_path / name for name in texts])]
    assert order[:2] == ["c.sv", "b.sv"]
    assert sorted(order) == sorted(texts)
    assert order[-2:] == ["a.sv", "d.v"]


def test_sources_are_read_again_only_when_they_changed(tmp_path: Path) -> None:
    file = tmp_path / "m.v"
    file.write_text("module m; endmodule")
    assert set(declared.modules([file, tmp_path / "nix.v"])) == {"m"}
    file.write_text("module n1; endmodule")
    assert set(declared.modules([file])) == {"n1"}
