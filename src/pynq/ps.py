"""PYNQ's names around the processing system: what it is, and its clocks."""

from __future__ import annotations

import os
import platform

from pynq.clocks import Clocks

__all__ = [
    "CPU_ARCH",
    "CPU_ARCH_IS_SUPPORTED",
    "DEFAULT_PL_CLK_MHZ",
    "ON_TARGET",
    "ZU_ARCH",
    "ZYNQ_ARCH",
    "CPU_ARCH_IS_x86",
    "Clocks",
]

ZYNQ_ARCH = "armv7l"
ZU_ARCH = "aarch64"
CPU_ARCH = platform.machine()
CPU_ARCH_IS_SUPPORTED = CPU_ARCH in (ZYNQ_ARCH, ZU_ARCH)
CPU_ARCH_IS_x86 = CPU_ARCH in ("x86_64", "AMD64")
ON_TARGET = os.path.isfile("/proc/device-tree/chosen/pynq_board")
DEFAULT_PL_CLK_MHZ = 100.0
