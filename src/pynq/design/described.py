"""The design that a description tells of, with the register maps that belong to it."""

from __future__ import annotations

import os

from pynq.design.formats import read
from pynq.design.model import Design
from pynq.design.regmap_files import Where, beside

__all__ = ["described"]


def described(description: str | os.PathLike[str], registers: Where = None) -> Design:
    """Read a description of any kind, and give cells without registers those of their sources.

    Args:
        description: The file.
        registers: Where register maps are from: None for the manifest ``NAME.registers.toml`` beside the
            description, if any; a path: of another manifest; False: nowhere; a dictionary: files (SystemRDL
            or IP-XACT) by cell, type or module type.

    Raises:
        DesignNotFoundError: There is no such file.
        DesignError: The description, the manifest or a register map can't be used; every reason with its
            line.
        MissingPackageError: A package that reads one of them is not installed.
    """
    design = read(description)
    if registers is False or (registers is None and beside(description) is None):
        return design
    from pynq.design import regmaps  # only where there are maps: its readers are slow to import

    return regmaps.attach(design, regmaps.sources(registers, description))
