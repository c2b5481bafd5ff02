"""Everything in Python that belongs to ``image_filter.bit``: driver, hierarchy driver, overlay class, model.

The file has the bitstream's name and lies beside it, so ``pynq.Overlay("image_filter.bit")`` imports it and
gives the :class:`ImageFilter` below. On a board the model is never used; without one it stands for the IP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq import DefaultHierarchy, DefaultIP, DefaultOverlay, allocate
from pynq.sim import Model, Packet

FILTER = "pynq-anywhere.org:examples:stream_filter:1.0"
DMA = "xilinx.com:ip:axi_dma"

#: Kernels by name: coefficients, what is added afterwards, and whether the sign of the sum is dropped first.
KERNELS: dict[str, tuple[npt.ArrayLike, int, bool]] = {
    "identity": ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], 0, False),
    "blur": ([[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]], 0, False),
    "sharpen": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 0, False),
    "edges": ([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 0, True),
    "emboss": ([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]], 128, False),
}


# -- the driver of the IP ----
class StreamFilter(DefaultIP):
    """Driver of the 3 by 3 convolution. What the registers mean is in README.md beside this file."""

    bindto = [FILTER]

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.max_width = int(description["parameters"]["C_MAX_WIDTH"])
        self._registers_of_kernel = [f"K{row}{column}" for row in range(3) for column in range(3)]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame in pixels. Takes effect with the next frame."""
        return int(self.register_map.WIDTH), int(self.register_map.HEIGHT)

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        width, height = size
        if not 1 <= width <= self.max_width or not 1 <= height <= 8191:
            raise ValueError(
                f"a frame of {width} x {height} pixels; the filter takes 1 to {self.max_width} x 1 to 8191"
            )
        self.register_map.WIDTH = width
        self.register_map.HEIGHT = height

    def set_kernel(
        self, kernel: npt.ArrayLike, *, offset: int = 0, absolute: bool = False, shift: int | None = None
    ) -> None:
        """Load nine coefficients; ``kernel[0][0]`` belongs to the pixel above and to the left.

        Coefficients are stored as 16-bit integers with ``shift`` (0 to 15) fractional bits; by default the
        fewest that hold them exactly, or as many as fit. ``offset`` (-512 to 511) is added to the result;
        ``absolute`` drops the sign before that. Raises ``ValueError`` for what the registers can't hold.
        """
        values = np.asarray(kernel, dtype=float)
        if values.shape != (3, 3):
            raise ValueError(f"a kernel of shape {values.shape}; the filter takes 3 x 3")
        if not -512 <= offset <= 511:
            raise ValueError(f"offset {offset}; the register holds -512 to 511")
        places = shift if shift is not None else fractional_bits(values)
        scaled = np.rint(values * 2**places)
        if not 0 <= places <= 15 or np.abs(scaled + 0.5).max() > 32767.5:
            raise ValueError(
                f"coefficients {values.min():g} to {values.max():g} with shift {places} don't fit 16 bits"
            )
        for name, value in zip(self._registers_of_kernel, scaled.astype(int).ravel(), strict=True):
            setattr(self.register_map, name, int(value) & 0xFFFF)
        self.register_map.SHIFT = places
        self.register_map.OFFSET = offset & 0x3FF
        self.register_map.CTRL.ABS = int(absolute)

    def start(self) -> None:
        """Take frames from now on, and raise the interrupt at the end of each."""
        self.register_map.STATUS = 0b1110  # write 1 to clear
        self.register_map.IRQ_ENABLE.DONE = 1
        self.register_map.CTRL.ENABLE = 1

    def stop(self) -> None:
        """Stop before the next frame."""
        self.register_map.CTRL.ENABLE = 0

    @property
    def frames(self) -> int:
        """Frames finished since reset."""
        return int(self.register_map.FRAMES)

    async def frame_done(self) -> None:
        """Wait for the interrupt at the end of a frame, and clear it.

        Raises ``RuntimeError`` when the frame's length and the stream's TLAST disagreed.
        """
        await self.interrupt.wait()
        self.acknowledge()

    def acknowledge(self) -> None:
        """Clear the end-of-frame interrupt; raise ``RuntimeError`` for what went wrong in the frame."""
        status = int(self.register_map.STATUS)
        self.register_map.STATUS = status & 0b1110
        if status & 0b1100:
            wrong = "came before" if status & 0b0100 else "did not come with"
            raise RuntimeError(f"{self.description['fullpath']}: TLAST {wrong} the last pixel of the frame")


def fractional_bits(values: npt.NDArray[np.float64]) -> int:
    """The fewest fractional bits (0 to 15) that hold the values exactly in 16 bits, or as many as fit."""
    for places in range(16):
        scaled = values * 2**places
        if np.abs(scaled).max() * 2 > 32767 or np.array_equal(scaled, np.rint(scaled)):
            return places
    return 15


# -- the driver of the hierarchy ----
class FilterPipeline(DefaultHierarchy):
    """A DMA with the filter between its two channels: pictures in, pictures out."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description)
        self.dma = getattr(self, _name_of(description, DMA))
        self.filter = getattr(self, _name_of(description, FILTER))
        self._source: Any = None
        self._result: Any = None

    @staticmethod
    def checkhierarchy(description: Mapping[str, Any]) -> bool:
        """A DMA and a filter, and nothing else that has registers."""
        types = sorted(ip["type"].rpartition(":")[0] for ip in description["ip"].values())
        return types == sorted([DMA, FILTER.rpartition(":")[0]])

    def apply(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Send a picture (height, width, 3 or 4 channels; bytes) through the PL; return what comes back."""
        self._begin(picture)
        self.dma.sendchannel.wait()
        self.dma.recvchannel.wait()
        self.filter.acknowledge()
        return self._end(picture)

    async def apply_async(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Like :meth:`apply`, for a coroutine: others run while the PL works."""
        self._begin(picture)
        await self.filter.frame_done()
        await self.dma.recvchannel.wait_async()
        return self._end(picture)

    def free(self) -> None:
        """Give the two frame buffers back."""
        for buffer in (self._source, self._result):
            if buffer is not None:
                buffer.freebuffer()
        self._source = self._result = None

    def _begin(self, picture: npt.NDArray[np.uint8]) -> None:
        if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8:
            raise ValueError(
                f"a picture of {picture.shape}, {picture.dtype}; expected (height, width, 3 or 4), uint8"
            )
        height, width, channels = picture.shape
        self.filter.size = width, height
        if self._source is None or self._source.shape != (height, width, 4):
            self.free()
            self._source = allocate(shape=(height, width, 4), dtype="u1", target=self.device)
            self._result = allocate(shape=(height, width, 4), dtype="u1", target=self.device)
            self._source[..., 3] = 255
        self._source[..., :channels] = picture
        self.filter.start()
        self.dma.recvchannel.transfer(self._result)
        self.dma.sendchannel.transfer(self._source)

    def _end(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.array(self._result[..., : picture.shape[2]])


def _name_of(description: Mapping[str, Any], kind: str) -> str:
    """The name of the only IP of that type in a hierarchy."""
    return next(str(name) for name, ip in description["ip"].items() if ip["type"].startswith(kind))


# -- the overlay class ----
class ImageFilter(DefaultOverlay):
    """The whole overlay: ``ImageFilter.run(picture, "sharpen")``."""

    def __init__(self, bitfile_name: str, download: bool) -> None:
        super().__init__(bitfile_name, download)
        self.kernel = "identity"

    def select(self, kernel: str) -> None:
        """Load one of :data:`KERNELS` by its name."""
        if kernel not in KERNELS:
            raise ValueError(f"no kernel {kernel!r}; there are {', '.join(KERNELS)}")
        coefficients, offset, absolute = KERNELS[kernel]
        self.filter.filter.set_kernel(coefficients, offset=offset, absolute=absolute)
        self.kernel = kernel

    def run(self, picture: npt.NDArray[np.uint8], kernel: str = "sharpen") -> npt.NDArray[np.uint8]:
        """Filter a picture with a kernel of :data:`KERNELS`."""
        self.select(kernel)
        return self.filter.apply(picture)  # type: ignore[no-any-return]


Overlay = ImageFilter


# -- the model: what the IP does, for a machine without a board ----
class StreamFilterModel(Model):
    """The filter of README.md, row by row: three line buffers, one row late."""

    bindto = [FILTER]

    def on_write_STATUS(self, value: int) -> None:  # noqa: N802  named after the register
        self._interrupt()

    def on_write_IRQ_ENABLE(self, value: int) -> None:  # noqa: N802
        self._interrupt()

    def _interrupt(self) -> None:
        self.pin("interrupt").drive(self.registers.STATUS.DONE & self.registers.IRQ_ENABLE.DONE)

    async def main(self) -> None:
        while True:
            first = await self.stream("s_axis").recv(4)
            while not self.registers.CTRL.ENABLE:
                await self.written("CTRL")
            await self._frame(first)

    async def _frame(self, first: Packet) -> None:
        """One frame; the settings are taken with its first pixel."""
        registers = self.registers
        width, height = int(registers.WIDTH), int(registers.HEIGHT)
        if not 1 <= width <= int(self.parameters["C_MAX_WIDTH"]) or not height:
            raise ValueError(f"WIDTH is {width} and HEIGHT {height}: hardware would hang here")
        registers.STATUS.BUSY = 1
        compute = self._row_function()
        last = first.last
        rows: list[npt.NDArray[np.int32]] = []
        sending = None
        for row in range(height + 1):
            if row < height:
                have = first if row == 0 else np.empty(0, np.uint8)
                while len(have) < 4 * width:
                    if last:
                        registers.STATUS.EARLY_LAST = 1
                    more = await self.stream("s_axis").recv(4 * width - len(have))
                    have, last = np.concatenate([have, more]), more.last
                rows = [*rows[-2:], have.reshape(width, 4).astype(np.int32)]
            else:
                rows = [*rows[-2:], rows[-1]]  # below the last row: the last row again
            if row == 0:
                rows = [rows[0], rows[0]]  # above the first row: the first row again
                continue
            result = compute(*rows)
            if sending is not None:
                await sending
            sending = self.start(self.stream("m_axis").send(result, last=row == height))
        if not last:
            registers.STATUS.MISSING_LAST = 1
        if sending is not None:
            await sending
        registers.STATUS.BUSY = 0
        registers.STATUS.DONE = 1
        registers.FRAMES = (int(registers.FRAMES) + 1) & 0xFFFFFFFF
        self._interrupt()

    def _row_function(self) -> Any:
        """What makes a row of the result out of three rows, with the settings of now."""
        registers = self.registers
        control = registers.CTRL
        kernel = [[_signed(registers[f"K{row}{column}"], 16) for column in range(3)] for row in range(3)]
        shift, offset = int(registers.SHIFT), _signed(registers.OFFSET, 10)
        absolute, bypass = bool(control.ABS), bool(control.BYPASS)

        def compute(above: Any, here: Any, below: Any) -> npt.NDArray[np.uint8]:
            if bypass:
                return np.asarray(here, np.uint8)
            total = np.zeros((len(here), 3), np.int32)
            for taps, line in zip(kernel, (above, here, below), strict=True):
                # Left and right of the row: its outermost pixels again.
                padded = np.concatenate([line[:1, :3], line[:, :3], line[-1:, :3]])
                for column, tap in enumerate(taps):
                    if tap:
                        total += tap * padded[column : column + len(line)]
            if absolute:
                total = np.abs(total)
            if shift:
                total = (total + (1 << (shift - 1))) >> shift
            result = np.empty((len(here), 4), np.uint8)
            result[:, :3] = np.clip(total + offset, 0, 255)
            result[:, 3] = here[:, 3]
            return result

        return compute


def _signed(value: int, bits: int) -> int:
    """A register's value as two's complement."""
    value = int(value) & ((1 << bits) - 1)
    return value - (1 << bits) if value >> (bits - 1) else value
