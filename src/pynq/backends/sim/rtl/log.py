"""What the RTL prints, as lines of the logger ``pynq.rtl``."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable

__all__ = ["LOGGER", "printer"]

LOGGER = logging.getLogger("pynq.rtl")
if LOGGER.level == logging.NOTSET:
    LOGGER.setLevel(logging.INFO)  # $display is INFO, and nobody writes it in order not to see it
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.WARNING,
    "fatal": logging.ERROR,
}
# Verilator's runtime puts "[12] %Warning: fir.v:12: Assertion failed in top.fir: " in front of the text.
_SEVERITY = re.compile(
    r"(?:\[[^\]]*\]\s*)?%(?P<level>Info|Warning|Error|Fatal)(?:-\w+)?:\s*"
    r"(?:(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)?\s*)?(?:Assertion failed in \S+?:\s?)?(?P<text>.*)\Z",
    re.DOTALL | re.IGNORECASE,
)


def printer(cell: str) -> Callable[[str, str, int], None]:
    """Return what the engine calls with each line that the RTL of a cell prints: (text, file, line)."""

    def print_line(text: str, file: str, line: int) -> None:
        level = logging.INFO
        match = _SEVERITY.match(text)
        if match is not None:
            level = _LEVELS[match["level"].lower()]
            text = match["text"] or match["level"]
            if match["file"]:
                file, line = match["file"], int(match["line"])
        place = f" ({os.path.basename(file)}:{line})" if file else ""
        _say(level, f"{cell}: {text.rstrip()}{place}")

    return print_line


def _say(level: int, message: str) -> None:
    """Log a line; where nobody set logging up, write it to stderr as it is."""
    if LOGGER.hasHandlers():
        LOGGER.log(level, "%s", message)
    elif LOGGER.isEnabledFor(level):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
