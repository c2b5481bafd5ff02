"""Signals of the simulated board by name: those inside of verilated modules, wires, counts of streams."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from pynq.backends.sim import _engine
from pynq.backends.sim._engine import Engine
from pynq.errors import SignalNotFoundError
from pynq.wavenames import choose, suggest

__all__ = ["Directory", "Signal", "SignalArray", "SignalScope"]


class Signal:
    """A signal of the board, or some bits of one. Reading it lets no time pass.

    ``int(signal)`` is :attr:`value`; ``signal[7:4]`` and ``signal[0]`` are bits, numbered as in the RTL.

    Attributes:
        name: In full: instances and signal with dots between them.
        bits: Width.
        kind: "wire", "variable", "parameter", "real", "event".
    """

    KINDS: Mapping[str, str] = {
        "w": "wire",
        "r": "variable",
        "p": "parameter",
        "f": "real",
        "e": "event",
    }

    def __init__(
        self, engine: Engine, index: int, name: str, bits: int, msb: int, lsb: int, kind: str, low: int = 0
    ) -> None:
        self._engine = engine
        self.index = index  #: of the engine
        self.name = name
        self.bits = bits
        self.kind = self.KINDS.get(kind, kind)
        self._letter = kind
        self._msb, self._lsb = msb, lsb
        self.low = low  #: lowest bit that is looked at, counted from the least significant

    @property
    def value(self) -> int | float:
        """The value now: unsigned, or a float for a real."""
        raw = _engine.read_signal(self._engine, self.index)
        if self._letter == "f":
            return float(struct.unpack("<d", struct.pack("<Q", raw))[0])
        return raw >> self.low & ((1 << self.bits) - 1)

    @property
    def signed(self) -> int:
        """The value now as a two's complement number."""
        value = int(self)
        return value - (1 << self.bits) if value >> (self.bits - 1) & 1 else value

    def __int__(self) -> int:
        return int(self.value)

    __index__ = __int__

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getitem__(self, bits: int | slice) -> Signal:
        if isinstance(bits, slice):
            if bits.step is not None or bits.start is None or bits.stop is None:
                raise IndexError(f"{self.name}: bits are given as [{self._msb}:{self._lsb}]")
            first, last = self._place(bits.start), self._place(bits.stop)
            text = f"{self.name}[{bits.start}:{bits.stop}]"
        else:
            first = last = self._place(bits)
            text = f"{self.name}[{bits}]"
        if first < last:
            raise IndexError(f"{text}: the first bit must be the more significant one")
        width = first - last + 1
        return Signal(self._engine, self.index, text, width, width - 1, 0, self._letter, self.low + last)

    def __iter__(self) -> Iterator[Signal]:
        raise TypeError(f"{self.name} is no sequence: name bits as [{self._msb}:{self._lsb}]")

    def _place(self, bit: int) -> int:
        place = bit - self._lsb if self._msb >= self._lsb else self._lsb - bit
        if self._letter == "f" or not 0 <= place < self.bits:
            raise IndexError(f"{self.name} has bits [{self._msb}:{self._lsb}]; there is no bit {bit}")
        return place

    def __repr__(self) -> str:
        value = self.value
        text = f"{value:g}" if isinstance(value, float) else f"{value:#x}"
        whole = self.bits > 1 and self._letter != "f" and not self.name.endswith("]")
        width = f"[{self._msb}:{self._lsb}]" if whole else ""
        return f"<Signal {self.name}{width} = {text}>"


class SignalArray:
    """An array of the RTL, as far as Verilator tells of its elements: ``array[3].value``."""

    def __init__(self, name: str, elements: Mapping[int, Signal]) -> None:
        self.name = name
        self._elements = dict(sorted(elements.items()))

    @property
    def values(self) -> list[int | float]:
        """The values of all elements now, from the lowest index on."""
        return [element.value for element in self._elements.values()]

    def __getitem__(self, index: int) -> Signal:
        if index not in self._elements:
            first, last = min(self._elements), max(self._elements)
            raise IndexError(f"{self.name}[{index}]: there are {self.name}[{first}] to [{last}]")
        return self._elements[index]

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[Signal]:
        return iter(self._elements.values())

    def __repr__(self) -> str:
        return f"<SignalArray {self.name}[{min(self._elements)}:{max(self._elements)}]>"


class Directory:
    """All signals of one engine by name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._rows: dict[str, tuple[int, int, int, int, str]] = {}
        self._refresh()

    def _refresh(self) -> None:
        # Of two with one name (a region was exchanged) the later one is there now.
        self._rows = {
            ".".join([*scope, name]): (index, bits, msb, lsb, kind)
            for index, scope, name, bits, msb, lsb, kind in _engine.signals(self.engine)
        }

    @property
    def names(self) -> list[str]:
        """Full names of all signals."""
        return list(self._rows)

    def choose(self, wanted: list[str]) -> list[str]:
        """Return the full names that names and globs mean. Raises :class:`SignalNotFoundError`."""
        try:
            return choose(wanted, self.names)
        except SignalNotFoundError:
            self._refresh()  # wires are made when somebody first asks for them
        return choose(wanted, self.names)

    def indices(self, names: list[str]) -> list[int]:
        """Return the engine's numbers of signals given by their full names."""
        return [self._rows[name][0] for name in names]

    def find(self, text: str) -> Signal | SignalArray:
        """Return what a name means: a signal, an element or bits of one ("mem[3][7:0]"), an array.

        Raises :class:`SignalNotFoundError` with near names, ``IndexError`` for bits that there are not.
        """
        key = text.replace("/", ".").strip()
        if "*" in key or "?" in key:
            raise SignalNotFoundError(f"{text!r} could be several; list them with device.signals({text!r})")
        try:
            return self.make(*self.choose([key]))
        except SignalNotFoundError:
            match = re.fullmatch(r"(.*\S)\s*\[(\d+)(?::(\d+))?\]", key)
            if match:
                whole = self.find(match[1])
                first = int(match[2])
                if isinstance(whole, Signal):
                    return whole[first : int(match[3])] if match[3] else whole[first]
                if match[3] is None:
                    return whole[first]
            array = self._array(key)
            if array is not None:
                return array
            raise

    def make(self, name: str) -> Signal:
        """Return the signal of that full name."""
        index, bits, msb, lsb, kind = self._rows[name]
        return Signal(self.engine, index, name, bits, msb, lsb, kind)

    def _array(self, key: str) -> SignalArray | None:
        elements: dict[int, Signal] = {}
        full = ""
        for name in self._rows:
            match = re.fullmatch(r"(.*)\[(\d+)\]", name)
            if match and (match[1] == key or match[1].endswith(f".{key}")):
                full = full or match[1]
                if match[1] == full:
                    elements[int(match[2])] = self.make(name)
        return SignalArray(full, elements) if elements else None


class SignalScope:
    """The signals of the board as attributes, and by name: ``signal.fir_0.acc``, ``signal("fir_0.acc")``."""

    def __init__(self, directory: Directory, path: str = "") -> None:
        self._directory = directory
        self._path = path

    def __call__(self, name: str) -> Signal | SignalArray:
        """Return a signal by name. Raises :class:`SignalNotFoundError` with near names."""
        return self._directory.find(f"{self._path}.{name}" if self._path else name)

    def _inside(self) -> dict[str, Any]:
        prefix = f"{self._path}." if self._path else ""
        known: dict[str, Any] = {}
        for name in self._directory.names:
            if name.startswith(prefix):
                known.setdefault(re.split(r"[.\[]", name[len(prefix) :])[0])
        return known

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self._path}.{name}" if self._path else name
        names = self._directory.names
        if path in names or any(other.startswith(f"{path}[") for other in names):
            return self._directory.find(path)
        if any(other.startswith(f"{path}.") for other in names):
            return SignalScope(self._directory, path)
        raise SignalNotFoundError(f"no signal {path!r}; {suggest(path, names)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._inside()]

    def _ipython_key_completions_(self) -> list[str]:
        return self._directory.names

    def __repr__(self) -> str:
        return f"<signals of {self._path or 'the board'}: {', '.join(self._inside())}>"
