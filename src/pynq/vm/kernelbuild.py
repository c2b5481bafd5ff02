"""The virtual board's own kernel ("built"): Debian's kernel source with ``kernel/built.config``.

It has what Debian's arm64 kernel lacks: device-tree overlays, the FPGA core with its regions, CMA heaps,
simulated pins. Built once for each version of the source and of the configuration, then kept in the cache.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pynq.errors import VirtualBoardError
from pynq.vm.apt import Archive, Package, host_architecture, unpack
from pynq.vm.assets import Kernel
from pynq.vm.cachedir import CacheDir
from pynq.vm.modules import check_path
from pynq.vm.progress import Progress, megabytes
from pynq.vm.toolchain import Toolchain, find_toolchain

__all__ = ["CONFIG", "built_kernel"]

#: The options that are set over ``make tinyconfig``.
CONFIG = Path(__file__).parent / "kernel" / "built.config"
FORMAT = 1  # of the cache's entries
_RECORD = "built-kernel"
_FAILURE = "the kernel can't be built"
_OBJECTS = 820  # about as many as a build compiles; only for the bar
_TOOLS = ("make", "bc", "flex", "bison", "gcc")
#: Of the source only what this configuration can read is unpacked: a third of its 1.3 GB.
_UNUSED = (
    *(f"arch/{name}/*.[chS]" for name in ("[b-z]*", "alpha", "arc", "arm")),
    *("arch/*.dts*", "tools/testing/*", "tools/perf/*"),
    *(f"Documentation/*.{kind}" for kind in ("rst", "yaml", "txt", "svg")),
    *(f"{folder}/*.[ch]" for folder in ("sound", "samples")),
    *(
        f"drivers/{folder}/*.[ch]"
        for folder in ("gpu", "net/*", "media", "infiniband", "scsi", "staging", "iio", "hwmon", "usb")
    ),
)
#: What building a module for the kernel needs of the tree afterwards.
_KEPT = (
    ".config",
    "Makefile",
    "Kbuild",
    "Module.symvers",
    "include",
    "scripts",
    "arch/Kconfig",
    "tools/include",
)
_KEPT_ARCH = ("Makefile", "include", "kernel/module.lds")


def built_kernel(
    cache: CacheDir | None = None, progress: Progress | None = None, toolchain: Toolchain | None = None
) -> Kernel:
    """Return the kernel; the first time it is built, which takes minutes and says so before.

    Raises:
        DownloadRefused: the source or a compiler can't be fetched.
        VirtualBoardError: it can't be built; the message has the first complaints of the build.
    """
    cache = cache or CacheDir()
    progress = progress or Progress()
    config = CONFIG.read_text(encoding="ascii")
    wanted = hashlib.sha256(f"{FORMAT}\n{config}".encode()).hexdigest()[:16]

    record = cache.recall(_RECORD)
    if record and record.get("config") == wanted and cache.has("kernel", str(record.get("key"))):
        return _kernel(cache.place("kernel", str(record["key"])))

    archive = Archive(cache, host_architecture())
    source = _source(archive)
    key = f"built-{source.version.replace(':', '%3a')}-{wanted}"

    def make(draft: Path, place: Path) -> None:
        check_path(draft)
        check_path(place)
        progress.say(
            f"the virtual board's own kernel is built once: {megabytes(source.size)} of source to download, "
            "then about 7 minutes of processor time (4 minutes on two cores)"
        )
        compiler = find_toolchain(cache, progress, tools=_TOOLS) if toolchain is None else toolchain
        _build(archive, source, config, compiler, draft, progress)

    place = cache.entry("kernel", key, f"kernel {source.version}, own configuration", make)
    cache.remember(_RECORD, {"config": wanted, "key": key})
    return _kernel(place)


def _kernel(place: Path) -> Kernel:
    release = (place / "release").read_text().strip()
    return Kernel("built", release, place / "Image", place / "modules", place / "build")


def _source(archive: Archive) -> Package:
    """Return the package with the source of the suite's kernel, "linux-source-6.1"."""
    names = [name for name in archive.depends("linux-source") if re.fullmatch(r"linux-source-[\d.]+", name)]
    if not names:
        raise VirtualBoardError(f"linux-source of Debian {archive.suite} depends on no source of a kernel")
    return archive.resolve(names[:1], depends=False)[0]


def _build(
    archive: Archive, source: Package, config: str, toolchain: Toolchain, draft: Path, progress: Progress
) -> None:
    work = draft / "work"
    with progress.step(f"downloading {source.name} ({megabytes(source.size)})") as told:
        work.mkdir()
        files = archive.download([source], work, told)
    with progress.step("unpacking the kernel's source"):
        unpack(files, work)
        tree = _unpack_source(work / "usr/src" / f"{source.name}.tar.xz", work)
    make = ["make", f"-j{len(os.sched_getaffinity(0))}", "ARCH=arm64", f"CROSS_COMPILE={toolchain.prefix}"]
    # The kernel names when and by whom it was built: fixed, so that the same source gives the same image.
    make += ["KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_USER=pynq", "KBUILD_BUILD_HOST=pynq"]

    toolchain.run([*make, "tinyconfig"], _FAILURE, tree)
    with (tree / ".config").open("a", encoding="ascii") as options:
        options.write(config)  # the last of several lines for an option holds
    toolchain.run([*make, "olddefconfig"], _FAILURE, tree)
    _check_config(config, (tree / ".config").read_text(encoding="ascii"))

    with progress.step("compiling the kernel") as told:
        toolchain.run([*make, "Image", "modules"], _FAILURE, tree, _Counter(told, progress))

    (tree / "arch/arm64/boot/Image").rename(draft / "Image")
    shutil.copy(tree / "include/config/kernel.release", draft / "release")
    (draft / "modules").mkdir()
    for built in [tree / "modules.builtin", *tree.rglob("*.ko")]:
        shutil.copy(built, draft / "modules")
    _keep(tree, draft / "build")
    shutil.rmtree(work)


def _unpack_source(archive: Path, folder: Path) -> Path:
    name = archive.name.removesuffix(".tar.xz")
    left_out = [f"--exclude={name}/{pattern}" for pattern in _UNUSED]
    command = ["tar", "-x", "-C", str(folder), "--anchored", "--wildcards", *left_out]
    try:
        with (
            lzma.open(archive) as source,
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        ):
            assert process.stdin is not None
            shutil.copyfileobj(source, process.stdin, 1 << 20)
            said = process.communicate()[1].decode(errors="replace").strip()
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise VirtualBoardError(f"{archive.name} can't be unpacked into {folder}: {error}") from error
    if process.returncode:
        raise VirtualBoardError(
            f"{archive.name} can't be unpacked into {folder}: {said or 'tar said nothing'}"
        )
    return folder / name


def _check_config(wanted: str, got: str) -> None:
    """Refuse a configuration in which an option was dropped: the kernel would lack it without a word."""
    lines = set(got.splitlines())
    missing = []
    for line in wanted.splitlines():
        off = re.fullmatch(r"# (CONFIG_\w+) is not set", line)
        if off:
            dropped = any(one.startswith(f"{off.group(1)}=") for one in lines)
        else:
            dropped = line.startswith("CONFIG_") and line not in lines
        if dropped:
            missing.append(line)
    if missing:
        raise VirtualBoardError(
            f"this kernel's source does not take {len(missing)} options of {CONFIG}: {', '.join(missing)}"
        )


def _keep(tree: Path, build: Path) -> None:
    """Move what modules are built with to ``build``."""
    for name in (*_KEPT, *(f"arch/arm64/{name}" for name in _KEPT_ARCH)):
        if (tree / name).exists():
            (build / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).rename(build / name)


class _Counter:
    """Counts what a build compiles, for the bar; without a bar one line for each quarter."""

    def __init__(self, told: Callable[[float], None], progress: Progress) -> None:
        self._told = told
        self._progress = progress
        self._plain = not sys.stderr.isatty()
        self.done = 0

    def __call__(self, line: str) -> None:
        if not re.match(r"  (CC|AS)\s", line):
            return
        self.done += 1
        self._told(min(self.done / _OBJECTS, 0.99))
        if self._plain and self.done % (_OBJECTS // 4) == 0:
            self._progress.say(f"compiled {self.done} of about {_OBJECTS} objects")
