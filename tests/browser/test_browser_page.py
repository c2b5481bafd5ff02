"""The page of ``pynq inspect --html`` in a real browser: what people see, and what clicks do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pynq.cli import main

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("design", "look")]
hwh_files, look_designs = import_module("hwh_files"), import_module("look_designs")

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "browser"
BASE = "Xilinx__PYNQ__base__Pynq-Z2__2018.3"
CORPUS = [
    BASE,
    "Xilinx__PYNQ__base__ZCU104",
    "Xilinx__PYNQ_Composable_Pipeline__cv_dfx_3_pr",
    "adilsondias-engineer__versal-ai-edge-vd100-linux__bd_70da_pspmc_0_0",
    "openquantumhardware__qick__qick_216",
    "drichmond__RISC-V-On-PYNQ__picorv32",
]
EXAMPLES = ["buttons_leds", "dma_loopback", "image_filter", "polynomial", "vector_add"]

#: Where a part of the page is on it.
_PLACE = """(part) => {
  const at = document.querySelector(part).getBoundingClientRect();
  return { x: at.left + scrollX, y: at.top + scrollY, width: at.width, height: at.height };
}"""
#: Labels that leave their block, blocks of one level that overlap, and the smallest text, as it is drawn.
_LOOK = """() => {
  const found = [], shapes = new Map();
  let smallest = Infinity, texts = 0;
  const scale = pynqDiagram.view.scale;
  for (const box of document.querySelectorAll('.pd-box')) {
    const shape = box.querySelector('.pd-shape').getBoundingClientRect();
    shapes.set(box.dataset.id, shape);
    for (const text of box.querySelectorAll('text')) {
      const at = text.getBoundingClientRect();
      texts++;
      smallest = Math.min(smallest, parseFloat(getComputedStyle(text).fontSize) * scale);
      const outside = at.left < shape.left - 1 || at.right > shape.right + 1;
      if (outside || at.top < shape.top - 2 || at.bottom > shape.bottom + 2)
        found.push(`${box.dataset.id}: ${text.textContent} is outside of its block`);
    }
  }
  const boxes = pynqDiagram.scene.boxes;
  for (const one of boxes) for (const two of boxes) {
    if (one === two || one.node.parent !== two.node.parent) continue;
    const [a, b] = [shapes.get(one.node.id), shapes.get(two.node.id)];
    if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
      found.push(`${one.node.id} and ${two.node.id} overlap`);
  }
  const frame = document.querySelector('.pd-frame').getBoundingClientRect();
  const across = (at) => at.left < frame.right && at.right > frame.left;
  const along = (at) => at.top < frame.bottom && at.bottom > frame.top;
  const seen = [...shapes.values()].filter((at) => across(at) && along(at)).length;
  return { found, smallest, texts, boxes: shapes.size, seen };
}"""

Open = Callable[[Path], Any]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens the page about a design; after the test nothing may have been said in the console."""
    context = browser.new_context(viewport={"width": 1500, "height": 950})
    context.set_default_timeout(150_000)
    said: list[str] = []

    def opened(file: Path, before: str = "") -> Any:
        target = tmp_path / "page.html"
        assert main(["inspect", str(file), "--html", str(target)]) == 0
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.on("request", lambda one: one.url.startswith(("file:", "blob:")) or said.append(one.url))
        if before:
            page.add_init_script(before)
        page.goto(target.as_uri())
        page.wait_for_selector(".pd-box", timeout=150_000)
        return page

    yield opened
    context.close()
    assert said == []


def shot(page: Any, name: str, part: str = "") -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    # By its place, not by the element: Playwright would wait for two like frames, which a busy machine
    # without a graphics card may not give.
    place = page.evaluate(_PLACE, part) if part else None
    page.screenshot(path=OUT / f"{name}.png", full_page=bool(part), clip=place, animations="disabled")


def settled(page: Any) -> None:
    page.wait_for_selector(".pynq-diagram:not([data-busy])", timeout=150_000)


def hand_off(name: str, corpus: Path) -> Path:
    return corpus / "hwh" / f"{name}.hwh"


@pytest.mark.corpus
@pytest.mark.parametrize("name", CORPUS)
def test_real_designs(name: str, corpus: Path, open_page: Open) -> None:
    page = open_page(hand_off(name, corpus))
    shot(page, name)
    look = page.evaluate(_LOOK)
    assert look["found"] == []
    assert look["seen"] > 3
    assert look["smallest"] >= 9


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name: str, open_page: Open) -> None:
    page = open_page(ROOT / "examples" / name / f"{name}.hwh")
    page.get_by_text("Unfold all", exact=True).click() if name == "image_filter" else None
    settled(page)
    shot(page, name)
    look = page.evaluate(_LOOK)
    assert look["found"] == []
    assert look["boxes"] > 3


@pytest.mark.corpus
def test_the_base_overlay(corpus: Path, open_page: Open) -> None:
    """A walk through the page: fold, choose, search, toggle, dark."""
    page = open_page(hand_off(BASE, corpus))
    look = page.evaluate(_LOOK)
    assert look["smallest"] >= 9  # pixels, at first sight
    assert look["boxes"] < 50  # the top level only
    assert look["seen"] > look["boxes"] * 0.6

    page.locator('[data-id="video/"]').click()
    page.wait_for_selector('[data-id="video/axi_vdma"]')
    settled(page)
    assert page.evaluate(_LOOK)["found"] == []
    page.locator('[data-id="video/axi_vdma"]').click()
    panel = page.locator(".side")
    assert "xilinx.com:ip:axi_vdma:6.3" in panel.inner_text()
    assert "0x4300_0000" in panel.inner_text()
    assert page.locator(".pd-chosen").get_attribute("data-id") == "video/axi_vdma"
    shot(page, "base_unfolded")
    panel.get_by_text("Registers (47)").click()
    panel.locator(".register summary").first.click()
    assert panel.locator(".fields").first.is_visible()
    page.locator('[data-id="video/"] .pd-fold').click()
    page.wait_for_selector('[data-id="video/axi_vdma"]', state="detached")
    settled(page)

    wires = page.locator(".pd-wire").count()
    clocks = page.get_by_role("checkbox", name="Clocks")
    clocks.check()
    settled(page)
    assert page.locator(".pd-k-clock").count() > 10
    assert page.locator(".pd-wire").count() > wires
    shot(page, "base_clocks")
    clocks.uncheck()
    settled(page)
    assert page.locator(".pd-wire").count() == wires

    page.get_by_label("Find a block").fill("timer_0")
    lit = page.locator(".pd-found")
    assert "iop_arduino/" in lit.evaluate_all("parts => parts.map((part) => part.dataset.id)")
    page.get_by_label("Find a block").press("Enter")
    page.wait_for_selector('.pd-chosen[data-id$="/timer_0"]')
    settled(page)
    assert page.locator('[data-id="iop_arduino/timers_subsystem/timer_0"]').is_visible()

    search = page.get_by_label("Search registers")
    search.fill("mm2s_dmacr rs")
    results = page.locator(".results")
    assert "video/axi_vdma" in results.inner_text() or "MM2S" in results.inner_text()
    search.fill("no such register anywhere")
    assert results.inner_text().startswith("0 of ")
    search.fill("park")
    shot(page, "base_registers", "#registers")
    shot(page, "base_addresses", "#addresses")
    shot(page, "base_findings", "#findings")

    page.locator(".theme").click()
    page.locator(".theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 25, 30)"
    page.evaluate("window.scrollTo(0, 0)")
    shot(page, "base_dark")


@pytest.mark.corpus
def test_everything_unfolded(corpus: Path, open_page: Open) -> None:
    page = open_page(hand_off(BASE, corpus))
    page.get_by_text("Unfold all", exact=True).click()
    page.wait_for_selector('[data-id="iop_arduino/lmb/lmb_bram"]', state="attached", timeout=150_000)
    settled(page)
    look = page.evaluate(_LOOK)
    assert look["found"] == []
    assert look["boxes"] > 150
    page.get_by_text("Fit", exact=True).click()
    shot(page, "base_everything")


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    page = open_page(ROOT / "examples" / "image_filter" / "image_filter.hwh")
    page.locator(".pd-frame").focus()
    chosen = set()
    for key in ("ArrowRight", *["ArrowRight", "ArrowDown"] * 6, "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        settled(page)
        chosen.add(page.locator(".pd-chosen").get_attribute("data-id"))
    assert len(chosen) > 3
    page.evaluate("pynqDiagram.select('filter')")
    page.locator(".pd-frame").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-id="filter/axi_dma"]')
    scale = page.evaluate("pynqDiagram.view.scale")
    page.keyboard.press("+")
    assert page.evaluate("pynqDiagram.view.scale") > scale
    page.keyboard.press("Escape")
    assert page.locator(".pd-chosen").count() == 0
    assert page.locator(".side").is_hidden()


def test_drag_moves_and_ctrl_wheel_zooms(open_page: Open) -> None:
    page = open_page(ROOT / "examples" / "dma_loopback" / "dma_loopback.hwh")
    before = page.evaluate("pynqDiagram.view")
    page.locator(".diagram-row").scroll_into_view_if_needed()
    frame = page.locator(".pd-frame").bounding_box()
    x, y = frame["x"] + frame["width"] - 20, frame["y"] + frame["height"] - 20
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 90, y - 40, steps=4)
    page.mouse.up()
    after = page.evaluate("pynqDiagram.view")
    assert after["x"] == pytest.approx(before["x"] - 90, abs=2)
    assert after["y"] == pytest.approx(before["y"] - 40, abs=2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(f"pynqDiagram.view.scale > {after['scale']}")


@pytest.mark.parametrize(
    "refusal",
    [
        "window.Worker = class { constructor() { throw new Error('no workers here'); } };",
        # As browsers do that find out later.
        """window.Worker = class { postMessage() { setTimeout(() => this.onerror && this.onerror(
             { preventDefault() {}, message: 'refused' }), 5); } terminate() {} };""",
    ],
)
def test_without_workers_the_page_lays_out_itself(refusal: str, open_page: Any) -> None:
    page = open_page(ROOT / "examples" / "dma_loopback" / "dma_loopback.hwh", refusal)
    assert page.evaluate(_LOOK)["found"] == []


def test_a_hostile_file_runs_nothing(tmp_path: Path, open_page: Open) -> None:
    evil = "<img src=x onerror=window.hacked=1></script><script>window.hacked=1</script>"
    cells = look_designs.parts()
    cells["evil"] = hwh_files.M(
        "e/" + evil.replace("/", "|"),
        f"a:b:{evil}:1",
        [hwh_files.P(evil, "O", "rst")],
        parameters={evil: evil},
    )
    file = tmp_path / "evil.hwh"
    file.write_bytes(hwh_files.document(cells.values(), name=evil))
    page = open_page(file)
    assert page.locator("h1").inner_text() == evil
    page.get_by_text("Unfold all", exact=True).click()
    settled(page)
    page.evaluate("pynqDiagram.setLayer('wire', true)")
    page.evaluate("path => pynqDiagram.select(path)", "e/" + evil.replace("/", "|"))
    page.locator(".side").get_by_text("Parameters").click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


def test_print_leaves_out_the_controls(open_page: Open) -> None:
    page = open_page(ROOT / "examples" / "image_filter" / "image_filter.hwh")
    page.emulate_media(media="print")
    for part in ("nav", ".pd-bar", "#register-search"):
        assert page.locator(part).is_hidden()
    assert page.locator("#addresses .map-block").first.is_visible()
    assert len(page.pdf()) > 20_000


def test_paper_has_the_whole_diagram(open_page: Open) -> None:
    """Whatever was seen of it on the screen, which it is again after printing."""
    page = open_page(ROOT / "examples" / "image_filter" / "image_filter.hwh")
    page.get_by_text("Unfold all", exact=True).click()
    settled(page)
    page.evaluate("pynqDiagram.select('filter/axi_dma')")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    before = page.locator(".pd-frame > svg > g").get_attribute("transform")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    frame = page.locator(".pd-frame").bounding_box()
    for box in page.locator(".pd-shape").all():
        at = box.bounding_box()
        assert at["x"] >= frame["x"] - 1
        assert at["y"] >= frame["y"] - 1
        assert at["x"] + at["width"] <= frame["x"] + frame["width"] + 1
        assert at["y"] + at["height"] <= frame["y"] + frame["height"] + 1
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".pd-frame > svg > g").get_attribute("transform") == before


def test_on_a_phone(open_page: Open) -> None:
    """Nothing is wider than the window but what scrolls, and headings are not under the bar."""
    page = open_page(ROOT / "examples" / "image_filter" / "image_filter.hwh")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name in ("Addresses", "Clocks"):
        page.locator("nav").get_by_text(name).click()
        heading = page.get_by_role("heading", name=name, exact=True)
        bar = page.locator("nav").bounding_box()
        assert heading.bounding_box()["y"] >= bar["y"] + bar["height"]
    assert bar["height"] < 60
    shot(page, "phone")
    page.evaluate("window.scrollTo(0, 0)")
    page.locator(".pd-frame").scroll_into_view_if_needed()
    # Two fingers, as touch screens tell of them.
    session = page.context.new_cdp_session(page)
    frame = page.locator(".pd-frame").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    before = page.evaluate("pynqDiagram.view.scale")
    for kind, apart in (("touchStart", 20), ("touchMove", 50), ("touchMove", 80), ("touchEnd", 0)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}] if apart else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_function(f"pynqDiagram.view.scale > {before * 2}")
