"""The process that runs a block-design script: an interpreter of Tcl in safe mode, and limits.

:mod:`pynq.design.tcl.sandbox` starts it with the script as standard input and takes its answer
(:mod:`pynq.design.tcl.wire`) from standard output. What keeps a script in here, from the inside out:

- it runs in a safe interpreter (``interp(n)``, "Safe interpreters"), a child of the one that this module
  talks to, where all commands that reach the system are hidden, and those that would wait or make further
  interpreters are replaced;
- that interpreter has limits on commands, time and recursion;
- the process has limits on memory, processor time and descriptors, can write no file and start no process,
  and knows no environment.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import sys
import time
from collections.abc import Mapping

from pynq.design.tcl import commands, wire
from pynq.design.tcl.commands_project import guard
from pynq.design.tcl.diagram import Diagram
from pynq.design.tcl.words import CommandError

__all__ = ["main"]

SCRIPT = "/proc/self/fd/0"

# In the outer interpreter. `line` is the place in the script of the command that runs: frames of type
# "source" are known by their line in the file, also in the bodies of procedures (info(n), "info frame").
# The script may have put a procedure of its own in the place of `info`: its answer is checked, and commands
# that it calls do nothing.
_PRELUDE = """
set busy 0
proc line {} {
  for {set depth 1} {$depth < 60} {incr depth} {
    if {[catch {interp eval script [list ::info frame -$depth]} frame]} break
    if {[catch {dict get $frame type} type] || [catch {dict get $frame line} line]} break
    if {![string is integer -strict $line]} break
    if {$type eq "source"} {return $line}
  }
  return 0
}
proc call {name args} {
  global busy
  if {$busy} {return -code error "$name was called by a procedure of the name info"}
  set busy 1
  set line [line]
  set busy 0
  set answer [python $name $line {*}$args]
  return -code [string index $answer 0] [string range $answer 1 end]
}
interp create -safe script
interp eval script {set argv {}; set argc 0; set argv0 vivado}
interp alias script ::unknown {} call unknown
"""

# After the aliases. What another script holds is run where `source` was called, as Tcl does it.
_SOURCE = """
interp alias script ::sourced {} call source
interp eval script {proc ::source args {uplevel 1 [::sourced {*}$args]}}
"""


class _Runner:
    """The interpreter and what its commands work on."""

    def __init__(self, text: str, others: Mapping[str, str]) -> None:
        import _tkinter  # here: where it is not installed, that is an answer of this process

        self.text = text
        self.diagram = Diagram(guard(text), _defaults)
        self.diagram.others = others
        if "create_project" not in text:
            self.diagram.project["name"] = "project_1"  # the first thing that such a script asks for
        self.failed: tuple[int, str] | None = None  # the last error of a command of ours
        self.crash = ""
        self.error = _tkinter.TclError
        self.tcl = _tkinter.create(None, "script", "Script", False, False, False)
        self.tcl.createcommand("python", self.call)
        self.tcl.eval(_PRELUDE)
        for name in commands.NAMES:
            self.tcl.call("interp", "alias", "script", f"::{name}", "", "call", name)
        for name in ("send_msg_id", "send_gid_msg", "send_msg"):
            self.tcl.call("interp", "eval", "script", "namespace eval ::common {}")
            self.tcl.call("interp", "alias", "script", f"::common::{name}", "", "call", name)

        self.tcl.eval(_SOURCE)

    def call(self, name: str, line: str, *words: str) -> str:
        """Do a command of the script: the digit 0 and its result, or 1 and a message."""
        self.diagram.line = int(line)
        try:
            if name == "unknown":
                name, words = (words[0], words[1:]) if words else ("", ())
            return f"0{commands.run(self.diagram, name, words)}"
        except CommandError as error:
            self.failed = (self.diagram.line, str(error))
            return f"1{error}"
        except Exception as error:  # noqa: BLE001 (a mistake of this package, which Tcl would swallow)
            self.crash = self.crash or f"{name} failed in this package: {type(error).__name__}: {error}"
            return f"1{self.crash}"

    def run(self) -> tuple[list[tuple[int, str]], str]:
        """Run the script: what was wrong with it, and what it returned."""
        call = self.tcl.call
        call("interp", "limit", "script", "commands", "-value", wire.COMMANDS)
        call(
            "interp",
            "limit",
            "script",
            "time",
            "-seconds",
            int(time.time()) + wire.SECONDS,
            "-granularity",
            1,
        )
        call("interp", "recursionlimit", "script", wire.RECURSION)
        problem = ""
        result = ""
        try:
            result = str(call("interp", "invokehidden", "script", "source", "-encoding", "utf-8", SCRIPT))
        except self.error as error:
            problem = str(error) or "an error without a message"
        if self.crash:
            return [(self.diagram.line, self.crash)], ""
        if self.diagram.exhausted:
            return [(self.diagram.line, self.diagram.exhausted)], ""
        if problem and not self.diagram.finished:
            place = self.placed(problem)
            if not self.diagram.complete or "limit exceeded" in problem:
                return [place], ""
            self.diagram.line = place[0]
            self.diagram.note(f"the script ends here, after it has saved the design: {place[1]}")
        return [], result

    def placed(self, problem: str) -> tuple[int, str]:
        """The line of an error that has ended the script."""
        if "limit exceeded" in problem:
            bound = f"{wire.COMMANDS:,} commands" if "command" in problem else f"{wire.SECONDS} seconds"
            return self.diagram.line, f"the script runs for more than {bound}"
        if self.failed and self.failed[1] == problem:
            return self.failed
        trace = str(self.tcl.call("interp", "eval", "script", "set ::errorInfo"))
        procedure = re.search(r'\(procedure "(?:::)?([^"]{1,200})" line (\d{1,9})\)', trace)
        if procedure:
            start = re.compile(rf"^[ \t]*proc\s+(?:::)?{re.escape(procedure[1])}\s", re.MULTILINE)
            places = [found.start() for found in start.finditer(self.text)]
            if places:
                return self.text.count("\n", 0, places[-1]) + int(procedure[2]), problem
        file = re.findall(r'\(file "[^"]*" line (\d{1,9})\)', trace)
        return int(file[-1]) if file else 0, problem


def _defaults(vlnv: str) -> Mapping[str, str]:
    # Imported when a script asks for a parameter that it hasn't set: few do, and the table is large.
    found: Mapping[str, str] = importlib.import_module("pynq.design.tcl.catalogue").defaults(vlnv)
    return found


def _limit() -> None:
    for name, value in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_AS", wire.MEMORY),
        ("RLIMIT_CPU", wire.PROCESSOR_SECONDS),
        ("RLIMIT_NOFILE", 32),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NPROC", 0),
    ):
        resource.setrlimit(getattr(resource, name), (value, value))


def answer(text: str, others: Mapping[str, str]) -> bytes:
    """Run a script and return the document for the parent."""
    try:
        runner = _Runner(text, others)
    except ImportError as error:
        return wire.dump({"missing": str(error)})
    problems, result = runner.run()
    diagram = runner.diagram
    netlist = diagram.netlist()
    gave_up = result.strip() not in ("", "0") and bool(diagram.complaints)
    if not problems and (netlist is None or (gave_up and not diagram.complete)):
        # The scripts that Vivado writes give up with a message of severity ERROR and `return 1`.
        wants = "; it asks for arguments (argv), and has none here" if "argv" in text else ""
        problem = f"the script makes no block design (no create_bd_design){wants}"
        problems = [*diagram.complaints] or [(0, problem)]
    if problems:
        return wire.dump({"problems": problems})
    return wire.dump({"netlist": netlist})


def main() -> None:
    """Read the script from standard input, write the answer to standard output."""
    with open(0, "rb", closefd=False) as stream:
        text = stream.read(wire.SCRIPT + 1000).decode("utf-8")
    with open(int(sys.argv[2]), "rb") as stream:
        others = json.loads(stream.read())
    _limit()
    try:
        data = answer(text, others)
    except MemoryError:
        data = wire.dump({"problems": [(0, wire.OUT_OF_MEMORY)]})
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    os._exit(0)  # to take an interpreter apart takes time, and it may be in any state
