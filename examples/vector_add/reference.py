"""What the accelerator must give, in numpy, written from the specification in README.md alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Name, offset, value after reset, bits that can be written and read back.
REGISTERS: list[tuple[str, int, int, int]] = [
    ("CTRL", 0x00, 0x4, 0x80),
    ("GIER", 0x04, 0, 0x1),
    ("IP_IER", 0x08, 0, 0x3),
    ("IP_ISR", 0x0C, 0, 0x3),
    ("a_1", 0x10, 0, 0),
    ("a_2", 0x14, 0, 0),
    ("b_1", 0x1C, 0, 0),
    ("b_2", 0x20, 0, 0),
    ("c_1", 0x28, 0, 0),
    ("c_2", 0x2C, 0, 0),
    ("n", 0x34, 0, 0),
]
#: Numbers of elements: none, one, around a beat, around bursts of 64 beats, around 4 KiB.
SIZES = [0, 1, 2, 3, 4, 5, 127, 128, 129, 1023, 1024, 1025, 2051]


def add(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return ``a + b`` modulo 2**32."""
    total: npt.NDArray[np.uint64] = a.astype("u8") + b.astype("u8")
    return (total % 2**32).astype("u4")
