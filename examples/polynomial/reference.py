"""What the polynomial must give, in numpy, written from the specification in README.md alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Name, offset, value after reset, bits that can be written and read back.
REGISTERS: list[tuple[str, int, int, int]] = [
    ("CTRL", 0x00, 0, 0x1),
    ("STATUS", 0x04, 0, 0),
    ("IRQ_ENABLE", 0x08, 0, 0x1),
    ("IRQ_STATUS", 0x0C, 0, 0),
    ("A", 0x10, 0, 0xFFFFFFFF),
    ("B", 0x14, 1, 0xFFFFFFFF),
    ("C", 0x18, 0, 0xFFFFFFFF),
    ("WORDS", 0x1C, 0, 0),
    ("PACKETS", 0x20, 0, 0),
    ("VERSION", 0x24, 0x00010000, 0),
]
#: Words at which carries and signs show.
CORNERS = np.array(
    [0, 1, 2, 3, 0xFFFF, 0x10000, 0x10001, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF], "<u4"
)


def polynomial(x: npt.NDArray[np.uint32], a: int, b: int, c: int) -> npt.NDArray[np.uint32]:
    """Return ``a*x*x + b*x + c`` modulo 2**32, for words ``x`` and coefficients of either sign."""
    wide = np.asarray(x).view("u4").astype("u8")
    a, b, c = (value % 2**32 for value in (a, b, c))
    return ((a * wide % 2**32 + b) * wide % 2**32 + c).astype("u4")


def polynomial_of_bytes(data: bytes, a: int, b: int, c: int) -> bytes:
    """Return what a packet of any number of bytes becomes: low bytes of a result need low bytes of x only."""
    padded = data + bytes(-len(data) % 4)
    return polynomial(np.frombuffer(padded, "<u4"), a, b, c).astype("<u4").tobytes()[: len(data)]
