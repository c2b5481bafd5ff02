"""Jobs that the tests give to workers, which import this module."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

import pynq
from pynq.sim import Model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LOOPBACK = str(EXAMPLES / "dma_loopback" / "dma_loopback.bit")
VECTOR_ADD = str(EXAMPLES / "vector_add" / "vector_add.bit")


def loop_back(case: dict[str, int]) -> dict[str, int]:
    """Send words through a DMA and back, with stalls from the seed; return their sum."""
    ol = pynq.Overlay(LOOPBACK)
    ol.device.inject("axi_dma_0/S_AXIS_S2MM", stall=0.5, cycles=20)
    with pynq.allocate(case["n"], "u4") as source, pynq.allocate(case["n"], "u4") as target:
        source[:] = np.arange(case["n"])
        ol.axi_dma_0.recvchannel.transfer(target)
        ol.axi_dma_0.sendchannel.transfer(source)
        ol.axi_dma_0.recvchannel.wait()
        return {"sum": int(target.sum())}


def add(case: int, device: Any) -> dict[str, object]:
    """Add two vectors with the kernel whose driver and model lie beside its design."""
    assert device is pynq.Device.active_device
    assert device.design is None  # nothing is left over from the case before
    ol = pynq.Overlay(VECTOR_ADD, device=device)
    total = ol.vector_add_0.add(np.arange(10, dtype="i4"), np.full(10, case, "i4"))
    return {"last": int(total[-1]), "device": device.name}


def chance(case: object) -> float:
    """Return what is random."""
    return float(np.random.random())


class NotReadable:
    """Can be sent, not received."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    if "fleet_reader" in os.environ:
        raise RuntimeError("not here")


class OddError(Exception):
    """Can't be unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


def mischief(case: Any) -> Any:
    """Do what the case says; most of it badly."""
    what, *rest = case if isinstance(case, tuple) else (case,)
    if what == "fine":
        return 1
    if what == "raise":
        raise OddError("something odd", "and more")
    if what == "exit":
        sys.exit(3)
    if what == "lock":
        return threading.Lock()
    if what == "unreadable":
        return NotReadable()
    if what == "sleep":
        time.sleep(1000)
    if what == "loop":
        while True:
            pass
    if what == "stubborn":
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(0.001)
    if what == "native":
        ctypes.PyDLL(None).sleep(1000)  # and keeps the interpreter's lock
    if what == "engine":
        endless()
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "crash":
        ctypes.string_at(0)
    if what == "kill once":
        marker = Path(rest[0])
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2
    if what == "mark":
        # A file tells that it has begun, and where; then it takes its time.
        (Path(rest[0]) / f"{os.getpid()}-{uuid.uuid4().hex}").touch()
        time.sleep(rest[1])
        return rest[1]
    if what == "until":
        return {"others": until(Path(rest[0]), rest[1])}
    if what == "wait":
        start = time.time()
        time.sleep(rest[0])
        if rest[1:] == ["raise"]:
            raise ValueError("after a while")
        return {"result": rest[0], "start": start, "end": time.time()}
    raise AssertionError(what)


def until(folder: Path, count: int) -> int:
    """Wait until so many cases have left their mark there; return how many have."""
    end = time.monotonic() + 60
    while (there := len(list(folder.iterdir()))) < count:
        assert time.monotonic() < end, f"only {there} other cases were run meanwhile"
        time.sleep(0.01)
    return there


def endless() -> None:
    """Run a board that never rests until it does. The model stays bound in this worker."""

    class Restless(Model):
        bindto = ["pynq-anywhere.org:examples:vector_add:1.0"]

        async def main(self) -> None:
            while True:
                await self.cycles(1)

    with tempfile.TemporaryDirectory() as folder:  # where no companion brings the real model
        ol = pynq.Overlay(shutil.copy(Path(VECTOR_ADD).with_suffix(".hwh"), folder))
    ol.device.run()
