"""What ``pynq convert`` does: a bitstream as an FPGA manager takes it."""

from __future__ import annotations

from pathlib import Path

from pynq.cli.output import write
from pynq.design.archive_paths import is_archive
from pynq.design.bitfile import image_of
from pynq.design.images import family_of, identify
from pynq.design.inside import contents, image_in
from pynq.design.model import Processor
from pynq.errors import DesignError, Problem

__all__ = ["convert"]

_FAMILIES = {family.value: family for family in (Processor.ZYNQ, Processor.ZYNQMP)}


def convert(file: Path, out: Path | None = None, family: str | None = None, *, force: bool = False) -> Path:
    """Write what the FPGA manager of a family takes of a bitstream: ``.bin``, the words turned.

    Args:
        file: ``.bit`` or ``.bin``, an archive that holds one, or a path through an archive.
        out: where to; None: ``.bin`` beside the file, or beside the archive.
        family: "zynq" or "zynqmp"; None: what the file is for.
        force: whether to replace a file that is there.

    Raises:
        DesignError: it is no bitstream, is for another family, or does not tell for which.
        FileExistsError: there is such a file.
    """
    source = file
    if is_archive(file):
        found = image_in(file)
        if found is None:
            raise DesignError([Problem(str(file), 0, "holds no bitstream: export it with the bitstream")])
        source = found
    name = str(source)
    if source.suffix.lower() not in (".bit", ".bin"):
        raise DesignError(
            [Problem(name, 0, "is converted from .bit or .bin only; a .pdi is loaded as it is, by Versal")]
        )
    data = contents(source)
    wanted = _family(name, data, family)
    image = image_of(data, name, wanted)
    if out is None:
        out = file.with_suffix(".bin") if file.exists() else Path(source.name).with_suffix(".bin")
    if out.exists() and file.exists() and out.samefile(file):
        raise FileExistsError(f"{out} is the file to convert: name another with -o")
    if out.exists() and not force:
        raise FileExistsError(f"{out} is there already: --force replaces it, -o writes elsewhere")
    write(out, image)
    return out


def _family(name: str, data: bytes, wanted: str | None) -> Processor:
    if wanted is not None and wanted not in _FAMILIES:
        raise DesignError(f"--family {wanted!r} is none of {', '.join(_FAMILIES)}")
    identity = identify(data, name)
    told = family_of(identity)
    asked = _FAMILIES.get(wanted or "")
    if asked is not None and told is not None and told is not asked:
        raise DesignError(
            [Problem(name, 0, f"is for {identity.label}, a {told.value}, not for {asked.value}")]
        )
    family = asked or told
    if family is None:
        about = f"is for {identity.label}, which is no Zynq" if identity.label else "does not tell its part"
        raise DesignError([Problem(name, 0, f"{about}: say --family {' or '.join(_FAMILIES)}")])
    if identity.encrypted:
        raise DesignError(
            [Problem(name, 0, "is encrypted by Vivado: Bootgen makes images that the PS can decipher")]
        )
    return family
