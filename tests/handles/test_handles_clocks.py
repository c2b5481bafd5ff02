"""Clocks of the PS and the PL."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from fakeboard import FakeBoard

from pynq.backends.sim.device import SimDevice
from pynq.clocks import Clocks
from pynq.design.model import Design, Processor
from pynq.errors import OverlayNotLoadedError, PynqWarning, UnsupportedByDeviceError


@pytest.fixture
def board(design: Design) -> Iterator[FakeBoard]:
    with FakeBoard(design) as device:
        Clocks.set_device(device)
        yield device
        Clocks.set_device(None)


def test_read(board: FakeBoard) -> None:
    assert [Clocks.fclk0_mhz, Clocks.fclk1_mhz, Clocks.fclk2_mhz, Clocks.fclk3_mhz] == [100, 50, 25, 10]
    assert [Clocks.pl_clk0_mhz, Clocks.pl_clk3_mhz] == [100, 10]
    assert Clocks.get_pl_clk(2) == Clocks.get_fclk(2) == 25


@pytest.mark.parametrize("index", range(4))
def test_set(board: FakeBoard, index: int) -> None:
    setattr(Clocks, f"fclk{index}_mhz", 20)
    assert board.rates[index] == 20e6
    assert getattr(Clocks, f"fclk{index}_mhz") == 20
    Clocks.set_pl_clk(index, clk_mhz=40)
    assert board.rates[index] == 40e6
    Clocks.set_fclk(index, clk_mhz=50)
    assert board.rates[index] == 50e6
    Clocks.set_pl_clk(index)
    assert board.rates[index] == 100e6


def test_set_device_really_switches(board: FakeBoard, design: Design) -> None:
    """PYNQ keeps driving the first device."""
    other = FakeBoard(design)
    Clocks.fclk0_mhz = 50
    Clocks.set_device(other)
    Clocks.fclk0_mhz = 20
    assert (board.rates[0], other.rates[0]) == (50e6, 20e6)
    assert Clocks.fclk0_mhz == 20
    Clocks.set_device(board)
    assert Clocks.fclk0_mhz == 50
    other.close()


def test_frequency_that_can_not_be_reached_warns(board: FakeBoard) -> None:
    with pytest.warns(
        PynqWarning, match=r"runs at 1000\.00000 MHz, the nearest to the 700\.00000 MHz wanted"
    ):
        Clocks.fclk0_mhz = 700


def test_divisors(board: FakeBoard) -> None:
    assert board.design is not None
    clock = next(clock for clock in board.design.clocks if clock.index == 0)
    assert clock.frequency == 100_000_000
    source = clock.frequency
    for divisor in clock.divisors:
        source *= divisor
    Clocks.set_pl_clk(0, 10, 4)
    assert board.rates[0] == pytest.approx(source / 40, rel=0.01)
    Clocks.set_pl_clk(0, div0=20, clk_mhz=source / 60e6)
    assert board.rates[0] == pytest.approx(source / 60, rel=0.01)
    Clocks.set_pl_clk(0, div1=20, clk_mhz=source / 40e6)
    assert board.rates[0] == pytest.approx(source / 40, rel=0.01)
    with pytest.raises(ValueError, match="div0 of PL clock 0 must be 1 to 63, not 64"):
        Clocks.set_pl_clk(0, 64, 1)
    with pytest.raises(ValueError, match="div1 of PL clock 0 must be 1 to 63, not 0"):
        Clocks.set_pl_clk(0, 1, 0)
    board.design = dataclasses.replace(board.design, clocks=())
    with pytest.raises(UnsupportedByDeviceError, match="set it by clk_mhz"):
        Clocks.set_pl_clk(0, 1, 1)


def test_versal_has_one_divisor(board: FakeBoard) -> None:
    assert board.design is not None
    clock = dataclasses.replace(board.design.clocks[0], index=0, frequency=100_000_000, divisors=(10,))
    board.design = dataclasses.replace(board.design, processor=Processor.VERSAL, clocks=(clock,))
    Clocks.set_pl_clk(0, 100, 7)
    assert board.rates[0] == pytest.approx(10e6)
    with pytest.raises(ValueError, match="div0 of PL clock 0 must be 1 to 1023, not 1024"):
        Clocks.set_pl_clk(0, 1024)
    board.design = None
    with pytest.raises(OverlayNotLoadedError):
        Clocks.set_pl_clk(0, 2, 2)


def test_wrong_arguments(board: FakeBoard) -> None:
    with pytest.raises(ValueError, match="PL clocks are 0 to 3, not 4"):
        Clocks.get_pl_clk(4)
    with pytest.raises(ValueError, match="PL clocks are 0 to 3, not -1"):
        Clocks.set_pl_clk(-1, clk_mhz=10)
    with pytest.raises(ValueError, match="must be above 0 MHz"):
        Clocks.fclk0_mhz = 0


def test_cpu(board: FakeBoard) -> None:
    assert board.design is not None
    cells = dict(board.design.cells)
    ps = cells[board.design.ps]
    parameters = {**ps.parameters, "PCW_ACT_APU_PERIPHERAL_FREQMHZ": "650.000000"}
    cells[ps.path] = dataclasses.replace(ps, parameters=parameters)
    board.design = dataclasses.replace(board.design, cells=cells)
    assert Clocks.cpu_mhz == 650
    board.design = dataclasses.replace(board.design, processor=Processor.VERSAL)
    with pytest.raises(UnsupportedByDeviceError, match="does not tell the processor's frequency"):
        _ = Clocks.cpu_mhz
    board.design = None
    with pytest.raises(OverlayNotLoadedError):
        _ = Clocks.cpu_mhz


def test_on_the_simulated_board(design: Design) -> None:
    device = SimDevice("sim:clocks", models={})
    device.open()
    with pytest.warns(PynqWarning, match="source"):
        device.download(design, None)
    Clocks.set_device(device)
    try:
        assert Clocks.fclk0_mhz == 100
        Clocks.fclk0_mhz = 50
        assert Clocks.fclk0_mhz == pytest.approx(50, rel=0.01)
    finally:
        Clocks.set_device(None)
        device.close()
