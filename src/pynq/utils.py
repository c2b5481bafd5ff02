"""Small helpers that programs written for PYNQ import from here."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["ReprDict"]


class ReprDict(dict[Any, Any]):
    """A dictionary that JupyterLab shows as a tree that can be unfolded; the dictionaries inside it as well.

    Args:
        rootname: What the root of the tree is called.
        expanded: Whether the tree starts unfolded.
    """

    def __init__(self, *args: Any, rootname: str = "root", expanded: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rootname = rootname
        self._expanded = expanded

    def _repr_json_(self) -> tuple[Any, dict[str, Any]]:
        return json.loads(json.dumps(self, default=repr)), {
            "expanded": self._expanded,
            "root": self._rootname,
        }
