"""One signal over time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Trace", "Value"]

Value = int | float | None


@dataclass(frozen=True)
class Trace:
    """One signal over time: its full name, its width in bits and its changes in order of time.

    ``kind`` is that of the file: 'w' wire, 'r' variable, 'p' parameter, 'f' real, 'e' event.
    """

    name: str
    bits: int
    changes: Sequence[tuple[int, Value]]
    kind: str = "w"
    times: Sequence[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", [time for time, _ in self.changes])

    def at(self, time: int) -> Value:
        """Return the value that holds at that time; None before the first change."""
        index = bisect_right(self.times, time) - 1
        return self.changes[index][1] if index >= 0 else None

    def between(self, start: int, stop: int) -> Iterator[tuple[int, int, Value]]:
        """Yield (from, to, value): the pieces that ``start`` to ``stop`` consists of."""
        index = max(0, bisect_right(self.times, start) - 1)
        if not self.changes or self.times[index] > start:
            first = self.times[index] if self.changes else stop
            yield start, min(first, stop), None
        while index < len(self.changes) and self.times[index] < stop:
            end = self.times[index + 1] if index + 1 < len(self.times) else stop
            begin = max(start, self.times[index])
            if min(end, stop) > begin:
                yield begin, min(end, stop), self.changes[index][1]
            index += 1

    def edges(self, start: int, stop: int) -> int:
        """Return the number of changes in a stretch of time, both ends included."""
        return bisect_right(self.times, stop) - bisect_left(self.times, start)
