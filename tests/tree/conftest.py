"""Devices and a small overlay that the tests of the object tree share."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit import Board, OldDevice, write


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
