"""Files that configure the PL, as Vivado and Bootgen write them: ``.bit``, ``.bin`` and ``.pdi``.

A ``.bit`` is a header of tagged fields before the configuration data (its form was never published, but has
not changed since the nineties). The FPGA managers of Zynq-7000 and Zynq UltraScale+ take the data alone,
with every word of 32 bits the other way round than Vivado writes it (drivers/fpga/zynq-fpga.c looks for the
sync word 66 55 99 aa; UG1137, "XilFPGA": the same form, as Bootgen writes it). Versal takes a ``.pdi`` as it
is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pynq.design.model import Design, Processor
from pynq.errors import DesignError, Problem

__all__ = ["Bitfile", "image_for", "mismatch", "read_bitfile"]

_SYNC = bytes.fromhex("aa995566")  # UG570, "Sync word"
_SWAPPED_SYNC = _SYNC[::-1]
_SYNC_WITHIN = 4096  # bytes: bus width detection and dummy words come before it
_MAX_FIELD = 4096
_TEXTS = {0x61: "design", 0x62: "part", 0x63: "date", 0x64: "time"}  # "a" to "d"
_DATA = 0x65  # "e"
_BUILD = "build it for this board"


class Bitfile(NamedTuple):
    """What a ``.bit`` says of itself, and its configuration data as Vivado wrote them.

    ``design`` is the name of the top module, ``options`` what follows it ("UserID=0XFFFFFFFF",
    "Version=2022.1"), ``part`` without its "xc" on older devices ("7z020clg400").
    """

    design: str
    options: tuple[str, ...]
    part: str
    date: str
    time: str
    data: bytes

    @property
    def partial(self) -> bool:
        """Whether it is for a region of a design (Vivado writes "PARTIAL=TRUE")."""
        return any(option.upper().replace(" ", "") == "PARTIAL=TRUE" for option in self.options)

    @property
    def encrypted(self) -> bool:
        """Whether Vivado has encrypted it ("ENCRYPT=YES")."""
        return any(option.upper().replace(" ", "") == "ENCRYPT=YES" for option in self.options)


def read_bitfile(file: str | os.PathLike[str]) -> Bitfile:
    """Read a ``.bit``.

    Raises :class:`~pynq.errors.DesignError` for one that is none, or is cut off; the message says where.
    """
    name = os.fspath(file)
    return _parse(Path(name).read_bytes(), name)


def _parse(contents: bytes, name: str) -> Bitfile:
    def refuse(where: int, what: str) -> DesignError:
        return DesignError(
            [Problem(name, 0, f"at byte {where}: {what}; write the bitstream anew with Vivado")]
        )

    def take(where: int, size: int, what: str) -> bytes:
        if where + size > len(contents):
            raise refuse(where, f"{what} has {size} bytes, but the file ends after {len(contents) - where}")
        return contents[where : where + size]

    magic = int.from_bytes(take(0, 2, "a .bit's first field"), "big")
    if magic != 9:
        raise refuse(0, f"this is no .bit: its first field has {magic} bytes instead of 9")
    position = 2 + magic + 2
    texts = dict.fromkeys(_TEXTS.values(), "")
    while True:
        key = take(position, 1, "a field's key")[0]
        position += 1
        if key == _DATA:
            break
        if key not in _TEXTS:
            raise refuse(position - 1, f"a field with the key 0x{key:02x}, where a to e are allowed")
        size = int.from_bytes(take(position, 2, "a field's length"), "big")
        if size > _MAX_FIELD:
            raise refuse(position, f"the field {_TEXTS[key]} has {size} bytes")
        text = take(position + 2, size, f"the field {_TEXTS[key]}")
        texts[_TEXTS[key]] = text.rstrip(b"\0").decode("ascii", "replace")
        position += 2 + size
    size = int.from_bytes(take(position, 4, "the data's length"), "big")
    data = take(position + 4, size, "the data")
    if len(contents) != position + 4 + size:
        raise refuse(position, f"{len(contents) - position - 4 - size} bytes follow the {size} of the data")
    design, *options = texts["design"].split(";")
    return Bitfile(design, tuple(options), texts["part"], texts["date"], texts["time"], data)


def image_for(file: str | os.PathLike[str], processor: Processor | None) -> bytes:
    """Return what the FPGA manager of a family takes of a ``.bit``, ``.bin`` or ``.pdi``.

    ``.pdi`` and Bootgen's ``.bin`` are right as they are; Vivado's ``.bin``, whose words are the other way
    round, is turned. ``processor`` None: nothing is changed but the header of a ``.bit`` taken off.

    Raises :class:`~pynq.errors.DesignError` for a file that the family can't load.
    """
    path = Path(file)
    suffix = path.suffix.lower()
    if processor is Processor.VERSAL and suffix != ".pdi":
        raise DesignError(
            [Problem(str(path), 0, f"a Versal is configured with a .pdi, not with {suffix or 'this'}")]
        )
    if processor is not Processor.VERSAL and suffix == ".pdi" and processor is not None:
        raise DesignError(
            [
                Problem(
                    str(path), 0, f"a .pdi is for Versal; {processor.value} is configured with .bit or .bin"
                )
            ]
        )
    if suffix == ".bit":
        data = read_bitfile(path).data
        turn = processor is not None
    else:
        data = path.read_bytes()
        # Vivado's .bin (write_bitstream -bin_file) and Bootgen's differ in this only.
        turn = processor is not None and suffix == ".bin" and _sync(data) == _SYNC
    if not data:
        raise DesignError([Problem(str(path), 0, "the file holds no configuration data")])
    if not turn:
        return data
    if len(data) % 4:
        raise DesignError(
            [Problem(str(path), 0, f"{len(data)} bytes of configuration data are no whole words")]
        )
    return bytes(np.frombuffer(data, "<u4").byteswap().tobytes())


def _sync(data: bytes) -> bytes | None:
    """Return the first sync word of an image, whichever way round, None where there is none."""
    for start in range(0, min(len(data), _SYNC_WITHIN), 4):
        if data[start : start + 4] in (_SYNC, _SWAPPED_SYNC):
            return data[start : start + 4]
    return None


def mismatch(file: str | os.PathLike[str], design: Design, board: str = "") -> str:
    """Return why a bitstream is not for a design's part, or not for a board's; "" where nothing says so.

    ``board`` is the device that the board has ("7z020", "zu7ev", "k26"), "" where that is unknown. Only a
    ``.bit`` names its part.
    """
    if Path(file).suffix.lower() == ".bit":
        part = read_bitfile(file).part
        if part and design.device and not _same(part, design.device):
            return (
                f"{os.fspath(file)} is for part {part}, its description {design.file} for {design.part}: "
                "they are of different builds"
            )
        if part and board and not _same(part, board):
            return f"{os.fspath(file)} is for part {part}, this board has {_plain(board)}: {_BUILD}"
    if board and design.device and not _same(design.device, board):
        return f"{design.file} is for part {design.part}, this board has {_plain(board)}: {_BUILD}"
    return ""


def _plain(part: str) -> str:
    """Return a part without its family's beginning: "xc7z020clg400-1" -> "7z020clg400-1"."""
    return re.sub(r"^(xc|xa|xq|xqr)(?=[7kuv])", "", part.lower().strip())


def _same(part: str, device: str) -> bool:
    """Say whether a part is such a device, in one of its packages."""
    rest = _plain(part)
    wanted = _plain(device)
    if not rest.startswith(wanted):
        return False
    rest = rest[len(wanted) :]
    return not rest or rest[0] == "-" or not rest[0].isdigit()
