"""What ``pynq devices`` tells."""

from __future__ import annotations

import os
import warnings
from typing import Any

from pynq.device import registry
from pynq.device.registry import VARIABLE
from pynq.errors import BackendWarning, DeviceNotFoundError

__all__ = ["collect"]


def collect() -> dict[str, Any]:
    """The backends with their devices, highest priority first; the device used by default, and why."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BackendWarning)  # said in the table, as the backend's `why`
        backends, active, reason = _ask()
    return {"backends": backends, "active": active, "reason": reason, VARIABLE: os.environ.get(VARIABLE)}


def _ask() -> tuple[list[dict[str, Any]], str | None, str]:
    backends = [
        {
            "scheme": candidate.scheme,
            "priority": candidate.priority,
            "devices": list(candidate.names),
            "why": candidate.why,
        }
        for candidate in registry.candidates()
    ]
    try:
        return backends, registry.active().name, registry.reason
    except DeviceNotFoundError as error:
        return backends, None, str(error)
