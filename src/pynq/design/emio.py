"""GPIO of the PS that reach the PL (EMIO): which bit of it goes where."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.interrupts import concat_inputs, slice_bounds, str_path
from pynq.design.kinds import is_constant
from pynq.design.model import EmioPin, Endpoint, Processor, SourceRef
from pynq.design.topology import Wiring

__all__ = ["resolve_emio"]

_OUTPUTS = {Processor.ZYNQ: "GPIO_O", Processor.ZYNQMP: "emio_gpio_o", Processor.VERSAL: "LPD_GPIO_o"}
_INPUTS = {Processor.ZYNQ: "GPIO_I", Processor.ZYNQMP: "emio_gpio_i", Processor.VERSAL: "LPD_GPIO_i"}


def resolve_emio(wiring: Wiring, family: Processor | None, ps: str) -> tuple[EmioPin, ...]:
    """The pins in the file's order, those that the PS drives before those that it reads."""
    if family is None:
        return ()
    outputs = _outputs(wiring, Endpoint(ps, _OUTPUTS[family]))
    inputs = _inputs(wiring, Endpoint(ps, _INPUTS[family]))
    return (*outputs, *inputs)


def _outputs(wiring: Wiring, end: Endpoint) -> Iterator[EmioPin]:
    whole = wiring.port(end)
    if whole is None:
        return
    for load in wiring.loads(end):
        cell = wiring.cells.get(load.cell)
        port = wiring.port(load)
        if port is None:
            continue
        if cell is None:
            # Straight to a port of the design.
            yield EmioPin(load.port, 0, whole.width, (str_path(load),), SourceRef(wiring.file, port.line))
        elif "Dout" in cell.ports and "DIN_FROM" in cell.parameters:
            low, high = slice_bounds(cell)
            out = Endpoint(cell.path, "Dout")
            pins = (str_path(out), *(str_path(pin) for pin in wiring.loads(out)))
            yield EmioPin(cell.path, low, high - low + 1, pins, SourceRef(wiring.file, port.line))
        else:
            yield EmioPin(
                cell.path,
                0,
                min(whole.width, port.width),
                (str_path(load),),
                SourceRef(wiring.file, port.line),
            )


def _inputs(wiring: Wiring, end: Endpoint) -> Iterator[EmioPin]:
    whole = wiring.port(end)
    driver = wiring.driver(end) if whole is not None else None
    if whole is None or driver is None:
        return
    cell = wiring.cells.get(driver.cell)
    ends = [(end, 0)]
    if cell is not None and "dout" in cell.ports and "In0" in cell.ports:
        ends, offset = [], 0
        for name in concat_inputs(cell):
            ends.append((Endpoint(cell.path, name), offset))
            offset += cell.ports[name].width
    for target, index in ends:
        source = wiring.driver(target)
        port = wiring.port(source) if source is not None else None
        if (
            source is None
            or port is None
            or (source.cell in wiring.cells and is_constant(wiring.cells[source.cell]))
        ):
            continue
        entered = wiring.port(target)
        width = min(port.width, entered.width) if entered is not None else port.width
        name = source.cell or source.port
        yield EmioPin(
            name, index, width, (str_path(source),), SourceRef(wiring.file, port.line), direction="I"
        )
