"""Options in a device's name, behind a question mark: ``sim:lab?seed=7&deterministic=1``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pynq.errors import DeviceNotFoundError

__all__ = ["converted", "split"]


def split(spec: str) -> tuple[str, dict[str, str]]:
    """Return what stands between colon and question mark, and the options."""
    head, _, query = spec.partition("?")
    pairs = (item.partition("=") for item in query.split("&") if item)
    return head.partition(":")[2], {name: text for name, _, text in pairs}


def converted(
    device: str, options: Mapping[str, str], known: Mapping[str, Callable[[str], object]]
) -> dict[str, Any]:
    """Return the options' values, each by its function in ``known``, which raises ``ValueError``.

    Raises :class:`~pynq.errors.DeviceNotFoundError` for an unknown option or a wrong value.
    """
    values: dict[str, Any] = {}
    for name, text in options.items():
        if name not in known:
            raise DeviceNotFoundError(f"{device!r}: no option {name!r}; known: {', '.join(known)}")
        try:
            values[name] = known[name](text)
        except ValueError:
            raise DeviceNotFoundError(f"{device!r}: {name}={text!r} is no value for it") from None
    return values
