"""One V8 for all tests of a module, as starting ELK takes a second; and the builders of hand-off files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from report_kit import Engine

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1] / name) for name in ("descriptions", "design", "look")
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()
