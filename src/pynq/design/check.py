"""Mistakes of a design that its description shows, before they hang a board.

Each rule is a function of the :class:`~pynq.design.model.Design` alone. What depends on the machine (which
drivers and models there are) is added by whoever knows it, in the same form.
"""

from __future__ import annotations

from typing import NamedTuple

from pynq.design.model import Design, SourceRef

__all__ = ["Finding", "check"]


class Finding(NamedTuple):
    """Something that a user should know about a design.

    ``severity`` is "error" (will not work, or hangs), "warning" (may not) or "note". ``rule`` is the
    rule's name in the documentation ("address-overlap"), ``subject`` the path of the cell, pin or interface,
    ``message`` what is the matter with the values found, ``advice`` the next step.
    """

    rule: str
    severity: str
    subject: str
    message: str
    advice: str
    source: SourceRef


def check(design: Design) -> tuple[Finding, ...]:
    """Return what is, or may be, wrong with a design: errors first, then in the file's order."""
    return ()
