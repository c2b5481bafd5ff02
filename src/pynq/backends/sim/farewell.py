"""The end of the program: boards that are still open close first.

A daemon thread that waits in native code when the interpreter ends is cut off in the middle of it, which ends
the whole process with "terminate called". So waits end in an error before that.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import Protocol
from weakref import WeakSet

__all__ = ["at_exit"]

_GRACE = 0.02  # seconds in which waiting threads see that their board is closed


class _Closable(Protocol):
    def close(self) -> None: ...


_open: WeakSet[_Closable] = WeakSet()


def at_exit(device: _Closable) -> None:
    """Close a device when the program ends, if it lives then."""
    _open.add(device)


@atexit.register
def _close_all() -> None:
    for device in list(_open):
        device.close()
    if _open and threading.active_count() > 1:
        time.sleep(_GRACE)
