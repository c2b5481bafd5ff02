"""What a bitstream is for: its facts, and whether it fits a design and a board.

``.bit`` has a header that names its part (:mod:`pynq.design.bitfile`), ``.bin`` is configuration data alone
(:mod:`pynq.design.configdata`), ``.pdi`` is Versal's (:mod:`pynq.design.pdi`). The last two name their device
by an identification code (:mod:`pynq.design.idcodes`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from pynq.design.bitfile import parse_bitfile
from pynq.design.configdata import Configuration, walk
from pynq.design.idcodes import devices_of
from pynq.design.model import Design, Processor
from pynq.design.pdi import Pdi, begins_whole, read_pdi

__all__ = [
    "SUFFIXES",
    "Identity",
    "describe",
    "family_of",
    "identify",
    "is_partial",
    "misfit",
    "same_device",
]

SUFFIXES = (".bit", ".bin", ".pdi")
_FIRST_PACKETS = 1000  # the identification code is among the first fifty
_FAMILIES = (
    (Processor.ZYNQ, "7z"),
    (Processor.ZYNQMP, "zu|k2[46]|u30"),
    (Processor.VERSAL, "v[cmehpr][0-9]{4}|2v[em]"),
)
_BUILD = "build it for this board"
_ENDS = {
    "data": "the configuration data end without DESYNC: the file may be cut off",
    "packets": "the configuration data have more packets than are looked at",
    "damage": "at byte {at} of the configuration data there is no packet: they are damaged",
}


class Identity(NamedTuple):
    """What a bitstream is for.

    ``part`` as Vivado writes it, "" where the file has none; ``devices`` how the parts begin that its
    identification code stands for, () where that is unknown. ``partial`` is None where nothing tells.
    """

    part: str
    idcode: int | None
    devices: tuple[str, ...]
    partial: bool | None
    encrypted: bool

    @property
    def label(self) -> str:
        """What messages say that it is for: "part 7z020clg400"; "" where nothing tells."""
        if self.part:
            return f"part {self.part}"
        if self.devices and self.idcode is not None:
            return f"device {' or '.join(self.devices)} (IDCODE {self.idcode:#010x})"
        return ""

    def fits(self, device: str) -> bool:
        """Whether it can be for a device or part ("7z020", "xczu7ev-ffvc1156-2-e"); True where unknown."""
        if self.part:
            return same_device(self.part, device)
        return not self.devices or any(same_device(device, one) for one in self.devices)


def identify(data: bytes, name: str) -> Identity:
    """Tell what a bitstream is for, by its contents and the ending of its name.

    Raises :class:`~pynq.errors.DesignError` for a ``.bit`` or ``.pdi`` that is none. A ``.bin`` may hold
    anything (an encrypted image): it then says nothing.
    """
    suffix = Path(name).suffix.lower()
    if suffix == ".bit":
        file = parse_bitfile(data, name)
        return Identity(file.part, None, (), file.partial, file.encrypted)
    if suffix == ".pdi":
        pdi = read_pdi(data, name)
        return Identity("", pdi.idcode, devices_of(pdi.idcode), pdi.partial, pdi.encrypted)
    found = walk(data, _FIRST_PACKETS)
    if found is None or found.idcode is None:
        return Identity("", None, (), None, False)
    return Identity("", found.idcode, devices_of(found.idcode), None, found.encrypted)


def is_partial(head: bytes, name: str) -> bool:
    """Whether a ``.bit`` or ``.pdi`` is for a region, by some thousand bytes of its beginning.

    Raises :class:`~pynq.errors.DesignError` for a ``.bit`` that is none.
    """
    if name.lower().endswith(".bit"):
        return parse_bitfile(head, name, head=True).partial
    return not begins_whole(head)


def misfit(
    name: str, image: Identity, design: Design, board: str = "", *, partial: bool | None = None
) -> str:
    """Return why a bitstream is not for a design's part, or not for a board's; "" where nothing says so.

    Args:
        name: what the message calls the bitstream.
        image: what it is for.
        design: its description.
        board: the device that the board has ("7z020", "zu7ev", "k26"), "" where that is unknown.
        partial: whether it is to be loaded into a region; None: that is no matter.
    """
    if image.label and design.device and not image.fits(design.device):
        return (
            f"{name} is for {image.label}, its description {design.file} for {design.part}: they are of "
            "different builds"
        )
    if image.label and board and not image.fits(board):
        return f"{name} is for {image.label}, this board has {_plain(board)}: {_BUILD}"
    if board and design.device and not same_device(design.device, board):
        return f"{design.file} is for part {design.part}, this board has {_plain(board)}: {_BUILD}"
    if image.partial is not None and partial is not None and image.partial != partial:
        how = (
            "is partial: load it into its region (Overlay.pr_download)"
            if image.partial
            else "is no partial one"
        )
        return f"{name} {how}"
    return ""


def family_of(image: Identity) -> Processor | None:
    """Return the family that a bitstream is for; None where nothing tells, or for one without a PS."""
    for device in (image.part,) if image.part else image.devices:
        for family, begins in _FAMILIES:
            if re.match(begins, _plain(device)):
                return family
    return None


def describe(data: bytes, name: str) -> dict[str, Any]:
    """Return the facts of a bitstream, as JSON can say them; ``name`` tells the kind by its ending.

    Keys: ``file``, ``kind`` ("bit", "bin", "pdi"), ``size`` (bytes), ``part``, ``idcode`` (text), ``devices``
    (how their parts begin), ``partial``, ``compressed``, ``encrypted`` (None where nothing tells), ``notes``;
    of a ``.bit`` also ``design``, ``options``, ``user_id``, ``version``, ``sw_crc``, ``date``, ``time``; of
    configuration data ``order`` ("vivado", or "swapped" as FPGA managers take them), ``frame_words``,
    ``packets``, ``crc``, ``usr_access``; of a ``.pdi`` ``version``, ``extended_idcode``, ``images`` with
    their ``partitions``.

    Raises :class:`~pynq.errors.DesignError` for a file that is none of its kind; the message says where.
    """
    suffix = Path(name).suffix.lower()
    facts: dict[str, Any] = {
        "file": name,
        "kind": suffix.lstrip("."),
        "size": len(data),
        "part": "",
        "idcode": None,
        "devices": [],
        "partial": None,
        "compressed": None,
        "encrypted": None,
        "notes": [],
    }
    if suffix == ".pdi":
        _of_pdi(facts, read_pdi(data, name))
        return facts
    if suffix == ".bit":
        file = parse_bitfile(data, name)
        facts |= {
            "design": file.design,
            "options": list(file.options),
            "part": file.part,
            "date": file.date,
            "time": file.time,
            "user_id": file.option("UserID"),
            "version": file.option("Version"),
            "sw_crc": file.option("SW_CRC"),
            "partial": file.partial,
            "compressed": file.compressed,
            "encrypted": file.encrypted,
        }
        data = file.data
    _of_data(facts, walk(data))
    if suffix == ".bit" and facts["devices"] and facts["part"]:
        identity = Identity("", int(facts["idcode"], 16), tuple(facts["devices"]), None, False)
        if not identity.fits(facts["part"]):
            facts["notes"].append(f"the header says part {facts['part']}, the data are for {identity.label}")
    return facts


def _of_data(facts: dict[str, Any], found: Configuration | None) -> None:
    if found is None:
        facts["notes"].append(
            "no sync word: encrypted by Bootgen, or no configuration data"
            if facts["kind"] == "bin"
            else "the configuration data have no sync word: the device ignores them"
        )
        return
    facts |= {
        "order": "swapped" if found.swapped else "vivado",
        "idcode": None if found.idcode is None else f"{found.idcode:#010x}",
        "devices": [] if found.idcode is None else list(devices_of(found.idcode)),
        "compressed": found.compressed or bool(facts["compressed"]),
        "encrypted": found.encrypted or bool(facts["encrypted"]),
        "frame_words": found.frame_words,
        "packets": found.packets,
        "crc": [f"{value:#010x}" for value in found.crc],
        "usr_access": None if found.usr_access is None else f"{found.usr_access:#010x}",
    }
    if found.end in _ENDS:
        facts["notes"].append(_ENDS[found.end].format(at=found.at))


def _of_pdi(facts: dict[str, Any], found: Pdi) -> None:
    facts |= {
        "idcode": f"{found.idcode:#010x}",
        "devices": list(devices_of(found.idcode)),
        "partial": found.partial,
        "encrypted": found.encrypted,
        "version": found.version,
        "extended_idcode": found.extended_idcode,
        "images": [
            {
                "name": image.name,
                "id": f"{image.number:#010x}",
                "partitions": [
                    {
                        "id": f"{piece.number:#x}",
                        "kind": piece.kind,
                        "offset": piece.offset,
                        "size": piece.size,
                        "load": f"{piece.load:#x}",
                        "encrypted": piece.encrypted,
                    }
                    for piece in image.partitions
                ],
            }
            for image in found.images
        ],
    }


def same_device(part: str, device: str) -> bool:
    """Say whether a part is such a device, in one of its packages."""
    rest = _plain(part)
    wanted = _plain(device)
    if not rest.startswith(wanted):
        return False
    rest = rest[len(wanted) :]
    return not rest or rest[0] == "-" or not rest[0].isdigit()


def _plain(part: str) -> str:
    """Return a part without its family's beginning: "xc7z020clg400-1" -> "7z020clg400-1"."""
    return re.sub(r"^(xc|xa|xqr|xq)(?=[27kuvz])", "", part.lower().strip())
