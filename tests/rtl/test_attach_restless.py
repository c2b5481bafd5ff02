"""RTL that never rests (a free-running counter): waits that can't end do end, with the names."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq import allocate
from pynq.errors import DeadlockError

from .attach_kit import Board, vector

RESTLESS = """
module restless (
  input aclk, input aresetn,
  input [31:0] s_axis_tdata, input [3:0] s_axis_tkeep, input s_axis_tlast, input s_axis_tvalid,
  output s_axis_tready,
  output reg [31:0] m_axis_tdata, output reg [3:0] m_axis_tkeep, output m_axis_tlast,
  output reg m_axis_tvalid, input m_axis_tready,
  output irq, output [31:0] count_out
);
  reg [31:0] count;
  assign count_out = COUNT_OUT;
  assign irq = 0;
  assign m_axis_tlast = 0;
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  always @(posedge aclk) begin
    count <= aresetn ? count + 1 : 0;
    if (!aresetn) m_axis_tvalid <= 0;
    else if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata <= s_axis_tdata;
      m_axis_tkeep <= s_axis_tkeep;
    end
  end
endmodule
"""


#: Host seconds after which a dead wait must have been told; a few where the machine is not busy.
LONG = 30


@pytest.fixture(params=["0", "count"], ids=["inside", "on-a-port"])
def overlay(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    board = Board()
    dma = board.dma()
    pins = [
        vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
        vector("count_out", "O", 32),
    ]
    cell = board.cell("restless_0", [board.sink(), board.source()], pins)
    board.design.connect(dma, "M_AXIS_MM2S", cell, "s_axis")
    board.design.connect(cell, "m_axis", dma, "S_AXIS_S2MM")
    board.interrupt("restless_0/irq")
    rtl = {"restless": str(tmp_path / "restless.v")}
    made = board.load(tmp_path, rtl=rtl, restless_v=RESTLESS.replace("COUNT_OUT", request.param))
    made.device.engine.idle_events = 100_000  # as by default, but sooner
    return made


@contextmanager
def company() -> Iterator[None]:
    """Another thread that lives, as the kernel of a notebook has several."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def in_time(seconds: float = LONG) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def start(overlay: Any) -> Any:
    sent, received = (allocate(8, np.uint32, target=overlay.device) for _ in range(2))
    overlay.axi_dma_0.recvchannel.transfer(received)
    overlay.axi_dma_0.sendchannel.transfer(sent)
    return sent, received


def test_a_dead_wait_ends(overlay: Any) -> None:
    overlay.device.engine.idle_events = 2_000_000  # the default
    buffers = start(overlay)
    overlay.axi_dma_0.sendchannel.wait()
    with in_time(), pytest.raises(DeadlockError, match=r"axi_dma_0 S2MM waits for TLAST.*restless_0"):
        overlay.axi_dma_0.recvchannel.wait()
    del buffers


def test_a_dead_wait_ends_in_company(overlay: Any) -> None:
    buffers = start(overlay)
    with company(), in_time(), pytest.raises(DeadlockError, match=r"S2MM waits for TLAST.*restless_0"):
        overlay.axi_dma_0.recvchannel.wait()
    del buffers


@pytest.mark.parametrize("alone", [True, False])
def test_a_dead_task_ends(overlay: Any, alone: bool) -> None:
    buffers = start(overlay)

    async def main() -> None:
        await overlay.axi_dma_0.recvchannel.wait_async()

    others = nullcontext() if alone else company()
    with others, in_time(), pytest.raises(DeadlockError, match="restless_0"):
        asyncio.run(main())
    del buffers


def test_a_dead_interrupt_ends(overlay: Any) -> None:
    line = overlay.device.interrupt_line(63)
    line.enable()
    with in_time(), pytest.raises(DeadlockError, match="restless_0"):
        line.wait()


def test_limits_of_time(overlay: Any) -> None:
    line = overlay.device.interrupt_line(63)
    line.enable()
    now = overlay.device.now
    with in_time():
        assert not line.wait(timeout=0.001)
    assert overlay.device.now - now == pytest.approx(0.001, rel=0.01)
    with in_time():
        overlay.device.run(0.001)


def test_a_task_with_a_limit_of_time(overlay: Any) -> None:
    buffers = start(overlay)

    async def main() -> None:
        await asyncio.wait_for(overlay.axi_dma_0.recvchannel.wait_async(), 0.3)

    with in_time(), pytest.raises((DeadlockError, asyncio.TimeoutError)):
        asyncio.run(main())
    del buffers


@pytest.mark.parametrize("task", [False, True])
def test_ctrl_c(overlay: Any, task: bool) -> None:
    buffers = start(overlay)
    wait = overlay.axi_dma_0.recvchannel
    overlay.device.engine.idle_events = 10**9  # else the dead wait is known sooner than the key is pressed

    def wait_and_press() -> None:
        threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
        asyncio.run(wait.wait_async()) if task else wait.wait()

    with in_time(), pytest.raises(KeyboardInterrupt):
        wait_and_press()
    # The board is whole: what was sent can be looked at, and time goes on.
    overlay.device.run(cycles=100)
    del buffers
