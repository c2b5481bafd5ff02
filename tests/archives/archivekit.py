"""Archives, bitstreams and images as Vivado and Bootgen write them, made for the tests."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

NOOP = 0x20000000
SYNC = bytes.fromhex("ffffffff aa995566")


def example(name: str) -> bytes:
    return (EXAMPLES / name / f"{name}.hwh").read_bytes()


def sysdef(*files: tuple[str, ...], part: str = 'DEVICE="7z020" PACKAGE="clg400" SPEED="-1"') -> bytes:
    """Return a manifest; each file is (type, name) or (type, name, BD_TYPE)."""
    lines = [
        f'<File Type="{kind}" Name="{name}"{"".join(f""" BD_TYPE="{design}" """ for design in more)}/>'
        for kind, name, *more in files
    ]
    return (
        '<?xml version="1.0"?>\n<Project Version="1" Minor="0">\n'
        '<FULL_BUILD Name="SW Build 932637 on Wed Jun 11 2014"/>\n<MODE Name="Post-Bitstream"/>\n'
        f'<SYSTEMINFO BOARD="tul.com.tw:pynq-z2:part0:1.0" ARCH="zynq" {part}/>\n'
        + "\n".join(lines)
        + "\n</Project>\n"
    ).encode()


def archive(path: Path, members: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def packet(register: int, *words: int) -> bytes:
    """Return a packet of type 1 that writes (UG470, "Type 1 Packet")."""
    return struct.pack(f">{1 + len(words)}I", 0x30000000 | register << 13 | len(words), *words)


def configuration(idcode: int | None = 0x03727093, frames: int = 202, *, more: bytes = b"") -> bytes:
    """Return configuration data in the order in which Vivado writes them."""
    data = b"\xff" * 32 + bytes.fromhex("000000bb11220044") + SYNC
    data += struct.pack(">I", NOOP) + packet(4, 7) + struct.pack(">I", NOOP)
    if idcode is not None:
        data += packet(12, idcode)
    data += more
    # FDRI: the long form, a packet of type 2.
    data += struct.pack(">2I", 0x30004000, 0x50000000 | frames) + bytes(4 * frames)
    data += packet(0, 0x12345678) + packet(4, 13) + struct.pack(">4I", *[NOOP] * 4)
    return data


def bitfile(
    data: bytes | None = None, part: str = "7z020clg400", design: str = "top;UserID=0XFFFFFFFF;Version=2022.1"
) -> bytes:
    data = configuration() if data is None else data
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (("a", design), ("b", part), ("c", "2024/05/01"), ("d", "12:00:00")):
        field = text.encode() + b"\0"
        head += key.encode() + len(field).to_bytes(2, "big") + field
    return head + b"e" + len(data).to_bytes(4, "big") + data


def summed(words: Sequence[int]) -> bytes:
    """Return words with their checksum behind them (UG1283)."""
    return struct.pack(f"<{len(words) + 1}I", *words, ~sum(words) & 0xFFFFFFFF)


def pdi(
    idcode: int = 0x14CA8093,
    *,
    partial: bool = False,
    images: Sequence[tuple[str, int]] = (("pmc_subsys", 0x1C000001), ("pl_cfi", 0x18700000)),
) -> bytes:
    """Return a .pdi of 32-bit bus width, one partition of 64 bytes an image."""
    width = bytes.fromhex("dd000000 44332211 88776655 ccbbaa99")
    boot = b"" if partial else bytearray(0xF30)
    at = 16 + len(boot)
    if boot:
        struct.pack_into("<2I", boot, 0, 0xAA995566, 0x584C4E58)
        struct.pack_into("<I", boot, 0xC4 - 16, at)
    image_at, partition_at = at + 128, at + 128 + 64 * len(images)
    data_at = partition_at + 128 * len(images)
    table = [0x40000, len(images), image_at // 4, len(images), partition_at // 4, 0, idcode, 0, 2, 0]
    table += [0x50504449 if partial else 0x46504449] + [0] * 6 + [1] + [0] * 13
    headers = b""
    for index, (name, number) in enumerate(images):
        text = struct.unpack("<4I", name.encode().ljust(16, b"\0"))
        headers += summed([(partition_at + 128 * index) // 4, 1, 0, 0, *text, number] + [0] * 6)
    for index in range(len(images)):
        words = [16, 16, 16, 0, 0, 0, 0xF2000000, 0, (data_at + 64 * index) // 4, 2 << 24, 1, 0, 0x10 + index]
        headers += summed(words + [0] * (31 - len(words)))
    return width + bytes(boot) + summed(table) + headers + bytes(64 * len(images))
