"""Kernels that Vitis HLS made can be started and called without a driver."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pynq
import pynq.sim
from pynq.binding.hls import Kernel
from pynq.errors import FieldValueError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vector_add" / "vector_add.hwh"
TYPE = "pynq-anywhere.org:examples:vector_add:1.0"


@pytest.fixture
def overlay() -> Any:
    class Adder(pynq.sim.HlsModel):
        bindto = [TYPE]

        async def compute(self) -> None:
            registers, memory = self.registers, self.memory("m_axi_gmem")
            addresses = [int(registers[f"{name}_1"]) | int(registers[f"{name}_2"]) << 32 for name in "abc"]
            count = int(registers.n)
            parts = [(await memory.read(address, 4 * count)).view("u4") for address in addresses[:2]]
            await memory.write(addresses[2], parts[0] + parts[1])

    return pynq.DefaultOverlay(EXAMPLE, device="sim:hls")


def test_call(overlay: Any) -> None:
    kernel = overlay.vector_add_0
    assert type(kernel) is pynq.DefaultIP
    assert list(kernel.signature.parameters) == ["a", "b", "c", "n"]
    buffers = [pynq.allocate(100, "u4", device=overlay.device) for _ in range(3)]
    buffers[0][:], buffers[1][:] = np.arange(100), 1000
    kernel.call(*buffers, 100)
    assert np.array_equal(buffers[2], np.arange(1000, 1100))
    buffers[2][:] = 0
    run = kernel.start(*buffers[:2], n=50, c=buffers[2])
    run.wait(timeout=30)
    assert buffers[2][49] == 1049
    assert buffers[2][50] == 0
    kernel.call(*buffers, n=1, timeout=30)


def test_wrong_arguments(overlay: Any) -> None:
    kernel = overlay.vector_add_0
    with pytest.raises(TypeError, match=r"vector_add_0\(a, b, c, n\): missing a required argument: 'b'"):
        kernel.start(1)
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument 'm'"):
        kernel.start(1, 2, 3, 4, m=5)
    with pytest.raises(FieldValueError, match=r"vector_add_0: n = 4294967296 does not fit its 32 bits"):
        kernel.start(1, 2, 3, 1 << 32)


def test_other_ip_has_none_of_it(overlay: Any) -> None:
    ps = overlay.zynq_ultra_ps_e_0
    assert ps.signature is None
    assert not hasattr(ps, "start")
    assert not hasattr(ps, "call")


def test_a_drivers_own_method_goes_first(overlay: Any) -> None:
    class Driver(pynq.DefaultIP):
        bindto = [TYPE]

        def start(self) -> str:
            return "mine"

    kernel: Any = pynq.DefaultOverlay(EXAMPLE, device="sim:hls").vector_add_0
    assert kernel.start() == "mine"
    assert callable(kernel.call)


class Recorder:
    def __init__(self) -> None:
        self.memory = bytearray(64)

    def write(self, offset: int, data: Any) -> None:
        raw = data if isinstance(data, bytes) else int(data).to_bytes(4, "little")
        self.memory[offset : offset + len(raw)] = raw


@given(
    st.integers(-(2**63), 2**64 - 1), st.floats(width=32, allow_nan=False), st.integers(-(2**31), 2**32 - 1)
)
def test_arguments_arrive_bit_for_bit(wide: int, real: float, narrow: int) -> None:
    def register(offset: int) -> dict[str, Any]:
        return {"address_offset": offset, "access": "write-only", "fields": {}}

    control = {"address_offset": 0, "access": "read-write", "fields": {"AP_START": {}}}
    registers = {
        "CTRL": control,
        "x_1": register(16),
        "x_2": register(20),
        "f": register(28),
        "i_2": register(36),
        "odd name": register(44),
    }
    kernel = Kernel.of("k", registers)
    assert kernel is not None
    assert list(kernel.signature.parameters) == ["x", "f", "i_2"]
    recorder = Recorder()
    kernel.start(recorder, wide, real, narrow)
    assert recorder.memory[0] == 1
    assert int.from_bytes(recorder.memory[16:24], "little") == wide % 2**64
    assert bytes(recorder.memory[28:32]) == struct.pack("<f", real)
    assert int.from_bytes(recorder.memory[36:40], "little") == narrow % 2**32
