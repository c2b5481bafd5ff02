"""``pynq vm``: a virtual board, Debian's arm64 kernel in QEMU with the simulated board as its PL.

Reading order: ``board`` (:class:`VirtualBoard`, what users have), ``tree`` (the guest's device tree),
``qemu``, ``console``; then ``cachedir`` (where everything is kept), ``apt`` (Debian's packages), ``assets``
(QEMU, the kernel, the guest's root), ``image`` (the guest's file system).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pynq.vm.apt import DownloadRefused
    from pynq.vm.board import VirtualBoard

__all__ = ["DownloadRefused", "VirtualBoard"]

_HOME = {"DownloadRefused": "apt", "VirtualBoard": "board"}


def __getattr__(name: str) -> Any:
    # On first use: `pynq cache` needs the cache's part only, which has to work without an engine, too.
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module 'pynq.vm' has no attribute {name!r}")
    return getattr(import_module(f"pynq.vm.{_HOME[name]}"), name)
