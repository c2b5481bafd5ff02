"""The instructions that a register access becomes, read from the compilers' own output."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[2] / "native" / "core"
CODE = """
#include "beat.hpp"
using namespace pynq;
extern "C" {
uint32_t read_1(const volatile uint8_t *p) { return static_cast<uint32_t>(load(p, 1)); }
uint32_t read_2(const volatile uint8_t *p) { return static_cast<uint32_t>(load(p, 2)); }
uint32_t read_4(const volatile uint8_t *p) { return static_cast<uint32_t>(load(p, 4)); }
void write_1(volatile uint8_t *p, uint32_t v) { store(p, 1, v); }
void write_2(volatile uint8_t *p, uint32_t v) { store(p, 2, v); }
void write_4(volatile uint8_t *p, uint32_t v) { store(p, 4, v); }
#if UINTPTR_MAX > 0xFFFFFFFF
uint64_t read_8(const volatile uint8_t *p) { return load(p, 8); }
void write_8(volatile uint8_t *p, uint64_t v) { store(p, 8, v); }
#endif
void pull(const volatile uint8_t *p, uint8_t *to) { load_block<uint32_t>(p, to, 64); }
void push(volatile uint8_t *p, const uint8_t *from) { store_block<uint32_t>(p, from, 64); }
// The buffer before the start bit, and the status before the buffer.
void start(volatile uint8_t *p, int *buffer) { *buffer = 7; store(p, 4, 1); }
int finish(const volatile uint8_t *p, const int *buffer) {
    const int early = *buffer;
    load(p, 4);
    return early - *buffer;
}
}
"""
ARM64 = {1: ("ldrb", "strb"), 2: ("ldrh", "strh"), 4: ("ldr", "str"), 8: ("ldr", "str")}


def instructions(compiler: str, folder: Path, *options: str) -> dict[str, list[str]]:
    """The code of each function: mnemonic and operands, without directives."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    (folder / "x.cpp").write_text(CODE)
    command = [compiler, "-std=c++20", "-O3", "-S", "-o", "-", f"-I{CORE}", *options, str(folder / "x.cpp")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    found: dict[str, list[str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if match := re.match(r"(\w+):", line):
            name = match[1]
        elif re.match(r"\t[a-z]", line):
            found.setdefault(name, []).append(" ".join(line.split()))
    return found


@pytest.mark.parametrize(
    ("compiler", "after", "before", "widths"),
    [
        ("aarch64-linux-gnu-g++", "dmb oshld", "dmb oshst", (1, 2, 4, 8)),
        ("arm-linux-gnueabihf-g++", "dmb osh", "dsb st", (1, 2, 4)),
    ],
)
def test_arm(tmp_path: Path, compiler: str, after: str, before: str, widths: tuple[int, ...]) -> None:
    code = instructions(compiler, tmp_path)
    assert ("read_8" in code) == (8 in widths)
    for width in widths:
        load, store = ARM64[width]
        reading, writing = code[f"read_{width}"], code[f"write_{width}"]
        assert reading[0].split()[0] == load
        assert after in reading
        written = writing[writing.index(before) + 1]
        assert written.split()[0] == store
        for line in (reading[0], written):
            assert re.search(r"\[[xr]\d+\](?!!|,)", line), line  # no write-back of the address
    everything = [line for lines in code.values() for line in lines]
    assert not [line for line in everything if re.match(r"(ldp|stp|ldrd|strd|ldm|stm)\b.*\[[xr]0", line)]
    assert code["pull"].count(after) == 1
    assert code["push"].count(before) == 1
    starting = code["start"]
    stores = [at for at, line in enumerate(starting) if line.startswith("str")]
    assert len(stores) == 2
    assert stores[0] < starting.index(before) < stores[1]
    finishing = code["finish"]
    loads = [at for at, line in enumerate(finishing) if line.startswith("ldr")]
    assert len(loads) == 3
    assert loads[1] < finishing.index(after) < loads[2]


def test_x86(tmp_path: Path) -> None:
    """One move of the right width, and no fence: loads, and stores, are in order there."""
    if (
        shutil.which("uname") is None
        or subprocess.run(["uname", "-m"], capture_output=True).stdout != b"x86_64\n"
    ):
        pytest.skip("no x86-64 machine")
    code = instructions("g++", tmp_path)
    everything = [line for lines in code.values() for line in lines]
    assert not [line for line in everything if re.match(r"(.fence|lock|xchg)", line)]
    for width, register in ((1, r"%\w*l"), (2, r"%\w*[xi]"), (4, r"%e\w+"), (8, r"%r\w+")):
        moves = [
            line for line in code[f"write_{width}"] if re.search(rf"^mov[bwlq]? {register}, \(%r\w+\)$", line)
        ]
        assert len(moves) == 1, code[f"write_{width}"]
    finishing = [line for line in code["finish"] if "(%r" in line]
    assert len(finishing) == 3  # the buffer is read again after the register
