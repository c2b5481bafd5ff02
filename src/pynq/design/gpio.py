"""The channels of AXI GPIO (PG144) and what is at their pins."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pynq.design.interrupts import str_path
from pynq.design.model import Cell, Endpoint, GpioChannel
from pynq.design.topology import Wiring

__all__ = ["resolve_gpio"]

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}\Z|[0-9]{1,10}\Z")


def resolve_gpio(wiring: Wiring) -> tuple[GpioChannel, ...]:
    """The channels of every ``axi_gpio``, in the file's order."""
    return tuple(
        channel
        for cell in wiring.cells.values()
        if cell.type_name == "axi_gpio"
        for channel in _channels(wiring, cell)
    )


def _channels(wiring: Wiring, cell: Cell) -> Iterator[GpioChannel]:
    def value(name: str, default: int) -> int:
        text = cell.parameters.get(name, "")
        return int(text, 0 if text[:2] in ("0x", "0X") else 10) if _NUMBER.match(text) else default

    # PG144 table "Design Parameters": the second channel has the same names with a 2.
    for number, second, port in ((1, "", "gpio"), (2, "_2", "gpio2")):
        if number == 2 and value("C_IS_DUAL", 0) != 1:
            continue
        width = value("C_GPIO2_WIDTH" if second else "C_GPIO_WIDTH", 32)
        driver = wiring.driver(Endpoint(cell.path, f"{port}_io_i"))
        yield GpioChannel(
            cell=cell.path,
            number=number,
            width=width,
            inputs_only=value(f"C_ALL_INPUTS{second}", 0) == 1,
            outputs_only=value(f"C_ALL_OUTPUTS{second}", 0) == 1,
            default_output=value(f"C_DOUT_DEFAULT{second}", 0),
            default_tristate=value(f"C_TRI_DEFAULT{second}", 0xFFFF_FFFF),
            interrupt=value("C_INTERRUPT_PRESENT", 0) == 1,
            inputs=(str_path(driver),) if driver is not None else (),
            outputs=tuple(map(str_path, wiring.loads(Endpoint(cell.path, f"{port}_io_o")))),
            source=cell.source,
        )
