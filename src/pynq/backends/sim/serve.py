"""The simulated board as the programmable logic of another machine: a PCI function that QEMU speaks to by
vfio-user. How time, interrupts and addresses go is told in docs/design/virtual-board.md.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pynq.backends.sim._engine import BoardServer
from pynq.backends.sim.plant import Plant
from pynq.design.model import Design, MemoryRange
from pynq.errors import UnsupportedConfiguration, VirtualBoardError

__all__ = ["Aperture", "PsBlock", "Served", "Serving"]

PAGE = 4096
_LEAST = 1 << 16
_LARGEST = 256 << 30  # bytes; QEMU's "virt" has 512 GiB for the 64-bit BARs of all functions
_LONGEST_PATH = 107  # bytes; unix(7), sun_path
_GICS = ("arm_gic", "arm-gicv3")  # types of QEMU's interrupt controllers
_NOCS = ("axi_noc", "axi_noc2")

_log = logging.getLogger("pynq.vm")


class Aperture(NamedTuple):
    """A range of addresses of the PS and where it lies in BAR 0 of the function. All in bytes, all multiples
    of 4096.
    """

    address: int
    size: int
    offset: int


class PsBlock(Protocol):
    """Registers of the PS that a virtual board has beside its PL.

    ``read`` and ``write`` are called by the server's thread, with offsets in the block, ``width`` 1, 2, 4 or
    8 bytes. What they raise goes to the log, and the access ends as if nobody had answered. QEMU gives up a
    device that takes more than 5 s to answer.
    """

    @property
    def address(self) -> int:
        """Of the PS, a multiple of 4096."""

    @property
    def size(self) -> int:
        """Bytes, a multiple of 4096."""

    def read(self, offset: int, width: int) -> int:
        """Return what a register holds."""

    def write(self, offset: int, value: int, width: int) -> None:
        """Take what is written to a register."""


class Served:
    """A simulated board that serves its PL to another machine, until it is closed; what
    :meth:`SimDevice.serve` returns.

    Accesses that nobody answers read all ones, or are dropped; the logger ``pynq.vm`` names each such address
    once.
    """

    def __init__(self, device: Serving, folder: Path, blocks: Sequence[PsBlock]) -> None:
        plant = device.plant
        self._device = device
        self._closed = False
        self._lock = threading.Lock()
        self.apertures: tuple[Aperture, ...] = pack(plant.design, blocks, plant.ddr.size)
        self.bar_size: int = bar_size(self.apertures)
        if self.bar_size > _LARGEST:
            widest = max(self.apertures, key=lambda one: one.size)
            raise VirtualBoardError(
                f"{plant.design.label}: its PS reaches too much for a virtual board, "
                f"{self.bar_size >> 30} GiB as a whole, most of it at {widest.address:#x} "
                f"({widest.size >> 30} GiB); at most {_LARGEST >> 30} GiB"
            )
        self.interrupts: tuple[int, ...] = tuple(sorted(plant.irqs))
        self.ram: tuple[str, int] = (f"/proc/{os.getpid()}/fd/{device.ddr_fd}", plant.ddr.size)
        self.socket: Path = folder / "pl.sock"
        listening = _listen(self.socket)
        spans = [(block.address, block.size, block) for block in blocks]
        self._native = BoardServer(listening.detach(), self.bar_size, self.apertures, spans, _tell)
        self._native.attach(plant.engine, plant.irqs.values())
        # A Python thread, so that waits of this program know that somebody else may act.
        self._thread = threading.Thread(target=self._native.run, name=f"serving {device.name}", daemon=True)
        self._thread.start()

    def connect(self, qmp: Path, qtest: Path, timeout: float) -> None:
        """Find QEMU's interrupt controller and deliver the interrupts to it from now on, those that are
        active at once.

        ``qmp`` and ``qtest`` are QEMU's sockets, ``timeout`` seconds of the host. Raises
        :class:`VirtualBoardError` where QEMU does not answer in that time or has no GIC.
        """
        deadline = time.monotonic() + timeout
        gic = _find_gic(qmp, deadline)
        delivery = _connect(qtest, deadline)
        self._native.deliver(delivery.detach(), gic)

    def set_interrupt(self, gic: int, level: bool) -> None:
        """Set the level of an interrupt of a block of the PS, by its GIC number."""
        self._native.set_interrupt(gic, level)

    @property
    def settled(self) -> bool:
        """Whether QEMU's interrupt controller shows the levels of now.

        QEMU takes them when its processor is not in an access. A driver of the guest that unmasks a line
        right after it cleared the source would find the old level: it waits for this first.
        """
        return self._native.settled

    def isolate(self, on: bool) -> None:
        """Cut the PL off: its registers read all ones then, and what is written to them is dropped."""
        self._native.isolate(on)

    def reset(self) -> None:
        """Configure the PL again with the design that is loaded; RAM and apertures stay.

        All interrupts of the PL are low at first. May be called in a :class:`PsBlock`, too. Raises what the
        download raises; the PL then is as it was.
        """
        self._native.detach()
        try:
            self._device.download_again()
        except BaseException:
            self.attach(self._device.plant)
            raise

    def attach(self, plant: Plant) -> None:
        """Serve another plant from now on: the device was configured anew."""
        self._native.detach()
        if not self._closed:
            self._native.attach(plant.engine, plant.irqs.values())

    @property
    def figures(self) -> dict[str, int]:
        """Counts so far: ``accesses`` and ``bytes`` of the BAR, ``refused`` accesses, ``interrupts`` (rising
        edges of the lines), ``clients``.
        """
        return self._native.figures

    def close(self) -> None:
        """End it: QEMU loses its device. A second call does nothing; the board goes on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._native.detach()
        self._native.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self.socket.unlink(missing_ok=True)
        self._device.no_longer_served(self)

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.bar_size:#x} bytes, interrupts {self.interrupts}"
        return f"<Served {self.socket}: {state}>"


class Serving:
    """What lets a simulated board be served. A part of :class:`SimDevice`."""

    name: str
    _deterministic: bool
    _ddr_fd: int
    _served: Served | None = None
    _download: Callable[[], None] | None = None

    if TYPE_CHECKING:

        @property
        def plant(self) -> Plant: ...

    def serve(self, folder: Path, *, blocks: Sequence[PsBlock] = ()) -> Served:
        """Serve the PL, and register blocks of the PS, by vfio-user on ``folder/pl.sock``.

        From then on virtual time follows the host's while anything is under way in the PL. Raises
        :class:`UnsupportedConfiguration` for a deterministic board (another machine's accesses come when they
        come), :class:`VirtualBoardError` where it is served already or the socket can't be made,
        :class:`OverlayNotLoadedError` before a design is loaded, and :class:`ValueError` for blocks that
        overlap each other or the PL.
        """
        if self._deterministic:
            raise UnsupportedConfiguration(
                f"device {self.name!r} is deterministic and can't be served: the other machine's accesses "
                "come at the host's time; make it with deterministic=False"
            )
        if self._served is not None:
            raise VirtualBoardError(
                f"device {self.name!r} is served on {self._served.socket} already: close that first"
            )
        self._served = Served(self, Path(folder), tuple(blocks))
        return self._served

    @property
    def ddr_fd(self) -> int:
        """The memory file that is the board's DDR; -1 where it is not open."""
        return self._ddr_fd

    def download_again(self) -> None:
        """Repeat the last full download."""
        if self._download is None:
            raise VirtualBoardError(f"device {self.name!r} was closed, or holds no design yet")
        self._download()

    def no_longer_served(self, served: Served) -> None:
        """Forget who served; called by it."""
        if self._served is served:
            self._served = None

    def _configured(self, plant: Plant) -> None:
        if self._served is not None:
            self._served.attach(plant)

    def _end_of_service(self) -> None:
        if self._served is not None:
            self._served.close()


# -- addresses -----------------------------------------------------------------------------------------
def pack(design: Design, blocks: Iterable[PsBlock], ddr: int) -> tuple[Aperture, ...]:
    """Return apertures for all that the PS reaches but its DDR of ``ddr`` bytes: neighbours in one, the
    largest first, each aligned to its size rounded up to a power of two.
    """
    spans = [(span.base, span.high + 1) for span in design.ps_ranges if not _is_ddr(design, span, ddr)]
    taken = [(base, end, "the PL") for base, end in spans]
    for block in blocks:
        label, end = type(block).__name__, block.address + block.size
        if block.size <= 0 or block.address < 0 or block.address % PAGE or block.size % PAGE:
            raise ValueError(
                f"register block {label}: address {block.address:#x} and size {block.size:#x} must be "
                f"multiples of {PAGE:#x}"
            )
        for base, high, other in taken:
            if block.address < -(-high // PAGE) * PAGE and base // PAGE * PAGE < end:
                raise ValueError(
                    f"register block {label} at {block.address:#x} to {end - 1:#x} overlaps {other} at "
                    f"{base:#x} to {high - 1:#x}"
                )
        taken.append((block.address, end, label))
    merged: list[tuple[int, int]] = []
    for base, end, _ in sorted(taken):
        low, high = base // PAGE * PAGE, -(-end // PAGE) * PAGE
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    found, offset = [], 0
    for low, high in sorted(merged, key=lambda span: (span[0] - span[1], span[0])):
        alignment = _power(high - low)
        offset = -(-offset // alignment) * alignment
        found.append(Aperture(low, high - low, offset))
        offset += high - low
    return tuple(sorted(found))


def bar_size(apertures: Iterable[Aperture]) -> int:
    """Return the bytes of the smallest BAR that holds the apertures.

    The kernel places large BARs first: it is at least as large as those of virtio functions, so that its
    place is known beforehand.
    """
    return max(_LEAST, _power(max((one.offset + one.size for one in apertures), default=PAGE)))


def _power(size: int) -> int:
    return 1 << (size - 1).bit_length()


def _is_ddr(design: Design, span: MemoryRange, ddr: int) -> bool:
    """Tell whether a range leads to the memory of the PS: it is the RAM of the other machine."""
    slave = design.cells.get(span.slave)
    inner = slave is not None and (span.slave == design.ps or slave.type_name in _NOCS)
    return inner or span.base < ddr


# -- sockets -------------------------------------------------------------------------------------------
def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise VirtualBoardError(
            f"{path} is too long for a socket's path: at most {_LONGEST_PATH} bytes; serve in a folder with "
            "a shorter name"
        )
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        path.unlink(missing_ok=True)  # left by a process that was killed
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen(16)
    except OSError as error:
        listening.close()
        raise VirtualBoardError(f"the simulated board can't be served on {path}: {error.strerror}") from error
    return listening


def _connect(path: Path, deadline: float) -> socket.socket:
    """Connect to one of QEMU's sockets, as soon as it is there."""
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.connect(os.fspath(path))
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() >= deadline:
                raise VirtualBoardError(
                    f"QEMU's socket {path} can't be reached ({error}): does QEMU run, with that socket?"
                ) from error
            time.sleep(0.01)


def _find_gic(path: Path, deadline: float) -> str:
    """Return the path of the interrupt controller in QEMU's tree of objects, by QMP."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(_connect(path, deadline))
        stream = stack.enter_context(connection.makefile(encoding="utf-8"))

        def answer() -> dict[str, Any]:
            while True:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                line = stream.readline()
                if not line:
                    raise VirtualBoardError(f"QEMU closed its control socket {path}: it ended")
                message = json.loads(line)
                if isinstance(message, dict) and "event" not in message:
                    return message

        def ask(command: str, **arguments: str) -> Any:
            connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            return answer().get("return")

        try:
            answer()  # its greeting
            ask("qmp_capabilities")
            for parent in ("/machine/unattached", "/machine"):
                for entry in ask("qom-list", path=parent) or ():
                    if entry.get("type") in [f"child<{kind}>" for kind in _GICS]:
                        return f"{parent}/{entry['name']}"
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise VirtualBoardError(f"QEMU does not answer on its control socket {path}: {error}") from error
    raise VirtualBoardError(
        f"the machine behind {path} has no interrupt controller of type {' or '.join(_GICS)}: start QEMU "
        "with -M virt,gic-version=2"
    )


def _tell(level: int, text: str) -> None:
    _log.log(level, "%s", text)
