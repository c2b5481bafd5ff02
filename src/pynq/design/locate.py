"""Find the description that belongs to the name of an overlay."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pynq.design.archive_paths import is_archive, split
from pynq.design.formats import FORMATS, Format, format_of
from pynq.design.inside import image_in, locate_inside
from pynq.errors import DesignNotFoundError

__all__ = ["Located", "image_of", "locate", "overlay_folders"]

BITSTREAMS = (".bit", ".pdi", ".bin")
"""Suffixes of files that configure the PL."""
ENTRY_POINTS = "pynq.overlays"
"""Group of entry points through which packages provide overlays: each names a package whose folder holds
them.
"""


class Located(NamedTuple):
    """What belongs to a name: the description, and the bitstream if there is one."""

    description: Path
    bitstream: Path | None


def locate(name: str | os.PathLike[str]) -> Located:
    """Find description and bitstream for an overlay's name.

    Args:
        name: a path (``overlays/base.bit``, ``/home/me/base.hwh``) or a bare name (``base``, ``base.bit``).
            The suffix may be that of the bitstream, of the description, or missing; a description that is
            named and there is the one meant, and so is what a path through an archive leads to
            (``base.xsa/partial.bit``, see :mod:`pynq.design.archive`). An absolute path is looked for where
            it says; any other name in the current folder, then in the folders that installed packages provide
            (:func:`overlay_folders`), there first in a folder of the overlay's name.

    Returns:
        The description, and the bitstream beside it or None. ``design_1_wrapper.bit`` goes with
        ``design_1.hwh``. Of several descriptions the first of :data:`~pynq.design.formats.FORMATS` counts.

    Raises:
        DesignNotFoundError: there is none; the message lists the places searched.
        DesignError: a path leads through an archive that is refused.
    """
    wanted = Path(os.path.expanduser(os.fspath(name)))
    suffix = wanted.suffix.lower()
    kind = format_of(wanted)
    if suffix not in BITSTREAMS and kind is None:
        stem, suffix = wanted.name, ""
    else:
        stem = wanted.name[: -len(suffix)]
    if not stem or "\0" in str(wanted):
        raise DesignNotFoundError(f"{os.fspath(name)!r} names no overlay")

    inside = split(wanted)
    if inside is not None:
        return Located(*locate_inside(inside))
    searched: list[Path] = []
    lonely: list[Path] = []
    for folder in _folders(wanted, stem):
        searched.append(folder)
        names = _files(folder)
        if kind is not None and wanted.name in names:
            return Located(folder / wanted.name, _bitstream_of(kind, folder, names, wanted.name))
        for candidate in _stems(stem):
            for other in FORMATS:
                found = _first(names, candidate, other.suffixes) if other.beside else None
                if found is not None:
                    image = _bitstream(folder, names, stem, candidate, suffix)
                    own = folder / found if other.image and suffix not in BITSTREAMS else None
                    return Located(folder / found, image or own)
        alone = _first(names, stem, BITSTREAMS)
        if alone is not None:
            named = next((name for one in FORMATS if one.beside for name in one.names if name in names), None)
            if named is not None:  # a build's folder holds one bitstream, and its register list
                return Located(folder / named, _bitstream(folder, names, stem, stem, suffix))
            lonely.append(folder / alone)
    odd = next((folder / wanted.name for folder in searched if os.path.lexists(folder / wanted.name)), None)
    if odd is not None and not odd.is_file() and (suffix in BITSTREAMS or kind is not None):
        what = "a folder" if odd.is_dir() else "no regular file" if odd.exists() else "a link to nothing"
        raise DesignNotFoundError(f"no overlay {os.fspath(name)!r}: {odd} is {what}")
    places = "\n".join(f"  {folder}" for folder in searched)
    if lonely:
        raise DesignNotFoundError(
            f"no description for {lonely[0]}: {stem}.hwh (or {_others()}) has to be beside it."
            f" Searched:\n{places}"
        )
    what = (
        wanted.name
        if kind is not None and (kind.names or not kind.beside)
        else f"{stem}.hwh (or {_others()})"
    )
    raise DesignNotFoundError(f"no overlay {os.fspath(name)!r}: no {what} found. Searched:\n{places}")


def image_of(found: Located) -> Path | None:
    """Return the bitstream: a file, or a path through the archive that is the description; None for none.

    Raises :class:`~pynq.errors.DesignError` for an archive that is refused, or has several.
    """
    if found.bitstream is None and is_archive(found.description):
        return image_in(found.description)
    return found.bitstream


def overlay_folders() -> tuple[Path, ...]:
    """The folders in which installed packages keep overlays, in the order in which they are searched.

    First ``overlays`` in the current folder, then that of this package, then the packages that entry points
    of the group ``pynq.overlays`` name (their own folder and ``overlays`` in it).
    """
    folders = [Path.cwd() / "overlays", Path(__file__).resolve().parent.parent / "overlays"]
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            spec = importlib.util.find_spec(entry.module)
        except (ImportError, ValueError):
            continue  # a package that was removed, or is broken, provides nothing
        if spec is not None:
            for location in spec.submodule_search_locations or ():
                folders += [Path(location), Path(location) / "overlays"]
    return tuple(folders)


def _folders(wanted: Path, stem: str) -> Iterator[Path]:
    if wanted.is_absolute():
        yield wanted.parent
        return
    parent = wanted.parent
    yield Path.cwd() if parent == Path() else parent
    for folder in overlay_folders():
        yield folder / parent / stem
        yield folder / parent


def _files(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:
        return frozenset()  # not there, or not ours to look at; the message lists it as searched


def _stems(stem: str) -> tuple[str, ...]:
    """The stems that a description may have: Vivado names the bitstream after the wrapper around the block
    design.
    """
    return (stem, stem.removesuffix("_wrapper")) if stem.endswith("_wrapper") else (stem, f"{stem}_wrapper")


def _first(names: frozenset[str], stem: str, suffixes: tuple[str, ...]) -> str | None:
    return next((stem + suffix for suffix in suffixes if stem + suffix in names), None)


def _others() -> str:
    return ", ".join(suffix for one in FORMATS if one.beside for suffix in one.suffixes if suffix != ".hwh")


def _bitstream_of(kind: Format, folder: Path, names: frozenset[str], name: str) -> Path | None:
    """The bitstream that belongs to a description named as such."""
    if not kind.beside:
        return None
    if kind.suffixes:
        stem = Path(name).stem
        return _bitstream(folder, names, stem, stem, "") or (folder / name if kind.image else None)
    alone = [name for name in names if name.lower().endswith(BITSTREAMS)]
    return folder / alone[0] if len(alone) == 1 else None


def _bitstream(folder: Path, names: frozenset[str], stem: str, found: str, suffix: str) -> Path | None:
    if suffix in BITSTREAMS:
        return folder / (stem + suffix) if stem + suffix in names else None
    for candidate in (stem, found, *_stems(found)):
        name = _first(names, candidate, BITSTREAMS)
        if name is not None:
            return folder / name
    return None
