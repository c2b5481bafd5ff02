"""Drivers in C and C++: the interface of pynq/native.h, and the example driver on every kind of window."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corekit import KINDS, HostDevice, Registers, capsule

import pynq
from pynq._native import NativeIP, Window
from pynq.buffer import allocate
from pynq.errors import (
    BusError,
    DeadlockError,
    OverlayNotLoadedError,
    UnsupportedByDeviceError,
    WaitTimeoutError,
)
from pynq.native import get_include, native_ip

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "cpp_driver"
VECTOR_ADD = 0x4000_0000

# pynq_status
EBUS, ERANGE, EALIGN, EWIDTH, ETIMEDOUT, EDEADLOCK, EINTERRUPTED, EUNSUPPORTED, EGONE, EPYTHON = range(
    -1, -11, -1
)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probe, compiled as a user would compile a driver."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler (apt-get install g++)")
    target = tmp_path_factory.mktemp("probe") / "probe.so"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-pthread"]
    source = Path(__file__).with_name("probe.cpp")
    subprocess.run([compiler, *flags, f"-I{get_include()}", str(source), "-o", str(target)], check=True)
    return target


@pytest.fixture(params=["CDLL", "PyDLL"])
def probe(built: Path, request: pytest.FixtureRequest) -> Any:
    """The probe, called without the interpreter's lock (CDLL) and with it (PyDLL)."""
    library = getattr(ctypes, request.param)(str(built))
    pointer, u64, u32, i64 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int64
    library.probe_read.argtypes = [pointer, u64, u32, ctypes.POINTER(u64)]
    library.probe_write.argtypes = [pointer, u64, u32, u64]
    library.probe_poll.argtypes = [pointer, u64, u32, u64, u64, i64, ctypes.POINTER(u64)]
    for name in ("probe_read_block", "probe_write_block"):
        getattr(library, name).argtypes = [pointer, u64, u32, pointer, u64]
    library.probe_wait.argtypes = [pointer, ctypes.c_char_p, i64]
    library.probe_from_thread.argtypes = [pointer, u64, u32]
    library.probe_error.argtypes = [pointer]
    library.probe_error.restype = ctypes.c_char_p
    library.probe_bus.restype = pointer
    return library


class Bound:
    """The probe's functions on one IP."""

    def __init__(self, probe: Any, ip: NativeIP) -> None:
        self.probe = probe
        self.ip = ip

    def read(self, offset: int, width: int = 4) -> tuple[int, int]:
        value = ctypes.c_uint64(0)
        return self.probe.probe_read(self.ip.pointer, offset, width, value), value.value

    def write(self, offset: int, value: int, width: int = 4) -> int:
        return int(self.probe.probe_write(self.ip.pointer, offset, width, value))

    def poll(
        self, offset: int, mask: int, match: int, timeout_ns: int = -1, width: int = 4
    ) -> tuple[int, int]:
        last = ctypes.c_uint64(0)
        return self.probe.probe_poll(
            self.ip.pointer, offset, width, mask, match, timeout_ns, last
        ), last.value

    def wait(self, pin: str, timeout_ns: int = -1) -> int:
        return int(self.probe.probe_wait(self.ip.pointer, pin.encode(), timeout_ns))

    @property
    def error(self) -> str:
        return str(self.probe.probe_error(self.ip.pointer).decode())


# -- pynq_ip -----------------------------------------------------------------------------------------------
def test_registers_from_c(probe: Any, registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    ip = Bound(probe, native_ip(window))
    assert ip.write(0, 0x11223344) == 0
    assert ip.read(0) == (0, 0x11223344)
    assert [ip.read(i, 1)[1] for i in range(4)] == [0x44, 0x33, 0x22, 0x11]
    assert ip.write(2, 0xABCD, 2) == 0
    assert window.read(0) == 0xABCD3344
    assert ip.write(8, 0x1111111122222222, 8) == 0
    assert ip.read(8, 8) == (0, 0x1111111122222222)
    assert ip.read(12, 8) == (0, 0x11111111)
    assert ip.poll(0, 0xFF, 0x44) == (0, 0xABCD3344)
    started = time.monotonic()
    assert ip.poll(0, 1, 1, 20_000_000) == (ETIMEDOUT, 0xABCD3344)
    assert time.monotonic() - started >= 0.02
    assert (ip.ip.window, ip.ip.window.base) == (window, 0x4000_0000)


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("widest", [4, 8])
def test_blocks_from_c(probe: Any, registers: Registers, kind: str, blocks: bool, widest: int) -> None:
    more = {"blocks": blocks} if kind == "bus" else {}
    native = native_ip(registers.window(kind, widest=widest, **more))
    ip = native.pointer
    for dtype in ("u1", "u2", "u4", "u8"):
        out = np.arange(1, 17, dtype=dtype)
        back = np.zeros_like(out)
        assert probe.probe_write_block(ip, 8, out.itemsize, out.ctypes.data, 16) == 0
        assert registers.bytes[8 : 8 + out.nbytes].tobytes() == out.tobytes()
        assert probe.probe_read_block(ip, 8, out.itemsize, back.ctypes.data, 16) == 0
        assert (back == out).all()
    for offset, width, count, status in (
        (0xFFC, 4, 2, ERANGE),
        (0, 8, 2**62, ERANGE),
        (2, 4, 1, EALIGN),
        (0, 5, 1, EWIDTH),
    ):
        assert probe.probe_read_block(ip, offset, width, back.ctypes.data, count) == status
        assert probe.probe_write_block(ip, offset, width, back.ctypes.data, count) == status


@pytest.mark.parametrize(
    ("offset", "width", "status", "text"),
    [
        (0x1000, 4, ERANGE, "leaves the window"),
        (0xFFE, 2, 0, ""),
        (2, 4, EALIGN, "multiple of the width"),
        (0, 3, EWIDTH, "1, 2, 4 or 8"),
        (2**64 - 4, 4, ERANGE, "leaves the window"),
    ],
)
def test_wrong_accesses_from_c(
    probe: Any, registers: Registers, kind: str, offset: int, width: int, status: int, text: str
) -> None:
    ip = Bound(probe, native_ip(registers.window(kind)))
    for access in (lambda: ip.read(offset, width)[0], lambda: ip.write(offset, 0, width)):
        assert access() == status
        assert text in ip.error
        assert ip.ip.error == ip.error
    assert ip.poll(offset, 0, 0, 0, width)[0] == status


def test_threads_that_python_does_not_know(probe: Any, registers: Registers, kind: str) -> None:
    ip = native_ip(registers.window(kind))
    if isinstance(probe, ctypes.PyDLL) and kind != "memory":
        pytest.skip("the caller holds the lock that Python's side of this window needs")
    assert probe.probe_from_thread(ip.pointer, 0x10, 50) == 0
    assert registers.bytes[0x10] == 49


def test_a_bus_in_c(probe: Any) -> None:
    class Whole(ctypes.Structure):
        _fields_ = (("raw", ctypes.c_uint8 * 72),)

    table = Whole.from_address(probe.probe_bus())
    window = Window.from_bus(capsule(table, b"pynq.bus"), 0x4000_0000, 0x1000, keep=table)
    ip = Bound(probe, native_ip(window))
    window.write(0, 0)
    probe.probe_later(0, 1, 30)
    assert window.wait_until(0, 1, 1, timeout=30) == 1
    window.write(0, 0)
    probe.probe_later(0, 1, 30)
    assert ip.poll(0, 1, 1, 30_000_000_000) == (0, 1)
    assert ip.write(0xB0, 1) == EBUS
    assert ip.error == "SLVERR from the probe"
    with pytest.raises(BusError, match="SLVERR from the probe"):
        window.write(0xB0, 1)
    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        window.wait_until(0, 2, 2, timeout=30)
    assert probe.probe_from_thread(ip.ip.pointer, 0x10, 1000) == 0


@pytest.mark.parametrize("kind", ["memory", "functions"])
def test_ctrl_c_during_a_poll_in_c(probe: Any, registers: Registers, kind: str) -> None:
    ip = Bound(probe, native_ip(registers.window(kind)))
    threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
    statuses = []

    def poll() -> None:
        statuses.append(ip.poll(0, 1, 1, 30_000_000_000)[0])
        time.sleep(5)  # the interpreter raises at its next look

    with pytest.raises(KeyboardInterrupt):
        poll()
    assert statuses in ([], [EINTERRUPTED])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WaitTimeoutError("late"), ETIMEDOUT),
        (TimeoutError("late"), ETIMEDOUT),
        (DeadlockError("never"), EDEADLOCK),
        (UnsupportedByDeviceError("no"), EUNSUPPORTED),
        (OverlayNotLoadedError("gone"), EGONE),
        (BusError("bad"), EBUS),
    ],
)
def test_what_python_raises_becomes_a_status(probe: Any, error: Exception, status: int) -> None:
    def refuse(*_: Any) -> Any:
        raise error

    ip = Bound(probe, native_ip(Window.from_functions(refuse, refuse, 0, 64), refuse))
    for call in (
        lambda: ip.read(0)[0],
        lambda: ip.write(0, 0),
        lambda: ip.poll(0, 1, 1)[0],
        lambda: ip.wait("x"),
    ):
        assert call() == status
        assert ip.error == str(error)


def test_other_exceptions(built: Path, probe: Any) -> None:
    def refuse(*_: Any) -> Any:
        raise LookupError("no such register")

    ip = Bound(probe, native_ip(Window.from_functions(refuse, refuse, 0, 64), refuse))
    for call in (lambda: ip.read(0)[0], lambda: ip.write(0, 0), lambda: ip.wait("x")):
        if isinstance(probe, ctypes.PyDLL):  # whoever holds the lock gets the exception itself
            with pytest.raises(LookupError, match="no such register"):
                call()
        else:
            assert call() == EPYTHON
        assert ip.error == "no such register"


def test_interrupts_from_c(probe: Any, registers: Registers) -> None:
    waits: list[tuple[str, float | None]] = []
    answer: list[Any] = [None, True, False]

    def wait(pin: str, seconds: float | None) -> Any:
        waits.append((pin, seconds))
        return answer.pop(0)

    ip = Bound(probe, native_ip(registers.window("memory"), wait))
    assert [ip.wait("introut"), ip.wait("done", 1_500_000_000), ip.wait("late", 0)] == [0, 0, ETIMEDOUT]
    assert waits == [("introut", None), ("done", 1.5), ("late", 0.0)]
    assert "no interrupt on late" in ip.error
    ip = Bound(probe, native_ip(registers.window("memory")))
    assert ip.wait("introut") == EUNSUPPORTED
    assert "no interrupts" in ip.error
    with pytest.raises(TypeError, match="callable"):
        native_ip(registers.window("memory"), 5)  # type: ignore[arg-type]


def test_an_overlay_that_is_gone(probe: Any, registers: Registers, kind: str) -> None:
    window = registers.window(kind)
    ip = Bound(probe, native_ip(window))
    window.invalidate("replaced")
    assert (ip.read(0)[0], ip.write(0, 0), ip.poll(0, 0, 0)[0]) == (EGONE,) * 3
    assert "can't be used any more" in ip.error


def test_capsules(registers: Registers, device: HostDevice) -> None:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    ip = native_ip(registers.window("memory"))
    held = ip.capsule
    assert get(held, b"pynq.ip") == ip.pointer
    gone = weakref.ref(ip)
    del ip
    gc.collect()
    assert gone() is not None
    del held
    assert gone() is None

    class Place(ctypes.Structure):
        _fields_ = (
            ("abi", ctypes.c_uint32),
            ("size", ctypes.c_uint32),
            ("data", ctypes.c_void_p),
            ("physical_address", ctypes.c_uint64),
            ("nbytes", ctypes.c_uint64),
        )

    buffer = allocate((4, 4), "u2", device=device)
    native = buffer[1:].native
    place = Place.from_address(native.pointer)
    assert (place.abi, place.size) == (1, ctypes.sizeof(Place))
    assert place.data == buffer.virtual_address + 8
    assert (place.physical_address, place.nbytes) == (buffer.physical_address + 8, 24)
    assert get(native.capsule, b"pynq.buffer") == native.pointer
    del buffer
    gc.collect()
    assert device.arena.figures()["blocks"] == 1  # the native side keeps it
    del native
    assert device.arena.figures()["blocks"] == 0
    with pytest.raises(ValueError, match="with gaps"):
        _ = allocate((4, 4), device=device)[:, 1].native


def test_ips_are_collected(registers: Registers) -> None:
    class Driver:
        native: NativeIP

        def wait(self, pin: str, seconds: float | None) -> None: ...

    driver = Driver()
    driver.native = native_ip(registers.window("functions"), driver.wait)
    gone = weakref.ref(driver)
    del driver
    gc.collect()
    assert gone() is None


# -- the header --------------------------------------------------------------------------------------------
def test_the_header_is_installed() -> None:
    assert pynq.get_include() == get_include()
    installed = Path(get_include()) / "pynq" / "native.h"
    assert installed.read_bytes() == (ROOT / "native" / "include" / "pynq" / "native.h").read_bytes()


def test_the_header_is_plain_c(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = tmp_path / "plain.c"
    source.write_text("#include <pynq/native.h>\nint size(void) { return sizeof(pynq_ip); }\n")
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, f"-I{get_include()}", str(source)], check=True)


def test_the_codes_of_the_header() -> None:
    text = (Path(get_include()) / "pynq" / "native.h").read_text()
    codes = {name: int(value) for name, value in re.findall(r"PYNQ_(E[A-Z]+) = (-\d+)", text)}
    mine = globals()
    assert codes == {name: mine[name] for name in codes}
    assert len(codes) == 10


# -- the example -------------------------------------------------------------------------------------------
class Kernel:
    """The accelerator ``vector_add``, behind registers of any kind: adds as soon as it is started."""

    def __init__(self, device: HostDevice, now: bool) -> None:
        self.device = device
        self.words = device.registers.bytes.view("u4")
        self.words[0] = 4  # AP_IDLE
        if now:
            device.registers.on_write = lambda offset, value: (
                self.run() if offset == 0 and value & 1 else None
            )

    def run(self) -> None:
        a, b, c = (int(self.words[i]) | int(self.words[i + 1]) << 32 for i in (4, 7, 10))
        size = 4 * int(self.words[13])
        sums = np.frombuffer(self.device.peek(a, size), "u4") + np.frombuffer(self.device.peek(b, size), "u4")
        self.device.poke(c, sums.tobytes())
        self.words[0] = 0b1110
        self.words[3] = 1


@pytest.fixture(scope="session")
def library(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The example's library, as its own Python file builds it."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import vector_add_cpp
    finally:
        sys.path.remove(str(EXAMPLE))
    vector_add_cpp.VectorAdd.unregister()  # or it would be bound in the tests that come later
    return vector_add_cpp.build(tmp_path_factory.mktemp("vector_add"))


@pytest.mark.parametrize("interrupts", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_example_driver(library: Any, kind: str, interrupts: bool) -> None:
    with HostDevice(kind) as device:
        kernel = Kernel(device, now=kind != "memory")
        waited: list[str] = []

        def interrupt(pin: str, seconds: float | None) -> None:
            waited.append(pin)
            if kind == "memory":
                kernel.run()

        native = native_ip(device.map(VECTOR_ADD, 0x100), interrupt if interrupts else None)
        a, b, c = (allocate(1000, "i4", device=device) for _ in range(3))
        a[:] = np.arange(1000)
        b[:] = -2 * np.arange(1000)
        run: Callable[..., int] = library.vector_add_run
        places = [each.native for each in (a, b, c)]
        if (
            kind == "memory" and not interrupts
        ):  # nobody tells the kernel that it was started, so look from aside
            threading.Timer(0.05, kernel.run).start()
        status = run(native.pointer, *(place.pointer for place in places), 1000, 30_000_000_000)
        assert status == 0, library.vector_add_error()
        assert c.tolist() == (-np.arange(1000)).tolist()
        assert waited == ["interrupt"] * interrupts
        assert run(native.pointer, *(place.pointer for place in places), 2000, 0) == ERANGE
        assert b"smaller than the vectors" in library.vector_add_error()
        for each in (a, b, c):
            each.freebuffer()


def test_the_example_on_the_simulated_board() -> None:
    run = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py")], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "10000 sums by way of C++, the first 605214186\n"
