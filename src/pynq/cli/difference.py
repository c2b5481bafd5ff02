"""What ``pynq inspect FILE --diff OTHER`` tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pynq.design import Design, described
from pynq.design.compare import WEIGHTS, compare
from pynq.design.locate import locate

__all__ = ["collect"]


def collect(old: Path, new: Path) -> dict[str, Any]:
    """Compare what belongs to two files.

    Raises what :func:`pynq.design.locate` and :func:`pynq.design.described` raise.
    """
    designs = [described(locate(file).description) for file in (old, new)]
    changes = compare(*designs)
    return {
        "old": _head(designs[0]),
        "new": _head(designs[1]),
        "changes": [
            {
                "weight": one.weight,
                "kind": one.kind,
                "subject": one.subject,
                "old": one.old,
                "new": one.new,
                "old_line": one.old_source.line if one.old_source else None,
                "new_line": one.new_source.line if one.new_source else None,
            }
            for one in changes
        ],
        **{weight: sum(one.weight == weight for one in changes) for weight in WEIGHTS},
    }


def _head(design: Design) -> dict[str, Any]:
    return {
        "name": design.name,
        "description": design.file,
        "tool": design.tool_version,
        "timestamp": design.timestamp,
        "part": design.part,
    }
