"""What ``ps7_init`` and ``psu_init`` do to the processor's registers, read from their text.

Vivado writes them as Tcl for the debugger and as C for the first-stage boot loader. Both are lists of calls
in a function a step (``ps7_pll_init_data_3_0``)::

    mask_write 0XF8000170 0x03F03F30 0x00400800      EMIT_MASKWRITE(0XF8000170, 0x03F03F30U ,0x00400800U),
    mwr -force 0XF8000008 0x0000DF0D                 EMIT_WRITE(0XF8000008, 0x0000DF0DU),
    mask_poll 0XF800010C 0x00000004                  EMIT_MASKPOLL(0XF800010C, 0x00000004U),
    mask_delay 0XF8F00200 1                          EMIT_MASKDELAY(0XF8F00200, 1),

``psu_init.c`` calls ``PSU_Mask_Write(NAME_OFFSET, mask, value)``, with the names in ``psu_init.h``. Nothing
is evaluated: a call whose arguments are no numbers (what DDR training does in loops) is counted and left out.
What a step does is in the loader: U-Boot's ``arch/arm/mach-zynq/ps7_spl_init.c`` (a poll ends at any bit of
its mask), its macros in ``ps7_init_gpl.h``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from pynq.design.bounded import check_size
from pynq.errors import DesignError, Problem

__all__ = ["MAX_BYTES", "MAX_OPERATIONS", "Operation", "PsInit", "read_ps_init"]

MAX_BYTES = 16 << 20
"""Largest file that is read, in bytes; ``psu_init.c`` has about 1 MB."""
MAX_OPERATIONS = 100_000
_LINE = 4000  # characters; longer ones are none of Vivado's

_KINDS = {
    "mask_write": "mask_write",
    "psu_mask_write": "mask_write",
    "emit_maskwrite": "mask_write",
    "mwr": "write",
    "emit_write": "write",
    "mask_poll": "poll",
    "emit_maskpoll": "poll",
    "mask_pollonvalue": "poll",
    "poll": "poll",
    "mask_delay": "delay",
    "emit_maskdelay": "delay",
    "prog_reg": "field",
    "emit_clear": "clear",
}
_ARGUMENTS = {
    "mask_write": (3,),
    "write": (2,),
    "poll": (2, 3),
    "delay": (1, 2),
    "field": (4,),
    "clear": (1,),
}
_NAMES = "|".join(sorted(_KINDS, key=len, reverse=True))
_TCL_CALL = re.compile(rf"({_NAMES})((?:[ \t]+\S+){{1,6}})[ \t]*;?\s*\Z", re.IGNORECASE)
_C_CALL = re.compile(rf"({_NAMES})[ \t]*\(([^()]{{1,400}})\)", re.IGNORECASE)
_TCL_SECTION = re.compile(r"proc[ \t]+(\w{1,100})[ \t]")
_C_SECTION = re.compile(
    r"(?:static[ \t]+)?(?:unsigned[ \t]+)?(?:long|int)[ \t]+(\w{1,100})[ \t]*(?:\[|\((?!.*;))"
)
_DEFINE = re.compile(
    r"[ \t]*#[ \t]*define[ \t]+(\w{1,100})[ \t]+(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})U?L?[ \t]*\Z"
)
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})[uUlL]{0,3}\Z")


class Operation(NamedTuple):
    """One access to a register of the PS, in the order of the file.

    ``kind``: "write" (all of it), "mask_write" (the bits of ``mask``), "field" (``value`` shifted to the
    lowest bit of ``mask``), "poll" (until a bit of ``mask`` is set, or all of them have ``value``), "delay"
    (``mask`` is the count), "clear".
    """

    kind: str
    address: int
    mask: int | None
    value: int | None
    line: int


class PsInit(NamedTuple):
    """All steps. ``sections`` are the functions in the file's order, ``skipped`` calls that are computed."""

    file: str
    sections: Mapping[str, tuple[Operation, ...]]
    skipped: int

    @property
    def total(self) -> int:
        """Number of operations."""
        return sum(map(len, self.sections.values()))


def read_ps_init(data: bytes, file: str, header: bytes = b"") -> PsInit:
    """Read ``ps7_init`` or ``psu_init``, by the ending of ``file``: ``.tcl``, else C.

    Args:
        data: the file's contents.
        file: what errors call it.
        header: of a C file, the header beside it, with the addresses of names.

    Raises:
        DesignError: the file is too large, or has more than :data:`MAX_OPERATIONS` operations.
    """
    check_size(max(data, header, key=len), file, MAX_BYTES)
    tcl = file.lower().endswith(".tcl")
    names = {} if tcl else _defines(header) | _defines(data)
    begin = _TCL_SECTION if tcl else _C_SECTION
    sections: dict[str, list[Operation]] = {}
    current: list[Operation] = sections.setdefault("", [])
    count = skipped = 0
    comment = False
    for line, text in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if len(text) > _LINE:
            skipped += 1
            continue
        words = text.strip()
        if not tcl:
            comment, words = _without_comment(words, comment)
        if not words or words.startswith("#"):
            continue
        section = begin.match(words)
        if section is not None:
            current = sections.setdefault(section[1], [])
            continue
        for name, arguments in _calls(words, tcl):
            operation = _operation(name, arguments, names, line)
            if operation is None:
                skipped += 1
                continue
            current.append(operation)
            count += 1
            if count > MAX_OPERATIONS:
                raise DesignError([Problem(file, line, f"has more than {MAX_OPERATIONS} operations")])
    return PsInit(file, {name: tuple(found) for name, found in sections.items() if found}, skipped)


def _without_comment(text: str, inside: bool) -> tuple[bool, str]:
    """Take comments out of a line of C; return whether one goes on."""
    kept = ""
    while text:
        if inside:
            _, end, text = text.partition("*/")
            inside = not end
            continue
        before, begin, text = text.partition("/*")
        kept += before
        inside = bool(begin)
    return inside, kept.partition("//")[0].strip()


def _calls(text: str, tcl: bool) -> list[tuple[str, list[str]]]:
    if tcl:
        call = _TCL_CALL.match(text)
        return [(call[1], [word for word in call[2].split() if word != "-force"])] if call else []
    return [(call[1], [word.strip() for word in call[2].split(",")]) for call in _C_CALL.finditer(text)]


def _defines(data: bytes) -> dict[str, int]:
    found = {}
    for line in data.decode("utf-8", "replace").splitlines():
        match = _DEFINE.match(line)
        if match is not None:
            found[match[1]] = int(match[2], 0) if match[2][:2] in ("0x", "0X") else int(match[2])
    return found


def _operation(name: str, words: list[str], names: Mapping[str, int], line: int) -> Operation | None:
    kind = _KINDS[name.lower()]
    if len(words) not in _ARGUMENTS[kind]:
        return None
    numbers = []
    for word in words:
        match = _NUMBER.match(word)
        value = int(match[1], 16 if match[1][:2] in ("0x", "0X") else 10) if match else names.get(word)
        if value is None:
            return None
        numbers.append(value)
    address = numbers[0]
    if kind == "write":
        return Operation(kind, address, None, numbers[1], line)
    if kind == "field":
        return Operation(kind, address, numbers[1], numbers[3], line)
    if kind == "delay" and len(numbers) == 1:  # psu_init: a time without a timer's address
        return Operation(kind, 0, address, None, line)
    mask = numbers[1] if len(numbers) > 1 else None
    return Operation(kind, address, mask, numbers[2] if len(numbers) > 2 else None, line)
