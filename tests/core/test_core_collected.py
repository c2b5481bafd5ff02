"""Blocks that the garbage collector finds, together with those who want to hear of their release."""

from __future__ import annotations

import gc
import mmap
import os
import sys
from functools import partial
from typing import Any

from pynq._native import MappedBlock, Window


class Owner:
    """Refers to its block, which refers to it by ``on_release``."""

    def __init__(self, descriptor: int, heard: list[tuple[str, bool]]) -> None:
        self.heard = heard
        self.word = "whole"
        self.block = MappedBlock(descriptor, 0, 4096, 0x1000, partial(self.released, True))
        self.myself = self

    def released(self, value: bool) -> None:
        self.heard.append((self.word, value))


def test_block_in_a_cycle_is_released_once_while_its_owner_is_whole() -> None:
    descriptor = os.memfd_create("block")
    os.ftruncate(descriptor, 4096)
    heard: list[tuple[str, bool]] = []
    for count in range(1, 20):
        Owner(descriptor, heard)
        gc.collect()
        assert heard == [("whole", True)] * count
    os.close(descriptor)


def test_error_of_a_release_in_the_collector_is_reported() -> None:
    descriptor = os.memfd_create("block")
    os.ftruncate(descriptor, 4096)
    seen = []

    class Sore:
        def __init__(self) -> None:
            self.block = MappedBlock(descriptor, 0, 4096, 0x1000, partial(self.released))

        def released(self) -> None:
            seen.append(1)
            raise ValueError("sore")

    before = sys.unraisablehook
    errors: list[Any] = []
    sys.unraisablehook = lambda arguments: errors.append(arguments.exc_value)
    try:
        Sore()
        gc.collect()
    finally:
        sys.unraisablehook = before
    os.close(descriptor)
    assert seen == [1]
    assert [str(error) for error in errors] == ["sore"]


def test_window_on_a_view_in_a_cycle_is_given_back() -> None:
    def cycle() -> Window:
        window = Window.from_memory(memoryview(mmap.mmap(-1, 8192))[4096:], 0x4000_0000)
        younger: list[Any] = [window]  # the collector begins with the view
        younger.append(younger)
        return window

    before = sys.unraisablehook
    errors: list[Any] = []
    sys.unraisablehook = lambda arguments: errors.append(arguments.exc_value)
    try:
        for _ in range(50):
            cycle()
            gc.collect()
            kept = cycle()
            gc.collect()
            kept.write(0, 2)
            assert kept.read(0) == 2
    finally:
        sys.unraisablehook = before
    assert not errors
