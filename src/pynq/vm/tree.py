"""The device tree of a virtual board: QEMU's own, with the programmable logic (PL) and a PS around it.

The PL's IP are children of one bus, ``/amba_pl``, with the addresses of the description. ``ranges`` of the
bus says where they are for the processor: in BAR 0 of the PCI function that is the PL; ``dma-ranges`` that
the PL sees the first byte of the RAM at its address 0, where it expects the DDR (Devicetree Specification
v0.4, 2.3.8 and 2.3.9). So the same numbers are everywhere in the guest that are in the description.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pynq.design.model import Design, Processor
from pynq.design.treenodes import pl_nodes
from pynq.devicetree import Label, Node, Tree, cells, strings
from pynq.devicetree.fdt import Phandles, resolve
from pynq.errors import VirtualBoardError

__all__ = ["BAR", "CONFIG_PORT", "PCI_SLOT", "RAM", "Carveouts", "Span", "board_tree"]

RAM = 0x4000_0000
"""Where QEMU's ``virt`` machine has its RAM."""
BAR = 0x80_0000_0000
"""Where Linux puts BAR 0 of the only function that wants 64-bit memory: the start of the high PCI window."""
PCI_SLOT = 4
CONFIG_PORT = 0xFE00_0000
"""Address of the registers through which the PL is configured, and their size."""
_PAGE = 4096

_SOC = {
    Processor.ZYNQ: "xlnx,zynq-7000",
    Processor.ZYNQMP: "xlnx,zynqmp",
    Processor.VERSAL: "xlnx,versal",
}


class _Gpio(NamedTuple):
    address: int
    compatible: str
    interrupt: int  # shared interrupt (SPI)


# Linux: arch/arm/boot/dts/xilinx/zynq-7000.dtsi, arch/arm64/boot/dts/xilinx/zynqmp.dtsi, versal.dtsi.
_GPIO = {
    Processor.ZYNQ: (_Gpio(0xE000_A000, "xlnx,zynq-gpio-1.0", 20),),
    Processor.ZYNQMP: (_Gpio(0xFF0A_0000, "xlnx,zynqmp-gpio-1.0", 16),),
    Processor.VERSAL: (
        _Gpio(0xFF0B_0000, "xlnx,versal-gpio-1.0", 13),
        _Gpio(0xF102_0000, "xlnx,pmc-gpio-1.0", 122),
    ),
}


class Span(Protocol):
    """A range of the PS's addresses and where it is in BAR 0 (an ``Aperture`` of the served board)."""

    @property
    def address(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def offset(self) -> int: ...


@dataclass(frozen=True)
class Carveouts:
    """Memory of the guest that is for buffers, in bytes, each a multiple of 2 MiB or 0.

    ``dma`` is a u-dma-buf device, taken from the kernel's contiguous memory; ``heap`` reserved memory with a
    DMA-BUF heap on it; ``reserved`` plain reserved memory.
    """

    dma: int = 64 << 20
    heap: int = 32 << 20
    reserved: int = 0

    @property
    def contiguous(self) -> int:
        """Bytes of contiguous memory that the kernel needs (``cma=``); some are for its own devices."""
        return self.dma + (32 << 20)

    def check(self, ram: int) -> None:
        """Raise :class:`~pynq.errors.VirtualBoardError` where that does not leave the guest enough."""
        rest = ram - self.contiguous - self.heap - self.reserved
        if rest < 160 << 20:
            raise VirtualBoardError(
                f"{ram >> 20} MiB of memory are too few: buffers take {(ram - rest) >> 20} MiB of it, the "
                f"guest's system needs 160; take --memory {(ram - rest + (160 << 20)) >> 20} or more"
            )


def board_tree(
    machine: Tree,
    design: Design,
    spans: Sequence[Span],
    *,
    ram: int,
    carveouts: Carveouts | None = None,
    uio: bool = True,
    seed: bytes | None = None,
) -> Tree:
    """Return the guest's tree.

    ``machine`` is what QEMU dumps, ``ram`` the guest's in bytes. ``uio``: the IP have their nodes when the
    guest starts; without, an overlay has to bring them. ``seed``: for the guest's random numbers (default: of
    this machine), without which its first programs wait.
    """
    carveouts = carveouts or Carveouts()
    carveouts.check(ram)
    tree = machine.copy()
    soc = [_SOC[design.processor]] if design.processor is not None else []
    tree.set("compatible", "pynq,virtual-board", *soc, "linux,dummy-virt")
    tree.set("model", f"PYNQ virtual board: {design.label}")
    tree.set("pynq,no-bitstream-needed")
    _remove_what_is_in_the_way(tree)
    _seed(tree, os.urandom(64) if seed is None else seed)
    tree.children += [_clock(), *_reserved(carveouts, ram)]
    tree.children.append(_bus(design, spans, ram, carveouts, uio))
    if carveouts.heap:
        heap = Node("pynq-heap", {"compatible": strings("pynq,reserved-heap")})
        heap.set("memory-region", Label("pynq_heap"))
        tree.children.append(heap)
    gic = next((node for node in tree.children if "interrupt-controller" in node.properties), None)
    if gic is None:
        raise VirtualBoardError("QEMU's device tree has no interrupt controller")
    resolve(tree)
    _name(tree, gic)
    return tree


def _name(tree: Tree, gic: Node) -> None:
    """Write the labels that overlays for real boards look for."""
    symbols = Node("__symbols__")
    phandles = Phandles(tree)
    for path, *labels in (
        ("/amba_pl", "amba_pl", "amba"),
        ("/amba_pl/fpga-region", "fpga_full", "fpga_region"),
        (f"/{gic.name}", "gic", "intc"),
    ):
        node = tree.find(path)
        if node is not None:
            phandles.of(node)
            symbols.properties.update({label: strings(path) for label in labels})
    tree.children.append(symbols)


def _remove_what_is_in_the_way(tree: Tree) -> None:
    """Interrupts of the PL are the GIC's, by their numbers, which QEMU's own devices have as well."""
    tree.children = [
        node
        for node in tree.children
        if "virtio,mmio" not in node.strings("compatible") and node.name != "gpio-keys"
    ]
    for node in tree.children:
        if "interrupt-controller" in node.properties:
            node.children = [child for child in node.children if "msi-controller" not in child.properties]
        node.properties.pop("msi-map", None)
        node.properties.pop("msi-parent", None)


def _seed(tree: Tree, seed: bytes) -> None:
    chosen = tree.child("chosen")
    if chosen is None:
        chosen = Node("chosen")
        tree.children.append(chosen)
    chosen.set("rng-seed", seed[:32])
    chosen.set("kaslr-seed", seed[32:40])


def _clock() -> Node:
    node = Node("ps-clock", {"compatible": strings("fixed-clock")}, label="ps_clock")
    node.set("#clock-cells", 0)
    node.set("clock-frequency", 100_000_000)
    return node


def _reserved(carveouts: Carveouts, ram: int) -> Iterator[Node]:
    """Reserved memory at the end of the RAM."""
    parent = _bus_node("reserved-memory")
    end = RAM + ram
    for name, compatible, size in (
        ("pynq_heap", "", carveouts.heap),
        ("pynq_buffers", "pynq,buffers", carveouts.reserved),
    ):
        if size:
            end -= size
            node = Node(f"{name}@{end:x}", label=name)
            if compatible:
                node.set("compatible", compatible)
            node.set("reg", cells(end, size, size=2))
            parent.children.append(node)
    if parent.children:
        yield parent


def _bus_node(name: str) -> Node:
    node = Node(name)
    node.set("#address-cells", 2)
    node.set("#size-cells", 2)
    node.set("ranges")
    return node


def _bus(design: Design, spans: Sequence[Span], ram: int, carveouts: Carveouts, uio: bool) -> Node:
    bus = _bus_node("amba_pl")
    bus.set("compatible", "simple-bus")
    bus.set("ranges", b"".join(cells(span.address, BAR + span.offset, span.size, size=2) for span in spans))
    bus.set("dma-ranges", cells(0, RAM, ram, size=2))
    bus.set("dma-coherent")  # the caches of the guest are the memory itself
    if uio:
        bus.children += _reachable(pl_nodes(design), spans)
    if _holds(spans, CONFIG_PORT, _PAGE):
        manager = Node(f"fpga-manager@{CONFIG_PORT:x}", label="fpga_manager")
        manager.set("compatible", "pynq,virtual-fpga-manager")
        manager.set("reg", cells(CONFIG_PORT, _PAGE, size=2))
        region = _bus_node("fpga-region")
        region.set("compatible", "fpga-region")
        region.set("fpga-mgr", Label("fpga_manager"))
        region.set("dma-ranges")
        bus.children += [manager, region]
    for gpio in _GPIO.get(design.processor, ()) if design.processor is not None else ():
        if _holds(spans, gpio.address, _PAGE):
            node = Node(f"gpio@{gpio.address:x}")
            node.set("compatible", gpio.compatible)
            node.set("reg", cells(gpio.address, _PAGE, size=2))
            node.set("interrupts", 0, gpio.interrupt, 4)
            node.set("clocks", Label("ps_clock"))
            for flag in ("gpio-controller", "interrupt-controller"):
                node.set(flag)
            node.set("#gpio-cells", 2)
            node.set("#interrupt-cells", 2)
            bus.children.append(node)
    if carveouts.dma:
        buffer = Node("udmabuf0", {"compatible": strings("ikwzm,u-dma-buf")})
        buffer.set("device-name", "udmabuf0")
        if carveouts.dma >> 32:
            raise VirtualBoardError("a u-dma-buf device has less than 4 GiB")
        buffer.set("size", carveouts.dma)
        bus.children.append(buffer)
    return bus


def _reachable(nodes: Sequence[Node], spans: Sequence[Span]) -> Iterator[Node]:
    """Leave out ranges that the served board does not have: memory that is the guest's own."""
    for node in nodes:
        reg = node.cells("reg")
        entries = [reg[start : start + 4] for start in range(0, len(reg), 4)]
        kept = [e for e in entries if _holds(spans, e[0] << 32 | e[1], e[2] << 32 | e[3])]
        if kept:
            node.set("reg", *(cell for entry in kept for cell in entry))
        elif entries and "interrupts" not in node.properties:
            continue
        elif entries:
            del node.properties["reg"]
            node.name = node.name.partition("@")[0]
        yield node


def _holds(spans: Sequence[Span], address: int, size: int) -> bool:
    return any(span.address <= address and address + size <= span.address + span.size for span in spans)
