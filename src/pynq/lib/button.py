"""A push-button of the board."""

from __future__ import annotations

from pynq.lib._contact import Contact

__all__ = ["Button"]


class Button(Contact):
    """A push-button: 1 when pressed."""
