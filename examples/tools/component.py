"""The component (``component.xml``, IP-XACT) that Vivado's packager would write for an example's own IP."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from .blockdesign import Block, BlockDesign, Bus, Cell, Field, Pin, Register

__all__ = ["OWN", "component", "components"]

OWN = "pynq-anywhere.org:examples:"
"""What the types of the examples' own IP begin with."""

_SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
_DIRECTIONS = {"I": "in", "O": "out", "IO": "inout"}
_SIGNALS = {"clk": ("clock", "CLK"), "rst": ("reset", "RST"), "INTERRUPT": ("interrupt", "INTERRUPT")}
#: Of a cell, not of its type; or what only hand-off files have.
_NOT_PACKAGED = ("Component_Name", "EDK_IPTYPE")
#: Of an interface in a design: the packager leaves them to the design.
_FROM_DESIGN = ("FREQ_HZ", "CLK_DOMAIN", "PHASE", "INSERT_VIP", "LAYERED_METADATA")


def components(design: BlockDesign) -> Mapping[str, str]:
    """Return the text of each component that a design needs, by the name of its type."""
    own = [cell for cell in design.cells.values() if cell.vlnv.startswith(OWN)]
    return {cell.vlnv.split(":")[2]: component(cell) for cell in own}


def component(cell: Cell) -> str:
    """Return the component of a cell's type."""
    names = zip(("vendor", "library", "name", "version"), cell.vlnv.split(":"), strict=True)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<spirit:component xmlns:xilinx="http://www.xilinx.com" xmlns:spirit="{_SPIRIT}">',
        *(_text(name, value, 1) for name, value in names),
        *_section("busInterfaces", [*_buses(cell), *_signals(cell)]),
        *_section("memoryMaps", [line for block in cell.blocks for line in _map(block)]),
        "  <spirit:model>",
        *("  " + line for line in _section("ports", [line for pin in cell.pins for line in _port(pin)])),
        "  </spirit:model>",
        *_section("parameters", _parameters(cell.parameters, _NOT_PACKAGED, 2)),
        "</spirit:component>",
    ]
    return "\n".join(lines) + "\n"


def _text(name: str, value: str, depth: int) -> str:
    return f"{'  ' * depth}<spirit:{name}>{escape(value)}</spirit:{name}>"


def _section(name: str, lines: list[str]) -> list[str]:
    return [f"  <spirit:{name}>", *lines, f"  </spirit:{name}>"] if lines else []


def _element(name: str, depth: int, lines: list[str]) -> list[str]:
    space = "  " * depth
    return [f"{space}<spirit:{name}>", *lines, f"{space}</spirit:{name}>"]


def _parameters(values: Mapping[str, str], skipped: tuple[str, ...], depth: int) -> list[str]:
    out: list[str] = []
    for name, value in values.items():
        if name not in skipped:
            inner = [_text("name", name, depth + 1), _text("value", value, depth + 1)]
            out += _element("parameter", depth, inner)
    return out


def _bus(name: str, kind: str, role: list[str], ports: Mapping[str, str], more: list[str]) -> list[str]:
    vlnv = dict(zip(("vendor", "library", "name", "version"), kind.split(":"), strict=True))
    attributes = "".join(f" spirit:{key}={quoteattr(value)}" for key, value in vlnv.items())
    maps: list[str] = []
    for logical, physical in ports.items():
        inner = _element("logicalPort", 5, [_text("name", logical, 6)])
        inner += _element("physicalPort", 5, [_text("name", physical, 6)])
        maps += _element("portMap", 4, inner)
    return _element(
        "busInterface",
        2,
        [_text("name", name, 3), f"      <spirit:busType{attributes}/>", *role]
        + _element("portMaps", 3, maps)
        + (_element("parameters", 3, more) if more else []),
    )


def _buses(cell: Cell) -> list[str]:
    maps = {block.interface for block in cell.blocks}
    out: list[str] = []
    for bus in cell.buses:
        out += _bus(bus.name, bus.vlnv, _role(bus, bus.name in maps), bus.ports, _of_bus(bus))
    return out


def _role(bus: Bus, mapped: bool) -> list[str]:
    role = "master" if bus.role in ("MASTER", "INITIATOR") else "slave"
    if not mapped:
        return [f"      <spirit:{role}/>"]
    return _element(role, 3, [f'        <spirit:memoryMapRef spirit:memoryMapRef="{bus.name}"/>'])


def _of_bus(bus: Bus) -> list[str]:
    return _parameters(bus.parameters, _FROM_DESIGN, 4)


def _signals(cell: Cell) -> list[str]:
    """Clocks, resets and interrupts are interfaces of one wire; a clock names what is synchronous to it."""
    out: list[str] = []
    resets = [pin.name for pin in cell.pins if pin.kind == "rst"]
    for pin in cell.pins:
        if pin.kind not in _SIGNALS:
            continue
        kind, logical = _SIGNALS[pin.kind]
        values = {"POLARITY": pin.polarity, "SENSITIVITY": pin.sensitivity}
        if pin.kind == "clk":
            values["ASSOCIATED_BUSIF"] = ":".join(bus.name for bus in cell.buses)
            values["ASSOCIATED_RESET"] = ":".join(resets)
        role = "master" if pin.direction == "O" else "slave"
        more = _parameters({name: value for name, value in values.items() if value}, (), 4)
        bus = f"xilinx.com:signal:{kind}:1.0"
        out += _bus(pin.name, bus, [f"      <spirit:{role}/>"], {logical: pin.name}, more)
    return out


def _map(block: Block) -> list[str]:
    inner = [
        _text("name", block.name, 4),
        _text("baseAddress", "0", 4),
        _text("range", str(block.range), 4),
        _text("width", "32", 4),
        _text("usage", block.usage, 4),
        _text("access", block.access, 4),
        *(line for register in block.registers for line in _register(register)),
    ]
    return _element("memoryMap", 2, [_text("name", block.interface, 3), *_element("addressBlock", 3, inner)])


def _register(register: Register) -> list[str]:
    inner = [
        _text("name", register.name, 5),
        _text("description", register.description, 5),
        _text("addressOffset", register.address, 5),
        _text("size", str(register.size), 5),
        _text("access", register.access, 5),
        *_element("reset", 5, [_text("value", register.reset, 6)]),
        *(line for field in register.fields for line in _field(field)),
    ]
    return _element("register", 4, inner)


def _field(field: Field) -> list[str]:
    inner = {
        "name": field.name,
        "description": field.description,
        "bitOffset": str(field.offset),
        "bitWidth": str(field.width),
        "access": field.access,
        "modifiedWriteValue": field.modified_write,
        "readAction": field.read_action,
    }
    return _element("field", 5, [_text(name, value, 6) for name, value in inner.items() if value])


def _port(pin: Pin) -> list[str]:
    inner = [_text("direction", _DIRECTIONS[pin.direction], 5)]
    if pin.left is not None:
        bounds = [_text("left", str(pin.left), 6), _text("right", str(pin.right), 6)]
        inner += _element("vector", 5, bounds)
    return _element("port", 3, [_text("name", pin.name, 4), *_element("wire", 4, inner)])
