"""The board as programs see it: load, attach, share, fail, and leave nothing behind."""

from __future__ import annotations

import errno
import gc
import json
import os
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bits import SYNC, TURNED, bitfile, overlay_blob
from fakesystem import OVERLAYS, TREE, FakeSystem
from tests import leaks

from pynq import Overlay
from pynq.backends.linux import LinuxBackend, LinuxDevice
from pynq.design import read
from pynq.errors import (
    AccessError,
    BoardBusyError,
    DesignNotFoundError,
    DeviceNotFoundError,
    KernelAccessError,
    OverlayNotLoadedError,
    ProgrammingError,
    PynqWarning,
)

ROOT = Path(__file__).resolve().parents[2]
HWH = ROOT / "examples/polynomial/polynomial.hwh"
DMA, INTC, POLYNOMIAL = 0x4040_0000, 0x4180_0000, 0x43C0_0000
IDLE = 0x2


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    """A Zynq-7000 under AMD's kernel whose DMA engine answers its resets."""
    system = FakeSystem(tmp_path / "root")
    for name, address, gic in (("dma", DMA, None), ("intc", INTC, 61), ("poly", POLYNOMIAL, None)):
        system.add_uio(name, address, 0x10000, gic)
    return system


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "polynomial.hwh").write_bytes(HWH.read_bytes())
    (folder / "polynomial.bit").write_bytes(bitfile())
    (folder / "other.hwh").write_bytes(HWH.read_bytes())
    (folder / "other.bit").write_bytes(bitfile(SYNC + b"more"))
    return folder / "polynomial.bit"


@pytest.fixture
def board(system: FakeSystem) -> Iterator[LinuxDevice]:
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        yield device


def fds(system: FakeSystem) -> Counter[str]:
    """Return what is open, garbage apart and without what the fake system itself has."""
    gc.collect()
    return leaks.descriptors() - system.descriptors()


def left(system: FakeSystem) -> list[str]:
    """Return what a load has left behind that it should not have."""
    firmware = [str(path) for path in system.path("/lib/firmware").rglob("*") if path.is_file()]
    return firmware + [name for name in os.listdir(system.path(OVERLAYS)) if name.startswith("pynq-image")]


# -- loading -------------------------------------------------------------------------------------------------
def test_load(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    overlay = Overlay(files, device=board)
    assert system.manager.images == [(TURNED, 0)]
    assert system.manager.state == "operating"
    assert board.design is not None
    assert board.design.file == str(files.with_suffix(".hwh"))
    overlay.polynomial_0.write(0x10, 0x1234)
    assert system.peek(POLYNOMIAL + 0x10) == 0x1234
    assert left(system) == []
    record = json.loads(system.path("/run/pynq/board.json").read_text())
    assert record["bitstream"] == str(files)
    assert record["pid"] == os.getpid()
    assert record["complete"]
    assert record["timestamp"] == overlay.timestamp == board.timestamp


@pytest.mark.parametrize("bus", ["/amba_pl", "/axi", "/fpga-full", "/"])
def test_mainline_kernel_loads_through_a_region(tmp_path: Path, files: Path, bus: str) -> None:
    """A region takes one overlay that programs it, and none beside that."""
    system = FakeSystem(tmp_path / "root", manager="mainline")
    if bus != "/amba_pl":
        shutil.rmtree(system.path(f"{TREE}/amba_pl"))
    if bus == "/axi":
        system.node(bus, compatible=["simple-bus"], ranges=b"", **system.sizes())
    elif bus == "/":
        system.path(f"{TREE}/fpga-full/ranges").unlink()
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        design = read(files.with_suffix(".hwh"))
        for _ in range(2):
            device.download(design, files)
            above = {uio.node.rpartition("/")[0] for uio in device.registers.uios()}
            assert above == {f"{TREE}{bus}".rstrip("/")}
            assert len(device.registers.uios()) == 3
        own = files.with_suffix(".dtbo")
        own.write_bytes(overlay_blob("/fpga-full", "user@43d00000", 0x43D0_0000))
        device.download(design, files, dtbo=own)
        assert [uio.name for uio in device.registers.uios()] == ["user"]
    assert system.manager.images == [(TURNED, 0)] * 3
    assert os.listdir(system.path(OVERLAYS)) == [f"pynq-{own.stem}"]
    assert not any(system.path("/lib/firmware").iterdir())


@pytest.mark.parametrize("needs", ["fpga-bridges", "power-domains"])
def test_a_region_with_bridges_keeps_its_overlay(tmp_path: Path, files: Path, needs: str) -> None:
    """They close, and the PL's power goes off, when the overlay that opened them is taken out."""
    system = FakeSystem(tmp_path / "root", manager="mainline")
    system.node("/fpga-full", **{needs: 7})
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        design = read(files.with_suffix(".hwh"))
        for _ in range(2):
            device.download(design, files)
            assert sorted(os.listdir(system.path(OVERLAYS))) == ["pynq-image", "pynq-uio"]
    assert system.manager.images == [(TURNED, 0)] * 2


def test_no_way_to_load(tmp_path: Path, files: Path) -> None:
    design = read(files.with_suffix(".hwh"))
    for system, message in (
        (FakeSystem(tmp_path / "a", manager=""), "this kernel has no FPGA manager"),
        (FakeSystem(tmp_path / "b", manager="mainline", configfs=False), "has no `firmware`"),
    ):
        with LinuxDevice(kernel=system.kernel()) as device:
            device.open()
            with pytest.raises(ProgrammingError, match=message) as caught:
                device.download(design, files)
            assert caught.value.untouched
            assert device.design is None


def test_uio_nodes_are_made_where_they_are_missing(tmp_path: Path, files: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        device.download(read(files.with_suffix(".hwh")), files)
        names = {uio.node.rpartition("/")[2] for uio in device.registers.uios()}
        assert names == {"axi_dma_0@40400000", "axi_intc_0@41800000", "polynomial_0@43c00000"}
        assert [uio.interrupts for uio in device.registers.uios() if uio.interrupts] == [(61,)]
        assert device.interrupt_line(61) is device.interrupt_line(61)
        record = json.loads(system.path("/run/pynq/board.json").read_text())
        assert record["overlays"] == ["pynq-uio"]
        device.download(read(files.with_suffix(".hwh")), files)  # removed and inserted again
        assert os.listdir(system.path(OVERLAYS)) == ["pynq-uio"]
        assert len(device.registers.uios()) == 3


def test_no_uio_driver(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeSystem(tmp_path / "root")
    system.uio_driver = False
    monkeypatch.setattr("pynq.backends.linux.device._NODES_SECONDS", 0.05)
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        with pytest.warns(PynqWarning, match="of_id=generic-uio"):
            device.download(read(files.with_suffix(".hwh")), files)
        device.map(POLYNOMIAL, 0x100).write(0, 5)  # /dev/mem
        assert system.peek(POLYNOMIAL) == 5


def test_user_overlay(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    files.with_suffix(".dtbo").write_bytes(overlay_blob("/amba_pl", "user@43d00000", 0x43D0_0000))
    overlay = Overlay(files, device=board)
    assert os.listdir(system.path(OVERLAYS)) == ["pynq-polynomial"]
    assert any(uio.node.endswith("user@43d00000") for uio in board.registers.uios())
    overlay.free()
    assert os.listdir(system.path(OVERLAYS)) == []
    overlay.insert_dtbo()
    assert os.listdir(system.path(OVERLAYS)) == ["pynq-polynomial"]


def test_bad_overlay(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    files.with_suffix(".dtbo").write_bytes(b"nonsense")
    with pytest.raises(ProgrammingError, match="is no device-tree overlay"):
        Overlay(files, device=board)
    assert system.manager.images == []
    files.with_suffix(".dtbo").write_bytes(overlay_blob("/nowhere", "user@43d00000", 0x43D0_0000))
    with pytest.raises(ProgrammingError, match="polynomial was not inserted, nothing of it is left"):
        Overlay(files, device=board)
    assert os.listdir(system.path(OVERLAYS)) == []


@pytest.mark.parametrize(
    ("suffix", "contents", "message"),
    [
        (".bit", bitfile(part="7z010clg400"), "is for part 7z010clg400"),
        (".bit", bitfile(design="top;PARTIAL=TRUE"), r"is partial: load it into its region"),
        (".bit", bitfile(design="top;ENCRYPT=YES"), 'set device.encryption to "device" or the key'),
        (".bit", b"", "ends after 0"),
        (".pdi", SYNC, "a .pdi is for Versal"),
    ],
)
def test_wrong_files_touch_nothing(
    system: FakeSystem, files: Path, board: LinuxDevice, suffix: str, contents: bytes, message: str
) -> None:
    Overlay(files, device=board)
    held = board.design
    wrong = files.with_name("other").with_suffix(suffix)
    wrong.with_suffix(".bit").unlink()
    wrong.write_bytes(contents)
    with pytest.raises((ProgrammingError, ValueError), match=message):
        Overlay(wrong, device=board)
    assert len(system.manager.images) == 1
    assert board.design is held


def test_needs_bitstream(files: Path, board: LinuxDevice) -> None:
    files.unlink()
    with pytest.raises(DesignNotFoundError, match="needs a bitstream"):
        Overlay(files.with_suffix(".hwh"), device=board)


def test_board_that_needs_none(tmp_path: Path, files: Path) -> None:
    system = FakeSystem(tmp_path / "root", "virtual", ranges=[(0x40000000, 0x80_0000_0000, 0x8000000)])
    system.node("/", **{"pynq,no-bitstream-needed": b""})
    files.unlink()
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        overlay = Overlay(files.with_suffix(".hwh"), device=device)
        overlay.polynomial_0.write(0, 7)
        assert system.peek(0x80_0000_0000 + POLYNOMIAL - 0x40000000) == 7
        with pytest.raises(AccessError, match=r"nothing is at PL address 0xa0000000.*0x40000000..0x47ffffff"):
            device.map(0xA000_0000, 4)


@pytest.mark.parametrize(
    ("value", "flags", "key"), [("device", 4, ""), ("ab" * 32, 0x20, "ab" * 32), ("ab", None, "")]
)
def test_encrypted(
    system: FakeSystem, files: Path, board: LinuxDevice, value: str, flags: int | None, key: str
) -> None:
    files.write_bytes(bitfile(design="top;ENCRYPT=YES"))
    board.encryption = value
    if flags is None:
        with pytest.raises(ProgrammingError, match="a key of 64 hexadecimal digits, not one of 2"):
            Overlay(files, device=board)
        return
    Overlay(files, device=board)
    assert system.manager.images == [(TURNED, flags)]
    assert system.path("/sys/class/fpga_manager/fpga0/flags").read_text() == "0"
    assert system.path("/sys/class/fpga_manager/fpga0/key").read_text() == key


# -- failures of the manager ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "number", "message", "kept"),
    [
        ("request", errno.ENOENT, "'firmware request error'.*the PL holds what it held before", True),
        ("init", errno.ETIMEDOUT, "'write init error'.*did not answer its reset", False),
        ("write", errno.EIO, "'write error'.*ETIMEDOUT|'write error'.*damaged, or for another part", False),
        ("complete", errno.ETIMEDOUT, "'write complete error'.*DONE stays low", False),
    ],
)
def test_states(
    system: FakeSystem, files: Path, board: LinuxDevice, step: str, number: int, message: str, kept: bool
) -> None:
    first = Overlay(files, device=board)
    first.polynomial_0.read(0)  # its registers stay mapped as long as the device knows the overlay
    before = fds(system)
    system.manager.fails[step] = number
    system.file("/dev/kmsg", "")
    with pytest.raises(ProgrammingError, match=message) as caught:
        Overlay(files.with_name("other.bit"), device=board)
    assert caught.value.untouched is kept
    assert left(system) == []
    assert (board.design is not None) is kept
    record = json.loads(system.path("/run/pynq/board.json").read_text())
    assert record["complete"] is kept
    if not kept:
        with pytest.raises(OverlayNotLoadedError):
            first.polynomial_0.read(0)
    system.manager.fails.clear()
    second = Overlay(files.with_name("other.bit"), device=board)
    second.polynomial_0.read(0)
    del first, second, caught
    board.close()
    assert fds(system) - before == Counter()


def test_the_kernels_log_is_quoted(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    system.file("/dev/kmsg", "6,1,1,-;older\n")

    def log(_: str) -> None:
        with open(system.path("/dev/kmsg"), "a") as file:
            file.write("3,812,5,-;fpga_manager fpga0: Timeout waiting for PCFG_INIT\n SUBSYSTEM=x\n")

    system.on("write", "*/firmware", log, when="before")
    system.manager.fails["init"] = errno.ETIMEDOUT
    with pytest.raises(ProgrammingError, match=r"log: fpga_manager fpga0: Timeout waiting for PCFG_INIT$"):
        Overlay(files, device=board)


FAULTS = [
    ("store", "/lib/firmware/*", errno.EACCES, "`pynq setup` makes /lib/firmware/pynq"),
    ("store", "/lib/firmware/*", errno.ENOSPC, "No space left"),
    ("open", "*/firmware", errno.EACCES, "pynq doctor"),
    ("write", "*/firmware", errno.EIO, "the load did not begin"),
    ("write", "*/flags", errno.EINVAL, "the load did not begin"),
    ("read", "*/fpga0/state", errno.EIO, "EIO"),
    ("list", "/sys/class/fpga_manager", errno.EACCES, "EACCES"),
    ("open", "/run/pynq/lock", errno.EACCES, "group pynq"),
    ("mkdir", "/run/pynq", errno.EACCES, "group pynq"),
    ("store", "/run/pynq/board.json", errno.ENOSPC, "ENOSPC"),
    ("flock", "/run/pynq/lock", errno.EINTR, ""),
]


@pytest.mark.parametrize(("operation", "name", "number", "message"), FAULTS)
def test_faults(
    system: FakeSystem, files: Path, operation: str, name: str, number: int, message: str
) -> None:
    kernel = system.kernel({(operation, name): number})
    design = read(files.with_suffix(".hwh"))
    with LinuxDevice(kernel=kernel) as device:
        device.open()
        before = fds(system)
        if message:
            with pytest.raises((ProgrammingError, OSError), match=message):
                device.download(design, files)
            assert fds(system) - before == Counter()
            assert left(system) == []
            assert device.design is None
        device.download(design, files)
        assert device.design is design


# -- several processes ---------------------------------------------------------------------------------------
CHILD = """
    import sys, time
    sys.path.insert(0, {tests!r})
    from fakesystem import FakeSystem
    from pynq import Overlay
    from pynq.backends.linux import Kernel, LinuxDevice
    device = LinuxDevice(kernel=Kernel({root!r}))
    device.open()
    {body}
"""


def child(system: FakeSystem, body: str) -> subprocess.Popen[str]:
    """Run a program on the same board in another process, with a kernel that reacts to nothing."""
    text = textwrap.dedent(CHILD).format(
        tests=str(Path(__file__).parent), root=str(system.root), body=body.strip()
    )
    return subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def attached(system: FakeSystem, files: Path) -> subprocess.Popen[str]:
    process = child(
        system,
        f"overlay = Overlay({str(files)!r}, download=False, device=device)\n"
        "print(overlay.is_loaded(), overlay.polynomial_0 is not None, flush=True)\n"
        "sys.stdin.readline()\ndevice.close()",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True True\n"
    return process


def stop(process: subprocess.Popen[str], kill: bool = False) -> None:
    if kill:
        process.kill()
    process.communicate("\n")


def test_a_second_process_attaches(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    Overlay(files, device=board)
    process = attached(system, files)
    try:
        with pytest.raises(
            BoardBusyError, match=rf"process {process.pid} uses.*polynomial.*Overlay\(..., download=False\)"
        ):
            Overlay(files, device=board)
        with pytest.raises(BoardBusyError, match=rf"process {process.pid} uses polynomial.bit: end it"):
            Overlay(files.with_name("other.bit"), device=board)
        assert board.design is not None
    finally:
        stop(process)
    Overlay(files.with_name("other.bit"), device=board)
    assert len(system.manager.images) == 2


def test_design_of_another_process(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    Overlay(files, device=board)
    with LinuxDevice(kernel=system.kernel()) as second:
        second.open()
        assert second.design is not None
        assert second.design.file == str(files.with_suffix(".hwh"))
        assert second.bitfile_name == str(files)
        same = Overlay(files, download=False, device=second)
        assert same.is_loaded()
        other = Overlay(files.with_name("other.bit"), download=False, device=second)
        assert not other.is_loaded()
        with pytest.raises(OverlayNotLoadedError, match=r"polynomial\.bit is in device"):
            other.polynomial_0.read(0)


def test_nobody_knows_what_is_loaded(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    assert board.design is None
    overlay = Overlay(files, download=False, device=board)
    assert overlay.is_loaded()
    assert system.manager.images == []
    system.path("/run/pynq").joinpath("board.json").write_text("{ half a fi")
    with LinuxDevice(kernel=system.kernel()) as second:
        second.open()
        assert second.design is None


def test_a_killed_process_leaves_no_engine_running(system: FakeSystem, files: Path) -> None:
    with LinuxDevice(kernel=system.kernel()) as first:
        first.open()
        first.download(read(files.with_suffix(".hwh")), files)
    process = attached(system, files)
    stop(process, kill=True)
    system.poke(DMA, 0x1_0003)
    system.poke(INTC + 0x1C, 3)
    kernel = system.kernel()
    with LinuxDevice(kernel=kernel) as device, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        device.open()
        overlay = Overlay(files, download=False, device=device)
        assert overlay.is_loaded()
        # the fake engine does not clear its reset bit, which is told
        assert system.peek(DMA) == 4
        assert any("axi_dma_0 running" in str(note.message) for note in caught)
        assert system.peek(INTC + 0x1C) == 0
        assert [int(name.partition(".")[0]) for name in os.listdir(system.path("/run/pynq/users"))] == [
            os.getpid()
        ]
    assert os.listdir(system.path("/run/pynq/users")) == []


def test_two_do_not_program_at_once(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    process = child(
        system,
        "with device.state.locked():\n    print('locked', flush=True)\n    sys.stdin.readline()",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    try:
        with (
            pytest.raises(BoardBusyError, match=f"process {process.pid} has been programming"),
            board.state.locked(0.05),
        ):
            pass
    finally:
        stop(process)
    with board.state.locked(0.05):
        pass


# -- dfx-mgr -------------------------------------------------------------------------------------------------
TOOL = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
-listPackage)
    echo "                 Accelerator   Accel_type   Base   Base_type  #slots(PL+AIE)  Active_slot"
    if [ -e {state} ]; then
        echo "            k26-starter-kits            XRT_FLAT  k26-starter-kits  XRT_FLAT  (0+0)  0,"
    fi
    echo "            other            XRT_FLAT  other  XRT_FLAT  (0+0)  -1";;
-remove) rm -f {state};;
esac
"""


def test_dfx_mgr_lets_go(tmp_path: Path, system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    state.touch()
    system.file("/run/dfx-mgrd.socket", "")
    system.file("/usr/bin/dfx-mgr-client", TOOL.format(log=log, state=state))
    system.path("/usr/bin/dfx-mgr-client").chmod(0o755)
    Overlay(files, device=board)
    assert log.read_text().splitlines() == ["-listPackage", "-remove 0", "-listPackage"]
    assert len(system.manager.images) == 1


def test_dfx_mgr_without_its_tool(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    system.file("/run/dfx-mgrd.socket", "")
    with pytest.raises(ProgrammingError, match=r"dfx-mgr-client is not installed.*xmutil unloadapp"):
        Overlay(files, device=board)
    assert system.manager.images == []


# -- the rest ------------------------------------------------------------------------------------------------
def test_probe(tmp_path: Path, system: FakeSystem) -> None:
    assert LinuxBackend(system.kernel()).probe() == ["board:"]
    device = LinuxBackend(system.kernel()).open("board:")
    assert device.name == "board:"
    with pytest.raises(DeviceNotFoundError, match="there is one board"):
        LinuxBackend(system.kernel()).open("board:2")
    laptop = FakeSystem(tmp_path / "laptop", compatible=())
    laptop.node("/", compatible=["acme,laptop"])
    assert LinuxBackend(laptop.kernel()).probe() == []
    with pytest.raises(DeviceNotFoundError, match="names no xlnx,zynq-7000"):
        LinuxBackend(laptop.kernel()).open("board:")


def test_windows_end_with_the_design(system: FakeSystem, files: Path, board: LinuxDevice) -> None:
    design = read(files.with_suffix(".hwh"))
    board.download(design, files)
    window = board.map(POLYNOMIAL, 0x100)
    board.download(design, files)
    with pytest.raises(OverlayNotLoadedError, match="make this object anew"):
        window.read(0)
    window = board.map(POLYNOMIAL, 0x100)
    board.close()
    with pytest.raises(OverlayNotLoadedError, match="the board was closed"):
        window.read(0)


def test_closed(files: Path, board: LinuxDevice) -> None:
    board.close()
    board.close()
    with pytest.raises(OverlayNotLoadedError, match="closed"):
        board.download(read(files.with_suffix(".hwh")), files)


def test_registers_need_rights(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    for number, message in ((errno.EACCES, "uio"), (errno.EPERM, "STRICT_DEVMEM")):
        with LinuxDevice(kernel=system.kernel({("open", "/dev/mem"): number})) as device:
            device.open()
            with pytest.raises(KernelAccessError, match=message):
                device.map(POLYNOMIAL, 4)
            device.map(POLYNOMIAL, 4)


def test_a_user_of_the_group(system: FakeSystem, files: Path) -> None:
    """Without root: no /dev/mem, no overlays; what UIO devices have is there."""
    system.path("/lib/firmware/pynq").mkdir()
    names: list[str] = []
    system.on("store", "/lib/firmware/*", names.append)
    kernel = system.kernel({("open", "/dev/mem"): errno.EACCES, ("mkdir", f"{OVERLAYS}/*"): errno.EACCES}, 0)
    with LinuxDevice(kernel=kernel) as device, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        device.open()
        overlay = Overlay(files, device=device)
        overlay.polynomial_0.write(0, 3)
        assert system.peek(POLYNOMIAL) == 3
        assert names == [f"/lib/firmware/pynq/pynq-{os.getpid()}-1.bin"]
        with pytest.raises(KernelAccessError, match=r"only root may.*With UIO nodes for the IP"):
            device.map(0x43D0_0000, 4)
    assert not [note for note in caught if "overlay" in str(note.message)]
