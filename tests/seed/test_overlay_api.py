"""The Python Overlay API as its specification describes it: one class a heading, one test a sentence or two.

Sentences are counted within their heading: "Creating IP Drivers 2" is the second sentence under that heading.
The code is the specification's own, with two slips mended (a missing colon, ``np`` not imported). Everything
runs on the simulated board, which is the default where there is no other device, from hand-off files alone.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tree.kit import KNOB

import pynq
from pynq import DefaultHierarchy, DefaultIP, DefaultOverlay, allocate

# "mine", whose type is no VLNV, is a plain register file on the simulated board.
pytestmark = pytest.mark.filterwarnings("ignore:.*no model.* mine :pynq.errors.UnmodelledIPWarning")


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run a program text in a namespace of its own, as a notebook cell does, and return the namespace."""
    space: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(textwrap.dedent(code), "<cell>", "exec"), space)
    return space


class TestPythonOverlayAPI:
    def test_the_api_is_the_users_interface_to_the_functions_of_the_design(self, bit: str) -> None:
        """1: what the programmable logic can do is reached through Python objects."""
        overlay = pynq.Overlay(bit)
        overlay.knob_0.register_map.LEVEL.LEVEL = 5
        assert overlay.knob_0.register_map.LEVEL.LEVEL == 5

    def test_an_api_can_be_a_simple_wrapper_around_the_ip(self, bit: str) -> None:
        """2, first kind: a wrapper that talks to the IP blocks directly."""

        class Volume:
            def __init__(self, overlay: Any) -> None:
                self.knob = overlay.knob_0

            def set(self, level: int) -> None:
                self.knob.write(0x4, level)

            def get(self) -> int:
                return int(self.knob.read(0x4))

        volume = Volume(pynq.Overlay(bit))
        volume.set(11)
        assert volume.get() == 11

    def test_an_api_can_use_other_packages(self, loopback: Any) -> None:
        """2, second kind: a larger Python layer upon other packages, numpy here."""
        signal = np.sin(np.linspace(0, 10, 256)).astype("f4")
        with allocate(256, "f4") as out, allocate(256, "f4") as back:
            out[:] = signal
            loopback.axi_dma_0.sendchannel.transfer(out)
            loopback.axi_dma_0.recvchannel.transfer(back)
            loopback.axi_dma_0.sendchannel.wait()
            loopback.axi_dma_0.recvchannel.wait()
            assert np.allclose(np.fft.rfft(back), np.fft.rfft(signal))

    @pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler (package g++)")
    def test_an_api_can_be_a_library_in_c_or_cpp(self, bit: str, tmp_path: Path) -> None:
        """2, third kind: Python around a faster library written in C or C++ that controls the overlay."""
        (tmp_path / "driver.cpp").write_text(
            """
            #include <pynq/native.h>
            extern "C" long turn(const pynq_ip *ip, unsigned steps) {
                std::uint64_t level = 0;
                for (unsigned i = 0; i < steps; ++i) {
                    if (ip->read(ip->ctx, 4, 4, &level) || ip->write(ip->ctx, 4, 4, level + 1)) return -1;
                }
                return (long)level;
            }
            """.replace("#include <pynq", "#include <cstdint>\n#include <pynq")
        )
        library = tmp_path / "libdriver.so"
        subprocess.run(
            [
                "c++",
                "-shared",
                "-fPIC",
                "-I",
                pynq.get_include(),
                str(tmp_path / "driver.cpp"),
                "-o",
                str(library),
            ],
            check=True,
        )
        turn = ctypes.CDLL(str(library)).turn
        overlay = pynq.Overlay(bit)
        native = overlay.knob_0.native
        assert turn(ctypes.c_void_p(native.pointer), 20) == 19
        assert overlay.knob_0.read(4) == 20

    def test_data_goes_straight_to_a_peripheral(self, bit: str) -> None:
        """3 and 4: transfer from the PS to a peripheral."""
        overlay = pynq.Overlay(bit)
        overlay.knob_0.write(4, 0x1234)
        assert overlay.knob_0.read(4) == 0x1234

    def test_a_peripheral_reads_and_writes_memory_that_python_sees_too(self, loopback: Any) -> None:
        """4: system memory that a peripheral in the PL and the Python program share."""
        source, target = allocate(64, "u2"), allocate(64, "u2")
        source[:] = np.arange(64)
        dma = loopback.axi_dma_0
        dma.recvchannel.transfer(target)
        dma.sendchannel.transfer(source)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        assert np.array_equal(source, target)
        source.freebuffer()
        target.freebuffer()


class TestTheDefaultAPI:
    def test_loading_assigns_drivers_and_builds_a_tree_of_objects(self, bit: str) -> None:
        """1: all IP and hierarchies get drivers, of which a tree of objects is made."""
        overlay = pynq.Overlay(bit)
        assert all(inspect.isclass(entry["driver"]) for entry in overlay.ip_dict.values())
        assert all(inspect.isclass(entry["driver"]) for entry in overlay.hierarchy_dict.values())
        assert isinstance(overlay.knob_0, overlay.ip_dict["knob_0"]["driver"])
        assert isinstance(overlay.panel.inner, overlay.hierarchy_dict["panel/inner"]["driver"])

    def test_ip_is_reached_by_its_name_in_the_block_diagram(self, bit: str) -> None:
        """2: attributes have the names of the IP and hierarchies of the block diagram."""
        overlay = pynq.Overlay(bit)
        assert overlay.knob_0.description["fullpath"] == "knob_0"
        assert overlay.panel.knob_1.description["fullpath"] == "panel/knob_1"
        assert overlay.panel.inner.knob_2.description["fullpath"] == "panel/inner/knob_2"
        for name in ("knob_0", "panel", "axi_intc_0", "processing_system7_0"):
            assert hasattr(overlay, name)
            assert name in dir(overlay)
        assert not hasattr(overlay, "knob_9")

    def test_ip_without_a_driver_is_a_defaultip_with_read_and_write(self, bit: str) -> None:
        """3, first half: ``read`` and ``write`` access the address space of the IP."""
        knob = pynq.Overlay(bit).knob_0
        assert type(knob) is DefaultIP
        knob.write(0x4, 77)
        assert knob.read(0x4) == 77
        assert knob.read() == 0
        knob.write(0x10000 - 4, 0)
        with pytest.raises(ValueError, match="0x10000"):
            knob.read(0x10000)

    def test_its_interrupts_are_attributes(self, bit: str) -> None:
        """3, second half: named accessors to the interrupts connected to the IP."""
        overlay = pynq.Overlay(bit)

        async def enable_and_wait() -> None:
            task = asyncio.ensure_future(overlay.knob_0.irq.wait())
            await asyncio.sleep(0)
            overlay.knob_0.write(0x0, 1)
            await task
            overlay.knob_0.write(0x0, 0)

        asyncio.run(asyncio.wait_for(enable_and_wait(), 20))
        overlay.panel.inner.knob_2.write(0x0, 1)
        overlay.panel.inner.knob_2.irq.wait_sync(timeout=20)

    def test_its_gpio_pins_are_attributes(self, bit: str) -> None:
        """3, second half: named accessors to the GPIO pins connected to the IP."""
        knob = pynq.Overlay(bit).knob_0
        assert knob.read(0x4) >> 31 == 0
        knob.gate.write(1)
        assert knob.read(0x4) >> 31 == 1
        knob.gate.write(0)
        assert knob.read(0x4) >> 31 == 0

    def test_hierarchies_are_defaulthierarchy_with_what_they_contain(self, bit: str) -> None:
        """4: they give access to their sub-hierarchies and IP."""
        overlay = pynq.Overlay(bit)
        assert type(overlay.panel) is DefaultHierarchy
        assert type(overlay.panel.inner) is DefaultHierarchy
        assert type(overlay.panel.knob_1) is DefaultIP
        overlay.panel.inner.knob_2.write(4, 3)
        assert overlay.panel.inner.knob_2.read(4) == 3

    def test_the_top_level_behaves_like_the_rest(self, bit: str) -> None:
        """5: the top-level ``DefaultOverlay`` is one more such object."""
        overlay = DefaultOverlay(bit, True)
        assert overlay.knob_0.read(4) == 0
        assert isinstance(pynq.Overlay(bit), DefaultOverlay)
        for node in (overlay, overlay.panel, overlay.knob_0):
            assert node.device is overlay.device
            assert node.description
            with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
                node.nothing  # noqa: B018
        assert "knob_0" in (overlay.__doc__ or "")
        assert "knob_1" in (overlay.panel.__doc__ or "")


class TestCustomisingDrivers:
    def test_a_driver_gives_users_something_of_a_higher_level(self, bit: str) -> None:
        """1: for end users a driver is preferable to registers."""

        class Knob(DefaultIP):
            bindto = [KNOB]

            @property
            def level(self) -> int:
                return self.read(4)

            @level.setter
            def level(self, value: int) -> None:
                self.write(4, value)

        overlay = pynq.Overlay(bit)
        overlay.knob_0.level = 4
        assert overlay.knob_0.level == 4

    def test_all_three_classes_can_be_subclassed_and_are_bound_by_themselves(
        self, bit: str, tmp_path: Path
    ) -> None:
        """2: ``DefaultIP``, ``DefaultHierarchy`` and ``DefaultOverlay``."""

        class Knob(DefaultIP):
            bindto = [KNOB]

        class Panel(DefaultHierarchy):
            @staticmethod
            def checkhierarchy(description: Any) -> bool:
                return "knob_1" in description["ip"]

        (tmp_path / "board.py").write_text(
            "import pynq\nclass Board(pynq.DefaultOverlay):\n    pass\nOverlay = Board\n"
        )
        (tmp_path / "board.py").chmod(0o644)
        overlay = pynq.Overlay(bit)
        assert type(overlay).__name__ == "Board"
        assert type(overlay.panel) is Panel
        assert type(overlay.panel.inner.knob_2) is Knob

    def test_new_drivers_are_bound_when_the_overlay_is_loaded_again(self, bit: str) -> None:
        """3: not before."""
        before = pynq.Overlay(bit)

        class Knob(DefaultIP):
            bindto = [KNOB]

        assert type(before.knob_0) is DefaultIP
        assert type(pynq.Overlay(bit).knob_0) is Knob
        assert type(before.panel.knob_1) is DefaultIP


class TestCreatingIPDrivers:
    def test_the_template(self, bit: str) -> None:
        """6: the template, as it is written."""
        space = run(
            """
            from pynq import DefaultIP

            class MyIP(DefaultIP):
                bindto = ['My IP Type']
                def __init__(self, description):
                    super().__init__(description)
            """
        )
        overlay = pynq.Overlay(bit)
        assert type(overlay.mine) is space["MyIP"]
        overlay.mine.write(4, 1)
        assert overlay.mine.read(4) == 1
        assert type(overlay.knob_0) is DefaultIP

    def test_bindto_is_an_array_of_strings(self, bit: str) -> None:
        """1: one class may name several types; what is no list of strings is refused at once."""

        class Both(DefaultIP):
            bindto = [KNOB, "My IP Type"]

        overlay = pynq.Overlay(bit)
        assert type(overlay.knob_0) is type(overlay.mine) is Both
        with pytest.raises(TypeError, match="must be a list of strings"):

            class Wrong(DefaultIP):
                bindto = "My IP Type"  # type: ignore[assignment]

    def test_each_string_is_a_type(self, bit: str) -> None:
        """2: a VLNV, a VLNV without its version, or any text that a design uses."""

        class ByVlnv(DefaultIP):
            bindto = [KNOB]

        assert type(pynq.Overlay(bit).knob_0) is ByVlnv
        ByVlnv.unregister()

        class WithoutVersion(DefaultIP):
            bindto = ["acme.com:user:knob"]

        assert type(pynq.Overlay(bit).knob_0) is WithoutVersion

    def test_the_base_class_need_not_be_called_but_then_nothing_works(self, bit: str) -> None:
        """3: calling ``super().__init__`` is recommended strongly, and without it the error is clear."""

        class Forgetful(DefaultIP):
            bindto = [KNOB]

            def __init__(self, description: Any) -> None:
                self.kept = description["fullpath"]

        knob = pynq.Overlay(bit).knob_0
        assert knob.kept == "knob_0"
        with pytest.raises(AttributeError, match="'mmio'"):
            knob.read(0)

    def test_the_type_stands_in_ip_dict(self, bit: str) -> None:
        """4: and is the VLNV of Vivado."""
        overlay = pynq.Overlay(bit)
        assert overlay.ip_dict["knob_0"]["type"] == "acme.com:user:knob:1.0"
        assert overlay.ip_dict["mine"]["type"] == "My IP Type"
        module = overlay.systemgraph._root.find(".//MODULE[@FULLNAME='/knob_0']")
        assert module.get("VLNV") == overlay.ip_dict["knob_0"]["type"]


class TestCreatingHierarchyDrivers:
    def test_the_template(self, bit: str) -> None:
        """4: the template, with the colon it lacks; it drives nothing, since it says so."""
        run(
            """
            from pynq import DefaultHierarchy

            class MyHierarchy(DefaultHierarchy):
                def __init__(self, description):
                    super().__init__(description)

                @staticmethod
                def checkhierarchy(description):
                    return False
            """
        )
        assert type(pynq.Overlay(bit).panel) is DefaultHierarchy

    def test_checkhierarchy_gets_a_description_and_decides(self, bit: str) -> None:
        """1: a static method that returns True for what the class can drive."""
        space = run(
            """
            from pynq import DefaultHierarchy

            class MyHierarchy(DefaultHierarchy):
                def __init__(self, description):
                    super().__init__(description)
                    self.knob = self.knob_2

                @staticmethod
                def checkhierarchy(description):
                    return 'knob_2' in description['ip'] and not description['hierarchies']
            """
        )
        overlay = pynq.Overlay(bit)
        assert type(overlay.panel.inner) is space["MyHierarchy"]
        assert overlay.panel.inner.knob is overlay.panel.inner.knob_2
        assert type(overlay.panel) is DefaultHierarchy

    def test_every_such_class_is_asked_for_every_hierarchy_of_a_new_overlay(self, bit: str) -> None:
        """2: nothing else has to be done."""
        asked: list[str] = []

        class Curious(DefaultHierarchy):
            @staticmethod
            def checkhierarchy(description: Any) -> bool:
                asked.append(description["fullpath"])
                return False

        assert asked == []
        pynq.Overlay(bit)
        assert sorted(asked) == ["panel", "panel/inner"]

    def test_a_class_without_checkhierarchy_is_not_asked(self, bit: str) -> None:
        """2: both requirements must be met."""

        class Silent(DefaultHierarchy):
            pass

        assert type(pynq.Overlay(bit).panel) is DefaultHierarchy
        assert Silent.checkhierarchy({}) is False


TEMPLATE = """\
from pynq import DefaultOverlay

class MyOverlay(DefaultOverlay):
    def __init__(self, bitfile_name, download):
        super().__init__(bitfile_name, download)

        # Other initialisation

Overlay = MyOverlay
"""


PYNQS_OWN = """\
import pynq

class Overlay(pynq.Overlay):
    def __init__(self, bitfile_name, dtbo=None, download=True, ignore_version=False, device=None):
        super().__init__(bitfile_name, dtbo, download, ignore_version, device)
        self.asked = device
"""


class TestCreatingCustomOverlayClasses:
    def companion(self, folder: Path, text: str) -> None:
        (folder / "board.py").write_text(text)
        (folder / "board.py").chmod(0o644)

    def test_the_template(self, bit: str, tmp_path: Path) -> None:
        """3: the template, as it is written, beside the bitstream."""
        self.companion(tmp_path, TEMPLATE)
        overlay = pynq.Overlay(bit)
        assert type(overlay).__name__ == "MyOverlay"
        assert isinstance(overlay, DefaultOverlay)
        assert overlay.is_loaded()
        overlay.knob_0.write(4, 8)
        assert overlay.knob_0.read(4) == 8
        assert not pynq.Overlay(bit, download=False, device="sim:seed").is_loaded()

    def test_the_class_can_have_a_higher_level_api_and_initialise_the_overlay(
        self, bit: str, tmp_path: Path
    ) -> None:
        """1: what the class is for."""
        initialised = TEMPLATE.replace(
            "        # Other initialisation\n",
            "        self.knob_0.write(4, 42)\n\n    def level(self):\n        return self.knob_0.read(4)\n",
        )
        self.companion(tmp_path, initialised)
        assert pynq.Overlay(bit).level() == 42

    def test_the_loader_imports_the_file_and_calls_the_function(self, bit: str, tmp_path: Path) -> None:
        """2: ``Overlay`` may be any function, and is called with the name and whether to download."""
        self.companion(
            tmp_path, "def Overlay(bitfile_name, download):\n    return (bitfile_name, download)\n"
        )
        made: Any = pynq.Overlay(bit, download=False)
        assert made == (str(tmp_path / "board.bit"), False)

    def test_pynqs_own_signature_works_as_well(self, bit: str, tmp_path: Path) -> None:
        """2: classes written for PYNQ subclass ``pynq.Overlay`` and take its arguments."""
        self.companion(tmp_path, PYNQS_OWN)
        overlay: Any = pynq.Overlay(bit, device="sim:seed")
        assert overlay.asked == "sim:seed"
        assert overlay.device.name == "sim:seed"
        assert overlay.is_loaded()


class TestWorkingWithPhysicallyContiguousMemory:
    def test_buffers_serve_dma_engines(self, loopback: Any) -> None:
        """1: large buffers travel between PS and PL."""
        with allocate(100_000, "u4") as source, allocate(100_000, "u4") as target:
            source[:] = np.arange(100_000)
            loopback.axi_dma_0.sendchannel.transfer(source)
            loopback.axi_dma_0.recvchannel.transfer(target)
            loopback.axi_dma_0.sendchannel.wait()
            loopback.axi_dma_0.recvchannel.wait()
            assert np.array_equal(source, target)

    def test_allocate_gives_numpy_arrays_that_are_contiguous(self) -> None:
        """2: physically contiguous, so one address tells where all of it is."""
        array = allocate(shape=(7, 1000), dtype="u4")
        assert isinstance(array, np.ndarray)
        assert array.flags.c_contiguous
        assert array[6, 999:].physical_address == array.physical_address + 4 * 6999
        array.freebuffer()

    def test_shape_and_dtype_as_in_numpy(self) -> None:
        """3 and its example."""
        matrix1 = run(
            """
            from pynq import allocate

            matrix1 = allocate(shape=(32,32), dtype='f4')
            """
        )["matrix1"]
        assert matrix1.shape == (32, 32)
        assert matrix1.dtype == np.float32
        assert allocate(5).shape == (5,)
        assert allocate((2, 3), np.int16).dtype == np.int16
        matrix1.freebuffer()

    def test_arrays_go_to_transfer_or_tell_their_address(self, loopback: Any) -> None:
        """4: ``transfer`` takes the array; own drivers use ``physical_address``."""
        dma = loopback.axi_dma_0
        with allocate(16, "u4") as source, allocate(16, "u4") as target:
            source[:] = range(16)
            dma.recvchannel.transfer(target)
            # by hand: MM2S control, source address (low, high), length (PG021, "Register Space")
            dma.write(0x00, 1)
            dma.write(0x18, source.physical_address & 0xFFFFFFFF)
            dma.write(0x1C, source.physical_address >> 32)
            dma.write(0x28, source.nbytes)
            dma.recvchannel.wait()
            assert list(target) == list(range(16))

    def test_freebuffer_gives_the_memory_back(self) -> None:
        """5: afterwards the array is of no use, and says so."""
        array = allocate(1024)
        array.freebuffer()
        array.freebuffer()
        with pytest.raises(ValueError, match="freed"):
            array.physical_address  # noqa: B018

    def test_a_context_manager_frees_at_the_end_of_the_scope(self) -> None:
        """6: also when the scope is left by an exception."""
        with allocate(1024) as array:
            assert array.physical_address
        with pytest.raises(ValueError, match="freed"):
            array.flush()
        with pytest.raises(KeyError), allocate(1024) as array:
            raise KeyError
        with pytest.raises(ValueError, match="freed"):
            array.flush()

    def test_the_example(self, loopback: Any) -> None:
        """6: the example, as it is written."""
        matrix1 = allocate(shape=(32, 32), dtype="f4")
        matrix1[:] = 1
        arrived = []

        class Receiver:
            """The receiving channel; it keeps what has come, since the example frees it at once."""

            transfer = loopback.axi_dma_0.recvchannel.transfer

            def wait(self) -> None:
                loopback.axi_dma_0.recvchannel.wait()
                arrived.append(matrix1.copy())

        dma = SimpleNamespace(sendchannel=loopback.axi_dma_0.sendchannel, recvchannel=Receiver())
        run(
            """
            with allocate(shape=(32,32), dtype=np.float32) as matrix2:
                dma.sendchannel.transfer(matrix2)
                dma.recvchannel.transfer(matrix1)
                dma.sendchannel.wait()
                dma.recvchannel.wait()
                matrix1.freebuffer()
            """,
            allocate=allocate,
            np=np,
            dma=dma,
            matrix1=matrix1,
        )
        assert np.array_equal(arrived[0], np.zeros((32, 32)))
        with pytest.raises(ValueError, match="freed"):
            matrix1.physical_address  # noqa: B018


def test_nothing_of_the_surroundings_is_needed(bit: str, tmp_path: Path) -> None:
    """The whole of it: an empty environment, another folder, no board."""
    program = (
        f"import pynq; overlay = pynq.Overlay({str(tmp_path / bit)!r}); overlay.knob_0.write(4, 3); "
        "print(overlay.knob_0.read(4), overlay.device)"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.match(r"3 <SimDevice 'sim:': holds 'board'>", out.stdout)
