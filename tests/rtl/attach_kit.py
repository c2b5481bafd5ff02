"""Block designs with cells of one's own, for the tests of whole programs against RTL.

:class:`Board` is a Zynq-7000 with what each test adds; :meth:`Board.load` writes the hand-off file, sources
and manifest into a folder and loads them as a program would.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pynq
from pynq.backends.sim.device import SimDevice

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.tools.blockdesign import Block, BlockDesign, Cell, Pin, Register, axi, axis, vector  # noqa: E402
from examples.tools.vendor_ip import (  # noqa: E402
    Clocking,
    axi_dma,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
)

PS = "processing_system7_0"
RESET = "rst_ps7_0_100M/peripheral_aresetn"
SYSTEM = {"ARCH": "zynq", "BOARD": "", "DEVICE": "7z020", "PACKAGE": "clg400", "SPEEDGRADE": "-1"}
VENDOR = "acme.test:user"


class Board:
    """A block design that grows: cells, then joins, then addresses."""

    def __init__(self, name: str = "board") -> None:
        self.design = BlockDesign(name, SYSTEM, vivado="2022.1", timestamp="")
        self.clock = Clocking(self.design, f"{PS}/FCLK_CLK0", 100_000_000)
        self.ps = processing_system7(self.design, PS, self.clock, hp=True, interrupts=4)
        proc_sys_reset(self.design, "rst_ps7_0_100M", self.clock, f"{PS}/FCLK_RESET0_N")
        self._slaves: list[tuple[Cell, str, int, int]] = []
        self._masters: list[tuple[Cell, str]] = []
        self._interrupts: list[str] = []

    # -- cells -----------------------------------------------------------------------------------------
    def dma(self, path: str = "axi_dma_0", base: int = 0x4040_0000, nbytes: int = 4) -> Cell:
        """Add a DMA with both channels, its registers and its masters connected."""
        cell = axi_dma(self.design, path, self.clock, RESET, stream_bytes=nbytes)
        self._slaves.append((cell, "S_AXI_LITE", base, 0x1_0000))
        self._masters += [(cell, "M_AXI_MM2S"), (cell, "M_AXI_S2MM")]
        self._interrupts += [f"{path}/mm2s_introut", f"{path}/s2mm_introut"]
        return cell

    def cell(
        self,
        path: str,
        buses: Sequence[tuple[list[Pin], Any]] = (),
        pins: Sequence[Pin] = (),
        *,
        kind: str = "",
        parameters: Mapping[str, str] | None = None,
        blocks: Sequence[Block] = (),
        clock: str = "aclk",
        reset: str = "aresetn",
    ) -> Cell:
        """Add a cell of one's own, on the board's clock and reset unless ``clock`` is ""."""
        every = [*pins]
        if clock:
            every.append(vector(clock, "I", None, kind="clk"))
            every.append(vector(reset, "I", None, kind="rst", polarity="ACTIVE_LOW"))
        for more, _ in buses:
            every += more
        kind = kind or path.rpartition("/")[2].rstrip("_0123456789")
        made = self.design.add(
            Cell(
                path,
                f"{VENDOR}:{kind}:1.0",
                {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
                every,
                [bus for _, bus in buses],
                dict(parameters or {}),
                list(blocks),
            )
        )
        if clock:
            self.design.wire(self.clock.source, f"{path}/{clock}")
            self.design.wire(RESET, f"{path}/{reset}")
        return made

    # -- buses -----------------------------------------------------------------------------------------
    def sink(self, name: str = "s_axis", nbytes: int = 4) -> tuple[list[Pin], Any]:
        return self._stream(name, "TARGET", nbytes)

    def source(self, name: str = "m_axis", nbytes: int = 4) -> tuple[list[Pin], Any]:
        return self._stream(name, "INITIATOR", nbytes)

    def _stream(self, name: str, role: str, nbytes: int) -> tuple[list[Pin], Any]:
        return axis(
            name,
            role,
            prefix=f"{name.lower()}_",
            nbytes=nbytes,
            frequency=self.clock.frequency,
            domain=self.clock.domain,
        )

    def lite(self, name: str = "s_axi", addr: int = 8, **more: Any) -> tuple[list[Pin], Any]:
        return self._axi(name, "SLAVE", "AXI4LITE", 32, addr, omit=["AWPROT", "ARPROT"], **more)

    def master(self, name: str = "m_axi", data: int = 32, **more: Any) -> tuple[list[Pin], Any]:
        return self._axi(name, "MASTER", "AXI4", data, 32, **more)

    def _axi(self, name: str, role: str, protocol: str, data: int, addr: int, **more: Any) -> Any:
        more.setdefault("prefix", f"{name.lower()}_")
        return axi(
            name,
            role,
            protocol=protocol,
            data=data,
            addr=addr,
            frequency=self.clock.frequency,
            domain=self.clock.domain,
            **more,
        )

    # -- addresses and interrupts ----------------------------------------------------------------------
    def at(self, cell: Cell, bus: str, base: int, size: int = 0x1_0000) -> None:
        """Let the PS reach a slave."""
        self._slaves.append((cell, bus, base, size))

    def to_ddr(self, cell: Cell, bus: str) -> None:
        """Let a master reach the DDR."""
        self._masters.append((cell, bus))

    def interrupt(self, *pins: str) -> None:
        """Let pins interrupt the PS: number 61 and on, after those of the DMAs added before."""
        self._interrupts += pins

    def xml(self) -> str:
        """Return the hand-off file."""
        design = self.design
        if self._slaves:
            interconnect(
                design,
                "ps7_0_axi_periph",
                self.clock,
                RESET,
                masters=[(self.ps, "M_AXI_GP0")],
                slaves=[(cell, bus) for cell, bus, _, _ in self._slaves],
            )
            for cell, bus, base, size in self._slaves:
                design.map(self.ps, "M_AXI_GP0", cell, bus, base, size)
        if self._masters:
            interconnect(
                design,
                "axi_mem_intercon",
                self.clock,
                RESET,
                masters=self._masters,
                slaves=[(self.ps, "S_AXI_HP0")],
            )
            for cell, bus in self._masters:
                design.map(
                    cell, bus, self.ps, "S_AXI_HP0", 0, 0x2000_0000, block="HP0_DDR_LOWOCM", kind="MEMORY"
                )
        if self._interrupts:
            xlconcat(design, "xlconcat_0", self._interrupts)
            design.wire("xlconcat_0/dout", f"{PS}/IRQ_F2P")
        return design.to_xml()

    def load(
        self, folder: Path, manifest: str = "", rtl: Any = None, device: Any = None, **files: str
    ) -> Any:
        """Write everything (``plus_v="..."`` becomes plus.v) and load it on a deterministic board."""
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            (folder / f"{stem}.{suffix}").write_text(text)
        hwh = folder / f"{self.design.name}.hwh"
        hwh.write_text(self.xml())
        if manifest:
            (folder / f"{self.design.name}.sim.toml").write_text(manifest)
        return pynq.Overlay(str(hwh), device=device or SimDevice(deterministic=True), rtl=rtl)


__all__ = ["PS", "RESET", "Block", "Board", "Register", "vector"]
