"""The guest's kernel modules (sources in ``modules/``), built for a kernel and kept in the cache.

Which of them a kernel gets is decided in ``modules/Kbuild`` by that kernel's own configuration.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Protocol

from pynq.errors import VirtualBoardError
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import Progress
from pynq.vm.toolchain import Toolchain

__all__ = ["SOURCES", "Buildable", "build_modules", "check_path", "make_command"]

#: The sources, with their Kbuild.
SOURCES = Path(__file__).parent / "modules"
_FAILURE = "the kernel modules can't be built"


class Buildable(Protocol):
    """A kernel that modules can be built for."""

    @property
    def release(self) -> str:
        """What ``uname -r`` says, "6.1.0-56-arm64"."""

    def headers(self) -> Path:
        """Return the folder for ``make -C``."""


def build_modules(
    kernel: Buildable, toolchain: Toolchain, cache: CacheDir, progress: Progress | None = None
) -> Path:
    """Return the folder that has the modules (``*.ko``) for ``kernel``; they are built if it is not there.

    Raises:
        VirtualBoardError: they can't be built; the message has the compiler's lines.
    """
    headers = kernel.headers()
    sources = [
        file for file in sorted(SOURCES.iterdir()) if file.suffix in (".c", ".h") or file.name == "Kbuild"
    ]
    key = hashlib.sha256()
    for part in (kernel.release, str(headers), toolchain.version):
        key.update(f"{part}\n".encode())
    for file in sources:
        key.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())

    def make(draft: Path, place: Path) -> None:
        (progress or Progress()).say(f"building the kernel modules for {kernel.release} (10 s, once)")
        work = draft / "work"
        work.mkdir()
        for file in sources:
            shutil.copy(file, work)
        _make(headers, work, toolchain)
        built = sorted(work.glob("*.ko"))
        toolchain.run([toolchain.program("strip"), "--strip-debug", *map(str, built)], _FAILURE)
        for file in built:
            file.rename(draft / file.name)
        shutil.rmtree(work)

    return cache.entry("modules", key.hexdigest()[:24], f"modules for {kernel.release}", make)


def check_path(folder: Path) -> None:
    """Refuse a folder that a kernel's makefiles can't work in."""
    if re.search(r"[\s:%#$]", str(folder)):
        raise VirtualBoardError(
            f"a kernel can't be built in {folder}: its makefiles allow neither space nor : % # $ in paths; "
            "set PYNQ_CACHE to another folder"
        )


def _make(headers: Path, work: Path, toolchain: Toolchain) -> None:
    check_path(work)
    check_path(headers)
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    toolchain.run([*_makes(headers, toolchain), jobs, f"M={work}", "modules"], _FAILURE)


def make_command(kernel: Buildable, toolchain: Toolchain) -> str:
    """Return what a shell makes the kernel modules of the current folder with."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in toolchain.environment.items()]
    return " ".join([*settings, shlex.join(_makes(kernel.headers(), toolchain)), 'M="$PWD"', "modules"])


def _makes(headers: Path, toolchain: Toolchain) -> list[str]:
    # Debian's makefiles want the very compiler that the kernel was built with, and pahole for debug
    # information that is stripped anyway.
    compiler = [f"CROSS_COMPILE={toolchain.prefix}", f"CC={toolchain.program('gcc')}"]
    return ["make", "-C", str(headers), "ARCH=arm64", *compiler, "CONFIG_DEBUG_INFO_BTF_MODULES="]
