"""The block-design script of an example: what its user would have done in Vivado, from its description."""

from __future__ import annotations

from collections.abc import Mapping

from .bdscript import Script, ScriptBus, ScriptCell, ScriptNet, ScriptPort, ScriptSegment
from .blockdesign import BlockDesign, Bus, Cell, Pin

__all__ = ["script"]

# The parameters of the vendor's IP that a user sets, with the defaults of their product guides: scripts have
# those that differ. What the tool finds out for itself (widths of streams, number of interrupts) isn't here.
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "axi_dma": {
        "c_include_sg": "1",
        "c_sg_include_stscntrl_strm": "1",
        "c_sg_length_width": "14",
        "c_include_mm2s": "1",
        "c_include_s2mm": "1",
        "c_include_mm2s_dre": "0",
        "c_include_s2mm_dre": "0",
        "c_m_axi_mm2s_data_width": "32",
        "c_m_axi_s2mm_data_width": "32",
        "c_m_axis_mm2s_tdata_width": "32",
        "c_addr_width": "32",
    },
    "axi_gpio": {
        "C_GPIO_WIDTH": "32",
        "C_ALL_INPUTS": "0",
        "C_ALL_OUTPUTS": "0",
        "C_IS_DUAL": "0",
        "C_INTERRUPT_PRESENT": "0",
        "C_DOUT_DEFAULT": "0x00000000",
        "C_TRI_DEFAULT": "0xFFFFFFFF",
    },
    "axi_intc": {"C_IRQ_CONNECTION": "0"},
    "axi_interconnect": {"NUM_SI": "1", "NUM_MI": "2"},
    "axis_data_fifo": {"FIFO_DEPTH": "512"},
    "smartconnect": {"NUM_SI": "1", "NUM_MI": "1"},
    "xlconcat": {"NUM_PORTS": "2"},
}
_SPACES = {"processing_system7": "Data", "zynq_ultra_ps_e": "Data"}
_DMA_SPACES = {"M_AXI_MM2S": "Data_MM2S", "M_AXI_S2MM": "Data_S2MM", "M_AXI_SG": "Data_SG"}
# The address editor has names of its own for the slave interfaces of the UltraScale+ PS.
_PS8_SLAVES = {"S_AXI_HPC0_FPD": "SAXIGP0", "S_AXI_HP0_FPD": "SAXIGP2", "S_AXI_HP2_FPD": "SAXIGP4"}
_KINDS = {"clk": "clk", "rst": "rst", "INTERRUPT": "intr"}


def script(design: BlockDesign) -> Script:
    """Return the script that makes a design."""
    instances = {cell.instance: cell.path for cell in design.cells.values()}
    segments = [
        ScriptSegment(
            f"{cell.path}/{_space(cell, one.master_bus)}",
            f"{instances[one.slave]}/{_slave(design.cells[instances[one.slave]], one.slave_bus)}/{one.block}",
            one.base,
            one.high - one.base + 1,
        )
        for cell in design.cells.values()
        for one in cell.ranges
    ]
    return Script(
        design.name,
        _part(design.system),
        design.system["BOARD"],
        design.vivado,
        [_cell(cell) for cell in design.cells.values()],
        [ScriptPort(bus.name, _mode(bus), _kind_of(design, bus)) for bus in design.external_buses],
        _nets(design, instances),
        _buses(design),
        segments,
    )


def _part(system: Mapping[str, str]) -> str:
    device, package, grade = system["DEVICE"], system["PACKAGE"], system["SPEEDGRADE"]
    return f"{device}-{package}{grade}-e" if device.startswith("xc") else f"xc{device}{package}{grade}"


def _cell(cell: Cell) -> ScriptCell:
    if not cell.vlnv:  # a region for partial reconfiguration: its contents are a design of their own
        return ScriptCell(cell.path, cell.path.rpartition("/")[2], {}, "container")
    return ScriptCell(cell.path, cell.vlnv, _settings(cell))


def _name(cell: Cell) -> str:
    return cell.vlnv.split(":")[2] if cell.vlnv else ""


def _settings(cell: Cell) -> dict[str, str]:
    name = _name(cell)
    if name in ("processing_system7", "zynq_ultra_ps_e"):
        return {key: value for key, value in cell.parameters.items() if key.startswith(("PCW_", "PSU_"))}
    found = {key.lower(): value for key, value in cell.parameters.items()}
    usual = _SETTINGS.get(name, {})
    return {key: found[key.lower()] for key in usual if found.get(key.lower(), usual[key]) != usual[key]}


def _space(cell: Cell, bus: str) -> str:
    return _SPACES.get(_name(cell)) or _DMA_SPACES.get(bus) or f"Data_{bus}"


def _slave(cell: Cell, bus: str) -> str:
    return _PS8_SLAVES.get(bus, bus) if "zynq_ultra_ps_e" in cell.vlnv else bus


def _mode(bus: Bus) -> str:
    return "Master" if bus.role in ("MASTER", "INITIATOR") else "Slave"


def _rtl(vlnv: str) -> str:
    vendor, library, name, version = vlnv.split(":")
    return f"{vendor}:{library}:{name}_rtl:{version}"


def _kind_of(design: BlockDesign, bus: Bus) -> str:
    """The type of an interface of the design: that of the cell's it shows."""
    for cell in design.cells.values():
        for one in cell.buses:
            if one.net == bus.net:
                return _rtl(one.vlnv)
    raise ValueError(f"nothing is at the interface {bus.name}")


def _buses(design: BlockDesign) -> list[ScriptBus]:
    found: dict[str, list[tuple[int, str, Bus]]] = {}
    for cell in design.cells.values():
        for bus in cell.buses:
            found.setdefault(bus.net, []).append((bus.role not in ("MASTER", "INITIATOR"), cell.path, bus))
    for bus in design.external_buses:
        found[bus.net].append((2, "", bus))
    return [
        ScriptBus(
            [(path, bus.name) for _, path, bus in sorted(ends, key=lambda end: end[0])], _rtl(ends[0][2].vlnv)
        )
        for net, ends in found.items()
        if net != "__NOC__" and len(ends) > 1
    ]


def _nets(design: BlockDesign, instances: Mapping[str, str]) -> list[ScriptNet]:
    """The wires that are part of no bus."""
    nets = []
    for cell in design.cells.values():
        bundled = {pin for bus in cell.buses for pin in bus.ports.values()}
        for pin in cell.pins:
            if pin.direction == "O" and pin.peers and pin.name not in bundled:
                ends = [(cell.path, pin.name), *((instances[one], name) for one, name in pin.peers)]
                nets.append(ScriptNet(ends, _KINDS.get(pin.kind, ""), *_width(pin)))
    return nets


def _width(pin: Pin) -> tuple[int | None, int | None]:
    return pin.left, pin.right
