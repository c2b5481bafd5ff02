"""Boards of one verilated block, built with the engine alone, and a reader of the files that they leave."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pynq.backends.sim import _engine
from pynq.backends.sim._engine import Engine
from pynq.backends.sim.rtl import toolchain
from pynq.backends.sim.rtl.build import Library, Sources, build
from pynq.errors import RtlBuildError

RTL = Path(__file__).parent / "rtl"
PERIOD = 10_000


@cache
def library(coverage: bool = False, top: str = "watched") -> Library:
    """Build a block once per process (the cache keeps it for the next)."""
    try:
        toolchain.find()
    except RtlBuildError as error:
        pytest.skip(f"no Verilator: {error}")
    (built,) = build([Sources(top=top, files=(RTL / f"{top}.sv",))], coverage=coverage)
    return built


class Board:
    """The block between two data movers' worth of Python: host components that send and receive words."""

    def __init__(self, *, coverage: bool = False, streams: bool = True) -> None:
        self.engine = engine = Engine()
        self.clock = engine.clock("clk", 1e12 / PERIOD)
        built = library(coverage)
        folders = [str(folder) for folder in built.folders]
        self.rtl = rtl = engine.rtl("filter/watched_0", self.clock, str(built.path), folders=folders)
        rtl.add_clock("clk", self.clock)
        rtl.add_reset("resetn", active_low=True)
        rtl.add_pin("enable")
        rtl.add_pin("mode")
        rtl.add_pin("interrupt")
        names = ("TDATA", "TVALID", "TREADY", "TLAST")
        self.words: list[int] = []
        if streams:
            for port, source in (("s_axis", False), ("m_axis", True)):
                pins = {name: f"{port}_{name.lower()}" for name in names}
                rtl.add_stream(port, pins, source=source, clock="clk", reset="resetn")
            self.host = engine.host("host", self.clock)
            self.host.add_source("out")
            self.host.add_sink("in")
            self.to_block = engine.link("to_block", 4)
            self.from_block = engine.link("from_block", 4)
            self.host.stream("out", self.to_block)
            rtl.stream("s_axis", self.to_block)
            rtl.stream("m_axis", self.from_block)
            self.host.stream("in", self.from_block)
        rtl.begin()
        self.resetn = engine.net("filter/rst/resetn", 1, 1)
        self.enable = engine.net("board_enable", 1)
        self.mode = engine.net("board_mode", 4)
        self.interrupt = engine.net("filter/watched_0/interrupt", 1)
        rtl.wire("resetn", self.resetn)
        rtl.wire("enable", self.enable)
        rtl.wire("mode", self.mode)
        rtl.wire("interrupt", self.interrupt)
        engine.elaborate()

    def reset(self, cycles: int = 4) -> None:
        """Pulse the reset."""
        self.resetn.drive(0)
        self.engine.run(cycles * PERIOD)
        self.resetn.drive(1)
        self.engine.run(2 * PERIOD)

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self.engine.run(cycles * PERIOD)

    def names(self) -> dict[str, int]:
        """Return full name -> index of all signals."""
        return {".".join([*scope, name]): index for index, scope, name, *_ in _engine.signals(self.engine)}

    def record(self, *wanted: str, **options: Any) -> _engine.Recorder:
        """Record signals by their full names (none: all)."""
        names = self.names()
        chosen = [names[name] for name in wanted] if wanted else list(names.values())
        if "trigger" in options:
            name, *rest = options["trigger"]
            options["trigger"] = (names[name], *rest)
        return _engine.record(self.engine, chosen, **options)

    def value(self, name: str) -> int:
        """Return the value of a signal."""
        return _engine.read_signal(self.engine, self.names()[name])


def words(array: Any) -> bytes:
    """Return 32-bit words as bytes."""
    return np.asarray(array, "<u4").tobytes()


def fst2vcd(path: Path) -> str:
    """Return what GTKWave's own reader makes of an FST file."""
    if shutil.which("fst2vcd") is None:
        pytest.skip("fst2vcd (package gtkwave) is not installed")
    done = subprocess.run(["fst2vcd", "-f", str(path)], capture_output=True, text=True, check=True)
    return done.stdout
