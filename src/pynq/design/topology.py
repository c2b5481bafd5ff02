"""The wires of a design: which port drives which."""

from __future__ import annotations

from collections.abc import Mapping

from pynq.design.model import Cell, Endpoint, Port

__all__ = ["Wiring"]


class Wiring:
    """Walks the connections of a design's cells and external ports."""

    def __init__(self, file: str, cells: Mapping[str, Cell], ports: Mapping[str, Port]) -> None:
        self.file = file
        self.cells = cells
        self.ports = ports
        self._drivers: dict[str, Endpoint] | None = None

    def port(self, end: Endpoint) -> Port | None:
        """The port at an end of a wire; None if the file refers to something that it does not define."""
        if not end.cell:
            return self.ports.get(end.port)
        cell = self.cells.get(end.cell)
        return cell.ports.get(end.port) if cell is not None else None

    def drives(self, end: Endpoint) -> bool:
        """Whether the port at that end gives the wire its value. An input of the design drives what is
        inside.
        """
        port = self.port(end)
        return port is not None and port.direction == ("O" if end.cell else "I")

    def driver(self, end: Endpoint) -> Endpoint | None:
        """What drives an input; None if nothing does."""
        port = self.port(end)
        if port is None:
            return None
        for other in port.peers:
            if self.drives(other):
                return other
        # A port may name its net, but not who else is on it.
        return self._driver_of(port.signal) if port.signal and not port.peers else None

    def loads(self, end: Endpoint) -> tuple[Endpoint, ...]:
        """The inputs that an output drives, in the file's order."""
        port = self.port(end)
        if port is None:
            return ()
        return tuple(other for other in port.peers if self.port(other) is not None and not self.drives(other))

    def _driver_of(self, signal: str) -> Endpoint | None:
        if self._drivers is None:
            self._drivers = {}
            for name, port in self.ports.items():
                if port.direction == "I":
                    self._drivers.setdefault(port.signal, Endpoint("", name))
            for path, cell in self.cells.items():
                for name, port in cell.ports.items():
                    if port.direction == "O":
                        self._drivers.setdefault(port.signal, Endpoint(path, name))
        return self._drivers.get(signal)
