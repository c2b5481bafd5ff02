"""Rules of clocks."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.clocks import ps_parameters
from pynq.design.findings import Facts, Hit, rule
from pynq.design.model import Endpoint, Processor

__all__ = ["RULES"]

_FAR = 0.02  # of the frequency asked for
_OFF = 0.002

#: What was asked for, and what the divisors reach (MHz), of clock {n}.
_REQUESTED = {
    Processor.ZYNQ: ("PCW_FPGA{n}_PERIPHERAL_FREQMHZ", "PCW_ACT_FPGA{n}_PERIPHERAL_FREQMHZ"),
    Processor.ZYNQMP: (
        "PSU__CRL_APB__PL{n}_REF_CTRL__FREQMHZ",
        "PSU__CRL_APB__PL{n}_REF_CTRL__ACT_FREQMHZ",
    ),
    Processor.VERSAL: ("PMC_CRP_PL{n}_REF_CTRL_FREQMHZ", "PMC_CRP_PL{n}_REF_CTRL_ACT_FREQMHZ"),
}


def _megahertz(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < 1e5 else None


@rule("clock-not-reached", "warning")
def reached(facts: Facts) -> Iterator[Hit]:
    """A clock has another frequency than was asked for.

    The PS divides its PLLs by whole numbers, so not every frequency can be had. More than 2 % off is a
    warning, more than 0.2 % a note: baud rates, video timing and sampling rates are off by as much.

    Ask for a frequency that the PLL can be divided to, choose another source PLL, or make the clock with a
    `clk_wiz`.
    """
    design = facts.design
    if design.processor is None:
        return
    parameters = ps_parameters(design.cells[design.ps])
    wanted, actual = _REQUESTED[design.processor]
    for clock in design.clocks:
        if clock.index is None or not clock.enabled:
            continue
        asked = _megahertz(parameters.get(wanted.format(n=clock.index)))
        got = _megahertz(parameters.get(actual.format(n=clock.index)))
        if asked is None or got is None or abs(got - asked) <= _OFF * asked:
            continue
        yield Hit(
            f"{clock.cell}/{clock.port or clock.name}",
            f"{asked:g} MHz were asked for, the divisors give {got:g} MHz ({(got / asked - 1) * 100:+.1f} %)",
            "expect that frequency, or make the clock with a clk_wiz",
            clock.source,
            "warning" if abs(got - asked) > _FAR * asked else "note",
        )


@rule("clock-unconnected", "error")
def unconnected(facts: Facts) -> Iterator[Hit]:
    """A clock input has no clock.

    The block stands still: an access to its registers is never answered, and hangs the processor.

    Connect it to a clock, that of the bus.
    """
    for cell in facts.design.cells.values():
        if cell.path == facts.design.ps:
            continue
        bundled = {name for one in cell.interfaces.values() for name in one.port_map.values()}
        for port in cell.ports.values():
            if port.kind != "clk" or port.direction != "I" or port.signal or facts.driven(cell, port):
                continue
            if port.name in bundled:
                continue  # comes with a bus, such as the pair of a differential clock
            slow = "" if any(one.protocol for one in cell.interfaces.values()) else "warning"
            yield Hit(
                f"{cell.path}/{port.name}",
                "the clock input is open: the block stands still",
                "connect it to a clock",
                facts.design.where(port),
                slow,
            )


@rule("clock-off", "error")
def off(facts: Facts) -> Iterator[Hit]:
    """A block gets its clock from a PL clock of the PS that is switched off.

    The block stands still, and an access to its registers hangs the processor.

    Switch the clock on in the PS's configuration.
    """
    for clock in facts.design.clocks:
        if clock.index is None or clock.enabled or not clock.port:
            continue
        users = facts.wiring.loads(Endpoint(clock.cell, clock.port))
        if users:
            names = ", ".join(dict.fromkeys(end.cell or end.port for end in users[:4]))
            yield Hit(
                f"{clock.cell}/{clock.port}",
                f"the clock is off, but {names}{' and others need' if len(users) > 4 else ' needs'} it",
                "switch it on in the PS's configuration",
                clock.source,
            )


RULES = (reached, unconnected, off)
