"""Waves, signals and drawings through the device and the overlay, on a design of models."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pynq
from pynq.backends.sim import SimDevice
from pynq.backends.sim.waves import moment
from pynq.errors import (
    OverlayNotLoadedError,
    PynqError,
    SignalNotFoundError,
    UnsupportedByDeviceError,
)
from pynq.waves import read_waves

pytest.importorskip("pywellen")

ROOT = Path(__file__).parents[2]
DESIGN = ROOT / "examples" / "dma_loopback" / "dma_loopback.hwh"
SENT = "axi_dma_0.M_AXIS_MM2S"
BEATS = 32  # of 64 bits, for 64 words


@pytest.fixture
def device() -> Iterator[SimDevice]:
    with SimDevice("sim:waves", deterministic=True) as made:
        made.open()
        yield made


@pytest.fixture
def overlay(device: SimDevice) -> Any:
    return load(device)


def load(device: SimDevice) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pynq.Overlay(str(DESIGN), device=device)


def period(device: SimDevice) -> int:
    return round(1e12 / device.clock_rate(0))


def transfer(overlay: Any, count: int = 64) -> None:
    dma = overlay.axi_dma_0
    with overlay.device.allocate(count) as source, overlay.device.allocate(count) as target:
        source[:] = np.arange(count)
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert np.array_equal(source, target)


@pytest.mark.parametrize("kind", ["vcd", "fst"])
def test_called_before_the_overlay(device: SimDevice, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"run.{kind}"
    waves = device.waves(path)
    assert waves.state == "pending"
    assert "pending" in repr(waves)
    overlay = load(device)
    assert waves.state == "recording"
    transfer(overlay)
    waves.close()
    assert waves.state == "closed"
    wave = read_waves(path)
    assert wave.begin == 0
    assert wave.end == device.now_ps
    assert wave[f"{SENT}.beats"].at(wave.end) == device.signal(f"{SENT}.beats").value == BEATS
    # The reset of the load is in it.
    reset = next(trace for trace in wave.traces if trace.name.endswith("interconnect_aresetn"))
    assert [value for _, value in reset.changes] == [0, 1]
    high = [time for time, value in wave["axi_dma_0.mm2s_introut"].changes if value]
    assert len(high) == 1


def test_a_download_ends_it_and_so_does_the_device(device: SimDevice, tmp_path: Path) -> None:
    overlay = load(device)
    first = device.waves(tmp_path / "first.fst")
    transfer(overlay)
    overlay.download()
    assert first.state == "closed"
    assert read_waves(tmp_path / "first.fst")[f"{SENT}.beats"].changes[-1][1] == BEATS
    overlay = load(device)
    second = device.waves(tmp_path / "second.vcd")
    transfer(overlay)
    device.close()
    assert second.state == "closed"
    assert read_waves(tmp_path / "second.vcd")[f"{SENT}.beats"].changes[-1][1] == BEATS
    second.close()
    with pytest.raises(PynqError, match="closed"):
        device.waves(tmp_path / "third.fst")


def test_a_second_recording_into_a_file_ends_the_first(
    overlay: Any, device: SimDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cell of a notebook that is run again makes it: two of them would write over each other."""
    monkeypatch.chdir(tmp_path)
    first, other = device.waves("run.vcd"), device.waves("other.vcd")
    transfer(overlay)
    again = device.waves(tmp_path / "run.vcd")
    assert (first.state, other.state, again.state) == ("closed", "recording", "recording")
    begin = device.now
    transfer(overlay)
    again.close()
    first.close()
    recorded = read_waves(tmp_path / "run.vcd")
    assert recorded.begin == pytest.approx(begin * 1e12, abs=2 * period(device))
    counts = [count for _, count in recorded[f"{SENT}.beats"].changes]
    assert (counts[0], counts[-1]) == (BEATS, 2 * BEATS)


def test_times_triggers_and_selections(overlay: Any, device: SimDevice, tmp_path: Path) -> None:
    with device.waves(
        tmp_path / "run.fst",
        signals=[f"{SENT}.*", "axi_dma_0.s2mm_introut"],
        trigger="axi_dma_0.mm2s_introut",
        before="50 cycles",
        stop="1 us",
    ) as waves:
        assert waves.state == "armed"
        assert waves.signals == [f"{SENT}.{name}" for name in ("queued", "beats", "packets")] + [
            "axi_dma_0.s2mm_introut"
        ]
        transfer(overlay)
        device.run(1e-5)
        assert waves.triggered is not None
        assert waves.state == "stopped"
    wave = read_waves(tmp_path / "run.fst")
    fired = round(waves.triggered * 1e12)
    assert fired - wave.begin == 50 * period(device)
    assert wave.end - fired == 10**6
    later = device.waves(tmp_path / "late.vcd", start=device.now + 1e-6, stop=device.now + 2e-6)
    assert later.state == "waiting"
    device.run(5e-6)
    transfer(overlay)
    assert later.state == "stopped"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"signals": "axi_dma_0.nothing"}, SignalNotFoundError, "no signal"),
        ({"trigger": f"{SENT}.beats == many"}, ValueError, "no number"),
        ({"trigger": "axi_dma_0.mm2s_introut == 2"}, ValueError, "1 bits"),
        ({"trigger": "axi_dma_0.mm2s_int"}, SignalNotFoundError, "mm2s_introut"),
        ({"before": "3 us"}, ValueError, "trigger="),
        ({"start": "soon"}, ValueError, "no time"),
        ({"format": "ghw"}, ValueError, "fst or .vcd"),
    ],
)
def test_what_says_nothing(
    overlay: Any, device: SimDevice, tmp_path: Path, options: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        device.waves(tmp_path / "run.fst", **options)
    assert not (tmp_path / "run.fst").exists()


def test_a_path_that_is_none(device: SimDevice, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        device.waves(tmp_path / "no" / "run.fst")
    with pytest.raises(ValueError, match=r"fst or \.vcd"):
        device.waves(tmp_path / "run.txt")
    with pytest.raises(OverlayNotLoadedError):
        device.signal("x")


def test_a_wrong_name_before_the_load_is_told_by_the_load(device: SimDevice, tmp_path: Path) -> None:
    waves = device.waves(tmp_path / "run.fst", signals=["axi_dma_0.nothing"])
    with pytest.raises(SignalNotFoundError, match="no signal"):
        load(device)
    assert waves.state == "closed"
    load(device)


def test_moments() -> None:
    def period() -> float:
        return 10_000.0

    assert moment(1.5e-6, period) == 1_500_000
    assert moment("12.5 us", period) == 12_500_000
    assert moment("200 cycles", period) == 2_000_000
    assert moment("1_000 ns", period) == 1_000_000
    assert moment("1e3ps", period) == 1000
    for wrong in ("3", "3 hours", "-1 us"):
        with pytest.raises(ValueError, match="no time"):
            moment(wrong, period)
    with pytest.raises(ValueError, match="before the download"):
        moment(-1.0, period)


def test_signals(overlay: Any, device: SimDevice) -> None:
    assert device.signal("axi_dma_0/mm2s_introut").value == 0
    assert device.signal.axi_dma_0.mm2s_introut.bits == 1
    assert [signal.name for signal in device.signals(f"{SENT}.*")] == [
        f"{SENT}.{name}" for name in ("queued", "beats", "packets")
    ]
    registers = overlay.axi_dma_0.mmio
    before = device.signal("ps.accesses").value
    with device.record_waves("ps.*") as recording:
        registers.read(0)
    assert recording.waveform["ps.write"].at(device.now_ps) == 0
    assert device.signal("ps.address").value == registers.base_addr
    assert int(device.signal("ps.accesses")) == int(before) + 1


def test_record_and_plot(overlay: Any, device: SimDevice) -> None:
    names = [f"{SENT}.beats", "axi_dma_0/mm2s_introut"]
    with overlay.record_waves(names) as recording:
        transfer(overlay)
    end = device.now_ps
    device.run(1e-6)
    assert recording.waveform.end == end
    assert recording.waveform[f"{SENT}.beats"].at(end) == BEATS
    assert recording._repr_svg_() == recording.plot().svg
    drawn = overlay.plot_waves(names, lambda: transfer(overlay), radix="dec")
    assert ">64<" in drawn.svg
    # A recording that goes on is what is drawn; else some cycles pass.
    with overlay.record_waves(names, cycles=50):
        transfer(overlay)
        before = device.now_ps
        plot = overlay.plot_waves(names, cycles=20)
        assert device.now_ps == before
        assert plot.wave.end - plot.wave.begin == 20 * period(device)
    before = device.now_ps
    plot = overlay.plot_waves(names, cycles=20)
    assert device.now_ps == pytest.approx(before + 20 * period(device), abs=20)
    assert plot.wave.begin == pytest.approx(before, abs=20)
    assert plot.wave.end == device.now_ps
    cut = overlay.plot_waves(names, lambda: device.run(1e-5), start=device.now + 2e-6, stop=device.now + 3e-6)
    assert cut.wave.end - cut.wave.begin == 10**6


def test_plot_of_a_file(overlay: Any, device: SimDevice, tmp_path: Path) -> None:
    waves = device.waves(tmp_path / "run.fst")
    transfer(overlay)
    plots = [
        overlay.plot_waves(["*.beats"], of=waves),
        overlay.plot_waves(["*.beats"], of=str(tmp_path / "run.fst")),
        overlay.plot_waves(["*.beats"], of=read_waves(tmp_path / "run.fst")),
    ]
    assert len({plot.svg for plot in plots}) == 1
    assert "40" in plots[0].svg


def test_a_device_without_waves() -> None:
    device = pynq.Device("board")
    for call in (device.waves, device.record_waves, device.plot_waves):
        with pytest.raises(UnsupportedByDeviceError, match="waves"):
            call("x")


def test_no_coverage_without_asking(device: SimDevice) -> None:
    with pytest.raises(PynqError, match=r"SimDevice\(coverage="):
        device.coverage()


PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
import pynq
from pynq.backends.sim import SimDevice
device = SimDevice(deterministic=True)
waves = device.waves({path!r})
overlay = pynq.Overlay({design!r}, device=device)
device.run(1e-4)
{end}
"""


@pytest.mark.parametrize(
    "end", ["", "sys.exit(3)", "raise RuntimeError('boom')", "del device, overlay, waves"]
)
def test_the_end_of_a_program_closes_the_file(tmp_path: Path, end: str) -> None:
    path = tmp_path / "run.fst"
    program = PROGRAM.format(path=str(path), design=str(DESIGN), end=end)
    subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, cwd=ROOT)
    assert read_waves(path).end >= 10**8
