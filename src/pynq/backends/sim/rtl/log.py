"""What the RTL prints, as lines of the logger ``pynq.rtl``."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable

__all__ = ["LOGGER", "printer", "tell_warnings"]

LOGGER = logging.getLogger("pynq.rtl")
if LOGGER.level == logging.NOTSET:
    LOGGER.setLevel(logging.INFO)  # $display is INFO, and nobody writes it in order not to see it
# The runtime (native/rtl) puts the severity in front of what $info and its sisters say.
_SEVERITY = re.compile(r"(info|warning|error|fatal): ")
_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.WARNING,
    "fatal": logging.ERROR,
}
# Of Verilator: delays and waits that are left out, several drivers, bits that are not there; and what the
# RTL says itself while it is elaborated.
_SERIOUS = re.compile(r"\[(?:USERWARN|STMTDLY|NOTIMING|MULTIDRIVEN|SELRANGE|INFINITELOOP)\]")
_told: set[str] = set()


def printer(cell: str) -> Callable[[str, str, int], None]:
    """Return what the engine calls with each line that the RTL of a cell prints: (text, file, line)."""

    def print_line(text: str, file: str, line: int) -> None:
        match = _SEVERITY.match(text)
        level = logging.INFO if match is None else _LEVELS[match[1]]
        place = f" ({os.path.basename(file)}{f':{line}' if line else ''})" if file else ""
        _say(level, f"{cell}: {text.rstrip()}{place}")

    return print_line


def tell_warnings(cell: str, log: str) -> None:
    """Log what the tools said of a block: what changes its meaning as a warning, once in a process; the rest
    (widths and the like, of which RTL has hundreds) for who wants to know: level DEBUG.
    """
    for message in re.split(r"\n(?=\S)", log) if log else []:
        serious = _SERIOUS.search(message)
        if serious is None:
            LOGGER.debug("%s: %s", cell, message)
        elif message not in _told:
            _told.add(message)
            _say(logging.WARNING, f"{cell}: {message}")


def _say(level: int, message: str) -> None:
    """Log a line; where nobody set logging up, write it to stderr as it is."""
    if LOGGER.hasHandlers():
        LOGGER.log(level, "%s", message)
    elif LOGGER.isEnabledFor(level):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
