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


def check(design: Design) -> tuple[Finding, ...]:
    """Return what is, or may be, wrong with a design: errors first, then in the file's order."""
    facts = Facts(design)
    return ordered(facts.finding(rule, hit) for rule in RULES for hit in rule.find(facts))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings without repetitions: errors first, then in the file's order."""
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), *one.source))
    )
