"""The design of the kernel tests: a Zynq-7000 with everything that a program touches, looped back on itself.

Nobody has to press a button: outputs of the GPIO in the PL are its inputs; of the EMIO pins, output ``n`` is
input ``n + 4``, modulo 8.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools.blockdesign import BlockDesign, Cell, vector  # noqa: E402
from examples.tools.vendor_ip import (  # noqa: E402
    Clocking,
    axi_dma,
    axi_gpio,
    axi_intc,
    axi_timer,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
)
from examples.tools.vendor_ip.streams import axis_data_fifo  # noqa: E402

__all__ = ["EMIO", "bench", "write"]

PS = "processing_system7_0"
EMIO = 8
SYSTEM = {"ARCH": "zynq", "BOARD": "", "DEVICE": "7z020", "PACKAGE": "clg400", "SPEEDGRADE": "-1"}


def bench() -> BlockDesign:
    """Return a DMA whose stream comes back, timers and GPIO behind ``axi_intc``, and EMIO pins.

    PS interrupts: 61 is ``axi_intc_0`` (inputs: timer_0, inputs, DMA S2MM), 62 the DMA's MM2S, 63 timer_1.
    """
    design = BlockDesign("bench", SYSTEM, vivado="2022.1", timestamp="Sun Nov 22 12:00:00 2026")
    clock = Clocking(design, f"{PS}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS, clock, hp=True, interrupts=3)
    ps.parameters.update(PCW_EN_EMIO_GPIO="1", PCW_GPIO_EMIO_GPIO_ENABLE="1", PCW_GPIO_EMIO_GPIO_IO=str(EMIO))
    ps.parameters.update(PCW_GPIO_EMIO_GPIO_WIDTH=str(EMIO), C_EMIO_GPIO_WIDTH=str(EMIO))
    ps.pins += [vector("GPIO_I", "I", EMIO), vector("GPIO_O", "O", EMIO), vector("GPIO_T", "O", EMIO)]
    proc_sys_reset(design, "rst", clock, f"{PS}/FCLK_RESET0_N")
    reset = "rst/peripheral_aresetn"
    dma = axi_dma(design, "dma/axi_dma", clock, reset, stream_bytes=8)
    fifo = axis_data_fifo(design, "dma/fifo", clock, reset, stream_bytes=8, depth=1024)
    design.connect(dma, "M_AXIS_MM2S", fifo, "S_AXIS")
    design.connect(fifo, "M_AXIS", dma, "S_AXIS_S2MM")
    first, second = (axi_timer(design, name, clock, reset) for name in ("timer_0", "timer_1"))
    outputs = axi_gpio(design, "outputs", clock, reset, width=4, inputs=False, interrupt=False, board="o")
    inputs = axi_gpio(design, "inputs", clock, reset, width=4, inputs=True, interrupt=True, board="i")
    for cell, name in ((outputs, "gpio_io_o"), (inputs, "gpio_io_i")):
        cell.pin(name).peers.clear()
        cell.pin(name).signal = ""
        cell.buses[:] = [bus for bus in cell.buses if bus.name != "GPIO"]
    design.external_pins.clear()
    design.external_buses.clear()
    design.wire("outputs/gpio_io_o", "inputs/gpio_io_i")
    half = EMIO // 2
    for name, low in (("low", 0), ("high", half)):
        pins = [vector("Din", "I", EMIO), vector("Dout", "O", half)]
        values = {"DIN_WIDTH": str(EMIO), "DIN_FROM": str(low + half - 1), "DIN_TO": str(low)}
        design.add(Cell(name, "xilinx.com:ip:xlslice:1.0", {}, pins, [], values))
    pins = [vector("In0", "I", half), vector("In1", "I", half), vector("dout", "O", EMIO)]
    design.add(Cell("crossed", "xilinx.com:ip:xlconcat:2.1", {}, pins, [], {"NUM_PORTS": "2"}))
    design.wire(f"{PS}/GPIO_O", "low/Din", "high/Din")
    design.wire("high/Dout", "crossed/In0")
    design.wire("low/Dout", "crossed/In1")
    design.wire("crossed/dout", f"{PS}/GPIO_I")
    intc = axi_intc(design, "axi_intc_0", clock, reset, inputs=3)
    slaves = [
        (dma, "S_AXI_LITE", 0x4040_0000), (inputs, "S_AXI", 0x4120_0000), (outputs, "S_AXI", 0x4121_0000),
        (intc, "s_axi", 0x4180_0000), (first, "S_AXI", 0x4280_0000), (second, "S_AXI", 0x4281_0000),
    ]  # fmt: skip
    masters = [(dma, "M_AXI_MM2S"), (dma, "M_AXI_S2MM")]
    pairs = [(cell, bus) for cell, bus, _ in slaves]
    interconnect(design, "periph", clock, reset, masters=[(ps, "M_AXI_GP0")], slaves=pairs)
    interconnect(design, "memory", clock, reset, masters=masters, slaves=[(ps, "S_AXI_HP0")])
    for cell, bus, base in slaves:
        design.map(ps, "M_AXI_GP0", cell, bus, base, 0x1_0000)
    for cell, bus in masters:
        design.map(cell, bus, ps, "S_AXI_HP0", 0, 0x2000_0000, block="HP0_DDR_LOWOCM", kind="MEMORY")
    xlconcat(design, "concat_0", ["timer_0/interrupt", "inputs/ip2intc_irpt", "dma/axi_dma/s2mm_introut"])
    xlconcat(design, "concat_ps", ["axi_intc_0/irq", "dma/axi_dma/mm2s_introut", "timer_1/interrupt"])
    design.wire("concat_0/dout", "axi_intc_0/intr")
    design.wire("concat_ps/dout", f"{PS}/IRQ_F2P")
    return design


def write(folder: Path) -> Path:
    """Write the hand-off file and something like a bitstream into a folder; return the former's path."""
    path = folder / "bench.hwh"
    path.write_text(bench().to_xml(), encoding="utf-8")
    words = b"\xff" * 32 + b"\x00\x00\x00\xbb\x11\x22\x00\x44" + b"\xff" * 8 + b"\xaa\x99\x55\x66"
    image = words + random.Random(7).randbytes(1 << 16)
    header = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (
        (b"a", "bench;Version=2022.1"),
        (b"b", "7z020clg400"),
        (b"c", "2026/11/22"),
        (b"d", "12:00:00"),
    ):
        field = text.encode() + b"\0"
        header += key + len(field).to_bytes(2, "big") + field
    path.with_suffix(".bit").write_bytes(header + b"e" + len(image).to_bytes(4, "big") + image)
    return path
