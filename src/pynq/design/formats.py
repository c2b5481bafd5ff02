"""The kinds of description that there are, and the reader of each.

A reader is a module with ``read(path) -> Design``, which raises :class:`~pynq.errors.DesignError` for
everything that can be wrong with a file and :class:`~pynq.errors.DesignNotFoundError` for none. It is
imported when the first file of its kind is read.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import NamedTuple

from pynq.design.model import Design
from pynq.errors import DesignError, Problem

__all__ = ["FORMATS", "Format", "format_of", "read"]


class Format(NamedTuple):
    """A kind of description.

    ``suffixes`` are the endings of such files, ``names`` whole names of files. ``beside``: whether such a
    file describes a bitstream of the same stem (a device-tree overlay beside one is applied with it instead).
    ``image``: whether such a file is a bitstream as well, where none of its stem is beside it.
    """

    title: str
    module: str
    suffixes: tuple[str, ...]
    names: tuple[str, ...] = ()
    beside: bool = True
    image: bool = False


FORMATS = (
    Format("hardware hand-off file", "hwh", (".hwh",)),
    Format("hardware archive", "archive", (".xsa", ".hdf")),
    Format("block-design script", "tcl", (".tcl",)),
    Format("xclbin container", "xclbin", (".xclbin",), image=True),
    Format("LiteX register list", "litex", (), ("csr.json", "csr.csv")),
    Format("device-tree overlay", "devicetree", (".dtbo", ".dtsi"), beside=False),
    Format("IP-XACT component", "ipxact", (), ("component.xml",), beside=False),
)
"""All kinds; of several descriptions of one bitstream the first one here counts."""


_ARCHIVE = next(one for one in FORMATS if one.module == "archive")


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """Return the kind of description that a file is by its name, None for none."""
    name = Path(path).name.lower()
    for one in FORMATS:
        if name in one.names or any(name.endswith(suffix) and name != suffix for suffix in one.suffixes):
            return one
    return None


def read(path: str | os.PathLike[str]) -> Design:
    """Read a description of any kind.

    Args:
        path: the file; its name tells the kind (:data:`FORMATS`).

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used; ``problems`` holds every reason, with its line where there is
            one. Also for a name that is no description's.
    """
    name = os.fspath(path)
    kind = format_of(name)
    if kind is not None and any(
        format_of(parent) is _ARCHIVE and parent.is_file() for parent in Path(name).parents
    ):
        kind = _ARCHIVE  # a path through one
    if kind is None:
        known = ", ".join(word for one in FORMATS for word in (*one.suffixes, *one.names))
        raise DesignError([Problem(name, 0, f"is no description by its name; there are {known}")])
    reader = importlib.import_module(f"pynq.design.{kind.module}")
    design: Design = reader.read(name)
    return design
