"""What comes back from the process that runs scripts, lists of Tcl, options, patterns, filters."""

from __future__ import annotations

import contextlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcl_scripts import needs_tcl

from pynq.design.tcl import commands, globs, read, wire
from pynq.design.tcl.diagram import Diagram
from pynq.design.tcl.filters import compile_filter
from pynq.design.tcl.netlist import Cell, InterfacePin, Net, Netlist, Pin, Segment
from pynq.design.tcl.words import CommandError, integer, join_list, options, split_list
from pynq.errors import DesignError, DesignNotFoundError

MADE = Netlist(
    "d",
    "2020.2",
    "part",
    "board",
    {"h": Cell("h", "hierarchy", "", {}, 1), "h/x": Cell("h/x", "ip", "a:b:c:1", {"A": "é\n"}, 2)},
    {"p": Pin("p", "I", "clk", 3, 0, {"B": "1"}, 3)},
    {"i": InterfacePin("i", "Master", "t", {}, 4)},
    [Net("n", ["h/x/a", "p"], 5)],
    [Net("h/m", ["h/x/S", "i"], 6)],
    [Segment("h/x/Data", "h/x/S/Reg", "SEG", 0, 1 << 64, True, 7), Segment("", "", "")],
    {"other": Netlist("other", "", "", "")},
    [(1, "note")],
)


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(wire.dump({"netlist": MADE}))
    return found


def test_what_goes_out_comes_back() -> None:
    assert wire.load(wire.dump({"netlist": MADE})).netlist == MADE
    assert wire.load(wire.dump({"problems": [(3, "bad")]})).problems == [(3, "bad")]
    assert wire.load(wire.dump({"missing": "x"})).missing == "x"
    # What Tcl makes of bytes that are no UTF-8 can't be written to a file or terminal.
    assert wire.load(wire.dump({"missing": "a\udc80"})).missing == "a?"


def put(path: str, value: object) -> bytes:
    """The document with another value at a place."""
    whole = document()
    at: Any = whole
    *way, last = path.split(" ")
    for step in way:
        at = at[int(step) if isinstance(at, list) else step]
    if value is KeyError:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("netlist", [], "a Netlist is"),
        ("more", 1, "the document is"),
        ("netlist name", None, "a text is None"),
        ("netlist name", "x" * (1 << 21), "a text is"),
        ("netlist more", 1, "a Netlist is"),
        ("netlist part", KeyError, "a Netlist is"),
        ("netlist cells", [], "a mapping is"),
        ("netlist cells h", 1, "a Cell is 1"),
        ("netlist cells h kind", "box", "one of ip, module, container, hierarchy is 'box'"),
        ("netlist cells h kind", [], "one of ip"),
        ("netlist cells h path", "/h", "a path is '/h'"),
        ("netlist cells h path", "i", "the path of a thing is 'h'"),
        ("netlist cells h path", "a\nb", "a path is"),
        ("netlist cells h path", "a/" * 10_000, "a path is"),
        ("netlist cells h line", True, "a number is True"),
        ("netlist cells h line", 1.5, "a number is 1.5"),
        ("netlist cells h line", 1 << 70, "a number is"),
        ("netlist cells h line", -(1 << 30), "a number is"),
        ("netlist cells h parameters", {"a": 1}, "a text is 1"),
        ("netlist cells h extra", 1, "a Cell is"),
        ("netlist pins p direction", "X", "one of , I, O, IO is 'X'"),
        ("netlist pins p left", "3", "a number is '3'"),
        ("netlist interfaces i mode", "Client", "one of , Master"),
        ("netlist nets", {}, "a list is {}"),
        ("netlist nets 0", None, "a Net is None"),
        ("netlist nets 0 pins 0", 1, "a text is 1"),
        ("netlist nets 0 name", "\u202e", "a path is"),
        ("netlist segments 0 excluded", 1, "a truth value is 1"),
        ("netlist segments 0 offset", "0", "a number is"),
        ("netlist notes 0", [1], "a note is"),
        ("netlist notes 0", ["1", "x"], "a number is"),
        ("netlist designs other designs", {"deeper": {}}, "the designs of a design is"),
        ("netlist designs other", {}, "a Netlist is"),
    ],
)
def test_what_is_no_answer(path: str, value: object, message: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.load(put(path, value))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b"null", b"{}", b'{"problems": []}', b'{"problems": [[1, 2]]}', b'{"x": 1}'),
        *(b"\xff\xfe", b"[" * 100_000, b'{"netlist": ' + b"9" * 10_000 + b"}", b'{"missing": "\\ud800'),
    ],
)
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.load(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json(value: object) -> None:
    with pytest.raises(wire.WireError):
        wire.load(json.dumps({"netlist": value}).encode())


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]))))
def test_lists_come_back(elements: list[str]) -> None:
    assert split_list(join_list(elements)) == elements


@cache
def interpreter() -> Any:
    import _tkinter

    return _tkinter.create(None, "x", "X", False, False, False)


@needs_tcl
@given(st.lists(st.text('ab {}[]"\\$;#\n\té', max_size=8), max_size=5))
def test_tcl_reads_the_same_lists(elements: list[str]) -> None:
    tcl = interpreter()
    assert list(tcl.splitlist(join_list(elements))) == elements
    assert split_list(tcl.call("list", *elements)) == elements


@needs_tcl
@given(st.text('ab {}"\\\n', max_size=12))
def test_tcl_refuses_the_same_lists(text: str) -> None:
    import _tkinter

    tcl = interpreter()
    try:
        expected = list(tcl.splitlist(text))
    except _tkinter.TclError:
        with pytest.raises(CommandError):
            split_list(text)
    else:
        assert split_list(text) == expected


@given(st.text("ab*?/", max_size=8), st.text("ab/", max_size=8))
def test_patterns(pattern: str, path: str) -> None:
    made = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    assert globs.matches(pattern, path) == bool(re.fullmatch(made, path))


def test_patterns_take_no_time() -> None:
    assert not globs.like("*a" * 200 + "b", "a" * 5000)


@given(st.text())
def test_any_filter(text: str) -> None:
    try:
        test = compile_filter(text)
    except CommandError:
        return
    assert test(lambda name: name) in (True, False)


@given(
    st.sampled_from([name for name in commands.NAMES if "::" not in name]),
    st.lists(st.text(max_size=20), max_size=6),
)
def test_any_words(name: str, words: list[str]) -> None:
    diagram = Diagram()
    for line in (["create_bd_design", "d"], ["create_bd_cell", "-vlnv", "a:b:c:1", "x"], [name, *words]):
        with contextlib.suppress(CommandError):
            assert isinstance(commands.run(diagram, line[0], line[1:]), str)
    assert wire.load(wire.dump({"netlist": diagram.netlist()})).netlist


def test_numbers() -> None:
    for text, value in {
        "0x10": 16,
        "64K": 65536,
        " 4g ": 4 << 30,
        "0x4000_0000": 1 << 30,
        "12": 12,
        "16E": 1 << 64,
    }.items():
        assert integer(text, "x") == value
    for text in ("", "K", "0x", "-1", "1.5", "0x10K", "17E", "٣", "1" * 5000):
        with pytest.raises(CommandError, match="x is"):
            integer(text, "x")


def test_options_may_be_short() -> None:
    found = options("c", ["-ran", "1", "name", "-q", "-1", "-of", "x"], "range of_objects", "force")
    assert (found.values, set(found.flags), found.rest) == (
        {"range": "1", "of_objects": "x"},
        {"quiet"},
        ["name", "-1"],
    )
    with pytest.raises(CommandError, match=r"c has no option '-f'; it has -from, -force, -quiet, -verbose"):
        options("c", ["-f"], "from", "force")


@needs_tcl
def test_files(tmp_path: Path) -> None:
    good = tmp_path / "good.tcl"
    good.write_text("create_bd_design good\ncreate_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 leds\n")
    assert list(read(good).cells) == ["leds"]
    assert read(str(good)).format == "tcl"
    with pytest.raises(DesignNotFoundError, match=r"none\.tcl: no such file"):
        read(tmp_path / "none.tcl")
    with pytest.raises(DesignError, match="can't be read: Is a directory"):
        read(tmp_path)
    large = tmp_path / "large.tcl"
    large.write_bytes(b"#" * (8 << 20) + b"\n")
    with pytest.raises(DesignError, match=r"large\.tcl: is larger than 8 MiB"):
        read(large)
