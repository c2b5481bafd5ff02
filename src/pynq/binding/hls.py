"""Kernels that Vitis HLS made: start them with their arguments, wait for their end.

Facts from UG1399, "S_AXILITE Control Register Map": CTRL at 0 with AP_START (bit 0), AP_DONE (1), AP_IDLE
(2); each argument in registers of its own, one of 64 bits in two, called NAME_1 and NAME_2 in a hand-off
file. A description that knows the kernel's signature (``.xclbin``) has one register for each argument, with
its number and size.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from struct import pack
from typing import Any, NamedTuple

from pynq.errors import FieldValueError

__all__ = ["Kernel", "Run"]

_START, _IDLE = 0b001, 0b100


class _Argument(NamedTuple):
    name: str
    offset: int
    nbytes: int


class Run:
    """One run of a kernel."""

    def __init__(self, mmio: Any) -> None:
        self._mmio = mmio

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the kernel has ended, at most ``timeout`` seconds of the device's time.

        Raises:
            WaitTimeoutError: It has not.
            DeadlockError: Nothing in the simulated programmable logic can make it end any more.
        """
        self._mmio.wait_until(0, _START | _IDLE, _IDLE, timeout)


class Kernel:
    """The arguments of a kernel, from the registers that its description lists."""

    def __init__(self, path: str, arguments: list[_Argument]) -> None:
        self._path = path
        self._arguments = arguments
        kind = Parameter.POSITIONAL_OR_KEYWORD
        self.signature = Signature([Parameter(one.name, kind) for one in arguments])

    @classmethod
    def of(cls, path: str, registers: Mapping[str, Any] | None) -> Kernel | None:
        """Return the kernel that has these registers; None: they are no kernel's."""
        control = (registers or {}).get("CTRL", {})
        if (
            not registers
            or control.get("address_offset") != 0
            or "AP_START" not in (control.get("fields") or {})
        ):
            return None
        known = [entry for entry in registers.values() if entry.get("id", -1) >= 0]
        if known:
            return cls(path, _by_number(registers))
        places = {
            name: entry["address_offset"]
            for name, entry in registers.items()
            if entry.get("access") == "write-only" and name.isidentifier()
        }
        arguments = []
        for name, offset in sorted(places.items(), key=lambda item: item[1]):
            stem, _, part = name.rpartition("_")
            if part == "1" and places.get(f"{stem}_2") == offset + 4:
                arguments.append(_Argument(stem, offset, 8))
            elif not (part == "2" and places.get(f"{stem}_1") == offset - 4):
                arguments.append(_Argument(name, offset, 4))
        return cls(path, arguments)

    def start(self, mmio: Any, *args: Any, **kwargs: Any) -> Run:
        """Write the arguments and start. Integers and floats go in as they are, of buffers their address.

        Raises:
            TypeError: An argument is missing, or there is one too many; as for a Python function.
            FieldValueError: An argument does not fit its registers.
        """
        try:
            given = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self._path}{self.signature}: {error}") from None
        for argument in self._arguments:
            mmio.write(argument.offset, self._bits(argument, given[argument.name]))
        mmio.write(0, _START)
        return Run(mmio)

    def _bits(self, argument: _Argument, value: Any) -> Any:
        if isinstance(value, float):
            return pack("<f" if argument.nbytes <= 4 else "<d", value)
        number = int(getattr(value, "physical_address", value))
        bits = 8 * argument.nbytes
        if not -(1 << (bits - 1)) <= number < 1 << bits:
            raise FieldValueError(f"{self._path}: {argument.name} = {number} does not fit its {bits} bits")
        return (number & ((1 << bits) - 1)).to_bytes(max(4, argument.nbytes), "little")  # whole words


def _by_number(registers: Mapping[str, Any]) -> list[_Argument]:
    """The arguments of a description that numbers them, in the order of the kernel's signature."""
    held = sorted(
        ((entry["id"], name, entry) for name, entry in registers.items() if entry.get("id", -1) >= 0),
        key=lambda item: item[:2],
    )
    return [
        _Argument(name, entry["address_offset"], min(entry.get("host_size") or 8, entry["size"] // 8))
        for _, name, entry in held
        if name.isidentifier()
    ]
