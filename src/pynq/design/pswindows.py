"""Where the masters of a PS see the PL."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PL_WINDOWS", "Windows"]

Windows = Mapping[str, tuple[tuple[int, int], ...]]

PL_WINDOWS: Mapping[str, Windows] = {
    # UG585, table "System-Level Address Map"
    "processing_system7": {
        "M_AXI_GP0": ((0x4000_0000, 0x7FFF_FFFF),),
        "M_AXI_GP1": ((0x8000_0000, 0xBFFF_FFFF),),
    },
    # UG1085, table "PL AXI Interface Address Map"
    "zynq_ultra_ps_e": {
        "M_AXI_HPM0_FPD": (
            (0xA000_0000, 0xAFFF_FFFF),
            (0x4_0000_0000, 0x4_FFFF_FFFF),
            (0x10_0000_0000, 0x47_FFFF_FFFF),
        ),
        "M_AXI_HPM1_FPD": (
            (0xB000_0000, 0xBFFF_FFFF),
            (0x5_0000_0000, 0x5_FFFF_FFFF),
            (0x48_0000_0000, 0x7F_FFFF_FFFF),
        ),
        "M_AXI_HPM0_LPD": ((0x8000_0000, 0x9FFF_FFFF),),
    },
    # AM011, "4 GB Processor System Address Map" and "16 TB NoC Interconnect Address Map"
    "versal_cips": {
        "M_AXI_FPD": ((0xA400_0000, 0xBFFF_FFFF), (0x4_0000_0000, 0x5_FFFF_FFFF)),
        "M_AXI_LPD": ((0x8000_0000, 0x9FFF_FFFF),),
    },
}
"""By type and master interface: first and last byte of each window.

What a Versal's NoC interfaces reach is configured in the NoC, outside of these windows (PG313).
"""
