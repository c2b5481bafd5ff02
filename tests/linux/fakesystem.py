"""A Linux system in a folder, for tests of the Linux backend: files that react as the kernel's do.

``FakeSystem(folder)`` makes ``/sys``, ``/proc/device-tree``, ``/dev`` and the rest under a folder, for one of
the families; ``system.kernel()`` is a :class:`~pynq.backends.kernel.Kernel` on it. What reacts:

* ``/sys/class/fpga_manager/fpga0``: writing ``firmware`` (the vendor's kernel) walks through the states with
  the image under ``/lib/firmware``; ``system.manager`` says what was loaded and which step fails.
* ``/sys/kernel/config/device-tree/overlays``: a folder made there has ``path``, ``dtbo`` and ``status``;
  writing one of the first two inserts the overlay: nodes, UIO devices, ``firmware-name``.
* ``/dev/uioN``: registers (all UIO devices and ``/dev/mem`` share one physical memory) and interrupts
  with the masking of ``uio_pdrv_genirq``.
* ``system.ioctl("/dev/dma_heap/*", handler)`` answers ioctls; ``system.opener(name, function)`` gives the
  descriptor for an open.

Faults: ``system.kernel(fail={("write", "/sys/*/firmware"): errno.EIO}, nth=2)`` lets the second call that
matches fail. Operations and names are those of ``Kernel.call``; ``kernel.calls`` has all that were made.
"""

from __future__ import annotations

import errno
import fnmatch
import mmap
import os
import shutil
import socket
import struct
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from pynq.backends.kernel import Descriptor, Kernel
from pynq.devicetree.fdt import Node, read

T = TypeVar("T")
PAGE = mmap.PAGESIZE
TREE = "/sys/firmware/devicetree/base"
OVERLAYS = "/sys/kernel/config/device-tree/overlays"
MANAGER = "/sys/class/fpga_manager/fpga0"
GIC = 1  # phandle

FAMILIES = {
    "zynq": (["xlnx,zynq-7000"], "Xilinx Zynq FPGA Manager", 1),
    "zynqmp": (["xlnx,zynqmp"], "Xilinx ZynqMP FPGA Manager", 2),
    "versal": (["xlnx,versal"], "Xilinx Versal FPGA Manager", 2),
    "virtual": (["pynq,virtual-board"], "pynq virtual board", 2),
}


class FaultyKernel(Kernel):
    """A kernel on a fake system. ``fail``: error numbers by (operation, name), both globs.

    The ``nth`` matching call fails (counted for each entry from 1; 0: every one).
    """

    def __init__(
        self, system: FakeSystem, fail: Mapping[tuple[str, str], int] | None = None, nth: int = 1
    ) -> None:
        super().__init__(system.root)
        self.system = system
        self.fail = dict(fail or {})
        self.nth = nth
        self.calls: list[tuple[str, str]] = []
        self._seen: dict[tuple[str, str], int] = {}

    def call(self, operation: str, name: str, function: Callable[[], T], hint: str = "") -> T:
        def react() -> T:
            self.calls.append((operation, name))
            for key, number in self.fail.items():
                if fnmatch.fnmatch(operation, key[0]) and fnmatch.fnmatch(name, key[1]):
                    self._seen[key] = self._seen.get(key, 0) + 1
                    if self.nth in (0, self._seen[key]):
                        raise OSError(number, os.strerror(number), name)
            self.system.before(operation, name)
            result = function()
            self.system.after(operation, name)
            return result

        return super().call(operation, name, react, hint)

    def open(
        self,
        name: str,
        *,
        read: bool = True,
        write: bool = True,
        sync: bool = False,
        create: bool = False,
        block: bool = True,
        hint: str = "",
    ) -> Descriptor:
        opener = self.system.openers.get(name)
        if opener is not None:
            return FakeDescriptor(self, name, self.call("open", name, opener, hint))
        real = super().open(name, read=read, write=write, sync=sync, create=create, block=block, hint=hint)
        return FakeDescriptor(self, name, real.fileno())

    def adopt(self, name: str, descriptor: int) -> Descriptor:
        return FakeDescriptor(self, name, descriptor)


class FakeDescriptor(Descriptor):
    """A descriptor whose ioctls the system answers, and whose mappings are those of UIO."""

    kernel: FaultyKernel

    def ioctl(self, operation: str, request: int, argument: bytearray, hint: str = "") -> None:
        for pattern, handler in self.kernel.system.ioctls.items():
            if fnmatch.fnmatch(self.name, pattern):
                self._call(operation, partial(handler, self, request, argument), hint)
                return
        super().ioctl(operation, request, argument, hint)

    def map(self, length: int, offset: int = 0, *, write: bool = True, hint: str = "") -> mmap.mmap:
        uio = self.kernel.system.uios.get(self.name)
        rights = mmap.PROT_READ | (mmap.PROT_WRITE if write else 0)

        def mapped() -> mmap.mmap:
            if uio is None:
                return mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, rights, offset=offset)
            address, size = uio.page(offset)
            if length > size:
                raise OSError(errno.EINVAL, "more than the map has")
            with open(self.kernel.path("/dev/mem"), "r+b") as memory:
                return mmap.mmap(memory.fileno(), length, mmap.MAP_SHARED, rights, offset=address)

        return self._call("mmap", mapped, hint)


class FakeUio:
    """A UIO device: ``maps`` are (physical address, size, offset in the page); ``set`` is its wire."""

    def __init__(self, system: FakeSystem, index: int, maps: list[tuple[int, int, int]]) -> None:
        self.system = system
        self.index = index
        self.maps = maps
        self.name = f"/dev/uio{index}"
        self.enabled = True  # as request_irq() leaves it
        self.level = False
        self.count = 0
        self._ends: list[tuple[socket.socket, socket.socket]] = []  # ours, and a copy of the program's
        weakref.finalize(self, _close_all, self._ends)

    def page(self, offset: int) -> tuple[int, int]:
        """Return address and size of what is mapped at an offset of the device file."""
        index, rest = divmod(offset, PAGE)
        if rest or index >= len(self.maps):
            raise OSError(errno.EINVAL, "no such map")
        address, size, inner = self.maps[index]
        if address % PAGE:
            raise OSError(errno.ENODEV, "map does not start at a page")
        return address, -(-(inner + size) // PAGE) * PAGE

    def open(self) -> int:
        """Return a descriptor: four bytes to be read for every interrupt, four to be written to (un)mask."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ends.append((ours, theirs.dup()))
        return theirs.detach()

    def set(self, level: bool) -> None:
        """Drive the interrupt wire."""
        self.level = level
        self._fire()

    def pulse(self) -> None:
        """Drive it for a moment."""
        self.set(True)
        self.level = False

    def written(self) -> None:
        """Take what the program has written."""
        for ours, _ in self._ends:
            with suppress(BlockingIOError):
                while data := ours.recv(4, socket.MSG_DONTWAIT):
                    (value,) = struct.unpack("=i", data)
                    self.enabled = bool(value)
        self._fire()

    def _fire(self) -> None:
        if self.level and self.enabled:
            self.enabled = False
            self.count += 1
            for ours, theirs in self._ends:
                with suppress(BlockingIOError):  # a count that nobody has read is replaced
                    theirs.recv(4, socket.MSG_DONTWAIT)
                with suppress(OSError):
                    ours.send(struct.pack("=I", self.count))

    def close(self) -> None:
        _close_all(self._ends)


def _close_all(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for pair in pairs:
        for end in pair:
            end.close()


class FakeManager:
    """What the FPGA manager does. ``fails``: "request", "init", "write" or "complete" -> error number."""

    def __init__(self, system: FakeSystem) -> None:
        self.system = system
        self.fails: dict[str, int] = {}
        self.images: list[tuple[bytes, int]] = []  # what was loaded, with which flags
        self.log = ""  # what dmesg would have

    @property
    def state(self) -> str:
        return self.system.path(f"{MANAGER}/state").read_text().strip()

    def load(self, name: str, flags: int) -> None:
        """Do what fpga_mgr_firmware_load() does."""
        self._enter("firmware request")
        folder = self.system.path("/sys/module/firmware_class/parameters/path")
        places = [folder.read_text().strip()] if folder.exists() else []
        for place in [*places, "/lib/firmware"]:
            image = self.system.path(place) / name
            if place and image.is_file():
                break
        else:
            self._fail("firmware request", errno.ENOENT)
        data = image.read_bytes()
        if "request" in self.fails:
            self._fail("firmware request", self.fails["request"])
        for step, state in (("init", "write init"), ("write", "write"), ("complete", "write complete")):
            self._enter(state)
            if step in self.fails:
                self._fail(state, self.fails[step])
            if step == "init" and self.system.family == "zynq" and not flags & 1:
                words = [data[i : i + 4] for i in range(0, min(128, len(data)), 4)]
                if b"\x66\x55\x99\xaa" not in words:
                    self._fail(state, errno.EINVAL)
        self.images.append((data, flags))
        self._enter("operating")

    def _enter(self, state: str) -> None:
        self.system.file(f"{MANAGER}/state", state + "\n")

    def _fail(self, state: str, number: int) -> None:
        self._enter(f"{state} error")
        raise OSError(number, os.strerror(number))


class FakeSystem:
    """See the module. ``manager``: "vendor" (``firmware`` and ``flags`` in sysfs), "mainline" (without), "".

    ``address_cells`` of the PL's bus are those of the family; ``ranges``: (bus, CPU, bytes) of the bus node,
    none: the identity; ``dma_ranges`` alike.
    """

    def __init__(
        self,
        folder: Path,
        family: str = "zynq",
        *,
        manager: str = "vendor",
        configfs: bool = True,
        ranges: list[tuple[int, int, int]] | None = None,
        dma_ranges: list[tuple[int, int, int]] | None = None,
        compatible: tuple[str, ...] = (),
    ) -> None:
        self.root = folder
        self.family = family
        self.uios: dict[str, FakeUio] = {}
        self.ioctls: dict[str, Callable[[Descriptor, int, bytearray], None]] = {}
        self.openers: dict[str, Callable[[], int]] = {}
        self.hooks: list[tuple[str, str, str, Callable[[str], None]]] = []
        self.overlays: dict[str, list[Callable[[], None]]] = {}  # how to take each out again
        self.regions: set[str] = set()  # those that an overlay has programmed
        self.uio_driver = True  # uio_pdrv_genirq, with of_id=generic-uio
        self.manager = FakeManager(self)
        families, title, self.cells = FAMILIES[family]
        for name in ("/dev", "/run", "/lib/firmware", "/sys/class/uio", "/sys/devices", "/proc/self"):
            self.path(name).mkdir(parents=True)
        with open(self.path("/dev/mem"), "wb") as memory:
            memory.truncate(1 << 40)  # sparse: it takes no room
        self.node("/", compatible=[*compatible, *families], model="a fake board", **self.sizes())
        self.link("/proc/device-tree", TREE)
        self.node(
            "/interrupt-controller@f8f01000",
            compatible=["arm,gic-400"],
            phandle=GIC,
            **{"#interrupt-cells": 3, "interrupt-controller": b""},
        )
        self.node(
            "/amba_pl",
            compatible=["simple-bus"],
            ranges=self._ranges(ranges),
            **self.sizes(),
            **({} if dma_ranges is None else {"dma-ranges": self._ranges(dma_ranges)}),
            **{"interrupt-parent": GIC},
        )
        self.node(
            "/fpga-full",
            compatible=["fpga-region"],
            **{"fpga-mgr": 2},
            ranges=b"",
            **self.sizes(),
        )
        if manager:
            self.file(f"{MANAGER}/name", title + "\n")
            self.file(f"{MANAGER}/state", "unknown\n")
        if manager == "vendor":
            self.file(f"{MANAGER}/firmware", "")
            self.file(f"{MANAGER}/flags", "0\n")
            self.file(f"{MANAGER}/key", "")
        if configfs:
            self.path(OVERLAYS).mkdir(parents=True)

    # -- making it -------------------------------------------------------------------------------------------
    def kernel(self, fail: Mapping[tuple[str, str], int] | None = None, nth: int = 1) -> FaultyKernel:
        """Return a kernel on this system; faults are its own."""
        return FaultyKernel(self, fail, nth)

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def file(self, name: str, contents: str | bytes) -> None:
        """Make a file, and the folders above it."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link that stays under the root."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(self.path(target), path.parent))

    def node(self, path: str, **properties: bytes | int | str | list[str] | list[int]) -> str:
        """Make a node of the live device tree (``_`` in a name stays); return where it lies in sysfs."""
        folder = f"{TREE}/{path.strip('/')}".rstrip("/")
        self.path(folder).mkdir(parents=True, exist_ok=True)
        if path != "/":
            self.file(f"{folder}/name", path.rpartition("/")[2].partition("@")[0].encode() + b"\0")
        for name, value in properties.items():
            self.file(f"{folder}/{name}", value_of(value))
        return folder

    def sizes(self) -> dict[str, bytes | int]:
        """Return #address-cells and #size-cells of the family."""
        return {"#address-cells": self.cells, "#size-cells": self.cells}

    def number(self, *values: int) -> bytes:
        """Return addresses or sizes as the family's bus has them."""
        return b"".join(value.to_bytes(4 * self.cells, "big") for value in values)

    def _ranges(self, ranges: list[tuple[int, int, int]] | None) -> bytes:
        return b"".join(self.number(*entry) for entry in ranges or [])

    def add_uio(
        self,
        name: str,
        address: int,
        size: int = 0x10000,
        gic: int | None = None,
        *,
        physical: int | None = None,
        bus: str = "/amba_pl",
    ) -> FakeUio:
        """Make a node with ``reg`` (a bus address) and ``interrupts`` under the PL's bus, and its UIO device.

        ``physical``: where it is for the CPU, if not there.
        """
        path = f"{bus.rstrip('/')}/{name}@{address:x}"
        more = {} if gic is None else {"interrupts": [0, gic - 32, 4]}
        self.node(path, compatible=["generic-uio"], reg=self.number(address, size), **more)
        return self.uio_of(path, [(address if physical is None else physical, size)])

    def uio_of(self, path: str, maps: list[tuple[int, int]], name: str = "") -> FakeUio:
        """Make the UIO device of a node that exists."""
        index = next(i for i in range(1000) if f"/dev/uio{i}" not in self.uios)
        label = name or path.rpartition("/")[2].partition("@")[0]
        platform = f"/sys/devices/platform/{path.strip('/').replace('/', ':')}"
        folder = f"{platform}/uio/uio{index}"
        self.file(f"{folder}/name", label + "\n")
        self.file(f"{folder}/version", "devicetree\n")
        self.file(f"{folder}/event", "0\n")
        pages = []
        for number, (address, size) in enumerate(maps):
            start, inner = address & -PAGE, address % PAGE
            whole = -(-(inner + size) // PAGE) * PAGE  # uio_pdrv_genirq since 5.4
            for key, value in (("addr", start), ("size", whole), ("offset", inner)):
                self.file(f"{folder}/maps/map{number}/{key}", f"0x{value:x}\n")
            self.file(f"{folder}/maps/map{number}/name", label + "\n")
            pages.append((start, size, inner))
        if not self.path(f"{platform}/of_node").is_symlink():
            self.link(f"{platform}/of_node", f"{TREE}/{path.strip('/')}")
        self.link(f"{folder}/device", platform)
        self.link(f"/sys/class/uio/uio{index}", folder)
        uio = FakeUio(self, index, pages)
        self.file(uio.name, b"")
        self.uios[uio.name] = uio
        self.openers[uio.name] = uio.open
        return uio

    def descriptors(self) -> Counter[str]:
        """Return what the UIO devices themselves hold open."""
        ends = [end for uio in self.uios.values() for pair in uio._ends for end in pair]
        return Counter(os.readlink(f"/proc/self/fd/{end.fileno()}") for end in ends)

    def remove_uio(self, uio: FakeUio) -> None:
        """Take a UIO device out again."""
        place = self.path(f"/sys/class/uio/uio{uio.index}")
        shutil.rmtree(place.resolve().parents[1])
        place.unlink()
        self.path(uio.name).unlink()
        del self.uios[uio.name], self.openers[uio.name]
        uio.close()

    def ioctl(self, pattern: str, handler: Callable[[Descriptor, int, bytearray], None]) -> None:
        """Let ``handler(descriptor, request, argument)`` answer the ioctls of the devices of that glob.

        It changes ``argument`` in place and raises ``OSError`` where the driver would return an error.
        """
        self.ioctls[pattern] = handler

    def opener(self, name: str, function: Callable[[], int]) -> None:
        """Let an open of that name give the descriptor that ``function`` returns."""
        self.openers[name] = function

    def on(
        self, operation: str, pattern: str, function: Callable[[str], None], *, when: str = "after"
    ) -> None:
        """Call ``function(name)`` ("before" or "after" it) for every call of that operation and glob."""
        self.hooks.append((when, operation, pattern, function))

    def physical(self, address: int, length: int) -> mmap.mmap:
        """Return the physical memory that registers are mapped from."""
        start = address & -PAGE
        with open(self.path("/dev/mem"), "r+b") as memory:
            return mmap.mmap(memory.fileno(), address + length - start, offset=start)

    def peek(self, address: int) -> int:
        """Return a 32-bit register, as the hardware sees it."""
        with open(self.path("/dev/mem"), "rb") as memory:
            memory.seek(address)
            return int.from_bytes(memory.read(4), "little")

    def poke(self, address: int, value: int) -> None:
        """Set a 32-bit register, as the hardware does."""
        with open(self.path("/dev/mem"), "r+b") as memory:
            memory.seek(address)
            memory.write(value.to_bytes(4, "little"))

    # -- how it reacts ---------------------------------------------------------------------------------------
    def before(self, operation: str, name: str) -> None:
        """Called before each call to the system."""
        if operation == "open" and self._attribute(name):
            self.path(name).write_bytes(b"")  # each write of an attribute is a value of its own
        if operation == "rmdir" and name.startswith(OVERLAYS + "/"):
            for undo in reversed(self.overlays.pop(name, [])):
                undo()
            for file in self.path(name).glob("*"):
                file.unlink()
        self._hook("before", operation, name)

    def after(self, operation: str, name: str) -> None:
        """Called after each call that went well; raises what the driver would answer."""
        if operation == "mkdir" and name.startswith(OVERLAYS + "/"):
            self.overlays[name] = []
            for file in ("path", "dtbo"):
                self.file(f"{name}/{file}", b"")
            self.file(f"{name}/status", "unapplied\n")
        elif operation == "write" and name == f"{MANAGER}/firmware":
            flags = int(self.path(f"{MANAGER}/flags").read_text(), 16)
            self.manager.load(self.path(name).read_text().strip(), flags)
        elif operation == "write" and name.startswith(OVERLAYS + "/"):
            self._insert(name)
        elif operation == "write" and name in self.uios:
            self.uios[name].written()
        self._hook("after", operation, name)

    def _hook(self, when: str, operation: str, name: str) -> None:
        for moment, wanted, pattern, function in self.hooks:
            if moment == when and fnmatch.fnmatch(operation, wanted) and fnmatch.fnmatch(name, pattern):
                function(name)

    def _attribute(self, name: str) -> bool:
        return self.path(name).is_file() and (
            name.startswith(OVERLAYS + "/")
            or name in (f"{MANAGER}/firmware", f"{MANAGER}/key", f"{MANAGER}/flags")
        )

    def _insert(self, name: str) -> None:
        folder, _, file = name.rpartition("/")
        if self.overlays[folder]:
            raise OSError(errno.EBUSY, "applied already")
        data = self.path(name).read_bytes()
        if file == "path":
            blob = self.path("/lib/firmware") / data.decode().strip()
            if not blob.is_file():
                raise OSError(errno.ENOENT, "no such firmware")
            data = blob.read_bytes()
        try:
            root = read(data)
        except Exception as error:
            raise OSError(errno.EINVAL, "no overlay") from error
        undo = self.overlays[folder]
        try:
            for fragment in root.children:
                if fragment.name.startswith("fragment"):
                    self._apply(fragment, undo)
        except OSError:
            for step in reversed(undo):
                step()
            undo.clear()
            raise
        self.file(f"{folder}/status", "applied\n")

    def _apply(self, fragment: Node, undo: list[Callable[[], None]]) -> None:
        target = fragment.text("target-path")
        contents = fragment.child("__overlay__")
        if contents is None or not target or not self.path(f"{TREE}/{target.strip('/')}").is_dir():
            raise OSError(errno.EINVAL, f"no target {target!r}")
        firmware = contents.text("firmware-name")
        if target in self.regions:  # of_fpga_region_parse_ov()
            self.manager.log = "fpga_region region0: Region already has overlay applied."
            raise OSError(errno.EINVAL, self.manager.log)
        if firmware:  # an fpga-region is programmed before its children appear
            self.regions.add(target)
            undo.append(lambda: self.regions.discard(target))
            partial = "partial-fpga-config" in contents.properties
            self.manager.load(firmware, int(partial) | 4 * ("encrypted-fpga-config" in contents.properties))
        for path, node in self._nodes(contents, target.rstrip("/")):
            exists = self.path(f"{TREE}/{path.strip('/')}").is_dir()
            place = self.node(path, **node.properties)
            if not exists:
                undo.append(lambda place=place: shutil.rmtree(self.path(place), ignore_errors=True))
            if self.uio_driver and "generic-uio" in node.strings("compatible") and "reg" in node.properties:
                numbers = [
                    int.from_bytes(node.properties["reg"][i : i + 4 * self.cells], "big")
                    for i in range(0, len(node.properties["reg"]), 4 * self.cells)
                ]
                uio = self.uio_of(path, list(zip(numbers[::2], numbers[1::2], strict=False)))
                undo.append(lambda uio=uio: self.remove_uio(uio))

    def _nodes(self, node: Node, path: str) -> Iterator[tuple[str, Node]]:
        for child in node.children:
            yield f"{path}/{child.name}", child
            yield from self._nodes(child, f"{path}/{child.name}")


def value_of(value: bytes | int | str | list[str] | list[int]) -> bytes:
    """Return a property's bytes: numbers are cells, texts end with a NUL."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return value.to_bytes(4, "big")
    if isinstance(value, str):
        return value.encode() + b"\0"
    return b"".join(map(value_of, value))
