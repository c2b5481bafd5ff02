"""Devices for the tests of the handles: fakes with and without a view of the pins; the simulated board."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakeboard import PINS, Bench, FakeBoard, interrupt_design
from tests import leaks

from pynq.backends.sim.device import SimDevice
from pynq.design.model import Design
from pynq.device.base import Device
from pynq.sim import Model

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "linux"))
from lines import UioBench


@pytest.fixture(scope="session")
def design() -> Design:
    return interrupt_design()


def simulated(design: Design) -> Device:
    class Source(Model):
        def on_write_LEVEL(self, value: int) -> None:  # noqa: N802
            for bit, name in enumerate(PINS):
                self.pin(name).drive(value >> bit & 1)

        def on_write_PULSE(self, value: int) -> None:  # noqa: N802
            for bit, name in enumerate(PINS):
                if value >> bit & 1:
                    self.pin(name).pulse()

    device = SimDevice("sim:handles", patience=0.5, models={"source": Source})
    device.open()
    device.download(design, None)
    return device


@pytest.fixture(params=["fake", "blind", "sim", "uio"])
def bench(request: pytest.FixtureRequest, design: Design, tmp_path: Path) -> Iterator[Bench]:
    """``uio``: the lines are those of the Linux backend, on a fake kernel."""
    device: Device
    if request.param == "sim":
        device = simulated(design)
    else:
        device = FakeBoard(design, probing=request.param == "fake")
    lines = (
        UioBench(device, tmp_path / "root")
        if isinstance(device, FakeBoard) and request.param == "uio"
        else None
    )
    yield Bench(device)
    if lines is not None:
        lines.close()
    device.close()


@pytest.fixture
def fake(design: Design) -> Iterator[Bench]:
    """The fake that can tell the level of a pin; for tests that look at its registers and lines."""
    device = FakeBoard(design)
    yield Bench(device)
    device.close()


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Threads and files that a test leaves behind are a fault of the handles."""
    threads, files = leaks.threads(), leaks.descriptors()
    yield
    assert leaks.started(threads) == []
    assert leaks.opened(files) == []
