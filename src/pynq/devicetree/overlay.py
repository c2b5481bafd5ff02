"""Device-tree overlays: make one, see what one adds, apply one to a tree.

The form is that of the kernel's "Devicetree Overlay Notes" (Documentation/devicetree/overlay-notes.rst) and
of dtc's "Device Tree Dynamic Object Format Internals": ``fragment@N`` nodes with ``target`` or
``target-path`` and ``__overlay__``; ``__fixups__`` tells where labels of the base tree are to be filled in,
``__local_fixups__`` where the overlay refers to its own nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pynq.devicetree.fdt import Node, Phandles, Tree, put_cell, strings
from pynq.errors import DeviceTreeError

__all__ = ["Fragment", "apply", "fragments", "make"]

_FIXUPS, _LOCAL, _SYMBOLS, _OVERLAY = "__fixups__", "__local_fixups__", "__symbols__", "__overlay__"
_NO_PHANDLE = 0xFFFFFFFF


class Fragment(NamedTuple):
    """What an overlay adds at one place.

    ``target`` is a path ("/amba_pl") or a label ("&fpga_full"). Properties and children of ``content`` go to
    the target; its own name is not used.
    """

    target: str
    content: Node


def make(parts: Sequence[Fragment], *, symbols: bool = False) -> Tree:
    """Return the overlay that adds ``parts``, for :func:`pynq.devicetree.write`.

    A :class:`~pynq.devicetree.Label` in it is first looked for among the labels of the nodes it adds; any
    other has to be a label of the base tree. ``symbols`` writes the overlay's own labels as well, which Linux
    refuses where the base tree has none.

    Raises :class:`~pynq.errors.DeviceTreeError` for a target that is neither path nor label, and for a label
    that two nodes have.
    """
    tree = Tree()
    for number, part in enumerate(parts):
        node = Node(f"fragment@{number}")
        if part.target.startswith("&") and len(part.target) > 1:
            node.set("target", _NO_PHANDLE)
            node.references["target"] = {0: part.target[1:]}
        elif part.target.startswith("/"):
            node.set("target-path", part.target)
        else:
            raise DeviceTreeError(
                f"target {part.target!r}: expected a path ('/axi') or a label ('&fpga_full')"
            )
        content = part.content.copy()
        content.name = _OVERLAY
        node.children.append(content)
        tree.children.append(node)
    own = _own_labels(tree)
    _refer(tree, own)
    if symbols and own:
        tree.children.append(Node(_SYMBOLS, {name: strings(path) for name, (path, _) in own.items()}))
    return tree


def _own_labels(tree: Tree) -> dict[str, tuple[str, Node]]:
    own: dict[str, tuple[str, Node]] = {}
    for path, node in tree.walk():
        if node.label and own.setdefault(node.label, (path, node))[1] is not node:
            raise DeviceTreeError(f"{path}: label {node.label!r} is that of {own[node.label][0]}, too")
    return own


def _refer(tree: Tree, own: dict[str, tuple[str, Node]]) -> None:
    """Fill in the phandles of the overlay's own nodes, and note where which are."""
    fixups = Node(_FIXUPS)
    local = Node(_LOCAL)
    phandles = Phandles(tree)
    for path, node in tree.walk():
        for name, places in node.references.items():
            for offset, label in places.items():
                if label in own:
                    put_cell(node, name, offset, phandles.of(own[label][1]))
                    note = _descend(local, path)
                    note.properties[name] = note.properties.get(name, b"") + offset.to_bytes(4, "big")
                else:
                    place = strings(f"{path}:{name}:{offset}")
                    fixups.properties[label] = fixups.properties.get(label, b"") + place
        node.references = {}
    tree.children += [node for node in (fixups, local) if node.properties or node.children]


def _descend(node: Node, path: str) -> Node:
    """Return the node at a path, made where it is not there."""
    for name in path.split("/"):
        if name:
            found = next((child for child in node.children if child.name == name), None)
            if found is None:
                found = Node(name)
                node.children.append(found)
            node = found
    return node


def fragments(overlay: Tree) -> list[Fragment]:
    """Return what an overlay adds, and where.

    A target that is a phandle already is given as ``<number>``. Raises
    :class:`~pynq.errors.DeviceTreeError` for a tree that is no overlay.
    """
    targets = {place.node: f"&{place.label}" for place in _fixups(overlay) if place.property == "target"}
    found = []
    for path, node, content in _fragments(overlay):
        target = node.text("target-path") or targets.get(path) or f"<{(node.cells('target') or (0,))[0]:#x}>"
        found.append(Fragment(target, content))
    return found


def _fragments(overlay: Tree) -> Iterator[tuple[str, Node, Node]]:
    count = 0
    for node in overlay.children:
        content = node.child(_OVERLAY)
        if content is not None:
            count += 1
            yield f"/{node.name}", node, content
    if not count:
        raise DeviceTreeError("no device-tree overlay: no node has an __overlay__ in it")


class _Fixup(NamedTuple):
    label: str
    node: str  # path
    property: str
    offset: int  # bytes


def _fixups(overlay: Tree) -> Iterator[_Fixup]:
    fixups = overlay.child(_FIXUPS)
    for label in fixups.properties if fixups is not None else ():
        assert fixups is not None
        for text in fixups.strings(label):
            path, name, offset = [*text.rsplit(":", 2), "", ""][:3]
            if not path or not name or not offset.isdecimal() or len(offset) > 8:
                raise DeviceTreeError(f"overlay: __fixups__ of {label!r} has {text[:60]!r}")
            yield _Fixup(label, path, name, int(offset))


def apply(base: Tree, overlay: Tree) -> Tree:
    """Return ``base`` with an overlay applied, as the boot loader or ``fdtoverlay`` does it; neither changes.

    A node of the base tree that a label means gets a phandle where it has none. Raises
    :class:`~pynq.errors.DeviceTreeError` for labels and targets that the base tree does not have.
    """
    base, overlay = base.copy(), overlay.copy()
    phandles = Phandles(base)
    _shift_phandles(overlay, phandles.last)
    _resolve(base, overlay, phandles)
    known = {node.phandle: path for path, node in base.walk() if node.phandle is not None}
    places: dict[str, str] = {}
    for path, node, content in _fragments(overlay):
        target, holder = _target(base, known, path, node)
        places[f"{path}/{_OVERLAY}"] = target
        _merge(holder, content)
    _add_symbols(base, overlay, places)
    return base


def _shift_phandles(overlay: Tree, distance: int) -> None:
    nodes = dict(overlay.walk())
    for node in nodes.values():
        for name in ("phandle", "linux,phandle"):
            if name in node.properties:
                _shift(node, name, 0, distance)
    local = overlay.child(_LOCAL)
    for path, note in local.walk() if local is not None else ():
        for name in note.properties:
            for offset in note.cells(name):
                if path not in nodes:
                    raise DeviceTreeError(f"overlay: __local_fixups__ of {path}, which is no node of it")
                _shift(nodes[path], name, offset, distance)


def _shift(node: Node, name: str, offset: int, distance: int) -> None:
    old = int.from_bytes(node.properties.get(name, b"")[offset : offset + 4], "big")
    put_cell(node, name, offset, old + distance)


def _resolve(base: Tree, overlay: Tree, phandles: Phandles) -> None:
    labels = base.labels
    targets, nodes = dict(base.walk()), dict(overlay.walk())
    for fixup in _fixups(overlay):
        target = targets.get(labels.get(fixup.label, ""))
        if target is None:
            known = ", ".join(sorted(labels)) or "none (`dtc -@` compiles a tree with labels)"
            raise DeviceTreeError(f"overlay: the base tree has no label {fixup.label!r}; known: {known}")
        if fixup.node not in nodes:
            raise DeviceTreeError(f"overlay: __fixups__ of {fixup.label!r}: no node {fixup.node}")
        put_cell(nodes[fixup.node], fixup.property, fixup.offset, phandles.of(target))


def _target(base: Tree, known: dict[int, str], path: str, node: Node) -> tuple[str, Node]:
    if "target-path" in node.properties:
        target = node.text("target-path")
        holder = base.find(target) if target.startswith("/") else None
        if holder is None:
            raise DeviceTreeError(f"overlay, {path}: the base tree has no node {target!r}")
        return target, holder
    phandle = (node.cells("target") or (0,))[0]
    holder = base.find(known[phandle]) if phandle in known else None
    if holder is None:
        raise DeviceTreeError(f"overlay, {path}: the base tree has no node with phandle {phandle:#x}")
    return known[phandle], holder


def _merge(holder: Node, content: Node) -> None:
    for name, value in content.properties.items():
        # A phandle that others know stays.
        if name not in ("phandle", "linux,phandle") or name not in holder.properties:
            holder.properties[name] = value
    there = {child.name: child for child in holder.children}
    for child in content.children:
        if child.name in there:
            _merge(there[child.name], child)
        else:
            holder.children.append(child)


def _add_symbols(base: Tree, overlay: Tree, places: dict[str, str]) -> None:
    symbols = overlay.child(_SYMBOLS)
    if symbols is None:
        return
    holder = _descend(base, f"/{_SYMBOLS}")
    for label in symbols.properties:
        path = symbols.text(label)
        for inner, target in places.items():
            if path == inner or path.startswith(f"{inner}/"):
                holder.set(label, target.rstrip("/") + path[len(inner) :] or "/")
