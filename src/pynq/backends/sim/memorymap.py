"""The memory map of a plant: which master reaches what, where."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.backends.sim._engine import Component, Memory, Space
from pynq.backends.sim.passages import Passages
from pynq.backends.sim.plant import Plant
from pynq.design.model import Cell, CellKind, MemoryKind, MemoryRange
from pynq.design.partial import inside

__all__ = ["MemoryMap"]

_NOCS = ("axi_noc", "axi_noc2")
_BLOCK_RAMS = ("blk_mem_gen", "emb_mem_gen")


class MemoryMap:
    """Gives the masters of a plant their address spaces, all of them or what has to do with one region."""

    def __init__(self, plant: Plant, region: str = "") -> None:
        self._plant = plant
        self._design = plant.design
        self._region = region
        self._passages = Passages(plant.design)

    def _mine(self, path: str) -> bool:
        return not self._region or inside(path, self._region)

    def _program_ranges(self) -> tuple[MemoryRange, ...]:
        """What the program's accesses reach: by the PS, or through the design's own slave interfaces."""
        if self._design.ps:
            return self._design.ps_ranges
        return tuple(span for span in self._design.boundary_ranges if span.slave)

    def _leads_in(self, span: MemoryRange) -> bool:
        """Whether a range leads into the region, or through it."""
        return self._mine(span.slave) or any(map(self._mine, span.through))

    def _all_ranges(self) -> Iterator[MemoryRange]:
        yield from self._program_ranges()
        for cell in self._design.cells.values():
            if cell.path != self._design.ps and cell.kind is not CellKind.PROCESSOR:
                yield from cell.ranges

    def reached(self) -> dict[str, dict[str, int]]:
        """Return, for every cell that answers to a master, its slave interfaces and how many bytes
        they span.
        """
        found: dict[str, dict[str, int]] = {}
        for span in self._all_ranges():
            if span.slave and span.slave != self._design.ps:
                sizes = found.setdefault(span.slave, {})
                end = self._offset(span) + span.size
                sizes[span.slave_interface] = max(sizes.get(span.slave_interface, 0), end)
        return found

    def _offset(self, span: MemoryRange) -> int:
        cell = self._design.cells.get(span.slave)
        for block in cell.blocks if cell is not None else ():
            if block.name == span.block and block.interface == span.slave_interface:
                return block.offset
        return 0

    def is_memory(self, cell: Cell) -> bool:
        return cell.kind is CellKind.MEMORY_CONTROLLER or any(
            span.slave == cell.path and span.kind is MemoryKind.MEMORY for span in self._all_ranges()
        )

    def map(self) -> None:
        """Let masters reach what answers; those outside of the region, what is within."""
        for span in self._program_ranges():
            if self._leads_in(span):
                self._map(self._plant.ps, span, False)
        lowest = min((base for base, _, _ in self._plant.ps.ranges()), default=self._plant.ddr.size)
        if lowest and not self._region:  # Versal's PS has its DDR among the ranges
            self._plant.ps.map(0, min(self._plant.ddr.size, lowest) - 1, self._plant.ddr, name="DDR")
        for cell in self._design.cells.values():
            component = self._plant.components.get(cell.path)
            if component is None:
                continue
            masters = {name for name, kind in component.ports().items() if kind == "master"}
            for span in cell.ranges:
                if span.master_interface not in masters or not (
                    self._mine(cell.path) or self._leads_in(span)
                ):
                    continue
                key = (cell.path, span.master_interface)
                if key not in self._plant.spaces:
                    self._plant.spaces[key] = self._plant.engine.space("/".join(key))
                    component.space(span.master_interface, self._plant.spaces[key])
                self._map(self._plant.spaces[key], span, True)

    def map_to(self, stand_in: Component) -> None:
        """Let everything outside of the region that reaches into it find a stand-in there."""
        outside = [(self._plant.ps, span) for span in self._program_ranges()]
        for (path, interface), space in self._plant.spaces.items():
            cell = self._design.cells[path]
            outside += [(space, span) for span in cell.ranges if span.master_interface == interface]
        for space, span in outside:
            if self._leads_in(span):
                space.map(span.base, span.high, stand_in, name=span.slave, through=self._through(span))

    def _through(self, span: MemoryRange) -> list[Component]:
        """Return what stands on the way and may close it."""
        wires = [f"{region}/<straight>" for region in span.through]
        found = (self._plant.components.get(path) for path in (*self._passages.of(span), *wires))
        return [component for component in found if component is not None]

    def _map(self, space: Space, span: MemoryRange, from_pl: bool) -> None:
        target, offset, port = self._target(span, from_pl)
        if target is None:
            return
        high = span.high
        if isinstance(target, Memory):
            high = min(high, span.base + target.size - offset - 1)
            self._plant.reach.setdefault(span.base, (high, target, offset))
        space.map(
            span.base,
            high,
            target,
            offset=offset,
            port=port,
            name=span.slave or span.slave_interface,
            through=self._through(span),
        )

    def _target(self, span: MemoryRange, from_pl: bool) -> tuple[Memory | Component | None, int, str]:
        """Return what answers in a range, the place in it where the range begins, and its slave port."""
        slave = self._design.cells.get(span.slave)
        # Versal's DDR is behind the NoC; elsewhere it is a slave of the PS (HP0_DDR_LOW, ...).
        if slave is not None and (span.slave == self._design.ps or slave.type_name in _NOCS):
            if "DDR" not in span.block:
                return None, 0, ""  # the PS's own registers, on-chip memory, flash: not part of the PL
            if "LOW" in span.block or span.base < self._plant.ddr.size:
                # Addresses repeat beyond the DDR that is fitted: PYNQ's logictools sees it at 0x2000_0000.
                return self._plant.ddr, span.base % self._plant.ddr.size, ""
            return self._memory(f"{span.slave} at {span.base:#x}", span.size), 0, ""
        component = self._plant.components.get(span.slave)
        if component is not None and span.slave in self._plant.rtl:
            # Interconnects pass addresses on as they are: the module sees all the bits that it has pins for.
            known = component.ports().get(span.slave_interface) == "slave"
            return (component, span.base, span.slave_interface) if known else (None, 0, "")
        if component is not None:
            slaves = [name for name, kind in component.ports().items() if kind == "slave"]
            if not slaves:
                return None, 0, ""
            port = span.slave_interface if span.slave_interface in slaves and len(slaves) > 1 else ""
            return component, self._offset(span), port
        if slave is None:  # an interface on the boundary: something outside that keeps what is written
            return self._memory(span.slave_interface or "external", span.size), 0, ""
        return self._memory(self._store_of(slave), span.size), self._offset(span) if from_pl else 0, ""

    def _store_of(self, controller: Cell) -> str:
        """Return the name of the memory behind a controller: of its block RAM, which others may share,
        or its own.
        """
        ports = (port for port in controller.interfaces.values() if port.name.startswith("BRAM_PORT"))
        nets = {port.net for port in ports if port.net}
        for cell in self._design.cells.values():
            if cell.type_name in _BLOCK_RAMS and any(port.net in nets for port in cell.interfaces.values()):
                return cell.path
        return controller.path

    def _memory(self, name: str, size: int) -> Memory:
        memory = self._plant.memories.get(name)
        if memory is None:
            # Masters may see parts of different sizes: a memory is sparse, so the largest costs nothing.
            sizes = [span.size for span in self._all_ranges() if self._names(span) == name]
            largest = max(sizes, default=size)
            memory = self._plant.memories[name] = self._plant.engine.memory(name, max(size, largest))
        return memory

    def _names(self, span: MemoryRange) -> str:
        slave = self._design.cells.get(span.slave)
        return self._store_of(slave) if slave is not None else span.slave_interface or "external"
