"""Every step of a partial download fails in turn; and what is left afterwards."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from partial import regionkit
from partial.regionkit import ADDER, partial, write
from tests import leaks

import pynq
from pynq.backends.sim import SimDevice
from pynq.errors import (
    BusError,
    DesignError,
    DesignNotFoundError,
    ModelError,
    OverlayNotLoadedError,
    ProgrammingError,
    PynqError,
    RtlBuildError,
)

SYNC = bytes.fromhex("ffffffffaa9955662000000000ff00ff")


def bitfile(options: str) -> bytes:
    """A .bit as Vivado writes it."""
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for key, text in (("a", f"top;{options}"), ("b", "7z020clg400"), ("c", "2024/05/01"), ("d", "12:00:00")):
        field = text.encode() + b"\0"
        head += key.encode() + len(field).to_bytes(2, "big") + field
    return head + b"e" + len(SYNC).to_bytes(4, "big") + SYNC


def through(overlay: Any, values: list[int]) -> list[int]:
    with (
        pynq.allocate((len(values),), "u4", target=overlay.device) as out,
        pynq.allocate((len(values),), "u4", target=overlay.device) as back,
    ):
        out[:] = values
        overlay.axi_dma_0.recvchannel.transfer(back)
        overlay.axi_dma_0.sendchannel.transfer(out)
        overlay.axi_dma_0.recvchannel.wait()
        return [int(value) for value in np.asarray(back)]


def calculate(ip: Any, a: int, b: int) -> int:
    ip.write(0x0, a)
    ip.write(0x4, b)
    return int(ip.read(0x8))


def held(device: SimDevice) -> tuple[Any, ...]:
    """What could leak."""
    gc.collect()
    plant = device.plant
    tables = (
        plant.components,
        plant.models,
        plant.memories,
        plant.spaces,
        plant.links,
        plant.clocks,
        plant.rtl,
    )
    counts = [len(table) for table in (*tables, plant.nets.made(), plant.arenas, plant.reach)]
    return (*counts, len(device.statistics()))


@pytest.fixture
def busy(overlay: Any) -> Any:
    """A region that holds an adder, which has computed 42."""
    overlay.pr_download("pr_0", "adder.bit")
    assert calculate(overlay.pr_0.adder, 40, 2) == 42
    return overlay


def goes_on(overlay: Any) -> None:
    """The old contents are there, with the state that they had."""
    assert overlay.pr_0.adder.read(0x8) == 42
    assert repr(overlay.pr_0) == "<pynq.overlay.DefaultHierarchy pr_0: region, holds adder: adder>"
    assert overlay.pr_dict["pr_0"]["loaded"].endswith("adder.bit")
    assert through(overlay, [1, 2]) == [2, 3]


def works_again(overlay: Any) -> None:
    overlay.pr_download("pr_0", "multiplier.bit")
    assert calculate(overlay.pr_0.sub.mul, 6, 7) == 42
    assert through(overlay, [1, 2]) == [2, 4]


def vanish(overlay: Any, folder: Path) -> None:
    (folder / "multiplier.hwh").unlink()
    overlay.pr_download("pr_0", "multiplier.bit")


def vanish_meanwhile(overlay: Any, folder: Path) -> None:
    """The bitstream goes after its description was read."""

    class Once(type(overlay.device)):  # type: ignore[misc]
        def download(self, *args: Any, **options: Any) -> None:
            (folder / "multiplier.bit").unlink()
            super().download(*args, **options)

    kind, overlay.device.__class__ = type(overlay.device), Once
    try:
        overlay.pr_download("pr_0", "multiplier.bit")
    finally:
        overlay.device.__class__ = kind


def not_partial(overlay: Any, folder: Path) -> None:
    (folder / "multiplier.bit").write_bytes(bitfile("Version=2022.1"))
    overlay.pr_download("pr_0", "multiplier.bit")


def bad_model(overlay: Any, folder: Path) -> None:
    write(folder, "faulty", partial("faulty", {"adder": regionkit.FAULTY}))
    overlay.pr_download("pr_0", "faulty.bit")


def bad_rtl(overlay: Any, folder: Path) -> None:
    (folder / "multiplier.v").write_text("module nothing; endmodule\n")
    overlay.pr_download("pr_0", "multiplier.bit", rtl={"sub/mul": str(folder / "multiplier.v")})


def bad_manifest(overlay: Any, folder: Path) -> None:
    (folder / "multiplier.sim.toml").write_text("[[rtl]]\nnothing = 1\n")
    overlay.pr_download("pr_0", "multiplier.bit")


@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        (vanish, DesignNotFoundError, r"multiplier.bit"),
        (vanish_meanwhile, FileNotFoundError, r"multiplier.bit"),
        (not_partial, ProgrammingError, r"multiplier.bit is no partial one.*has not been touched"),
        (bad_model, ModelError, r"Faulty.on_write_NOWHERE"),
        (bad_rtl, RtlBuildError, r"mul"),
        (bad_manifest, RtlBuildError, r"unknown key 'nothing'"),
    ],
)
def test_the_old_contents_go_on(
    busy: Any,
    folder: Path,
    fail: Callable[[Any, Path], None],
    error: type[Exception],
    message: str,
) -> None:
    goes_on(busy)
    before, threads = held(busy.device), leaks.threads()
    with pytest.raises(error, match=message):
        fail(busy, folder)
    goes_on(busy)
    assert held(busy.device) == before
    assert leaks.started(threads) == []
    for name in ("multiplier.hwh", "multiplier.bit"):
        (folder / name).unlink(missing_ok=True)
    (folder / "multiplier.sim.toml").unlink(missing_ok=True)
    write(folder, "multiplier", partial("multiplier", {"sub/mul": regionkit.MULTIPLIER}), bytes(80))
    works_again(busy)


def begin(overlay: Any, error: type[BaseException]) -> None:
    """The new contents raise in their first moment."""

    class Late(pynq.sim.Model):
        bindto = ["acme.com:dfx:late:1.0"]

        def on_reset(self) -> None:
            raise error("in its first moment")

    try:
        write(Path.cwd(), "late", partial("late", {"late": Late.bindto[0]}), bytes(400))
        overlay.pr_download("pr_0", "late.bit")
    finally:
        pynq.sim.models.remove(Late)


def broken_off(overlay: Any, error: type[BaseException]) -> None:
    """Something fails while the region is being configured: a hook of the board, or Ctrl-C in it."""
    device = overlay.device

    def fail(level: int) -> None:
        if level == 0:
            raise error("meanwhile")

    gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=device), "out", device=device)
    gate.write(1)
    number = device.board.on_change("leds", fail)
    try:
        overlay.pr_download("pr_0", "multiplier.bit")
    finally:
        device.board.forget(number)


@pytest.mark.parametrize("fail", [begin, broken_off])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_region_is_empty_and_says_so(busy: Any, fail: Any, error: type[BaseException]) -> None:
    adder, irq = busy.pr_0.adder, busy.pr_0.adder.irq
    file = "late.bit" if fail is begin else "multiplier.bit"
    with pytest.raises((error, ModelError)):
        fail(busy, error)
    told = rf"is empty, since loading {file} failed \("
    assert "adder" not in dir(busy.pr_0)
    with pytest.raises(AttributeError, match=rf"hierarchy pr_0 has no attribute 'adder'.*{told}|{told}"):
        busy.pr_0.adder  # noqa: B018
    assert f"region, is empty, since loading {file} failed" in repr(busy.pr_0)
    assert busy.pr_dict == {}
    for use in (lambda: adder.read(0), lambda: int(adder.register_map.A), lambda: irq.wait_sync(timeout=0.1)):
        with pytest.raises(OverlayNotLoadedError):
            use()
    with pytest.raises(BusError, match=r"region pr_0 is empty, since its reconfiguration failed"):
        pynq.MMIO(regionkit.PR_0, 0x1000, device=busy.device).read(0)
    busy.axi_dma_0.reset()
    works_again(busy)
    assert "is empty" not in repr(busy.pr_0)


def test_many_failures_leave_nothing(busy: Any) -> None:
    def fail() -> None:
        with pytest.raises((ValueError, ModelError)):
            begin(busy, ValueError)
        busy.pr_download("pr_0", "adder.bit")
        with pytest.raises(ValueError, match="meanwhile"):
            broken_off(busy, ValueError)

    fail()
    before, threads = held(busy.device), leaks.threads()
    for _ in range(5):
        fail()
    assert held(busy.device) == before
    assert leaks.started(threads) == []
    works_again(busy)


def test_a_partial_bitstream_is_no_whole_one(folder: Path, device: SimDevice) -> None:
    (folder / "full.bit").write_bytes(bitfile("PARTIAL=TRUE"))
    with pytest.raises(ProgrammingError, match=r"full.bit is partial: load it into its region"):
        pynq.Overlay("full.bit", device=device)
    assert device.design is None


def test_a_second_download_meanwhile_is_refused(busy: Any) -> None:
    device, errors = busy.device, []

    def again(level: int) -> None:
        if level == 0:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(60)

    def other() -> None:
        try:
            busy.pr_download("pr_0", "adder.bit")
        except PynqError as error:
            errors.append(str(error))

    gate = pynq.GPIO(pynq.GPIO.get_gpio_pin(3, device=device), "out", device=device)
    gate.write(1)
    number = device.board.on_change("leds", again)
    busy.pr_download("pr_0", "multiplier.bit")
    device.board.forget(number)
    assert errors == ["device 'sim:partial' is being reconfigured by another thread; try again later"]
    works_again(busy)


class TestWhatAUserStillHolds:
    def test_hierarchies(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "multiplier.bit")
        region, sub = overlay.pr_0, overlay.pr_0.sub
        overlay.pr_download("pr_0", "adder.bit")
        assert overlay.pr_0 is region, "the region stays, its contents go"
        told = r"hierarchy pr_0/sub: region pr_0, which held multiplier, was reconfigured: adder was loaded"
        for use in (lambda: sub.mul, lambda: sub["mul"]):
            with pytest.raises(OverlayNotLoadedError, match=told):
                use()
        assert "was reconfigured" in repr(sub)
        assert not hasattr(sub, "mul")
        overlay.pr_download("pr_0", "multiplier.bit")
        with pytest.raises(OverlayNotLoadedError, match=told):
            sub.mul  # noqa: B018
        assert overlay.pr_0.sub.mul.read(0) == 0

    def test_one_with_a_driver_of_its_own(self, overlay: Any) -> None:
        class Held(pynq.DefaultHierarchy):
            @staticmethod
            def checkhierarchy(description: Any) -> bool:
                return description["fullpath"] == "pr_0" and "adder" in description["ip"]

        try:
            overlay.pr_download("pr_0", "adder.bit")
            old = overlay.pr_0
            assert isinstance(old, Held)
            overlay.pr_download("pr_0", "multiplier.bit")
            with pytest.raises(OverlayNotLoadedError, match="which held adder"):
                old.adder  # noqa: B018
            assert not isinstance(overlay.pr_0, Held)
        finally:
            Held.unregister()

    def test_pins(self, overlay: Any) -> None:
        overlay.pr_download("pr_0", "adder.bit")
        pins = [(name, entry) for name, entry in overlay.ip_dict["pr_0/adder"]["gpio"].items()]
        assert [name for name, _ in pins] == ["gate"]
        gate = overlay.pr_0.adder.gate
        gate.write(1)
        assert overlay.device.board.sample("leds") == 0xA1
        overlay.pr_download("pr_0", "multiplier.bit")
        with pytest.raises(OverlayNotLoadedError, match=r"which held adder, was reconfigured"):
            gate.write(0)
        assert "pr_0/adder/gate" not in str(overlay.gpio_dict)

    def test_emio_pins_follow(self, overlay: Any) -> None:
        def ends() -> set[str]:
            return {pin for entry in overlay.gpio_dict.values() for pin in entry["pins"]}

        overlay.pr_download("pr_0", "adder.bit")
        assert "pr_0/adder/gate" in ends()
        overlay.pr_download("pr_0", "multiplier.bit")
        assert "pr_0/adder/gate" not in ends()
        assert "pr_0/sub/mul/gate" in ends()

    def test_another_overlay_object_says_so_as_well(self, overlay: Any) -> None:
        other = pynq.Overlay("full.bit", download=False, device=overlay.device)
        overlay.pr_download("pr_0", "adder.bit")
        adder = other.pr_0.adder
        overlay.pr_download("pr_0", "multiplier.bit")
        with pytest.raises(OverlayNotLoadedError, match="which held adder"):
            adder.read(0)


def test_regions_within_regions_all_the_way(overlay: Any, folder: Path) -> None:
    write(folder, "outer", partial("outer", {"adder": ADDER}, region="deep/inner"), bytes(400))
    write(folder, "middle", partial("middle", {"calc": ADDER}, streams=False, region="most"), bytes(400))
    overlay.pr_download("pr_0", "outer.bit")
    inner = overlay.pr_0.deep.inner
    assert repr(inner).endswith("pr_0/deep/inner: region, is empty: nothing was loaded into it>")
    inner.download("calc.bit")
    calc = overlay.pr_0.deep.inner.calc
    assert calculate(calc, 1, 1) == 2
    assert set(overlay.pr_dict) == {"pr_0", "pr_0/deep/inner"}
    with pytest.raises(DesignError, match=r"lies outside of the addresses of region 'pr_0/deep/inner'"):
        inner.download("middle.bit")
    assert calculate(calc, 2, 2) == 4
    overlay.pr_download("pr_0", "outer.bit")  # the same outer one again: what was within goes
    assert set(overlay.pr_dict) == {"pr_0"}
    with pytest.raises(OverlayNotLoadedError, match=r"pr_0/deep/inner/calc"):
        calc.read(0)
    overlay.pr_0.deep.inner.download("calc.bit")
    assert calculate(overlay.pr_0.deep.inner.calc, 3, 3) == 6
