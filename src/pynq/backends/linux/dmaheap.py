"""Memory of DMA-BUF heaps (kernel: ``include/uapi/linux/dma-heap.h``, ``Documentation/userspace-api/dma-buf-
heaps.rst``).

A heap does not tell addresses. One way to know them: a heap over reserved memory, whose place the device tree
tells, allocated as a whole. That is done once, by one process at a time, and handed out from there.

``DMA_BUF_IOCTL_SYNC`` maintains the caches of those devices that a driver has attached to the buffer; here is
none, so with the kernel's own heaps it does nothing, and where it does something it is for the whole buffer:
dropping the lines of one block would drop what the program wrote to another. So a heap is used only where
caches need no care, which the device tree says with ``dma-coherent``, in the PL's bus or in the heap's node.
"""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

from pynq._native import Arena, MappedBlock
from pynq.backends.linux.provider import PAGE, Provider, megabytes
from pynq.backends.linux.reserved import Region, regions
from pynq.errors import AllocationError, KernelError

if TYPE_CHECKING:
    from pynq.backends.kernel import Kernel
    from pynq.backends.linux.board import Board

__all__ = ["DmaHeap", "find"]

_ALLOC, _ALLOCATION = 0xC018_4800, "QIIQ"  # DMA_HEAP_IOCTL_ALLOC: length, descriptor, its flags, heap flags
_FLAGS = 0o2 | 0o2000000  # O_RDWR | O_CLOEXEC
_OWN = "pynq,reserved-heap"  # the node of the virtual board's heap, called "reserved"


def find(kernel: Kernel, board: Board, *, coherent: bool) -> list[Provider]:
    """Return the heaps over reserved memory."""
    places = {region.node.phandle: region for region in regions(board)}
    named: dict[str, tuple[Region, bool]] = {}
    for region in places.values():
        for name in (region.name, region.node.name, *region.node.strings("label")):
            for heap in (name, f"carveout_{name}"):
                named[heap] = region, coherent
    for node in board.nodes(_OWN):
        place = places.get(node.number("memory-region", -1))
        if place is not None:
            named["reserved"] = place, coherent or node.get("dma-coherent") is not None
    return [
        DmaHeap(kernel, board, name, *named[name]) for name in kernel.names("/dev/dma_heap") if name in named
    ]


class DmaHeap(Provider):
    """A heap and the reserved memory below it."""

    def __init__(self, kernel: Kernel, board: Board, heap: str, region: Region, coherent: bool) -> None:
        self.name = f"dma-heap {heap}"
        self.path = f"/dev/dma_heap/{heap}"
        self._kernel = kernel
        self._size = region.size // PAGE * PAGE
        self._bus = board.to_bus(region.address)
        self.low = self._bus + self._size <= 1 << 32
        self._coherent = coherent
        self.useless = not coherent
        self._arena: Arena | None = None

    def allocate(self, nbytes: int, *, cacheable: bool) -> MappedBlock:
        """Return a block of the heap's memory, which is coherent."""
        if not self._coherent:
            raise AllocationError(self.describe())
        if self._arena is None:
            self._arena = self._whole()
        return self._arena.allocate(nbytes)

    def _whole(self) -> Arena:
        argument = bytearray(struct.pack(_ALLOCATION, self._size, 0, _FLAGS, 0))
        with self._kernel.open(self.path) as heap:
            try:
                heap.ioctl("DMA_HEAP_IOCTL_ALLOC", _ALLOC, argument)
            except KernelError as error:
                if error.errno != errno.ENOMEM:
                    raise
                raise AllocationError(
                    f"{self.name}: another process has some of it, and its address is known only "
                    f"as a whole ({megabytes(self._size)})"
                ) from error
        with self._kernel.adopt(self.path, struct.unpack(_ALLOCATION, argument)[1]) as buffer:
            return self._kernel.call(
                "mmap",
                self.path,
                lambda: Arena(buffer.fileno(), 0, self._size, self._bus, coherent=True, name=self.name),
            )

    def describe(self) -> str:
        """Return size and address, or why it is of no use."""
        text = f"{self.name}: {megabytes(self._size)}; PL address 0x{self._bus:x}"
        if not self._coherent:
            return (
                f"{text}; not used: the PL's accesses are not coherent with the caches (dma-coherent in the "
                "device tree would say so), and a heap maintains caches only for drivers; use u-dma-buf"
            )
        if self._arena is None:
            return text
        figures = self._arena.figures()
        return f"{text}; {megabytes(figures['free'])} free, {figures['blocks']} blocks in use"

    def close(self) -> None:
        """Give the memory back, once no block needs it."""
        self._arena = None
