"""``pynq setup``: rules and folders for a group, written once and taken away again."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from pskit import put

from pynq.backends.kernel import Kernel, failure
from pynq.backends.linux import udev
from pynq.cli import main, setup
from pynq.errors import FieldValueError, KernelAccessError, PynqError


class Runs:
    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(" ".join(command))
        return self.status


def system(root: Path) -> Kernel:
    put(root, "/etc/group", "root:x:0:\n")
    for folder in ("etc/udev/rules.d", "etc/tmpfiles.d"):
        (root / folder).mkdir(parents=True)
    return Kernel(root)


def test_what_is_printed_is_what_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--print", "--group", "lab"]) == 0
    printed = capsys.readouterr().out
    kernel, runs = system(tmp_path), Runs()
    assert setup.install("lab", kernel, runs) == 0
    for name in udev.FILES:
        assert kernel.text(name) in printed
    assert runs.commands[0] == "groupadd --system lab"
    assert "udevadm control --reload" in runs.commands
    text = kernel.text(udev.RULES)
    assert 'SUBSYSTEM=="uio", GROUP="lab", MODE="0660"' in text
    assert "/dev/mem" not in text
    assert "/run/pynq 2775 root lab" in kernel.text(udev.TMPFILES)


def test_again_changes_nothing_and_remove_takes_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = system(tmp_path)
    setup.install("pynq", kernel, Runs())
    put(tmp_path, "/etc/group", "root:x:0:\npynq:x:999:\n")
    runs = Runs()
    capsys.readouterr()
    assert setup.install("pynq", kernel, runs) == 0
    assert "the rules are in place" in capsys.readouterr().out
    assert not any("groupadd" in command for command in runs.commands)
    assert setup.remove(kernel, Runs()) == 0
    assert not any(kernel.exists(name) for name in udev.FILES)
    assert setup.remove(kernel, Runs()) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = system(tmp_path)
    with pytest.raises(PynqError, match="group 'pynq' could not be made"):
        setup.install("pynq", kernel, Runs(1))
    put(tmp_path, "/etc/group", "pynq:x:999:\n")
    assert setup.install("pynq", kernel, Runs(1)) == 1
    assert "when the board is booted again" in capsys.readouterr().err
    for name in ("", "a b", "Root", 'x"', "x" * 40):
        with pytest.raises(FieldValueError, match="no name of a group"):
            udev.rules(name)

    class Refused(Kernel):
        def store(self, name: str, data: bytes, mode: int = 0o644) -> None:
            raise failure(errno.EACCES, "store", name)

    udev.remove(kernel)
    with pytest.raises(KernelAccessError, match="run as root"):
        udev.install(Refused(tmp_path))


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="no udevadm on this machine")
def test_udev_takes_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "70-pynq.rules"
    file.write_text(udev.rules())
    done = subprocess.run(["udevadm", "verify", str(file)], capture_output=True, text=True, check=False)
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip("this udevadm is older than 254 and can't verify rules")
    assert done.returncode == 0, done.stdout + done.stderr
