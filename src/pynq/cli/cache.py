"""What ``pynq cache`` tells and does: the libraries of RTL that were built on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["clear", "collect"]


def _cache() -> Any:
    # Here and not at the top: the simulated board's native part is needed for this command only.
    from pynq.backends.sim.rtl.cache import Cache, default_folder

    return Cache(default_folder())


def collect() -> dict[str, Any]:
    """Return the folder, its bound in bytes, and its entries, the one used last first."""
    cache = _cache()
    entries = [
        {
            "kind": entry.kind,
            "name": entry.path.name,
            "label": entry.label,
            "size": entry.size,
            "used": entry.used,
        }
        for entry in reversed(cache.entries())
    ]
    return {
        "folder": str(cache.folder),
        "bound": cache.bound,
        "size": sum(entry["size"] for entry in entries),
        "entries": entries,
    }


def clear() -> tuple[Path, int]:
    """Remove everything that no build is working on; return the folder and the bytes freed."""
    cache = _cache()
    return cache.folder, cache.clear()
