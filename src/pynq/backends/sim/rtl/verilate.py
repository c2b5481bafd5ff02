"""Calls of Verilator, and what its messages mean for the user."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pynq.backends.sim.rtl.process import Result, Runner
from pynq.backends.sim.rtl.scan import Place, Scanned, reach_problems, scan
from pynq.backends.sim.rtl.sources import Sources
from pynq.backends.sim.rtl.toolchain import Toolchain
from pynq.errors import RtlBuildError

__all__ = ["ALLOWED", "Preprocessed", "folders_of", "preprocess", "verilate"]

#: Options that a block may have, and how many words follow each. None of them reads or writes a file, or
#: adds code.
ALLOWED = {
    "--bbox-sys": 0,
    "--bbox-unsup": 0,
    "--converge-limit": 1,
    "--default-language": 1,
    "--error-limit": 1,
    "--max-num-width": 1,
    "--no-assert": 0,
    "--no-trace-params": 0,
    "--no-trace-structs": 0,
    "--timescale": 1,
    "--timescale-override": 1,
    "--trace-depth": 1,
    "--trace-max-array": 1,
    "--trace-max-width": 1,
    "--unroll-count": 1,
    "--unroll-stmts": 1,
    "--x-assign": 1,
    "--x-initial": 1,
    "-O0": 0,
    "-O3": 0,
}
_ALLOWED_PATTERN = re.compile(r"-W(no-)?[A-Za-z0-9-]+$|-f(no-)[a-z-]+$")
_NOT_FATAL = re.compile(r"-W(error|fatal|warn|all|pedantic)")  # lint never ends a build here
_VALUE = re.compile(r"[\w.+:/-]+$")

_HEAD = re.compile(
    r"^%(?P<level>Error|Warning)(?:-(?P<code>\w+))?: "
    r"(?:(?P<file>[^\n:]+(?::[^\n:0-9][^\n:]*)*):(?P<line>\d+):(?:(?P<column>\d+):)? )?(?P<text>.*)$"
)
#: What we leave out: its excerpt (of the preprocessed text; ours is of the source), and pointers to its
#: manual.
_NOISE = re.compile(
    r"^\s*\d*\s*\|"
    r"|^\s*\.\.\. (?:For|Use|See|Suggest see) .*(?:verilator\.org|lint_off|manual)"
    r"|^\s*\.\.\. This .* may be disabled"
    r"|^\s*\.\.\. This may be because there's no search path"
    r"|^\s*\.\.\. (?:Looked in:|With current working directory)"
    r"|^\s{2,}[^\s:]+$"  # a place where it looked: in folders of ours
)
_REFUSED = re.compile(r"^%Warning-USER(?:ERROR|FATAL): ", re.MULTILINE)
_CIRCULAR = re.compile(r"^%Warning-UNOPT(?:FLAT)?: (s\d+:\d+):\d+: .*?'([^'\n]+)'", re.MULTILINE)
_MOST_LOOPS = 8
_PLACE_IN_TEXT = re.compile(r"\b(s\d+):(\d+)(?::(\d+))?")
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_MARK = re.compile(r"(?:\\001|\x01)\d+:\d+(?:\\002|\x02)")


@dataclass(frozen=True)
class Preprocessed:
    """A block after the preprocessor: text to verilate, and every file that was read for it.

    ``control`` are Verilator's control files (``.vlt``); ``absent`` are paths where an included file would
    have been found first.
    """

    scanned: Scanned
    read: tuple[Path, ...]
    absent: tuple[Path, ...]
    control: tuple[Path, ...]
    log: str


@dataclass
class _Names:
    """Names for the preprocessor's command line without blanks or strange letters, which 5.006 can't
    quote.
    """

    work: Path
    folders: tuple[Path, ...]
    files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for i, folder in enumerate(self.folders):
            (self.work / f"d{i}").symlink_to(folder, target_is_directory=True)

    def folder(self, folder: Path) -> str:
        return f"d{self.folders.index(folder)}"

    def file(self, file: Path) -> str:
        if re.fullmatch(r"[\w.+-]+", file.name, re.ASCII):
            name = f"{self.folder(file.parent)}/{file.name}"
        else:
            # The folder of the file stays one where includes are looked for: see `preprocess`.
            name = f"f{len(self.files)}{file.suffix if file.suffix.isascii() else '.v'}"
            (self.work / name).symlink_to(file)
        self.files[name] = file
        return name

    def translate(self, text: str) -> str:
        """Return a message of the preprocessor with the user's folders in it."""

        def folder(match: re.Match[str]) -> str:
            number = int(match[1])
            return f"{self.folders[number]}/" if number < len(self.folders) else match[0]

        return re.sub(r"(?<![\w/.-])d(\d+)/", folder, text)

    def real(self, name: str) -> Path:
        """Return the path of what the preprocessor calls ``name``."""
        known = self.files.get(name)
        if known is not None:
            return known
        # Letters beyond ASCII in the name of an included file come as octal bytes.
        name = os.fsdecode(_OCTAL.sub(lambda byte: bytes([int(byte[1], 8)]), os.fsencode(name)))
        head, _, rest = name.partition("/")
        match = re.fullmatch(r"d(\d+)", head)
        if match and rest:
            return Path(os.path.normpath(self.folders[int(match[1])] / rest))
        return Path(os.path.normpath(self.work / name))


def folders_of(block: Sources) -> tuple[Path, ...]:
    """Return the folders where the RTL's ``$readmem`` looks: of the files, of includes, further roots."""
    return tuple(
        dict.fromkeys((*(file.parent for file in block.files), *block.include, *map(Path, block.roots)))
    )


def check_options(options: tuple[str, ...]) -> list[str]:
    """Return the options for Verilator; raise :class:`RtlBuildError` for one that is not allowed."""
    words = iter(options)
    result: list[str] = []
    for word in words:
        name, _, value = word.partition("=")
        if _NOT_FATAL.match(name):
            raise RtlBuildError(f"option {word}: warnings never end a build here; they are in the log")
        if _ALLOWED_PATTERN.match(word):
            result.append(word)
            continue
        if name not in ALLOWED:
            raise RtlBuildError(
                f"option {word!r} for Verilator is not allowed; allowed are -Wno-<CODE>, -fno-<name>, "
                + ", ".join(sorted(ALLOWED))
            )
        result.append(name)
        if ALLOWED[name]:
            value = value or next(words, "")
            if not _VALUE.match(value) or value.startswith("-"):
                raise RtlBuildError(f"option {name} for Verilator needs a value, not {value!r}")
            result.append(value)
    return result


def _environment(tools: Toolchain) -> dict[str, str]:
    # Its own options and libraries come from the environment as well; a build has to be the same for
    # everyone.
    return {"VERILATOR_ROOT": str(tools.verilator.root), "VERILATOR_SOLVER": "", "SYSTEMC_INCLUDE": ""}


def preprocess(block: Sources, tools: Toolchain, work: Path, runner: Runner) -> Preprocessed:
    """Run the preprocessor over a block and check what comes out.

    Raises :class:`RtlBuildError` with the user's file, line and column.
    """
    options = check_options(block.options)
    folders = folders_of(block)
    names = _Names(work, folders)
    control = tuple(file for file in block.files if file.suffix == ".vlt")
    files = [names.file(file) for file in block.files if file not in control]
    if not files:
        raise RtlBuildError(f"{block.top}: no Verilog files among its sources")
    # Verilator searches the include folders, then the folders of the files.
    search = list(dict.fromkeys([*block.include, *(file.parent for file in block.files)]))
    language = [
        word for i, word in enumerate(options) if "--default-language" in options[max(i - 1, 0) : i + 1]
    ]
    command = [
        str(tools.verilator.binary),
        "-E",
        "-Wno-fatal",
        "-Wno-lint",
        *language,
        *(f"-I{names.folder(folder)}" for folder in search),
        *(f"-D{name}={value}" if value else f"-D{name}" for name, value in block.defines.items()),
        *files,
    ]
    target = work / "preprocessed.sv"
    result = runner.run(f"preprocessing {block.top}", command, work, _environment(tools), target)
    if result.code:
        # The lines about its own folders are of no use to anybody.
        output = "\n".join(line for line in result.output.splitlines() if str(work) not in line)
        failed = result._replace(output=output)
        raise RtlBuildError(
            names.translate(_failure(failed, runner, lambda name, *at: Place(names.real(name), *at)))
        )
    if target.stat().st_size > runner.limits.code:
        raise RtlBuildError(_too_large(f"the preprocessed text of {block.top}", runner))
    known = {name: names.real(name) for name in files}
    text = target.read_text(errors="surrogateescape")
    resolve = _Resolve(names, known)
    scanned = scan(text, resolve)
    read = tuple(dict.fromkeys([*resolve.values(), *control]))
    roots = block.roots or folders
    problems = reach_problems(read, tuple(map(Path, roots)))
    if problems:
        raise RtlBuildError("\n".join(problems))
    unknown = [str(path) for path in read if not path.exists()]
    if unknown:
        raise RtlBuildError(
            f"{block.top}: Verilator {tools.verilator.version} names an included file as "
            f"{', '.join(unknown)}, which is not there; give included files names of letters, digits and '_' "
            "(5.006 can't quote others)"
        )
    absent = _absent(list(resolve), set(files), [names.folder(folder) for folder in search], names)
    return Preprocessed(scanned, read, absent, control, names.translate(_strip(result.output)))


class _Resolve(dict[str, Path]):
    """Names of the preprocessor to paths, found out as they come."""

    def __init__(self, names: _Names, known: dict[str, Path]) -> None:
        super().__init__(known)
        self._names = names

    def setdefault(self, name: str, _: object = None) -> Path:
        if name not in self:
            self[name] = self._names.real(name)
        return self[name]


def _absent(found: list[str], given: set[str], search: list[str], names: _Names) -> tuple[Path, ...]:
    """Return the paths at which an included file, had it been there, would have been taken instead."""
    absent: dict[Path, None] = {}
    for name in found:
        if name in given:
            continue
        for folder in search:
            if not name.startswith(folder + "/"):
                continue
            rest = name[len(folder) + 1 :]
            for earlier in search[: search.index(folder)]:
                path = names.real(f"{earlier}/{rest}")
                if not path.exists():
                    absent[path] = None
    return tuple(absent)


def verilate(
    block: Sources, text: Preprocessed, tools: Toolchain, work: Path, runner: Runner, coverage: bool
) -> tuple[Path, str, tuple[str, ...]]:
    """Turn a preprocessed block into C++; return its folder, the warnings, and signals that depend on
    themselves: ``s<i>:<line> <signal>``, by the numbers of files in the text.

    Raises :class:`RtlBuildError` with the user's file, line and column, the source line, and Verilator's
    text. What the RTL itself refuses while it is elaborated (``$error`` and ``$fatal`` about a parameter)
    counts as that too, though Verilator calls it a warning.
    """
    source = work / "design.sv"
    source.write_text(text.scanned.text, errors="surrogateescape")
    out = work / "cpp"
    note = ""
    new = tools.verilator.number >= (5, 36)
    options = check_options(block.options)
    command = [
        str(tools.verilator.binary),
        "--cc", "--Mdir", "cpp", "--prefix", "Vdut", "--top-module", block.top,
        "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "--assert",
        "--trace-vcd" if new else "--trace", "--trace-structs", "--trace-params",
        "--output-split", "20000", "--output-split-cfuncs", "2000", "--output-split-ctrace", "2000",
        "-Wno-fatal", "-Wno-SYMRSVDWORD", "--error-limit", "100",
        *(["--coverage-line", "--coverage-toggle"] if coverage else []),
        *options,
        *(f"-G{name}={value}" for name, value in block.parameters.items()),
        *map(str, text.control),
        "design.sv",
    ]  # fmt: skip
    result = runner.run(f"verilating {block.top}", command, work, _environment(tools))
    if result.code and "syntax error" in result.output and any(f.suffix == ".v" for f in text.scanned.files):
        # Verilator takes every file as SystemVerilog. What it says of the first try is what is shown.
        source.write_text(text.scanned.with_old_keywords(), errors="surrogateescape")
        second = runner.run(f"verilating {block.top}", command, work, _environment(tools))
        if second.code == 0:
            result = second
            note = f"{block.top}: its .v files use keywords of SystemVerilog as names: read as Verilog-2005"
    if result.code or _REFUSED.search(result.output):
        raise RtlBuildError(_failure(result, runner, text.scanned.place))
    size = sum(file.stat().st_size for file in out.iterdir())
    if size > runner.limits.code:
        raise RtlBuildError(_too_large(f"the C++ of {block.top}", runner, size))
    log = "\n".join(message for _, message in _messages(result.output, text.scanned.place))
    loops = tuple(dict.fromkeys(f"{match[1]} {match[2]}" for match in _CIRCULAR.finditer(result.output)))
    return out, "\n".join(part for part in (text.log, note, log) if part), loops[:_MOST_LOOPS]


def _too_large(what: str, runner: Runner, size: int | None = None) -> str:
    found = f" ({size >> 20} MB)" if size else ""
    return (
        f"{what} is larger than {runner.limits.code >> 20} MB{found}; allow more with PYNQ_RTL_CODE=<MB>, or "
        "simulate less of the design as RTL (smaller parameters, fewer copies)"
    )


_Placer = Callable[[str, int, int], "Place | None"]


def _failure(result: Result, runner: Runner, place: _Placer) -> str:
    errors = [message for level, message in _messages(result.output, place) if level == "Error"]
    advice = runner.memory_advice(result)
    if not errors:
        tail = "\n".join(result.output.strip().splitlines()[-20:])
        errors = [f"Verilator failed (exit code {result.code}) without naming an error:\n{tail}"]
    return "\n".join(errors + ([advice] if advice else []))


def _messages(output: str, place: _Placer) -> Iterator[tuple[str, str]]:
    """Split Verilator's output into messages: level, and the text with the user's places in it."""
    level, lines, at = "", [], None
    for line in [*output.splitlines(), "%Error: Exiting due to end"]:
        match = _HEAD.match(line)
        if match is None:
            if level and line.startswith(" ") and not _NOISE.match(line):
                lines.append("    " + _translate(line.strip(), place))
            continue
        if level:
            yield level, "\n".join([*lines, *(_excerpt(at) if at else [])])
        level, code = match["level"], match["code"]
        if code in ("USERERROR", "USERFATAL"):
            level, code = "Error", ""
        text = match["text"]
        if text.startswith(
            ("Exiting due to", "Command Failed", "This may be because there's no search path")
        ):
            level = ""
            continue
        at = place(match["file"], int(match["line"]), int(match["column"] or 0)) if match["file"] else None
        told = f" [{code}]" if code else ""
        where = f"{at}: " if at else f"{match['file']}:{match['line']}: " if match["file"] else ""
        lines = [f"{where}{level.lower()}: {_translate(text, place)}{told}", *_advice(text)]


def _advice(text: str) -> list[str]:
    """Return what to do about files that are missing; Verilator tells where it looked, in folders of ours."""
    if text.startswith("Cannot find file containing module"):
        return [
            "    it is not among the sources: name its file. Vendor cores bring no RTL: leave the IP to a "
            "model, or give a module of that name"
        ]
    if text.startswith("Cannot find include file"):
        return ["    name its folder with include = [...]"]
    return []


def _translate(text: str, place: _Placer) -> str:
    def replace(match: re.Match[str]) -> str:
        found = place(match[1], int(match[2]), int(match[3] or 0))
        return str(found) if found else match[0]

    return _MARK.sub("", _PLACE_IN_TEXT.sub(replace, text))


def _excerpt(place: Place) -> list[str]:
    """Return the source line and a mark below the column; nothing where the file can't be read."""
    try:
        lines = place.file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    if not 1 <= place.line <= len(lines):
        return []
    line = lines[place.line - 1]
    number = f"{place.line:5d} | "
    result = [number + line.expandtabs(1)]
    if 1 <= place.column <= len(line) + 1:
        result.append(" " * (len(number) - 2) + "| " + " " * (place.column - 1) + "^")
    return result


def _strip(output: str) -> str:
    return "\n".join(line for line in output.splitlines() if line.startswith("%Warning"))
