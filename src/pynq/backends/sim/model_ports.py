"""The ports of a model: streams, memory-mapped masters and wires, over the engine's host of the IP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from pynq.backends.sim.model_tasks import Pause
from pynq.errors import BusError, ModelError

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]

    from pynq.backends.sim._engine import Host

__all__ = ["MemoryPort", "Packet", "Pin", "StreamPort"]


class Owner(Protocol):
    """The model that a port is of."""

    name: str
    host: Host


class Packet(np.ndarray[Any, np.dtype[np.uint8]]):
    """Bytes received from a stream.

    ``last``: TLAST came with the final beat; ``dest``, ``user``, ``id`` as of the first beat.
    """

    last: bool
    dest: int
    user: int
    id: int

    def __array_finalize__(self, source: Any) -> None:
        self.last = getattr(source, "last", False)
        self.dest = getattr(source, "dest", 0)
        self.user = getattr(source, "user", 0)
        self.id = getattr(source, "id", 0)


class StreamPort:
    """An AXI4-Stream interface of a model; ``width`` is that of TDATA in bytes."""

    def __init__(self, model: Owner, name: str, *, sink: bool, width: int) -> None:
        self._model = model
        self.name = name
        self.width = width
        self._sink = sink

    async def recv(self, nbytes: int | None = None) -> Packet:
        """Take ``nbytes`` bytes, or fewer if TLAST comes first; without a number everything up to TLAST.

        Returns an array of bytes with ``.last``; ``.view("<i2")`` gives samples. Raises :class:`ModelError`
        on a port that sends.
        """
        if not self._sink:
            raise ModelError(f"{self._model.name}.{self.name} sends; only a slave stream can receive")
        pause: Pause[Packet] = Pause(
            f"{'a packet' if nbytes is None else f'{nbytes} bytes'} on {self._model.name}/{self.name}"
        )

        def done(data: npt.NDArray[np.uint8], last: bool, band: tuple[int, int, int]) -> None:
            packet = data.view(Packet)
            packet.last = last
            packet.dest, packet.user, packet.id = band
            pause.finish(packet)

        self._model.host.receive(self.name, nbytes, done)
        return await pause

    async def send(
        self, data: npt.ArrayLike | Buffer, last: bool = True, *, dest: int = 0, user: int = 0, id: int = 0
    ) -> None:
        """Send the bytes of an array, with TLAST at the end if ``last``; return when the sink's queue
        has taken all of them.
        """
        if self._sink:
            raise ModelError(f"{self._model.name}.{self.name} receives; only a master stream can send")
        raw: Any = data if isinstance(data, (bytes, bytearray, memoryview)) else np.ascontiguousarray(data)
        pause: Pause[None] = Pause(f"room on {self._model.name}/{self.name}")
        self._model.host.send(self.name, raw, last, pause.finish, dest=dest, user=user, id=id)
        await pause

    def __repr__(self) -> str:
        does = "receives" if self._sink else "sends"
        return f"<StreamPort {self._model.name}/{self.name}, {does} {self.width} bytes a beat>"


class MemoryPort:
    """A memory-mapped master of a model: what it reads and writes by itself (DDR, BRAM, registers of
    others).
    """

    def __init__(self, model: Owner, name: str) -> None:
        self._model = model
        self.name = name

    async def read(self, address: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """Read bytes. Raises :class:`BusError` where the bus answers with an error."""
        what = f"{nbytes} bytes from {address:#x} by {self._model.name}/{self.name}"
        pause: Pause[npt.NDArray[np.uint8]] = Pause(what)

        def done(data: npt.NDArray[np.uint8] | None, error: str) -> None:
            pause.finish(data, BusError(error) if error else None)

        self._model.host.read_memory(self.name, int(address), int(nbytes), done)
        return await pause

    async def write(self, address: int, data: npt.ArrayLike | Buffer) -> None:
        """Write the bytes of an array. Raises :class:`BusError` where the bus answers with an error."""
        raw: Any = data if isinstance(data, (bytes, bytearray, memoryview)) else np.ascontiguousarray(data)
        pause: Pause[None] = Pause(f"a write to {address:#x} by {self._model.name}/{self.name}")

        def done(error: str) -> None:
            pause.finish(None, BusError(error) if error else None)

        self._model.host.write_memory(self.name, int(address), raw, done)
        await pause


class Pin:
    """A wire of a model: an output to drive, or an input to read and to wait for."""

    def __init__(self, model: Owner, name: str, *, output: bool, width: int) -> None:
        self._model = model
        self.name = name
        self.output = output
        self.width = width
        self._waiting: list[tuple[Callable[[int, int], bool], Pause[int]]] = []
        self._before = 0

    @property
    def level(self) -> int:
        """What is on the wire now."""
        return self._model.host.sample(self.name)

    def drive(self, value: int) -> None:
        """Set the level of an output."""
        self._model.host.drive(self._writable(), int(value))

    def pulse(self, cycles: int = 1) -> None:
        """Drive 1 for some cycles of the model's clock, then 0."""
        self._model.host.pulse(self._writable(), cycles)

    async def changed(self) -> int:
        """Wait for a change of level; return the new one."""
        return await self._edge(lambda now, before: now != before, "a change")

    async def rising(self) -> int:
        """Wait until any bit goes from 0 to 1; return the level."""
        return await self._edge(lambda now, before: bool(now & ~before), "a rising edge")

    async def falling(self) -> int:
        """Wait until any bit goes from 1 to 0; return the level."""
        return await self._edge(lambda now, before: bool(~now & before), "a falling edge")

    def _writable(self) -> str:
        if not self.output:
            raise ModelError(f"{self._model.name}/{self.name} is an input; a model drives its outputs only")
        return self.name

    async def _edge(self, test: Callable[[int, int], bool], what: str) -> int:
        if self.output:
            raise ModelError(
                f"{self._model.name}/{self.name} is an output; a model waits for its inputs only"
            )
        pause: Pause[int] = Pause(f"{what} of {self._model.name}/{self.name}")
        self._waiting.append((test, pause))
        return await pause

    def arrived(self, level: int) -> None:
        """End the waits that a new level ends; the engine tells of it."""
        before, self._before = self._before, level
        waiting, self._waiting = self._waiting, []
        ready: list[tuple[Callable[[int, int], bool], Pause[int]]] = []
        for entry in waiting:
            (ready if entry[0](level, before) else self._waiting).append(entry)
        for _, pause in ready:
            pause.finish(level)

    def forget(self) -> None:
        """Drop all waits: the model is reset."""
        self._waiting = []
        self._before = 0 if self.output else self.level
