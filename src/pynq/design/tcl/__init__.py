"""Reader of block-design scripts (``.tcl``), as Vivado's ``write_bd_tcl`` exports them.

The script is a program: it runs apart from this one (:mod:`~pynq.design.tcl.sandbox`), with Vivado's commands
done in Python (:mod:`~pynq.design.tcl.commands`). What it has made, a
:class:`~pynq.design.tcl.netlist.Netlist`, is completed with what is known of common IP
(:mod:`~pynq.design.tcl.catalogue`) and becomes a design (:mod:`~pynq.design.tcl.build`).
"""

from __future__ import annotations

import os

from pynq.design.model import Design
from pynq.design.tcl import build, sandbox, wire
from pynq.errors import DesignError, DesignNotFoundError, Problem

__all__ = ["read"]


def read(path: str | os.PathLike[str]) -> Design:
    """Read a block-design script.

    Args:
        path: the ``.tcl`` file.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used; ``problems`` holds the reasons, with the script's line where it
            can be told.
        MissingPackageError: this Python has no Tcl.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as stream:
            # One byte more than allowed tells an oversized file without reading all of it.
            data = stream.read(wire.SCRIPT + 1)
    except FileNotFoundError as error:
        raise DesignNotFoundError(f"{name}: no such file") from error
    except OSError as error:
        raise DesignError([Problem(name, 0, f"can't be read: {error.strerror}")]) from error
    if len(data) > wire.SCRIPT:
        raise DesignError([Problem(name, 0, f"has more than {wire.SCRIPT >> 20} MiB")])
    return build.design(sandbox.run(data, name), name)
