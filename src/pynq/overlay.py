"""The object tree: load an overlay, bind its drivers, expose what it holds."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

from pynq.binding import (
    DefaultHierarchy,
    DefaultIP,
    Node,
    Views,
    bind_views,
    companion,
    document,
    drivers,
    memory_entries,
    reach,
    renew,
    within,
)
from pynq.bitstream import Bitstream, PartialBitstream, Registers, Rtl, find_image
from pynq.design.inside import is_archive
from pynq.design.partial import changes, find_region, inside, regions
from pynq.device.notes import emit
from pynq.errors import (
    CompanionError,
    DesignError,
    DesignNotFoundError,
    FieldValueError,
    OverlayNotLoadedError,
    Problem,
    UnsupportedByDeviceError,
    UnsupportedConfiguration,
)
from pynq.interrupt_tree import follow
from pynq.mmio import MMIO
from pynq.notebook import mimebundle
from pynq.utils import ReprDict

if TYPE_CHECKING:
    from pynq.design.model import Design
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


class SystemGraph:
    """The description's XML, for programs that look into it themselves."""

    def __init__(self, bitstream: Bitstream) -> None:
        self._bitstream = bitstream

    @cached_property
    def _root(self) -> Element:
        """The root element, parsed on first use.

        Raises :class:`~pynq.errors.DesignError` for a document type declaration, and for a description of
        another kind, which has no XML.
        """
        design = self._bitstream.design
        if design.format != "hwh":
            text = (
                f"is a description of the kind {design.format!r} and has no XML; a hand-off file (.hwh) has"
            )
            raise DesignError([Problem(design.file, 0, text)])
        parser = XMLParser(target=_PlainTree())
        parser.feed(self._bitstream.description_bytes())
        root: Element = parser.close()
        return root


class Parser:
    """What was read from the description: the dictionaries, which are the overlay's own, and the XML."""

    _views: Views | None = None

    def __init__(self, views: Views, systemgraph: SystemGraph | None) -> None:
        self._views = views
        self.systemgraph = systemgraph

    def __getattr__(self, name: str) -> Any:
        if name in Views.__dataclass_fields__:
            return getattr(self._views, name)
        names = ", ".join(Views.__dataclass_fields__)
        raise AttributeError(f"a parser has no {name!r}; it has {names}, systemgraph")


class _PlainTree(TreeBuilder):
    """Refuses document type declarations, where entity bombs live."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DesignError(f"a document type declaration ({name}); hand-off files have none")


_asked: ContextVar[tuple[_Options, ...]] = ContextVar("pynq_asked", default=())


class DefaultOverlay(Bitstream, Node):
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
        self._followers: WeakSet[Any] = WeakSet()
        self.pr_dict: dict[str, Any] = {}
        self._trees: dict[str, str] = {}  # device-tree overlays of what is in the regions
        self._failures: dict[str, str] = {}  # regions that were left empty by a failure, and which
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

    def _memories(self) -> dict[str, dict[str, Any]]:
        found = memory_entries(self.mem_dict, self.design if self.described else None)
        for entry in found.values():
            entry.update(device=self.device, overlay=self)
        return found

    def download(self, dtbo: str | os.PathLike[str] | None = None) -> None:
        """Program the device with this overlay: PL, clocks and, where there is one, the device tree.

        Args:
            dtbo: Device-tree overlay to apply; None takes the one of the constructor.
        """
        if dtbo is not None:
            self.dtbo = self._find_dtbo(dtbo)
        super().download(self.parser)

    def _programmed(self) -> None:
        """Called by the device after each download: let what was handed out work, or refuse, accordingly."""
        if self.is_loaded():
            self._follow_regions()
        for follower in list(self._followers):
            follower._reopen()

    def _reconfigured(self) -> None:
        """Called by the device after each partial download. What is outside of the region is not touched."""
        if self.is_loaded():
            self._follow_regions()

    def _follow(self, ip: Any) -> None:
        """Keep the registers of an IP, or memory, in step with what is loaded."""
        self._followers.add(ip)

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
            near = difflib.get_close_matches(ip_name, names) or names
            raise KeyError(f"no IP or memory {ip_name!r} in {self.bitfile_name}; there are {', '.join(near)}")
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

    def pr_download(
        self,
        partial_region: str,
        partial_bit: str,
        dtbo: str | None = None,
        program: bool = True,
        *,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        """Load a partial bitstream into a region; the rest of the design goes on.

        The dictionaries tell of what is in the region now, ``pr_dict`` which file it is. See
        :meth:`DefaultHierarchy.download`, which this calls, for what becomes of the objects of the region.

        Args:
            partial_region: Path of the region (``"pr_0"``, ``"block/rp"``).
            partial_bit: Path or bare name of the partial bitstream; also looked for beside the overlay's own.
            dtbo: Device-tree overlay to apply with it.
            program: Whether to program the device; without, the dictionaries change only.
            rtl: What of it the simulated board runs as RTL; None: as the manifest beside the partial
                description says.
            registers: Where registers are from that its description has none of; None: as the manifest
                beside it says.

        Raises:
            RegionError: No such region; the message lists those there are.
            DesignNotFoundError: No such file, or no description for it.
            DesignError: The description can't be used, or does not fit the region. Nothing has changed then.
            OverlayNotLoadedError: The overlay is not loaded.
        """
        if self.described:
            partial_region = find_region(self.design, partial_region)
        asked = {"rtl": rtl, "registers": registers}  # a hierarchy's own download may have PYNQ's signature
        more: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        self[partial_region].download(bitfile_name=partial_bit, dtbo=dtbo, program=program, **more)

    def _load_partial(
        self,
        path: str,
        name: str,
        dtbo: str | None,
        program: bool,
        rtl: Rtl,
        registers: Registers = None,
    ) -> tuple[PartialBitstream, Parser]:
        """Do what ``download`` of a region's hierarchy says; return the bitstream and what it describes."""
        if not self.described:
            raise UnsupportedByDeviceError(f"{path}: {self.bitfile_name} has no description, so no regions")
        region = find_region(self.design, path)
        if program:
            self._require_loaded(f"region {region}")
        running = self.device.design if self.is_loaded() else self.design
        folder = Path(self.bitfile_name).parent
        archive = self.description_file if is_archive(self.bitfile_name) else None
        image = PartialBitstream(
            name,
            region,
            running,
            dtbo,
            beside=folder,
            within=archive,
            device=self.device,
            rtl=rtl,
            registers=registers,
        )
        whole = image.whole  # everything that can be wrong with the files is found here
        if program:
            image._check_fit()
        trees = {path: self._trees.pop(path) for path in list(self._trees) if inside(path, region)}
        for tree in reversed(trees.values()):
            self.device.remove_device_tree(tree)
        if program:
            try:
                self.device.program(image)
            except BaseException as error:
                self._broken_off(region, running, trees, image, error)
                raise
        else:
            self._adopt(whole)
        self._failures.pop(region, None)
        self.pr_dict[region] = {"loaded": image.bitfile_name, "dtbo": dtbo}
        if image.dtbo:
            self._trees[region] = image.dtbo
        return image, Parser(Views.of(image.design), SystemGraph(image))

    def _broken_off(
        self,
        region: str,
        running: Design,
        trees: dict[str, str],
        image: PartialBitstream,
        error: BaseException,
    ) -> None:
        """Note what a partial download that failed has left: what was there before, or nothing."""
        held = self.device.design
        if held is not None and held.partials.get(region) is running.partials.get(region):
            for path, tree in trees.items():
                self.device.insert_device_tree(tree)
                self._trees[path] = tree
        elif held is not None and region not in held.partials:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._failures[region] = (
                f"is empty, since loading {os.path.basename(image.bitfile_name)} failed ({why})"
            )

    def _state_of_region(self, path: str) -> str:
        """Say what a region holds, "" for what is none."""
        if not self.described or path not in regions(self.design):
            return ""
        held = self.design.partials.get(path)
        if held is not None:
            return f"holds {held.label}"
        return self._failures.get(path, "is empty: nothing was loaded into it")

    def _follow_regions(self) -> None:
        """Show what the device has in the regions of this design."""
        held = self.device.design
        if self.described and held is not None:
            self._adopt(held)

    def _adopt(self, design: Design) -> None:
        """Go on with another form of this design: other contents in its regions."""
        before, self._design = self.design, design
        changed = changes(before, design)
        for region in [region for region in self.pr_dict if any(inside(region, path) for path in changed)]:
            del self.pr_dict[region]
        follow(self.device)
        if not changed:
            return
        fresh = Views.of(design)
        now_there, there = reach(fresh), reach(self._views)
        outside = [path for path in there ^ now_there if not any(inside(path, one) for one in changed)]
        plan = bind_views(
            within(fresh, [*changed, *outside]),
            drivers.snapshot(),
            ignore_version=self.ignore_version,
            common={"device": self.device, "overlay": self},
        )
        reasons: dict[str, str] = {}
        for region in changed:
            old, new = (form.partials.get(region) for form in (before, design))
            now = f"{new.label} was loaded" if new else "it was emptied"
            was = f", which held {old.label}" if old else ""
            reasons[region] = (
                f"region {region}{was}, was reconfigured: {now}. Take the object from the overlay anew."
            )
        for path in outside:
            reasons[path] = f"what leads there changed with {', '.join(changed)}. Take the object anew."
        for follower in list(self._followers):
            path = follower.description.get("fullpath", "")
            for place, reason in reasons.items():
                if inside(path, place) and follower in self._followers:
                    self._followers.discard(follower)
                    follower._retire(f"{path}: {reason}")
        renew(self._views, fresh, changed)
        self.description["memories"] = self._memories()
        for region in changed:
            self._renew_node(region, reasons[region])
        for path in outside:
            self._drop(path)
        self.__doc__ = document(self.description, f"overlay {self.bitfile_name}", type(self))
        for note in plan.warnings:
            emit(note)

    def _renew_node(self, region: str, reason: str) -> None:
        """Let a region's hierarchy hand out its new contents; one with a driver of its own is made anew.

        What was handed out of the old contents says why it is of no use any more.
        """
        node, entry = self._held(region), self.hierarchy_dict[region]
        if isinstance(node, Node):
            node._drop(reason=reason)
        if type(node) is DefaultHierarchy and entry["driver"] is DefaultHierarchy:
            node.__doc__ = document(entry, f"hierarchy {region}", DefaultHierarchy)
        else:
            self._drop(region, reason)

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

    def _require_loaded(self, what: str) -> None:
        """Raise :class:`~pynq.errors.OverlayNotLoadedError`, naming ``what``, unless this is loaded."""
        if not self.is_loaded():
            raise OverlayNotLoadedError(f"{what}: {self._why_not_loaded()}")

    def _why_not_loaded(self) -> str:
        now = self.device.bitfile_name or "nothing"
        now = "the same bitstream, loaded anew by somebody else," if now == self.bitfile_name else now
        return f"{self._what()} is not loaded; {now} is in device {self.device.name!r}. Call its download()."

    def _what(self) -> str:
        name = self.__dict__.get("bitfile_name")
        return f"overlay {os.path.basename(name)}" if name else f"a half-built {type(self).__name__}"

    def _show(self, path: str = "") -> dict[str, Any]:
        """What a notebook shows for this overlay, or for the block at a path."""
        return mimebundle(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self._show()

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
