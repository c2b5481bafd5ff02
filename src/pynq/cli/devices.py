"""What ``pynq devices`` tells."""

from __future__ import annotations

import os
from typing import Any

from pynq.device.registry import VARIABLE, registry
from pynq.errors import DeviceNotFoundError

__all__ = ["collect"]


def collect() -> dict[str, Any]:
    """The backends with their devices, highest priority first; the device used by default, and why."""
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
        active: str | None = registry.active().name
        reason = registry.reason
    except DeviceNotFoundError as error:
        active, reason = None, str(error)
    return {"backends": backends, "active": active, "reason": reason, VARIABLE: os.environ.get(VARIABLE)}
