"""What the bitstream holds, as immutable data.

A :class:`Design` is the only thing that the readers of this package make and the only thing that the rest of
it reads. Objects that are numerous (ports, parameters, fields) are named tuples, the others frozen
dataclasses; all of them know the line of the file they came from. Paths use ``/`` and have no leading one:
``video/axi_vdma``. Sizes and offsets are bytes unless the name says bits; frequencies are Hz.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from pynq.errors import Problem

__all__ = [
    "AddressBlock",
    "Argument",
    "BusInterface",
    "Cell",
    "CellKind",
    "Clock",
    "Design",
    "EmioPin",
    "Endpoint",
    "Field",
    "GpioChannel",
    "InterruptController",
    "InterruptPin",
    "Memory",
    "MemoryKind",
    "MemoryRange",
    "Port",
    "Processor",
    "Register",
    "Reset",
    "SourceRef",
    "Vlnv",
]


def _proxy(mapping: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(mapping)


def _reduce(mapping: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return _proxy, (dict(mapping),)


# The mappings of a design are read-only proxies, which the standard library can neither pickle nor copy by
# itself.
copyreg.pickle(MappingProxyType, _reduce)


class SourceRef(NamedTuple):
    """A place in a file: its path as given and the line, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Vlnv(NamedTuple):
    """The type of an IP or bus: vendor, library, name, version (IEEE 1685)."""

    vendor: str
    library: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.vendor}:{self.library}:{self.name}:{self.version}"

    @property
    def without_version(self) -> str:
        """``vendor:library:name``."""
        return f"{self.vendor}:{self.library}:{self.name}"


class Endpoint(NamedTuple):
    """One end of a wire: a cell's port. ``cell`` is empty for a port of the design itself."""

    cell: str
    port: str


class Port(NamedTuple):
    """A pin of a cell, or of the design.

    ``left`` and ``right`` are None for a single wire. ``signal`` names the net (empty: not connected),
    ``peers`` the other ends that the file gives for it.
    """

    name: str
    direction: str  # "I", "O", "IO"
    left: int | None
    right: int | None
    kind: str  # SIGIS: "clk", "rst", "INTERRUPT", "undef", ...
    signal: str
    polarity: str  # "ACTIVE_LOW", "ACTIVE_HIGH" or ""
    sensitivity: str  # "LEVEL_HIGH", "EDGE_RISING", ... or ""
    frequency: int | None  # Hz
    peers: tuple[Endpoint, ...]
    line: int

    @property
    def width(self) -> int:
        """Number of bits."""
        if self.left is None or self.right is None:
            return 1
        return abs(self.left - self.right) + 1


class Field(NamedTuple):
    """Some bits of a register. ``access`` as in the file: "read-only", "read-write", "write-only", ..."""

    name: str
    offset: int  # bits
    width: int  # bits
    access: str
    reset: int | None
    description: str
    line: int
    modified_write: str = ""  # IP-XACT modifiedWriteValue: "oneToClear", ...
    read_action: str = ""  # IP-XACT readAction: "clear", ...
    values: tuple[tuple[str, int], ...] = ()  # names of values, where the source has an enumeration


class Argument(NamedTuple):
    """The argument of a kernel that a register holds, or a stream carries: its number, its type in C, its
    bytes, and the names of port and memory that it goes through ("" for scalars).
    """

    number: int
    type: str
    size: int  # bytes, among the registers
    host_size: int  # bytes, in the host's program
    port: str
    memory: str
    name: str = ""  # of a stream; a register has the name of its argument


class Register(NamedTuple):
    """A register of an address block. ``size`` is in bits."""

    name: str
    offset: int  # bytes from the block's base
    size: int  # bits
    access: str
    reset: int | None
    description: str
    fields: tuple[Field, ...]
    line: int
    argument: Argument | None = None  # where the description knows the kernel's signature


@dataclass(frozen=True)
class AddressBlock:
    """A run of registers behind one slave interface of a cell."""

    name: str
    interface: str
    offset: int  # bytes, of the block in the interface's map
    range: int  # bytes
    usage: str
    access: str
    registers: tuple[Register, ...]
    source: SourceRef


@dataclass(frozen=True)
class BusInterface:
    """A bus of a cell (or of the design): which ports it bundles and what it is connected to.

    ``role`` is the file's TYPE: "MASTER", "SLAVE", "INITIATOR", "TARGET", "MONITOR". Interfaces that are
    connected have the same ``net`` (BUSNAME). ``protocol`` is "AXI4", "AXI4LITE", "AXI3", "AXIS" or "" when
    the file doesn't tell.
    """

    name: str
    role: str
    net: str
    vlnv: Vlnv | None
    protocol: str
    data_width: int | None  # bits
    parameters: Mapping[str, str]
    port_map: Mapping[str, str]  # logical name (upper case) -> port of the cell
    source: SourceRef
    argument: Argument | None = None  # of a kernel's stream


class MemoryKind(str, Enum):
    """What an address range holds."""

    REGISTER = "REGISTER"
    MEMORY = "MEMORY"


@dataclass(frozen=True)
class MemoryRange:
    """A range of one master's address map: what answers there. ``high`` is the last byte."""

    master: str  # path of the cell that owns the map ("" for a boundary interface)
    master_interface: str
    slave: str  # path of the cell that answers; "" where an external interface answers
    slave_interface: str
    block: str  # name of the address block
    base: int
    high: int
    kind: MemoryKind
    source: SourceRef
    through: tuple[str, ...] = ()  # regions whose contents lead the bus straight on to the slave

    @property
    def size(self) -> int:
        """Bytes."""
        return self.high - self.base + 1


class CellKind(str, Enum):
    """What a cell of the block design is."""

    PROCESSOR = "processor"  # the hard PS
    SOFT_PROCESSOR = "soft-processor"  # MicroBlaze and others
    MEMORY_CONTROLLER = "memory-controller"
    INTERRUPT_CONTROLLER = "interrupt-controller"
    INTERCONNECT = "interconnect"
    BLOCK_CONTAINER = "block-container"  # a region for partial reconfiguration
    PERIPHERAL = "peripheral"  # has an address range
    LOGIC = "logic"  # everything else


@dataclass(frozen=True)
class Cell:
    """An instance of an IP in the block design."""

    path: str
    vlnv: Vlnv | None  # None: no type (block containers, 2015 files), or one of another form; see `type`
    module_type: str  # MODTYPE
    kind: CellKind
    parameters: Mapping[str, str]
    ports: Mapping[str, Port]
    interfaces: Mapping[str, BusInterface]
    blocks: tuple[AddressBlock, ...]
    ranges: tuple[MemoryRange, ...]  # the address map, where this cell is a master
    source: SourceRef
    attributes: Mapping[str, str] = field(default_factory=dict)  # of the MODULE element, as in the file

    def __repr__(self) -> str:
        return f"<Cell {self.path!r} {self.type or self.module_type or 'without type'}, {self.source}>"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def hierarchy(self) -> str:
        """Path of the hierarchy that holds the cell, "" at the top."""
        return self.path.rpartition("/")[0]

    @property
    def type(self) -> str:
        """The VLNV as text, of whatever form it is in the file; "" where the file has none."""
        return str(self.vlnv) if self.vlnv else self.attributes.get("VLNV", "")

    @property
    def type_name(self) -> str:
        """The type's name without vendor, library and version (``axi_dma``); else the module's."""
        return self.vlnv.name if self.vlnv else self.module_type


class Processor(str, Enum):
    """The family of the hard PS."""

    ZYNQ = "zynq"
    ZYNQMP = "zynqmp"
    VERSAL = "versal"


@dataclass(frozen=True)
class Clock:
    """A clock that the PS gives to the PL, or that a clocking IP makes."""

    name: str  # "FCLK_CLK0", "pl_clk0", "clk_wiz_0/clk_out1"
    cell: str  # path of the cell whose port drives it
    port: str
    frequency: int | None  # Hz, as the description has it
    index: int | None  # number among the PS's PL clocks, None for clocks made in the PL
    enabled: bool
    divisors: tuple[int, ...]  # of the PS's clock generator, as configured
    source_pll: str  # "IO PLL", ...; "" where unknown
    net: str
    source: SourceRef


@dataclass(frozen=True)
class Reset:
    """A reset that the PS or a cell makes, or that comes from outside (``cell`` is then empty)."""

    name: str  # "FCLK_RESET0_N", "rst_0/peripheral_aresetn"
    cell: str
    port: str
    active_low: bool
    width: int
    net: str
    source: SourceRef


@dataclass(frozen=True)
class GpioChannel:
    """One channel of an ``axi_gpio``: its width, its directions and what is at its pins.

    ``inputs`` and ``outputs`` are the other ends of the wires: ``cell/port``, or the name of a port of the
    design.
    """

    cell: str
    number: int  # 1 or 2
    width: int
    inputs_only: bool
    outputs_only: bool
    default_output: int
    default_tristate: int  # a bit that is 1 is an input
    interrupt: bool  # whether the cell has an interrupt output
    inputs: tuple[str, ...]  # what drives the channel
    outputs: tuple[str, ...]  # what the channel drives
    source: SourceRef


@dataclass(frozen=True)
class InterruptController:
    """An ``axi_intc`` and where its output goes.

    ``parent`` is the path of the next controller, "" for the PS. ``index`` is the input there; ``gic`` the
    number that the processor's GIC uses (SPI number + 32) where the chain ends at the PS, else None.
    """

    path: str
    parent: str
    index: int
    gic: int | None
    source: SourceRef


@dataclass(frozen=True)
class InterruptPin:
    """An interrupt output of a cell and where it arrives.

    ``controller`` is the path of the ``axi_intc`` it enters, "" for the PS itself. ``index`` is the input
    there; ``gic`` as in :class:`InterruptController`. ``aliases`` are the pins it passes on its way
    (``xlconcat_0/In0``).
    """

    path: str  # "axi_dma_0/mm2s_introut"
    cell: str
    port: str
    controller: str
    index: int
    gic: int | None
    sensitivity: str
    aliases: tuple[str, ...]
    source: SourceRef


@dataclass(frozen=True)
class EmioPin:
    """A GPIO of the PS that reaches the PL: its index among the PS's EMIO GPIO, and the pins it drives or
    reads.
    """

    name: str  # name of the slice or cell it is known by
    index: int
    width: int
    pins: tuple[str, ...]  # "cell/port"
    source: SourceRef
    direction: str = "O"  # "O": the PS drives it, "I": the PS reads it


@dataclass(frozen=True)
class Memory:
    """A memory that the PS can reach: DDR of the PS, DDR behind the PL, BRAM."""

    name: str  # "PSDDR", or the path of the memory controller
    cell: str
    interface: str
    block: str
    base: int
    size: int
    kind: str  # "DDR4" or "BRAM"
    source: SourceRef
    used: bool = True  # whether anything is connected to it, where the description tells
    index: int | None = None  # the number by which XRT knows a bank or group of banks


@dataclass(frozen=True)
class Design:
    """A block design as its description tells it. Made by a reader, never changed."""

    name: str
    file: str
    tool_version: str  # VIVADOVERSION
    timestamp: str
    architecture: str  # ARCH: "zynq", "zynquplus", "zynquplusRFSOC", "versal", ...
    device: str
    package: str
    speed_grade: str
    board: str
    cells: Mapping[str, Cell]  # by path, in the file's order
    hierarchies: tuple[str, ...]  # paths, parents before children
    ports: Mapping[str, Port]  # of the design itself
    interfaces: Mapping[str, BusInterface]
    processor: Processor | None  # None: no PS in the design
    ps: str  # path of the PS cell, "" without one
    ps_ranges: tuple[MemoryRange, ...]  # what the PS reaches in the PL
    clocks: tuple[Clock, ...]
    interrupt_controllers: Mapping[str, InterruptController]
    interrupt_pins: Mapping[str, InterruptPin]
    emio: tuple[EmioPin, ...]
    memories: tuple[Memory, ...]
    source: SourceRef
    boundary_ranges: tuple[MemoryRange, ...] = ()  # what is reached through the design's own slave interfaces
    reachable: tuple[
        MemoryRange, ...
    ] = ()  # a program's address map: ps_ranges, or its stand-in without a PS
    resets: tuple[Reset, ...] = ()
    gpio_channels: tuple[GpioChannel, ...] = ()
    #: Of a design with partial ones in its regions (:mod:`pynq.design.partial`): the design as it was without
    #: them, what is in each region (by path, in the order of loading), and the cells that stood for them.
    static: Design | None = None
    partials: Mapping[str, Design] = field(default_factory=dict)
    regions: Mapping[str, Cell] = field(default_factory=dict)
    #: What the description was: "hwh", "tcl", "xclbin", "litex", "devicetree" or "ipxact". An archive's is
    #: that of the file in it.
    format: str = "hwh"
    #: What a reader could not tell, though it made a design: nothing here is wrong, but something may lack.
    notes: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        # Short: the generated one of a real design has megabytes, and debuggers and notebooks show it.
        count = f"{len(self.cells)} cell{'' if len(self.cells) == 1 else 's'}"
        return f"<Design {self.name!r} from {self.file!r}: {count}, {self.part or 'unknown part'}>"

    @property
    def label(self) -> str:
        """What messages call the design: its name, or its file where that gives none."""
        return self.name or self.file

    def where(self, item: Port | Field | Register) -> SourceRef:
        """File and line of something that holds its line only."""
        return SourceRef(self.file, item.line)

    @property
    def part(self) -> str:
        """The part as Vivado writes it: ``xc7z020clg400-1``."""
        return f"xc{self.device.removeprefix('xc')}{self.package}{self.speed_grade}" if self.device else ""
