"""Reading and writing device trees, against dtc and against damaged blobs."""

from __future__ import annotations

import contextlib
import re
import struct

import pytest
from dtc import compile_source, needs_dtc, source_of, through_dtc, view
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynq.devicetree import Label, Node, Tree, cells, fdt, read, strings, write
from pynq.errors import DeviceTreeError

NAMES = st.text("abcdefghij0123456789,._+-", min_size=1, max_size=12)
PROPERTIES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=4)


def _unique(nodes: list[Node]) -> list[Node]:
    return list({node.name: node for node in nodes}.values())


NODES = st.recursive(
    st.builds(Node, NAMES, PROPERTIES),
    lambda inner: st.builds(Node, NAMES, PROPERTIES, st.lists(inner, max_size=4).map(_unique)),
    max_leaves=20,
)
TREES = st.builds(
    lambda node, reserved, cpu: Tree("", node.properties, node.children, reservations=reserved, boot_cpu=cpu),
    NODES,
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 2**64 - 1)), max_size=3).map(tuple),
    st.integers(0, 2**32 - 1),
)


def _sample() -> Tree:
    serial = Node("serial@101f0000", {"compatible": strings("arm,pl011", "arm,primecell")}, label="uart")
    serial.set("reg", 0x101F0000, 0x1000)
    serial.set("interrupt-parent", Label("intc"))
    gic = Node("intc@10000000", label="intc")
    gic.set("interrupt-controller")
    tree = Tree(children=[Node("soc", children=[serial, gic])], reservations=((0x1000, 0x2000),))
    fdt.resolve(tree)
    return tree


@given(TREES)
def test_a_tree_that_was_written_reads_back_as_it_was(tree: Tree) -> None:
    assert read(write(tree)) == tree


@needs_dtc
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_dtc_reads_what_is_written_and_writes_what_is_read(tree: Tree) -> None:
    assert view(read(through_dtc(write(tree)))) == view(tree)


@needs_dtc
def test_a_source_of_dtc_is_read() -> None:
    tree = read(
        compile_source(
            """/dts-v1/; /memreserve/ 0x10000000 0x4000;
            / { #address-cells = <1>; model = "a", "b"; flag;
                bus: bus@1 { value = /bits/ 64 <0x123456789>; gic: gic@2 { phandle = <7>; }; };
                user { parent = <&gic>; }; };""",
            "-@",
        )
    )
    assert tree.reservations == ((0x10000000, 0x4000),)
    assert tree.cells("#address-cells") == (1,)
    assert tree.strings("model") == ("a", "b")
    assert tree.properties["flag"] == b""
    assert tree.find("/bus@1").cells("value") == (1, 0x23456789)  # type: ignore[union-attr]
    assert tree.find("/bus/gic").phandle == 7  # type: ignore[union-attr]
    assert tree.labels == {"bus": "/bus@1", "gic": "/bus@1/gic@2"}
    assert tree.find("/user").cells("parent") == (7,)  # type: ignore[union-attr]
    path, node = tree.by_phandle(7) or ("", Node(""))
    assert (path, node.name) == ("/bus@1/gic@2", "gic@2")
    assert read(write(tree)) == tree


@needs_dtc
def test_dtc_shows_the_sample() -> None:
    text = source_of(write(_sample()))
    assert re.search(r'compatible = "arm,pl011(\\0|", ")arm,primecell"', text)
    assert "interrupt-parent = <0x01>" in text
    assert "/memreserve/" in text


def test_helpers_of_nodes() -> None:
    tree = _sample()
    assert [path for path, _ in tree.walk()] == ["/", "/soc", "/soc/serial@101f0000", "/soc/intc@10000000"]
    assert [path for path, _ in tree.with_compatible("arm,pl011")] == ["/soc/serial@101f0000"]
    assert tree.find("/soc/nothing/below") is None
    other = tree.copy()
    other.remove("/soc/serial")
    other.remove("/soc/serial")
    assert tree.find("/soc/serial") is not None
    assert other.find("/soc/serial") is None
    assert cells(1, 2, size=2) == struct.pack(">QQ", 1, 2)
    with pytest.raises(DeviceTreeError, match="0x100000000 does not fit 1 cell"):
        cells(1 << 32)
    with pytest.raises(DeviceTreeError, match="compatible has 3 bytes, which are no cells"):
        Node("x", {"compatible": b"ab\0"}).cells("compatible")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Node("a/b"), "node 'a/b': expected 1 to 255 printable"),
        (Node(""), "node '': expected"),
        (Node("a", {"two words": b""}), "property 'two words': expected"),
        (Node("a", children=[Node("b"), Node("b")]), "/a: two children have the same name"),
    ],
)
def test_what_can_not_be_written(node: Node, message: str) -> None:
    with pytest.raises(DeviceTreeError, match=message):
        write(Tree(children=[node]))


def test_labels_have_to_be_resolved() -> None:
    node = Node("user")
    node.set("parent", Label("gic"))
    tree = Tree(children=[node])
    with pytest.raises(DeviceTreeError, match="/user: label 'gic' is not resolved"):
        write(tree)
    with pytest.raises(DeviceTreeError, match="/user: parent refers to label 'gic'; known: none"):
        fdt.resolve(tree)
    tree.children += [Node("a", label="gic"), Node("b", label="gic")]
    with pytest.raises(DeviceTreeError, match="/b: label 'gic' is that of another node, too"):
        fdt.resolve(tree)


def test_too_deep() -> None:
    node = Node("n")
    for _ in range(fdt.MAX_DEPTH):
        node = Node("n", children=[node])
    with pytest.raises(DeviceTreeError, match="nested deeper than 64"):
        write(Tree(children=[node]))
    blob = bytearray(write(Tree()))
    struct_block = struct.pack(">II", 1, 0) + struct.pack(">I4s", 1, b"n") * 70000
    head = list(struct.unpack(">10I", blob[:40]))
    head[1], head[2], head[3], head[8], head[9] = 56 + len(struct_block), 56, 56, 0, len(struct_block)
    with pytest.raises(DeviceTreeError, match="nested deeper than 64"):
        read(struct.pack(">10I", *head) + bytes(16) + struct_block)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (0, 0xD00DFEEE, "no device tree: .* do not begin with d00dfeed"),
        (1, 1 << 30, "device tree of 1073741824 bytes: there are"),
        (2, 1 << 31, "structure block is at"),
        (2, 58, "structure block begins at byte 58"),
        (3, 1 << 31, "strings block is at"),
        (4, 1 << 31, "reservation block is at"),
        (5, 3, "version 3: expected 16 or 17"),
        (6, 18, "version 17: expected 16 or 17"),
        (9, 4, "a node's name|ends too early"),
    ],
)
def test_damaged_headers(field: int, value: int, message: str) -> None:
    blob = bytearray(write(_sample()))
    struct.pack_into(">I", blob, 4 * field, value)
    with pytest.raises(DeviceTreeError, match=message):
        read(blob)


@settings(max_examples=300)
@given(st.data())
def test_damaged_blobs_give_a_tree_or_one_error(data: st.DataObject) -> None:
    blob = bytearray(write(_sample()))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(blob) // 4 - 1))
        value = data.draw(st.sampled_from((0, 1, 2, 3, 4, 5, 9, 64, 255, 0x7FFFFFFF, 0xFFFFFFFF)))
        struct.pack_into(">I", blob, 4 * place, value)
    del blob[data.draw(st.integers(0, len(blob))) :]
    try:
        tree = read(blob)
    except DeviceTreeError:
        return
    assert read(write(tree)) == tree


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header(data: bytes) -> None:
    header = struct.pack(">10I", 0xD00DFEED, 56 + len(data), 56, 56, 40, 17, 16, 0, len(data), len(data))
    with contextlib.suppress(DeviceTreeError):
        read(header + bytes(16) + data)
