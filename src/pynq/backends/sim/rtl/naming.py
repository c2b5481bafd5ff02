"""Which clock and which reset a bus goes with: by what the files say, else by names.

Hand-off files do not say it in one place. An IP-XACT component does (``ASSOCIATED_BUSIF``,
``ASSOCIATED_RESET``); in a hand-off file a bus has ``CLK_DOMAIN`` and ``FREQ_HZ`` of its clock.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pynq.backends.sim.plant import Plant
from pynq.design.model import BusInterface, Cell, Endpoint

__all__ = ["CLOCK", "RESET", "Associations", "associated", "clock_for"]

CLOCK = re.compile(r"(^|_)(ap_|a|sys_?)?(clk|clock)(_?\d+)?(_|$)", re.IGNORECASE)
RESET = re.compile(r"(^|_)(ap_|a|sys_?)?(resetn?|rst_?n?)(_|\d|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Associations:
    """What an IP-XACT component says: buses (lower case) by clock port, and resets by clock port."""

    buses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def clock_for(
    plant: Plant,
    cell: Cell,
    interface: BusInterface,
    clocks: Mapping[str, str],
    said: Associations,
) -> str:
    """Return the clock pin of a bus. ``clocks``: pin of the module -> port of the cell; at least one."""
    if len(clocks) == 1:
        return next(iter(clocks))
    wanted = interface.name.lower()
    for pin, port in clocks.items():
        if wanted in said.buses.get(port.lower(), ()) or wanted in _buses_of_clock(cell, port):
            return pin
    # m_axi_mm2s_aclk goes with M_AXI_MM2S, and s_axi_lite_aclk rather than s_axi_aclk with S_AXI_LITE.
    named = [pin for pin, port in clocks.items() if port.lower().startswith(f"{wanted}_")]
    if named:
        return min(named, key=len)
    domain = interface.parameters.get("CLK_DOMAIN", "")
    if domain:
        drivers = {pin: plant.nets.wiring.driver(Endpoint(cell.path, port)) for pin, port in clocks.items()}
        # CLK_DOMAIN ends in the name of the port that makes the clock: design_1_clk_wiz_0_0_clk_out1.
        fits = [pin for pin, end in drivers.items() if end is not None and domain.endswith(end.port)]
        fits = [
            pin for pin in fits if (end := drivers[pin]) and end.cell.rpartition("/")[2] in domain
        ] or fits
        if fits and len({drivers[pin] for pin in fits}) == 1:
            return fits[0]
    hertz = interface.parameters.get("FREQ_HZ", "")
    same = [pin for pin, port in clocks.items() if hertz and str(cell.ports[port].frequency) == hertz]
    if len(same) == 1:
        return same[0]
    nearest = max(clocks, key=lambda pin: _common(clocks[pin].lower(), wanted))
    return nearest if _common(clocks[nearest].lower(), wanted) > 1 else next(iter(clocks))


def _common(first: str, second: str) -> int:
    """Return how many letters two names begin with together."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _buses_of_clock(cell: Cell, port: str) -> tuple[str, ...]:
    """Return the buses that a clock's own interface names, where the file has one."""
    for face in cell.interfaces.values():
        if port in face.port_map.values() and "ASSOCIATED_BUSIF" in face.parameters:
            return tuple(face.parameters["ASSOCIATED_BUSIF"].lower().split(":"))
    return ()


def associated(bus: str, clock: str, resets: Mapping[str, str], said: Associations) -> str:
    """Return the reset pin of a bus on a clock; "" where the module has none."""
    if len(resets) <= 1:
        return next(iter(resets), "")
    wanted = said.resets.get(clock.lower(), ())
    for pin, port in resets.items():
        if port.lower() in wanted:
            return pin
    # s_axi_aclk and s_axi_aresetn, clk_a and rst_a: the longest beginning or end in common; of aresetn and
    # bresetn, aresetn for aclk, with which bresetn has no less in common.
    stem = re.sub(r"a?(clk|clock)", "", clock.lower())

    def nearness(pin: str) -> tuple[int, int, int]:
        name = re.sub(r"a?(resetn?|rst_?n?)", "", resets[pin].lower())
        return (
            _common(name.strip("_"), bus.lower()),
            _common(name, stem) + _common(name[::-1], stem[::-1]),
            -len(name),
        )

    return max(resets, key=nearness)
