# %% [markdown]
# # Two regions, and a stream that is routed through them
# The static design goes on while parts of it are exchanged. A switch leads the words of a DMA through the
# regions in any order; decouplers keep a region apart while it is reconfigured.

# %% Load the static design; the regions are empty
from __future__ import annotations

from pathlib import Path

import numpy as np

import pynq
from pynq.errors import BusError, OverlayNotLoadedError

overlay = pynq.Overlay(str(Path(__file__).resolve().parent / "partial.bit"))
print(type(overlay).__name__, [name for name in overlay.ip_dict if name.startswith("pr_")])

# %% A gain into one region, an offset into the other; the same files fit both
gain = overlay.load("pr_0", "gain")
offset = overlay.load("pr_1", "offset")
gain.value, offset.value = 3, 100
print(
    overlay.pr_0, overlay.pr_1, {region: Path(one["loaded"]).name for region, one in overlay.pr_dict.items()}
)

# %% The order is the switch's
x = np.arange(1000, dtype=np.uint32)
overlay.route("pr_0", "pr_1")
assert np.array_equal(overlay.run(x), 3 * x + 100)
overlay.route("pr_1", "pr_0")
assert np.array_equal(overlay.run(x), 3 * (x + 100))
gain.wait()
print(f"{gain.words} words through the gain, {offset.words} through the offset")

# %% Exchange one region; the other keeps its setting, and its driver
limit = overlay.load("pr_0", "limit")
limit.value = 500
assert np.array_equal(overlay.run(x), np.minimum(x + 100, 500))
assert offset.value == 100

# %% The driver of what was there says so, instead of touching the new hardware
try:
    gain.value = 5
except OverlayNotLoadedError as error:
    print(error)

# %% While a region is decoupled nothing gets in: an access is refused, a stream waits
overlay.decouple.write(0x0, 1)
try:
    print(limit.value)
except BusError as error:
    print(error)
overlay.decouple.write(0x0, 0)
assert limit.value == 500

# %% Done
overlay.free()
