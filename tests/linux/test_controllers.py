"""Interrupt controllers on boards: set up at load, and left alone where another process uses them."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "handles"))
from fakeboard import Bench, FakeBoard, Intc, interrupt_design
from lines import UioBench

from pynq.errors import BoardBusyError, WaitTimeoutError
from pynq.interrupt import Interrupt
from pynq.interrupt_tree import tree_of

DESIGN = interrupt_design()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Bench, UioBench]]:
    board = FakeBoard(DESIGN, probing=False)
    lines = UioBench(board, tmp_path / "root")
    yield Bench(board), lines
    lines.close()
    board.close()


def intc(bench: Bench, path: str) -> Intc:
    part = bench.device.parts[path]  # type: ignore[attr-defined]
    assert isinstance(part, Intc)
    return part


def attach(bench: Bench) -> None:
    """Forget what this process knows: it is another one that comes to a running design."""
    tree_of(bench.device, afresh=True)


@pytest.mark.parametrize("name", ["edge0", "edge1", "direct_edge"])
def test_edge_before_the_first_use_is_not_lost(bench: tuple[Bench, UioBench], name: str) -> None:
    bench[0].pulse(name)
    interrupt = Interrupt(f"source/{name}", device=bench[0].device)
    interrupt.wait_sync(1)
    with pytest.raises(WaitTimeoutError):
        interrupt.wait_sync(0.01)


def test_controllers_are_on_and_nothing_is_unmasked(bench: tuple[Bench, UioBench]) -> None:
    for path in ("axi_intc_0", "sub/axi_intc"):
        assert (intc(bench[0], path).mer, intc(bench[0], path).ier) == (3, 0)


def test_attaching_leaves_the_controllers_of_another_process_alone(bench: tuple[Bench, UioBench]) -> None:
    fake, lines = bench
    intc(fake, "axi_intc_0").write(0x08, 0b10)  # the other process waits for edge0
    attach(fake)
    lines.kernel.fail[("flock", "/dev/uio*")] = errno.EWOULDBLOCK
    lines.kernel.nth = 0
    interrupt = Interrupt("source/level0", device=fake.device)  # its registers may be used
    assert intc(fake, "axi_intc_0").ier == 0b10
    with pytest.raises(BoardBusyError, match="another process"):
        interrupt.wait_sync(1)
    assert intc(fake, "axi_intc_0").ier == 0b10
    lines.kernel.fail.clear()  # the other one has ended, or was killed
    fake.pulse("edge0")
    Interrupt("source/edge0", device=fake.device).wait_sync(1)
    assert intc(fake, "axi_intc_0").ier == 0
