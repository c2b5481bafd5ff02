"""Partial reconfiguration on a board, and programs that are interrupted."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from bits import SYNC, TURNED, bitfile, overlay_blob
from fakesystem import OVERLAYS, FakeSystem
from memory import FakeUDmaBuf
from partial import regionkit
from tests import leaks

from pynq import Overlay
from pynq.backends.linux import LinuxDevice
from pynq.design import read
from pynq.errors import DesignNotFoundError, OverlayNotLoadedError, ProgrammingError

ROOT = Path(__file__).resolve().parents[2]
DMA = 0x4040_0000
PARTIAL = "part;PARTIAL=TRUE;Version=2022.1"


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path / "root", configfs=False)


@pytest.fixture
def board(system: FakeSystem) -> Iterator[LinuxDevice]:
    with LinuxDevice(kernel=system.kernel()) as device:
        device.open()
        yield device


@pytest.fixture
def overlay(tmp_path: Path, board: LinuxDevice, monkeypatch: pytest.MonkeyPatch) -> Any:
    write, partial = regionkit.write, regionkit.partial
    write(tmp_path, "full", regionkit.static(), bitfile())
    write(tmp_path, "adder", partial("adder", {"adder": regionkit.ADDER}), bitfile(design=PARTIAL))
    write(
        tmp_path,
        "multiplier",
        partial("multiplier", {"sub/mul": regionkit.MULTIPLIER}),
        bitfile(SYNC * 2, design=PARTIAL),
    )
    monkeypatch.chdir(tmp_path)
    return Overlay("full.bit", device=board)


def test_regions(system: FakeSystem, overlay: Any, board: LinuxDevice, tmp_path: Path) -> None:
    kept = board.map(regionkit.RP, 0x100)
    overlay.pr_download("pr_0", "adder.bit")
    assert system.manager.images[1:] == [(TURNED, 1)]
    assert system.path("/sys/class/fpga_manager/fpga0/flags").read_text() == "0"
    kept.read(0)  # the rest goes on
    overlay.pr_0.adder.write(0, 5)
    assert system.peek(regionkit.PR_0) == 5
    record = json.loads(system.path("/run/pynq/board.json").read_text())
    assert record["partials"] == {"pr_0": str(tmp_path / "adder.hwh")}
    with LinuxDevice(kernel=system.kernel()) as second:
        second.open()
        attached = Overlay("full.bit", download=False, device=second)
        attached.pr_0.adder.write(0, 6)
    overlay.pr_download("pr_0", "multiplier.bit")
    assert list(board.design.partials["pr_0"].cells) == ["sub/mul"] if board.design else False


SCRIPT = """
create_bd_design rp_gpio
current_bd_design rp_gpio
create_bd_intf_port -mode Slave -vlnv xilinx.com:interface:aximm_rtl:1.0 s_axi
set_property CONFIG.PROTOCOL AXI4LITE [get_bd_intf_ports s_axi]
create_bd_port -dir I -type clk aclk
create_bd_port -dir I -type rst aresetn
create_bd_port -dir O -type intr irq
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 gpio
set_property -dict [list CONFIG.C_GPIO_WIDTH {8} CONFIG.C_INTERRUPT_PRESENT {1}] [get_bd_cells gpio]
connect_bd_intf_net -intf_net s_axi_1 [get_bd_intf_ports s_axi] [get_bd_intf_pins gpio/S_AXI]
connect_bd_net -net clk [get_bd_ports aclk] [get_bd_pins gpio/s_axi_aclk]
connect_bd_net -net rst [get_bd_ports aresetn] [get_bd_pins gpio/s_axi_aresetn]
connect_bd_net -net irq_1 [get_bd_pins gpio/ip2intc_irpt] [get_bd_ports irq]
assign_bd_address -offset 0 -range 64K -target_address_space [get_bd_addr_spaces s_axi] \\
    [get_bd_addr_segs gpio/S_AXI/Reg]
"""


@pytest.mark.skipif(find_spec("_tkinter") is None, reason="this Python has no Tcl (Debian: python3-tk)")
def test_a_script_with_a_device_tree_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeSystem(tmp_path / "root")
    regionkit.write(tmp_path, "full", regionkit.static(), bitfile())
    for name, at in (("one", 0x4001_0000), ("other", 0x4001_8000)):
        (tmp_path / f"{name}.tcl").write_text(SCRIPT)
        (tmp_path / f"{name}.bit").write_bytes(bitfile(design=PARTIAL))
        (tmp_path / f"{name}_tree.dtbo").write_bytes(overlay_blob("/amba_pl", f"{name}@{at:x}", at))
    monkeypatch.chdir(tmp_path)
    with LinuxDevice(kernel=system.kernel()) as board:
        board.open()
        first = Overlay("full.bit", device=board)
        second = Overlay("full.bit", download=False, device=board)
        before = sorted(os.listdir(system.path(OVERLAYS)))
        for overlay, name, entry in ((first, "one", "one.tcl"), (second, "other", "other.bit")):
            overlay.pr_download("block/rp", entry, dtbo=f"{name}_tree.dtbo")
            assert sorted(os.listdir(system.path(OVERLAYS))) == sorted([*before, f"pynq-{name}_tree"])
            assert any(uio.node.endswith(f"{name}@{0x4001_0000 if name == 'one' else 0x4001_8000:x}")
                       for uio in board.registers.uios())  # fmt: skip
            assert overlay.pr_dict["block/rp"]["dtbo"] == f"{name}_tree.dtbo"
            assert overlay.ip_dict["block/rp/gpio"]["phys_addr"] == regionkit.RP
            overlay.block.rp.gpio.write(0, 5)
            assert system.peek(regionkit.RP) == 5
        with pytest.raises(DesignNotFoundError, match=r"no device-tree overlay 'none\.dtbo'"):
            second.pr_download("block/rp", "one.tcl", dtbo="none.dtbo")
        assert second.block.rp.pr_loaded.endswith("other.bit"), "nothing has changed"
        (tmp_path / "bad.dtbo").write_bytes(overlay_blob("/nowhere", "x@0", 0))
        with pytest.raises(ProgrammingError, match="bad was not inserted, nothing of it is left"):
            second.pr_download("block/rp", "one.tcl", dtbo="bad.dtbo")
        assert sorted(os.listdir(system.path(OVERLAYS))) == before
        assert board.design is not None
        assert board.design.partials["block/rp"].file.endswith("one.tcl"), "what is in the PL all the same"
        assert Path(first.design.partials["block/rp"].file).name == "one.tcl"
        first.download()
        assert sorted(os.listdir(system.path(OVERLAYS))) == before, "the region's went with it"


def test_a_region_that_fails_is_empty(system: FakeSystem, overlay: Any, board: LinuxDevice) -> None:
    overlay.pr_download("pr_0", "adder.bit")
    system.manager.fails["write"] = errno.EIO
    with pytest.raises(ProgrammingError, match="'write error'"):
        overlay.pr_download("pr_0", "multiplier.bit")
    assert board.design is not None
    assert not board.design.partials
    assert json.loads(system.path("/run/pynq/board.json").read_text())["partials"] == {}
    system.manager.fails.clear()
    overlay.pr_download("pr_0", "adder.bit")
    assert list(board.design.partials) == ["pr_0"]


def test_a_whole_bitstream_is_none_for_a_region(system: FakeSystem, overlay: Any, tmp_path: Path) -> None:
    (tmp_path / "adder.bit").write_bytes(bitfile())
    with pytest.raises(ProgrammingError, match=r"adder\.bit is no partial one"):
        overlay.pr_download("pr_0", "adder.bit")
    assert len(system.manager.images) == 1


def test_dma_stops_when_the_board_is_closed(system: FakeSystem, tmp_path: Path, board: LinuxDevice) -> None:
    FakeUDmaBuf(system)
    for name in ("polynomial.hwh",):
        (tmp_path / name).write_bytes((ROOT / "examples/polynomial" / name).read_bytes())
    (tmp_path / "polynomial.bit").write_bytes(bitfile())
    system.poke(DMA + 0x04, 0x0)  # running, not idle; the fake engine never halts
    system.poke(DMA + 0x34, 0x0)
    dma = Overlay(tmp_path / "polynomial.bit", device=board).axi_dma_0
    buffer = board.allocate(64, "u1")
    dma.recvchannel.transfer(buffer)
    assert system.peek(DMA + 0x58) == 64
    system.poke(DMA + 0x04, 0x1)  # it halts at once
    system.poke(DMA + 0x34, 0x1)
    board.close()
    assert system.peek(DMA + 0x00) & 1 == 0
    assert system.peek(DMA + 0x30) & 1 == 0
    with pytest.raises(OverlayNotLoadedError):
        dma.recvchannel.transfer(buffer)


@pytest.mark.parametrize(("operation", "name"), [("write", "*/firmware"), ("store", "/run/*.json")])
def test_interrupted_by_the_user(
    system: FakeSystem, tmp_path: Path, board: LinuxDevice, operation: str, name: str
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    design = read(ROOT / "examples/polynomial/polynomial.hwh")
    file = tmp_path / "polynomial.bit"
    file.write_bytes(bitfile())
    before = leaks.descriptors()
    system.on(operation, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        board.download(design, file)
    system.hooks.clear()
    assert board.design is None
    assert list(system.path("/lib/firmware").iterdir()) == []
    assert leaks.opened(before) == []
    board.download(design, file)
    assert board.design is design
