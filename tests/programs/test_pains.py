"""What users of overlays have suffered, shown gone at the public surface; numbers are PYNQ's issues."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq import Overlay, allocate
from pynq.errors import (
    BufferFreedError,
    DeadlockError,
    DmaError,
    InterruptNotClearedError,
    WaitTimeoutError,
)
from pynq.sim import Model, SimDevice

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def board() -> Iterator[SimDevice]:
    with SimDevice("sim:pains", patience=0.3) as device:
        device.open()
        yield device


@pytest.fixture
def loopback(board: SimDevice) -> Overlay:
    """A DMA whose stream comes back through a FIFO."""
    return Overlay(str(EXAMPLES / "dma_loopback" / "dma_loopback.hwh"), device=board)


@pytest.fixture
def buttons(board: SimDevice) -> Overlay:
    return Overlay(str(EXAMPLES / "buttons_leds" / "buttons_leds.hwh"), device=board)


def quickly(seconds: float = 20.0) -> Any:
    class Timer:
        def __enter__(self) -> None:
            self.began = time.monotonic()

        def __exit__(self, *_: object) -> None:
            assert time.monotonic() - self.began < seconds

    return Timer()


class TestPain02DmaWaitHangsForEver:
    """PYNQ#845, #846; hls4ml#776, #913; finn#659."""

    def test_nothing_sends(self, loopback: Overlay, board: SimDevice) -> None:
        receive = loopback.axi_dma_0.recvchannel
        receive.transfer(allocate(64, device=board))
        with (
            quickly(),
            pytest.raises(DeadlockError, match=r"axi_dma_0 S2MM waits for TVALID: 0 of 256 bytes"),
        ):
            receive.wait()

    def test_no_tlast(self, tmp_path: Path) -> None:
        class Endless(Model):
            """Gives back every byte, but never ends a packet."""

            async def main(self) -> None:
                while True:
                    data = await self.stream("s_axis").recv()
                    await self.stream("m_axis").send(data, last=False)

        copy = shutil.copy(EXAMPLES / "image_filter" / "image_filter.hwh", tmp_path)  # without its drivers
        with SimDevice("sim:", patience=0.3, models={"filter/stream_filter": Endless}) as device:
            dma = Overlay(str(copy), device=device).filter.axi_dma
            out, back = allocate(64, device=device), allocate(256, device=device)
            dma.recvchannel.transfer(back)
            dma.sendchannel.transfer(out)
            dma.sendchannel.wait()
            told = r"filter/axi_dma S2MM waits for T\w+: 256 of 1024 bytes received from filter/stream_filter"
            with quickly(), pytest.raises(DeadlockError, match=told):
                dma.recvchannel.wait()

    def test_wrong_length_is_no_hang_but_a_shorter_transfer(
        self, loopback: Overlay, board: SimDevice
    ) -> None:
        dma = loopback.axi_dma_0
        out, back = allocate(16, device=board), allocate(64, device=board)
        dma.recvchannel.transfer(back)
        dma.sendchannel.transfer(out)
        with quickly():
            dma.sendchannel.wait()
            dma.recvchannel.wait()
        assert dma.recvchannel.transferred == out.nbytes

    def test_clock_that_stands_still(self, loopback: Overlay, board: SimDevice) -> None:
        dma = loopback.axi_dma_0
        dma.recvchannel.transfer(allocate(16, device=board))
        board.set_clock_rate(0, 0)
        with quickly(), pytest.raises(Exception, match=r"clock .*stands still"):
            dma.recvchannel.wait()

    def test_timeout_and_task(self, loopback: Overlay, board: SimDevice) -> None:
        receive = loopback.axi_dma_0.recvchannel
        receive.transfer(allocate(64, device=board))
        with quickly(), pytest.raises((WaitTimeoutError, DeadlockError), match="axi_dma_0"):
            receive.wait(timeout=0.1)
        with quickly(), pytest.raises(DeadlockError, match="axi_dma_0"):
            asyncio.run(receive.wait_async())


class TestPain03DmaChannelNotStarted:
    """PYNQ#834, #1617."""

    def test_the_message_names_the_cause_and_reset_recovers(
        self, loopback: Overlay, board: SimDevice
    ) -> None:
        dma = loopback.axi_dma_0
        out, back = allocate(64, device=board), allocate(64, device=board)
        out[:] = 3
        board.inject("axi_dma_0/M_AXI_MM2S", response="DECERR", count=1)
        dma.sendchannel.transfer(out)
        with pytest.raises(DmaError, match="DMADecErr"):
            dma.sendchannel.wait()
        with pytest.raises(DmaError, match=r"DMADecErr.*axi_dma_0\.sendchannel\.reset\(\)"):
            dma.sendchannel.transfer(out)
        dma.sendchannel.reset()
        dma.recvchannel.transfer(back)
        dma.sendchannel.transfer(out)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert np.array_equal(out, back)

    def test_a_stopped_channel_says_that_it_was_stopped(self, loopback: Overlay, board: SimDevice) -> None:
        channel = loopback.axi_dma_0.sendchannel
        channel.stop()
        with pytest.raises(RuntimeError, match=r"start\(\)"):
            channel.transfer(allocate(4, device=board))
        channel.start()
        channel.transfer(allocate(4, device=board))
        channel.wait()


class TestPain09Interrupts:
    """PYNQ#1246, #1318 (the second wait), #847 (an interrupted cell), and pins beyond IRQ_F2P[0]."""

    def test_the_second_wait_waits(self, buttons: Overlay, board: SimDevice) -> None:
        channel = buttons.buttons.channel1

        async def main() -> None:
            for value in (1, 3):
                waiting = asyncio.create_task(channel.wait_for_interrupt_async())
                await asyncio.sleep(0.02)
                assert not waiting.done()
                board.board.drive("btns_4bits_tri_i", value)
                await asyncio.wait_for(waiting, 30)

        asyncio.run(main())

    def test_an_interrupted_cell_leaves_nothing(self, buttons: Overlay, board: SimDevice) -> None:
        channel = buttons.buttons.channel1
        events = 0

        async def cell() -> None:
            nonlocal events
            while True:
                await channel.wait_for_interrupt_async()
                events += 1

        async def main() -> None:
            for _ in range(3):  # a cell that is interrupted and run again
                task = asyncio.create_task(cell())
                await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            task = asyncio.create_task(cell())
            await asyncio.sleep(0.01)
            board.board.drive("btns_4bits_tri_i", 1)
            await asyncio.sleep(0.05)
            task.cancel()

        asyncio.run(main())
        assert events == 1

    def test_a_source_that_is_not_cleared_is_told(self, buttons: Overlay, board: SimDevice) -> None:
        pin = buttons.buttons.ip2intc_irpt
        buttons.buttons.write(0x128, 1)
        buttons.buttons.write(0x11C, 1 << 31)
        board.board.drive("btns_4bits_tri_i", 1)
        pin.wait_sync(1)
        with pytest.raises(InterruptNotClearedError, match="buttons/ip2intc_irpt is still active"):
            pin.wait_sync(1)

    def test_any_pin_of_the_processor(self, loopback: Overlay, board: SimDevice) -> None:
        dma = loopback.axi_dma_0
        assert {pin.gic for pin in board.design.interrupt_pins.values()} == {121, 122}  # type: ignore[union-attr]
        out, back = allocate(64, device=board), allocate(64, device=board)

        async def main() -> None:
            dma.recvchannel.transfer(back)
            dma.sendchannel.transfer(out)
            await asyncio.gather(dma.sendchannel.wait_async(), dma.recvchannel.wait_async())

        asyncio.run(main())


class TestPain10AsyncioOutsideTheMainThread:
    """xup_vitis_network_example#107, DPU-PYNQ#108."""

    def test_objects_made_in_one_thread_are_awaited_in_others(
        self, loopback: Overlay, board: SimDevice
    ) -> None:
        dma = loopback.axi_dma_0
        out, back = allocate(64, device=board), allocate(64, device=board)
        done: list[int] = []

        async def main() -> None:
            dma.recvchannel.transfer(back)
            dma.sendchannel.transfer(out)
            await dma.sendchannel.wait_async()
            await dma.recvchannel.wait_async()
            done.append(threading.get_ident())

        for _ in range(2):
            thread = threading.Thread(target=lambda: asyncio.run(main()))
            thread.start()
            thread.join(20)
        asyncio.run(main())
        assert len(done) == 3

    def test_an_overlay_is_loaded_in_a_thread_without_loop(self, board: SimDevice) -> None:
        found: list[Any] = []

        def work() -> None:
            overlay = Overlay(str(EXAMPLES / "buttons_leds" / "buttons_leds.hwh"), device=board)
            found.append(overlay.buttons.ip2intc_irpt)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(20)
        assert found[0].path == "buttons/ip2intc_irpt"


class TestPain11Pins:
    """PYNQ#1453, #1537, #1594, #1603: numpy < 2, one grpcio, one pycparser; new Pythons."""

    def test_numpy_alone_and_no_upper_bound(self) -> None:
        needs = [
            text for text in importlib.metadata.requires("pynq-anywhere") or [] if "extra ==" not in text
        ]
        names = {re.match(r"[\w.-]+", text)[0] for text in needs}  # type: ignore[index]
        assert "numpy" in names
        assert names <= {"numpy", "typing_extensions", "typing-extensions", "typer", "rich", "pillow"}
        assert not [text for text in needs if "<" in text.partition(";")[0] or "==" in text.partition(";")[0]]
        about = importlib.metadata.metadata("pynq-anywhere")
        assert about["Requires-Python"] == ">=3.10"

    def test_ndarray_device_of_numpy_2(self, board: SimDevice) -> None:
        buffer = allocate(16, "u4", device=board)
        assert buffer.device is board
        assert buffer[2:4].device is board
        if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
            assert np.zeros(1).device == "cpu"
            assert np.asarray(buffer).sum() == 0
        copy = buffer.copy()
        assert copy.sum() == 0


class TestPain13AllocateFails:
    """tensil#91, #27."""

    def test_exhaustion_tells_the_figures_and_freeing_gives_back(self) -> None:
        with SimDevice("sim:", ddr=4 << 20) as device:
            held = [allocate(1 << 20, "u1", device=device) for _ in range(2)]
            with pytest.raises(MemoryError, match=r"^(?!.*::).*DDR of sim.*1048576|1\.0 MiB|1 MiB") as caught:
                allocate(1 << 20, "u1", device=device)
            assert "::" not in str(caught.value)
            held.pop().freebuffer()
            with allocate(1 << 20, "u1", device=device):
                pass
            for _ in range(100):  # given back without being freed, too
                allocate(1 << 20, "u1", device=device)

    def test_access_after_freebuffer_is_an_error_and_no_crash(self) -> None:
        code = """
            import numpy as np, pynq
            from pynq.errors import BufferFreedError
            buffer = pynq.allocate(1024, "u4", device="sim:")
            stale, other = np.asarray(buffer), memoryview(buffer)
            buffer[:] = 7
            buffer.freebuffer()
            buffer.freebuffer()
            for use in (lambda: buffer.physical_address, lambda: buffer.flush(), lambda: buffer[0]):
                try:
                    use()
                except BufferFreedError:
                    continue
                print("used")
            stale[:] = 1
            print(int(stale[0]) in (0, 1), len(other))
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "True 1024\n"

    def test_the_error_names_the_buffer(self, board: SimDevice) -> None:
        buffer = allocate(16, device=board)
        buffer.freebuffer()
        with pytest.raises(BufferFreedError):
            buffer.sync_to_device()


class TestPain14DmaLimits:
    """PYNQ#969, #1013, #1522, #1401: the length register and 64-bit addresses."""

    def test_length_beyond_the_register_is_refused_before_the_hardware_moves(
        self, loopback: Overlay, board: SimDevice
    ) -> None:
        dma = loopback.axi_dma_0
        bits = int(board.design.cells["axi_dma_0"].parameters["c_sg_length_width"])  # type: ignore[union-attr]
        big = allocate(1 << bits, "u1", device=board)
        before = board.statistics()["PS"]["writes"]
        with pytest.raises(ValueError, match=f"{1 << bits}.*{(1 << bits) - 1}"):
            dma.sendchannel.transfer(big)
        assert board.statistics()["PS"]["writes"] == before

    def test_buffers_above_four_gigabytes(self, loopback: Overlay, board: SimDevice) -> None:
        dma = loopback.axi_dma_0
        out = allocate(1024, "u8", device=board, target="PSDDR_HIGH")
        back = allocate(1024, "u8", device=board, target="PSDDR_HIGH")
        assert min(out.physical_address, back.physical_address) >= 1 << 32
        out[:] = np.arange(1024)
        dma.recvchannel.transfer(back)
        dma.sendchannel.transfer(out)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert np.array_equal(out, back)


def test_every_program_ends_in_silence() -> None:
    """Whatever still holds the device at the end of the interpreter, nothing is printed about it."""
    path = json.dumps(str(EXAMPLES / "buttons_leds" / "buttons_leds.hwh"))
    start = f"import sys, threading, time, pynq, pynq.sim\nol = pynq.Overlay({path})\n"
    change = "ol.device.board.on_change('leds_4bits', lambda v: ol)"
    ends = {
        "global": "leds, buffer = ol.leds.register_map, pynq.allocate(16)\n",
        "stored exception": "try:\n    ol.leds.read(1 << 20)\nexcept Exception as e:\n    sys.last_exc = e\n",
        "model": f"class M(pynq.sim.Model):\n    o = ol\n{change}\n",
        "daemon": "threading.Thread(target=lambda o: time.sleep(60), args=(ol,), daemon=True).start()\n",
    }
    for name, end in ends.items():
        done = subprocess.run(
            [sys.executable, "-c", start + end], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr, done.stdout) == (0, "", ""), name
    done = subprocess.run(
        [sys.executable, "-c", start + "ol.nothing"], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].startswith("AttributeError")
    assert "nanobind" not in done.stderr
