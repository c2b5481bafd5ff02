"""The guest's serial console: marks that say where a command's output begins and ends, and the terminal.

Everything that the guest prints comes through one line: kernel, first process, commands. The marks are
printed by the scripts of :mod:`pynq.vm.board`; what is between "begin" and "end" goes to whoever runs the
command, byte by byte, and the rest is kept for the case that something goes wrong.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TWICE", "Console", "Keyboard", "terminal_size"]

TWICE = 2.0
"""Seconds in which a second Ctrl-C ends the board instead of going to the guest's program."""
_KEPT = 64 << 10  # bytes of what was said that are kept
_REST = 64  # reads after the end, of what may never end
_CTRL_C = b"\x03"

Sink = Callable[[bytes], None]


class Console:
    """Reads what the guest prints, in a thread; ``token`` makes the marks unmistakable."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes], token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._mark = f"\x1e{token} ".encode()
        self._changed = threading.Condition()
        self._sink: Sink | None = None
        self._pending = b""
        self._kept: deque[bytes] = deque()
        self._size = 0
        self.ready = False  # the guest takes commands
        self.running = False  # between the marks of a command
        self.status: int | None = None  # of the command that ended last
        self.closed = False  # nothing will come any more
        self.failure: BaseException | None = None  # of the sink
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._read, name="pynq vm console", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Type something. A guest that is gone doesn't mind."""
        with contextlib.suppress(OSError, ValueError):
            self._writer.write(data)
            self._writer.flush()

    def begin(self, sink: Sink, line: bytes) -> None:
        """Send a line that starts a command; its output goes to ``sink``, from another thread."""
        with self._changed:
            self._sink, self.status, self.failure = sink, None, None
        self.send(line)

    def wait(self, done: Callable[[], bool], timeout: float | None) -> bool:
        """Wait until ``done()``, or nothing more can come; return whether it is done in ``timeout`` s."""
        with self._changed:
            self._changed.wait_for(lambda: done() or self.closed or self.failure is not None, timeout)
            return done()

    def last_words(self, lines: int = 20) -> str:
        """Return the end of what the guest printed."""
        said = re.sub(re.escape(self._mark) + rb"[^\x1e]*\x1e", b"", b"".join(self._kept))
        text = said.decode(errors="replace").replace("\r", "")
        return "\n".join([line for line in text.split("\n") if line.strip()][-lines:])

    def close(self) -> None:
        """Read what QEMU left behind, after its end; once only."""
        if self._waker < 0:
            return
        # The end of the output may never come: whatever QEMU started can hold the other end.
        os.close(self._waker)
        self._waker = -1
        self._thread.join()
        os.close(self._wake)
        for stream in (self._reader, self._writer):
            with contextlib.suppress(OSError):  # what was still to be written has no reader
                stream.close()

    def _read(self) -> None:
        reader = self._reader.fileno()
        rest = _REST
        while rest:
            ready, _, _ = select.select([reader, self._wake], [], [])
            if reader not in ready:
                break  # closed, and all that was said is read
            rest -= self._wake in ready
            try:
                data = os.read(reader, 65536)
            except OSError:
                break  # a terminal without anybody at the other end: as the end of the output
            if not data:
                break
            self._take(data)
        self._give(self._pending)
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _take(self, data: bytes) -> None:
        self._kept.append(data)
        self._size += len(data)
        while self._size - len(self._kept[0]) > _KEPT:
            self._size -= len(self._kept.popleft())
        rest, self._pending = self._pending + data, b""
        while True:
            before, mark, after = rest.partition(self._mark)
            if not mark:
                break
            self._give(before)
            word, end, behind = after.partition(b"\x1e")
            if not end and len(after) < 64:  # the rest of the mark is on its way
                self._pending = mark + after
                return
            self._marked(word.decode(errors="replace"))
            rest = behind
        # The beginning of a mark may be at the end.
        lengths = range(min(len(self._mark), len(rest)), 0, -1)
        keep = next((length for length in lengths if rest.endswith(self._mark[:length])), 0)
        self._give(rest[: len(rest) - keep])
        self._pending = rest[len(rest) - keep :]

    def _marked(self, word: str) -> None:
        with self._changed:
            if word == "ready":
                self.ready = True
            elif word == "begin":
                self.running = True
            elif word.startswith("end "):
                self.running = False
                self.status = int(word[4:]) if word[4:].isdecimal() else 255
            self._changed.notify_all()

    def _give(self, data: bytes) -> None:
        if data and self.running and self._sink is not None and self.failure is None:
            try:
                self._sink(data)
            except Exception as error:  # noqa: BLE001 (the caller of `run` gets it)
                with self._changed:
                    self.failure = error
                    self._changed.notify_all()


class Keyboard:
    """What is typed goes to the guest, keys as they are, as long as the ``with`` lasts.

    ``stop`` is called for the second Ctrl-C within :data:`TWICE` seconds. The terminal is as before
    afterwards, however the block ends.
    """

    def __init__(self, console: Console, stop: Callable[[], None]) -> None:
        self._console = console
        self._stop = stop
        self.last = -TWICE
        self._stdin = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._stdin)
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._forward, name="pynq vm keyboard", daemon=True)

    def __enter__(self) -> Self:
        tty.setraw(self._stdin, termios.TCSADRAIN)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, self._before)
        os.close(self._waker)
        self._thread.join()
        os.close(self._wake)

    def _forward(self) -> None:
        while True:
            ready, _, _ = select.select([self._stdin, self._wake], [], [])
            if self._wake in ready:
                return
            data = os.read(self._stdin, 1024)
            if not data:
                return
            if _CTRL_C in data and pressed_twice(self, data.count(_CTRL_C)):
                self._stop()
                return
            self._console.send(data)


class Interrupts:
    """Ctrl-C where no keys are forwarded: the first goes to the guest's program, the second ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.last = -TWICE

    def __call__(self, *_: object) -> None:
        """Handle a SIGINT."""
        if pressed_twice(self, 1):
            raise KeyboardInterrupt
        self._console.send(_CTRL_C)


def pressed_twice(presses: Keyboard | Interrupts, count: int) -> bool:
    """Note that Ctrl-C was pressed; return whether that was the second time shortly."""
    now = time.monotonic()
    twice = count > 1 or now - presses.last < TWICE
    presses.last = now
    return twice


def terminal_size() -> tuple[int, int] | None:
    """Return columns and lines of the terminal that both input and output are, else None."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
        return None
    with contextlib.suppress(OSError):
        size = os.get_terminal_size(sys.stdout.fileno())
        return size.columns or 80, size.lines or 24
    return None


def _is_terminal(stream: object) -> bool:
    try:
        return os.isatty(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
