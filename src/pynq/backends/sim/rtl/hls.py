"""Where an HLS tool puts the RTL that it makes.

Vitis HLS and Vivado HLS export an IP into ``SOLUTION/impl/ip`` (a component.xml with the RTL under ``hdl``)
and leave the RTL in ``SOLUTION/impl/verilog`` and ``SOLUTION/syn/verilog``; the unified Vitis IDE calls the
solution ``hls``. A user may name any folder on that way.
"""

from __future__ import annotations

import os
from pathlib import Path

from pynq.errors import Problem, RtlBuildError

__all__ = ["find"]

#: Below what the user names, the best first: an export has its sub-modules, "syn" is what came before.
_PLACES = (
    ".",
    "impl/ip",
    "hls/impl/ip",
    "ip",
    "impl/verilog",
    "hls/impl/verilog",
    "syn/verilog",
    "hls/syn/verilog",
)
_MAX_FOLDERS = 200


def find(folder: Path) -> Path:
    """Return the component.xml of an export, or the folder that holds its Verilog.

    Raises :class:`~pynq.errors.RtlBuildError` that lists where it was looked for.
    """
    name = str(folder)
    if folder.suffix.lower() == ".zip" and folder.is_file():
        advice = f"unpack it (python3 -m zipfile -e {folder.name} {folder.stem}) and name the folder"
        raise RtlBuildError([Problem(name, 0, f"an exported archive is not read: {advice}")])
    if folder.name == "component.xml" and folder.is_file():
        return folder
    if not folder.is_dir():
        raise RtlBuildError([Problem(name, 0, "there is no such folder")])
    found = _below(folder)
    if found is None:
        solutions = [entry for entry in _folders(folder) if _below(entry) is not None]
        if len(solutions) > 1:
            names = ", ".join(entry.name for entry in solutions)
            raise RtlBuildError([Problem(name, 0, f"holds several solutions: name one of {names}")])
        found = _below(solutions[0]) if solutions else None
    if found is not None:
        return found
    if any((folder / place).is_file() for place in ("export.zip", "impl/export.zip")):
        advice = "it holds an export.zip: unpack that and name the folder"
    elif any((folder / place).is_dir() for place in ("impl/vhdl", "syn/vhdl", "vhdl")):
        advice = "it holds VHDL only: name its files with vhdl = [...]"
    else:
        advice = "run the tool's synthesis or export first"
    places = ", ".join(place for place in _PLACES if place != ".")
    raise RtlBuildError([Problem(name, 0, f"no RTL of an HLS tool here nor in {places}; {advice}")])


def _below(folder: Path) -> Path | None:
    for place in _PLACES:
        where = folder / place if place != "." else folder
        component = where / "component.xml"
        if component.is_file():
            return component
        if _has_verilog(where):
            return where
    return None


def _has_verilog(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith((".v", ".sv")) and entry.is_file() for entry in entries)
    except OSError:
        return False


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = sorted(entry.name for entry in entries if entry.is_dir())
    return [folder / name for name in found[:_MAX_FOLDERS]]
