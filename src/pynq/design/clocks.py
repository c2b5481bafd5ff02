"""The clocks and resets of a design: the PS's, those made in the PL, and those that come from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pynq.design.model import Cell, Clock, Endpoint, Port, Processor, Reset, SourceRef
from pynq.design.topology import Wiring

__all__ = ["ps_parameters", "resolve_clocks", "resolve_resets"]


class _Names(NamedTuple):
    """How a PS calls clock ``{n}``: its port, then its parameters."""

    port: str
    enable: str
    divisors: tuple[str, ...]
    source: str
    actual: str  # MHz that the tools reached
    requested: str  # MHz asked for
    placeholder: bool  # whether a clock that is off still has a frequency there, which means nothing


_NAMES = {
    Processor.ZYNQ: _Names(
        "FCLK_CLK{n}",
        "PCW_FPGA_FCLK{n}_ENABLE",
        ("PCW_FCLK{n}_PERIPHERAL_DIVISOR0", "PCW_FCLK{n}_PERIPHERAL_DIVISOR1"),
        "PCW_FCLK{n}_PERIPHERAL_CLKSRC",
        "PCW_ACT_FPGA{n}_PERIPHERAL_FREQMHZ",
        "PCW_FPGA{n}_PERIPHERAL_FREQMHZ",
        True,
    ),
    Processor.ZYNQMP: _Names(
        "pl_clk{n}",
        "PSU__FPGA_PL{n}_ENABLE",
        ("PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR0", "PSU__CRL_APB__PL{n}_REF_CTRL__DIVISOR1"),
        "PSU__CRL_APB__PL{n}_REF_CTRL__SRCSEL",
        "PSU__CRL_APB__PL{n}_REF_CTRL__ACT_FREQMHZ",
        "PSU__CRL_APB__PL{n}_REF_CTRL__FREQMHZ",
        False,
    ),
    Processor.VERSAL: _Names(
        "pl{n}_ref_clk",
        "PS_USE_PMCPL_CLK{n}",
        ("PMC_CRP_PL{n}_REF_CTRL_DIVISOR0",),
        "PMC_CRP_PL{n}_REF_CTRL_SRCSEL",
        "PMC_CRP_PL{n}_REF_CTRL_ACT_FREQMHZ",
        "PMC_CRP_PL{n}_REF_CTRL_FREQMHZ",
        False,
    ),
}
_PL_CLOCKS = 4
# The first kind has every setting, the second only those that the user changed.
_PACKED = (("PS_PMC_CONFIG_INTERNAL", "PS11_CONFIG_INTERNAL"), ("PS_PMC_CONFIG", "PS11_CONFIG"))
_MEGAHERTZ = re.compile(r"[0-9]{1,6}(?:\.[0-9]{0,15})?(?:[eE]\+?[0-9])?\Z")
_LOW_NAMES = ("_n", "resetn", "rstn", "_b")
_CLK_OUT = re.compile(r"clk_out([0-9]{1,2})\Z")


def resolve_clocks(wiring: Wiring, family: Processor | None, ps: str) -> tuple[Clock, ...]:
    """Every clock of the design: the PS's PL clocks first, in their order, then the others in the file's
    order.
    """
    found: list[Clock] = []
    if family is not None:
        found += _ps_clocks(wiring, wiring.cells[ps], _NAMES[family])
    for path, cell in wiring.cells.items():
        if path != ps:
            for port in cell.ports.values():
                if port.kind == "clk" and port.direction == "O":
                    found.append(
                        _clock(wiring, f"{path}/{port.name}", path, port, _made_frequency(cell, port))
                    )
    for port in wiring.ports.values():
        if port.kind == "clk" and port.direction == "I":
            found.append(_clock(wiring, port.name, "", port, port.frequency))
    return tuple(found)


def resolve_resets(wiring: Wiring) -> tuple[Reset, ...]:
    """Every reset of the design: those that cells make, in the file's order, then those that come from
    outside.
    """
    ends = [
        Endpoint(path, port.name)
        for path, cell in wiring.cells.items()
        for port in cell.ports.values()
        if port.kind == "rst" and port.direction == "O"
    ]
    ends += [
        Endpoint("", port.name)
        for port in wiring.ports.values()
        if port.kind == "rst" and port.direction == "I"
    ]
    found = []
    for end in ends:
        port = (wiring.cells[end.cell].ports if end.cell else wiring.ports)[end.port]
        # POLARITY is there from 2020.1; before, the name tells: FCLK_RESET0_N, peripheral_aresetn; mb_reset.
        low = port.polarity == "ACTIVE_LOW" if port.polarity else port.name.lower().endswith(_LOW_NAMES)
        name = f"{end.cell}/{end.port}" if end.cell else end.port
        source = SourceRef(wiring.file, port.line)
        found.append(Reset(name, end.cell, end.port, low, port.width, port.signal, source))
    return tuple(found)


def _clock(wiring: Wiring, name: str, path: str, port: Port, frequency: int | None) -> Clock:
    return Clock(
        name=name,
        cell=path,
        port=port.name,
        frequency=frequency,
        index=None,
        enabled=True,
        divisors=(),
        source_pll="",
        net=port.signal,
        source=SourceRef(wiring.file, port.line),
    )


def _ps_clocks(wiring: Wiring, cell: Cell, names: _Names) -> Iterator[Clock]:
    parameters = ps_parameters(cell)
    for index in range(_PL_CLOCKS):
        name = names.port.format(n=index)
        port = cell.ports.get(name)
        enable = parameters.get(names.enable.format(n=index))
        if enable is None and port is None:
            continue
        # Without the parameter, the port's being there says that the clock is on.
        enabled = enable == "1" if enable is not None else True
        frequency = None
        if enabled or not names.placeholder:
            frequency = _hertz(parameters.get(names.actual.format(n=index)))
            if frequency is None and port is not None:
                frequency = port.frequency
            if frequency is None and enabled:
                frequency = _hertz(parameters.get(names.requested.format(n=index)))
        divisors = [parameters.get(divisor.format(n=index), "") for divisor in names.divisors]
        yield Clock(
            name=name,
            cell=cell.path,
            port=name if port is not None else "",
            frequency=frequency,
            index=index,
            enabled=enabled,
            divisors=tuple(int(text) for text in divisors if text.isdecimal() and len(text) < 8),
            source_pll=parameters.get(names.source.format(n=index), ""),
            net=port.signal if port is not None else "",
            source=SourceRef(wiring.file, port.line) if port is not None else cell.source,
        )


def _made_frequency(cell: Cell, port: Port) -> int | None:
    """What the net has; else what the clocking wizard was asked for (PG065, parameter names of the hand-off
    file).
    """
    if port.frequency is not None:
        return port.frequency
    match = _CLK_OUT.match(port.name)
    return _hertz(cell.parameters.get(f"CLKOUT{match[1]}_REQUESTED_OUT_FREQ")) if match else None


def _hertz(megahertz: str | None) -> int | None:
    return round(float(megahertz) * 1e6) if megahertz and _MEGAHERTZ.match(megahertz) else None


def ps_parameters(cell: Cell) -> Mapping[str, str]:
    """The parameters of a PS, with those unpacked that Versal keeps in one Tcl dictionary; the cell's own
    win.
    """
    packed: dict[str, str] = {}
    for names in _PACKED:
        for name in names:
            for key, value in _tcl_pairs(cell.parameters.get(name, "")):
                packed.setdefault(key, value)
        if packed:
            return {**packed, **cell.parameters}
    return cell.parameters


def _tcl_pairs(text: str) -> Iterator[tuple[str, str]]:
    """The pairs of a Tcl dictionary: words separated by blanks, braces hold a word together and may nest."""
    words = _tcl_words(text)
    return zip(words, words, strict=False)


def _tcl_words(text: str) -> Iterator[str]:
    position, end = 0, len(text)
    while position < end:
        if text[position].isspace():
            position += 1
        elif text[position] == "{":
            depth, start = 0, position + 1
            for match in _BRACE.finditer(text, position):
                depth += 1 if match[0] == "{" else -1
                if depth == 0:
                    position = match.end()
                    yield text[start : match.start()]
                    break
            else:
                return
        else:
            word = _WORD.match(text, position)
            assert word is not None  # the position is at something that is no blank
            position = word.end()
            yield word[0]


_BRACE = re.compile(r"[{}]")
_WORD = re.compile(r"\S+")
