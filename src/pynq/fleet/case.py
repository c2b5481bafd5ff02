"""What happens on a worker: a batch of cases, each on a simulated board of its own."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import os
import pickle
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pynq.backends.sim import SimDevice
from pynq.device import registry
from pynq.errors import PynqError
from pynq.fleet import guard
from pynq.fleet.dask import cloudpickle, distributed
from pynq.fleet.guard import Guard, Stopped
from pynq.fleet.note import Note

__all__ = ["Batch", "Outcome", "Task", "keep_note", "run_batch", "seed_of", "stop_sweep", "wants_device"]

Job = Callable[..., Any]

_OWN = (__file__, guard.__file__)  # frames that are no news to the user
_MOST_OUTPUT = 64 << 10  # characters kept of what a case prints
_IMPORTS = 60.0  # seconds more, while the job's modules are imported
_MOST_STACK = 8 << 10


@dataclass(frozen=True)
class Task:
    """One case: its number, its pickled input and the seed of its board."""

    index: int
    case: bytes
    seed: int


@dataclass(frozen=True)
class Batch:
    """Cases that one worker runs, one after the other. ``job`` is pickled; ``topic`` names the sweep."""

    job: bytes
    tasks: tuple[Task, ...]
    topic: str
    seconds: float | None
    grace: float
    folder: str


@dataclass(frozen=True)
class Outcome:
    """What became of a case. ``value`` is pickled, empty unless the status is "ok"."""

    index: int
    status: str
    value: bytes = b""
    error: str = ""
    traceback: str = ""
    output: str = ""
    cycles: int | None = None
    board_seconds: float | None = None
    host_seconds: float | None = None
    attempts: int = 1
    worker: str = ""


_guard = Guard()
_turn = threading.Lock()  # the active device is the process's: one case at a time
_stopped: deque[str] = deque(maxlen=64)
_loaded: tuple[bytes, Job] | None = None
_note: Note | None = None  # where a parent of ours reads which case runs; None in others' workers


def keep_note(note: Note) -> None:
    """Write there from now on which case this process runs."""
    global _note
    _note = note


def seed_of(base: int, index: int) -> int:
    """Return the seed of case ``index``: 32 bits that look random, the same everywhere."""
    digest = hashlib.blake2b(f"{base}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def wants_device(job: Job) -> bool:
    """Return whether a job has a parameter called ``device``, and so gets the board by that name."""
    try:
        parameters = inspect.signature(job).parameters
    except (TypeError, ValueError):  # a callable written in C
        return False
    found = parameters.get("device")
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


def run_batch(batch: Batch) -> tuple[list[Outcome], float]:
    """Run the cases of a batch; return what became of them, and how many seconds it took.

    Ends early, with fewer outcomes, where :func:`stop_sweep` was called for this sweep.
    """
    with _turn:
        start = time.perf_counter()
        worker: Any = distributed().get_worker()
        done = []
        for task in batch.tasks:
            if batch.topic in _stopped:
                break
            done.append(_run(batch, task, partial(worker.log_event, batch.topic)))
        return done, time.perf_counter() - start


def stop_sweep(topic: str) -> None:
    """Stop what this process does for a sweep: the case that runs now, and the rest of its batch."""
    _stopped.append(topic)
    _guard.abort(topic, "stopped by the sweep's end")


def _load(pickled: bytes) -> Job:
    global _loaded
    if _loaded is None or _loaded[0] != pickled:
        _loaded = pickled, pickle.loads(pickled)  # noqa: S301  what the sweep's own client sent
    return _loaded[1]


def _run(batch: Batch, task: Task, tell: Callable[[Any], None]) -> Outcome:
    """Run one case. ``tell`` reports to the client, before the process may have to end."""
    output = _Tail(_MOST_OUTPUT)
    device = SimDevice("sim:case", deterministic=True, seed=task.seed)
    start = time.perf_counter()
    try:
        with _folder(batch.folder), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                watch = partial(
                    _guard.run,
                    owner=batch.topic,
                    grace=batch.grace,
                    over=lambda stack: tell({"case": task.index, "stack": stack[-_MOST_STACK:]}),
                    stop=device.close,
                )
                # The modules that the job needs may take their time, once.
                imports = None if batch.seconds is None else batch.seconds + _IMPORTS
                job = watch(partial(_load, batch.job), seconds=imports)
                start = time.perf_counter()
                if _note is not None:
                    _note.begin(batch.topic, task.index)
                value = watch(partial(_call, job, task, device), seconds=batch.seconds)
                outcome = Outcome(task.index, "ok", cloudpickle().dumps(value))
            finally:
                if _note is not None:
                    _note.end()
                spent = time.perf_counter() - start
                cycles, seconds = _counts(device)
                device.close()
                registry.close()  # boards that the job opened by name, and the choice of the active one
    except Stopped as reason:
        outcome = Outcome(task.index, "timeout", error=str(reason), traceback=_text(reason.__context__))
    except BaseException as error:  # noqa: BLE001  whatever a case raises, sys.exit() too, is its own affair
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        outcome = Outcome(task.index, "error", error=told, traceback=_text(error))
    return replace(
        outcome, output=output.text(), cycles=cycles, board_seconds=seconds, host_seconds=round(spent, 6)
    )


def _call(job: Job, task: Task, device: SimDevice) -> Any:
    """Run the user's function with its board as the active device."""
    case = pickle.loads(task.case)  # noqa: S301  what the sweep's own client sent
    np.random.seed(task.seed & 0xFFFF_FFFF)
    device.open()
    registry.choose(device)
    return job(case, device=device) if wants_device(job) else job(case)


def _counts(device: SimDevice) -> tuple[int | None, float | None]:
    """Return cycles of PL clock 0 and seconds of the board; None for what there is not."""
    try:
        seconds = device.now
    except PynqError:  # no design was loaded, or the board was closed
        return None, None
    try:
        return device.cycles(0), seconds
    except PynqError:  # a design without a PL clock 0
        return None, seconds


def _text(error: BaseException | None) -> str:
    """Return the traceback of an exception, from the user's function on."""
    if error is None:
        return ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename in _OWN:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


@contextlib.contextmanager
def _folder(name: str) -> Iterator[None]:
    """Work in the client's current folder, where this machine has it: relative paths mean the same then."""
    before = os.getcwd()
    if os.path.isdir(name):
        os.chdir(name)
    try:
        yield
    finally:
        os.chdir(before)


class _Tail(io.TextIOBase):
    """A text stream that keeps the end of what is written."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: deque[str] = deque()
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._parts.append(text)
        self._length += len(text)
        while self._length - len(self._parts[0]) >= self._most:
            self._length -= len(self._parts.popleft())
        return len(text)

    def text(self) -> str:
        return "".join(self._parts)[-self._most :]
