"""The examples' drivers and models are known only as long as their tests run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pynq.binding.drivers import registry
from pynq.design import Vlnv
from pynq.sim import models

IPS = ("stream_filter", "vector_add", "polynomial", "gain", "offset", "limit")
EXAMPLES = [Vlnv("pynq-anywhere.org", "examples", name, "1.0") for name in IPS]


@pytest.fixture(autouse=True, scope="module")
def _leave_nothing_behind() -> Iterator[None]:
    before = registry.snapshot()
    yield
    after = registry.snapshot()
    known = {*before.ip.values(), *before.hierarchies}
    for driver in {*after.ip.values(), *after.hierarchies} - known:
        registry.remove(driver)
    for vlnv in EXAMPLES:
        model = models.find(vlnv)
        if model is not None:
            models.remove(model)
