"""What a bitstream holds: files in, one immutable :class:`Design` out."""

from __future__ import annotations

from .hwh import read, read_bytes
from .locate import Located, locate, overlay_folders
from .model import *  # noqa: F403 (the model's own list of names)
from .model import __all__ as _model_names

__all__ = ["Located", "locate", "overlay_folders", "read", "read_bytes", *_model_names]
