"""What ``pynq inspect --json`` tells, beyond the tables."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from look_designs import made, parts
from report_kit import example

from pynq.binding import bind
from pynq.binding.drivers import registry
from pynq.cli.inspection import inspect
from pynq.design import read
from pynq.report.facts import SCHEMA, facts


def told(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(inspect(path).facts))
    return found


def test_registers_with_their_fields() -> None:
    found = told(example("image_filter"))
    assert found["schema"] == SCHEMA
    (dma,) = [cell for cell in found["cells"] if cell["path"] == "filter/axi_dma"]
    registers = {one["name"]: one for block in dma["blocks"] for one in block["registers"]}
    assert len(registers) == dma["registers"]
    control = registers["MM2S_DMACR"]
    assert (control["offset"], control["size_bits"], control["access"]) == (0, 32, "read-write")
    (run,) = [field for field in control["fields"] if field["name"] == "RS"]
    assert (run["offset_bits"], run["width_bits"]) == (0, 1)
    assert run["description"].startswith("1 runs the channel")


def test_drivers_and_models() -> None:
    cells = {cell["path"]: cell for cell in told(example("image_filter"))["cells"]}
    assert cells["filter/axi_dma"]["driver"] == "pynq.lib.dma.DMA"
    assert cells["filter/axi_dma"]["model"] == "engine"
    assert cells["filter/stream_filter"]["model"] == "RTL"  # by the manifest beside it
    assert cells["axi_intc_0"]["model"] == "pynq.backends.sim.models.axi_intc.AxiIntc"


def test_an_address_map_has_its_gaps() -> None:
    found = told(example("image_filter"))
    first = found["address_maps"][0]
    assert first["master"] == found["ps"]
    entries = first["entries"]
    assert any(one["gap"] for one in entries)
    for one, two in pairwise(entries):
        assert two["base"] == one["high"] + 1  # nothing is left out, nothing overlaps here
        assert one["size"] == one["high"] - one["base"] + 1
    assert {one["slave"] for one in entries if not one["gap"]} == {
        row["slave"] for row in found["addresses"] if row["master"] == found["ps"]
    }


def test_the_interrupt_tree() -> None:
    (controller,) = told(example("image_filter"))["interrupt_tree"]
    assert (controller["path"], controller["gic"]) == ("axi_intc_0", 61)
    assert [pin["index"] for pin in controller["inputs"]] == [0, 1, 2]
    assert controller["inputs"][2]["path"] == "filter/stream_filter/interrupt"


def test_clocks_name_what_they_drive() -> None:
    design = made(parts())
    (clock,) = facts(design, bind(design, registry.snapshot()))["clocks"]
    assert clock["name"] == "FCLK_CLK0"
    assert {"bus/aclk", "dma/aclk", "reset/slowest_sync_clk"} <= set(clock["consumers"])


def test_findings_are_those_of_check() -> None:
    cells = parts()
    cells["dma"].parameters["c_sg_length_width"] = "14"
    design = made(cells)
    found = facts(design, bind(design, registry.snapshot()))["findings"]
    assert [one["subject"] for one in found if "14" in one["message"]] == ["dma"]
    assert all(one["line"] and one["file"] == "small.hwh" for one in found)


@pytest.mark.corpus
def test_every_file_of_the_corpus_has_facts(corpus: Path) -> None:
    for path in sorted((corpus / "hwh").glob("*.hwh")):
        design = read(path)
        found = json.loads(json.dumps(facts(design, bind(design, registry.snapshot()))))
        assert [cell["path"] for cell in found["cells"]] == list(design.cells), path.name
        registers = sum(len(block["registers"]) for cell in found["cells"] for block in cell["blocks"])
        assert registers == sum(cell["registers"] for cell in found["cells"])
        pins = list(_pins(found["interrupt_tree"]))
        assert len(pins) == len(set(pins))
        assert set(pins) >= {pin["pin"] for pin in found["interrupts"] if not pin["pin"].endswith("/irq")}
        for chart in found["address_maps"]:
            assert all(entry["size"] > 0 for entry in chart["entries"])


def _pins(tree: list[dict[str, Any]]) -> Any:
    for entry in tree:
        if "inputs" in entry:
            yield from _pins(entry["inputs"])
        else:
            yield entry["path"]
