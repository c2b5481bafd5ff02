"""What the descriptions of vendor IP share: clock, reset and interrupt pins, the AXI4-Lite port."""

from __future__ import annotations

from ..blockdesign import BlockDesign, Bus, Pin, axi, vector

DOC = "http://www.xilinx.com/cgi-bin/docs/ipdoc?c={};v={};d={}"
PERIPHERAL = {"IPTYPE": "PERIPHERAL", "MODCLASS": "PERIPHERAL"}


def clock_pin(name: str, frequency: int, direction: str = "I") -> Pin:
    return Pin(name, direction, kind="clk", frequency=frequency)


def reset_pin(name: str, direction: str = "I", polarity: str = "ACTIVE_LOW") -> Pin:
    return Pin(name, direction, kind="rst", polarity=polarity)


def irq_pin(name: str, direction: str = "O", width: int | None = None) -> Pin:
    return vector(name, direction, width, kind="INTERRUPT", sensitivity="LEVEL_HIGH")


class Clocking:
    """The clock that a design runs on: frequency in Hz and the name of its domain."""

    def __init__(self, design: BlockDesign, source: str, frequency: int) -> None:
        self.frequency = frequency
        self.source = source
        cell, _, pin = source.rpartition("/")
        self.domain = f"{design.name}_{cell}_0_{pin}"


def lite_slave(clock: Clocking, name: str, addr: int, prefix: str = "s_axi_") -> tuple[list[Pin], Bus]:
    return axi(
        name,
        "SLAVE",
        prefix=prefix,
        protocol="AXI4LITE",
        data=32,
        addr=addr,
        omit=["AWPROT", "ARPROT"],
        frequency=clock.frequency,
        domain=clock.domain,
    )
