"""Which devices there are, and which one is active."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from kit import OldDevice

import pynq
from pynq.device import Device, Registry, active_device, registry, resolve
from pynq.errors import BackendWarning, DesignNotFoundError, DeviceNotFoundError


class Fake:
    """A backend with so many devices."""

    why = "for tests"

    def __init__(self, scheme: str, priority: int, *names: str, fault: Exception | None = None) -> None:
        self.scheme = scheme
        self.priority = priority
        self.names = list(names)
        self.fault = fault
        self.opened: list[str] = []

    def probe(self) -> list[str]:
        if self.fault:
            raise self.fault
        return self.names

    def open(self, spec: str) -> Device:
        if spec == f"{self.scheme}:broken":
            raise OSError("no such board")
        self.opened.append(spec)
        return Device(spec)


def make(*backends: Fake) -> Registry:
    made = Registry(list)
    for backend in backends:
        made.add(backend)
    return made


def test_the_highest_priority_that_is_present_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)
    found = make(Fake("sim", 0, "sim:"), Fake("board", 100), Fake("pcie", 50, "pcie:0", "pcie:1"))
    assert found.active().name == "pcie:0"
    assert "for tests" in found.reason
    assert [device.name for device in found.devices()] == ["pcie:0", "pcie:1", "sim:"]
    assert found.devices()[0] is found.active()


def test_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_DEVICE", "sim:lab")
    found = make(Fake("sim", 0, "sim:"), Fake("board", 100, "board:"))
    assert found.active().name == "sim:lab"
    assert found.reason == "PYNQ_DEVICE=sim:lab"
    assert found.resolve(None) is found.active()


def test_the_keyword_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYNQ_DEVICE", "sim:lab")
    found = make(Fake("sim", 0, "sim:"))
    assert found.resolve("sim:2").name == "sim:2"
    mine = Device("mine")
    assert found.resolve(mine) is mine


def test_an_unknown_scheme_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    found = make(Fake("sim", 0), Fake("board", 100))
    with pytest.raises(DeviceNotFoundError, match="no backend for scheme 'brd:'; known: board:, sim:"):
        found.open("brd:0")
    with pytest.raises(
        DeviceNotFoundError, match="'board' is not of the form scheme:rest; known schemes: board:, sim:"
    ):
        found.open("board")
    monkeypatch.setenv("PYNQ_DEVICE", "brd:0")
    with pytest.raises(DeviceNotFoundError, match="PYNQ_DEVICE='brd:0': no backend"):
        found.active()


def test_a_failing_candidate_is_a_warning_and_the_next_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)
    found = make(
        Fake("sim", 0, "sim:"),
        Fake("board", 100, fault=PermissionError("/dev/mem")),
        Fake("pcie", 50, "pcie:broken"),
    )
    with pytest.warns(BackendWarning) as notes:
        assert found.active().name == "sim:"
    texts = [str(note.message) for note in notes]
    assert texts == [
        "backend 'board' can't be asked: PermissionError: /dev/mem",
        "device 'pcie:broken' can't be opened: OSError: no such board",
    ]


def test_without_any_device_the_message_says_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)
    with pytest.raises(
        DeviceNotFoundError, match=r"no device is present \(board: for tests\). Set PYNQ_DEVICE"
    ):
        make(Fake("board", 100)).active()


def test_entry_points_are_imported_when_their_scheme_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_backend.py").write_text("raise ImportError('not now')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("lab", "some_backend:BACKEND", "pynq.backends")
    found = Registry(lambda: [entry])
    assert found.schemes() == ["lab"]
    with pytest.raises(ImportError, match="not now"):
        found.open("lab:0")
    with pytest.warns(BackendWarning, match="backend 'lab' can't be asked: ImportError: not now"):
        assert found.devices() == []


def test_a_name_is_opened_once_and_closed_with_the_registry() -> None:
    closed = []

    class Closing(Device):
        def close(self) -> None:
            closed.append(self.name)

    backend = Fake("sim", 0, "sim:")
    backend.open = Closing  # type: ignore[method-assign]
    found = make(backend)
    assert found.open("sim:1") is found.open("sim:1")
    found.close()
    assert closed == ["sim:1"]
    assert found.open("sim:1") is found.open("sim:1")
    found.close()


def test_the_class_has_devices_and_the_active_one() -> None:
    device = OldDevice("mine")
    Device.active_device = device
    assert pynq.Device.active_device is device
    assert active_device() is device
    assert resolve() is device
    assert pynq.Device is Device
    OldDevice.active_device = None
    assert registry._chosen is None


def test_the_active_device_can_be_set_by_name() -> None:
    Device.active_device = "sim:by-name"  # type: ignore[assignment]
    assert Device.active_device.name == "sim:by-name"
    assert registry.reason == "set by the program"


def test_the_simulated_board_is_there_without_any_setting() -> None:
    code = (
        "import pynq; device = pynq.Device.active_device; "
        "print(device.name, [one.name for one in pynq.Device.devices], device.needs_bitstream)"
    )
    out = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["sim:", "['sim:']", "False"]


def test_classes_with_probe_take_part_as_in_pynq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYNQ_DEVICE", raising=False)

    class Card(OldDevice):
        _probe_priority_ = 200

        @classmethod
        def _probe_(cls) -> list[Device]:
            return [cls("card0"), cls("card1")]

    try:
        names = [device.name for device in Device.devices]
        assert names[:2] == ["card0", "card1"]
        Device.active_device = None
        assert Device.active_device.name == "card0"
        assert Device.active_device is Device.devices[0]
    finally:
        registry.remove("card")
        registry._open.pop("card:card0")
        registry._open.pop("card:card1")


def test_devices_are_not_copied() -> None:
    import copy

    device = OldDevice()
    assert copy.copy(device) is device
    assert copy.deepcopy({"device": device})["device"] is device


def test_no_warning_hides_in_an_ordinary_choice() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make(Fake("sim", 0, "sim:")).active().name == "sim:"


def test_a_device_keyword_of_another_kind_is_refused(bit: str) -> None:
    with pytest.raises(TypeError, match=r"device is 5; pass a pynq\.Device, a name such as 'sim:', or None"):
        pynq.Overlay(bit, device=5)  # type: ignore[arg-type]


def test_the_places_searched_for_a_device_tree_are_named_once(bit: str, device: OldDevice) -> None:
    with pytest.raises(DesignNotFoundError, match=r"'/none/x\.dtbo': tried /none/x\.dtbo$"):
        pynq.Overlay(bit, "/none/x.dtbo", device=device)
