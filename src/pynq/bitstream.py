"""A bitstream on its way into a device."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pynq.design import Located, described, inside, locate
from pynq.design.images import SUFFIXES, Identity, identify, misfit
from pynq.design.locate import image_of
from pynq.design.partial import merge
from pynq.design.regmap_files import Where as Registers
from pynq.device import Device, resolve
from pynq.errors import DesignError, DesignNotFoundError, ProgrammingError

if TYPE_CHECKING:
    from pynq.design.model import Design

__all__ = ["Bitstream", "PartialBitstream", "Registers", "Rtl", "find_image"]

_NOTHING = Identity("", None, (), None, False)

#: What ``Overlay(..., rtl=...)`` takes.
Rtl = str | os.PathLike[str] | Mapping[str, Any] | bool | None


class Bitstream:
    """A bitstream, or where the device needs none its description, that can be downloaded.

    ``bitfile_name`` is the absolute path of the bitstream, ``dtbo`` that of the device-tree overlay or None,
    ``timestamp`` the time of the last download by this object ("" before it).

    Args:
        bitfile_name: Path or bare name, with any of the endings that :func:`pynq.design.locate` knows.
        dtbo: Device-tree overlay: a path, or a name beside the bitstream. None: one of the same stem, if any.
        partial: The bitstream is for a region of another one.
        device: Where to; an object or a name such as "sim:". None: the active device.
        rtl: What is simulated as RTL, on a device that does so; others take no notice. None: what the
            manifest ``NAME.sim.toml`` beside the description says, if any; a path: of another manifest;
            False: nothing; a dictionary: source files by cell, type, module type or hierarchy.
        registers: Where the registers of IP are from that the description has none of. None: what the
            manifest ``NAME.registers.toml`` beside the description says, if any; a path: of another
            manifest; False: nowhere; a dictionary: files (SystemRDL, IP-XACT) by cell, type or module type.

    Raises:
        DesignNotFoundError: No such file; the message lists the places searched.
    """

    def __init__(
        self,
        bitfile_name: str | os.PathLike[str],
        dtbo: str | os.PathLike[str] | None = None,
        partial: bool = False,
        device: Device | str | None = None,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        self.device: Any = resolve(device)
        self._found, self._image = _find(bitfile_name, self.device)
        self.bitfile_name = str(self._image)
        self.dtbo = self._find_dtbo(dtbo)
        self.partial = partial
        self.rtl = self._find_manifest(rtl)
        self._registers = self._find_manifest(registers)
        #: Full path of the description: a program may change its folder before the next download.
        self.description_file = None if self._found is None else self._found.description.absolute()
        self.bit_data: dict[str, Any] = {}
        self.binfile_name = ""
        self.firmware_path = ""
        self.timestamp = ""
        self._design: Design | None = None

    @property
    def described(self) -> bool:
        """Whether there is a description; a device of the old protocol may know the contents by itself."""
        return self._found is not None

    @property
    def image(self) -> Path | None:
        """The file to program the device with, None where there is the description only.

        A bitstream in an archive is a file in this user's cache; a device that needs no bitstream gets none
        of an archive that only stands for it.
        """
        named = self._named_image(self.device.needs_bitstream)
        return None if named is None else inside.real_file(named)

    def _named_image(self, archived: bool = True) -> Path | None:
        """Return where the bitstream is, maybe in an archive; ``archived``: also if that was named only."""
        if self._found is None:
            return None
        return image_of(self._found) if archived else self._found.bitstream

    region = ""
    """Path of the region that a partial bitstream is for."""

    @property
    def whole(self) -> Design:
        """Everything that is in the PL once this is loaded."""
        return self.design.static or self.design

    @property
    def design(self) -> Design:
        """The description that belongs to the bitstream, read on first use.

        Raises :class:`~pynq.errors.DesignError` when it can't be used; the message has every reason, with
        file and line.
        """
        if self._design is None:
            if self._found is None:
                raise DesignNotFoundError(f"no description for {self.bitfile_name}")
            self._design = described(self._found.description, self._registers)
        return self._design

    def description_bytes(self) -> bytes:
        """The text of the description."""
        if self._found is None:
            raise DesignNotFoundError(f"no description for {self.bitfile_name}")
        return inside.contents(self._found.description)

    def download(self, parser: Any = None) -> None:
        """Program the device. What was loaded before is gone, and with it the registers of other overlays.

        Raises :class:`~pynq.errors.ProgrammingError`, before anything is touched, where bitstream,
        description and board are not of one part, or a partial bitstream is to be the whole.
        """
        self._check_fit()
        self.device.program(self, parser)

    def _check_fit(self) -> None:
        if self._found is None:
            return
        design = self.design if self.design.device else self.whole
        file = self._named_image()
        if file is None or file.suffix.lower() not in SUFFIXES:
            wrong = misfit("", _NOTHING, design, self.device.part, partial=self.partial)
        else:
            try:
                found = identify(inside.contents(file), str(file))
            except (DesignError, DesignNotFoundError):
                return  # a file that stands for a bitstream; a device that takes it reads it once more
            wrong = misfit(str(file), found, design, self.device.part, partial=self.partial)
        if wrong:
            error = ProgrammingError(f"{wrong}. What is in the PL has not been touched")
            error.untouched = True
            raise error

    def is_loaded(self) -> bool:
        """Say whether this bitstream, by its last download or by its file, is the one in the device."""
        if self._found is not None and not self._may_hold(self.device.design):
            return False
        if self.timestamp:
            return bool(self.timestamp == self.device.timestamp)
        return bool(self.device.bitfile_name) and self.bitfile_name == self.device.bitfile_name

    def _may_hold(self, held: Design | None) -> bool:
        """Ask the device, which may have been closed, or programmed by other means."""
        return held is not None and (self._design is None or held.file == self._design.file)

    def insert_dtbo(self, dtbo: str | os.PathLike[str] | None = None) -> None:
        """Apply a device-tree overlay: the one given, or the bitstream's own.

        Raises ``ValueError`` when there is neither, :class:`~pynq.errors.DesignNotFoundError` when it does
        not exist.
        """
        if dtbo is not None:
            self.dtbo = self._find_dtbo(dtbo)
        if not self.dtbo:
            raise ValueError(f"{self.bitfile_name} has no device-tree overlay: pass its path")
        self.device.insert_device_tree(self.dtbo)

    def remove_dtbo(self) -> None:
        """Take the bitstream's device-tree overlay out again."""
        if self.dtbo:
            self.device.remove_device_tree(self.dtbo)

    def _find_manifest(self, said: Rtl) -> Rtl:
        """Return what the caller said; a manifest, here or beside the bitstream, with its full path."""
        if isinstance(said, (str, os.PathLike)):
            places = (Path(said).absolute(), Path(os.path.dirname(self.bitfile_name), said))
            return next((place for place in places if place.is_file()), places[0])
        return said

    def _find_dtbo(self, dtbo: str | os.PathLike[str] | None) -> str | None:
        folder, name = os.path.split(self.bitfile_name)
        if dtbo is None:
            beside = Path(folder, Path(name).stem + ".dtbo")
            return str(beside) if beside.is_file() else None
        places = list(dict.fromkeys((Path(dtbo).absolute(), Path(folder, dtbo))))
        for place in places:
            if place.is_file():
                return str(place)
        raise DesignNotFoundError(
            f"no device-tree overlay {os.fspath(dtbo)!r}: tried {', '.join(map(str, places))}"
        )

    def __repr__(self) -> str:
        state = "loaded" if self.is_loaded() else "not loaded"
        return f"<{type(self).__name__} {self.bitfile_name!r} on {self.device.name!r}: {state}>"


class PartialBitstream(Bitstream):
    """A bitstream for one region of a design that runs.

    Args:
        bitfile_name: Path or bare name; also looked for in the folder ``beside``.
        region: Path of the region.
        running: What is in the PL now.
        beside: The folder of the overlay's own bitstream.
        within: The archive that the overlay is in, None for one in files; looked for in as well.
        rtl: What of it is simulated as RTL; see :class:`Bitstream`.
        registers: Where the registers of its IP are from; see :class:`Bitstream`.

    Raises:
        DesignNotFoundError: No such file; the message lists the places searched.
    """

    def __init__(
        self,
        bitfile_name: str | os.PathLike[str],
        region: str,
        running: Design,
        dtbo: str | os.PathLike[str] | None = None,
        *,
        beside: Path,
        within: Path | None = None,
        device: Device | str | None = None,
        rtl: Rtl = None,
        registers: Registers = None,
    ) -> None:
        try:
            super().__init__(bitfile_name, dtbo, True, device, rtl, registers)
        except DesignNotFoundError as error:
            if Path(bitfile_name).is_absolute():
                raise
            places = [beside] if within is None else [beside, within]
            for place in places:
                try:
                    super().__init__(place / bitfile_name, dtbo, True, device, rtl, registers)
                    break
                except DesignNotFoundError:
                    continue
            else:
                listed = "".join(f"\n  {place}" for place in places)
                raise DesignNotFoundError(f"{error}{listed}") from None
        self.region = region
        self._running = running
        self._whole: Design | None = None

    @property
    def whole(self) -> Design:
        """The running design with this in the region.

        Raises :class:`~pynq.errors.DesignError` when it does not fit; the message has every reason.
        """
        if self._whole is None:
            self._whole = merge(self._running, self.region, self.design)
        return self._whole

    def is_loaded(self) -> bool:
        """Say whether this is what the region holds now."""
        held = self.device.design
        return held is not None and held.partials.get(self.region) == self.design


def find_image(name: str | os.PathLike[str]) -> tuple[Located, Path]:
    """Return what belongs to a name, and the absolute path that stands for the bitstream, missing or not."""
    found = locate(name)
    if found.bitstream is not None:
        return found, found.bitstream.absolute()
    beside = found.description.absolute()
    asked = Path(name)
    if asked.suffix and asked.suffix != beside.suffix:
        beside = beside.with_name(asked.name)
    return found, beside


def _find(name: str | os.PathLike[str], device: Device) -> tuple[Located | None, Path]:
    """Do the same, and check that it is enough for the device."""
    try:
        found, image = find_image(name)
    except DesignNotFoundError:
        alone = Path(name).absolute()
        if type(device).get_bitfile_metadata is not Device.get_bitfile_metadata and alone.is_file():
            return None, alone
        raise
    if device.needs_bitstream and image_of(found) is None:
        raise DesignNotFoundError(
            f"device {device.name!r} needs a bitstream, but there is only {found.description}: "
            f"put {image.stem}.bit (or .bin, .pdi) beside it"
        )
    return found, image
