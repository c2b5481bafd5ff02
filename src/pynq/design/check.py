"""Mistakes of a design that its description shows, before they hang a board.

Each rule is a function of the :class:`~pynq.design.model.Design` alone (:mod:`pynq.design.rules`). What
depends on the machine (which drivers and models there are) is added by whoever knows it, in the same form.
"""

from __future__ import annotations

from collections.abc import Iterable

from pynq.design.findings import SEVERITIES, Facts, Finding, Rule
from pynq.design.model import Design
from pynq.design.rules import addresses, buses, clocks, dma, interrupts, names, processor, resets, streams

__all__ = ["RULES", "Finding", "check", "ordered"]

RULES: tuple[Rule, ...] = (
    *addresses.RULES,
    *interrupts.RULES,
    *dma.RULES,
    *buses.RULES,
    *streams.RULES,
    *processor.RULES,
    *clocks.RULES,
    *resets.RULES,
    *names.RULES,
)
"""The rules that need the design alone, in the documentation's order."""


#: A block-design script leaves to Vivado what it can work out: widths, clock domains, polarities, which pins
#: an IP has. Its reader has a table of common IP for that, on which no error can be built.
_LEFT_TO_VIVADO = ("bus-width", "clock-crossing", "reset-polarity")
_PINS_OF_A_TABLE = ("bus-protocol", "clock-unconnected", "reset-unconnected")


def check(design: Design) -> tuple[Finding, ...]:
    """Return what is, or may be, wrong with a design: errors first, then in the file's order.

    In a block-design script widths, clock domains and polarities are not checked, and what depends on the
    pins of an IP is at most a warning.
    """
    facts = Facts(design)
    script = design.format == "tcl"
    found = []
    for rule in RULES:
        if script and rule.name in _LEFT_TO_VIVADO:
            continue
        for hit in rule.find(facts):
            one = facts.finding(rule, hit)
            if script and rule.name in _PINS_OF_A_TABLE and one.severity == "error":
                one = one._replace(severity="warning")
            found.append(one)
    return ordered(found)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without repetitions: errors first, then in the file's order."""
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), *one.source))
    )
