"""AXI4-Stream Subset Converter (PG085) that rearranges TDATA; otherwise it is a native register slice."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from pynq.backends.sim.model import Model
from pynq.backends.sim.nets import number, parameter
from pynq.design.model import Cell
from pynq.errors import ModelError

__all__ = ["AxisSubset"]

_PART = re.compile(r"tdata(?:\[([0-9]{1,5})(?::([0-9]{1,5}))?\])?\Z", re.IGNORECASE)
_CONSTANT = re.compile(r"([0-9]{1,5})'([bh])([0-9a-fA-F]+)\Z")


class AxisSubset(Model, built_in=True):
    """Packet by packet, or beat by beat where the stream has no TLAST."""

    bindto = ["xilinx.com:ip:axis_subset_converter"]

    @classmethod
    def applies(cls, cell: Cell) -> bool:
        """Return whether TDATA is rearranged at all."""
        bits = _bits(parameter(cell, "TDATA_REMAP"))
        return bits != list(range(len(bits)))

    async def main(self) -> None:
        """Pass everything on, rearranged."""
        source, sink = self.stream("S_AXIS"), self.stream("M_AXIS")
        bits = np.array(_bits(parameter(self.cell, "TDATA_REMAP"))[: 8 * sink.width])
        bits = np.pad(bits, (0, 8 * sink.width - len(bits)), constant_values=-1)
        packets = bool(number(parameter(self.cell, "S_HAS_TLAST", "HAS_TLAST")))
        while True:
            data = await source.recv(None if packets else source.width)
            beats = np.zeros((-(-len(data) // source.width), source.width), np.uint8)
            beats.reshape(-1)[: len(data)] = data
            await sink.send(
                _rearrange(beats, bits), last=data.last, dest=data.dest, user=data.user, id=data.id
            )


def _bits(remap: str) -> list[int]:
    """Return which input bit each output bit is, lowest first; -1 and -2 for a constant 0 and 1."""
    bits: list[int] = []
    for part in reversed([piece.strip() for piece in remap.split(",") if piece.strip()]):
        if (match := _PART.match(part)) and match[1]:
            high, low = int(match[1]), int(match[2] or match[1])
            bits += range(low, high + 1)
        elif match := _CONSTANT.match(part):
            value = int(match[3], 2 if match[2] == "b" else 16)
            bits += (-1 - (value >> place & 1) for place in range(int(match[1])))
        else:
            raise ModelError(
                f"axis_subset_converter: TDATA_REMAP has {part!r}; expected tdata[7:0] or 8'b00000000"
            )
    return bits


def _rearrange(beats: npt.NDArray[np.uint8], bits: npt.NDArray[np.int_]) -> npt.NDArray[np.uint8]:
    """Return beats (a row each) with their bits where ``bits`` says."""
    octets = bits.reshape(-1, 8)
    if (octets[:, 0] >= 0).all() and (octets[:, 0] % 8 == 0).all() and (np.diff(octets, axis=1) == 1).all():
        return beats[:, octets[:, 0] // 8]
    single = np.unpackbits(beats, axis=1, bitorder="little")
    ends = np.tile(np.array([1, 0], np.uint8), (len(beats), 1))  # what -2 and -1 mean
    return np.packbits(np.concatenate([single, ends], axis=1)[:, bits], axis=1, bitorder="little")
