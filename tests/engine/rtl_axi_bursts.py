"""What ``axi_burster.v`` does, with numpy: which bytes a burst touches, what is written, what is summed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pynq.backends.sim._engine import Engine

from .rtl_axi_board import RtlBoard

FIXED, INCR, WRAP = 0, 1, 2
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Burst:
    """One burst as the module is told: ``beats`` of ``1 << size`` bytes."""

    write: bool
    address: int
    beats: int
    size: int
    kind: int = INCR
    id: int = 0
    sparse: bool = False
    exclusive: bool = False

    @property
    def command(self) -> int:
        return (
            self.address
            | (self.beats - 1) << 32
            | self.size << 40
            | self.kind << 43
            | self.id << 45
            | int(self.write) << 50
            | int(self.sparse) << 51
            | int(self.exclusive) << 52
        )

    def each(self) -> Iterator[tuple[int, int]]:
        """Yield (first address, number of bytes) of each beat (A3.4.1 of the specification)."""
        width = 1 << self.size
        at = self.address
        for _ in range(self.beats):
            yield at, width - at % width
            if self.kind == FIXED:
                continue
            at = (at // width + 1) * width
            if self.kind == WRAP:
                whole = width * self.beats
                low = self.address // whole * whole
                at = low + (at - low) % whole

    def bytes(self) -> int:
        return sum(count for _, count in self.each())

    def store(self, slot: int, lanes: int, memory: Bytes, base: int = 0) -> int:
        """Write into ``memory`` (from address ``base`` on) as the module does; return the bytes written."""
        stored = 0
        for index, (at, count) in enumerate(self.each()):
            for address in range(at, at + count):
                lane = address % lanes
                if self.sparse and not (index + lane % 4 + (lane >> 2 & 1)) % 4:
                    continue
                memory[address - base] = (slot * 29 + index * 37 + lane * 11 + 1) % 256
                stored += 1
        return stored

    def sum(self, lanes: int, memory: Bytes, base: int = 0) -> int:
        """The module's sum over what is read."""
        total = 0
        for at, count in self.each():
            folded = sum(int(memory[a - base]) * (a % lanes + 1) for a in range(at, at + count))
            total = ((total << 5 | total >> 59) + folded) % (1 << 64)
        return total


def bursts(
    lanes: int, low: int, high: int, *, write: bool | None = None, longest: int = 256
) -> st.SearchStrategy[Burst]:
    """Legal bursts that stay in ``low`` to ``high`` (excluded) and in a page of 4 KiB."""

    @st.composite
    def draw(draw: st.DrawFn) -> Burst:
        size = draw(st.integers(0, lanes.bit_length() - 1))
        width = 1 << size
        kind = draw(st.sampled_from([INCR, INCR, INCR, WRAP, FIXED]))
        most = min(longest, 16 if kind == FIXED else 256, 4096 // width)
        if kind == WRAP:
            beats = draw(st.sampled_from([n for n in (2, 4, 8, 16) if n <= most]))
        else:
            beats = draw(st.one_of(st.integers(1, min(4, most)), st.integers(1, most)))
        whole = beats * width
        page = draw(st.integers(low // 4096, (high - 1) // 4096)) * 4096
        if kind == WRAP:
            address = page + draw(st.integers(0, 4096 // width - 1)) * width
        else:
            address = page + draw(st.integers(0, 4096 - whole))
            if (address // width * width + whole - 1) // 4096 != page // 4096:
                address = page
        return Burst(
            draw(st.booleans()) if write is None else write,
            address,
            beats,
            size,
            kind,
            draw(st.integers(0, 15)),
            draw(st.booleans()),
        )

    return draw()


class BursterBoard(RtlBoard):
    """A board with one ``axi_burster``, named ``burst_0``."""

    def __init__(
        self, engine: Engine, *, bits: int = 64, protocol: str = "AXI4", latency: int = 1, **options: int
    ) -> None:
        super().__init__(engine, **options)
        self.lanes = bits // 8
        length = 4 if protocol == "AXI3" else 8
        skip = () if protocol == "AXI3" else ("WID",)
        self.burster = self.add(
            "burst_0", "axi_burster", master=protocol, latency=latency, DATA=bits, LENGTH=length, skip=skip
        )
        self.space = self.see("burst_0")
        self._push = 0

    def ready(self) -> None:
        self.engine.elaborate()
        self.reset()

    def push(self, commands: list[Burst]) -> None:
        for command in commands:
            self._push ^= 1
            self.drive("burst_0/command", command.command)
            self.drive("burst_0/push", self._push)
            self.cycles(2)

    def go(self, commands: list[Burst], *, order: int = 0) -> None:
        """Let the module do them, at most 16, and wait until all are over."""
        self.push(commands)
        self.drive("burst_0/order", order)
        self.drive("burst_0/go", 1)
        over = self.nets["burst_0/over"]
        stop = self.engine.run_until(over, mask=31, value=len(commands), timeout=10**10)
        assert stop == "hit", self.engine.explain()
        assert not self.get("burst_0/broken")

    def outcome(self, slot: int) -> tuple[int, int, int, int]:
        """Sum, worst response, beats read, and the how-manieth it was to be over."""
        self.drive("burst_0/select", slot)
        self.cycles(1)
        return (
            self.get("burst_0/sum"),
            self.get("burst_0/answer"),
            self.get("burst_0/count"),
            self.get("burst_0/rank"),
        )

    def again(self) -> None:
        """Forget what was done: a reset, with ``go`` low."""
        self.drive("burst_0/go", 0)
        self.reset()
