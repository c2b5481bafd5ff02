"""The other side of a served board, for tests: a vfio-user client as QEMU has one, and QEMU's two control
sockets.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

HEADER = struct.Struct("<HHIII")
VERSION, DMA_MAP, DMA_UNMAP, GET_INFO, REGION_INFO, IO_FDS, IRQ_INFO, SET_IRQS, READ, WRITE = range(1, 11)
RESET, WRITE_MULTI = 13, 15
BAR, CONFIG = 0, 7
COMMAND, STATUS = 4, 6  # of the configuration space
NONE, BOOL, EVENTFD, MASK, UNMASK, TRIGGER = (1 << bit for bit in range(6))


class Refused(Exception):
    """The server answered with an error: its errno."""


class Client:
    """A vfio-user client."""

    def __init__(self, path: Path, *, greet: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(os.fspath(path))
        self.ids = 0
        self.event = -1
        if greet:
            data = b'{"capabilities":{"max_msg_fds":8,"write_multiple":true}}\0'
            self.version = self.ask(VERSION, struct.pack("<HH", 0, 1) + data)

    def post(self, command: int, payload: bytes = b"", *, flags: int = 0, fds: Sequence[int] = ()) -> int:
        self.ids = (self.ids + 1) & 0xFFFF
        data = HEADER.pack(self.ids, command, HEADER.size + len(payload), flags, 0) + payload
        if fds:
            socket.send_fds(self.socket, [data], list(fds))
        else:
            self.socket.sendall(data)
        return self.ids

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the server closed the connection")
            data += more
        return data

    def answer(self) -> tuple[int, bytes]:
        """Return message id and payload of the next reply."""
        number, _, size, flags, error = HEADER.unpack(self._take(HEADER.size))
        payload = self._take(size - HEADER.size)
        assert flags & 0xF == 1
        if flags & 0x20:
            assert not payload
            raise Refused(error)
        return number, payload

    def ask(self, command: int, payload: bytes = b"", *, fds: Sequence[int] = ()) -> bytes:
        sent = self.post(command, payload, fds=fds)
        number, reply = self.answer()
        assert number == sent
        return reply

    def read_bytes(self, offset: int, count: int, region: int = BAR) -> bytes:
        reply = self.ask(READ, struct.pack("<QII", offset, region, count))
        assert struct.unpack_from("<QII", reply) == (offset, region, count)
        assert len(reply) == 16 + count
        return reply[16:]

    def write_bytes(self, offset: int, data: bytes, region: int = BAR) -> None:
        head = struct.pack("<QII", offset, region, len(data))
        assert self.ask(WRITE, head + data) == head

    def read(self, offset: int, width: int = 4, region: int = BAR) -> int:
        return int.from_bytes(self.read_bytes(offset, width, region), "little")

    def write(self, offset: int, value: int, width: int = 4, region: int = BAR) -> None:
        self.write_bytes(offset, value.to_bytes(width, "little"), region)

    # -- interrupts --
    def set_irqs(
        self, flags: int, *, start: int = 0, count: int = 1, data: bytes = b"", fds: Sequence[int] = ()
    ) -> None:
        self.ask(SET_IRQS, struct.pack("<IIIII", 20 + len(data), flags, 0, start, count) + data, fds=fds)

    def listen(self) -> None:
        """Give an eventfd for INTx, as QEMU does."""
        if self.event >= 0:
            os.close(self.event)
        self.event = os.eventfd(0, os.EFD_CLOEXEC)
        self.set_irqs(EVENTFD | TRIGGER, fds=[self.event])

    def interrupted(self, timeout: float) -> bool:
        if not select.select([self.event], [], [], timeout)[0]:
            return False
        os.eventfd_read(self.event)
        return True

    def close(self) -> None:
        self.socket.close()
        if self.event >= 0:
            os.close(self.event)
            self.event = -1

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Machine:
    """QEMU's QMP and qtest sockets in front of a machine with an interrupt controller.

    ``lines`` gets what is set, as (SPI, level).
    """

    GIC = "/machine/unattached/device[3]"

    def __init__(self, folder: Path, *, gic: str = "arm_gic") -> None:
        self.qmp, self.qtest = folder / "qmp.sock", folder / "qtest.sock"
        self.lines: queue.Queue[tuple[int, int]] = queue.Queue()
        self.complaint = ""
        self.hold = threading.Lock()  # who has it keeps QEMU from reading
        self._gic = gic
        self._sockets: list[socket.socket] = []
        self._threads = [
            threading.Thread(target=self._serve, args=(self._listen(path), talk), daemon=True)
            for path, talk in ((self.qmp, self._talk_qmp), (self.qtest, self._talk_qtest))
        ]
        for thread in self._threads:
            thread.start()

    def _listen(self, path: Path) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(os.fspath(path))
        listening.listen(1)
        self._sockets.append(listening)
        return listening

    def _serve(self, listening: socket.socket, talk: Any) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            self._sockets.append(connection)
            with connection.makefile("r") as stream:
                talk(connection, stream)

    def _talk_qmp(self, connection: socket.socket, stream: Iterable[str]) -> None:
        def say(message: object) -> None:
            connection.sendall(json.dumps(message).encode() + b"\r\n")

        say({"QMP": {"version": {}, "capabilities": ["oob"]}})
        for line in stream:
            asked = json.loads(line)
            say({"event": "RTC_CHANGE", "data": {}})
            if asked["execute"] == "qom-list" and asked["arguments"]["path"] == "/machine/unattached":
                kinds = ["cortex-a53-arm-cpu", "irq", "pl011", self._gic]
                say(
                    {
                        "return": [
                            {"name": f"device[{i}]", "type": f"child<{kind}>"} for i, kind in enumerate(kinds)
                        ]
                    }
                )
            else:
                say({"return": [] if asked["execute"] == "qom-list" else {}})

    def _talk_qtest(self, connection: socket.socket, stream: Iterable[str]) -> None:
        for line in stream:
            with self.hold:
                word, path, name, spi, level = line.split()
            assert (word, path, name) == ("set_irq_in", self.GIC, "unnamed-gpio-in")
            self.lines.put((int(spi), int(level)))
            connection.sendall(f"{self.complaint or 'OK'}\n".encode())

    def next(self) -> tuple[int, int]:
        return self.lines.get(timeout=100)

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def machine(folder: Path, **options: Any) -> Iterator[Machine]:
    made = Machine(folder, **options)
    try:
        yield made
    finally:
        made.close()
