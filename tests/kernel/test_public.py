"""The suite of the virtual board on the simulated one: it asks nothing that a program may not ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pynq
from pynq.sim import SimDevice

from .design import write
from .suites import public


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = write(tmp_path_factory.mktemp("bench"))
    with SimDevice() as device:
        device.open()
        yield pynq.Overlay(str(path), device=device)


@pytest.mark.parametrize(
    "test", [function for _, function in public.suite()], ids=[n for n, _ in public.suite()]
)
def test_on_the_simulated_board(overlay: Any, test: Callable[[Any], None]) -> None:
    pynq.Device.active_device = overlay.device
    test(overlay)
