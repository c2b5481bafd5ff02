"""Writes hand-off files in the format of Vivado, from short descriptions, for the tests of the reader.

Ports name the net they are on; the connections of the file are worked out from that, as Vivado does: a port
that drives its net lists the others, and those list the driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

BOM = b"\xef\xbb\xbf"


class P(NamedTuple):
    """A port. ``msb`` is None for a single wire."""

    name: str
    direction: str
    net: str = ""
    msb: int | None = None
    kind: str = "undef"
    extra: Mapping[str, str] = {}


class R(NamedTuple):
    """A MEMRANGE."""

    slave: str
    base: int
    size: int
    interface: str = "S_AXI"
    master: str = "M_AXI_GP0"
    block: str = "Reg"
    kind: str = "REGISTER"


class F(NamedTuple):
    """A field of a register."""

    name: str
    offset: int
    width: int
    access: str = "read-write"
    description: str = ""


class Reg(NamedTuple):
    """A register."""

    name: str
    offset: int
    size: int = 32
    access: str = "read-write"
    reset: str = "0x0"
    description: str = ""
    fields: tuple[F, ...] = ()


class B(NamedTuple):
    """An ADDRESSBLOCK."""

    interface: str
    registers: tuple[Reg, ...] = ()
    name: str = "Reg"
    usage: str = "register"
    range: str = "4096"


class I(NamedTuple):  # noqa: E742 (short on purpose, as its sisters)
    """A BUSINTERFACE."""

    name: str
    role: str
    net: str = "__NOC__"
    vlnv: str | None = "xilinx.com:interface:aximm:1.0"
    parameters: Mapping[str, str] = {}
    port_map: Mapping[str, str] = {}
    ranges: tuple[R, ...] = ()


@dataclass
class M:
    """A MODULE."""

    path: str
    vlnv: str | None = "xilinx.com:ip:axi_gpio:2.0"
    ports: list[P] = field(default_factory=list)
    interfaces: list[I] = field(default_factory=list)
    ranges: list[R] = field(default_factory=list)
    blocks: list[B] = field(default_factory=list)
    parameters: dict[str, str | None] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        return self.path.replace("/", "_")


def element(
    tag: str, attributes: Mapping[str, str | None], children: Iterable[str] = (), indent: int = 0
) -> str:
    """One element; attributes that are None are left out, as Vivado does with empty values."""
    pad = "  " * indent
    text = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items() if value is not None)
    inner = "\n".join(children)
    return f"{pad}<{tag}{text}>\n{inner}\n{pad}</{tag}>" if inner else f"{pad}<{tag}{text}/>"


def document(
    modules: Iterable[M] = (),
    ports: Iterable[P] = (),
    interfaces: Iterable[I] = (),
    *,
    name: str = "small",
    architecture: str = "zynq",
    version: str = "2023.2",
    system: str = "SYSTEMINFO",
) -> bytes:
    """A whole file."""
    modules, ports, interfaces = list(modules), list(ports), list(interfaces)
    nets: dict[str, list[tuple[str, str, bool]]] = {}  # (instance, port, whether it drives the net)
    for port in ports:
        nets.setdefault(port.net, []).append(("External_Ports", port.name, port.direction == "I"))
    for cell in modules:
        for port in cell.ports:
            nets.setdefault(port.net, []).append((cell.instance, port.name, port.direction == "O"))

    def connected(owner: str, port: P) -> list[str]:
        ends = nets[port.net] if port.net else []
        drives = any(end == (owner, port.name, True) for end in ends)
        others = [(at, pin) for at, pin, driver in ends if driver != drives]
        if not others:
            return []
        lines = [
            element(
                "CONNECTION",
                {"INSTANCE": f"{name}_imp" if at == "External_Ports" else at, "PORT": pin},
                (),
                6,
            )
            for at, pin in others
        ]
        return [element("CONNECTIONS", {}, lines, 5)]

    def port_element(owner: str, port: P) -> str:
        bounds = {"LEFT": str(port.msb), "RIGHT": "0"} if port.msb is not None else {}
        attributes = {"DIR": port.direction, **bounds, "NAME": port.name, "SIGIS": port.kind}
        if port.net:
            attributes["SIGNAME"] = port.net
        return element("PORT", {**attributes, **port.extra}, connected(owner, port), 4)

    def range_element(entry: R) -> str:
        return element(
            "MEMRANGE",
            {
                "ADDRESSBLOCK": entry.block,
                "BASENAME": "C_BASEADDR",
                "BASEVALUE": f"0x{entry.base:08X}",
                "HIGHNAME": "C_HIGHADDR",
                "HIGHVALUE": f"0x{entry.base + entry.size - 1:08X}",
                "INSTANCE": entry.slave.replace("/", "_"),
                "IS_DATA": "TRUE",
                "IS_INSTRUCTION": "TRUE",
                "MASTERBUSINTERFACE": entry.master or None,
                "MEMTYPE": entry.kind,
                "SLAVEBUSINTERFACE": entry.interface,
            },
            (),
            4,
        )

    def interface_element(interface: I) -> str:
        children = [
            element("PARAMETER", {"NAME": key, "VALUE": value}, (), 5)
            for key, value in interface.parameters.items()
        ]
        maps = [
            element("PORTMAP", {"LOGICAL": logical, "PHYSICAL": physical}, (), 6)
            for logical, physical in interface.port_map.items()
        ]
        children.append(element("PORTMAPS", {}, maps, 5))
        if interface.ranges:
            children.append(element("MEMORYMAP", {}, map(range_element, interface.ranges), 5))
        attributes = {"BUSNAME": interface.net, "NAME": interface.name, "TYPE": interface.role}
        return element("BUSINTERFACE", {**attributes, "VLNV": interface.vlnv}, children, 4)

    def properties(values: Mapping[str, str]) -> list[str]:
        return [element("PROPERTY", {"NAME": key, "VALUE": value}, (), 8) for key, value in values.items()]

    def field_element(entry: F) -> str:
        values = {
            "DESCRIPTION": entry.description,
            "ADDRESS_OFFSET": "0",
            "ACCESS": entry.access,
            "BIT_OFFSET": str(entry.offset),
            "BIT_WIDTH": str(entry.width),
            "MODIFIED_READ_VALUES": "",
            "WRITE_CONSTRAINT": "0",
            "READ_ACTION": "",
        }
        return element("FIELD", {"NAME": entry.name}, properties(values), 7)

    def register_element(register: Reg) -> str:
        values = {
            "DESCRIPTION": register.description,
            "ADDRESS_OFFSET": f"0x{register.offset:02X}",
            "SIZE": str(register.size),
            "ACCESS": register.access,
            "IS_ENABLED": "true",
            "RESET_VALUE": register.reset,
        }
        children = properties(values)
        if register.fields:
            children.append(element("FIELDS", {}, map(field_element, register.fields), 6))
        return element("REGISTER", {"NAME": register.name}, children, 5)

    def block_element(block: B) -> str:
        attributes = {
            "ACCESS": "read-write",
            "INTERFACE": block.interface,
            "NAME": block.name,
            "RANGE": block.range,
            "USAGE": block.usage,
        }
        registers = (
            [element("REGISTERS", {}, map(register_element, block.registers), 5)] if block.registers else []
        )
        return element("ADDRESSBLOCK", attributes, registers, 4)

    def module_element(cell: M) -> str:
        vlnv = cell.vlnv.split(":") if cell.vlnv else None
        attributes: dict[str, str | None] = {
            "COREREVISION": "1",
            "FULLNAME": f"/{cell.path}",
            "HWVERSION": vlnv[3] if vlnv else None,
            "INSTANCE": cell.instance,
            "IPTYPE": "PERIPHERAL",
            "IS_ENABLE": "1",
            "MODCLASS": "PERIPHERAL",
            "MODTYPE": vlnv[2] if vlnv else None,
            "VLNV": cell.vlnv,
            **cell.attributes,
        }
        parts = []
        if cell.blocks:
            parts.append(element("ADDRESSBLOCKS", {}, map(block_element, cell.blocks), 3))
        parameters = [
            element("PARAMETER", {"NAME": k, "VALUE": v}, (), 4) for k, v in cell.parameters.items()
        ]
        parts.append(element("PARAMETERS", {}, parameters, 3))
        parts.append(element("PORTS", {}, [port_element(cell.instance, port) for port in cell.ports], 3))
        parts.append(element("BUSINTERFACES", {}, map(interface_element, cell.interfaces), 3))
        if cell.ranges:
            parts.append(element("MEMORYMAP", {}, map(range_element, cell.ranges), 3))
        return element("MODULE", attributes, parts, 2)

    body = [
        element(
            system,
            {
                "ARCH": architecture,
                "DEVICE": "7z020",
                "NAME": name,
                "PACKAGE": "clg400",
                "SPEEDGRADE": "-1",
            },
            (),
            1,
        ),
        element("EXTERNALPORTS", {}, [port_element("External_Ports", port) for port in ports], 1),
        element("EXTERNALINTERFACES", {}, map(interface_element, interfaces), 1),
        element("MODULES", {}, map(module_element, modules), 1),
    ]
    root = {"EDWVERSION": "1.2", "TIMESTAMP": "Thu May 16 16:32:17 2019", "VIVADOVERSION": version}
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n' + element("EDKSYSTEM", root, body) + "\n"
    )
    return BOM + text.encode()


def zynq(path: str = "ps7", **changes: object) -> M:
    """A Zynq-7000 PS; ``ports``, ``ranges`` and ``parameters`` as for :class:`M`."""
    cell = M(path, "xilinx.com:ip:processing_system7:5.5", attributes={"IPTYPE": "PERIPHERAL"})
    cell.parameters = {"PCW_DDR_RAM_HIGHADDR": "0x1FFFFFFF"}
    return _changed(cell, changes)


def zynqmp(path: str = "ps_e", **changes: object) -> M:
    """A Zynq UltraScale+ PS."""
    return _changed(M(path, "xilinx.com:ip:zynq_ultra_ps_e:3.3"), changes)


def versal(path: str = "cips", **changes: object) -> M:
    """A Versal PS."""
    return _changed(M(path, "xilinx.com:ip:versal_cips:3.4"), changes)


def concat(path: str, inputs: Iterable[tuple[str, int]], net: str) -> M:
    """An ``xlconcat``: (net, width) of each input, and the net of its output."""
    inputs = list(inputs)
    ports = [
        P(f"In{i}", "I", name, None if width == 1 else width - 1) for i, (name, width) in enumerate(inputs)
    ]
    total = sum(width for _, width in inputs)
    return M(path, "xilinx.com:ip:xlconcat:2.1", [*ports, P("dout", "O", net, total - 1)])


def intc(path: str, inputs: str, output: str, width: int = 1) -> M:
    """An ``axi_intc`` between two nets."""
    ports = [P("intr", "I", inputs, width - 1, "INTERRUPT"), P("irq", "O", output, None, "INTERRUPT")]
    return M(path, "xilinx.com:ip:axi_intc:4.1", ports, attributes={"MODCLASS": "INTERRUPT_CNTLR"})


def source(path: str, net: str, port: str = "interrupt", width: int = 1) -> M:
    """An IP with an interrupt output."""
    sensitivity = {"SENSITIVITY": "LEVEL_HIGH"}
    pin = P(port, "O", net, None if width == 1 else width - 1, "INTERRUPT", sensitivity)
    return M(path, "xilinx.com:hls:maker:1.0", [pin])


def _changed(cell: M, changes: Mapping[str, object]) -> M:
    for name, value in changes.items():
        if name == "parameters":
            cell.parameters.update(value)  # type: ignore[call-overload]
        else:
            setattr(cell, name, value)
    return cell
