"""The board from its device tree, registers through UIO and /dev/mem, dfx-mgr's lists, the contract."""

from __future__ import annotations

import mmap
import shutil
from pathlib import Path

import pytest
from fakesystem import GIC, FakeSystem
from memory import FakeUDmaBuf

from pynq.backends.kernel import Kernel
from pynq.backends.linux import LinuxDevice
from pynq.backends.linux.board import Board
from pynq.backends.linux.dfxmgr import Package, _parse
from pynq.backends.linux.registers import Registers
from pynq.backends.linux.uio import Map, scan
from pynq.design import read
from pynq.design.model import Processor
from pynq.errors import AccessError
from pynq.testing.conformance import check_device

ROOT = Path(__file__).resolve().parents[2]
PAGE = mmap.PAGESIZE


@pytest.mark.parametrize(
    ("compatible", "family", "processor", "part"),
    [
        (("xlnx,zynq-pynqz2",), "zynq", Processor.ZYNQ, "7z020"),
        (("xlnx,zynqmp-sk-kv260-revB", "xlnx,zynqmp-sk-kv260"), "zynqmp", Processor.ZYNQMP, "k26"),
        (("xlnx,zynqmp-zcu104-revC", "xlnx,zynqmp-zcu104"), "zynqmp", Processor.ZYNQMP, "zu7ev"),
        (("xlnx,versal-vck190-revA",), "versal", Processor.VERSAL, "vc1902"),
        (("acme,own-board",), "zynq", Processor.ZYNQ, ""),
        ((), "virtual", None, ""),
    ],
)
def test_families(
    tmp_path: Path, compatible: tuple[str, ...], family: str, processor: Processor | None, part: str
) -> None:
    board = Board(FakeSystem(tmp_path / "root", family, compatible=compatible).kernel())
    assert (board.processor, board.part, board.present) == (processor, part, True)
    assert board.model == "a fake board"


def test_part_from_the_idcode(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    system.file("/sys/devices/soc0/soc_id", "0x11\n")
    assert Board(system.kernel()).part == "7z045"


def test_a_machine_without_device_tree(tmp_path: Path) -> None:
    board = Board(Kernel(tmp_path))
    assert not board.present
    assert board.model == ""
    assert board.to_cpu(0x4000_0000) == board.to_bus(0x4000_0000) == 0x4000_0000


def test_addresses_go_through_every_parent(tmp_path: Path) -> None:
    system = FakeSystem(
        tmp_path / "root",
        "zynqmp",
        ranges=[(0x4000_0000, 0x1000_0000, 0x1000_0000), (0x5000_0000, 0x7000_0000, 0x1000)],
        dma_ranges=[(0, 0x4000_0000, 0x2000_0000)],
    )
    board = Board(system.kernel())
    assert board.to_cpu(0x43C0_0000) == 0x13C0_0000
    assert board.to_cpu(0x5000_0FFF) == 0x7000_0FFF
    assert board.to_bus(0x4123_4000) == 0x0123_4000
    with pytest.raises(AccessError, match=r"0xb0000000.*has 0x40000000..0x4fffffff, 0x50000000..0x50000fff"):
        board.to_cpu(0xB000_0000)
    with pytest.raises(AccessError, match=r"can't reach memory at 0x6000.*0x40000000..0x5fffffff"):
        board.to_bus(0x6000_0000)
    with pytest.raises(AccessError, match="map it in parts"):
        Registers(system.kernel(), board).map(0x4FFF_FF00, 0x200)


@pytest.mark.parametrize("bus", ["axi", "amba"])
def test_bus_of_images_without_amba_pl(tmp_path: Path, bus: str) -> None:
    """zynq-7000.dtsi, zynqmp.dtsi and versal.dtsi have the SoC's own bus and a region beside it."""
    system = FakeSystem(tmp_path / "root")
    tree = system.path("/sys/firmware/devicetree/base")
    shutil.rmtree(tree / "amba_pl")
    system.node("/axi@0", compatible=["simple-bus"], ranges=b"", **system.sizes())  # that of a ZynqMP's GIC
    system.node(f"/{bus}", compatible=["simple-bus"], ranges=b"", **system.sizes())
    assert Board(system.kernel()).bus.name == bus
    shutil.rmtree(tree / bus)
    assert Board(system.kernel()).bus.name == "fpga-full"
    (tree / "fpga-full" / "ranges").unlink()  # as Versal's: nothing below it has an address
    assert Board(system.kernel()).bus is not None
    assert Board(system.kernel()).bus.parent is None


def test_uio_inside_of_a_page(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    path = "/amba_pl/odd@43c00100"
    system.node(path, compatible=["generic-uio"], reg=[0x43C0_0100, 0x80, 0x4500_0000, 0x2000])
    system.uio_of(path, [(0x43C0_0100, 0x80), (0x4500_0000, 0x2000)])
    kernel = system.kernel()
    board = Board(kernel)
    (uio,) = scan(kernel, board)
    assert uio.maps == (
        Map(0x43C0_0100, 0x43C0_0100, PAGE - 0x100, 0x100),
        Map(0x4500_0000, 0x4500_0000, 0x2000, 0),
    )
    registers = Registers(kernel, board)
    registers.map(0x43C0_0110, 0x10).write(4, 0xABCD)
    registers.map(0x4500_1000, 0x10).write(8, 0x1234)
    assert (system.peek(0x43C0_0114), system.peek(0x4500_1008)) == (0xABCD, 0x1234)
    assert {name for operation, name in kernel.calls if operation == "mmap"} == {"/dev/uio0"}


def test_mappings_are_shared_and_go_with_their_windows(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    system.add_uio("ip", 0x43C0_0000)
    kernel = system.kernel()
    registers = Registers(kernel, Board(kernel))
    windows = [registers.map(0x43C0_0000 + 16 * i, 16) for i in range(100)]
    assert [name for operation, name in kernel.calls if operation == "mmap"] == ["/dev/uio0"]
    del windows
    registers.map(0x43C0_0000, 16)
    assert len([name for operation, name in kernel.calls if operation == "mmap"]) == 2


def test_interrupts_of_nodes(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    intc = {"compatible": ["xlnx,xps-intc-1.00.a"], "interrupt-controller": b"", "#interrupt-cells": 2}
    system.node("/amba_pl/intc@41800000", phandle=9, **intc)
    for name, properties, numbers in (
        ("spi", {"interrupts": [0, 29, 4, 0, 30, 1]}, (61, 62)),
        ("ppi", {"interrupts": [1, 11, 4]}, (27,)),
        ("behind", {"interrupts": [3, 2], "interrupt-parent": 9}, ()),
        ("extended", {"interrupts-extended": [9, 3, 2, GIC, 0, 31, 4]}, (63,)),
    ):
        system.node(f"/amba_pl/{name}", compatible=["generic-uio"], **properties)
        system.uio_of(f"/amba_pl/{name}", [])
        (uio,) = [uio for uio in scan(system.kernel(), Board(system.kernel())) if uio.name == name]
        assert uio.interrupts == numbers


def test_lists_of_dfx_mgr() -> None:
    old = """
      Accelerator   Accel_type     Base  Base_type  #slots(PL+AIE)  Active_slot

            AES192  XRT_PL_DFX  k26_2rp     PL_DFX           (2+0)          0,1,
  k26-starter-kits    XRT_FLAT  k26-sk    XRT_FLAT           (0+0)           -1
"""
    assert _parse(old) == [Package("AES192", ("-remove", "0")), Package("AES192", ("-remove", "1"))]
    new = """ID accelType   Base        slotLoc Accelerator
-- ----------- ----------- ------- -----------
 1 XRT_FLAT    bram        0       bram-gpio
 2 XRT_PL_DFX  static      -1      rp1rm0
"""
    assert _parse(new) == [Package("bram-gpio", ("-unload", "1"))]
    assert _parse("nothing of the kind\n") == []


def test_contract(tmp_path: Path) -> None:
    systems = []

    def make() -> LinuxDevice:
        system = FakeSystem(tmp_path / f"root{len(systems)}")
        systems.append(system)
        system.node("/", **{"pynq,no-bitstream-needed": b""})
        FakeUDmaBuf(system, size=4 << 20)
        system.poke(0xF800_0108, 30 << 12)  # UG585: IO_PLL_CTRL, and FPGA0_CLK_CTRL: 100 MHz
        system.poke(0xF800_0170, 2 << 20 | 5 << 8)
        return LinuxDevice(kernel=system.kernel())

    checks = check_device(make, read(ROOT / "examples/polynomial/polynomial.hwh"), scratch=0x43C0_0010)
    refused = {check.rule for check in checks if check.outcome == "refused"}
    assert refused <= {"EMIO GPIO"}
