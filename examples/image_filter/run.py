# %% [markdown]
# # A picture through the programmable logic
# Step by step; `demo.py` does the same with a photograph, tables and a check of every byte.

# %% Load the overlay: the classes come from image_filter.py, which lies beside the bitstream
from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np

import pynq

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "image_filter.bit"))
print(type(overlay).__name__, type(overlay.filter).__name__, type(overlay.filter.stream_filter).__name__)


# %% A picture: a disc
def show(pixels: Any) -> None:
    """Show a picture under the cell, where this runs in a notebook."""
    if "IPython" in sys.modules:
        from IPython.display import display
        from PIL import Image

        display(Image.fromarray(pixels))


y, x = np.mgrid[-64:64, -96:96]
picture = np.where((x**2 + y**2 < 48**2)[..., None], [200, 120, 40], [20, 20, 60]).astype(np.uint8)
show(picture)

# %% The overlay's own call
sharp = overlay.run(picture, "sharpen")
print("sharpen:", picture.min(), picture.max(), "->", sharp.min(), sharp.max())
show(sharp)

# %% A kernel of one's own: horizontal edges only
overlay.filter.stream_filter.set_kernel([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], absolute=True)
edges = overlay.filter.apply(picture)
assert not edges[64, 96].any()  # nothing changes in the middle of the disc
assert edges[64 - 48, 96].any()  # but at its upper edge
print("edges:", np.count_nonzero(edges.any(axis=2)), "pixels")
show(edges)

# %% Registers, by name
print(overlay.filter.stream_filter.register_map.CTRL)
print(overlay.filter.stream_filter.frames, "frames so far")


# %% Two pictures without blocking the event loop
async def both() -> None:
    """The filter is one, so one after the other; but other coroutines run meanwhile."""
    first = await overlay.filter.apply_async(picture)
    second = await overlay.filter.apply_async(picture[::-1])
    assert np.array_equal(first, edges)
    assert np.array_equal(second, edges[::-1])


asyncio.run(both())
print(overlay.filter.stream_filter.frames, "frames")

# %% Done
overlay.filter.free()
overlay.free()
