"""Register maps of hand-off files: address blocks, registers and their fields."""

from __future__ import annotations

import re

from pynq.design.hwh_raw import Problems, RawBlock, RawRegister
from pynq.design.model import AddressBlock, Field, Register, SourceRef

__all__ = ["MAX_REGISTER", "block_of", "number"]

MAX_REGISTER = 1 << 20
"""Most bits of a register; the largest one seen so far has 1024."""

_NUMBER = re.compile(r"([+-]?)(?:(?:0[xX]|#)([0-9a-fA-F]{1,64})|([0-9]{1,64}))([kKmMgGtT]?)\Z")
_SCALES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def number(text: str) -> int | None:
    """A number as IP-XACT writes them ("scaledInteger"): 16, 0x10, 4K; None for all else (expressions)."""
    if text.isdecimal() and len(text) < 20 and text.isascii():
        return int(text)
    match = _NUMBER.match(text.strip())
    if match is None:
        return None
    sign, hexadecimal, decimal, scale = match.groups()
    value = (int(hexadecimal, 16) if hexadecimal else int(decimal)) << _SCALES[scale.lower()]
    return -value if sign == "-" else value


def block_of(raw: RawBlock, path: str, file: str, problems: Problems) -> AddressBlock:
    """Return a block of registers of the cell at ``path``; what is wrong with it goes to ``problems``."""
    attributes, registers, line = raw
    get = attributes.get
    return AddressBlock(
        name=get("NAME", ""),
        interface=get("INTERFACE", ""),
        offset=number(get("BASE", "0")) or 0,
        # An expression in place of the number is not worked out: the ranges of the masters have the size
        # in use.
        range=number(get("RANGE", "0")) or 0,
        usage=get("USAGE", ""),
        access=get("ACCESS", ""),
        registers=tuple(
            [built for register in registers if (built := _register(register, path, problems)) is not None]
        ),
        source=SourceRef(file, line),
    )


def _register(raw: RawRegister, path: str, problems: Problems) -> Register | None:
    """Numbers may be expressions that the tool left as they are (docs/errata.md, F-15): the size is then
    taken for 32 bits; a register or field whose place is unknown is left out.
    """
    attributes, properties, fields, line = raw
    get = properties.get
    name = attributes["NAME"]
    offset = number(get("ADDRESS_OFFSET") or "0")
    size = number(get("SIZE") or "32")
    if offset is None and _is_expression(get("ADDRESS_OFFSET")):
        return None
    if size is None and _is_expression(get("SIZE")):
        size = 32
    if offset is None or offset < 0:
        problems.add(
            line, f"register {name!r} of {path!r}: ADDRESS_OFFSET={get('ADDRESS_OFFSET')!r} is no address"
        )
        offset = 0
    if size is None or not 0 <= size <= MAX_REGISTER:
        problems.add(line, f"register {name!r} of {path!r}: SIZE={get('SIZE')!r} is no number of bits")
        size = 0
    make = tuple.__new__
    built = []
    for field_attributes, field_properties, field_line in fields:
        get = field_properties.get
        field_name = field_attributes["NAME"]
        low = number(get("BIT_OFFSET") or "0")
        width = number(get("BIT_WIDTH") or "1")
        if low is None or width is None or low < 0 or width < 0:
            if _is_expression(get("BIT_OFFSET")) or _is_expression(get("BIT_WIDTH")):
                continue
            problems.add(
                field_line,
                f"field {field_name!r} of register {name!r} of {path!r}: BIT_OFFSET={get('BIT_OFFSET')!r}"
                f" BIT_WIDTH={get('BIT_WIDTH')!r} are no bit numbers",
            )
            continue
        if low + width > max(64, size):  # those that end beyond their register's size are real
            problems.add(
                field_line,
                f"field {field_name!r} of register {name!r} of {path!r}: bits {low} to {low + width - 1}"
                f" are in no register of {size} bits",
            )
            continue
        built.append(
            make(
                Field,
                (
                    field_name,
                    low,
                    width,
                    get("ACCESS", "read-write"),
                    number(get("RESET_VALUE", "")),
                    get("DESCRIPTION", ""),
                    field_line,
                    get("MODIFIED_READ_VALUES", ""),  # sic: it holds modifiedWriteValue ("oneToClear")
                    get("READ_ACTION", ""),
                    (),
                ),
            )
        )
    get = properties.get
    return make(
        Register,
        (
            name,
            offset,
            size,
            get("ACCESS", "read-write"),
            number(get("RESET_VALUE", "")),
            get("DESCRIPTION", ""),
            tuple(built),
            line,
            None,
        ),
    )


def _is_expression(text: str | None) -> bool:
    """Whether a value is a formula of IP-XACT, such as ``spirit:decode(id('PARAM_VALUE.W'))``."""
    return text is not None and "(" in text
