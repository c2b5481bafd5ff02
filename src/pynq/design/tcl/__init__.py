"""Reader of block-design scripts (``.tcl``), as Vivado's ``write_bd_tcl`` exports them.

The script is a program: it runs apart from this one (:mod:`~pynq.design.tcl.sandbox`), with Vivado's commands
done in Python (:mod:`~pynq.design.tcl.commands`). What it has made, a
:class:`~pynq.design.tcl.netlist.Netlist`, is completed with what is known of common IP
(:mod:`~pynq.design.tcl.catalogue`) and of IP beside the script (:mod:`~pynq.design.tcl.packaged`), and
becomes a design (:mod:`~pynq.design.tcl.build`).
"""

from __future__ import annotations

import os

from pynq.design.bounded import load
from pynq.design.model import Design
from pynq.design.tcl import build, sandbox, wire
from pynq.design.tcl.helpers import sourced_by
from pynq.design.tcl.packaged import Packaged

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
    data = load(name, wire.SCRIPT, "script")
    netlist = sandbox.run(data, name, others=sourced_by(data, name))
    return build.design(netlist, name, Packaged(name, netlist.repositories))
