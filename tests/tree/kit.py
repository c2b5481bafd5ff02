"""A small block design for these tests, and a device of PYNQ's old protocol to put it on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import pynq
from pynq._native import Window

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from tools.blockdesign import Block, BlockDesign, Cell, Field, Register, axi, vector
from tools.designs import PS7, PYNQ_Z2, STAMP
from tools.vendor_ip import Clocking, axi_intc, interconnect, proc_sys_reset, processing_system7, xlconcat

KNOB = "acme.com:user:knob:1.0"
RESET = "rst_ps7_0_100M/peripheral_aresetn"


def knob(design: BlockDesign, path: str, clock: Clocking, vlnv: str = KNOB) -> Cell:
    """An IP with two registers, an interrupt and an input pin."""
    lite, bus = axi(
        "s_axi",
        "SLAVE",
        prefix="s_axi_",
        protocol="AXI4LITE",
        data=32,
        addr=6,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    registers = [
        Register(
            "CTRL", "0x0", "Control", [Field("ENABLE", 0, 1, "read-write", "1 enables."), Field("MODE", 4, 2)]
        ),
        Register("LEVEL", "0x4", "Level", [Field("LEVEL", 0, 32)]),
    ]
    cell = Cell(
        path,
        vlnv if vlnv.count(":") == 3 else "a:b:c:1.0",
        {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL", "VLNV": vlnv},
        [
            vector("aclk", "I", None, kind="clk"),
            vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
            *lite,
            vector("gate", "I", None),
            vector("irq", "O", None, kind="INTERRUPT", sensitivity="LEVEL_HIGH"),
        ],
        [bus],
        {"C_SIZE": "7", "C_EMPTY": ""},
        [Block("s_axi", registers, range=64)],
    )
    design.add(cell)
    design.wire(clock.source, f"{path}/aclk")
    design.wire(RESET, f"{path}/aresetn")
    return cell


def memory(design: BlockDesign, path: str, clock: Clocking) -> Cell:
    """An AXI BRAM controller, without the BRAM behind it."""
    pins, bus = axi(
        "S_AXI",
        "SLAVE",
        prefix="s_axi_",
        protocol="AXI4",
        data=32,
        addr=13,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    attributes = {"COREREVISION": "1", "IPTYPE": "PERIPHERAL", "MODCLASS": "MEMORY_CNTLR"}
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axi_bram_ctrl:4.1",
            attributes,
            [
                vector("s_axi_aclk", "I", None, kind="clk"),
                vector("s_axi_aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW"),
                *pins,
            ],
            [bus],
            {},
            [Block("S_AXI", (), "Mem0", 8192, "memory")],
        )
    )
    design.wire(clock.source, f"{path}/s_axi_aclk")
    design.wire(RESET, f"{path}/s_axi_aresetn")
    return cell


def design_text(knobs: dict[str, str], *, name: str = "kit", memories: tuple[str, ...] = ()) -> str:
    """A hand-off file with a Zynq-7000 PS and these knobs (path: VLNV), 64 KiB each from 0x43c00000 on.

    The interrupts of all knobs enter ``axi_intc_0``; the PS drives the pin ``gate`` of the first through a
    slice of its EMIO GPIO, bit 3. Memories lie from 0x40000000 on.
    """
    design = BlockDesign(name, PYNQ_Z2, **STAMP)
    clock = Clocking(design, f"{PS7}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, PS7, clock, hp=False, interrupts=1)
    ps.pins.append(vector("GPIO_O", "O", 8))
    ps.parameters |= {"PCW_EN_EMIO_GPIO": "1", "PCW_GPIO_EMIO_GPIO_ENABLE": "1"}
    proc_sys_reset(design, "rst_ps7_0_100M", clock, f"{PS7}/FCLK_RESET0_N")
    cells = [knob(design, path, clock, vlnv) for path, vlnv in knobs.items()]
    stores = [memory(design, path, clock) for path in memories]
    intc = axi_intc(design, "axi_intc_0", clock, RESET, inputs=max(len(cells), 1))
    slaves = [(cell, "s_axi") for cell in (*cells, intc)] + [(cell, "S_AXI") for cell in stores]
    interconnect(design, "ps7_0_axi_periph", clock, RESET, masters=[(ps, "M_AXI_GP0")], slaves=slaves)
    if cells:
        xlconcat(design, "xlconcat_0", [f"{cell.path}/irq" for cell in cells])
        design.wire("xlconcat_0/dout", "axi_intc_0/intr")
        slice_cell = Cell(
            "gate_slice",
            "xilinx.com:ip:xlslice:1.0",
            {"COREREVISION": "2", "IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            [vector("Din", "I", 8), vector("Dout", "O", 1)],
            [],
            {"DIN_WIDTH": "8", "DIN_FROM": "3", "DIN_TO": "3", "DOUT_WIDTH": "1"},
        )
        design.add(slice_cell)
        design.wire(f"{PS7}/GPIO_O", "gate_slice/Din")
        design.wire("gate_slice/Dout", f"{cells[0].path}/gate")
    design.wire("axi_intc_0/irq", f"{PS7}/IRQ_F2P")
    design.map(ps, "M_AXI_GP0", intc, "s_axi", 0x4180_0000, 0x1_0000)
    for number, cell in enumerate(cells):
        design.map(ps, "M_AXI_GP0", cell, "s_axi", 0x43C0_0000 + 0x1_0000 * number, 0x1_0000)
    for number, cell in enumerate(stores):
        base = 0x4000_0000 + 0x1_0000 * number
        design.map(ps, "M_AXI_GP0", cell, "S_AXI", base, 8192, block="Mem0", kind="MEMORY")
    return "\ufeff" + design.to_xml()


KNOBS = {"knob_0": KNOB, "panel/knob_1": KNOB, "panel/inner/knob_2": KNOB, "other": "acme.com:user:other:2.0"}


def write(folder: Path, name: str = "kit", knobs: dict[str, str] | None = None, **more: Any) -> Path:
    """Write ``name.hwh`` into a folder and return the path of the (missing) bitstream beside it."""
    text = design_text(KNOBS if knobs is None else knobs, name=name, **more)
    (folder / f"{name}.hwh").write_text(text, encoding="utf-8")
    return folder / f"{name}.bit"


class Board(pynq.Device):
    """A device of today's contract, with memory for registers."""

    needs_bitstream = False

    def __init__(self, name: str = "board") -> None:
        super().__init__(name)
        self.windows: dict[int, Any] = {}
        self.dtbo: Path | None = None

    def map(self, base: int, length: int) -> Window:
        if base not in self.windows:
            self.windows[base] = Window.from_memory(np.zeros(length // 4, "u4"), base)
        return self.windows[base]

    def download(
        self, design: Any, bitstream: Path | None, *, partial: bool = False, dtbo: Path | None = None
    ) -> None:
        for window in self.windows.values():
            window.invalidate("another overlay was loaded")
        self.windows = {}
        self.design, self.dtbo = design, dtbo


class OldDevice(pynq.Device):
    """A third-party device as people wrote them for PYNQ: registers are memory of this process."""

    needs_bitstream = False

    def __init__(self, tag: str = "old", mode: str = "MEMORY_MAPPED") -> None:
        super().__init__(tag)
        self.capabilities = {mode: True}
        self.registers: dict[int, Any] = {}
        self.accesses: list[tuple[str, int, int]] = []
        self.downloads: list[str] = []

    def mmap(self, base_addr: int, length: int) -> Any:
        return self.registers.setdefault(base_addr, np.zeros(length // 4, "u4"))

    def _words(self, address: int) -> tuple[Any, int]:
        base = address & ~0xFFFF
        return self.registers.setdefault(base, np.zeros(0x4000, "u4")), (address - base) // 4

    def read_registers(self, address: int, length: int) -> bytes:
        self.accesses.append(("read", address, length))
        words, index = self._words(address)
        return bytes(words[index : index + length // 4].tobytes())

    def write_registers(self, address: int, data: bytes) -> None:
        self.accesses.append(("write", address, len(data)))
        words, index = self._words(address)
        words[index : index + len(data) // 4] = np.frombuffer(data, "u4")

    def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> Any:
        return pynq.PynqBuffer(shape, dtype, device=self, device_address=0x1000_0000, coherent=False)

    def flush(self, bo: Any, offset: int, ptr: int, size: int) -> None:
        self.accesses.append(("flush", offset, size))

    def invalidate(self, bo: Any, offset: int, ptr: int, size: int) -> None:
        self.accesses.append(("invalidate", offset, size))

    def download(self, bitstream: Any, parser: Any = None) -> None:
        self.downloads.append(bitstream.bitfile_name)
        super().post_download(bitstream, parser)
