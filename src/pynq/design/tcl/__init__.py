"""Reader of block-design scripts (``.tcl``), as Vivado's ``write_bd_tcl`` exports them.

A script is run by the standard library's Tcl interpreter, in safe mode and in a process of its own
(:mod:`pynq.design.tcl.sandbox`), with Vivado's block-design commands implemented in Python. What it makes, a
:class:`~pynq.design.tcl.netlist.Netlist`, is completed with what is known of common IP
(:mod:`pynq.design.tcl.catalogue`) and becomes a :class:`~pynq.design.model.Design` like that of a hand-off
file (:mod:`pynq.design.tcl.build`).
"""

from __future__ import annotations

import os

from pynq.design.model import Design
from pynq.design.tcl.build import design
from pynq.design.tcl.sandbox import run
from pynq.errors import DesignError, DesignNotFoundError, Problem

__all__ = ["MAX_BYTES", "read"]

MAX_BYTES = 16 << 20
"""Largest script that is read, in bytes; the largest seen so far has 0.3 MB."""


def read(path: str | os.PathLike[str]) -> Design:
    """Read a block-design script.

    Args:
        path: the ``.tcl`` file.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the script can't be used; ``problems`` holds every reason with its line.
        MissingPackageError: this Python has no Tcl; the message names the package that brings it.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise DesignNotFoundError(f"{name}: no such file") from error
    except OSError as error:
        raise DesignError([Problem(name, 0, f"can't be read: {error.strerror}")]) from error
    if len(data) > MAX_BYTES:
        raise DesignError(
            [Problem(name, 0, f"is larger than {MAX_BYTES >> 20} MiB: no script is that large")]
        )
    return design(run(data, name), name)
