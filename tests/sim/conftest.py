"""The simulated board under test, empty or with a design."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pynq.backends.sim import SimDevice
from pynq.design.hwh import read
from pynq.design.model import Design
from pynq.errors import UnmodelledIPWarning

from . import boards


@pytest.fixture
def load() -> Iterator[Callable[..., SimDevice]]:
    """``load(design, **options)``: a deterministic board with that design; closed at the end."""
    opened: list[SimDevice] = []

    def load(design: Design | str, **options: Any) -> SimDevice:
        held = getattr(boards, design)() if isinstance(design, str) else design
        device = SimDevice("sim:test", **{"deterministic": True, **options})
        opened.append(device)
        device.open()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmodelledIPWarning)
            device.download(held, None)
        return device

    yield load
    for device in opened:
        device.close()


@pytest.fixture
def corpus_file(corpus: Path) -> Callable[[str], Design]:
    """``corpus_file(name)``: the design of one of the real hand-off files."""
    return lambda name: read(corpus / "hwh" / f"{name}.hwh")
