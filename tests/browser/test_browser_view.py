"""The live view on a bare page, with nothing but what anywidget promises: a model and an element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="`make browser` installs Playwright")

import pynq
from pynq.notebook import Panel
from pynq.sim import SimDevice

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "pynq" / "notebook"
MOUNT = """async ([code, state]) => {
  window.listeners = new Set();
  window.sent = [];
  const model = {
    get: (name) => state[name],
    on: (name, hear) => listeners.add(hear),
    off: (name, hear) => listeners.delete(hear),
    send: (message) => sent.push(message),
  };
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  window.cleanup = await widget.render({ model, el: document.getElementById("place") });
}"""


def test_the_view_needs_a_model_and_an_element_only(page: Any) -> None:
    """No kernel answers: the saved tree is there and the view says so. It leaves nothing behind."""
    with SimDevice() as device:
        overlay = pynq.Overlay(
            ROOT / "examples" / "dma_loopback" / "dma_loopback.hwh", device=device, rtl=False
        )
        outline = Panel(overlay).answer({"kind": "outline"})["outline"]
    said: list[str] = []
    page.on("request", lambda one: one.url.startswith(("blob:", "data:")) or said.append(one.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.clock.install()
    css = (SOURCE / "view.css").read_text()
    page.set_content(f"<style>body{{background:#111;color:#eee}}{css}</style><div id='place'></div>")
    state = json.loads(json.dumps({"focus": "", "outline": outline}))
    page.evaluate(MOUNT, [(SOURCE / "view.js").read_text(), state])
    view = page.locator(".pynq-view")
    assert "axi_dma_0" in view.locator(".tree").inner_text()
    assert "xilinx.com:ip:axi_dma" in view.locator(".pane").inner_text()
    assert view.get_attribute("data-theme") == "dark"
    assert sorted(page.evaluate("sent.map((one) => one.kind)")) == ["outline", "registers"]
    page.clock.fast_forward(11_000)
    view.locator(".message", has_text="No kernel answers: run the cell again.").wait_for()

    # In a narrow cell, and by keyboard alone.
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    view.get_by_role("tab", name="Activity").focus()
    page.keyboard.press("Enter")
    assert view.get_by_role("tab", name="Activity").get_attribute("aria-selected") == "true"
    assert page.evaluate("sent.at(-1).kind") == "activity"

    page.evaluate("cleanup()")
    assert page.evaluate("listeners.size") == 0
    count = page.evaluate("sent.length")
    page.clock.fast_forward(60_000)
    assert page.evaluate("sent.length") == count
    assert said == []
