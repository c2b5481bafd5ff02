"""What connects: resets, interconnects, interrupt wires."""

from __future__ import annotations

from collections.abc import Sequence

from ..blockdesign import BlockDesign, Bus, Cell, Pin, vector
from .common import DOC, PERIPHERAL, Clocking, clock_pin, reset_pin


def proc_sys_reset(design: BlockDesign, path: str, clock: Clocking, reset: str) -> Cell:
    """Processor System Reset (PG164), driven by the pin ``reset``."""
    pins = [
        clock_pin("slowest_sync_clk", clock.frequency),
        reset_pin("ext_reset_in"),
        reset_pin("aux_reset_in"),
        reset_pin("mb_debug_sys_rst", polarity="ACTIVE_HIGH"),
        Pin("dcm_locked", "I"),
        reset_pin("mb_reset", "O", "ACTIVE_HIGH"),
        vector("bus_struct_reset", "O", 1, kind="rst", polarity="ACTIVE_HIGH"),
        vector("peripheral_reset", "O", 1, kind="rst", polarity="ACTIVE_HIGH"),
        vector("interconnect_aresetn", "O", 1, kind="rst", polarity="ACTIVE_LOW"),
        vector("peripheral_aresetn", "O", 1, kind="rst", polarity="ACTIVE_LOW"),
    ]
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_EXT_RST_WIDTH": "4",
        "C_AUX_RST_WIDTH": "4",
        "C_EXT_RESET_HIGH": "0",
        "C_AUX_RESET_HIGH": "0",
        "C_NUM_BUS_RST": "1",
        "C_NUM_PERP_RST": "1",
        "C_NUM_INTERCONNECT_ARESETN": "1",
        "C_NUM_PERP_ARESETN": "1",
        "Component_Name": f"{design.name}_{path}_0",
        "USE_BOARD_FLOW": "false",
        "RESET_BOARD_INTERFACE": "Custom",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:proc_sys_reset:5.0",
            {"COREREVISION": "13", **PERIPHERAL},
            pins,
            [],
            parameters,
            document=DOC.format("proc_sys_reset", "v5_0", "pg164-proc-sys-reset.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/slowest_sync_clk")
    design.wire(reset, f"{path}/ext_reset_in")
    return cell


def _mirror(peer: Bus, peer_cell: Cell, name: str, role: str) -> tuple[list[Pin], Bus]:
    """The other side of a bus, as an interconnect shows it: same signals, lower case, turned round."""
    pins, ports = [], {}
    for logical, port in peer.ports.items():
        original = peer_cell.pin(port)
        pin = f"{name}_{logical.lower()}"
        turned = {"I": "O", "O": "I"}[original.direction]
        pins.append(Pin(pin, turned, original.left, original.right))
        ports[logical] = pin
    return pins, Bus(name, role, peer.vlnv, ports, {}, peer.data_width)


def interconnect(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    masters: Sequence[tuple[Cell, str]],
    slaves: Sequence[tuple[Cell, str]],
) -> Cell:
    """AXI Interconnect (PG059) between ``masters`` and ``slaves``; joins clock, reset and all of them."""
    names = [("S", i) for i in range(len(masters))] + [("M", i) for i in range(len(slaves))]
    pins = [Pin("ACLK", "I", kind="clk", show_frequency=False), Pin("ARESETN", "I", kind="rst")]
    for letter, i in names:
        pins.append(Pin(f"{letter}{i:02d}_ACLK", "I", kind="clk", show_frequency=False))
        pins.append(Pin(f"{letter}{i:02d}_ARESETN", "I", kind="rst"))
    parameters = {
        "NUM_SI": str(len(masters)),
        "NUM_MI": str(len(slaves)),
        "STRATEGY": "0",
        "ENABLE_ADVANCED_OPTIONS": "0",
        "ENABLE_PROTOCOL_CHECKERS": "0",
        "XBAR_DATA_WIDTH": "32",
        "SYNCHRONIZATION_STAGES": "3",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "BUS",
    }
    cell = Cell(
        path,
        "xilinx.com:ip:axi_interconnect:2.1",
        {"COREREVISION": "27", "IPTYPE": "BUS", "MODCLASS": "BUS"},
        pins,
        [],
        parameters,
        document=DOC.format("axi_interconnect", "v2_1", "pg059-axi-interconnect.pdf"),
    )
    _join(design, cell, masters, slaves)
    clocks = [f"{path}/{pin.name}" for pin in cell.pins if pin.kind == "clk"]
    design.wire(clock.source, *clocks)
    design.wire(reset, *(f"{path}/{pin.name}" for pin in cell.pins if pin.kind == "rst"))
    return cell


def smartconnect(
    design: BlockDesign,
    path: str,
    clock: Clocking,
    reset: str,
    *,
    masters: Sequence[tuple[Cell, str]],
    slaves: Sequence[tuple[Cell, str]],
) -> Cell:
    """SmartConnect (PG247), like :func:`interconnect`."""
    pins = [clock_pin("aclk", clock.frequency), reset_pin("aresetn")]
    name = f"{design.name}_{path.replace('/', '_')}_0"
    parameters = {
        "NUM_MI": str(len(slaves)),
        "NUM_SI": str(len(masters)),
        "NUM_CLKS": "1",
        "HAS_ARESETN": "1",
        "ADVANCED_PROPERTIES": "0",
        "Component_Name": name,
        "EDK_IPTYPE": "BUS",
    }
    cell = Cell(
        path,
        "xilinx.com:ip:smartconnect:1.0",
        {
            "BD": name,
            "BDTYPE": "SBD",
            "COREREVISION": "18",
            "DRIVERMODE": "CORE",
            "IPTYPE": "BUS",
            "MODCLASS": "BUS",
            "SIM_BD": name,
        },
        pins,
        [],
        parameters,
        document=DOC.format("smartconnect", "v1_0", "pg247-smartconnect.pdf"),
    )
    _join(design, cell, masters, slaves)
    design.wire(clock.source, f"{path}/aclk")
    design.wire(reset, f"{path}/aresetn")
    return cell


def _join(
    design: BlockDesign, cell: Cell, masters: Sequence[tuple[Cell, str]], slaves: Sequence[tuple[Cell, str]]
) -> None:
    design.add(cell)
    for letter, role, peers in (("S", "SLAVE", masters), ("M", "MASTER", slaves)):
        for i, (peer, bus) in enumerate(peers):
            pins, mirrored = _mirror(peer.bus(bus), peer, f"{letter}{i:02d}_AXI", role)
            cell.pins += pins
            cell.buses.append(mirrored)
    for i, (peer, bus) in enumerate(masters):
        design.connect(peer, bus, cell, f"S{i:02d}_AXI")
    for i, (peer, bus) in enumerate(slaves):
        design.connect(cell, f"M{i:02d}_AXI", peer, bus)


def xlconcat(design: BlockDesign, path: str, drivers: Sequence[str]) -> Cell:
    """Concat: ``drivers[0]`` is bit 0 of ``dout``."""
    count = len(drivers)
    pins = [vector(f"In{i}", "I", 1) for i in range(count)] + [vector("dout", "O", count)]
    parameters = {f"IN{i}_WIDTH": "1" for i in range(32)}
    parameters |= {
        "dout_width": str(count),
        "NUM_PORTS": str(count),
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(path, "xilinx.com:ip:xlconcat:2.1", {"COREREVISION": "4", **PERIPHERAL}, pins, [], parameters)
    )
    for i, driver in enumerate(drivers):
        design.wire(driver, f"{path}/In{i}")
    return cell
