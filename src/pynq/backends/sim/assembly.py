"""From a :class:`~pynq.design.model.Design` to a running engine: the only place that knows both.

Every cell of the design that has registers or streams becomes one component: a model bound to its type, a
native component of the engine, or a register file. Interconnects vanish into address spaces, logic into nets,
memories into memories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from pynq._native import Arena
from pynq.backends.sim._engine import (
    Clock,
    Component,
    Engine,
    Host,
    Irq,
    Link,
    Memory,
    Rtl,
    Space,
)
from pynq.backends.sim.model import Model, ModelRegistry
from pynq.backends.sim.nets import WIDEST, Nets, active_low, is_gate, number, parameter
from pynq.backends.sim.regfile import RegisterSpec, specs_of_cell, store
from pynq.backends.sim.rtl.attach import Built, attach
from pynq.design.model import (
    BusInterface,
    Cell,
    CellKind,
    Design,
    Endpoint,
    MemoryKind,
    MemoryRange,
    Port,
    Processor,
)
from pynq.design.partial import inside

__all__ = ["Assembly", "Plant", "assemble"]

DEFAULT_HERTZ = 100_000_000.0
LARGEST_BEAT = 512  # bytes; the engine's limit for a stream

_RESET_NAME = re.compile(r"(^|_)(a?resetn?|a?rst_?n?)(_|\d|$)", re.IGNORECASE)
_CLOCKS = ("ap_clk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk", "s_axis_aclk", "m_axis_aclk", "aclk", "s_axi_aclk")

#: Cells that a program never talks to as such, so that nobody misses their model.
_INFRASTRUCTURE = {
    "axi_interconnect", "smartconnect", "axi_protocol_converter", "axi_crossbar", "axi_clock_converter",
    "axi_dwidth_converter", "axi_register_slice", "axi_data_fifo", "axi_vip", "axi_noc", "axi_noc2",
    "axi_apb_bridge", "axi_ahblite_bridge", "axi_firewall", "proc_sys_reset", "clk_wiz", "clk_wizard",
    "util_ds_buf", "mdm", "lmb_v10", "lmb_bram_if_cntlr", "blk_mem_gen", "emb_mem_gen", "system_ila", "ila",
    "vio", "axis_ila", "jtag_axi", "debug_bridge", "axi_dbg_hub", "xlconcat", "xlslice", "xlconstant",
    "util_vector_logic", "util_reduced_logic", "axi4stream_vip", "axis_terminator",
}  # fmt: skip

_CONSTANTS = ("xlconstant", "ilconstant")
_NOCS = ("axi_noc", "axi_noc2")
_BLOCK_RAMS = ("blk_mem_gen", "emb_mem_gen")
_FIFOS = {
    "axis_data_fifo",
    "axis_register_slice",
    "axis_clock_converter",
    "axis_dwidth_converter",
    "axis_subset_converter",
}


class Plant:
    """One loaded design: the engine and what was made in it, by the names of the design."""

    def __init__(self, design: Design, engine: Engine, seed: int, ddr: Memory) -> None:
        self.design = design
        self.seed = seed
        self.engine = engine
        self.ddr = ddr
        self.nets = Nets(design, engine)
        self.ps = engine.space("PS", ps=True)
        self.clocks: dict[Endpoint | None, Clock] = {}
        self.derived: dict[Endpoint, tuple[Endpoint, float]] = {}  # clock made in the PL -> its source, ratio
        self.components: dict[str, Component] = {}
        self.models: dict[str, Model] = {}
        self.rtl: dict[str, Rtl] = {}  # cells that are the user's RTL
        self.aliases: dict[
            Endpoint, Endpoint
        ] = {}  # where wires within hierarchies that are one module are now
        self.memories: dict[str, Memory] = {}
        self.spaces: dict[tuple[str, str], Space] = {}
        self.links: dict[str, Link] = {}
        self.irqs: dict[int, Irq] = {}
        self.reach: dict[int, tuple[int, Memory, int]] = {}  # memory by base: last byte, memory, place in it
        self.unmodelled: list[str] = []
        self.limited: list[str] = []  # modelled in part, and what is missing
        self.arenas: dict[tuple[str, int], Arena] = {}  # of memories other than the PS's DDR, made on demand

    def hears_board(self, end: Endpoint) -> bool:
        """Return whether a pin of the board can change the level at an end of a wire, as things are set."""
        wiring, todo, seen = self.nets.wiring, [end], set()
        while todo:
            place = todo.pop()
            driver = place if wiring.drives(place) else wiring.driver(place)
            if driver is None or driver in seen:
                continue
            seen.add(driver)
            if driver.cell in self.design.regions:
                behind = wiring.behind(driver)
                todo += [] if behind is None else [behind]
                continue
            cell, port = self.design.cells.get(driver.cell), wiring.port(driver)
            if cell is None:
                if port is not None and port.kind not in ("clk", "rst"):
                    return True
            elif cell.path in self.rtl:
                ports = self.rtl[cell.path].ports()
                todo += [Endpoint(cell.path, name) for name in cell.ports if ports.get(name) == "in"]
            elif cell.path in self.models:
                todo += [Endpoint(cell.path, name) for name in self.models[cell.path].hears()]
            elif is_gate(cell):
                todo += [
                    Endpoint(cell.path, name) for name, one in cell.ports.items() if one.direction == "I"
                ]
        return False

    def clock_of_ps(self, index: int) -> Clock | None:
        """Return the domain of a PL clock of the PS; None for a clock that the design has not."""
        for clock in self.design.clocks:
            if clock.index == index and clock.cell == self.design.ps:
                return self._domain(Endpoint(clock.cell, clock.port))
        return None

    def clock_changed(self, source: Endpoint, hertz: float) -> None:
        """Let the clocks derived from one in the PL follow it."""
        for end, (parent, ratio) in self.derived.items():
            if parent == source:
                self.clocks[end].hertz = hertz * ratio
                self.clock_changed(end, hertz * ratio)

    def clock_of(self, cell: Cell) -> Clock:
        """Return the clock domain that a cell works in."""
        inputs = _clock_inputs(cell)
        for name in sorted(inputs, key=lambda name: _CLOCKS.index(name) if name in _CLOCKS else len(_CLOCKS)):
            driver = self.nets.wiring.driver(Endpoint(cell.path, name))
            if driver is not None:
                return self._domain(driver, inputs[name])
        return self.clock_of_ps(0) or self._domain(None)

    def domain_of(self, cell: Cell, port: str) -> Clock:
        """Return the clock domain at one clock input of a cell; that of the cell where nothing drives it."""
        driver = self.nets.wiring.driver(Endpoint(cell.path, port))
        return self.clock_of(cell) if driver is None else self._domain(driver, cell.ports[port])

    def _domain(self, driver: Endpoint | None, load: Port | None = None) -> Clock:
        if driver in self.clocks:
            return self.clocks[driver]
        if driver is None:
            self.clocks[None] = self.engine.clock("clock", DEFAULT_HERTZ)
            return self.clocks[None]
        port = self.nets.wiring.port(driver)
        hertz = (port.frequency if port else None) or (load.frequency if load else None) or DEFAULT_HERTZ
        for clock in self.design.clocks:
            if (clock.cell, clock.port) == tuple(driver) and clock.frequency:
                hertz = clock.frequency
        made = self.engine.clock(f"{driver.cell}/{driver.port}" if driver.cell else driver.port, float(hertz))
        self.clocks[driver] = made
        cell = self.design.cells.get(driver.cell)
        if cell is not None and cell.path != self.design.ps:
            for name, source in _clock_inputs(cell).items():
                above = self.nets.wiring.driver(Endpoint(cell.path, name))
                if above is not None and above != driver:
                    parent = self._domain(above, source)
                    if parent.hertz:
                        self.derived[driver] = (above, float(hertz) / parent.hertz)
                    break
        return made


def assemble(
    design: Design,
    engine: Engine,
    ddr: Memory,
    registry: ModelRegistry,
    chosen: Mapping[str, type[Model]] | None = None,
    seed: int = 0,
    rtl: Mapping[str, Built] | None = None,
) -> Plant:
    """Build the whole PL in an empty engine.

    ``rtl``: cells that are RTL, by path; ``chosen`` gives models to cells by path. Both come before the
    models bound by type.
    """
    plant = Plant(design, engine, seed, ddr)
    assembly = Assembly(plant, registry, chosen or {}, rtl=rtl)
    assembly.create()
    assembly.connect()
    assembly.interrupts()
    engine.elaborate()
    plant.nets.loaded = True
    assembly.begin()
    return plant


class Assembly:
    """Builds the components of a plant's design, all of them or those within one region.

    The steps are methods, so that a region's contents can be made ready beside the running rest, and be
    connected later: :meth:`create`, then :meth:`map`, then :meth:`connect`, then :meth:`begin`.
    """

    def __init__(
        self,
        plant: Plant,
        registry: ModelRegistry,
        chosen: Mapping[str, type[Model]],
        region: str = "",
        rtl: Mapping[str, Built] | None = None,
    ) -> None:
        self.plant = plant
        self.design = plant.design
        self.engine = plant.engine
        self.nets = plant.nets
        self.ddr = plant.ddr
        self.registry = registry
        self.chosen = chosen
        self.region = region
        self.rtl = rtl or {}
        self.cells = {path: cell for path, cell in self.design.cells.items() if self._mine(path)}
        self._streams = self._stream_nets()

    def _mine(self, path: str) -> bool:
        return not self.region or inside(path, self.region)

    def create(self) -> None:
        """Make the components and models; nothing is connected yet."""
        reached = self._reached()
        model_of: dict[str, type[Model]] = {}
        for path, cell in self.cells.items():
            if path in self.rtl:
                continue  # also where a model is bound to its type
            model = self.chosen.get(path) or self.registry.find(cell.vlnv, cell.type)
            if model is not None and model.applies(cell):
                model_of[path] = model
                for port, value in model.initial(cell).items():
                    self.nets.initial[Endpoint(path, port)] = value
        builders: dict[str, Callable[[Cell], Component]] = {
            "axi_dma": self._dma,
            "axis_broadcaster": self._broadcaster,
            **dict.fromkeys(_FIFOS, self._fifo),
        }
        for path, cell in self.cells.items():
            if cell.kind is CellKind.PROCESSOR or path == self.design.ps:
                continue
            slaves = reached.get(path, {})
            name = _type_name(cell)
            if path in self.rtl:
                if not self.region:
                    self._module(path)
            elif path in model_of:
                self._model(cell, model_of[path], slaves)
            elif name in builders and (cell.vlnv is None or cell.vlnv.vendor == "xilinx.com"):
                self._native(cell, builders[name](cell))
            elif self._is_memory(cell):
                continue
            elif slaves or (self._sides(cell) and name not in _INFRASTRUCTURE):
                self._register_file(cell, slaves)

    def _module(self, path: str) -> None:
        component = attach(self.plant, self.rtl[path], self._streams)
        self.plant.components[path] = self.plant.rtl[path] = component

    def create_rtl(self) -> None:
        """Make what is RTL within a region; not before it is connected, since it runs from then on."""
        for path in self.cells:
            if path in self.rtl:
                self._module(path)

    def connect(self) -> None:
        """Give the components their addresses, streams and wires."""
        self.map()
        self._connect_streams()
        self._connect_wires()

    def begin(self) -> None:
        """Start the models."""
        for path, built in self.plant.models.items():
            if path in self.cells:
                built._begin()

    # -- what there is ---------------------------------------------------------------------------------
    def _all_ranges(self) -> Iterator[MemoryRange]:
        yield from self.design.ps_ranges
        for cell in self.design.cells.values():
            if cell.path != self.design.ps and cell.kind is not CellKind.PROCESSOR:
                yield from cell.ranges

    def _reached(self) -> dict[str, dict[str, int]]:
        """Return, for every cell that answers to a master, its slave interfaces and how many bytes
        they span.
        """
        found: dict[str, dict[str, int]] = {}
        for span in self._all_ranges():
            if span.slave and span.slave != self.design.ps:
                sizes = found.setdefault(span.slave, {})
                end = self._offset(span) + span.size
                sizes[span.slave_interface] = max(sizes.get(span.slave_interface, 0), end)
        return found

    def _offset(self, span: MemoryRange) -> int:
        cell = self.design.cells.get(span.slave)
        for block in cell.blocks if cell is not None else ():
            if block.name == span.block and block.interface == span.slave_interface:
                return block.offset
        return 0

    def _is_memory(self, cell: Cell) -> bool:
        return cell.kind is CellKind.MEMORY_CONTROLLER or any(
            span.slave == cell.path and span.kind is MemoryKind.MEMORY for span in self._all_ranges()
        )

    def _stream_nets(self) -> dict[str, list[tuple[Cell, BusInterface]]]:
        found: dict[str, list[tuple[Cell, BusInterface]]] = {}
        for cell in self.design.cells.values():
            for interface in cell.interfaces.values():
                if interface.protocol == "AXIS" and interface.net and interface.role != "MONITOR":
                    found.setdefault(interface.net, []).append((cell, interface))
        return {net: ends for net, ends in found.items() if {True, False} == set(map(_sends, ends))}

    def _sides(self, cell: Cell) -> dict[str, tuple[bool, int]]:
        """Return the connected streams of a cell: name -> (sends, bytes a beat)."""
        return {
            interface.name: (_sends((cell, interface)), self._beat(interface.net))
            for interface in cell.interfaces.values()
            if interface.net in self._streams and interface.protocol == "AXIS" and interface.role != "MONITOR"
        }

    def _beat(self, net: str) -> int:
        """Return the bytes a beat of a stream: as its source says, or where that says nothing, its sinks."""
        ends = self._streams[net]
        if net in self.plant.links:
            return self.plant.links[net].width
        for cell, interface in sorted(ends, key=_sends, reverse=True):
            width = number(interface.parameters.get("TDATA_NUM_BYTES", ""))
            if not width:
                port = cell.ports.get(interface.port_map.get("TDATA", ""))
                width = port.width // 8 if port is not None else 0
            if width:
                return min(width, LARGEST_BEAT)
        return 1

    # -- components ------------------------------------------------------------------------------------
    def _native(self, cell: Cell, component: Component) -> None:
        self.plant.components[cell.path] = component

    def _dma(self, cell: Cell) -> Component:
        def value(name: str, default: int) -> int:
            return number(parameter(cell, f"C_{name}", name), default)

        gathers = bool(value("INCLUDE_SG", 1))
        if gathers:
            self.plant.limited.append(f"{cell.path} ({cell.type}): its scatter-gather mode does nothing")
        return self.engine.dma(
            cell.path,
            self.plant.clock_of(cell),
            mm2s=bool(value("INCLUDE_MM2S", 1)),
            s2mm=bool(value("INCLUDE_S2MM", 1)),
            length_bits=value("SG_LENGTH_WIDTH", 14),
            address_bits=value("ADDR_WIDTH", value("M_AXI_MM2S_ADDR_WIDTH", 32)),
            mm2s_dre=bool(value("INCLUDE_MM2S_DRE", 0)),
            s2mm_dre=bool(value("INCLUDE_S2MM_DRE", 0)),
            mm2s_memory_width=value("M_AXI_MM2S_DATA_WIDTH", 32) // 8,
            s2mm_memory_width=value("M_AXI_S2MM_DATA_WIDTH", 32) // 8,
            scatter_gather=gathers,
            micro=bool(value("MICRO_DMA", 0)),
        )

    def _fifo(self, cell: Cell) -> Component:
        depth = (
            number(parameter(cell, "C_FIFO_DEPTH", "FIFO_DEPTH"), 512)
            if _type_name(cell) == "axis_data_fifo"
            else 0
        )
        packet = parameter(cell, "C_FIFO_MODE", "FIFO_MODE") == "2"
        return self.engine.fifo(
            cell.path,
            self.plant.clock_of(cell),
            depth=depth,
            packet=packet,
            output_clock=self.plant.domain_of(cell, "m_axis_aclk") if "m_axis_aclk" in cell.ports else None,
        )

    def _broadcaster(self, cell: Cell) -> Component:
        outputs = number(parameter(cell, "C_NUM_MI_SLOTS", "NUM_MI"), 2)
        return self.engine.broadcaster(cell.path, self.plant.clock_of(cell), outputs)

    def _host(self, cell: Cell, slaves: Mapping[str, int], kind: str) -> Host:
        host = self.engine.host(cell.path, self.plant.clock_of(cell), kind=kind)
        self.plant.components[cell.path] = host
        for name, size in slaves.items():
            interface = cell.interfaces.get(name)
            wide = interface is not None and (interface.data_width or 32) >= 64
            host.add_slave(name, width=8 if wide else 4, range=size)
        for name, (sends, _) in self._sides(cell).items():
            (host.add_source if sends else host.add_sink)(name)
        return host

    def _register_file(self, cell: Cell, slaves: Mapping[str, int]) -> None:
        host = self._host(cell, slaves, "register file")
        specs = store(host, specs_of_cell(cell), slaves)
        streams = self._sides(cell)
        kind = cell.type or cell.module_type or "no type"
        host.on_explain(lambda channel: f"{cell.path} ({kind}) has no model: it takes and gives nothing")
        if (specs or streams) and _type_name(cell) not in _INFRASTRUCTURE:
            self.plant.unmodelled.append(f"{cell.path} ({kind})")

    def _model(self, cell: Cell, kind: type[Model], slaves: Mapping[str, int]) -> None:
        model = kind()
        # Where no master reaches it (a design without PS), the model still has its registers.
        slaves = slaves or {block.interface: block.range for block in cell.blocks} or {"": 0}
        host = self._host(cell, slaves, kind.__name__)
        sides = self._sides(cell)
        masters = sorted({span.master_interface for span in cell.ranges})
        for name in masters:
            interface = cell.interfaces.get(name)
            width = (interface.data_width or 32) // 8 if interface is not None else 4
            host.add_master(name, width=max(1, width))
        inputs, outputs = self._pins(cell, kind.handles_reset)
        initial = kind.initial(cell)
        for name, bits in inputs.items():
            host.add_input(name, bits, model._input_hook(name))
        for name, bits in outputs.items():
            host.add_output(name, bits, initial.get(name, 0))
        specs: list[RegisterSpec] = store(host, [*kind.specs(cell), *specs_of_cell(cell)], slaves)
        model._attach(
            self.engine,
            host,
            self.plant.clock_of(cell),
            cell,
            specs,
            {name: beat for name, (sends, beat) in sides.items() if not sends},
            {name: beat for name, (sends, beat) in sides.items() if sends},
            masters,
            inputs,
            outputs,
            self.plant.seed,
        )
        self.plant.models[cell.path] = model

    def _pins(self, cell: Cell, with_resets: bool) -> tuple[dict[str, int], dict[str, int]]:
        """Return the wires of a cell that a model sees, inputs and outputs: not those of buses, clocks
        and resets.
        """
        buses = {
            port
            for interface in cell.interfaces.values()
            if interface.protocol or interface.name.startswith("BRAM_PORT")
            for port in interface.port_map.values()
        }
        inputs: dict[str, int] = {}
        outputs: dict[str, int] = {}
        for name, port in cell.ports.items():
            if name in buses or port.width > WIDEST or port.kind == "clk":
                continue
            if port.direction == "O":
                outputs[name] = port.width
            elif port.direction == "I" and (with_resets or not _is_reset(name, port)):
                inputs[name] = port.width
        return inputs, outputs

    # -- memory ----------------------------------------------------------------------------------------
    def map(self) -> None:
        """Let masters reach what answers; those outside of the region, what is within."""
        for span in self.design.ps_ranges:
            if self._mine(span.slave):
                self._map(self.plant.ps, span, False)
        lowest = min((base for base, _, _ in self.plant.ps.ranges()), default=self.ddr.size)
        if lowest and not self.region:  # Versal's PS has its DDR among the ranges
            self.plant.ps.map(0, min(self.ddr.size, lowest) - 1, self.ddr, name="DDR")
        for cell in self.design.cells.values():
            component = self.plant.components.get(cell.path)
            if component is None:
                continue
            masters = {name for name, kind in component.ports().items() if kind == "master"}
            for span in cell.ranges:
                if span.master_interface not in masters or not (
                    self._mine(cell.path) or self._mine(span.slave)
                ):
                    continue
                key = (cell.path, span.master_interface)
                if key not in self.plant.spaces:
                    self.plant.spaces[key] = self.engine.space("/".join(key))
                    component.space(span.master_interface, self.plant.spaces[key])
                self._map(self.plant.spaces[key], span, True)

    def map_to(self, stand_in: Component) -> None:
        """Let everything outside of the region that reaches into it find a stand-in there."""
        outside = [(self.plant.ps, span) for span in self.design.ps_ranges]
        for (path, interface), space in self.plant.spaces.items():
            cell = self.design.cells[path]
            outside += [(space, span) for span in cell.ranges if span.master_interface == interface]
        for space, span in outside:
            if self._mine(span.slave):
                space.map(span.base, span.high, stand_in, name=span.slave)

    def _map(self, space: Space, span: MemoryRange, from_pl: bool) -> None:
        target, offset, port = self._target(span, from_pl)
        if target is None:
            return
        high = span.high
        if isinstance(target, Memory):
            high = min(high, span.base + target.size - offset - 1)
            self.plant.reach.setdefault(span.base, (high, target, offset))
        space.map(span.base, high, target, offset=offset, port=port, name=span.slave or span.slave_interface)

    def _target(self, span: MemoryRange, from_pl: bool) -> tuple[Memory | Component | None, int, str]:
        """Return what answers in a range, the place in it where the range begins, and its slave port."""
        slave = self.design.cells.get(span.slave)
        # Versal's DDR is behind the NoC; elsewhere it is a slave of the PS (HP0_DDR_LOW, ...).
        if slave is not None and (span.slave == self.design.ps or _type_name(slave) in _NOCS):
            if "DDR" not in span.block:
                return None, 0, ""  # the PS's own registers, on-chip memory, flash: not part of the PL
            if "LOW" in span.block or span.base < self.ddr.size:
                # Addresses repeat beyond the DDR that is fitted: PYNQ's logictools sees it at 0x2000_0000.
                return self.ddr, span.base % self.ddr.size, ""
            return self._memory(f"{span.slave} at {span.base:#x}", span.size), 0, ""
        component = self.plant.components.get(span.slave)
        if component is not None and span.slave in self.plant.rtl:
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
        for cell in self.design.cells.values():
            if _type_name(cell) in _BLOCK_RAMS and any(port.net in nets for port in cell.interfaces.values()):
                return cell.path
        return controller.path

    def _memory(self, name: str, size: int) -> Memory:
        memory = self.plant.memories.get(name)
        if memory is None:
            # Masters may see parts of different sizes: a memory is sparse, so the largest costs nothing.
            sizes = [span.size for span in self._all_ranges() if self._names(span) == name]
            largest = max(sizes, default=size)
            memory = self.plant.memories[name] = self.engine.memory(name, max(size, largest))
        return memory

    def _names(self, span: MemoryRange) -> str:
        slave = self.design.cells.get(span.slave)
        return self._store_of(slave) if slave is not None else span.slave_interface or "external"

    # -- streams ---------------------------------------------------------------------------------------
    def _connect_streams(self) -> None:
        for net, ends in self._streams.items():
            link = self.plant.links.get(net)
            new = link is None
            if link is None:
                if not any(self._mine(cell.path) for cell, _ in ends):
                    continue
                link = self.plant.links[net] = self.engine.link(net, self._beat(net))
            taken: set[bool] = set()
            for cell, interface in ends:
                if not new and not self._mine(cell.path):
                    continue
                component = self.plant.components.get(cell.path)
                side = _sends((cell, interface))
                if component is not None and side not in taken and interface.name in component.ports():
                    component.stream(interface.name, link)
                    taken.add(side)

    # -- wires -----------------------------------------------------------------------------------------
    def _connect_wires(self) -> None:
        for path, component in self.plant.components.items():
            if path not in self.cells:
                continue
            cell = self.cells[path]
            known = component.ports()
            pins = self.rtl[path].names if path in self.rtl else {}
            for name, port in cell.ports.items():
                ours = pins.get(name, name)
                if known.get(ours) == "out":
                    net = self.nets.of(Endpoint(path, name))
                    if net is not None:
                        component.wire(ours, net)
                elif known.get(ours) == "in":
                    net = self.nets.into(Endpoint(path, name))
                    if net is not None:
                        component.wire(ours, net)
                        if path in self.plant.models:
                            self.plant.models[path]._driven.add(name)
                elif port.direction == "I" and _is_reset(name, port) and path not in self.rtl:
                    driver = self.nets.wiring.driver(Endpoint(path, name))
                    # A reset tied to a level resets a part that is not used, or nothing.
                    tied = driver is None or _type_name_of(self.design, driver.cell) in _CONSTANTS
                    net = None if driver is None or tied else self.nets.of(driver)
                    if net is not None:
                        component.reset_by(net, active_low=active_low(name, port))
        for name, port in self.design.ports.items():  # what the board sees
            if port.direction == "O":
                self.nets.into(Endpoint("", name))
            elif port.kind != "clk":
                self.nets.of(Endpoint("", name))
        for pin in self.design.interrupt_pins.values():
            self.nets.of(Endpoint(pin.cell, pin.port))

    def interrupts(self) -> None:
        """Make the interrupt inputs of the PS."""
        ps = self.design.cells.get(self.design.ps)
        if ps is None:
            return
        edges = {
            pin.gic: "EDGE" in pin.sensitivity
            for pin in self.design.interrupt_pins.values()
            if pin.gic is not None and not pin.controller
        }
        for name, port in ps.ports.items():
            numbers = interrupt_numbers(self.design.processor, ps, name, port)
            if not numbers or port.direction != "I":
                continue
            net = self.nets.into(Endpoint(ps.path, name))
            if net is None:
                continue
            for bit, gic in enumerate(numbers):
                if bit < net.width and gic not in self.plant.irqs:
                    self.plant.irqs[gic] = self.engine.irq(gic, net, bit=bit, edge=edges.get(gic, False))


def interrupt_numbers(family: Processor | None, ps: Cell, name: str, port: Port) -> list[int]:
    """Return the GIC numbers of an interrupt input of the PS, bit by bit; none for other ports.

    Zynq-7000: UG585 table 7-4 (IRQ_F2P[7:0] is 61 to 68, [15:8] is 84 to 91; in reverse mode the vector lies
    at the upper end). Zynq UltraScale+: PG201 "Interrupt Map". Versal: AM011 "System Interrupts".
    """
    if family is Processor.ZYNQ and name == "IRQ_F2P":
        numbers = [*range(61, 69), *range(84, 92)]
        if parameter(ps, "PCW_IRQ_F2P_MODE", "C_IRQ_F2P_MODE") == "REVERSE" and port.width <= len(numbers):
            return numbers[len(numbers) - port.width :]
        return numbers[: port.width]
    if family is Processor.ZYNQMP and name in ("pl_ps_irq0", "pl_ps_irq1"):
        first = 121 if name == "pl_ps_irq0" else 136
        return list(range(first, first + min(port.width, 8)))
    if family is Processor.VERSAL and (match := re.fullmatch(r"pl_(ps|lpd|fpd)_irq(\d+)", name)):
        return [{"ps": 116, "lpd": 136, "fpd": 175}[match[1]] + int(match[2])]
    return []


def _clock_inputs(cell: Cell) -> dict[str, Port]:
    return {name: port for name, port in cell.ports.items() if port.kind == "clk" and port.direction == "I"}


def _type_name_of(design: Design, path: str) -> str:
    cell = design.cells.get(path)
    return _type_name(cell) if cell is not None else ""


def _type_name(cell: Cell) -> str:
    return cell.vlnv.name if cell.vlnv else cell.module_type


def _sends(end: tuple[Cell, BusInterface]) -> bool:
    return end[1].role in ("INITIATOR", "MASTER")


def _is_reset(name: str, port: Port) -> bool:
    return port.kind == "rst" or (port.kind in ("", "undef") and bool(_RESET_NAME.search(name)))
