"""Bitstreams and device-tree overlays for tests."""

from __future__ import annotations

from pynq.devicetree import Fragment, Node, cells, make, write

SYNC = bytes.fromhex("ffffffffaa9955662000000000ff00ff")
TURNED = bytes.fromhex("ffffffff665599aa00000020ff00ff00")
"""The same as the kernel takes it."""


def bitfile(data: bytes = SYNC, part: str = "7z020clg400", design: str = "top;UserID=0XFFFFFFFF") -> bytes:
    """Return a .bit as Vivado writes it."""
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (("a", design), ("b", part), ("c", "2024/05/01"), ("d", "12:00:00")):
        field = text.encode() + b"\0"
        head += key.encode() + len(field).to_bytes(2, "big") + field
    return head + b"e" + len(data).to_bytes(4, "big") + data


def overlay_blob(target: str, name: str, address: int, size: int = 0x1000) -> bytes:
    """Return an overlay that adds a UIO node to a bus with one cell for an address."""
    node = Node(name)
    node.set("compatible", "generic-uio")
    node.set("reg", cells(address, size))
    content = Node("")
    content.children.append(node)
    return write(make([Fragment(target, content)]))
