"""Device trees: read and write them, make and apply overlays, and the nodes that a design's IP get."""

from pynq.devicetree.fdt import Label, Node, Tree, cells, read, strings, write
from pynq.devicetree.overlay import Fragment, apply, fragments, make

__all__ = [
    "Fragment",
    "Label",
    "Node",
    "Tree",
    "apply",
    "cells",
    "fragments",
    "make",
    "read",
    "strings",
    "write",
]
