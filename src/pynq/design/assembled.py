"""Pieces of a design for readers of descriptions without wires: ports, a PS, and what leads to its inputs.

Such a description tells numbers (interrupt 3, clock 0). The wires that mean them are made here, so that the
resolvers, the simulated board and the checks find the same things in every design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pynq.design.model import (
    BusInterface,
    Cell,
    CellKind,
    Endpoint,
    MemoryRange,
    Port,
    Processor,
    SourceRef,
    Vlnv,
)

__all__ = ["PS", "cell", "clock_input", "concat", "interrupt_output", "port", "slave"]

#: The PS that a design of that family has: path and type.
PS = {
    Processor.ZYNQ: ("processing_system7_0", Vlnv("xilinx.com", "ip", "processing_system7", "5.5")),
    Processor.ZYNQMP: ("zynq_ultra_ps_e_0", Vlnv("xilinx.com", "ip", "zynq_ultra_ps_e", "3.5")),
    Processor.VERSAL: ("versal_cips_0", Vlnv("xilinx.com", "ip", "versal_cips", "3.4")),
}


def port(
    name: str,
    direction: str,
    line: int,
    *peers: Endpoint,
    width: int = 1,
    kind: str = "undef",
    sensitivity: str = "",
    frequency: int | None = None,
) -> Port:
    """Return a pin that is connected to ``peers``."""
    left, right = (None, None) if width == 1 else (width - 1, 0)
    signal = "_".join(part for end in peers[:1] for part in end)
    return Port(name, direction, left, right, kind, signal, "", sensitivity, frequency, peers, line)


def clock_input(name: str, line: int, driver: Endpoint, frequency: int | None) -> Port:
    """Return a clock input that ``driver`` drives."""
    return port(name, "I", line, driver, kind="clk", frequency=frequency)


def interrupt_output(name: str, line: int, *loads: Endpoint, edge: bool = False) -> Port:
    """Return an interrupt output that is connected to ``loads``."""
    sensitivity = "EDGE_RISING" if edge else "LEVEL_HIGH"
    return port(name, "O", line, *loads, kind="INTERRUPT", sensitivity=sensitivity)


def slave(name: str, source: SourceRef) -> BusInterface:
    """Return the interface behind which a cell's registers are."""
    bus, empty = Vlnv("xilinx.com", "interface", "aximm", "1.0"), MappingProxyType[str, str]({})
    parameters = MappingProxyType({"PROTOCOL": "AXI4LITE"})
    return BusInterface(name, "SLAVE", "", bus, "AXI4LITE", 32, parameters, empty, source)


def cell(
    path: str,
    vlnv: Vlnv | None,
    kind: CellKind,
    source: SourceRef,
    *,
    module_type: str = "",
    parameters: Mapping[str, str] | None = None,
    ports: Sequence[Port] = (),
    interfaces: Sequence[BusInterface] = (),
    ranges: Sequence[MemoryRange] = (),
) -> Cell:
    """Return a cell without registers; those are put in with :func:`dataclasses.replace`."""
    return Cell(
        path=path,
        vlnv=vlnv,
        module_type=module_type or (vlnv.name if vlnv else ""),
        kind=kind,
        parameters=MappingProxyType(dict(parameters or {})),
        ports=MappingProxyType({one.name: one for one in ports}),
        interfaces=MappingProxyType({one.name: one for one in interfaces}),
        blocks=(),
        ranges=tuple(ranges),
        source=source,
    )


def concat(path: str, inputs: Mapping[int, Endpoint], load: Endpoint, source: SourceRef) -> Cell:
    """Return the concatenation that brings each interrupt to the bit of ``load`` that is its number."""
    width = max(inputs) + 1
    ports = [
        port(f"In{number}", "I", source.line, *((inputs[number],) if number in inputs else ()))
        for number in range(width)
    ]
    ports.append(port("dout", "O", source.line, load, width=width))
    kind = Vlnv("xilinx.com", "ip", "xlconcat", "2.1")
    return cell(path, kind, CellKind.LOGIC, source, ports=ports, parameters={"NUM_PORTS": str(width)})
