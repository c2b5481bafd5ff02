"""A verilated design's library, called through its C interface (native/include/pynq/rtl.h) with ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int32,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any, NamedTuple

OK, FINISH, STOP, FATAL, REFUSED = range(5)
HEAP, TIME, RANDOM, FILES, DPI, SIGNALS, COVERAGE = 1, 2, 4, 8, 16, 256, 512


class CPort(Structure):
    _fields_ = [("name", c_char_p), ("bits", c_uint32), ("direction", c_uint8), ("bytes", c_uint8)]


class CSignal(Structure):
    _fields_ = [
        ("scope", c_char_p),
        ("name", c_char_p),
        ("code", c_uint32),
        ("bits", c_uint32),
        ("msb", c_int32),
        ("lsb", c_int32),
        ("kind", c_uint8),
    ]


class CEvent(Structure):
    _fields_ = [("file", c_char_p), ("line", c_int), ("scope", c_char_p), ("text", c_char_p)]


PRINT = CFUNCTYPE(None, c_void_p, c_char_p, c_int, POINTER(ctypes.c_char), c_size_t)


class CHost(Structure):
    _fields_ = [("context", c_void_p), ("print", PRINT)]


class CDesign(Structure):
    _fields_ = [
        ("abi", c_uint32),
        ("size", c_uint32),
        ("flags", c_uint32),
        ("top", c_char_p),
        ("ports", POINTER(CPort)),
        ("port_count", c_uint32),
        (
            "create",
            CFUNCTYPE(
                c_void_p, POINTER(CHost), POINTER(c_char_p), c_uint64, POINTER(ctypes.c_char), c_size_t
            ),
        ),
        ("destroy", CFUNCTYPE(None, c_void_p)),
        ("port", CFUNCTYPE(c_void_p, c_void_p, c_uint32)),
        ("eval", CFUNCTYPE(c_int, c_void_p)),
        ("event", CFUNCTYPE(None, c_void_p, POINTER(CEvent))),
        ("set_time", CFUNCTYPE(None, c_void_p, c_uint64)),
        ("prints", CFUNCTYPE(c_uint64, c_void_p)),
        ("state", CFUNCTYPE(c_void_p, c_void_p, POINTER(c_size_t))),
        ("signals", CFUNCTYPE(POINTER(CSignal), c_void_p, POINTER(c_uint32), POINTER(c_uint32))),
        ("sample", CFUNCTYPE(None, c_void_p, POINTER(c_uint32))),
        ("changes", CFUNCTYPE(c_uint32, c_void_p, POINTER(c_uint32), POINTER(c_uint32))),
        ("write_coverage", CFUNCTYPE(c_int, c_void_p, c_char_p)),
    ]


class Event(NamedTuple):
    file: str
    line: int
    scope: str
    text: str


class Signal(NamedTuple):
    code: int
    bits: int
    msb: int
    lsb: int
    kind: str


class Model:
    """One model of a library; pins by name, ``cycle`` for a clock, what it printed in ``printed``."""

    def __init__(self, path: Path, folders: Sequence[Path] = (), seed: int = 1) -> None:
        self.library = ctypes.CDLL(str(path))
        self.design = CDesign.in_dll(self.library, "pynq_rtl_design_v1")
        assert self.design.abi == 1
        assert self.design.size == ctypes.sizeof(CDesign)
        self.printed: list[tuple[str, int, str]] = []
        self._print = PRINT(self._printed)
        self._host = CHost(None, self._print)
        paths = (c_char_p * (len(folders) + 1))(*[bytes(str(folder), "utf-8") for folder in folders], None)
        error = ctypes.create_string_buffer(500)
        self.handle: Any = self.design.create(byref(self._host), paths, seed, error, len(error))
        if not self.handle:
            raise RuntimeError(error.value.decode())
        self.ports = {
            self.design.ports[i].name.decode(): (i, self.design.ports[i])
            for i in range(self.design.port_count)
        }
        self.status = OK

    def _printed(self, _: Any, file: bytes, line: int, text: Any, length: int) -> None:
        self.printed.append((file.decode(), line, text[:length].decode()))

    def _bytes(self, name: str) -> Any:
        index, port = self.ports[name]
        size = port.bytes or (port.bits + 31) // 32 * 4
        return (c_uint8 * size).from_address(self.design.port(self.handle, index))

    def __getitem__(self, name: str) -> int:
        return int.from_bytes(bytes(self._bytes(name)), "little")

    def __setitem__(self, name: str, value: int) -> None:
        memory = self._bytes(name)
        memory[:] = value.to_bytes(len(memory), "little")

    def eval(self) -> int:
        self.status = self.design.eval(self.handle)
        return self.status

    def cycle(self, count: int = 1, clock: str = "clk") -> int:
        """Run cycles until the model ends; return the status."""
        for _ in range(count):
            for level in (0, 1):
                self[clock] = level
                if self.eval():
                    return self.status
        return self.status

    def event(self) -> Event:
        event = CEvent()
        self.design.event(self.handle, byref(event))
        return Event(event.file.decode(), event.line, event.scope.decode(), event.text.decode())

    def state(self) -> bytes:
        size = c_size_t()
        at = self.design.state(self.handle, byref(size))
        return ctypes.string_at(at, size.value)

    def signals(self) -> dict[str, Signal]:
        """Return the table by full name, "/" between the levels."""
        count, words = c_uint32(), c_uint32()
        rows = self.design.signals(self.handle, byref(count), byref(words))
        self.values = (c_uint32 * max(words.value, 1))()
        self.codes = (c_uint32 * max(words.value, 1))()
        found: dict[str, Signal] = {}
        for row in rows[: count.value]:
            name = "/".join(part for part in (row.scope.decode(), row.name.decode()) if part)
            assert name not in found, name
            assert row.code + (row.bits + 31) // 32 <= words.value
            found[name] = Signal(row.code, row.bits, row.msb, row.lsb, chr(row.kind))
        return found

    def sample(self) -> None:
        self.design.sample(self.handle, self.values)

    def changes(self) -> list[int]:
        count = self.design.changes(self.handle, self.values, self.codes)
        assert count <= len(self.codes)
        return list(self.codes[:count])

    def value(self, signal: Signal) -> int:
        words = self.values[signal.code : signal.code + (signal.bits + 31) // 32]
        return sum(word << (32 * i) for i, word in enumerate(words))

    def write_coverage(self, path: Path) -> int:
        return int(self.design.write_coverage(self.handle, str(path).encode()))

    def close(self) -> None:
        if self.handle:
            self.design.destroy(self.handle)
            self.handle = None
