"""Registers and register maps."""

from __future__ import annotations

import enum
import gc
import pickle
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from corekit import KINDS, HostDevice, Registers
from hypothesis import given, settings
from hypothesis import strategies as st

from pynq import _native
from pynq.design.model import AddressBlock, SourceRef
from pynq.design.model import Field as ModelField
from pynq.design.model import Register as ModelRegister
from pynq.errors import AccessError, BusError, FieldValueError, OverlayNotLoadedError
from pynq.mmio import MMIO
from pynq.registers import Register, RegisterMap, register_map_class


class Mode(enum.IntEnum):
    OFF = 0
    SLOW = 1
    FAST = 2


def field(offset: int, width: int, access: str = "read-write", **more: Any) -> dict[str, Any]:
    return {"bit_offset": offset, "bit_width": width, "access": access, "description": "", **more}


def register(offset: int, size: int = 32, access: str = "read-write", **fields: Any) -> dict[str, Any]:
    return {
        "address_offset": offset,
        "size": size,
        "access": access,
        "description": f"Register at {offset}.",
        "fields": {name.replace("__", " "): entry for name, entry in fields.items()},
    }


REGISTERS: dict[str, Any] = {
    "CTRL": register(
        0x00,
        AP_START=field(0, 1),
        AP_DONE=field(1, 1, "read-only"),
        MODE=field(4, 2, values=Mode),
        LEVEL=field(8, 8),
        KEY=field(24, 8, "write-only"),
    ),
    "STATUS": register(0x04, access="read-only", BUSY=field(0, 1, "read-only")),
    "COMMAND": register(0x08, access="write-only", GO=field(0, 1, "write-only")),
    "ISR": register(
        0x0C,
        DONE=field(0, 1, modified_write="oneToClear"),
        KEEP=field(1, 1, modified_write="zeroToClear"),
        MASK=field(8, 8),
    ),
    "WIDE": register(0x10, 64, LOW=field(0, 40), HIGH=field(40, 24)),
    "Channel-1 GPIO DATA": register(0x20),
    "2nd": register(0x24),
    "in": register(0x28),
    "a.b": register(0x2C),
    "a b": register(0x30),
    "NARROW": register(0x34, 7),
    "FIFO": register(0x38, access="read-only", DATA=field(0, 32, "read-only", read_action="modify")),
    "IVAR[0]": register(0x100, IRQ__Vector=field(0, 32)),
    "IVAR[1]": register(0x104, IRQ__Vector=field(0, 32)),
    "IVAR[2]": register(0x108, IRQ__Vector=field(0, 32)),
    "Memory_lut": register(0x200, 1024),
}
Map = RegisterMap.create_subclass("dut_0", REGISTERS)


@pytest.fixture
def rm(registers: Registers, kind: str) -> Any:
    return Map(registers.window(kind))


# -- fields ------------------------------------------------------------------------------------------------
def test_fields_are_bits(rm: Any, registers: Registers) -> None:
    rm.CTRL.AP_START = 1
    rm.CTRL.LEVEL = 0xA5
    assert registers.bytes[:4].view("u4")[0] == 0xA501
    assert (rm.CTRL.AP_START, rm.CTRL.AP_DONE, rm.CTRL.LEVEL) == (1, 0, 0xA5)
    rm.CTRL.LEVEL = np.uint8(3)
    rm.CTRL.AP_START = False
    assert int(rm.CTRL) == 0x300
    assert rm.CTRL is rm.CTRL


def test_enumerations(rm: Any) -> None:
    rm.CTRL.MODE = Mode.FAST
    assert rm.CTRL.MODE is Mode.FAST
    rm.CTRL.MODE = 1
    assert rm.CTRL.MODE is Mode.SLOW
    assert "MODE=SLOW" in repr(rm.CTRL)
    rm.CTRL.MODE = 3  # a value without a name is a plain number
    assert rm.CTRL.MODE == 3
    kind = Register.create_subclass("X", {"f": field(0, 2, values={"no": 0, "yes": 1})})
    made = kind(0, buffer=np.array([1], "u4"))
    assert getattr(made, "f").name == "yes"  # noqa: B009


def test_values_that_do_not_fit(rm: Any, registers: Registers) -> None:
    for value in (2, -1, 2**70):
        with pytest.raises(
            FieldValueError, match=rf"{value} does not fit field AP_START of register CTRL, .* 0 to 1"
        ):
            rm.CTRL.AP_START = value
    with pytest.raises(FieldValueError, match="0 to 255"):
        rm.CTRL.LEVEL = 256
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError, match="takes an int"):
            rm.CTRL.LEVEL = wrong
    assert not registers.bytes.any()
    assert not registers.log


def test_access_rights(rm: Any, registers: Registers) -> None:
    with pytest.raises(FieldValueError, match="field AP_DONE of register CTRL is read-only"):
        rm.CTRL.AP_DONE = 1
    with pytest.raises(FieldValueError, match="field KEY of register CTRL is write-only"):
        _ = rm.CTRL.KEY
    with pytest.raises(FieldValueError, match=r"register STATUS \(offset 0x4\) is read-only"):
        rm.STATUS = 1
    with pytest.raises(FieldValueError, match=r"STATUS .* is read-only"):
        rm.STATUS[0] = 1
    with pytest.raises(FieldValueError, match=r"register COMMAND \(offset 0x8\) is write-only"):
        int(rm.COMMAND)
    with pytest.raises(FieldValueError, match="write-only"):
        _ = rm.COMMAND[3:0]
    assert not registers.log
    rm.COMMAND = 5
    rm.CTRL.KEY = 0x7F
    assert registers.bytes[8] == 5
    assert registers.bytes[3] == 0x7F
    with pytest.raises(TypeError, match="can't be deleted"):
        del rm.CTRL.LEVEL
    with pytest.raises(TypeError, match="can't be deleted"):
        del rm.CTRL


def test_writing_a_field_leaves_status_bits_alone(rm: Any, registers: Registers) -> None:
    """Bits that are cleared by ones must not be written back as read, or an interrupt is lost."""
    registers.bytes[0x0C] = 0b11
    rm.ISR.MASK = 7
    assert registers.bytes[0x0C:0x10].view("u4")[0] == 0x702
    registers.bytes[0x0C] = 0b00
    rm.ISR.MASK = 8
    assert registers.bytes[0x0C:0x10].view("u4")[0] == 0x802
    rm.ISR.DONE = 1
    assert registers.bytes[0x0C:0x10].view("u4")[0] == 0x803


def test_one_access_each(registers: Registers) -> None:
    rm: Any = Map(registers.window("bus"))
    assert not registers.log  # building a map must not touch the hardware (PYNQ#1435)
    _ = rm.CTRL.AP_START
    assert registers.log == [("r", 0, 4)]
    rm.CTRL = 5
    rm["IVAR[1]"].IRQ_Vector = 5  # the whole register: nothing to be read
    assert registers.log[1:] == [("w", 0, 4), ("w", 0x104, 4)]
    rm.CTRL.AP_START = 0
    assert registers.log[3:] == [("r", 0, 4), ("w", 0, 4)]


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_fields_of_any_layout(data: st.DataObject) -> None:
    """Fields side by side keep apart: what was written to each is what it reads, and nothing else changes."""
    size = data.draw(st.sampled_from([32, 64]))
    cuts = sorted(data.draw(st.sets(st.integers(1, size - 1), max_size=8)))
    edges = [0, *cuts, size]
    fields = {f"f{i}": field(a, b - a) for i, (a, b) in enumerate(pairwise(edges))}
    registers = Registers(32)
    kind = RegisterMap.create_subclass("any", {"R": register(8, size, **fields)})
    rm: Any = kind(registers.window(data.draw(st.sampled_from(KINDS))))
    expected = dict.fromkeys(fields, 0)
    for _ in range(data.draw(st.integers(1, 8))):
        name = data.draw(st.sampled_from(sorted(fields)))
        expected[name] = data.draw(st.integers(0, 2 ** fields[name]["bit_width"] - 1))
        setattr(rm.R, name, expected[name])
        assert {name: getattr(rm.R, name) for name in fields} == expected
    whole = sum(value << fields[name]["bit_offset"] for name, value in expected.items())
    assert int(rm.R) == whole
    assert registers.bytes.tobytes() == bytes(8) + whole.to_bytes(8, "little") + bytes(16)


# -- registers ---------------------------------------------------------------------------------------------
def test_whole_registers(rm: Any, registers: Registers) -> None:
    rm.CTRL = 0x12345678
    assert int(rm.CTRL) == 0x12345678
    assert hex(rm.CTRL) == str(rm.CTRL) == "0x12345678"
    rm.CTRL = -1
    assert int(rm.CTRL) == 0xFFFFFFFF
    rm.IVAR_0_ = rm.CTRL
    assert int(rm.IVAR_0_) == 0xFFFFFFFF
    rm.WIDE = 0x1122334455667788
    assert registers.bytes[0x10:0x18].view("u8")[0] == 0x1122334455667788
    assert (rm.WIDE.LOW, rm.WIDE.HIGH) == (0x4455667788, 0x112233)
    rm.NARROW = 0xFFFFFFFF  # programs write masks of 32 bits to registers of a few
    with pytest.raises(FieldValueError, match="does not fit 4 bytes"):
        rm.CTRL = 1 << 32
    with pytest.raises(TypeError, match="takes an int"):
        rm.CTRL = 1.5


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 0),
        (1, 1),
        (31, 1),
        (slice(7, 0), 0xF2),
        (slice(7, 4), 0xF),
        (slice(None), 0x8000_00F2),
        (slice(31, 0), 0x8000_00F2),
        (slice(4, 7), 0xF),
        (slice(0, 7), 0x4F),
        (slice(None, None, 1), 0x4F00_0001),
        (slice(None, None, -1), 0x8000_00F2),
        (slice(3, None), 0x2),
        (slice(None, 28), 0x8),
        (slice(5, 5), 1),
        (np.int64(1), 1),
    ],
)
def test_slices(index: Any, value: int) -> None:
    """As in hardware description: both ends count, the highest bit comes first."""
    reg = Register(0x4000_0000, buffer=np.array([0x8000_00F2], "u4"))
    assert reg[index] == value


@pytest.mark.parametrize("index", [32, -1, slice(32, 0), slice(3, -1), slice(0, 31, 2), "3", 1.0])
def test_wrong_slices(index: Any) -> None:
    reg = Register(0, buffer=np.array([0], "u4"))
    with pytest.raises(ValueError, match=r"bit|step|index"):
        reg[index]
    with pytest.raises(ValueError, match=r"bit|step|index"):
        reg[index] = 0


@given(
    width=st.sampled_from([32, 64]),
    start=st.integers(0, 63),
    stop=st.integers(0, 63),
    before=st.integers(0, 2**64 - 1),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_slices_keep_other_bits(width: int, start: int, stop: int, before: int, data: st.DataObject) -> None:
    start, stop = start % width, stop % width
    memory = np.array([before % (1 << width)], f"u{width // 8}")
    reg = Register(0, width, buffer=memory)
    count = abs(start - stop) + 1
    value = data.draw(st.integers(0, 2**count - 1))
    reg[start:stop] = value
    assert reg[start:stop] == value
    assert Register.count(slice(start, stop), width) == count
    low = min(start, stop)
    mask = ((1 << count) - 1) << low
    assert int(memory[0]) & ~mask == before % (1 << width) & ~mask
    straight = value if start >= stop else int(f"{value:0{count}b}"[::-1], 2)
    assert int(memory[0]) >> low & ((1 << count) - 1) == straight
    with pytest.raises(FieldValueError, match=f"does not fit {count} bit"):
        reg[start:stop] = 1 << count


def test_a_register_of_its_own(device: HostDevice) -> None:
    reg = Register(0x4000_0010, device=device)
    reg[7:0] = 0xAB
    assert device.registers.bytes[0x10] == 0xAB
    assert (reg.address, reg.width, reg.access) == (0x4000_0010, 32, "read-write")
    assert repr(reg) == "Register(value=171)"
    mmio = MMIO(0x4000_0000, 0x100, device)
    assert int(Register(0x10, buffer=mmio)) == 0xAB
    assert int(Register(0, buffer=mmio.array[4:5])) == 0xAB
    read_only = Register(0x10, buffer=mmio, access="read-only")
    with pytest.raises(FieldValueError, match="read-only"):
        read_only[0] = 1
    with pytest.raises(ValueError, match="32 or 64"):
        Register(0, 16, buffer=bytearray(8))
    with pytest.raises(TypeError, match="hardware"):
        pickle.dumps(reg)
    with pytest.raises(TypeError, match="never initialised"):
        int(Register.__new__(Register))


def test_fields_named_like_the_class_s_own(registers: Registers) -> None:
    """Fields of real IP are called "count", "width" or "access"; they win."""
    fields = {name: field(i, 1) for i, name in enumerate(["address", "width", "access", "count", "_bind"])}
    entry = register(0) | {"fields": fields}
    rm: Any = RegisterMap.create_subclass("x", {"R": entry})(registers.window("memory"))
    rm.R.width = 1
    rm.R.count = 1
    rm.R._bind_ = 1
    assert int(rm.R) == 0b11010
    assert rm.R[4:1] == 0b1101
    assert repr(rm.R) == "Register(address=0, width=1, access=0, count=1, _bind_=1)"


# -- maps --------------------------------------------------------------------------------------------------
def test_spelling(rm: Any) -> None:
    rm.Channel_1_GPIO_DATA = 1
    rm.r2nd = 2
    rm.in_ = 3
    rm.a_b = 4
    rm.a_b_2 = 5
    for name, value in (("Channel-1 GPIO DATA", 1), ("2nd", 2), ("in", 3), ("a.b", 4), ("a b", 5)):
        assert int(rm[name]) == value
        assert name in rm
    rm["Channel-1 GPIO DATA"] = 9
    assert int(rm.Channel_1_GPIO_DATA) == 9
    assert "a_b" in rm
    assert "nothing" not in rm


def test_arrays_of_registers(rm: Any) -> None:
    rm.IVAR[1] = 7
    rm.IVAR[2].IRQ_Vector = 8
    assert int(rm.IVAR_1_) == int(rm["IVAR[1]"]) == 7
    assert [int(each) for each in rm.IVAR] == [0, 7, 8]
    assert len(rm.IVAR) == 3
    rm.IVAR = [1, 2, 3]
    assert [int(each) for each in rm.IVAR[1:]] == [2, 3]
    rm.IVAR[:2] = (5, 6)
    assert int(rm.IVAR[0]) == 5
    assert repr(rm.IVAR) == "<3 registers IVAR[0] to IVAR[2]>"
    with pytest.raises(FieldValueError, match=r"IVAR\[3\] does not exist; there are IVAR\[0\] to IVAR\[2\]"):
        rm.IVAR[3] = 1
    with pytest.raises(FieldValueError, match="2 values for 3 registers"):
        rm.IVAR = [1, 2]


def test_memories(rm: Any, registers: Registers) -> None:
    rm.Memory_lut[3] = 9
    rm.Memory_lut[4:6] = [1, 2]
    assert registers.bytes[0x200 : 0x200 + 24].view("u4").tolist() == [0, 0, 0, 9, 1, 2]
    assert len(rm.Memory_lut) == 32
    rm.Memory_lut = 7
    assert (registers.bytes[0x200:0x280].view("u4") == 7).all()
    assert not registers.bytes[0x280:0x284].any()


def test_a_typo_fails(rm: Any) -> None:
    for action in (lambda: rm.CTLR, lambda: setattr(rm, "CTLR", 1), lambda: rm["CTLR"]):
        with pytest.raises(AttributeError, match="register map dut_0 has no 'CTLR'; did you mean CTRL"):
            action()
    for action in (lambda: rm.CTRL.ap_start, lambda: setattr(rm.CTRL, "ap_start", 1)):
        with pytest.raises(AttributeError, match="register CTRL has no 'ap_start'; did you mean AP_START"):
            action()
    with pytest.raises(AttributeError, match="it has AP_START, AP_DONE"):
        _ = rm.CTRL.zzzzzz
    assert not hasattr(rm, "CTLR")
    assert not hasattr(rm, "_repr_html_")
    assert hasattr(rm, "CTRL")


def test_errors_of_the_bus_stay_what_they_are(registers: Registers) -> None:
    window = registers.window("bus")
    rm: Any = Map(window)
    registers.fail = -1
    with pytest.raises(BusError):
        _ = rm.CTRL.AP_START
    with pytest.raises(BusError):
        rm.CTRL.AP_START = 1
    window.invalidate("replaced by other.bit")
    for action in (lambda: rm.CTRL.AP_START, lambda: setattr(rm, "CTRL", 1), lambda: int(rm.CTRL)):
        with pytest.raises(OverlayNotLoadedError, match=r"replaced by other.bit"):
            action()
    small: Any = Map(Registers(8).window("memory"))
    with pytest.raises(AccessError):
        int(small.WIDE)


def test_repr(rm: Any, registers: Registers) -> None:
    registers.bytes[:4] = [0x21, 5, 0, 9]
    text = repr(rm)
    assert text.startswith("RegisterMap {\n  CTRL = Register(AP_START=1, AP_DONE=0, MODE=FAST, LEVEL=5, KEY=")
    assert "KEY=write-only)" in text
    assert "  COMMAND = Register(GO=write-only),\n" in text
    assert "FIFO = Register(not read, as reading changes it)" in text
    assert "Memory_lut = <RegisterArray of 32" in text
    assert text.index("IVAR_0_") < text.index("IVAR_1_") < text.index("Memory_lut")
    assert ("r", 0x38, 4) not in registers.log
    assert ("r", 0x08, 4) not in registers.log
    if registers.log:
        assert registers.log.count(("r", 0, 4)) == 1
    rm.CTRL.MODE = 3
    assert "MODE=3 (no name)" in repr(rm.CTRL)
    assert [type(each).__name__ for each in rm][:2] == ["RegisterCTRL", "RegisterSTATUS"]
    assert len(rm) == 16


def test_help(rm: Any) -> None:
    assert Map.CTRL.__doc__ == "Register at 0."  # type: ignore[attr-defined]
    assert {"CTRL", "IVAR", "IVAR_0_", "in_"} <= set(dir(rm))
    assert {"AP_START", "LEVEL"} <= set(dir(rm.CTRL))
    assert rm.CTRL.__doc__ == "Register at 0."
    assert repr(type(rm.CTRL).LEVEL) == "<Field LEVEL: bits 15 to 8>"
    assert repr(type(rm.CTRL).AP_START) == "<Field AP_START: bit 0>"


def test_what_a_map_is_made_on(device: HostDevice) -> None:
    memory = np.zeros(0x100, "u4")
    for place in (memory, memoryview(memory), MMIO(0x4000_0000, 0x400, device), memory.view("u1")):
        rm: Any = Map(place)
        rm.CTRL = 7
        assert int(rm.CTRL) == 7
    assert memory[0] == 7
    with HostDevice("functions") as other:
        rm = Map(MMIO(0x4000_0000, 0x400, other).array)
        rm.CTRL = 8
        assert other.registers.bytes[0] == 8
    with pytest.raises(TypeError, match="make a subclass"):
        RegisterMap(memory)
    with pytest.raises(TypeError, match="hardware"):
        pickle.dumps(rm)
    with pytest.raises(TypeError, match="bound once"):
        rm._bind(device.map(0x4000_0000, 4), 1)


def test_the_class_of_a_block() -> None:
    place = SourceRef("x.hwh", 1)

    def block() -> AddressBlock:
        fields = (
            ModelField("DONE", 0, 1, "read-write", 0, "Done.", 3, modified_write="oneToClear"),
            ModelField("LEVEL", 8, 8, "read-write", 3, "", 4),
            ModelField("DATA", 16, 8, "read-only", None, "", 5, read_action="clear"),
        )
        registers = (ModelRegister("SR", 0x14, 32, "read-write", 0x300, "Status.", fields, 2),)
        return AddressBlock("Reg", "s_axi", 0, 0x20, "register", "", registers, place)

    first = block()
    kind = register_map_class("x", first)
    assert register_map_class("x", first) is kind
    memory = np.array([0] * 5 + [1], "u4")
    rm: Any = kind(memory)
    rm.SR.LEVEL = 9
    assert memory[5] == 0x900
    assert rm.SR.reset_value == 0x300
    assert repr(rm.SR) == "Register(DONE=0, LEVEL=9, DATA=0)"  # can be written, so it is no FIFO
    gone = weakref.ref(first)
    del first, kind, rm
    gc.collect()
    assert gone() is None
    assert register_map_class("x", block()).__name__ == "RegisterMapx"


def test_maps_are_collected(registers: Registers) -> None:
    window = registers.window("memory")
    rm: Any = Map(window)
    rm.IVAR[0] = int(rm.CTRL)
    gone = weakref.ref(rm), weakref.ref(rm.CTRL), weakref.ref(window)
    del rm, window
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3


def test_natives_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="don't fit a register"):
        _native.Field("f", 60, 8)
    with pytest.raises(ValueError, match="don't fit a register"):
        _native.Field("f", 0, 0)
    with pytest.raises(ValueError, match="negative"):
        _native.Slot("s", -1)
    lonely = type("X", (), {"f": _native.Field("f", 0, 1), "s": _native.Slot("s", 0)})()
    with pytest.raises(TypeError, match="belongs to a register"):
        _ = lonely.f
    with pytest.raises(TypeError, match="belongs to a register map"):
        _ = lonely.s
    with pytest.raises(ValueError, match="16 bits can't be accessed with 1 bytes"):
        Register.__new__(Register)._bind(Registers(8).window("memory"), 0, 1, 16, True, True, "x")
