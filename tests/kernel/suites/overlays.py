"""Device-tree overlays with a real kernel, which begins without nodes for the design's IP.

Loading makes them: the Linux backend writes an overlay from the description and inserts it through configfs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import public
from public import TLR, refused

import pynq
from pynq.backends.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.programming import Programmer
from pynq.backends.linux.uio import scan
from pynq.devicetree import Fragment, Node, make, write
from pynq.errors import KernelError, ProgrammingError

KERNEL = Kernel()
FOLDER = "/sys/kernel/config/device-tree/overlays"
MANAGER = "/sys/class/fpga_manager/fpga0"


def load(path: str) -> Any:
    """Return the overlay that the tests work with."""
    assert not scan(KERNEL, Board(KERNEL)), "there are UIO devices before anything is loaded"
    return pynq.Overlay(path)


def inserted() -> list[str]:
    return KERNEL.names(FOLDER)


def test_loading_makes_the_nodes(overlay: Any) -> None:
    found = {one.address for uio in scan(KERNEL, Board(KERNEL)) for one in uio.maps}
    wanted = {entry["phys_addr"] for entry in overlay.ip_dict.values() if entry["phys_addr"]}
    assert wanted <= found, sorted(map(hex, wanted - found))
    assert len(inserted()) == 1
    assert KERNEL.text(f"{FOLDER}/{inserted()[0]}/status") in ("1", "applied")


def test_registers_interrupts_and_dma_work_on_them(overlay: Any) -> None:
    public.test_registers_keep_what_is_written(overlay)
    public.test_an_interrupt_behind_a_controller(overlay)
    public.test_an_interrupt_straight_to_the_processor(overlay)
    public.test_many_interrupts_in_a_row(overlay)
    public.test_dma_moves_data_of_many_sizes(overlay)
    public.test_dma_with_interrupts(overlay)


def test_loading_again_makes_them_anew(overlay: Any) -> None:
    old = overlay.timer_0.mmio
    for _ in range(3):
        overlay.download()
        assert len(inserted()) == 1
        overlay.timer_0.write(TLR, 5)
        assert overlay.timer_0.read(TLR) == 5
    assert old is not None
    for channel in (overlay.dma.axi_dma.sendchannel, overlay.dma.axi_dma.recvchannel):
        channel.start()
    public.loop(overlay, 64)
    public.test_an_interrupt_behind_a_controller(overlay)


def blob(name: str, **properties: Any) -> Path:
    """Write an overlay that adds one node to the root; return its file."""
    node = Node("", children=[Node(name)])
    for key, value in properties.items():
        node.children[0].set(key.replace("_", "-"), value)
    path = Path(f"/tmp/{name}.dtbo")
    path.write_bytes(write(make([Fragment("/", node)])))
    return path


def test_an_overlay_of_the_user(overlay: Any) -> None:
    path = blob("of_the_user", compatible="acme,thing")
    before = inserted()
    overlay.device.insert_device_tree(str(path))
    assert KERNEL.exists("/proc/device-tree/of_the_user/compatible")
    overlay.device.remove_device_tree(str(path))
    assert not KERNEL.exists("/proc/device-tree/of_the_user")
    assert inserted() == before


def test_an_overlay_that_is_none(overlay: Any) -> None:
    path = Path("/tmp/broken.dtbo")
    path.write_bytes(b"\xd0\x0d\xfe\xed" + bytes(60))
    before = inserted()
    with refused((ProgrammingError, ValueError)):
        overlay.device.insert_device_tree(str(path))
    assert inserted() == before


def test_an_overlay_whose_target_is_missing(overlay: Any) -> None:
    path = Path("/tmp/nowhere.dtbo")
    path.write_bytes(write(make([Fragment("/no/such/node", Node("", children=[Node("x")]))])))
    before = inserted()
    with refused((ProgrammingError, ValueError)):
        overlay.device.insert_device_tree(str(path))
    assert inserted() == before


def test_a_region_is_programmed_by_an_overlay(overlay: Any) -> None:
    """The way of kernels whose manager has no ``firmware`` (Documentation/devicetree/bindings/fpga)."""
    regions = KERNEL.names("/sys/class/fpga_region")
    assert regions, "no fpga_region"
    device = overlay.device
    place = device.programmer.region()
    from pynq.design.bitfile import image_for

    Path("/lib/firmware").mkdir(exist_ok=True)
    image = image_for(Path("bench.bit"), device.board.processor)
    Path("/lib/firmware/region.bin").write_bytes(image)
    overlay.timer_0.write(TLR, 99)
    content = Node("")
    content.set("firmware-name", "region.bin")
    path = Path("/tmp/by_region.dtbo")
    path.write_bytes(write(make([Fragment(place, content)])))
    device.insert_device_tree(str(path))
    assert KERNEL.text(MANAGER + "/state") == "operating"
    assert overlay.timer_0.read(TLR) == 0, "the PL was not configured"
    device.remove_device_tree(str(path))
    content.set("firmware-name", "missing.bin")
    path.write_bytes(write(make([Fragment(place, content)])))
    with refused(ProgrammingError):
        device.insert_device_tree(str(path))
    overlay.download()
    assert KERNEL.text(MANAGER + "/state") == "operating"


class Mainline(Kernel):
    """The same system with a manager that has no ``firmware``."""

    def exists(self, name: str) -> bool:
        return name != f"{MANAGER}/firmware" and super().exists(name)


def test_a_region_takes_overlays_after_a_load(overlay: Any) -> None:
    """The real core refuses a second overlay for a region while the one that programs it is in."""
    device = overlay.device
    from pynq.design.bitfile import image_for

    programmer = Programmer(Mainline(), device.board)
    overlay.timer_0.write(TLR, 99)
    before = inserted()
    programmer.load(image_for(Path("bench.bit"), device.board.processor))
    assert KERNEL.text(MANAGER + "/state") == "operating"
    assert overlay.timer_0.read(TLR) == 0, "the PL was not configured"
    assert inserted() == before
    node = Node("", children=[Node("of_the_region", {"compatible": b"acme,thing\0"})])
    name = programmer.insert("region", write(make([Fragment(programmer.region(), node)])))
    assert device.board.nodes("acme,thing")
    programmer.remove(name)
    overlay.download()


def test_states_of_the_core(overlay: Any) -> None:
    with refused(KernelError, errno.errorcode[errno.ENOENT]):
        KERNEL.write(MANAGER + "/firmware", "no_such.bin")
    assert KERNEL.text(MANAGER + "/state") == "firmware request error"
    overlay.download()
    assert KERNEL.text(MANAGER + "/state") == "operating"


def test_a_heap_that_others_use_says_so(overlay: Any) -> None:
    """This kernel's heap is its CMA area, of which others have some: its address can't be known."""
    heap = next(one for one in overlay.device.memory.providers if not one.name.startswith("udmabuf"))
    with refused(MemoryError, "another process has some of it"):
        overlay.device.allocate_block(4096, target=heap.name)
    for channel in (overlay.dma.axi_dma.sendchannel, overlay.dma.axi_dma.recvchannel):
        channel.start()
    public.loop(overlay, 64)  # from u-dma-buf


def test_ending_leaves_no_node_and_no_file(overlay: Any) -> None:
    overlay.device.programmer.remove_all()
    overlay.device.registers.forget("the test ends")
    assert not inserted()
    assert not scan(KERNEL, Board(KERNEL))
    assert not [name for name in os.listdir("/lib/firmware") if name.startswith("pynq-")]


def suite() -> list[tuple[str, Callable[[Any], None]]]:
    """Return every test with its name, in the order of this file."""
    return [(name, function) for name, function in globals().items() if name.startswith("test_")]
