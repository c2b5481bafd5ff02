"""What configuration data say of themselves, read from their packets.

Behind the sync word there are packets (7 series: UG470, "Configuration Packets"; UltraScale and UltraScale+:
UG570, same title): a word of type 1 names a register and how many words follow, one of type 2 a larger number
for the same register. The walk ends where the data say that they end (DESYNC), where they are enciphered, or
at :data:`MAX_PACKETS`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["MAX_PACKETS", "SWAPPED_SYNC", "SYNC", "Configuration", "find_sync", "walk"]

SYNC = bytes.fromhex("aa995566")  # UG470, UG570: "Sync word"
SWAPPED_SYNC = SYNC[::-1]
MAX_PACKETS = 1_000_000
"""Most packets that are looked at; a compressed bitstream of the largest Zynq has 200,000."""
_SYNC_WITHIN = 4096  # bytes: bus width detection and dummy words come before it

# UG470, "Configuration Registers"; UG570 has the same.
_CRC, _FDRI, _CMD, _MFWR, _CBC, _IDCODE, _AXSS = 0, 2, 4, 10, 11, 12, 13
_DESYNC = 13  # code of the command register
_WRITE = 2


class Configuration(NamedTuple):
    """What a walk found.

    ``swapped``: every word is the other way round than Vivado writes it. ``idcode``: what is written to the
    register IDCODE, None where nothing is. ``frame_words``: words of frame data (FDRI). ``compressed``:
    frames are written several times (MFWR). ``encrypted``: what follows is enciphered (CBC). ``crc``: the
    checksums that the device compares with its own. ``usr_access``: what is written to AXSS. ``end``:
    "desync", "data" (they end without), "cipher", "packets" (too many), or "damage" at byte ``at``.
    """

    sync: int  # byte of the sync word
    swapped: bool
    idcode: int | None
    frame_words: int
    compressed: bool
    encrypted: bool
    crc: tuple[int, ...]
    usr_access: int | None
    packets: int
    end: str
    at: int  # byte where the walk ended


def find_sync(data: bytes) -> int | None:
    """Return the byte at which the sync word is, whichever way round; None where there is none."""
    found = [at for word in (SYNC, SWAPPED_SYNC) if (at := data.find(word, 0, _SYNC_WITHIN)) >= 0]
    return min(found, default=None)


def walk(data: bytes, limit: int = MAX_PACKETS) -> Configuration | None:
    """Walk through up to ``limit`` packets of configuration data; None where there is no sync word.

    Data that are cut off or damaged are told of in ``end``, not raised: they may be of a family whose
    packets are not known here.
    """
    sync = find_sync(data)
    if sync is None:
        return None
    swapped = data[sync : sync + 4] == SWAPPED_SYNC
    word = struct.Struct("<I" if swapped else ">I").unpack_from
    end = len(data) - 3
    at, register, packets = sync + 4, -1, 0
    idcode = usr_access = None
    frames, compressed, encrypted = 0, False, False
    crc: list[int] = []
    why = "data"
    while at < end:
        if packets == limit:
            why = "packets"
            break
        header = word(data, at)[0]
        kind = header >> 29
        if kind == 1:
            register, count = header >> 13 & 0x3FFF, header & 0x7FF
        elif kind == 2 and register >= 0:
            count = header & 0x7FF_FFFF
        else:
            why = "damage"
            break
        packets += 1
        first = at + 4
        if first + 4 * count > len(data):
            why = "damage"
            break
        if header >> 27 & 3 == _WRITE:
            value = word(data, first)[0] if count else None
            if register == _FDRI:
                frames += count
            elif register == _MFWR and count:
                compressed = True
            elif register == _IDCODE and idcode is None:
                idcode = value
            elif register == _AXSS and value is not None:
                usr_access = value
            elif register == _CRC and value is not None and len(crc) < 100:
                crc.append(value)
            elif register == _CBC and count:
                encrypted, why = True, "cipher"
                break
            elif register == _CMD and value == _DESYNC:
                why = "desync"
                at = first + 4 * count
                break
        at = first + 4 * count
    return Configuration(
        sync, swapped, idcode, frames, compressed, encrypted, tuple(crc), usr_access, packets, why, at
    )
