"""Rates of clocks: of the PS and of clocking IP, and to whom they go."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pynq.design.tcl.build_parts import Draft, Face, Wire

__all__ = ["set_clocks"]

_MEGAHERTZ = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,15})?\Z")
_CLK_OUT = re.compile(r"clk_out([0-9]{1,2})\Z")
_PLL7 = 1000.0
"""MHz of the IO PLL with the usual 33.33 MHz crystal (UG585, "Clocks")."""
_PLL8 = 1499.985


def set_clocks(cells: Mapping[str, Draft], ports: Mapping[str, Wire]) -> None:
    """Give every clock wire its rate, as far as the script tells."""
    for draft in cells.values():
        if draft.short == "processing_system7":
            _zynq(draft)
        elif draft.short == "zynq_ultra_ps_e":
            _zynqmp(draft)
        elif draft.short in ("clk_wiz", "clk_wizard"):
            for wire in draft.wires.values():
                match = _CLK_OUT.match(wire.name)
                if match:
                    wire.kind, wire.direction = "clk", "O"
                    wire.frequency = _hertz(draft.parameters.get(f"CLKOUT{match[1]}_REQUESTED_OUT_FREQ"))
    wires = [*ports.values(), *(wire for draft in cells.values() for wire in draft.wires.values())]
    for wire in wires:
        if wire.frequency is not None and wire.drives:
            for peer in wire.peers:
                peer.frequency = wire.frequency
                if peer.kind == "undef":
                    peer.kind = "clk"
    for draft in cells.values():
        for face in draft.faces.values():
            _face(draft, face)


def _face(draft: Draft, face: Face) -> None:
    """FREQ_HZ and CLK_DOMAIN of an interface: of the clock named like it, or of the only one."""
    if face.bus not in ("aximm", "axis"):
        return
    clocks = [wire for wire in draft.wires.values() if wire.kind == "clk" and wire.direction == "I"]
    name = face.name.lower()
    own = [wire for wire in clocks if wire.name.lower() in (f"{name}_aclk", f"{name}_clk")]
    side = [wire for wire in clocks if name.startswith(wire.name.lower().removesuffix("_aclk"))]
    clock = next(iter(own or side or clocks), None)
    if clock is None or not clock.peers:
        return
    if clock.frequency is not None:
        face.parameters["FREQ_HZ"] = str(clock.frequency)
    source = clock.peers[0]
    face.parameters["CLK_DOMAIN"] = f"{source.cell.replace('/', '_')}_{source.name}".lstrip("_")


def _zynq(draft: Draft) -> None:
    parameters = draft.parameters
    for index in range(4):
        wire = draft.wires.get(f"FCLK_CLK{index}")
        enable = f"PCW_FPGA_FCLK{index}_ENABLE"
        if enable.lower() not in draft.given:
            port = parameters.get(f"PCW_EN_CLK{index}_PORT", "0")
            parameters[enable] = "1" if wire is not None and wire.peers else port
        actual = f"PCW_ACT_FPGA{index}_PERIPHERAL_FREQMHZ"
        if actual.lower() not in draft.given and parameters[enable] == "1":
            names = (f"PCW_FCLK{index}_PERIPHERAL_DIVISOR0", f"PCW_FCLK{index}_PERIPHERAL_DIVISOR1")
            wanted = parameters.get(f"PCW_FPGA{index}_PERIPHERAL_FREQMHZ", "")
            _divide(draft, actual, wanted, names, _PLL7)
        if wire is not None:
            wire.frequency = _hertz(parameters.get(actual))


def _zynqmp(draft: Draft) -> None:
    parameters = draft.parameters
    for index in range(4):
        prefix = f"PSU__CRL_APB__PL{index}_REF_CTRL__"
        wire = draft.wires.get(f"pl_clk{index}")
        actual = f"{prefix}ACT_FREQMHZ"
        if wire is not None and wire.peers and f"psu__fpga_pl{index}_enable" not in draft.given:
            parameters[f"PSU__FPGA_PL{index}_ENABLE"] = "1"
        if actual.lower() not in draft.given and f"{prefix}freqmhz".lower() in draft.given:
            names = (f"{prefix}DIVISOR0", f"{prefix}DIVISOR1")
            _divide(draft, actual, parameters.get(f"{prefix}FREQMHZ", ""), names, _PLL8)
        if wire is not None:
            wire.frequency = _hertz(parameters.get(actual))


def _divide(draft: Draft, actual: str, wanted: str, names: tuple[str, str], pll: float) -> None:
    """Find the divisors (six bits each) that come nearest to a rate, as the tool does."""
    hertz = _hertz(wanted)
    if not hertz:
        return
    given = [draft.parameters[name] for name in names if name.lower() in draft.given]
    if len(given) == 2 and all(one.isdecimal() and 0 < int(one[:4]) < 64 for one in given):
        total = int(given[0]) * int(given[1])
    else:
        pairs = [(high, low) for high in range(1, 64) for low in range(1, high + 1)]
        best = min(pairs, key=lambda pair: (abs(pll * 1e6 / (pair[0] * pair[1]) - hertz), pair[0]))
        total = best[0] * best[1]
        for name, value in zip(names, best, strict=True):
            if name.lower() not in draft.given:
                draft.parameters[name] = str(value)
    draft.parameters[actual] = f"{pll / total:.6f}"


def _hertz(megahertz: str | None) -> int | None:
    return round(float(megahertz) * 1e6) if megahertz and _MEGAHERTZ.match(megahertz) else None
