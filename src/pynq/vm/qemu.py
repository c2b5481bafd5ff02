"""QEMU as a child that never outlives this process, and its command line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pynq.errors import VirtualBoardError
from pynq.vm.tree import PCI_SLOT

__all__ = ["Machine", "dump_tree", "options"]

# prctl(2): PR_SET_PDEATHSIG is 1, SIGKILL 9. A parent that is gone already sends nothing, so it is looked at.
_CHILD = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); "
    "os.getppid() == int(sys.argv[1]) and os.execv(sys.argv[2], sys.argv[2:])"
)
# A warning for each device that tells no error events, which vfio-user has no message for.
_ALWAYS_SAID = "Could not enable error recovery for the device"


class Machine:
    """A running QEMU: its console is its standard input and output; ``errors`` takes what it complains of."""

    def __init__(self, command: Sequence[str], errors: Path) -> None:
        self._errors = errors
        self._command = [sys.executable, "-ISc", _CHILD, str(os.getpid()), *command]
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.ended = threading.Event()
        # The kernel sends that signal when the thread ends which started the child, so that one stays.
        self._thread = threading.Thread(target=self._keep, name="pynq vm QEMU", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise VirtualBoardError(f"QEMU does not start: {self._failure}") from self._failure

    def _keep(self) -> None:
        try:
            with self._errors.open("wb") as errors:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,  # Ctrl-C is not for QEMU
                )
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        self._started.set()
        self._process.wait()
        self.ended.set()

    @property
    def streams(self) -> tuple[IO[bytes], IO[bytes]]:
        """What the guest prints, and where to type."""
        process = self._running()
        assert process.stdout is not None
        assert process.stdin is not None
        return process.stdout, process.stdin

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._running().pid

    def complaints(self) -> str:
        """Return what QEMU wrote to its standard error."""
        with contextlib.suppress(OSError):
            lines = self._errors.read_text(errors="replace").splitlines()
            return "\n".join(line for line in lines if _ALWAYS_SAID not in line).strip()
        return ""

    def stop(self) -> None:
        """End it."""
        process = self._running()
        process.terminate()
        if not self.ended.wait(2.0):
            process.kill()
            self.ended.wait(5.0)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process


def options(
    *,
    ram: tuple[str, int],
    folder: Path,
    kernel: Path,
    tree: Path | None,
    image: Path,
    arguments: str,
    logic: Path | None,
    shares: Mapping[str, tuple[Path, bool]],
) -> list[str]:
    """Return QEMU's options.

    ``ram``: the file that is the memory, and its bytes. ``logic``: the socket of the PL. ``shares``: folders
    by tag, and whether the guest may write there.
    """
    path, size = ram
    found = [
        *("-M", "virt,gic-version=2,memory-backend=ram", "-cpu", "cortex-a53", "-accel", "tcg"),
        *("-smp", "1", "-m", f"{size >> 20}M"),
        *("-object", f"memory-backend-file,id=ram,size={size},share=on,mem-path={_escaped(path)}"),
        *("-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-kernel", str(kernel), "-initrd", str(image), "-append", arguments),
        *("-qmp", f"unix:{folder}/qmp.sock,server=on,wait=off"),
        *("-qtest", f"unix:{folder}/qtest.sock,server=on,wait=off", "-qtest-log", "/dev/null"),
    ]
    if tree is not None:
        found += ["-dtb", str(tree)]
    # A function's interrupt line is its slot's number modulo 4. No other function may have that of the PL:
    # nobody in the guest acknowledges it, and the kernel would switch the line off.
    slots = iter([number for number in range(1, 32) if number % 4 != PCI_SLOT % 4])
    for tag, (place, writable) in shares.items():
        rights = "" if writable else ",readonly=on"
        found += [
            "-fsdev",
            f"local,id={tag},path={_escaped(str(place))},security_model=none,multidevs=remap{rights}",
            "-device",
            f"virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={next(slots):#x}",
        ]
    found += ["-device", f"virtio-rng-pci,addr={next(slots):#x}"]
    if logic is not None:
        device = {
            "driver": "vfio-user-pci",
            "addr": f"{PCI_SLOT:#x}",
            "socket": {"path": str(logic), "type": "unix"},
        }
        found += ["-device", json.dumps(device)]
    return found


def _escaped(path: str) -> str:
    """Return a path for one of QEMU's lists of options."""
    return path.replace(",", ",,")


def dump_tree(qemu: Sequence[str], ram: int, folder: Path) -> bytes:
    """Return the device tree of the machine as QEMU makes it, without the PL."""
    file = folder / "machine.dtb"
    command = [
        *qemu,
        *("-M", f"virt,gic-version=2,dumpdtb={_escaped(str(file))}", "-cpu", "cortex-a53"),
        *("-smp", "1", "-m", f"{ram >> 20}M", "-display", "none", "-nic", "none"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VirtualBoardError(f"QEMU does not start: {error}") from error
    try:
        return file.read_bytes()
    except OSError as error:
        words = done.stderr.decode(errors="replace").strip()
        raise VirtualBoardError(f"QEMU does not tell its device tree: {words or error}") from error
