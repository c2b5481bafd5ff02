"""Files that configure the PL, as Vivado and Bootgen write them: ``.bit``, ``.bin`` and ``.pdi``.

A ``.bit`` is a header of tagged fields before the configuration data (its form was never published, but has
not changed since the nineties). The FPGA managers of Zynq-7000 and Zynq UltraScale+ take the data alone,
with every word of 32 bits the other way round than Vivado writes it (drivers/fpga/zynq-fpga.c looks for the
sync word 66 55 99 aa; UG1137, "XilFPGA": the same form, as Bootgen writes it). Versal takes a ``.pdi`` as it
is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pynq.design.bounded import opened
from pynq.design.configdata import SYNC, find_sync
from pynq.design.model import Processor
from pynq.errors import DesignError, Problem

__all__ = ["Bitfile", "image_for", "image_of", "parse_bitfile", "read_bitfile", "turned"]

_MAX_FIELD = 4096
_TEXTS = {0x61: "design", 0x62: "part", 0x63: "date", 0x64: "time"}  # "a" to "d"
_DATA = 0x65  # "e"


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

    def option(self, name: str) -> str:
        """Return the value of an option ("Version", "UserID"), "" for one that is not there."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key.strip().upper() == name.upper():
                return value.strip()
        return ""

    @property
    def partial(self) -> bool:
        """Whether it is for a region of a design (Vivado writes "PARTIAL=TRUE")."""
        return self.option("PARTIAL").upper() == "TRUE"

    @property
    def compressed(self) -> bool:
        """Whether Vivado has compressed it ("COMPRESS=TRUE")."""
        return self.option("COMPRESS").upper() == "TRUE"

    @property
    def encrypted(self) -> bool:
        """Whether Vivado has encrypted it ("ENCRYPT=YES")."""
        return self.option("ENCRYPT").upper() == "YES"


def read_bitfile(file: str | os.PathLike[str]) -> Bitfile:
    """Read a ``.bit``.

    Raises :class:`~pynq.errors.DesignNotFoundError` where there is none, and
    :class:`~pynq.errors.DesignError` for one that is none, or is cut off; the message says where.
    """
    name = os.fspath(file)
    with opened(name) as stream:
        return parse_bitfile(stream.read(), name)


def parse_bitfile(contents: bytes, name: str, *, head: bool = False) -> Bitfile:
    """Do the same with a file's contents; ``name`` is what errors call it.

    ``head``: they are the beginning of a file, and ``data`` is what there is of them.
    """

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
    if head:
        size = min(size, len(contents) - position - 4)
        contents = contents[: position + 4 + size]
    data = take(position + 4, size, "the data")
    if len(contents) != position + 4 + size:
        raise refuse(position, f"{len(contents) - position - 4 - size} bytes follow the {size} of the data")
    design, *options = texts["design"].split(";")
    return Bitfile(design, tuple(options), texts["part"], texts["date"], texts["time"], data)


def image_for(file: str | os.PathLike[str], processor: Processor | None) -> bytes:
    """Return what the FPGA manager of a family takes of a ``.bit``, ``.bin`` or ``.pdi``.

    ``.pdi`` and Bootgen's ``.bin`` are right as they are; Vivado's ``.bin``, whose words are the other way
    round, is turned. ``processor`` None: nothing is changed but the header of a ``.bit`` taken off.

    Raises :class:`~pynq.errors.DesignNotFoundError` where there is none, and
    :class:`~pynq.errors.DesignError` for a file that the family can't load.
    """
    with opened(file) as stream:
        return image_of(stream.read(), os.fspath(file), processor)


def image_of(contents: bytes, name: str, processor: Processor | None) -> bytes:
    """Do the same with a file's contents; the ending of ``name`` tells the kind."""
    suffix = Path(name).suffix.lower()

    def refuse(what: str) -> DesignError:
        return DesignError([Problem(name, 0, what)])

    if processor is Processor.VERSAL and suffix != ".pdi":
        raise refuse(f"a Versal is configured with a .pdi, not with {suffix or 'this'}")
    if processor is not Processor.VERSAL and suffix == ".pdi" and processor is not None:
        raise refuse(f"a .pdi is for Versal; {processor.value} is configured with .bit or .bin")
    if suffix == ".bit":
        data = parse_bitfile(contents, name).data
        turn = processor is not None
    else:
        data = contents
        # Vivado's .bin (write_bitstream -bin_file) and Bootgen's differ in this only.
        at = find_sync(data) if processor is not None and suffix == ".bin" else None
        turn = at is not None and data[at : at + 4] == SYNC
    if not data:
        raise refuse("the file holds no configuration data")
    if not turn:
        return data
    if len(data) % 4:
        raise refuse(f"{len(data)} bytes of configuration data are no whole words")
    return turned(data)


def turned(data: bytes) -> bytes:
    """Return configuration data with every word of 32 bits the other way round."""
    return bytes(np.frombuffer(data, "<u4").byteswap().tobytes())
