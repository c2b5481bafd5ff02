"""The boards that the examples are for, and what their processors are called."""

from __future__ import annotations

__all__ = ["DDR7", "DDR8_HIGH", "DDR8_LOW", "KV260", "PS7", "PS8", "PYNQ_Z2", "STAMP"]

PYNQ_Z2 = {
    "ARCH": "zynq",
    "BOARD": "tul.com.tw:pynq-z2:part0:1.0",
    "DEVICE": "7z020",
    "PACKAGE": "clg400",
    "SPEEDGRADE": "-1",
}
KV260 = {
    "ARCH": "zynquplus",
    "BOARD": "xilinx.com:kv260_som:part0:1.3",
    "DEVICE": "xck26",
    "PACKAGE": "sfvc784",
    "SPEEDGRADE": "-2LV",
}
STAMP = {"vivado": "2022.1", "timestamp": "Sun Nov 22 12:00:00 2026"}
PS7 = "processing_system7_0"
PS8 = "zynq_ultra_ps_e_0"
DDR7 = (0x0000_0000, 0x2000_0000)
DDR8_LOW = (0x0000_0000, 0x8000_0000)
DDR8_HIGH = (0x8_0000_0000, 0x8000_0000)
