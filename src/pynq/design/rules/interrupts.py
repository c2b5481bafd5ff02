"""Rules of interrupts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pynq.design.findings import Facts, Hit, amount, ports_of, rule
from pynq.design.interrupts import str_path
from pynq.design.model import CellKind, Endpoint, InterruptPin, Processor

__all__ = ["RULES"]

_STEPS = 1000
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z|[0-9]{1,10}\Z")
#: IP of which a driver waits for the interrupt and has no other way to learn the end (see their drivers).
_NEEDED = {
    "axi_vdma": "frames are waited for by interrupt",
    "axi_intc": "none of the interrupts that enter it can reach the processor",
}
_WAITED = ("axi_dma", "axi_cdma", "axi_mcdma", "axi_timer", "axi_gpio", "axi_iic", "axi_quad_spi")
_WIRING = ("xlconcat", "ilconcat", "xlslice", "ilslice")
#: UG585, "Interrupts"; PG201, "Programmable Logic Clocks and Interrupts": GIC 121 to 128 and 136 to 143. The
#: 16 of Versal (PG352, "Programmable Logic Interrupts") are ports of one bit each.
_MOST = {Processor.ZYNQ: ("IRQ_F2P", 16), Processor.ZYNQMP: ("pl_ps_irq", 8)}


def _number(text: str | None) -> int | None:
    return int(text, 0 if text[:2] in ("0x", "0X") else 10) if text and _NUMBER.match(text) else None


@rule("interrupt-unconnected", "warning")
def unconnected(facts: Facts) -> Iterator[Hit]:
    """An interrupt output is open, although a driver will wait for it.

    Waiting for an interrupt that never comes does not end. A VDMA's frames are waited for by interrupt, and
    behind an open `axi_intc` no interrupt arrives at all: warnings. A DMA can also be polled
    (`channel.wait()` does it without an interrupt, `await channel.wait_async()` can't): a note, as for other
    IP with drivers.

    Connect the output to the interrupt controller, or to the PS through a concatenation.
    """
    if facts.design.processor is None:
        return
    for cell, port in ports_of(facts, "INTERRUPT", "O"):
        if port.peers or port.signal:
            continue
        path = f"{cell.path}/{port.name}"
        where = facts.design.where(port)
        if cell.type_name in _NEEDED:
            yield Hit(
                path,
                f"the interrupt output is open: {_NEEDED[cell.type_name]}",
                "connect it to an axi_intc, or to the PS",
                where,
            )
        elif cell.type_name in _WAITED:
            yield Hit(
                path,
                "the interrupt output is open: a program can poll, but not await",
                "connect it to an axi_intc, or to the PS, to wait in an event loop",
                where,
                "note",
            )


@rule("interrupt-lost", "warning")
def lost(facts: Facts) -> Iterator[Hit]:
    """An interrupt is connected, but its way ends before a processor.

    The output enters a concatenation or slice whose own output is open, or that leaves its bit out.

    Follow the wire in the block design and connect what is open.
    """
    known = set(facts.design.interrupt_pins)
    for cell, port in ports_of(facts, "INTERRUPT", "O"):
        path = f"{cell.path}/{port.name}"
        if path in known or cell.path in facts.design.interrupt_controllers or not port.peers:
            continue
        ends, passed = _ends(facts, Endpoint(cell.path, port.name))
        if not ends and passed:
            yield Hit(
                path,
                f"the interrupt ends in {', '.join(passed)}: it reaches no processor",
                "connect the output of that concatenation",
                facts.design.where(port),
            )


def _ends(facts: Facts, start: Endpoint) -> tuple[list[Endpoint], list[str]]:
    """What an output reaches behind concatenations and slices, and those on the way."""
    ends: list[Endpoint] = []
    passed: dict[str, None] = {}
    pending = [start]
    for end in pending:
        if len(pending) > _STEPS:
            return [start], []  # a tangle: nothing can be said
        port = facts.wiring.port(end)
        for other in facts.wiring.loads(end) if port is not None else ():
            cell = facts.design.cells.get(other.cell)
            if cell is None or cell.type_name not in _WIRING:
                ends.append(other)
            elif cell.path not in passed:
                passed[cell.path] = None
                outputs = (one for one in cell.ports.values() if one.direction == "O")
                pending += [Endpoint(cell.path, one.name) for one in outputs]
    return ends, list(passed)


@rule("interrupt-width", "error")
def width(facts: Facts) -> Iterator[Hit]:
    """More interrupts are connected than an input has.

    The upper ones are cut off without a word: `IRQ_F2P` of a Zynq-7000 has at most 16, each of the two ports
    `pl_ps_irq0` and `pl_ps_irq1` of a Zynq UltraScale+ 8, an `axi_intc` as many as it was configured for (at
    most 32).

    Put an `axi_intc` in between, cascade a second one, or raise its number of inputs.
    """
    name, most = _MOST.get(facts.design.processor, ("", 0)) if facts.design.processor else ("", 0)
    for cell in facts.design.cells.values():
        for port in cell.ports.values():
            limit = port.width
            if cell.path == facts.design.ps and name and port.name.startswith(name):
                limit = min(limit, most)
            elif not (cell.type_name == "axi_intc" and port.name == "intr"):
                continue
            driver = facts.wiring.driver(Endpoint(cell.path, port.name))
            source = facts.wiring.port(driver) if driver is not None else None
            if driver is not None and source is not None and source.width > limit:
                yield Hit(
                    f"{cell.path}/{port.name}",
                    f"{str_path(driver)} brings {amount(source.width, 'interrupt')}, the input has {limit}",
                    "put the others on an axi_intc (cascaded, beyond 32)",
                    facts.design.where(port),
                )


@rule("interrupt-sensitivity", "warning")
def sensitivity(facts: Facts) -> Iterator[Hit]:
    """An interrupt controller expects another kind of signal than the source gives.

    An `axi_intc` input that waits for a level misses a pulse, and one of the other polarity sees nothing, or
    an interrupt without end. One that waits for an edge misses the next interrupt of a source that stays at
    its level meanwhile; with drivers that clear the source first it works, so this is a note (PG099; of
    `C_KIND_OF_INTR` a 1 means edge). The output has to be a level, as drivers of the PS's controller expect.

    Let Vivado derive it (parameters `C_KIND_OF_INTR`, `C_KIND_OF_EDGE`, `C_KIND_OF_LVL` to automatic), or set
    the input's bit by hand; `C_IRQ_IS_LEVEL` to 1.
    """
    found: dict[tuple[str, str, int, str], list[InterruptPin]] = {}
    for pin in facts.design.interrupt_pins.values():
        cell = facts.design.cells.get(pin.controller)
        kind, _, polarity = pin.sensitivity.partition("_")
        if cell is None or cell.type_name != "axi_intc" or kind not in ("EDGE", "LEVEL") or pin.index > 31:
            continue
        second = "C_KIND_OF_EDGE" if kind == "EDGE" else "C_KIND_OF_LVL"
        for name, high in (("C_KIND_OF_INTR", kind == "EDGE"), (second, polarity in ("RISING", "HIGH"))):
            value = _number(cell.parameters.get(name))
            if value is not None and bool(value >> pin.index & 1) != high:
                found.setdefault((cell.path, name, value, pin.sensitivity), []).append(pin)
                break
    for (path, name, value, given), pins in found.items():
        edge = name == "C_KIND_OF_INTR" and given.startswith("LEVEL")
        expects = "an edge" if edge else "a level" if name == "C_KIND_OF_INTR" else "the other polarity"
        names = ", ".join(f"{pin.path} (input {pin.index})" for pin in pins)
        yield Hit(
            path,
            f"it waits for {expects} ({name}={value:#x}), but these are {given}: {names}",
            f"let Vivado derive {name}, or {'clear' if edge else 'change'} their bits",
            facts.design.cells[path].source,
            "note" if edge else "",
        )
    for controller in facts.design.interrupt_controllers.values():
        cell = facts.design.cells[controller.path]
        if controller.gic is not None and cell.parameters.get("C_IRQ_IS_LEVEL") == "0":
            yield Hit(
                f"{cell.path}/irq",
                "the output is an edge (C_IRQ_IS_LEVEL=0): an interrupt that comes meanwhile is lost",
                "set C_IRQ_IS_LEVEL to 1 (interrupt output connection: level)",
                cell.source,
            )


@rule("interrupt-without-enable", "warning")
def silent(facts: Facts) -> Iterator[Hit]:
    """A kernel's interrupt is connected, but no register can enable it.

    The interrupt of a Vitis HLS kernel is off after a reset and enabled by its registers GIER and IP_IER
    (UG1399, "S_AXILITE Control Register Map"). A kernel with `ap_ctrl_none`, or whose control is not on
    AXI4-Lite, has none: it never interrupts.

    Use `ap_ctrl_hs` on `s_axilite` (`#pragma HLS INTERFACE s_axilite port=return`).
    """
    for pin in facts.design.interrupt_pins.values():
        cell = facts.design.cells.get(pin.cell)
        if cell is None or cell.vlnv is None or cell.vlnv.library != "hls":
            continue
        names = {register.name for block in cell.blocks for register in block.registers}
        if names and not names & {"GIER", "IP_IER", "IER", "IP_ISR"}:
            yield Hit(
                pin.path,
                f"the interrupt is connected, but {cell.path} has no register that enables it",
                "export the kernel with ap_ctrl_hs on s_axilite",
                pin.source,
            )


@rule("kernel-never-starts", "warning")
def kernel(facts: Facts) -> Iterator[Hit]:
    """A kernel's start is a port, and nothing drives it.

    A Vitis HLS kernel with `ap_ctrl_hs` that is not on AXI4-Lite begins when its port `ap_start` goes high.

    Connect `ap_start` (to a constant 1, or to a GPIO), or export the kernel with its control on `s_axilite`.
    """
    for cell in facts.design.cells.values():
        port = cell.ports.get("ap_start")
        if port is not None and port.direction == "I" and not facts.driven(cell, port) and not port.signal:
            yield Hit(
                f"{cell.path}/ap_start",
                "nothing drives ap_start, so the kernel never begins",
                "connect it, or export the kernel with its control on s_axilite",
                facts.design.where(port),
            )


@rule("controller-without-processor", "warning")
def stranded(facts: Facts) -> Iterator[Hit]:
    """The output of an interrupt controller is connected, but not to the processor.

    Programs can't wait for any of its interrupts.

    Connect `irq` to the PS (`IRQ_F2P`, `pl_ps_irq0`), or to an `axi_intc` that leads there.
    """
    if not facts.design.ps:
        return
    reached = {entry.slave for entry in facts.design.ps_ranges}
    for cell in facts.design.cells.values():
        port = cell.ports.get("irq")
        if (
            cell.kind is CellKind.INTERRUPT_CONTROLLER
            and cell.type_name == "axi_intc"
            and cell.path in reached
            and cell.path not in facts.design.interrupt_controllers
            and port is not None
            and port.peers
        ):
            ends, _ = _ends(facts, Endpoint(cell.path, "irq"))
            owners = [facts.design.cells.get(end.cell) for end in ends]
            if not any(one is None or one.kind is CellKind.SOFT_PROCESSOR for one in owners):
                yield Hit(
                    f"{cell.path}/irq",
                    "the controller's output does not reach the PS",
                    "connect it to IRQ_F2P or pl_ps_irq0",
                    facts.design.where(port),
                )


RULES = (unconnected, lost, width, sensitivity, silent, kernel, stranded)
