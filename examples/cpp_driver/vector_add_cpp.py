"""The accelerator of ``../vector_add``, driven by a library written in C++.

The library knows nothing of Python. It gets the kernel's registers and interrupts as ``ip.native`` and the
places of the buffers as ``buffer.native``, both plain C (``pynq/native.h``).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pynq
from pynq import DefaultIP, allocate

HERE = Path(__file__).resolve().parent


def build(folder: Path | None = None) -> ctypes.CDLL:
    """Compile the library into a folder (None: a new temporary one) and load it.

    ``ctypes.CDLL`` lets other Python threads run while the library does.
    """
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise RuntimeError("no C++ compiler: install g++")
    target = Path(folder or tempfile.mkdtemp(prefix="vector_add_")) / "libvector_add.so"
    subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-O2",
            "-Wall",
            "-Wextra",
            "-fPIC",
            "-shared",
            f"-I{pynq.get_include()}",
            str(HERE / "vector_add.cpp"),
            "-o",
            str(target),
        ],
        check=True,
    )
    library = ctypes.CDLL(str(target))
    library.vector_add_run.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_uint32, ctypes.c_int64]
    library.vector_add_error.restype = ctypes.c_char_p
    return library


class VectorAdd(DefaultIP):
    """Driver of the kernel; bound to it from the next load of an overlay on."""

    bindto = ["pynq-anywhere.org:examples:vector_add:1.0"]
    library: ctypes.CDLL | None = None  # built when first used, for all instances

    def add(
        self, a: npt.NDArray[np.int32], b: npt.NDArray[np.int32], timeout: float = 10
    ) -> npt.NDArray[np.int32]:
        """Copy two arrays into device memory, add them there, and return the sum."""
        with (
            allocate(a.shape, "i4", device=self.device) as left,
            allocate(b.shape, "i4", device=self.device) as right,
            allocate(a.shape, "i4", device=self.device) as result,
        ):
            left[:], right[:] = a, b
            self.run(left, right, result, timeout)
            return np.array(result)

    def run(self, left: Any, right: Any, result: Any, timeout: float = 10) -> None:
        """Add two buffers into a third."""
        library = VectorAdd.library = VectorAdd.library or build()
        left.flush()
        right.flush()
        places = [buffer.native for buffer in (left, right, result)]  # alive until the call is over
        status = library.vector_add_run(
            self.native.pointer, *(place.pointer for place in places), left.size, int(timeout * 1e9)
        )
        if status:
            raise RuntimeError(f"vector_add: {library.vector_add_error().decode()} (status {status})")
        result.invalidate()
