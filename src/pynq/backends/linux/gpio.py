"""EMIO pins through the kernel's GPIO character device (Linux 5.10 or newer, ``linux/gpio.h``).

These ioctls are all that libgpiod does for such a pin. They are called directly because its Python binding
is a compiled extension that 32-bit boards would have to build, and because everything that this backend asks
of the kernel goes through :class:`~pynq.backends.kernel.Kernel`, where it can be made to fail.
"""

from __future__ import annotations

import errno
import struct
import weakref

from pynq.backends.kernel import Descriptor, Kernel
from pynq.design.model import Design, Processor
from pynq.errors import (
    BoardBusyError,
    DirectionError,
    FieldValueError,
    KernelError,
    PynqError,
    UnsupportedByDeviceError,
)
from pynq.gpio import BANKS, VERSAL_BANKS, Bank

__all__ = ["EmioPin", "find_chip", "labels", "open_line", "open_pin"]

CONSUMER = b"pynq"

# linux/gpio.h: the structures are the same for 32 and 64 bits.
GET_CHIPINFO = 0x8044_B401
GET_LINEINFO = 0xC100_B405  # version 2, as the rest
GET_LINE = 0xC250_B407
GET_VALUES = 0xC010_B40E
SET_VALUES = 0xC010_B40F
CHIP_INFO = struct.Struct("=32s32sI")  # name, label, lines
LINE_INFO = struct.Struct("=32s32sIIQ176x")  # name, consumer, offset, number of attributes, flags
VALUES = struct.Struct("=QQ")  # bits, mask
REQUEST_SIZE = 592
REQUEST_CONSUMER, REQUEST_FLAGS, REQUEST_LINES, REQUEST_FD = 256, 288, 560, 588  # offsets; the line's is 0
FLAG_INPUT, FLAG_OUTPUT = 1 << 2, 1 << 3

_SYSFS = "/sys/bus/gpio/devices"
_OLD = "the kernel is older than 5.10, which has no version 2 of the GPIO device"

# The kernel driver's labels (gpio-zynq) and the device tree nodes it serves.
_COMPATIBLE = {
    "zynq_gpio": "xlnx,zynq-gpio-1.0",
    "zynqmp_gpio": "xlnx,zynqmp-gpio-1.0",
    "versal_gpio": "xlnx,versal-gpio-1.0",
    "pmc_gpio": "xlnx,pmc-gpio-1.0",
}
# Of each controller: its label, and the PS's ports to and from it.
_PORTS = {
    Processor.ZYNQ: (("zynq_gpio", "GPIO_I", "GPIO_O"),),
    Processor.ZYNQMP: (("zynqmp_gpio", "emio_gpio_i", "emio_gpio_o"),),
    Processor.VERSAL: (
        ("versal_gpio", "LPD_GPIO_i", "LPD_GPIO_o"),
        ("pmc_gpio", "PMC_GPIO_i", "PMC_GPIO_o"),
    ),
}


class EmioPin:
    """One line of the PS's GPIO that reaches the PL, held until :meth:`release`.

    An output starts with 0 and keeps its level while it is held; the controller keeps it afterwards as well,
    until somebody else takes the line.
    """

    def __init__(self, line: Descriptor, label: str, output: bool, value: int) -> None:
        self._line = line
        self._label = label
        self._output = output
        self._driven = value
        self._drop = weakref.finalize(self, line.close)

    def read(self) -> int:
        """Return 0 or 1: the level of the input, or what is driven."""
        values = bytearray(VALUES.pack(0, 1))
        self._line.ioctl("GPIO_V2_LINE_GET_VALUES", GET_VALUES, values)
        # Of an output, some controllers give the wire that comes from the PL (UG585, "EMIO Signals").
        return self._driven if self._output else int(VALUES.unpack(values)[0] & 1)

    def write(self, value: int) -> None:
        """Drive 0 or 1.

        Raises :class:`~pynq.errors.DirectionError` for an input, ``ValueError`` for another value.
        """
        if not self._output:
            raise DirectionError(f"{self._label} is an input and can't be written: ask for direction 'out'")
        if value not in (0, 1):
            raise FieldValueError(f"{self._label} takes 0 or 1, not {value!r}")
        self._line.ioctl("GPIO_V2_LINE_SET_VALUES", SET_VALUES, bytearray(VALUES.pack(int(value), 1)))
        self._driven = int(value)

    def release(self) -> None:
        """Give the line back. A second call does nothing."""
        self._drop()

    def __repr__(self) -> str:
        return f"<EmioPin {self._label}, {'out' if self._output else 'in'}>"


def open_pin(kernel: Kernel, design: Design, index: int, direction: str) -> EmioPin:
    """Take EMIO GPIO ``index`` (counted from 0) of the design's PS; ``direction`` is "in" or "out".

    Raises ``ValueError`` for another direction or an index that the design does not connect,
    :class:`~pynq.errors.UnsupportedByDeviceError` where design or kernel have no such GPIO,
    :class:`~pynq.errors.BoardBusyError` when somebody else has the line (and who), and
    :class:`~pynq.errors.KernelError` for what the kernel refuses otherwise.
    """
    if direction not in ("in", "out"):
        raise FieldValueError(f'direction of a GPIO is "in" or "out", not {direction!r}')
    label, width = _controller(design, direction)
    if not 0 <= index < width:
        raise FieldValueError(f"EMIO GPIO {index}: {design.label} connects 0 to {width - 1}")
    return open_line(kernel, label, _bank(label).mio + index, direction == "out", name=f"EMIO GPIO {index}")


def open_line(
    kernel: Kernel, label: str, line: int, output: bool, *, value: int = 0, name: str = ""
) -> EmioPin:
    """Take line number ``line`` of the PS's GPIO controller ``label`` ("zynq_gpio", "zynqmp_gpio", ...).

    An output starts with ``value``. ``name`` is what messages call it. Raises as :func:`open_pin`.
    """
    chip = find_chip(kernel, label)
    what = f"{name} (line {line} of {label}, /dev/{chip})" if name else f"line {line} of {label}, /dev/{chip}"
    with kernel.open(f"/dev/{chip}") as device:
        lines, expected = _chip_info(device)[1], sum(_bank(label))
        if lines != expected:
            raise UnsupportedByDeviceError(f"{what}: that chip has {lines} lines and not {expected}")
        request = bytearray(REQUEST_SIZE)
        struct.pack_into("=I", request, 0, line)
        request[REQUEST_CONSUMER : REQUEST_CONSUMER + len(CONSUMER)] = CONSUMER
        struct.pack_into("=Q", request, REQUEST_FLAGS, FLAG_OUTPUT if output else FLAG_INPUT)
        if output and value:
            # One attribute (GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES) for the request's first line.
            struct.pack_into("=I20xIIQQ", request, REQUEST_FLAGS + 8, 1, 2, 0, 1, 1)
        struct.pack_into("=I", request, REQUEST_LINES, 1)
        try:
            device.ioctl("GPIO_V2_GET_LINE", GET_LINE, request)
        except KernelError as error:
            if error.errno == errno.EBUSY:
                raise BoardBusyError(f"{what} is held by {_holder(device, line)}") from error
            if error.errno in (errno.ENOTTY, errno.EINVAL):
                raise KernelError(error.errno, f"{error}: {_OLD}") from error
            raise
        (descriptor,) = struct.unpack_from("=i", request, REQUEST_FD)
    return EmioPin(kernel.adopt(what, descriptor), what, output, value)


def _bank(label: str) -> Bank:
    return VERSAL_BANKS.get(label) or BANKS[Processor.ZYNQ if label == "zynq_gpio" else Processor.ZYNQMP]


def _controller(design: Design, direction: str) -> tuple[str, int]:
    """Return the label of the controller that a design's EMIO pins are of, and their number."""
    cell = design.cells.get(design.ps)
    if cell is not None and design.processor is not None:
        for label, into, out_of in _PORTS[design.processor]:
            port = cell.ports.get(out_of if direction == "out" else into)
            if port is not None:
                return label, min(port.width, _bank(label).emio)
    raise UnsupportedByDeviceError(f"{design.label} brings no EMIO GPIO to the PL")


def labels(processor: Processor) -> tuple[str, ...]:
    """Return the labels of a family's controllers that have EMIO pins."""
    return tuple(label for label, _, _ in _PORTS[processor])


def find_chip(kernel: Kernel, label: str) -> str:
    """Return the name under /dev of the chip with that label, found by its device tree node where it can be:
    other people's chips need not be opened.

    Raises :class:`~pynq.errors.UnsupportedByDeviceError` where there is none.
    """
    chips = [name for name in kernel.names("/dev") if name.startswith("gpiochip")]
    others: list[str] = []
    denied: PynqError | None = None
    for chip in chips:
        compatible = f"{_SYSFS}/{chip}/of_node/compatible"
        if kernel.exists(compatible):
            names = kernel.text(compatible).split("\0")
            if _COMPATIBLE[label] in names:
                return chip
            others.append(f"{chip} ({names[0]})")
            continue
        try:
            with kernel.open(f"/dev/{chip}") as device:
                found = _chip_info(device)[0]
        except KernelError as error:  # one of the others, perhaps
            denied = error
            continue
        if found == label:
            return chip
        others.append(f"{chip} ({found})")
    if denied is not None:
        raise denied
    raise UnsupportedByDeviceError(
        f"the kernel has no GPIO controller {label!r}: /dev has {', '.join(others) or 'no gpiochip'}; it "
        f"needs the driver gpio-zynq and a device tree node {_COMPATIBLE[label]!r} that is not disabled"
    )


def _chip_info(device: Descriptor) -> tuple[str, int]:
    """Return label and number of lines of a chip."""
    info = bytearray(CHIP_INFO.size)
    device.ioctl("GPIO_GET_CHIPINFO", GET_CHIPINFO, info)
    _, label, lines = CHIP_INFO.unpack(info)
    return _text(label), int(lines)


def _holder(device: Descriptor, line: int) -> str:
    """Return who has a line, for a message."""
    info = bytearray(LINE_INFO.pack(b"", b"", line, 0, 0))
    try:
        device.ioctl("GPIO_V2_GET_LINEINFO", GET_LINEINFO, info)
    except KernelError as error:
        return f"somebody the kernel does not name ({error})"
    _, consumer, _, _, flags = LINE_INFO.unpack(info)
    who = _text(consumer) or "somebody without a name"
    kind = "an output" if flags & FLAG_OUTPUT else "an input"
    if consumer.rstrip(b"\0") == CONSUMER:
        return f"another program that uses pynq (as {kind}): release its GPIO or end it"
    advice = "write its number to /sys/class/gpio/unexport" if who == "sysfs" else "it has to give it back"
    return f"{who!r} (as {kind}): {advice}"


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")
