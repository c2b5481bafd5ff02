"""The running kernel's device tree, as ``/proc/device-tree`` shows it: a folder a node, a file a property."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

from pynq.backends.kernel import Kernel
from pynq.errors import KernelError

__all__ = ["LIVE_TREE", "LiveNode"]

LIVE_TREE = "/proc/device-tree"


class LiveNode:
    """A node of the live tree. Nothing is kept: overlays come and go. ``place`` is its folder."""

    def __init__(self, kernel: Kernel, place: str = LIVE_TREE, parent: LiveNode | None = None) -> None:
        self.kernel = kernel
        self.place = place
        self.parent = parent

    @classmethod
    def at(cls, kernel: Kernel, place: str) -> LiveNode:
        """Return the node of a folder (what an ``of_node`` link of sysfs stands for), with its parents."""
        base = kernel.resolve(LIVE_TREE)
        inner = place.removeprefix(base).strip("/") if place.startswith(base) else ""
        node = cls(kernel, base)
        for name in filter(None, inner.split("/")):
            node = cls(kernel, f"{node.place}/{name}", node)
        return node

    @property
    def name(self) -> str:
        """Name with its address ("serial@e0001000"); of the root: that of its folder."""
        return self.place.rpartition("/")[2]

    def get(self, name: str) -> bytes | None:
        """Return a property's bytes, None where the node has none of that name."""
        try:
            return self.kernel.read(f"{self.place}/{name}")
        except KernelError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise

    def cells(self, name: str) -> tuple[int, ...]:
        """Return a property as numbers of 32 bits, () where there is none."""
        data = self.get(name) or b""
        return struct.unpack(f">{len(data) // 4}I", data[: len(data) // 4 * 4])

    def number(self, name: str, default: int) -> int:
        """Return a property's first number."""
        return next(iter(self.cells(name)), default)

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a property as texts, () where there is none."""
        data = self.get(name) or b""
        return tuple(part.decode(errors="replace") for part in data.split(b"\0") if part)

    @property
    def compatible(self) -> tuple[str, ...]:
        """What the node says it is, the most specific name first."""
        return self.strings("compatible")

    def children(self) -> list[LiveNode]:
        """Return the nodes below."""
        return [
            LiveNode(self.kernel, f"{self.place}/{name}", self) for name in self.kernel.folders(self.place)
        ]

    def walk(self) -> Iterator[LiveNode]:
        """Return this node and every one below it, parents first."""
        yield self
        for child in self.children():
            yield from child.walk()

    @property
    def phandle(self) -> int | None:
        """The number by which others refer to it."""
        return next(iter(self.cells("phandle") or self.cells("linux,phandle")), None)

    def __repr__(self) -> str:
        return f"<LiveNode {self.place}>"
