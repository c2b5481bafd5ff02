"""Programs that end while a thread waits on the simulated board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import threading, time, sys
import pynq
from pynq.sim import SimDevice

device = {device}
overlay = pynq.DefaultOverlay("examples/dma_loopback/dma_loopback.hwh", device=device)
receive = overlay.axi_dma_0.recvchannel
receive.transfer(overlay.device.allocate(16))
threading.Thread(target={wait}, daemon=True).start()
time.sleep(0.3)
print("over")
"""


@pytest.mark.parametrize("device", ['SimDevice("sim:x")', 'SimDevice("sim:x", patience=60.0)', '"sim:"'])
@pytest.mark.parametrize("wait", ["receive.wait", "lambda: receive._mmio.wait_until(0x34, 2, 2)"])
def test_a_daemon_thread_in_a_wait(device: str, wait: str) -> None:
    program = PROGRAM.format(device=device, wait=wait)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr
    assert "terminate" not in done.stderr
