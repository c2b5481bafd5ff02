"""Boards with verilated AXI modules for the tests of the bus models."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from pynq.backends.sim._engine import Engine, Net, Rtl, Space
from pynq.backends.sim.rtl.build import Library, Sources, build

HERE = Path(__file__).resolve().parent / "rtl_axi"
PERIOD = 10_000


@functools.cache
def library(top: str, **parameters: int) -> Library:
    """Build a module of the folder ``rtl_axi``, or take it from the cache."""
    values = {name: str(value) for name, value in sorted(parameters.items())}
    return build([Sources(top=top, files=(HERE / f"{top}.v",), parameters=values)], progress=False)[0]


class RtlBoard:
    """An engine with a clock, a reset (active low), DDR at 0 and the PS; modules are named by their file."""

    def __init__(self, engine: Engine, *, memory: int = 1 << 20) -> None:
        self.engine = engine
        self.clock = engine.clock("clk", 100e6)
        self.reset_net = engine.net("rst_n", 1, 1)
        self.ddr = engine.memory("ddr", memory)
        self.ps: Space = engine.space("ps", ps=True)
        self.ps.map(0, memory - 1, self.ddr)
        self.modules: dict[str, Rtl] = {}
        self.nets: dict[str, Net] = {}

    def add(
        self,
        name: str,
        top: str,
        *,
        slave: str = "",
        master: str = "",
        span: int = 0,
        latency: int = 1,
        skip: tuple[str, ...] = (),
        **parameters: int,
    ) -> Rtl:
        """Make a module with one bus: ``slave`` or ``master`` is its protocol. Other ports become nets.

        ``skip``: logical names of pins that are left open.
        """
        module = self.engine.rtl(name, self.clock, str(library(top, **parameters).path))
        module.add_clock("clk", self.clock)
        module.add_reset("rst_n", active_low=True)
        prefix = "s_axi_" if slave else "m_axi_"
        pins: dict[str, str] = {}
        for port, direction, bits in module.module_ports():
            if port.startswith(prefix):
                logical = port.removeprefix(prefix).upper()
                if logical not in skip:
                    pins[logical] = port
            elif port not in ("clk", "rst_n"):
                module.add_pin(port)
                net = self.nets[f"{name}/{port}"] = self.engine.net(f"{name}/{port}", bits)
                if direction in ("in", "out"):
                    module.wire(port, net)
        if slave:
            module.add_slave("s_axi", slave, pins, clock="clk", reset="rst_n", range=span)  # type: ignore[arg-type]
        else:
            module.add_master("m_axi", master, pins, clock="clk", reset="rst_n", latency=latency)  # type: ignore[arg-type]
        module.wire("rst_n", self.reset_net)
        module.begin()
        self.modules[name] = module
        return module

    def see(self, name: str, **targets: Any) -> Space:
        """Give a master its space, with the DDR at 0."""
        space = self.engine.space(f"{name}/m_axi")
        space.map(0, self.ddr.size - 1, self.ddr)
        self.modules[name].space("m_axi", space)
        return space

    def cycles(self, count: int) -> None:
        self.engine.run(count * PERIOD)

    def drive(self, name: str, value: int) -> None:
        self.nets[name].drive(value)

    def get(self, name: str) -> int:
        return self.nets[name].value

    def reset(self, cycles: int = 4) -> None:
        """Reset all modules."""
        self.reset_net.drive(0)
        self.cycles(cycles)
        self.reset_net.drive(1)
        self.cycles(1)
