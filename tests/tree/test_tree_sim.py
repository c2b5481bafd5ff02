"""The object tree on simulated boards: reloads, several boards, threads."""

from __future__ import annotations

import gc
import re
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from kit import KNOB, write

import pynq
import pynq.overlay
import pynq.sim
from pynq.errors import DeadlockError, OverlayNotLoadedError

pytestmark = pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")


@pytest.fixture(autouse=True)
def model() -> Any:
    """CTRL.ENABLE raises the interrupt; LEVEL shows the pin ``gate`` in bit 31."""

    class TreeKnobModel(pynq.sim.Model):
        bindto = [KNOB]

        def on_write_CTRL(self, value: int) -> None:  # noqa: N802
            self.pin("irq").drive(value & 1)

        def on_pin_gate(self, level: int) -> None:
            self.registers.LEVEL = (int(self.registers.LEVEL) & 0x7FFFFFFF) | level << 31

    return TreeKnobModel


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("load", [pynq.Overlay, pynq.overlay.DefaultOverlay])
def test_warnings_of_the_load_point_at_the_line_of_the_program(bit: str, load: Any) -> None:
    frame = sys._getframe()
    with pytest.warns(pynq.errors.UnmodelledIPWarning, match="other") as caught:
        overlay = load(bit, device="sim:warned")
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, frame.f_lineno - 1)}
    with pytest.warns(pynq.errors.UnmodelledIPWarning) as caught:
        overlay.download()
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, frame.f_lineno - 1)}


@pytest.mark.filterwarnings("default")
def test_what_has_neither_model_nor_registers_is_named_as_well(bit: str, tmp_path: Path) -> None:
    text = Path(bit).with_suffix(".hwh").read_text()
    before, middle, after = text.partition('FULLNAME="/other"')
    assert middle
    bare = (
        before
        + middle
        + re.sub(r"(?s)<ADDRESSBLOCKS>.*?</ADDRESSBLOCKS>", "<ADDRESSBLOCKS/>", after, count=1)
    )
    assert bare != text
    path = tmp_path / "bare.hwh"
    path.write_text(bare)
    with pytest.warns(pynq.errors.UnmodelledIPWarning, match="other"):
        overlay: Any = pynq.Overlay(path, device="sim:bare")
    assert overlay.other.read(0) == 0


def test_a_model_may_be_bound_to_a_type_of_any_form(tmp_path: Path) -> None:
    class Echo(pynq.sim.Model):
        bindto = ["My IP Type"]

        def on_write_CTRL(self, value: int) -> None:  # noqa: N802
            self.registers.LEVEL = value + 1

    path = write(tmp_path, knobs={"mine": "My IP Type"})
    overlay: Any = pynq.Overlay(str(path), device="sim:any")
    overlay.mine.write(0, 0x41)
    assert overlay.mine.read(4) == 0x42


def test_objects_live_on_over_a_reload(bit: str) -> None:
    overlay: Any = pynq.Overlay(bit, device="sim:reload")
    knob, registers, irq, gate = (
        overlay.knob_0,
        overlay.knob_0.register_map,
        overlay.knob_0.irq,
        overlay.knob_0.gate,
    )
    knob.write(4, 5)
    overlay.download()
    assert knob.read(4) == 0  # fresh logic
    knob.write(4, 6)
    assert registers.LEVEL.LEVEL == 6
    knob.write(0, 1)
    irq.wait_sync(timeout=30)
    knob.write(0, 0)
    gate.write(1)
    assert knob.read(4) >> 31 == 1
    assert overlay.knob_0 is knob


def test_another_overlay_takes_the_registers_away_and_they_come_back(bit: str, tmp_path: Path) -> None:
    first: Any = pynq.Overlay(bit, device="sim:two")
    knob, irq = first.knob_0, first.knob_0.irq
    second: Any = pynq.Overlay(str(write(tmp_path, "second", {"other_0": KNOB})), device="sim:two")
    second.other_0.write(4, 3)  # at the address that knob_0 had
    with pytest.raises(
        OverlayNotLoadedError, match=r"knob_0.*: overlay kit.bit is not loaded; .*second.bit is in"
    ):
        knob.read(4)
    pynq.Bitstream(first.bitfile_name, device=first.device).download()
    with pytest.raises(OverlayNotLoadedError, match=r"overlay second.bit is not loaded; .*kit.bit is in"):
        second.other_0.read(4)
    second.download()
    second.other_0.write(4, 4)
    with pytest.raises(OverlayNotLoadedError):
        irq.wait_sync(timeout=1)
    assert hasattr(first, "other")
    with pytest.raises(
        OverlayNotLoadedError, match=r"overlay kit.bit is not loaded; .*second.bit is in device"
    ):
        first.other.read(0)
    first.download()
    knob.write(0, 1)
    irq.wait_sync(timeout=30)
    with pytest.raises(OverlayNotLoadedError):
        second.other_0.read(4)


def test_two_boards_at_once(bit: str) -> None:
    one: Any = pynq.Overlay(bit, device="sim:a")
    two: Any = pynq.Overlay(bit, device="sim:b")
    one.knob_0.write(4, 1)
    two.knob_0.write(4, 2)
    assert (one.knob_0.read(4), two.knob_0.read(4)) == (1, 2)
    one.knob_0.write(0, 1)
    one.knob_0.irq.wait_sync(timeout=30)
    with pytest.raises((DeadlockError, TimeoutError)):
        two.knob_0.irq.wait_sync(timeout=0.05)
    assert one.device is pynq.device.resolve("sim:a")


def test_the_same_board_under_the_same_name(bit: str) -> None:
    overlay = pynq.Overlay(bit, device="sim:a")
    attached: Any = pynq.Overlay(bit, download=False, device="sim:a")
    assert attached.is_loaded()
    attached.knob_0.write(4, 9)
    assert overlay.knob_0.read(4) == 9


def test_threads_that_come_together_get_one_object(bit: str) -> None:
    overlay: Any = pynq.Overlay(bit, device="sim:threads")
    gate = threading.Barrier(8)
    found: list[Any] = []

    def touch() -> None:
        gate.wait()
        found.append((overlay.knob_0, overlay.panel.inner.knob_2))

    threads = [threading.Thread(target=touch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(id(knob), id(inner)) for knob, inner in found}) == 1


def test_closing_the_board_unloads_the_overlay(bit: str) -> None:
    board = pynq.sim.SimDevice("sim:closing")
    overlay: Any = pynq.Overlay(bit, device=board)
    overlay.knob_0.write(4, 1)
    board.close()
    with pytest.raises(OverlayNotLoadedError):
        overlay.knob_0.read(4)
    assert not overlay.is_loaded()
    assert hasattr(overlay, "other")


def test_a_board_of_ones_own_goes_with_its_overlay(bit: str) -> None:
    board = pynq.sim.SimDevice("sim:leaving")
    overlay: Any = pynq.Overlay(bit, device=board)
    overlay.knob_0.read(4)
    gone = weakref.ref(overlay), weakref.ref(board)
    board.close()
    del overlay, board
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_load_ip_data_into_a_block_ram(bit: str, tmp_path: Path) -> None:
    overlay: Any = pynq.Overlay(bit, device="sim:bram")
    (tmp_path / "data.bin").write_bytes(bytes(range(16)))
    overlay.load_ip_data("panel/bram", tmp_path / "data.bin")
    assert overlay.panel.bram.read(4) == 0x07060504


@pytest.mark.corpus
def test_the_base_overlay_of_a_real_board(corpus: Path) -> None:
    name = corpus / "hwh" / "Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"
    overlay: Any = pynq.Overlay(name, device="sim:base")
    overlay.leds_gpio.channel1[0].on()
    assert overlay.leds_gpio.read(0) & 1 == 1
    assert overlay.leds_gpio.register_map.GPIO_DATA is not None
    assert hasattr(overlay, "video")
    assert repr(overlay.video)
