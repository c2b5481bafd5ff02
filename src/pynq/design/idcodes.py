"""The devices that bitstreams name by their JTAG identification codes.

A code has four bits of version, 16 of device, 11 of manufacturer (0x49: Xilinx) and a 1 (IEEE 1149.1, "device
identification register"); the version is no matter here. What a bitstream holds is the code of the PL. A Zynq
UltraScale+ has another one for its PS (UG1085, "JTAG"), which tools show; both are here.

Sources: UG585, table "Zynq-7000 SoC device codes", as U-Boot's ``zynqpl.h`` has them; the table PART_NAME of
the UNISIM model ``SIM_CONFIGE3`` and bitstreams of Ultra96, K26 and ZCU104 for the PL of Zynq UltraScale+;
U-Boot's ``soc_xilinx_zynqmp`` for its PS; AMD's board programs for Versal. A code that is not here says
nothing.
"""

from __future__ import annotations

__all__ = ["devices_of"]

_VERSION = 0x0FFF_FFFF

_DEVICES: dict[int, tuple[str, ...]] = {
    # Zynq-7000
    0x0372_3093: ("7z007s",),
    0x0373_C093: ("7z012s",),
    0x0372_8093: ("7z014s",),
    0x0372_2093: ("7z010",),
    0x0373_B093: ("7z015",),
    0x0372_7093: ("7z020",),
    0x0372_C093: ("7z030",),
    0x0373_2093: ("7z035",),
    0x0373_1093: ("7z045",),
    0x0373_6093: ("7z100",),
    # Zynq UltraScale+: PL
    0x04A4_3093: ("zu2",),
    0x04A4_2093: ("zu3",),
    0x04A4_7093: ("zu4",),
    0x04A4_6093: ("zu5",),
    0x0484_B093: ("zu6",),
    0x04A5_A093: ("zu7",),
    0x0484_A093: ("zu9",),
    0x04A5_7093: ("zu17",),
    0x04A4_9093: ("k26",),
    # Zynq UltraScale+: PS
    0x0471_1093: ("zu2",),
    0x0471_0093: ("zu3",),
    0x0472_1093: ("zu4",),
    0x0472_0093: ("zu5",),
    0x0472_4093: ("k26",),
    0x0473_9093: ("zu6",),
    0x0473_0093: ("zu7",),
    0x0473_8093: ("zu9",),
    0x0474_0093: ("zu11",),
    0x0475_0093: ("zu15",),
    0x0475_9093: ("zu17",),
    0x0475_8093: ("zu19",),
    # RFSoC
    0x047E_1093: ("zu21",),
    0x047E_5093: ("zu25",),
    0x047E_4093: ("zu27",),
    0x047E_0093: ("zu28",),
    0x047E_2093: ("zu29",),
    0x047E_6093: ("zu39",),
    0x047F_D093: ("zu43",),
    0x047F_8093: ("zu46",),
    0x047F_F093: ("zu47",),
    0x047F_B093: ("zu48",),
    0x047F_E093: ("zu49",),
    # Versal
    0x04CA_8093: ("vc1902",),
    0x04CA_A093: ("vm1802",),
    0x04D0_0093: ("vp1202",),
    0x04D1_4093: ("vp1802",),
    0x04D2_8093: ("vh1582",),
}


def devices_of(idcode: int) -> tuple[str, ...]:
    """Return how the parts of a code's devices begin ("7z020", "zu7"), () for a code that is not known."""
    return _DEVICES.get(idcode & _VERSION, ())
