"""Which class drives what: bindto, versions, hierarchies, replacement, fallbacks."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from kit import KNOB, KNOBS, OldDevice, write

import pynq
from pynq.binding import bind, drivers
from pynq.binding.drivers import DriverRegistry
from pynq.design import read
from pynq.errors import DriverError, DriverFallbackWarning, VersionMismatchWarning


def test_exact_type_first_then_without_version(bit: str, device: OldDevice) -> None:
    class Any_(pynq.DefaultIP):  # noqa: N801
        bindto = ["acme.com:user:knob"]

    assert type(pynq.Overlay(bit, device=device).knob_0) is Any_

    class Exact(pynq.DefaultIP):
        bindto = [KNOB]

    class Any_(pynq.DefaultIP):  # type: ignore[no-redef]  # noqa: N801
        bindto = ["acme.com:user:knob"]

    overlay = pynq.Overlay(bit, device=device)
    assert type(overlay.knob_0) is Exact
    assert type(overlay.panel.inner.knob_2) is Exact
    assert type(overlay.other) is pynq.DefaultIP


def test_another_version_warns_and_is_taken_with_ignore_version(bit: str, device: OldDevice) -> None:
    class Older(pynq.DefaultIP):
        bindto = ["acme.com:user:other:1.0"]

    expected = (
        r"other is acme.com:user:other:2.0, but drivers exist for acme.com:user:other:1.0 \(Older\) only; "
        r"it gets DefaultIP. Pass ignore_version=True"
    )
    with pytest.warns(VersionMismatchWarning, match=expected) as notes:
        overlay = pynq.Overlay(bit, device=device)
    assert notes[0].filename == __file__
    assert type(overlay.other) is pynq.DefaultIP
    overlay = pynq.Overlay(bit, device=device, ignore_version=True)
    assert type(overlay.other) is Older
    assert overlay.ignore_version


def test_of_several_other_versions_the_last_defined_is_taken(bit: str, device: OldDevice) -> None:
    class One(pynq.DefaultIP):
        bindto = ["acme.com:user:other:1.0", "acme.com:user:unrelated:2.0"]

    class Three(pynq.DefaultIP):
        bindto = ["acme.com:user:other:3.0"]

    assert type(pynq.Overlay(bit, device=device, ignore_version=True).other) is Three


def test_any_text_is_a_type(tmp_path: Path, device: OldDevice) -> None:
    class MyIP(pynq.DefaultIP):
        bindto = ["My IP Type"]

    bit = write(tmp_path, knobs={"mine": "My IP Type"})
    overlay = pynq.Overlay(str(bit), device=device)
    assert overlay.ip_dict["mine"]["type"] == "My IP Type"
    assert type(overlay.mine) is MyIP


def test_a_later_definition_replaces_an_earlier_one_at_the_next_load(bit: str, device: OldDevice) -> None:
    def cell(result: int) -> type[Any]:
        class Knob(pynq.DefaultIP):
            bindto = [KNOB]

            def turn(self) -> int:
                return result

        return Knob

    first = cell(1)
    before = pynq.Overlay(bit, device=device)
    second = cell(2)
    assert type(before.knob_0) is first  # bound when it was loaded, although it is made only now
    assert pynq.Overlay(bit, device=device).knob_0.turn() == 2
    assert sum(driver.__qualname__ == second.__qualname__ for driver, _ in drivers._ip.values()) == 1
    second.unregister()
    assert type(pynq.Overlay(bit, device=device).knob_0) is pynq.DefaultIP


def test_what_the_program_defines_goes_before_installed_drivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vendor_drivers.py").write_text(
        "import pynq\n"
        "class Vendor(pynq.DefaultIP):\n"
        f"    bindto = [{KNOB!r}, 'acme.com:user:other:2.0']\n"
        "class VendorPanel(pynq.DefaultHierarchy):\n"
        "    @staticmethod\n"
        "    def checkhierarchy(description):\n"
        "        return True\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = DriverRegistry(lambda: [EntryPoint("vendor", "vendor_drivers", "pynq.drivers")])
    monkeypatch.setattr("pynq.binding.ip.registry", registry)
    monkeypatch.setattr("pynq.binding.tree.registry", registry)

    class Mine(pynq.DefaultIP):
        bindto = [KNOB]

    class MyPanel(pynq.DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            return "knob_1" in description["ip"]

    write(tmp_path)
    plan = bind(read(tmp_path / "kit.hwh"), registry.snapshot())
    assert plan.ip["knob_0"] is Mine
    assert plan.ip["other"].__name__ == "Vendor"
    assert plan.hierarchies["panel"] is MyPanel
    assert plan.hierarchies["panel/inner"].__name__ == "VendorPanel"


def test_a_package_whose_drivers_fail_is_a_warning() -> None:
    entries = [EntryPoint("gone", "no_such_package_at_all", "pynq.drivers")]
    with pytest.warns(
        DriverFallbackWarning, match=r"the drivers of no_such_package_at_all can't be imported"
    ):
        assert DriverRegistry(lambda: entries).snapshot().ip == {}


def test_drivers_of_the_package_enter_lazily() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pynq.overlay\n"
        "from pynq.binding import drivers\n"
        "before = 'pynq.lib.dma' in sys.modules\n"
        "print(before, drivers.snapshot().match('xilinx.com:ip:axi_dma:7.1').driver.__name__)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "DMA"]


@pytest.mark.parametrize("wrong", ["acme.com:user:knob:1.0", [1, 2]])
def test_bindto_must_be_a_list_of_strings(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"Knob.bindto is .*; it must be a list of strings"):

        class Knob(pynq.DefaultIP):
            bindto = wrong


def test_a_driver_that_refuses_leaves_the_ip_to_defaultip(bit: str, device: OldDevice) -> None:
    class Picky(pynq.DefaultIP):
        bindto = [KNOB]

        def __init__(self, description: Any) -> None:
            super().__init__(description)
            size = description["parameters"]["C_SIZE"]
            if size != "8":
                raise pynq.UnsupportedConfiguration(f"C_SIZE is {size}, only 8 is supported")

    overlay = pynq.Overlay(bit, device=device)
    with pytest.warns(
        DriverFallbackWarning, match=r"Picky does not support .* knob_0, which gets DefaultIP: C_SIZE is 7"
    ) as notes:
        knob = overlay.knob_0
    assert notes[0].filename == __file__
    assert type(knob) is pynq.DefaultIP
    assert overlay.knob_0 is knob  # and says so once


def test_a_failing_driver_is_loud_and_no_missing_attribute(bit: str, device: OldDevice) -> None:
    class Typo(pynq.DefaultIP):
        bindto = [KNOB]

        def __init__(self, description: Any) -> None:
            super().__init__(description)
            self.parametres["C_SIZE"]

    class Other(pynq.DefaultIP):
        bindto = ["acme.com:user:other:2.0"]

        def __init__(self, description: Any) -> None:
            raise ZeroDivisionError("their own")

    overlay = pynq.Overlay(bit, device=device)
    with pytest.raises(
        DriverError, match=r"constructor of .*Typo failed for knob_0: .*has no attribute 'parametres'"
    ):
        overlay.knob_0  # noqa: B018
    with pytest.raises(ZeroDivisionError, match="their own"):
        overlay.other  # noqa: B018


def test_hierarchies_are_asked_from_the_inside_out_the_newest_class_first(
    bit: str, device: OldDevice
) -> None:
    seen = []

    class First(pynq.DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            seen.append(
                (description["fullpath"], sorted(description["ip"]), description["ip"].popitem()[1]["driver"])
            )
            description["ip"].clear()
            return True

    class Second(pynq.DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            return description["fullpath"] == "panel" and "knob_1" in description["ip"]

    overlay = pynq.Overlay(bit, device=device)
    assert [entry[:2] for entry in seen] == [("panel/inner", ["knob_2"])]
    assert seen[0][2] is pynq.DefaultIP
    assert type(overlay.panel) is Second
    assert type(overlay.panel.inner) is First
    Second.unregister()


def test_a_check_that_fails_is_a_no_with_a_warning(bit: str, device: OldDevice) -> None:
    class Careless(pynq.DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            return bool(description["ip"]["axi_dma"]["type"])

    with pytest.warns(
        DriverFallbackWarning, match=r"Careless.checkhierarchy failed on panel.*KeyError: 'axi_dma'"
    ):
        overlay = pynq.Overlay(bit, device=device)
    assert type(overlay.panel) is pynq.DefaultHierarchy


def test_a_hierarchy_driver_may_refuse_too(bit: str, device: OldDevice) -> None:
    class Picky(pynq.DefaultHierarchy):
        def __init__(self, description: Any) -> None:
            super().__init__(description)
            raise pynq.UnsupportedConfiguration("not this one")

        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            return description["fullpath"] == "panel"

    overlay = pynq.Overlay(bit, device=device)
    with pytest.warns(DriverFallbackWarning, match=r"which gets DefaultHierarchy: not this one"):
        assert type(overlay.panel) is pynq.DefaultHierarchy


def test_binding_is_a_function_of_design_and_drivers_alone(tmp_path: Path) -> None:
    write(tmp_path)
    design = read(tmp_path / "kit.hwh")
    snapshot = drivers.snapshot()
    one, two = bind(design, snapshot), bind(design, snapshot)
    assert one.ip == two.ip
    assert one.ip.keys() >= KNOBS.keys()
    assert one.views.ip_dict is not two.views.ip_dict
    one.views.ip_dict["knob_0"]["type"] = "changed"
    assert bind(design, snapshot).views.ip_dict["knob_0"]["type"] == KNOB
    assert one.views.hierarchy_dict["panel"]["ip"]["knob_1"] is one.views.ip_dict["panel/knob_1"]
    assert one.warnings == ()
