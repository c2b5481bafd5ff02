"""What a region can hold besides IP: interrupt controllers, and regions with streams through all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from partial.regionkit import ADDER, MULTIPLIER, PR_0, partial, shell, write
from partial.test_partial_sim import calculate, through
from partial.test_partial_straight import stream_wires

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import OverlayNotLoadedError

INNER = "pr_0/ctl"


class TestController:
    """An ``axi_intc`` of its own in the region, between the IP and the static design's."""

    @pytest.fixture
    def files(self, folder: Path) -> Path:
        for name, vlnv in (("one", ADDER), ("other", MULTIPLIER)):
            text = partial(name, {f"{name}_ip": vlnv, "second": ADDER}, controller="ctl")
            write(folder, name, text, bytes(400))
        return folder

    def test_it_takes_its_place_in_the_tree(self, overlay: Any, files: Path) -> None:
        hollow = dict(overlay.interrupt_pins["pr_0/irq"])
        overlay.pr_download("pr_0", "one.bit")
        entry = overlay.interrupt_controllers[INNER]
        assert (entry["parent"], entry["index"]) == (hollow["controller"], hollow["index"])
        for path, index in (("pr_0/one_ip", 0), ("pr_0/second", 1)):
            pin = overlay.interrupt_pins[f"{path}/irq"]
            assert (pin["controller"], pin["index"]) == (INNER, index)
        assert overlay.ip_dict[INNER]["phys_addr"] == PR_0 + 0x2000
        overlay.pr_download("pr_0", "adder.bit")
        assert INNER not in overlay.interrupt_controllers

    def test_interrupts_through_it(self, overlay: Any, files: Path) -> None:
        for name in ("one", "other", "one"):
            overlay.pr_download("pr_0", f"{name}.bit")
            for ip in (overlay[f"pr_0/{name}_ip"], overlay.pr_0.second):
                for _ in range(3):
                    ip.write(0xC, 1)
                    ip.irq.wait_sync(timeout=30)
                    ip.write(0xC, 0)

    def test_a_wait_ends_with_the_region(self, overlay: Any, files: Path) -> None:
        overlay.pr_download("pr_0", "one.bit")

        async def main() -> None:
            wait = asyncio.ensure_future(overlay.pr_0.one_ip.irq.wait())
            await asyncio.sleep(0)
            overlay.pr_download("pr_0", "other.bit")
            with pytest.raises(OverlayNotLoadedError, match=r"'pr_0/one_ip/irq' went with the region"):
                await wait
            again = asyncio.ensure_future(overlay.pr_0.other_ip.irq.wait())
            await asyncio.sleep(0)
            overlay.pr_0.other_ip.write(0xC, 1)
            await asyncio.wait_for(again, 10)

        asyncio.run(main())

    def test_the_same_pin_behind_another_controller(self, overlay: Any, files: Path) -> None:
        """The wait of a pin that both contents have ends as well: its objects belong to the old one."""
        overlay.pr_download("pr_0", "one.bit")
        second = overlay.pr_0.second

        async def main() -> None:
            wait = asyncio.ensure_future(second.irq.wait())
            await asyncio.sleep(0)
            overlay.pr_download("pr_0", "other.bit")
            with pytest.raises(OverlayNotLoadedError):
                await wait

        asyncio.run(main())
        fresh = overlay.pr_0.second
        fresh.write(0xC, 1)
        fresh.irq.wait_sync(timeout=30)

    def test_the_controller_is_a_fresh_one(self, overlay: Any, files: Path) -> None:
        def controller() -> Any:
            return pynq.MMIO(PR_0 + 0x2000, 0x1000, device=overlay.device)

        overlay.pr_download("pr_0", "one.bit")
        overlay.pr_0.second.write(0xC, 1)
        overlay.pr_0.second.irq.wait_sync(timeout=30)
        assert controller().read(0x00) == 2
        overlay.pr_download("pr_0", "other.bit")
        assert controller().read(0x00) == 0
        assert not overlay.device.interrupt_probe("concat/dout")()[0]


class TestLevels:
    """Streams that lead to a region within a region, and through a third."""

    @pytest.fixture
    def files(self, folder: Path) -> Path:
        write(folder, "outer", shell("outer", "deep/inner"), bytes(400))
        write(folder, "middle", shell("middle", "most"), bytes(400))
        write(folder, "wire", stream_wires("wire"), bytes(400))
        return folder

    def test_an_inner_region_is_loaded_and_streams(self, overlay: Any, files: Path) -> None:
        overlay.pr_download("pr_0", "outer.bit")
        inner = overlay.pr_0.deep.inner
        for name, expected in (
            ("adder", [2, 3, 4]), ("wire", [1, 2, 3]), ("multiplier", [2, 4, 6]), ("wire", [1, 2, 3]),
        ):  # fmt: skip
            inner.download(f"{name}.bit")
            assert through(overlay, [1, 2, 3]) == expected
        inner.download("adder.bit")
        assert calculate(overlay.pr_0.deep.inner.adder, 3, 4) == 7
        assert overlay.ip_dict["pr_0/deep/inner/adder"]["phys_addr"] == PR_0

    def test_a_bus_straight_through_the_outer_in_its_place(self, overlay: Any, files: Path) -> None:
        overlay.pr_download("pr_0", "outer.bit")
        overlay.pr_0.deep.inner.download("adder.bit")
        adder = overlay.pr_0.deep.inner.adder
        overlay.pr_download("pr_0", "wire.bit")
        assert through(overlay, [1, 2, 3]) == [1, 2, 3]
        with pytest.raises(OverlayNotLoadedError):
            adder.read(0)
        overlay.pr_download("pr_0", "outer.bit")
        overlay.pr_0.deep.inner.download("multiplier.bit")
        assert through(overlay, [1, 2, 3]) == [2, 4, 6]

    def test_three_levels(self, overlay: Any, files: Path) -> None:
        overlay.pr_download("pr_0", "outer.bit")
        overlay.pr_0.deep.inner.download("middle.bit")
        most = overlay.pr_0.deep.inner.most
        most.download("adder.bit")
        adder = overlay["pr_0/deep/inner/most/adder"]
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        assert calculate(adder, 20, 3) == 23
        adder.write(0xC, 1)
        adder.irq.wait_sync(timeout=30)
        most.download("wire.bit")
        assert through(overlay, list(range(3000))) == list(range(3000))
        with pytest.raises(OverlayNotLoadedError, match="pr_0/deep/inner/most/adder"):
            adder.read(0)
        most.download("multiplier.bit")
        assert through(overlay, [1, 2, 3]) == [2, 4, 6]
        assert list(overlay.pr_dict) == ["pr_0", "pr_0/deep/inner", "pr_0/deep/inner/most"]
        multiplier = overlay.pr_0.deep.inner.most.sub.mul
        overlay.pr_0.deep.inner.download("adder.bit")
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        assert list(overlay.pr_dict) == ["pr_0", "pr_0/deep/inner"]
        with pytest.raises(OverlayNotLoadedError, match="pr_0/deep/inner/most/sub/mul"):
            multiplier.read(0)
        overlay.pr_download("pr_0", "adder.bit")
        assert through(overlay, [1, 2, 3]) == [2, 3, 4]
        assert list(overlay.pr_dict) == ["pr_0"]


class TestWhoSeesIt:
    """Everybody who looks at the device after a swap."""

    @pytest.fixture
    def active(self, device: SimDevice) -> Iterator[Any]:
        pynq.Device.active_device = device
        yield pynq.PL
        pynq.Device.active_device = None

    def test_the_views_of_pl(self, folder: Path, active: Any) -> None:
        overlay = pynq.Overlay("full.bit")
        for name, path, gone in (
            ("adder", "pr_0/adder", "pr_0/sub/mul"), ("multiplier", "pr_0/sub/mul", "pr_0/adder"),
        ):  # fmt: skip
            overlay.pr_download("pr_0", f"{name}.bit")
            assert active.ip_dict[path]["phys_addr"] == PR_0
            assert gone not in active.ip_dict
            assert set(active.ip_dict) == set(overlay.ip_dict)
            assert f"{path}/irq" in active.interrupt_pins
            assert set(active.interrupt_pins) == set(overlay.interrupt_pins)
            assert set(active.hierarchy_dict) == set(overlay.hierarchy_dict)
            assert set(active.mem_dict) == set(overlay.mem_dict)
            assert set(active.gpio_dict) == set(overlay.gpio_dict)
        overlay.download()
        assert set(active.ip_dict) == set(overlay.ip_dict)
        assert "pr_0/sub/mul" not in active.ip_dict

    def test_overlays_of_all_kinds_follow(self, overlay: Any, folder: Path) -> None:
        (folder / "copy.bit").write_bytes((folder / "full.bit").read_bytes())
        (folder / "copy.hwh").write_bytes((folder / "full.hwh").read_bytes())
        others = [pynq.Overlay("full.bit", download=False, device=overlay.device) for _ in range(3)]
        elsewhere = pynq.Overlay("copy.bit", download=False, device=overlay.device)
        others[0].pr_download("pr_0", "adder.bit")
        assert [calculate(one.pr_0.adder, 1, n) for n, one in enumerate((overlay, *others))] == [1, 2, 3, 4]
        adders = [one.pr_0.adder for one in (overlay, *others)]
        others[1].block.rp.download("calc.bit")
        others[2].pr_0.download("multiplier.bit")
        for one in (overlay, *others):
            assert calculate(one.pr_0.sub.mul, 3, 5) == 15
            assert calculate(one.block.rp.calc, 3, 5) == 8
        for adder in adders:
            with pytest.raises(OverlayNotLoadedError, match="which held adder"):
                adder.read(0)
        assert not elsewhere.is_loaded()
        assert "pr_0/sub/mul" not in elsewhere.ip_dict
        with pytest.raises(OverlayNotLoadedError, match=r"copy\.bit is not loaded"):
            elsewhere.pr_download("pr_0", "adder.bit")
        elsewhere.download()
        for one in (overlay, *others):
            assert not one.is_loaded()
        elsewhere.pr_download("pr_0", "adder.bit")
        assert calculate(elsewhere.pr_0.adder, 1, 1) == 2
