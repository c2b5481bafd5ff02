"""Boards for the tests of the drivers: the fakes of the handles' tests, and the simulated board."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "handles"))

from fakeboard import ROOT, FakeBoard

from pynq.backends.sim.device import SimDevice
from pynq.design.hwh import read
from pynq.design.model import Design
from pynq.device.base import Device


def example(name: str) -> Design:
    return read(ROOT / "examples" / name / f"{name}.hwh")


@pytest.fixture(scope="session")
def loopback() -> Design:
    """A DMA whose stream comes back through a FIFO; 40 address bits, interrupts straight into the PS."""
    return example("dma_loopback")


@pytest.fixture(scope="session")
def buttons() -> Design:
    """AXI GPIO for buttons, switches, LEDs; interrupts through an ``axi_intc``."""
    return example("buttons_leds")


@pytest.fixture(params=["fake", "sim"])
def load(request: pytest.FixtureRequest) -> Iterator[Callable[[Design], Device]]:
    """Give a function that returns a device with a design, on fakes and on the simulated board."""
    with contextlib.ExitStack() as devices:
        kind = FakeBoard if request.param == "fake" else simulated
        yield lambda design: devices.enter_context(kind(design))


@pytest.fixture
def simulate() -> Iterator[Callable[[Design], Device]]:
    """Give a function that returns a simulated board with a design."""
    with contextlib.ExitStack() as devices:
        yield lambda design: devices.enter_context(simulated(design))


def simulated(design: Design) -> Device:
    device = SimDevice("sim:lib", patience=0.5)
    device.open()
    device.download(design, None)
    return device
