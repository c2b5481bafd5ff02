"""What co-simulation of RTL costs, on the RTL of the examples.

Against the floor, a bare ``clk = 0; eval; clk = 1; eval`` loop over the same library, in turns in this
process; and against cocotb 2 with cocotbext-axi on the same RTL, and cocotbpynq 0.2.0 on its own sample, each
in its own environment (``make peers-rtl``; left out with a message where it isn't there).

Prints JSON: rates, ratios, whether each keeps to its limit.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
HDL = ROOT / "hdl"
EXAMPLES = ROOT / "examples"
OWN = Path(__file__).resolve().parent / "rtl"
ROUNDS = 9
POLYNOMIAL = ("polynomial.v", "polynomial_registers.v", "axis_skid.v", "axil_slave.v")
VECTOR_ADD = (
    "vector_add.v",
    "vector_add_control.v",
    "vector_reader.v",
    "vector_writer.v",
    "axi_bursts.v",
    "axil_slave.v",
    "sync_fifo.v",
)
LIMITS = {
    "stream_of_bare": (">=", 0.75),
    "master_of_bare": (">=", 0.65),
    "mid_size_of_bare": (">=", 0.95),
    "words_against_cocotb": (">=", 300),
    "reads_against_cocotb": (">=", 100),
    "words_against_cocotbpynq": (">=", 300),
    "reads_against_cocotbpynq": (">=", 100),
    "polling_against_wait": ("<=", 1.5),
    "idle_100M_cycles_ms": ("<", 1.0),
    "build_new_s": ("<=", 1.5),
    "overlay_cached_ms": ("<=", 50),
}


def say(text: str) -> None:
    """Print progress beside the JSON."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Bare:
    """The floor: the same library, with constant inputs and no bus models."""

    def __init__(self, folder: Path) -> None:
        library = folder / "bare.so"
        command = [os.environ.get("CXX", "g++"), "-std=c++17", "-O2", "-fPIC", "-shared"]
        command += ["-I", str(ROOT / "native/include"), str(OWN / "bare.cpp"), "-o", str(library)]
        subprocess.run(command, check=True)
        self._calls = ctypes.CDLL(str(library))
        self._calls.bare_open.restype = ctypes.c_void_p
        self._calls.bare_run.restype = ctypes.c_double
        self._calls.bare_run.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint64]
        self._calls.bare_set.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]
        self._calls.bare_close.argtypes = [ctypes.c_void_p]

    def model(
        self, library: Path, clock: str, resets: tuple[str, ...], *, streams: bool = False
    ) -> Callable[[int], float]:
        """Return a function that runs so many cycles and returns their number in a second.

        ``streams``: a word goes in and one comes out in every cycle, as written into the loop; otherwise the
        clock is all that moves.
        """
        handle = self._calls.bare_open(str(library).encode())
        if not handle:
            raise RuntimeError(f"{library} can't be loaded")
        self._calls.bare_run(handle, clock.encode(), b"", 10)
        for name in resets:
            assert self._calls.bare_set(handle, name.encode(), 1), name
        if streams:
            self._stream(handle, clock)
        counting = b"s_axis_tdata" if streams else b""

        def run(cycles: int) -> float:
            def work() -> int:
                if self._calls.bare_run(handle, clock.encode(), counting, cycles) < 0:
                    raise RuntimeError(f"the model of {library} has ended")
                return cycles

            return rate(work, time.thread_time)

        run(100)
        return run

    def _stream(self, handle: Any, clock: str) -> None:
        """Write CTRL.ENABLE, and let words in and out."""
        write = {"awaddr": 0, "wdata": 1, "wstrb": 15, "awvalid": 1, "wvalid": 1, "bready": 1}
        for after in (write, {"awvalid": 0, "wvalid": 0}):
            for name, value in after.items():
                self._calls.bare_set(handle, f"s_axi_{name}".encode(), value)
            self._calls.bare_run(handle, clock.encode(), b"", 4)
        for name, value in (("s_axis_tvalid", 1), ("s_axis_tkeep", 15), ("m_axis_tready", 1)):
            self._calls.bare_set(handle, name.encode(), value)


def turns(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float, float]:
    """Call both in turns; return their medians and the median of the ratios first/second of each round."""
    pairs = [(first(), second()) for _ in range(ROUNDS)]
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return a, b, statistics.median(x / y for x, y in pairs)


def files(*names: str) -> list[str]:
    """Return paths of RTL under hdl/."""
    return [str(HDL / name) for name in names]


def rate(work: Callable[[], int], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return what ``work`` counts, a second of ``clock``.

    Ours and the floor are compared by the CPU time of this thread, in which both of them run: the time that
    others of a busy machine take is in neither.
    """
    start = clock()
    count = work()
    return count / (clock() - start)


class Bench:
    """All measurements; results gather in ``figures``."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.folder = folder
        self.bare = Bare(folder)
        self.figures: dict[str, Any] = {}
        self.notes: list[str] = []

    # -- our side --------------------------------------------------------------------------------------
    def load(self, name: str, rtl: Any) -> tuple[Any, Any]:
        """Return an overlay of an example on a board of its own, and that board."""
        import pynq
        import pynq.sim

        device = pynq.sim.SimDevice(f"sim:{name}", deterministic=True)
        return pynq.DefaultOverlay(str(EXAMPLES / name / f"{name}.hwh"), rtl=rtl, device=device), device

    @staticmethod
    def library(device: Any, path: str) -> Path:
        """Return the library that a cell runs."""
        return Path(device.rtl[path].library)

    def stream(self, rtl: Any, words: int) -> tuple[Any, Callable[[], int]]:
        """Return a board with the polynomial's design, and a function that sends words and counts cycles."""
        overlay, device = self.load("polynomial", rtl)
        dma, ip = overlay.axi_dma_0, overlay.polynomial_0
        ip.write(0x10, 3)
        ip.write(0x14, 5)
        ip.write(0x18, 7)
        ip.write(0x00, 1)
        given, got = device.allocate((words,), "u4"), device.allocate((words,), "u4")
        given[:] = np.arange(words, dtype="u4")

        def send() -> int:
            before = device.cycles(0)
            dma.recvchannel.transfer(got)
            dma.sendchannel.transfer(given)
            dma.sendchannel.wait()
            dma.recvchannel.wait()
            return int(device.cycles(0) - before)

        send()
        self.words = (given, got)
        return device, send

    def streams(self) -> None:
        """Measure numpy to numpy through the stream, and register reads, against the floor."""
        rtl = {"polynomial_0": {"top": "polynomial", "sources": files(*POLYNOMIAL)}}
        device, send = self.stream(rtl, 1 << 20)
        given, got = self.words
        x = np.asarray(given)
        assert (np.asarray(got) == 3 * x * x + 5 * x + 7).all()
        place = self.library(device, "polynomial_0"), "aclk", ("aresetn",)
        same = self.bare.model(*place, streams=True)
        _, self.figures["bare_streaming_cycles_per_s"], self.figures["stream_of_bare_streaming"] = turns(
            lambda: rate(send, time.thread_time), lambda: same(1_000_000)
        )
        bare = self.bare.model(*place)
        ours, floor, ratio = turns(lambda: rate(send, time.thread_time), lambda: bare(1_000_000))
        self.figures["words_per_s"] = self.best_words(send)
        self.figures.update(
            stream_cycles_per_s=ours,
            bare_cycles_per_s=floor,
            stream_of_bare=ratio,
            words_per_s=self.best_words(send),
        )
        window = device.map(self.base(device), 0x1000)
        count = 20_000

        def read() -> int:
            for _ in range(count):
                window.read(0x14)
            return count

        read()
        self.figures["reads_per_s"] = statistics.median(rate(read) for _ in range(ROUNDS))
        start = time.perf_counter()
        device.run(cycles=100_000_000)
        self.figures["idle_100M_cycles_ms"] = (time.perf_counter() - start) * 1e3
        device.close()

    @staticmethod
    def base(device: Any) -> int:
        """Return the address of the polynomial's registers."""
        ranges = device.design.reachable
        return int(next(span.base for span in ranges if span.slave == "polynomial_0"))

    @staticmethod
    def best_words(send: Callable[[], int]) -> float:
        """Return words a second of whole transfers of 1 Mi words."""
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            send()
            seconds.append(time.perf_counter() - start)
        return (1 << 20) / statistics.median(seconds)

    def mid_size(self) -> None:
        """Measure a design of middle size against its floor."""
        sources = [*files("polynomial_registers.v", "axil_slave.v"), str(OWN / "chain.v")]
        device, send = self.stream({"polynomial_0": {"top": "chain", "sources": sources}}, 1 << 17)
        bare = self.bare.model(self.library(device, "polynomial_0"), "aclk", ("aresetn",), streams=True)
        ours, floor, ratio = turns(lambda: rate(send, time.thread_time), lambda: bare(1 << 17))
        self.figures.update(
            mid_size_cycles_per_s=ours, mid_size_bare_cycles_per_s=floor, mid_size_of_bare=ratio
        )
        device.close()

    def master(self) -> None:
        """Measure a kernel with an AXI4 master of 64 bits, and what polling from Python costs."""
        rtl = {"vector_add_0": {"top": "vector_add", "sources": files(*VECTOR_ADD)}}
        overlay, device = self.load("vector_add", rtl)
        ip = overlay.vector_add_0
        count = 1 << 19
        a, b, c = (device.allocate((count,), "u4") for _ in range(3))
        a[:], b[:] = np.arange(count), 7

        def start() -> None:
            for offset, buffer in ((0x10, a), (0x1C, b), (0x28, c)):
                ip.write(offset, buffer.physical_address & 0xFFFF_FFFF)
                ip.write(offset + 4, buffer.physical_address >> 32)
            ip.write(0x34, count)
            ip.write(0x00, 1)

        def native() -> int:
            before = device.cycles(0)
            start()
            ip.mmio.wait_until(0x00, 0x2, 0x2, timeout=10.0)
            return int(device.cycles(0) - before)

        def polling() -> int:
            before = device.cycles(0)
            start()
            while not ip.read(0x00) & 0x2:
                pass
            return int(device.cycles(0) - before)

        native()
        assert (np.asarray(c) == np.asarray(a) + 7).all()
        bare = self.bare.model(self.library(device, "vector_add_0"), "ap_clk", ("ap_rst_n",))
        ours, floor, ratio = turns(lambda: rate(native, time.thread_time), lambda: bare(1_000_000))
        _, _, polls = turns(lambda: 1 / self.seconds(native), lambda: 1 / self.seconds(polling))
        self.figures.update(
            master_cycles_per_s=ours,
            master_bare_cycles_per_s=floor,
            master_of_bare=ratio,
            polling_against_wait=polls,
        )
        device.close()

    @staticmethod
    def seconds(work: Callable[[], object]) -> float:
        """Return the CPU seconds of one call."""
        start = time.thread_time()
        work()
        return time.thread_time() - start

    def builds(self) -> None:
        """Measure a build of a new small design, and an overlay whose library is cached."""
        fresh = []
        for index in range(3):
            place = self.folder / f"new{index}"
            place.mkdir()
            for name in POLYNOMIAL:
                shutil.copy(HDL / name, place)
            # New to the cache: another version number.
            registers = place / "polynomial_registers.v"
            version = f"32'h{time.time_ns() & 0xFFFF_FFFF:08x}"
            registers.write_text(registers.read_text().replace("32'h0001_0000", version))
            sources = [str(place / name) for name in POLYNOMIAL]
            rtl = {
                "polynomial_0": {
                    "top": "polynomial",
                    "sources": sources,
                    "defines": {"NEW": str(time.time_ns())},
                }
            }
            start = time.perf_counter()
            _, device = self.load("polynomial", rtl)
            fresh.append(time.perf_counter() - start)
            device.close()
        self.figures["build_new_s"] = min(fresh)
        cached = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            _, device = self.load("polynomial", rtl)
            cached.append((time.perf_counter() - start) * 1e3)
            device.close()
        self.figures["overlay_cached_ms"] = statistics.median(cached)

    # -- peers -----------------------------------------------------------------------------------------
    def peer(self, name: str, python: Path) -> dict[str, float] | None:
        """Run a peer's script in its environment; None where that is not there or fails."""
        if not python.exists():
            self.notes.append(f"{name}: no {python} (make peers-rtl): not compared")
            return None
        out = self.folder / f"{name}.json"
        command = [str(python), str(OWN / f"{name}_peer.py"), str(out), str(self.options.seconds)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if not out.exists():
            self.notes.append(f"{name}: failed: {done.stdout[-500:]}")
            return None
        figures: dict[str, float] = json.loads(out.read_text())
        return figures

    def cocotb(self) -> None:
        """Compare with cocotb and cocotbext-axi on the polynomial."""
        found = self.peer("cocotb", self.options.cocotb)
        if found:
            self.figures.update(cocotb_words_per_s=found["words"], cocotb_reads_per_s=found["reads"])
            self.figures["words_against_cocotb"] = self.figures["words_per_s"] / found["words"]
            self.figures["reads_against_cocotb"] = self.figures["reads_per_s"] / found["reads"]

    def cocotbpynq(self) -> None:
        """Compare with cocotbpynq on its own sample, with its own hand-off file and program."""
        found = self.peer("cocotbpynq", self.options.cocotbpynq)
        if not found:
            return
        where = "import cocotbpynq, os; print(os.path.dirname(cocotbpynq.__file__))"
        package = subprocess.run(
            [str(self.options.cocotbpynq), "-c", where], stdout=subprocess.PIPE, text=True, check=True
        )
        sample = Path(package.stdout.strip()) / "sample"
        import pynq
        import pynq.sim

        shutil.copy(sample / "sample.hwh", self.folder)
        sources = [str(sample / "poly_axi.v"), str(sample / "poly_AXILiteS_s_axi.v")]
        device = pynq.sim.SimDevice("sim:sample", deterministic=True)
        rtl = {"poly_eval/poly_0": {"top": "poly", "sources": sources}}
        overlay = pynq.DefaultOverlay(str(self.folder / "sample.hwh"), rtl=rtl, device=device)
        mmio = pynq.MMIO(0x43C1_0000, 0x1000, device=device)
        for offset, value in ((0x10, 1), (0x18, 2), (0x20, 3)):
            mmio.write(offset, value)
        count = 4000
        given, got = device.allocate((count,), "u4"), device.allocate((count,), "u4")
        given[:] = np.arange(count)
        dma = overlay.poly_eval.axi_dma

        def send() -> int:
            for _ in range(50):
                dma.recvchannel.transfer(got)
                dma.sendchannel.transfer(given)
                dma.sendchannel.wait()
                dma.recvchannel.wait()
            return 50 * count

        def read() -> int:
            for _ in range(20_000):
                mmio.read(0x18)
            return 20_000

        send()
        x = np.asarray(given)
        assert (np.asarray(got) == x * x + 2 * x + 3).all()
        words = statistics.median(rate(send) for _ in range(ROUNDS))
        reads = statistics.median(rate(read) for _ in range(ROUNDS))
        device.close()
        self.figures.update(
            sample_words_per_s=words,
            sample_reads_per_s=reads,
            cocotbpynq_words_per_s=found["words"],
            cocotbpynq_reads_per_s=found["reads"],
            words_against_cocotbpynq=words / found["words"],
            reads_against_cocotbpynq=reads / found["reads"],
        )


def main() -> int:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="accepted for benchmarks/run.py; not used here")
    for name, environment in (("cocotb", ".venv-hdl"), ("cocotbpynq", ".venv-cocotbpynq")):
        place = ROOT / environment / "bin/python"
        parser.add_argument(f"--{name}", type=Path, default=place, metavar="PYTHON", help="its interpreter")
    parser.add_argument("--seconds", type=float, default=3.0, help="host seconds for each rate of a peer")
    parser.add_argument("--only", nargs="*", help="streams, mid_size, master, builds, cocotb, cocotbpynq")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for name in options.only or ["streams", "mid_size", "master", "builds", "cocotb", "cocotbpynq"]:
            say(f"  {name} ...")
            getattr(bench, name)()
    compare = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, "<": lambda a, b: a < b}
    limits = [
        {"name": name, "value": round(bench.figures[name], 3), "limit": f"{sign} {value}",
         "ok": compare[sign](bench.figures[name], value)}
        for name, (sign, value) in LIMITS.items()
        if name in bench.figures
    ]  # fmt: skip
    report = {
        "benchmark": "rtl",
        "figures": {name: round(value, 4) for name, value in bench.figures.items()},
        "limits": {
            each["name"]: f"{each['value']} ({each['limit']}: {'ok' if each['ok'] else 'MISSED'})"
            for each in limits
        },
        "notes": dict(enumerate(bench.notes)),
        "ok": all(each["ok"] for each in limits),
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
