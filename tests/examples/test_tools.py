"""What the writer of hand-off files refuses."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    from examples.tools import blockdesign

    yield blockdesign
    for name in [name for name in sys.modules if name == "examples" or name.startswith("examples.")]:
        del sys.modules[name]


def two_cells(tools: ModuleType) -> tuple[object, object, object]:
    design = tools.BlockDesign("small", {"ARCH": "zynq"}, vivado="2022.1", timestamp="")
    made = []
    for name, role in (("source", "MASTER"), ("sink", "SLAVE")):
        pins, bus = tools.axi(
            "bus", role, prefix="b_", protocol="AXI4LITE", data=32, addr=8, frequency=1, domain=""
        )
        pins.append(tools.vector("wire", "O" if role == "MASTER" else "I", None))
        made.append(design.add(tools.Cell(name, "a:b:c:1.0", {}, pins, [bus], {})))
    return design, *made


def test_a_pin_has_one_driver(tools: ModuleType) -> None:
    design, *_ = two_cells(tools)
    design.wire("source/wire", "sink/wire")
    with pytest.raises(ValueError, match="sink/wire has two drivers"):
        design.wire("source/wire", "sink/wire")


def test_buses_have_a_direction(tools: ModuleType) -> None:
    design, source, sink = two_cells(tools)
    with pytest.raises(ValueError, match="SLAVE -> MASTER"):
        design.connect(sink, "bus", source, "bus")


def test_ranges_do_not_overlap(tools: ModuleType) -> None:
    design, source, sink = two_cells(tools)
    design.map(source, "bus", sink, "bus", 0x1000, 0x1000)
    with pytest.raises(ValueError, match="overlaps sink at 0x1000"):
        design.map(source, "bus", sink, "bus", 0x1800, 0x1000)


def test_names_are_checked(tools: ModuleType) -> None:
    design, source, _ = two_cells(tools)
    with pytest.raises(KeyError, match="has no pin 'wirr'"):
        source.pin("wirr")
    with pytest.raises(KeyError, match="has no interface"):
        design.connect(source, "buss", source, "bus")
    with pytest.raises(ValueError, match="two cells at source"):
        design.add(source)
