"""Where the register maps of a design are from: what a program may say, and the manifest beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["SUFFIX", "Where", "beside"]

#: What a program may say: None (the manifest beside the description), False (none), a manifest, a dictionary.
Where = str | os.PathLike[str] | Mapping[str, Any] | bool | None

SUFFIX = ".registers.toml"


def beside(description: str | os.PathLike[str]) -> Path | None:
    """Return the manifest of register maps that lies beside a description; None where there is none."""
    path = Path(description).absolute().with_suffix(SUFFIX)
    return path if path.is_file() else None
