"""What changed between two builds: one change of a small design at a time, and what real rebuilds give."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hwh_files import B, F, M, P, R, Reg, document
from look_designs import bus, clocked, lite, made, parts, port, stream

from pynq.cli import main
from pynq.design import read
from pynq.design.compare import KINDS, WEIGHTS, Change, compare

Cells = dict[str, M]
Told = tuple[str, str, str, str, str]
CASES: dict[str, tuple[Callable[[Cells], object], tuple[Told, ...]]] = {}


def case(*told: Told) -> Callable[[Callable[[Cells], object]], None]:
    """Register a change of the small design, and all that is to be told of it."""

    def add(change: Callable[[Cells], object]) -> None:
        CASES[change.__name__] = (change, told)

    return add


def rename(cells: Cells, old: str, new: str) -> None:
    cells[old].path = new
    for cell in cells.values():
        cell.ranges = [one._replace(slave=new) if one.slave == old else one for one in cell.ranges]


@case(
    (
        "breaks",
        "address moved",
        "kernel/s_axi_control",
        "0x43c00000 to 0x43c0ffff",
        "0x43c10000 to 0x43c1ffff",
    )
)
def moved(cells: Cells) -> None:
    cells["ps7"].ranges[1] = R("kernel", 0x43C1_0000, 0x1_0000, "s_axi_control")


@case(
    (
        "breaks",
        "address resized",
        "kernel/s_axi_control",
        "0x43c00000 to 0x43c0ffff",
        "0x43c00000 to 0x43c00fff",
    )
)
def smaller(cells: Cells) -> None:
    cells["ps7"].ranges[1] = R("kernel", 0x43C0_0000, 0x1000, "s_axi_control")


@case(
    (
        "harmless",
        "address resized",
        "kernel/s_axi_control",
        "0x43c00000 to 0x43c0ffff",
        "0x43c00000 to 0x43c1ffff",
    )
)
def larger(cells: Cells) -> None:
    cells["ps7"].ranges[1] = R("kernel", 0x43C0_0000, 0x2_0000, "s_axi_control")


@case(
    ("breaks", "cell removed", "kernel", "xilinx.com:hls:fill:1.0", ""),
    ("breaks", "address removed", "kernel/s_axi_control", "0x43c00000 to 0x43c0ffff", ""),
    ("breaks", "interrupt", "kernel/interrupt", "intc input 1", ""),
    ("behaves", "connection", "dma/S_AXIS_S2MM", "kernel/out_r", ""),
    ("behaves", "connection", "concat/In1", "kernel/interrupt", ""),
)
def removed(cells: Cells) -> None:
    del cells["kernel"]
    del cells["ps7"].ranges[1]


@case(("harmless", "cell added", "second", "", "xilinx.com:ip:xlconstant:1.1"))
def added(cells: Cells) -> None:
    cells["second"] = M("second", "xilinx.com:ip:xlconstant:1.1")


@case(("breaks", "cell renamed", "video/filler", "kernel", "video/filler"))
def renamed(cells: Cells) -> None:
    rename(cells, "kernel", "video/filler")


@case(("breaks", "cell retyped", "kernel", "xilinx.com:hls:fill:1.0", "acme.com:hls:fill:1.0"))
def retyped(cells: Cells) -> None:
    cells["kernel"].vlnv = "acme.com:hls:fill:1.0"
    cells["kernel"].parameters["C_NEW"] = "1"


@case(("behaves", "version", "kernel", "xilinx.com:hls:fill:1.0", "xilinx.com:hls:fill:1.1"))
def version(cells: Cells) -> None:
    cells["kernel"].vlnv = "xilinx.com:hls:fill:1.1"


@case(("behaves", "parameter", "dma c_sg_length_width", "26", "14"))
def parameter(cells: Cells) -> None:
    cells["dma"].parameters["c_sg_length_width"] = "14"
    cells["dma"].parameters["Component_Name"] = "design_2_dma_0"
    cells["dma"].parameters["C_BASEADDR"] = "0x40400000"


@case(
    ("behaves", "interrupt", "dma/s2mm_introut", "intc input 0", "intc input 1"),
    ("behaves", "interrupt", "kernel/interrupt", "intc input 1", "intc input 0"),
    ("behaves", "connection", "concat/In0", "dma/s2mm_introut", "kernel/interrupt"),
    ("behaves", "connection", "concat/In1", "kernel/interrupt", "dma/s2mm_introut"),
)
def interrupts_swapped(cells: Cells) -> None:
    port(cells["concat"], "In0", net="ready")
    port(cells["concat"], "In1", net="done")


@case(
    ("behaves", "clock", "FCLK_CLK0", "100 MHz", "50 MHz"),
    ("behaves", "parameter", "ps7 PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ", "100.000000", "50.000000"),
)
def slower(cells: Cells) -> None:
    cells["ps7"].parameters["PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"] = "50.000000"


@case(
    (
        "breaks",
        "register",
        "kernel IP_EN",
        "IP_IER: 0x8, 32 bits, read-write, reset 0x0",
        "IP_EN: 0x8, 32 bits, read-write, reset 0x0",
    ),
    (
        "breaks",
        "register",
        "kernel CTRL",
        "0x0, 32 bits, read-write, reset 0x0",
        "0x20, 32 bits, read-write, reset 0x0",
    ),
    (
        "breaks",
        "register",
        "kernel GIER",
        "0x4, 32 bits, read-write, reset 0x0",
        "0x4, 32 bits, read-only, reset 0x0",
    ),
    ("harmless", "register", "kernel MORE", "", "0x14, 32 bits, read-write, reset 0x0"),
)
def register(cells: Cells) -> None:
    new = (Reg("CTRL", 0x20), Reg("GIER", 4, access="read-only"), Reg("IP_EN", 8), Reg("MORE", 0x14))
    cells["kernel"].blocks = [B("s_axi_control", new, range="65536")]


@case(
    ("behaves", "port", "kernel/gate", "input [3:0]", "input 1 bit"),
    ("harmless", "port", "kernel/lamp", "", "output 1 bit"),
)
def ports(cells: Cells) -> None:
    cells["kernel"].ports = [P("gate", "I"), *clocked(*cells["kernel"].ports[2:]), P("lamp", "O")]


@case(("behaves", "bus", "dma/S_AXIS_S2MM", "AXIS 32 bits", "AXIS 64 bits"))
def wider(cells: Cells) -> None:
    bus(cells["dma"], "S_AXIS_S2MM", {"TDATA_NUM_BYTES": "8"})


@case(
    ("breaks", "memory", "PSDDR of the PS", "DDR3 0x0, 0x20000000 bytes", "DDR3 0x0, 0x10000000 bytes"),
)
def less_memory(cells: Cells) -> None:
    cells["ps7"].parameters["PCW_DDR_RAM_HIGHADDR"] = "0x0FFFFFFF"


@case(("behaves", "connection", "kernel/aresetn", "reset/peripheral_aresetn", "ps7/FCLK_RESET0_N"))
def other_reset(cells: Cells) -> None:
    port(cells["kernel"], "aresetn", net="ps_rst")


def before() -> Cells:
    cells = parts()
    cells["kernel"].ports.insert(0, P("gate", "I", "", 3))
    return cells


def told(changes: tuple[Change, ...]) -> list[Told]:
    return [one[:5] for one in changes]


@pytest.mark.parametrize("name", CASES)
def test_change(name: str) -> None:
    change, expected = CASES[name]
    after = before()
    change(after)
    found = compare(made(before()), made(after))
    assert sorted(told(found)) == sorted(expected)
    weights = [WEIGHTS.index(one.weight) for one in found]
    assert weights == sorted(weights)
    for one in found:
        assert one.kind in KINDS
        assert bool(one.old) <= (one.old_source is not None)
        assert bool(one.new) <= (one.new_source is not None)


@pytest.mark.parametrize("name", CASES)
def test_the_other_way_round_the_same_things_changed(name: str) -> None:
    after = before()
    CASES[name][0](after)
    old, new = made(before()), made(after)
    there, back = compare(old, new), compare(new, old)
    if name != "renamed" and name != "register":
        assert {one.subject for one in there} == {one.subject for one in back}
    assert len(there) == len(back)


def test_fields() -> None:
    def build(*fields: F) -> Cells:
        cells = parts()
        cells["kernel"].blocks = [B("s_axi_control", (Reg("CTRL", 0, fields=fields), Reg("GIER", 4)))]
        return cells

    old = build(F("GO", 0, 1), F("MODE", 4, 2), F("Bank A", 8, 4), F("OLD", 16, 1), F("COUNT", 24, 3))
    new = build(
        F("GO", 1, 1),
        F("MODE", 4, 2, "read-only"),
        F("Bank_A", 8, 4),
        F("NEW", 16, 1),
        F("X", 20, 1),
        F("COUNT", 24, 4),
    )
    assert told(compare(made(old), made(new))) == [
        ("breaks", "field", "kernel CTRL.GO", "bit 0, read-write", "bit 1, read-write"),
        ("breaks", "field", "kernel CTRL.MODE", "bits 5:4, read-write", "bits 5:4, read-only"),
        ("breaks", "field", "kernel CTRL.NEW", "OLD: bit 16, read-write", "NEW: bit 16, read-write"),
        (
            "behaves",
            "field",
            "kernel CTRL.Bank_A",
            "Bank A: bits 11:8, read-write",
            "Bank_A: bits 11:8, read-write",
        ),
        ("behaves", "field", "kernel CTRL.COUNT", "bits 26:24, read-write", "bits 27:24, read-write"),
        ("harmless", "field", "kernel CTRL.X", "", "bit 20, read-write"),
    ]


def test_a_wider_register_breaks_nothing_a_narrower_one_does() -> None:
    """As those of an interrupt controller that got another input."""
    builds = []
    for bits in (13, 15):
        cells = parts()
        fields = (F("INT", 0, bits),)
        cells["kernel"].blocks = [B("s_axi_control", (Reg("ISR", 0, size=bits, fields=fields),))]
        builds.append(made(cells))
    assert {one.weight for one in compare(*builds)} == {"behaves"}
    assert {one.weight for one in compare(*reversed(builds))} == {"breaks"}


def test_a_renamed_hierarchy_is_its_cells_renamed_and_nothing_else() -> None:
    def build(name: str) -> Cells:
        cells = parts()
        for path in ("dma", "kernel", "concat", "intc"):
            rename(cells, path, f"{name}/{path}")
        return cells

    found = compare(made(build("video")), made(build("picture")))
    assert {one.kind for one in found} == {"cell renamed"}
    assert {(one.old, one.new) for one in found} == {
        (f"video/{path}", f"picture/{path}") for path in ("dma", "kernel", "concat", "intc")
    }


def test_blocks_of_one_type_that_are_connected_otherwise_are_not_renamed() -> None:
    old, new = parts(), parts()
    old["left"] = M("left", "acme.com:user:x:1.0", [P("a", "I", "done"), P("b", "I", "ready")])
    ports = [P("c", "I", "clk"), P("d", "O", "", 3), P("e", "I", "rst")]
    new["right"] = M("right", "acme.com:user:x:1.0", ports, [stream("s", "TARGET", "__NOC__")])
    assert {one.kind for one in compare(made(old), made(new))} >= {"cell removed", "cell added"}


def test_the_same_design_built_again_is_equal() -> None:
    old = made(parts())
    assert compare(old, old) == ()
    again = dataclasses.replace(old, timestamp="Fri May 17 10:00:00 2019", file="other.hwh")
    assert compare(old, again) == ()


def test_part_board_and_tool() -> None:
    old = made(parts())
    new = dataclasses.replace(old, device="7z010", board="acme.com:board:1.0", tool_version="2024.1")
    assert told(compare(old, new)) == [
        ("breaks", "part", "part", "xc7z020clg400-1", "xc7z010clg400-1"),
        ("behaves", "board", "board", "", "acme.com:board:1.0"),
        ("harmless", "tool", "Vivado", "2023.2", "2024.1"),
    ]


def test_many_cells_of_one_type_take_no_time() -> None:
    def build(prefix: str) -> Cells:
        return {f"{prefix}{n}": M(f"{prefix}{n}", interfaces=[lite("S", "SLAVE", "n")]) for n in range(1500)}

    old, new = made(build("a")), made(build("b"))
    start = time.thread_time()
    assert len(compare(old, new)) == 3000
    assert time.thread_time() - start < 5


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    after = parts()
    CASES["moved"][0](after)
    for number in range(20):
        after["dma"].parameters[f"C_{number}"] = "1"
    names = []
    for name, cells in (("old", parts()), ("new", after)):
        file = tmp_path / f"{name}.hwh"
        file.write_bytes(document(cells.values()))
        names.append(str(file))
    return names[0], names[1]


def test_command(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    old, new = files
    assert main(["inspect", old, "--diff", old]) == 0
    assert "The designs are equal." in capsys.readouterr().out
    assert main(["inspect", old, "--diff", new]) == 1
    said = capsys.readouterr().out
    assert said.index("Programs break") < said.index("0x43c10000") < said.index("may behave differently")
    assert "8 more: --json has them all" in said
    assert main(["inspect", old, "--diff", new, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["breaks"], found["behaves"], found["harmless"]) == (1, 20, 0)
    assert found["old"]["description"] == old
    first = found["changes"][0]
    assert (first["kind"], first["subject"]) == ("address moved", "kernel/s_axi_control")
    assert first["old_line"] > 0


def test_one_design_has_no_page_of_differences(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", files[0], "--diff", files[1], "--html", str(tmp_path / "x.html")]) == 2
    assert "show one design" in " ".join(capsys.readouterr().err.split())


@pytest.mark.corpus
def test_real_rebuilds(corpus: Path) -> None:
    folder = corpus / "hwh"

    def kinds(old: str, new: str) -> set[tuple[str, str]]:
        changes = compare(read(folder / f"{old}.hwh"), read(folder / f"{new}.hwh"))
        return {(one.weight, one.kind) for one in changes}

    # A newer Vivado spells fields otherwise; programs, which write `_` for what Python has not, go on.
    gpio = kinds("Xilinx__PYNQ_Workshop__axi_gpio", "Xilinx__PYNQ_Workshop__axi_gpio__2020.1")
    assert gpio == {
        ("behaves", "field"),
        ("behaves", "parameter"),
        ("behaves", "board"),
        ("harmless", "tool"),
    }
    sam = "strath-sdr__rfsoc_sam__rfsoc_sam__RFSoC2x2__2020"
    assert {kind for weight, kind in kinds(f"{sam}.1", f"{sam}.2") if weight == "breaks"} == {"address moved"}


@pytest.mark.corpus
def test_every_file_equals_itself_and_differs_from_its_neighbour(corpus: Path) -> None:
    designs = [read(file) for file in sorted((corpus / "hwh").glob("*.hwh"))[::2]]
    for one, other in zip(designs, [*designs[1:], designs[0]], strict=True):
        assert compare(one, one) == ()
        assert compare(one, other)


@pytest.mark.skipif(find_spec("_tkinter") is None, reason="this Python has no Tcl (Debian: python3-tk)")
@pytest.mark.parametrize("example", ["dma_loopback", "image_filter"])
def test_what_only_one_kind_of_description_has_is_no_change(example: str) -> None:
    file = Path(__file__).resolve().parents[2] / "examples" / example / example
    found = compare(read(file.with_suffix(".hwh")), read(file.with_suffix(".tcl")))
    assert not [one for one in found if one.weight == "breaks"]
    assert not [one for one in found if one.kind == "parameter" and "" in (one.old, one.new)]
