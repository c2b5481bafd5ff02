"""Models: the behaviour of an IP in Python. The public names are re-exported by :mod:`pynq.sim`.

A model sees the ports of its IP and nothing else. Its coroutine runs in virtual time on the thread that runs
the engine; what it awaits are requests to the engine, so data moves in bulk and Python is entered once a
request, never once a beat.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from pynq.backends.sim.regfile import RegisterSpec, identifier, specs_of_model
from pynq.errors import BusError, ModelError
from pynq.wording import near

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]

    from pynq.backends.sim._engine import Clock, Engine, Host
    from pynq.design.model import Cell, Vlnv

__all__ = [
    "MemoryPort",
    "Model",
    "ModelRegistry",
    "Packet",
    "Pin",
    "RegisterSet",
    "StreamPort",
    "Task",
    "models",
]

T = TypeVar("T")
_PS = 1_000_000_000_000  # picoseconds a second


def moment(now: int) -> str:
    """Return a virtual time for messages: ``12.34 us``."""
    for unit, size in (("s", _PS), ("ms", 10**9), ("us", 10**6), ("ns", 10**3)):
        if now >= size:
            return f"{now / size:.6g} {unit}"
    return f"{now} ps"


# -- awaiting ------------------------------------------------------------------------------------------
class _Pause(Generic[T]):
    """One thing that a model waits for.

    The engine, or another coroutine of the model, brings it to its end.
    """

    __slots__ = ("_error", "_task", "done", "value", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.done = False
        self.value: T | None = None
        self._error: BaseException | None = None
        self._task: Task | None = None

    def __await__(self) -> Generator[_Pause[T], None, T]:
        if not self.done:
            yield self
        if self._error is not None:
            raise self._error
        return self.value  # type: ignore[return-value]

    def finish(self, value: T | None = None, error: BaseException | None = None) -> None:
        """Give the result and let the waiting coroutine go on, now."""
        self.done, self.value, self._error = True, value, error
        task, self._task = self._task, None
        if task is not None:
            task._step()

    def wait_by(self, task: Task) -> None:
        if self._task is not None:
            raise ModelError(f"two coroutines of one model wait for the same thing: {self.what}")
        self._task = task


class Task:
    """A coroutine of a model that runs beside the others; awaiting it waits for its end and gives its
    result.
    """

    def __init__(self, model: Model, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._model = model
        self._coroutine = coroutine
        self._end: _Pause[Any] = _Pause(f"the end of {getattr(coroutine, '__name__', 'a coroutine')}")
        self._busy = False
        self._cancelled = False
        self.waits_for: str = ""

    @property
    def done(self) -> bool:
        """True when the coroutine has ended or was cancelled."""
        return self._end.done or self._cancelled

    def __await__(self) -> Generator[Any, None, Any]:
        return self._end.__await__()

    def cancel(self) -> None:
        """End the coroutine where it stands."""
        self._cancelled = True
        self.waits_for = ""
        if not self._busy:
            self._coroutine.close()

    def _step(self) -> None:
        if self.done:
            return
        self._busy = True
        try:
            while True:
                pause = self._coroutine.send(None)
                if not isinstance(pause, _Pause):
                    foreign = TypeError(
                        f"awaits {type(pause).__name__}, which belongs to another event loop; a model awaits "
                        "what its own methods give: stream().recv(), cycles(), written(), memory().read()"
                    )
                    self._coroutine.throw(foreign)
                    raise foreign
                if self._cancelled or not pause.done:
                    break
            if not self._cancelled:
                pause.wait_by(self)
                self.waits_for = pause.what
        except StopIteration as end:
            self.waits_for = ""
            self._busy = False
            self._end.finish(end.value)
        except Exception as error:
            self._cancelled = True
            self.waits_for = ""
            raise self._model._failure(error) from error
        except BaseException as error:  # Ctrl-C that came while the model's code ran goes to the program
            self._cancelled = True
            self.waits_for = ""
            self._model._broken_off(error)
            raise
        finally:
            self._busy = False
            if self._cancelled:
                self._coroutine.close()


# -- ports ---------------------------------------------------------------------------------------------
class Packet(np.ndarray[Any, np.dtype[np.uint8]]):
    """Bytes received from a stream.

    ``last``: TLAST came with the final beat; ``dest``, ``user``, ``id`` as of the first beat.
    """

    last: bool
    dest: int
    user: int
    id: int

    def __array_finalize__(self, source: Any) -> None:
        self.last = getattr(source, "last", False)
        self.dest = getattr(source, "dest", 0)
        self.user = getattr(source, "user", 0)
        self.id = getattr(source, "id", 0)


class StreamPort:
    """An AXI4-Stream interface of a model; ``width`` is that of TDATA in bytes."""

    def __init__(self, model: Model, name: str, *, sink: bool, width: int) -> None:
        self._model = model
        self.name = name
        self.width = width
        self._sink = sink

    async def recv(self, nbytes: int | None = None) -> Packet:
        """Take ``nbytes`` bytes, or fewer if TLAST comes first; without a number everything up to TLAST.

        Returns an array of bytes with ``.last``; ``.view("<i2")`` gives samples. Raises :class:`ModelError`
        on a port that sends.
        """
        if not self._sink:
            raise ModelError(f"{self._model.name}.{self.name} sends; only a slave stream can receive")
        pause: _Pause[Packet] = _Pause(
            f"{'a packet' if nbytes is None else f'{nbytes} bytes'} on {self._model.name}/{self.name}"
        )

        def done(data: npt.NDArray[np.uint8], last: bool, band: tuple[int, int, int]) -> None:
            packet = data.view(Packet)
            packet.last = last
            packet.dest, packet.user, packet.id = band
            pause.finish(packet)

        self._model.host.receive(self.name, nbytes, done)
        return await pause

    async def send(
        self, data: npt.ArrayLike | Buffer, last: bool = True, *, dest: int = 0, user: int = 0, id: int = 0
    ) -> None:
        """Send the bytes of an array, with TLAST at the end if ``last``; return when the sink's queue
        has taken all of them.
        """
        if self._sink:
            raise ModelError(f"{self._model.name}.{self.name} receives; only a master stream can send")
        raw: Any = data if isinstance(data, (bytes, bytearray, memoryview)) else np.ascontiguousarray(data)
        pause: _Pause[None] = _Pause(f"room on {self._model.name}/{self.name}")
        self._model.host.send(self.name, raw, last, pause.finish, dest=dest, user=user, id=id)
        await pause

    def __repr__(self) -> str:
        does = "receives" if self._sink else "sends"
        return f"<StreamPort {self._model.name}/{self.name}, {does} {self.width} bytes a beat>"


class MemoryPort:
    """A memory-mapped master of a model: what it reads and writes by itself (DDR, BRAM, registers of
    others).
    """

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self.name = name

    async def read(self, address: int, nbytes: int) -> npt.NDArray[np.uint8]:
        """Read bytes. Raises :class:`BusError` where the bus answers with an error."""
        what = f"{nbytes} bytes from {address:#x} by {self._model.name}/{self.name}"
        pause: _Pause[npt.NDArray[np.uint8]] = _Pause(what)

        def done(data: npt.NDArray[np.uint8] | None, error: str) -> None:
            pause.finish(data, BusError(error) if error else None)

        self._model.host.read_memory(self.name, int(address), int(nbytes), done)
        return await pause

    async def write(self, address: int, data: npt.ArrayLike | Buffer) -> None:
        """Write the bytes of an array. Raises :class:`BusError` where the bus answers with an error."""
        raw: Any = data if isinstance(data, (bytes, bytearray, memoryview)) else np.ascontiguousarray(data)
        pause: _Pause[None] = _Pause(f"a write to {address:#x} by {self._model.name}/{self.name}")

        def done(error: str) -> None:
            pause.finish(None, BusError(error) if error else None)

        self._model.host.write_memory(self.name, int(address), raw, done)
        await pause


class Pin:
    """A wire of a model: an output to drive, or an input to read and to wait for."""

    def __init__(self, model: Model, name: str, *, output: bool, width: int) -> None:
        self._model = model
        self.name = name
        self.output = output
        self.width = width
        self._waiting: list[tuple[Callable[[int, int], bool], _Pause[int]]] = []
        self._before = 0

    @property
    def level(self) -> int:
        """What is on the wire now."""
        return self._model.host.sample(self.name)

    def drive(self, value: int) -> None:
        """Set the level of an output."""
        self._model.host.drive(self._writable(), int(value))

    def pulse(self, cycles: int = 1) -> None:
        """Drive 1 for some cycles of the model's clock, then 0."""
        self._model.host.pulse(self._writable(), cycles)

    async def changed(self) -> int:
        """Wait for a change of level; return the new one."""
        return await self._edge(lambda now, before: now != before, "a change")

    async def rising(self) -> int:
        """Wait until any bit goes from 0 to 1; return the level."""
        return await self._edge(lambda now, before: bool(now & ~before), "a rising edge")

    async def falling(self) -> int:
        """Wait until any bit goes from 1 to 0; return the level."""
        return await self._edge(lambda now, before: bool(~now & before), "a falling edge")

    def _writable(self) -> str:
        if not self.output:
            raise ModelError(f"{self._model.name}/{self.name} is an input; a model drives its outputs only")
        return self.name

    async def _edge(self, test: Callable[[int, int], bool], what: str) -> int:
        if self.output:
            raise ModelError(
                f"{self._model.name}/{self.name} is an output; a model waits for its inputs only"
            )
        pause: _Pause[int] = _Pause(f"{what} of {self._model.name}/{self.name}")
        self._waiting.append((test, pause))
        return await pause

    def _arrived(self, level: int) -> None:
        before, self._before = self._before, level
        waiting, self._waiting = self._waiting, []
        ready: list[tuple[Callable[[int, int], bool], _Pause[int]]] = []
        for entry in waiting:
            (ready if entry[0](level, before) else self._waiting).append(entry)
        for _, pause in ready:
            pause.finish(level)


# -- registers -----------------------------------------------------------------------------------------
class RegisterValue(int):
    """The contents of a register; its fields are attributes: ``self.registers.CTRL.START``, also to be
    set.
    """

    _set: RegisterSet
    _spec: RegisterSpec

    @classmethod
    def _make(cls, owner: RegisterSet, spec: RegisterSpec, value: int) -> RegisterValue:
        made = cls(value)
        object.__setattr__(made, "_set", owner)
        object.__setattr__(made, "_spec", spec)
        return made

    def __getattr__(self, name: str) -> int:
        low, width = self._field(name)
        return int(self) >> low & ((1 << width) - 1)

    def __setattr__(self, name: str, value: int) -> None:
        low, width = self._field(name)
        if not 0 <= value < 1 << width:
            raise ModelError(
                f"{self._set._owner}.{self._spec.name}.{name} = {value}: the field has {width} bits"
            )
        mask = ((1 << width) - 1) << low
        self._set._host.set(self._spec.offset, value << low, mask=mask, port=self._spec.port)

    def _field(self, name: str) -> tuple[int, int]:
        if name.startswith("__"):
            raise AttributeError(name)
        for known, place in self._spec.fields.items():
            if name in (known, identifier(known)):
                return place
        fields = map(identifier, self._spec.fields)
        raise AttributeError(
            f"{self._set._owner}: register {self._spec.name} has no field {name!r}; "
            f"{near(name, fields, 'known:')}"
        )


class RegisterSet:
    """A model's own view of its registers: raw storage, beyond access rights, without hooks and at no time.

    By attribute where the name is an identifier (others are spelt with ``_``), by the name in the
    description, or by offset.
    """

    __slots__ = ("_host", "_owner", "_specs")

    _host: Host
    _owner: str
    _specs: dict[str, RegisterSpec]

    def __init__(self, host: Host, owner: str, specs: Iterable[RegisterSpec]) -> None:
        object.__setattr__(self, "_host", host)
        object.__setattr__(self, "_owner", owner)
        known: dict[str, RegisterSpec] = {}
        for spec in specs:
            for name in (identifier(spec.name), identifier(f"{spec.port}_{spec.name}")):
                known.setdefault(name, spec)
        object.__setattr__(self, "_specs", known)

    def find(self, key: str | int) -> RegisterSpec:
        """Return how a register is laid out. Raises ``AttributeError`` with the near names."""
        if isinstance(key, int):
            for spec in self._specs.values():
                if spec.offset == key:
                    return spec
            raise AttributeError(f"{self._owner} has no register at offset {key:#x}")
        spec_of = self._specs.get(key) or self._specs.get(identifier(key))
        if spec_of is None:
            raise AttributeError(f"{self._owner} has no register {key!r}; {near(key, self._specs, 'known:')}")
        return spec_of

    def __getitem__(self, key: str | int) -> RegisterValue:
        spec = self.find(key)
        return RegisterValue._make(self, spec, self._host.get(spec.offset, port=spec.port))

    def __setitem__(self, key: str | int, value: int) -> None:
        spec = self.find(key)
        self._host.set(spec.offset, int(value) & spec.mask, port=spec.port)

    def __getattr__(self, name: str) -> RegisterValue:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: int) -> None:
        self[name] = value

    def __iter__(self) -> Any:
        return iter({spec.name: None for spec in self._specs.values()})

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._specs]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={int(self[name]):#x}" for name in self)
        return f"<registers of {self._owner}: {values}>"


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
        pause: _Pause[None] = _Pause(f"{count} cycles")
        self.host.after(max(0, int(count)), pause.finish)
        await pause

    async def seconds(self, duration: float) -> None:
        """Wait for a span of virtual time."""
        pause: _Pause[None] = _Pause(f"{duration} s")
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
        pause: _Pause[int] = _Pause(f"a write to {self.name}.{spec.name}")
        self._waiting.setdefault(key, []).append(pause)
        return await pause

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Let a coroutine of the model run beside ``main``; it ends with a reset."""
        task = Task(self, coroutine)
        self._tasks = [held for held in self._tasks if not held.done]
        self._tasks.append(task)
        task._step()
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
        self._waiting: dict[tuple[str, int], list[_Pause[int]]] = {}
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
                self._pins[name]._arrived(level)
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
            pin._waiting = []
            pin._before = 0 if pin.output else pin.level
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
