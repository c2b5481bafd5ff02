"""The driver of an IP that has no driver of its own, and the base class of those that do."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Signature
from typing import TYPE_CHECKING, Any, ClassVar

from pynq._native import Window
from pynq.binding import companion
from pynq.binding.drivers import registry
from pynq.binding.hls import Kernel, Run
from pynq.design import Design
from pynq.device import resolve
from pynq.errors import OverlayNotLoadedError, UnsupportedByDeviceError
from pynq.gpio import GPIO
from pynq.interrupt import Interrupt
from pynq.mmio import MMIO
from pynq.native import NativeIP, native_ip
from pynq.registers import RegisterMap, register_map_class
from pynq.wording import did_you_mean

__all__ = [
    "DefaultIP",
    "Unusable",
    "class_name",
    "closed_window",
    "missing",
    "open_window",
    "register_map_of",
    "wire",
]


def class_name(kind: type[Any]) -> str:
    """Return a class's full name as users know it: what is exported is named by where it is exported."""
    home = kind.__module__
    home = "pynq.overlay" if home in ("pynq.binding.ip", "pynq.binding.tree") else companion.shown(home)
    return f"{home}.{kind.__qualname__}"


def missing(obj: Any, what: str, name: str, known: list[str], contents: str = "") -> AttributeError:
    """Return the error for an attribute that does not exist; it lists the names near to it."""
    if name.startswith("_"):  # mostly questions of tools, such as Jupyter's for _repr_html_
        return AttributeError(f"{what} has no attribute {name!r}", name=name, obj=obj)
    public = [item for item in known if not item.startswith("_")]
    question = did_you_mean(name, public)
    hint = f"; {question}" if question else contents
    return AttributeError(f"{what} has no attribute {name!r}{hint}", name=name, obj=obj)


class Unusable:
    """Stands for a window, interrupt or pin that can't be had now: every use raises what says why."""

    def __init__(self, what: str, error: Exception) -> None:
        self._what = what
        self._error = error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._error.with_traceback(None)

    def __repr__(self) -> str:
        return f"<{self._what}: {type(self._error).__name__}: {self._error}>"


def wire(part: str, entry: Mapping[str, Any], device: Any, overlay: Any) -> Any:
    """Return the object for an interrupt or GPIO pin of a description."""
    name = entry.get("fullpath") or f"GPIO {entry.get('index')}"
    if overlay is not None and not overlay.is_loaded():
        return Unusable(name, OverlayNotLoadedError(f"{name}: {overlay._why_not_loaded()}"))
    try:
        if part == "interrupts":
            return Interrupt(entry["fullpath"], device=device)
        return GPIO.emio(entry["index"], "out", device=device)
    except Exception as error:  # noqa: BLE001  an IP can be used without; who uses the wire gets the error
        return Unusable(name, error)


def open_window(base: int, length: int, name: str, device: Any, overlay: Any) -> Window:
    """Return a window on registers, one that refuses every access where the overlay is not loaded."""
    if overlay is None or overlay.is_loaded():
        window: Window = device.map(base, length)
    else:
        return closed_window(base, length, name, overlay._why_not_loaded())
    window.name = name
    return window


def closed_window(base: int, length: int, name: str, reason: str) -> Window:
    """Return a window that refuses every access, and says why."""
    window = Window.from_functions(_no_access, _no_access, base, length)
    window.invalidate(reason)
    window.name = name
    return window


def _no_access(*_: Any) -> int:
    raise AssertionError("a window that was invalidated at once lets nothing through")


def register_map_of(description: Mapping[str, Any], design: Design | None) -> type[RegisterMap] | None:
    """Return the class of an IP's register map, None where no registers are described.

    ``description`` is its entry in ``ip_dict``; the design, if there is one, knows reset values, and what
    writing a one does, which ``ip_dict`` does not tell.
    """
    path, registers = description.get("fullpath", ""), description.get("registers")
    name = path.rpartition("/")[2]
    if design is not None and path in design.cells:
        blocks = [
            block
            for block in design.cells[path].blocks
            if block.interface.lower() == str(description.get("mem_id")).lower() and block.registers
        ]
        if len(blocks) == 1 and len(blocks[0].registers) == len(registers or ()):
            return register_map_class(name, blocks[0])
    return RegisterMap.create_subclass(name, registers) if registers else None


class DefaultIP:
    """An IP of the overlay: its registers, its interrupts, its GPIO pins.

    Subclass it for a driver: the class attribute ``bindto`` lists the types of IP (VLNV, VLNV without
    version, or any other text that a description has as type) that the class drives from the next load of an
    overlay on. A constructor that finds parameters it can't drive raises
    :class:`~pynq.errors.UnsupportedConfiguration`.

    ``description`` is the IP's entry in ``ip_dict``; ``mmio`` its window; ``device`` where it is. Interrupts
    and GPIO pins are attributes by the names of their ports.
    """

    bindto: ClassVar[list[str]]

    device: Any
    mmio: Any
    description: Mapping[str, Any] = {}
    _fullpath: str = ""
    _register_map: RegisterMap | None = None
    _native: NativeIP | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "bindto" in cls.__dict__:
            registry.add_ip(cls, cls.bindto)

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self.device = resolve(description.get("device"))
        self._fullpath = description.get("fullpath", "")
        self._interrupts = description.get("interrupts") or {}
        self._gpio = description.get("gpio") or {}
        self._registers = description.get("registers")
        self._wired: set[str] = set()  # interrupts and pins that are in place
        self.mmio = self._open()
        self._make_wires()
        self._kernel = Kernel.of(self._fullpath, self._registers)
        if self._kernel is not None:
            # Only kernels have these; a driver's own methods of the names go before them.
            for name, method in (("start", self._start), ("call", self._call)):
                if not hasattr(type(self), name):
                    setattr(self, name, method)
        if description.get("overlay") is not None:
            description["overlay"]._follow(self)

    def _open(self) -> Any:
        if not self.description.get("addr_range"):
            text = f"{self._fullpath or type(self).__name__} has no registers in the processor's address map"
            return Unusable("no registers", UnsupportedByDeviceError(text))
        try:
            return MMIO.of(self._window(), self.device)
        except Exception as error:  # noqa: BLE001  the object exists all the same; who reads gets the error
            return Unusable(f"registers of {self._fullpath}", error)

    def _window(self) -> Window:
        entry = self.description
        return open_window(
            entry["phys_addr"], entry["addr_range"], self._fullpath, self.device, entry.get("overlay")
        )

    def _make_wires(self) -> None:
        overlay = self.description.get("overlay")
        for part, entries in (("interrupts", self._interrupts), ("gpio", self._gpio)):
            for name, entry in entries.items():
                if name in self._wired or isinstance(getattr(type(self), name, None), property):
                    continue
                made = wire(part, entry, self.device, overlay)
                setattr(self, name, made)
                if not isinstance(made, Unusable):
                    self._wired.add(name)

    def _reopen(self) -> None:
        """Let the registers and wires be those of what was just loaded; what was made of ``mmio`` follows."""
        if isinstance(self.mmio, Window):
            Window.__init__(self.mmio, self._window())
        else:
            self.mmio = self._open()
        self._make_wires()

    def _retire(self, reason: str) -> None:
        """Refuse every use from now on: this IP is no longer in the PL."""
        if isinstance(self.mmio, Window):
            self.mmio.invalidate(reason)  # in place: another thread may be waiting in it
        for name in (*self._interrupts, *self._gpio):
            if name in self._wired:
                if isinstance(held := self.__dict__.get(name), GPIO):
                    held._retire(reason)
                setattr(self, name, Unusable(f"{self._fullpath}/{name}", OverlayNotLoadedError(reason)))

    @classmethod
    def unregister(cls) -> None:
        """Take the class out of the drivers that the next load binds."""
        registry.remove(cls)

    @classmethod
    def attribute_types(cls, description: Mapping[str, Any]) -> Mapping[str, str]:
        """Return attributes whose types depend on the IP's parameters, for stubs (``pynq stubs``).

        A driver may redefine it: name to type, the type as ``module.Class``, or "None" for what is not there.
        """
        return {}

    def read(self, offset: int = 0) -> int:
        """Read a 32-bit register, ``offset`` bytes from the IP's base. For other widths see :class:`MMIO`.

        Raises:
            AccessError, AlignmentError: There is no such register.
            OverlayNotLoadedError: The overlay is not, or no longer, loaded.
        """
        return self.mmio.read(offset)  # type: ignore[no-any-return]

    def write(self, offset: int, value: Any) -> None:
        """Write an integer, float, bytes or array, ``offset`` bytes from the IP's base on.

        Raises:
            AccessError, AlignmentError: There is no such register.
            OverlayNotLoadedError: The overlay is not, or no longer, loaded.
        """
        self.mmio.write(offset, value)

    @property
    def signature(self) -> Signature | None:
        """The arguments of ``start`` and ``call``, which kernels of Vitis HLS have; None for other IP."""
        return None if self._kernel is None else self._kernel.signature

    def _start(self, *args: Any, **kwargs: Any) -> Run:
        """Write a kernel's arguments and start it; the result's ``wait`` waits for its end.

        Integers and floats are passed as they are, of buffers the address. Flush cacheable buffers before.

        Raises:
            TypeError: An argument is missing, or there is one too many.
            FieldValueError: An argument does not fit its registers.
        """
        assert self._kernel is not None
        return self._kernel.start(self.mmio, *args, **kwargs)

    def _call(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Do the same and wait for the end, at most ``timeout`` seconds."""
        self._start(*args, **kwargs).wait(timeout)

    @property
    def register_map(self) -> RegisterMap:
        """The registers and fields by name, as the hand-off file has them.

        Raises ``AttributeError`` when the file describes none.
        """
        found = self._register_map
        if found is None:
            kind = self._register_map_class()
            if isinstance(self.mmio, Unusable):
                self.mmio.read  # noqa: B018  raises what mapping the registers raised
            found = self._register_map = kind(self.mmio)
        return found

    def _register_map_class(self) -> type[RegisterMap]:
        overlay = self.description.get("overlay")
        design = overlay.design if overlay is not None and overlay.described else None
        kind = register_map_of(self.description, design)
        if kind is None:
            raise AttributeError(f"{self._fullpath} has no register_map: no registers are described")
        return kind

    @property
    def native(self) -> NativeIP:
        """The plain C interface of this IP, for a driver written in C or C++; see ``pynq/native.h``."""
        found = self._native
        if found is None:
            if isinstance(self.mmio, Unusable):
                self.mmio.read  # noqa: B018  raises what mapping the registers raised
            found = self._native = native_ip(self.mmio, self._wait_for)
        return found

    def _wait_for(self, pin: str, timeout: float | None) -> None:
        """Wait for an interrupt by the name of its port; raise WaitTimeoutError when the time is over."""
        getattr(self, pin).wait_sync(timeout=timeout)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Interrupts and pins are attributes, but only the description knows their names."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._fullpath} ({type(self).__name__}) is hardware and can't be pickled")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What a notebook shows: its overlay's view, opened here."""
        show = getattr(self.description.get("overlay"), "_show", None)
        return {"text/plain": repr(self)} if show is None else show(self._fullpath)

    def _display_(self) -> Any:
        """What marimo shows: the same."""
        show = getattr(self.description.get("overlay"), "_display_", None)
        return repr(self) if show is None else show(self._fullpath)

    def __repr__(self) -> str:
        where = self.description.get("phys_addr")
        at = f" at 0x{where:x}" if isinstance(where, int) and self.description.get("addr_range") else ""
        return f"<{class_name(type(self))} {self._fullpath}{at}>"
