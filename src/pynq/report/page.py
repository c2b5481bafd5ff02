"""A page about a design: one file that shows everything and needs no network.

Python writes the data only; the page's own JavaScript lays the diagram out and makes the rest, when it is
looked at. The content-security policy allows exactly the scripts and styles that are in the file (by their
hashes), and no connection. What comes from the description is in a block of JSON, and reaches the page as
text: names with markup in them stay names.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from typing import Any

from pynq.report import assets

__all__ = ["page"]

_PROGRAM = (
    *("fold.js", "draw.js", "elk.js", "diagram.js"),
    *("parts.js", "registers.js", "addresses.js", "sections.js", "app.js"),
)


def page(facts: Mapping[str, Any], graph: Mapping[str, Any], *, made: str = "") -> str:
    """Return the page about a design as HTML (UTF-8).

    ``facts`` and ``graph`` are those of :mod:`pynq.report.facts` and :mod:`pynq.report.graph`; ``made`` is
    the line at its foot. Raises :class:`~pynq.errors.MissingPackageError` where ELK is not there.
    """
    style = assets.page_file("page.css") + assets.diagram_css()
    program = assets.bundle(*_PROGRAM)
    elk = assets.elk_function()
    data = json.dumps(
        {"facts": facts, "graph": graph, "made": made}, ensure_ascii=False, separators=(",", ":")
    )
    policy = (
        f"default-src 'none'; script-src {_hash(elk)} {_hash(program)}; style-src {_hash(style)}; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "POLICY": policy,
        "TITLE": html.escape(_clean(f"{facts.get('name') or 'Design'} - pynq inspect")),
        "NOTICE": assets.ELK_NOTICE,
        "STYLE": style,
        # Nothing in a block of data may end it, or begin a comment; JSON reads \\u003c as <.
        "DATA": _clean(data).replace("<", "\\u003c"),
        "ELK": elk,
        "PROGRAM": program,
    }
    return re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], assets.page_file("page.html"))


def _clean(text: str) -> str:
    """Text that UTF-8 can hold: names of files may have bytes that are none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
