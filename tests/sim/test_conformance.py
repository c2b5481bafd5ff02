"""The conformance suite on a backend that has the minimum and nothing else; it fits on a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pynq._native import Arena, MappedBlock, Window
from pynq.design.model import Design
from pynq.device.base import Device
from pynq.errors import OverlayNotLoadedError
from pynq.testing import Check, ConformanceError, check_device

from . import boards


class Minimal(Device):
    """Registers that are plain memory, and a megabyte for buffers."""

    def __init__(self) -> None:
        super().__init__("minimal:")
        self.arena: Arena | None = None
        self.windows: list[Window] = []

    def open(self) -> None:
        file = os.memfd_create("minimal")
        os.ftruncate(file, 64 << 20)
        self.arena = Arena(file, 0, 64 << 20, 0x1000_0000)
        os.close(file)

    def close(self) -> None:
        self.arena = None
        self._forget("the device is closed")

    def map(self, base: int, length: int) -> Window:
        if self.arena is None or self.design is None:
            raise OverlayNotLoadedError("nothing is loaded")
        window = Window.from_memory(bytearray(length), base)
        self.windows.append(window)
        return window

    def allocate_block(self, nbytes: int, *, cacheable: bool = True, target: Any = None) -> MappedBlock:
        if self.arena is None:
            raise OverlayNotLoadedError("the device is closed")
        return self.arena.allocate(nbytes)

    def download(
        self, design: Design, bitstream: Path | None, *, partial: bool = False, dtbo: Path | None = None
    ) -> None:
        self._forget("another design was loaded")
        self.design = design

    def _forget(self, reason: str) -> None:
        for window in self.windows:
            window.invalidate(reason)
        self.windows = []


def outcomes(checks: list[Check]) -> dict[str, str]:
    return {check.rule: check.outcome for check in checks}


def test_the_minimum_backend_keeps_the_contract() -> None:
    checks = check_device(Minimal, boards.streaming(), scratch=boards.CORE + 0x10)
    assert {check.outcome for check in checks if check.part == "must"} == {"kept"}
    found = outcomes(checks)
    assert found["interrupt lines"] == found["EMIO GPIO"] == found["PL clocks"] == "refused"
    assert str(checks[0]).startswith("kept")


def test_without_a_design_only_memory_is_checked() -> None:
    found = outcomes(check_device(Minimal))
    assert found["memory: sizes, pages, zeroes, no overlap"] == "kept"
    assert found["windows: data and polling"] == "skipped"


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"close": lambda self: None}, "closed: refuses with its own errors"),
        ({"_forget": lambda self, reason: None}, "windows: invalid after a download"),
        ({"clock_rate": lambda self, index: 0.0}, "PL clocks"),
        ({"explain": lambda self, what: "no idea"}, "explanations"),
        (
            {"map": lambda self, base, length: Window.from_memory(bytearray(length + 4), base)},
            "windows: place",
        ),
    ],
)
def test_each_broken_rule_is_named(broken: dict[str, Any], rule: str) -> None:
    kind = type("Broken", (Minimal,), broken)
    with pytest.raises(ConformanceError, match=rule):
        check_device(kind, boards.streaming(), scratch=boards.CORE + 0x10)
