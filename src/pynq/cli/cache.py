"""What ``pynq cache`` tells and does: libraries of RTL, the parts of virtual boards, and bitstreams out of
archives, on this machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["clear", "collect"]


def _rtl() -> Any:
    # Here and not at the top: the simulated board's native part is needed for this command only.
    from pynq.backends.sim.rtl.cache import Cache, default_folder

    return Cache(default_folder())


def _vm() -> Any:
    from pynq.vm.cachedir import CacheDir

    return CacheDir()


def _images() -> Any:
    from pynq.design.archive import image_cache

    return image_cache()


def collect() -> dict[str, Any]:
    """Return the folder of RTL, its bound in bytes, and its entries, the one used last first.

    The same stands under "vm" of virtual boards' parts, and under "images" of bitstreams out of archives;
    these have no bound.
    """
    rtl = _rtl()
    return {**_folder(rtl), "bound": rtl.bound, "vm": _folder(_vm()), "images": _folder(_images())}


def _folder(cache: Any) -> dict[str, Any]:
    entries = _entries(reversed(cache.entries()))
    return {
        "folder": str(cache.folder),
        "size": sum(entry["size"] for entry in entries),
        "entries": entries,
    }


def _entries(found: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {
            "kind": entry.kind,
            "name": entry.path.name,
            "label": entry.label,
            "size": entry.size,
            "used": entry.used,
        }
        for entry in found
    ]


def clear() -> list[tuple[Path, int]]:
    """Remove everything that no process is making just now; return the folders and the bytes freed."""
    return [(cache.folder, cache.clear()) for cache in (_rtl(), _vm(), _images())]
