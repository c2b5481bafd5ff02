"""Write the examples' hand-off files: ``python -m examples.tools.write [--check]``."""

from __future__ import annotations

import sys
from pathlib import Path

from .designs import DESIGNS

EXAMPLES = Path(__file__).resolve().parent.parent


def render(name: str) -> bytes:
    """The bytes of an example's hand-off file; it starts with a byte order mark, as Vivado's do."""
    return b"\xef\xbb\xbf" + DESIGNS[name]().to_xml().encode()


def main(arguments: list[str]) -> int:
    """Write every file, or with ``--check`` compare them with what is there. Return 1 if one differs."""
    stale = []
    for name in DESIGNS:
        path = EXAMPLES / name / f"{name}.hwh"
        data = render(name)
        if "--check" in arguments:
            if not path.exists() or path.read_bytes() != data:
                stale.append(str(path))
        else:
            path.write_bytes(data)
            sys.stdout.write(f"{path}: {len(data)} bytes\n")
    for name in stale:
        sys.stdout.write(f"{name} is not what examples/tools writes; run python -m examples.tools.write\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
