"""The inner nodes of the object tree: they hold IP, hierarchies, interrupts, pins, memories as attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pynq import wording
from pynq._native import Window
from pynq.binding.drivers import registry
from pynq.binding.ip import DefaultIP, Unusable, class_name, closed_window, missing, open_window, wire
from pynq.design import Design
from pynq.device.notes import emit
from pynq.errors import (
    DriverError,
    DriverFallbackWarning,
    OverlayNotLoadedError,
    UnsupportedByDeviceError,
    UnsupportedConfiguration,
)
from pynq.gpio import GPIO
from pynq.mmio import MMIO

__all__ = ["DefaultHierarchy", "Memory", "Node", "attribute_name", "document", "memory_entries"]

_PARTS = ("hierarchies", "ip", "interrupts", "gpio", "memories")


def attribute_name(name: str) -> str:
    """Return a memory's name as an attribute: without what is neither letter, digit nor underscore."""
    return re.sub("[^A-Za-z0-9_]", "", name)


def memory_entries(mem_dict: Mapping[str, Any], design: Design | None) -> dict[str, dict[str, Any]]:
    """Return the memories that an overlay has as attributes: those of ``mem_dict``, and the DDR at the PS's
    own controller, which ``mem_dict`` does not have (``target=overlay.PSDDR``).
    """
    found = {attribute_name(name): entry for name, entry in mem_dict.items() if entry.get("used")}
    for memory in () if design is None else design.memories:
        if design is not None and memory.cell == design.ps:
            found[memory.name] = {
                "fullpath": memory.name,
                "type": memory.kind,
                "phys_addr": memory.base,
                "addr_range": memory.size,
            }
    return found


class Memory:
    """A memory of the overlay, on the chip or beside it. Pass it as ``target`` to :func:`pynq.allocate`.

    ``base_address`` and ``size`` (bytes) are the processor's view; ``mmio`` is a window on it, made on first
    use.
    """

    def __init__(self, description: Mapping[str, Any], device: Any) -> None:
        self.description = description
        self.device = device
        self.name: str = description.get("fullpath", "")
        self.base_address: int = description["phys_addr"]
        self.size: int = description["addr_range"]
        self._mmio: MMIO | None = None

    @property
    def mmio(self) -> MMIO:
        """A window on the whole memory."""
        if self._mmio is None:
            self._mmio = MMIO.of(self._window(), self.device)
            if self.description.get("overlay") is not None:
                self.description["overlay"]._follow(self)
        return self._mmio

    def _window(self) -> Window:
        entry = self.description
        name, overlay = entry.get("fullpath", ""), entry.get("overlay")
        if entry.get("idx") is not None:
            raise UnsupportedByDeviceError(
                f"{entry['tag']} is memory of a card, which a program has no window on: get a buffer in it "
                f"with pynq.allocate(..., target=overlay.{attribute_name(entry['tag'])})"
            )
        return open_window(self.base_address, self.size, name, self.device, overlay)

    def _reopen(self) -> None:
        """Let the window be that of what was just loaded."""
        if self._mmio is not None:
            Window.__init__(self._mmio, self._window())

    def _retire(self, reason: str) -> None:
        """Refuse every access from now on."""
        if self._mmio is not None:
            self._mmio.invalidate(reason)  # in place: another thread may be waiting in it
            return
        window = closed_window(self.base_address, self.size, self.name, reason)
        self._mmio = MMIO.of(window, self.device)

    def read(self, offset: int = 0, length: int = 4) -> Any:
        """Read ``length`` bytes (1, 2, 4 or 8) from ``offset`` (bytes) on, as an integer."""
        return self.mmio.read(offset, length)

    def write(self, offset: int, value: Any) -> None:
        """Write an integer, float, bytes or array from ``offset`` (bytes) on."""
        self.mmio.write(offset, value)

    def allocate(self, shape: Any, dtype: Any = "u4", **kwargs: Any) -> Any:
        """Return a buffer in this memory; see :func:`pynq.allocate`."""
        return self.device.allocate(shape, dtype, target=self, **kwargs)

    def __repr__(self) -> str:
        return f"<Memory {self.description.get('fullpath')} at 0x{self.base_address:x}, {self.size} bytes>"


class Node:
    """What an overlay and a hierarchy have in common: the names of the description are attributes.

    The objects behind the names are made on first use and kept. ``dir`` and completion list them; an unknown
    name raises ``AttributeError`` with the names near to it.
    """

    # On the class, so that an object whose __init__ has not run yet answers at once instead of asking itself
    # again.
    description: Mapping[str, Any] = {}
    device: Any = None

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            # A property raised AttributeError, so Python came here: ask it again, for its own message.
            return object.__getattribute__(self, name)
        found, keep = self._find(name)
        return self.__dict__.setdefault(name, found) if keep else found

    def __getitem__(self, path: str) -> Any:
        """Return the object of a path (``"video/axi_vdma"``), also where an attribute hides its name.

        Raises ``KeyError`` for a path that leads nowhere.
        """
        try:
            return self._find(path)[0]
        except OverlayNotLoadedError:
            raise
        except AttributeError as error:
            raise KeyError(str(error)) from None

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and hasattr(self, path)

    def __iter__(self) -> Iterator[str]:
        return self._names()

    def _find(self, name: str) -> tuple[Any, bool]:
        """Return the object of a name or path, making it at first, and whether it may be kept."""
        retired = self.__dict__.get("_retired")
        if retired is not None:
            raise OverlayNotLoadedError(retired)
        made: dict[str, Any] = self.__dict__.setdefault("_made", {})
        if name in made:
            return made[name], True
        if "/" in name:  # every block has one object, that of its own hierarchy
            head, _, rest = name.partition("/")
            try:
                child, keep = self._find(head)
                if isinstance(child, Node):
                    return child._find(rest)
                return getattr(child, rest), keep
            except AttributeError:
                if name not in self.description.get("ip", {}):
                    raise
                # a further window of an IP, known by a name below it ("dma_0/s_axi_2")
        for part in _PARTS:
            entry = self.description.get(part, {}).get(name)
            if entry is not None:
                found, keep = self._make(part, name, entry)
                # Two threads may both come here; both get the object that was kept first.
                return (made.setdefault(name, found), True) if keep else (found, False)
        names = list(self._names())
        state = self._state()
        contents = f"; it holds {', '.join(names)}" if names else f"; it {state or 'holds nothing'}"
        # An empty region's state is the answer, not a name of this class that happens to be near.
        known = dir(self) if names or not state else []
        raise missing(self, self._what(), name, known, contents if len(contents) < 400 else "")

    def _held(self, path: str) -> Any:
        """Return the object of a path if it was made already, else None."""
        head, _, rest = path.partition("/")
        found = self.__dict__.get("_made", {}).get(head)
        return found if not rest or found is None else found._held(rest) if isinstance(found, Node) else None

    def _drop(self, path: str = "", reason: str = "") -> None:
        """Forget the object of a path, or all of them; the next use makes it anew.

        ``reason``: why hierarchies and pins that somebody still holds refuse to be used from now on.
        """
        made: dict[str, Any] = self.__dict__.get("_made", {})
        head, _, rest = path.partition("/")
        if rest and isinstance(made.get(head), Node):
            made[head]._drop(rest, reason)
        for name in [name for name in made if not path or name == path or name.startswith(f"{path}/")]:
            found = made.pop(name)
            if reason and isinstance(found, (Node, GPIO)):
                found._retire(reason)
            if self.__dict__.get(name) is found:
                del self.__dict__[name]

    def _retire(self, reason: str) -> None:
        """Refuse every use from now on: what this stands for is no longer in the PL."""
        self._drop(reason=reason)
        self.__dict__["_retired"] = f"{self._what()}: {reason}"

    def _what(self) -> str:
        path = self.description.get("fullpath")
        return f"hierarchy {path}" if path else f"a half-built {type(self).__name__}"

    def _state(self) -> str:
        """What is to be said of it besides what it holds, "" for nothing."""
        return ""

    def _names(self) -> Iterator[str]:
        """The names of the description, as attributes."""
        for part in _PARTS:
            for name in self.description.get(part, {}):
                if "/" not in name:
                    yield name

    def _make(self, part: str, name: str, entry: Any) -> tuple[Any, bool]:
        """Make the object for one name; the flag says whether to keep it."""
        if part in ("interrupts", "gpio"):
            made = wire(part, entry, self.device, self.description.get("overlay"))
            return made, not isinstance(made, Unusable)
        if part == "memories":
            return self._make_memory(entry), True
        return self._make_driven(name, entry)

    def _make_memory(self, entry: Mapping[str, Any]) -> Any:
        own = getattr(self.device, "get_memory", None)
        return own(entry) if own is not None else Memory(entry, self.device)

    def _make_driven(self, name: str, entry: Mapping[str, Any]) -> tuple[Any, bool]:
        driver = entry["driver"]
        fallback = DefaultIP if "hierarchies" not in entry else DefaultHierarchy
        try:
            return driver(entry), True
        except UnsupportedConfiguration as error:
            emit(
                DriverFallbackWarning(
                    f"{class_name(driver)} does not support the configuration of "
                    f"{entry.get('fullpath', name)}, which gets {fallback.__name__}: {error}"
                )
            )
            return fallback(entry), True
        except OverlayNotLoadedError:
            # The name exists all the same: hand out its registers, which say so themselves when touched.
            return fallback(entry), False
        except AttributeError as error:
            raise DriverError(
                f"the constructor of {class_name(driver)} failed for "
                f"{entry.get('fullpath', name)}: {type(error).__name__}: {error}"
            ) from error

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._names()})

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._what()} ({type(self).__name__}) is hardware and can't be pickled")


class DefaultHierarchy(Node):
    """A hierarchy of the block design: its IP and sub-hierarchies are attributes.

    Subclass it for a driver and define the static method ``checkhierarchy``: given a hierarchy's
    description, it says whether the class drives it. Such classes are asked, the one defined last first, at
    the next load of an overlay.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "checkhierarchy" in cls.__dict__:
            registry.add_hierarchy(cls)

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self.device = description["device"]
        self._overlay = description.get("overlay")
        self.parsers: dict[str, Any] = {}
        self.bitstreams: dict[str, Any] = {}
        self.__doc__ = document(description, f"hierarchy {description['fullpath']}", type(self))

    @staticmethod
    def checkhierarchy(description: Mapping[str, Any]) -> bool:
        """Say whether this class drives the hierarchy described; redefine it, the default never does."""
        return False

    @classmethod
    def unregister(cls) -> None:
        """Take the class out of the drivers that the next load binds."""
        registry.remove(cls)

    def download(
        self,
        bitfile_name: str,
        dtbo: str | None = None,
        program: bool = True,
        *,
        rtl: Any = None,
        registers: Any = None,
    ) -> None:
        """Load a partial bitstream into this region; the rest of the design goes on.

        What was in the region is gone: its objects raise :class:`~pynq.errors.OverlayNotLoadedError`
        from then on. What is in it now are attributes of this hierarchy.

        Args:
            bitfile_name: Path or bare name of the partial bitstream or its description; also looked for
                beside the overlay's bitstream.
            dtbo: Device-tree overlay to apply with it.
            program: Whether to program the device; without, the attributes change only.
            rtl: What of it the simulated board runs as RTL, as ``Overlay`` takes it; None: as the manifest
                beside the partial description says.
            registers: Where registers are from that its description has none of, as ``Overlay`` takes it.

        Raises:
            RegionError: This hierarchy is no region.
            DesignNotFoundError: No such file, or no description for it.
            DesignError: The description can't be used, or does not fit the region. Nothing has changed then.
            OverlayNotLoadedError: The overlay is not loaded.
        """
        path = self.description["fullpath"]
        if self._overlay is None:
            raise UnsupportedByDeviceError(f"{path}: this hierarchy belongs to no overlay")
        bitstream, parser = self._overlay._load_partial(path, bitfile_name, dtbo, program, rtl, registers)
        self.bitstreams[bitfile_name] = bitstream
        self.parsers[bitstream.bitfile_name] = parser

    @property
    def pr_loaded(self) -> str:
        """Absolute path of the partial bitstream in this region, "" where none was loaded."""
        loaded = getattr(self._overlay, "pr_dict", {}).get(self.description["fullpath"], {})
        return str(loaded.get("loaded", ""))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What a notebook shows: its overlay's view, opened here."""
        show = getattr(self._overlay, "_show", None)
        return {"text/plain": repr(self)} if show is None else show(self.description["fullpath"])

    def _display_(self) -> Any:
        """What marimo shows: the same."""
        show = getattr(self._overlay, "_display_", None)
        return repr(self) if show is None else show(self.description["fullpath"])

    def _state(self) -> str:
        state = getattr(self.__dict__.get("_overlay"), "_state_of_region", None)
        return "" if state is None else str(state(self.description.get("fullpath", "")))

    def __repr__(self) -> str:
        name = f"{class_name(type(self))} {self.description.get('fullpath')}"
        retired = self.__dict__.get("_retired")
        if retired is not None:
            return f"<{name}: {retired}>"
        state, names = self._state(), ", ".join(self._names())
        return f"<{name}: {f'region, {state}' if state else ''}{': ' if state and names else ''}{names}>"


def document(description: Mapping[str, Any], title: str, kind: type[Any]) -> str:
    """Return what ``?`` shows for a node: what it holds, with drivers and addresses."""
    own = [kind.__doc__.strip(), ""] if kind.__doc__ and kind.__module__.partition(".")[0] != "pynq" else []
    lines = [*own, f"The {title} has these attributes:", ""]

    def section(name: str, rows: list[tuple[str, str]]) -> None:
        lines.extend([name, "-" * len(name)])
        width = max((len(row[0]) for row in rows), default=0)
        lines.extend(f"{left:<{width}} : {right}" for left, right in rows)
        lines.extend([] if rows else ["None"])
        lines.append("")

    def driven(part: str) -> list[tuple[str, str]]:
        return [
            (name, class_name(entry["driver"]) + _address(entry))
            for name, entry in description.get(part, {}).items()
        ]

    section("IP Blocks", driven("ip"))
    section("Hierarchies", driven("hierarchies"))
    section("Interrupts", [(name, "pynq.interrupt.Interrupt") for name in description.get("interrupts", {})])
    section("GPIO Outputs", [(name, "pynq.gpio.GPIO") for name in description.get("gpio", {})])
    memories = description.get("memories", {})
    section("Memories", [(name, f"Memory{_address(entry)}") for name, entry in memories.items()])
    return "\n".join(lines)


def _address(entry: Mapping[str, Any]) -> str:
    base, size = entry.get("phys_addr"), entry.get("addr_range")
    if not isinstance(base, int) or not size:
        return ""
    return f" at 0x{base:08x}, {wording.size(size)}"
