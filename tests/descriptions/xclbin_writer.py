"""Writes xclbin containers by XRT's public header ``xclbin.h``; any field may be what a test wants."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from uuid import UUID

UUID_OF_TESTS = UUID("9d2b1f6c-0f3e-4c69-8c2f-5b6f2f3a7d11")
KIND = {
    "BITSTREAM": 0,
    "EMBEDDED_METADATA": 2,
    "MEM_TOPOLOGY": 6,
    "CONNECTIVITY": 7,
    "IP_LAYOUT": 8,
    "CLOCK_FREQ_TOPOLOGY": 11,
    "BUILD_METADATA": 14,
    "KEYVALUE_METADATA": 15,
    "GROUP_TOPOLOGY": 26,
    "GROUP_CONNECTIVITY": 27,
}
HBM, DDR4, STREAM = 6, 1, 9

METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<project name="vadd">
  <platform vendor="xilinx" boardid="u50" name="gen3x16_xdma_5" featureRomTime="0">
    <version major="202210" minor="1"/>
    <board name="xilinx.com:au50:1.2" vendor="xilinx.com" fpga="xcu50-fsvh2104-2-e"/>
    <device name="fpga0" fpgaDevice="virtexuplusHBM:xcu50:fsvh2104:-2:e" addrWidth="0">
      <core name="OCL_REGION_0" target="bitstream" type="clc_region" clockFreq="0MHz" numComputeUnits="60">
        <kernelClocks>
          <clock port="KERNEL_CLK" frequency="500.000000MHz"/>
          <clock port="DATA_CLK" frequency="300.000000MHz"/>
        </kernelClocks>
        <kernel name="vadd" language="c" vlnv="example.org:hls:vadd:1.0" attributes="" hwControlProtocol="{protocol}">
          <port name="M_AXI_GMEM0" mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="512" portType="addressable" base="0x0"/>
          <port name="M_AXI_GMEM1" mode="master" range="0xFFFFFFFFFFFFFFFF" dataWidth="512" portType="addressable" base="0x0"/>
          <port name="S_AXI_CONTROL" mode="slave" range="{range}" dataWidth="32" portType="addressable" base="0x0"/>
          <arg name="a" addressQualifier="1" id="0" port="M_AXI_GMEM0" size="0x8" offset="0x10" hostOffset="0x0" hostSize="0x8" type="unsigned int const *"/>
          <arg name="b" addressQualifier="1" id="1" port="M_AXI_GMEM0" size="0x8" offset="0x1C" hostOffset="0x0" hostSize="0x8" type="unsigned int const *"/>
          <arg name="out" addressQualifier="1" id="2" port="M_AXI_GMEM1" size="0x8" offset="{out}" hostOffset="0x0" hostSize="0x8" type="unsigned int*"/>
          <arg name="n" addressQualifier="0" id="3" port="S_AXI_CONTROL" size="0x4" offset="0x34" hostOffset="0x0" hostSize="0x4" type="int"/>
          <instance name="vadd_1"><addrRemap base="0x800000" range="0x10000" port="S_AXI_CONTROL"/></instance>
          <instance name="vadd_2"><addrRemap base="0x810000" range="0x10000" port="S_AXI_CONTROL"/></instance>
        </kernel>
        <kernel name="source" language="ip" vlnv="example.org:kernel:source:1.0" hwControlProtocol="ap_ctrl_none">
          <port name="y" mode="write_only" range="" dataWidth="64" portType="stream" base=""/>
          <arg name="y" addressQualifier="4" id="0" port="y" size="0x0" offset="0x0" hostOffset="0x0" hostSize="0x8" type="stream"/>
          <instance name="source_1"/>
        </kernel>
        <kernel name="sink" language="ip" vlnv="example.org:kernel:sink:1.0" hwControlProtocol="user_managed">
          <port name="x" mode="read_only" range="" dataWidth="64" portType="stream" base=""/>
          <port name="s_axi_control" mode="slave" range="0x1000" dataWidth="32" portType="addressable" base="0x0"/>
          <arg name="x" addressQualifier="4" id="0" port="x" size="0x0" offset="0x0" hostOffset="0x0" hostSize="0x8" type="stream"/>
          <arg name="count" addressQualifier="0" id="1" port="s_axi_control" size="0x4" offset="0x10" hostSize="0x4" type="uint"/>
          <instance name="sink_1"><addrRemap base="0x820000" range="0x1000" port="s_axi_control"/></instance>
        </kernel>
        <connection srcType="kernel" srcInst="source_1" srcPort="y" dstType="kernel" dstInst="sink_1" dstPort="x"/>
      </core>
    </device>
  </platform>
</project>
"""  # noqa: E501  as v++ writes it


def metadata(protocol: str = "ap_ctrl_hs", range: str = "0x1000", out: str = "0x28") -> bytes:
    return METADATA.format(protocol=protocol, range=range, out=out).encode()


def memory(*banks: tuple[int, int, int, int, str], count: int | None = None) -> bytes:
    """``mem_topology`` of (type, used, KiB, base, tag)."""
    entries = b"".join(
        struct.pack("<BB6xQQ16s", kind, used, size, base, tag.encode())
        for kind, used, size, base, tag in banks
    )
    return struct.pack("<i4x", len(banks) if count is None else count) + entries


def layout(*ips: tuple[int, int, str], count: int | None = None) -> bytes:
    """``ip_layout`` of (type, base, name)."""
    entries = b"".join(struct.pack("<IIQ64s", kind, 0x3, base, name.encode()) for kind, base, name in ips)
    return struct.pack("<i4x", len(ips) if count is None else count) + entries


def connectivity(*entries: tuple[int, int, int]) -> bytes:
    """``connectivity`` of (argument, IP, memory)."""
    return struct.pack("<i", len(entries)) + b"".join(struct.pack("<iii", *entry) for entry in entries)


def clocks(*entries: tuple[int, int, str]) -> bytes:
    """``clock_freq_topology`` of (MHz, type, name)."""
    packed = b"".join(struct.pack("<HB5x128s", mhz, kind, name.encode()) for mhz, kind, name in entries)
    return struct.pack("<h", len(entries)) + packed


BANKS = (
    (HBM, 1, 256 << 10, 0x0, "HBM[0]"),
    (HBM, 1, 256 << 10, 0x1000_0000, "HBM[1]"),
    (HBM, 0, 256 << 10, 0x2000_0000, "HBM[2]"),
    (DDR4, 1, 16 << 20, 0x40_0000_0000, "bank0"),
)
IPS = (
    (1, 0x80_0000, "vadd:vadd_1"),
    (1, 0x81_0000, "vadd:vadd_2"),
    (1, 2**64 - 1, "source:source_1"),
    (1, 0x82_0000, "sink:sink_1"),
)
LINKS = ((0, 0, 0), (1, 0, 0), (2, 0, 1), (0, 1, 0), (1, 1, 0), (2, 1, 3))


def sections() -> dict[str, bytes]:
    """Those of a container with two adders and a stream, on a card with HBM and DDR."""
    return {
        "BITSTREAM": b"\xff" * 4096,
        "MEM_TOPOLOGY": memory(*BANKS),
        "CONNECTIVITY": connectivity(*LINKS),
        "IP_LAYOUT": layout(*IPS),
        "CLOCK_FREQ_TOPOLOGY": clocks((500, 2, "KERNEL_CLK"), (300, 1, "DATA_CLK")),
        "EMBEDDED_METADATA": metadata(),
        "GROUP_TOPOLOGY": memory(*BANKS, (HBM, 1, 512 << 10, 0x0, "HBM[0:1]")),
        "GROUP_CONNECTIVITY": connectivity((0, 0, 4), *LINKS[1:]),
    }


@dataclass
class Writer:
    """A container; ``places`` puts sections elsewhere than where they are: (offset, size) by number."""

    contents: list[tuple[str, bytes]] = field(default_factory=lambda: list(sections().items()))
    magic: bytes = b"xclbin2\0"
    mode: int = 0
    length: int | None = None
    count: int | None = None
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    mirror: bytes = b"XCLBIN_MIRROR_DATA_START{}XCLBIN_MIRROR_DATA_END"

    def bytes(self) -> bytes:
        start = 456 + 40 * len(self.contents)
        body, heads = b"", []
        for number, (kind, data) in enumerate(self.contents):
            body += bytes(-(start + len(body)) % 8)
            offset, size = self.places.get(number, (start + len(body), len(data)))
            heads.append(struct.pack("<I16s4xQQ", KIND.get(kind, 99), kind[:15].encode(), offset, size))
            body += data
        body += self.mirror
        total = start + len(body)
        return b"".join(
            (
                struct.pack("<8si28s256sQ", self.magic, -1, b"\xff" * 28, b"\xff" * 256, 0x5EED),
                struct.pack(
                    "<QQQHBBHH16s64s16s16sI4x",
                    total if self.length is None else self.length,
                    1_700_000_000,
                    0,
                    0,
                    2,
                    13,
                    self.mode,
                    0,
                    bytes(16),
                    b"xilinx_u50_gen3x16_xdma_base_5",
                    UUID_OF_TESTS.bytes,
                    b"",
                    len(self.contents) if self.count is None else self.count,
                ),
                *heads,
                body,
            )
        )


def container(**changes: bytes | None) -> bytes:
    """The container of :func:`sections` with some sections replaced, or left out (None)."""
    whole: dict[str, bytes | None] = {**sections(), **changes}
    return Writer([(kind, data) for kind, data in whole.items() if data is not None]).bytes()
