"""What routes and separates: AXI4-Stream Switch, DFX Decoupler, slices of a vector."""

from __future__ import annotations

from typing import Any

from ..blockdesign import BlockDesign, Cell, Pin, axi, axis, vector
from .common import DOC, PERIPHERAL, Clocking, clock_pin, lite_slave, reset_pin


def axis_switch(
    design: BlockDesign, path: str, clock: Clocking, reset: str, *, inputs: int, outputs: int, nbytes: int
) -> Cell:
    """AXI4-Stream Switch (PG085), routed by registers."""
    common: dict[str, Any] = {"nbytes": nbytes, "frequency": clock.frequency, "domain": clock.domain}
    lite, control = lite_slave(clock, "S_AXI_CTRL", 7, "s_axi_ctrl_")
    pins = [
        clock_pin("aclk", clock.frequency),
        reset_pin("aresetn"),
        clock_pin("s_axi_ctrl_aclk", clock.frequency),
        reset_pin("s_axi_ctrl_aresetn"),
        *lite,
    ]
    buses = [control]
    for letter, role, count in (("S", "TARGET", inputs), ("M", "INITIATOR", outputs)):
        for index in range(count):
            name = f"{letter}{index:02d}_AXIS"
            more, bus = axis(name, role, prefix=f"{name.lower()}_", **common)
            pins += more
            buses.append(bus)
    parameters = {
        "C_FAMILY": design.system["ARCH"],
        "C_NUM_SI_SLOTS": str(inputs),
        "C_NUM_MI_SLOTS": str(outputs),
        "C_AXIS_TDATA_WIDTH": str(8 * nbytes),
        "C_ROUTING_MODE": "1",
        "NUM_SI": str(inputs),
        "NUM_MI": str(outputs),
        "ROUTING_MODE": "1",
        "TDATA_NUM_BYTES": str(nbytes),
        "HAS_TREADY": "1",
        "HAS_TSTRB": "0",
        "HAS_TKEEP": "1",
        "HAS_TLAST": "1",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    cell = design.add(
        Cell(
            path,
            "xilinx.com:ip:axis_switch:1.1",
            {"COREREVISION": "29", **PERIPHERAL},
            pins,
            buses,
            parameters,
            document=DOC.format("axis_switch", "v1_1", "pg085-axi4stream-infrastructure.pdf"),
        )
    )
    design.wire(clock.source, f"{path}/aclk", f"{path}/s_axi_ctrl_aclk")
    design.wire(reset, f"{path}/aresetn", f"{path}/s_axi_ctrl_aresetn")
    return cell


def dfx_decoupler(design: BlockDesign, path: str, clock: Clocking, *, nbytes: int) -> Cell:
    """DFX Decoupler (PG375): a stream into the region, one out of it, registers, an interrupt.

    Controlled by its input ``decouple``. As in Vivado's files the sides of an interface have the names
    ``rp_NAME`` (towards the region) and ``s_NAME``, and for a bus that the region answers ``s_NAME`` is the
    side that leads to the region: it is what the region's master would be.
    """
    common: dict[str, Any] = {"frequency": clock.frequency, "domain": clock.domain}
    pins: list[Pin] = [vector("decouple", "I", None), vector("decouple_status", "O", None)]
    buses = []
    for name, role in (
        ("s_in_0", "TARGET"),
        ("rp_in_0", "INITIATOR"),
        ("rp_out_0", "TARGET"),
        ("s_out_0", "INITIATOR"),
    ):
        more, bus = axis(name, role, prefix=f"{name}_", nbytes=nbytes, **common)
        pins += more
        buses.append(bus)
    for name, role in (("rp_axi_lite", "SLAVE"), ("s_axi_lite", "MASTER")):
        more, bus = axi(
            name, role, prefix=f"{name}_", protocol="AXI4LITE", data=32, addr=16, upper=True, **common
        )
        pins += more
        buses.append(bus)
    pins += [vector("rp_intr_INTERRUPT", "I", None), vector("s_intr_INTERRUPT", "O", None)]
    stream = "VLNV xilinx.com:interface:axis_rtl:1.0"
    parameters = {
        "C_XDEVICEFAMILY": design.system["ARCH"],
        "ALL_PARAMS": (
            f"HAS_SIGNAL_STATUS 1 INTF {{in_0 {{ID 0 MODE slave {stream}}} out_0 {{ID 1 {stream}}} "
            "axi_lite {ID 2 VLNV xilinx.com:interface:aximm_rtl:1.0 PROTOCOL axi4lite} "
            "intr {ID 3 VLNV xilinx.com:signal:interrupt_rtl:1.0 "
            "SIGNALS {INTERRUPT {PRESENT 1 WIDTH 1 DECOUPLED 1 DECOUPLED_VALUE 0x0}}}} IPI_PROP_COUNT 1"
        ),
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "BUS",
    }
    return design.add(
        Cell(
            path,
            "xilinx.com:ip:dfx_decoupler:1.0",
            {"COREREVISION": "6", "IPTYPE": "BUS", "MODCLASS": "BUS"},
            pins,
            buses,
            parameters,
            document=DOC.format("dfx_decoupler", "v1_0", "pg375-dfx-decoupler.pdf"),
        )
    )


def xlslice(design: BlockDesign, path: str, driver: str, width: int, bit: int) -> Cell:
    """Slice: one bit of a vector that is ``width`` bits wide."""
    parameters = {
        "DIN_WIDTH": str(width),
        "DIN_FROM": str(bit),
        "DIN_TO": str(bit),
        "DOUT_WIDTH": "1",
        "Component_Name": f"{design.name}_{path.replace('/', '_')}_0",
        "EDK_IPTYPE": "PERIPHERAL",
    }
    pins = [vector("Din", "I", width), vector("Dout", "O", 1)]
    cell = design.add(
        Cell(path, "xilinx.com:ip:xlslice:1.0", {"COREREVISION": "2", **PERIPHERAL}, pins, [], parameters)
    )
    design.wire(driver, f"{path}/Din")
    return cell
