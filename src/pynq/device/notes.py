"""Warnings that point at the user's line, however deep in this package they arise."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from pynq.errors import PynqWarning

__all__ = ["emit"]

_PACKAGE = str(Path(__file__).parent.parent) + os.sep


def emit(warning: PynqWarning) -> None:
    """Issue a warning for the innermost caller outside this package."""
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(warning, stacklevel=level)
