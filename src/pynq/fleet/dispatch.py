"""Who runs which case: batches to workers, and what to do about workers that go away.

Dask moves and runs the batches; which worker gets which is decided here, since only then it is known which
cases a lost worker takes with it. A batch is sized to last some tenths of a second, so that short cases don't
pay a journey each; and as long as there is plenty to do, a worker has a second one waiting, which it gives
back when another worker has nothing left to do. When a worker is lost, no case of its batches is blamed yet:
each is run again, alone on a worker; only one that loses its worker then is known to be the reason. A case
over its time limit is blamed at once where it is known: the worker said so, or, where its interpreter could
not, the note of a process of our own does. Workers of others leave no note: there such a case is found alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import pickle
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout  # another class before Python 3.11
from dataclasses import dataclass, field, replace
from typing import Any

from pynq.device.notes import emit
from pynq.errors import CaseError, FleetError, PynqWarning
from pynq.fleet.case import Batch, Outcome, Task, run_batch, stop_sweep
from pynq.fleet.dask import cloudpickle, distributed
from pynq.fleet.progress import Progress
from pynq.fleet.table import Row
from pynq.fleet.workers import Epitaph, LocalFleet

__all__ = ["Limits", "Sweep"]

_LOOK = 0.25  # seconds between two looks at which workers there are
_LOOK_SOON = 0.03  # the same, while processes are starting
_LONG = 0.25  # seconds that a batch should last at least
_TRIP = 20.0  # times the journey that a batch should last at least
_SUBMIT = 0.015  # seconds a batch should last more for each worker: one client feeds them all
_MOST = 256  # cases in a batch
_ANSWER = 2.0  # seconds that workers get to hear that a sweep is over
_PATIENCE = 10.0  # seconds without any worker before that is worth a line


@dataclass(frozen=True)
class Limits:
    """What a case may cost: seconds (None: any), seconds more until its process ends, workers lost again."""

    seconds: float | None
    grace: float
    retries: int


@dataclass
class _Flight:
    """A batch on a worker."""

    worker: str
    tasks: tuple[Task, ...]
    future: Any
    answer: Future[Any]
    alone: bool  # nothing else was, or will be, on that worker
    behind: bool  # it was sent while another one was there
    company: bool  # the worker may have run a case of another batch, from before or since
    start: float = field(default_factory=time.monotonic)
    late: tuple[int, str] | None = None  # the case that is over its limit, and where it is


class Sweep:
    """One sweep in progress."""

    def __init__(
        self,
        client: Any,
        fleet: LocalFleet | None,
        job: bytes,
        inputs: Sequence[tuple[Any, int]],
        done: dict[int, Row],
        limits: Limits,
        stop_on_error: bool,
        progress: Progress,
    ) -> None:
        self.done = done
        self._client = client
        self._fleet = fleet
        self._job = job
        self._limits = limits
        self._stop_on_error = stop_on_error
        self._progress = progress
        self._inputs = inputs
        self._topic = f"pynq-sweep-{uuid.uuid4().hex[:12]}"
        self._folder = os.getcwd()
        self._fresh = deque(range(len(inputs)))
        self._alone: deque[int] = deque()
        self._attempts = [0] * len(inputs)
        self._blamed = [0] * len(inputs)
        self._flights: dict[str, list[_Flight]] = {}
        self._haunted: dict[str, float] = {}  # workers that may run what was taken back, and since when
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._workers: list[str] = []
        self._looked = 0.0
        self._every = _LOOK  # seconds from that look to the next
        self._last_seen = time.monotonic()
        self._failed = 0
        self._batches = 0
        self._each: float | None = None  # seconds a case takes, about
        self._trip = 0.0  # seconds a batch takes beyond its cases

    def run(self) -> None:
        """Run all cases; :attr:`done` has what became of them, at any time.

        Raises :class:`FleetError` when the scheduler is gone or processes don't start, :class:`CaseError` for
        a case that went wrong where that is to end the sweep.
        """
        self._client.subscribe_topic(self._topic, self._told)
        try:
            while len(self.done) < len(self._inputs):
                if time.monotonic() >= self._looked + self._every:
                    self._look()
                self._hand_out()
                self._take_in()
        finally:
            self._abandon()

    # -- workers -------------------------------------------------------------------------------------------
    def _look(self) -> None:
        """See which workers there are, and which are lost."""
        if self._fleet is not None:
            self._fleet.tend()
        try:
            threads = self._client.nthreads()
        except OSError as error:
            raise FleetError(f"the scheduler does not answer any more: {error}") from error
        now = self._looked = time.monotonic()
        fresh = [worker for worker in threads if worker not in self._workers]
        if any(threads[worker] > 1 for worker in fresh):
            text = "workers with several threads: each process runs one case at a time"
            emit(PynqWarning(text))
        self._workers = list(threads)
        missing = self._fleet is not None and len(threads) < len(self._fleet.pids)
        self._every = _LOOK_SOON if missing else _LOOK
        for worker in [name for name in self._flights if name not in threads]:
            # What it sent before it ended counts.
            self._drain()
            if worker in self._flights:
                self._lost(worker, self._flights.pop(worker))
        if threads:
            self._last_seen = now
        elif now - self._last_seen > _PATIENCE:
            self._last_seen = now
            self._progress.note(f"sweep: no worker at {self._client.scheduler.address} yet, waiting for one")

    def _lost(self, worker: str, flights: Sequence[_Flight]) -> None:
        """Decide about the cases of a worker that is gone."""
        for flight in flights:
            flight.future.release()
        fate = self._fleet.epitaph(worker) if self._fleet is not None else Epitaph()
        self._haunted.pop(worker, None)
        numbers = [task.index for flight in flights for task in flight.tasks]
        late = next((flight.late for flight in flights if flight.late is not None), None)
        limit = self._limits.seconds
        ran = fate.running if fate.running is not None and fate.running.topic == self._topic else None
        if late is None and ran is not None and limit is not None and time.monotonic() - ran.start >= limit:
            late = ran.number, ""  # it did not even let its process report
        if late is not None and late[0] in numbers:
            self._over(late[0], worker, late[1] or fate.words)
            self._fresh.extendleft(reversed([number for number in numbers if number != late[0]]))
            return
        if len(numbers) > 1 or flights[0].company or (ran is not None and ran.number not in numbers):
            self._alone.extend(numbers)
            return
        number = numbers[0]
        self._blamed[number] += 1
        if limit is not None and time.monotonic() - flights[0].start >= limit:
            self._over(number, worker, fate.words)
        elif self._blamed[number] > self._limits.retries:
            text = "its worker was lost" + (f" ({fate.how})" if fate.how else "")
            self._settle(Outcome(number, "lost", error=text, traceback=fate.words, worker=worker))
        else:
            self._alone.append(number)

    def _over(self, number: int, worker: str, stack: str) -> None:
        text = f"over its time limit of {self._limits.seconds:g} s; its worker was ended"
        spent = (self._limits.seconds or 0.0) + self._limits.grace
        self._settle(
            Outcome(number, "timeout", error=text, traceback=stack, host_seconds=spent, worker=worker)
        )

    # -- out -----------------------------------------------------------------------------------------------
    def _hand_out(self) -> None:
        """Give every worker something to do; twice round, since one goes first that has nothing at all."""
        for behind in (False, True):
            for worker in self._workers:
                flights = self._flights.get(worker, [])
                if len(flights) != behind or any(flight.alone for flight in flights):
                    continue
                if self._alone and not behind:
                    self._send(worker, [self._alone.popleft()], alone=True, behind=False)
                    continue
                if behind and len(self._fresh) < 2 * len(self._workers):
                    return
                if not behind and not self._fresh:
                    self._take_back()
                if self._fresh:
                    self._send(worker, self._next(), alone=False, behind=behind)

    def _take_back(self) -> None:
        """Take a batch that still waits behind another one away from its worker."""
        for worker, flights in self._flights.items():
            if len(flights) > 1:
                flight = flights.pop()
                flight.future.release()
                # It may have begun by now; then it is run here too, and what it does there is nobody's fault.
                flights[0].company = True
                self._haunted[worker] = time.monotonic()
                for task in flight.tasks:
                    self._attempts[task.index] -= 1
                self._fresh.extend(task.index for task in flight.tasks)
                return

    def _next(self) -> list[int]:
        """Return the cases of the next batch, fresh ones."""
        size = 1
        if self._each is not None:
            long = max(_LONG, _TRIP * self._trip, _SUBMIT * len(self._workers))
            # Towards the end smaller ones, so that the workers end together.
            share = -(-len(self._fresh) // (2 * len(self._workers)))
            size = max(1, min(int(long / max(self._each, 1e-6)), share, _MOST))
        return [self._fresh.popleft() for _ in range(min(size, len(self._fresh)))]

    def _send(self, worker: str, numbers: list[int], *, alone: bool, behind: bool) -> None:
        tasks = []
        for number in numbers:
            case, seed = self._inputs[number]
            try:
                tasks.append(Task(number, cloudpickle().dumps(case), seed))
            except Exception as error:  # noqa: BLE001  whatever an object's pickling raises
                self._settle(
                    Outcome(number, "error", error=f"can't be sent: {type(error).__name__}: {error}")
                )
                continue
            self._attempts[number] += 1
        if not tasks:
            return
        batch = Batch(
            self._job, tuple(tasks), self._topic, self._limits.seconds, self._limits.grace, self._folder
        )
        self._batches += 1
        future = self._client.submit(
            run_batch,
            batch,
            key=f"{self._topic}-{self._batches}",
            workers=[worker],
            allow_other_workers=False,
            pure=False,
        )
        answer = asyncio.run_coroutine_threadsafe(self._fetch(future), self._client.loop.asyncio_loop)
        flight = _Flight(
            worker, batch.tasks, future, answer, alone, behind, behind or worker in self._haunted
        )
        self._flights.setdefault(worker, []).append(flight)
        answer.add_done_callback(lambda _: self._news.put(lambda: self._landed(flight)))

    async def _stop(self, addresses: list[str]) -> None:
        await self._client.run(stop_sweep, self._topic, workers=addresses, on_error="ignore")

    async def _fetch(self, future: Any) -> Any:
        (value,) = await self._client.gather([future], asynchronous=True)
        return value

    # -- in ------------------------------------------------------------------------------------------------
    def _take_in(self) -> None:
        """Wait for news until it is time to look for workers again."""
        left = self._looked + self._every - time.monotonic()
        with contextlib.suppress(queue.Empty):
            self._news.get(timeout=max(left, 0.001))()
            self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._news.get_nowait()()

    def _told(self, event: tuple[float, Any]) -> None:
        """Hear from a worker, in the client's own thread."""
        said = event[1]
        self._news.put(lambda: self._late(said["case"], said["stack"]))

    def _late(self, number: int, stack: str) -> None:
        for flight in itertools.chain.from_iterable(self._flights.values()):
            if any(task.index == number for task in flight.tasks):
                flight.late = number, stack

    def _landed(self, flight: _Flight) -> None:
        there = self._flights.get(flight.worker, [])
        if flight not in there:
            return  # given up before
        there.remove(flight)
        if not there:
            del self._flights[flight.worker]
        try:
            outcomes, seconds = flight.answer.result()
        except (asyncio.CancelledError, CancelledError, distributed().KilledWorker):
            self._lost(flight.worker, [flight, *self._flights.pop(flight.worker, [])])
            return
        except Exception as error:  # noqa: BLE001  Dask could not run it: every case of it gets the reason
            text = f"not run: {type(error).__name__}: {error}"
            for task in flight.tasks:
                self._settle(Outcome(task.index, "error", error=text, worker=flight.worker))
            return
        if flight.start > self._haunted.get(flight.worker, math.inf):
            del self._haunted[flight.worker]  # one after the other: what was before this is over
        if not flight.behind:
            trip = max(time.monotonic() - flight.start - seconds, 0.0)
            self._trip = trip if self._each is None else 0.7 * self._trip + 0.3 * trip
        if outcomes:
            each = seconds / len(outcomes)
            self._each = each if self._each is None else 0.5 * self._each + 0.5 * each
        for outcome in outcomes:
            self._settle(replace(outcome, worker=flight.worker))

    def _settle(self, outcome: Outcome) -> None:
        number = outcome.index
        case, seed = self._inputs[number]
        outcome, value = _opened(replace(outcome, attempts=self._attempts[number]))
        self.done[number] = Row(case, seed, outcome, value)
        self._failed += outcome.status != "ok"
        self._progress.update(len(self.done), self._failed)
        if outcome.status != "ok" and self._stop_on_error:
            raise CaseError(
                f"case {number} ({case!r}): {outcome.status}: {outcome.error}\n{outcome.traceback}".rstrip()
            )

    # -- the end -------------------------------------------------------------------------------------------
    def _abandon(self) -> None:
        """Take back what is not done: after this no worker works for this sweep."""
        flights = list(itertools.chain.from_iterable(self._flights.values()))
        addresses = list(self._flights)
        self._flights.clear()
        with contextlib.suppress(OSError):
            self._client.unsubscribe_topic(self._topic)
            for flight in flights:
                flight.future.release()
            if addresses and self._fleet is not None:
                self._fleet.drop(addresses)
            elif addresses:
                stopping = asyncio.run_coroutine_threadsafe(
                    self._stop(addresses), self._client.loop.asyncio_loop
                )
                with contextlib.suppress(TimeoutError, FutureTimeout):  # one that can't even answer
                    stopping.result(_ANSWER)


def _opened(outcome: Outcome) -> tuple[Outcome, Any]:
    """Return an outcome and what the case returned; one that can't be read here is an error."""
    if not outcome.value:
        return outcome, None
    try:
        value = pickle.loads(outcome.value)  # noqa: S301  from the workers that the user named
    except Exception as error:  # noqa: BLE001  whatever an object's unpickling raises
        text = f"what it returned can't be read here: {type(error).__name__}: {error}"
        return replace(outcome, status="error", value=b"", error=text), None
    return replace(outcome, value=b""), value
