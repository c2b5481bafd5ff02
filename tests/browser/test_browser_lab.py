"""The live view of an overlay in a real JupyterLab, clicked in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="`make browser` installs Playwright and JupyterLab")
pytest.importorskip("jupyterlab", reason="`make browser` installs Playwright and JupyterLab")
pytest.importorskip("anywidget")

from lab import Lab
from playwright.sync_api import TimeoutError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OUT = Path(__file__).resolve().parents[2] / "out" / "browser"
LOAD = """\
import numpy as np
import pynq
ol = pynq.Overlay({path!r}, rtl=False)
ol"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class Notebook:
    """A notebook in the browser."""

    def __init__(self, page: Any, lab: Lab, name: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_viewport_size({"width": 1500, "height": 1000})
        # JupyterLab may ask which kernel; the notebook says which.
        accept = page.locator(".jp-Dialog .jp-mod-accept")
        page.add_locator_handler(page.locator(".jp-Dialog"), accept.click)
        page.goto(lab.url(name))
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=150_000)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=150_000)

    def run(self, number: int, wait: bool = True) -> None:
        cell = self.page.locator(".jp-CodeCell").nth(number)
        prompt = cell.locator(".jp-InputArea-prompt")
        for _ in range(5):
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            try:
                prompt.filter(has_text=re.compile(r"\[[\d*]+\]")).wait_for(timeout=10_000)
                break
            except TimeoutError:  # the page was not ready for it
                continue
        if wait:
            prompt.filter(has_text=re.compile(r"\[\d+\]")).wait_for(timeout=150_000)

    def output(self, number: int) -> Any:
        return self.page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea")

    def shot(self, name: str) -> None:
        OUT.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=OUT / f"{name}.png")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_view_of_an_overlay(page: Any, lab: Lab) -> None:
    file = str(EXAMPLES / "image_filter" / "image_filter.hwh")
    name = lab.write(
        "view.ipynb",
        LOAD.format(path=file),
        "int(ol.filter.axi_dma.register_map.MM2S_SA)",
        "ol.filter.axi_dma.register_map.MM2S_SA = 0xabc0",
        "import time\nfor n in range(100):\n    ol.filter.axi_dma.register_map.MM2S_SA = n << 4\n"
        "    time.sleep(0.1)",
        "a = pynq.allocate((8, 8), 'u4')\nol.filter.axi_dma.recvchannel.transfer(a)",
        "ol.filter.axi_dma",
    )
    notebook = Notebook(page, lab, name)
    notebook.run(0)
    view = notebook.output(0).locator(".pynq-view")
    view.locator(".leaf").first.wait_for()
    assert set(view.locator(".leaf").all_inner_texts()) >= {"axi_dma", "stream_filter", "axi_intc_0"}

    # Read, write, and a write that is refused.
    view.locator(".leaf", has_text="axi_dma").click()
    value = view.get_by_label("value of MM2S_SA", exact=True)
    value.wait_for()
    value.fill("0x1240")
    value.press("Enter")
    notebook.run(1)
    assert "4672" in notebook.output(1).inner_text()
    value.fill("12 apples")
    value.press("Enter")
    view.locator(".message", has_text="'12 apples' is no value").wait_for()
    value.press("Escape")
    value.blur()

    # Fields: a control register is opened, its interrupt bit cleared by hand.
    row = view.locator("tr.register", has_text="MM2S_DMACR")
    row.locator("button", has_text="fields").click()
    bit = view.get_by_label("value of MM2S_DMACR.IOC_IrqEn")
    bit.wait_for()
    assert bit.input_value() == "1"
    bit.fill("0")
    bit.press("Enter")
    page.wait_for_function("(node) => node.value === '0'", arg=bit.element_handle())
    notebook.shot("view_registers")

    # Search.
    view.get_by_label("find a register or field").fill("length")
    shown = view.locator("tr.register:visible td:nth-child(2)").all_inner_texts()
    assert shown == ["MM2S_LENGTH", "S2MM_LENGTH"]
    view.get_by_label("find a register or field").fill("")

    # Watched, while a cell runs.
    view.get_by_label("watch MM2S_SA", exact=True).check()
    notebook.run(2)
    page.wait_for_function("(node) => node.value === '0xabc0'", arg=value.element_handle())
    notebook.run(3, wait=False)
    seen = set()
    for _ in range(2):
        before = value.input_value()
        page.wait_for_function(
            "([node, before]) => node.value !== before", arg=[value.element_handle(), before], timeout=150_000
        )
        seen.add(value.input_value())
    assert len(seen) == 2
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=busy]")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=150_000)
    view.locator("button", has_text="Stop").click()

    # The diagram: every block of the top level is drawn, hierarchies unfold.
    view.get_by_role("tab", name="Diagram").click()
    diagram = view.locator(".pynq-diagram")
    diagram.locator("text", has_text="axi_intc_0").first.wait_for(timeout=150_000)
    diagram.get_by_label("Unfold every hierarchy").click()
    diagram.locator("text", has_text="stream_filter").first.wait_for(timeout=150_000)
    notebook.shot("view_diagram")

    # Activity: a transfer that waits for its data.
    view.get_by_role("tab", name="Activity").click()
    view.locator("tr", has_text="filter/axi_dma S2MM").locator(".state.idle").wait_for()
    notebook.run(4)
    view.locator("tr", has_text="filter/axi_dma S2MM").locator(".state.transfer").wait_for()
    notebook.shot("view_activity")

    # An IP shows the same view, opened at itself.
    notebook.run(5)
    other = notebook.output(5).locator(".pynq-view")
    other.locator("h3", has_text="filter/axi_dma").wait_for()
    assert notebook.errors == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_saved_notebook_shows_the_tree_without_a_kernel(page: Any, lab: Lab) -> None:
    file = str(EXAMPLES / "dma_loopback" / "dma_loopback.hwh")
    hide = "import sys; sys.modules['anywidget'] = None\nimport importlib.util\n"
    hide += "importlib.util.find_spec = lambda name, find=importlib.util.find_spec: "
    hide += "None if name == 'anywidget' else find(name)\n"
    name = lab.write("tree.ipynb", hide + LOAD.format(path=file))
    notebook = Notebook(page, lab, name)
    notebook.run(0)
    tree = notebook.output(0).locator(".pynq-tree")
    tree.wait_for()
    assert "axi_dma_0" in tree.inner_text()
    assert "pynq.lib.dma.DMA" in tree.inner_text()
    notebook.shot("view_tree")
