"""What a cell or a bus of the block design is, told from the few hints that hand-off files give."""

from __future__ import annotations

from collections.abc import Mapping

from pynq.design.model import AddressBlock, Cell, CellKind, Processor, Vlnv

__all__ = [
    "DECOUPLERS",
    "PROCESSORS",
    "find_processor",
    "is_constant",
    "is_register_block",
    "kind_of",
    "logical_name",
    "other_side",
    "protocol_of",
]

DECOUPLERS = ("dfx_decoupler", "pr_decoupler")
"""Types of cells that pass interfaces and wires on to a region, or not (PG375, PG227)."""

PROCESSORS = {
    "processing_system7": Processor.ZYNQ,
    "zynq_ultra_ps_e": Processor.ZYNQMP,
    "versal_cips": Processor.VERSAL,
    "ps_wizard": Processor.VERSAL,
    # The hard block itself, in the sub-designs that CIPS and the PS wizard are made of.
    "pspmc": Processor.VERSAL,
    "psx_wizard": Processor.VERSAL,
    "psxc": Processor.VERSAL,
    "ps11": Processor.VERSAL,
    "pmcps": Processor.VERSAL,
}
"""MODTYPE of the cells that are a PS."""

_MEMORY_CONTROLLERS = frozenset(
    (
        "axi_bram_ctrl",
        "lmb_bram_if_cntlr",
        "ddr3",
        "ddr4",
        "mig_7series",
        "axi_emc",
        "hbm",
        "axi_noc",
        "axi_noc2",
    )
)

# Last part of a physical port's name -> logical name, for files older than 2016.1, which have no
# PORTMAP/@LOGICAL.
_GPIO_NAMES = {
    "I": "TRI_I",
    "O": "TRI_O",
    "T": "TRI_T",
}


def kind_of(attributes: Mapping[str, str], vlnv: Vlnv | None, as_memory: bool | None) -> CellKind:
    """Tell what a cell is.

    Args:
        attributes: of its MODULE element.
        vlnv: its type.
        as_memory: whether masters reach it as memory (True), as registers (False) or not at all (None).
    """
    get = attributes.get
    module_type = get("MODTYPE", "")
    name = vlnv.name if vlnv else module_type
    module_class = get("MODCLASS", "")
    if module_type in PROCESSORS:
        return CellKind.PROCESSOR
    if get("IPTYPE") == "PROCESSOR" or module_class == "PROCESSOR":
        # "psu_cortexa53", "psv_cortexa72", ...: cores of the hard PS, in the sub-designs that describe its
        # inside.
        return CellKind.PROCESSOR if name.startswith("ps") else CellKind.SOFT_PROCESSOR
    # Regions for partial reconfiguration, in the three ways that releases of Vivado mark them.
    if get("BDTYPE") in ("BLOCK_CONTAINER", "RBD") or get("ISPDEFINST") == "TRUE":
        return CellKind.BLOCK_CONTAINER
    if name == "axi_intc" or module_class == "INTERRUPT_CNTLR":
        return CellKind.INTERRUPT_CONTROLLER
    if as_memory or name in _MEMORY_CONTROLLERS:
        return CellKind.MEMORY_CONTROLLER
    if get("IPTYPE") == "BUS" or module_class == "BUS":
        return CellKind.INTERCONNECT
    return CellKind.LOGIC if as_memory is None else CellKind.PERIPHERAL


def find_processor(cells: Mapping[str, Cell]) -> tuple[Processor | None, str]:
    """The hard PS of a design and its path, wherever in the hierarchy it is; (None, "") without one."""
    for path, cell in cells.items():
        family = PROCESSORS.get(cell.module_type)
        if family is not None:
            return family, path
    return None, ""


def logical_name(physical: str) -> str:
    """The bus signal that a port stands for, by its name alone: ``m_axi_mm2s_araddr`` is ARADDR."""
    last = physical.rpartition("_")[2].upper()
    return _GPIO_NAMES.get(last, last)


def protocol_of(vlnv: Vlnv | None, parameters: Mapping[str, str], port_map: Mapping[str, str]) -> str:
    """The protocol of a bus: "AXI4", "AXI4LITE", "AXI3", "AXIS", or "" for other buses and where the file
    doesn't tell.
    """
    if vlnv is not None:
        if vlnv.name == "axis":
            return "AXIS"
        return parameters.get("PROTOCOL", "") if vlnv.name == "aximm" else ""
    # Before 2016.1 a bus has no VLNV; nor have the interfaces on the design's boundary, in any version.
    if parameters.get("PROTOCOL", "").startswith("AXI"):
        return parameters["PROTOCOL"]
    if "TVALID" in port_map or "TDATA_NUM_BYTES" in parameters:
        return "AXIS"
    return ""


def other_side(name: str) -> str:
    """The other side of an interface or a wire of a decoupler: ``rp_x`` and ``s_x`` (PG375, "Port
    Descriptions"); "" for what has none.
    """
    head, mark, rest = name.partition("_")
    return f"{'s' if head == 'rp' else 'rp'}_{rest}" if mark and head in ("rp", "s") else ""


def is_constant(cell: Cell) -> bool:
    """Whether a cell only gives a constant."""
    return cell.type_name in ("xlconstant", "ilconstant")


def is_register_block(block: AddressBlock) -> bool:
    """Whether an address block describes something that answers: registers or memory, not a reservation."""
    return block.usage in ("register", "memory")
