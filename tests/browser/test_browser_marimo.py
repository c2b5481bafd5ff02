"""The live view of an overlay in a real marimo, whose cells are in shadow trees, and dark here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="`make browser` installs Playwright and marimo")
pytest.importorskip("marimo", reason="`make browser` installs Playwright and marimo")
pytest.importorskip("anywidget")

from lab import Server, free_port

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "browser"
NOTEBOOK = """\
import marimo

app = marimo.App()


@app.cell
def _():
    import threading
    import time
    import pynq

    ol = pynq.Overlay({path!r}, rtl=False)

    def bump():
        for number in range(100_000):
            ol.filter.axi_dma.register_map.MM2S_SA = number << 4
            time.sleep(0.1)

    threading.Thread(target=bump, daemon=True).start()
    ol
    return (ol,)


@app.cell
def _(ol):
    ol.filter.stream_filter
    return
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("marimo")
    path = str(ROOT / "examples" / "image_filter" / "image_filter.hwh")
    (folder / "notebook.py").write_text(NOTEBOOK.format(path=path))
    (folder / "pyproject.toml").write_text("[tool.marimo.display]\ntheme = 'dark'\n")
    port = free_port()
    command = [
        *(sys.executable, "-m", "marimo", "run", str(folder / "notebook.py"), "--headless", "--no-token"),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    places = {
        name: str(folder / name) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    }
    environment = {**os.environ, **places, "MARIMO_SKIP_UPDATE_CHECK": "1"}
    url = f"http://127.0.0.1:{port}"
    with Server(command, environment, folder / "log", f"{url}/health"):
        yield url


@pytest.mark.slow
def test_the_view_in_marimo(page: Any, address: str) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 1300, "height": 1000})
    page.goto(address)
    view = page.locator(".pynq-view").first
    view.locator(".leaf", has_text="axi_dma").click()
    assert view.get_attribute("data-theme") == "dark"

    # Written, and read back; what is being typed stays while watched values come in.
    value = view.get_by_label("value of S2MM_DA", exact=True)
    value.fill("0x1240")
    value.press("Enter")
    view.get_by_title("read S2MM_DA", exact=True).click()
    page.wait_for_function("(node) => node.value === '0x1240'", arg=value.element_handle())
    moving = view.get_by_label("value of MM2S_SA", exact=True)
    view.get_by_label("watch MM2S_SA", exact=True).check()
    for _ in range(2):
        before = moving.input_value()
        page.wait_for_function("([node, old]) => node.value !== old", arg=[moving.element_handle(), before])
    moving.fill("0x77")
    field = view.locator("input[aria-label^='value of MM2S_SA.']").first  # of the same register
    before = field.input_value()
    page.wait_for_function("([node, old]) => node.value !== old", arg=[field.element_handle(), before])
    assert moving.input_value() == "0x77"
    OUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUT / "view_marimo.png")
    view.locator("button", has_text="Stop").click()

    view.get_by_role("tab", name="Diagram").click()
    diagram = view.locator(".pynq-diagram")
    diagram.locator("text", has_text="axi_intc_0").first.wait_for()
    assert diagram.get_attribute("data-theme") == "dark"
    page.screenshot(path=OUT / "view_marimo_diagram.png")

    # An IP shows the same view, opened at itself.
    page.locator(".pynq-view").nth(1).locator("h3", has_text="filter/stream_filter").wait_for()
    assert errors == []
