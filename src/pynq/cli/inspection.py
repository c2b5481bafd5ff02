"""What ``pynq inspect`` tells about a bitstream, and where it puts it. Nothing is loaded into a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pynq.backends.sim.modelled import model_names
from pynq.backends.sim.rtl import manifest
from pynq.backends.sim.rtl.prepared import beside
from pynq.backends.sim.rtl.resolve import mapped
from pynq.binding import bind, class_name, companion
from pynq.binding.drivers import registry
from pynq.cli.check import findings_of
from pynq.design import Design, described
from pynq.design.image_files import describe_image
from pynq.design.images import SUFFIXES
from pynq.design.inside import describe_archive
from pynq.design.locate import image_of, locate
from pynq.design.xclbin_container import describe_container
from pynq.errors import DesignError, DesignNotFoundError, RtlBuildError
from pynq.report.facts import facts

__all__ = ["Inspection", "image_alone", "inspect"]


class Inspection(NamedTuple):
    """A design, and what there is to tell about it."""

    design: Design
    facts: dict[str, Any]


def image_alone(file: Path) -> dict[str, Any] | None:
    """Return the facts of a bitstream without a description: ``image``, and ``warnings`` that say so.

    None for a file that has one, or is no bitstream by its name. Raises
    :class:`~pynq.errors.DesignError` for one that is none by its contents.
    """
    if file.suffix.lower() not in SUFFIXES or not file.is_file():
        return None
    try:
        locate(file)
    except DesignNotFoundError as error:
        return {"image": describe_image(file), "warnings": [str(error).partition(" Searched:")[0]]}
    return None


def inspect(file: Path, *, run_companion: bool = False, ignore_version: bool = False) -> Inspection:
    """Read the description that belongs to ``file`` and gather what it holds.

    With ``run_companion`` the Python file beside the bitstream is run, as by ``Overlay``: its drivers count.
    Raises what :func:`pynq.design.locate` and :func:`pynq.design.read` raise.
    """
    found = locate(file)
    design = described(found.description)
    bitstream = image_of(found)
    beside, overlay = _companion(Path(found.bitstream or found.description), run=run_companion)
    plan = bind(design, registry.snapshot(), ignore_version=ignore_version)
    rtl = _rtl(found.description, design)
    in_rtl = frozenset(cell["path"] for cell in rtl["cells"]) if rtl else frozenset()
    told = {
        "description": str(found.description),
        "bitstream": str(bitstream) if bitstream else None,
        "image": _image(bitstream),
        "archive": describe_archive(found.description),
        "container": describe_container(found.description) if design.format == "xclbin" else None,
        "companion": beside,
        "overlay_class": overlay,
        "rtl": rtl,
        **facts(design, plan, models=_models(design, rtl), findings=findings_of(design, found, plan, in_rtl)),
    }
    return Inspection(design, told)


def _image(bitstream: Path | None) -> dict[str, Any] | None:
    """The facts of the bitstream; of one that is none, why."""
    if bitstream is None or bitstream.suffix.lower() not in SUFFIXES:
        return None
    try:
        return describe_image(bitstream)
    except DesignError as error:
        return {"file": str(bitstream), "error": str(error)}


def _models(design: Design, rtl: Mapping[str, Any] | None) -> dict[str, str]:
    """What stands for each cell on the simulated board: the user's RTL or a model; not what has neither."""
    return {**model_names(design), **{cell["path"]: "RTL" for cell in (rtl["cells"] if rtl else ())}}


def _rtl(description: Path, design: Design) -> dict[str, Any] | None:
    """Return what the manifest beside the description makes RTL on the simulated board; None without one."""
    path = beside(description)
    if path is None:
        return None
    try:
        tables, problems = mapped(manifest.load(path), design)
    except RtlBuildError as error:
        return {"manifest": str(path), "cells": [], "problems": str(error).splitlines()}
    cells = [{"path": cell, "line": table.line} for cell, table in tables.items()]
    return {"manifest": str(path), "cells": cells, "problems": [str(problem) for problem in problems]}


def _companion(folder: Path, *, run: bool) -> tuple[str | None, str | None]:
    path = companion.find(folder)
    if path is None:
        return None, None
    return str(path), _name(companion.load(path)) if run else None


def _name(overlay: Any) -> str | None:
    return None if overlay is None else class_name(overlay)
