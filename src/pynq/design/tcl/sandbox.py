"""Runs a block-design script in a process of its own and brings back what it has made.

The script is a program and gets no trust: see :mod:`pynq.design.tcl.child` for what holds it. Here the
process is started, bounded by the clock and by the size of its answer, and its end is turned into an error
that says why.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pynq.design.tcl import wire
from pynq.design.tcl.netlist import Netlist
from pynq.errors import DesignError, MissingPackageError, Problem

__all__ = ["run"]

NO_OTHERS: Mapping[str, str] = MappingProxyType({})
WALL_SECONDS = 20.0
"""After so long the process is ended, whatever it does."""

# The packages are made without running them: their own imports would take longer than most scripts.
BOOT = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
for name in ("pynq", "pynq.design", "pynq.design.tcl"):
    file = f"{sys.argv[1]}/{name.replace('.', '/')}/__init__.py"
    sys.modules[name] = module_from_spec(spec_from_file_location(name, file))
from pynq.design.tcl import child
child.main()
"""

_ENDS = {
    signal.SIGSEGV: "is nested too deeply for the interpreter's stack, or broke the interpreter (SIGSEGV)",
    signal.SIGABRT: f"ended the interpreter (SIGABRT), as a value does that needs more than "
    f"{wire.MEMORY >> 20:,} MiB of memory",
    signal.SIGXCPU: f"takes more than {wire.PROCESSOR_SECONDS} seconds of processor time",
    signal.SIGKILL: f"takes more than {wire.PROCESSOR_SECONDS} seconds of processor time, or all of the "
    "machine's memory (SIGKILL)",
}


def run(
    data: bytes, file: str, seconds: float = WALL_SECONDS, others: Mapping[str, str] = NO_OTHERS
) -> Netlist:
    """Run a script.

    Args:
        data: its text, UTF-8 or else Latin-1.
        file: its name, for messages.
        seconds: the time it gets.
        others: texts of the scripts that it may source, by their paths from its folder.

    Raises:
        DesignError: it is no script, ends with an error, breaks a limit, or makes no design.
        MissingPackageError: this Python has no Tcl.
    """
    text = _text(data, file)
    # On the script's first line, so that the lines of all others stay: `info script` gives no place here.
    body = f"info script /script.tcl;{text}".encode()
    status, answer = _exchange(body, json.dumps(dict(others)).encode(), file, seconds)
    if status < 0:
        why = _ENDS.get(signal.Signals(-status), f"ended the interpreter ({signal.Signals(-status).name})")
        raise _error(file, f"the script {why}")
    try:
        found = wire.load(answer)
    except wire.WireError as error:
        raise _error(
            file,
            f"the process that ran the script gave no answer (status {status}, {len(answer)} bytes; {error})",
        ) from None
    if found.missing:
        raise MissingPackageError(
            f"{file} is a block-design script, and this Python ({sys.executable}) has no Tcl to run it "
            f"({found.missing}). What brings it: apt install python3-tk (Debian, Ubuntu, PYNQ), dnf install "
            "python3-tkinter (Fedora), pacman -S tk (Arch), apk add python3-tkinter (Alpine); pyenv needs "
            "tk-dev before it builds a Python"
        )
    if found.netlist is None:
        raise DesignError([Problem(file, line, problem) for line, problem in found.problems])
    return found.netlist


def _error(file: str, message: str, line: int = 0) -> DesignError:
    return DesignError([Problem(file, line, message)])


def _text(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    for number, line in enumerate(text.split("\n"), 1):
        # Tcl reads a file up to the first Control-Z only; other control characters are no script's.
        wrong = next((letter for letter in line if letter < " " and letter not in "\t\r\f\v"), "")
        if wrong:
            raise _error(
                file, f"the control character 0x{ord(wrong):02x}: a block-design script is text", number
            )
    if not text.strip():
        raise _error(file, "is empty; wanted a script that Vivado's write_bd_tcl has written")
    return text


def _exchange(body: bytes, others: bytes, file: str, seconds: float) -> tuple[int, bytes]:
    """Give the process its script and take its answer: exit status and bytes."""
    if not sys.executable:
        raise _error(file, "there is no sys.executable, the Python interpreter that runs the script")
    root = str(Path(__file__).resolve().parents[3])
    with open(os.memfd_create("script"), "w+b") as script, open(os.memfd_create("others"), "w+b") as beside:
        for stream, data in ((script, body), (beside, others)):
            stream.write(data)
            stream.seek(0)
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", BOOT, root, str(beside.fileno())],
                stdin=script,
                pass_fds=[beside.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        except OSError as error:
            raise _error(file, f"{sys.executable} can't be started to run the script: {error}") from error
    try:
        answer = _collect(process, file, seconds)
        return process.wait(1), answer
    except subprocess.TimeoutExpired:
        raise _error(file, "the process that ran the script has answered, but doesn't end") from None
    finally:
        # Also for Ctrl-C, which doesn't reach a process of another session.
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def _collect(process: subprocess.Popen[bytes], file: str, seconds: float) -> bytes:
    assert process.stdout
    pieces: list[bytes] = []
    size = 0
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise _error(file, f"the script takes more than {seconds:g} seconds")
            piece = os.read(process.stdout.fileno(), 1 << 20)
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > wire.ANSWER:
                raise _error(file, f"the script makes more than {wire.ANSWER >> 20} MiB of netlist")
            pieces.append(piece)
