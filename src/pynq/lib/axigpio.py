"""Driver of the AXI GPIO (product guide PG144)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pynq.binding import DefaultIP
from pynq.errors import DirectionError, FieldValueError, UnsupportedByDeviceError
from pynq.lib._poll import poll, poll_async

if TYPE_CHECKING:
    from pynq.interrupt import Interrupt

__all__ = ["AxiGPIO"]

# PG144, table "Registers". The second channel's data and tri-state registers follow 8 bytes further on.
_DATA, _TRI, _GIER, _ISR, _IER = 0x000, 0x004, 0x11C, 0x120, 0x128
_GIER_ON = 1 << 31


class _Wires:
    """Some wires of a channel, next to each other. Bit 0 of their value is the one with the lowest index."""

    def __init__(self, parent: AxiGPIO.Channel, start: int, stop: int) -> None:
        self._parent = parent
        self._start = start
        self._stop = stop
        self._mask = (1 << (stop - start)) - 1

    @property
    def mask(self) -> int:
        """The bits of these wires in the channel's registers."""
        return self._mask << self._start

    def __len__(self) -> int:
        return self._stop - self._start

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._start}:{self._stop} of {self._parent.name}>"


class _Readable(_Wires):
    def read(self) -> int:
        """Return the value at the wires."""
        return self._parent.read() >> self._start & self._mask

    async def wait_for_value_async(self, value: int, timeout: float | None = None) -> None:
        """Wait until the wires have this value; other tasks go on.

        Uses the IP's interrupt where that is connected, else polls. ``timeout`` is in seconds.

        Raises :class:`~pynq.errors.WaitTimeoutError`, ``ValueError`` for a value that the wires can't have.
        """
        self._check(value)
        channel = self._parent
        if not channel.has_interrupts:
            await poll_async(channel.mmio, channel.data, self.mask, value << self._start, timeout)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        with channel.watching():
            while True:
                seen = channel.changes()
                if self.read() == value:
                    return
                await channel.changed_async(seen, _left(deadline))

    def wait_for_value(self, value: int, timeout: float | None = None) -> None:
        """Block until the wires have this value. See :meth:`wait_for_value_async`."""
        self._check(value)
        channel = self._parent
        if not channel.has_interrupts:
            poll(channel.mmio, channel.data, self.mask, value << self._start, timeout)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        with channel.watching():
            while True:
                seen = channel.changes()
                if self.read() == value:
                    return
                channel.changed(seen, _left(deadline))

    wait_for_level = wait_for_value
    wait_for_level_async = wait_for_value_async

    def _check(self, value: int) -> None:
        if not 0 <= value <= self._mask:
            raise FieldValueError(f"{self!r} has {len(self)} wires and never the value {value!r}")


class _Writable(_Wires):
    def write(self, val: int) -> None:
        """Drive a value.

        Raises ``ValueError`` when the value needs more wires than these.
        """
        if not 0 <= val <= self._mask:
            raise FieldValueError(
                f"{val!r} does not fit the {len(self)} wires of {self!r}: 0 to {self._mask}"
            )
        self._parent.write(val << self._start, self.mask)

    def on(self) -> None:
        """Drive all wires high."""
        self.write(self._mask)

    def off(self) -> None:
        """Drive all wires low."""
        self.write(0)

    def toggle(self) -> None:
        """Invert all wires."""
        self.write(~self._parent.driven >> self._start & self._mask)


class AxiGPIO(DefaultIP):
    """One or two channels of up to 32 wires.

    ``channel1`` and ``channel2`` give wires by index and slice, with the methods that their direction
    allows::

        buttons = overlay.buttons.channel1
        leds = overlay.leds.channel1
        leds[0:2].write(buttons[0:2].read())
        leds[3].on()

    The IP's configuration decides on length and direction where it fixes them; :meth:`setlength` and
    :meth:`setdirection` do otherwise.
    """

    bindto = ["xilinx.com:ip:axi_gpio:2.0"]

    class Input(_Readable):
        """Wires of an input channel. Get them from a channel, by index or slice."""

    class Output(_Writable):
        """Wires of an output channel. Get them from a channel, by index or slice."""

        def read(self) -> int:
            """Return the value that is driven."""
            return self._parent.driven >> self._start & self._mask

    class InOut(_Readable, _Writable):
        """Wires of a channel in both directions: reading makes them inputs, writing outputs."""

        def read(self) -> int:
            """Stop driving the wires and return the value at them."""
            self._parent.trimask |= self.mask
            return super().read()

        def write(self, val: int) -> None:
            """Drive a value, and start to drive the wires."""
            if not 0 <= val <= self._mask:
                super().write(val)
            self._parent.trimask &= ~self.mask
            super().write(val)

    class Channel:
        """A channel of the IP. ``channel[i]`` and ``channel[a:b]`` are its wires."""

        def __init__(self, parent: AxiGPIO, channel: int) -> None:
            self._parent = parent
            self._channel = channel
            self.mmio = parent.mmio
            self.data = channel * 8 + _DATA
            """Offset of the data register."""
            suffix = "_2" if channel else ""
            number = parent._number
            self.fixed = bool(number(f"c_all_inputs{suffix}") or number(f"c_all_outputs{suffix}"))
            """True when the IP's configuration fixes the direction."""
            self.length = number("c_gpio2_width" if channel else "c_gpio_width", 32)
            if channel and not number("c_is_dual", 1):
                self.length = 0
            self.slicetype: type[AxiGPIO.Input | AxiGPIO.Output | AxiGPIO.InOut] = AxiGPIO.InOut
            if number(f"c_all_inputs{suffix}"):
                self.slicetype = AxiGPIO.Input
            elif number(f"c_all_outputs{suffix}"):
                self.slicetype = AxiGPIO.Output
            self._configured = self.slicetype
            self._val = number(f"c_dout_default{suffix}")
            self._watchers = 0
            self._changes = 0

        @property
        def name(self) -> str:
            """Name for messages: ``axi_gpio_0.channel1``."""
            return f"{self._parent._fullpath}.channel{self._channel + 1}"

        @property
        def has_interrupts(self) -> bool:
            """True when changes of the inputs can interrupt."""
            return self._parent.has_interrupts

        @property
        def driven(self) -> int:
            """The value last written."""
            return self._val

        def __getitem__(self, idx: int | slice) -> Any:
            """Return the wires of an index or slice.

            Raises ``IndexError`` outside of the channel's length, or for a step other than 1.
            """
            if isinstance(idx, slice):
                start, stop, step = idx.indices(self.length)
                if step != 1:
                    raise IndexError(f"{self.name}: a slice of wires has no step, not {step}")
                if (idx.stop or 0) > self.length or start >= stop:
                    raise IndexError(
                        f"{self.name} has wires 0 to {self.length - 1}, not {idx.start}:{idx.stop}"
                    )
                return self.slicetype(self, start, stop)
            if not -self.length <= idx < self.length:
                raise IndexError(f"{self.name} has {self.length} wires, none with index {idx}")
            first = idx % self.length
            return self.slicetype(self, first, first + 1)

        def __len__(self) -> int:
            return self.length

        def write(self, val: int, mask: int) -> None:
            """Drive the wires of ``mask`` to the bits of ``val``; the others stay.

            Raises :class:`~pynq.errors.DirectionError` on an input.
            """
            if self.slicetype is AxiGPIO.Input:
                raise DirectionError(f"{self.name} is an input and can't be written: see setdirection()")
            self._check_exists()
            with self._parent._lock:
                self._val = (self._val & ~mask) | (val & mask)
                self.mmio.write(self.data, self._val)

        def read(self) -> int:
            """Return the values at all wires.

            Raises :class:`~pynq.errors.DirectionError` on an output.
            """
            if self.slicetype is AxiGPIO.Output:
                raise DirectionError(
                    f"{self.name} is an output and can't be read: see setdirection(); its wires' read() "
                    "gives "
                    "what is driven"
                )
            self._check_exists()
            return int(self.mmio.read(self.data))

        @property
        def trimask(self) -> int:
            """The tri-state register: bits that are 1 are inputs."""
            return int(self.mmio.read(self._channel * 8 + _TRI))

        @trimask.setter
        def trimask(self, value: int) -> None:
            self.mmio.write(self._channel * 8 + _TRI, value & 0xFFFFFFFF)

        def setlength(self, length: int) -> None:
            """Set the number of wires, at most 32.

            Raises ``ValueError`` for another number.
            """
            if not 0 <= length <= 32:
                raise FieldValueError(f"{self.name}: a channel has 0 to 32 wires, not {length!r}")
            self.length = length

        def setdirection(self, direction: str | type[Any]) -> None:
            """Set the direction: "in", "out", "inout" or the class of that name.

            Raises ``ValueError`` for anything else and :class:`~pynq.errors.DirectionError` where the IP's
            configuration fixes the other direction.
            """
            kind = _DIRECTIONS.get(direction) if isinstance(direction, str) else direction
            if kind not in _DIRECTIONS.values():
                raise FieldValueError(
                    f'{self.name}: direction is "in", "out" or "inout" (or AxiGPIO.Input, Output, InOut), '
                    f"not {direction!r}"
                )
            if self.fixed and kind is not AxiGPIO.InOut and kind is not self._configured:
                raise DirectionError(
                    f"{self.name} has only {self._configured.__name__.lower()}s: the IP is configured so "
                    "in Vivado"
                )
            assert kind is not None
            self.slicetype = kind
            if not self.fixed and kind is not AxiGPIO.InOut:
                self.trimask = 0xFFFFFFFF if kind is AxiGPIO.Input else 0

        async def wait_for_interrupt_async(self, timeout: float | None = None) -> None:
            """Wait until an input of the channel changes, or return at once if one did since the last wait.

            Raises :class:`~pynq.errors.UnsupportedByDeviceError` when the IP's interrupt is not connected,
            and :class:`~pynq.errors.WaitTimeoutError` after ``timeout`` seconds.
            """
            if not self.has_interrupts:
                raise UnsupportedByDeviceError(
                    f"{self._parent._fullpath} has no interrupt: enable it in the IP's configuration and "
                    "connect "
                    "ip2intc_irpt to the processor or an interrupt controller"
                )
            seen = self._changes
            with self.watching():
                await self.changed_async(seen, timeout)

        # -- for wires that wait
        @contextmanager
        def watching(self) -> Iterator[None]:
            """Let changes interrupt while somebody waits for them."""
            with self._parent._lock:
                self._watchers += 1
                self._parent._enable_interrupts()
            try:
                yield
            finally:
                with self._parent._lock:
                    self._watchers -= 1
                    self._parent._enable_interrupts()

        def changes(self) -> int:
            """Take what the IP has latched; return a number that is another one after each change."""
            self._parent._collect()
            return self._changes

        async def changed_async(self, seen: int, timeout: float | None) -> None:
            """Wait until :meth:`changes` differs from ``seen``."""
            deadline = None if timeout is None else time.monotonic() + timeout
            while self.changes() == seen:
                await self._parent._interrupt().wait(_left(deadline))

        def changed(self, seen: int, timeout: float | None) -> None:
            """Block until :meth:`changes` differs from ``seen``."""
            deadline = None if timeout is None else time.monotonic() + timeout
            while self.changes() == seen:
                self._parent._interrupt().wait_sync(_left(deadline))

        def _check_exists(self) -> None:
            if not self.length:
                raise IndexError(
                    f"{self._parent._fullpath} has one channel only: 'Enable Dual Channel' is off"
                )

        def __repr__(self) -> str:
            return f"<{self.slicetype.__name__} channel {self.name}: {self.length} wires>"

    channel1: Channel
    channel2: Channel

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self._parameters = {name.lower(): value for name, value in description.get("parameters", {}).items()}
        self._lock = threading.RLock()
        self._channels = [AxiGPIO.Channel(self, i) for i in range(2)]
        self.channel1, self.channel2 = self._channels
        self.has_interrupts = "ip2intc_irpt" in (description.get("interrupts") or {})
        """True when the IP's interrupt is connected."""
        if self.has_interrupts:
            self._interrupt()
            self.mmio.write(_IER, 0)
            self.mmio.write(_GIER, _GIER_ON)

    def setlength(self, length: int, channel: int = 1) -> None:
        """Set the number of wires of a channel (1 or 2)."""
        self._channels[channel - 1].setlength(length)

    def setdirection(self, direction: str | type[Any], channel: int = 1) -> None:
        """Set the direction of a channel (1 or 2); see :meth:`Channel.setdirection`."""
        self._channels[channel - 1].setdirection(direction)

    def __getitem__(self, idx: int | slice) -> Any:
        """Return wires of the first channel."""
        return self.channel1[idx]

    def _number(self, parameter: str, default: int = 0) -> int:
        value = self._parameters.get(parameter)
        return default if value is None else int(value, 0)

    def _interrupt(self) -> Interrupt:
        pin: Interrupt = self.ip2intc_irpt
        return pin

    def _enable_interrupts(self) -> None:
        mask = sum(1 << number for number, channel in enumerate(self._channels) if channel._watchers)
        self.mmio.write(_IER, mask)

    def _collect(self) -> None:
        """Take the latched changes of both channels, which share one interrupt."""
        with self._lock:
            latched = self.mmio.read(_ISR) & 0b11
            if latched:
                self.mmio.write(_ISR, latched)  # toggle on write: only ones that are set may be written
            for number, channel in enumerate(self._channels):
                channel._changes += latched >> number & 1


_DIRECTIONS: dict[str, type[Any]] = {"in": AxiGPIO.Input, "out": AxiGPIO.Output, "inout": AxiGPIO.InOut}


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
