"""A switch of the board."""

from __future__ import annotations

from pynq.lib._contact import Contact

__all__ = ["Switch"]


class Switch(Contact):
    """A switch: 1 when up."""
