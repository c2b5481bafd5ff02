"""The design that a file on the command line means."""

from __future__ import annotations

from pathlib import Path

from pynq.binding import companion
from pynq.design import Design, Located, described, locate

__all__ = ["opened"]


def opened(file: Path, *, run_companion: bool = False) -> tuple[Located, Design]:
    """Return what belongs to a file, and its design.

    With ``run_companion`` the Python file beside the bitstream is run, as by ``Overlay``: its drivers count.
    Raises what :func:`pynq.design.locate` and :func:`pynq.design.described` raise.
    """
    found = locate(file)
    design = described(found.description)
    if run_companion:
        script = companion.find(Path(found.bitstream or found.description))
        if script is not None:
            companion.load(script)
    return found, design
