"""Overlays: made here and applied by libfdt, made by dtc and applied here."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from dtc import compile_source, fdtoverlay, needs_dtc, view
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq.devicetree import Fragment, Label, Node, Tree, apply, fragments, make, read, strings, write
from pynq.errors import DeviceTreeError

BASE = """/dts-v1/;
/ { #address-cells = <2>; #size-cells = <2>;
    gic: intc@8000000 { #interrupt-cells = <3>; interrupt-controller; };
    axi: axi { #address-cells = <2>; #size-cells = <2>; ranges; old { keep = <1>; change = <1>; }; }; };"""
OVERLAY = """/dts-v1/; /plugin/;
&axi { mgr: manager { compatible = "a,manager"; };
       region { fpga-mgr = <&mgr>; interrupt-parent = <&gic>; pair = <1 &gic 2 &mgr>; };
       old { change = <2>; }; };
/ { fragment@7 { target-path = "/"; __overlay__ { added { user = <&mgr>; }; }; }; };"""


def _overlay() -> Tree:
    manager = Node("manager", {"compatible": strings("a,manager")}, label="mgr")
    region = Node("region")
    region.set("fpga-mgr", Label("mgr"))
    region.set("pair", 1, Label("gic"), 2, Label("mgr"))
    old = Node("old")
    old.set("change", 2)
    user = Node("added")
    user.set("user", Label("mgr"))
    return make(
        [
            Fragment("&axi", Node("", children=[manager, region, old])),
            Fragment("/", Node("", children=[user])),
        ]
    )


def _base() -> Tree:
    gic = Node("intc@8000000", label="gic")
    old = Node("old")
    old.set("keep", 1)
    old.set("change", 1)
    tree = Tree(children=[gic, Node("axi", children=[old], label="axi")])
    tree.children.append(Node("__symbols__", {"gic": strings("/intc@8000000"), "axi": strings("/axi")}))
    return tree


@needs_dtc
def test_libfdt_applies_what_is_made_here(tmp_path: Path) -> None:
    base = compile_source(BASE, "-@")
    overlay = write(_overlay())
    assert view(apply(read(base), read(overlay))) == view(read(fdtoverlay(tmp_path, base, overlay)))


@needs_dtc
@pytest.mark.parametrize("options", [(), ("-@",)])
def test_an_overlay_of_dtc_is_applied_as_libfdt_does(tmp_path: Path, options: tuple[str, ...]) -> None:
    base, overlay = compile_source(BASE, "-@"), compile_source(OVERLAY, *options)
    ours = apply(read(base), read(overlay))
    assert view(ours) == view(read(fdtoverlay(tmp_path, base, overlay)))
    assert {part.target for part in fragments(read(overlay))} == {"/", "&axi"}


def test_what_an_overlay_adds() -> None:
    first, second = fragments(_overlay())
    assert first.target == "&axi"
    assert [node.name for node in first.content.children] == ["manager", "region", "old"]
    assert second.target == "/"
    with pytest.raises(DeviceTreeError, match="no device-tree overlay: no node has an __overlay__"):
        fragments(Tree())


def test_an_overlay_is_applied_and_base_stays_as_it_was() -> None:
    base, overlay = _base(), _overlay()
    before = base.copy(), overlay.copy()
    tree = apply(base, read(write(overlay)))
    assert (base, overlay) == before
    gic = tree.find("/intc")
    manager = tree.find("/axi/manager")
    region = tree.find("/axi/region")
    assert gic is not None
    assert manager is not None
    assert region is not None
    assert region.cells("pair") == (1, gic.phandle, 2, manager.phandle)
    assert region.cells("fpga-mgr") == (manager.phandle,)
    assert tree.find("/added").cells("user") == (manager.phandle,)  # type: ignore[union-attr]
    assert tree.find("/axi/old") == Node("old", {"keep": b"\0\0\0\1", "change": b"\0\0\0\2"})
    # A second overlay gets phandles of its own.
    other = apply(tree, make([Fragment("/", Node("", children=[Node("x", label="x"), _user("x")]))]))
    assert other.find("/x").phandle not in (gic.phandle, manager.phandle)  # type: ignore[union-attr]
    assert other.find("/y").cells("use") == (other.find("/x").phandle,)  # type: ignore[union-attr]


def _user(label: str) -> Node:
    node = Node("y")
    node.set("use", Label(label))
    return node


def test_labels_of_an_overlay_join_the_tree() -> None:
    node = Node("a", children=[Node("b", label="inner")], label="outer")
    tree = apply(_base(), make([Fragment("&axi", Node("", children=[node]))], symbols=True))
    assert tree.labels["outer"] == "/axi/a"
    assert tree.labels["inner"] == "/axi/a/b"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Fragment("&nowhere", Node("")), "the base tree has no label 'nowhere'; known: axi, gic"),
        (Fragment("/nowhere", Node("")), "fragment@0: the base tree has no node '/nowhere'"),
        (Fragment("nowhere", Node("")), "target 'nowhere': expected a path"),
        (
            Fragment("/", Node("", children=[Node("a", label="x"), Node("b", label="x")])),
            "fragment@0/__overlay__/b: label 'x' is that of /fragment@0/__overlay__/a, too",
        ),
    ],
)
def test_targets_and_labels_that_are_not_there(part: Fragment, message: str) -> None:
    with pytest.raises(DeviceTreeError, match=message):
        apply(_base(), make([part]))


@settings(max_examples=200)
@given(st.data())
def test_damaged_overlays_are_applied_or_refused(data: st.DataObject) -> None:
    blob = bytearray(write(_overlay()))
    (start,) = struct.unpack_from(">I", blob, 8)
    for _ in range(data.draw(st.integers(1, 6))):
        blob[data.draw(st.integers(start, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DeviceTreeError):
        overlay = read(blob)
        fragments(overlay)
        write(apply(_base(), overlay))
