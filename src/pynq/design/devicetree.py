"""Reader of device-tree overlays, ``.dtbo`` and ``.dtsi``: what they say of the PL.

Nodes with ``reg`` on a bus of the PL are cells: their type comes from ``xlnx,ip-name`` and ``compatible``
("xlnx,axi-dma-7.1"), their parameters from the other ``xlnx,`` properties, which AMD's generators (DTG and
SDTGen) make of the IP's own: ``xlnx,sg-length-width`` is ``c_sg_length_width``. Interrupts are those of the
GIC (arm,gic binding: 0 is shared, number, trigger) or of an ``axi_intc`` in the same file; a clock is one of
the PS's where the clock controller is known by its usual label. A device tree does not name the PS: which
family it is follows from these labels and numbers, and where nothing tells there is none.

Vendor and library of an IP are not in a device tree, whose "xlnx," is that of all; so they are those of AMD.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pynq.design.addresses import conflicts
from pynq.design.assembled import PS, cell, clock_input, concat, interrupt_output, port, slave
from pynq.design.devicetree_nodes import CLOCKS, CONTROLLERS, Device, Devices, read_devices, walk_specifiers
from pynq.design.interrupts import ps_input
from pynq.design.kinds import kind_of
from pynq.design.model import (
    Cell,
    CellKind,
    Design,
    Endpoint,
    MemoryKind,
    MemoryRange,
    Port,
    Processor,
    SourceRef,
    Vlnv,
)
from pynq.design.resolve import resolve
from pynq.devicetree.fdt import Node
from pynq.errors import DesignError, DeviceTreeError, Problem

__all__ = ["read"]

MAX_PARAMETERS = 2000

_COMPATIBLE = re.compile(
    r"(?P<vendor>[^,]+),(?P<name>.+?)(?:-(?P<version>v?[0-9]+(?:\.[0-9]+)*(?:\.[a-z])?))?\Z"
)
_XLNX = ("xlnx", "xilinx", "xilinx.com", "amd")
_ALIASES = {"xps_intc": "axi_intc", "xps_gpio": "axi_gpio", "xps_timer": "axi_timer"}
_GENERIC = ("generic-uio", "simple-bus", "fixed-clock", "fixed-factor-clock", "xlnx,fclk", "xlnx,afi-fpga")
_PORTS = {Processor.ZYNQ: "FCLK_CLK{}", Processor.ZYNQMP: "pl_clk{}", Processor.VERSAL: "pl{}_ref_clk"}
_SPI, _EDGES = 32, (1, 2, 3)
_UNKNOWN = "PL"  # the master where the PS is not known


class _Interrupt(NamedTuple):
    """An interrupt output: ``controller`` is the path of an ``axi_intc`` with ``number`` its input, or ""
    with the number of the GIC.
    """

    cell: str
    port: str
    controller: str
    number: int
    edge: bool
    line: int


def read(path: str | os.PathLike[str]) -> Design:
    """Read a flattened overlay (``.dtbo``) or a source text (``.dtsi``, ``.dts``).

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used, with the reason and its line.
    """
    name = os.fspath(path)
    devices = read_devices(name)
    try:
        return _Builder(devices).design()
    except DeviceTreeError as error:
        raise DesignError([Problem(name, 0, str(error))]) from error


class _Builder:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._file = devices.file
        self._notes = list(devices.notes)
        self._paths: dict[int, str] = {}  # of cells, by identity of the node
        self._owners: dict[str, list[Device]] = {}
        self._ports: dict[str, Port] = {}  # of the design itself
        self._name_cells()

    def _note(self, line: int, message: str) -> None:
        self._notes.append(Problem(self._file, line, message))

    def _name_cells(self) -> None:
        """Give every node its cell; nodes with the same "xlnx,cell" are one (see treenodes)."""
        seen: Counter[str] = Counter()
        for device in self._devices.devices:
            told = device.node.text("xlnx,cell")
            if not told and (not device.regs or device.node.text("compatible") in _GENERIC[1:]):
                continue
            path = told or device.name
            if not path or len(path) > 1000 or path.count("/") > 63 or path.strip("/") != path:
                raise DeviceTreeError(f"node {device.node.name!r}: {path[:40]!r} is no path of a cell")
            if not told:
                seen[path] += 1
                path = path if seen[path] == 1 else f"{path}_{seen[path]}"
            self._paths[id(device.node)] = path
            self._owners.setdefault(path, []).append(device)

    def design(self) -> Design:
        cells = {path: self._cell(path, found) for path, found in self._owners.items()}
        family = self._family()
        self._clocks: dict[int, int | None] = self._ps_clocks(family)
        cells = {path: self._with_clocks(one, family) for path, one in cells.items()}
        interrupts = list(self._interrupts(cells))
        if family is None:
            family = self._family_of(interrupts)
        source = SourceRef(self._file, 0)
        ranges = [
            entry
            for path, found in self._owners.items()
            for entry in self._ranges(cells[path], found, family)
        ]
        for first, second in conflicts(ranges):
            self._note(
                second.source.line,
                f"{second.slave!r} at {second.base:#x} and {first.slave!r}, which ends at "
                f"{first.high:#x}, overlap",
            )
        self._wire(cells, interrupts, family)
        if family is not None:
            self._add_ps(cells, family, ranges, source)
        else:
            self._note(0, "nothing tells which PS there is: interrupts and clocks lead nowhere")
        if self._devices.firmware:
            self._note(0, f"firmware-name is {self._devices.firmware!r}: what the kernel programs with it")
        fields = resolve(self._file, cells, self._ports, [] if family else ranges)
        name = re.sub(r"(\.bit|\.bin|\.pdi)+\Z", "", self._devices.firmware) or Path(self._file).stem
        families = {Processor.ZYNQ: "zynq", Processor.ZYNQMP: "zynquplus", Processor.VERSAL: "versal"}
        return Design(
            name=Path(name).name,
            file=self._file,
            tool_version="",
            timestamp="",
            architecture=families[family] if family else "",
            device="",
            package="",
            speed_grade="",
            board="",
            interfaces=MappingProxyType({}),
            source=source,
            format="devicetree",
            notes=tuple(self._notes),
            **fields,
        )

    # -- cells -----------------------------------------------------------------------------------------------
    def _cell(self, path: str, found: list[Device]) -> Cell:
        device = next((one for one in found if one.regs), found[0])
        source = SourceRef(self._file, device.line)
        vlnv, text = _type_of(device.node)
        name = vlnv.name if vlnv else text
        kind = kind_of({"MODTYPE": name}, vlnv, False if device.regs else None)
        made = cell(
            path,
            vlnv,
            kind,
            source,
            module_type=name,
            parameters=_parameters(device.node),
            interfaces=[slave("S_AXI", source)],
        )
        return replace(made, attributes=MappingProxyType({"VLNV": text})) if text and not vlnv else made

    def _ranges(self, one: Cell, found: list[Device], family: Processor | None) -> Iterator[MemoryRange]:
        memory = one.kind is CellKind.MEMORY_CONTROLLER
        kind = MemoryKind.MEMORY if memory else MemoryKind.REGISTER
        master = (PS[family][0], "M_AXI") if family else ("", _UNKNOWN)
        number = 0
        for device in found:
            for base, size in device.regs:
                names = ("S_AXI", "Reg") if not number else (f"S_AXI_{number}", f"Reg{number}")
                source = SourceRef(self._file, device.line)
                yield MemoryRange(*master, one.path, *names, base, base + size - 1, kind, source)
                number += 1

    # -- the PS ----------------------------------------------------------------------------------------------
    def _family(self) -> Processor | None:
        """Tell it by the labels of clock and interrupt controllers."""
        found: Counter[Processor] = Counter()
        for device in self._devices.devices:
            for references in device.node.references.values():
                for label in references.values():
                    family = CLOCKS[label][0] if label in CLOCKS else CONTROLLERS.get(label)
                    if family is not None:
                        found[family] += 1
        return found.most_common(1)[0][0] if found else None

    def _family_of(self, interrupts: list[_Interrupt]) -> Processor | None:
        """Tell it by the numbers of the GIC: the family that can have the most of them."""
        numbers = {one.number for one in interrupts if not one.controller}
        best = max(PS, key=lambda family: sum(ps_input(family, number) is not None for number in numbers))
        fits = any(ps_input(best, number) is not None for number in numbers)
        if fits:
            self._note(0, f"the PS is taken for a {best.value} by the numbers of its interrupts")
        return best if fits else None

    def _add_ps(
        self, cells: dict[str, Cell], family: Processor, ranges: list[MemoryRange], source: SourceRef
    ) -> None:
        path, vlnv = PS[family]
        ports = [
            port(_PORTS[family].format(index), "O", 0, kind="clk", frequency=frequency)
            for index, frequency in sorted(self._clocks.items())
        ]
        for name, (width, load) in self._inputs.items():
            ports.append(port(name, "I", 0, load, width=width, kind="INTERRUPT"))
        cells[path] = cell(path, vlnv, CellKind.PROCESSOR, source, ports=ports, ranges=ranges)

    # -- clocks ----------------------------------------------------------------------------------------------
    def _ps_clocks(self, family: Processor | None) -> dict[int, int | None]:
        """The PL clocks of the PS that anything uses, and what ``xlnx,fclk`` nodes set them to (Hz)."""
        found: dict[int, int | None] = {}
        for device in self._devices.devices:
            rates = device.node.cells("assigned-clock-rates")
            for number, index in enumerate(self._ps_indices(device.node, "assigned-clocks", family)):
                if index is not None:
                    found[index] = rates[number] if number < len(rates) else found.get(index)
            for index in self._ps_indices(device.node, "clocks", family):
                if index is not None:
                    found.setdefault(index, None)
        return found

    def _ps_indices(
        self, node: Node, name: str, family: Processor | None, *, through: bool = True
    ) -> Iterator[int | None]:
        """The number of the PS's PL clock for each clock of a property, None for other clocks.

        ``through``: also for the clock that an ``xlnx,fclk`` node stands for.
        """
        data, place = node.cells(name), 0
        while place < len(data):
            target = self._devices.refer(node, name, place)
            if isinstance(target, str):
                known = CLOCKS.get(target)
                first = known[1] if known and known[0] is family else None
                index = data[place + 1] - first if first is not None and place + 1 < len(data) else -1
                yield index if 0 <= index < 4 else None
                place += 2
            else:
                width = target.cells("#clock-cells") if target is not None else ()
                if through and target is not None and "xlnx,fclk" in target.strings("compatible"):
                    yield next(self._ps_indices(target, "clocks", family, through=False), None)
                else:
                    yield None
                place += 1 + min(width[0] if width else 0, 4)

    def _with_clocks(self, one: Cell, family: Processor | None) -> Cell:
        ports = dict(one.ports)
        for device in self._owners[one.path]:
            names = device.node.strings("clock-names")
            for number, index in enumerate(self._ps_indices(device.node, "clocks", family)):
                if index is None or family is None or number >= 64:
                    continue
                driver = Endpoint(PS[family][0], _PORTS[family].format(index))
                name = names[number] if number < len(names) else f"clk{number}"
                ports[name] = clock_input(name, device.line, driver, self._clocks.get(index))
        return replace(one, ports=MappingProxyType(ports))

    # -- interrupts ------------------------------------------------------------------------------------------
    def _interrupts(self, cells: dict[str, Cell]) -> Iterator[_Interrupt]:
        for device in self._devices.devices:
            path = self._paths.get(id(device.node), "")
            names = device.node.strings("interrupt-names")
            for number, (parent, numbers) in enumerate(walk_specifiers(self._devices, device)):
                if number >= 256:
                    break
                pin = names[number] if number < len(names) else self._pin(device, path, number)
                if path and cells[path].type_name == "axi_intc":
                    pin = "irq"
                if isinstance(parent, Node):
                    controller = self._paths.get(id(parent), "")
                    if controller and numbers:
                        yield _Interrupt(path, pin, controller, numbers[0], False, device.line)
                elif len(numbers) == 3 and not numbers[0]:
                    edge = numbers[2] in _EDGES
                    yield _Interrupt(path, pin, "", numbers[1] + _SPI, edge, device.line)

    def _pin(self, device: Device, path: str, number: int) -> str:
        """A name for an interrupt that has none: of a node of its own (see treenodes) what it adds."""
        own = device.node.name.partition("@")[0]
        stem = re.sub(r"[^A-Za-z0-9,._+-]", "_", path)
        if path and not device.regs and own.startswith(f"{stem}_"):
            return own[len(stem) + 1 :]
        if not path:
            return own
        return "interrupt" if not number else f"interrupt_{number}"

    def _wire(self, cells: dict[str, Cell], interrupts: list[_Interrupt], family: Processor | None) -> None:
        """Lead every interrupt to its input: of a controller, or of the PS."""
        inputs: dict[tuple[str, str], dict[int, _Interrupt]] = {}
        self._inputs: dict[str, tuple[int, Endpoint]] = {}
        for one in interrupts:
            if one.controller:
                place: tuple[str, int, int] | None = ("intr", one.number, 32)
            else:
                place = ps_input(family, one.number) if family else None
            if place is None or not 0 <= place[1] < place[2]:
                where = one.controller or "the GIC"
                self._note(one.line, f"{one.cell}/{one.port}: the PL has no input {one.number} of {where}")
                continue
            name, bit, _ = place
            taken = inputs.setdefault((one.controller, name), {})
            if bit in taken:
                if (taken[bit].cell, taken[bit].port) != (one.cell, one.port):
                    self._note(one.line, f"interrupt {one.number} is also that of {taken[bit].cell!r}")
                continue
            taken[bit] = one
        for (controller, name), bits in inputs.items():
            where = controller or (PS[family][0] if family else "")
            path = _free(f"{where}_{name}_concat", cells)
            load = Endpoint(where, name)
            wires = {bit: self._drive(cells, one, Endpoint(path, f"In{bit}")) for bit, one in bits.items()}
            cells[path] = concat(path, wires, load, SourceRef(self._file, 0))
            width, driver = max(wires) + 1, Endpoint(path, "dout")
            if controller:
                made = port(name, "I", 0, driver, width=width, kind="INTERRUPT")
                cells[controller] = _with_port(cells[controller], made)
            else:
                self._inputs[name] = width, driver

    def _drive(self, cells: dict[str, Cell], one: _Interrupt, load: Endpoint) -> Endpoint:
        if one.cell:
            cells[one.cell] = _with_port(
                cells[one.cell], interrupt_output(one.port, one.line, load, edge=one.edge)
            )
        else:
            kind = "EDGE_RISING" if one.edge else "LEVEL_HIGH"
            made = port(one.port, "I", one.line, load, kind="INTERRUPT", sensitivity=kind)
            self._ports[one.port] = made
        return Endpoint(one.cell, one.port)


def _free(path: str, cells: dict[str, Cell]) -> str:
    while path in cells:
        path += "_"
    return path


def _with_port(one: Cell, made: Port) -> Cell:
    return replace(one, ports=MappingProxyType({**one.ports, made.name: made}))


def _type_of(node: Node) -> tuple[Vlnv | None, str]:
    """The type of a node's IP, or the first of its compatible names."""
    kinds = [kind for kind in node.strings("compatible") if kind not in _GENERIC]
    name = node.text("xlnx,ip-name")
    for kind in kinds:
        match = _COMPATIBLE.match(kind)
        if match is None or match["vendor"] not in _XLNX:
            continue
        plain = (name or match["name"]).replace("-", "_")
        version = (match["version"] or "").removeprefix("v")
        if version and ":" not in plain:
            return Vlnv("xilinx.com", "ip", _ALIASES.get(plain, plain), version), ""
    return None, (kinds[0] if kinds else name)[:255]


def _parameters(node: Node) -> dict[str, str]:
    """The ``xlnx,`` properties by the names that the IP's parameters have."""
    found: dict[str, str] = {}
    for name, data in node.properties.items():
        if not name.startswith("xlnx,") or name in ("xlnx,cell", "xlnx,ip-name", "xlnx,name"):
            continue
        if len(found) >= MAX_PARAMETERS:
            break
        key = "c_" + name.removeprefix("xlnx,").replace("-", "_").lower()
        if name in node.references:
            continue
        if not data:
            found[key] = "1"
        elif data.endswith(b"\0") and data.strip(b"\0").isascii() and _printable(data):
            found[key] = ",".join(node.strings(name))[:4096]
        elif len(data) % 4 == 0:
            found[key] = " ".join(str(number) for number in node.cells(name)[:256])
        else:
            found[key] = data[:64].hex()
    return found


def _printable(data: bytes) -> bool:
    text = data.removesuffix(b"\0").split(b"\0")
    return all(part and part.decode("latin-1").isprintable() for part in text)
