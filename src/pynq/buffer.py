"""Memory for the device: :func:`allocate` and :class:`PynqBuffer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pynq import device as devices
from pynq.device import Device
from pynq.memory import PynqBuffer, new_buffer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PynqBuffer", "allocate"]


def allocate(
    shape: int | tuple[int, ...],
    dtype: npt.DTypeLike = "u4",
    target: Device | Mapping[str, Any] | str | Any | None = None,
    *,
    cacheable: bool | None = None,
    device: Device | str | None = None,
    **kwargs: Any,
) -> PynqBuffer:
    """Return an array of zeros in contiguous memory that the PL can see.

    Args:
        shape: Of the array, as numpy takes it.
        dtype: Of its items, 32-bit unsigned integers by default.
        target: A device; or one of the memories of a device (a name or entry of ``mem_dict``, an object with
            ``device``). None: the main memory.
        cacheable: Whether the processor's caches may hold it, which they may unless told otherwise; if they
            do and the device is not coherent, call ``flush`` and ``invalidate``. Devices without caches take
            no notice.
        device: The device, or its name; None: the active one.
        **kwargs: Passed to the ``allocate`` of devices that have one of their own.

    Raises:
        AllocationError: There is not enough contiguous memory; the message gives the pool's figures.
        DeviceNotFoundError: No device is present.
        TypeError: ``dtype`` holds Python objects, or an unknown keyword.
    """
    if isinstance(target, Device):
        device, target = target, None
    elif target is not None and device is None:
        device = getattr(target, "device", None)
    where = device if isinstance(device, Device) else devices.resolve(device)
    kind = type(where)
    if kind.allocate_block is not Device.allocate_block:
        if kwargs:
            raise TypeError(f"allocate() got unknown keywords: {', '.join(kwargs)}")
        return new_buffer(where, shape, dtype, cacheable=cacheable is None or bool(cacheable), target=target)
    # PYNQ's device protocol: the device, or one of its memories, makes the buffer.
    maker: Any = target if hasattr(target, "allocate") else where
    if maker is where and kind.allocate is Device.allocate:
        maker = getattr(where, "default_memory", where)
    if cacheable is not None:
        kwargs["cacheable"] = cacheable
    made: PynqBuffer = maker.allocate(shape, dtype, **kwargs)
    return made
