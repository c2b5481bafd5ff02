"""Rules of AXI4-Stream connections."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.findings import End, Facts, Hit, rule, sends
from pynq.design.model import BusInterface, Cell, Endpoint

__all__ = ["RULES"]

#: Side channels that may stay open: PG021, "Control and status streams".
_OPTIONAL = ("M_AXIS_CNTRL", "S_AXIS_STS")


def _port(cell: Cell, interface: BusInterface, logical: str) -> str:
    return interface.port_map.get(logical, "")


def _held(facts: Facts, cell: Cell, name: str) -> bool:
    """Whether a port of its own is wired, or tied."""
    port = cell.ports.get(name)
    return port is not None and (bool(port.signal) or bool(port.peers))


@rule("stream-open", "warning")
def open_end(facts: Facts) -> Iterator[Hit]:
    """A stream leads nowhere, or comes from nowhere.

    What an open input waits for never comes, and an open output may hold its block up for ever, since nobody
    takes the data. Inputs are notes: many blocks work without.

    Connect it; or tie the TREADY of an output to 1 (an `xlconstant`), so that its data is thrown away.
    """
    for cell, interface in facts.buses("AXIS"):
        if interface.name in _OPTIONAL or cell.path == facts.design.ps or facts.connected(cell, interface):
            continue
        if sends(interface):
            ready = _port(cell, interface, "TREADY")
            if not ready or _held(facts, cell, ready):
                continue  # nothing can hold it up
            yield Hit(
                f"{cell.path}/{interface.name}",
                "nothing takes the stream's data: the block may wait for ever",
                "connect it, or tie its TREADY to 1",
                interface.source,
            )
        elif not _held(facts, cell, _port(cell, interface, "TVALID")):
            yield Hit(
                f"{cell.path}/{interface.name}",
                "nothing sends to this stream",
                "connect it, if the block needs it",
                interface.source,
                "note",
            )


@rule("stream-signals", "note")
def signals(facts: Facts) -> Iterator[Hit]:
    """One end of a stream has a signal that the other lacks, and it matters.

    A receiver without TKEEP takes the bytes that the sender marks as void for data: the last beat of a
    transfer whose length is no multiple of the stream's width. A sender without TREADY does not wait:
    what comes while the receiver is busy is lost.

    Transfer whole beats, or put an `axis_subset_converter` or `axis_data_fifo` in between.
    """
    for sender, receiver in facts.pairs():
        if sender.interface.protocol != "AXIS" or receiver.interface.protocol != "AXIS":
            continue
        one, other = sender.interface, receiver.interface
        if _has(one, "TKEEP") and _lacks(other, "TKEEP") and (one.data_width or 0) > 8 and _partial(sender):
            yield Hit(
                receiver.path,
                f"{sender.path} sends TKEEP, which is not taken: void bytes of a last beat count as data",
                f"transfer multiples of {(one.data_width or 0) // 8} bytes",
                other.source,
            )
        if _lacks(one, "TREADY") and _has(other, "TREADY"):
            yield Hit(
                receiver.path,
                f"{sender.path} has no TREADY: what it sends while the receiver is busy is lost",
                "put an axis_data_fifo in between that is deep enough",
                other.source,
            )


def _has(interface: BusInterface, signal: str) -> bool:
    told = interface.parameters.get(f"HAS_{signal}")
    return told != "0" and signal in interface.port_map


def _lacks(interface: BusInterface, signal: str) -> bool:
    return bool(interface.port_map) and "TVALID" in interface.port_map and not _has(interface, signal)


def _partial(end: End) -> bool:
    """Whether the sender really sends beats that are not full: a DMA does."""
    return end.cell is not None and end.cell.type_name in ("axi_dma", "axi_mcdma", "axi_datamover")


@rule("stream-tied", "warning")
def tied(facts: Facts) -> Iterator[Hit]:
    """A stream's handshake is tied to 0.

    With TVALID at 0 nothing ever comes, with TREADY at 0 nothing is ever taken: whoever waits for it waits
    for ever.

    Connect the handshake, or tie it to 1.
    """
    for cell, interface in facts.buses("AXIS"):
        name = _port(cell, interface, "TREADY" if sends(interface) else "TVALID")
        driver = facts.wiring.driver(Endpoint(cell.path, name)) if name in cell.ports else None
        source = facts.design.cells.get(driver.cell) if driver is not None else None
        if source is not None and source.type_name in ("xlconstant", "ilconstant"):
            value = source.parameters.get("CONST_VAL", "1")
            if value.strip("0xb'") == "":
                yield Hit(
                    f"{cell.path}/{name}",
                    f"{source.path} ties it to 0: the stream stands still",
                    "connect it, or tie it to 1",
                    facts.design.where(cell.ports[name]),
                )


RULES = (open_end, signals, tied)
