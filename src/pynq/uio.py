"""PYNQ's names for finding the kernel's userspace I/O devices."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_uio_device", "get_uio_index"]

_CLASS = Path("/sys/class/uio")


def get_uio_index(name: str) -> int | None:
    """Return N of the /dev/uioN that the kernel calls ``name``, the lowest one; None where there is none.

    The names stand in /sys/class/uio/uioN/name (Linux, Documentation/driver-api/uio-howto).
    """
    for entry in sorted(_CLASS.glob("uio*"), key=lambda entry: int(entry.name.removeprefix("uio"))):
        if (entry / "name").read_text().strip() == name:
            return int(entry.name.removeprefix("uio"))
    return None


def get_uio_device(dev_name: str) -> str | None:
    """Return the path /dev/uioN of the device that the kernel calls ``dev_name``, or None."""
    index = get_uio_index(dev_name)
    return None if index is None else f"/dev/uio{index}"
