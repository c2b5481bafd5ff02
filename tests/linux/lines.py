"""UIO lines on the wires of the board of ``tests/handles/fakeboard.py``: one suite, two kinds of lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakesystem import FakeSystem, FakeUio

from pynq.backends.linux.board import Board
from pynq.backends.linux.interrupts import UioLine, interrupt_line
from pynq.backends.linux.uio import scan
from pynq.interrupt_tree import arm

if TYPE_CHECKING:
    from fakeboard import FakeBoard


class Input:
    """What lies between a wire and a UIO device: the GIC's input, which keeps an edge while it is masked."""

    def __init__(self, wire: Any, uio: FakeUio, *, edge: bool) -> None:
        self.wire, self.uio, self.edge = wire, uio, edge
        self.taken = 0  # edges
        wire.listeners.append(self.update)
        uio.unmasked = self.update  # type: ignore[attr-defined]

    def update(self) -> None:
        if not self.edge:
            self.uio.set(bool(self.wire.level))
        elif self.uio.enabled and self.wire.edges != self.taken:
            self.taken = self.wire.edges
            self.uio.pulse()


class UioBench:
    """Lets a fake board's interrupts pass through UIO devices of a fake system."""

    def __init__(self, board: FakeBoard, folder: Path) -> None:
        self.system = FakeSystem(folder)
        self.lines: dict[int, UioLine] = {}
        self.uios: dict[int, FakeUio] = {}
        inputs = []
        for gic, line in sorted(board.lines.items()):
            uio = self.system.add_uio(f"irq{gic}", 0x5000_0000 + gic * 0x1_0000, gic=gic)
            self.uios[gic] = uio
            line.wire.listeners.remove(line.update)
            inputs.append(Input(line.wire, uio, edge=line.edge))
        self.system.on("write", "/dev/uio*", lambda name: [each.update() for each in inputs])
        self.kernel = self.system.kernel()
        uios = scan(self.kernel, Board(self.kernel))
        for gic in self.uios:
            self.lines[gic] = interrupt_line(self.kernel, uios, gic)
        board.lines = self.lines  # type: ignore[assignment]
        board.shares_controllers = True
        arm(board)

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        for uio in self.uios.values():
            uio.close()
