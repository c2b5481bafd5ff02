"""Rules of resets."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.findings import Facts, Hit, ports_of, rule
from pynq.design.interrupts import str_path
from pynq.design.model import Endpoint

__all__ = ["RULES"]

_OPTIONAL = {"proc_sys_reset": ("aux_reset_in", "mb_debug_sys_rst")}  # PG164: may stay open


@rule("reset-unconnected", "warning")
def unconnected(facts: Facts) -> Iterator[Hit]:
    """A reset input is open.

    The block may never be reset, or never leave its reset. IP of the vendor has defaults for open inputs, and
    a block of which another reset is connected may do without this one: notes.

    Connect it to `peripheral_aresetn` of the `proc_sys_reset` on the same clock.
    """
    for cell, port in ports_of(facts, "rst", "I"):
        if port.name in _OPTIONAL.get(cell.type_name, ()) or port.signal or facts.driven(cell, port):
            continue
        if any(port.name in one.port_map.values() for one in cell.interfaces.values()):
            continue
        another = any(
            one.kind == "rst" and one.direction == "I" and facts.driven(cell, one)
            for one in cell.ports.values()
        )
        vendor = cell.vlnv is not None and (cell.vlnv.vendor, cell.vlnv.library) == ("xilinx.com", "ip")
        yield Hit(
            f"{cell.path}/{port.name}",
            "the reset input is open",
            "connect it to the reset of its clock (proc_sys_reset, peripheral_aresetn)",
            facts.design.where(port),
            "note" if vendor or another else "",
        )


@rule("reset-polarity", "error")
def polarity(facts: Facts) -> Iterator[Hit]:
    """A reset is low when active at one end, high at the other.

    The block is in reset while it should run.

    Take the other output of the `proc_sys_reset` (`peripheral_reset` is high, `peripheral_aresetn` low), or
    put an inverter in between.
    """
    for cell, port in ports_of(facts, "rst", "I"):
        driver = facts.wiring.driver(Endpoint(cell.path, port.name))
        source = facts.wiring.port(driver) if driver is not None else None
        if driver is None or source is None or source.kind != "rst":
            continue
        if port.polarity and source.polarity and port.polarity != source.polarity:
            yield Hit(
                f"{cell.path}/{port.name}",
                f"the input is {port.polarity}, {str_path(driver)} is {source.polarity}",
                "take the reset of the other polarity, or invert it",
                facts.design.where(port),
            )


@rule("reset-not-synchronised", "warning")
def raw(facts: Facts) -> Iterator[Hit]:
    """A block on a bus is reset by the PS directly.

    The resets of the PS follow no clock of the PL: parts of the block may leave the reset one cycle before
    others, and then hang, now and then.

    Put a `proc_sys_reset` in between, on the block's clock.
    """
    for cell, port in ports_of(facts, "rst", "I"):
        driver = facts.wiring.driver(Endpoint(cell.path, port.name))
        if driver is None or not facts.design.ps or driver.cell != facts.design.ps:
            continue
        if any(one.protocol for one in cell.interfaces.values()) and cell.type_name not in (
            "clk_wiz",
            "clk_wizard",
        ):
            yield Hit(
                f"{cell.path}/{port.name}",
                f"it comes from {str_path(driver)}, which follows no clock of the PL",
                "put a proc_sys_reset on the block's clock in between",
                facts.design.where(port),
            )


RULES = (unconnected, polarity, raw)
