"""Partial reconfiguration at the public API, on the simulated board."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partial import regionkit
from partial.regionkit import ADDER, FAULTY, MULTIPLIER, PR_0, RP, partial, write
from tests import leaks

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import (
    BusError,
    DesignError,
    DesignNotFoundError,
    ModelError,
    OverlayNotLoadedError,
    RegionError,
    UnmodelledIPWarning,
)
from pynq.interrupt import Interrupt


def through(overlay: Any, values: list[int], dma: str = "axi_dma_0") -> list[int]:
    """Send words through a DMA's stream and return what comes back."""
    out = pynq.allocate((len(values),), "u4", target=overlay.device)
    back = pynq.allocate((len(values),), "u4", target=overlay.device)
    out[:] = values
    channels = overlay[dma]
    channels.recvchannel.transfer(back)
    channels.sendchannel.transfer(out)
    channels.sendchannel.wait()
    channels.recvchannel.wait()
    return [int(value) for value in np.asarray(back)]


def calculate(ip: Any, a: int, b: int) -> int:
    ip.write(0x0, a)
    ip.write(0x4, b)
    return int(ip.read(0x8))


class TestSwapping:
    def test_back_and_forth(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        adder = overlay.pr_0.adder
        adder.register_map.A = 20
        adder.register_map.B = 3
        assert int(adder.register_map.RESULT) == 23
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        overlay.pr_0.download("multiplier.bit")
        assert through(overlay, [1, 2, 3]) == [2, 4, 6]
        assert calculate(overlay.pr_0.sub.mul, 20, 3) == 60
        assert not hasattr(overlay.pr_0, "adder")
        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.pr_0.adder.read(0x8) == 0, "a fresh one"
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]

    def test_both_spellings_and_both_kinds_of_region(self, overlay: Any, folder: Path) -> None:
        """The lines of the documentation, as they are."""
        for name in ("hwh", "bit"):
            (folder / f"partial.{name}").write_bytes((folder / f"adder.{name}").read_bytes())
        overlay.pr_download('pr_0', 'partial.bit')  # fmt: skip
        overlay.block.rp.download('calc.bit')  # fmt: skip
        assert calculate(overlay.pr_0.adder, 1, 2) == 3
        assert calculate(overlay.block.rp.calc, 3, 4) == 7
        overlay.pr_download("block.rp", "calc.bit")
        overlay.pr_download("block/rp", "calc.bit")
        assert calculate(overlay["block/rp/calc"], 5, 6) == 11
        assert overlay.pr_dict["pr_0"]["loaded"] == overlay.pr_0.pr_loaded == str(folder / "partial.bit")
        assert overlay.block.rp.bitstreams["calc.bit"].is_loaded()
        assert list(overlay.block.rp.parsers[str(folder / "calc.bit")].ip_dict) == ["calc"]

    def test_the_file_is_looked_for_beside_the_overlay(
        self, overlay: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        overlay.pr_download("pr_0", "adder.bit")
        assert calculate(overlay.pr_0.adder, 1, 2) == 3

    def test_time_passes_as_for_the_size_of_the_bitstream(self, overlay: Any, folder: Path) -> None:
        def lasts(name: str) -> int:
            before = overlay.device.now_ps
            overlay.pr_download("pr_0", name)
            return int(overlay.device.now_ps - before)

        assert lasts("adder.bit") == 4000 * 2500
        assert lasts("multiplier.bit") == 8000 * 2500
        (folder / "adder.bit").unlink()
        assert lasts("adder") == 500_000_000, "0.5 ms where there is no bitstream"

    def test_wires_on_the_boundary(self, overlay: Any) -> None:
        board = overlay.device.board
        gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=overlay.device), "out", device=overlay.device)
        overlay.pr_download("pr_0", "adder.bit")
        gate.write(1)
        assert board.sample("leds") == 0xA1
        gate.write(0)
        assert board.sample("leds") == 0xA0
        overlay.pr_download("pr_0", "multiplier.bit")
        assert board.sample("leds") == 0, "the level of an output that nobody drives"
        overlay.pr_download("pr_0", "adder.bit")
        gate.write(1)
        assert board.sample("leds") == 0xA1

    def test_what_is_queued_towards_the_region_waits_for_the_next(self, overlay: Any) -> None:
        device = overlay.device
        write(Path.cwd(), "deaf", partial("deaf", {"deaf": "acme.com:dfx:deaf:1.0"}), bytes(400))
        with pytest.warns(UnmodelledIPWarning, match=r"region pr_0: no model.*pr_0/deaf"):
            overlay.pr_download("pr_0", "deaf")
        out = pynq.allocate((8,), "u4", target=device)
        back = pynq.allocate((8,), "u4", target=device)
        out[:] = range(8)
        overlay.axi_dma_0.recvchannel.transfer(back)
        overlay.axi_dma_0.sendchannel.transfer(out)
        device.run()
        assert not overlay.axi_dma_0.recvchannel.idle
        overlay.pr_download("pr_0", "adder.bit")
        overlay.axi_dma_0.recvchannel.wait()
        assert list(back) == list(range(1, 9))

    def test_memories_come_and_go(self, overlay: Any, folder: Path) -> None:
        text = partial("store", {"adder": ADDER}, memories={"bram": 0x4000})
        write(folder, "store", text, bytes(4000))
        overlay.pr_download("pr_0", "store.bit")
        assert overlay.mem_dict["pr_0/bram"]["phys_addr"] == PR_0 + 0x4000
        memory = overlay.pr_0.bram
        memory.write(8, 0x1234)
        assert memory.read(8) == 0x1234
        block = pynq.allocate((4,), "u4", target=memory)
        assert block.physical_address == PR_0 + 0x4000
        overlay.pr_download("pr_0", "adder.bit")
        assert "pr_0/bram" not in overlay.mem_dict
        with pytest.raises(OverlayNotLoadedError, match=r"pr_0/bram: region pr_0, which held store"):
            memory.read(8)
        with pytest.raises(BusError, match=r"nothing answers at 0x40004008"):
            pynq.MMIO(PR_0 + 0x4000, 0x2000, device=overlay.device).read(8)
        overlay.pr_download("pr_0", "store.bit")
        assert overlay.pr_0.bram.read(8) == 0

    def test_absolute_addresses_and_files_without_any(self, overlay: Any, folder: Path) -> None:
        two = {"adder": ADDER, "more/mul": MULTIPLIER}
        write(folder, "absolute", partial("absolute", two, base=PR_0 + 0x2000))
        overlay.pr_download("pr_0", "absolute.bit")
        assert overlay.ip_dict["pr_0/adder"]["phys_addr"] == PR_0 + 0x2000
        assert calculate(overlay.pr_0.more.mul, 6, 7) == 42
        write(folder, "none", partial("none", {"adder": ADDER}, mapped=False))
        overlay.pr_download("pr_0", "none.bit")
        entry = overlay.ip_dict["pr_0/adder"]
        assert (entry["phys_addr"], entry["addr_range"]) == (PR_0, 0x1_0000)
        assert calculate(overlay.pr_0.adder, 6, 7) == 13

    def test_regions_within_regions(self, overlay: Any, folder: Path) -> None:
        write(folder, "outer", partial("outer", {"adder": ADDER}, region="deep/inner"))
        overlay.pr_download("pr_0", "outer.bit")
        overlay.pr_0.deep.inner.download("calc.bit")
        calc = overlay.pr_0.deep.inner.calc
        assert calc.mmio.base_addr == PR_0 + 0x8000
        assert calculate(calc, 1, 1) == 2
        assert calculate(overlay.pr_0.adder, 2, 2) == 4
        assert list(overlay.pr_dict) == ["pr_0", "pr_0/deep/inner"]
        overlay.pr_download("pr_0", "adder.bit")
        assert list(overlay.pr_dict) == ["pr_0"], "what was within is gone with it"
        with pytest.raises(OverlayNotLoadedError, match=r"pr_0/deep/inner/calc"):
            calc.read(0)
        with pytest.raises(RegionError):
            overlay.pr_download("pr_0/deep/inner", "calc.bit")

    def test_the_same_partial_again_keeps_the_objects_and_resets_the_hardware(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        adder = overlay.pr_0.adder
        calculate(adder, 1, 2)
        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.pr_0.adder is adder
        assert adder.read(0x8) == 0
        assert calculate(adder, 2, 2) == 4


def test_an_archive_as_partial_description(overlay: Any, folder: Path) -> None:
    files = '<File Type="HW_HANDOFF" Name="adder.hwh" DESIGN_HIERARCHY="adder"/>'
    files += '<File Type="BIT" Name="adder.bit"/>'
    part = '<SYSTEMINFO ARCH="zynq" DEVICE="7z020" PACKAGE="clg400" SPEED="-1"/>'
    with zipfile.ZipFile(folder / "box.xsa", "w") as made:
        made.writestr("adder.hwh", (folder / "adder.hwh").read_bytes())
        made.writestr("adder.bit", b"")
        made.writestr(
            "sysdef.xml", f'<?xml version="1.0"?><Project Version="3" Minor="1">{part}{files}</Project>'
        )
    overlay.pr_download("pr_0", "box.xsa")
    assert calculate(overlay.pr_0.adder, 3, 4) == 7
    assert overlay.pr_0.pr_loaded == str(folder / "box.xsa")


class TestTheRestGoesOn:
    def test_a_dma_loop_and_a_timer_in_other_threads(self, overlay: Any) -> None:
        stop, errors, rounds = threading.Event(), [], []
        timer = overlay.static.timer
        timer.write(0x04, 0)
        timer.write(0x00, 0x90)  # generate mode off; enabled, counts up from the load register

        def loop() -> None:
            try:
                while not stop.is_set():
                    values = [len(rounds), 7, 9]
                    assert through(overlay, values, "static/axi_dma_1") == values
                    rounds.append(timer.read(0x08))
            except BaseException as error:  # noqa: BLE001  told below
                errors.append(error)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            for number in range(12):
                name = "multiplier" if number % 2 else "adder"
                overlay.pr_download("pr_0", f"{name}.bit")
                assert through(overlay, [5]) == [10 if number % 2 else 6]
        finally:
            stop.set()
            thread.join(30)
        assert not errors
        assert len(rounds) > 2
        assert rounds == sorted(rounds), "the timer was never reset"

    def test_static_objects_and_windows_stay(self, overlay: Any) -> None:
        dma, timer, entry = overlay.axi_dma_0, overlay.static.timer, overlay.ip_dict["static/timer"]
        timer.write(0x04, 1234)
        window, hierarchy = timer.mmio, overlay.static
        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.axi_dma_0 is dma
        assert overlay.static is hierarchy
        assert overlay.ip_dict["static/timer"] is entry
        assert timer.mmio is window
        assert timer.read(0x04) == 1234

    def test_the_other_region_stays(self, overlay: Any) -> None:
        overlay.block.rp.download("calc.bit")
        calc = overlay.block.rp.calc
        calculate(calc, 40, 2)
        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.block.rp.calc is calc
        assert calc.read(0x8) == 42
        assert overlay.ip_dict["block/rp/calc"]["phys_addr"] == RP

    def test_the_same_run_gives_the_same_trace(self, folder: Path) -> None:
        def run() -> int:
            with SimDevice("sim:trace", deterministic=True) as device:
                overlay = pynq.Overlay("full.bit", device=device)
                device.trace("hash")
                for name in ("adder", "multiplier", "adder"):
                    overlay.pr_download("pr_0", f"{name}.bit")
                    through(overlay, [1, 2, 3])
                return device.trace_hash

        assert run() == run()


class TestInterrupts:
    def test_of_the_contents_arrive_where_those_of_the_region_do(self, overlay: Any) -> None:
        hollow = dict(overlay.interrupt_pins["pr_0/irq"])
        for name, path in (("adder", "adder"), ("multiplier", "sub/mul")):
            overlay.pr_download("pr_0", f"{name}.bit")
            pin = overlay.interrupt_pins[f"pr_0/{path}/irq"]
            assert (pin["controller"], pin["index"]) == (hollow["controller"], hollow["index"])
            assert "pr_0/irq" not in overlay.interrupt_pins
            ip = overlay["pr_0/" + path]
            for _ in range(3):
                ip.write(0xC, 1)
                ip.irq.wait_sync(timeout=30)
                ip.write(0xC, 0)
        assert "pr_0/adder/irq" not in overlay.interrupt_pins

    def test_one_that_is_active_falls_with_the_region(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        probe = overlay.device.interrupt_probe("concat/dout")
        overlay.pr_0.adder.write(0xC, 1)
        assert probe()[0] == 1
        overlay.pr_download("pr_0", "multiplier.bit")
        assert probe()[0] == 0

    def test_a_wait_for_one_that_goes_ends(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        gone, stays = overlay.pr_0.adder.irq, Interrupt("static/timer/interrupt", device=overlay.device)

        async def main() -> None:
            waits = [asyncio.ensure_future(pin.wait()) for pin in (gone, stays)]
            await asyncio.sleep(0)
            overlay.pr_download("pr_0", "multiplier.bit")
            with pytest.raises(OverlayNotLoadedError, match=r"'pr_0/adder/irq' went with the region"):
                await waits[0]
            assert not waits[1].done()
            overlay.static.timer.write(0x04, 0xFFFF_FF00)
            overlay.static.timer.write(0x00, 0x60)
            overlay.static.timer.write(0x00, 0xD0 | 0x100)
            await asyncio.wait_for(waits[1], 10)

        asyncio.run(main())
        with pytest.raises(OverlayNotLoadedError):
            gone.wait_sync(timeout=0.1)


class TestStaleObjects:
    def test_they_say_what_became_of_them(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        adder, registers = overlay.pr_0.adder, overlay.pr_0.adder.register_map
        overlay.pr_download("pr_0", "multiplier.bit")
        told = r"pr_0/adder: region pr_0, which held adder, was reconfigured: multiplier was loaded"
        for use in (
            lambda: adder.read(0),
            lambda: adder.write(0, 1),
            lambda: int(registers.A),
            lambda: adder.mmio.array[0],
            lambda: adder.irq.wait_sync(),
        ):
            with pytest.raises(OverlayNotLoadedError, match=told):
                use()
        overlay.pr_download("pr_0", "adder.bit")
        with pytest.raises(OverlayNotLoadedError, match=told):
            adder.read(0)
        assert overlay.pr_0.adder is not adder

    def test_a_thread_that_waits_in_one(self, overlay: Any) -> None:
        for _ in range(5):
            overlay.pr_download("pr_0", "adder.bit")
            adder, ends = overlay.pr_0.adder, []

            def wait(adder: Any = adder, ends: list[Any] = ends) -> None:
                try:
                    ends.append(adder.mmio.wait_until(0x8, 0xFF, 0x77, timeout=30))
                except Exception as error:  # noqa: BLE001  told below
                    ends.append(error)

            thread = threading.Thread(target=wait)
            thread.start()
            overlay.pr_download("pr_0", "multiplier.bit")
            thread.join(30)
            assert isinstance(ends[0], (BusError, OverlayNotLoadedError, TimeoutError)), ends

    def test_those_of_the_region_before_its_first_partial(self, overlay: Any) -> None:
        window = pynq.MMIO(PR_0, 0x1000, device=overlay.device)
        overlay.pr_download("pr_0", "adder.bit")
        assert "pr_0" not in overlay.ip_dict
        window.write(0, 5)
        assert overlay.pr_0.adder.read(0) == 5, "a window by address is of nobody's"

    def test_a_full_download_empties_the_regions(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        adder = overlay.pr_0.adder
        overlay.download()
        assert "pr_0" in overlay.ip_dict
        assert "pr_0/adder" not in overlay.ip_dict
        assert not hasattr(overlay.pr_0, "adder")
        assert overlay.pr_dict == {}
        assert overlay.pr_0.pr_loaded == ""
        with pytest.raises(OverlayNotLoadedError, match=r"adder, was reconfigured: it was emptied"):
            adder.read(0)
        overlay.pr_download("pr_0", "adder.bit")
        assert calculate(overlay.pr_0.adder, 1, 1) == 2

    def test_drivers_bind_anew(self, overlay: Any) -> None:
        class AdderDriver(pynq.DefaultIP):
            bindto = [ADDER]

            def add(self, a: int, b: int) -> int:
                return calculate(self, a, b)

        class Pair(pynq.DefaultHierarchy):
            @staticmethod
            def checkhierarchy(description: Any) -> bool:
                return (
                    "sub" in description["hierarchies"] and "mul" in description["hierarchies"]["sub"]["ip"]
                )

            def product(self, a: int, b: int) -> int:
                return calculate(self.sub.mul, a, b)

        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.pr_0.adder.add(1, 2) == 3
        overlay.pr_download("pr_0", "multiplier.bit")
        assert isinstance(overlay.pr_0, Pair)
        assert overlay.pr_0.product(6, 7) == 42
        overlay.pr_0.download("adder.bit")
        assert type(overlay.pr_0) is pynq.DefaultHierarchy
        assert overlay.pr_0.adder.add(1, 2) == 3

    def test_another_overlay_object_sees_it_as_well(self, overlay: Any) -> None:
        other = pynq.Overlay("full.bit", download=False, device=overlay.device)
        overlay.pr_download("pr_0", "adder.bit")
        assert calculate(other.pr_0.adder, 1, 2) == 3
        late = pynq.Overlay("full.bit", download=False, device=overlay.device)
        assert late.pr_0.adder.read(0x8) == 3

    def test_attributes_alone(self, overlay: Any) -> None:
        """``program=False``: the region holds it already, so only the dictionaries change."""
        before = overlay.device.now_ps
        overlay.pr_download("pr_0", "adder.bit", program=False)
        assert overlay.device.now_ps == before
        assert overlay.ip_dict["pr_0/adder"]["phys_addr"] == PR_0


class TestErrors:
    def untouched(self, overlay: Any) -> None:
        """What was in the region works, with the state that it had."""
        assert overlay.pr_0.adder.read(0x8) == 42
        assert calculate(overlay.pr_0.adder, 40, 2) == 42
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        overlay.pr_0.adder.write(0xC, 1)
        overlay.pr_0.adder.irq.wait_sync(timeout=30)
        overlay.pr_0.adder.write(0xC, 0)

    @pytest.fixture
    def busy(self, overlay: Any) -> Any:
        overlay.pr_download("pr_0", "adder.bit")
        calculate(overlay.pr_0.adder, 40, 2)
        return overlay

    def test_no_such_region(self, busy: Any) -> None:
        with pytest.raises(RegionError, match=r"no region 'pr_1' in design 'dfx'; did you mean 'pr_0'\?"):
            busy.pr_download("pr_1", "adder.bit")
        with pytest.raises(RegionError, match=r"'static/timer' .*is an IP, no region.*; its regions: "):
            busy.pr_download("static/timer", "adder.bit")
        with pytest.raises(RegionError, match=r"'static' .*is a hierarchy, no region"):
            busy.static.download("adder.bit")
        with pytest.raises(RegionError, match=r"'pr_0/adder' of design 'dfx' is an IP"):
            busy.pr_download("pr_0/adder", "adder.bit")
        self.untouched(busy)

    def test_no_such_file_and_no_description(self, busy: Any, folder: Path) -> None:
        with pytest.raises(DesignNotFoundError, match=r"no overlay 'nothing.bit'"):
            busy.pr_download("pr_0", "nothing.bit")
        (folder / "alone.bit").write_bytes(b"")
        with pytest.raises(DesignNotFoundError, match=r"alone.hwh .*has to be beside it"):
            busy.pr_download("pr_0", "alone.bit")
        (folder / "broken.hwh").write_text("<EDKSYSTEM><MODULES>")
        with pytest.raises(DesignError, match=r"broken\.hwh"):
            busy.pr_download("pr_0", "broken")
        self.untouched(busy)

    @pytest.mark.parametrize(
        ("region", "options", "message"),
        [
            ("pr_0", {"base": 0x4002_0000}, r"wrong.hwh:\d+: core at 0x40020000 .* lies outside .* 'pr_0'"),
            ("pr_0", {"base": 0xF800}, r"core at 0xf800 to 0x107ff lies outside of the addresses of region"),
            (
                "block/rp",
                {},
                r"interface 's_axis' is not on the boundary of region 'block/rp'(.|\n)*port 'led'",
            ),
            ("pr_0", {"system": {"DEVICE": "7z010"}}, r"is for device '7z010', .*full.hwh for '7z020'"),
        ],
    )
    def test_what_does_not_fit(
        self, busy: Any, folder: Path, region: str, options: Any, message: str
    ) -> None:
        write(folder, "wrong", partial("wrong", {"core": ADDER}, **options))
        with pytest.raises(DesignError, match=message):
            busy.pr_download(region, "wrong.bit")
        self.untouched(busy)

    def test_a_whole_design_is_no_partial_one(self, busy: Any, folder: Path) -> None:
        with pytest.raises(DesignError, match=r"a whole design, not one for 'pr_0'"):
            busy.pr_download("pr_0", "full.bit")
        self.untouched(busy)

    def test_a_model_that_can_not_be_built(self, busy: Any, folder: Path) -> None:
        write(folder, "faulty", partial("faulty", {"adder": FAULTY}))
        with pytest.raises(ModelError, match=r"Faulty.on_write_NOWHERE"):
            busy.pr_download("pr_0", "faulty.bit")
        self.untouched(busy)
        busy.pr_download("pr_0", "multiplier.bit")
        assert calculate(busy.pr_0.sub.mul, 6, 7) == 42

    def test_the_overlay_is_not_loaded(self, overlay: Any, folder: Path, device: SimDevice) -> None:
        write(folder, "other", regionkit.static("other"))
        other = pynq.Overlay("other.bit", device=device)
        with pytest.raises(OverlayNotLoadedError, match=r"region pr_0: overlay full.bit is not loaded"):
            overlay.pr_download("pr_0", "adder.bit")
        other.pr_download("pr_0", "adder.bit")

    def test_an_access_meanwhile_is_reported(self, busy: Any) -> None:
        device, seen = busy.device, []
        gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=device), "out", device=device)
        gate.write(1)

        def look(level: int) -> None:
            if level == 0:
                with pytest.raises(BusError) as caught:
                    device.engine.read(PR_0 + 8)
                seen.append(str(caught.value))
                seen.append(device.explain("axi_dma_0"))

        device.board.on_change("leds", look)
        busy.axi_dma_0.recvchannel.transfer(pynq.allocate((4,), "u4", target=device))
        until = (device.now_ps + 4000 * 2500) / 1e6
        busy.pr_download("pr_0", "adder.bit")
        assert f"region pr_0 is being reconfigured (until {until:.6g} us)" in seen[0]
        assert "region pr_0 is being reconfigured" in seen[1]
        assert calculate(busy.pr_0.adder, 1, 2) == 3

    def test_a_failure_on_the_way_leaves_a_region_that_says_it_is_empty(self, busy: Any) -> None:
        device = busy.device
        gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=device), "out", device=device)
        gate.write(1)
        adder = busy.pr_0.adder

        def fail(level: int) -> None:
            if level == 0:
                raise ValueError("the board broke")

        number = device.board.on_change("leds", fail)
        with pytest.raises(ValueError, match="the board broke"):
            busy.pr_download("pr_0", "multiplier.bit")
        device.board.forget(number)
        assert "pr_0/adder" not in busy.ip_dict
        assert "pr_0" in busy.ip_dict
        for use in (lambda: adder.read(0), lambda: busy.pr_0.adder):
            with pytest.raises((OverlayNotLoadedError, AttributeError)):
                use()
        with pytest.raises(
            BusError, match=r"region pr_0 is empty, since its .* failed \(ValueError: the board"
        ):
            pynq.MMIO(PR_0, 0x1000, device=device).read(0)
        assert through(busy, [4, 5], "static/axi_dma_1") == [4, 5]
        busy.pr_download("pr_0", "multiplier.bit")
        assert calculate(busy.pr_0.sub.mul, 6, 7) == 42

    def test_in_a_model(self, busy: Any) -> None:
        def again(level: int) -> None:
            busy.pr_download("pr_0", "multiplier.bit")

        busy.device.board.on_change("leds", again)
        gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=busy.device), "out", device=busy.device)
        with pytest.raises(ModelError, match=r"hold was called in a hook"):
            gate.write(1)
        self.untouched(busy)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_leaks_over_many_swaps(overlay: Any, folder: Path) -> None:
    write(folder, "store", partial("store", {"adder": ADDER}, memories={"bram": 0x4000}), bytes(4))
    write(folder, "small", partial("small", {"sub/mul": MULTIPLIER}), bytes(4))
    device = overlay.device

    def swap(count: int) -> None:
        for _ in range(count):
            overlay.pr_download("pr_0", "store.bit")
            overlay.pr_0.bram.write(0, 1)
            overlay.pr_download("pr_0", "small.bit")
            overlay.pr_0.sub.mul.read(0)

    def held() -> tuple[Any, ...]:
        gc.collect()
        plant = device.plant
        tables = (plant.components, plant.models, plant.memories, plant.spaces, plant.links, plant.clocks)
        sizes = [len(table) for table in (*tables, plant.nets.made(), plant.unmodelled, plant.limited)]
        return (*sizes, len(device.statistics()), len(overlay._followers))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    swap(50)
    before, objects, files = held(), len(gc.get_objects()), leaks.descriptors()
    growth = []
    for _ in range(2):
        memory = resident()
        swap(250)
        growth.append(resident() - memory)
    assert held() == before
    assert leaks.opened(files) == []
    assert len(gc.get_objects()) - objects < 2000
    assert min(growth) < 4 << 20  # what is lost goes on growing; the allocator may settle in between
