"""What a block-design script has made, before anybody knows what its IP are.

Paths have no leading slash; those of pins end in the pin's name (``video/axi_vdma_0/S_AXI_LITE``). Parameters
have their names without ``CONFIG.``; values are as the script has them. Lines are those of the script.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["MODES", "Cell", "InterfacePin", "Net", "Netlist", "Pin", "Segment"]

MODES = ("Master", "Slave", "Monitor", "System", "MirroredMaster", "MirroredSlave", "MirroredSystem")
"""What an interface can be (IEEE 1685, interfaceMode)."""


@dataclass
class Cell:
    """An instance. ``kind``: "ip", "module" (a reference to RTL), "container" (a region), "hierarchy"."""

    path: str
    kind: str
    type: str  # VLNV as the script has it, perhaps without version; of a module or container the reference
    parameters: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass
class Pin:
    """A port of the design, a pin of a hierarchy, or one of an IP that the script itself has described."""

    path: str
    direction: str  # "I", "O", "IO"; "" for a pin of an IP that the script has only given parameters
    type: str = ""  # "clk", "rst", "intr", "data", ...
    left: int | None = None
    right: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass
class InterfacePin:
    """An interface port of the design, or an interface pin of a hierarchy."""

    path: str
    mode: str  # one of MODES; "" for one of an IP that the script has only given parameters
    type: str  # VLNV of the bus, "" likewise
    parameters: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass
class Net:
    """A wire, or for interfaces a bus: everything it touches, in the script's order.

    A pin of a hierarchy is in two nets: one around the hierarchy, one inside.
    """

    name: str  # with the path of the hierarchy it is in: "video/Conn1"
    pins: list[str] = field(default_factory=list)
    line: int = 0


@dataclass
class Segment:
    """An assignment of addresses: what a master's space has at an offset.

    ``offset`` and ``size`` (bytes) are None where the script leaves them to the tool; ``space`` is "" for all
    spaces that reach the segment (``assign_bd_address`` without a target). ``slave`` is "" for all segments
    that have no address yet (``assign_bd_address`` alone), or where the script has an automatic segment's
    ``name`` only (``SEG_axi_gpio_0_Reg``); it lacks the block where the script has an interface only
    (``axi_gpio_0/S_AXI``).
    """

    space: str  # "processing_system7_0/Data", "axi_dma_0/Data_MM2S"
    slave: str  # "axi_dma_0/S_AXI_LITE/Reg"
    name: str
    offset: int | None = None
    size: int | None = None
    excluded: bool = False
    line: int = 0


@dataclass
class Netlist:
    """Everything that a script made. Ports of the top level are pins without a cell: ``DDR``."""

    name: str
    version: str  # of Vivado, from the script's guard; "" without one
    part: str
    board: str
    cells: dict[str, Cell] = field(default_factory=dict)
    pins: dict[str, Pin] = field(default_factory=dict)
    interfaces: dict[str, InterfacePin] = field(default_factory=dict)
    nets: list[Net] = field(default_factory=list)
    interface_nets: list[Net] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    designs: dict[str, Netlist] = field(default_factory=dict)  # other designs of the script, for containers
    notes: list[tuple[int, str]] = field(default_factory=list)  # line and what the script did that counts not
    repositories: list[str] = field(default_factory=list)  # folders of IP (``ip_repo_paths``)
