"""The live view: an anywidget whose page asks a :class:`~pynq.notebook.panel.Panel`.

The page sends questions as custom messages and gets an answer with the same ``id``. While registers are
watched, a thread reads them and sends what has changed, so that they move while a cell runs; it ends with the
last watched register, with the overlay, or when the page has not been heard of for :data:`PATIENCE` seconds.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from pynq.notebook.panel import Panel

__all__ = ["PATIENCE", "View", "view_of"]

PATIENCE = 600.0
"""Seconds for which registers are watched without a sign of life of a page."""
_FASTEST = 0.1  # seconds between two rounds of reading
_HERE = Path(__file__).parent


class View(anywidget.AnyWidget):
    """The view of one overlay, opened at a block if ``focus`` names one."""

    _esm = (_HERE / "view.js").read_text(encoding="utf-8")
    _css = (_HERE / "view.css").read_text(encoding="utf-8")
    focus = traitlets.Unicode("").tag(sync=True)
    #: What there was when the view was made: a saved notebook has it where no kernel answers.
    outline = traitlets.Dict().tag(sync=True)

    def __init__(self, panel: Panel, focus: str = "") -> None:
        super().__init__(focus=focus, outline=panel.answer({"kind": "outline"}).get("outline", {}))
        self._panel = panel
        self._watcher = _Watcher(panel, self._tell)
        self.on_msg(self._asked)

    def close(self) -> None:
        """Take the view away."""
        self._watcher.watch("", [], 1.0)
        super().close()

    def _asked(self, _: Any, question: Any, buffers: Any) -> None:
        if not isinstance(question, Mapping):
            return
        self._watcher.heard()
        if question.get("kind") == "watch":
            asked = question.get("names")
            names = [name for name in asked if isinstance(name, str)] if isinstance(asked, list) else []
            seconds = question.get("seconds", 0.5)
            every = min(max(_FASTEST, seconds), PATIENCE) if isinstance(seconds, (int, float)) else 0.5
            self._watcher.watch(str(question.get("path", "")), names, every)
            return
        self.send({"id": question.get("id"), **self._panel.answer(question)})

    def _tell(self, answer: Mapping[str, Any]) -> None:
        self.send({"id": None, **answer})


class _Watcher:
    """Reads the watched registers of one block, in a thread, as long as there are any."""

    def __init__(self, panel: Panel, tell: Any) -> None:
        self._panel = panel
        self._tell = tell
        self._changed = threading.Condition()
        self._path = ""
        self._names: list[str] = []
        self._every = 0.5
        self._heard = time.monotonic()
        self._thread: threading.Thread | None = None

    def heard(self) -> None:
        """Note that there is somebody who looks."""
        self._heard = time.monotonic()

    def watch(self, path: str, names: list[str], every: float) -> None:
        """Read these registers from now on, every so many seconds; none ends it."""
        with self._changed:
            self._path, self._names, self._every = path, names, every
            self._changed.notify_all()
            if names and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pynq registers", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        before: dict[str, str] = {}
        of = ""
        while True:
            with self._changed:
                if not self._names or time.monotonic() - self._heard > PATIENCE:
                    self._thread = None
                    self._names = []
                    return
                path, names, every = self._path, list(self._names), self._every
            answer = self._panel.answer({"kind": "read", "path": path, "names": names})
            if answer["kind"] == "error":
                with self._changed:
                    self._names = []
                self._tell({"kind": "watching", "path": path, "error": answer["error"]})
                continue
            values = answer["values"]
            if path != of or values != before:
                self._tell({"kind": "watching", "path": path, "values": values})
            before, of = values, path
            with self._changed:
                self._changed.wait(every)


_views: weakref.WeakKeyDictionary[Any, dict[str, View]] = weakref.WeakKeyDictionary()


def view_of(overlay: Any, path: str = "") -> View:
    """Return the view of an overlay or block; showing it again shows the same one once more."""
    held = _views.get(overlay)
    if held is None:
        held = _views[overlay] = {}
        weakref.finalize(overlay, _close, held)
    view = held.get(path)
    if view is None or view.comm is None:
        view = held[path] = View(Panel(overlay), path)
    return view


def _close(views: dict[str, View]) -> None:
    """The overlay is gone, so nothing can be asked any more."""
    for view in views.values():
        view.close()
