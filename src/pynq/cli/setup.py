"""``pynq setup``: a board's devices for a group of users."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from pynq.backends.kernel import Kernel
from pynq.backends.linux import udev
from pynq.errors import PynqError

__all__ = ["install", "remove", "show"]

Run = Callable[[Sequence[str]], int]


def run(command: Sequence[str]) -> int:
    """Run a program of the system; return its exit status, 127 where there is none."""
    if shutil.which(command[0]) is None:
        return 127
    return subprocess.run(command, check=False).returncode


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def show(group: str) -> None:
    """Print the files, with where they go."""
    for name, text in zip(udev.FILES, (udev.rules(group), udev.tmpfiles(group)), strict=True):
        _say(f"# --- {name}\n{text}")


def install(group: str, kernel: Kernel | None = None, run: Run = run) -> int:
    """Make the group, write the files, and let udev and tmpfiles follow them at once; 1 if a step failed."""
    kernel = kernel or Kernel()
    names = [line.partition(":")[0] for line in kernel.text("/etc/group").splitlines()]
    if group not in names and run(["groupadd", "--system", group]):
        raise PynqError(f"group {group!r} could not be made: `groupadd --system {group}` failed")
    written = udev.install(kernel, group)
    _say("\n".join(f"wrote {name}" for name in written) or "the rules are in place")
    failed = [
        " ".join(command)
        for command in (
            ["systemd-tmpfiles", "--create", udev.TMPFILES],
            ["udevadm", "control", "--reload"],
            ["udevadm", "trigger", "--action=change"],
        )
        if run(command)
    ]
    for command in failed:
        sys.stderr.write(f"`{command}` failed: the rules take effect when the board is booted again\n")
    user = os.environ.get("SUDO_USER", "")
    _say(f"members of group {group} need no root: usermod -aG {group} {user or 'USER'}, then log in again")
    return 1 if failed else 0


def remove(kernel: Kernel | None = None, run: Run = run) -> int:
    """Take the files away; devices keep their rights until the board is booted again. The group stays."""
    kernel = kernel or Kernel()
    there = udev.remove(kernel)
    _say("\n".join(f"removed {name}" for name in there) or "there was nothing to remove")
    if there:
        run(["udevadm", "control", "--reload"])
    return 0
