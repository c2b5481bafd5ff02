"""The nodes of a device-tree overlay or ``.dtsi`` that stand for something in the PL.

Both forms are brought to the same: nodes with their bus, base addresses as the processor sees them, and
references as the node of the file or the label outside of it that is meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from pynq.design.bounded import load
from pynq.design.model import Processor
from pynq.devicetree import dts, fdt
from pynq.devicetree.fdt import Node
from pynq.devicetree.overlay import Fragment, fragments
from pynq.errors import DesignError, DeviceTreeError, Problem

__all__ = ["CLOCKS", "CONTROLLERS", "Device", "Devices", "read_devices"]

MAX_NODES = 20_000
MAX_REG = 64
"""Most ranges of one node."""
#: Clock controllers by their label, and the number of the first PL clock in each: fclk0 in Linux's binding
#: zynq-7000.txt, PL0_REF in dt-bindings/clock/xlnx-zynqmp-clk.h, PMC_PL0_REF in xlnx-versal-clk.h.
CLOCKS = {
    "clkc": (Processor.ZYNQ, 15),
    "zynqmp_clk": (Processor.ZYNQMP, 71),
    "versal_clk": (Processor.VERSAL, 65),
}
#: Interrupt controllers of the PS by their label, and the family that alone uses it.
CONTROLLERS = {"intc": Processor.ZYNQ, "gic": None, "imux": None, "gic_a53": Processor.ZYNQMP}
_MAX_BYTES = fdt.MAX_BYTES
_PL = ("amba_pl", "amba-pl", "fpga")


@dataclass
class Device:
    """A node on a bus of the PL. ``regs`` are (base, bytes) as the processor sees them; ``name`` is its
    label, or its own name without the address.
    """

    node: Node
    name: str
    line: int
    regs: list[tuple[int, int]]
    parent: str | Node | None = None  # the interrupt controller that its bus has


@dataclass
class Devices:
    """Everything of a file. ``by_label`` are its own nodes; ``cells`` the widest addresses of its buses."""

    file: str
    devices: list[Device] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    firmware: str = ""
    by_label: dict[str, Node] = field(default_factory=dict)
    by_phandle: dict[int, Node] = field(default_factory=dict)
    cells: int = 1

    def refer(self, node: Node, name: str, place: int) -> str | Node | None:
        """Return what the cell with that number of a property refers to: a node, the label of one outside,
        or None.
        """
        label = node.references.get(name, {}).get(4 * place)
        if label in CLOCKS or label in CONTROLLERS:
            return label  # also where a preprocessed text has the PS's own nodes
        if label is not None:
            return self.by_label.get(label, label)
        data = node.cells(name)
        return self.by_phandle.get(data[place]) if place < len(data) else None


def read_devices(path: str) -> Devices:
    """Read a ``.dtbo`` (anything that is flattened) or a source text.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: it can't be used, with the reason.
    """
    data = load(path, _MAX_BYTES, "device tree")
    reader = _Reader(os.fspath(path))
    try:
        if data.startswith(b"\xd0\x0d\xfe\xed"):
            reader.read_blob(data)
        else:
            reader.read_text(data)
    except DeviceTreeError as error:
        message = str(error)
        line = message.removeprefix(f"{path}:").partition(":")
        at = int(line[0]) if message.startswith(f"{path}:") and line[0].isdecimal() else 0
        raise DesignError([Problem(path, at, line[2].strip() if at else message)]) from error
    return reader.found


class _Reader:
    def __init__(self, file: str) -> None:
        self.found = Devices(file)
        self._source: dts.Source | None = None
        self._labels: dict[int, str] = {}  # by identity of the node
        self._nodes = 0

    def read_blob(self, data: bytes) -> None:
        tree = fdt.read(data)
        nodes = dict(tree.walk())
        for label, path in tree.labels.items():
            if path in nodes:
                self._labels.setdefault(id(nodes[path]), label)
                self.found.by_label[label] = nodes[path]
        fixups = tree.child("__fixups__")
        for label in fixups.properties if fixups is not None else ():
            assert fixups is not None
            for text in fixups.strings(label):
                path, name, place = [*text.rsplit(":", 2), "", ""][:3]
                if path in nodes and place.isdecimal() and len(place) < 8:
                    nodes[path].references.setdefault(name, {})[int(place)] = label
        for node in nodes.values():
            if node.phandle is not None:
                self.found.by_phandle[node.phandle] = node
        if any(node.child("__overlay__") is not None for node in tree.children):
            self._read_parts(fragments(tree))
        else:
            self._read_parts([Fragment("/", tree)])

    def read_text(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise DesignError([Problem(self.found.file, line, "is no text in UTF-8")]) from error
        source = self._source = dts.read(text, self.found.file)
        self.found.notes += [Problem(self.found.file, line, message) for line, message in source.notes]
        parts = source.parts()
        if source.tree.children and not source.plugin:
            parts.insert(0, Fragment("/", source.tree))
        for part in parts:
            for _, node in part.content.walk():
                if node.label:
                    self.found.by_label.setdefault(node.label, node)
                    self._labels.setdefault(id(node), node.label)
        if not parts:
            raise DesignError([Problem(self.found.file, 0, "has no node: this is no device tree")])
        self._read_parts(parts)

    def _read_parts(self, parts: list[Fragment]) -> None:
        for part in parts:
            content = part.content
            if part.target == "/":  # of a whole tree only what is in the PL
                inside = [child for child in content.children if child.name.startswith(_PL)]
                content = Node("", dict(content.properties), inside or content.children)
            self._bus(content, part.target, _Bus([], _cells(part.content), None))

    # -- walking -----------------------------------------------------------------------------------------
    def _bus(self, bus: Node, path: str, where: _Bus) -> None:
        firmware = bus.text("firmware-name")
        if firmware:
            self.found.firmware = self.found.firmware or firmware
        parent = self.found.refer(bus, "interrupt-parent", 0) or where.parent
        for child in bus.children:
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise DeviceTreeError(f"{self.found.file}: more than {MAX_NODES} nodes")
            if child.name.startswith("__"):
                continue
            inner = f"{path.rstrip('/')}/{child.name}"
            if _is_bus(child):
                self._bus(child, inner, self._below(child, inner, where, parent))
            elif child.text("status") in ("disabled", "fail"):
                self._note(child, f"{inner} is disabled and left out")
            elif "reg" in child.properties:
                self._device(child, inner, where, parent)
            elif child.properties:
                self.found.devices.append(Device(child, self._name(child), self._line(child), [], parent))

    def _below(self, bus: Node, path: str, where: _Bus, parent: str | Node | None) -> _Bus:
        own = _cells(bus)
        windows: list[tuple[int, int, int]] = []
        data = bus.cells("ranges")
        if data:
            step = own[0] + where.cells[0] + own[1]
            if len(data) % step:
                raise DeviceTreeError(
                    f"{self.found.file}: {path}: ranges has {len(data)} cells; expected a multiple of {step}"
                )
            for place in range(0, len(data), step):
                local = _number(data[place : place + own[0]])
                above = _number(data[place + own[0] : place + own[0] + where.cells[0]])
                windows.append(
                    (local, where.translate(above), _number(data[place + step - own[1] : place + step]))
                )
        elif where.windows:
            windows = where.windows
        return _Bus(windows, own, parent)

    def _device(self, node: Node, path: str, where: _Bus, parent: str | Node | None) -> None:
        width, size = where.cells
        data = node.cells("reg")
        if not data or not width or not size or len(data) % (width + size):
            raise DeviceTreeError(
                f"{self.found.file}:{self._line(node) or ''}: {path}: reg has {len(data)} cells; the bus has "
                f"{width} for an address and {size} for a size"
            )
        regs = []
        for place in range(0, min(len(data), MAX_REG * (width + size)), width + size):
            base = _number(data[place : place + width])
            length = _number(data[place + width : place + width + size])
            seen = where.translate(base)
            if seen + length > 1 << 64:
                raise DeviceTreeError(
                    f"{self.found.file}:{self._line(node) or ''}: {path}: {length:#x} bytes at {seen:#x} "
                    "wrap around"
                )
            if length:
                regs.append((seen, length))
        self.found.cells = max(self.found.cells, width)
        self.found.devices.append(Device(node, self._name(node), self._line(node), regs, parent))

    def _name(self, node: Node) -> str:
        return self._labels.get(id(node)) or node.text("xlnx,name") or node.name.partition("@")[0]

    def _line(self, node: Node) -> int:
        return self._source.line(node) if self._source is not None else 0

    def _note(self, node: Node, message: str) -> None:
        self.found.notes.append(Problem(self.found.file, self._line(node), message))


@dataclass
class _Bus:
    """Where a bus is: windows of (address here, address of the processor, bytes), none for the same
    addresses; cells of addresses and sizes; its interrupt controller.
    """

    windows: list[tuple[int, int, int]]
    cells: tuple[int, int]
    parent: str | Node | None

    def translate(self, address: int) -> int:
        for local, above, size in self.windows:
            if local <= address < local + size:
                return above + address - local
        return address


def _is_bus(node: Node) -> bool:
    """Whether what is in a node is at addresses of the processor."""
    kinds = node.strings("compatible")
    if any(kind in ("simple-bus", "simple-mfd", "fpga-region") for kind in kinds):
        return True
    return not kinds and "reg" not in node.properties and bool(node.children) and _has_addresses(node)


def _has_addresses(node: Node) -> bool:
    return node.name.partition("@")[0].startswith(("amba", "axi", "fpga-", "fpga_", "soc")) or "ranges" in (
        node.properties
    )


def _cells(bus: Node) -> tuple[int, int]:
    """#address-cells and #size-cells, as the node has them or as its children show them."""
    address, size = bus.cells("#address-cells"), bus.cells("#size-cells")
    if address and size:
        return min(address[0], 4), min(size[0], 4)
    for child in bus.children:
        at = child.name.partition("@")[2]
        data = child.cells("reg")
        for pair in ((2, 2), (1, 1), (2, 1)):
            if (
                data
                and not len(data) % sum(pair)
                and f"{_number(data[: pair[0]]):x}" == at.lower().lstrip("0")
            ):
                return pair
    return 2, 2


def _number(cells: tuple[int, ...]) -> int:
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value


def walk_specifiers(devices: Devices, device: Device) -> Iterator[tuple[str | Node | None, tuple[int, ...]]]:
    """Return the interrupts of a node: controller and specifier, of ``interrupts-extended`` or
    ``interrupts``.
    """
    node = device.node
    if "interrupts-extended" in node.properties:
        data, place = node.cells("interrupts-extended"), 0
        while place < len(data):
            parent = devices.refer(node, "interrupts-extended", place)
            width = _specifier(parent)
            yield parent, data[place + 1 : place + 1 + width]
            place += 1 + width
        return
    parent = devices.refer(node, "interrupt-parent", 0) or device.parent
    data, width = node.cells("interrupts"), _specifier(parent)
    if len(data) % width and not len(data) % 3:
        width = 3
    for place in range(0, len(data), width):
        yield parent, data[place : place + width]


def _specifier(parent: str | Node | None) -> int:
    if isinstance(parent, Node):
        return min(max(1, *parent.cells("#interrupt-cells"), 1), 8) if parent.cells("#interrupt-cells") else 2
    return 3  # the GIC's
