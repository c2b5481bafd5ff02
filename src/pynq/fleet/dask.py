"""The border to Dask, whose functions are not annotated: everything beyond it is ``Any``."""

from __future__ import annotations

import importlib
from typing import Any

from pynq.errors import FleetError

__all__ = ["cloudpickle", "distributed"]


def distributed() -> Any:
    """Return the package ``distributed``. Raises :class:`FleetError` where it is not installed."""
    return _import("distributed")


def cloudpickle() -> Any:
    """Return the package ``cloudpickle``, which comes with Dask."""
    return _import("cloudpickle")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        text = f"sweeps need the package {name!r} ({error}): pip install 'pynq-anywhere[fleet]'"
        raise FleetError(text) from error
