"""Small boards for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pynq.backends.sim._engine import Engine

from .boards import LoopBoard


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    """Makes engines that are closed at the end of the test."""
    made: list[Engine] = []

    def make(*args: Any, **options: Any) -> Engine:
        made.append(Engine(*args, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(engines: Callable[..., Engine]) -> Engine:
    return engines()


@pytest.fixture
def loop(engine: Engine) -> LoopBoard:
    """DMA, 64 bits wide, looped back through a FIFO."""
    return LoopBoard(engine)
