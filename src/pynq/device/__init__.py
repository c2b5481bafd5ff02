"""Where an overlay runs: the contract of devices, the backends, and which device is active."""

from __future__ import annotations

from pynq.device.base import Device, registry
from pynq.device.pl import PL
from pynq.device.registry import Backend, Candidate, Registry

__all__ = ["PL", "Backend", "Candidate", "Device", "Registry", "active_device", "registry", "resolve"]


def active_device() -> Device:
    """Return the device meant where a program names none, choosing it on first use.

    Raises :class:`~pynq.errors.DeviceNotFoundError` when ``PYNQ_DEVICE`` names no device, or none is present.
    """
    return registry.active()


def resolve(device: Device | str | None = None) -> Device:
    """Return the device that a ``device=`` keyword means: itself, one by name, or the active one for None.

    Raises ``TypeError`` for something else, :class:`~pynq.errors.DeviceNotFoundError` for an unknown name.
    """
    if not isinstance(device, (Device, str, type(None))):
        raise TypeError(f"device is {device!r}; pass a pynq.Device, a name such as 'sim:', or None")
    return registry.resolve(device)
