"""Models: the behaviour of an IP in Python. The public names are re-exported by :mod:`pynq.sim`.

A model sees the ports of its IP and nothing else. Its coroutine runs in virtual time on the thread that runs
the engine; what it awaits are requests to the engine, so data moves in bulk and Python is entered once a
request, never once a beat.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from pynq.backends.sim.model_ports import MemoryPort, Pin, StreamPort
from pynq.backends.sim.model_registers import RegisterSet
from pynq.backends.sim.model_tasks import Pause, Task
from pynq.backends.sim.regfile import RegisterSpec, identifier, specs_of_model
from pynq.errors import ModelError
from pynq.wording import near

if TYPE_CHECKING:
    from pynq.backends.sim._engine import Clock, Engine, Host
    from pynq.design.model import Cell, Vlnv

__all__ = ["Model", "ModelRegistry", "models", "moment"]

T = TypeVar("T")
_PS = 1_000_000_000_000  # picoseconds a second


def moment(now: int) -> str:
    """Return a virtual time for messages: ``12.34 us``."""
    for unit, size in (("s", _PS), ("ms", 10**9), ("us", 10**6), ("ns", 10**3)):
        if now >= size:
            return f"{now / size:.6g} {unit}"
    return f"{now} ps"


# -- which model drives which IP -----------------------------------------------------------------------
class ModelRegistry:
    """Models by the type of IP they bind to. A later definition replaces an earlier one, as with drivers.

    The built-in models lie below all others, whenever they are defined.
    """

    def __init__(self) -> None:
        # the user's, the built-in
        self._bound: tuple[dict[str, type[Model]], dict[str, type[Model]]] = ({}, {})

    def add(self, model: type[Model], names: Iterable[str], *, built_in: bool = False) -> None:
        """Bind a model to types: ``vendor:library:name:version``, without the version, or any other text."""
        layer = self._bound[built_in]
        for name in names:
            layer.pop(name, None)
            layer[name] = model

    def remove(self, model: type[Model]) -> None:
        """Forget a model."""
        for layer in self._bound:
            for name in [name for name, held in layer.items() if held is model]:
                del layer[name]

    def find(self, vlnv: Vlnv | None, text: str = "") -> type[Model] | None:
        """Return the model for a type: exact first, then without version, then the latest one for
        another version; for a type of another form (``Cell.type``), the one bound to that very text.
        """
        if vlnv is None:
            return next((layer[text] for layer in self._bound if text in layer), None)
        plain = vlnv.without_version
        for layer in self._bound:
            found = layer.get(str(vlnv)) or layer.get(plain)
            if found is None:
                found = next(
                    (held for name, held in reversed(layer.items()) if name.startswith(f"{plain}:")), None
                )
            if found is not None:
                return found
        return None


models = ModelRegistry()


# -- the model itself ----------------------------------------------------------------------------------
class Model:
    """Base class of behavioural models.

    ``bindto`` lists the types of IP it stands for (``vendor:library:name:version``, or without the version
    for all versions, or whatever text a description has as type). Hooks, all optional:
    ``async def main(self)`` is started when the design is loaded and after each reset; ``on_reset(self)``;
    ``on_write_NAME(self, value)`` after a program's write to the register NAME; ``on_read_NAME(self)``
    before a read, which may return the value to give; ``on_pin_NAME(self, level)`` when the input NAME
    changes. ``registers`` may declare registers that the description has not:
    ``{"CTRL": 0x00, "STATUS": pynq.sim.Reg(0x04, access="read-only")}``.

    What a hook or ``main`` raises is a :class:`~pynq.errors.ModelError` at the access or wait of the program
    that caused it.
    """

    bindto: ClassVar[list[str]] = []
    registers: Any = MappingProxyType({})
    #: True: the reset inputs of the cell are ordinary inputs of the model, and do not reset it.
    handles_reset: ClassVar[bool] = False

    #: Path of the cell, "" before the model is attached.
    name: str = ""
    #: Parameters of the cell, as in the description.
    parameters: Mapping[str, str] = MappingProxyType({})
    _built_in: ClassVar[bool] = False
    _alive = False
    _tasks: list[Task]
    host: Host
    cell: Cell
    clock: Clock
    engine: Engine
    random: np.random.Generator

    def __init_subclass__(cls, *, built_in: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._built_in = built_in
        if "bindto" in cls.__dict__:
            names: Any = cls.bindto
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise ModelError(
                    f"{cls.__name__}.bindto is {names!r}: expected a list of types: ['acme.com:user:fir:1.0']"
                )
            models.add(cls, cls.bindto, built_in=built_in)

    # -- what a model's author writes ------------------------------------------------------------------
    def on_reset(self) -> None:
        """Set the model's own state. Called before ``main`` starts: at load and after each reset."""

    async def main(self) -> None:
        """Do the work. May end; is started anew by a reset."""

    def explain(self, channel: str) -> str:
        """Return one sentence on why a channel (a stream port's name; "": any) does not go on, or ""."""
        waits = [task.waits_for for task in self._tasks if task.waits_for]
        if self._failed is not None:
            return self._failed
        if not waits:
            return "" if type(self).main is Model.main else f"{self.name} ({type(self).__name__}) has ended"
        return f"{self.name} ({type(self).__name__}) waits for {' and for '.join(waits)}"

    def hears(self) -> Iterable[str]:
        """Return the inputs that can change what the model drives, as it is set up now; by default all.

        Tells a wait for its interrupt whether a hand on a button could still bring it.
        """
        return [name for name, pin in self._pins.items() if not pin.output]

    # -- ports -----------------------------------------------------------------------------------------
    def stream(self, name: str) -> StreamPort:
        """Return a stream by the name of its interface (``s_axis``).

        Raises :class:`ModelError` with the names there are.
        """
        return self._port(name, self._streams, "stream")

    def memory(self, name: str) -> MemoryPort:
        """Return a memory-mapped master by the name of its interface (``m_axi_gmem``)."""
        return self._port(name, self._memories, "memory master")

    def pin(self, name: str) -> Pin:
        """Return a wire by the name of its port (``interrupt``)."""
        return self._port(name, self._pins, "pin")

    def driven(self, name: str) -> bool:
        """Return whether something drives an input."""
        return name in self._driven

    def connected(self, name: str) -> bool:
        """Return whether an output leads anywhere in the design."""
        port = self.cell.ports.get(name)
        return port is not None and bool(port.signal or port.peers)

    # -- time ------------------------------------------------------------------------------------------
    @property
    def now(self) -> float:
        """Virtual time in seconds."""
        return self.engine.now / _PS

    async def cycles(self, count: int) -> None:
        """Wait for that many rising edges of the model's clock."""
        pause: Pause[None] = Pause(f"{count} cycles")
        self.host.after(max(0, int(count)), pause.finish)
        await pause

    async def seconds(self, duration: float) -> None:
        """Wait for a span of virtual time."""
        pause: Pause[None] = Pause(f"{duration} s")
        self.host.at(self.engine.now + round(duration * _PS), pause.finish)
        await pause

    async def written(self, register: str) -> int:
        """Wait until the program writes a register; return what it wrote.

        From the first call on no write is lost: if there was one since the last call returned, this one
        returns at once with the latest value.
        """
        spec = self._find(register)
        key = (spec.port, spec.offset)
        if key not in self._unseen:
            self._unseen[key] = None
            self._hook_write(spec)
        value = self._unseen[key]
        if value is not None:
            self._unseen[key] = None
            return value
        pause: Pause[int] = Pause(f"a write to {self.name}.{spec.name}")
        self._waiting.setdefault(key, []).append(pause)
        return await pause

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Let a coroutine of the model run beside ``main``; it ends with a reset."""
        task = Task(self, coroutine)
        self._tasks = [held for held in self._tasks if not held.done]
        self._tasks.append(task)
        task.step()
        return task

    # -- life (called by the assembly) -----------------------------------------------------------------
    @classmethod
    def specs(cls, cell: Cell) -> list[RegisterSpec]:
        """Return the registers that the model declares for this cell; they come before those of the
        description.
        """
        return specs_of_model(cls.__name__, cls.registers)

    @classmethod
    def applies(cls, cell: Cell) -> bool:
        """Return whether the model can stand for this cell; if not, the next best thing does."""
        return True

    @classmethod
    def initial(cls, cell: Cell) -> Mapping[str, int]:
        """Return the levels that outputs have from the start and after a reset, where it is not 0."""
        return {}

    def _attach(
        self,
        engine: Engine,
        host: Host,
        clock: Clock,
        cell: Cell,
        specs: list[RegisterSpec],
        sinks: Mapping[str, int],
        sources: Mapping[str, int],
        masters: Iterable[str],
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        seed: int,
    ) -> None:
        self.engine, self.host, self.clock, self.cell = engine, host, clock, cell
        self.name, self.parameters = cell.path, cell.parameters
        self.registers = RegisterSet(host, cell.path, specs)
        self._driven: set[str] = set()
        self.random = np.random.default_rng([seed, zlib.crc32(cell.path.encode())])
        self._streams = {
            name: StreamPort(self, name, sink=True, width=width) for name, width in sinks.items()
        }
        self._streams |= {
            name: StreamPort(self, name, sink=False, width=width) for name, width in sources.items()
        }
        self._memories = {name: MemoryPort(self, name) for name in masters}
        self._pins = {name: Pin(self, name, output=False, width=width) for name, width in inputs.items()}
        self._pins |= {name: Pin(self, name, output=True, width=width) for name, width in outputs.items()}
        self._tasks = []
        self._alive = False
        self._failed: str | None = None
        self._unseen: dict[tuple[str, int], int | None] = {}
        self._waiting: dict[tuple[str, int], list[Pause[int]]] = {}
        self._hooked: set[tuple[str, int]] = set()
        self._connect_hooks()
        host.on_reset(self._guard(self._reset))
        host.on_explain(self.explain)

    def _input_hook(self, name: str) -> Callable[[int], None]:
        """Return what the engine calls when an input changes (given before the model is attached)."""
        handler: Callable[[int], None] | None = getattr(self, f"on_pin_{identifier(name)}", None)

        def arrived(level: int) -> None:
            if not self._alive:
                return  # nets settle before the start, and a reset holds the model still
            try:
                if handler is not None:
                    handler(level)
                self._pins[name].arrived(level)
            except Exception as error:
                raise self._failure(error) from error

        return arrived

    def _begin(self) -> None:
        """Start the model, unless a reset holds it."""
        if not self.host.in_reset:
            self._reset(False)

    def _reset(self, active: bool) -> None:
        self._alive = not active
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._failed = None
        self._unseen = dict.fromkeys(self._unseen)
        self._waiting = {}
        for pin in self._pins.values():
            pin.forget()
        if not active:
            self.on_reset()
            self.start(self.main())

    def _failure(self, error: Exception) -> Exception:
        """Return the error that tells which model broke, where and when."""
        if isinstance(error, ModelError) and error.args and str(error.args[0]).startswith("model "):
            return error
        text = (
            f"model {type(self).__name__} of {self.name} raised {type(error).__name__} "
            f"at {moment(self.engine.now)} (cycle {self.clock.cycles}): {error}"
        )
        self._failed = f"{self.name} stopped: {text}"
        return ModelError(text)

    def _broken_off(self, error: BaseException) -> None:
        """Note that a coroutine was ended from outside."""
        self._failed = (
            f"{self.name} stopped: {type(error).__name__} came at {moment(self.engine.now)} while its model "
            f"{type(self).__name__} ran, and ended it; reset the IP, or download the overlay again"
        )

    def _guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:
                raise self._failure(error) from error

        return guarded

    def _find(self, register: str) -> RegisterSpec:
        try:
            found: RegisterSpec = self.registers.find(register)
        except AttributeError as error:
            raise ModelError(str(error)) from None
        return found

    def _port(self, name: str, ports: Mapping[str, T], what: str) -> T:
        found = ports.get(name)
        if found is None:
            for known, port in ports.items():
                if known.lower() == name.lower():
                    return port
            raise ModelError(f"{self.name} has no {what} {name!r}; {near(name, ports, 'known:')}")
        return found

    def _connect_hooks(self) -> None:
        for attribute in dir(type(self)):
            kind, _, name = attribute.removeprefix("on_").partition("_")
            if not attribute.startswith(("on_write_", "on_read_", "on_pin_")):
                continue
            if kind == "pin":
                # The vendor's IP leaves pins out by its parameters; in a user's model it is a typo.
                if name not in map(identifier, self._pins) and not self._built_in:
                    known = near(name, self._pins, "known:")
                    raise ModelError(
                        f"{type(self).__name__}.{attribute}: {self.name} has no pin {name!r}; {known}"
                    )
                continue
            try:
                spec = self.registers.find(name)
            except AttributeError as error:
                raise ModelError(f"{type(self).__name__}.{attribute}: {error}") from None
            if kind == "write":
                self._hook_write(spec)
            else:
                self.host.on_read(spec.offset, self._guard(getattr(self, attribute)), port=spec.port)

    def _hook_write(self, spec: RegisterSpec) -> None:
        key = (spec.port, spec.offset)
        if key in self._hooked:
            return
        self._hooked.add(key)
        handler = getattr(self, f"on_write_{identifier(spec.name)}", None)
        self.host.on_write(spec.offset, self._guard(partial(self._wrote, key, handler)), port=spec.port)

    def _wrote(
        self, key: tuple[str, int], handler: Callable[[int], None] | None, value: int, before: int
    ) -> None:
        if handler is not None:
            handler(value)
        waiting = self._waiting.pop(key, [])
        if waiting:
            for pause in waiting:
                pause.finish(value)
        elif key in self._unseen:
            self._unseen[key] = value
