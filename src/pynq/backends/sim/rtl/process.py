"""The tools as child processes: bounded in time and memory, and gone when the build is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pynq.errors import RtlBuildError

__all__ = ["Limits", "Result", "Runner"]

_MEGABYTE = 1 << 20


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise RtlBuildError(f"{name}={text!r} has to be a number above 0")
    return value


@dataclass(frozen=True)
class Limits:
    """What one run of a tool may take; see :meth:`default`."""

    seconds: float
    memory: int  # bytes of address space
    code: int  # bytes of C++ that Verilator may generate for one block

    @classmethod
    def default(cls) -> Limits:
        """Return the limits: ``$PYNQ_RTL_SECONDS``, ``$PYNQ_RTL_MEMORY`` and ``$PYNQ_RTL_CODE`` (in MB).

        Without them: 15 minutes, three quarters of this machine's memory (at least 2 GB), 400 MB of C++.
        """
        memory = max(_physical_memory() * 3 // 4, 2048 * _MEGABYTE)
        return cls(
            _number("PYNQ_RTL_SECONDS", 900),
            int(_number("PYNQ_RTL_MEMORY", memory / _MEGABYTE) * _MEGABYTE),
            int(_number("PYNQ_RTL_CODE", 400) * _MEGABYTE),
        )


class Result(NamedTuple):
    """How a tool ended: exit code (negative: a signal), and everything that it wrote."""

    code: int
    output: str


class Runner:
    """Runs tools, from several threads; after :meth:`stop` nothing runs any more, and nothing starts."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self,
        what: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Result:
        """Run ``command`` in ``folder`` and return how it ended.

        ``output``: a file for its standard output instead of the result. Raises :class:`RtlBuildError`, with
        ``what`` in it, when the tool takes too long.
        """
        # The shell sets the limits, since code between fork and exec is not safe in a program with threads.
        # Its own group: a Ctrl-C of the terminal reaches us first, and we stop the tool with its children.
        limited = f'ulimit -v {self.limits.memory // 1024}; ulimit -c 0; exec "$@"'
        with contextlib.ExitStack() as stack:
            into = stack.enter_context(output.open("wb")) if output is not None else subprocess.PIPE
            with self._started(
                ["/bin/sh", "-c", limited, "sh", *command], folder, environment, into
            ) as child:
                try:
                    out, err = child.communicate(timeout=self.limits.seconds)
                except subprocess.TimeoutExpired:
                    raise RtlBuildError(
                        f"{what} took more than {self.limits.seconds:g} s and was stopped; allow more with "
                        "PYNQ_RTL_SECONDS=<seconds>, or simulate less of the design as RTL"
                    ) from None
        return Result(child.returncode, ((out or b"") + err).decode(errors="replace"))

    def memory_advice(self, result: Result) -> str:
        """Return a sentence if the tool seems to have run out of memory, else ""."""
        signs = ("out of memory", "cannot allocate memory", "virtual memory exhausted", "std::bad_alloc")
        text = result.output.lower()
        if result.code >= 0 and not any(sign in text for sign in signs):
            return ""
        if result.code < 0 and -result.code not in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV):
            return ""
        return (
            f"the tool may have run out of memory (its limit is {self.limits.memory // _MEGABYTE} MB); allow "
            "more with PYNQ_RTL_MEMORY=<MB>, build fewer blocks at once (jobs=1), or simulate less of the "
            "design as RTL"
        )

    @contextlib.contextmanager
    def _started(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None, into: object
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._stopped:
                raise RtlBuildError("the build was stopped")
            child = subprocess.Popen(
                command,
                cwd=folder,
                # Messages of the tools are parsed: no translations.
                env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=into,  # type: ignore[call-overload]
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._running.add(child)
        try:
            yield child
        finally:
            _kill(child)
            with self._lock:
                self._running.discard(child)

    def stop(self) -> None:
        """Kill what runs, with its children."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
