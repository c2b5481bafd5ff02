"""From the sources of RTL blocks to libraries that the engine loads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynq.backends.sim.rtl.glue import RtlPort, ports_of, write_glue
from pynq.backends.sim.rtl.sources import Sources
from pynq.backends.sim.rtl.toolchain import Toolchain, find, include_folder
from pynq.errors import RtlBuildError

__all__ = ["Library", "RtlPort", "Sources", "build"]


@dataclass(frozen=True)
class Library:
    """A verilated design, built: ``flags`` and the C interface are of ``pynq/rtl.h``.

    ``folders`` is where the RTL's ``$readmem`` looks; ``log`` holds the warnings of the tools.
    """

    path: Path
    top: str
    ports: tuple[RtlPort, ...]
    folders: tuple[Path, ...]
    flags: int
    log: str


def _cache() -> Path:
    base = os.environ.get("PYNQ_CACHE")
    if base:
        return Path(base) / "rtl"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pynq-anywhere" / "rtl"


def build(
    blocks: Sequence[Sources],
    *,
    coverage: bool = False,
    check: Callable[[int, tuple[RtlPort, ...]], None] | None = None,
    progress: bool | None = None,
    jobs: int | None = None,
) -> list[Library]:
    """Build the library of each block, or take it from the cache.

    ``check(index, ports)`` is called for every block once its ports are known, before anything is compiled.
    Raises :class:`RtlBuildError`.
    """
    cache = _cache()
    tools = find(cache)
    return [_build(block, i, tools, cache, coverage, check) for i, block in enumerate(blocks)]


def _build(
    block: Sources,
    index: int,
    tools: Toolchain,
    cache: Path,
    coverage: bool,
    check: Callable[[int, tuple[RtlPort, ...]], None] | None,
) -> Library:
    state = hashlib.sha256(f"{tools.key} {coverage} {block!r}".encode())
    for folder in block.folders():
        for file in sorted(folder.iterdir()):
            if file.suffix in (".v", ".sv", ".vh", ".svh") or file in block.files:
                state.update(file.read_bytes())
    place = cache / "libraries" / state.hexdigest()[:24]
    record = place / "library.json"
    if record.is_file():
        data = json.loads(record.read_text())
        ports = tuple(RtlPort(*port) for port in data["ports"])
        if check:
            check(index, ports)
        return Library(place / "design.so", block.top, ports, block.folders(), data["flags"], data["log"])
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="work-") as folder:
        work = Path(folder)
        out = work / "o"
        verilator = tools.verilator
        new = verilator.number >= (5, 36)
        command = [
            str(verilator.binary), "--cc", "--Mdir", "o", "-O3", "--x-assign", "fast", "--x-initial", "fast",
            "--no-timing", "--assert", "--trace-vcd" if new else "--trace", "--trace-structs",
            "--trace-params", "-Wno-fatal", "--prefix", "Vdut", "--top-module", block.top,
            *(f"-I{folder}" for folder in block.include),
            *(f"-D{name}={value}" for name, value in block.defines.items()),
            *(f"-G{name}={value}" for name, value in block.parameters.items()),
            *(["--coverage-line", "--coverage-toggle"] if coverage else []),
            *map(str, block.files),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, check=False,
            env={**os.environ, "VERILATOR_ROOT": str(verilator.root)},
        )  # fmt: skip
        log = done.stdout + done.stderr
        if done.returncode:
            raise RtlBuildError(log)
        found = ports_of(out / "Vdut.h")
        ports = tuple(port.port for port in found)
        if check:
            check(index, ports)
        flags = 256 | (512 if coverage else 0)
        write_glue(out / "glue.cpp", block.top, found, flags)
        base = _compile_command(tools, coverage)
        runtime = _runtime(tools, cache, coverage, base)
        (out / "all.cpp").write_text(
            "".join(
                f'#include "{file.name}"\n' for file in sorted(out.glob("*.cpp")) if file.name != "all.cpp"
            )
        )
        objects = sorted(runtime.glob("*.o"))
        library = work / "design.so"
        header = ["-include", str(runtime / "pch.h")]
        _run([*base, "-O3", "-c", *header, "-I", str(out), str(out / "all.cpp"), "-o", str(work / "all.o")])
        linker = [f"-fuse-ld={tools.compiler.linker}"] if tools.compiler.linker else []
        _run(
            [*tools.compiler.command, "-shared", *linker, "-Wl,--wrap=fopen", "-Wl,--wrap=system", "-o",
             str(library), str(work / "all.o"), *map(str, objects), "-lpthread"]
        )  # fmt: skip
        final = work / "final"
        final.mkdir()
        library.rename(final / "design.so")
        data = {"ports": [(p.name, p.direction, p.bits) for p in ports], "flags": flags, "log": log}
        (final / "library.json").write_text(json.dumps(data))
        try:
            final.rename(place)
        except OSError:
            if not record.is_file():
                raise
    return Library(place / "design.so", block.top, ports, block.folders(), flags, log)


def _compile_command(tools: Toolchain, coverage: bool) -> list[str]:
    include = tools.verilator.include
    base = re.search(r"class VerilatedTraceBaseC", (include / "verilated_trace.h").read_text())
    return [
        *tools.compiler.command, "-std=c++17", "-fPIC", "-fvisibility=hidden", "-w", "-DVL_TIME_CONTEXT",
        "-DVERILATOR=1", "-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DVM_TRACE_FST=0", f"-DVM_COVERAGE={int(coverage)}",
        "-DVM_SC=0", "-DVM_TIMING=0", "-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_USER_WARN",
        *(["-DPYNQ_RTL_TRACE_BASE"] if base else []),
        f"-I{include_folder()}", f"-I{include}", f"-I{include}/vltstd",
    ]  # fmt: skip


def _runtime(tools: Toolchain, cache: Path, coverage: bool, base: list[str]) -> Path:
    key = hashlib.sha256(shlex.join([tools.key, *base]).encode()).hexdigest()[:20]
    place = cache / "runtime" / key
    if (place / "done").is_file():
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    hooks = ["-include", str(include_folder() / "pynq_rtl_hooks.h")]
    include = tools.verilator.include
    sources = [
        include / "verilated.cpp",
        include / "verilated_threads.cpp",
        include_folder() / "pynq_rtl_runtime.cpp",
    ]
    if coverage:
        sources.append(include / "verilated_cov.cpp")
    (place / "pch.h").write_text(
        '#include "pynq_rtl_hooks.h"\n#include "verilated.h"\n#include "verilated_vcd_c.h"\n'
        '#include "pynq_rtl_runtime.hpp"\n#include <memory>\n#include <vector>\n'
    )
    commands = [[*base, *hooks, "-O2", "-c", str(s), "-o", str(place / f"{s.stem}.o")] for s in sources]
    commands.append([*base, "-O3", "-x", "c++-header", str(place / "pch.h"), "-o", str(place / "pch.h.gch")])
    children = [
        subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for c in commands
    ]
    for child, command in zip(children, commands, strict=True):
        text, _ = child.communicate()
        if child.returncode:
            raise RtlBuildError(f"{shlex.join(command)}\n{text}")
    (place / "done").touch()
    return place


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RtlBuildError(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
