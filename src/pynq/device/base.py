"""The base class of all devices. See ``docs/design/contracts.md`` for the table of *must* and *may*."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import WeakSet

from pynq.device.contract import Block, InterruptLine, PinLine
from pynq.device.legacy import BufferBlock, OldProtocol, ProbedBackend, map_registers
from pynq.device.registry import Registry
from pynq.device.registry import registry as _registry
from pynq.errors import UnsupportedByDeviceError
from pynq.memory import PynqBuffer, new_buffer

if TYPE_CHECKING:
    from typing_extensions import Self

    from pynq._native import Window
    from pynq.design.model import Design
    from pynq.device.legacy import Bitstream

__all__ = ["Device", "registry"]


registry: Registry[Device] = _registry


class Watcher(Protocol):
    """What wants to know that a device was programmed, as a whole or in a region."""

    def _programmed(self) -> None: ...

    def _reconfigured(self) -> None: ...


class Mover(Protocol):
    """A driver of hardware that reads or writes memory by itself. It is in :attr:`Device.movers` from its
    start on; what it moves is asked for only when memory is given back, so that a transfer costs nothing.
    """

    def _let_go(self, block: object) -> None:
        """Make sure that the hardware no longer uses a block of memory, which is given back next."""
        ...

    def _halt(self) -> None:
        """Stop the hardware: the device is closed, or programmed anew."""
        ...


class DeviceMeta(type):
    """Gives ``Device`` its ``devices`` and ``active_device``; hears of subclasses with ``_probe_``."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if "_probe_" in namespace:
            registry.add(ProbedBackend(cast("type[Device]", cls)))

    @property
    def devices(cls) -> list[Device]:
        """Every device present, the preferred one first."""
        return registry.devices()

    @property
    def active_device(cls) -> Device:
        """The device meant where a program names none; set it by object or name, None chooses anew."""
        return registry.active()

    @active_device.setter
    def active_device(cls, device: Device | str | None) -> None:
        registry.choose(device)


class Device(OldProtocol, metaclass=DeviceMeta):
    """Where an overlay runs: a board, the simulated board, a board elsewhere.

    ``watchers`` hear of every download; overlays use it to take their registers away, or to give them back.
    ``movers`` are the drivers of DMA engines: they are stopped before memory that they use is given back.
    ``name`` is what ``PYNQ_DEVICE`` and error messages use ("sim:", "sim:2", "board:"). ``needs_bitstream``
    is False where a description alone is enough. ``design`` is what is loaded now, None before the first
    download. ``takes_rtl`` is True where ``download`` has the keywords ``rtl`` (what of the design is the
    user's RTL) and ``description`` (full path of its file); devices that are no simulator have neither, and
    the same program runs there. ``shares_controllers`` is True where another process may have set up the
    interrupt controllers of what is loaded; then they belong to whoever has the line of the PS behind them.
    ``region_trees`` are the device-tree overlays of what is in regions, by the region's path.
    ``part`` is the device that the board has, as parts of bitstreams begin ("7z020", "zu7ev"), "" where that
    is unknown; a bitstream of another one is refused before :meth:`download` is called.
    """

    part: str = ""
    needs_bitstream: bool = True
    takes_rtl: bool = False
    shares_controllers: bool = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.design: Design | None = None
        self.watchers: WeakSet[Watcher] = WeakSet()
        self.movers: WeakSet[Mover] = WeakSet()
        self.region_trees: dict[str, str] = {}

    # -- must ------------------------------------------------------------------------------------------------
    def open(self) -> None:
        """Claim what the device needs. Called once, before the first use."""

    def close(self) -> None:
        """Stop what runs and give everything back. A second call does nothing."""

    def map(self, base: int, length: int) -> Window:
        """Return a window on ``length`` bytes of registers from the absolute address ``base`` on."""
        return map_registers(self, base, length)

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        """Return ``nbytes`` (at least 1) of zeroed memory that the PL can reach, page aligned.

        Raises :class:`~pynq.errors.AllocationError` with the pool's figures when there is none.
        """
        old: Any = self
        if type(self).allocate is not Device.allocate:
            return BufferBlock(old.allocate((nbytes,), "u1", cacheable=cacheable))
        if hasattr(self, "default_memory"):
            return BufferBlock(old.default_memory.allocate((nbytes,), "u1", cacheable=cacheable))
        raise self._unsupported("memory")

    def allocate(
        self, shape: Any, dtype: Any = "u4", *, cacheable: bool = True, target: Any = None
    ) -> PynqBuffer:
        """Return a buffer of that shape and type in this device's memory; see :func:`pynq.allocate`."""
        return new_buffer(self, shape, dtype, cacheable=cacheable, target=target)

    def download(
        self,
        design: Design,
        bitstream: Path | None,
        *,
        partial: bool = False,
        dtbo: Path | None = None,
        region: str = "",
    ) -> None:
        """Program the device. Afterwards ``self.design is design``; windows mapped before are invalid.

        ``partial``: the bitstream is for one region of the design that runs, and ``region`` is its path.
        ``design`` then tells of everything that is in the PL afterwards (:func:`pynq.design.partial.merge`).
        The device isolates the region, programs it and lets it come out of reset; everything else goes on,
        and windows on it stay valid. A failure leaves the old contents, or an empty region and
        ``self.design`` accordingly. A device that can't takes no ``region``, or refuses.
        """
        raise self._unsupported("downloading")

    # -- may -------------------------------------------------------------------------------------------------
    def interrupt_line(self, number: int) -> InterruptLine:
        """Return the PS interrupt with that GIC number (``InterruptPin.gic``)."""
        raise self._unsupported("interrupts")

    def interrupt_probe(self, pin: str) -> Callable[[], tuple[int, int]] | None:
        """Return a function giving (level, rising edges so far) of pin "cell/port"; None: unknowable."""
        return None

    def interrupt_from_outside(self, pin: str) -> bool:
        """Return whether something outside of the PL (a hand on a button) can raise the interrupt of pin
        "cell/port".

        A wait for such a pin goes on where the device says :class:`DeadlockError`, as long as other threads
        live.
        """
        return False

    def pin(self, index: int, direction: str) -> PinLine:
        """Return EMIO GPIO ``index`` of the PS; ``direction`` is "in" or "out"."""
        raise self._unsupported("EMIO GPIO")

    def clock_rate(self, index: int) -> float:
        """Return the frequency of PL clock ``index`` in Hz."""
        raise self._unsupported("PL clocks")

    def set_clock_rate(self, index: int, hertz: float) -> float:
        """Set PL clock ``index`` as near as it can be; return the frequency reached in Hz."""
        raise self._unsupported("PL clocks")

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        """Make caches and memory agree on part of a block; ``direction``: "to_device", "from_device"."""

    def explain(self, what: str) -> str:
        """Return one sentence on why ``what`` ("axi_dma_0/S2MM") does not go on, "" where unknown."""
        return ""

    # -- may: what a simulated board lets be seen ------------------------------------------------------------
    def waves(self, *args: Any, **options: Any) -> Any:
        """Record signals of the PL into a file."""
        raise self._unsupported("waves")

    def record_waves(self, *args: Any, **options: Any) -> Any:
        """Record signals of the PL in memory."""
        raise self._unsupported("waves")

    def plot_waves(self, *args: Any, **options: Any) -> Any:
        """Draw signals of the PL over time."""
        raise self._unsupported("waves")

    # -- for all ---------------------------------------------------------------------------------------------
    def program(self, bitstream: Bitstream, parser: Any = None) -> None:
        """Download a bitstream and note that it is loaded, whichever protocol the device speaks."""
        before = self.design
        try:
            self._program(bitstream, parser)
        except BaseException:
            if self.design is not before and bitstream.partial:  # a region that is empty now
                self._tell_watchers(True)
            raise
        if not bitstream.partial:
            self.region_trees.clear()
        self._downloaded()
        self._tell_watchers(bitstream.partial)

    def _downloaded(self) -> None:
        """Called when a download is complete, before watchers hear of it."""

    def _program(self, bitstream: Bitstream, parser: Any) -> None:
        old: Any = self
        if type(self).map is not Device.map:
            dtbo = Path(bitstream.dtbo) if bitstream.dtbo else None
            whole, image = bitstream.whole, bitstream.image
            more: dict[str, Any] = {"dtbo": dtbo}
            if self.takes_rtl:
                more |= {"rtl": bitstream.rtl, "description": bitstream.description_file}
            if bitstream.partial:
                more |= {"partial": True, "region": bitstream.region}
            self.download(whole, image, **more)
            self.post_download(bitstream, parser)
        elif bitstream.partial:
            if type(self).download is Device.download:
                raise self._unsupported("partial reconfiguration")
            old.download(bitstream, parser)
            if bitstream.dtbo:
                self.insert_device_tree(bitstream.dtbo)
            self.design = bitstream.whole if bitstream.region else self.design
        else:
            if type(self).download is not Device.download:
                old.download(bitstream, parser)
            if not bitstream.timestamp or bitstream.timestamp != self.timestamp:
                self.post_download(bitstream, parser)
            if bitstream.dtbo:
                self.insert_device_tree(bitstream.dtbo)
            self.design = bitstream.whole if bitstream.described else None

    def _tell_watchers(self, partial: bool) -> None:
        for watcher in list(self.watchers):
            if partial:
                watcher._reconfigured()
            else:
                watcher._programmed()

    def trust(self, bitstream: Bitstream) -> None:
        """Take the program's word, given by ``download=False``, that a bitstream is loaded.

        Devices know what they hold. One of the old protocol does not, unless it was downloaded here; PYNQ
        believes the program then, which is how a second process goes on with what a first one has loaded.
        """
        if type(self).map is Device.map and not self.bitfile_name:
            self.bitfile_name = bitstream.bitfile_name
            self.design = bitstream.design if bitstream.described else None

    def _halt_movers(self) -> None:
        """Stop the DMA engines that drivers of this process use."""
        for mover in list(self.movers):
            mover._halt()

    def _unsupported(self, what: str) -> UnsupportedByDeviceError:
        return UnsupportedByDeviceError(f"device {self.name!r} has no {what}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        held = f"holds {self.design.name!r}" if self.design else "empty"
        return f"<{type(self).__name__} {self.name!r}: {held}>"
