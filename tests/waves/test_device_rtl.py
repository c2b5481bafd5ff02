"""Waves, signals and coverage of a whole design with the user's RTL."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from tests.waves.boards import library

import pynq
from pynq.backends.sim import SimDevice
from pynq.backends.sim.coverage import Coverage
from pynq.waves import read_waves

pytest.importorskip("pywellen")

DESIGN = Path(__file__).parents[2] / "examples" / "polynomial" / "polynomial.hwh"


def test_a_run_leaves_waves_and_counts(tmp_path: Path) -> None:
    library()  # skips where there is no Verilator
    x = np.arange(20, dtype=np.int32)
    for run in range(2):
        with SimDevice(deterministic=True, coverage=tmp_path / "counts") as device:
            waves = device.waves(tmp_path / f"run{run}.fst")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                overlay = pynq.Overlay(str(DESIGN), device=device)
            assert np.array_equal(overlay.evaluate(x, (1, -3, 2)), x * x - 3 * x + 2)
            assert device.coverage().runs == run + 1
            clock = device.signal("polynomial_0.aclk")
            assert clock.value in (0, 1)  # type: ignore[union-attr]
        assert waves.state == "closed"
    found = Coverage.read(tmp_path / "counts")
    assert found.runs == 2
    assert {Path(file.path).name for file in found.files()} >= {"polynomial.v", "polynomial_registers.v"}
    assert all(Path(file.path).is_file() for file in found.files())
    assert 50 < found.lines.percent < 100
    # The same program gives the same file, and in it are the words that left the block.
    first, second = (tmp_path / f"run{run}.fst" for run in range(2))
    assert first.read_bytes() == second.read_bytes()
    wave = read_waves(first, ["polynomial_0.aclk", "polynomial_0.m_axis_t*"])
    edges = [time for time, level in wave["aclk"].changes if level and time]
    sent = [
        wave["m_axis_tdata"].at(edge - 1)
        for edge in edges
        if wave["m_axis_tvalid"].at(edge - 1) and wave["m_axis_tready"].at(edge - 1)
    ]
    assert sent == (x * x - 3 * x + 2).astype(np.uint32).tolist()
