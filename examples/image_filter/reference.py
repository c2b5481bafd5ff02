"""What the filter must give, in numpy, written from the specification in README.md and from nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: The settings that the overlay's kernels must lead to: integer coefficients, shift, offset, absolute value.
SETTINGS: dict[str, dict[str, Any]] = {
    "identity": {"coefficients": [[0, 0, 0], [0, 1, 0], [0, 0, 0]]},
    "blur": {"coefficients": [[1, 2, 1], [2, 4, 2], [1, 2, 1]], "shift": 4},
    "sharpen": {"coefficients": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]},
    "edges": {"coefficients": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], "absolute": True},
    "emboss": {"coefficients": [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]], "offset": 128},
}


def convolve(
    picture: npt.NDArray[np.uint8],
    coefficients: npt.ArrayLike,
    *,
    shift: int = 0,
    offset: int = 0,
    absolute: bool = False,
) -> npt.NDArray[np.uint8]:
    """Filter three channels of a picture with nine integer coefficients; a fourth passes unchanged."""
    kernel = np.asarray(coefficients, dtype=np.int64)
    colours = np.pad(picture[..., :3].astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(colours, (3, 3), axis=(0, 1))
    total: npt.NDArray[np.int64] = np.einsum("yxcij,ij->yxc", windows, kernel)
    if absolute:
        total = np.abs(total)
    if shift:
        total = np.floor_divide(total + 2 ** (shift - 1), 2**shift)
    result: npt.NDArray[np.uint8] = picture.copy()
    result[..., :3] = np.minimum(np.maximum(total + offset, 0), 255)
    return result


#: Name, offset, value after reset, bits that can be written and read back.
REGISTERS: list[tuple[str, int, int, int]] = [
    ("CTRL", 0x00, 0, 0x7),
    ("STATUS", 0x04, 0, 0),
    ("IRQ_ENABLE", 0x08, 0, 0x1),
    ("VERSION", 0x0C, 0x00010000, 0),
    ("WIDTH", 0x10, 640, 0x1FFF),
    ("HEIGHT", 0x14, 480, 0x1FFF),
    ("SHIFT", 0x18, 0, 0xF),
    ("OFFSET", 0x1C, 0, 0x3FF),
    *((f"K{k // 3}{k % 3}", 0x20 + 4 * k, int(k == 4), 0xFFFF) for k in range(9)),
    ("FRAMES", 0x44, 0, 0),
]
#: Sizes of frames: single pixels, rows and columns, one more than the pipeline is long.
SIZES = [(1, 1), (1, 2), (2, 1), (1, 9), (9, 1), (2, 2), (3, 3), (5, 4), (4, 17), (17, 4)]
