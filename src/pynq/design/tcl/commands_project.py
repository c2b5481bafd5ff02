"""Commands of Vivado around a block design, and stand-ins for commands of Tcl that a description can't have.

What they would make is no part of a block design; scripts go on as if it were there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl.diagram import Diagram
from pynq.design.tcl.words import CommandError, join_list, options, split_list

__all__ = ["COMMANDS", "HARMLESS", "REFUSED", "guard", "message"]

#: The answer to ``version -short`` of a script without a guard.
DEFAULT_VERSION = "2023.2"

REFUSED = {
    **dict.fromkeys(
        ("socket", "fcopy", "chan", "fileevent", "read", "gets"), "a description can't read or write"
    ),
    **dict.fromkeys(
        ("load", "unload", "interp", "zlib", "thread::create"), "a description can't change the interpreter"
    ),
    **dict.fromkeys(("vwait", "trace", "tkwait"), "a description can't wait for events"),
}
"""Commands of Tcl that end the reading of a script (unless it catches the error), and why."""

HARMLESS = frozenset(
    """
    startgroup endgroup undo redo regenerate_bd_layout save_bd_design validate_bd_design save_bd_design_as
    write_bd_tcl write_bd_layout report_bd_diffs show_objects update_ip_catalog update_compile_order
    update_module_reference upgrade_ip upgrade_bd_cells report_ip_status report_property report_utilization
    report_timing report_timing_summary report_drc report_power report_cdc set_msg_config reset_msg_config
    set_param reset_param get_param add_files import_files remove_files read_verilog read_vhdl read_xdc
    read_ip read_bd import_ip reorder_files make_wrapper generate_target export_ip_user_files create_ip_run
    create_run create_fileset launch_runs wait_on_run wait_on_runs reset_run reset_runs reset_target
    reset_project open_run open_project close_project save_project_as archive_project write_project_tcl
    write_bitstream write_hwdef write_hw_platform write_sysdef write_debug_probes write_checkpoint
    validate_hw_platform write_device_image write_cfgmem synth_design opt_design place_design
    phys_opt_design route_design create_ip config_ip_cache synth_ip open_checkpoint link_design start_gui
    stop_gui set_board_part create_pr_configuration create_partition_def create_reconfig_module
    setup_pr_configurations create_pblock add_cells_to_pblock resize_pblock set_false_path set_clock_groups
    create_clock set_bd_property reset_property set_part_property compile_c export_simulation
    launch_simulation set_units current_run current_fileset set_speed_grade
    create_report_config create_dashboard_gadget move_dashboard_gadget delete_runs
    save_constraints close_design rebuild_ip_catalog update_design read_mem
    write_abstract_shell pr_verify open_hw open_hw_manager connect_hw_server program_hw_devices current_sim
    get_report_configs get_dashboard_gadgets get_pblocks get_clocks current_pr_configuration check_timing
    get_timing_paths get_ip_upgrade_results report_methodology report_clock_utilization report_route_status
    package_xo package_project
    """.split()  # noqa: SIM905 (as words they are read at a glance)
)
"""Commands of Vivado that change nothing that a description of the design has."""

#: Programs that scripts ask for a date, a revision or the number of processors.
_ASKED = ("date", "git", "nproc", "getconf", "hostname", "uname", "whoami")

#: Folders of IP and sources, by their last name.
_FOLDER = re.compile(
    r"(?i)(?:^|[/_\-])(?:ip|ips|ip_?(?:repo|lib)s?|repo|cores?|hls|rtl|hdl|src|sources?|boards?"
    r"|board_files|constraints?|xdc)(?:_v?\d+)*$"
)
_SOURCE = re.compile(_FOLDER.pattern + r"|\.(?:v|sv|svh|vh|vhdl?|xdc|xci|coe|mem)$|/component\.xml$")

_GUARD = re.compile(
    r"""\bset\s+(?:scripts?_)?(?:vivado_)?(?:version|vivado_version)\s+["{]?(20\d\d\.[\w.]+)"""
)
_ANY_GUARD = re.compile(r"""\bversion\s+-short\b[^\n]{0,200}?["{\s](20\d\d\.\d[\w.]*)""")


def guard(text: str) -> str:
    """The version of Vivado that a script's guard wants, "" where it has none."""
    found = _GUARD.search(text) or _ANY_GUARD.search(text)
    return found[1] if found else ""


def version(diagram: Diagram, words: Sequence[str]) -> str:
    number = diagram.version or DEFAULT_VERSION
    return number if any(word.startswith("-s") for word in words) else f"Vivado v{number} (64-bit)"


def create_project(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("create_project", words, "part", "force in_memory ip rtl_kernel")
    name = given.rest[0] if given.rest else "project_1"
    diagram.spend(len(name) + len(given.get("part")))
    diagram.project["name"] = name.strip().strip("/") or "project_1"
    if given.get("part"):
        diagram.project["part"] = given.get("part").strip()
    return diagram.project["name"]


def current_project(diagram: Diagram, words: Sequence[str]) -> str:
    """The project's name; a script that asks has one open, unless it asks whether there is one."""
    if "name" not in diagram.project:
        if any(word.startswith("-q") for word in words):
            return ""
        diagram.project["name"] = "project_1"
    return diagram.project["name"]


def get_projects(diagram: Diagram, words: Sequence[str]) -> str:
    return diagram.project.get("name", "")


def set_part(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("set_part", words)
    if given.rest:
        diagram.spend(len(given.rest[0]))
        diagram.project["part"] = given.rest[0].strip()
    return ""


def current_board_part(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("current_board_part", words)
    if given.rest:
        diagram.spend(len(given.rest[0]))
        diagram.project["board_part"] = given.rest[0].strip()
    return diagram.project.get("board_part", "")


def message(diagram: Diagram, words: Sequence[str]) -> str:
    """``send_msg_id ID SEVERITY TEXT`` and ``send_gid_msg -ssname S -id N -severity SEVERITY TEXT``."""
    if words and words[0].startswith("-"):
        given = options("send_gid_msg", words, "ssname id severity suppress")
        severity, rest = given.get("severity"), given.rest
    else:
        severity, rest = "".join(words[1:2]), list(words[2:])
    text = " ".join(rest)
    plain = " ".join(text.split())[:500]
    if severity.strip().upper() == "ERROR":
        if len(diagram.complaints) < 100:
            diagram.complaints.append((diagram.line, plain))
        raise CommandError(plain or "the script has sent an error")
    if severity.strip().upper() == "CRITICAL WARNING":
        diagram.note(plain)
    return ""


def _plain_type(pattern: str) -> str:
    """What a pattern says of a type: ``*xilinx.com:ip:axi_dma:*`` is an axi_dma of whatever version."""
    return re.sub(r":\*$", "", pattern.removeprefix("*"))


def get_ipdefs(diagram: Diagram, words: Sequence[str]) -> str:
    """Every IP that a script asks for is there: its own check of the catalogue passes."""
    given = options("get_ipdefs", words, "filter of_objects", "all regexp nocase")
    found = [_plain_type(one) for word in given.rest for one in split_list(word)]
    for name, value in re.findall(r"(?i)\b(vlnv|name)\s*=[=~]\s*[\"{]?([^\s\"{}&|()]+)", given.get("filter")):
        found.append(value if name.lower() == "vlnv" else f"xilinx.com:ip:{value}")
    return join_list(found[:1] if len(found) == 1 else found)


def given_back(command: str) -> Callable[[Diagram, Sequence[str]], str]:
    """A query whose named things all exist; of boards and parts, what a pattern tells of a name."""
    flags = "regexp nocase latest_file_version latest_hw_revision"

    def give(diagram: Diagram, words: Sequence[str]) -> str:
        words = options(command, words, "filter of_objects", flags).rest
        if command in ("get_board_parts", "get_boards", "get_parts"):
            words = [plain for word in words if (plain := word.strip("*")) and "*" not in plain]
        named = [word for word in words if "*" not in word]
        return join_list(one for word in named for one in split_list(word))

    return give


def nothing(diagram: Diagram, words: Sequence[str]) -> str:
    return ""


def completed(diagram: Diagram, words: Sequence[str]) -> str:
    """What a script does with a finished design: what fails from here on is no part of it."""
    diagram.complete = any(sheet.cells for sheet in diagram.sheets.values())
    return ""


def can_resolve_reference(diagram: Diagram, words: Sequence[str]) -> str:
    return "1"


def source(diagram: Diagram, words: Sequence[str]) -> str:
    """The text of another script; the longest tail of its path that lies beside this one counts."""
    name = words[-1] if words else ""
    parts = [
        part for part in posixpath.normpath(name.replace("\\", "/")).split("/") if part not in ("", "..")
    ]
    for start in range(len(parts)):
        text = diagram.others.get("/".join(parts[start:]))
        if text is not None:
            return text
    diagram.note(
        f"source {posixpath.basename(name)[:100]}: there is no such script beside this one, it is not read"
    )
    return ""


def quit_script(diagram: Diagram, words: Sequence[str]) -> str:
    diagram.finished = True
    raise CommandError("the script has ended itself")


def exec_command(diagram: Diagram, words: Sequence[str]) -> str:
    """No program runs. Of those that scripts only ask something, the answer is taken for empty."""
    program = posixpath.basename(next((word for word in words if not word.startswith("-")), ""))
    text = "exec is refused: a description can't run programs"
    if program in _ASKED:
        diagram.note(f"{text}; the answer of {program!r} is taken for empty")
        return "1" if program == "nproc" else ""
    diagram.note(text)
    raise CommandError(text)


def open_command(diagram: Diagram, words: Sequence[str]) -> str:
    """A file to be written gets a name only: exported scripts write settings of memory controllers.

    There is none to read.
    """
    mode = words[1] if len(words) > 1 else "r"
    text = "a description can't read or write"
    if words and not words[0].lstrip().startswith("|") and mode in ("w", "w+", "a", "a+"):
        diagram.note(f"open: {text}; nothing is written to {posixpath.basename(words[0])[:100]!r}")
        return "file9"
    diagram.note(f"open is refused: {text}")
    raise CommandError(f"open is refused: {text}")


def after(diagram: Diagram, words: Sequence[str]) -> str:
    if len(words) == 1 and words[0].isdigit():
        return ""
    raise CommandError("after is refused: a description can't wait for events")


_OF_FILE = (
    *("atime", "attributes", "channels", "copy", "delete", "dirname", "executable", "exists", "extension"),
    *("home", "isdirectory", "isfile", "join", "link", "lstat", "mkdir", "mtime", "nativename", "normalize"),
    *("owned", "pathtype", "readable", "readlink", "rename", "rootname", "separator", "size", "split"),
    *("stat", "system", "tail", "tempfile", "type", "volumes", "writable"),
)
"""What there is of ``file`` (file(n)); a word may be shortened as long as one only begins so."""


def file_command(diagram: Diagram, words: Sequence[str]) -> str:
    """What ``file`` makes of names alone.

    Scripts ask whether what they need is there, and whether what they make is there already: sources and
    folders of IP exist, nothing else does.
    """
    word, *names = words or [""]
    near = [one for one in _OF_FILE if one.startswith(word)]
    what = near[0] if word not in _OF_FILE and len(near) == 1 else word  # Tcl takes `file exist`, too
    first = names[0] if names else ""
    if what == "join":
        return posixpath.join(*names) if names else ""
    if what == "normalize":
        return posixpath.normpath(posixpath.join("/", first))
    if what == "dirname":
        return posixpath.dirname(first) or "."
    if what == "tail":
        return posixpath.basename(first.rstrip("/"))
    if what == "rootname":
        return posixpath.splitext(first)[0]
    if what == "extension":
        return posixpath.splitext(first)[1]
    if what == "split":
        return join_list(part for part in (["/"] if first.startswith("/") else []) + first.split("/") if part)
    if what == "nativename":
        return first
    if what == "pathtype":
        return "absolute" if first.startswith("/") else "relative"
    if what in ("exists", "isfile", "isdirectory", "readable"):
        wanted = _FOLDER if what == "isdirectory" else _SOURCE
        return str(int(bool(wanted.search(first.rstrip("/")))))
    if what in ("writable", "executable", "owned"):
        return "0"
    if what in ("mkdir", "delete", "copy", "rename"):
        diagram.note(f"file {what} does not count")
        return ""
    raise CommandError(f"file {what[:40]} is refused: a description can't read or write")


def puts(diagram: Diagram, words: Sequence[str]) -> str:
    """Nothing is printed; an error that the scripts of 2015 print before they give up is kept."""
    text = words[-1] if words else ""
    if text.startswith("ERROR:") and len(diagram.complaints) < 100:
        diagram.complaints.append((diagram.line, " ".join(text[6:].split())[:500]))
    return ""


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "version": version,
    "create_project": create_project,
    "current_project": current_project,
    "get_projects": get_projects,
    "set_part": set_part,
    "current_board_part": current_board_part,
    "get_ipdefs": get_ipdefs,
    "get_parts": given_back("get_parts"),
    "get_boards": given_back("get_boards"),
    "get_board_parts": given_back("get_board_parts"),
    "get_filesets": given_back("get_filesets"),
    "get_runs": given_back("get_runs"),
    "get_msg_config": nothing,
    "get_files": nothing,
    "get_ips": nothing,
    "get_cells": nothing,
    "get_pins": nothing,
    "get_nets": nothing,
    "get_ports": nothing,
    "can_resolve_reference": can_resolve_reference,
    "send_msg_id": message,
    "send_gid_msg": message,
    "send_msg": message,
    "source": source,
    "exec": exec_command,
    "open": open_command,
    "exit": quit_script,
    "quit": quit_script,
    "after": after,
    "file": file_command,
    "puts": puts,
    "package": nothing,
    "cd": nothing,
    "glob": nothing,
    "flush": nothing,
    "close": nothing,
    "update": nothing,
    "fconfigure": nothing,
    "pwd": lambda diagram, words: "/",
    **dict.fromkeys(HARMLESS, nothing),
    **dict.fromkeys(("save_bd_design", "validate_bd_design", "make_wrapper", "launch_runs"), completed),
}
