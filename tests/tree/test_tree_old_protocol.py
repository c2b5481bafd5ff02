"""Third-party devices written for PYNQ work with Overlay, MMIO and allocate."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kit import OldDevice, write

import pynq
from pynq.errors import DesignNotFoundError, UnsupportedByDeviceError


@pytest.mark.parametrize("mode", ["MEMORY_MAPPED", "REGISTER_RW"])
def test_overlay_and_mmio(bit: str, mode: str) -> None:
    device = OldDevice(mode=mode)
    overlay = pynq.Overlay(bit, device=device)
    overlay.knob_0.write(4, 0x12345678)
    assert overlay.knob_0.read(4) == 0x12345678
    assert device.registers[0x43C00000][1] == 0x12345678
    mmio = pynq.MMIO(0x43C00000, 0x10000, device=device)
    assert mmio.read(4) == 0x12345678
    mmio.array[2] = 7
    assert overlay.knob_0.read(8) == 7
    mmio.write(0, b"\x01\0\0\0\x02\0\0\0")
    assert [mmio.read(0), mmio.read(4)] == [1, 2]
    assert device.accesses == [] if mode == "MEMORY_MAPPED" else device.accesses
    assert device.downloads == [bit]
    assert overlay.is_loaded()
    assert device.timestamp == overlay.timestamp != ""


def test_registers_that_are_no_memory(bit: str) -> None:
    class Proxy:
        def __init__(self) -> None:
            self.words: dict[int, int] = {}

        def __getitem__(self, index: int) -> int:
            return self.words.get(index, 0)

        def __setitem__(self, index: int, value: int) -> None:
            self.words[index] = value

    class Proxied(OldDevice):
        def mmap(self, base_addr: int, length: int) -> Any:
            return self.registers.setdefault(base_addr, Proxy())

    device = Proxied()
    overlay = pynq.Overlay(bit, device=device)
    overlay.knob_0.write(8, 5)
    assert device.registers[0x43C00000].words == {2: 5}
    assert overlay.knob_0.read(8) == 5
    overlay.knob_0.write(8, 0x11223344)
    assert overlay.knob_0.mmio.read(9, 1) == 0x33
    overlay.knob_0.write(0, b"\x01\0\0\0\x02\0\0\0")
    assert device.registers[0x43C00000].words == {0: 1, 1: 2, 2: 0x11223344}


@pytest.fixture
def words(bit: str) -> tuple[Any, OldDevice]:
    """The registers of a device that takes whole words only, as PYNQ's MMIO gives them, with three set."""
    device = OldDevice(mode="REGISTER_RW")
    window = pynq.Overlay(bit, device=device).knob_0.mmio
    window.write(0, np.array([0x03020100, 0x07060504, 0x0B0A0908], "u4"))
    device.accesses.clear()
    return window, device


def test_narrow_accesses_are_of_whole_words(words: tuple[Any, OldDevice]) -> None:
    window, device = words
    assert window.read(0, 1) == 0
    assert window.read(3, 1) == 3
    assert window.read(6, 2) == 0x0706
    assert window.read(0, 8) == 0x0706050403020100
    assert {access[2] for access in device.accesses} <= {4, 8}
    device.accesses.clear()
    window.write(5, 0xEE, 1)
    window.write(2, 0xDDCC, 2)
    assert (window.read(0), window.read(4)) == (0xDDCC0100, 0x0706EE04)
    assert all(address % 4 == size % 4 == 0 for _, address, size in device.accesses)


def test_bytes_go_out_in_one_call(words: tuple[Any, OldDevice]) -> None:
    window, device = words
    window.write(4, bytes(range(64)))
    assert device.accesses == [("write", 0x43C00004, 64)]
    device.accesses.clear()
    read = bytearray(64)
    window.read_into(4, read)
    assert read == bytes(range(64))
    assert device.accesses == [("read", 0x43C00004, 64)]
    device.accesses.clear()
    window.write(1, b"\xaa\xbb\xcc\xdd\xee", 1)  # from the middle of a word into the next one
    assert [window.read(0), window.read(4)] == [0xCCBBAA00, 0x0302EEDD]
    assert ("write", 0x43C00000, 8) in device.accesses


def test_a_device_without_registers_says_so(bit: str) -> None:
    device = OldDevice(mode="CALLABLE")
    assert device.has_capability("CALLABLE")
    assert not device.has_capability("MEMORY_MAPPED")
    assert not pynq.Device("bare").has_capability("MEMORY_MAPPED")
    overlay = pynq.Overlay(bit, device=device)
    with pytest.raises(UnsupportedByDeviceError, match=r"OldDevice defines neither map\(\) nor capabilities"):
        overlay.knob_0.read(0)


def test_buffers_come_from_its_allocate(device: OldDevice) -> None:
    buffer = pynq.allocate((4, 4), "f4", target=device)
    assert isinstance(buffer, pynq.PynqBuffer)
    assert buffer.shape == (4, 4)
    assert buffer.dtype == np.dtype("f4")
    assert buffer.physical_address == buffer.device_address == 0x10000000
    assert buffer[1:].physical_address == 0x10000010
    assert buffer.device is device
    buffer.flush()
    buffer.invalidate()
    assert device.accesses == [("flush", 0, 64), ("invalidate", 0, 64)]
    pynq.Device.active_device = device
    assert pynq.allocate(3).device is device


def test_its_allocate_is_the_memory_of_our_contract(device: OldDevice) -> None:
    block = device.allocate_block(64)
    assert (block.physical_address, block.nbytes, block.coherent, block.released) == (
        0x10000000,
        64,
        False,
        False,
    )
    block.release()
    block.release()
    assert block.released


def test_default_memory_is_used_where_there_is_no_allocate() -> None:
    class Memory:
        def allocate(self, shape: Any, dtype: Any, **kwargs: Any) -> Any:
            return pynq.PynqBuffer(shape, dtype, device=None, device_address=64)

    class WithMemory(pynq.Device):
        default_memory = Memory()

    device = WithMemory("with-memory")
    assert device.allocate_block(8).physical_address == 64
    assert pynq.allocate(8, target=device).physical_address == 64
    with pytest.raises(UnsupportedByDeviceError, match="'bare' has no memory"):
        pynq.Device("bare").allocate_block(8)


def test_a_device_may_describe_the_bitstream_itself(tmp_path: Path) -> None:
    class Describing(OldDevice):
        def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
            entry = {
                "fullpath": "adder",
                "type": "any text",
                "phys_addr": 0x40000000,
                "addr_range": 4096,
                "registers": {},
            }
            return SimpleNamespace(ip_dict={"adder": entry})

    class Adder(pynq.DefaultIP):
        bindto = ["any text"]

    device = Describing()
    (tmp_path / "cloud.xclbin2").write_bytes(b"")
    overlay = pynq.Overlay(str(tmp_path / "cloud.xclbin2"), device=device)
    assert isinstance(overlay.adder, Adder)
    overlay.adder.write(0, 3)
    assert overlay.adder.read() == 3
    assert overlay.systemgraph is None
    assert overlay.hierarchy_dict == {}
    assert overlay.parser.ip_dict["adder"] is not overlay.ip_dict["adder"]
    with pytest.raises(DesignNotFoundError):
        pynq.Overlay(str(tmp_path / "nothing.xclbin2"), device=device)


def test_a_memory_may_be_the_devices_own(bit: str) -> None:
    class Own(OldDevice):
        def get_memory(self, description: Any) -> Any:
            return ("memory", description["fullpath"])

    overlay = pynq.Overlay(bit, device=Own())
    assert overlay.panel.bram == ("memory", "panel/bram")


def test_a_device_that_programs_nothing_is_loaded_all_the_same(bit: str) -> None:
    class Registers(pynq.Device):
        capabilities = {"MEMORY_MAPPED": True}
        needs_bitstream = False

        def mmap(self, base_addr: int, length: int) -> Any:
            return np.zeros(length // 4, "u4")

    overlay = pynq.Overlay(bit, device=Registers("registers"))
    assert overlay.is_loaded()
    assert overlay.knob_0.read(0) == 0


def test_a_bitstream_is_needed_unless_the_device_says_otherwise(tmp_path: Path) -> None:
    class Strict(OldDevice):
        needs_bitstream = True

    bit = write(tmp_path)
    with pytest.raises(
        DesignNotFoundError, match=r"device 'old' needs a bitstream, .*put kit.bit \(or .bin, .pdi\)"
    ):
        pynq.Overlay(str(bit), device=Strict())
    bit.write_bytes(b"bits")
    device = Strict()
    assert pynq.Overlay(str(tmp_path / "kit.hwh"), device=device).bitfile_name == str(bit)
    assert device.downloads == [str(bit)]


def test_without_a_download_the_program_is_believed(bit: str, tmp_path: Path, device: OldDevice) -> None:
    overlay = pynq.Overlay(bit, download=False, device=device)
    assert overlay.is_loaded()
    assert device.downloads == []
    assert overlay.knob_0.read(0) == 0
    other = pynq.Overlay(str(write(tmp_path, "other")), download=False, device=device)
    assert not other.is_loaded()  # by now something is known to be there


def test_device_tree_overlays_reach_the_device(bit: str, tmp_path: Path) -> None:
    class Tree(OldDevice):
        def insert_device_tree(self, abs_dtbo: str) -> None:
            self.downloads.append(f"+{Path(abs_dtbo).name}")

        def remove_device_tree(self, abs_dtbo: str) -> None:
            self.downloads.append(f"-{Path(abs_dtbo).name}")

    (tmp_path / "mine.dtbo").write_bytes(b"")
    device = Tree()
    overlay = pynq.Overlay(bit, dtbo="mine.dtbo", device=device)
    assert overlay.dtbo == str(tmp_path / "mine.dtbo")
    overlay.free()
    assert device.downloads == [bit, "+mine.dtbo", "-mine.dtbo"]
    with pytest.raises(DesignNotFoundError, match=r"no device-tree overlay 'other\.dtbo': tried"):
        pynq.Overlay(bit, dtbo="other.dtbo", device=device)
