"""The cores of this machine as a fleet: a Dask ``LocalCluster`` whose workers are plain subprocesses.

Dask's own worker processes are started by ``multiprocessing``, which imports the user's script a second time
in each of them: without ``if __name__ == "__main__"`` that ends badly. These are not; and a worker that dies
is known by its exit status and its last words.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pynq.errors import FleetError
from pynq.fleet.dask import distributed
from pynq.fleet.note import Note, Running

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Epitaph", "LocalFleet"]

# Before anything else: the worker is to find the modules that this process finds.
_BOOT = (
    "import json, sys; told = json.loads(sys.stdin.buffer.readline()); sys.path[:] = told['path']; "
    "from pynq.fleet.process import main; main(told)"
)
# One thread a process is enough; and Dask need not take samples of the stack every 10 ms.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
}
_LINGER = 2.0  # seconds from the end of a connection to that of the process
_MOST_STILLBORN = 3  # processes in a row that end before they have joined


class Epitaph(NamedTuple):
    """How a worker process came to its end, what it said last, and the case that ran."""

    how: str = ""
    words: str = ""
    running: Running | None = None


class _Slot:
    """One worker process, of which there may be several in the course of time."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.address = ""
        self.words: deque[str] = deque(maxlen=300)
        self.note = Note()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**_ENVIRONMENT, **os.environ},
            pass_fds=[self.note.file],
            start_new_session=True,  # Ctrl-C is the parent's affair; and the group can be ended as a whole
        )
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: its last words say why
            self.process.stdin.write(json.dumps({**told, "note": self.note.file}).encode() + b"\n")
            self.process.stdin.flush()
        self._listener = threading.Thread(target=self._listen, name="pynq-fleet-listener", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout as answer, self.process.stderr as errors:
            self.address = answer.readline().decode().strip()
            for line in errors:
                self._hear(line.decode(errors="replace"))

    def _hear(self, line: str) -> None:
        self.words.append(line)
        stream: IO[str] | None = sys.stderr
        if stream is not None:
            stream.write(line)

    def ended(self) -> bool:
        """Return whether the process is over. What it started is ended with it."""
        if self.process.returncode is None:
            # Without reaping it, or its number, which is its group's too, might be another's by now.
            if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            self.end()
        return True

    def end(self) -> None:
        """End the process and what it started, at once."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._listener.join(2.0)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def epitaph(self) -> Epitaph:
        """Return how the process came to its end."""
        code = self.process.returncode
        how = f"ended by {signal.Signals(-code).name}" if code and code < 0 else f"ended with status {code}"
        return Epitaph(how, "".join(self.words).rstrip(), self.note.read())


class LocalFleet:
    """Worker processes on this machine, for several sweeps in a row; see :func:`pynq.fleet.local`.

    A context manager. ``workers``: how many, default one for each core this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers}: expected at least 1, or None for one a core")
        count = workers or len(os.sched_getaffinity(0))
        self._closed = False
        self._stillborn = 0
        self._graves: dict[str, Epitaph] = {}
        self._slots: dict[str, _Slot] = {}
        self._folder = tempfile.mkdtemp(prefix="pynq-fleet-")
        self._cluster: Any = None
        try:
            self._cluster = distributed().LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,  # of workers that are lost the sweep itself tells
            )
            for number in range(count):
                self._slots[f"pynq-{number}"] = self._start(f"pynq-{number}")
            self.client: Any = distributed().Client(self._cluster, set_as_default=False)
        except BaseException:
            self.close()
            raise

    def _start(self, name: str) -> _Slot:
        told = {
            "address": self._cluster.scheduler_address,
            "name": name,
            "folder": self._folder,
            "security": {},
            "path": [os.path.abspath(entry) for entry in sys.path],
        }
        return _Slot(told)

    @property
    def pids(self) -> list[int]:
        """The worker processes that live now."""
        return [slot.process.pid for slot in self._slots.values() if slot.process.returncode is None]

    @property
    def address(self) -> str:
        """The scheduler's address."""
        return str(self._cluster.scheduler_address)

    def tend(self) -> None:
        """Start processes anew where some have ended.

        Raises :class:`FleetError` where they keep ending before they have joined.
        """
        if self._closed:
            raise FleetError("this fleet is closed")
        for name, slot in self._slots.items():
            if slot.address:
                self._stillborn = 0
            if not slot.ended():
                continue
            slot.end()
            if slot.address:
                self._graves[slot.address] = slot.epitaph()
            else:
                self._stillborn += 1
                if self._stillborn >= _MOST_STILLBORN:
                    how, words, _ = slot.epitaph()
                    raise FleetError(f"worker processes don't start: {how}\n{words}".rstrip())
            slot.note.close()
            self._slots[name] = self._start(name)

    def epitaph(self, address: str) -> Epitaph:
        """Return how the worker at that address, which the scheduler has lost, came to its end."""
        for slot in self._slots.values():
            if slot.address == address:
                # The connection ends before the process does. One that lives on is of no use to anybody.
                end = time.monotonic() + _LINGER
                while not slot.ended() and time.monotonic() < end:
                    time.sleep(0.01)
                slot.end()
        self.tend()
        return self._graves.get(address, Epitaph())

    def drop(self, addresses: Iterable[str]) -> None:
        """End the workers at these addresses, whatever they do; :meth:`tend` starts others."""
        unwanted = set(addresses)
        for slot in self._slots.values():
            if slot.address in unwanted:
                slot.end()

    def close(self) -> None:
        """End the processes, then the scheduler. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for slot in self._slots.values():
            slot.end()
            slot.note.close()
        for part in (getattr(self, "client", None), self._cluster):
            if part is not None:
                part.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._slots)} workers at {self.address}"
        return f"<LocalFleet: {state}>"
