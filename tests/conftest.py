"""Fixtures that several areas share."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pynq.binding import drivers
from pynq.device import registry
from pynq.sim import models

hypothesis.settings.register_profile(
    "pynq",
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # it takes the time of the clock as well
    # Not "explain", which traces every line: that is slow, and was seen to leave CPython 3.11 in an endless
    # loop beside V8.
    phases=[
        hypothesis.Phase.explicit,
        hypothesis.Phase.reuse,
        hypothesis.Phase.generate,
        hypothesis.Phase.shrink,
    ],
)
hypothesis.settings.load_profile("pynq")

# A script's background job (`make test &`) ignores Ctrl-C, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let the collector leave alone what stays: modules and thousands of tests. Many tests call it."""
    gc.collect()
    gc.freeze()


ROOT = Path(__file__).resolve().parent.parent


def corpus_folder() -> Path:
    """Where the corpus of real hand-off files is, whether it exists or not."""
    return Path(os.environ.get("PYNQ_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give back the drivers, the models and the active device that were there before the test."""
    drivers.snapshot()  # imports the installed ones, which are to stay
    ip, hierarchies = dict(drivers._ip), dict(drivers._hierarchies)
    chosen, bound = registry._chosen, models._bound[False]
    before = dict(bound)
    yield
    bound.clear()
    bound.update(before)
    drivers._ip, drivers._hierarchies = ip, hierarchies
    registry._chosen = chosen


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that tests before left (Dask's never end) are no company: dead waits are told of at once."""
    others = threading.active_count() - 1
    if others:
        count = threading.active_count
        monkeypatch.setattr(threading, "active_count", lambda: max(1, count() - others))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus' folder (``hwh/`` and ``golden/``); skips where it is absent."""
    folder = corpus_folder()
    if not (folder / "hwh").is_dir():
        pytest.skip(f"no corpus at {folder}: set PYNQ_CORPUS to the folder that holds hwh/ and golden/")
    return folder
