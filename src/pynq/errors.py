"""Every error and warning of the package.

One root, :class:`PynqError`; each class is also the builtin that a caller would expect, so that programs
written for PYNQ (``except RuntimeError``, ``except MemoryError``) keep working. A message names the object,
the value found, the values allowed and the next step. This module imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "AccessError",
    "AlignmentError",
    "AllocationError",
    "BackendWarning",
    "BoardBusyError",
    "BufferFreedError",
    "BusError",
    "CaseError",
    "CompanionError",
    "DeadlockError",
    "DesignError",
    "DesignNotFoundError",
    "DeviceNotFoundError",
    "DeviceTreeError",
    "DirectionError",
    "DmaError",
    "DriverError",
    "DriverFallbackWarning",
    "FieldValueError",
    "FleetError",
    "InterruptNotClearedError",
    "KernelAccessError",
    "KernelError",
    "MissingPackageError",
    "ModelError",
    "NotDeviceMemoryError",
    "OverlayNotLoadedError",
    "PortMismatchError",
    "Problem",
    "ProgrammingError",
    "ProtocolError",
    "PynqError",
    "PynqWarning",
    "RegionError",
    "RtlBuildError",
    "RtlError",
    "RtlFallbackWarning",
    "RtlFinished",
    "SignalNotFoundError",
    "UnmodelledIPWarning",
    "UnsupportedByDeviceError",
    "UnsupportedConfiguration",
    "VersionMismatchWarning",
    "VirtualBoardError",
    "WaitTimeoutError",
]


class PynqError(Exception):
    """The root of all errors raised on purpose by this package."""


class Problem(NamedTuple):
    """One reason why an input file was refused: where it stands and what is wrong."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class DesignError(PynqError, ValueError):
    """A description (hand-off file) that can't be used; :attr:`problems` has every reason, file and line."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class RegionError(PynqError, LookupError, AttributeError):
    """Partial reconfiguration of something that is no region; the message lists the regions there are."""


class DesignNotFoundError(PynqError, FileNotFoundError):
    """No description belongs to the name given; the message lists the places searched."""


class CompanionError(PynqError, ImportError):
    """The Python file beside the bitstream can't be used.

    Somebody else than root and the caller owns it or may write it; or it fails while it is imported; or its
    ``Overlay`` is nothing that can be called, or returns None. A file that binds no name ``Overlay`` at all
    is no companion: it is left alone, with a :class:`PynqWarning`.
    """


class DeviceNotFoundError(PynqError, RuntimeError, LookupError):
    """No device of that name or scheme; the message lists the known ones."""


class DeviceTreeError(PynqError, ValueError):
    """A device tree or overlay that can't be read, written or applied; the message names the place."""


class UnsupportedByDeviceError(PynqError, NotImplementedError):
    """The device has no such capability (an optional part of the device contract)."""


class UnsupportedConfiguration(PynqError):
    """Raised by a driver for an IP whose parameters it can't drive; the IP gets ``DefaultIP`` instead."""


class DriverError(PynqError, RuntimeError):
    """A driver whose constructor failed with an ``AttributeError``: that is no missing attribute of ours."""


class OverlayNotLoadedError(PynqError, RuntimeError, AttributeError):
    """The overlay is not, or no longer, in the programmable logic."""


class AccessError(PynqError, IndexError, ValueError):
    """An access outside a window, or of a width the window can't do."""


class AlignmentError(PynqError, MemoryError, ValueError):
    """An access whose offset is no multiple of its width."""


class FieldValueError(PynqError, ValueError):
    """A value that does not fit a register field, or an access that the field's rights forbid."""


class BusError(PynqError, OSError):
    """The bus answered an access with an error, or nobody answered."""


class AllocationError(PynqError, MemoryError):
    """No contiguous memory left for the size asked; the message gives the pool's figures."""


class BufferFreedError(PynqError, RuntimeError, ValueError):
    """A use of a buffer after ``freebuffer``."""


class NotDeviceMemoryError(PynqError, AttributeError, ValueError):
    """An array that is no device memory (the result of an operation, say) was asked for its address."""


class DirectionError(PynqError, RuntimeError, AttributeError):
    """A GPIO used against its direction, or wanted in both at the same time."""


class DmaError(PynqError, RuntimeError, ValueError):
    """A DMA transfer that was refused before it started, or that the engine ended with an error."""


class WaitTimeoutError(PynqError, TimeoutError):
    """What was waited for did not come within the time given."""


class DeadlockError(PynqError, RuntimeError, TimeoutError):
    """What is waited for can never come: nothing in the programmable logic can change any more.

    It is a ``TimeoutError`` as well: a wait with a time limit ends with it before the time is over.
    """


class InterruptNotClearedError(PynqError, RuntimeError):
    """A wait on a level-triggered interrupt whose source was not cleared since the last one."""


class MissingPackageError(PynqError, ImportError):
    """A package that a feature needs is not installed; the message names it and how to get it."""


class ModelError(PynqError, RuntimeError):
    """A behavioural model that breaks a rule of the simulated board."""


class RtlError(PynqError, RuntimeError):
    """The user's RTL ended the simulation of its block: ``$fatal``, ``$stop``, a failed assertion.

    ``cell`` is the path of the block, ``file`` and ``line`` the place in the RTL ("" and 0 where unknown),
    ``cycle`` the cycle of the block's clock.
    """

    cell: str = ""
    file: str = ""
    line: int = 0
    cycle: int = 0


class RtlFinished(RtlError):
    """The user's RTL called ``$finish``."""


class ProtocolError(PynqError, RuntimeError):
    """A bus of the user's RTL broke a rule of its protocol; names rule, port, cycle and AMBA clause."""


class RtlBuildError(PynqError, RuntimeError):
    """RTL can't be built: a manifest or a source has an error or is missing, a tool is not there.

    :attr:`problems` has every reason with file and line, where they are known one by one.
    """

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class PortMismatchError(RtlBuildError, ValueError):
    """The ports of the RTL and those of the description differ; the message lists all differences."""


class FleetError(PynqError, RuntimeError):
    """A sweep that can't go on: no ``distributed``, no scheduler, workers that don't start.

    ``partial`` is the table of the cases that were done, None where none was begun.
    """

    partial: object = None


class CaseError(FleetError):
    """A case of a sweep failed, and the sweep was to stop then (``on_error="raise"``)."""


class KernelError(PynqError, OSError):
    """The kernel refused a call; ``errno`` has its number, the message the file and the next step."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)

    def __str__(self) -> str:
        return str(self.args[1])


class KernelAccessError(KernelError, PermissionError):
    """The user may not do that: udev rules are missing, or root's rights."""


class ProgrammingError(PynqError, RuntimeError):
    """A bitstream or device-tree overlay did not get into the device; says in which state that is now.

    ``untouched``: what was in the device before is still there.
    """

    untouched: bool = False


class BoardBusyError(PynqError, RuntimeError):
    """Another process is programming the board, or holds what was asked for."""


class VirtualBoardError(PynqError, RuntimeError):
    """The virtual board can't be made ready or did not start; the message has the last words it said."""


class SignalNotFoundError(PynqError, LookupError, AttributeError):
    """No signal of that name; the message has near ones."""


class PynqWarning(UserWarning):
    """The root of all warnings of this package."""


class BackendWarning(PynqWarning):
    """A backend that could not be asked for its devices, and why; the others are still tried."""


class UnmodelledIPWarning(PynqWarning):
    """IP without a model: the simulated board gives it a plain register file."""


class RtlFallbackWarning(PynqWarning):
    """A tool for RTL is not installed, so the simulated board runs models instead of the design's RTL."""


class VersionMismatchWarning(PynqWarning):
    """Drivers exist for other versions of an IP's type only, so it gets ``DefaultIP``.

    With ``ignore_version=True`` the one of them defined last is bound instead, without a warning.
    """


class DriverFallbackWarning(PynqWarning):
    """An IP or hierarchy got the default driver instead of the one meant for it.

    The driver refused the configuration, its ``checkhierarchy`` failed, or its package can't be imported.
    """
