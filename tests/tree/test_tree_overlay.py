"""The object tree: what is where, what is loaded, and what is said when something is not there."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import pydoc
import rlcompleter
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kit import KNOB, KNOBS, Board, OldDevice, write

import pynq
from pynq.errors import (
    DesignError,
    DesignNotFoundError,
    FieldValueError,
    OverlayNotLoadedError,
    RegionError,
    UnsupportedByDeviceError,
)
from pynq.utils import ReprDict

pytestmark = pytest.mark.filterwarnings("ignore::pynq.errors.UnmodelledIPWarning")


@pytest.fixture
def overlay(bit: str, device: OldDevice) -> Any:
    return pynq.Overlay(bit, device=device)


def test_ip_hierarchies_and_memories_are_attributes(overlay: Any) -> None:
    assert type(overlay.knob_0) is pynq.DefaultIP
    assert type(overlay.panel) is pynq.DefaultHierarchy
    assert overlay.panel.inner.knob_2.mmio.base_addr == 0x43C20000
    assert overlay.panel.bram.base_address == 0x40000000
    assert overlay.panel is overlay.panel
    assert overlay.knob_0 is overlay.knob_0
    assert getattr(overlay, "panel/inner/knob_2") is overlay.panel.inner.knob_2
    assert getattr(overlay.panel, "inner/knob_2") is overlay.panel.inner.knob_2


def test_items_are_reached_by_path_and_by_names_that_attributes_hide(
    tmp_path: Path, device: OldDevice
) -> None:
    bit = write(tmp_path, "hidden", {"reset": KNOB, "panel/download": KNOB})
    overlay: Any = pynq.Overlay(str(bit), device=device)
    assert callable(overlay.reset)
    assert overlay["reset"].mmio.base_addr == 0x43C00000
    assert overlay["reset"] is overlay["reset"]
    assert overlay["panel"] is overlay.panel
    assert overlay["panel/download"].mmio.base_addr == 0x43C10000
    assert overlay["panel/download"] is overlay.panel["download"]
    assert callable(overlay.panel.download)
    overlay.reset()
    assert "panel/download" in overlay
    assert "nothing" not in overlay
    assert 3 not in overlay
    assert "panel" in list(overlay)
    with pytest.raises(KeyError, match=r"overlay hidden.bit has no attribute 'nothing'"):
        overlay["nothing"]


def test_the_memory_of_the_ps_is_a_target_for_buffers(overlay: Any) -> None:
    assert overlay.PSDDR.name == "PSDDR"
    assert overlay.PSDDR.size > 0
    with pynq.allocate(16, "u4", target=overlay.PSDDR) as buffer:
        assert buffer.device is overlay.device
    board: Any = pynq.Overlay(overlay.bitfile_name, device="sim:psddr")
    with board.PSDDR.allocate((4, 4), "f4") as buffer:
        assert buffer.shape == (4, 4)
        assert buffer.device is board.device


def test_the_dictionaries(overlay: Any, bit: str) -> None:
    assert set(overlay.ip_dict) == {*KNOBS, "axi_intc_0", "processing_system7_0"}
    entry = overlay.ip_dict["knob_0"]
    assert entry["phys_addr"] == 0x43C00000
    assert entry["addr_range"] == 0x10000
    assert entry["type"] == KNOB
    assert entry["fullpath"] == "knob_0"
    assert entry["driver"] is pynq.DefaultIP
    assert entry["device"] is overlay.device
    assert entry["overlay"] is overlay
    assert entry["parameters"]["C_SIZE"] == "7"
    assert set(entry["registers"]) == {"CTRL", "LEVEL"}
    assert set(entry["interrupts"]) == {"irq"}
    assert set(entry["gpio"]) == {"gate"}
    assert set(overlay.hierarchy_dict) == {"panel", "panel/inner"}
    panel = overlay.hierarchy_dict["panel"]
    assert panel["ip"]["knob_1"] is overlay.ip_dict["panel/knob_1"]
    assert panel["overlay"] is overlay
    assert panel["driver"] is pynq.DefaultHierarchy
    assert overlay.mem_dict["panel/bram"]["addr_range"] == 8192
    assert overlay.gpio_dict["gate_slice"]["index"] == 3
    assert overlay.interrupt_pins["other/irq"]["controller"] == "axi_intc_0"
    assert overlay.interrupt_controllers["axi_intc_0"]["parent"] == ""
    assert overlay.clock_dict[0]["enable"] == 1
    assert overlay.bitfile_name == bit
    assert isinstance(overlay.ip_dict, ReprDict)
    shown, options = overlay.ip_dict._repr_json_()
    assert options == {"expanded": False, "root": "ip_dict"}
    assert shown["knob_0"]["phys_addr"] == 0x43C00000


def test_reading_and_writing(overlay: Any) -> None:
    knob = overlay.knob_0
    knob.write(4, 0xCAFE)
    assert knob.read(4) == 0xCAFE
    assert knob.read(offset=4) == 0xCAFE
    knob.write(4, 1)
    assert knob.read() == 0
    assert pynq.DefaultIP.read(knob, 4) == 1
    pynq.DefaultIP.write(knob, 4, 2)
    assert knob.mmio.read(4) == 2
    knob.register_map.CTRL.ENABLE = 1
    knob.register_map.CTRL.MODE = 2
    assert knob.read(0) == 0x21
    assert list(inspect.signature(pynq.DefaultIP.read).parameters)[:2] == ["self", "offset"]
    knob.write(offset=4, value=3)
    assert knob.read(offset=4) == 3


def test_a_driver_may_redefine_read(bit: str, device: OldDevice) -> None:
    class Doubling(pynq.DefaultIP):
        bindto = [KNOB]

        def read(self, offset: int = 0) -> int:  # type: ignore[override]
            return 2 * super().read(offset)

    overlay = pynq.Overlay(bit, device=device)
    overlay.knob_0.write(4, 21)
    assert overlay.knob_0.read(4) == 42


def test_interrupts_and_pins_are_attributes(overlay: Any) -> None:
    assert isinstance(overlay.knob_0.irq, pynq.Interrupt)
    assert overlay.knob_0.irq.path == "knob_0/irq"
    assert overlay.knob_0.irq is overlay.knob_0.irq
    assert isinstance(overlay.knob_0.gate, pynq.GPIO)
    assert repr(overlay.knob_0.gate) == "<GPIO out, EMIO 3 of 'old'>"
    assert {"irq", "gate", "register_map"} <= set(dir(overlay.knob_0))


def test_the_ps_is_an_attribute_too(overlay: Any) -> None:
    ps = overlay.processing_system7_0
    assert type(ps) is pynq.DefaultIP
    assert "no registers" in repr(ps.mmio)
    with pytest.raises(
        UnsupportedByDeviceError, match=r"processing_system7_0 has no registers in the processor's"
    ):
        ps.read(0)
    with pytest.raises(UnsupportedByDeviceError, match="processing_system7_0 has no registers"):
        ps.native  # noqa: B018
    assert not hasattr(ps, "register_map")
    assert repr(ps) == "<pynq.overlay.DefaultIP processing_system7_0>"


def test_a_memory_is_read_and_written(overlay: Any) -> None:
    bram = overlay.panel.bram
    bram.write(8, np.arange(4, dtype="u4"))
    assert [bram.read(8 + 4 * i) for i in range(4)] == [0, 1, 2, 3]
    assert bram.mmio.array.shape == (2048,)
    assert bram.size == 8192
    assert repr(bram) == "<Memory panel/bram at 0x40000000, 8192 bytes>"


def test_hasattr_gives_the_right_answer_and_nothing_else(bit: str, tmp_path: Path, device: OldDevice) -> None:
    class Probing(pynq.DefaultIP):
        bindto = [KNOB]

        def __init__(self, description: Any) -> None:
            super().__init__(description)
            self.identity = self.read(0)

    names = ["knob_0", "panel", "other", "axi_intc_0", "processing_system7_0", "ip_dict", "panel/knob_1"]
    overlay: Any = pynq.Overlay(bit, device=device)
    second = write(tmp_path, "second", {"lonely": KNOB})
    for state in ("loaded", "another one is"):
        assert overlay.is_loaded() is (state == "loaded")
        for name in names:
            assert hasattr(overlay, name), (state, name)
        assert hasattr(overlay.panel, "bram")
        assert hasattr(overlay.panel.inner, "knob_2")
        assert hasattr(overlay.knob_0, "irq")
        assert hasattr(overlay.knob_0, "gate")
        for name in ("nothing", "knob_9", "_private", "panel/nothing", "nothing/at/all", ""):
            assert not hasattr(overlay, name), (state, name)
            assert not hasattr(overlay.panel, name)
            assert not hasattr(overlay.other, name)
        pynq.Overlay(str(second), device=device)
    never = pynq.Overlay(bit, download=False, device=Board("third"))
    assert all(hasattr(never, name) for name in names)
    assert not hasattr(never, "nothing")


def test_registers_of_an_overlay_that_is_not_loaded_refuse(bit: str, tmp_path: Path, board: Board) -> None:
    overlay: Any = pynq.Overlay(bit, download=False, device=board)
    expected = r"overlay kit.bit is not loaded; nothing is in device 'board'. Call its download\(\)."
    with pytest.raises(OverlayNotLoadedError, match=expected):
        overlay.knob_0.read(0)
    with pytest.raises(AttributeError):
        overlay.knob_0.write(0, 1)
    with pytest.raises(RuntimeError):
        overlay.knob_0.register_map.CTRL.ENABLE  # noqa: B018
    with pytest.raises(OverlayNotLoadedError, match=r"knob_0/irq: overlay kit.bit is not loaded"):
        overlay.knob_0.irq.wait_sync()
    assert repr(overlay.knob_0.irq).startswith(
        "<knob_0/irq: OverlayNotLoadedError: knob_0/irq: overlay kit.bit"
    )
    with pytest.raises(OverlayNotLoadedError, match=r"GPIO 3: overlay kit.bit"):
        overlay.knob_0.gate.write(1)
    with pytest.raises(OverlayNotLoadedError, match=r"panel/bram|not loaded"):
        overlay.panel.bram.read(0)
    assert board.windows == {}  # nobody touched the addresses, which may be somebody else's
    second = str(write(tmp_path, "second", {"lonely": KNOB}))
    pynq.Overlay(second, device=board)
    with pytest.raises(OverlayNotLoadedError, match=f"not loaded; {second} is in device"):
        overlay.other.read(0)


def test_objects_live_on_when_their_overlay_is_loaded(bit: str, board: Board) -> None:
    overlay: Any = pynq.Overlay(bit, download=False, device=board)
    knob, registers, bram = overlay.knob_0, overlay.knob_0.register_map, overlay.panel.bram
    with pytest.raises(OverlayNotLoadedError):
        bram.read(0)
    overlay.download()
    knob.write(4, 9)
    assert knob.read(4) == 9
    assert int(registers.LEVEL) == 9
    assert bram.read(0) == 0
    overlay.download()
    assert registers.LEVEL.LEVEL == 0  # fresh logic behind the same objects
    knob.write(4, 8)
    assert registers.LEVEL.LEVEL == 8
    assert overlay.knob_0 is knob
    assert isinstance(knob.irq, pynq.Interrupt)


def test_a_driver_that_needs_its_registers_waits_for_the_load(bit: str, board: Board) -> None:
    class Probing(pynq.DefaultIP):
        bindto = [KNOB]

        def __init__(self, description: Any) -> None:
            super().__init__(description)
            self.identity = self.read(0)

    overlay: Any = pynq.Overlay(bit, download=False, device=board)
    assert type(overlay.knob_0) is pynq.DefaultIP  # what can be had without registers
    overlay.download()
    assert type(overlay.knob_0) is Probing
    assert overlay.knob_0.identity == 0


def test_is_loaded_follows_the_device(bit: str, tmp_path: Path, board: Board) -> None:
    first = pynq.Overlay(bit, device=board)
    assert first.is_loaded()
    attached = pynq.Overlay(bit, download=False, device=board)
    assert attached.is_loaded()  # the same bitstream is there
    assert attached.timestamp == ""
    again = pynq.Overlay(bit, device=board)
    assert (first.is_loaded(), again.is_loaded(), attached.is_loaded()) == (False, True, True)
    with pytest.raises(OverlayNotLoadedError, match=r"the same bitstream, loaded anew by somebody else,"):
        first.other.read(0)
    first.download()
    assert (first.is_loaded(), again.is_loaded()) == (True, False)
    pynq.Overlay(str(write(tmp_path, "second", {"lonely": KNOB})), device=board)
    assert not attached.is_loaded()


def test_several_devices_and_overlays_at_once(bit: str, tmp_path: Path) -> None:
    second = str(write(tmp_path, "second", {"knob_0": KNOB}))
    devices = [OldDevice(str(number)) for number in range(3)]
    overlays: list[Any] = [
        pynq.Overlay(name, device=device) for name, device in zip([bit, second, bit], devices, strict=True)
    ]
    for number, overlay in enumerate(overlays):
        overlay.knob_0.write(4, 10 + number)
    assert [overlay.knob_0.read(4) for overlay in overlays] == [10, 11, 12]
    assert all(overlay.is_loaded() for overlay in overlays)
    assert [overlay.knob_0.irq.device for overlay in overlays] == devices


def test_an_unknown_name_lists_the_near_ones(overlay: Any) -> None:
    with pytest.raises(
        AttributeError, match=r"overlay kit.bit has no attribute 'knob0'; did you mean 'knob_0'\?"
    ):
        overlay.knob0  # noqa: B018
    with pytest.raises(
        AttributeError,
        match=r"overlay kit.bit has no attribute 'zzz'; it holds panel, axi_intc_0, knob_0, other,",
    ):
        overlay.zzz  # noqa: B018
    with pytest.raises(
        AttributeError, match=r"hierarchy panel has no attribute 'knob_'; did you mean 'knob_1'\?"
    ):
        overlay.panel.knob_  # noqa: B018
    with pytest.raises(AttributeError, match=r"'DefaultIP' object has no attribute 'irw'"):
        overlay.knob_0.irw  # noqa: B018


def test_a_failing_property_gives_its_own_message(bit: str, device: OldDevice) -> None:
    class Broken(pynq.DefaultIP):
        bindto = [KNOB]

        @property
        def value(self) -> Any:
            return self.description.no_such_thing  # type: ignore[attr-defined]

    class BrokenPanel(pynq.DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: Any) -> bool:
            return True

        @property
        def value(self) -> Any:
            return self.knob_7

    overlay: Any = pynq.Overlay(bit, device=device)
    with pytest.raises(AttributeError, match=r"'dict' object has no attribute 'no_such_thing'"):
        overlay.knob_0.value  # noqa: B018
    with pytest.raises(AttributeError, match=r"hierarchy panel has no attribute 'knob_7'"):
        overlay.panel.value  # noqa: B018


@pytest.mark.parametrize("kind", [pynq.Overlay, pynq.DefaultOverlay, pynq.DefaultIP, pynq.DefaultHierarchy])
def test_half_built_objects_do_not_recurse(kind: type[Any]) -> None:
    half = kind.__new__(kind)
    assert not hasattr(half, "anything")
    assert not hasattr(half, "_description")
    with pytest.raises(AttributeError, match=r"a half-built \w+|'DefaultIP' object"):
        half.anything  # noqa: B018
    assert "anything" not in dir(half)

    class Early(kind):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            self.before = hasattr(self, "something")

    assert Early("x").before is False


def test_copies_and_pickles(overlay: Any) -> None:
    for item in (overlay, overlay.panel, overlay.knob_0):
        assert copy.copy(item) is item
        assert copy.deepcopy([item])[0] is item
        with pytest.raises(TypeError, match=r"is hardware and can't be pickled"):
            pickle.dumps(item)
    taken = copy.deepcopy(overlay.ip_dict)
    assert taken["knob_0"]["overlay"] is overlay
    assert taken["knob_0"] is not overlay.ip_dict["knob_0"]


def test_what_is_shown(overlay: Any, bit: str) -> None:
    assert repr(overlay) == f"<Overlay {bit!r} on 'old': loaded>"
    assert repr(overlay.knob_0) == "<pynq.overlay.DefaultIP knob_0 at 0x43c00000>"
    assert repr(overlay.panel) == "<pynq.overlay.DefaultHierarchy panel: inner, knob_1, bram>"
    text = inspect.getdoc(overlay)
    assert text is not None
    for line in (
        f"The overlay {bit} has these attributes:",
        "knob_0               : pynq.overlay.DefaultIP at 0x43c00000, 64 KiB",
        "panel       : pynq.overlay.DefaultHierarchy",
        "panelbram : Memory at 0x40000000, 8 KiB",
        "processing_system7_0 : pynq.overlay.DefaultIP",
    ):
        assert line in text, text
    assert "knob_1 : pynq.overlay.DefaultIP at 0x43c10000" in overlay.panel.__doc__
    assert "No" not in (pynq.Overlay.__doc__ or "")[:2]
    names = dir(overlay)
    assert {"knob_0", "panel", "other", "ip_dict", "download"} <= set(names)
    assert "panel/knob_1" not in names
    assert {"inner", "knob_1", "bram"} <= set(dir(overlay.panel))


def test_tools_that_look_at_objects_get_along(overlay: Any) -> None:
    assert "pynq.overlay.DefaultIP at 0x43c00000" in pydoc.render_doc(overlay)
    names = [name for name, _ in inspect.getmembers(overlay)]
    assert {"knob_0", "panel", "panelbram"} <= set(names)
    assert [name for name, _ in inspect.getmembers(overlay.knob_0) if name == "irq"] == ["irq"]
    for item in (overlay, overlay.panel, overlay.knob_0):
        for asked in (
            "_repr_html_",
            "_ipython_display_",
            "_ipython_canary_method_should_not_exist_",
            "__array__",
        ):
            assert not hasattr(item, asked)
        assert callable(item.__dir__)
        assert bool(item)
    assert rlcompleter.Completer({"ol": overlay}).attr_matches("ol.kno") == ["ol.knob_0"]


def test_a_class_of_ones_own_keeps_its_documentation(bit: str, device: OldDevice) -> None:
    class Documented(pynq.DefaultOverlay):
        """Turns knobs."""

    overlay = Documented(bit, device=device)
    assert overlay.__doc__ is not None
    assert overlay.__doc__.startswith("Turns knobs.\n\nThe overlay ")


def test_the_xml_is_there_for_programs_that_look_into_it(
    overlay: Any, tmp_path: Path, device: OldDevice
) -> None:
    root = overlay.systemgraph._root
    assert root.tag == "EDKSYSTEM"
    assert {module.get("FULLNAME") for module in root.iter("MODULE")} >= {"/knob_0", "/panel/inner/knob_2"}
    assert overlay.systemgraph._root is root
    assert overlay.parser.systemgraph is overlay.systemgraph
    assert overlay.parser.ip_dict is overlay.ip_dict
    with pytest.raises(AttributeError, match=r"a parser has no 'ip_dct'; it has ip_dict, hierarchy_dict"):
        overlay.parser.ip_dct  # noqa: B018
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + "<EDKSYSTEM>&a;</EDKSYSTEM>"
    (tmp_path / "kit.hwh").write_text(bomb)
    lazy = pynq.overlay.SystemGraph(overlay)
    with pytest.raises(DesignError, match=r"a document type declaration"):
        lazy._root  # noqa: B018


def test_names_of_overlays(tmp_path: Path, device: OldDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "base")
    assert pynq.Overlay(str(tmp_path / "base.bit"), device=device).bitfile_name == str(tmp_path / "base.bit")
    assert pynq.Overlay(str(tmp_path / "base.hwh"), device=device).bitfile_name == str(tmp_path / "base.hwh")
    assert pynq.Overlay(tmp_path / "base.bit", device=device).is_loaded()
    monkeypatch.chdir(tmp_path)
    assert pynq.Overlay("base.bit", device=device).bitfile_name == str(tmp_path / "base.bit")
    assert pynq.Overlay("base", device=device).is_loaded()
    with pytest.raises(DesignNotFoundError, match=f"(?s)no overlay 'bse.bit'.*Searched:.*{tmp_path}"):
        pynq.Overlay("bse.bit", device=device)
    with pytest.raises(FileNotFoundError):
        pynq.Overlay(str(tmp_path / "nothing" / "base.bit"), device=device)
    with pytest.raises(DesignNotFoundError):
        pynq.Bitstream("bse.bit", device=device)


def test_bad_descriptions_are_refused_with_file_and_line(tmp_path: Path, device: OldDevice) -> None:
    (tmp_path / "bad.hwh").write_text("<EDKSYSTEM>\n<MODULES>")
    with pytest.raises(DesignError, match=r"bad.hwh:2: "):
        pynq.Overlay(str(tmp_path / "bad.bit"), device=device)
    assert device.downloads == []


def test_load_ip_data(overlay: Any, tmp_path: Path) -> None:
    data = tmp_path / "program.bin"
    data.write_bytes(bytes(range(10)))
    overlay.panel.bram.write(0, np.full(8, 0xFFFFFFFF, "u4"))
    overlay.load_ip_data("panel/bram", str(data))
    assert bytes(overlay.panel.bram.mmio.array[:4].tobytes()) == bytes(range(10)) + b"\0\0" + b"\xff" * 4
    assert overlay.mem_dict["panel/bram"]["state"] == str(data)
    overlay.load_ip_data("panel/bram", data, zero=True)
    assert overlay.panel.bram.read(12) == 0
    overlay.load_ip_data("knob_0", data)
    assert overlay.knob_0.read(4) == 0x07060504
    assert pynq.PL.ip_dict is not None
    overlay.reset()
    assert overlay.ip_dict["knob_0"]["state"] is None
    with pytest.raises(KeyError, match=r"no IP or memory 'panel/bran' in .*; did you mean panel/bram"):
        overlay.load_ip_data("panel/bran", data)
    data.write_bytes(bytes(8193))
    with pytest.raises(FieldValueError, match=r"program.bin has 8193 bytes, panel/bram holds 8192"):
        overlay.load_ip_data("panel/bram", data)
    waiting = pynq.Overlay(overlay.bitfile_name, download=False, device=Board("other"))
    data.write_bytes(b"1234")
    with pytest.raises(OverlayNotLoadedError, match=r"knob_0: overlay kit.bit is not loaded"):
        waiting.load_ip_data("knob_0", data)


def test_partial_bitstreams_are_refused_clearly(overlay: Any) -> None:
    with pytest.raises(RegionError, match=r"'panel' .* is a hierarchy, no region .*; it has no regions"):
        overlay.pr_download("panel", "part.bit")
    with pytest.raises(AttributeError):
        overlay.panel.download("part.bit")


def test_device_tree_overlays(bit: str, tmp_path: Path, device: OldDevice) -> None:
    assert pynq.Overlay(bit, device=device).dtbo is None
    with pytest.raises(ValueError, match=r"has no device-tree overlay: pass its path"):
        pynq.Overlay(bit, device=device).insert_dtbo()
    (tmp_path / "kit.dtbo").write_bytes(b"")
    (tmp_path / "more.dtbo").write_bytes(b"")
    overlay = pynq.Overlay(bit, device=device)
    assert overlay.dtbo == str(tmp_path / "kit.dtbo")
    overlay.download("more.dtbo")
    assert overlay.dtbo == str(tmp_path / "more.dtbo")
    overlay.insert_dtbo("kit.dtbo")
    overlay.free()


def test_pl_shows_what_the_active_device_holds(bit: str, tmp_path: Path, device: OldDevice) -> None:
    pynq.Device.active_device = device
    assert (pynq.PL.bitfile_name, pynq.PL.timestamp, pynq.PL.ip_dict) == ("", "", {})
    overlay = pynq.Overlay(bit)
    assert overlay.device is device
    assert pynq.PL.bitfile_name == bit
    assert pynq.PL.timestamp == overlay.timestamp
    for name in (
        "ip_dict",
        "hierarchy_dict",
        "mem_dict",
        "gpio_dict",
        "interrupt_pins",
        "interrupt_controllers",
    ):
        assert getattr(pynq.PL, name) == getattr(overlay, name)
    overlay.ip_dict["knob_0"]["state"] = "set"
    assert pynq.PL.ip_dict["knob_0"]["state"] == "set"
    pynq.PL.reset()
    assert overlay.ip_dict["knob_0"]["state"] is None
    with pytest.raises(TypeError, match=r"PL has no instances"):
        pynq.PL()
    device.parser = None  # as when another process had loaded it
    assert set(pynq.PL.ip_dict) == set(overlay.ip_dict)


def test_bitstream_alone(bit: str, device: OldDevice) -> None:
    stream = pynq.Bitstream(bit, device=device)
    assert not stream.is_loaded()
    assert repr(stream) == f"<Bitstream {bit!r} on 'old': not loaded>"
    stream.download()
    assert stream.is_loaded()
    assert device.bitfile_name == bit
    assert device.design is stream.design
    overlay: Any = pynq.Overlay(bit, download=False, device=device)
    assert overlay.is_loaded()
    assert overlay.knob_0.read(0) == 0


def test_subclasses_and_their_own_attributes(bit: str, device: OldDevice) -> None:
    class Mine(pynq.Overlay):
        def __init__(self, bitfile_name: str, **kwargs: Any) -> None:
            super().__init__(bitfile_name, **kwargs)
            self.knob = self.knob_0

        @property
        def level(self) -> int:
            return self.knob.read(4)

    overlay = Mine(bit, device=device, ignore_version=True)
    assert overlay.knob is overlay.knob_0
    assert overlay.level == 0
    parameters = inspect.signature(pynq.Overlay).parameters
    assert list(parameters) == [
        "bitfile_name",
        "dtbo",
        "download",
        "ignore_version",
        "device",
        "gen_cache",
        "rtl",  # ours, and so by keyword only
        "registers",
    ]
    assert parameters["rtl"].kind is parameters["registers"].kind is inspect.Parameter.KEYWORD_ONLY
    assert list(inspect.signature(Mine).parameters) == ["bitfile_name", "kwargs"]
    assert list(inspect.signature(pynq.DefaultOverlay).parameters)[:2] == ["bitfile_name", "download"]


def test_devices_that_are_no_simulator_take_no_notice_of_rtl(bit: str, device: OldDevice) -> None:
    overlay = pynq.Overlay(bit, device=device, rtl={"knob_0": "nix.v"})
    assert overlay.is_loaded()
    assert overlay.rtl == {"knob_0": "nix.v"}


def test_an_overlay_goes_when_nobody_holds_it(bit: str, device: OldDevice) -> None:
    overlay: Any = pynq.Overlay(bit, device=device)
    overlay.knob_0.write(0, 1)
    gone = weakref.ref(overlay)
    device.parser = None
    del overlay
    gc.collect()
    assert gone() is None


def test_what_can_not_be_had_is_said_when_it_is_used(bit: str) -> None:
    class Forbidden(OldDevice):
        def mmap(self, base_addr: int, length: int) -> Any:
            raise PermissionError(13, "Permission denied", "/dev/mem")

        def pin(self, index: int, direction: str) -> Any:
            raise PermissionError(13, "Permission denied", "/dev/gpiochip0")

    overlay: Any = pynq.Overlay(bit, device=Forbidden())
    assert hasattr(overlay, "knob_0")
    knob = overlay.knob_0
    assert "PermissionError" in repr(knob.mmio)
    for use in (
        lambda: knob.read(0),
        lambda: knob.register_map,
        lambda: knob.gate.write(1),
        lambda: knob.irq.wait_sync(),
    ):
        with pytest.raises(PermissionError):
            use()


def test_wires_do_not_replace_what_a_driver_defines(bit: str, device: OldDevice) -> None:
    class Knob(pynq.DefaultIP):
        bindto = [KNOB]

        @property
        def irq(self) -> str:
            return "mine"

    assert pynq.Overlay(bit, device=device).knob_0.irq == "mine"


def test_native_interface_of_an_ip(overlay: Any) -> None:
    native = overlay.knob_0.native
    assert native is overlay.knob_0.native
    assert native.pointer


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore::pynq.errors.DriverFallbackWarning")
@pytest.mark.filterwarnings("ignore::pynq.errors.VersionMismatchWarning")
def test_every_file_of_the_corpus_makes_a_tree(corpus: Path) -> None:
    for path in sorted((corpus / "hwh").glob("*.hwh")):
        overlay: Any = pynq.DefaultOverlay(str(path), device=OldDevice(mode="REGISTER_RW"))
        for name in overlay.ip_dict:
            assert hasattr(overlay, name), (path.name, name)
        for name in dir(overlay):
            assert hasattr(overlay, name), (path.name, name)
        assert repr(overlay)
        assert overlay.__doc__
