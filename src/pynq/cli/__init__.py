"""The command ``pynq``. It needs typer and rich (extra ``cli``), imported when it runs and never before."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments`` (default: those of the process) and return its exit code.

    0: done; 1: it could not be done, with one message on the standard error; 2: wrong usage, or the extra
    ``cli`` is not installed; 130: interrupted.
    """
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"pynq: the command needs {' and '.join(missing)}, which the extra 'cli' brings: "
            "pip install 'pynq-anywhere[cli]'\n"
        )
        return 2
    from pynq.cli.app import run

    return run(arguments)
