"""What a fuzzer found, so that a log of it is all one needs to write the test."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from pathlib import Path

_LIBFUZZER = re.compile(r"^INFO: |ERROR: libFuzzer")
_MOST_INPUT = 4096  # bytes shown of an input
_MOST_LINES = 60  # of the exception, and of the fuzzer's own last words where there is none


def told(printed: str, artifacts: Iterable[str]) -> str:
    """Return the exception in what the fuzzer printed, and each input it wrote as text and as base64.

    atheris prints the exception to standard output, libFuzzer everything else to standard error.
    """
    lines = printed.splitlines()
    first = next((at for at, line in enumerate(lines) if "Uncaught Python exception" in line), None)
    if first is None:
        shown = lines[-_MOST_LINES:]
    else:
        after = (at for at in range(first + 1, len(lines)) if _LIBFUZZER.search(lines[at]))
        shown = lines[first : next(after, None)][-_MOST_LINES:]
    out = ["---- the exception" if first is not None else "---- the fuzzer's last words", *shown]
    for name in artifacts:
        data = Path(name).read_bytes()
        part = data[:_MOST_INPUT]
        out += [f"---- {name}: {len(data)} bytes" + (f", the first {len(part)}" if part != data else "")]
        out += [repr(part), "base64: " + base64.b64encode(part).decode()]
    return "\n".join(out) + "\n"
