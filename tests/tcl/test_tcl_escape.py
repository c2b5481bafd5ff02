"""Nothing gets out: one attempt each, and what the caller is told."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tcl_scripts import needs_tcl, run, said
from tests import leaks

from pynq.design.tcl import sandbox, wire
from pynq.errors import DesignError, MissingPackageError

pytestmark = needs_tcl

REFUSED = {
    "exec touch {file}": r"2: exec is refused: a description can't run programs",
    "open {file} r+": r"2: open is refused: a description can't read or write",
    "puts [read [open {file} w+]]": r"2: read is refused",
    "open |touch": r"2: open is refused",
    "open /etc/passwd": r"2: open is refused",
    "socket localhost {port}": r"2: socket is refused",
    "socket -server x 0": r"2: socket is refused",
    "load {file}.so": r"2: load is refused: a description can't change the interpreter",
    "unload x": r"2: unload is refused",
    "chan create write x": r"2: chan is refused",
    "fcopy stdin stdout": r"2: fcopy is refused",
    "read stdin": r"2: read is refused",
    "gets stdin": r"2: gets is refused",
    "file delete -force {file}; file stat {file} a": r"2: file stat is refused",
    "file attributes {file}": r"2: file attributes is refused",
    "file tempfile a": r"2: file tempfile is refused",
    "vwait forever": r"2: vwait is refused: a description can't wait for events",
    "after 10 {puts a}": r"2: after is refused",
    "trace add execution create_bd_cell enter x": r"2: trace is refused",
    "interp create x": r"2: interp is refused",
    "interp invokehidden {} exec touch {file}": r"2: interp is refused",
    "interp alias {} x {} exec": r"2: interp is refused",
    "interp expose {} exec": r"2: interp is refused",
    "interp eval {} {exec touch {file}}": r"2: interp is refused",
    "zlib inflate x": r"2: zlib is refused",
    "::exec touch {file}": r"2: exec is refused",
    "namespace eval evil {exec touch {file}}": r"2: exec is refused",
    "eval [list exec touch {file}]": r"2: exec is refused",
    "uplevel #0 {exec touch {file}}": r"2: exec is refused",
    "[string reverse cexe] touch {file}": r"2: exec is refused",
    "coroutine c exec touch {file}": r"2: exec is refused",
    "rename exec other; other touch {file}": r"2: (exec is refused|can't rename)",
    "rename interp i; i expose {} exec": r"2: (interp is refused|can't rename)",
    "fconfigure stdout -encoding binary; seek stdin 0": r"2: can not find channel named|2: seek is refused",
    "dict get [info frame 0] nothing": r'2: key "nothing" not known in dictionary',
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_what_is_refused(attempt: str, tmp_path: Path) -> None:
    target = tmp_path / "made"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        command = attempt.replace("{file}", str(target)).replace("{port}", str(listener.getsockname()[1]))
        with pytest.raises(DesignError, match=REFUSED[attempt]):
            run(f"create_bd_design d\n{command}\n")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert not list(tmp_path.iterdir())


def test_what_is_refused_is_noted_where_the_script_goes_on() -> None:
    made = run("create_bd_design d\ncatch {exec id}\n")
    assert said(made) == "2: exec is refused: a description can't run programs"


def test_a_question_to_a_program_has_no_answer() -> None:
    made = run(
        """
        create_bd_design d
        set x [create_bd_cell -vlnv a:b:c:1 x]
        set_property CONFIG.SEEN [list [exec git describe --always] [exec -- date +%F] [exec nproc]] $x
        """
    )
    assert made.cells["x"].parameters == {"SEEN": "{} {} 1"}
    assert "the answer of 'git' is taken for empty" in said(made)


@pytest.mark.parametrize("mode", ["w", "w+", "a", "a+"])
def test_nothing_is_written(mode: str, tmp_path: Path) -> None:
    target = tmp_path / "made"
    made = run(f"create_bd_design d\nset f [open {target} {mode}]\nputs $f {{<a/>}}\nflush $f\nclose $f\n")
    assert said(made) == "2: open: a description can't read or write; nothing is written to 'made'"
    assert not list(tmp_path.iterdir())


def test_what_passes_without_effect(tmp_path: Path) -> None:
    there = tmp_path / "there.tcl"
    there.write_text("create_bd_design other")
    made = run(
        f"""
        create_bd_design d
        set x [create_bd_cell -vlnv a:b:c:1 x]
        set seen [list [pwd] [glob -nocomplain {tmp_path}/*] [file exists {there}]]
        lappend seen [file isdirectory /] [cd /etc]
        lappend seen [file join a b c] [file dirname [file normalize [info script]]]
        lappend seen [file tail /a/b.c] [file extension a.b] [file rootname a.b]
        lappend seen [file split /a/b] [file pathtype x] [file nativename x]
        set_property CONFIG.SEEN $seen $x
        file mkdir {tmp_path}/new
        file delete -force {there}
        source {there}
        package require Tk
        after 60000
        update
        puts stderr hello
        flush stdout
        """
    )
    seen = "/ {} 0 0 {} a/b/c / b.c .b a {/ a b} relative x"
    assert made.cells["x"].parameters == {"SEEN": seen}
    assert there.exists()
    assert list(tmp_path.iterdir()) == [there]
    assert "source there.tcl: there is no such script beside this one" in said(made)
    assert "file mkdir does not count" in said(made)


def test_the_script_ends_itself() -> None:
    assert run("create_bd_design d\nexit 3\ncreate_bd_cell -vlnv a:b:c:1 x\n").cells == {}


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "word")
    made = run(
        """
        create_bd_design d
        set x [create_bd_cell -vlnv a:b:c:1 x]
        set_property CONFIG.ENV [info exists ::env(SECRET)][info exists ::env] $x
        set_property CONFIG.PLATFORM [info exists ::tcl_platform(user)] $x
        set_property CONFIG.CHANNELS [catch {seek stdout 0}] $x
        """
    )
    assert made.cells["x"].parameters == {"ENV": "00", "PLATFORM": "0", "CHANNELS": "1"}


ENDLESS = {
    "while 1 {}": r"runs for more than|takes more than",
    "while 1 {create_bd_design d}": r"already",
    "while 1 {catch {create_bd_cell x}}": r"runs for more than (2,000,000 commands|10 seconds)",
    "proc p {} {p}; p": r"too many nested evaluations",
    "proc p {} {catch {p}; p}; p": r"runs for more than|too many nested|takes more than",
    "proc p {} {tailcall p}; p": r"runs for more than",
    "proc create_bd_cell args {create_bd_cell}; create_bd_cell": r"too many nested evaluations",
    "proc unknown args {what}; what": r"too many nested evaluations",
    "string repeat x 1e9": r"expected integer but got \"1e9\"",
    "set x [string repeat x 2000000000]": r"MiB of memory|unable to alloc|memory",
    "set x x; while 1 {append x $x}": r"MiB of memory|unable to alloc|memory",
    "set x [lrepeat 1000000000 a]": r"MiB of memory|max length|memory",
    "for {set i 0} {1} {incr i} {set a($i) [string repeat y 100000]}": r"MiB of memory|more than",
    "for {set i 0} {1} {incr i} {nothing$i}": r"runs for more than",
    "while 1 {puts [string repeat x 1000000]}": r"runs for more than|takes more than",
    "expr {2**1000000000}": r"exponent too large|memory|takes more",
    "regexp {^(a+)+$} [string repeat a 5000]b": r"no block design|takes more than|runs for more|memory|^$",
    "format %1000000000d 1": r"memory|SIGABRT|width|too large",
}


@pytest.mark.parametrize("attempt", ENDLESS)
def test_what_never_ends_or_fills_the_memory(attempt: str) -> None:
    start = time.monotonic()
    told = outcome(f"create_bd_design d\n{attempt}\n", 0.6)
    assert re.search(f"{ENDLESS[attempt]}|takes more than 0.6 seconds", told), told
    assert time.monotonic() - start < 30


def outcome(text: str, seconds: float) -> str:
    """What is told of a script, "" where it is read."""
    try:
        run(text, seconds=seconds)
    except DesignError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "body",
    [
        "create_bd_cell -vlnv a:b:c:1 x",
        "list type source line x",
        "list type source line 99999999999999999999999",
        "list type source line -5",
        "return {{}}",
        "error x",
        "info",
        "return -code break",
    ],
)
def test_an_info_of_its_own(body: str) -> None:
    """Lines are asked of it; whatever it answers does no harm."""
    assert list(
        run(f"create_bd_design d\nproc info args {{{body}}}\ncreate_bd_cell -vlnv a:b:c:1 y").cells
    ) == ["y"]


def test_the_interpreter_counts_commands() -> None:
    with pytest.raises(DesignError, match=r"x\.tcl:\d: the script runs for more than 2,000,000 commands"):
        run("create_bd_design d\nproc p {} {}\nwhile 1 {catch {p; p; p; p; p; p; p; p; p; p}}\n", "x.tcl")


@pytest.mark.parametrize(
    "text",
    [
        "create_bd_design d\n" + "{" * 1_000_000,
        "create_bd_design d\nset x " + "{" * 200_000 + "}" * 200_000,
        "create_bd_design d\nset x " + "[list " * 200_000 + "]" * 200_000,
        "create_bd_design d\nexpr " + "(" * 200_000 + "1" + ")" * 200_000,
        "create_bd_design d\n" + "if 1 {" * 20_000 + "}" * 20_000,
        "create_bd_design d\n" + "\\" * 1_000_000,
        "create_bd_design d\n" + "$" * 1_000_000,
        "create_bd_design d\n" + ";" * 1_000_000,
        "create_bd_design d\nset_property -dict {" + "{" * 100_000 + "}" * 100_000 + "} /x",
        "create_bd_design d\nget_bd_cells -filter {" + "(" * 100_000 + "}",
        "create_bd_design d\nget_bd_cells " + "*" * 100_000,
        "create_bd_design d\nget_bd_cells {" + "a/" * 100_000 + "}",
    ],
    ids=range(12),
)
def test_absurd_nesting(text: str) -> None:
    start = time.monotonic()
    assert len(outcome(text, 6)) < 2000
    assert time.monotonic() - start < 30


def test_control_c_ends_the_child_at_once() -> None:
    """The child is in a session of its own: nobody but the parent ends it."""
    program = (
        "import sys, os\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from pynq.design.tcl import sandbox\n"
        "print('ready', flush=True)\n"
        "sandbox.run(b'create_bd_design d\\nwhile 1 {}', 'x.tcl')\n"
    )
    root = str(Path(sandbox.__file__).parents[3])
    with subprocess.Popen(
        [sys.executable, "-c", program, root], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        assert parent.stdout.readline() == "ready\n"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        end = time.monotonic() + 10
        while not (found := children.read_text().split()) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)
        parent.send_signal(signal.SIGINT)
        start = time.monotonic()
        error = parent.stderr.read()
        assert parent.wait(60) != 0
        assert "KeyboardInterrupt" in error
        assert time.monotonic() - start < 30
    assert found
    assert not Path(f"/proc/{found[0]}").exists()


def _children() -> set[str]:
    return {one for file in Path("/proc/self/task").glob("*/children") for one in file.read_text().split()}


def test_nothing_stays_behind() -> None:
    files, threads = leaks.descriptors(), leaks.threads()
    children = _children()
    with pytest.raises(DesignError, match=r"x.tcl: the script takes more than 0.3 seconds"):
        run("create_bd_design d\nwhile 1 {}", "x.tcl", seconds=0.3)
    run("create_bd_design d\n")
    assert leaks.opened(files) == []
    assert leaks.started(threads) == []
    assert _children() <= children


def test_without_tcl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BOOT", "import sys; sys.modules['_tkinter'] = None\n" + sandbox.BOOT)
    with pytest.raises(MissingPackageError, match=r"x\.tcl .*python3-tk \(Debian, Ubuntu, PYNQ\)"):
        run("create_bd_design d", "x.tcl")


@pytest.mark.parametrize(
    ("boot", "message"),
    [
        ("import os; os.abort()", "SIGABRT.*1,024 MiB of memory"),
        ("import os; os.kill(os.getpid(), 11)", "nested too deeply .*SIGSEGV"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", "ended the interpreter .SIGTERM"),
        ("import os; os._exit(0)", "gave no answer .status 0, .*no JSON"),
        ("import os, time\nos.close(1)\ntime.sleep(60)", "has answered, but doesn't end"),
        ("raise SystemExit(7)", "gave no answer .status 7, .*no JSON"),
        ("print('{}')", "gave no answer .status 0, .*the document is {}"),
        ("print('[' * 100000)", "gave no answer .status 0, .*no JSON"),
        ("import os\nwhile True: os.write(1, bytes(1 << 20))", "more than 1 MiB of netlist"),
    ],
)
def test_a_broken_child_is_one_clear_error(boot: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "BOOT", boot)
    monkeypatch.setattr(wire, "ANSWER", 1 << 20)
    with pytest.raises(DesignError, match=message) as caught:
        run("create_bd_design d", "x.tcl")
    assert len(caught.value.problems) == 1


def test_no_interpreter_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(DesignError, match=r"/nowhere/python can't be started to run the script"):
        run("create_bd_design d")
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(DesignError, match=r"no sys\.executable"):
        run("create_bd_design d")


def test_the_child_imports_little() -> None:
    boot = sandbox.BOOT.replace("child.main()", "print(sorted(sys.modules))")
    root = str(Path(sandbox.__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", boot, root], capture_output=True, text=True, check=True, env={}
    )
    assert "'pynq.design.tcl.child'" in done.stdout
    for heavy in ("numpy", "pynq.design.model", "pynq.design.hwh", "tkinter", "subprocess"):
        assert f"'{heavy}'" not in done.stdout
