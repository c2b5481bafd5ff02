"""Headers of a ``.pdi``, the programmable device image of Versal.

Its form is that of UG1283, "Versal Adaptive SoC Boot Image Format", and of the structures of AMD's Bootgen
(``bootheader-versal.h``, ``imageheadertable-versal.h``, ``partitionheadertable-versal.h``): four words for
the width of the bus, the boot header (none in a partial image), the image header table with the device's
code, then headers of images and of their partitions. Words are little-endian; addresses in headers count
words of four bytes from the file's beginning.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pynq.errors import DesignError, Problem

__all__ = ["Image", "Partition", "Pdi", "begins_whole", "read_pdi"]

_WIDTH_WORDS = (  # UG1283, "SMAP bus width": for 32, 16 and 8 bits
    bytes.fromhex("dd000000 44332211 88776655 ccbbaa99"),
    bytes.fromhex("0000dd00 22114433 66558877 aa99ccbb"),
    bytes.fromhex("000000dd 11223344 55667788 99aabbcc"),
)
_BOOT = 0x584C_4E58  # "XNLX", the second word of the boot header
_BOOT_AT = 0x14
_ENCRYPTION_AT = 0x18
_TABLE_AT = 0xC4  # in the boot header: where the image header table is
_TABLE, _IMAGE, _PARTITION = 128, 64, 128  # bytes
_PARTIAL = 0x5050_4449  # "PPDI"
_MAX_IMAGES = _MAX_PARTITIONS = 256  # AMD's loader takes 32
#: PartitionType in Bootgen's ``bootgenenum.h``.
_TYPES = {1: "elf", 2: "cdo", 3: "cfi", 4: "raw", 5: "raw elf", 6: "cfi gsc", 7: "cfi gsc unmask"}


class Partition(NamedTuple):
    """A piece of an image: its number, kind, place in the file and size in bytes, and where it is loaded."""

    number: int
    kind: str  # "elf", "cdo", "cfi" ...; "type 0" for a reserved one
    offset: int
    size: int
    load: int
    encrypted: bool


class Image(NamedTuple):
    """A subsystem's part of the file."""

    name: str
    number: int
    partitions: tuple[Partition, ...]


class Pdi(NamedTuple):
    """What the headers say. ``images`` is empty where they are enciphered."""

    version: str
    idcode: int
    extended_idcode: int
    partial: bool
    encrypted: bool
    number: int
    images: tuple[Image, ...]


def begins_whole(head: bytes) -> bool:
    """Whether a file's beginning is that of a whole image: one with a boot header."""
    return head[_BOOT_AT : _BOOT_AT + 4] == _BOOT.to_bytes(4, "little")


def read_pdi(data: bytes, name: str) -> Pdi:
    """Read the headers of a ``.pdi``; ``name`` is what errors call it.

    Raises :class:`~pynq.errors.DesignError` for one that is none, is cut off, or whose headers' checksums
    are wrong; the message says where.
    """

    def refuse(at: int, what: str) -> DesignError:
        return DesignError([Problem(name, 0, f"at byte {at:#x}: {what}; build the image anew")])

    def words(at: int, count: int, what: str) -> tuple[int, ...]:
        if at < 0 or at + 4 * count > len(data):
            raise refuse(at, f"{what} has {4 * count} bytes, but the file has {len(data)}")
        return struct.unpack_from(f"<{count}I", data, at)

    def checked(at: int, size: int, what: str) -> tuple[int, ...]:
        found = words(at, size // 4, what)
        wanted = ~sum(found[:-1]) & 0xFFFF_FFFF
        if found[-1] != wanted:
            raise refuse(at, f"the checksum of {what} is {found[-1]:#010x}, its words give {wanted:#010x}")
        return found

    start = 16 if data[:16] in _WIDTH_WORDS else 0
    if start and data[:16] != _WIDTH_WORDS[0]:
        raise refuse(0, "it is for a bus of 8 or 16 bits; AMD's loader takes those of 32")
    whole = begins_whole(data)
    encrypted = whole and words(_ENCRYPTION_AT, 1, "the boot header")[0] != 0
    at = words(_TABLE_AT, 1, "the boot header")[0] if whole else start
    if not whole and not (start and len(data) >= start + _TABLE):
        raise refuse(0, "this is no .pdi: it begins neither with a boot header nor with a partial image's")
    table = checked(at, _TABLE, "the image header table")
    version, images, image_at, partitions, partition_at, _, idcode = table[:7]
    kind = table[10]
    if whole and kind == _PARTIAL:
        raise refuse(at + 40, "the table of a partial image follows a boot header")
    if images > _MAX_IMAGES or partitions > _MAX_PARTITIONS:
        raise refuse(at, f"{images} images with {partitions} partitions, more than {_MAX_IMAGES}")
    # Table and headers are enciphered together, but for the table itself.
    secret = table[16] != 0
    found: list[Image] = []
    if not secret:
        pieces = [
            _partition(
                checked(4 * partition_at + index * _PARTITION, _PARTITION, f"partition header {index}")
            )
            for index in range(partitions)
        ]
        for index in range(images):
            here = 4 * image_at + index * _IMAGE
            header = checked(here, _IMAGE, f"image header {index}")
            text = data[here + 16 : here + 32].rstrip(b"\0").decode("ascii", "replace")
            # The first header's place is in words; what counts is how many each image has.
            first = (header[0] - partition_at) * 4 // _PARTITION
            if first < 0 or first + header[1] > partitions:
                raise refuse(
                    here,
                    f"image {text!r} has the partitions {first} to {first + header[1] - 1} of {partitions}",
                )
            found.append(Image(text, header[8], tuple(pieces[first : first + header[1]])))
        for image in found:
            for piece in image.partitions:
                if piece.offset + piece.size > len(data):
                    raise refuse(
                        piece.offset,
                        f"partition {piece.number:#x} of {image.name!r} has {piece.size} bytes, but the file "
                        f"has {len(data)}",
                    )
    return Pdi(
        f"{version >> 16}.{version & 0xFFFF}",
        idcode,
        table[17] & 0x3F,
        not whole,
        encrypted or secret or any(piece.encrypted for image in found for piece in image.partitions),
        table[8],
        tuple(found),
    )


def _partition(header: tuple[int, ...]) -> Partition:
    attributes = header[9]
    return Partition(
        header[12],
        _TYPES.get(attributes >> 24 & 7, f"type {attributes >> 24 & 7}"),
        4 * header[8],
        4 * header[2],
        header[6] | header[7] << 32,
        header[17] != 0,
    )
