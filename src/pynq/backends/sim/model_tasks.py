"""Coroutines of models: what they wait for, and how they go on. No event loop is behind them."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

from pynq.errors import ModelError

__all__ = ["Pause", "Runner", "Task"]

T = TypeVar("T")


class Runner(Protocol):
    """What a coroutine tells its model."""

    def _failure(self, error: Exception) -> Exception: ...

    def _broken_off(self, error: BaseException) -> None: ...


class Pause(Generic[T]):
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

    def __await__(self) -> Generator[Pause[T], None, T]:
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
            task.step()

    def wait_by(self, task: Task) -> None:
        """Let a task go on at the end of it."""
        if self._task is not None:
            raise ModelError(f"two coroutines of one model wait for the same thing: {self.what}")
        self._task = task


class Task:
    """A coroutine of a model that runs beside the others; awaiting it waits for its end and gives its
    result.
    """

    def __init__(self, model: Runner, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._model = model
        self._coroutine = coroutine
        self._end: Pause[Any] = Pause(f"the end of {getattr(coroutine, '__name__', 'a coroutine')}")
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

    def step(self) -> None:
        """Let the coroutine go on until it waits again, or ends."""
        if self.done:
            return
        self._busy = True
        try:
            while True:
                pause = self._coroutine.send(None)
                if not isinstance(pause, Pause):
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
