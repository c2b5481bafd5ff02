"""The nodes that the IP of a design get."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dtc import compile_source, needs_dtc, source_of

from pynq import design as description
from pynq.design import Design
from pynq.design.treenodes import MAX_MAPS, pl_nodes
from pynq.devicetree import Label, Node, Tree, read, write
from pynq.devicetree.fdt import resolve
from pynq.errors import DesignError, DeviceTreeError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _design(example: str) -> Design:
    return description.read(EXAMPLES / example / f"{example}.hwh")


def _nodes(design: Design, **options: Any) -> dict[str, Node]:
    return {node.name: node for node in pl_nodes(design, **options)}


def test_an_ip_with_two_interrupts_is_two_uio_devices() -> None:
    nodes = _nodes(_design("dma_loopback"))
    assert list(nodes) == ["axi_dma_0@a0000000", "axi_dma_0_s2mm_introut"]
    first, second = nodes.values()
    assert first.strings("compatible") == ("xlnx,axi-dma-7.1", "generic-uio")
    assert first.cells("reg") == (0, 0xA0000000, 0, 0x10000)
    # UG1085: pl_ps_irq0[0] is GIC 121, which is shared interrupt 89.
    assert first.cells("interrupts") == (0, 89, 4)
    assert first.text("xlnx,cell") == "axi_dma_0"
    assert second.strings("compatible") == ("generic-uio",)
    assert "reg" not in second.properties
    assert second.cells("interrupts") == (0, 90, 4)
    assert second.text("xlnx,cell") == "axi_dma_0"


def test_a_controller_has_the_line_into_the_ps_and_those_behind_it_have_none() -> None:
    nodes = _nodes(_design("image_filter"))
    assert nodes["axi_intc_0@41800000"].cells("interrupts") == (0, 29, 4)
    assert "interrupts" not in nodes["filter_axi_dma@40400000"].properties
    assert nodes["filter_axi_dma@40400000"].text("xlnx,cell") == "filter/axi_dma"


def test_buses_without_uio_or_of_other_widths() -> None:
    design = _design("vector_add")
    (node,) = _nodes(design, uio=False, parent=7, address_cells=1, size_cells=1).values()
    assert node.strings("compatible") == ("xlnx,vector-add-1.0",)
    assert node.cells("reg") == (0xA0000000, 0x10000)
    assert node.cells("interrupt-parent") == (7,)
    high = replace(design.ps_ranges[0], base=0x4_0000_0000, high=0x4_0000_FFFF)
    with pytest.raises(DeviceTreeError, match="vector_add_0: 0x400000000 does not fit 1 cell, which the bus"):
        pl_nodes(replace(design, ps_ranges=(high,)), address_cells=1)


def test_an_ip_with_more_ranges_than_a_uio_device_has_maps() -> None:
    design = _design("vector_add")
    (entry,) = design.ps_ranges
    ranges = [
        replace(entry, base=entry.base + number * 0x10000, high=entry.high + number * 0x10000)
        for number in range(MAX_MAPS + 1)
    ]
    nodes = _nodes(replace(design, ps_ranges=(*ranges, ranges[0])))
    assert {name: len(node.cells("reg")) // 4 for name, node in nodes.items()} == {
        "vector_add_0@a0000000": MAX_MAPS,
        "vector_add_0@a0050000": 1,
    }
    assert [("interrupts" in node.properties) for node in nodes.values()] == [True, False]


def test_an_edge_of_a_port_of_the_design() -> None:
    design = _design("vector_add")
    pin = next(iter(design.interrupt_pins.values()))
    outside = replace(pin, path="button", cell="", port="button", gic=123, sensitivity="EDGE_RISING")
    private = replace(pin, path="fiq", cell="", port="fiq", gic=28)
    nodes = _nodes(replace(design, interrupt_pins={"button": outside, "fiq": private}))
    assert list(nodes) == ["vector_add_0@a0000000", "button"]
    assert nodes["button"].cells("interrupts") == (0, 91, 1)
    assert "xlnx,cell" not in nodes["button"].properties


def test_names_that_read_the_same() -> None:
    design = _design("vector_add")
    pin = next(iter(design.interrupt_pins.values()))
    pins = {
        name: replace(pin, path=name, cell=name.rpartition("/")[0], port=name.rpartition("/")[2], gic=gic)
        for name, gic in (("a/b_c", 122), ("a_b/c", 123))
    }
    assert list(_nodes(replace(design, interrupt_pins=pins, ps_ranges=()))) == ["a_b_c", "a_b_c_2"]


@needs_dtc
def test_dtc_finds_no_fault_with_a_bus_of_them() -> None:
    gic = Node("intc", label="gic")
    gic.set("#interrupt-cells", 3)
    gic.set("interrupt-controller")
    bus = Node("amba_pl", children=pl_nodes(_design("image_filter"), parent=Label("gic")))
    bus.set("compatible", "simple-bus")
    for node in (bus, tree := Tree(children=[gic, bus])):
        node.set("#address-cells", 2)
        node.set("#size-cells", 2)
    bus.set("ranges")
    resolve(tree)
    text = source_of(write(tree))
    assert re.search(r"filter_stream_filter@43c00000 \{", text)
    assert read(compile_source(text)) == tree  # with dtc's checks, whose warnings -q drops


@pytest.mark.corpus
def test_every_design_of_the_corpus(corpus: Path) -> None:
    seen = 0
    for file in sorted((corpus / "hwh").rglob("*.hwh")):
        try:
            design = description.read(file)
        except DesignError:
            continue
        nodes = pl_nodes(design)
        tree = Tree(children=[Node("amba_pl", children=nodes)])
        assert read(write(tree)) == tree
        cells = {node.text("xlnx,cell") for node in nodes} - {""}
        assert cells >= {entry.slave for entry in design.ps_ranges if entry.slave in design.cells}
        seen += len(nodes)
    assert seen > 300
