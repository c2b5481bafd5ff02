"""Properties of `check`, `compare` and `stubs`: they take whatever the reader takes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hwh_files import B, M, R, Reg, document, zynq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_properties import cells

import pynq
from pynq.binding import Drivers, bind
from pynq.binding.stubs import stubs
from pynq.design import Design, read, read_bytes
from pynq.design.check import check
from pynq.design.compare import WEIGHTS, compare
from pynq.errors import DesignError

SEEDS = sorted((Path(__file__).resolve().parents[1] / "fuzz" / "seeds").glob("*.hwh"))
NOBODY = Drivers({}, ())


def look(design: Design) -> None:
    found = check(design)
    assert found == check(design)
    assert all(one.message and one.advice and one.source.file for one in found)
    assert compare(design, design) == ()
    text = stubs(design, bind(design, NOBODY), "made.hwh", pynq.Overlay)
    ast.parse(text)
    assert text == stubs(design, bind(design, NOBODY), "made.hwh", pynq.Overlay)


def build(modules: list[M]) -> Design:
    ranges = [R(cell.path, number << 20, 0x1000, "S_AXI") for number, cell in enumerate(modules)]
    return read_bytes(document([zynq(ranges=ranges), *modules]), "made.hwh")


@given(cells(), cells())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
def test_whatever_is_read_can_be_looked_into(old: list[M], new: list[M]) -> None:
    designs = [build(old), build(new)]
    for design in designs:
        look(design)
    there, back = compare(*designs), compare(*reversed(designs))
    assert {one.weight for one in there} <= set(WEIGHTS)
    assert bool(there) == bool(back)


def test_blocks_of_one_name_are_told_apart() -> None:
    """As real IP have them: the registers of the second are not those of the first, changed."""
    cell = M("twice", blocks=[B("S_AXI", (Reg("A", 0),)), B("S_AXI", (Reg("B", 0), Reg("C", 4)))])
    less = M("twice", blocks=[B("S_AXI", (Reg("A", 0),)), B("S_AXI", (Reg("B", 0),))])
    look(build([cell]))
    (change,) = compare(build([cell]), build([less]))
    assert (change.weight, change.subject) == ("breaks", "twice C")


@pytest.mark.parametrize("file", SEEDS, ids=lambda file: file.stem)
def test_seeds(file: Path) -> None:
    look(read(file))


@given(st.sampled_from(SEEDS), st.data())
@settings(deadline=None, max_examples=60)
def test_damaged_files(file: Path, data: st.DataObject) -> None:
    """Lines are left out, or are there twice."""
    lines = file.read_bytes().split(b"\n")
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at : at + 1] = data.draw(st.sampled_from([[], [lines[at]] * 2]))
    try:
        design = read_bytes(b"\n".join(lines), "made.hwh")
    except DesignError:
        return
    look(design)
