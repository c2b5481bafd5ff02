"""The object tree: load an overlay, bind its drivers, expose what it holds."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pynq.binding import DefaultHierarchy, DefaultIP, Views, bind_views, companion, document, drivers
from pynq.bitstream import Bitstream, Registers, Rtl, find_image
from pynq.device.notes import emit
from pynq.errors import (
    CompanionError,
    DesignNotFoundError,
    FieldValueError,
    UnsupportedConfiguration,
)
from pynq.mmio import MMIO
from pynq.notebook import mimebundle, widget
from pynq.regions import Reconfigurable
from pynq.systemgraph import Parser, SystemGraph
from pynq.utils import ReprDict
from pynq.wording import near

if TYPE_CHECKING:
    from pynq.device import Device

__all__ = ["DefaultHierarchy", "DefaultIP", "DefaultOverlay", "Overlay", "UnsupportedConfiguration"]


class _Options(NamedTuple):
    """What the caller of ``Overlay`` asked for, kept for a companion whose signature does not take it."""

    companion: Path
    names: tuple[str, ...]  # as the caller wrote it, and in full
    download: bool
    dtbo: str | os.PathLike[str] | None
    ignore_version: bool
    device: Device | str | None
    rtl: Rtl
    registers: Registers


_asked: ContextVar[tuple[_Options, ...]] = ContextVar("pynq_asked", default=())


class DefaultOverlay(Reconfigurable):
    """An overlay: the IP and hierarchies of a bitstream as attributes.

    Subclass it for an overlay of your own and bind the name ``Overlay`` to the class at the end of a Python
    file beside the bitstream; ``pynq.Overlay("x.bit")`` then makes it.

    Attributes:
        bitfile_name: Absolute path of the bitstream (of the description, where there is no bitstream).
        device: Where it is loaded.
        ip_dict, hierarchy_dict, mem_dict, gpio_dict, clock_dict: What the description holds, in PYNQ's form.
        interrupt_pins, interrupt_controllers: The same for interrupts.
        description: The same as one tree.
        parser: The dictionaries as they were read, and ``systemgraph``.
        systemgraph: ``systemgraph._root`` is the root element of the description's XML.
        timestamp: When this object downloaded it, "" if it has not.

    Args:
        bitfile_name: Path or bare name of the bitstream or of its description.
        download: Whether to program the device now.
        dtbo: Device-tree overlay to apply with it; None takes one of the same stem, if any.
        ignore_version: Whether IP may get the driver of another version of its type.
        device: Where to; an object or a name such as "sim:". None: the active device.
        rtl: Which IP the simulated board runs as RTL: a manifest's path, a dictionary such as
            ``{"fir_0": "fir.v"}``, or False for none; None: as ``NAME.sim.toml`` beside the description says.
            A board takes no notice.
        registers: Where the registers of IP are from that the description has none of: a manifest's path, a
            dictionary such as ``{"fir_0": "fir.rdl", "acme.com:ip:fir": "component.xml"}``, or False for
            nowhere; None: as ``NAME.registers.toml`` beside the description says.

    Raises:
        DesignNotFoundError: No such file; the message lists the places searched.
        RtlBuildError: The RTL can't be simulated; the message has every reason.
        DesignError: The description can't be used; the message has every reason with file and line.
    """

    def __init__(
        self,
        bitfile_name: str | os.PathLike[str],
        download: bool = True,
        *,
        dtbo: str | os.PathLike[str] | None = None,
        ignore_version: bool = False,
        device: Device | str | None = None,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        for asked in _asked.get():
            if os.fspath(bitfile_name) in asked.names:
                download = download and asked.download
                dtbo = asked.dtbo if dtbo is None else dtbo
                ignore_version = ignore_version or asked.ignore_version
                device = asked.device if device is None else device
                rtl = asked.rtl if rtl is None else rtl
                registers = asked.registers if registers is None else registers
        super().__init__(bitfile_name, dtbo, False, device, rtl, registers)
        self.ignore_version = ignore_version
        self._begin_regions()
        foreign = self.device.get_bitfile_metadata(self.bitfile_name)
        views = Views.of(self.design) if foreign is None else Views.copy(foreign)
        views = views.map(lambda name, found: ReprDict(found, rootname=name))
        self._views = views
        self.parser: Any = foreign or Parser(views, SystemGraph(self))
        self.systemgraph = getattr(self.parser, "systemgraph", None)
        plan = bind_views(
            views,
            drivers.snapshot(),
            ignore_version=ignore_version,
            common={"device": self.device, "overlay": self},
        )
        self.ip_dict = views.ip_dict
        self.hierarchy_dict = views.hierarchy_dict
        self.mem_dict = views.mem_dict
        self.gpio_dict = views.gpio_dict
        self.clock_dict = views.clock_dict
        self.interrupt_pins = views.interrupt_pins
        self.interrupt_controllers = views.interrupt_controllers
        self.description: dict[str, Any] = {
            "ip": self.ip_dict,
            "hierarchies": self.hierarchy_dict,
            "interrupts": {},
            "gpio": {},
            "memories": self._memories(),
            "device": self.device,
            "overlay": self,
        }
        self.__doc__ = document(self.description, f"overlay {self.bitfile_name}", type(self))
        for note in plan.warnings:
            emit(note)
        self.device.watchers.add(self)
        if download:
            self.download()
        else:
            self.device.trust(self)
            if self.is_loaded():
                self._follow_regions()

    def download(self, dtbo: str | os.PathLike[str] | None = None) -> None:
        """Program the device with this overlay: PL, clocks and, where there is one, the device tree.

        Args:
            dtbo: Device-tree overlay to apply; None takes the one of the constructor.
        """
        if dtbo is not None:
            self.dtbo = self._find_dtbo(dtbo)
        super().download(self.parser)

    def free(self) -> None:
        """Take the device-tree overlay out again, if there is one."""
        self.remove_dtbo()

    def reset(self) -> None:
        """Forget the states that the dictionaries keep (``state``); the PL goes on as it is."""
        for entry in (*self.ip_dict.values(), *self.mem_dict.values(), *self.gpio_dict.values()):
            entry["state"] = None

    def load_ip_data(self, ip_name: str, data: str | os.PathLike[str], zero: bool = False) -> None:
        """Write a binary file into an IP or memory, from its base address on, and note its name as ``state``.

        Args:
            ip_name: Key of ``ip_dict`` or ``mem_dict``.
            data: Path of the file. Bytes missing to a multiple of four are written as zeros.
            zero: Whether to zero what the file does not fill.

        Raises:
            KeyError: No IP and no memory of that name.
            ValueError: The file is larger than the address range.
            OverlayNotLoadedError: Another overlay is loaded.
        """
        entry = self.ip_dict.get(ip_name) or self.mem_dict.get(ip_name)
        if entry is None:
            names = [*self.ip_dict, *self.mem_dict]
            raise KeyError(f"no IP or memory {ip_name!r} in {self.bitfile_name}; {near(ip_name, names)}")
        contents = Path(data).read_bytes()
        size = entry["addr_range"]
        if len(contents) > size:
            raise FieldValueError(
                f"{os.fspath(data)} has {len(contents)} bytes, {ip_name} holds {size}: load a smaller file"
            )
        contents += bytes(size - len(contents) if zero else -len(contents) % 4)
        self._require_loaded(ip_name)
        MMIO(entry["phys_addr"], size, device=self.device).write(0, contents)
        entry["state"] = os.fspath(data)

    def record_waves(self, signals: Iterable[str] | str | None = None, **options: Any) -> Any:
        """Record signals of the PL in memory while a ``with`` block runs, for drawing.

        ``with overlay.record_waves(["fir_0.*"]) as recording: ...``, then ``recording`` draws itself in a
        notebook, and ``recording.plot(radix="signed")`` elsewhere. ``signals`` are names and globs, None all;
        ``cycles`` keeps the last ones only. Only simulated boards have waves; others raise
        :class:`~pynq.errors.UnsupportedByDeviceError`.
        """
        self._require_loaded("waves")
        return self.device.record_waves(signals, **options)

    def plot_waves(
        self,
        signals: Iterable[str] | str | None = None,
        run: Callable[[], object] | None = None,
        *,
        of: Any = None,
        **options: Any,
    ) -> Any:
        """Draw waveforms; in a notebook the result shows itself, elsewhere ``.save("waves.svg")``.

        Args:
            signals: Names and globs: ``["fir_0.acc", "fir_0/m_axis_tvalid"]``; None for all.
            run: What to call; drawn is what happens meanwhile.
            of: A VCD or FST file, or a recording, to draw instead.
            **options: ``cycles``: how many, the last ones; without ``run``, ``of`` and a recording that goes
                on so many (100) cycles pass now. ``start``, ``stop``: a piece of the time (seconds, "12 us").
                ``radix``, ``width``, ``title``: see :class:`pynq.waveplot.WavePlot`.

        Raises:
            SignalNotFoundError: With near names.
            UnsupportedByDeviceError: The device is no simulated board.
        """
        if of is None:
            self._require_loaded("waves")
        return self.device.plot_waves(signals, run, of=of, **options)

    def _show(self, path: str = "") -> dict[str, Any]:
        """What a notebook shows for this overlay, or for the block at a path."""
        return mimebundle(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self._show()

    def _display_(self, path: str = "") -> Any:
        """What marimo shows for this overlay, or for the block at a path."""
        return widget(self, path)

    def __repr__(self) -> str:
        return Bitstream.__repr__(self)


class _Loader(type):
    """Lets ``Overlay(...)`` itself, not a subclass, make what the Python file beside the bitstream says."""

    @property
    def __signature__(cls) -> inspect.Signature:
        # With a __call__ of the metaclass, inspect would show that one's.
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    if not TYPE_CHECKING:
        # To type checkers an Overlay(...) is an Overlay, also where it is what the companion says.
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if cls is Overlay:
                made = _through_companion(*args, **kwargs)
                if made is not None:
                    return made
            return super().__call__(*args, **kwargs)


class Overlay(DefaultOverlay, metaclass=_Loader):
    """An overlay, with PYNQ's own arguments.

    Where a Python file of the same stem lies beside the bitstream and binds the name ``Overlay``, calling
    this class imports it and calls that ``Overlay`` instead, with the arguments that its signature takes; the
    others reach the :class:`DefaultOverlay` it makes all the same. A file that somebody else than root or the
    caller owns or may write is refused with :class:`~pynq.errors.CompanionError`.

    ``gen_cache`` is accepted for compatibility; there is no cache. For the rest see :class:`DefaultOverlay`.
    """

    def __init__(
        self,
        bitfile_name: str | os.PathLike[str],
        dtbo: str | os.PathLike[str] | None = None,
        download: bool = True,
        ignore_version: bool = False,
        device: Device | str | None = None,
        gen_cache: bool = False,
        *,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        super().__init__(
            bitfile_name,
            download,
            dtbo=dtbo,
            ignore_version=ignore_version,
            device=device,
            rtl=rtl,
            registers=registers,
        )


def _through_companion(
    bitfile_name: str | os.PathLike[str],
    dtbo: str | os.PathLike[str] | None = None,
    download: bool = True,
    ignore_version: bool = False,
    device: Device | str | None = None,
    rtl: Rtl = None,
    registers: Registers = None,
    **others: Any,
) -> Any:
    """Make the overlay by its companion; None where there is none, or where it is the companion that asks."""
    name = os.fspath(bitfile_name)
    try:
        _, image = find_image(name)
    except DesignNotFoundError:
        return None  # the constructor says so, unless the device knows the bitstream by itself
    beside = companion.find(image)
    if beside is None or any(asked.companion == beside for asked in _asked.get()):
        return None
    names = (name, str(image))
    with _asking(_Options(beside, names, download, dtbo, ignore_version, device, rtl, registers)):
        factory = companion.load(beside)
        if factory is None:
            return None
        options = {"dtbo": dtbo, "ignore_version": ignore_version, "device": device, "rtl": rtl, **others}
        options["registers"] = registers
        made = companion.call(factory, str(image), download, options)
    if made is None:
        raise CompanionError(f"{beside}: Overlay returned None; it must return the overlay")
    return made


@contextmanager
def _asking(options: _Options) -> Iterator[None]:
    token = _asked.set((*_asked.get(), options))
    try:
        yield
    finally:
        _asked.reset(token)
