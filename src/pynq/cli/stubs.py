"""What ``pynq stubs`` writes."""

from __future__ import annotations

from pathlib import Path

from pynq.binding import bind, companion
from pynq.binding.drivers import registry
from pynq.binding.stubs import stubs
from pynq.design import described
from pynq.design.locate import locate
from pynq.overlay import Overlay

__all__ = ["make"]


def make(file: Path, *, run_companion: bool = False, ignore_version: bool = False) -> str:
    """Return the stub of what belongs to a file.

    Raises what :func:`pynq.design.locate` and :func:`pynq.design.described` raise.
    """
    found = locate(file)
    design = described(found.description)
    if run_companion:
        script = companion.find(Path(found.bitstream or found.description))
        if script is not None:
            companion.load(script)
    plan = bind(design, registry.snapshot(), ignore_version=ignore_version)
    return stubs(design, plan, found.description.name, Overlay)
