"""The devices that bitstreams name by their JTAG identification codes.

A code has four bits of version, 16 of device, 11 of manufacturer (0x49: Xilinx) and a 1 (IEEE 1149.1, "device
identification register"); the version is no matter here. What a bitstream holds is the code of the PL. A Zynq
UltraScale+ has another one for its PS (UG1085, "JTAG"), which tools show; both are here.

Sources. Zynq-7000: UG585, as U-Boot's ``zynqpl.h`` has it. PL of Zynq UltraScale+: the UNISIM model
``SIM_CONFIGE3`` (PART_NAME), UG570's table of the Kintex parts (with the code of a Zynq of the same die), and
two part tables of public programs that agree (``x7_bitstream`` of fpga_sio, the JTAG table of a Rust program
that has ``xck24``); bitstreams of Ultra96, K26 and ZCU104 agree, too. UNISIM's zu6 differs from the other
tables: both codes are here. PS of Zynq UltraScale+: U-Boot's ``soc_xilinx_zynqmp``, and for zu3t, zu42, zu63
to zu65 those tables alone. Versal: that JTAG table; AMD's board programs (vc1902, vm1802, vp1202, vp1802) and
the fields in ``xpm_common_plat.h`` of its platform firmware (vc1702, ve1752, vr1602, ve2302, vm1102) agree.
A code that is not here says nothing.
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
    0x0482_6093: ("zu1",),
    0x04A4_3093: ("zu2",),
    0x04A4_2093: ("zu3",),
    0x04AF_2093: ("zu3t",),
    0x04A4_7093: ("zu4",),
    0x04A4_6093: ("zu5",),
    0x0484_B093: ("zu6",),
    0x04A4_B093: ("zu6",),
    0x04A5_A093: ("zu7",),
    0x0484_A093: ("zu9", "ku9p"),
    0x04A4_E093: ("zu11", "ku11p"),
    0x04A5_2093: ("zu15", "ku13p"),
    0x04A5_7093: ("zu17",),
    0x04A5_6093: ("zu19", "ku15p"),
    0x04A4_4093: ("k24",),
    0x04A4_9093: ("k26",),
    0x04A5_C093: ("u30",),
    # Zynq UltraScale+: PS
    0x0468_8093: ("zu1",),
    0x0471_1093: ("zu2",),
    0x0471_0093: ("zu3",),
    0x0471_8093: ("zu3t",),
    0x0472_1093: ("zu4",),
    0x0472_0093: ("zu5",),
    0x0471_4093: ("k24",),
    0x0472_4093: ("k26",),
    0x0473_9093: ("zu6",),
    0x0473_0093: ("zu7",),
    0x0473_8093: ("zu9",),
    0x0474_0093: ("zu11",),
    0x0475_0093: ("zu15",),
    0x0475_9093: ("zu17",),
    0x0475_8093: ("zu19",),
    # RFSoC: PL
    0x04A8_3093: ("zu21",),
    0x04A8_7093: ("zu25",),
    0x04A8_6093: ("zu27",),
    0x04A8_2093: ("zu28",),
    0x04A8_4093: ("zu29",),
    0x04A8_8093: ("zu39",),
    0x04AD_A093: ("zu42",),
    0x04AA_7093: ("zu43",),
    0x04AA_2093: ("zu46",),
    0x04AA_9093: ("zu47",),
    0x04AA_5093: ("zu48",),
    0x04AA_8093: ("zu49",),
    0x04AD_8093: ("zu55",),
    0x04AD_9093: ("zu57",),
    0x04AA_3093: ("zu58",),
    0x04AA_6093: ("zu59",),
    0x04AD_B093: ("zu63",),
    0x04AD_C093: ("zu64",),
    0x04AD_7093: ("zu65",),
    0x04AD_6093: ("zu67",),
    # RFSoC: PS
    0x047E_1093: ("zu21",),
    0x047E_3093: ("zu23",),
    0x047E_5093: ("zu25",),
    0x047E_4093: ("zu27",),
    0x047E_0093: ("zu28",),
    0x047E_2093: ("zu29",),
    0x047E_6093: ("zu39",),
    0x046D_4093: ("zu42",),
    0x047F_D093: ("zu43",),
    0x047F_8093: ("zu46",),
    0x047F_F093: ("zu47",),
    0x047F_B093: ("zu48",),
    0x047F_E093: ("zu49",),
    0x046D_5093: ("zu63",),
    0x046D_6093: ("zu64",),
    0x046D_1093: ("zu65",),
    0x046D_0093: ("zu67",),
    # Versal
    0x04C0_8093: ("vm1402",),
    0x04C0_9093: ("vm1302",),
    0x04C1_8093: ("vp1052",),
    0x04C1_B093: ("vp1002",),
    0x04C2_0093: ("vp1402",),
    0x04C2_2093: ("vp1102",),
    0x04C2_3093: ("vm2902",),
    0x04C2_4093: ("vm2302",),
    0x04C4_0093: ("vp1902",),
    0x04C6_0093: ("vm2152",),
    0x04C9_8093: ("vc1702",),
    0x04C9_9093: ("vm1502",),
    0x04C9_A093: ("ve1752",),
    0x04C9_B093: ("vc1502",),
    0x04CA_5093: ("vr1602",),
    0x04CA_6093: ("vr1652",),
    0x04CA_8093: ("vc1902",),
    0x04CA_9093: ("vc1802",),
    0x04CA_A093: ("vm1802",),
    0x04CC_0093: ("ve2102",),
    0x04CC_1093: ("ve2002",),
    0x04CC_8093: ("ve2302",),
    0x04CC_9093: ("ve2202",),
    0x04CC_A093: ("vm1102",),
    0x04CD_0093: ("vc2802",),
    0x04CD_1093: ("vc2602",),
    0x04CD_2093: ("ve2602",),
    0x04CD_3093: ("ve2802",),
    0x04CD_4093: ("vm2202",),
    0x04D0_0093: ("vp1202",),
    0x04D0_1093: ("vm2502",),
    0x04D0_8093: ("vp1502",),
    0x04D1_0093: ("vp1702",),
    0x04D1_4093: ("vp1802",),
    0x04D1_C093: ("vp2502",),
    0x04D2_0093: ("vp2802",),
    0x04D2_8093: ("vh1582",),
    0x04D2_9093: ("vh1542",),
    0x04D2_A093: ("vh1522",),
    0x04D2_C093: ("vh1782",),
    0x04D2_D093: ("vh1742",),
    0x04D2_F093: ("v80",),
    0x04D3_4093: ("vp1552",),
    0x04DA_9093: ("2ve3558",),
    0x04DA_B093: ("2ve3504",),
    0x04DA_C093: ("2vm3558",),
    0x04DB_0093: ("2ve3858",),
    0x04DB_1093: ("2ve3804",),
    0x04DB_2093: ("2vm3858",),
}


def devices_of(idcode: int) -> tuple[str, ...]:
    """Return how the parts of a code's devices begin ("7z020", "zu7"), () for a code that is not known."""
    return _DEVICES.get(idcode & _VERSION, ())
