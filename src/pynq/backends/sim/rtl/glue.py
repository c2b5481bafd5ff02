"""The table of ports of a verilated design: read from Verilator's output, written as C++."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pynq.backends.sim.rtl.scan import HEAP, RANDOM
from pynq.errors import RtlBuildError

__all__ = ["CppPort", "RtlPort", "flags_of", "names_fatals", "original_name", "ports_of", "write_glue"]

#: A port as Verilator declares it in Vdut.h: VL_IN8(&clk,0,0), VL_OUTW(&wide,99,0,4).
_PORT = re.compile(
    r"VL_(?P<way>INOUT|IN|OUT)(?P<kind>8|16|64|W|)\(&(?P<name>\w+),(?P<msb>-?\d+),(?P<lsb>-?\d+)(?:,\d+)?\);"
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
    """A port and where its value lies: ``bytes`` of storage (0: 32-bit words), C++ expression of the
    member.
    """

    port: RtlPort
    bytes: int
    member: str


def original_name(name: str) -> str:
    """Return the name in the source of what Verilator calls ``name`` in C++."""
    name = name.removeprefix("__SYM__")
    name = name.replace("__DOT__", ".").replace("__BRA__", "[").replace("__KET__", "]")
    return re.sub(r"__0([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), name)


def ports_of(header: Path, top: str) -> tuple[CppPort, ...]:
    """Return the ports that ``Vdut.h`` declares, in the order of the source.

    Raises :class:`RtlBuildError` that names all ports that a board can't be connected to: unpacked
    arrays, reals and strings.
    """
    text = header.read_text()
    section = re.search(r"^\s*// PORTS\n(.*?)^\s*// CELLS", text, re.MULTILINE | re.DOTALL)
    if section is None:
        raise RtlBuildError(f"{top}: unknown form of Verilator's output ({header.name} has no ports)")
    found: list[CppPort] = []
    others = []
    for line in filter(None, map(str.strip, section[1].splitlines())):
        if line.startswith("//"):
            continue
        match = _PORT.match(line)
        if match is not None:
            bits = abs(int(match["msb"]) - int(match["lsb"])) + 1
            port = RtlPort(original_name(match["name"]), _WAYS[match["way"]], bits)
            found.append(CppPort(port, _BYTES[match["kind"]], match["name"]))
            continue
        name = re.search(r"&\(?&?(\w+)", line)
        others.append(original_name(name[1]) if name else line)
    if others:
        raise RtlBuildError(
            f"{top}: ports that are no vectors of bits (unpacked arrays, reals, strings) can't be connected: "
            f"{', '.join(others)}; give the block a top module with plain ports"
        )
    return tuple(found)


#: Types of members whose content lies outside of the object, in the declarations of a model's classes.
_HEAP = re.compile(
    r"\b(?:VlQueue|VlAssocArray|VlDynArray|VlClassRef|VlProcessRef|VlWide_heap|std::(?:string|vector|deque|map|unordered_map))\b"
    r"(?!.*\()",
)
_RANDOM = re.compile(r"\bVL_(?:RANDOM|URANDOM|DIST)_?\w*\(|\bVlRNG\b")


def flags_of(code: Path) -> int:
    """Return what the generated C++ tells beyond the source: state on the heap, random numbers."""
    flags = 0
    for file in code.iterdir():
        if file.suffix == ".h" and not file.name.endswith(("__Syms.h", "__pch.h", "Vdut.h")):
            text = file.read_text()
            members = "\n".join(
                line for line in text.splitlines() if line.startswith("    ") and line.endswith(";")
            )
            if _HEAP.search(members):
                flags |= HEAP
        elif file.suffix == ".cpp" and "__Trace" not in file.name and _RANDOM.search(file.read_text()):
            flags |= RANDOM
    return flags


def names_fatals(code: Path) -> bool:
    """Tell whether a ``$fatal`` says what it is when it ends the model (5.006 prints it as an error)."""
    return any("%%Fatal: " in file.read_text() for file in code.glob("*.cpp"))


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
    loops: Sequence[str] = (),
) -> None:
    """Write the design's part of the C interface (see native/rtl/pynq_rtl_glue.hpp).

    ``files``: name of file ``s<i>`` of the text, as the runtime takes it (``0/top.v``: in folder 0).
    ``fatals``: the places of ``$fatal`` in the text, ``s<i>:<line>``. ``loops``: of signals that depend on
    themselves, ``s<i>:<line> <signal>``.
    """
    rows = [
        f"    {{{_string(p.port.name)}, {p.port.bits}u, '{p.port.direction[0]}', {p.bytes}}}," for p in ports
    ]
    tables = {"files": files, "fatals": fatals, "loops": loops}
    cases = [f"    case {i}: return &self(dut).{p.member};" for i, p in enumerate(ports)]
    lines = [
        f"#define PYNQ_RTL_FLAGS {flags}u",
        '#include "pynq_rtl_glue.hpp"',
        "namespace pynq_rtl::dut {",
        "static const pynq_rtl_port ports[] = {",
        *rows,
        "    {nullptr, 0, 0, 0}};",
        *(
            f"const char *const {name}[] = {{{''.join(_string(text) + ', ' for text in texts)}nullptr}};"
            for name, texts in tables.items()
        ),
        "void *port(void *dut, uint32_t index) {",
        "    switch (index) {",
        *cases,
        "    default: return nullptr;",
        "    }",
        "}",
        "}  // namespace pynq_rtl::dut",
        f"PYNQ_RTL_DESIGN({_string(top)}, {len(ports)}u)",
        "",
    ]
    path.write_text("\n".join(lines))
