"""The block diagram: the graph of a design, and how it is folded and laid out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from look_designs import made, parts
from report_kit import EXAMPLES, Engine
from xclbin_writer import container

from pynq.design import Design, read
from pynq.report.graph import graph_of
from pynq.report.svg import LAYERS

SHOWN = LAYERS[:4]


def whole(graph: dict[str, Any], design: Design) -> None:
    """Every cell is there once, parents come before their children, and every edge ends at a port."""
    ids = [node["id"] for node in graph["nodes"]]
    assert len(ids) == len(set(ids))
    assert [node["id"] for node in graph["nodes"] if node["kind"] == "cell"] == list(design.cells)
    seen = {""}
    ports = {}
    for node in graph["nodes"]:
        assert node["parent"] in seen
        if node["kind"] == "hierarchy":
            seen.add(node["id"])
        ports[node["id"]] = [port["name"] for port in node["ports"]]
        assert len(set(ports[node["id"]])) == len(node["ports"])
    for edge in graph["edges"]:
        assert edge["kind"] in LAYERS
        for end in (edge["from"], edge["to"]):
            assert end[1] in ports[end[0]]


def test_kinds_of_connection() -> None:
    design = made(parts())
    graph = graph_of(design)
    whole(graph, design)
    edges = {(edge["from"][0], edge["to"][0], edge["kind"]) for edge in graph["edges"]}
    assert ("ps7", "bus", "axi") in edges
    assert ("bus", "dma", "axi") in edges
    assert ("dma", "ps7", "axi") in edges
    assert ("kernel", "dma", "stream") in edges
    assert ("ps7", "reset", "clock") in edges
    assert ("reset", "dma", "reset") in edges
    # The pins of a concatenation say nothing of interrupts; what passes through it does.
    for pair in (("dma", "concat"), ("concat", "intc"), ("intc", "ps7")):
        assert (*pair, "interrupt") in edges
    roles = {node["id"]: node["role"] for node in graph["nodes"]}
    assert roles["concat"] == "glue"
    assert roles["reset"] == "reset"
    assert roles["bus"] == "interconnect"
    assert roles["ps7"] == "processor"


def test_drivers_and_findings_are_marked() -> None:
    graph = graph_of(made(parts()), {"dma": "pynq.lib.dma.DMA"}, {"kernel": "warning"})
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert nodes["dma"]["driver"] == "pynq.lib.dma.DMA"
    assert nodes["kernel"]["finding"] == "warning"
    assert nodes["bus"]["finding"] is None


def test_helpers_show_with_their_wires_only(engine: Engine) -> None:
    graph = graph_of(made(parts()))
    plain = engine.layout(graph, 0, SHOWN)
    assert plain["hidden"] == ["reset"]
    assert "concat" in plain["boxes"]  # an interrupt goes through it
    everything = engine.layout(graph, 0, LAYERS)
    assert everything["hidden"] == []
    assert "reset" in everything["boxes"]


def test_a_folded_hierarchy_stands_for_what_is_in_it(engine: Engine) -> None:
    graph = graph_of(read(EXAMPLES / "image_filter" / "image_filter.hwh"))
    folded = engine.layout(graph, 0, SHOWN)
    open_ = engine.layout(graph, 1, SHOWN)
    assert "filter/" in folded["boxes"]
    assert "filter/axi_dma" not in folded["boxes"]
    assert {"filter/", "filter/axi_dma"} <= set(open_["boxes"])
    assert folded["wires"] < open_["wires"]


@pytest.mark.parametrize("name", ["buttons_leds", "dma_loopback", "image_filter", "polynomial", "vector_add"])
@pytest.mark.parametrize("layers", [SHOWN, LAYERS])
def test_examples_are_laid_out_well(name: str, layers: tuple[str, ...], engine: Engine) -> None:
    design = read(EXAMPLES / name / f"{name}.hwh")
    graph = graph_of(design)
    whole(graph, design)
    for depth in (0, 9):
        assert engine.layout(graph, depth, layers)["problems"] == []


@pytest.mark.corpus
@pytest.mark.slow
def test_every_file_of_the_corpus_is_laid_out_well(corpus: Path, engine: Engine) -> None:
    for number, path in enumerate(sorted((corpus / "hwh").glob("*.hwh"))):
        design = read(path)
        graph = graph_of(design)
        whole(graph, design)
        # The rest for some: with everything shown, a large design takes seconds.
        if number % 2 == 0:
            assert engine.layout(graph, 0, SHOWN)["problems"] == [], path.name
        if number % 11 == 0:
            assert engine.layout(graph, 99, SHOWN)["problems"] == [], path.name


@pytest.mark.corpus
def test_the_base_overlay_is_no_hairball(corpus: Path, engine: Engine) -> None:
    graph = graph_of(read(corpus / "hwh" / "Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"))
    cells = [node for node in graph["nodes"] if node["kind"] == "cell"]
    assert len(cells) == 185
    top = engine.layout(graph, 0, SHOWN)
    assert len(top["boxes"]) < 50
    assert top["wires"] < 70
    assert top["drawn"] > top["wires"]  # parallel ones are one
    everything = engine.layout(graph, 99, LAYERS)
    assert everything["problems"] == []
    assert len([one for one in everything["boxes"] if not one.startswith("/")]) == len(cells) + 24


HIERARCHIES = ["", "a/", "b/", "a/c/", "a/c/d/"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Graphs of any shape: cells anywhere, connected with anything, themselves among it."""
    nodes: list[dict[str, Any]] = [
        {"id": one, "parent": one[:-2] if len(one) > 2 else ""} for one in HIERARCHIES[1:]
    ]
    for node in nodes:
        node.update(kind="hierarchy", role="hierarchy", name=node["id"].split("/")[-2])
    for number, place in enumerate(draw(st.lists(st.sampled_from(HIERARCHIES), min_size=1, max_size=10))):
        role = draw(st.sampled_from(["peripheral", "interconnect", "processor", "glue", "logic"]))
        name = draw(st.text(max_size=40)) or "x"
        nodes.append(
            {"id": f"{place}cell{number}", "parent": place, "kind": "cell", "role": role, "name": name}
        )
        nodes[-1].update(type=draw(st.text(max_size=50)), version="", driver=None)
    for number in range(draw(st.integers(0, 6))):
        nodes.append(
            {"id": f"/pin{number}", "parent": "", "kind": "external", "role": "external", "name": "pin"}
        )
    for node in nodes:
        node.update(ports=[], finding=None)
    ends = [node["id"] for node in nodes if node["kind"] != "hierarchy"]
    edges = draw(
        st.lists(
            st.builds(
                lambda one, two, kind, port, other: {
                    "from": [one, port], "to": [two, other], "kind": kind, "net": "net",
                },
                st.sampled_from(ends), st.sampled_from(ends), st.sampled_from(LAYERS),
                st.sampled_from(["M_AXI", "irq", "a_rather_long_name_of_a_port"]),
                st.sampled_from(["S_AXI", "S_AXI_LITE"]),
            ),
            max_size=25,
        )
    )  # fmt: skip
    return {"version": 1, "name": "any", "nodes": nodes, "edges": edges}


def test_processors_may_be_connected_with_each_other(engine: Engine) -> None:
    def cell(number: int, role: str) -> dict[str, Any]:
        made = {"id": f"cell{number}", "parent": "", "kind": "cell", "role": role, "name": "x", "type": "x"}
        return {**made, "version": "", "driver": None, "ports": [], "finding": None}

    nodes = [cell(0, "peripheral"), cell(3, "processor"), cell(4, "processor")]
    edges = [
        {"from": [one, "M_AXI"], "to": [two, "S_AXI"], "kind": "axi", "net": "net"}
        for one, two in (("cell0", "cell0"), ("cell3", "cell4"))
    ]
    found = engine.layout({"version": 1, "name": "any", "nodes": nodes, "edges": edges}, 0, LAYERS)
    assert found["problems"] == []


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(graph=graphs(), depth=st.integers(0, 3))
def test_any_graph_is_laid_out_well(graph: dict[str, Any], depth: int, engine: Engine) -> None:
    found = engine.layout(graph, depth, LAYERS)
    assert found["problems"] == []
    counted = Counter(found["boxes"])
    assert max(counted.values()) == 1
    if depth == 3:
        cells = {node["id"] for node in graph["nodes"] if node["kind"] == "cell"}
        assert cells <= set(found["boxes"]) | set(found["hidden"])


def test_kernels_of_a_card_are_joined_to_their_memories(tmp_path: Path) -> None:
    """An xclbin has no nets between the two: its connectivity is in the address maps."""
    file = tmp_path / "vadd.xclbin"
    file.write_bytes(container())
    edges = graph_of(read(file))["edges"]
    axi = {(edge["from"][0], edge["from"][1], edge["to"][0]) for edge in edges if edge["kind"] == "axi"}
    assert axi == {
        ("vadd_1", "M_AXI_GMEM0", "HBM[0]"),
        ("vadd_1", "M_AXI_GMEM1", "HBM[1]"),
        ("vadd_2", "M_AXI_GMEM0", "HBM[0]"),
        ("vadd_2", "M_AXI_GMEM1", "bank0"),
    }
