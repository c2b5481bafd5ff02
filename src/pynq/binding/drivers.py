"""Which driver classes exist: the registry that ``DefaultIP`` and ``DefaultHierarchy`` fill, and snapshots
of it.

A later definition replaces an earlier one, since notebook cells are run again. Drivers of installed packages
enter through the entry-point group ``pynq.drivers`` at the first load of an overlay; what the program
defines itself goes before them, whichever was imported first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pynq.device.notes import emit
from pynq.errors import DriverFallbackWarning

__all__ = ["GROUP", "DriverRegistry", "Drivers", "Match", "registry"]

GROUP = "pynq.drivers"


@dataclass(frozen=True)
class Match:
    """The answer to "who drives IP of this type?".

    ``driver`` is None where nobody does. ``others`` are the drivers for other versions of the type, newest
    first.
    """

    driver: type[Any] | None
    others: tuple[tuple[str, type[Any]], ...] = ()


@dataclass(frozen=True)
class Drivers:
    """The driver classes at one moment; an overlay is bound with one such snapshot."""

    ip: Mapping[str, type[Any]]  # what `bindto` says -> class
    hierarchies: tuple[type[Any], ...]  # the ones to ask first come first

    def match(self, ip_type: str) -> Match:
        """Return the driver bound to exactly that type, else to it without its version."""
        if found := self.ip.get(ip_type):
            return Match(found)
        name, colon, _ = ip_type.rpartition(":")
        if colon and name.count(":") == 2:
            if found := self.ip.get(name):
                return Match(found)
            others = [(key, driver) for key, driver in self.ip.items() if key.rpartition(":")[0] == name]
            return Match(None, tuple(reversed(others)))
        return Match(None)


class DriverRegistry:
    """Driver classes in the order of their definition. Any thread may call any method."""

    def __init__(self, entries: Callable[[], Iterable[EntryPoint]]) -> None:
        self._entries = entries
        self._lock = threading.RLock()
        self._ip: dict[str, tuple[type[Any], tuple[str, ...]]] = {}  # by qualified name of the class
        self._hierarchies: dict[str, type[Any]] = {}
        self._installed: list[str] | None = None  # modules that entry points name, once imported

    def add_ip(self, driver: type[Any], bindto: Iterable[str]) -> None:
        """Bind a class to types of IP. One of the same module and name is replaced."""
        if isinstance(bindto, str) or not all(isinstance(item, str) for item in bindto):
            raise TypeError(f"{driver.__name__}.bindto is {bindto!r}; it must be a list of strings")
        with self._lock:
            self._ip.pop(_key(driver), None)
            self._ip[_key(driver)] = (driver, tuple(bindto))

    def add_hierarchy(self, driver: type[Any]) -> None:
        """Let a class's ``checkhierarchy`` be asked. One of the same module and name is replaced."""
        with self._lock:
            self._hierarchies.pop(_key(driver), None)
            self._hierarchies[_key(driver)] = driver

    def remove(self, driver: type[Any]) -> None:
        """Forget a driver; the next load does without it."""
        with self._lock:
            if self._ip.get(_key(driver), (None,))[0] is driver:
                del self._ip[_key(driver)]
            if self._hierarchies.get(_key(driver)) is driver:
                del self._hierarchies[_key(driver)]

    def snapshot(self) -> Drivers:
        """Return the drivers of now, after importing the installed ones on the first call."""
        with self._lock:
            if self._installed is None:
                self._installed = self._import_installed()
            installed = self._installed

            def own(driver: type[Any]) -> bool:
                module = driver.__module__
                return not any(module == name or module.startswith(f"{name}.") for name in installed)

            ip: dict[str, type[Any]] = {}
            for driver, bindto in sorted(self._ip.values(), key=lambda item: own(item[0])):
                for key in bindto:
                    ip.pop(key, None)
                    ip[key] = driver
            hierarchies = sorted(self._hierarchies.values(), key=own)
            return Drivers(ip, tuple(reversed(hierarchies)))

    def _import_installed(self) -> list[str]:
        modules = []
        entries = sorted(self._entries(), key=lambda entry: (not entry.value.startswith("pynq."), entry.name))
        for entry in entries:
            try:
                entry.load()
            except Exception as error:  # noqa: BLE001  one package's fault is not that of the others
                emit(
                    DriverFallbackWarning(
                        f"the drivers of {entry.value} can't be imported, their IP gets DefaultIP: "
                        f"{type(error).__name__}: {error}"
                    )
                )
            modules.append(entry.module)
        return modules


def _key(driver: type[Any]) -> str:
    return f"{driver.__module__}.{driver.__qualname__}"


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


registry = DriverRegistry(_installed)
