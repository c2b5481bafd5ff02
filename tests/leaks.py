"""What code under test leaves behind in its process.

Counts don't do: while a test runs, the garbage of tests before it may go, so that fewer descriptors are open
afterwards, and a leak is hidden. Here it is said what is there that was not there before.
"""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Callable


def descriptors() -> Counter[str]:
    """Return what the open descriptors stand for (`/proc/self/fd`), and how often."""
    found: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        try:
            found[os.readlink(f"/proc/self/fd/{number}")] += 1
        except FileNotFoundError:  # the one that listed the folder
            continue
    return found


def opened(before: Counter[str]) -> list[str]:
    """Return what is open, garbage apart, and was not when `descriptors` gave `before`."""
    return _without_garbage(lambda: sorted((descriptors() - before).elements()))


def threads() -> set[threading.Thread]:
    """Return the threads that live."""
    return set(threading.enumerate())


def started(before: set[threading.Thread]) -> list[str]:
    """Return the names of the threads that live, garbage apart, and did not when `threads` gave `before`."""
    return _without_garbage(lambda: sorted(thread.name for thread in threads() - before))


def _without_garbage(left: Callable[[], list[str]]) -> list[str]:
    found = left()
    if found:
        gc.collect()
        found = left()
    return found
