"""A device made of small register-accurate models in plain Python, and the design that its tests share.

The handles are tested on it without the simulated board, so a fault of one can't hide behind the other; the
same tests then run on the simulated board. Levels and edges of the test source ``source`` are set through
its registers, so both devices are driven in the same way.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pynq._native import Arena, Window
from pynq.design.hwh import read_bytes
from pynq.design.model import Design
from pynq.device.base import Device
from pynq.device.contract import Block, InterruptLine
from pynq.errors import BusError, DeadlockError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from examples.tools.blockdesign import Block as AddressBlock  # noqa: E402
from examples.tools.blockdesign import BlockDesign, Cell, Register, axi, vector  # noqa: E402
from examples.tools.blockdesign import Field as BitField  # noqa: E402
from examples.tools.vendor_ip import (  # noqa: E402
    Clocking,
    axi_intc,
    interconnect,
    proc_sys_reset,
    processing_system7,
    xlconcat,
)

SOURCE = "source"
SOURCE_BASE = 0x43C0_0000
LEVEL, PULSE = 0x00, 0x04  # registers of the source: a bit for each pin

# Pin of the source -> sensitivity that it declares.
PINS = {
    "level0": "LEVEL_HIGH",
    "edge0": "EDGE_RISING",
    "plain": "",
    "level1": "LEVEL_HIGH",
    "edge1": "EDGE_RISING",
    "direct_level": "LEVEL_HIGH",
    "direct_edge": "EDGE_RISING",
}


def _source(design: BlockDesign, clock: Clocking, reset: str) -> Cell:
    pins, bus = axi(
        "s_axi",
        "SLAVE",
        prefix="s_axi_",
        protocol="AXI4LITE",
        data=32,
        addr=8,
        frequency=clock.frequency,
        domain=clock.domain,
    )
    pins += [vector("aclk", "I", None, kind="clk", frequency=clock.frequency)]
    pins += [vector("aresetn", "I", None, kind="rst", polarity="ACTIVE_LOW")]
    pins += [vector(name, "O", None, kind="INTERRUPT", sensitivity=text) for name, text in PINS.items()]
    registers = [
        Register("LEVEL", "0x00", "Level of each pin", [BitField("LEVEL", 0, 32)]),
        Register("PULSE", "0x04", "Write 1 for a pulse of a pin", [BitField("PULSE", 0, 32)]),
    ]
    cell = design.add(
        Cell(
            SOURCE,
            "acme.test:user:source:1.0",
            {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"},
            pins,
            [bus],
            {"Component_Name": "source_0"},
            [AddressBlock("s_axi", registers, range=4096)],
        )
    )
    design.wire(clock.source, f"{SOURCE}/aclk")
    design.wire(reset, f"{SOURCE}/aresetn")
    return cell


def interrupt_design() -> Design:
    """Level, edge and undeclared inputs, a controller behind a controller inside a hierarchy, lines
    straight to the PS."""
    system = {"ARCH": "zynq", "BOARD": "", "DEVICE": "7z020", "PACKAGE": "clg400", "SPEEDGRADE": "-1"}
    design = BlockDesign("interrupts", system, vivado="2022.1", timestamp="Sun Nov 22 12:00:00 2026")
    ps_path = "processing_system7_0"
    clock = Clocking(design, f"{ps_path}/FCLK_CLK0", 100_000_000)
    ps = processing_system7(design, ps_path, clock, hp=False, interrupts=3)
    proc_sys_reset(design, "rst", clock, f"{ps_path}/FCLK_RESET0_N")
    reset = "rst/peripheral_aresetn"
    source = _source(design, clock, reset)
    root = axi_intc(design, "axi_intc_0", clock, reset, inputs=4)
    root.parameters["C_KIND_OF_INTR"] = "0xfffffff2"  # bit set: edge
    nested = axi_intc(design, "sub/axi_intc", clock, reset, inputs=2)
    nested.parameters["C_KIND_OF_INTR"] = "0xfffffffe"
    slaves = [(source, "s_axi", SOURCE_BASE), (root, "s_axi", 0x4180_0000), (nested, "s_axi", 0x4181_0000)]
    interconnect(
        design,
        "periph",
        clock,
        reset,
        masters=[(ps, "M_AXI_GP0")],
        slaves=[(cell, bus) for cell, bus, _ in slaves],
    )
    for cell, bus, base in slaves:
        design.map(ps, "M_AXI_GP0", cell, bus, base, 0x1_0000)
    xlconcat(design, "concat_0", ["source/level0", "source/edge0", "source/plain", "sub/axi_intc/irq"])
    xlconcat(design, "sub/concat", ["source/level1", "source/edge1"])
    xlconcat(design, "concat_ps", ["axi_intc_0/irq", "source/direct_level", "source/direct_edge"])
    design.wire("concat_0/dout", "axi_intc_0/intr")
    design.wire("sub/concat/dout", "sub/axi_intc/intr")
    design.wire("concat_ps/dout", f"{ps_path}/IRQ_F2P")
    return read_bytes(design.to_xml().encode(), "interrupts.hwh")


class Wire:
    """A level, its rising edges, and who listens."""

    def __init__(self) -> None:
        self.level = 0
        self.edges = 0
        self.listeners: list[Callable[[], None]] = []

    def drive(self, level: int) -> None:
        if level == self.level:
            return
        self.edges += level
        self.level = level
        for listener in self.listeners:
            listener()


class Source:
    """The test source."""

    def __init__(self, wires: list[Wire]) -> None:
        self.wires = wires

    def read(self, offset: int) -> int:
        return sum(wire.level << bit for bit, wire in enumerate(self.wires))

    def write(self, offset: int, value: int) -> None:
        for bit, wire in enumerate(self.wires):
            if offset == LEVEL:
                wire.drive(value >> bit & 1)
            elif value >> bit & 1:
                wire.drive(1)
                wire.drive(0)


class Intc:
    """``axi_intc`` as PG099 has it: inputs are latched from MER.HIE on until IAR, levels again while they
    last."""

    def __init__(self, edges: int, count: int, *, sie: bool = True) -> None:
        self.edge_mask = edges
        self.inputs = [Wire() for _ in range(count)]
        self.counted = [0] * count
        self.output = Wire()
        self.isr = self.ier = self.mer = 0
        self.sie = sie

    def connect(self) -> None:
        for wire in self.inputs:
            wire.listeners.append(self.update)

    def update(self) -> None:
        for bit, wire in enumerate(self.inputs):
            rose, self.counted[bit] = wire.edges != self.counted[bit], wire.edges
            if self.mer & 2 and (rose if self.edge_mask >> bit & 1 else wire.level or rose):
                self.isr |= 1 << bit
        self.output.drive(int(bool(self.isr & self.ier and self.mer & 1)))

    def read(self, offset: int) -> int:
        return {0x00: self.isr, 0x04: self.isr & self.ier, 0x08: self.ier, 0x1C: self.mer}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == 0x08:
            self.ier = value
        elif offset == 0x0C:
            self.isr &= ~value
        elif offset == 0x10 and self.sie:
            self.ier |= value
        elif offset == 0x14 and self.sie:
            self.ier &= ~value
        elif offset == 0x1C:
            self.mer = value | self.mer & 2
        self.update()


class Dma:
    """``axi_dma`` in direct register mode (PG021), its streams connected to each other.

    ``held``: transfers are started, but do not go on until :meth:`go`. ``fault``: DMASR bits with which the
    next transfer ends.
    """

    def __init__(self, memory: mmap.mmap, base: int, introuts: tuple[Wire, Wire]) -> None:
        self.memory, self.base, self.introuts = memory, base, introuts
        self.held = False
        self.stuck = False  # never halts: a stream partner that stalls
        self.fault = 0
        self.reset()

    def reset(self) -> None:
        self.cr = [0x10000, 0x10000]
        self.sr = [1, 1]
        self.address = [0, 0]
        self.length = [0, 0]
        self.pending: list[int | None] = [None, None]
        self.packets: list[bytes] = []
        self.interrupt()

    def interrupt(self) -> None:
        for channel, wire in enumerate(self.introuts):
            wire.drive(int(bool(self.sr[channel] & self.cr[channel] & 0x7000)))

    def read(self, offset: int) -> int:
        channel, register = divmod(offset, 0x30)
        if register == 0x00:
            return self.cr[channel]
        if register == 0x04:
            return self.sr[channel]
        return {0x18: self.address[channel] & 0xFFFFFFFF, 0x28: self.length[channel]}.get(register, 0)

    def write(self, offset: int, value: int) -> None:
        channel, register = divmod(offset, 0x30)
        if register == 0x00:
            if value & 4:
                self.reset()
                return
            self.cr[channel] = value
            if value & 1 and not self.sr[channel] & 0x70:
                self.sr[channel] &= ~1
            elif not value & 1 and not self.stuck:
                self.sr[channel] = self.sr[channel] & ~2 | 1
        elif register == 0x04:
            self.sr[channel] &= ~(value & 0x7000)
        elif register == 0x18:
            self.address[channel] = self.address[channel] & ~0xFFFFFFFF | value
        elif register == 0x1C:
            self.address[channel] = self.address[channel] & 0xFFFFFFFF | value << 32
        elif register == 0x28 and not self.sr[channel] & 1:
            self.pending[channel] = self.length[channel] = value
            self.sr[channel] &= ~2
            if not self.held:
                self.go()
        self.interrupt()

    def go(self) -> None:
        """Move what can be moved."""
        sending = self.pending[0]
        if sending is not None:
            start = self.address[0] - self.base
            if not 0 <= start <= len(self.memory) - sending:
                self.end(0, 0x40)
            else:
                self.packets.append(bytes(self.memory[start : start + sending]))
                self.end(0, self.fault)
        room = self.pending[1]
        if room is not None and self.packets:
            packet = self.packets.pop(0)
            start = self.address[1] - self.base
            self.memory[start : start + min(room, len(packet))] = packet[:room]
            if len(packet) <= room:
                self.length[1] = len(packet)
            self.end(1, 0x10 if len(packet) > room else 0)
        self.interrupt()

    def end(self, channel: int, fault: int) -> None:
        self.pending[channel] = None
        self.fault = 0
        if fault:
            self.cr[channel] &= ~1
            self.sr[channel] |= fault | 0x4001
        else:
            self.sr[channel] |= 0x1002


class Gpio:
    """``axi_gpio`` (PG144): two channels, ISR toggles on write."""

    def __init__(self, introut: Wire) -> None:
        self.introut = introut
        self.data = [0, 0]
        self.tri = [0xFFFFFFFF, 0xFFFFFFFF]
        self.inputs = [0, 0]
        self.gier = self.isr = self.ier = 0

    def set_input(self, channel: int, value: int) -> None:
        if self.inputs[channel] != value:
            self.inputs[channel] = value
            self.isr |= 1 << channel
            self.interrupt()

    def interrupt(self) -> None:
        self.introut.drive(int(bool(self.isr & self.ier and self.gier >> 31)))

    def read(self, offset: int) -> int:
        if offset in (0x0, 0x8):
            channel = offset // 8
            return self.inputs[channel] & self.tri[channel] | self.data[channel] & ~self.tri[channel]
        if offset in (0x4, 0xC):
            return self.tri[offset // 8]
        return {0x11C: self.gier, 0x120: self.isr, 0x128: self.ier}.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        if offset in (0x0, 0x8):
            self.data[offset // 8] = value
        elif offset in (0x4, 0xC):
            self.tri[offset // 8] = value
        elif offset == 0x11C:
            self.gier = value
        elif offset == 0x120:
            self.isr ^= value & 3
        elif offset == 0x128:
            self.ier = value
        self.interrupt()


class Line(InterruptLine):
    """A line of the PS, as UIO has it: each firing ends exactly one wait."""

    patience = 20.0  # seconds of a wait without a timeout, which no busy machine takes to do anything

    def __init__(self, wire: Wire, edge: bool) -> None:
        self.wire, self.edge = wire, edge
        self.condition = threading.Condition()
        self.enabled = self.fired = False
        self.latched = 0  # edges taken so far
        self.futures: list[asyncio.Future[None]] = []
        wire.listeners.append(self.update)

    def update(self) -> None:
        with self.condition:
            active = self.wire.edges != self.latched if self.edge else self.wire.level
            if not (self.enabled and active):
                return
            self.latched = self.wire.edges
            self.enabled = False
            self.fired = True
            self.condition.notify_all()
            for future in self.futures:
                future.get_loop().call_soon_threadsafe(_wake, future)

    def enable(self) -> None:
        with self.condition:
            self.enabled = True
        self.update()

    def disable(self) -> None:
        with self.condition:
            self.enabled = False

    def take(self) -> bool:
        with self.condition:
            fired, self.fired = self.fired, False
            return fired

    def wait(self, timeout: float | None = None) -> bool:
        with self.condition:
            # A test that hangs shows where. The device "knows" then that nothing comes.
            if not self.condition.wait_for(lambda: self.fired, self.patience if timeout is None else timeout):
                if timeout is None:
                    raise DeadlockError("nothing drives the line")
                return False
            return self.take()

    async def wait_async(self) -> None:
        while not self.take():
            future = asyncio.get_running_loop().create_future()
            with self.condition:
                self.futures.append(future)
                if self.fired:
                    _wake(future)
            try:
                await future
            finally:
                with self.condition:
                    self.futures.remove(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Pin:
    """An EMIO pin."""

    def __init__(self, board: FakeBoard, index: int, direction: str) -> None:
        self.board, self.index, self.direction, self.released = board, index, direction, False

    def read(self) -> int:
        return self.board.emio.get(self.index, 0)

    def write(self, value: int) -> None:
        self.board.emio[self.index] = value

    def release(self) -> None:
        self.released = True


class FakeBoard(Device):
    """Models by type of IP; ``probing``: whether the device can tell the level of a pin."""

    needs_bitstream = False

    def __init__(
        self,
        design: Design | None = None,
        *,
        probing: bool = True,
        base: int = 0x1000_0000,
        coherent: bool = True,
    ) -> None:
        super().__init__("fake:")
        self.probing = probing
        self.base = base
        self.reasons: dict[str, str] = {}
        self.emio: dict[int, int] = {}
        self.rates = [100e6, 50e6, 25e6, 10e6]
        self.parts: dict[str, Any] = {}
        self.wires: dict[str, Wire] = {}
        self.lines: dict[int, Line] = {}
        self.accesses: list[tuple[str, int, int]] = []
        self.synced: list[str] = []
        self.fd = os.memfd_create("fakeboard")
        os.ftruncate(self.fd, 1 << 24)
        self.memory = mmap.mmap(self.fd, 1 << 24)
        self.arena = Arena(self.fd, 0, 1 << 24, base, coherent=coherent, name="fake memory")
        self.windows: list[Window] = []
        if design is not None:
            self.download(design, None)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.memory.close()  # both have a descriptor of their own
            del self.arena

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> Block:
        return self.arena.allocate(nbytes)

    def sync(self, block: Block, offset: int, nbytes: int, direction: str) -> None:
        self.synced.append(direction)

    def download(
        self, design: Design, bitstream: Path | None, *, partial: bool = False, dtbo: Any = None
    ) -> None:
        for window in self.windows:
            window.invalidate("the overlay has been loaded again")
        self.windows = []
        self.design = design
        self.parts = {}
        self.wires = {path: Wire() for path in design.interrupt_pins}
        for path in design.interrupt_controllers:
            parameters = design.cells[path].parameters
            count = int(parameters["C_NUM_INTR_INPUTS"])
            edges = int(parameters["C_KIND_OF_INTR"], 0) & (1 << count) - 1
            self.parts[path] = Intc(edges, count, sie=parameters["C_HAS_SIE"] == "1")
            self.wires.setdefault(f"{path}/irq", self.parts[path].output)
        for path, controller in design.interrupt_controllers.items():
            if controller.parent:
                self.parts[controller.parent].inputs[controller.index] = self.parts[path].output
        for path, pin in design.interrupt_pins.items():
            if pin.controller and path.rpartition("/")[0] not in design.interrupt_controllers:
                self.parts[pin.controller].inputs[pin.index] = self.wires[path]
        self.lines = {}
        for controller in design.interrupt_controllers.values():
            if not controller.parent and controller.gic is not None:
                self.lines[controller.gic] = Line(self.parts[controller.path].output, False)
        for path, pin in design.interrupt_pins.items():
            if not pin.controller and pin.gic is not None and pin.gic not in self.lines:
                self.lines[pin.gic] = Line(self.wires[path], pin.sensitivity.startswith("EDGE"))
        for part in self.parts.values():
            part.connect()
        for path, cell in design.cells.items():
            kind = cell.vlnv.name if cell.vlnv else ""
            if kind == "axi_dma":
                introuts = (self.wire(f"{path}/mm2s_introut"), self.wire(f"{path}/s2mm_introut"))
                self.parts[path] = Dma(self.memory, self.base, introuts)
            elif kind == "axi_gpio":
                self.parts[path] = Gpio(self.wire(f"{path}/ip2intc_irpt"))
        if SOURCE in design.cells:
            self.parts[SOURCE] = Source([self.wires[f"{SOURCE}/{name}"] for name in PINS])

    def wire(self, path: str) -> Wire:
        return self.wires.setdefault(path, Wire())

    def map(self, base: int, length: int) -> Window:
        assert self.design is not None
        path = next((r.slave for r in self.design.ps_ranges if r.base <= base <= r.high), None)
        if path not in self.parts:
            raise BusError(f"nobody answers at 0x{base:x}")
        part, start = self.parts[path], next(r.base for r in self.design.ps_ranges if r.slave == path)

        def read(address: int, width: int) -> int:
            self.accesses.append((f"{path} r", address - start, 0))
            return int(part.read(address - start))

        def write(address: int, value: int, width: int) -> None:
            self.accesses.append((f"{path} w", address - start, value))
            part.write(address - start, value)

        window = Window.from_functions(read, write, base, length)
        self.windows.append(window)
        return window

    def interrupt_line(self, number: int) -> InterruptLine:
        return self.lines[number]

    def interrupt_probe(self, pin: str) -> Callable[[], tuple[int, int]] | None:
        wire = self.wires[pin]
        return (lambda: (wire.level, wire.edges)) if self.probing else None

    def explain(self, what: str) -> str:
        return self.reasons.get(what, "")

    def pin(self, index: int, direction: str) -> Pin:
        return Pin(self, index, direction)

    def clock_rate(self, index: int) -> float:
        return self.rates[index]

    def set_clock_rate(self, index: int, hertz: float) -> float:
        divisor = max(1, min(63 * 63, round(1e9 / hertz)))
        self.rates[index] = 1e9 / divisor
        return self.rates[index]


class Bench:
    """A device with the interrupt design, and its source."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.registers = device.map(SOURCE_BASE, 0x1000)
        self.bits = {name: 1 << bit for bit, name in enumerate(PINS)}
        self.levels = 0

    def raise_(self, name: str) -> None:
        self.levels |= self.bits[name]
        self.registers.write(LEVEL, self.levels)

    def clear(self, name: str) -> None:
        self.levels &= ~self.bits[name]
        self.registers.write(LEVEL, self.levels)

    def pulse(self, name: str) -> None:
        self.registers.write(PULSE, self.bits[name])


def description_of(device: Device, path: str) -> dict[str, Any]:
    """Return the entry of ``ip_dict`` of an IP."""
    assert device.design is not None
    design = device.design
    cell = design.cells[path]
    reach = next(reach for reach in design.ps_ranges if reach.slave == path)
    pins = {pin.port: {"fullpath": name} for name, pin in design.interrupt_pins.items() if pin.cell == path}
    return {
        "fullpath": path,
        "type": cell.type,
        "phys_addr": reach.base,
        "addr_range": reach.size,
        "parameters": dict(cell.parameters),
        "interrupts": pins,
        "gpio": {},
        "registers": {},
        "device": device,
    }
