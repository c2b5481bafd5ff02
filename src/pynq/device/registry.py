"""Which devices there are, and which one is meant where a program names none.

Backends enter through the entry-point group ``pynq.backends``; the entry's name is the scheme. One grammar
says where an overlay runs: ``scheme:rest`` (``sim:``, ``sim:2``, ``board:``). Nothing is imported or probed
before a device is needed.

The active device is, in this order: the one set (``Device.active_device = ...``), the one ``PYNQ_DEVICE``
names, the first one present, backends with a higher priority first.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pynq.device.notes import emit
from pynq.errors import BackendWarning, DeviceNotFoundError

__all__ = ["GROUP", "VARIABLE", "Backend", "Candidate", "Registry", "registry"]

GROUP = "pynq.backends"
VARIABLE = "PYNQ_DEVICE"


class Opened(Protocol):
    """What the registry asks of a device; :class:`pynq.device.base.Device` has it."""

    def open(self) -> None:
        """Claim what the device needs."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


_D = TypeVar("_D", bound=Opened)
_D_co = TypeVar("_D_co", bound=Opened, covariant=True)


class Backend(Protocol[_D_co]):
    """What a backend package puts under the entry point: how its devices are found and opened."""

    @property
    def scheme(self) -> str:
        """The part of a device's name before the colon."""
        ...

    @property
    def priority(self) -> int:
        """Backends with a higher one are asked first: boards 100, cards 50, the simulated board 0."""
        ...

    @property
    def why(self) -> str:
        """One sentence for ``pynq devices``: when this backend is present."""
        ...

    def probe(self) -> list[str]:
        """Return the full names of the devices present, the preferred one first; disturb none of them."""
        ...

    def open(self, spec: str) -> _D_co:
        """Return the device of that full name (``sim:2``); the registry calls its ``open()``.

        Raises :class:`~pynq.errors.DeviceNotFoundError` when there is none.
        """
        ...


class Candidate(NamedTuple):
    """One backend as ``pynq devices`` shows it."""

    scheme: str
    priority: int
    names: tuple[str, ...]
    why: str  # when it is present, or why it could not be asked


class Registry(Generic[_D]):
    """The backends known, the devices open, the choice of the active one. Any thread may call any method."""

    def __init__(self, entries: Callable[[], list[EntryPoint]]) -> None:
        self._entries = entries
        self._lock = threading.RLock()
        self._added: dict[str, Backend[_D]] = {}
        self._loaded: dict[str, Backend[_D]] = {}
        self._open: dict[str, _D] = {}
        self._chosen: _D | None = None
        self._reason = ""

    # -- backends --------------------------------------------------------------------------------------------
    def add(self, backend: Backend[_D]) -> None:
        """Make a backend known without an entry point. A later one of its scheme replaces an earlier one."""
        with self._lock:
            self._added[backend.scheme] = backend
            self._loaded.pop(backend.scheme, None)

    def remove(self, scheme: str) -> None:
        """Forget a backend that was added by :meth:`add`."""
        with self._lock:
            self._added.pop(scheme, None)

    def schemes(self) -> list[str]:
        """Return the known schemes in alphabetical order, without importing a backend."""
        return sorted({*self._added, *(entry.name for entry in self._entries())})

    def backend(self, scheme: str) -> Backend[_D]:
        """Return the backend of a scheme, importing it on first use.

        Raises :class:`~pynq.errors.DeviceNotFoundError`, which lists the known ones, for an unknown scheme;
        what the backend's import raises passes through.
        """
        with self._lock:
            if found := self._added.get(scheme) or self._loaded.get(scheme):
                return found
            for entry in self._entries():
                if entry.name == scheme:
                    loaded: Backend[_D] = entry.load()
                    self._loaded[scheme] = loaded
                    return loaded
        known = ", ".join(f"{name}:" for name in self.schemes()) or "none; is pynq-anywhere installed?"
        raise DeviceNotFoundError(f"no backend for scheme {scheme + ':'!r}; known: {known}")

    def candidates(self) -> list[Candidate]:
        """Ask every backend for its devices, highest priority first; one that fails has no names."""
        found = []
        for scheme in self.schemes():
            try:
                backend = self.backend(scheme)
                found.append(Candidate(scheme, backend.priority, tuple(backend.probe()), backend.why))
            except Exception as error:  # noqa: BLE001  a broken backend must not take the others with it
                reason = f"{type(error).__name__}: {error}"
                emit(BackendWarning(f"backend {scheme!r} can't be asked: {reason}"))
                found.append(Candidate(scheme, 0, (), reason))
        return sorted(found, key=lambda candidate: (-candidate.priority, candidate.scheme))

    # -- devices ---------------------------------------------------------------------------------------------
    def open(self, spec: str) -> _D:
        """Return the device of that name; the same object for the same name as long as it is open.

        Raises :class:`~pynq.errors.DeviceNotFoundError` for a name that is no ``scheme:rest`` or of an
        unknown scheme.
        """
        scheme, colon, _ = spec.partition(":")
        if not colon or not scheme:
            names = ", ".join(f"{name}:" for name in self.schemes())
            raise DeviceNotFoundError(
                f"device {spec!r} is not of the form scheme:rest; known schemes: {names}"
            )
        with self._lock:
            device = self._open.get(spec)
            if device is None:
                device = self.backend(scheme).open(spec)
                device.open()
                if not self._open:
                    atexit.register(self.close)
                self._open[spec] = device
            return device

    def devices(self) -> list[_D]:
        """Return every device present, the preferred ones first, opened."""
        found = []
        for candidate in self.candidates():
            for name in candidate.names:
                try:
                    found.append(self.open(name))
                except Exception as error:  # noqa: BLE001  as in candidates()
                    reason = f"{type(error).__name__}: {error}"
                    emit(BackendWarning(f"device {name!r} can't be opened: {reason}"))
        return found

    def active(self) -> _D:
        """Return the active device, choosing it on first use.

        Raises :class:`~pynq.errors.DeviceNotFoundError` when ``PYNQ_DEVICE`` names no device, or none is
        present.
        """
        if self._chosen is not None:
            return self._chosen
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def choose(self, device: _D | str | None) -> None:
        """Set the active device, by object or name; None: choose anew at the next use."""
        with self._lock:
            self._chosen = self.open(device) if isinstance(device, str) else device
            self._reason = "" if device is None else "set by the program"

    def resolve(self, device: _D | str | None) -> _D:
        """Return the device that a ``device=`` keyword means: itself, one by name; None: the active one."""
        if device is None:
            return self.active()
        return self.open(device) if isinstance(device, str) else device

    @property
    def reason(self) -> str:
        """Why the active device is the one it is; empty before the choice."""
        return self._reason

    def close(self) -> None:
        """Close every open device and forget the choice."""
        with self._lock:
            opened, self._open = list(self._open.values()), {}
            self._chosen = None
            atexit.unregister(self.close)
        for device in opened:
            device.close()

    def _choose(self) -> _D:
        if name := os.environ.get(VARIABLE):
            try:
                device = self.open(name)
            except DeviceNotFoundError as error:
                raise DeviceNotFoundError(f"{VARIABLE}={name!r}: {error}") from error
            self._reason = f"{VARIABLE}={name}"
            return device
        candidates = self.candidates()
        for candidate in candidates:
            for name in candidate.names:
                try:
                    device = self.open(name)
                except Exception as error:  # noqa: BLE001  as in candidates()
                    reason = f"{type(error).__name__}: {error}"
                    emit(BackendWarning(f"device {name!r} can't be opened: {reason}"))
                    continue
                self._reason = f"the first one present: {candidate.why}"
                return device
        tried = (
            "; ".join(f"{candidate.scheme}: {candidate.why}" for candidate in candidates)
            or "no backend installed"
        )
        raise DeviceNotFoundError(f"no device is present ({tried}). Set {VARIABLE} or pass device=.")


def _installed() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))


registry: Registry[Any] = Registry(_installed)
"""The one of this process; :mod:`pynq.device` has it with the type of its devices."""
