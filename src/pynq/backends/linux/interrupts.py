"""Interrupt lines of the PS through UIO (kernel: ``Documentation/driver-api/uio-howto.rst``).

A UIO device has one interrupt. When it fires, the kernel's driver masks it and counts; who reads the device
file gets the count (4 bytes) once for each change, and blocks where there is none. It is unmasked by writing
1, masked by writing 0: for ``uio_pdrv_genirq``, which carries the IP of a device tree. ``uio_pci_generic``
masks with the bit Interrupt Disable of the function's COMMAND register, and can't be told to unmask: a write
gives ENOSYS, and the bit is cleared through sysfs instead (``drivers/uio/uio_pci_generic.c``).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from pynq.device.contract import InterruptLine
from pynq.errors import (
    BoardBusyError,
    KernelError,
    OverlayNotLoadedError,
    PynqError,
    UnsupportedByDeviceError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from pynq.backends.kernel import Descriptor, Kernel

__all__ = ["UioInterrupt", "UioLine", "interrupt_line"]

_MASK, _UNMASK = (0).to_bytes(4, "little"), (1).to_bytes(4, "little")
_COMMAND = 4  # PCI Local Bus Specification 3.0, 6.2.2: Command register, 16 bits
_INTX_DISABLE = 1 << 10
_RING = (1).to_bytes(8, "little")  # what is written to an eventfd


class UioInterrupt(Protocol):
    """What of :class:`pynq.backends.linux.uio.Uio` is needed here."""

    @property
    def index(self) -> int:
        """N of /dev/uioN."""
        ...

    @property
    def name(self) -> str:
        """As the kernel calls the device."""
        ...

    @property
    def interrupts(self) -> tuple[int, ...]:
        """GIC numbers; the device delivers the first."""
        ...

    @property
    def pci(self) -> str | None:
        """Folder in sysfs of the PCI function, None for a platform device."""
        ...


def interrupt_line(kernel: Kernel, uios: Iterable[UioInterrupt], gic: int) -> UioLine:
    """Return the line with that GIC number.

    Raises :class:`~pynq.errors.UnsupportedByDeviceError` where no UIO device carries it.
    """
    known = []
    for uio in uios:
        if uio.interrupts[:1] == (gic,):
            return UioLine(kernel, uio, gic)
        known += [f"{number} ({uio.name}, /dev/uio{uio.index})" for number in uio.interrupts[:1]]
    raise UnsupportedByDeviceError(
        f"no UIO device carries interrupt {gic} of the processor; there are {', '.join(known) or 'none'}. "
        'The device tree needs a node with compatible = "generic-uio" and '
        f"interrupts = <0 {gic - 32} 4> (GIC number - 32; 4: level high, 1: rising edge), and the kernel "
        "uio_pdrv_genirq with of_id=generic-uio. Where the kernel takes overlays (configfs) the one that is "
        "made from the design has it; else give one with Overlay(..., dtbo=...), or boot with such a tree"
    )


class UioLine(InterruptLine):
    """An interrupt input of the PS that a UIO device delivers.

    Nothing is opened before the line is used first. From then on it belongs to this process until
    :meth:`close`, or until the process ends: only one can be told of each firing. It is masked then, and what
    fired before is forgotten.

    A firing that was taken for a wait which has ended otherwise (cancelled) goes to the next wait.
    """

    def __init__(self, kernel: Kernel, uio: UioInterrupt, gic: int) -> None:
        self.gic = gic
        self.name = f"/dev/uio{uio.index}"
        self._kernel = kernel
        self._uio = uio
        self._lock = threading.RLock()
        self._device: Descriptor | None = None
        self._bell: Descriptor | None = (
            None  # rings while there is a kept firing, and when the line is closed
        )
        self._config: Descriptor | None = None  # of the PCI function, if it is to be unmasked there
        self._kept = 0
        self._users = 0  # waits that go on; the last one closes the files of a line that was closed
        self._closed = False
        self._loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    # -- masking ---------------------------------------------------------------------------------------------
    def enable(self) -> None:
        """Unmask the line. If its source is active already, it fires at once.

        Raises :class:`~pynq.errors.BoardBusyError` if the line belongs to another process.
        """
        with self._lock:
            self._control(self._open(), unmask=True)

    def disable(self) -> None:
        """Mask the line. What fired before stays to be taken by a wait."""
        with self._lock:
            self._control(self._open(), unmask=False)

    def _control(self, device: Descriptor, *, unmask: bool) -> None:
        if self._config is None:
            try:
                device.write(_UNMASK if unmask else _MASK)
            except KernelError as error:
                if error.errno != errno.ENOSYS or self._uio.pci is None:
                    raise
                self._config = self._kernel.open(f"{self._uio.pci}/config")
            else:
                return
        command = int.from_bytes(self._config.pread(2, _COMMAND), "little")
        command = command & ~_INTX_DISABLE if unmask else command | _INTX_DISABLE
        self._config.pwrite(command.to_bytes(2, "little"), _COMMAND)

    def _open(self) -> Descriptor:
        """Return the device file; make the line this process's own."""
        if self._closed:
            raise self._gone()
        if self._device is not None:
            if self._device.inherited:
                raise BoardBusyError(
                    f"{self.name} (interrupt {self.gic}): this process is a fork of the one that has the "
                    'line; load the overlay after the fork (multiprocessing: start method "spawn")'
                )
            return self._device
        device = self._kernel.open(self.name)
        try:
            try:
                device.lock()
            except WaitTimeoutError:
                raise BoardBusyError(
                    f"{self.name} (interrupt {self.gic}, {self._uio.name}) belongs to another process, which "
                    f"waits for interrupts: only one is told of each. `fuser {self.name}` names it; end it, "
                    "or poll the registers of the IP here"
                ) from None
            self._control(device, unmask=False)
            while device.ready(0):  # the driver has the line unmasked from its start on
                device.read(4)
            self._bell = self._kernel.bell(f"{self.name} bell")
        except BaseException:
            device.close()
            self._close_config()
            raise
        self._device = device
        return device

    # -- waiting ---------------------------------------------------------------------------------------------
    def wait(self, timeout: float | None = None) -> bool:
        """Block until the line fires; False: ``timeout`` seconds are over.

        Raises :class:`~pynq.errors.OverlayNotLoadedError` when the line is closed meanwhile.
        """
        return self._wait(timeout, None)

    def _wait(self, timeout: float | None, stop: Descriptor | None) -> bool:
        """Block until the line fires, ``stop`` rings or the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._waiting() as (device, bell):
            others = (bell,) if stop is None else (bell, stop)
            while not self._take():
                left = None if deadline is None else deadline - time.monotonic()
                if (left is not None and left <= 0) or (stop is not None and stop.ready(0)):
                    return False
                device.ready(left, *others)
            return True

    async def wait_async(self) -> None:
        """Wait in the running event loop until the line fires. May be cancelled; leaves nothing behind."""
        loop = asyncio.get_running_loop()
        with self._waiting() as (device, bell):
            if self._take():
                return
            future: asyncio.Future[None] = loop.create_future()
            try:
                self._watch(loop, future, device, bell)
            except NotImplementedError:  # a loop without file descriptors
                await self._wait_in_thread(loop)
                return
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled() and future.exception() is None:
                    self._give_back()
                raise
            finally:
                self._unwatch(loop, future, device, bell)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[tuple[Descriptor, Descriptor]]:
        """Keep the files open while somebody waits."""
        with self._lock:
            device, bell = self._open(), self._bell
            assert bell is not None
            self._users += 1
        try:
            yield device, bell
        finally:
            with self._lock:
                self._users -= 1
                if self._closed and not self._users:
                    self._close_files()

    def _take(self) -> bool:
        """Take a firing, if there is one. One thread at a time looks and reads, so that none blocks."""
        with self._lock:
            if self._closed or self._device is None or self._bell is None:
                raise self._gone()
            if self._kept:
                self._kept -= 1
                if not self._kept:
                    self._bell.read(8)
                return True
            if self._device.ready(0):
                self._device.read(4)
                return True
            return False

    def _give_back(self) -> None:
        """Keep a firing for the next wait, and wake those that go on."""
        with self._lock:
            if self._closed or self._bell is None:
                return
            self._kept += 1
            if self._kept == 1:
                self._bell.write(_RING)

    # -- in an event loop
    def _watch(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[None],
        device: Descriptor,
        bell: Descriptor,
    ) -> None:
        with self._lock:
            futures = self._loops.setdefault(loop, [])
            futures.append(future)
        if len(futures) > 1:  # only this thread adds to those of its loop
            return
        try:
            for descriptor in (device, bell):
                loop.add_reader(descriptor.fileno(), self._readable, loop)
        except BaseException:
            with self._lock:
                del self._loops[loop]
            raise

    def _unwatch(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[None],
        device: Descriptor,
        bell: Descriptor,
    ) -> None:
        with self._lock:
            futures = self._loops[loop]
            futures.remove(future)
            if futures:
                return
            del self._loops[loop]
        if not loop.is_closed():
            for descriptor in (device, bell):
                loop.remove_reader(descriptor.fileno())

    def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let a firing end one wait of this loop, unless one elsewhere was faster."""
        waiting = [future for future in self._loops.get(loop, ()) if not future.done()]
        try:
            if waiting and self._take():
                waiting[0].set_result(None)
        except PynqError as error:
            for future in waiting:
                future.set_exception(error)

    async def _wait_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in a helper thread, for a loop that watches no file descriptors."""
        over: asyncio.Future[None] = loop.create_future()
        outcome: list[bool | BaseException] = []

        def finish() -> None:
            if not over.done():
                over.set_result(None)

        def run() -> None:
            try:
                outcome.append(self._wait(None, stop))
            except BaseException as error:  # noqa: BLE001  raised again in the task
                outcome.append(error)
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(finish)

        with self._kernel.bell(f"{self.name} stop") as stop:
            thread = threading.Thread(target=run, name=f"pynq: {self.name}", daemon=True)
            thread.start()
            try:
                await over
            except BaseException:
                stop.write(_RING)
                thread.join()
                if outcome == [True]:
                    self._give_back()
                raise
            thread.join()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]

    # -- the end ---------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Mask the line and give it back; waits that go on end with an error. A second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._device is None or self._bell is None:
                return
            if not self._device.inherited:
                # The device may have gone with its overlay; then nothing can fire.
                with contextlib.suppress(KernelError):
                    self._control(self._device, unmask=False)
            if not self._users:
                self._close_files()
            elif not self._kept:
                self._bell.write(_RING)

    def _close_files(self) -> None:
        for descriptor in (self._device, self._bell):
            if descriptor is not None:
                descriptor.close()
        self._close_config()

    def _close_config(self) -> None:
        if self._config is not None:
            self._config.close()
            self._config = None

    def _gone(self) -> OverlayNotLoadedError:
        return OverlayNotLoadedError(
            f"{self.name} (interrupt {self.gic}) was closed with its device or overlay"
        )

    def __repr__(self) -> str:
        return f"<UioLine {self.gic}: {self.name}>"
