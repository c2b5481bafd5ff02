"""``pynq doctor`` on fake systems: what it says of whole ones, and that broken ones never end it."""

from __future__ import annotations

import errno
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakesystem import FakeSystem, FaultyKernel
from memory import FakeUDmaBuf
from test_linux_faults import NUMBERS, OneFails
from tests import leaks

from pynq.backends.kernel import Kernel
from pynq.backends.linux import udev
from pynq.backends.linux.doctor import Finding, examine
from pynq.backends.linux.state import Loaded, State
from pynq.cli import doctor as command
from pynq.errors import KernelAccessError

CONFIG = "CONFIG_FPGA=y\nCONFIG_FPGA_MGR_ZYNQ_FPGA=y\n# CONFIG_UIO is not set\nCONFIG_STRICT_DEVMEM=y\n"


def whole(folder: Path, family: str = "zynq", **options: object) -> FakeSystem:
    """Return a system that has everything."""
    system = FakeSystem(folder, family, **options)  # type: ignore[arg-type]
    FakeUDmaBuf(system)
    system.add_uio("polynomial", 0x43C0_0000, gic=61)
    system.file("/proc/sys/kernel/osrelease", "6.1.0-xilinx\n")
    system.file("/proc/config.gz", gzip.compress(CONFIG.encode()))
    system.file("/proc/cmdline", "console=ttyPS0 uio_pdrv_genirq.of_id=generic-uio\n")
    system.path("/sys/bus/platform/drivers/uio_pdrv_genirq").mkdir(parents=True)
    system.file("/sys/bus/platform/devices/fclk0/set_rate", "100000000\n")
    system.file("/dev/gpiochip0", b"")
    system.file("/sys/bus/gpio/devices/gpiochip0/of_node/compatible", b"xlnx,zynq-gpio-1.0\0")
    system.file("/proc/self/status", "Name:\tpython\nGroups:\t4 27\n")
    system.file("/etc/group", "root:x:0:\npynq:x:999:ada\n")
    State(system.kernel()).write(Loaded("/d/base.hwh", "/d/base.bit", "aa", "2026", 12, complete=True))
    return system


def said(findings: list[Finding], what: str, level: str = "") -> str:
    chosen = [one for one in findings if one.what == what and level in ("", one.level)]
    return "\n".join(f"{one.level}: {one.why} {one.how}" for one in chosen)


def snapshot(system: FakeSystem) -> dict[str, bytes]:
    paths = [path for path in system.root.rglob("*") if path.is_file() and path.name != "mem"]
    return {str(path): path.read_bytes() for path in paths}


def test_a_whole_board_lacks_nothing_and_stays_as_it_is(tmp_path: Path) -> None:
    system = whole(tmp_path)
    before, files = snapshot(system), leaks.descriptors()
    findings = examine(system.kernel())
    assert [one for one in findings if one.level in ("missing", "warning")] == []
    assert "a fake board: zynq" in said(findings, "board")
    assert "fpga0 (Xilinx Zynq FPGA Manager), state 'unknown'" in said(findings, "FPGA manager", "ok")
    assert "1 device, 1 with an interrupt: uio0 (polynomial)" in said(findings, "UIO", "ok")
    assert "but no memory" in said(findings, "/dev/mem", "ok")
    assert "udmabuf0: 1 MiB" in said(findings, "buffers", "ok")
    assert "zynq_gpio is /dev/gpiochip0" in said(findings, "EMIO GPIO", "ok")
    assert "0: 100 MHz" in said(findings, "PL clocks", "ok")
    assert "/d/base.bit, loaded by process 12" in said(findings, "running design", "ok")
    assert snapshot(system) == before
    assert leaks.opened(files) == []


@pytest.mark.parametrize("family", ["zynq", "zynqmp", "versal", "virtual"])
@pytest.mark.parametrize("manager", ["vendor", "mainline", ""])
@pytest.mark.parametrize("configfs", [True, False])
def test_what_can_load_bitstreams(tmp_path: Path, family: str, manager: str, configfs: bool) -> None:
    system = whole(tmp_path, family, manager=manager, configfs=configfs)
    findings = examine(system.kernel())
    able = manager == "vendor" or (manager == "mainline" and configfs)
    assert bool(said(findings, "FPGA manager", "missing")) is not able
    if not able:
        assert "download=False" in said(findings, "FPGA manager", "missing")
    if not configfs:
        assert "mount -t configfs" in said(findings, "device-tree overlays", "hint")


def test_a_bare_board(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path, manager="", configfs=False)
    system.path("/dev/mem").unlink()
    findings = examine(system.kernel())
    missing = {one.what for one in findings if one.level == "missing"}
    assert missing == {"FPGA manager", "/dev/mem", "buffers"}
    assert all(one.how or one.what == "buffers" for one in findings if one.level == "missing")
    assert "no interrupts" in said(findings, "UIO", "warning")
    assert "modprobe configs" in said(findings, "kernel's configuration")
    assert "needs the driver gpio-zynq" in said(findings, "EMIO GPIO")


def test_no_board(tmp_path: Path) -> None:
    (finding,) = examine(Kernel(tmp_path))
    assert (finding.level, finding.what) == ("hint", "board")
    assert "simulated board" in finding.why


def test_uio_driver_that_was_not_told(tmp_path: Path) -> None:
    system = whole(tmp_path)
    for line, expected in (
        ("quiet", "was not told"),
        ("uio_pdrv_genirq.of_id=acme,uio", "told to take 'acme,uio'"),
        ("quiet uio_pdrv_genirq.of_id=generic-uio", ""),
        ('uio_pdrv_genirq.of_id="generic-uio" clk_ignore_unused', ""),  # PYNQ's images
    ):
        system.file("/proc/cmdline", line)
        hint = said(examine(system.kernel()), "UIO", "hint")
        assert (expected in hint) if expected else hint == ""
    system.file("/proc/cmdline", "")
    system.file("/etc/modprobe.d/uio.conf", "options uio_pdrv_genirq of_id=generic-uio\n")
    assert said(examine(system.kernel()), "UIO", "hint") == ""


class Denied(FaultyKernel):
    """What no user but root may open."""

    def writable(self, name: str) -> bool:
        return False


def test_rights(tmp_path: Path) -> None:
    system = whole(tmp_path)
    told = said(examine(Denied(system)), "rights")
    for path in ("/dev/uio0", "/dev/udmabuf0", "/sys/class/fpga_manager/fpga0/firmware", "/run/pynq"):
        assert f"this user may not use {path}" in told
    assert "missing: loading bitstreams" in told
    assert "warning: EMIO GPIO" in told
    assert "`sudo pynq setup`" in told
    for folder in ("etc/udev/rules.d", "etc/tmpfiles.d"):
        (tmp_path / folder).mkdir(parents=True)
    udev.install(system.kernel())
    assert "usermod -aG pynq $USER" in said(examine(Denied(system)), "rights")
    system.file("/proc/self/status", "Groups:\t27 999\n")
    assert "do not help" in said(examine(Denied(system)), "rights")


def test_processes_that_live_that_died_and_that_load(tmp_path: Path) -> None:
    system = whole(tmp_path)
    kernel = system.kernel()
    system.file("/run/pynq/users/99999.0", b"")
    lives, loads = State(kernel), State(kernel)
    lives.join()
    with loads.locked():
        told = said(examine(system.kernel()), "running design")
    assert f"used by process {os.getpid()}" in told
    assert f"process {os.getpid()} is programming the board just now" in told
    assert "process 99999 ended without giving it back" in told
    assert system.path("/run/pynq/users/99999.0").exists()  # nothing is changed
    assert lives.processes() == [(os.getpid(), True), (99999, False)] or lives.processes()[0][0] == 99999
    lives.leave()
    system.file("/run/pynq/board.json", "{")
    assert "none that this package has loaded" in said(examine(system.kernel()), "running design")
    State(kernel).write(Loaded("/d/base.hwh", pid=7))
    assert "never came to its end" in said(examine(system.kernel()), "running design")


def test_dfxmgr(tmp_path: Path) -> None:
    system = whole(tmp_path, "zynqmp")
    system.file("/run/dfx-mgrd.socket", b"")
    assert "xmutil unloadapp" in said(examine(system.kernel()), "dfx-mgr", "warning")
    system.file(
        "/usr/bin/dfx-mgr-client",
        "#!/bin/sh\necho 'Accelerator Base Type #slots Active_slot'\necho 'k26-starter k26 XRT 0 0,'\n",
    )
    system.path("/usr/bin/dfx-mgr-client").chmod(0o755)
    assert "it has k26-starter loaded" in said(examine(system.kernel()), "dfx-mgr", "ok")
    system.file("/proc/net/unix", "Num RefCount Protocol Flags Type St Inode Path\n")
    assert said(examine(system.kernel()), "dfx-mgr") == ""  # stopped: the socket has stayed
    system.path("/run/dfx-mgrd.socket").unlink()
    system.file("/tmp/dfx-mgrd.socket", b"")  # as older versions have it
    system.file("/proc/net/unix", "0: 00000002 00000000 00010000 0005 01 4711 /tmp/dfx-mgrd.socket\n")
    assert "it has k26-starter loaded" in said(examine(system.kernel()), "dfx-mgr", "ok")


def test_configuration_that_makes_no_sense(tmp_path: Path) -> None:
    system = whole(tmp_path)
    for data in (b"", b"no gzip", gzip.compress(CONFIG.encode())[:30]):
        system.file("/proc/config.gz", data)
        assert said(examine(system.kernel()), "kernel's configuration")
    system.file("/boot/config-6.1.0-xilinx", CONFIG + "CONFIG_IO_STRICT_DEVMEM=y\n")
    assert "iomem=relaxed" in said(examine(system.kernel()), "/dev/mem", "hint")


@pytest.mark.parametrize(("family", "manager"), [("zynq", "vendor"), ("zynqmp", "mainline")])
def test_every_call_fails_in_turn(tmp_path: Path, family: str, manager: str) -> None:
    system = whole(tmp_path, family, manager=manager)
    kernel = system.kernel()
    examine(kernel)
    assert len(kernel.calls) > 100
    before, files = snapshot(system), leaks.descriptors()
    for at, call in enumerate(kernel.calls, 1):
        failing = OneFails(system)
        failing.at, failing.refusal = at, NUMBERS[at % len(NUMBERS)]
        findings = examine(failing)
        assert findings, call
        assert {one.level for one in findings} <= {"ok", "hint", "warning", "missing"}
    assert snapshot(system) == before
    assert leaks.opened(files) == []
    every = FaultyKernel(system, {("*", "*"): errno.EACCES}, nth=0)
    assert [one.level for one in examine(every)] == ["warning"]


def test_every_file_missing_empty_or_nonsense(tmp_path: Path) -> None:
    system = whole(tmp_path)
    files = [path for path in sorted(system.root.rglob("*")) if path.is_file() and path.name != "mem"]
    assert len(files) > 50
    for file in files:
        good = file.read_bytes()
        for bad in (None, b"", b"\xff\xfe\x00 nonsense", b"\0" * 3):
            if bad is None:
                file.unlink()
            else:
                file.write_bytes(bad)
            assert examine(system.kernel()), file
        file.write_bytes(good)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that any user reaches; pytest's own are for their owner."""
    with tempfile.TemporaryDirectory(prefix="pynq-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_that_may_not_be_searched(open_path: Path) -> None:
    """As a user, whom file modes bind; Path.exists() would raise."""
    system = whole(open_path)
    program = (
        "import os, sys\n"
        "from pynq.backends.linux.doctor import examine\n"
        "from pynq.backends.kernel import Kernel\n"
        "kernel = Kernel(sys.argv[1])\n"
        "os.getuid() or os.setuid(65534)\n"
        "assert kernel.exists('/run/pynq/lock') is False\n"
        "assert kernel.folders('/run') == ['pynq']\n"
        "print(*(finding.level for finding in examine(kernel)))\n"
    )
    folder = system.path("/run/pynq")
    folder.chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, str(open_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert "missing" in done.stdout


def test_the_command_on_a_board(tmp_path: Path) -> None:
    found = command.collect(whole(tmp_path).kernel())
    assert found["groups"][0]["title"] == "Board"
    assert not command.failed(found)
    bare = command.collect(FakeSystem(tmp_path / "bare", manager="").kernel())
    assert command.failed(bare)
    system = FakeSystem(tmp_path / "card")
    for name in ("xdma0_user", "xdma0_h2c_0", "xdma0_events_0"):
        system.file(f"/dev/{name}", b"")
    groups = {group["title"]: group["findings"] for group in command.collect(system.kernel())["groups"]}
    assert "3 device files" in groups["PCIe cards"][0]["why"]
    groups = {group["title"]: group["findings"] for group in command.collect(Denied(system))["groups"]}
    assert 'SUBSYSTEM=="xdma"' in groups["PCIe cards"][0]["how"]


@pytest.mark.parametrize(
    ("name", "expected"), [("/dev/mem", "only root may"), ("/dev/uio0", "`pynq setup` grants it")]
)
def test_advice_is_what_helps(tmp_path: Path, name: str, expected: str) -> None:
    kernel = whole(tmp_path).kernel({("open", name): errno.EACCES})
    with pytest.raises(KernelAccessError, match=expected) as caught:
        kernel.open(name)
    assert ("pynq setup" in str(caught.value)) is (name != "/dev/mem")
