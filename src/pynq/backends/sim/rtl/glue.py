"""The table of ports of a verilated design: read from Verilator's output, written as C++."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["CppPort", "RtlPort", "original_name", "ports_of", "write_glue"]

#: A port as Verilator declares it in Vdut.h: VL_IN8(&clk,0,0), VL_OUTW(&wide,99,0,4), VL_IN8((&arr)[2],3,0).
_PORT = re.compile(
    r"^\s*VL_(?P<way>IN|OUT|INOUT)(?P<kind>8|16|64|W|)\((?:&(?P<plain>\w+)|\(&(?P<array>\w+)\)(?P<sizes>(?:\[\d+\])+)),"
    r"(?P<msb>-?\d+),(?P<lsb>-?\d+)(?:,(?P<words>\d+))?\);",
    re.MULTILINE,
)
_WAYS: dict[str, Literal["in", "out", "both"]] = {"IN": "in", "OUT": "out", "INOUT": "both"}
_BYTES = {"8": 1, "16": 2, "": 4, "64": 8, "W": 0}


@dataclass(frozen=True)
class RtlPort:
    """A port of the top module, under its name in the source."""

    name: str
    direction: Literal["in", "out", "both"]
    bits: int


@dataclass(frozen=True)
class CppPort:
    """A port and where its value lies: ``bytes`` of storage (0: 32-bit words), C++ expression of the member."""

    port: RtlPort
    bytes: int
    member: str


def original_name(name: str) -> str:
    """Return the name in the source of what Verilator calls ``name`` in C++."""
    name = name.removeprefix("__SYM__")
    name = name.replace("__DOT__", ".").replace("__BRA__", "[").replace("__KET__", "]")
    return re.sub(r"__0([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), name)


def ports_of(header: Path) -> tuple[CppPort, ...]:
    """Return the ports that ``Vdut.h`` declares, in the order of the source."""
    found = []
    for match in _PORT.finditer(header.read_text()):
        bits = abs(int(match["msb"]) - int(match["lsb"])) + 1
        name = match["plain"] or match["array"]
        port = RtlPort(original_name(name), _WAYS[match["way"]], bits)
        found.append(CppPort(port, _BYTES[match["kind"]], name))
    return tuple(found)


def _string(text: str) -> str:
    """Return ``text`` as a C++ string literal."""
    out = []
    for byte in text.encode():
        char = chr(byte)
        # Octal escapes end after three digits; hexadecimal ones would swallow what follows.
        out.append(char if 32 <= byte < 127 and char not in '"\\?' else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def write_glue(
    path: Path,
    top: str,
    ports: Sequence[CppPort],
    flags: int,
    files: Sequence[str] = (),
    fatals: Sequence[str] = (),
) -> None:
    """Write the design's part of the C interface (see native/rtl/pynq_rtl_glue.hpp)."""
    rows = [
        f"    {{{_string(p.port.name)}, {p.port.bits}u, '{p.port.direction[0]}', {p.bytes}}}," for p in ports
    ]
    cases = [f"    case {i}: return &dut.{p.member};" for i, p in enumerate(ports)]
    lines = [
        f"#define PYNQ_RTL_FLAGS {flags}u",
        '#include "pynq_rtl_glue.hpp"',
        "namespace pynq_rtl {",
        "const pynq_rtl_port ports[] = {",
        *rows,
        "    {nullptr, 0, 0, 0}};",
        f"const char *const files[] = {{{''.join(_string(f) + ', ' for f in files)}nullptr}};",
        f"const char *const fatals[] = {{{''.join(_string(f) + ', ' for f in fatals)}nullptr}};",
        "void *port_of(Vdut &dut, uint32_t index) {",
        "    (void)dut;",
        "    switch (index) {",
        *cases,
        "    default: return nullptr;",
        "    }",
        "}",
        "}  // namespace pynq_rtl",
        f"PYNQ_RTL_DESIGN({_string(top)}, {len(ports)}u)",
        "",
    ]
    path.write_text("\n".join(lines))
