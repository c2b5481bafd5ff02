"""The result of a sweep: one row a case, in the order of the cases."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pynq.fleet.case import Outcome

__all__ = ["STANDARD", "Records", "Row", "make_table"]

#: The columns that every table has; the case's own stand after "case", what it returned after "error".
STANDARD = (
    *("case", "status", "error", "cycles", "board_seconds", "host_seconds", "seed", "attempts", "worker"),
)


class Row(NamedTuple):
    """A case that is done: what went in, the seed of its board, what came out."""

    case: Any
    seed: int
    outcome: Outcome
    value: Any


class Records(list[dict[str, Any]]):
    """The table where pandas is not installed, or not wanted: one dictionary a case, all with the same keys.

    ``tracebacks`` and ``outputs`` hold, by number of the case, what is too long for a table: where it failed,
    and what it printed.
    """

    def __init__(
        self, rows: Iterable[dict[str, Any]], tracebacks: Mapping[int, str], outputs: Mapping[int, str]
    ) -> None:
        super().__init__(rows)
        self.tracebacks = dict(tracebacks)
        self.outputs = dict(outputs)


def make_table(rows: Sequence[Row], pandas: bool | None) -> Any:
    """Return a ``pandas.DataFrame``, or :class:`Records`; ``pandas`` None: a frame where pandas is installed.

    A frame has the ``tracebacks`` and ``outputs`` of :class:`Records` in its ``attrs``. Raises
    ``ImportError`` where pandas is wanted and not installed.
    """
    records = _records(rows)
    if pandas is False:
        return records
    try:
        library: Any = importlib.import_module("pandas")
    except ImportError:
        if pandas:
            raise
        return records
    frame = library.DataFrame(list(records), columns=list(records[0]) if records else list(STANDARD))
    frame["cycles"] = frame["cycles"].astype("Int64")  # whole numbers, some of them missing
    frame.attrs["tracebacks"] = records.tracebacks
    frame.attrs["outputs"] = records.outputs
    return frame


def _records(rows: Sequence[Row]) -> Records:
    inputs = [_inputs(row) for row in rows]
    given = _names(inputs, STANDARD, "case")
    results = [_results(row) for row in rows]
    returned = _names(results, (*STANDARD, *given.values()), "result")
    table = []
    for row, first, last in zip(rows, inputs, results, strict=True):
        outcome = row.outcome
        record: dict[str, Any] = {"case": outcome.index}
        record.update((column, first.get(name)) for name, column in given.items())
        record.update(status=outcome.status, error=outcome.error)
        record.update((column, last.get(name)) for name, column in returned.items())
        record.update(
            cycles=outcome.cycles,
            board_seconds=outcome.board_seconds,
            host_seconds=outcome.host_seconds,
            seed=row.seed,
            attempts=outcome.attempts,
            worker=outcome.worker,
        )
        table.append(record)
    return Records(
        table,
        {row.outcome.index: row.outcome.traceback for row in rows if row.outcome.traceback},
        {row.outcome.index: row.outcome.output for row in rows if row.outcome.output},
    )


def _inputs(row: Row) -> dict[str, Any]:
    if not isinstance(row.case, Mapping):
        return {"input": row.case}
    # A seed given by the case is the board's, which has its column anyway.
    return {str(name): item for name, item in row.case.items() if name != "seed" or item != row.seed}


def _results(row: Row) -> dict[str, Any]:
    if row.outcome.status != "ok":
        return {}
    if not isinstance(row.value, Mapping):
        return {"result": row.value}
    return {str(name): item for name, item in row.value.items()}


def _names(parts: Iterable[Mapping[str, Any]], taken: Iterable[str], prefix: str) -> dict[str, str]:
    """Return every name of the parts, in order, and its column: another one where its own is taken."""
    used = set(taken)
    columns: dict[str, str] = {}
    for part in parts:
        for name in part:
            if name not in columns:
                column = name
                while column in used:
                    column = f"{prefix}.{column}"
                used.add(column)
                columns[name] = column
    return columns
