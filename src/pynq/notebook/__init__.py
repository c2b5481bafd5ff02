"""How an overlay shows itself in a notebook: tree, diagram, live registers, activity.

Without the extra ``notebook`` (anywidget) the tree is shown as plain HTML that folds.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any, NamedTuple

from pynq.notebook.panel import Panel, outline
from pynq.notebook.static import page

__all__ = ["Panel", "Tree", "mimebundle", "widget"]


class Tree(NamedTuple):
    """The tree of an overlay, for marimo (its protocol ``_mime_``)."""

    html: str

    def _mime_(self) -> tuple[str, str]:
        return "text/html", self.html


def widget(overlay: Any, path: str = "") -> Any:
    """Return what marimo shows for an overlay, or for the block of it at ``path``: the live view.

    Without anywidget it is the tree of the whole overlay.
    """
    if importlib.util.find_spec("anywidget") is None:
        return Tree(page(outline(overlay)))
    from pynq.notebook.view import view_of

    return view_of(overlay, path)


def mimebundle(overlay: Any, path: str = "") -> dict[str, Any]:
    """Return what IPython shows for an overlay, or for the block of it at ``path``.

    The text is the object's ``repr``; HTML is the tree (of the whole overlay); in a kernel, and with
    anywidget installed, there is the live view as well.
    """
    shown = overlay[path] if path else overlay
    bundle = {"text/plain": repr(shown)}
    if not _in_kernel():
        return bundle
    if not path:
        bundle["text/html"] = page(outline(overlay))
    if importlib.util.find_spec("anywidget") is not None:
        from pynq.notebook.view import view_of

        live = view_of(overlay, path)._repr_mimebundle_()
        if live is not None:
            bundle.update({kind: data for kind, data in live[0].items() if kind != "text/plain"})
    return bundle


def _in_kernel() -> bool:
    """Whether this is a notebook's process, not a terminal's."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
