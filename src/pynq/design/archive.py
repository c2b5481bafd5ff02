"""Hardware archives: ``.xsa`` and ``.hdf``, the zip files that Vivado exports a design in.

One holds the hand-off file of the block design and those of everything inside it (SmartConnect, NoC, CIPS),
the bitstream or several, the processor's start-up code and manifests (:mod:`pynq.design.manifest`). Files in
it are called by a path through it, ``board.xsa/design_1.hwh``; such a path works wherever a description or
bitstream is named, too.

An archive is only read. What has to be a file, the bitstream on its way into a board, goes into this user's
cache, under its own checksum.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from pynq.cachedir import CacheDir, user_folder
from pynq.design import hwh
from pynq.design.archive_paths import SUFFIXES, Inside, split
from pynq.design.images import is_partial
from pynq.design.kinds import PROCESSORS
from pynq.design.manifest import MAX_BYTES as MAX_MANIFEST
from pynq.design.manifest import NAMES as MANIFESTS
from pynq.design.manifest import Manifest, read_manifest
from pynq.design.members import Members
from pynq.design.model import Design
from pynq.design.psinit import MAX_BYTES as MAX_PS_INIT
from pynq.design.psinit import PsInit, read_ps_init
from pynq.errors import DesignError, DesignNotFoundError, Problem

__all__ = ["Archive", "cached", "image_cache", "image_in", "locate_inside", "member_bytes", "read"]

MAX_HANDOFFS = 200
"""Most hand-off files that are looked into where no manifest says which is the top one."""
_HEAD = 8192  # bytes of a bitstream that tell whether it is partial
_IMAGES = (".bit", ".pdi")
_PS_INIT = ("ps7_init.tcl", "psu_init.tcl", "ps7_init.c", "psu_init.c", "ps7_init_gpl.c", "psu_init_gpl.c")
_COMPONENT = re.compile(rb'NAME="Component_Name"\s+VALUE="([^"]{1,200})"')
_MODULE_TYPE = re.compile(rb'MODTYPE="([^"]{1,100})"')


class Archive:
    """An archive that is open; a context manager.

    ``members`` are the names of its files, ``manifest`` what its manifests say.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: it is no archive, or one that is refused (:mod:`pynq.design.members`); ``problems`` has
            every reason, with the member.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._members = Members(path)
        self.members = self._members.names
        try:
            self.manifest: Manifest = read_manifest(
                self.path,
                {name: self.read(name, MAX_MANIFEST) for name in MANIFESTS if name in self._members.sizes},
            )
        except BaseException:
            self._members.close()
            raise

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return a member's contents.

        Raises :class:`~pynq.errors.DesignError` for one that is not there, is refused or has more than
        ``limit`` bytes.
        """
        return self._members.read(name) if limit is None else self._members.read(name, limit)

    def named(self, name: str) -> str:
        """Return the path through the archive to a member, as messages and source references have it."""
        return f"{self.path}/{name}"

    # -- descriptions ----------------------------------------------------------------------------------------
    @property
    def handoffs(self) -> tuple[str, ...]:
        """Names of all hand-off files, of the block design and of what is inside it."""
        return tuple(name for name in self.members if name.lower().endswith(".hwh"))

    @cached_property
    def handoff(self) -> str:
        """Name of the top hand-off file.

        The manifests say which it is. Where they don't: of several, the one that is part of no other, which
        has a processor.

        Raises :class:`~pynq.errors.DesignError` where there is none, or where several could be it: the
        message lists them.
        """
        every = self.handoffs
        if not every:
            nested = [name for name in self.members if name.lower().endswith((*SUFFIXES, ".zip"))]
            inner = f"; archives in it are not opened: {', '.join(nested[:3])}" if nested else ""
            raise self._refuse(
                f"holds no hand-off file (.hwh){inner}; export the hardware of a block design with Vivado"
            )
        manifest = self.manifest
        missing = [name for name in manifest.tops if self._find(name) is None]
        if missing and len(missing) == len(manifest.tops):
            raise self._refuse(f"has no member {missing[0]!r}, which its manifest names as the top one")
        stems = set(manifest.top_designs)
        for found in (
            self._present(manifest.tops),
            [name for name in every if PurePosixPath(name).stem in stems],
            list(every),
            self._present(manifest.handoffs),
        ):
            if len(set(found)) == 1:
                return found[0]
        return self._top_by_contents(self._present(manifest.tops) or list(every))

    def _present(self, names: list[str]) -> list[str]:
        return [found for found in map(self._find, names) if found is not None]

    def _find(self, name: str) -> str | None:
        """Return the member that a manifest means; it leaves folders out in some versions."""
        if name in self._members.sizes:
            return name
        same = [one for one in self.members if PurePosixPath(one).name == PurePosixPath(name).name]
        return same[0] if len(same) == 1 else None

    def _top_by_contents(self, names: list[str]) -> str:
        if len(names) > MAX_HANDOFFS:
            raise self._refuse(
                f"has {len(names)} hand-off files and no manifest that says which is the top one; more than "
                f"{MAX_HANDOFFS} are not looked into. Name it: {self.named(names[0])}"
            )
        inner: set[str] = set()
        processors: set[str] = set()
        for name in names:
            data = self.read(name, hwh.MAX_BYTES)
            own = PurePosixPath(name).stem
            inner |= {found.decode("utf-8", "replace") for found in _COMPONENT.findall(data)} - {own}
            if any(kind.decode("utf-8", "replace") in PROCESSORS for kind in _MODULE_TYPE.findall(data)):
                processors.add(name)
        stems = {PurePosixPath(name).stem for name in names}
        tops = [
            name
            for name in names
            if (stem := PurePosixPath(name).stem) not in inner
            # Instances are called DESIGN_CELL_N: what begins with another one's name is in that one.
            and not any(stem.startswith(f"{other}_") for other in stems if other != stem)
        ]
        with_processor = [name for name in tops if name in processors]
        for found in (tops, with_processor):
            if len(found) == 1:
                return found[0]
        listed = ", ".join(self.named(name) for name in (tops or names)[:20])
        raise self._refuse(
            f"has several hand-off files that could be the top one, and no manifest that says which: name "
            f"one of {listed}"
        )

    def design(self) -> Design:
        """Read the top hand-off file. Raises :class:`~pynq.errors.DesignError` as :attr:`handoff` does, and
        for one that can't be used.
        """
        return self.design_of(self.handoff)

    def design_of(self, name: str) -> Design:
        """Read the hand-off file of that name."""
        return hwh.read_bytes(self.read(name, hwh.MAX_BYTES + 1), self.named(name))

    # -- bitstreams ------------------------------------------------------------------------------------------
    @cached_property
    def bitstreams(self) -> tuple[str, ...]:
        """Names of everything that configures the PL: what the manifests name, then what else there is."""
        listed = [name for name in self._present(self.manifest.bitstreams) if name.lower().endswith(_IMAGES)]
        others = [name for name in self.members if name.lower().endswith(_IMAGES)]
        return tuple(dict.fromkeys([*listed, *others]))

    @cached_property
    def partials(self) -> tuple[str, ...]:
        """Names of the partial bitstreams, by what they say of themselves; of one that is none, not."""
        return tuple(
            name
            for name in self.bitstreams
            if self._is_partial(name)
            # Segmented configuration: the PL's own part of a Versal, beside that for booting.
            and not self._segment(name)
        )

    def _is_partial(self, name: str) -> bool:
        head = self._members.head(name, _HEAD)
        try:
            return is_partial(head, self.named(name))
        except DesignError:
            return False  # it is no bitstream: told when it is used, and the rest can be looked at

    def _segment(self, name: str) -> bool:
        return name.endswith("_pld.pdi") and f"{name.removesuffix('_pld.pdi')}_boot.pdi" in self.bitstreams

    @cached_property
    def bitstream(self) -> str:
        """Name of the bitstream of the whole design, "" where the archive has none.

        Raises :class:`~pynq.errors.DesignError` where several could be it: the message lists them.
        """
        every = self.bitstreams
        if len(every) > 1:
            every = tuple(name for name in every if name not in self.partials)
        if len(every) > 1:
            listed = self._present(self.manifest.bitstreams)
            stem = PurePosixPath(self.handoff).stem
            for wanted in (
                [name for name in every if self._segment(name)],
                [name for name in every if name in listed],
                [name for name in every if PurePosixPath(name).stem in (stem, f"{stem}_wrapper")],
                [name for name in every if "/" not in name],
            ):
                if len(wanted) == 1:
                    return wanted[0]
            names = ", ".join(map(self.named, every[:20]))
            raise self._refuse(f"has several bitstreams of whole designs: name one of {names}")
        return every[0] if every else ""

    def description_of(self, bitstream: str) -> str:
        """Return the name of the hand-off file that belongs to a bitstream of this archive.

        That of a partial one has its stem, or is the one whose stem is in the bitstream's.

        Raises :class:`~pynq.errors.DesignError` where there is none, or where several could be it.
        """
        if bitstream not in self.partials:
            return self.handoff
        stem = PurePosixPath(bitstream).stem
        by_stem = {PurePosixPath(name).stem: name for name in self.handoffs if name != self.handoff}
        for exact in (stem, stem.removesuffix("_partial")):
            if exact in by_stem:
                return by_stem[exact]
        listed = self._present(self.manifest.references)
        for names in (listed, list(by_stem.values())):
            inside = [name for name in names if PurePosixPath(name).stem in stem]
            if inside:
                longest = max(len(PurePosixPath(name).stem) for name in inside)
                best = [name for name in inside if len(PurePosixPath(name).stem) == longest]
                if len(best) == 1:
                    return best[0]
        raise self._refuse(
            f"has no hand-off file that belongs to {bitstream!r} by its name; there are "
            f"{', '.join(self.handoffs[:20])}"
        )

    # -- the processor ---------------------------------------------------------------------------------------
    @cached_property
    def ps_init(self) -> PsInit | None:
        """What the start-up code does to the processor's registers; None where there is none.

        Raises :class:`~pynq.errors.DesignError` for a file that is refused.
        """
        for name in _PS_INIT:
            found = self._find(name)
            if found is None:
                continue
            header = self._find(str(PurePosixPath(name).with_suffix(".h"))) if name.endswith(".c") else None
            return read_ps_init(
                self.read(found, MAX_PS_INIT),
                self.named(found),
                self.read(header, MAX_PS_INIT) if header else b"",
            )
        return None

    # -- all of it -------------------------------------------------------------------------------------------
    def facts(self) -> dict[str, Any]:
        """Return what the archive holds, as JSON can say it."""
        init = self.ps_init
        return {
            "file": self.path,
            "handoff": _or_none(lambda: self.handoff),
            "handoffs": list(self.handoffs),
            "bitstream": _or_none(lambda: self.bitstream),
            "partials": list(self.partials),
            "part": self.manifest.part,
            "board": self.manifest.board,
            "tool": self.manifest.tool_version,
            "build": self.manifest.build,
            "mode": self.manifest.mode,
            "ps_init": None
            if init is None
            else {
                "file": init.file,
                "operations": init.total,
                "skipped": init.skipped,
                "sections": {name: len(found) for name, found in init.sections.items()},
            },
            "members": [{"name": name, "size": size} for name, size in self._members.sizes.items()],
        }

    def _refuse(self, what: str) -> DesignError:
        return DesignError([Problem(self.path, 0, what)])

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._members.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Archive {self.path!r}: {len(self.members)} members>"


def _or_none(told: Callable[[], str]) -> str | None:
    try:
        return told() or None
    except DesignError:
        return None  # several could be it; who needs it is told so


def read(path: str | os.PathLike[str]) -> Design:
    """Read the top hand-off file of an archive, or the one that a path through it names.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the archive or the file in it can't be used; ``problems`` has every reason.
    """
    inside = split(path)
    with Archive(path if inside is None else inside.archive) as archive:
        if inside is None:
            return archive.design()
        _need(archive, inside.member)
        return archive.design_of(inside.member)


def locate_inside(inside: Inside) -> tuple[Path, Path | None]:
    """Return description and bitstream that belong to a path through an archive, as such paths.

    Raises :class:`~pynq.errors.DesignNotFoundError` where there is no such member, and
    :class:`~pynq.errors.DesignError` where it is neither, or for an archive that is refused.
    """
    with Archive(inside.archive) as archive:
        name = inside.member
        _need(archive, name)
        if name in archive.bitstreams:
            return Path(archive.named(archive.description_of(name))), Path(archive.named(name))
        if name not in archive.handoffs:
            raise DesignError([Problem(archive.named(name), 0, "is neither a hand-off file nor a bitstream")])
        stem = PurePosixPath(name).stem
        own = [one for one in archive.bitstreams if PurePosixPath(one).stem in (stem, f"{stem}_partial")]
        if not own:
            try:
                top = archive.handoff
            except DesignError:
                top = name  # several could be it, and this is the one that was named
            own = [archive.bitstream] if name == top and archive.bitstream else []
        return Path(archive.named(name)), Path(archive.named(own[0])) if own else None


def member_bytes(archive: str | os.PathLike[str], member: str = "") -> bytes:
    """Return the bytes of a member, of the top hand-off file where none is named.

    Raises what :func:`read` raises.
    """
    with Archive(archive) as opened:
        if member:
            _need(opened, member)
        return opened.read(member or opened.handoff)


def _need(archive: Archive, member: str) -> None:
    if member not in archive.members:
        near = [
            name for name in archive.members if PurePosixPath(name).suffix == PurePosixPath(member).suffix
        ]
        listed = f"; there are {', '.join(near[:20])}" if near else ""
        raise DesignNotFoundError(f"{archive.path}: no member {member!r}{listed}")


def image_in(path: str | os.PathLike[str]) -> Path | None:
    """Return the path through an archive to the bitstream of the whole design, None where it has none.

    Raises :class:`~pynq.errors.DesignError` where several could be it, or for an archive that is refused.
    """
    with Archive(path) as archive:
        return Path(archive.named(archive.bitstream)) if archive.bitstream else None


class _Images(CacheDir):
    """Bitstreams out of archives."""

    error = DesignError


def image_cache() -> CacheDir:
    """Return the folder of the cache that bitstreams out of archives are in."""
    return _Images(user_folder("images"))


def cached(inside: Inside) -> Path:
    """Return a file with the contents of a member, in this user's cache under its checksum.

    Raises :class:`~pynq.errors.DesignError` where the cache can't be written, and what :func:`read` raises.
    """
    data = member_bytes(*inside)
    name = PurePosixPath(inside.member).name
    key = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()[:32]
    cache = image_cache()

    def make(made: Path, place: Path) -> None:
        made.chmod(0o700)
        (made / name).write_bytes(data)

    for _ in range(2):
        folder = cache.entry("image", key, f"{inside.archive.name}/{inside.member}", make)
        file = folder / name
        try:
            if file.read_bytes() == data:
                return file
        except OSError:
            pass  # another process clears the cache; or it is damaged: it is made anew
        cache.remove("image", key)
    raise DesignError(f"the cache {cache.folder} does not keep {name}: set PYNQ_CACHE to a folder of yours")
