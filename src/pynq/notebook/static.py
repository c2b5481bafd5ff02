"""An overlay as HTML that needs nothing: for pages without a running kernel, and where no widgets are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["page"]

_STYLE = (
    ".pynq-tree{font:13px/1.5 system-ui,sans-serif}.pynq-tree ul{list-style:none;margin:0;padding-left:1.2em}"
    ".pynq-tree summary{cursor:pointer}.pynq-tree code{font-size:12px}.pynq-tree .dim{opacity:.65}"
)


def page(outline: Mapping[str, Any]) -> str:
    """Return the tree of :func:`pynq.notebook.panel.outline` as HTML that folds."""
    state = "loaded" if outline["loaded"] else outline["state"]
    return (
        f"<div class='pynq-tree'><style>{_STYLE}</style>"
        f"<b>{escape(str(outline['name']).rpartition('/')[2])}</b> "
        f"<span class='dim'>on {escape(outline['device'])}, {escape(state)}</span>"
        f"{''.join(_list(outline['children'], 0))}</div>"
    )


def _list(nodes: list[dict[str, Any]], depth: int) -> Iterator[str]:
    if not nodes:
        return
    yield "<ul>"
    for node in nodes:
        label = _label(node)
        if node["kind"] == "hierarchy":
            yield f"<li><details{' open' if depth == 0 and len(nodes) < 8 else ''}><summary>{label}</summary>"
            yield from _list(node["children"], depth + 1)
            yield "</details></li>"
        else:
            yield f"<li>{label}</li>"
    yield "</ul>"


def _label(node: Mapping[str, Any]) -> str:
    parts = [f"<b>{escape(node['name'])}</b>"]
    if node["base"]:
        parts.append(f"<code>{escape(node['base'])}</code>")
    what = [node["type"].split(":")[-2] if node["type"].count(":") == 3 else node["type"]]
    what.append(node["driver"])
    if node["interrupts"]:
        what.append("interrupts " + ", ".join(node["interrupts"]))
    if node.get("region"):
        what.append("holds " + node["region"].rpartition("/")[2])
    text = " · ".join(part for part in what if part)
    return " ".join(parts) + (f" <span class='dim'>{escape(text)}</span>" if text else "")
