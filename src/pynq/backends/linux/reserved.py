"""Memory that the device tree keeps from Linux: nodes under ``/reserved-memory``.

Bindings: ``reserved-memory/reserved-memory.yaml`` of dt-schema. A node with compatible "pynq,buffers" is
given to programs through /dev/mem, not cached::

    reserved-memory {
        #address-cells = <2>; #size-cells = <2>; ranges;
        buffers@30000000 { compatible = "pynq,buffers"; reg = <0 0x30000000 0 0x4000000>; };
    };

It must not have ``no-map``: then Linux does not know it as memory, and a mapping of it is device memory
(``phys_mem_access_prot`` of arch/arm64 and arch/arm), where numpy's and the C library's unaligned accesses
are faults. For the same reason there is no way to name a range that the tree does not know (``mem=`` on the
kernel's command line), nor through UIO, whose mappings always are device memory.
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pynq.backends.linux.provider import Provider, Shelf, clear, join, mapped
from pynq.errors import AllocationError, KernelError

if TYPE_CHECKING:
    from pynq._native import MappedBlock
    from pynq.backends.kernel import Descriptor, Kernel
    from pynq.backends.linux.board import Board
    from pynq.backends.linux.livetree import LiveNode

__all__ = ["Region", "Reserved", "find", "regions"]

COMPATIBLE = "pynq,buffers"


class Region(NamedTuple):
    """Reserved memory with a fixed place (the first in ``reg``). Addresses are the CPU's."""

    node: LiveNode
    address: int
    size: int

    @property
    def name(self) -> str:
        """The node's name without its address."""
        return self.node.name.partition("@")[0]


def regions(board: Board) -> list[Region]:
    """Return the reserved memories whose place the device tree tells."""
    found = []
    for parent in board.root.children():
        if parent.name != "reserved-memory":
            continue
        cells = parent.number("#address-cells", 2)
        sizes = parent.number("#size-cells", 1)
        for node in parent.children():
            reg = node.cells("reg")
            if len(reg) >= cells + sizes:
                found.append(Region(node, join(reg[:cells]), join(reg[cells : cells + sizes])))
    return found


def find(kernel: Kernel, board: Board, *, coherent: bool) -> list[Provider]:
    """Return the regions that are for programs."""
    return [
        Reserved(kernel, board, region) for region in regions(board) if COMPATIBLE in region.node.compatible
    ]


class Reserved(Provider):
    """One region. Its memory is shared with other processes, block by block, and never cached."""

    def __init__(self, kernel: Kernel, board: Board, region: Region) -> None:
        self.name = region.node.name
        self._kernel = kernel
        self._region = region
        self._bus = board.to_bus(region.address)
        self.low = self._bus + region.size <= 1 << 32
        self.useless = region.node.get("no-map") is not None  # its mapping would be device memory
        self._memory: Descriptor | None = None
        self._shelf: Shelf | None = None
        self._closing = False

    def allocate(self, nbytes: int, *, cacheable: bool) -> MappedBlock:
        """Return a block, which is not cached in any case: /dev/mem has no cache maintenance."""
        if self.useless:
            raise AllocationError(self.describe())
        shelf, memory = self._open()
        offset = shelf.take(nbytes)
        give = partial(self._give, shelf, offset)
        bus = self._bus + offset - self._region.address
        try:
            block = mapped(self._kernel, memory, offset, nbytes, bus, give, coherent=True)
        except KernelError as error:
            give()
            if error.errno != errno.EPERM:
                raise
            raise AllocationError(
                f"{self.name}: the kernel lets nobody map this memory (CONFIG_STRICT_DEVMEM); give it to "
                'u-dma-buf: a node with compatible = "ikwzm,u-dma-buf", size and memory-region'
            ) from error
        except BaseException:
            give()
            raise
        clear(block)
        return block

    def _give(self, shelf: Shelf, offset: int) -> None:
        shelf.give(offset)
        if self._closing and shelf is self._shelf and not shelf.blocks:
            self.close()

    def _open(self) -> tuple[Shelf, Descriptor]:
        self._closing = False
        if self._memory is None or self._shelf is None or self._shelf.stale:
            self._memory = self._kernel.open("/dev/mem", sync=True)
            self._shelf = Shelf(self.name, self._memory, self._region.address, self._region.size)
        return self._shelf, self._memory

    def describe(self) -> str:
        """Return size, address, and who has how much."""
        if self.useless:
            return (
                f"{self.name}: reserved with no-map, so its mapping would be device memory, on which "
                "unaligned accesses end a program: take no-map out of the node"
            )
        try:
            return f"{self._open()[0].figures()}; PL address 0x{self._bus:x}, not cached"
        except KernelError as error:
            return str(error)

    def close(self) -> None:
        """Close /dev/mem, once no block needs its lock."""
        self._closing = True
        if (
            self._memory is not None
            and self._shelf is not None
            and (self._shelf.stale or not self._shelf.blocks)
        ):
            self._memory.close()
            self._memory = self._shelf = None
