"""What a bitstream holds: files in, one immutable :class:`Design` out."""

from __future__ import annotations

from pynq.design.described import described
from pynq.design.formats import read
from pynq.design.hwh import read_bytes
from pynq.design.locate import Located, locate, overlay_folders
from pynq.design.model import *  # noqa: F403 (the model's own list of names)
from pynq.design.model import __all__ as _model_names

__all__ = ["Located", "described", "locate", "overlay_folders", "read", "read_bytes", *_model_names]
