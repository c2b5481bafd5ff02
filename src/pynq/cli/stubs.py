"""What ``pynq stubs`` writes."""

from __future__ import annotations

from pathlib import Path

from pynq.binding import bind
from pynq.binding.drivers import registry
from pynq.binding.stubs import stubs
from pynq.cli.opened import opened
from pynq.overlay import Overlay

__all__ = ["make"]


def make(file: Path, *, run_companion: bool = False, ignore_version: bool = False) -> str:
    """Return the stub of what belongs to a file.

    Raises what :func:`pynq.design.locate` and :func:`pynq.design.described` raise.
    """
    found, design = opened(file, run_companion=run_companion)
    plan = bind(design, registry.snapshot(), ignore_version=ignore_version)
    return stubs(design, plan, found.description.name, Overlay)
