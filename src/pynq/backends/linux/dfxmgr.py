"""AMD's ``dfx-mgrd``: where it runs (Ubuntu on Kria, PetaLinux), a design of its own is in the PL.

Its kernel drivers would be left without their hardware, so it has to let go first. Its tool is used, not its
socket, whose messages differ from version to version (dfx-mgr's README, "Usage guidelines").
"""

from __future__ import annotations

from typing import NamedTuple

from pynq.backends.kernel import Kernel
from pynq.errors import KernelError, ProgrammingError, WaitTimeoutError

__all__ = ["SOCKETS", "Package", "loaded", "running", "unload"]

SOCKETS = ("/run/dfx-mgrd.socket", "/tmp/dfx-mgrd.socket")
"""Where its socket is; the second in older versions, as those of Ubuntu 22.04."""
_LISTENING = "/proc/net/unix"
_TOOLS = ("/usr/bin/dfx-mgr-client", "/usr/local/bin/dfx-mgr-client", "/snap/bin/dfx-mgr-client")


class Package(NamedTuple):
    """A design that it has loaded. ``arguments`` are those of the tool that unload it."""

    name: str
    arguments: tuple[str, ...]


def running(kernel: Kernel) -> bool:
    """Say whether the daemon runs. The socket of one that was stopped stays; the kernel lists it no more."""
    if not any(kernel.exists(name) for name in SOCKETS):
        return False
    if not kernel.exists(_LISTENING):
        return True
    return "/dfx-mgrd.socket" in kernel.text(_LISTENING)


def loaded(kernel: Kernel) -> list[Package]:
    """Return what the daemon has loaded.

    Raises :class:`~pynq.errors.ProgrammingError` where it can't be asked.
    """
    status, text = _run(kernel, "-listPackage")
    if status:
        raise _error(f"`dfx-mgr-client -listPackage` failed with status {status}: {text.strip()[-200:]}")
    return _parse(text)


def unload(kernel: Kernel) -> list[str]:
    """Let the daemon unload what it has loaded; return the names.

    Raises :class:`~pynq.errors.ProgrammingError` where it does not.
    """
    names = []
    for package in loaded(kernel):
        status, text = _run(kernel, *package.arguments)
        if status:
            raise _error(f"dfx-mgr does not unload {package.name!r} (status {status}: {text.strip()[-200:]})")
        names.append(package.name)
    if names and (left := loaded(kernel)):
        raise _error(f"dfx-mgr still has {', '.join(repr(package.name) for package in left)} in the PL")
    return names


def _parse(text: str) -> list[Package]:
    """Return the loaded ones of a list: those whose slot is not -1.

    Until 2024 the last column is ``Active_slot`` ("0," or "-1") and a slot is removed; since 2025 there is a
    column ``slotLoc``, and an ID, the first column, is unloaded.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    header = next((line for line in lines if {"Active_slot", "slotLoc"} & set(line)), None)
    if header is None:
        return []
    found = []
    for row in lines[lines.index(header) + 1 :]:
        if len(row) != len(header) or set("".join(row)) <= {"-"}:
            continue
        if "Active_slot" in header:
            slots = [slot for slot in row[-1].split(",") if slot]
            if slots and slots != ["-1"]:
                found += [Package(row[0], ("-remove", slot)) for slot in slots]
        elif row[header.index("slotLoc")] != "-1":
            found.append(Package(row[header.index("Accelerator")], ("-unload", row[0])))
    return found


def _run(kernel: Kernel, *arguments: str) -> tuple[int, str]:
    tool = next((tool for tool in _TOOLS if kernel.exists(tool)), None)
    if tool is None:
        raise _error("dfx-mgrd runs, but its tool dfx-mgr-client is not installed")
    try:
        return kernel.run(tool, *arguments)
    except (KernelError, WaitTimeoutError) as error:
        raise _error(f"dfx-mgrd runs, but {error}") from error


def _error(message: str) -> ProgrammingError:
    error = ProgrammingError(
        f"{message}. Unload its design by hand (`sudo xmutil unloadapp`) and stop the daemon, which answers "
        "root only (`sudo systemctl stop dfx-mgr`), then load again"
    )
    error.untouched = True
    return error
