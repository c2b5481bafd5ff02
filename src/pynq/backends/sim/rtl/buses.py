"""Buses of a module: which of its ports carry which signal of AXI and AXI4-Stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pynq.design.model import BusInterface, Cell

__all__ = ["AXI", "AXIS", "answers", "by_prefix", "pins_of", "protocol_of", "sends"]

_AXI = (
    "AWID AWADDR AWLEN AWSIZE AWBURST AWLOCK AWCACHE AWPROT AWQOS AWREGION AWUSER AWVALID AWREADY "
    "WID WDATA WSTRB WLAST WUSER WVALID WREADY BID BRESP BUSER BVALID BREADY "
    "ARID ARADDR ARLEN ARSIZE ARBURST ARLOCK ARCACHE ARPROT ARQOS ARREGION ARUSER ARVALID ARREADY "
    "RID RDATA RRESP RLAST RUSER RVALID RREADY"
)
AXI = frozenset(_AXI.split())
"""The signals of AXI3, AXI4 and AXI4-Lite (IHI 0022, chapter A2)."""
AXIS = frozenset(("TVALID", "TREADY", "TDATA", "TSTRB", "TKEEP", "TLAST", "TID", "TDEST", "TUSER"))
"""The signals of AXI4-Stream (IHI 0051, table 2-1)."""


def by_prefix(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """Return the ports that belong to a bus by their names (``s_axi_awaddr``): signal -> port."""
    start = prefix.lower().rstrip("_") + "_"
    found = {}
    for name in names:
        if name.lower().startswith(start):
            signal = name[len(start) :].upper()
            if signal in AXI or signal in AXIS:
                found[signal] = name
    return found


def protocol_of(interface: BusInterface, pins: Mapping[str, str]) -> str:
    """Return "AXI4LITE", "AXI4", "AXI3", "AXIS" or "" of a bus; by its signals if the file is silent."""
    if interface.protocol:
        return interface.protocol
    if "TVALID" in pins:
        return "AXIS"
    if not {"AWVALID", "ARVALID"} & set(pins):
        return ""
    if "WID" in pins:
        return "AXI3"
    return "AXI4" if {"AWLEN", "ARLEN"} & set(pins) else "AXI4LITE"


def sends(interface: BusInterface) -> bool:
    """Whether the cell is the side that asks, or that sends the stream."""
    return interface.role in ("INITIATOR", "MASTER")


def answers(interface: BusInterface) -> bool:
    """Whether the cell is the side that answers, or that takes the stream; a monitor is neither."""
    return interface.role in ("TARGET", "SLAVE")


def pins_of(cell: Cell, interface: BusInterface, names: Mapping[str, str]) -> dict[str, str]:
    """Return the pins of a bus of the RTL: signal -> port of the module.

    ``names``: RTL port by port of the description. A bus without a map of ports (older files) is found by
    the names of the ports.
    """
    described = dict(interface.port_map) or by_prefix(interface.name, cell.ports)
    return {
        signal.upper(): names[port]
        for signal, port in described.items()
        if port in names and (signal.upper() in AXI or signal.upper() in AXIS)
    }
