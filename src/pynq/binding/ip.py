"""The driver of an IP that has no driver of its own, and the base class of those that do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from pynq._native import Window
from pynq.binding.drivers import registry
from pynq.device import resolve
from pynq.errors import OverlayNotLoadedError, UnsupportedByDeviceError
from pynq.gpio import GPIO
from pynq.interrupt import Interrupt
from pynq.mmio import MMIO
from pynq.native import NativeIP, native_ip
from pynq.registers import RegisterMap, register_map_class

__all__ = ["DefaultIP", "class_name", "missing", "open_window", "wire"]


class _Forward(property):
    """A method that is an attribute's method: ``ip.read`` is ``ip.mmio.read``, found without a Python frame.

    Called on the class, ``DefaultIP.read(ip, 0)``, it works as a function does.
    """

    def __init__(self, target: str, like: Callable[..., Any]) -> None:
        super().__init__(attrgetter(target))
        self.__doc__ = like.__doc__
        self.__wrapped__ = like  # inspect.signature looks here

    def __call__(self, instance: Any, *args: Any, **kwargs: Any) -> Any:
        assert self.fget is not None
        return self.fget(instance)(*args, **kwargs)


def class_name(kind: type[Any]) -> str:
    """Return a class's full name as users know it: what is exported is named by where it is exported."""
    home = "pynq.overlay" if kind.__module__ in ("pynq.binding.ip", "pynq.binding.tree") else kind.__module__
    return f"{home}.{kind.__qualname__}"


def missing(obj: Any, what: str, name: str, known: list[str], contents: str = "") -> AttributeError:
    """Return the error for an attribute that does not exist; it lists the names near to it."""
    public = [item for item in known if not item.startswith("_")]
    near = difflib.get_close_matches(name, public, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else contents
    return AttributeError(f"{what} has no attribute {name!r}{hint}", name=name, obj=obj)


class _NoRegisters:
    """Stands where a window would be, in an IP without an address that the processor can reach."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedByDeviceError(f"{self._path} has no registers in the processor's address map")

    def __repr__(self) -> str:
        return f"<no registers: {self._path}>"


class _Unloaded:
    """Stands for an interrupt or pin of an overlay that is not loaded: every use says so."""

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        self._why = why

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise OverlayNotLoadedError(f"{self._name}: {self._why}")

    def __repr__(self) -> str:
        return f"<{self._name}: not loaded>"


def wire(part: str, entry: Mapping[str, Any], device: Any, overlay: Any) -> tuple[Any, bool]:
    """Return the object for an interrupt or GPIO pin, and whether to keep it (not while not loaded)."""
    if overlay is not None and not overlay.is_loaded():
        return _Unloaded(
            entry.get("fullpath") or f"GPIO {entry.get('index')}", overlay._why_not_loaded()
        ), False
    if part == "interrupts":
        return Interrupt(entry["fullpath"], device=device), True
    return GPIO.emio(entry["index"], "out", device=device), True


def open_window(base: int, length: int, name: str, device: Any, overlay: Any) -> Window:
    """Return a window on registers, one that refuses every access where the overlay is not loaded."""
    if overlay is None or overlay.is_loaded():
        window: Window = device.map(base, length)
    else:
        window = Window.from_functions(_no_access, _no_access, base, length)
        window.invalidate(overlay._why_not_loaded())
    window.name = name
    return window


def _no_access(*_: Any) -> int:
    raise AssertionError("a window that was invalidated at once lets nothing through")


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
    _interrupts: Mapping[str, Any] = {}
    _gpio: Mapping[str, Any] = {}
    _registers: Mapping[str, Any] | None = None
    _fullpath: str = ""

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

    def _open(self) -> Any:
        """Make ``mmio``, at its first use, so that an IP nobody touches costs the device nothing."""
        if not self.description.get("addr_range"):
            return _NoRegisters(self._fullpath or type(self).__name__)
        mmio = MMIO.of(self._window(), self.device)
        if self.description.get("overlay") is not None:
            self.description["overlay"]._follow(self)
        return mmio

    def _window(self) -> Window:
        entry = self.description
        return open_window(
            entry["phys_addr"], entry["addr_range"], self._fullpath, self.device, entry.get("overlay")
        )

    def _reopen(self) -> None:
        """Let the registers be those of what was just loaded; everything made of ``mmio`` follows."""
        Window.__init__(self.mmio, self._window())

    @classmethod
    def unregister(cls) -> None:
        """Take the class out of the drivers that the next load binds."""
        registry.remove(cls)

    if TYPE_CHECKING:

        def read(self, offset: int = 0, length: int = 4, word_order: str = "little") -> int: ...
        def write(self, offset: int, value: Any) -> None: ...

    else:

        def _read(self, offset=0, length=4, word_order="little"):
            """Read ``length`` bytes (1, 2, 4 or 8) of the IP's registers from ``offset`` (bytes) on."""

        def _write(self, offset, value):
            """Write an integer, float, bytes or array to the IP's registers from ``offset`` (bytes) on."""

        read = _Forward("mmio.read", _read)
        write = _Forward("mmio.write", _write)
        del _read, _write

    @property
    def register_map(self) -> RegisterMap:
        """The registers and fields by name, as the hand-off file has them.

        Raises ``AttributeError`` when the file describes none.
        """
        found: RegisterMap | None = self.__dict__.get("_register_map")
        if found is None:
            found = self.__dict__["_register_map"] = self._register_map_class()(self.mmio)
        return found

    def _register_map_class(self) -> type[RegisterMap]:
        name = self._fullpath.rpartition("/")[2]
        overlay = self.description.get("overlay")
        if overlay is not None and overlay.described and self._fullpath in overlay.design.cells:
            # The design knows reset values, and what writing a one does, which ip_dict does not tell.
            blocks = [
                block
                for block in overlay.design.cells[self._fullpath].blocks
                if block.interface.lower() == str(self.description.get("mem_id")).lower() and block.registers
            ]
            if len(blocks) == 1 and len(blocks[0].registers) == len(self._registers or ()):
                return register_map_class(name, blocks[0])
        if not self._registers:
            raise AttributeError(f"{self._fullpath} has no register_map: no registers are described")
        return RegisterMap.create_subclass(name, self._registers)

    @property
    def native(self) -> NativeIP:
        """The plain C interface of this IP, for a driver written in C or C++; see ``pynq/native.h``."""
        found: NativeIP | None = self.__dict__.get("_native")
        if found is None:
            found = self.__dict__["_native"] = native_ip(self.mmio, self._wait_for)
        return found

    def _wait_for(self, pin: str, timeout: float | None) -> None:
        """Wait for an interrupt by the name of its port; raise WaitTimeoutError when the time is over."""
        getattr(self, pin).wait_sync(timeout=timeout)

    def __getattr__(self, name: str) -> Any:
        overlay = self.description.get("overlay")
        if name == "mmio" and self.description:
            made, keep = self._open(), True
        elif name in self._interrupts:
            made, keep = wire("interrupts", self._interrupts[name], self.device, overlay)
        elif name in self._gpio:
            made, keep = wire("gpio", self._gpio[name], self.device, overlay)
        elif hasattr(type(self), name):
            # A property raised AttributeError, so Python came here: ask it again, for its own message.
            return object.__getattribute__(self, name)
        else:
            what = f"{self._fullpath or 'a half-built IP'} ({type(self).__name__})"
            raise missing(self, what, name, dir(self))
        if keep:
            self.__dict__[name] = made
        return made

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._interrupts, *self._gpio})

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(f"{self._fullpath} ({type(self).__name__}) is hardware and can't be pickled")

    def __repr__(self) -> str:
        where = self.description.get("phys_addr")
        at = f" at 0x{where:x}" if isinstance(where, int) else ""
        return f"<{class_name(type(self))} {self._fullpath}{at}>"
