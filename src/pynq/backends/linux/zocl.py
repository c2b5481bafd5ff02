"""Memory of zocl, the DRM driver of AMD's images (PYNQ, PetaLinux): from the kernel's CMA area.

ABI: ``src/runtime_src/core/edge/include/zynq_ioctl.h`` of XRT. All members are of fixed size and aligned to
themselves, so the structures are the same for 32 and 64 bits. XRT itself is not needed.
"""

from __future__ import annotations

import errno
import struct
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pynq.backends.linux.livetree import LiveNode
from pynq.backends.linux.provider import Provider, dma_to_physical, mapped, megabytes
from pynq.errors import AllocationError, KernelError

if TYPE_CHECKING:
    from pynq._native import MappedBlock
    from pynq.backends.kernel import Descriptor, Kernel
    from pynq.backends.linux.board import Board

__all__ = ["Zocl", "find"]

# _IOWR('d', DRM_COMMAND_BASE + number, structure); GEM_CLOSE is the DRM core's.
_CREATE_BO, _CREATE = 0xC010_6440, "QII"  # size, handle, flags
_MAP_BO, _MAP = 0xC010_6443, "IIQ"  # handle, 0, offset to map from
_SYNC_BO, _SYNC = 0xC018_6444, "IIQQ"  # handle, direction, offset, size
_INFO_BO, _INFO = 0xC018_6445, "IIQQ"  # handle, flags, size, address
_GEM_CLOSE, _CLOSE = 0x4008_6409, "II"  # handle, 0

_CACHEABLE = 1 << 24
_CMA = 1 << 28  # drivers before 2019 want it, later ones take no notice
_DIRECTIONS = {"to_device": 0, "from_device": 1}


def find(kernel: Kernel, board: Board, *, coherent: bool) -> list[Provider]:
    """Return the zocl devices."""
    found: list[Provider] = []
    for name in kernel.names("/sys/class/drm"):
        uevent = f"/sys/class/drm/{name}/device/uevent"
        if name.startswith("renderD") and kernel.exists(uevent):
            drivers = [line for line in kernel.text(uevent).splitlines() if line.startswith("DRIVER=")]
            if any(driver.startswith("DRIVER=zocl") for driver in drivers):
                found.append(Zocl(kernel, board, name, coherent=coherent))
    return found


class Zocl(Provider):
    """A render node of zocl; each block is a buffer object (GEM) of its own."""

    def __init__(self, kernel: Kernel, board: Board, node: str, *, coherent: bool) -> None:
        self.name = f"zocl ({node})"
        self.path = f"/dev/dri/{node}"
        self._kernel = kernel
        self._board = board
        self._coherent = coherent
        place = f"/sys/class/drm/{node}/device/of_node"
        self._node = LiveNode.at(kernel, kernel.resolve(place)) if kernel.exists(place) else None
        self._device: Descriptor | None = None
        self._handles: WeakKeyDictionary[MappedBlock, int] = WeakKeyDictionary()
        self._live: set[int] = set()  # handles of blocks that are not released
        self._closing = False

    def allocate(self, nbytes: int, *, cacheable: bool) -> MappedBlock:
        """Return memory that the kernel has zeroed, and whose caches it has cleaned."""
        if self._device is not None and self._device.inherited:
            # A child (fork) must not close handles of its parent's file.
            self._device, self._handles, self._live = None, WeakKeyDictionary(), set()
        self._closing = False
        if self._device is None:
            self._device = self._kernel.open(self.path)
        device = self._device
        flags = _CMA | (_CACHEABLE if cacheable else 0)
        argument = bytearray(struct.pack(_CREATE, nbytes, 0, flags))
        try:
            device.ioctl("ZOCL_CREATE_BO", _CREATE_BO, argument)
        except KernelError as error:
            if error.errno not in (errno.ENOMEM, errno.ENOSPC):
                raise
            raise AllocationError(f"no room for {nbytes} bytes in {self.describe()}") from error
        _, handle, _ = struct.unpack(_CREATE, argument)
        self._live.add(handle)
        try:
            argument = bytearray(struct.pack(_INFO, handle, 0, 0, 0))
            device.ioctl("ZOCL_INFO_BO", _INFO_BO, argument)
            _, _, size, address = struct.unpack(_INFO, argument)
            if size < nbytes or not address:
                raise AllocationError(
                    f"{self.name} gave {size} bytes at 0x{address:x} for {nbytes}: it is not the driver that "
                    "this program knows"
                )
            bus = self._board.to_bus(dma_to_physical(self._node, address))
            argument = bytearray(struct.pack(_MAP, handle, 0, 0))
            device.ioctl("ZOCL_MAP_BO", _MAP_BO, argument)
            block = mapped(
                self._kernel,
                device,
                struct.unpack(_MAP, argument)[2],
                nbytes,
                bus,
                partial(self._free, device, handle),
                coherent=self._coherent or not cacheable,
            )
        except BaseException:
            self._free(device, handle)
            raise
        self._handles[block] = handle
        return block

    def _free(self, device: Descriptor, handle: int) -> None:
        try:
            device.ioctl("GEM_CLOSE", _GEM_CLOSE, bytearray(struct.pack(_CLOSE, handle, 0)))
        finally:
            if device is self._device:
                self._live.discard(handle)
                if self._closing:
                    self.close()

    def sync(self, block: MappedBlock, offset: int, nbytes: int, direction: str) -> None:
        """Clean the caches ("to_device") or drop what they have ("from_device")."""
        assert self._device is not None
        argument = struct.pack(_SYNC, self._handles[block], _DIRECTIONS[direction], offset, nbytes)
        self._device.ioctl("ZOCL_SYNC_BO", _SYNC_BO, bytearray(argument))

    def describe(self) -> str:
        """Return the figures of CMA: zocl has none of its own."""
        figures = {}
        for line in self._kernel.text("/proc/meminfo").splitlines():
            key, _, value = line.partition(":")
            if key in ("CmaTotal", "CmaFree") and value.split()[:1]:
                figures[key] = int(value.split()[0]) << 10
        total, free = figures.get("CmaTotal", 0), figures.get("CmaFree", 0)
        return (
            f"{self.name}: CMA of {megabytes(total)}, {megabytes(free)} free (cma=SIZE on the kernel's "
            "command line gives more)"
        )

    def close(self) -> None:
        """Close the render node, once no block needs it."""
        self._closing = True
        if self._device is not None and (self._device.inherited or not self._live):
            self._device.close()
            self._device = None
