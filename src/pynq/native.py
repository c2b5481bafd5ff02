"""The plain C interface for drivers written in C or C++ (``pynq/native.h``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pynq import _native
from pynq._native import NativeBuffer, NativeIP, Window

__all__ = ["NativeBuffer", "NativeIP", "get_include", "native_ip"]


def native_ip(window: Window, wait: Callable[[str, float | None], object] | None = None) -> NativeIP:
    """Return the C interface (``pynq_ip``) of an IP: its registers, and its interrupts through ``wait``.

    Args:
        window: The IP's registers.
        wait: Waits for the interrupt pin of that name, at most so many seconds (None: no limit). It raises
            :class:`~pynq.errors.WaitTimeoutError` or returns False when the time is over. None: no
            interrupts.
    """
    return NativeIP(window, wait)


def get_include() -> str:
    """Return the folder to give the compiler with ``-I``, so that ``#include <pynq/native.h>`` works.

    Raises :class:`FileNotFoundError` when the header was not installed.
    """
    # The native module is where the build put it; in an editable install the Python files are elsewhere.
    places = [Path(_native.__file__).parent / "include", Path(__file__).parent / "include"]
    for place in places:
        if (place / "pynq" / "native.h").is_file():
            return str(place)
    raise FileNotFoundError(
        f"pynq/native.h is in none of {', '.join(map(str, places))}: reinstall pynq-anywhere"
    )
