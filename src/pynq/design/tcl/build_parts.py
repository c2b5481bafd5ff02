"""Cells, pins and interfaces while they are being put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pynq.design.kinds import kind_of, protocol_of
from pynq.design.model import BusInterface, Cell, Endpoint, MemoryRange, Port, SourceRef, Vlnv
from pynq.design.tcl.catalogue import IpType, bus_parameters
from pynq.design.tcl.catalogue_rules import PASSING
from pynq.design.tcl.netlist import Cell as ScriptCell

__all__ = ["MAX_WIDTH", "Draft", "Face", "Wire", "bus_of", "opposite"]

_OPPOSITE = {
    "MASTER": "SLAVE",
    "SLAVE": "MASTER",
    "INITIATOR": "TARGET",
    "TARGET": "INITIATOR",
}
MAX_WIDTH = 1 << 16
"""Widest port, in bits; parameters of a script may say anything."""
FAR = {"I": "O", "O": "I", "IO": "IO", "": ""}


def opposite(role: str) -> str:
    """Return the role at the other end of a bus."""
    return _OPPOSITE.get(role, "")


def bus_of(vlnv: str) -> str:
    """The type of a bus as hand-off files have it: scripts name its RTL abstraction, ``aximm_rtl``."""
    parts = vlnv.split(":")
    if len(parts) == 4:
        parts[2] = parts[2].removesuffix("_rtl")
    return ":".join(parts)


def vlnv_of(text: str) -> Vlnv | None:
    parts = text.split(":")
    return Vlnv(*parts) if len(parts) == 4 else None


@dataclass(slots=True)
class Wire:
    """A pin of a cell, or a port of the design. ``direction`` is "" and ``sized`` false until known."""

    cell: str
    name: str
    direction: str = ""
    kind: str = "undef"
    left: int | None = None
    right: int | None = None
    sized: bool = False
    sensitivity: str = ""
    polarity: str = ""
    frequency: int | None = None
    signal: str = ""
    line: int = 0
    usual: tuple[int | None, int | None] = (None, None)
    peers: list[Wire] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Number of bits, 1 while it is not known."""
        return 1 if self.left is None or self.right is None else abs(self.left - self.right) + 1

    def resize(self, bits: int) -> None:
        """Take a width, of :data:`MAX_WIDTH` at most; a single wire stays one."""
        bits = min(bits, MAX_WIDTH)
        if bits > 1 or self.left is not None:
            self.left, self.right = bits - 1, 0
        self.sized = True

    @property
    def drives(self) -> bool:
        """Whether it gives the wire its value: an output, or an input of the design."""
        return self.direction == ("O" if self.cell else "I")

    def finish(self) -> Port:
        """Return the port of the model."""
        return Port(
            self.name,
            self.direction or "I",
            self.left,
            self.right,
            self.kind,
            self.signal,
            self.polarity,
            self.sensitivity,
            self.frequency,
            tuple(Endpoint(peer.cell, peer.name) for peer in self.peers),
            self.line,
        )


@dataclass(slots=True)
class Face:
    """An interface of a cell, or of the design. ``known``: the catalogue has it."""

    cell: str
    name: str
    role: str = ""
    vlnv: str = ""
    protocol: str = ""
    net: str = ""
    known: bool = False
    ports: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    line: int = 0

    @property
    def bus(self) -> str:
        """The bus's name: "aximm", "axis", "gpio", ..."""
        parts = self.vlnv.split(":")
        return parts[2] if len(parts) == 4 else ""

    @property
    def sends(self) -> bool:
        """Whether it is the end that begins transfers."""
        return self.role in ("MASTER", "INITIATOR")

    def finish(self, file: str, wires: Mapping[str, Wire]) -> BusInterface:
        """Return the interface of the model; its widths are those of its wires."""
        ports = {logical: port for logical, port in self.ports.items() if port in wires}
        parameters = {**bus_parameters(self.vlnv), **self.parameters}
        role = self.role or "MONITOR"
        width: int | None = None
        if self.bus == "aximm":
            for logical in ("WDATA", "RDATA"):
                if logical in ports:
                    width = wires[ports[logical]].width
                    parameters["DATA_WIDTH"] = str(width)
                    break
            for logical in ("AWADDR", "ARADDR"):
                if logical in ports:
                    parameters["ADDR_WIDTH"] = str(wires[ports[logical]].width)
            if self.protocol:
                parameters["PROTOCOL"] = self.protocol
        elif self.bus == "axis":
            if "TDATA" in ports and "TDATA_NUM_BYTES" not in parameters:
                parameters["TDATA_NUM_BYTES"] = str(max(1, wires[ports["TDATA"]].width // 8))
            count = parameters.get("TDATA_NUM_BYTES", "")
            width = 8 * int(count) if count.isdecimal() and len(count) < 6 else None
            for flag in ("TREADY", "TKEEP", "TLAST", "TSTRB"):
                parameters[f"HAS_{flag}"] = str(int(flag in ports))
        vlnv = vlnv_of(self.vlnv) if self.cell else None  # those of the design have none in hand-off files
        return BusInterface(
            name=self.name,
            role=role,
            net=self.net,
            vlnv=vlnv,
            protocol=protocol_of(vlnv, parameters, ports),
            data_width=width,
            parameters=MappingProxyType(parameters),
            port_map=MappingProxyType(ports),
            source=SourceRef(file, self.line),
        )


@dataclass
class Draft:
    """A cell: what the script has of it, what the catalogue knows, and what was found out."""

    script: ScriptCell
    vlnv: Vlnv | None
    known: IpType | None
    parameters: dict[str, str]
    given: frozenset[str]  # parameters of the script, in lower case
    wires: dict[str, Wire] = field(default_factory=dict)
    faces: dict[str, Face] = field(default_factory=dict)
    ranges: list[MemoryRange] = field(default_factory=list)
    reached: bool | None = None  # by a master: as memory, as registers, not at all
    wires_known: bool = False  # whether the streams that enter it have told their width
    guessed: dict[str, None] = field(default_factory=dict)  # what the catalogue does not have

    @property
    def path(self) -> str:
        """Where it is."""
        return self.script.path

    @property
    def short(self) -> str:
        """The type's name without vendor, library and version."""
        return self.vlnv.name if self.vlnv else self.script.type

    def face(self, name: str) -> Face | None:
        """Return the interface of a name in whatever case."""
        found = self.faces.get(name)
        if found is None:
            lower = name.lower()
            found = next((face for face in self.faces.values() if face.name.lower() == lower), None)
        return found

    def finish(self, file: str, release: str) -> Cell:
        """Return the cell of the model."""
        source = SourceRef(file, self.script.line)
        attributes = {"FULLNAME": f"/{self.path}", "INSTANCE": self.path.replace("/", "_"), "IS_ENABLE": "1"}
        if self.script.kind == "container":
            attributes.update(BDTYPE="BLOCK_CONTAINER", MODTYPE=self.script.type)
        else:
            attributes.update(IPTYPE="PERIPHERAL", MODCLASS="PERIPHERAL", MODTYPE=self.short)
            attributes.update(
                self.known.attributes_of(self.vlnv.version if self.vlnv else "") if self.known else {}
            )
            attributes["MODTYPE"] = self.short
            if self.known is None and self.short in PASSING:
                attributes.update(IPTYPE="BUS", MODCLASS="BUS")
            if self.known is None and self.guessed:
                attributes["GUESSED"] = "ports"  # for who compares them with RTL
        if self.vlnv is not None:
            attributes.update(VLNV=str(self.vlnv), HWVERSION=self.vlnv.version)
        return Cell(
            path=self.path,
            vlnv=self.vlnv,
            module_type=attributes["MODTYPE"],
            kind=kind_of(attributes, self.vlnv, self.reached),
            parameters=MappingProxyType(self.parameters),
            ports=MappingProxyType({name: wire.finish() for name, wire in self.wires.items()}),
            interfaces=MappingProxyType(
                {name: face.finish(file, self.wires) for name, face in self.faces.items()}
            ),
            blocks=self.known.blocks(source, release, self.parameters) if self.known else (),
            ranges=tuple(self.ranges),
            source=source,
            attributes=MappingProxyType(attributes),
        )
