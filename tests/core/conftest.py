"""Fixtures for registers and memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from corekit import KINDS, HostDevice, Registers


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of window in turn."""
    return str(request.param)


@pytest.fixture
def registers() -> Registers:
    """A page of registers."""
    return Registers(0x1000)


@pytest.fixture
def device() -> Iterator[HostDevice]:
    """A device with memory-mapped registers and 4 MiB of memory."""
    with HostDevice() as made:
        yield made
