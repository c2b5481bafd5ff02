"""The contract of devices, as a test: what ``docs/design/contracts.md`` says a backend must and may do.

A new backend calls :func:`check_device` in its own tests; everything above the device relies on what is
checked here.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pynq.design.model import Design, MemoryRange
from pynq.device.base import Device
from pynq.device.contract import Block
from pynq.errors import (
    AccessError,
    AlignmentError,
    DeadlockError,
    OverlayNotLoadedError,
    PynqError,
    UnsupportedByDeviceError,
)

__all__ = ["Check", "ConformanceError", "check_device"]

_PAGE = 4096


@dataclass(frozen=True)
class Check:
    """One rule and how a device kept it. ``refused``: an optional part that the device says it has not."""

    rule: str
    part: Literal["must", "may"]
    outcome: Literal["kept", "refused", "broken", "skipped"]
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.outcome:8} {self.part:4} {self.rule}{': ' if self.detail else ''}{self.detail}"


class ConformanceError(PynqError, AssertionError):
    """A device that breaks rules of the contract; :attr:`checks` holds all of them, kept ones too."""

    def __init__(self, checks: list[Check]) -> None:
        self.checks = checks
        broken = [str(check) for check in checks if check.outcome == "broken"]
        super().__init__(f"{len(broken)} of {len(checks)} rules broken:\n" + "\n".join(broken))


class _Skip(Exception):
    """Raised by a rule that has nothing to check on this device or design."""


def check_device(
    make: Callable[[], Device], design: Design | None = None, *, scratch: int | None = None
) -> list[Check]:
    """Check a backend against the device contract; return every rule with its outcome.

    Args:
        make: returns a fresh device; it is opened and closed here, once for every rule.
        design: what to load, for the rules on registers, interrupts, pins and clocks; skipped without one.
        scratch: address of a 32-bit register of that design that keeps what is written, for rules on data.

    Raises :class:`ConformanceError` with all broken rules at once.
    """
    checks = []
    for rule, part, function in _RULES:
        device = make()
        try:
            device.open()
            function(_Case(device, design, scratch))
        except _Skip as reason:
            checks.append(Check(rule, part, "skipped", str(reason)))
        except UnsupportedByDeviceError as error:
            checks.append(Check(rule, part, "refused" if part == "may" else "broken", str(error)))
        except Exception as error:  # noqa: BLE001  every reason at once
            checks.append(Check(rule, part, "broken", f"{type(error).__name__}: {error}"))
        else:
            checks.append(Check(rule, part, "kept"))
        finally:
            device.close()
    if any(check.outcome == "broken" for check in checks):
        raise ConformanceError(checks)
    return checks


@dataclass
class _Case:
    device: Device
    design: Design | None
    scratch: int | None

    def load(self) -> Design:
        if self.design is None:
            raise _Skip("no design given")
        self.device.download(self.design, None)
        return self.design

    def ranges(self) -> Iterator[MemoryRange]:
        yield from self.load().ps_ranges

    def address(self) -> int:
        self.load()
        if self.scratch is None:
            raise _Skip("no scratch register given")
        return self.scratch


def _expect(condition: object, text: str) -> None:
    if not condition:
        raise AssertionError(text)


def _raises(
    errors: type[BaseException] | tuple[type[BaseException], ...], action: Callable[[], object], text: str
) -> None:
    try:
        action()
    except errors:
        return
    except Exception as error:
        raise AssertionError(f"{text}: raised {type(error).__name__}: {error}") from error
    raise AssertionError(f"{text}: raised nothing")


def _bytes(block: Block) -> memoryview:
    return memoryview(block).cast("B")  # type: ignore[arg-type]


# -- must ----------------------------------------------------------------------------------------------------
def _closes(case: _Case) -> None:
    _expect(isinstance(case.device.name, str) and case.device.name, "a device has a name")
    _expect(case.device.name in repr(case.device), "repr() tells the name")
    case.device.close()
    case.device.close()


def _memory(case: _Case) -> None:
    blocks = [case.device.allocate_block(size) for size in (1, 100, _PAGE, 3 * _PAGE + 1)]
    for block, size in zip(blocks, (1, 100, _PAGE, 3 * _PAGE + 1), strict=True):
        view = _bytes(block)
        _expect(block.nbytes == size, f"nbytes is {block.nbytes}, asked for {size}")
        _expect(len(view) == size, f"the buffer has {len(view)} bytes, asked for {size}")
        _expect(
            block.physical_address % _PAGE == 0, f"physical address {block.physical_address:#x} is no page"
        )
        _expect(not any(view), "fresh memory is zero")
        view[:] = bytes([size & 0xFF or 1]) * size
        _expect(not block.released, "a fresh block is not released")
    spans = sorted((block.physical_address, block.physical_address + block.nbytes) for block in blocks)
    _expect(all(one[1] <= two[0] for one, two in itertools.pairwise(spans)), f"blocks overlap: {spans}")


def _cacheable(case: _Case) -> None:
    for cacheable in (True, False):
        block = case.device.allocate_block(_PAGE, cacheable=cacheable)
        _expect(isinstance(block.coherent, bool), "coherent is a bool")
        case.device.sync(block, 0, _PAGE, "to_device")
        case.device.sync(block, 0, _PAGE, "from_device")


def _release(case: _Case) -> None:
    block = case.device.allocate_block(_PAGE)
    block.release()
    _expect(block.released, "released is True after release()")
    block.release()


def _reuse(case: _Case) -> None:
    size = 1 << 20
    for _ in range(2000):  # two GiB in all: more than a pool holds
        case.device.allocate_block(size)
    gc.collect()
    block = case.device.allocate_block(size)
    _expect(not any(_bytes(block)[::_PAGE]), "memory that is used again is zero")


def _exhaustion(case: _Case) -> None:
    _raises(
        MemoryError, lambda: case.device.allocate_block(1 << 50), "a petabyte is refused with MemoryError"
    )
    case.device.allocate_block(_PAGE)


def _download(case: _Case) -> None:
    design = case.load()
    _expect(case.device.design is design, "device.design is the design loaded")
    case.device.download(design, None)
    _expect(case.device.design is design, "device.design is the design loaded again")


def _windows(case: _Case) -> None:
    found = False
    for span in case.ranges():
        found = True
        length = min(span.size, 1 << 16)
        window = case.device.map(span.base, length)
        _expect(
            (window.base, window.length) == (span.base, length), "a window has the base and length asked for"
        )
        _raises(AccessError, lambda w=window: w.read(w.length), "a read beyond the end")  # type: ignore[misc]
        _raises(AccessError, lambda w=window: w.write(w.length, 0), "a write beyond the end")  # type: ignore[misc]
        _raises(AlignmentError, lambda w=window: w.read(2), "a read that is not aligned")  # type: ignore[misc]
    if not found:
        raise _Skip("the PS reaches nothing in this design")


def _data(case: _Case) -> None:
    window = case.device.map(case.address(), 4)
    for value in (0, 0xFFFFFFFF, 0xA5A55A5A, 1):
        window.write(0, value)
        _expect(window.read(0) == value, f"wrote {value:#x}, read {window.read(0):#x}")
    _expect(window.poll(0, 0xFF, 1, 1.0) == 1, "poll() returns the value that matches")


def _stale(case: _Case) -> None:
    window = case.device.map(case.address(), 4)
    case.device.download(case.load(), None)
    _raises(OverlayNotLoadedError, lambda: window.read(0), "a window mapped before the download")


def _closed(case: _Case) -> None:
    case.load()
    case.device.close()
    _raises(PynqError, lambda: case.device.map(0, 4), "map() on a closed device")
    _raises(PynqError, lambda: case.device.allocate_block(1), "allocate_block() on a closed device")


# -- may -----------------------------------------------------------------------------------------------------
def _interrupts(case: _Case) -> None:
    design = case.load()
    pins = design.interrupt_pins.values()
    numbers = {pin.gic for pin in pins if pin.gic} | {
        one.gic for one in design.interrupt_controllers.values() if one.gic
    }
    if not numbers:
        raise _Skip("the design has no interrupts")
    for number in numbers:
        line = case.device.interrupt_line(number)
        line.enable()
        line.disable()
        line.disable()
        with contextlib.suppress(DeadlockError):  # as good: nothing can come
            _expect(line.wait(0) in (True, False), "wait(0) returns a bool")
    _raises(PynqError, lambda: case.device.interrupt_line(9999), "an interrupt that there is not")


def _probes(case: _Case) -> None:
    for name in case.load().interrupt_pins:
        probe = case.device.interrupt_probe(name)
        if probe is not None:
            level, edges = probe()
            _expect(level in (0, 1) and edges >= 0, f"probe of {name} gives {(level, edges)}")
    _expect(case.device.interrupt_probe("no_such_cell/irq") is None, "the probe of an unknown pin is None")


def _pins(case: _Case) -> None:
    case.load()
    pin = case.device.pin(0, "out")
    for level in (1, 0, 1):
        pin.write(level)
        _expect(pin.read() == level, "an output reads what is driven")
    pin.release()
    reader = case.device.pin(0, "in")
    _expect(reader.read() in (0, 1), "an input reads 0 or 1")
    reader.release()
    _raises((ValueError, PynqError), lambda: case.device.pin(0, "sideways"), "a direction that there is not")


def _clocks(case: _Case) -> None:
    design = case.load()
    indices = [clock.index for clock in design.clocks if clock.index is not None]
    if not indices:
        raise _Skip("the PS gives no clock to the PL")
    rate = case.device.clock_rate(indices[0])
    _expect(rate > 0, f"clock_rate() is {rate}")
    reached = case.device.set_clock_rate(indices[0], rate / 2)
    _expect(abs(reached - rate / 2) < rate / 20, f"asked for {rate / 2} Hz, reached {reached}")
    _expect(abs(case.device.clock_rate(indices[0]) - reached) < 1, "clock_rate() gives what was reached")
    _raises(PynqError, lambda: case.device.clock_rate(99), "a clock that there is not")


def _explains(case: _Case) -> None:
    case.load()
    _expect(case.device.explain("no_such_cell/S2MM") == "", "explain() of something unknown is empty")


_RULES: tuple[tuple[str, Literal["must", "may"], Callable[[_Case], None]], ...] = (
    ("has a name, and closes twice", "must", _closes),
    ("memory: sizes, pages, zeroes, no overlap", "must", _memory),
    ("memory: cacheable or not, cache maintenance", "must", _cacheable),
    ("memory: release, twice", "must", _release),
    ("memory: comes back when dropped", "must", _reuse),
    ("memory: exhaustion is a MemoryError", "must", _exhaustion),
    ("download, and again", "must", _download),
    ("windows: place, length, bounds, alignment", "must", _windows),
    ("windows: data and polling", "must", _data),
    ("windows: invalid after a download", "must", _stale),
    ("closed: refuses with its own errors", "must", _closed),
    ("interrupt lines", "may", _interrupts),
    ("interrupt probes", "may", _probes),
    ("EMIO GPIO", "may", _pins),
    ("PL clocks", "may", _clocks),
    ("explanations", "may", _explains),
)
