"""Contiguous memory on boards: what :func:`pynq.allocate` gives there.

The sources, in this order: zocl, u-dma-buf, DMA-BUF heaps over reserved memory, reserved memory itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pynq._native import MappedBlock
from pynq.backends.linux import dmaheap, reserved, udmabuf, zocl
from pynq.errors import AccessError, AllocationError, KernelError, UnsupportedByDeviceError

if TYPE_CHECKING:
    from pynq.backends.kernel import Kernel
    from pynq.backends.linux.board import Board
    from pynq.backends.linux.provider import Provider
    from pynq.device.contract import Block

__all__ = ["Memory"]

_SOURCES = (zocl.find, udmabuf.find, dmaheap.find, reserved.find)
_LOW = 1 << 32  # what a DMA engine with 32-bit addresses reaches

_NONE = (
    "this system has no contiguous memory that the PL can reach and whose address it tells. Images of AMD "
    "and PYNQ have the driver zocl (/dev/dri/renderD*); elsewhere load u-dma-buf (insmod u-dma-buf.ko "
    'udmabuf0=67108864, or a device-tree node compatible = "ikwzm,u-dma-buf" with size), or reserve memory: '
    'a node compatible = "pynq,buffers" with reg under /reserved-memory. `pynq doctor` tells what is missing'
)


class Memory:
    """The contiguous memory of a board, from whatever sources there are.

    Memory below 4 GiB comes first, since many DMA engines reach no further. ``coherent``: whether the PL sees
    the caches, as the device tree says (``dma-coherent`` in the PL's bus): ports HPC and ACP of a ZynqMP that
    are set up for it. Then nothing has to be flushed.
    """

    def __init__(self, kernel: Kernel, board: Board) -> None:
        self.kernel = kernel
        self.board = board
        self._lock = threading.Lock()
        self._providers: list[Provider] | None = None
        self._failures: list[str] = []  # sources that can't be used
        self._owners: WeakKeyDictionary[MappedBlock, Provider] = WeakKeyDictionary()

    @property
    def coherent(self) -> bool:
        """Whether the PL sees the caches, so that buffers need no care."""
        return self.board.bus.get("dma-coherent") is not None

    @property
    def providers(self) -> list[Provider]:
        """The sources there are, in the order in which they are asked."""
        with self._lock:
            if self._providers is None:
                self._failures = []
                self._providers = [provider for find in _SOURCES for provider in self._found(find)]
            return self._providers

    def _found(self, find: Any) -> list[Provider]:
        try:
            found: list[Provider] = find(self.kernel, self.board, coherent=self.coherent)
        except (KernelError, AccessError) as error:
            self._failures.append(str(error))
            return []
        return found

    def refresh(self) -> None:
        """Look for the sources again at the next use: an overlay may bring some, and take some away."""
        with self._lock:
            providers, self._providers = self._providers, None
        for provider in providers or ():
            provider.close()

    def allocate(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return ``nbytes`` of zeroed memory.

        Args:
            nbytes: At least 1.
            cacheable: Whether the caches may hold it; else it is write-combining, and ``coherent``.
            target: Name of a source (``"udmabuf1"``), None or the PS's main memory: any.

        Raises:
            AllocationError: There is no room; the message has every source's figures.
            UnsupportedByDeviceError: ``target`` is another memory of the design.
        """
        reasons: list[Exception] = []
        for again in (False, True):
            reasons = []
            block = self._try(self._chosen(target), nbytes, cacheable, reasons)
            if block is not None:
                return block
            if again or any(isinstance(reason, AllocationError) for reason in reasons):
                break
            self.refresh()  # there was none, or they have gone
        if len(reasons) == 1 and not self._failures:
            raise reasons[0]
        lines = [*map(str, reasons), *self._failures] or [_NONE]
        raise AllocationError(f"no {nbytes} bytes of contiguous memory: " + "; ".join(lines)) from (
            reasons[0] if reasons else None
        )

    def _try(
        self, providers: list[Provider], nbytes: int, cacheable: bool, reasons: list[Exception]
    ) -> MappedBlock | None:
        """Ask the sources, for memory below 4 GiB first; note in ``reasons`` why one gives none."""
        high: tuple[Provider, MappedBlock] | None = None
        for provider in sorted(providers, key=lambda each: each.low is False):
            if provider.low is False and high is not None:
                break
            try:
                block = provider.allocate(nbytes, cacheable=cacheable)
            except (AllocationError, KernelError, AccessError) as error:
                reasons.append(error)
                continue
            if provider.low is False or block.physical_address + nbytes <= _LOW:
                if high is not None:
                    high[1].release()
                self._owners[block] = provider
                return block
            if high is None:
                high = provider, block
            else:
                block.release()
        if high is None:
            return None
        self._owners[high[1]] = high[0]
        return high[1]

    def _chosen(self, target: Any) -> list[Provider]:
        """Return the sources that ``target`` means."""
        providers = self.providers
        if target is None:
            return providers
        if isinstance(target, str):
            chosen = [provider for provider in providers if provider.name == target]
            if chosen:
                return chosen
            names = ", ".join(repr(provider.name) for provider in providers)
            raise UnsupportedByDeviceError(
                f"this board has no memory {target!r} for buffers; it has {names or 'none'}"
            )
        base = (
            target.get("phys_addr")
            if isinstance(target, Mapping)
            else getattr(target, "base_address", getattr(target, "base", None))
        )
        if base == 0:  # the PS's DDR, as the PL sees it
            return providers
        raise UnsupportedByDeviceError(
            f"on a board, buffers are in the PS's memory, not in {target!r}; reach memory of the PL through "
            "overlay.NAME.mmio, or by a DMA engine of the design"
        )

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        """Make caches and memory agree on a part of a block; ``direction``: "to_device", "from_device"."""
        if not block.coherent and nbytes and isinstance(block, MappedBlock):
            self._owners[block].sync(block, offset, nbytes, direction)

    def describe(self) -> list[str]:
        """Return a line for each source, and for each that can't be used; what to do where there is none."""
        lines = [provider.describe() for provider in self.providers]
        return [*lines, *self._failures] or [_NONE]

    def close(self) -> None:
        """Give everything back that no block needs. A second call does nothing."""
        self.refresh()
