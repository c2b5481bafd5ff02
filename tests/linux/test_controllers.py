"""Interrupt controllers on boards: set up at load, and left alone where another process uses them."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "handles"))
from bits import bitfile
from fakeboard import Bench, FakeBoard, Intc, interrupt_design
from fakesystem import FakeSystem
from lines import UioBench

from pynq import Overlay
from pynq.backends.linux import LinuxDevice
from pynq.errors import BoardBusyError, WaitTimeoutError
from pynq.interrupt import Interrupt
from pynq.interrupt_tree import tree_of

DESIGN = interrupt_design()
INTC = 0x4180_0000


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


def test_load_sets_controllers_up_and_takes_no_line_before_somebody_waits(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    for name, address, gic in (("dma", 0x4040_0000, None), ("intc", INTC, 61), ("poly", 0x43C0_0000, None)):
        system.add_uio(name, address, 0x10000, gic)
    hwh = Path(__file__).resolve().parents[2] / "examples/polynomial/polynomial.hwh"
    (tmp_path / "polynomial.hwh").write_bytes(hwh.read_bytes())
    (tmp_path / "polynomial.bit").write_bytes(bitfile())
    system.poke(INTC + 0x08, 0xFF)
    kernel = system.kernel()
    with LinuxDevice(kernel=kernel) as device:
        device.open()
        overlay = Overlay(tmp_path / "polynomial.bit", device=device)
        assert system.peek(INTC + 0x1C) == 3  # MER
        assert system.peek(INTC + 0x08) == 0  # IER
        pin = Interrupt(next(iter(overlay.interrupt_pins)), device=device)
        assert not [name for operation, name in kernel.calls if operation == "flock" and "uio" in name]
        with pytest.raises(WaitTimeoutError):
            pin.wait_sync(0.01)
        assert [name for operation, name in kernel.calls if operation == "flock" and "uio" in name]
