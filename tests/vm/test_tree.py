"""The guest's device tree, from what QEMU dumped and the served ranges."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from pynq import design as description
from pynq.design import Design
from pynq.devicetree import Node, Tree, read, strings, write
from pynq.errors import VirtualBoardError
from pynq.vm.tree import BAR, CONFIG_PORT, RAM, Carveouts, board_tree

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MIB = 1 << 20


class Aperture(NamedTuple):
    address: int
    size: int
    offset: int


def _machine() -> Tree:
    """The parts of QEMU's tree that matter."""
    gic = Node("intc@8000000", {"compatible": strings("arm,cortex-a15-gic"), "interrupt-controller": b""})
    gic.set("phandle", 0x8002)
    gic.set("#interrupt-cells", 3)
    msi = Node("v2m@8020000", {"msi-controller": b""})
    msi.set("phandle", 0x8003)
    gic.children.append(msi)
    pcie = Node("pcie@10000000", {"compatible": strings("pci-host-ecam-generic")})
    pcie.set("msi-map", 0, 0x8003, 0, 0x10000)
    tree = Tree(
        children=[
            Node("virtio_mmio@a000000", {"compatible": strings("virtio,mmio")}),
            Node("gpio-keys", {"compatible": strings("gpio-keys")}),
            pcie,
            gic,
            Node("chosen", {"rng-seed": bytes(32)}),
        ]
    )
    tree.set("interrupt-parent", 0x8002)
    return tree


def _design(name: str) -> Design:
    return description.read(EXAMPLES / name / f"{name}.hwh")


def _board(name: str = "image_filter", *more: Aperture, **options: object) -> Tree:
    design = _design(name)
    spans = [
        Aperture(entry.base, entry.size, number * 0x10000) for number, entry in enumerate(design.ps_ranges)
    ]
    tree = board_tree(_machine(), design, [*spans, *more], ram=512 * MIB, **options)  # type: ignore[arg-type]
    assert read(write(tree)) == tree
    return tree


def _node(tree: Tree, path: str) -> Node:
    node = tree.find(path)
    assert node is not None, path
    return node


def test_what_the_board_is() -> None:
    tree = _board()
    assert tree.strings("compatible") == ("pynq,virtual-board", "xlnx,zynq-7000", "linux,dummy-virt")
    assert tree.text("model") == "PYNQ virtual board: image_filter"
    assert "pynq,no-bitstream-needed" in tree.properties


def test_addresses_of_the_description_lie_in_bar_0_and_memory_begins_at_0() -> None:
    bus = _node(_board(), "/amba_pl")
    assert bus.strings("compatible") == ("simple-bus",)
    ranges = bus.cells("ranges")
    entries = {
        ranges[i + 1]: (ranges[i + 2] << 32 | ranges[i + 3], ranges[i + 5]) for i in range(0, len(ranges), 6)
    }
    assert entries[0x43C00000][1] == 0x10000
    assert BAR <= entries[0x43C00000][0] < BAR + 0x100000
    assert bus.cells("dma-ranges") == (0, 0, 0, RAM, 0, 512 * MIB)


def test_ip_are_there_at_the_start_or_come_with_an_overlay() -> None:
    names = [node.name for node in _node(_board(), "/amba_pl").children]
    assert names == [
        "filter_axi_dma@40400000",
        "axi_intc_0@41800000",
        "filter_stream_filter@43c00000",
        "udmabuf0",
    ]
    assert [node.name for node in _node(_board(uio=False), "/amba_pl").children] == ["udmabuf0"]


def test_what_is_not_served_has_no_node() -> None:
    design = _design("image_filter")
    spans = [Aperture(0x41800000, 0x10000, 0)]
    tree = board_tree(_machine(), design, spans, ram=512 * MIB)
    assert [node.name for node in _node(tree, "/amba_pl").children] == ["axi_intc_0@41800000", "udmabuf0"]
    tree = board_tree(_machine(), design, [], ram=512 * MIB)
    (line, _) = _node(tree, "/amba_pl").children
    assert (line.name, line.cells("interrupts")) == ("axi_intc_0", (0, 29, 4))


def test_registers_of_the_ps_have_their_drivers() -> None:
    tree = _board(
        "image_filter", Aperture(CONFIG_PORT, 0x1000, 0x100000), Aperture(0xE000A000, 0x1000, 0x101000)
    )
    manager = _node(tree, f"/amba_pl/fpga-manager@{CONFIG_PORT:x}")
    assert manager.strings("compatible") == ("pynq,virtual-fpga-manager",)
    assert _node(tree, "/amba_pl/fpga-region").cells("fpga-mgr") == (manager.phandle,)
    gpio = _node(tree, "/amba_pl/gpio@e000a000")
    assert gpio.strings("compatible") == ("xlnx,zynq-gpio-1.0",)
    assert gpio.cells("interrupts") == (0, 20, 4)
    assert gpio.cells("clocks") == (_node(tree, "/ps-clock").phandle,)
    other = _board("dma_loopback", Aperture(0xFF0A0000, 0x1000, 0x101000))
    assert _node(other, "/amba_pl/gpio@ff0a0000").strings("compatible") == ("xlnx,zynqmp-gpio-1.0",)
    assert tree.labels == {
        "amba": "/amba_pl",
        "amba_pl": "/amba_pl",
        "fpga_full": "/amba_pl/fpga-region",
        "fpga_region": "/amba_pl/fpga-region",
        "gic": "/intc@8000000",
        "intc": "/intc@8000000",
    }
    assert all(_node(tree, path).phandle for path in tree.labels.values())


def test_memory_for_buffers() -> None:
    tree = _board(carveouts=Carveouts(dma=16 * MIB, heap=8 * MIB, reserved=4 * MIB))
    assert _node(tree, "/amba_pl/udmabuf0").cells("size") == (16 * MIB,)
    heap, plain = _node(tree, "/reserved-memory").children
    assert heap.cells("reg") == (0, RAM + 504 * MIB, 0, 8 * MIB)
    assert plain.cells("reg") == (0, RAM + 500 * MIB, 0, 4 * MIB)
    assert plain.strings("compatible") == ("pynq,buffers",)
    assert _node(tree, "/pynq-heap").cells("memory-region") == (heap.phandle,)
    none = _board(carveouts=Carveouts(0, 0, 0))
    assert none.find("/reserved-memory") is none.find("/pynq-heap") is none.find("/amba_pl/udmabuf0") is None


def test_too_little_memory() -> None:
    with pytest.raises(
        VirtualBoardError, match=r"256 MiB of memory are too few: .* take --memory 288 or more"
    ):
        board_tree(_machine(), _design("image_filter"), [], ram=256 * MIB)


def test_devices_of_qemu_that_use_interrupts_of_the_pl_are_gone() -> None:
    tree = _board()
    assert tree.find("/virtio_mmio@a000000") is tree.find("/gpio-keys") is tree.find("/intc/v2m") is None
    assert "msi-map" not in _node(tree, "/pcie").properties


def test_random_numbers_are_there_at_once_and_differ() -> None:
    seeds = {_node(_board(), "/chosen").properties["rng-seed"] for _ in range(2)}
    assert len(seeds) == 2
    assert {len(seed) for seed in seeds} == {32}
