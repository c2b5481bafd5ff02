"""What a card's backend reads from the description of a design with an XDMA block."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pynq.backends.kernel import Kernel
from pynq.backends.pcie.layout import OPTIONS, Layout, Memory, layout_of
from pynq.backends.pcie.xdma import XdmaBackend, XdmaDevice
from pynq.design.hwh import read_bytes
from pynq.design.model import Design
from pynq.device.options import converted
from pynq.errors import DeviceNotFoundError, OverlayNotLoadedError

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools.blockdesign import Block, BlockDesign, Cell, axi, vector  # noqa: E402

SYSTEM = {"ARCH": "kintexu", "BOARD": "", "DEVICE": "xcku040", "PACKAGE": "ffva1156", "SPEEDGRADE": "-2"}


def card() -> Design:
    """Return an XDMA with DDR4 behind M_AXI and two blocks behind M_AXI_LITE, one of which interrupts."""
    design = BlockDesign("card", SYSTEM, vivado="2023.2", timestamp="Sun Jan 7 10:00:00 2024")
    rates = {"frequency": 250_000_000, "domain": "axi_aclk"}
    lite, lite_bus = axi(
        "M_AXI_LITE", "MASTER", prefix="m_axil_", protocol="AXI4LITE", data=32, addr=32, **rates
    )
    full, full_bus = axi("M_AXI", "MASTER", prefix="m_axi_", protocol="AXI4", data=128, addr=64, **rates)
    parameters = {"PCIEBAR2AXIBAR_AXIL_MASTER": "0x44A00000", "XDMA_NUM_USR_IRQ": "2"}
    pins = [*lite, *full, vector("usr_irq_req", "I", 2)]
    xdma = design.add(Cell("xdma_0", "xilinx.com:ip:xdma:4.1", {}, pins, [lite_bus, full_bus], parameters))
    for name, base in (("timer_0", 0x44A0_0000), ("core_0", 0x44A1_0000)):
        port, bus = axi("S_AXI", "SLAVE", prefix="s_axi_", protocol="AXI4LITE", data=32, addr=8, **rates)
        irq = vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH")
        cell = design.add(Cell(name, "acme:user:core:1.0", {}, [*port, irq], [bus], {}, [Block("S_AXI")]))
        design.map(xdma, "M_AXI_LITE", cell, "S_AXI", base, 0x1_0000)
    port, bus = axi("C0_DDR4_S_AXI", "SLAVE", prefix="c0_", protocol="AXI4", data=128, addr=31, **rates)
    ddr = design.add(Cell("ddr4_0", "xilinx.com:ip:ddr4:2.2", {}, port, [bus], {}))
    design.map(xdma, "M_AXI", ddr, "C0_DDR4_S_AXI", 0x8000_0000, 0x4000_0000, kind="MEMORY", block="C0")
    pins = [vector("In0", "I", None), vector("In1", "I", None), vector("dout", "O", 2)]
    concat = design.add(Cell("xlconcat_0", "xilinx.com:ip:xlconcat:2.1", {}, pins, [], {"NUM_PORTS": "2"}))
    design.wire("core_0/irq", "xlconcat_0/In1")
    design.wire(f"{concat.path}/dout", "xdma_0/usr_irq_req")
    return read_bytes(design.to_xml().encode(), "card.hwh")


def test_the_description_tells() -> None:
    layout = layout_of(card(), {})
    assert isinstance(layout, Layout)
    assert [(entry.slave, entry.base) for entry in layout.registers] == [
        ("timer_0", 0x44A0_0000),
        ("core_0", 0x44A1_0000),
    ]
    assert layout.bar_base == 0x44A0_0000
    assert layout.memories == (Memory("ddr4_0", 0x8000_0000, 0x4000_0000),)
    assert layout.lines == tuple(range(16))


def test_interrupts_are_the_bits_of_the_card() -> None:
    pins = card().interrupt_pins
    assert {path: pin.gic for path, pin in pins.items()} == {"core_0/irq": 1}


def test_options_come_first() -> None:
    layout = layout_of(
        card(), converted("xdma:", {"user": "0x1000", "memory": "0x0+4096", "events": "3,1"}, OPTIONS)
    )
    assert (layout.bar_base, layout.memories, layout.lines) == (0x1000, (Memory("memory", 0, 4096),), (3, 1))


@pytest.mark.parametrize("option", ["user=here", "memory=0x0", "events=1,,2", "bank=0"])
def test_options_that_make_no_sense(option: str, tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError, match=option.partition("=")[0]):
        XdmaBackend(Kernel(tmp_path)).open(f"xdma:0?{option}")


def test_registers_of_the_second_block_lie_in_the_bar(tmp_path: Path) -> None:
    folder = tmp_path / "dev"
    folder.mkdir()
    bar = bytearray(0x2_0000)
    bar[0x1_0010:0x1_0014] = (0xCAFE).to_bytes(4, "little")
    (folder / "xdma0_user").write_bytes(bar)
    with XdmaDevice(kernel=Kernel(tmp_path)) as device:
        device.download(card(), None)
        window = device.map(0x44A1_0000, 0x100)
        assert window.mapped  # where the driver maps the BAR, every width is one access
        assert window.read(0x10) == 0xCAFE
        window.write(0x12, 0xAB, length=1)
        assert window.read(0x10) == 0xAB_CAFE
    with pytest.raises(OverlayNotLoadedError, match="is closed"):
        device.map(0x44A1_0000, 4)
    with pytest.raises(OverlayNotLoadedError, match="was closed"):
        window.read(0)
