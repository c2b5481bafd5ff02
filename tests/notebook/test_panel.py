"""What the view of an overlay asks for in a notebook, and what it is told."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pynq
from pynq.backends.sim import SimDevice
from pynq.notebook.panel import Panel, outline

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DMA = "axi_dma_0"


@pytest.fixture
def overlay() -> Iterator[Any]:
    with SimDevice() as device:
        yield pynq.Overlay(EXAMPLES / "dma_loopback" / "dma_loopback.hwh", device=device)


@pytest.fixture
def panel(overlay: Any) -> Panel:
    return Panel(overlay)


def ask(panel: Panel, kind: str, **question: Any) -> dict[str, Any]:
    """What a page does: there and back as JSON."""
    answer = json.loads(json.dumps(panel.answer(json.loads(json.dumps({"kind": kind, **question})))))
    assert isinstance(answer, dict)
    return answer


def refused(panel: Panel, kind: str, **question: Any) -> str:
    answer = ask(panel, kind, **question)
    assert answer["kind"] == "error", answer
    return str(answer["error"])


def test_the_outline_has_every_block(overlay: Any, panel: Panel) -> None:
    found = ask(panel, "outline")["outline"]
    assert found["loaded"] is True
    paths: dict[str, Any] = {}

    def walk(nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            paths[node["path"]] = node
            walk(node.get("children", []))

    walk(found["children"])
    assert set(overlay.ip_dict) | {"PSDDR"} <= set(paths)
    assert paths[DMA]["driver"] == "pynq.lib.dma.DMA"
    assert int(paths[DMA]["base"], 16) == overlay.ip_dict[DMA]["phys_addr"]
    assert paths[DMA]["interrupts"] == list(overlay.ip_dict[DMA]["interrupts"])


def test_registers_are_described_read_and_written(overlay: Any, panel: Panel) -> None:
    found = ask(panel, "registers", path=DMA)
    rows = {row["name"]: row for row in found["registers"]}
    assert rows["MM2S_DMACR"]["offset"] == 0
    assert [row["offset"] for row in found["registers"]] == sorted(row["offset"] for row in rows.values())
    names = [field["name"] for field in rows["MM2S_DMACR"]["fields"]]
    assert {"RS", "Reset", "IOC_IrqEn"} <= set(names)

    values = ask(panel, "read", path=DMA, names=None)["values"]
    assert int(values["MM2S_DMACR"], 16) == int(overlay.axi_dma_0.register_map.MM2S_DMACR)
    answer = ask(panel, "write", path=DMA, register="MM2S_SA", value="0x1234_5678".replace("_", ""))
    assert answer["values"] == {"MM2S_SA": "0x12345678"}
    assert int(overlay.axi_dma_0.register_map.MM2S_SA) == 0x12345678
    ask(panel, "write", path=DMA, register="MM2S_DMACR", field="IOC_IrqEn", value="0")
    assert overlay.axi_dma_0.register_map.MM2S_DMACR.IOC_IrqEn == 0
    assert overlay.axi_dma_0.register_map.MM2S_DMACR.RS == 1


def test_bytes_of_a_block_without_registers(panel: Panel, overlay: Any) -> None:
    ask(panel, "poke", path="PSDDR", offset="0x100", width=8, value="0x1122334455667788")
    assert ask(panel, "peek", path="PSDDR", offset="256", width=4)["value"] == "0x55667788"
    assert overlay.PSDDR.read(0x104, 4) == 0x11223344
    assert ask(panel, "registers", path="PSDDR")["registers"] == []


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"kind": "nothing"}, "no question 'nothing'; there are outline, "),
        ({"kind": ["read"]}, "no question"),
        ({"kind": "read", "path": DMA, "names": ["MM2S_DMACRR"]}, "'MM2S_DMACRR': there is no such register"),
        ({"kind": "read", "path": "axi_dma_9", "names": None}, "axi_dma_9"),
        ({"kind": "read", "path": "device", "names": None}, "device"),
        ({"kind": "read", "path": 7, "names": None}, "no block 7"),
        ({"kind": "read", "path": "PSDDR", "names": None}, "register_map"),
        (
            {"kind": "write", "path": DMA, "register": "__class__", "value": "1"},
            "has no register '__class__'",
        ),
        ({"kind": "write", "path": DMA, "register": "MM2S_SA", "value": "-1"}, "'-1' is no value: write 10"),
        ({"kind": "write", "path": DMA, "register": "MM2S_SA", "value": "1+1"}, "'1\\+1' is no value"),
        ({"kind": "write", "path": DMA, "register": "MM2S_SA", "value": 1}, "1 is no value"),
        (
            {"kind": "write", "path": DMA, "register": "MM2S_SA", "value": "0x1ffffffff"},
            "does not fit 4 bytes",
        ),
        (
            {"kind": "write", "path": DMA, "register": "MM2S_DMACR", "field": "x", "value": "1"},
            "MM2S_DMACR of axi_dma_0 has no field 'x'",
        ),
        ({"kind": "peek", "path": DMA, "offset": "0x100000"}, "0x100000"),
        ({"kind": "peek", "path": DMA, "offset": "0", "width": 3}, "1, 2, 4 or 8 bytes, not 3"),
        ({"kind": "poke", "path": DMA, "offset": "0x18", "width": 1, "value": "256"}, "more than 8 bits"),
    ],
)
def test_what_can_not_be_asked(panel: Panel, question: dict[str, Any], message: str) -> None:
    answer = panel.answer(question)
    assert answer["kind"] == "error"
    assert re.search(message, answer["error"]), answer["error"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.fixed_dictionaries(
        {"kind": st.sampled_from(["registers", "read", "write", "peek", "poke", "outline"])},
        optional={
            "path": st.sampled_from([DMA, "PSDDR", "nothing", ""]) | json_values,
            "names": json_values,
            "register": st.sampled_from(["MM2S_SA", "MM2S_DMASR"]) | json_values,
            "field": json_values,
            "value": st.sampled_from(["0", "0x10"]) | json_values,
            "offset": st.sampled_from(["0", "0x18"]) | json_values,
            "width": json_values,
        },
    )
)
def test_no_question_of_a_page_raises(panel: Panel, question: dict[str, Any]) -> None:
    answer = panel.answer(question)
    json.dumps(answer)
    assert answer["kind"] in (question["kind"], "error")


@pytest.mark.parametrize("names", [False, 3, "MM2S_SA", {"MM2S_SA": 1}, [[]], [None]])
def test_names_of_registers_are_a_list_of_texts(panel: Panel, names: object) -> None:
    answer = panel.answer({"kind": "read", "path": DMA, "names": names})
    assert answer["kind"] == "error"
    assert "expected a list" in answer["error"] or "no such register" in answer["error"]


def test_activity_follows_transfers_and_interrupts(overlay: Any, panel: Panel) -> None:
    assert ask(panel, "activity")["channels"] == []  # no driver is made for the question
    dma = overlay.axi_dma_0
    data = pynq.allocate(1024, "u1", device=overlay.device)
    back = pynq.allocate(1024, "u1", device=overlay.device)
    data[:] = np.arange(1024) % 251
    channels = {one["name"]: one for one in ask(panel, "activity")["channels"]}
    assert set(channels) == {"axi_dma_0 MM2S", "axi_dma_0 S2MM"}
    dma.recvchannel.transfer(back)
    channels = {one["name"]: one for one in ask(panel, "activity")["channels"]}
    assert (channels["axi_dma_0 S2MM"]["state"], channels["axi_dma_0 S2MM"]["nbytes"]) == ("transfer", 1024)
    dma.sendchannel.transfer(data)
    dma.sendchannel.wait()
    dma.recvchannel.wait()
    answer = ask(panel, "activity")
    channels = {one["name"]: one for one in answer["channels"]}
    assert channels["axi_dma_0 S2MM"]["state"] == "idle"
    assert channels["axi_dma_0 S2MM"]["transferred"] == 1024
    pins = {one["path"]: one for one in answer["interrupts"]}
    assert pins["axi_dma_0/s2mm_introut"]["edges"] == 1
    assert pins["axi_dma_0/s2mm_introut"]["level"] is True
    dma.s2mm_introut.wait_sync(timeout=30)
    pins = {one["path"]: one for one in ask(panel, "activity")["interrupts"]}
    assert pins["axi_dma_0/s2mm_introut"]["delivered"] == 1


def test_a_driver_that_fails_is_told_in_the_page(overlay: Any) -> None:
    class Failing(pynq.DefaultIP):
        bindto = ["xilinx.com:ip:axi_dma:7.1"]

        def __init__(self, description: Any) -> None:
            raise ValueError("nothing I can drive")

    file = EXAMPLES / "dma_loopback" / "dma_loopback.hwh"
    failing = pynq.Overlay(file, device=overlay.device)
    assert refused(Panel(failing), "read", path=DMA, names=None) == "ValueError: nothing I can drive"
    assert ask(Panel(failing), "outline")["kind"] == "outline"


def test_an_overlay_that_is_not_loaded_says_so(panel: Panel, overlay: Any) -> None:
    other = pynq.Overlay(EXAMPLES / "buttons_leds" / "buttons_leds.hwh", device=overlay.device)
    found = ask(panel, "outline")["outline"]
    assert not found["loaded"]
    assert "buttons_leds" in found["state"]
    assert "is not loaded" in refused(panel, "read", path=DMA, names=["MM2S_DMACR"])
    assert ask(panel, "activity") == {"kind": "activity", "channels": [], "interrupts": []}
    assert outline(other)["loaded"]


def test_an_overlay_that_is_gone_says_so(overlay: Any) -> None:
    file = EXAMPLES / "dma_loopback" / "dma_loopback.hwh"
    gone = Panel(pynq.Overlay(file, device=overlay.device, download=False))
    gc.collect()
    assert "the overlay is gone" in refused(gone, "outline")


def test_the_diagram_is_that_of_what_is_loaded(panel: Panel, overlay: Any) -> None:
    answer = ask(panel, "diagram")
    assert {node["id"] for node in answer["graph"]["nodes"]} >= set(overlay.ip_dict)
    assert "export { mount" in answer["module"]
    assert len(answer["elk"]) > 1_000_000
