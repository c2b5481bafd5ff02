"""What ``pynq vm`` does: a virtual board for one command, or a console."""

from __future__ import annotations

import contextlib
import re
import runpy
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pynq import devicetree
from pynq.devicetree import Node, Tree
from pynq.errors import VirtualBoardError
from pynq.vm.board import SHARE, VirtualBoard, fetch
from pynq.vm.console import terminal_size
from pynq.vm.progress import Progress

__all__ = ["Request", "prepare", "print_tree", "run"]

_SMALLEST, _LARGEST = 288, 1 << 20  # MiB


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    design: str
    rtl: str | bool | None
    registers: str | bool | None
    models: Sequence[Path]
    share: Path | None
    kernel: str
    memory: int  # MiB
    uio: bool
    environment: Sequence[str]
    quiet: bool


def run(request: Request, command: Sequence[str]) -> int:
    """Start the board, run the command (none: a shell), and return its exit status."""
    if not command and terminal_size() is None:
        raise VirtualBoardError(
            "a shell on the board needs a terminal as input and output; give a command after --, such as "
            f"`pynq vm {request.design} -- sh script.sh`"
        )
    board = _board(request)
    with _killed_gently(), board:
        if not command and not request.quiet:
            _greet(board)
        return board.run(list(command) or None)


def prepare(kernel: str, quiet: bool) -> None:
    """Fetch and build everything that a start needs, and say how to build modules for that kernel."""
    command = fetch(kernel, Progress(quiet))
    sys.stdout.write(f"{command}\n")
    if not quiet:
        sys.stderr.write("virtual board: all is there; the line above builds a folder's kernel modules\n")


def print_tree(request: Request, blob: Path | None) -> None:
    """Print the guest's device tree as source text; with ``blob`` write it there in binary."""
    tree = _board(request).tree_only()
    if blob is not None:
        blob.write_bytes(devicetree.write(tree))
    else:
        sys.stdout.write(source(tree))


def _board(request: Request) -> VirtualBoard:
    if not _SMALLEST <= request.memory <= _LARGEST or request.memory % 2:
        raise VirtualBoardError(
            f"--memory {request.memory}: expected an even number of MiB, {_SMALLEST} or more (default 512)"
        )
    environment = {}
    for entry in request.environment:
        name, equals, value = entry.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise VirtualBoardError(f"--env {entry!r}: expected NAME=VALUE")
        environment[name] = value
    for file in request.models:
        if not file.is_file():
            raise VirtualBoardError(f"--models {file}: no such file")
        runpy.run_path(str(file), run_name="pynq_models")
    return VirtualBoard(
        request.design,
        rtl=request.rtl,
        registers=request.registers,
        memory=request.memory << 20,
        share=request.share,
        kernel=request.kernel,
        uio=request.uio,
        environment=environment,
        progress=Progress(request.quiet),
    )


def _greet(board: VirtualBoard) -> None:
    shared = f"{board.share} is {SHARE}, " if board.share is not None else ""
    lines = [f"{board.design.label}: {shared}the design is in {board.place}; Ctrl-D ends the board"]
    sys.stderr.write("".join(f"virtual board: {line}\n" for line in lines))


@contextlib.contextmanager
def _killed_gently() -> Iterator[None]:
    """Clean up when somebody else ends this process, too."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def source(tree: Tree) -> str:
    """Return a tree as source text, as dtc reads it."""
    return "/dts-v1/;\n\n" + "".join(_lines(tree, 0))


def _lines(node: Node, depth: int) -> Iterator[str]:
    indent = "\t" * depth
    yield f"{indent}{node.name or '/'} {{\n"
    for name, value in node.properties.items():
        yield f"{indent}\t{name}{_value(value)};\n"
    for child in node.children:
        yield "\n"
        yield from _lines(child, depth + 1)
    yield f"{indent}}};\n"


def _value(data: bytes) -> str:
    """Guess, as dtc does, what bytes are: texts, cells, or bytes."""
    if not data:
        return ""
    texts = data[:-1].split(b"\0")
    if data[-1] == 0 and all(texts) and all(32 <= char < 127 for text in texts for char in text):
        quoted = (text.decode().replace("\\", "\\\\").replace('"', '\\"') for text in texts)
        return " = " + ", ".join(f'"{text}"' for text in quoted)
    if len(data) % 4 == 0:
        return " = <" + " ".join(f"{cell:#04x}" for cell in Node("", {"x": data}).cells("x")) + ">"
    return f" = [{data.hex(' ')}]"
