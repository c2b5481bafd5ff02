"""Write the examples' hand-off files, scripts, components and notebooks.

``python -m examples.tools.write [--check]``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .component import components
from .designs import DESIGNS
from .notebooks import notebook
from .regions import PARTIALS
from .scripts import script

EXAMPLES = Path(__file__).resolve().parent.parent


def files() -> Iterator[tuple[Path, bytes]]:
    """Each file to write, with its bytes. Hand-off files begin with a byte order mark, like Vivado's."""
    for name, design in DESIGNS.items():
        yield EXAMPLES / name / f"{name}.hwh", b"\xef\xbb\xbf" + design().to_xml().encode()
        yield EXAMPLES / name / f"{name}.tcl", script(design()).text().encode()
        for kind, text in components(design()).items():
            yield EXAMPLES / name / "ip" / kind / "component.xml", text.encode()
    for name, design in PARTIALS.items():
        yield EXAMPLES / "partial" / f"{name}.hwh", b"\xef\xbb\xbf" + design().to_xml().encode()
    for program in sorted(EXAMPLES.glob("*/run.py")):
        yield program.with_suffix(".ipynb"), notebook(program.read_text(encoding="utf-8")).encode()


def main(arguments: list[str]) -> int:
    """Write every file, or with ``--check`` compare them with what is there. Return 1 if one differs."""
    stale = []
    for path, data in files():
        if "--check" in arguments:
            if not path.exists() or path.read_bytes() != data:
                stale.append(str(path))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            sys.stdout.write(f"{path}: {len(data)} bytes\n")
    for name in stale:
        sys.stdout.write(f"{name} is not what examples/tools writes; run python -m examples.tools.write\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
