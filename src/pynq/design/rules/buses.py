"""Rules of connected buses: the two ends have to be alike."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.findings import End, Facts, Hit, rule
from pynq.design.interrupts import str_path
from pynq.design.model import Endpoint

__all__ = ["RULES"]


@rule("bus-width", "error")
def width(facts: Facts) -> Iterator[Hit]:
    """The two ends of a bus have different data widths.

    Bits are cut off, or read as zeros. Vivado puts a converter in between where it makes the connection
    itself; ends that differ come from RTL modules, or from scripts.

    Put a data-width converter in between (`axi_dwidth_converter`, `axis_dwidth_converter`; interconnects
    convert by themselves), or give both the same width.
    """
    for sender, receiver in facts.pairs():
        one, other = sender.interface.data_width, receiver.interface.data_width
        if one and other and one != other and sender.interface.protocol:
            yield Hit(
                receiver.path,
                f"the data has {other} bits, at {sender.path} {one}",
                "put a data-width converter in between, or give both the same width",
                receiver.interface.source,
            )


@rule("bus-protocol", "error")
def protocol(facts: Facts) -> Iterator[Hit]:
    """The two ends of a bus speak different protocols.

    An AXI4-Lite block knows no bursts and no identifiers, AXI3 no bursts of more than 16 beats: transfers
    stop half-way.

    Put a protocol converter in between (interconnects convert by themselves).
    """
    for sender, receiver in facts.pairs():
        one, other = sender.interface.protocol, receiver.interface.protocol
        if one and other and one != other:
            yield Hit(
                receiver.path,
                f"the protocol is {other}, at {sender.path} {one}",
                "put an axi_protocol_converter or an interconnect in between",
                receiver.interface.source,
            )


@rule("clock-crossing", "error")
def crossing(facts: Facts) -> Iterator[Hit]:
    """The two ends of a bus run on different clocks.

    Without a converter handshakes are sampled at the wrong time: data is lost or doubled, now and then. Where
    the description does not say on which clock a bus runs, as of older RTL modules, the clock wires are
    followed, and it is a warning.

    Put a clock converter in between (`axi_clock_converter`, `axis_clock_converter`, an asynchronous
    `axis_data_fifo`; interconnects convert by themselves), or connect both to one clock.
    """
    for sender, receiver in facts.pairs():
        if not sender.interface.protocol or sender.interface.source.file != receiver.interface.source.file:
            continue  # a clock has another name in the description of what was loaded into a region
        one, other = sender.interface.parameters, receiver.interface.parameters
        if not (one.get("CLK_DOMAIN") and other.get("CLK_DOMAIN")):
            ours, theirs = _clock(facts, receiver), _clock(facts, sender)
            if ours is not None and theirs is not None and ours != theirs:
                yield Hit(
                    receiver.path,
                    f"the clock comes from {str_path(ours)}, at {sender.path} from {str_path(theirs)}",
                    "put a clock converter in between, or connect both to one clock",
                    receiver.interface.source,
                    "warning",
                )
                continue
        for name, what in (("CLK_DOMAIN", "clock"), ("FREQ_HZ", "frequency")):
            here, there = other.get(name), one.get(name)
            if here and there and here != there:
                yield Hit(
                    receiver.path,
                    f"the {what} is {_told(here)}, at {sender.path} {_told(there)}",
                    "put a clock converter in between, or connect both to one clock",
                    receiver.interface.source,
                )
                break


def _told(value: str) -> str:
    """A clock's name, or a frequency in Hz with its unit."""
    if not (value.isascii() and value.isdecimal() and len(value) < 15):
        return value
    return f"{int(value) / 1e6:.6f}".rstrip("0").rstrip(".") + " MHz"


def _clock(facts: Facts, end: End) -> Endpoint | None:
    """What drives the clock of an interface: the block's only clock, or that named after the interface."""
    if end.cell is None:
        return None
    clocks = [port for port in end.cell.ports.values() if port.kind == "clk" and port.direction == "I"]
    if len(clocks) > 1:
        bus = _plain(end.interface.name)
        # M_AXI_HPM0_FPD has maxihpm0_fpd_aclk, S00_AXI of an interconnect S00_ACLK.
        names = {f"{stem}{clock}" for stem in (bus, bus.removesuffix("axi")) for clock in ("aclk", "clk")}
        clocks = [port for port in clocks if _plain(port.name) in names - {"aclk", "clk"}]
    return facts.wiring.driver(Endpoint(end.cell.path, clocks[0].name)) if len(clocks) == 1 else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


RULES = (width, protocol, crossing)
