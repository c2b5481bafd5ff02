"""Nets of a block design while its script runs.

Every net belongs to one hierarchy (its *level*). The pin of a hierarchy touches one net around the hierarchy
and one inside; all others touch one net.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pynq.design.tcl.netlist import Net

__all__ = ["Nets", "inside", "moved"]


def inside(path: str, parent: str) -> bool:
    """Whether a path is in a hierarchy or below it."""
    return not parent or path.startswith(f"{parent}/")


def moved(path: str, old: str, new: str) -> str:
    """A path after what was at ``old`` went to ``new``."""
    return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path


def parent(path: str) -> str:
    """The hierarchy that holds a path."""
    return path.rpartition("/")[0]


class Nets:
    """All nets of one kind (wires or buses) of one design."""

    def __init__(self) -> None:
        self.all: dict[str, Net] = {}
        self._of: dict[tuple[str, str], str] = {}  # pin and level -> name of the net

    def at(self, pin: str, level: str) -> str:
        """The name of the net that a pin touches at a level, "" for none."""
        return self._of.get((pin, level), "")

    def of(self, pin: str) -> list[str]:
        """The names of all nets that a pin touches."""
        levels = {pin, parent(pin), parent(parent(pin))}
        return [self._of[pin, level] for level in sorted(levels) if (pin, level) in self._of]

    def connect(self, pins: Iterable[str], level: str, name: str, line: int) -> str:
        """Put pins onto one net of a level; nets that they were on become that net.

        ``name`` is the net's, without path; "" leaves it to an existing net or to the first pin. The name of
        the net comes back.
        """
        wanted = list(dict.fromkeys(pins))
        there = list(dict.fromkeys(found for pin in wanted if (found := self.at(pin, level))))
        prefix = f"{level}/" if level else ""
        if name:
            target = prefix + name
        elif there:
            target = there[0]
        else:
            target = self._free(
                prefix + (wanted[0].removeprefix(prefix).replace("/", "_") if wanted else "net")
            )
        net = self.all.setdefault(target, Net(target, line=line))
        held = set(net.pins)
        for old in there:
            if old != target:
                wanted += self.all.pop(old).pins
        for pin in wanted:
            if pin not in held:
                held.add(pin)
                net.pins.append(pin)
            self._of[pin, level] = target
        return target

    def _free(self, name: str) -> str:
        number, free = 0, name
        while free in self.all:
            number += 1
            free = f"{name}_{number}"
        return free

    def disconnect(self, name: str, pins: Iterable[str]) -> None:
        """Take pins off a net."""
        net = self.all.get(name)
        if net:
            gone = set(pins)
            net.pins = [pin for pin in net.pins if pin not in gone]
            self._index()

    def delete(self, name: str) -> None:
        """Take a net away."""
        if self.all.pop(name, None):
            self._index()

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Take away all pins for which ``gone`` is true, and nets that lose their last pin so."""
        for name, net in list(self.all.items()):
            if gone(name):
                del self.all[name]
                continue
            kept = [pin for pin in net.pins if not gone(pin)]
            if net.pins and not kept:
                del self.all[name]
            net.pins = kept
        self._index()

    def move(self, old: str, new: str) -> None:
        """Follow a cell or port from one path to another."""
        for name, net in list(self.all.items()):
            net.pins = [moved(pin, old, new) for pin in net.pins]
            if inside(name, old):
                del self.all[name]
                net.name = moved(name, old, new)
                self.all[net.name] = net
        self._index()

    def rename(self, old: str, new: str) -> None:
        """Give a net another name."""
        if new not in self.all and old in self.all:
            net = self.all.pop(old)
            net.name = new
            self.all[new] = net
            self._index()

    def _index(self) -> None:
        self._of = {(pin, parent(name)): name for name, net in self.all.items() for pin in net.pins}
