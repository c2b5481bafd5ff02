"""What this machine has for virtual boards. Nothing is downloaded, nothing is changed."""

from __future__ import annotations

import shutil

from pynq.backends.linux.doctor import Finding
from pynq.errors import PynqError
from pynq.vm.apt import find_mirrors
from pynq.vm.assets import own_qemu
from pynq.vm.cachedir import CacheDir
from pynq.vm.progress import megabytes
from pynq.vm.toolchain import TRIPLET, installed_prefix

__all__ = ["examine"]

_COMES = "Debian's comes with the first `pynq vm`, or with `pynq vm --prepare`"


def examine(cache: CacheDir | None = None) -> list[Finding]:
    """Return what of a virtual board is there, and where the rest comes from."""
    entries = (cache or CacheDir()).entries()
    kinds = {entry.kind for entry in entries}
    found = [_qemu(kinds), _compiler(kinds)]
    if "kernel" in kinds and "root" in kinds:
        total = megabytes(sum(entry.size for entry in entries))
        found.append(Finding("ok", "kernel and Python", f"in the cache, which has {total}"))
    else:
        found.append(Finding("hint", "kernel and Python", "not in the cache", _COMES))
    try:
        mirrors = find_mirrors()
    except PynqError as error:
        found.append(Finding("hint", "Debian's packages", str(error)))
    else:
        found.append(Finding("ok", "Debian's packages", f"can be fetched, of {mirrors.suite}"))
    return found


def _qemu(kinds: set[str]) -> Finding:
    qemu = own_qemu()
    if qemu is not None:
        return Finding("ok", "QEMU", f"{qemu.version}, with vfio-user")
    if "qemu" in kinds:
        return Finding("ok", "QEMU", "Debian's, in the cache")
    program = shutil.which("qemu-system-aarch64")
    why = f"{program} has no vfio-user-pci (10.1 or newer has)" if program else "not installed"
    return Finding("hint", "QEMU", why, _COMES)


def _compiler(kinds: set[str]) -> Finding:
    prefix = installed_prefix()
    if prefix is not None:
        return Finding("ok", "compiler for arm64", shutil.which(f"{prefix}g++") or prefix)
    if "toolchain" in kinds:
        return Finding("ok", "compiler for arm64", "Debian's, in the cache")
    return Finding(
        "hint",
        "compiler for arm64",
        f"{TRIPLET}-g++ is not installed",
        f"{_COMES}; or `apt install g++-{TRIPLET}`",
    )
