"""The parts of page and widget that are not Python: our modules and styles, and ELK, which lays diagrams out.

Our JavaScript is plain modules without a build step, in ``page/``. What needs them as one text (a page that
has to work from a file, a notebook's widget, an engine without modules) gets them joined: their names are
unique across the files, and an ``import`` or ``export`` is at the beginning of a line.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pynq.errors import MissingPackageError

__all__ = ["ELK_NOTICE", "bundle", "diagram_css", "diagram_module", "elk_function", "elk_source", "page_file"]

_FOLDER = Path(__file__).resolve().parent
#: What has to be said wherever ELK's code goes.
ELK_NOTICE = (
    "Contains elkjs 0.9.3 (Eclipse Layout Kernel), copyright Kiel University and others, "
    "Eclipse Public License 2.0, source at https://github.com/kieler/elkjs"
)
_DIAGRAM = ("fold.js", "draw.js", "elk.js", "diagram.js")


@cache
def page_file(name: str) -> str:
    """Return the text of one of our files, as it is in ``page/``."""
    return (_FOLDER / "page" / name).read_text(encoding="utf-8")


def bundle(*names: str) -> str:
    """Join modules, imported ones first, into one text that neither imports nor exports."""
    texts = []
    for name in names:
        text = re.sub(r"^import [^;]*;\n", "", page_file(name), flags=re.MULTILINE)
        texts.append(
            re.sub(r"^export (?=(async )?(function|const|class|let)\b)", "", text, flags=re.MULTILINE)
        )
    return "\n".join(texts)


def diagram_module() -> str:
    """Return the block diagram as one ECMAScript module.

    It exports ``mount(element, graph, options)``, ``startElk(source)`` and ``KINDS`` (``page/diagram.js``).
    Its styles are :func:`diagram_css`, and ``options.elk`` is :func:`elk_source`.
    """
    return bundle(*_DIAGRAM) + "\nexport { mount, startElk, KINDS };\n"


def diagram_css() -> str:
    """Return the diagram's style rules; all of them are about ``.pynq-diagram``."""
    return page_file("diagram.css")


@cache
def elk_source() -> str:
    """Return the text of ELK's worker (elkjs, EPL-2.0).

    Raises :class:`~pynq.errors.MissingPackageError` where set-up has not brought it.
    """
    path = _FOLDER / "assets" / "elk-worker.js"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingPackageError(
            f"ELK, which lays block diagrams out, is not there: {path}. In the source tree, "
            "`python scripts/fetch_elk.py` gets it (`make setup` does so too); then install again."
        ) from None
    return re.sub(r"\n//# sourceMappingURL=.*\s*\Z", "\n", text)


def elk_function() -> str:
    """Return ELK as the declaration of a function ``pynqElk(self, globalThis)``, for where no worker runs."""
    return f"function pynqElk(self, globalThis, window, document) {{\n{elk_source()}\n}}\n"
