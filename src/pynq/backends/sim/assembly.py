"""From a :class:`~pynq.design.model.Design` to a running engine: the only place that knows both.

Every cell of the design that has registers or streams becomes one component: a model bound to its type, a
native component of the engine, or a register file. Interconnects vanish into address spaces, logic into nets,
memories into memories.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pynq.backends.sim._engine import Component, Engine, Host, Memory
from pynq.backends.sim.memorymap import MemoryMap
from pynq.backends.sim.model import Model, ModelRegistry
from pynq.backends.sim.nets import WIDEST, active_low, number, parameter
from pynq.backends.sim.plant import Plant
from pynq.backends.sim.regfile import RegisterSpec, specs_of_cell, store
from pynq.backends.sim.rtl.buses import sends
from pynq.backends.sim.rtl.prepared import Built
from pynq.design.kinds import is_constant
from pynq.design.model import BusInterface, Cell, CellKind, Design, Endpoint, Port, Processor
from pynq.design.partial import inside, straight

__all__ = ["NATIVE", "Assembly", "assemble", "behaves"]

LARGEST_BEAT = 512  # bytes; the engine's limit for a stream

_RESET_NAME = re.compile(r"(^|_)(a?resetn?|a?rst_?n?)(_|\d|$)", re.IGNORECASE)

#: Cells that a program never talks to as such, so that nobody misses their model.
_INFRASTRUCTURE = {
    "axi_interconnect", "smartconnect", "axi_protocol_converter", "axi_crossbar", "axi_clock_converter",
    "axi_dwidth_converter", "axi_register_slice", "axi_data_fifo", "axi_vip", "axi_noc", "axi_noc2",
    "axi_apb_bridge", "axi_ahblite_bridge", "axi_firewall", "proc_sys_reset", "clk_wiz", "clk_wizard",
    "util_ds_buf", "mdm", "lmb_v10", "lmb_bram_if_cntlr", "blk_mem_gen", "emb_mem_gen", "system_ila", "ila",
    "vio", "axis_ila", "jtag_axi", "debug_bridge", "axi_dbg_hub", "xlconcat", "xlslice", "xlconstant",
    "util_vector_logic", "util_reduced_logic", "axi4stream_vip", "axis_terminator",
}  # fmt: skip

_FIFOS = {
    "axis_data_fifo",
    "axis_register_slice",
    "axis_clock_converter",
    "axis_dwidth_converter",
    "axis_subset_converter",
}
#: Types that the engine itself has a component for, where no model is bound to them.
NATIVE = frozenset({"axi_dma", "axis_broadcaster", *_FIFOS})


def behaves(cell: Cell, registry: ModelRegistry) -> bool:
    """Say whether the simulated board does for a cell what it does on a board, without RTL: by a model, by a
    component of the engine, or because a program does not see the difference.
    """
    model = registry.find(cell.vlnv, cell.type)
    if model is not None and model.applies(cell):
        return True
    if cell.type_name in NATIVE:
        return cell.vlnv is None or cell.vlnv.vendor == "xilinx.com"
    return cell.type_name in _INFRASTRUCTURE


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
    connected later: :meth:`create`, then :meth:`connect`, then :meth:`begin`.
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
        self.registry = registry
        self.chosen = chosen
        self.region = region
        self.rtl = rtl or {}
        self.cells = {path: cell for path, cell in self.design.cells.items() if self._mine(path)}
        self.memory_map = MemoryMap(plant, region)
        self._streams = self._stream_nets()

    def _mine(self, path: str) -> bool:
        return not self.region or inside(path, self.region)

    def create(self) -> None:
        """Make the components and models; nothing is connected yet."""
        reached = self.memory_map.reached()
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
        if self.region and straight(self.design, self.region):
            self._straight()
        for path, cell in self.cells.items():
            if cell.kind is CellKind.PROCESSOR or path == self.design.ps:
                continue
            slaves = reached.get(path, {})
            name = cell.type_name
            if path in self.rtl:
                if not self.region:
                    self._module(path)
            elif path in model_of:
                self._model(cell, model_of[path], slaves)
            elif name in builders and (cell.vlnv is None or cell.vlnv.vendor == "xilinx.com"):
                self._native(cell, builders[name](cell))
            elif self.memory_map.is_memory(cell):
                continue
            elif slaves or (self._sides(cell) and name not in _INFRASTRUCTURE):
                self._register_file(cell, slaves)

    def _straight(self) -> None:
        """Make what leads buses straight through the region: streams, and what others find on their way."""
        region = self.region
        clock = self.plant.clock_of(self.design.regions[region])
        host = self.engine.host(f"{region}/<straight>", clock, kind="wires")
        self.plant.components[host.name] = host
        for enters, leaves in straight(self.design, region):
            if enters.protocol == "AXIS":
                host.add_sink(enters.name)
                host.add_source(leaves.name)

    def _connect_straight(self) -> None:
        host = self.plant.components.get(f"{self.region}/<straight>")
        if not self.region or not isinstance(host, Host):
            return
        for enters, leaves in straight(self.design, self.region):
            links = self.plant.links.get(enters.net), self.plant.links.get(leaves.net)
            if enters.protocol == "AXIS" and links[0] is not None and links[1] is not None:
                host.stream(enters.name, links[0])
                host.stream(leaves.name, links[1])
                host.route(leaves.name, enters.name)

    def _module(self, path: str) -> None:
        from pynq.backends.sim.rtl.attach import attach  # only where there is RTL: see `prepared`

        component = attach(self.plant, self.rtl[path], self._streams)
        self.plant.components[path] = self.plant.rtl[path] = component

    def create_rtl(self) -> None:
        """Make what is RTL within a region; not before it is connected, since it runs from then on."""
        for path in self.cells:
            if path in self.rtl:
                self._module(path)

    def connect(self) -> None:
        """Give the components their addresses, streams and wires."""
        self.memory_map.map()
        self._connect_streams()
        self._connect_straight()
        self._connect_wires()

    def begin(self) -> None:
        """Start the models."""
        for path, built in self.plant.models.items():
            if path in self.cells:
                built._begin()

    # -- what there is ---------------------------------------------------------------------------------
    def _stream_nets(self) -> dict[str, list[tuple[Cell, BusInterface]]]:
        found: dict[str, list[tuple[Cell, BusInterface]]] = {}
        for cell in self.design.cells.values():
            for interface in cell.interfaces.values():
                if interface.protocol == "AXIS" and interface.net and interface.role != "MONITOR":
                    found.setdefault(interface.net, []).append((cell, interface))
        return {
            net: ends
            for net, ends in found.items()
            if {True, False} == {sends(interface) for _, interface in ends}
        }

    def _sides(self, cell: Cell) -> dict[str, tuple[bool, int]]:
        """Return the connected streams of a cell: name -> (sends, bytes a beat)."""
        return {
            interface.name: (sends(interface), self._beat(interface.net))
            for interface in cell.interfaces.values()
            if interface.net in self._streams and interface.protocol == "AXIS" and interface.role != "MONITOR"
        }

    def _beat(self, net: str) -> int:
        """Return the bytes a beat of a stream: as its source says, or where that says nothing, its sinks."""
        ends = self._streams[net]
        if net in self.plant.links:
            return self.plant.links[net].width
        for cell, interface in sorted(ends, key=lambda end: sends(end[1]), reverse=True):
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
            if cell.type_name == "axis_data_fifo"
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
        for name, (out, _) in self._sides(cell).items():
            (host.add_source if out else host.add_sink)(name)
        return host

    def _register_file(self, cell: Cell, slaves: Mapping[str, int]) -> None:
        host = self._host(cell, slaves, "register file")
        specs = store(host, specs_of_cell(cell), slaves)
        kind = cell.type or cell.module_type or "no type"
        if cell.kind is CellKind.BLOCK_CONTAINER and not specs:
            why = f"region {cell.path} holds nothing that is described: load a partial bitstream into it"
            host.refusal = why
            host.on_explain(lambda channel: why)
            return
        host.on_explain(lambda channel: f"{cell.path} ({kind}) has no model: it takes and gives nothing")
        if cell.type_name not in _INFRASTRUCTURE:
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
            {name: beat for name, (out, beat) in sides.items() if not out},
            {name: beat for name, (out, beat) in sides.items() if out},
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
                side = sends(interface)
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
                    source = None if driver is None else self.design.cells.get(driver.cell)
                    tied = driver is None or (source is not None and is_constant(source))
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


def _is_reset(name: str, port: Port) -> bool:
    return port.kind == "rst" or (port.kind in ("", "undef") and bool(_RESET_NAME.search(name)))
