"""Sweeps: one function, many cases, each with a simulated board of its own, on every core and every machine.

.. code-block:: python

    import pynq.fleet

    def job(case):
        ol = pynq.Overlay("filter.bit")
        ...
        return {"words": n, "errors": bad}

    table = pynq.fleet.sweep(job, pynq.fleet.grid(seed=range(8), width=[8, 16, 32]))

Work is moved by Dask's ``distributed``, which is the extra ``fleet``. Nothing of it is imported before the
first sweep.
"""

from __future__ import annotations

import itertools
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from pynq.errors import FleetError
from pynq.fleet.case import seed_of
from pynq.fleet.dask import cloudpickle, distributed
from pynq.fleet.dispatch import Limits, Sweep
from pynq.fleet.progress import make_progress
from pynq.fleet.table import Row, make_table
from pynq.fleet.workers import LocalFleet

__all__ = ["SweepInterrupted", "grid", "local", "sweep"]

_GRACE = 2.0  # seconds between the exception in a case over its limit and the end of its process


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep. ``partial`` is the table of the cases that were done."""

    def __init__(self, message: str, partial: Any) -> None:
        super().__init__(message)
        self.partial = partial


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """Return every combination of the values given, as cases; the last name changes fastest.

    ``grid(seed=range(2), width=[8, 16])`` is ``[{"seed": 0, "width": 8}, {"seed": 0, "width": 16}, ...]``.
    """
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def local(workers: int | None = None) -> LocalFleet:
    """Start worker processes on this machine, for several sweeps in a row: ``sweep(..., scheduler=fleet)``.

    ``workers``: how many, default one for each core. Use it in a ``with`` block; its end ends the processes.
    Raises :class:`~pynq.errors.FleetError` where ``distributed`` is not installed.
    """
    if workers is not None:
        _typed("workers", workers, numbers.Integral, "a whole number, or None for one a core")
    return LocalFleet(workers)


def sweep(
    job: Callable[..., Any],
    cases: Iterable[Any],
    *,
    workers: int | None = None,
    scheduler: Any = None,
    timeout: float | None = 3600.0,
    retries: int = 1,
    seed: int = 0,
    on_error: Literal["report", "raise"] = "report",
    progress: bool | None = None,
    pandas: bool | None = None,
) -> Any:
    """Run ``job(case)`` once for every case, each with a fresh simulated board; return a table, a row a case.

    In the job the active device is that board: ``pynq.Overlay("x.bit")`` loads there. A job with a parameter
    called ``device`` gets it by that name as well. The board is deterministic. Its seed is the case's item
    "seed" where the case is a mapping with a whole number of that name, else made from ``seed`` and the
    number of the case.

    ``workers``: processes on this machine, default one a core. ``scheduler``: instead, the address of a Dask
    scheduler, a ``distributed.Client``, or a fleet made by :func:`local`. ``timeout``: seconds a case may
    take; None for no limit. ``retries``: how often a case is given to another worker after it, alone there,
    lost its own. ``on_error``: "raise" ends the sweep at the first case that is not "ok". ``progress``: shown
    on standard error; None: where that is a terminal or a notebook. ``pandas``: whether the table is a
    ``DataFrame``; None: if pandas is installed. A list of dictionaries otherwise,
    :class:`pynq.fleet.table.Records`.

    Columns: ``case`` (number), the items of the case (or ``input``), ``status`` ("ok", "error", "timeout",
    "lost"), ``error``, the items that the job returned (or ``result``), ``cycles`` of PL clock 0 and
    ``board_seconds`` of the design loaded last, ``host_seconds``, ``seed``, ``attempts``, ``worker``. A name
    that is taken gets "case." or "result." before it. Tracebacks and what the cases printed:
    ``table.attrs["tracebacks"]`` and ``["outputs"]`` of a frame, ``table.tracebacks`` and ``table.outputs``
    of records, by number of the case.

    Raises :class:`~pynq.errors.CaseError` with ``on_error="raise"``, :class:`~pynq.errors.FleetError` where
    the sweep can't go on, :class:`SweepInterrupted` at Ctrl-C; all three have the cases done so far in
    ``partial``.
    """
    if not callable(job):
        raise TypeError(f"job is {job!r}; pass a function of a case")
    _typed("cases", cases, Iterable, "a list or another iterable, an item a case")
    if workers is not None:
        _typed("workers", workers, numbers.Integral, "a whole number, or None for one a core")
    if timeout is not None:
        _typed("timeout", timeout, numbers.Real, "seconds, or None for no limit")
    _typed("retries", retries, numbers.Integral, "a whole number")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout={timeout}: expected seconds, more than 0, or None")
    if retries < 0:
        raise ValueError(f"retries={retries}: expected 0 or more")
    if on_error not in ("report", "raise"):
        raise ValueError(f"on_error={on_error!r}: expected 'report' or 'raise'")
    if workers is not None and scheduler is not None:
        raise ValueError("workers are processes of this machine; with scheduler= its own workers do the work")

    inputs = []
    for index, case in enumerate(cases):
        own = case.get("seed") if isinstance(case, Mapping) else None
        inputs.append((case, int(own) if isinstance(own, numbers.Integral) else seed_of(seed, index)))
    if not inputs:
        return make_table([], pandas)
    pickled = cloudpickle().dumps(job)
    done: dict[int, Row] = {}

    def table() -> Any:
        return make_table([done[index] for index in sorted(done)], pandas)

    try:
        with ExitStack() as stack:
            client, fleet = _connect(scheduler, workers, len(inputs), stack)
            shown = make_progress(progress, len(inputs))
            stack.callback(shown.close)
            limits = Limits(timeout, _GRACE, retries)
            Sweep(client, fleet, pickled, inputs, done, limits, on_error == "raise", shown).run()
    except KeyboardInterrupt:
        text = f"interrupted; {len(done)} of {len(inputs)} cases were done"
        raise SweepInterrupted(text, table()) from None
    except FleetError as error:
        error.partial = table()
        raise
    return table()


def _typed(name: str, value: object, kind: type, expected: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name}={value!r}: expected {expected}")


def _connect(
    scheduler: Any, workers: int | None, most: int, stack: ExitStack
) -> tuple[Any, LocalFleet | None]:
    """Return a client, and the fleet where its processes are ours to look after."""
    if scheduler is None:
        count = len(os.sched_getaffinity(0)) if workers is None else workers
        fleet = stack.enter_context(LocalFleet(min(count, most)))
        return fleet.client, fleet
    if isinstance(scheduler, LocalFleet):
        return scheduler.client, scheduler
    if isinstance(scheduler, distributed().Client):
        if scheduler.asynchronous:
            raise TypeError("scheduler is an asynchronous Client; a sweep needs a plain one")
        return scheduler, None
    address = "an address as 'tcp://10.0.0.5:8786'"
    _typed("scheduler", scheduler, str, f"{address}, a distributed.Client, or a fleet made by local()")
    try:
        client = distributed().Client(scheduler, set_as_default=False)
    except ValueError as error:
        raise ValueError(f"scheduler={scheduler!r}: expected {address} ({error})") from error
    except OSError as error:
        raise FleetError(f"no scheduler answers at {scheduler!r}: {error}") from error
    return stack.enter_context(client), None
