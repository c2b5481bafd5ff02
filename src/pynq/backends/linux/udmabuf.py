"""Memory of u-dma-buf (https://github.com/ikwzm/udmabuf): devices of fixed size, each contiguous.

``/dev/udmabuf0`` is mapped, ``/sys/class/u-dma-buf/udmabuf0`` has address, size and cache maintenance. (The
kernel's own ``/dev/udmabuf`` is something else: it has no address to tell.)
"""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING

from pynq.backends.linux.livetree import LiveNode
from pynq.backends.linux.provider import Provider, Shelf, clear, dma_to_physical, mapped
from pynq.errors import KernelError

if TYPE_CHECKING:
    from pynq._native import MappedBlock
    from pynq.backends.kernel import Descriptor, Kernel
    from pynq.backends.linux.board import Board

__all__ = ["UDmaBuf", "find"]

_CLASSES = ("/sys/class/u-dma-buf", "/sys/class/udmabuf")  # the second until version 2

# sync_mode: how a mapping with O_SYNC is. On arm64 NONCACHED is device memory, where numpy's and the C
# library's unaligned accesses are faults; write-combining memory is ordinary memory without caches. With
# ALWAYS added a mapping without O_SYNC is the same; ALWAYS alone is cached in any case, as 0 is.
_NONCACHED, _WRITE_COMBINE, _ALWAYS = 1, 2, 4
_LINE = 64  # bytes; at least a cache line of every processor here, and a multiple of the 16 of a command
_DIRECTIONS = {"to_device": ("sync_for_device", 1), "from_device": ("sync_for_cpu", 2)}
_COMMAND_LIMIT = 1 << 32


def find(kernel: Kernel, board: Board, *, coherent: bool) -> list[Provider]:
    """Return the devices, those below 4 GiB first."""
    found = [
        UDmaBuf(kernel, board, folder, name, coherent=coherent)
        for folder in _CLASSES
        for name in kernel.names(folder)
    ]
    return sorted(found, key=lambda device: (not device.low, device.name))


class UDmaBuf(Provider):
    """One device. Its memory is shared with other processes, block by block."""

    def __init__(self, kernel: Kernel, board: Board, folder: str, name: str, *, coherent: bool) -> None:
        self.name = name
        self._kernel = kernel
        self._place = f"{folder}/{name}"
        self.size = kernel.number(f"{self._place}/size")
        dma = kernel.number(f"{self._place}/phys_addr")
        node = f"{self._place}/device/of_node"
        tree = LiveNode.at(kernel, kernel.resolve(node)) if kernel.exists(node) else None
        self.base = board.to_bus(dma_to_physical(tree, dma))
        self.low = self.base + self.size <= 1 << 32
        attribute = f"{self._place}/dma_coherent"
        self._coherent = coherent or (kernel.exists(attribute) and kernel.number(attribute) == 1)
        self._mode = 0  # sync_mode
        self._compact: bool | None = None  # whether one write has offset, size and direction; None: not tried
        self._shelf: Shelf | None = None
        self._files: dict[str, Descriptor] = {}  # "cached", "uncached", and attributes by name
        self._closing = False

    # -- memory ----------------------------------------------------------------------------------------------
    def allocate(self, nbytes: int, *, cacheable: bool) -> MappedBlock:
        """Return a block; if it is not ``cacheable``, its mapping is write-combining."""
        shelf = self._open()
        uncached = not self._coherent and (not cacheable or self._mode > _ALWAYS)
        device = self._uncached() if uncached else self._file("cached", f"/dev/{self.name}")
        coherent = self._coherent or uncached
        offset = shelf.take(nbytes)
        give = partial(self._give, shelf, offset)
        try:
            block = mapped(self._kernel, device, offset, nbytes, self.base + offset, give, coherent=coherent)
        except BaseException:
            give()
            raise
        try:
            clear(block)
            if not coherent:
                # Else a line of these zeros could be written back over what the hardware has written.
                self.sync(block, 0, nbytes, "to_device")
        except BaseException:
            block.release()
            raise
        return block

    def _give(self, shelf: Shelf, offset: int) -> None:
        shelf.give(offset)
        if self._closing and shelf is self._shelf and not shelf.blocks:
            self.close()

    def _open(self) -> Shelf:
        self._closing = False
        if self._shelf is not None and self._shelf.stale:
            self._shelf, self._files = None, {}  # after a fork: the parent's files, and its locks
        if self._shelf is None:
            self._mode = self._kernel.number(f"{self._place}/sync_mode")
            self._shelf = Shelf(self.name, self._file("cached", f"/dev/{self.name}"), 0, self.size)
        return self._shelf

    def _file(self, key: str, path: str, *, sync: bool = False, read: bool = True) -> Descriptor:
        if key not in self._files:
            self._files[key] = self._kernel.open(path, sync=sync, read=read)
        return self._files[key]

    def _uncached(self) -> Descriptor:
        """Return the device opened so that mappings are not cached, and ordinary memory."""
        if self._mode & ~_ALWAYS in (0, _NONCACHED):
            mode = _WRITE_COMBINE | (_ALWAYS if self._mode > _ALWAYS else 0)
            hint = (
                f"uncached memory needs sync_mode {_WRITE_COMBINE} or 3, and it is {self._mode}: let this "
                f"user write the attribute, set it (echo {mode} > {self._place}/sync_mode, or "
                f"sync-mode = <{mode}> in the device tree), or take cacheable memory"
            )
            self._kernel.write(f"{self._place}/sync_mode", str(mode), hint)
            self._mode = mode
        return self._file("uncached", f"/dev/{self.name}", sync=True)

    # -- caches ----------------------------------------------------------------------------------------------
    def sync(self, block: MappedBlock, offset: int, nbytes: int, direction: str) -> None:
        """Clean the caches ("to_device") or drop what they have ("from_device"), in whole cache lines."""
        first = block.physical_address - self.base + offset
        start = first // _LINE * _LINE
        size = min(-(-(first + nbytes) // _LINE) * _LINE, self.size) - start
        attribute, code = _DIRECTIONS[direction]
        if self._compact is None:
            self._compact = self.size <= _COMMAND_LIMIT - _LINE and self._takes_commands()
        if self._compact:
            self._write(attribute, start << 32 | -(-size // 16) * 16 | code << 2 | 1)
            return
        device = self._files["cached"]
        device.lock(timeout=None)  # the attributes are shared by all processes
        try:
            for name, value in (("sync_offset", start), ("sync_size", size), ("sync_direction", code)):
                self._write(name, value)
            self._write(attribute, 1)
        finally:
            device.unlock()

    def _takes_commands(self) -> bool:
        """Try the form of one write, on the first 16 bytes: cleaning changes nothing. Older versions refuse
        every value but 0 and 1.
        """
        try:
            self._write("sync_for_device", 16 | 1 << 2 | 1)
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            return False
        return True

    def _write(self, attribute: str, value: int) -> None:
        file = self._file(attribute, f"{self._place}/{attribute}", read=False)
        file.pwrite(str(value).encode(), 0)

    # -- the rest --------------------------------------------------------------------------------------------
    def describe(self) -> str:
        """Return size, address, and who has how much."""
        try:
            figures = self._open().figures()
        except KernelError as error:
            return str(error)
        return f"{figures}; PL address 0x{self.base:x}{', coherent' if self._coherent else ''}"

    def close(self) -> None:
        """Close the files, once no block needs its lock."""
        self._closing = True
        if self._shelf is not None and (self._shelf.stale or not self._shelf.blocks):
            self._shelf = None
            files, self._files = self._files, {}
            for file in files.values():
                file.close()
