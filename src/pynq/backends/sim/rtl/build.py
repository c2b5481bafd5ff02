"""From the sources of RTL blocks to libraries that the engine loads.

A build has four stages. The first two are fast and take all blocks before anything is compiled, so that
all errors of the user's come together and soon: preprocessing (with the look at what is in the text),
verilation (with the check of the ports by the caller). Then the C++ is compiled and linked. Everything
runs in parallel over blocks, and what the cache has is not done again; see docs/design/rtl.md.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pynq.backends.sim.rtl import glue
from pynq.backends.sim.rtl.cache import FORMAT, Cache, digest, hash_of
from pynq.backends.sim.rtl.compile import Runtime, compile_design, runtime
from pynq.backends.sim.rtl.glue import RtlPort
from pynq.backends.sim.rtl.loops import bound_loops
from pynq.backends.sim.rtl.process import Limits, Runner
from pynq.backends.sim.rtl.progress import Progress
from pynq.backends.sim.rtl.sources import Sources
from pynq.backends.sim.rtl.toolchain import Toolchain, find
from pynq.backends.sim.rtl.verilate import Preprocessed, folders_of, preprocess, verilate
from pynq.device.notes import emit
from pynq.errors import BackendWarning, RtlBuildError

__all__ = ["Library", "RtlPort", "Sources", "build"]

SIGNALS, COVERAGE = 256, 512  # of native/include/pynq/rtl.h

Check = Callable[[int, tuple[RtlPort, ...]], None]


@dataclass(frozen=True)
class Library:
    """A verilated design, built: ``flags`` and the C interface are of ``pynq/rtl.h``.

    ``folders`` goes to ``create``: where the RTL's ``$readmem`` looks, and what the places in its
    messages are relative to. ``log`` holds the warnings of the tools.
    """

    path: Path
    top: str
    ports: tuple[RtlPort, ...]
    folders: tuple[Path, ...]
    flags: int
    log: str


@dataclass
class _Block:
    """One block on its way."""

    sources: Sources
    request: str
    indexes: list[int]
    text: Preprocessed | None = None
    key: str = ""
    log: str = ""
    loops: tuple[str, ...] = ()
    code: Path | None = None
    ports: tuple[glue.CppPort, ...] = ()
    flags: int = 0
    library: Library | None = None
    stable: bool = True
    units: list[Callable[[], None]] = field(default_factory=list)


def build(
    blocks: Sequence[Sources],
    *,
    coverage: bool = False,
    check: Check | None = None,
    progress: bool | None = None,
    jobs: int | None = None,
) -> list[Library]:
    """Build the library of each block, or take it from the cache.

    ``check(index, ports)`` is called once for every block when its ports are known, before anything is
    compiled; what it raises for several blocks is raised together. ``progress``: whether to tell on the
    standard error what is being built (nothing where all is in the cache). ``jobs``: how many tools run
    at a time (default: one per core).

    Raises :class:`RtlBuildError` with all errors of all blocks, each with the user's file and line; what
    ``check`` raises.
    """
    cache = Cache.open(lambda text: emit(BackendWarning(text)))
    tools = find(cache.folder)
    distinct: dict[str, _Block] = {}
    for index, sources in enumerate(blocks):
        request = _request(sources, tools, coverage)
        distinct.setdefault(request, _Block(sources, request, [])).indexes.append(index)
    work = list(distinct.values())
    for block in work:
        _from_cache(block, cache)
    missing = [block for block in work if block.library is None]
    if missing:
        shown = Progress(progress)
        count = jobs or len(os.sched_getaffinity(0))
        with (
            contextlib.closing(shown),
            Runner(Limits.default()) as runner,
            ThreadPoolExecutor(count, thread_name_prefix="pynq-rtl") as pool,
            contextlib.ExitStack() as stack,
        ):
            stages = _Build(cache, tools, coverage, runner, pool, shown, stack)
            stack.callback(runner.stop)  # before the folder that the tools work in goes
            stages.run(missing, work, check)
        cache.prune()
    elif check is not None:
        _check_ports(work, check)
    result: list[Library | None] = [None] * len(blocks)
    for block in work:
        for index in block.indexes:
            result[index] = block.library
    return [library for library in result if library is not None]


def _request(sources: Sources, tools: Toolchain, coverage: bool) -> str:
    return digest(
        tools.key,
        coverage,
        sources.top,
        [list(map(str, group)) for group in (sources.files, sources.include, sources.roots)],
        dict(sources.defines),
        dict(sources.parameters),
        sources.options,
    )


def _from_cache(block: _Block, cache: Cache) -> None:
    record = cache.lookup(block.request)
    if record is not None:
        block.key = record["library"]
        block.library = _load(block, cache)


def _load(block: _Block, cache: Cache) -> Library | None:
    entry = cache.load("library", block.key)
    if entry is None:
        return None
    ports = tuple(RtlPort(name, direction, bits) for name, direction, bits in entry["ports"])
    folders = folders_of(block.sources)
    path = cache.place("library", block.key) / "design.so"
    return Library(path, block.sources.top, ports, folders, entry["flags"], _readable(entry["log"], folders))


def _check_ports(blocks: Iterable[_Block], check: Check) -> None:
    """Call ``check`` for every block in the order of their indexes; raise what it raised, together."""
    failures: list[RtlBuildError] = []
    order = sorted(((index, block) for block in blocks for index in block.indexes), key=lambda pair: pair[0])
    for index, block in order:
        ports = block.library.ports if block.library else tuple(port.port for port in block.ports)
        try:
            check(index, ports)
        except RtlBuildError as error:
            failures.append(error)
    _raise(failures)


def _raise(failures: Sequence[RtlBuildError]) -> None:
    """Raise nothing, the only failure, or all as one error, of their class if it is the same for all."""
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0]
    kinds = {type(error) for error in failures}
    kind = kinds.pop() if len(kinds) == 1 else RtlBuildError
    raise kind("\n".join(dict.fromkeys(map(str, failures)))) from failures[0]


class _Build:
    """The stages for the blocks that the cache does not have."""

    def __init__(
        self,
        cache: Cache,
        tools: Toolchain,
        coverage: bool,
        runner: Runner,
        pool: Executor,
        progress: Progress,
        stack: contextlib.ExitStack,
    ) -> None:
        self.cache, self.tools, self.coverage = cache, tools, coverage
        self.runner, self.pool, self.progress, self.stack = runner, pool, progress, stack
        self.work: Path = stack.enter_context(cache.work())

    def run(self, missing: list[_Block], everything: list[_Block], check: Check | None) -> None:
        self._each(self._preprocess, missing)
        # Locks in one order, so that two processes with the same blocks can't wait for each other.
        leaders: dict[str, _Block] = {}
        for block in missing:
            leaders.setdefault(block.key, block)
        for key in sorted(leaders):
            if self.cache.load("library", key) is None:
                top = leaders[key].sources.top
                waiting = f"pynq: waiting for another process that builds {top}"
                self.stack.enter_context(self.cache.lock(key, partial(self.progress.line, waiting)))
        todo = []
        for block in leaders.values():
            block.library = _load(block, self.cache)
            if block.library is None:
                todo.append(block)
        self._each(self._verilate, todo)
        for block in missing:
            leader = leaders[block.key]
            block.ports = leader.ports
            block.library = block.library or _load(block, self.cache)
        if check is not None:
            _check_ports(everything, check)
        if todo:
            base = runtime(self.tools, self.cache, self.coverage, self.runner, self.pool, self.progress.step)
            self._compile(todo, base)
        for block in missing:
            block.library = _load(block, self.cache)
            if block.library is None:
                raise RtlBuildError(
                    f"{block.sources.top}: its library went from the cache {self.cache.folder} "
                    "while it was built; is the bound of the cache (PYNQ_CACHE_SIZE) too small?"
                )
            self._remember(block)

    def _each(self, stage: Callable[[_Block], None], blocks: Sequence[_Block]) -> None:
        """Run a stage for all blocks in parallel; raise the failures of all of them together."""
        futures = [self.pool.submit(stage, block) for block in blocks]
        failures: list[RtlBuildError] = []
        for future in futures:
            try:
                future.result()
            except RtlBuildError as error:
                failures.append(error)
        _raise(failures)

    def _folder(self, block: _Block) -> Path:
        folder = self.work / f"b{block.indexes[0]}"
        folder.mkdir(exist_ok=True)
        return folder

    def _preprocess(self, block: _Block) -> None:
        before = {path: hash_of(path) for path in block.sources.files}
        start = time.time_ns()
        block.text = preprocess(block.sources, self.tools, self._folder(block), self.runner)
        # A file that somebody writes while it is read: what was built is of no known content. The times of
        # files lag behind the clock by up to a tick of the kernel.
        for path in block.text.read:
            known = before.get(path)
            same = hash_of(path) == known if known else path.stat().st_mtime_ns < start - 20_000_000
            block.stable = block.stable and same
        sources = block.sources
        # Files are numbered in the text, and the library has their names relative to the folders.
        block.key = digest(
            FORMAT,
            self.tools.key,
            self.coverage,
            sources.top,
            dict(sources.parameters),
            sources.options,
            block.text.scanned.text,
            [hash_of(path) for path in block.text.control],
            _relative(block.text.scanned.files, folders_of(sources)),
        )

    def _verilate(self, block: _Block) -> None:
        assert block.text is not None
        folder = self._folder(block)
        block.code, block.log, block.loops = verilate(
            block.sources, block.text, self.tools, folder, self.runner, self.coverage
        )
        bound_loops(block.code)
        block.ports = glue.ports_of(block.code / "Vdut.h", block.sources.top)
        block.flags = (
            block.text.scanned.flags
            | glue.flags_of(block.code)
            | SIGNALS
            | (COVERAGE if self.coverage else 0)
        )

    def _compile(self, blocks: Sequence[_Block], base: Runtime) -> None:
        """Compile the units of all blocks side by side, and link each block as soon as its units are done."""
        steps: dict[int, Any] = {}
        running: dict[Future[None], _Block] = {}
        left: dict[int, int] = {}
        for block in blocks:
            assert block.code is not None
            assert block.text is not None
            made = self._folder(block) / "made"
            made.mkdir()
            table = block.code / "glue.cxx"
            names = _relative(block.text.scanned.files, folders_of(block.sources))
            fatals = [f"s{file}:{line}" for file, line in block.text.scanned.fatals]
            if fatals and glue.names_fatals(block.code):
                fatals = []
            glue.write_glue(table, block.sources.top, block.ports, block.flags, names, fatals, block.loops)
            block.units = list(
                compile_design(
                    block.sources.top,
                    block.code,
                    table,
                    base,
                    self.tools,
                    made / "design.so",
                    self.runner,
                    self.cache,
                )
            )
            steps[id(block)] = step = self.progress.step(f"building {block.sources.top}")
            step.__enter__()
            left[id(block)] = len(block.units) - 1
            for unit in block.units[:-1]:
                running[self.pool.submit(unit)] = block
        try:
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    block = running.pop(future)
                    future.result()
                    left[id(block)] -= 1
                    if left[id(block)] == 0:
                        running[self.pool.submit(block.units[-1])] = block
                    elif left[id(block)] < 0:
                        self._publish(block)
                        steps.pop(id(block)).__exit__(None, None, None)
        except BaseException as error:
            self.runner.stop()
            for future in running:
                future.cancel()
            for step in steps.values():
                step.__exit__(type(error), error, None)
            raise

    def _publish(self, block: _Block) -> None:
        made = self._folder(block) / "made"
        entry = {
            "label": block.sources.top + (" (coverage)" if self.coverage else ""),
            "ports": [(p.port.name, p.port.direction, p.port.bits) for p in block.ports],
            "flags": block.flags,
            "log": _portable(block.log, folders_of(block.sources)),
        }
        self.cache.publish("library", block.key, made, entry)

    def _remember(self, block: _Block) -> None:
        if block.text is not None and block.stable:
            read = [(path, hash_of(path)) for path in block.text.read]
            self.cache.remember(block.request, block.key, read, block.text.absent)


def _portable(log: str, folders: Sequence[Path]) -> str:
    """Return warnings without the places of this build's folders: others may have the same content."""
    numbers = {str(folder): i for i, folder in enumerate(folders)}
    if not numbers:
        return log
    longest_first = sorted(numbers, key=len, reverse=True)
    pattern = rf"(?<![\w./-])({'|'.join(map(re.escape, longest_first))})(?=/)"
    return re.sub(pattern, lambda match: f"\x02{numbers[match[1]]}\x03", log)


def _readable(log: str, folders: Sequence[Path]) -> str:
    """Return warnings as :func:`_portable` keeps them, with the folders of who reads them."""

    def folder(match: re.Match[str]) -> str:
        number = int(match[1])
        return str(folders[number]) if number < len(folders) else "..."

    return re.sub("\x02(\\d+)\x03", folder, log)


def _relative(files: Sequence[Path], folders: Sequence[Path]) -> list[str]:
    """Return the names of files as the library holds them: number of the folder, "/", path in it."""
    names = []
    for file in files:
        for i, folder in enumerate(folders):
            if file.is_relative_to(folder):
                names.append(f"{i}/{file.relative_to(folder)}")
                break
        else:
            names.append(str(file))
    return names
