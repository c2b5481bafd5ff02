"""What the sources of contiguous memory have in common; each of them is a module of its own.

A physical address is what the PL needs, and only few ways tell it. ``/proc/self/pagemap`` is none of them: it
needs CAP_SYS_ADMIN (``Documentation/admin-guide/mm/pagemap.rst``), tells nothing of mappings made with
``remap_pfn_range`` (most buffers of drivers and heaps), and what it tells of ordinary memory is true until
the kernel moves the page.
"""

from __future__ import annotations

import mmap
import threading
from abc import ABC, abstractmethod
from bisect import bisect, insort
from typing import TYPE_CHECKING

import numpy as np

from pynq._native import MappedBlock
from pynq.errors import AllocationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pynq.backends.kernel import Descriptor, Kernel
    from pynq.backends.linux.livetree import LiveNode

__all__ = ["PAGE", "Provider", "Shelf", "dma_to_physical", "mapped", "megabytes"]

PAGE = mmap.PAGESIZE


class Provider(ABC):
    """A source of contiguous memory. ``name`` is what ``allocate(target=...)`` and messages call it."""

    name: str
    useless: bool = False  # whether it can't give anything on this board; :meth:`describe` says why
    low: bool | None = None  # whether all of it lies below 4 GiB; None: that shows with each block

    @abstractmethod
    def allocate(self, nbytes: int, *, cacheable: bool) -> MappedBlock:
        """Return zeroed memory, of which no cache line is dirty unless the block is coherent.

        Raises :class:`~pynq.errors.AllocationError` with the figures where there is no room.
        """

    def sync(self, block: MappedBlock, offset: int, nbytes: int, direction: str) -> None:
        """Make caches and memory agree on a part of a block that is not coherent."""
        raise AssertionError(f"blocks of {self.name} are coherent: {block!r}")

    @abstractmethod
    def describe(self) -> str:
        """Return one line: what it is, how much there is and how much of it is free."""

    @abstractmethod
    def close(self) -> None:
        """Give everything back that no block needs. Later use opens it again."""


class Shelf:
    """A range of memory that several processes share, each block locked by the process that has it.

    The kernel's table of file locks is the book of who has what: there is no file that could be out of date,
    and what a killed process had is free again. Offsets are those of the file.
    """

    def __init__(self, name: str, descriptor: Descriptor, start: int, size: int) -> None:
        self.name = name
        self.start = start
        self.size = size
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._taken: list[tuple[int, int]] = []  # offset, bytes; sorted

    @property
    def stale(self) -> bool:
        """True in a child (fork): the locks are the parent's there."""
        return self._descriptor.inherited

    @property
    def blocks(self) -> int:
        """How many blocks this process has."""
        return len(self._taken)

    def take(self, nbytes: int) -> int:
        """Return the offset of ``nbytes`` that nobody else has."""
        need = -(-nbytes // PAGE) * PAGE
        with self._lock:
            position = self.start
            for offset, length in [*self._taken, (self.start + self.size, 0)]:
                while position + need <= offset:
                    found = self._descriptor.reserve(position, need)
                    if found is None:
                        insort(self._taken, (position, need))
                        return position
                    first, count = found
                    position = -(-(first + count) // PAGE) * PAGE if count else self.start + self.size
                position = max(position, offset + length)
        raise AllocationError(f"no room for {nbytes} bytes in {self.figures()}")

    def give(self, offset: int) -> None:
        """Give a block back."""
        with self._lock:
            index = bisect(self._taken, (offset, 0))
            entry = self._taken[index]
            assert entry[0] == offset
            self._descriptor.unreserve(*entry)
            del self._taken[index]

    def figures(self) -> str:
        """Say how much there is and who has it."""
        with self._lock:
            own, blocks = sum(length for _, length in self._taken), len(self._taken)
            others = self._locked(self.start, self.start + self.size)
        return (
            f"{self.name}: {megabytes(self.size)}, of which this process has {megabytes(own)} in {blocks} "
            f"blocks and others have {megabytes(others)}"
        )

    def _locked(self, start: int, end: int) -> int:
        """Return how many bytes others have."""
        if start >= end:
            return 0
        found = self._descriptor.holder(start, end - start)
        if found is None:
            return 0
        first = max(found[0], start)
        last = min(found[0] + found[1], end) if found[1] else end
        return last - first + self._locked(start, first) + self._locked(last, end)


def mapped(
    kernel: Kernel,
    descriptor: Descriptor,
    offset: int,
    nbytes: int,
    bus: int,
    on_release: Callable[[], object],
    *,
    coherent: bool,
) -> MappedBlock:
    """Return a block of a device's memory."""
    return kernel.call(
        "mmap",
        descriptor.name,
        lambda: MappedBlock(descriptor.fileno(), offset, nbytes, bus, on_release, coherent),
    )


def clear(block: MappedBlock) -> None:
    """Zero a block."""
    np.frombuffer(memoryview(block), np.uint8).fill(0)


def megabytes(count: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"


def dma_to_physical(node: LiveNode | None, address: int) -> int:
    """Return the CPU's address of a DMA address of the device with that node.

    A driver tells what ``dma_alloc_coherent`` gave it, which counts as the device's bus does
    (Devicetree Specification v0.4, 2.3.9 ``dma-ranges``); without the property, as the bus above.
    """
    bus = node.parent if node is not None else None
    while bus is not None and bus.parent is not None:
        cells = bus.cells("dma-ranges")
        inner = bus.number("#address-cells", 2)
        outer = bus.parent.number("#address-cells", 2)
        step = inner + outer + bus.number("#size-cells", 1)
        for start in range(0, len(cells) - step + 1, step):
            entry = cells[start : start + step]
            child, parent = join(entry[:inner]), join(entry[inner : inner + outer])
            if child <= address < child + join(entry[inner + outer :]):
                address += parent - child
                break
        bus = bus.parent
    return address


def join(cells: tuple[int, ...]) -> int:
    """Return the number that cells of 32 bits make."""
    value = 0
    for cell in cells:
        value = value << 32 | cell
    return value
