"""A folder with the static design, two partial ones, and a deterministic board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from partial import regionkit

import pynq
from pynq.backends.sim import SimDevice


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: ``full.bit``, ``adder.bit`` and ``multiplier.bit`` (for ``pr_0``), ``calc.bit``
    (for ``block/rp``), each with its description.
    """
    regionkit.models()
    write, partial = regionkit.write, regionkit.partial
    write(tmp_path, "full", regionkit.static())
    write(tmp_path, "adder", partial("adder", {"adder": regionkit.ADDER}), bytes(4000))
    write(tmp_path, "multiplier", partial("multiplier", {"sub/mul": regionkit.MULTIPLIER}), bytes(8000))
    write(tmp_path, "calc", partial("calc", {"calc": regionkit.ADDER}, streams=False), bytes(4000))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def device() -> Iterator[SimDevice]:
    """A board whose time is its own."""
    with SimDevice("sim:partial", deterministic=True) as made:
        yield made


@pytest.fixture
def overlay(folder: Path, device: SimDevice) -> Any:
    """The static design, loaded; its regions hold what the description does not tell."""
    return pynq.Overlay("full.bit", device=device)
