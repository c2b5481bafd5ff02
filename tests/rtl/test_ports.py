"""Ports of the RTL against those of the description: all differences at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pynq.backends.sim.rtl.glue import RtlPort
from pynq.backends.sim.rtl.ports import compare, raise_differences
from pynq.design import read
from pynq.design.model import Cell
from pynq.errors import PortMismatchError, RtlBuildError

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "examples" / "image_filter" / "image_filter.hwh"
WAYS: dict[str, Any] = {"I": "in", "O": "out", "IO": "both"}


@pytest.fixture(scope="module")
def cell() -> Cell:
    return read(FILTER).cells["filter/stream_filter"]


@pytest.fixture
def ports(cell: Cell) -> dict[str, RtlPort]:
    return {name: RtlPort(name, WAYS[port.direction], port.width) for name, port in cell.ports.items()}


def reasons(cell: Cell, ports: dict[str, RtlPort], **more: Any) -> dict[str, str]:
    return {one.port: one.why for one in compare(cell, tuple(ports.values()), **more).differences}


def test_the_same_ports_fit(cell: Cell, ports: dict[str, RtlPort]) -> None:
    fit = compare(cell, tuple(ports.values()))
    assert fit.differences == ()
    assert fit.names == {name: name for name in cell.ports}


def test_names_are_compared_without_case_and_as_the_manifest_says(
    cell: Cell, ports: dict[str, RtlPort]
) -> None:
    ports["ACLK"] = RtlPort("ACLK", "in", 1)
    del ports["aclk"]
    ports["irq"] = RtlPort("irq", "out", 1)
    del ports["interrupt"]
    fit = compare(cell, tuple(ports.values()), renamed={"irq": "interrupt"})
    assert fit.differences == ()
    assert (fit.names["aclk"], fit.names["interrupt"]) == ("ACLK", "irq")


def test_a_name_that_the_description_has_not(cell: Cell, ports: dict[str, RtlPort]) -> None:
    found = reasons(cell, ports, renamed={"aclk": "clock"})
    assert found == {"clock": "named in ports, but the description has no such port"}


def test_extra_outputs_are_allowed_extra_inputs_need_a_level(cell: Cell, ports: dict[str, RtlPort]) -> None:
    ports["debug"] = RtlPort("debug", "out", 200)
    assert reasons(cell, ports) == {}
    ports["mode"] = RtlPort("mode", "in", 2)
    ports["pad"] = RtlPort("pad", "both", 1)
    found = reasons(cell, ports)
    assert set(found) == {"mode", "pad"}
    assert found["mode"] == "missing in the description; give it a level with tie = { mode = 0 }"
    del ports["pad"]
    assert reasons(cell, ports, tied={"mode": 2}) == {}


@pytest.mark.parametrize(
    ("tied", "why"),
    [
        ({"nix": 0}, "tied, but the RTL has no such port"),
        ({"interrupt": 0}, "tied, but no input"),
        ({"aclk": 2}, "tied to 2, which it can't hold"),
    ],
)
def test_levels_that_can_not_be(
    cell: Cell, ports: dict[str, RtlPort], tied: dict[str, int], why: str
) -> None:
    assert list(reasons(cell, ports, tied=tied).values()) == [why]


def test_all_differences_of_all_blocks_in_one_error(cell: Cell, ports: dict[str, RtlPort]) -> None:
    del ports["interrupt"]
    ports["s_axi_awaddr"] = RtlPort("s_axi_awaddr", "in", 8)
    ports["s_axis_tready"] = RtlPort("s_axis_tready", "in", 2)
    fit = compare(cell, tuple(ports.values()))
    clean = compare(cell, ())
    with pytest.raises(PortMismatchError) as caught:
        raise_differences(
            [
                ("a", "top_a", "x.hwh", "x.sim.toml:1", fit.differences),
                ("b", "top_b", "x.hwh", "x.sim.toml:5", ()),
                ("c", "top_c", "x.hwh", "x.sim.toml:9", clean.differences),
            ]
        )
    error = caught.value
    assert isinstance(error, RtlBuildError)
    text = str(error)
    line = cell.ports["s_axi_awaddr"].line
    assert "a: the ports of module top_a (x.sim.toml:1) are not those of x.hwh" in text
    assert "top_b" not in text
    assert "top_c" in text
    assert any(
        part.split() == ["s_axi_awaddr", "in", "8", "bits", "in", "7", "bits", "width", f"(x.hwh:{line})"]
        for part in text.splitlines()
    )
    assert any(
        part.split()[:7] == ["s_axis_tready", "in", "2", "bits", "out", "1", "bit"]
        and "direction and width" in part
        for part in text.splitlines()
    )
    assert any(
        part.split()[:4] == ["interrupt", "-", "out", "1"] and "missing in the RTL" in part
        for part in text.splitlines()
    )
    assert len(error.problems) == 3 + len(cell.ports)
    assert {(problem.file, problem.line) for problem in error.problems} >= {("x.hwh", line)}


def test_nothing_is_raised_where_all_fits() -> None:
    raise_differences([("a", "t", "f", "w", ())])
