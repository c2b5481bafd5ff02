"""Every test gets back the drivers, the models and the active device that were there before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import Board, OldDevice, write

from pynq.binding import drivers
from pynq.device import registry
from pynq.sim import models


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    drivers.snapshot()  # imports the installed ones, which are to stay
    ip, hierarchies = dict(drivers._ip), dict(drivers._hierarchies)
    chosen, bound = registry._chosen, models._bound[False]
    before = dict(bound)
    yield
    bound.clear()
    bound.update(before)
    drivers._ip, drivers._hierarchies = ip, hierarchies
    registry._chosen = chosen


@pytest.fixture
def device() -> OldDevice:
    return OldDevice()


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def bit(tmp_path: Path) -> str:
    """The path of a missing bitstream whose description is there."""
    return str(write(tmp_path, memories=("panel/bram",)))
