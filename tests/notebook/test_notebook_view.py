"""What IPython shows for an overlay, and the live view's side in the kernel."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import IPython
import pytest

import pynq
from pynq import notebook
from pynq.backends.sim import SimDevice
from pynq.notebook.panel import outline
from pynq.notebook.static import page

pytest.importorskip("anywidget", exc_type=ImportError)

from pynq.notebook import view as module
from pynq.notebook.view import view_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def overlay() -> Iterator[Any]:
    with SimDevice() as device:
        yield pynq.Overlay(EXAMPLES / "image_filter" / "image_filter.hwh", device=device, rtl=False)


@pytest.fixture
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))


class Text(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


def test_outside_of_a_kernel_there_is_text_only(overlay: Any) -> None:
    assert overlay._repr_mimebundle_() == {"text/plain": repr(overlay)}
    assert overlay.filter.axi_dma._repr_mimebundle_() == {"text/plain": repr(overlay.filter.axi_dma)}
    assert overlay.filter._repr_mimebundle_() == {"text/plain": repr(overlay.filter)}


@pytest.mark.usefixtures("_kernel")
def test_without_anywidget_there_is_a_tree(overlay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    bundle = overlay._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    text = Text()
    text.feed(bundle["text/html"])
    words = " ".join(text.words)
    for path in overlay.ip_dict:
        assert path.rpartition("/")[2] in words
    assert "script" not in text.tags


def test_names_of_a_design_are_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    node = {"name": evil, "path": evil, "kind": "ip", "type": f"a:b:{evil}:1", "driver": evil, "base": "0x0"}
    node |= {"size": 4, "registers": 0, "interrupts": [evil], "gpio": []}  # type: ignore[operator]
    shown = {"name": evil, "device": evil, "loaded": False, "state": evil, "children": [node]}
    text = Text()
    text.feed(page(shown))
    assert "img" not in text.tags
    assert sum(evil in word for word in text.words) >= 4


def test_the_folded_page_of_a_design(overlay: Any) -> None:
    text = Text()
    text.feed(page(outline(overlay)))
    assert text.tags.count("details") == len(overlay.hierarchy_dict)


class Page:
    """The page's side of a view: what it is told, and what it asks."""

    def __init__(self, view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.view = view
        self.heard: list[dict[str, Any]] = []
        self.news = threading.Condition()
        monkeypatch.setattr(view, "send", self._hear)

    def _hear(self, message: dict[str, Any]) -> None:
        with self.news:
            self.heard.append(message)
            self.news.notify_all()

    def ask(self, **question: Any) -> None:
        self.view._handle_custom_msg(question, [])

    def wait(self, done: Any) -> None:
        with self.news:
            assert self.news.wait_for(lambda: done(self.heard), 30), self.heard


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pynq registers"]


@pytest.mark.usefixtures("_kernel")
def test_questions_get_the_answer_of_their_number(overlay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = overlay._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert view_of(overlay) is view_of(overlay)
    assert view_of(overlay, "filter/axi_dma").focus == "filter/axi_dma"
    page = Page(view_of(overlay), monkeypatch)
    page.ask(kind="outline", id="q-1")
    page.ask(kind="nothing", id="q-2")
    assert [(one["id"], one["kind"]) for one in page.heard] == [("q-1", "outline"), ("q-2", "error")]
    page.view._handle_custom_msg("no question", [])
    assert len(page.heard) == 2


@pytest.mark.usefixtures("_kernel")
def test_watched_registers_are_told_when_they_change(overlay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(view_of(overlay), monkeypatch)
    dma = overlay.filter.axi_dma
    page.ask(kind="watch", path="filter/axi_dma", names=["MM2S_SA"], seconds=0.1)
    page.wait(lambda heard: any(one["kind"] == "watching" for one in heard))
    dma.register_map.MM2S_SA = 0x1000
    page.wait(lambda heard: heard[-1].get("values") == {"MM2S_SA": "0x1000"})
    count = len(page.heard)
    time.sleep(0.5)
    assert len(page.heard) == count, "told without a change"
    page.ask(kind="watch", path="filter/axi_dma", names=["MM2S_SAA"])
    page.wait(lambda heard: "no such register" in heard[-1].get("error", ""))
    page.ask(kind="watch", path="filter/axi_dma", names=["MM2S_SA"])
    page.ask(kind="watch", path="", names=[])
    for thread in threads():
        thread.join(30)
    assert not threads()


@pytest.mark.usefixtures("_kernel")
@pytest.mark.parametrize("names", [None, 3, "MM2S_SA", {"MM2S_SA": 1}, [3, None]])
def test_no_wish_to_watch_raises(overlay: Any, monkeypatch: pytest.MonkeyPatch, names: object) -> None:
    page = Page(view_of(overlay), monkeypatch)
    page.ask(kind="watch", path="filter/axi_dma", names=names, seconds=[])
    assert not threads()
    page.ask(kind="watch", path="filter/axi_dma", names=["MM2S_SA"], seconds=float("inf"))
    page.wait(lambda heard: heard)
    assert threads(), "the thread does not wait for ever"
    page.ask(kind="watch", path="", names=[])
    for thread in threads():
        thread.join(30)
    assert not threads()


@pytest.mark.usefixtures("_kernel")
def test_watching_ends_with_the_page(overlay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    page = Page(module.view_of(overlay), monkeypatch)
    page.ask(kind="watch", path="filter/axi_dma", names=["MM2S_SA"], seconds=0.1)
    page.wait(lambda heard: heard)
    for thread in threads():
        thread.join(30)
    assert not threads()


@pytest.mark.usefixtures("_kernel")
def test_a_view_does_not_keep_its_overlay(overlay: Any) -> None:
    file = EXAMPLES / "dma_loopback" / "dma_loopback.hwh"
    other = pynq.Overlay(file, device=overlay.device, download=False)
    view = view_of(other)
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
    assert view.comm is None
