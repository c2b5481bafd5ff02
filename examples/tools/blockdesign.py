"""A block design in Python, and the hand-off file (``.hwh``) that Vivado would write for it.

Only what the examples need. A :class:`BlockDesign` holds cells with pins and bus interfaces;
:meth:`BlockDesign.connect` and :meth:`BlockDesign.wire` join them; :meth:`BlockDesign.map` assigns addresses;
:meth:`BlockDesign.to_xml` writes the file. Both ends of a connection come from one call, so the file can't
contradict itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

__all__ = ["Block", "BlockDesign", "Bus", "Cell", "Field", "Pin", "Register", "axi", "axis", "vector"]

AXI_MM = "xilinx.com:interface:aximm:1.0"
AXI_STREAM = "xilinx.com:interface:axis:1.0"


@dataclass
class Pin:
    """A pin of a cell; ``left`` is None for a single wire."""

    name: str
    direction: str
    left: int | None = None
    right: int | None = None
    kind: str = "undef"
    polarity: str = ""
    sensitivity: str = ""
    frequency: int | None = None
    show_frequency: bool = True
    signal: str = ""
    peers: list[tuple[str, str]] = field(default_factory=list)


def vector(name: str, direction: str, width: int | None, **more: object) -> Pin:
    """A pin ``width`` bits wide, ``[width-1:0]``; None for a single wire."""
    left, right = (None, None) if width is None else (width - 1, 0)
    return Pin(name, direction, left, right, **more)  # type: ignore[arg-type]


@dataclass
class Bus:
    """A bus interface of a cell."""

    name: str
    role: str  # MASTER, SLAVE, INITIATOR, TARGET
    vlnv: str
    ports: dict[str, str]  # logical name -> pin
    parameters: dict[str, str] = field(default_factory=dict)
    data_width: int | None = None
    net: str = "__NOC__"
    ranges: list[Range] = field(default_factory=list)  # what is behind it, where it is the design's own


@dataclass(frozen=True)
class Field:
    """Some bits of a register."""

    name: str
    offset: int
    width: int = 1
    access: str = "read-write"
    description: str = ""
    modified_write: str = ""
    read_action: str = ""


@dataclass(frozen=True)
class Register:
    """A register. ``address`` is printed as it is given, since Vivado uses several spellings."""

    name: str
    address: str
    description: str
    fields: Sequence[Field]
    access: str = "read-write"
    reset: str = "0x0"
    size: int = 32


@dataclass(frozen=True)
class Block:
    """An address block."""

    interface: str
    registers: Sequence[Register] = ()
    name: str = "Reg"
    range: int = 4096
    usage: str = "register"
    access: str = "read-write"


@dataclass
class Range:
    """A line of an address map."""

    slave: str
    slave_bus: str
    master_bus: str
    block: str
    base: int
    high: int
    kind: str
    basename: str


@dataclass
class Cell:
    """An instance of an IP. ``path`` has no leading slash."""

    path: str
    vlnv: str  # "": none, as Vivado gives a block container none
    attributes: dict[str, str]
    pins: list[Pin]
    buses: list[Bus]
    parameters: dict[str, str]
    blocks: list[Block] = field(default_factory=list)
    document: str = ""
    ranges: list[Range] = field(default_factory=list)
    clock: str = ""  # CLK_DOMAIN of its AXI interfaces

    @property
    def instance(self) -> str:
        """The name that the file uses in connections: the path with ``_`` instead of ``/``."""
        return self.path.replace("/", "_")

    def pin(self, name: str) -> Pin:
        """The pin of that name."""
        for pin in self.pins:
            if pin.name == name:
                return pin
        raise KeyError(f"{self.path} has no pin {name!r}; it has {[pin.name for pin in self.pins]}")

    def bus(self, name: str) -> Bus:
        """The bus interface of that name."""
        for bus in self.buses:
            if bus.name == name:
                return bus
        raise KeyError(f"{self.path} has no interface {name!r}; it has {[bus.name for bus in self.buses]}")


# Logical name, driven by the master?, width (a number, a key of `widths`, or None for one wire).
_WRITE: list[tuple[str, bool, int | str | None]] = [
    ("AWID", True, "id"),
    ("AWADDR", True, "addr"),
    ("AWLEN", True, "len"),
    ("AWSIZE", True, 3),
    ("AWBURST", True, 2),
    ("AWLOCK", True, "lock"),
    ("AWCACHE", True, 4),
    ("AWPROT", True, 3),
    ("AWQOS", True, 4),
    ("AWVALID", True, None),
    ("AWREADY", False, None),
    ("WID", True, "wid"),
    ("WDATA", True, "data"),
    ("WSTRB", True, "strb"),
    ("WLAST", True, None),
    ("WVALID", True, None),
    ("WREADY", False, None),
    ("BID", False, "id"),
    ("BRESP", False, 2),
    ("BVALID", False, None),
    ("BREADY", True, None),
]
_READ: list[tuple[str, bool, int | str | None]] = [
    ("ARID", True, "id"),
    ("ARADDR", True, "addr"),
    ("ARLEN", True, "len"),
    ("ARSIZE", True, 3),
    ("ARBURST", True, 2),
    ("ARLOCK", True, "lock"),
    ("ARCACHE", True, 4),
    ("ARPROT", True, 3),
    ("ARQOS", True, 4),
    ("ARVALID", True, None),
    ("ARREADY", False, None),
    ("RID", False, "id"),
    ("RDATA", False, "data"),
    ("RRESP", False, 2),
    ("RLAST", False, None),
    ("RVALID", False, None),
    ("RREADY", True, None),
]
_NOT_IN_LITE = {
    "AWID",
    "AWLEN",
    "AWSIZE",
    "AWBURST",
    "AWLOCK",
    "AWCACHE",
    "AWPROT",
    "AWQOS",
    "WID",
    "WLAST",
    "BID",
    "ARID",
    "ARLEN",
    "ARSIZE",
    "ARBURST",
    "ARLOCK",
    "ARCACHE",
    "ARPROT",
    "ARQOS",
    "RID",
    "RLAST",
}


def axi(
    name: str,
    role: str,
    *,
    prefix: str,
    protocol: str,
    data: int,
    addr: int,
    frequency: int,
    domain: str,
    ids: int = 0,
    read: bool = True,
    write: bool = True,
    upper: bool = False,
    omit: Iterable[str] = (),
    outstanding: int = 2,
    threads: int = 1,
    burst: int | None = None,
) -> tuple[list[Pin], Bus]:
    """The pins and the bus of an AXI3, AXI4 or AXI4LITE interface."""
    lite = protocol == "AXI4LITE"
    widths: dict[str, int | None] = {
        "id": ids or None,
        "addr": addr,
        "len": 4 if protocol == "AXI3" else 8,
        "lock": 2 if protocol == "AXI3" else 1,
        "wid": ids if protocol == "AXI3" else None,
        "data": data,
        "strb": data // 8,
    }
    skip = set(omit) | (_NOT_IN_LITE if lite else set())
    if not ids:
        skip |= {"AWID", "ARID", "BID", "RID"}
    if protocol != "AXI3":
        skip.add("WID")
    master = role == "MASTER"
    pins, ports = [], {}
    for logical, from_master, width in (_WRITE if write else []) + (_READ if read else []):
        if logical in skip:
            continue
        pin = prefix + (logical if upper else logical.lower())
        bits = widths[width] if isinstance(width, str) else width
        pins.append(vector(pin, "O" if from_master == master else "I", bits))
        ports[logical] = pin

    def has(*logical: str) -> str:
        return "1" if any(one in ports for one in logical) else "0"

    parameters = {
        "DATA_WIDTH": str(data),
        "PROTOCOL": protocol,
        "FREQ_HZ": str(frequency),
        "ID_WIDTH": str(ids),
        "ADDR_WIDTH": str(addr),
        "AWUSER_WIDTH": "0",
        "ARUSER_WIDTH": "0",
        "WUSER_WIDTH": "0",
        "RUSER_WIDTH": "0",
        "BUSER_WIDTH": "0",
        "READ_WRITE_MODE": "READ_WRITE" if read and write else "READ_ONLY" if read else "WRITE_ONLY",
        "HAS_BURST": "0" if lite else has("AWBURST", "ARBURST"),
        "HAS_LOCK": has("AWLOCK", "ARLOCK"),
        "HAS_PROT": has("AWPROT", "ARPROT"),
        "HAS_CACHE": has("AWCACHE", "ARCACHE"),
        "HAS_QOS": has("AWQOS", "ARQOS"),
        "HAS_REGION": "0",
        "HAS_WSTRB": has("WSTRB"),
        "HAS_BRESP": has("BRESP"),
        "HAS_RRESP": has("RRESP"),
        "SUPPORTS_NARROW_BURST": "0",
        "NUM_READ_OUTSTANDING": str(outstanding),
        "NUM_WRITE_OUTSTANDING": str(outstanding),
        "MAX_BURST_LENGTH": str(burst or (1 if lite else 16)),
        "PHASE": "0.0",
        "CLK_DOMAIN": domain,
        "NUM_READ_THREADS": str(threads),
        "NUM_WRITE_THREADS": str(threads),
        "RUSER_BITS_PER_BYTE": "0",
        "WUSER_BITS_PER_BYTE": "0",
        "INSERT_VIP": "0",
    }
    return pins, Bus(name, role, AXI_MM, ports, parameters, data)


def axis(
    name: str, role: str, *, prefix: str, nbytes: int, frequency: int, domain: str, user: int = 0
) -> tuple[list[Pin], Bus]:
    """The pins and the bus of an AXI4-Stream interface with TKEEP and TLAST."""
    out, back = ("O", "I") if role == "INITIATOR" else ("I", "O")
    pins = [
        vector(f"{prefix}tdata", out, 8 * nbytes),
        vector(f"{prefix}tkeep", out, nbytes),
        vector(f"{prefix}tlast", out, None),
        vector(f"{prefix}tvalid", out, None),
        vector(f"{prefix}tready", back, None),
    ]
    ports = {
        logical: f"{prefix}{logical.lower()}" for logical in ("TDATA", "TKEEP", "TLAST", "TREADY", "TVALID")
    }
    if user:
        pins.insert(3, vector(f"{prefix}tuser", out, user))
        ports["TUSER"] = f"{prefix}tuser"
    parameters = {
        "TDATA_NUM_BYTES": str(nbytes),
        "TDEST_WIDTH": "0",
        "TID_WIDTH": "0",
        "TUSER_WIDTH": str(user),
        "HAS_TREADY": "1",
        "HAS_TSTRB": "0",
        "HAS_TKEEP": "1",
        "HAS_TLAST": "1",
        "FREQ_HZ": str(frequency),
        "PHASE": "0.0",
        "CLK_DOMAIN": domain,
        "LAYERED_METADATA": "undef",
        "INSERT_VIP": "0",
    }
    return pins, Bus(name, role, AXI_STREAM, ports, parameters)


class BlockDesign:
    """A block design. Cells are added, then joined, then written."""

    def __init__(self, name: str, system: dict[str, str], *, vivado: str, timestamp: str) -> None:
        self.name = name
        self.system = system
        self.vivado = vivado
        self.timestamp = timestamp
        self.cells: dict[str, Cell] = {}
        self.external_pins: list[Pin] = []
        self.external_buses: list[Bus] = []

    def add(self, cell: Cell) -> Cell:
        """Add a cell and return it."""
        if cell.path in self.cells:
            raise ValueError(f"two cells at {cell.path}")
        self.cells[cell.path] = cell
        return cell

    # -- joining ----
    def wire(self, driver: str, *sinks: str) -> None:
        """Join pins, given as ``cell/pin``. May be called again for more sinks of the same driver."""
        source_cell, source = self._pin(driver)
        source.signal = source.signal or f"{source_cell.instance}_{source.name}"
        for one in sinks:
            sink_cell, sink = self._pin(one)
            if sink.peers:
                raise ValueError(f"{one} has two drivers: {sink.peers} and {driver}")
            sink.signal = source.signal
            sink.peers.append((source_cell.instance, source.name))
            source.peers.append((sink_cell.instance, sink.name))
            if sink.kind == "clk":
                sink.frequency = source.frequency

    def connect(self, master: Cell, master_bus: str, slave: Cell, slave_bus: str) -> None:
        """Join two bus interfaces, signal by signal, where both sides have it."""
        out, into = master.bus(master_bus), slave.bus(slave_bus)
        if out.role not in ("MASTER", "INITIATOR") or into.role not in ("SLAVE", "TARGET"):
            raise ValueError(
                f"{master.path}/{master_bus} -> {slave.path}/{slave_bus}: {out.role} -> {into.role}"
            )
        out.net = into.net = f"{master.instance}_{out.name}"
        # As in Vivado's files the nets of a bus are named after the IP, not after the interconnect.
        owner, other, bus, peer = (
            (slave, master, into, out) if _is_interconnect(master) else (master, slave, out, into)
        )
        for logical, name in bus.ports.items():
            if logical not in peer.ports:
                continue
            near, far = owner.pin(name), other.pin(peer.ports[logical])
            near.signal = far.signal = f"{owner.instance}_{name}"
            near.peers.append((other.instance, far.name))
            far.peers.append((owner.instance, near.name))

    def external(self, cell: Cell, bus: str, name: str, pins: dict[str, str]) -> None:
        """Take a bus interface of a cell to the board; ``pins``: logical name to name of the port."""
        inner = cell.bus(bus)
        inner.net = f"{cell.instance}_{bus}"
        ports = {}
        for logical, pin in inner.ports.items():
            near = cell.pin(pin)
            near.signal = f"{cell.instance}_{pin}"
            near.peers.append((f"{self.name}_imp", pins[logical]))
            outer = Pin(
                pins[logical],
                near.direction,
                near.left,
                near.right,
                near.kind,
                near.polarity,
                signal=near.signal,
            )
            outer.frequency = near.frequency
            outer.peers.append((cell.instance, pin))
            self.external_pins.append(outer)
            ports[logical] = pins[logical]
        self.external_buses.append(
            Bus(name, "INITIATOR", "", ports, dict(inner.parameters), inner.data_width, inner.net)
        )

    def boundary(self, cell: Cell, bus: str, role: str) -> None:
        """Take a bus interface of a cell to the edge of a design for a region, by its own name.

        ``role`` is that of the region: SLAVE for what it answers or takes.
        """
        inner = cell.bus(bus)
        self.external(cell, bus, bus, dict(inner.ports))
        self.external_buses[-1].role = role

    def boundary_pin(self, cell: Cell, name: str) -> None:
        """Take a pin of a cell to the edge of a design for a region, by its own name."""
        pin = cell.pin(name)
        pin.signal = f"{cell.instance}_{name}"
        pin.peers.append(("External_Ports", name))
        outer = Pin(name, pin.direction, pin.left, pin.right, pin.kind, pin.polarity, pin.sensitivity)
        outer.signal = pin.signal
        outer.peers.append((cell.instance, name))
        self.external_pins.append(outer)

    def map_boundary(self, bus: str, slave: Cell, slave_bus: str, base: int, size: int) -> None:
        """Say what a bus interface on the edge leads to."""
        outer = next(one for one in self.external_buses if one.name == bus)
        high = base + size - 1
        outer.ranges.append(
            Range(slave.instance, slave_bus, bus, "Reg", base, high, "REGISTER", "C_BASEADDR")
        )

    def map(
        self,
        master: Cell,
        master_bus: str,
        slave: Cell,
        slave_bus: str,
        base: int,
        size: int,
        *,
        block: str = "Reg",
        kind: str = "REGISTER",
        basename: str = "C_BASEADDR",
    ) -> None:
        """Put a range into a master's address map."""
        slave.bus(slave_bus)
        master.bus(master_bus)
        high = base + size - 1
        for other in master.ranges:
            if other.master_bus == master_bus and base <= other.high and other.base <= high:
                raise ValueError(f"{slave.path} at {base:#x} overlaps {other.slave} at {other.base:#x}")
        master.ranges.append(Range(slave.instance, slave_bus, master_bus, block, base, high, kind, basename))
        if basename not in slave.parameters:
            slave.parameters[basename] = _hex(base)
            slave.parameters[basename.replace("BASEADDR", "HIGHADDR")] = _hex(high)

    def _pin(self, name: str) -> tuple[Cell, Pin]:
        path, _, pin = name.rpartition("/")
        return self.cells[path], self.cells[path].pin(pin)

    # -- writing ----
    def to_xml(self) -> str:
        """The text of the hand-off file, without the byte order mark that belongs in front of it."""
        out = ['<?xml version="1.0" encoding="UTF-8" standalone="no" ?>']
        out.append(
            "<!-- Written by examples/tools in Vivado's format; no tool of the vendor was involved. -->"
        )
        out.append(
            f'<EDKSYSTEM EDWVERSION="1.2" TIMESTAMP={quoteattr(self.timestamp)}'
            f" VIVADOVERSION={quoteattr(self.vivado)}>"
        )
        out += ["", f"  <SYSTEMINFO{_attributes({**self.system, 'NAME': self.name})}/>", ""]
        self._section(
            out, "EXTERNALPORTS", [line for pin in self.external_pins for line in _pin_lines(pin, 4)]
        )
        out.append("")
        buses = [line for bus in self.external_buses for line in _bus_lines(bus, 4)]
        self._section(out, "EXTERNALINTERFACES", buses)
        out.append("")
        modules = [line for path in sorted(self.cells) for line in self._module(self.cells[path])]
        self._section(out, "MODULES", modules)
        out += ["", "</EDKSYSTEM>", ""]
        return "\n".join(out)

    @staticmethod
    def _section(out: list[str], name: str, lines: list[str], indent: int = 2) -> None:
        pad = " " * indent
        if lines:
            out += [f"{pad}<{name}>", *lines, f"{pad}</{name}>"]
        else:
            out.append(f"{pad}<{name}/>")

    def _module(self, cell: Cell) -> list[str]:
        attributes = {
            "FULLNAME": f"/{cell.path}",
            "INSTANCE": cell.instance,
            "IS_ENABLE": "1",
            **cell.attributes,
        }
        if cell.vlnv:
            version, name = cell.vlnv.rpartition(":")[2], cell.vlnv.split(":")[2]
            attributes = {"HWVERSION": version, "MODTYPE": name, "VLNV": cell.vlnv, **attributes}
        out = [f"    <MODULE{_attributes(attributes)}>"]
        documents = [f"        <DOCUMENT SOURCE={quoteattr(cell.document)}/>"] if cell.document else []
        self._section(out, "DOCUMENTS", documents, 6)
        if cell.blocks:
            lines = [line for block in cell.blocks for line in _block_lines(block)]
            self._section(out, "ADDRESSBLOCKS", lines, 6)
        lines = [_named("PARAMETER", name, value, 8) for name, value in cell.parameters.items()]
        self._section(out, "PARAMETERS", lines, 6)
        self._section(out, "PORTS", [line for pin in cell.pins for line in _pin_lines(pin, 8)], 6)
        self._section(out, "BUSINTERFACES", [line for bus in cell.buses for line in _bus_lines(bus, 8)], 6)
        if cell.ranges:
            self._section(out, "MEMORYMAP", [_range_line(one) for one in cell.ranges], 6)
            slaves = dict.fromkeys(one.slave for one in cell.ranges)
            self._section(
                out, "PERIPHERALS", [f'        <PERIPHERAL INSTANCE="{slave}"/>' for slave in slaves], 6
            )
        out.append("    </MODULE>")
        return out


def _is_interconnect(cell: Cell) -> bool:
    return cell.attributes.get("MODCLASS") == "BUS" and "connect" in cell.vlnv


def _attributes(values: dict[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in sorted(values.items()))


def _named(element: str, name: str, value: str, indent: int) -> str:
    return f"{' ' * indent}<{element} NAME={quoteattr(name)} VALUE={quoteattr(value)}/>"


def _hex(value: int) -> str:
    return f"0x{value:08X}"


def _pin_lines(pin: Pin, indent: int) -> list[str]:
    values = {"DIR": pin.direction, "NAME": pin.name, "SIGIS": pin.kind}
    if pin.left is not None and pin.right is not None:
        values |= {"LEFT": str(pin.left), "RIGHT": str(pin.right)}
    if pin.polarity:
        values["POLARITY"] = pin.polarity
    if pin.sensitivity:
        values["SENSITIVITY"] = pin.sensitivity
    if pin.frequency is not None and pin.show_frequency:
        values["CLKFREQUENCY"] = str(pin.frequency)
    if pin.signal:
        values["SIGNAME"] = pin.signal
    pad = " " * indent
    if not pin.peers:
        return [f"{pad}<PORT{_attributes(values)}/>"]
    peers = [f'{pad}    <CONNECTION INSTANCE="{cell}" PORT="{port}"/>' for cell, port in pin.peers]
    return [
        f"{pad}<PORT{_attributes(values)}>",
        f"{pad}  <CONNECTIONS>",
        *peers,
        f"{pad}  </CONNECTIONS>",
        f"{pad}</PORT>",
    ]


def _bus_lines(bus: Bus, indent: int) -> list[str]:
    values = {"BUSNAME": bus.net, "NAME": bus.name, "TYPE": bus.role}
    if bus.vlnv:  # interfaces of the design itself have none in Vivado's files
        values["VLNV"] = bus.vlnv
    if bus.data_width is not None:
        values["DATAWIDTH"] = str(bus.data_width)
    pad = " " * indent
    maps = [f'{pad}    <PORTMAP LOGICAL="{logical}" PHYSICAL="{pin}"/>' for logical, pin in bus.ports.items()]
    return [
        f"{pad}<BUSINTERFACE{_attributes(values)}>",
        *(_named("PARAMETER", name, value, indent + 2) for name, value in bus.parameters.items()),
        f"{pad}  <PORTMAPS>",
        *maps,
        f"{pad}  </PORTMAPS>",
        *(
            [f"{pad}  <MEMORYMAP>", *map(_range_line, bus.ranges), f"{pad}  </MEMORYMAP>"]
            if bus.ranges
            else []
        ),
        f"{pad}</BUSINTERFACE>",
    ]


def _block_lines(block: Block) -> list[str]:
    values = {
        "ACCESS": block.access,
        "INTERFACE": block.interface,
        "NAME": block.name,
        "RANGE": str(block.range),
        "USAGE": block.usage,
    }
    out = [f"        <ADDRESSBLOCK{_attributes(values)}>"]
    if block.registers:
        lines = [line for register in block.registers for line in _register_lines(register)]
        out += ["          <REGISTERS>", *lines, "          </REGISTERS>"]
    else:
        out.append("          <REGISTERS/>")
    out.append("        </ADDRESSBLOCK>")
    return out


def _register_lines(register: Register) -> list[str]:
    out = [f"            <REGISTER NAME={quoteattr(register.name)}>"]
    for name, value in (
        ("DESCRIPTION", register.description),
        ("ADDRESS_OFFSET", register.address),
        ("SIZE", str(register.size)),
        ("ACCESS", register.access),
        ("IS_ENABLED", "true"),
        ("RESET_VALUE", register.reset),
    ):
        out.append(_named("PROPERTY", name, value, 14))
    if not register.fields:
        return [*out, "              <FIELDS/>", "            </REGISTER>"]
    out.append("              <FIELDS>")
    for one in register.fields:
        out.append(f"                <FIELD NAME={quoteattr(one.name)}>")
        for name, value in (
            ("DESCRIPTION", one.description),
            ("ADDRESS_OFFSET", str(one.offset)),
            ("ACCESS", one.access),
            ("MODIFIED_READ_VALUES", one.modified_write),
            ("WRITE_CONSTRAINT", "0"),
            ("READ_ACTION", one.read_action),
            ("BIT_OFFSET", str(one.offset)),
            ("BIT_WIDTH", str(one.width)),
        ):
            out.append(_named("PROPERTY", name, value, 18))
        out.append("                </FIELD>")
    return [*out, "              </FIELDS>", "            </REGISTER>"]


def _range_line(one: Range) -> str:
    values = {
        "ADDRESSBLOCK": one.block,
        "BASENAME": one.basename,
        "BASEVALUE": _hex(one.base),
        "HIGHNAME": one.basename.replace("BASEADDR", "HIGHADDR"),
        "HIGHVALUE": _hex(one.high),
        "INSTANCE": one.slave,
        "IS_DATA": "TRUE",
        "IS_INSTRUCTION": "TRUE",
        "MASTERBUSINTERFACE": one.master_bus,
        "MEMTYPE": one.kind,
        "SLAVEBUSINTERFACE": one.slave_bus,
    }
    return f"        <MEMRANGE{_attributes(values)}/>"
