"""Driver of the AXI DMA engine (product guide PG021) in direct register mode."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from pynq.binding import DefaultIP
from pynq.errors import (
    DeadlockError,
    DmaError,
    OverlayNotLoadedError,
    UnsupportedConfiguration,
    WaitTimeoutError,
)
from pynq.lib._poll import poll, poll_async

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pynq.buffer import PynqBuffer
    from pynq.interrupt import Interrupt

__all__ = ["DMA", "DMAChannel"]

# Offsets from a channel's first register: PG021, table "Direct Register Mode Register Address Map".
_DMACR, _DMASR, _ADDRESS, _ADDRESS_MSB, _LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28

# PG021, tables "MM2S_DMACR Register Details" and "S2MM_DMACR Register Details".
_CR_RUN = 1 << 0
_CR_RESET = 1 << 2
_CR_INTERRUPTS = 1 << 12 | 1 << 14  # IOC_IrqEn, Err_IrqEn
_CR_THRESHOLD = 1 << 16  # IRQThreshold 1; 0 is not allowed

# PG021, tables "MM2S_DMASR Register Details" and "S2MM_DMASR Register Details".
_SR_HALTED = 1 << 0
_SR_IDLE = 1 << 1
_SR_INT_ERROR, _SR_SLAVE_ERROR, _SR_DECODE_ERROR = 1 << 4, 1 << 5, 1 << 6
_SR_ERRORS = _SR_INT_ERROR | _SR_SLAVE_ERROR | _SR_DECODE_ERROR
_SR_STATE = _SR_HALTED | _SR_IDLE | _SR_ERRORS
_SR_INTERRUPTS = 0x7000  # IOC_Irq, Dly_Irq, Err_Irq: written with ones to clear

_STOP_SECONDS = 0.05  # device time that a channel has to end by itself before it is reset
_HALT_SECONDS = 1.0  # device time to wait for a channel to start, stop or come out of reset
_LONGEST_LENGTH_WIDTH = 26  # bits, PG021 "Width of Buffer Length Register"


class _Kind(NamedTuple):
    """What tells the two channels apart."""

    name: str  # as in PG021
    attribute: str
    offset: int
    send: bool
    too_long: str


_MM2S = _Kind("MM2S", "sendchannel", 0x00, True, "")
_S2MM = _Kind(
    "S2MM",
    "recvchannel",
    0x30,
    False,
    " The stream sent more data than the transfer's length before TLAST.",
)


class DMAChannel:
    """One channel of a :class:`DMA`: ``transfer`` starts, ``wait`` ends.

    The channel is running once the driver exists. It holds the buffer of a transfer until the wait for it,
    so that the memory can't be given away under the hardware.
    """

    def __init__(
        self,
        dma: DMA,
        kind: _Kind,
        *,
        max_size: int,
        alignment: int,
        address_bits: int,
        interrupt: Interrupt | None,
    ) -> None:
        self._dma = dma
        self._kind = kind
        self._mmio = dma.mmio
        self._read = dma.mmio.read
        self._write = dma.mmio.write
        self._device = dma.device
        self._interrupt = interrupt
        self._max_size = max_size
        self._alignment = alignment
        self._address_limit = 1 << address_bits
        self._cr = kind.offset + _DMACR
        self._sr = kind.offset + _DMASR
        self._address = kind.offset + _ADDRESS
        self._address_msb = kind.offset + _ADDRESS_MSB
        self._length = kind.offset + _LENGTH
        self._wide = address_bits > 32
        self._buffer: PynqBuffer | None = None
        self._admitted: Callable[[], PynqBuffer | None] = lambda: None  # the array last checked
        self._sync = False  # whether its memory needs care for caches
        self._syncing = False  # the same, of the buffer being transferred
        self._requested = 0
        self._first_transfer = True
        self.transferred = 0
        """Bytes moved by the last transfer that was waited for. Receiving, a packet may end early."""
        self._device.movers.add(self)
        self.start()

    # -- state
    @property
    def name(self) -> str:
        """Name for messages: ``axi_dma_0 S2MM``."""
        return f"{self._dma.fullpath} {self._kind.name}"

    @property
    def running(self) -> bool:
        """True unless the channel is stopped, or halted after an error (DMASR.Halted)."""
        return not self._mmio.read(self._sr) & _SR_HALTED

    @property
    def halted(self) -> bool:
        """True when the channel is stopped, or after an error (DMASR.Halted)."""
        return bool(self._mmio.read(self._sr) & _SR_HALTED)

    @property
    def idle(self) -> bool:
        """True when the last transfer has ended (DMASR.Idle). False before the first one."""
        return bool(self._mmio.read(self._sr) & _SR_IDLE)

    @property
    def error(self) -> bool:
        """True after an error, until :meth:`reset` (DMASR.DMAIntErr, DMASlvErr, DMADecErr)."""
        return bool(self._mmio.read(self._sr) & _SR_ERRORS)

    @property
    def nbytes(self) -> int:
        """Bytes asked for by the transfer that is going on, 0 when none is."""
        return self._requested if self._buffer is not None else 0

    @property
    def max_size(self) -> int:
        """The longest transfer in bytes; the length register has no room for more."""
        return self._max_size

    # -- control
    def start(self) -> None:
        """Let the channel run; nothing happens to one that does.

        Raises :class:`~pynq.errors.DmaError` when it does not come up: after an error call :meth:`reset`.
        """
        enable = _CR_INTERRUPTS if self._interrupt is not None else 0
        self._mmio.write(self._cr, _CR_THRESHOLD | enable | _CR_RUN)
        self._await_halted(False, "start")
        self._first_transfer = True

    def stop(self) -> None:
        """Stop the channel when the transfer going on has ended (DMACR.RS = 0).

        Raises :class:`~pynq.errors.DmaError` when that does not end: :meth:`reset` ends it by force.
        """
        self._mmio.write(self._cr, _CR_THRESHOLD)
        self._await_halted(True, "stop")
        self._buffer = None

    def reset(self) -> None:
        """Reset the whole engine and start its channels again; see :meth:`DMA.reset`."""
        self._dma.reset()

    def _await_halted(self, halted: bool, what: str) -> None:
        try:
            self._mmio.wait_until(self._sr, _SR_HALTED, _SR_HALTED if halted else 0, _HALT_SECONDS)
        except (WaitTimeoutError, DeadlockError) as error:
            status = self._mmio.read(self._sr)
            if status & _SR_ERRORS:
                raise self._failed(status) from error
            raise DmaError(
                f"{self.name} does not {what} ({_decode(status)}){self._reason()}; call reset() on the "
                "channel"
            ) from error

    # -- transfers
    def transfer(self, array: PynqBuffer, start: int = 0, nbytes: int = 0) -> None:
        """Start to move (part of) a buffer. The buffer must not be touched until :meth:`wait` returns.

        Args:
            array: A contiguous buffer, or contiguous part of one, from :func:`pynq.allocate` for this device.
            start: Offset in bytes into ``array``.
            nbytes: Number of bytes; 0 means all from ``start`` on.

        Raises:
            DmaError: (a ``ValueError`` and ``RuntimeError``) The transfer can't be done; the hardware was not
                touched. The message tells which limit it broke, or which error the channel still has.
            BufferFreedError: The buffer has been freed.
        """
        if self._admitted() is not array:
            self._admit(array)
        address = array.physical_address + start
        available = array.nbytes - start
        if not nbytes:
            nbytes = available
        if (
            start < 0
            or not 0 < nbytes <= available
            or nbytes > self._max_size
            or address % self._alignment
            or address + nbytes > self._address_limit
        ):
            raise self._refused(address, start, nbytes, array.nbytes)
        status = self._read(self._sr)
        if status & (_SR_HALTED | _SR_IDLE) != _SR_IDLE and not (
            self._first_transfer and not status & _SR_HALTED
        ):
            raise self._busy(status)
        if self._sync:
            # Receiving too: a dirty line that is written back later would overwrite what the hardware wrote.
            array.flush()
        self._write(self._address, address & 0xFFFFFFFF)
        if self._wide:
            self._write(self._address_msb, address >> 32)
        self._buffer = array
        self._syncing = self._sync
        self._requested = nbytes
        self._first_transfer = False
        self.transferred = 0
        self._write(self._length, nbytes)  # this starts it

    def _admit(self, array: PynqBuffer) -> None:
        """Check what can't change for one array, so that it is checked once for many transfers."""
        try:
            array.physical_address  # noqa: B018  raises unless it is device memory
            device = array.device
            contiguous = array.flags.forc
            coherent = array.coherent
        except AttributeError as error:
            raise DmaError(
                f"{self.name}: {type(array).__name__} has no physical address: transfer buffers that "
                "pynq.allocate() made, not ordinary arrays, copies or results of operations"
            ) from error
        if device is not self._device:
            name = getattr(device, "name", device)
            raise DmaError(
                f"{self.name} is on device {self._device.name!r}, the buffer on {name!r}: "
                "allocate(..., device=...) one on the same device"
            )
        if not contiguous:
            raise DmaError(
                f"{self.name}: this view of the buffer has gaps between its elements: copy it to a "
                "contiguous buffer"
            )
        self._sync = not coherent
        self._admitted = weakref.ref(array)

    def _refused(self, address: int, start: int, nbytes: int, size: int) -> DmaError:
        """Return the error for a range that the channel can't transfer, with all reasons."""
        reasons = []
        if start < 0 or nbytes <= 0 or start + nbytes > size:
            reasons.append(f"{nbytes} bytes from offset {start} do not lie in the buffer of {size} bytes")
        if nbytes > self._max_size:
            reasons.append(self._dma.length_message(nbytes, self._max_size))
        if address % self._alignment:
            reasons.append(
                f"address 0x{address:x} is no multiple of {self._alignment} bytes: choose another start, or "
                "enable 'Allow Unaligned Transfers' of the IP in Vivado"
            )
        if address + nbytes > self._address_limit:
            reasons.append(
                f"address 0x{address:x} is beyond the IP's {self._address_limit.bit_length() - 1} address "
                "bits: raise 'Address Width' of the IP in Vivado, or allocate lower memory"
            )
        return DmaError(f"{self.name}: {'; '.join(reasons)}")

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the transfer has ended, outside of the interpreter's lock.

        Args:
            timeout: Seconds of the device's time, None for no limit.

        Raises:
            DmaError: The engine ended the transfer with an error, was stopped, or no transfer was started.
                The message names the cause; after an error call :meth:`reset`.
            WaitTimeoutError: ``timeout`` is over. The transfer goes on: wait again, or call :meth:`reset`.
            DeadlockError: On the simulated board: the transfer can never end. The message tells what it
                lacks.
        """
        status = self._read(self._sr)
        if status & _SR_STATE != _SR_IDLE:
            self._check(status)
            try:
                poll(self._mmio, self._sr, _SR_IDLE, _SR_IDLE, timeout, self._check)
            except WaitTimeoutError as error:
                raise self._timed_out(timeout) from error
            except DeadlockError as error:
                raise self._dead(error) from error
            self._check()
        self._finish()

    async def wait_async(self, timeout: float | None = None) -> None:
        """Wait until the transfer has ended; other tasks go on. For arguments and errors see :meth:`wait`.

        Uses the channel's interrupt where that is connected to an interrupt input of the processor or of an
        interrupt controller, else polls from time to time. ``timeout`` is in seconds of the host's clock.
        """
        try:
            if self._interrupt is not None:
                await self._wait_interrupt(self._interrupt, timeout)
            else:
                await poll_async(self._mmio, self._sr, _SR_IDLE, _SR_IDLE, timeout, self._check)
        except WaitTimeoutError as error:
            raise self._timed_out(timeout) from error
        except DeadlockError as error:
            raise self._dead(error) from error
        self._check()
        self._finish()

    async def _wait_interrupt(self, interrupt: Interrupt, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            # Cleared before the status is read: a transfer that ends later raises the interrupt again.
            self._mmio.write(self._sr, _SR_INTERRUPTS)
            status = self._mmio.read(self._sr)
            if status & _SR_IDLE:
                return
            self._check(status)
            await interrupt.wait(None if deadline is None else deadline - time.monotonic())

    def _finish(self) -> None:
        """Book a transfer that has ended."""
        buffer = self._buffer
        if buffer is None:
            return
        self._buffer = None
        if self._kind.send:
            self.transferred = self._requested
            return
        self.transferred = self._read(self._length)  # PG021: bytes received, once idle
        if self._syncing:
            buffer.invalidate()

    # -- what goes wrong
    def _check(self, status: int | None = None) -> None:
        """Raise unless the transfer is going on, or has ended well."""
        if status is None:
            status = self._mmio.read(self._sr)
        if status & _SR_ERRORS:
            raise self._failed(status)
        if status & _SR_HALTED:
            raise DmaError(
                f"{self.name} is stopped ({_decode(status)}), so its transfer can't end; call start() and "
                "transfer again"
            )
        if self._buffer is None and not status & _SR_IDLE:
            raise DmaError(f"{self.name}: there is no transfer to wait for; call transfer() first")

    def _busy(self, status: int) -> DmaError:
        if status & _SR_ERRORS:
            return self._failed(status)
        if status & _SR_HALTED:
            return DmaError(f"{self.name} is stopped ({_decode(status)}); call start() first")
        return DmaError(
            f"{self.name} is busy with a transfer of {self._requested} bytes "
            f"({_decode(status)}){self._reason()}; "
            "wait() for it, or reset() to give it up"
        )

    def _failed(self, status: int) -> DmaError:
        causes = []
        if status & _SR_INT_ERROR:
            causes.append(
                "internal error." + (self._kind.too_long or " The length was 0, or the data mover failed.")
            )
        if status & _SR_SLAVE_ERROR:
            causes.append("slave error. The memory answered the engine with an error.")
        if status & _SR_DECODE_ERROR:
            causes.append("decode error. Nothing answers the engine at that address.")
        what = f" in a transfer of {self._requested} bytes" if self._buffer is not None else ""
        return DmaError(
            f"{self.name} stopped with an error{what} ({_decode(status)}): {' '.join(causes)} "
            f"Call {self._dma.fullpath.replace('/', '.')}.{self._kind.attribute}.reset(), then transfer again"
        )

    def _dead(self, error: DeadlockError) -> DeadlockError:
        reason = self._reason() or f": {error}"
        return DeadlockError(
            f"{self.name} can never end its transfer of {self._requested} bytes{reason}; reset() gives it up"
        )

    def _timed_out(self, timeout: float | None) -> WaitTimeoutError:
        status = self._mmio.read(self._sr)
        return WaitTimeoutError(
            f"{self.name} has not ended its transfer of {self._requested} bytes within {timeout} s "
            f"({_decode(status)}){self._reason()}; wait() again, or reset() to give it up"
        )

    def _reason(self) -> str:
        """Return ": why the channel does not go on" where the device can tell."""
        reason = self._device.explain(f"{self._dma.fullpath}/{self._kind.name}")
        return f": {reason}" if reason else ""

    # -- memory that goes away under the engine
    def _let_go(self, block: object) -> None:
        """End a transfer whose memory is given back; the channel can be used again afterwards."""
        buffer = self._buffer
        if buffer is None:
            return
        owner = buffer._owner()
        if owner is None or owner._block is block:
            self._end(again=True)

    def _halt(self) -> None:
        """Stop the channel, by force where it does not end what it has begun."""
        self._end(again=False)

    def _end(self, again: bool) -> None:
        self._buffer = None
        try:
            status = self._mmio.read(self._sr)
            if status & (_SR_IDLE | _SR_HALTED) and again:
                return
            self._mmio.write(self._cr, _CR_THRESHOLD)
            try:
                self._mmio.wait_until(self._sr, _SR_HALTED, _SR_HALTED, _STOP_SECONDS)
            except (WaitTimeoutError, DeadlockError):
                # PG021: one that waits for its stream does not stop; the reset takes the other along
                self._dma._reset()
            if again:
                self._dma._start_again()
        except OverlayNotLoadedError:
            return  # it is no longer in the device, and neither are its transfers

    def _forget(self) -> None:
        """Drop the transfer that a reset has ended."""
        self._buffer = None
        self._requested = 0
        self.transferred = 0

    def __repr__(self) -> str:
        doing = f"{self._requested} bytes going on" if self._buffer is not None else "nothing going on"
        return f"<{type(self).__name__} {self.name}: {doing}, at most {self._max_size} bytes>"


class DMA(DefaultIP):
    """The AXI DMA engine: moves buffers to and from AXI4-Streams.

    ``sendchannel`` (MM2S, memory to stream) and ``recvchannel`` (S2MM, stream to memory) are
    :class:`DMAChannel` objects, None where the IP is configured without::

        with allocate(1024) as data, allocate(1024) as result:
            overlay.axi_dma_0.recvchannel.transfer(result)
            overlay.axi_dma_0.sendchannel.transfer(data)
            overlay.axi_dma_0.sendchannel.wait()
            overlay.axi_dma_0.recvchannel.wait()

    Direct register mode and Micro DMA; scatter-gather and multichannel mode are refused with
    :class:`~pynq.errors.UnsupportedConfiguration`.
    """

    bindto = ["xilinx.com:ip:axi_dma:7.1"]

    sendchannel: DMAChannel | None
    recvchannel: DMAChannel | None

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.description = description
        self.fullpath: str = description["fullpath"]
        self._parameters = {name.lower(): value for name, value in description.get("parameters", {}).items()}
        if "c_include_sg" not in self._parameters:
            raise UnsupportedConfiguration(
                f"{self.fullpath}: the description has no parameters of the IP; a hand-off file (.hwh) has"
            )
        if self._number("c_include_sg"):
            raise UnsupportedConfiguration(
                f"{self.fullpath} is configured for scatter-gather (c_include_sg = 1), which this driver "
                "does not do: switch 'Enable Scatter Gather Engine' off in Vivado"
            )
        width = self._number("c_sg_length_width", 14)
        self.buffer_max_size = (1 << width) - 1
        """The longest transfer in bytes that the length register can hold."""
        self.sendchannel = self._channel(_MM2S, "mm2s")
        self.recvchannel = self._channel(_S2MM, "s2mm")

    @classmethod
    def attribute_types(cls, description: Mapping[str, Any]) -> dict[str, str]:
        """Which channels there are, for stubs."""
        parameters = {name.lower(): value for name, value in (description.get("parameters") or {}).items()}
        if parameters.get("c_include_sg") != "0":
            return {}
        kind = f"{DMAChannel.__module__}.{DMAChannel.__name__}"
        return {
            name: kind if parameters.get(f"c_include_{prefix}", "1") != "0" else "None"
            for name, prefix in (("sendchannel", "mm2s"), ("recvchannel", "s2mm"))
        }

    def reset(self) -> None:
        """Reset the engine, both channels at once, and start them again (DMACR.Reset).

        Gives up the transfers going on and recovers from errors. Data that the streams still hold stay
        there: reset the IP at the other end too, where it may be inside of a packet.

        Raises :class:`~pynq.errors.DmaError` when the reset does not end (the engine's clock stands still).
        """
        self._reset()
        for channel in self._channels():
            channel.start()

    def _channels(self) -> list[DMAChannel]:
        return [channel for channel in (self.sendchannel, self.recvchannel) if channel is not None]

    def _start_again(self) -> None:
        """Start the channels that stand still without an error."""
        for channel in self._channels():
            status = self.mmio.read(channel._sr)
            if status & _SR_HALTED and not status & _SR_ERRORS:
                channel.start()

    def _reset(self) -> None:
        channels = self._channels()
        # PG021: the bit of either channel resets the whole engine; it clears itself.
        control = channels[0]._kind.offset + _DMACR
        self.mmio.write(control, _CR_RESET)
        try:
            self.mmio.wait_until(control, _CR_RESET, 0, _HALT_SECONDS)
        except (WaitTimeoutError, DeadlockError) as error:
            raise DmaError(
                f"{self.fullpath} does not come out of reset within {_HALT_SECONDS} s: is its clock running, "
                "and do its streams and memory interfaces end what they have begun?"
            ) from error
        for channel in channels:
            channel._forget()

    def length_message(self, nbytes: int, limit: int) -> str:
        """Say that a transfer is too long, and what can be done."""
        width = self.buffer_max_size.bit_length()
        if limit < self.buffer_max_size:
            return (
                f"{nbytes} bytes exceed the {limit} bytes that Micro DMA moves at once: split the transfer, "
                "or switch 'Enable Micro DMA' off in Vivado"
            )
        more = (
            f", or raise 'Width of Buffer Length Register' of the IP in Vivado (now {width} bits, at most "
            f"{_LONGEST_LENGTH_WIDTH})"
        )
        return (
            f"{nbytes} bytes exceed the {limit} bytes that the length register holds: split the transfer"
            + (more if width < _LONGEST_LENGTH_WIDTH else "")
        )

    def _channel(self, kind: _Kind, prefix: str) -> DMAChannel | None:
        if not self._number(f"c_include_{prefix}", 1):
            return None
        width = self._number(f"c_m_axi_{prefix}_data_width", 32) // 8
        limit = self.buffer_max_size
        if self._number("c_micro_dma"):
            limit = min(limit, width * self._number(f"c_{prefix}_burst_size", 16))
        return DMAChannel(
            self,
            kind,
            max_size=limit,
            alignment=1 if self._number(f"c_include_{prefix}_dre") else width,
            address_bits=self._number("c_addr_width", 32),
            interrupt=getattr(self, f"{prefix}_introut", None),
        )

    def _number(self, parameter: str, default: int = 0) -> int:
        value = self._parameters.get(parameter)
        return default if value is None else int(value, 0)


def _decode(status: int) -> str:
    """Return DMASR in words."""
    names = (
        (_SR_HALTED, "Halted"),
        (_SR_IDLE, "Idle"),
        (_SR_INT_ERROR, "DMAIntErr"),
        (_SR_SLAVE_ERROR, "DMASlvErr"),
        (_SR_DECODE_ERROR, "DMADecErr"),
    )
    text = ", ".join(name for bit, name in names if status & bit) or "running, not idle"
    return f"DMASR 0x{status:x}: {text}"
