# %% [markdown]
# # A driver in C++
# The accelerator of `../vector_add`, driven by a library that knows nothing of Python.

# %% Load the overlay; the driver defined last is the one that binds
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vector_add")]

import vector_add  # noqa: E402, F401  the model of the kernel
import vector_add_cpp  # noqa: E402

import pynq  # noqa: E402

overlay = pynq.DefaultOverlay(str(HERE.parent / "vector_add" / "vector_add.bit"))
adder = overlay.vector_add_0
assert isinstance(adder, vector_add_cpp.VectorAdd)

# %% Add
random = np.random.default_rng(1)
a = random.integers(-(2**31), 2**31, 10_000, dtype=np.int32)
b = random.integers(-(2**31), 2**31, 10_000, dtype=np.int32)
c = adder.add(a, b)
assert np.array_equal(c, a + b)
print(f"{c.size} sums by way of C++, the first {c[0]}")

# %% Done
overlay.free()
