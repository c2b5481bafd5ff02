"""Where `pynq vm` keeps what it downloads and makes.

Beside entries there are *records*: small JSON files, the answers to questions that cost network to ask
(which kernel is the current one).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pynq import cachedir
from pynq.cachedir import Entry, size_of, user_folder
from pynq.errors import VirtualBoardError

__all__ = ["CacheDir", "Entry", "default_folder"]


def default_folder() -> Path:
    """Return the cache's folder."""
    return user_folder("vm")


class CacheDir(cachedir.CacheDir):
    """The cache folder of virtual boards; made when it is first written to."""

    error = VirtualBoardError
    need = "; a virtual board takes about 700 MB"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(default_folder() if folder is None else folder)

    def recall(self, name: str) -> dict[str, Any] | None:
        """Return a record, None where there is none."""
        try:
            found: Any = json.loads((self.folder / "records" / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def remember(self, name: str, record: dict[str, Any]) -> None:
        """Write a record so that others see all of it or the old one."""
        with self.draft() as draft, self._writing():
            (draft / "record").write_text(json.dumps(record))
            file = self.folder / "records" / f"{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            (draft / "record").replace(file)

    def _others(self) -> list[Entry]:
        lists = self.folder / "apt"
        if not lists.is_dir():
            return []
        return [Entry("lists", lists, size_of(lists), lists.stat().st_mtime, "Debian's package lists")]

    def clear(self) -> int:
        """Remove everything but what another process is making now; return the bytes freed.

        A virtual board that runs keeps what it has open.
        """
        freed = super().clear()
        for name in ("records", "compiled"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return freed
