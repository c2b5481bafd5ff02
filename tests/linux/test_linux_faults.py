"""Whatever the system refuses: one clear error, nothing left behind, and the next load works."""

from __future__ import annotations

import errno
import gc
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from bits import bitfile, overlay_blob
from fakesystem import OVERLAYS, FakeSystem, FaultyKernel
from tests import leaks

from pynq.backends.linux import LinuxDevice
from pynq.design import read
from pynq.design.model import Design
from pynq.errors import PynqError, PynqWarning

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = (errno.ENOENT, errno.EACCES, errno.EBUSY, errno.ENOMEM, errno.EIO)


class OneFails(FaultyKernel):
    """A kernel whose call number ``at`` fails."""

    at = 0
    refusal = 0

    def call(self, operation, name, function, hint=""):  # type: ignore[no-untyped-def]
        def one():  # type: ignore[no-untyped-def]
            if len(self.calls) == self.at:  # counted from 1: this one is in
                raise OSError(self.refusal, os.strerror(self.refusal), name)
            return function()

        return super().call(operation, name, one, hint)


DESIGN = read(ROOT / "examples/polynomial/polynomial.hwh")


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a system has 130 files, and there are hundreds of systems."""
    above = Path("/dev/shm")
    if not os.access(above, os.W_OK):
        above = tmp_path
    with tempfile.TemporaryDirectory(prefix="pynq-test-", dir=above) as folder:
        gc.freeze()  # what other tests left is not looked at again in each system's collection
        yield Path(folder)
        gc.unfreeze()


def make(folder: Path, family: str, manager: str) -> tuple[FakeSystem, Design, Path, Path]:
    system = FakeSystem(folder / "root", family, manager=manager)
    bit, dtbo = folder / "polynomial.bit", folder / "user.dtbo"
    bit.write_bytes(bitfile())
    dtbo.write_bytes(overlay_blob("/amba_pl", "user@43d00000", 0x43D0_0000))
    return system, DESIGN, bit, dtbo


def left_overs(system: FakeSystem) -> list[str]:
    found = [str(path) for path in system.path("/lib/firmware").rglob("*") if path.is_file()]
    found += [str(path) for path in system.path("/run").rglob(".*") if path.is_file()]
    return found


@pytest.mark.parametrize(("manager", "with_dtbo"), [("vendor", True), ("mainline", False)])
def test_every_call_fails_in_turn(
    memory_path: Path, manager: str, with_dtbo: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynq.backends.linux.device._NODES_SECONDS", 0.0)
    (memory_path / "0").mkdir()
    system, design, bit, dtbo = make(memory_path / "0", "zynq", manager)
    kernel = system.kernel()
    with LinuxDevice(kernel=kernel) as device:
        device.open()
        device.download(design, bit, dtbo=dtbo if with_dtbo else None)
    assert len(kernel.calls) > 40
    for at, call in enumerate(kernel.calls, 1):
        folder = memory_path / str(at)
        folder.mkdir()
        system, design, bit, dtbo = make(folder, "zynq", manager)
        failing = OneFails(system)
        failing.at, failing.refusal = at, NUMBERS[at % len(NUMBERS)]
        if call[0] == "unlink":  # ENOENT would say that the file is gone, which is not so
            failing.refusal = errno.EIO
        before = leaks.descriptors()
        where = ""
        with LinuxDevice(kernel=failing) as device:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", PynqWarning)
                    device.open()
                    device.download(design, bit, dtbo=dtbo if with_dtbo else None)
            except PynqError as error:
                where = f"call {at}, {call}: {error}"
            if where:
                assert device.design is None, where
                assert left_overs(system) == [] or call[0] == "unlink", where
            failing.at = -1
            device.download(design, bit, dtbo=dtbo if with_dtbo else None)
            assert device.design is design, where
            expected = {"pynq-user" if with_dtbo else "pynq-uio"}
            assert expected <= set(os.listdir(system.path(OVERLAYS))), where
        assert left_overs(system) == [], where
        for uio in list(system.uios.values()):
            uio.close()
        del device, failing, system
        assert leaks.opened(before) == [], where
