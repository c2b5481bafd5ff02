"""``python -m pynq`` is the command ``pynq``."""

from __future__ import annotations

import sys

from pynq.cli import main

if __name__ == "__main__":
    sys.exit(main())
