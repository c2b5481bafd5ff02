"""C++ to libraries: the runtime, once per machine, and the code of each design."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from pynq.backends.sim.rtl.cache import Cache, digest
from pynq.backends.sim.rtl.process import Runner
from pynq.backends.sim.rtl.toolchain import Toolchain, include_folder
from pynq.errors import RtlBuildError

__all__ = ["Runtime", "compile_design", "runtime"]

#: Generated C++ above this is compiled with -O1: as fast when it runs, and much sooner there.
SMALL = 200_000
#: Size of the pieces that a large design is compiled in.
PIECE = 300_000
_HEADER = """\
#include "pynq_rtl_hooks.h"
#include "verilated.h"
#include "verilated_vcd_c.h"
#include "pynq_rtl_runtime.hpp"
{coverage}#include <memory>
#include <vector>
"""


@dataclass(frozen=True)
class Runtime:
    """Objects to link and precompiled headers to start from, in one folder."""

    folder: Path
    base: tuple[str, ...]

    @property
    def objects(self) -> list[str]:
        """The objects to link every design with."""
        return sorted(map(str, self.folder.glob("*.o")))

    def header(self, level: str) -> Path:
        """The header whose precompiled form fits the optimisation level."""
        return self.folder / f"pch{level}.h"


def _base(tools: Toolchain, coverage: bool) -> tuple[str, ...]:
    include = tools.verilator.include
    trace = (include / "verilated_trace.h").read_text(errors="replace")
    return (
        *tools.compiler.command,
        "-std=c++17", "-fPIC", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-w",
        # Assertions of the runtime would end the process.
        "-DNDEBUG", "-DVL_TIME_CONTEXT", "-DVERILATOR=1", "-DVM_TRACE=1", "-DVM_TRACE_VCD=1",
        "-DVM_TRACE_FST=0", f"-DVM_COVERAGE={int(coverage)}", "-DVM_SC=0", "-DVM_TIMING=0",
        "-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_USER_WARN",
        *(["-DPYNQ_RTL_TRACE_BASE"] if re.search(r"class VerilatedTraceBaseC\b", trace) else []),
        # Ours first: it has a verilated_vcd_c.h of its own.
        f"-I{include_folder()}", f"-I{include}", f"-I{include}/vltstd",
    )  # fmt: skip


def runtime(
    tools: Toolchain,
    cache: Cache,
    coverage: bool,
    runner: Runner,
    pool: Executor,
    tell: Callable[[str], object],
) -> Runtime:
    """Return the runtime for these tools; compile it if this machine has none. ``tell`` shows progress.

    Raises :class:`RtlBuildError`.
    """
    base = _base(tools, coverage)
    key = digest(tools.key, base)
    found = Runtime(cache.place("runtime", key), base)
    if cache.load("runtime", key) is not None:
        return found
    with cache.lock(key, lambda: _say(tell, "waiting for another process that builds the Verilator runtime")):
        if cache.load("runtime", key) is not None:
            return found
        step = tell("building the Verilator runtime, once per machine")
        with step, cache.work() as work:  # type: ignore[attr-defined]
            made = work / "runtime"
            made.mkdir()
            include = tools.verilator.include
            ours = include_folder()
            sources = [
                include / "verilated.cpp",
                ours / "pynq_rtl_runtime.cpp",
                include / "verilated_threads.cpp",
            ]
            sources += [include / "verilated_cov.cpp"] if coverage else []
            commands = [
                [
                    *base,
                    "-include",
                    str(ours / "pynq_rtl_hooks.h"),
                    "-O1",
                    "-c",
                    str(source),
                    "-o",
                    f"{source.stem}.o",
                ]
                for source in sources
            ]
            for level in ("-O1", "-O3"):
                header = made / f"pch{level}.h"
                header.write_text(_HEADER.format(coverage='#include "verilated_cov.h"\n' if coverage else ""))
                suffix = "pch" if tools.compiler.clang else "gch"
                commands.insert(
                    1, [*base, level, "-x", "c++-header", header.name, "-o", f"{header.name}.{suffix}"]
                )
            futures = [
                pool.submit(_compile, "Verilator's runtime", command, made, runner, cache)
                for command in commands
            ]
            _all(futures, runner)
            cache.publish("runtime", key, made, {"label": f"Verilator {tools.verilator.version} runtime"})
    return found


def _say(tell: Callable[[str], object], text: str) -> None:
    with tell(text):  # type: ignore[attr-defined]
        pass


def compile_design(
    top: str,
    code: Path,
    glue: Path,
    found: Runtime,
    tools: Toolchain,
    target: Path,
    runner: Runner,
    cache: Cache,
) -> Iterator[Callable[[], None]]:
    """Yield the steps that make the library ``target``; each raises :class:`RtlBuildError`.

    They may run at the same time in several threads, but for the last one: the link, to be called when all
    others are done.
    """
    files = sorted(code.glob("*.cpp"))
    traces = [file for file in files if "__Trace" in file.name]
    model = [file for file in files if file not in traces]
    level = "-O3" if sum(file.stat().st_size for file in model) < SMALL else "-O1"
    # In a large design what runs once (constructors, declarations of signals) is not optimised.
    once = [file for file in files if level == "-O1" and file.stem.endswith("__Slow")]
    model = [file for file in model if file not in once]
    traces = [file for file in traces if file not in once]
    units = [(level, piece) for piece in _pieces(model)]
    # What reads the signals is large and seldom used: the low level, and a unit of its own beside the
    # model's.
    units += [("-O1", piece) for piece in _pieces(traces)]
    units[0][1].insert(0, glue)
    units += [("-O1", piece) for piece in _pieces(once)]
    objects: list[str] = []
    for i, (optimise, piece) in enumerate(units):
        unit = code / f"unit{i}.cc"
        quick = '#pragma GCC optimize("O0")\n' if piece[0] in once else ""
        unit.write_text(quick + "".join(f'#include "{file.name}"\n' for file in piece))
        objects.append(str(code / f"unit{i}.o"))
        command = [
            *found.base, optimise, "-include", str(found.header(optimise)), f"-I{code}", "-c", str(unit),
            "-o", objects[-1],
        ]  # fmt: skip
        yield lambda command=command: _compile(top, command, code, runner, cache)  # type: ignore[misc]
    linker = [f"-fuse-ld={tools.compiler.linker}"] if tools.compiler.linker else []
    wraps = [f"-Wl,--wrap={name}" for name in ("fopen", "system", "fwrite", "fputs")]
    command = [
        *tools.compiler.command, "-shared", *linker, *wraps, "-Wl,-s", "-o", str(target), *objects,
        *found.objects, "-lpthread", *(["-latomic"] if tools.compiler.clang else []),
    ]  # fmt: skip
    yield lambda: _compile(top, command, code, runner, cache)


def _pieces(files: Sequence[Path]) -> list[list[Path]]:
    """Group files into units of compilation: few, since each reads all headers, but none too large."""
    pieces: list[list[Path]] = [[]]
    size = 0
    for file in files:
        length = file.stat().st_size
        if pieces[-1] and size + length > PIECE:
            pieces.append([])
            size = 0
        pieces[-1].append(file)
        size += length
    return [piece for piece in pieces if piece]


def _compile(what: str, command: Sequence[str], folder: Path, runner: Runner, cache: Cache) -> None:
    result = runner.run(f"compiling {what}", command, folder)
    if result.code == 0:
        return
    text = f"{shlex.join(command)}\n{result.output}"
    log = cache.folder / f"failed-{digest(text)[:12]}.log"
    cache.write(log, text.encode())
    advice = runner.memory_advice(result)
    first = next(
        (line for line in result.output.splitlines() if "error" in line.lower()), result.output[:300]
    )
    raise RtlBuildError(
        f"{what}: the C++ compiler failed (exit code {result.code}): {first.strip()}\n"
        + (advice or "The fault is not in the RTL: please report it with the log")
        + f"\nlog: {log}\ncommand: {shlex.join(command)}"
    )


def _all(futures: Sequence[Future[None]], runner: Runner) -> None:
    """Wait for all; at the first failure stop the others and raise it."""
    try:
        for future in futures:
            future.result()
    except BaseException:
        runner.stop()
        for future in futures:
            future.cancel()
        raise
