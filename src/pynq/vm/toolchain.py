"""A compiler for arm64, and what a kernel's build calls: the machine's own, else Debian's in the cache.

Packages are only unpacked, so a program is started through a small script that gives it the libraries of its
own folder (ld.so(8), ``--library-path``); neither root nor a matching C library of the machine is needed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pynq.errors import VirtualBoardError
from pynq.vm.apt import Archive, host_architecture, unpack
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import Progress, megabytes

__all__ = ["TRIPLET", "Toolchain", "find_toolchain", "installed_prefix"]

#: What GNU calls the guest's architecture.
TRIPLET = "aarch64-linux-gnu"
FORMAT = 1  # of the cache's entries
_CROSS = (f"gcc-{TRIPLET}", f"g++-{TRIPLET}", "libc6-dev-arm64-cross")
#: Dependencies that nothing here calls or links.
_UNUSED = (
    *("debconf", "dpkg", "tar", "libacl1", "libmd0", "libbz2-1.0", "libselinux1", "libpcre2-8-0"),
    *("readline-common", "gcc-12-base"),
)
_SHOWN = 12  # lines of a build in an error
_SANITIZERS = ("libasan", "libtsan", "liblsan", "libubsan", "libhwasan", "libitm", "libquadmath")
#: What a kernel's build needs beside make: the program, and the packages that have it.
_BUILD = {
    "make": ("make",),
    "bc": ("bc",),
    "flex": ("flex",),
    "bison": ("bison",),
    "gcc": ("gcc", "libc6-dev"),
}
#: What gcc starts itself, looked for in the folders of -B under these names.
_PASSES = ("cc1", "cc1plus", "collect2", "lto1", "lto-wrapper")
_LOADERS = ("lib/*/ld-linux*.so.*", "usr/lib/*/ld-linux*.so.*", "lib64/ld*.so.*", "lib/ld-linux*.so.*")
_BINUTILS = ("as", "ld", "ld.bfd", "nm", "objcopy", "strip", "ar", "ranlib")


@dataclass(frozen=True)
class Toolchain:
    """Programs for arm64: ``prefix`` goes before "gcc", "g++", "strip" (kbuild's ``CROSS_COMPILE``).

    ``version`` is the compiler's own line about itself; ``environment`` has what has to be set for the
    programs it starts.
    """

    prefix: str
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def program(self, name: str) -> str:
        """Return the path of a program ("gcc", "g++", "strip", "objcopy"...)."""
        return self.prefix + name

    def surroundings(self) -> dict[str, str]:
        """Return the whole environment to start its programs with."""
        return {**os.environ, **self.environment, "LC_ALL": "C"}

    def run(
        self,
        command: Sequence[str],
        failure: str,
        folder: Path | None = None,
        line_done: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Run a step of a build in ``folder``, telling each line that it prints.

        Whatever ends this call ends all that the step has started. Raises
        :class:`~pynq.errors.VirtualBoardError`, ``failure`` with the first complaints.
        """
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=self.surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise VirtualBoardError(f"{command[0]} does not start: {error.strerror}") from error
        assert process.stdout is not None
        lines = []
        try:
            with process.stdout:
                for line in process.stdout:
                    lines.append(line)
                    line_done(line)
            process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if process.returncode:
            step = f"{Path(command[0]).name} {command[-1]}"
            raise VirtualBoardError(
                f"{failure}, `{step}` ended with status {process.returncode}:\n{_complaints(lines)}"
            )


def find_toolchain(
    cache: CacheDir, progress: Progress | None = None, *, tools: Sequence[str] = ("make",)
) -> Toolchain:
    """Return a compiler for arm64, with ``tools`` of "make", "bc", "flex", "bison", "gcc" (of the machine).

    What the machine doesn't have is fetched from Debian into the cache, once.

    Raises:
        DownloadRefused: it has to be fetched, and can't be.
        VirtualBoardError: there is none for this machine.
    """
    progress = progress or Progress()
    folders = []
    environment: dict[str, str] = {}
    prefix = installed_prefix()
    if prefix is None:
        if host_architecture() == "arm64":
            raise VirtualBoardError(
                "a C and C++ compiler is needed to build for the guest: install gcc and g++ "
                "(Debian, Ubuntu: apt install gcc g++)"
            )
        root = _private(cache, progress, "cross", _CROSS)
        prefix = str(root / "programs" / f"{TRIPLET}-")
        folders.append(root / "programs")  # newer kernels' makefiles insist on the bare names
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        packages = [package for tool in missing for package in _BUILD[tool]]
        root = _private(cache, progress, "tools-" + "-".join(missing), packages)
        folders.append(root / "programs")
        if (root / "root/usr/share/bison").is_dir():
            environment["BISON_PKGDATADIR"] = str(root / "root/usr/share/bison")
            environment["M4"] = str(root / "programs/m4")
    if folders:
        path = [*map(str, folders), os.environ.get("PATH", os.defpath)]
        environment["PATH"] = os.pathsep.join(path)
    return Toolchain(prefix, _version(prefix + "gcc"), environment)


def installed_prefix() -> str | None:
    """Return the prefix of the machine's own compiler, None where it has none that links C++."""
    native = host_architecture() == "arm64"
    for prefix in (f"{TRIPLET}-", *([""] if native else [])):
        found = [shutil.which(prefix + name) for name in ("gcc", "g++", "strip", "ld")]
        compiler = found[1]
        if compiler is None or None in found:
            continue
        # A compiler without the C library's files answers with the bare name.
        files = ("crt1.o", "libstdc++.a")
        if all(os.path.isabs(_says(compiler, f"-print-file-name={file}")) for file in files):
            return prefix
    return None


def _says(program: str, option: str) -> str:
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(compiler: str) -> str:
    said = _says(compiler, "--version").splitlines()
    if not said:
        raise VirtualBoardError(f"the compiler {compiler} does not start: `{compiler} --version` fails")
    return said[0]


def _complaints(output: Sequence[str]) -> str:
    """Return the lines of a build that say why it failed, the first ones, else the last that there are."""
    lines = [line.rstrip() for line in output if line.strip()]
    said = [line for line in lines if re.search(r"\berror:|undefined |No such file|No rule to", line)]
    shown = said[:_SHOWN] or lines[-_SHOWN:]
    return "\n".join(f"  {line}" for line in shown) or "  nothing was said"


# Debian's, unpacked


def _private(cache: CacheDir, progress: Progress, name: str, packages: Sequence[str]) -> Path:
    """Return an entry of the cache with these packages in ``root`` and their programs in ``programs``."""
    archive = Archive(cache, host_architecture())
    record = f"toolchain-{name}-{archive.architecture}-{archive.suite}"
    known = cache.recall(record)
    if known and known.get("format") == FORMAT and cache.has("toolchain", str(known.get("key"))):
        return cache.place("toolchain", str(known["key"]))

    found = [
        package
        for package in archive.resolve(packages, without=_UNUSED)
        if not package.name.startswith(_SANITIZERS)
    ]
    listed = "\n".join(sorted(package.file for package in found))
    key = hashlib.sha256(f"{FORMAT}\n{name}\n{listed}".encode()).hexdigest()[:24]

    def make(draft: Path, place: Path) -> None:
        size = sum(package.size for package in found)
        what = "the compiler for arm64" if name == "cross" else ", ".join(packages)
        with progress.step(f"downloading {what} ({megabytes(size)})") as told:
            files = archive.download(found, draft, told)
        unpack(files, draft / "root")
        for file in files:
            file.unlink()
        _slim(draft / "root")
        _write_programs(draft, place)

    place = cache.entry("toolchain", key, f"{name} of Debian {archive.suite}", make)
    cache.remember(record, {"format": FORMAT, "key": key})
    return place


def _slim(root: Path) -> None:
    for name in ("doc", "man", "info", "locale", "lintian", "gdb"):
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for file in (root / "usr/bin").glob("*lto-dump*"):
        file.unlink()


def _write_programs(draft: Path, place: Path) -> None:
    """Write the scripts that start what is in ``root``; ``place`` is where the entry will stand."""
    root = draft / "root"
    there = place / "root"
    loader, libraries = _loader(root)
    start = [str(there / loader), "--library-path", ":".join(str(there / folder) for folder in libraries)]

    def write(folder: str, name: str, program: Path, options: Sequence[str] = ()) -> None:
        file = draft / folder / name
        file.parent.mkdir(exist_ok=True)
        real = str(there / program)
        words = [*start, "--argv0", real, real, *options]
        file.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        file.chmod(0o755)

    compilers = [f"-B{place / 'passes'}/", f"--sysroot={there}"]
    for file in sorted((root / "usr/bin").iterdir()):
        program = Path("usr/bin") / file.name
        if not file.is_file():  # a link to what is a setting of the machine (alternatives)
            continue
        with file.open("rb") as stream:
            if stream.read(4) != b"\x7fELF":
                continue
        compiles = re.fullmatch(r"(gcc|g\+\+|cpp)(-\d+)?", file.name.removeprefix(f"{TRIPLET}-"))
        write("programs", file.name, program, compilers if compiles else ())
    for compiled in _PASSES:
        for file in root.glob(f"usr/lib*/gcc*/*/*/{compiled}"):
            write("passes", compiled, file.relative_to(root))
    for name in _BINUTILS:
        for tool in (f"{TRIPLET}-{name}", name):
            if (root / "usr/bin" / tool).exists():
                write("passes", name, Path("usr/bin") / tool)
                break


def _loader(root: Path) -> tuple[Path, list[Path]]:
    """Return the dynamic loader and the folders of libraries, relative to ``root``."""
    for pattern in _LOADERS:
        for file in sorted(root.glob(pattern)):
            if not file.is_symlink() and TRIPLET not in file.parts:
                folder = file.relative_to(root).parent.name
                folders = [Path(base) / folder for base in ("lib", "usr/lib")]
                return file.relative_to(root), [path for path in folders if (root / path).is_dir()]
    raise VirtualBoardError(f"Debian's packages in {root} have no dynamic loader (ld-linux)")
