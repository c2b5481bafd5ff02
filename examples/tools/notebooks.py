"""A program in cells (``# %%``) as a Jupyter notebook, without its outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

__all__ = ["notebook"]

#: What a program needs and a notebook does not: it runs in its own folder, inside a running event loop, and
#: nobody checks its style.
REPLACEMENTS = (
    (r'str\(Path\(__file__\)\.resolve\(\)\.parent / ("[^"]+")\)', r"\1"),
    (r"Path\(__file__\)\.resolve\(\)\.parent", "Path.cwd()"),
    (r"\basyncio\.run\(", "await ("),
    (r"await \((\w+\(\))\)", r"await \1"),
    (r"^from __future__ import annotations\n+", ""),
    (r" *# noqa:(?: [A-Z]+\d+,?)+ *$", ""),
    (r"# noqa:(?: [A-Z]+\d+,?)+ +", "# "),
)
#: Imports that may be left over.
IMPORTS = {"Path": "from pathlib import Path\n", "asyncio": "import asyncio\n"}


def notebook(program: str) -> str:
    """Return the notebook (format 4.5) of a program.

    A cell begins with ``# %%`` and a title, which becomes a heading; ``# %% [markdown]`` is followed by
    comments that are Markdown. Raises ValueError where something comes before the first cell.
    """
    before, *parts = re.split(r"^# %%", program, flags=re.MULTILINE)
    if before.strip():
        raise ValueError(f"before the first cell (# %%): {before.strip().splitlines()[0]}")
    code = _translate("# %%".join(["", *parts]))
    cells = [cell for part in code.split("# %%")[1:] for cell in _cells(part)]
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{number}"
    whole = {
        "cells": [dict(sorted(cell.items())) for cell in cells],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _translate(code: str) -> str:
    for pattern, replacement in REPLACEMENTS:
        code = re.sub(pattern, replacement, code, flags=re.MULTILINE)
    for name, line in IMPORTS.items():
        if not re.search(rf"\b{name}\b", code.replace(line, "")):
            code = code.replace(line, "")
    return re.sub(r"\n{4,}", "\n\n\n", code)


def _cells(part: str) -> Iterator[dict[str, object]]:
    title, _, body = part.partition("\n")
    if title.strip() == "[markdown]":
        lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
        yield _cell("markdown", "\n".join(lines))
        return
    if title.strip():
        yield _cell("markdown", f"### {title.strip()}")
    if body.strip():
        yield {**_cell("code", body.strip("\n")), "execution_count": None, "outputs": []}


def _cell(kind: str, source: str) -> dict[str, object]:
    return {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
