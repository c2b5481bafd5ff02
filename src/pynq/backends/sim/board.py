"""The board around the simulated PL: its pins, to be driven and read from Python, so that a test
presses a button.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pynq.backends.sim._engine import Net
from pynq.backends.sim.nets import WIDEST
from pynq.backends.sim.plant import Plant
from pynq.design.model import BusInterface, Endpoint, Port
from pynq.errors import PynqError
from pynq.wording import near

__all__ = ["Board", "PinError"]


class PinError(PynqError, LookupError):
    """A pin that the board has not, or that can't be driven."""


@dataclass
class _Pad:
    """A pin with a tri-state buffer: what the PL drives where T is 0, what the board drives elsewhere."""

    into: Net  # TRI_I, towards the PL
    out: Net | None
    tri: Net | None
    outside: int = 0

    def mask(self) -> int:
        """Bits that the PL drives now."""
        if self.out is None:
            return 0
        everything = (1 << self.out.width) - 1
        return everything & ~self.tri.value if self.tri is not None else everything

    def level(self) -> int:
        """What a probe on the pad sees."""
        mask = self.mask()
        return (self.out.value & mask if self.out is not None else 0) | (self.outside & ~mask)

    def settle(self) -> None:
        """Let the PL read back what is on the pad."""
        if not self.into.driver:
            self.into.drive(self.level() & ((1 << self.into.width) - 1))


class Board:
    """The pins of the loaded design, by name.

    A name is that of a port of the design (``btns_4bits_tri_i``), of an interface of it (``btns_4bits``,
    whose pads are tri-state: the PL's level wins where it drives), or of a cell's port
    (``axi_gpio_0/gpio_io_i``). Outputs of IP without model can be driven as well: nobody else does.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._pads: dict[str, _Pad] = {}
        self._pad_of_port: dict[str, str] = {}
        self._outputs: dict[str, str] = {}  # interfaces that the PL only drives -> their port
        self._tokens: dict[int, list[tuple[Net, int]]] = {}
        for interface in plant.design.interfaces.values():
            self._add_pad(interface)

    def _add_pad(self, interface: BusInterface) -> None:
        names = {role: interface.port_map.get(f"TRI_{role}", "") for role in "IOT"}
        into = self._port(names["I"])
        if into is None:
            if self._port(names["O"]) is not None:
                self._outputs[interface.name] = names["O"]
            return
        pad = _Pad(into, self._port(names["O"]), self._port(names["T"]))
        self._pads[interface.name] = pad
        self._pad_of_port[names["I"]] = interface.name
        if pad.out is None:
            return
        for net in (pad.out, pad.tri):
            if net is not None:
                net.on_change(lambda value, before: pad.settle())
        pad.settle()

    def _port(self, name: str) -> Net | None:
        name = self._outputs.get(name, name)
        port = self._plant.design.ports.get(name)
        if port is None:
            return None
        end = Endpoint("", name)
        return self._plant.nets.of(end) if port.direction == "I" else self._plant.nets.into(end)

    def pins(self) -> list[str]:
        """Return the names of the board's pins and interfaces, those that a design has on its boundary."""
        names = [name for name, port in self._plant.design.ports.items() if port.kind != "clk"]
        return sorted({*names, *self._pads, *self._outputs})

    def drive(self, pin: str, value: int) -> None:
        """Put a level on a pin. Takes effect now; time does not pass.

        Raises :class:`PinError` for an unknown pin, or one that the PL drives.
        """
        pad = self._pads.get(self._pad_of_port.get(pin, pin))
        value = int(value)
        if pad is not None:
            self._check(pin, value, pad.into.width)
            pad.outside = value
            pad.settle()
            return
        net = self._net(pin)
        self._check(pin, value, net.width)
        if net.driver:
            raise PinError(
                f"{pin} is driven by {net.driver}; the board can only read it (board.sample({pin!r}))"
            )
        net.drive(value)

    def sample(self, pin: str) -> int:
        """Return the level on a pin; of a tri-state one, what a probe would see."""
        self._plant.engine.catch_up()
        pad = self._pads.get(pin)
        return pad.level() if pad is not None else self._net(pin).value

    def on_change(self, pin: str, callback: Callable[[int], None]) -> int:
        """Call ``callback(level)`` whenever the level on a pin changes; return a number for :meth:`forget`.

        The callback runs inside the simulation: it may drive pins, not wait or run.
        """
        pad = self._pads.get(pin)
        nets = (
            [net for net in (pad.into, pad.out, pad.tri) if net is not None]
            if pad is not None
            else [self._net(pin)]
        )
        last = self.sample(pin)

        def changed(value: int, before: int) -> None:
            nonlocal last
            level = self.sample(pin)
            if level != last:
                last = level
                callback(level)

        tokens = [(net, net.on_change(changed)) for net in nets]
        number = max(self._tokens, default=0) + 1
        self._tokens[number] = tokens
        return number

    def forget(self, number: int) -> None:
        """End a subscription of :meth:`on_change`."""
        for net, token in self._tokens.pop(number, []):
            net.forget(token)

    def _net(self, pin: str) -> Net:
        found = self._port(pin)
        if found is None and "/" in pin:
            cell, _, port = pin.rpartition("/")
            end = Endpoint(cell, port)
            if self._plant.nets.wiring.port(end) is not None:
                wiring = self._plant.nets.wiring
                found = self._plant.nets.of(end) if wiring.drives(end) else self._plant.nets.into(end)
                if found is None:
                    raise PinError(f"{pin} is not connected, or wider than 64 bits")
        if found is None and pin in self._plant.design.ports:
            raise PinError(f"{pin} {self._why_dead(self._plant.design.ports[pin])}")
        if found is None:
            raise PinError(f"the board has no pin {pin!r}; {near(pin, self._names(), 'known:')}")
        return found

    @staticmethod
    def _why_dead(port: Port) -> str:
        if port.width > WIDEST:
            return f"has {port.width} bits; the board's pins are simulated up to {WIDEST}"
        if port.direction == "IO":
            cells = ", ".join(end.cell for end in port.peers if end.cell)
            return f"is bidirectional: what drives it lies inside {cells or 'a cell'}, which has no model"
        return "is connected to nothing that the description tells"

    def _names(self) -> Iterator[str]:
        yield from self.pins()
        for driver in self._plant.nets.made():
            if driver.cell:
                yield f"{driver.cell}/{driver.port}"

    @staticmethod
    def _check(pin: str, value: int, width: int) -> None:
        if not 0 <= value < 1 << width:
            raise PinError(f"{pin} has {width} bits; {value:#x} does not fit (0 to {(1 << width) - 1:#x})")

    def __repr__(self) -> str:
        return f"<Board: {', '.join(self.pins())}>"
