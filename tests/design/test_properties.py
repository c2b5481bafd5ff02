"""Properties: what is written is read, and no input does anything but load or raise DesignError."""

from __future__ import annotations

import functools
import string
from pathlib import Path
from typing import Any

import pytest
from hwh_files import B, F, I, M, P, R, Reg, concat, document, intc, source, zynq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pynq.design import Design, MemoryKind, read_bytes, views
from pynq.errors import DesignError

SEEDS = Path(__file__).resolve().parents[1] / "fuzz" / "seeds"
names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
)
values = texts.map(lambda text: " ".join(text.split())).filter(bool)
accesses = st.sampled_from(["read-write", "read-only", "write-only", "writeOnce"])

fields = st.builds(F, names, st.integers(0, 31), st.integers(1, 33), accesses, values)
registers = st.builds(
    Reg,
    values,
    st.integers(0, 0xFFFF),
    st.integers(1, 128),
    accesses,
    st.integers(0, 1 << 64).map(hex),
    values,
    st.lists(fields, max_size=3, unique_by=lambda entry: entry.name).map(tuple),
)
blocks = st.builds(
    B,
    names,
    st.lists(registers, max_size=3, unique_by=lambda entry: entry.name).map(tuple),
    names,
    st.sampled_from(["register", "memory", ""]),
    st.sampled_from(["4096", "0x1000", "64K", "pow(2,12)"]),
)
ports = st.builds(
    P,
    names,
    st.sampled_from(["I", "O", "IO"]),
    st.just(""),
    st.none() | st.integers(0, 4095),
    st.sampled_from(["undef", "clk", "rst", "INTERRUPT"]),
    st.just({}),
)
interfaces = st.builds(
    I,
    names,
    st.sampled_from(["MASTER", "SLAVE", "INITIATOR", "TARGET", "MONITOR"]),
    names,
    st.just("xilinx.com:interface:aximm:1.0"),
    st.dictionaries(names, values, max_size=3),
    st.dictionaries(names.map(str.upper), names, max_size=3),
    st.just(()),
)


@st.composite
def cells(draw: st.DrawFn) -> list[M]:
    """Peripherals whose instance names are as unique as their paths."""
    found = draw(st.lists(paths, max_size=6, unique_by=lambda path: path.replace("/", "_")))
    return [
        M(
            path,
            f"{draw(names)}:{draw(names)}:{draw(names)}:{draw(names)}",
            draw(st.lists(ports, max_size=4, unique_by=lambda port: port.name)),
            draw(st.lists(interfaces, max_size=3, unique_by=lambda interface: interface.name)),
            [],
            draw(st.lists(blocks, max_size=2)),
            draw(st.dictionaries(names, values, max_size=3)),
        )
        for path in found
        if path.replace("/", "_") != "ps7"
    ]


@given(cells(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_written_is_read(modules: list[M], data: st.DataObject) -> None:
    window = st.tuples(st.integers(12, 30), st.sampled_from(["REGISTER", "MEMORY"]))
    ranges, base = [], 0
    for cell in modules:
        log, kind = data.draw(window)
        ranges.append(R(cell.path, base, 1 << log, "S_AXI", kind=kind))
        base += 1 << log
    design = read_bytes(document([zynq(ranges=ranges), *modules]), "made.hwh")
    assert list(design.cells) == ["ps7", *(cell.path for cell in modules)]
    for made, entry in zip(ranges, design.ps_ranges, strict=True):
        assert (entry.slave, entry.base, entry.size) == (made.slave, made.base, made.size)
        assert entry.kind is MemoryKind[made.kind]
    for made in modules:
        cell = design.cells[made.path]
        assert cell.type == made.vlnv
        assert dict(cell.parameters) == made.parameters
        assert [(p.name, p.direction, p.width, p.kind) for p in cell.ports.values()] == [
            (p.name, p.direction, 1 if p.msb is None else p.msb + 1, p.kind) for p in made.ports
        ]
        assert [(i.name, i.role, i.net, dict(i.parameters)) for i in cell.interfaces.values()] == [
            (i.name, i.role, i.net, i.parameters) for i in made.interfaces
        ]
        assert [dict(i.port_map) for i in cell.interfaces.values()] == [i.port_map for i in made.interfaces]
        for block, made_block in zip(cell.blocks, made.blocks, strict=True):
            assert [
                (r.name, r.offset, r.size, r.access, r.reset, r.description) for r in block.registers
            ] == [
                (r.name, r.offset, r.size, r.access, int(r.reset, 16), r.description)
                for r in made_block.registers
            ]
            for register, made_register in zip(block.registers, made_block.registers, strict=True):
                assert [(f.name, f.offset, f.width, f.access, f.description) for f in register.fields] == [
                    tuple(f) for f in made_register.fields
                ]
    check_views(design)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=12))
def test_interrupts_are_where_the_bits_are(inputs: list[tuple[int, bool]]) -> None:
    """(width, connected) of each input of a concatenation in front of a controller."""
    nets = [(f"n{i}" if connected else "", width) for i, (width, connected) in enumerate(inputs)]
    makers = [
        source(f"ip{i}", f"n{i}", width=width) for i, (width, connected) in enumerate(inputs) if connected
    ]
    total = sum(width for width, _ in inputs)
    ps = zynq(ports=[P("IRQ_F2P", "I", "irq", 0, "INTERRUPT")])
    design = read_bytes(
        document([ps, intc("intc", "all", "irq", total), concat("cat", nets, "all"), *makers])
    )
    offset = 0
    for i, (width, connected) in enumerate(inputs):
        pin = design.interrupt_pins.get(f"ip{i}/interrupt")
        assert (pin is not None) == connected
        if pin is not None:
            assert (pin.controller, pin.index) == ("intc", offset)
        offset += width


def check_views(design: Design) -> None:
    """Every view can be made, twice the same, of plain values only."""
    for name in views.__all__:
        first: Any = getattr(views, name)(design)
        assert first == getattr(views, name)(design)


@functools.cache
def sample() -> bytes:
    """A file with something of everything."""
    control = Reg("CTRL", 0, fields=(F("START", 0, 1), F("DONE", 1, 1, "read-only")))
    axi = I("S_AXI", "SLAVE", "bus", parameters={"PROTOCOL": "AXI4LITE"}, port_map={"ARADDR": "araddr"})
    return document(
        [
            zynq(
                "soc/ps7",
                ports=[P("IRQ_F2P", "I", "all", 1, "INTERRUPT"), P("GPIO_O", "O", "gpio", 3)],
                ranges=[R("ip", 0x4000_0000, 0x1000), R("mem", 0x4200_0000, 0x2000, kind="MEMORY")],
            ),
            M("ip", blocks=[B("S_AXI", (control,))], interfaces=[axi], ports=[P("araddr", "I")]),
            M("mem", "xilinx.com:ip:axi_bram_ctrl:4.1"),
            concat("cat", [("a", 1), ("b", 1)], "all"),
            intc("intc", "c", "b"),
            source("x", "a"),
            source("y", "c"),
            M("s", "xilinx.com:ip:xlslice:1.0", [P("Din", "I", "gpio", 3), P("Dout", "O", "led")]),
        ],
        [P("led", "O", "led")],
        [I("S_AXI_IN", "SLAVE", vlnv=None, ranges=(R("ip", 0, 0x1000, master="S_AXI_IN"),))],
    )


def load(data: bytes) -> None:
    """Read and look at everything; nothing but DesignError may come out."""
    refused: DesignError | None = None
    try:
        check_views(read_bytes(data, "fuzz.hwh"))
    except DesignError as error:
        refused = error
    if refused is not None:
        assert refused.problems
        assert all(problem.file == "fuzz.hwh" and problem.message for problem in refused.problems)


@settings(deadline=None)
@given(st.binary(max_size=2000))
@example(b"")
@example(b"\xff\xfe")
@example(b'<?xml version="1.0" encoding="utf-7"?><EDKSYSTEM/>')
@example(b'<?xml version="1.0" encoding="idna"?><EDKSYSTEM/>')
@example(b'<?xml version="1.0" encoding="punycode"?><EDKSYSTEM/>')
@example(b'<?xml version="1.0" encoding="undefined"?><EDKSYSTEM/>')
@example(b'<?xml version="1.0" encoding="base64"?><EDKSYSTEM/>')
@example(b'<?xml version="1.0" encoding="utf-32"?><EDKSYSTEM/>')
def test_any_bytes(data: bytes) -> None:
    load(data)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """The sample with some words exchanged, dropped, doubled, or replaced by trouble."""
    data = sample()
    trouble = [
        b"",
        b"0",
        b"-1",
        b"0x",
        b"zz",
        b"9" * 30,
        b"0x" + b"F" * 20,
        b"\x00",
        b"&amp;",
        b"<",
        b">",
        b'"',
        b"\xe9",
    ]
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        start = draw(st.integers(0, len(data) - 1))
        length = draw(st.integers(0, 40))
        kind = draw(st.integers(0, 3))
        piece = data[start : start + length]
        if kind == 0:
            data = data[:start] + draw(st.sampled_from(trouble)) + data[start + length :]
        elif kind == 1:
            data = data[:start] + piece * 2 + data[start + length :]
        elif kind == 2:
            data = data[: start + 1]
        else:
            other = draw(st.integers(0, len(data) - 1))
            data = data[:start] + data[other : other + length] + data[start + length :]
    return data


@given(mutations())
@settings(max_examples=400, deadline=None)
def test_mutated_files(data: bytes) -> None:
    load(data)


@st.composite
def attribute_mutations(draw: st.DrawFn) -> bytes:
    """The sample with attributes removed or given odd values: still well-formed, so the later stages are
    reached.
    """
    lines = sample().split(b"\n")
    odd = st.sampled_from(
        [b"", b"0", b"-1", b"0x", b"zz", b"1e9", b"9" * 30, b"0x" + b"F" * 20, b"ps7", b"a/b", b"/", b"cat"]
    )
    for _ in range(draw(st.integers(1, 8))):
        number = draw(st.integers(0, len(lines) - 1))
        parts = lines[number].split(b'"')
        if len(parts) < 3:
            continue
        index = 2 * draw(st.integers(0, len(parts) // 2 - 1))
        if draw(st.booleans()):
            parts[index + 1] = draw(odd)
            lines[number] = b'"'.join(parts)
        else:
            kept = parts[index].rsplit(b" ", 1)[0]
            lines[number] = b'"'.join([*parts[:index], kept + parts[index + 2], *parts[index + 3 :]])
    return b"\n".join(lines)


@given(attribute_mutations())
@settings(max_examples=400, deadline=None)
def test_odd_attributes(data: bytes) -> None:
    load(data)


@pytest.mark.parametrize("seed", sorted(SEEDS.glob("*.hwh")), ids=lambda path: path.stem)
def test_seeds_of_the_fuzzer_load(seed: Path) -> None:
    check_views(read_bytes(seed.read_bytes(), seed.name))
