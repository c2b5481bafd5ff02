"""Registers by name: register maps made from a design's description.

``ip.register_map.CTRL.AP_START = 1`` finds the register ``CTRL`` of the IP and its field ``AP_START``. The
classes are made from the description when a map is first asked for; reading or writing a field is one pass
through C, and one bus access (two for a field that is not the whole register, when it is written).

Spelling of names: every character that Python does not allow in a name becomes ``_`` (``Channel-1 GPIO
DATA``: ``Channel_1_GPIO_DATA``), a leading digit gets an ``r`` before it; a Python keyword (``in``) gets a
``_`` after it, and so does a name that this module uses itself; of several names that are spelled alike the
later ones get ``_2``, ``_3``. The name as the description has it always works as an index:
``register_map["Channel-1 GPIO DATA"]``. Registers ``IVAR[0]``, ``IVAR[1]``, ... are ``IVAR_0_``,
``IVAR_1_``, ... and together the array ``IVAR``: ``register_map.IVAR[1]``.
"""

from __future__ import annotations

import enum
import keyword
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, SupportsIndex, cast

from pynq import device as devices
from pynq._native import Field, RegisterBase, RegisterMapBase, Slot, Window
from pynq.errors import FieldValueError
from pynq.memory import RegisterArray
from pynq.wording import near

if TYPE_CHECKING:
    from pynq.design import model
    from pynq.device import Device

__all__ = [
    "FieldRow",
    "Register",
    "RegisterGroup",
    "RegisterMap",
    "RegisterRow",
    "register_map_class",
    "register_rows",
]

_ELEMENT = re.compile(r"(.+)\[(\d+)\]")
_ILLEGAL = re.compile(r"\W", re.ASCII)
# IP-XACT (IEEE 1685) modifiedWriteValue: what must be written to leave such bits alone.
_KEPT_BY_ZERO = {"oneToClear", "oneToSet", "oneToToggle"}
_KEPT_BY_ONE = {"zeroToClear", "zeroToSet", "zeroToToggle"}


@lru_cache(maxsize=4096)
def _spelled(name: str) -> str:
    safe = _ILLEGAL.sub("_", name)
    return f"r{safe}" if not safe or safe[0].isdigit() else safe


def _attribute(name: str, taken: Mapping[str, Any], owner: type) -> str:
    """Return the name's spelling as an attribute of a class that has those attributes already."""
    safe = _spelled(name)
    if keyword.iskeyword(safe) or (safe[0] == "_" and hasattr(owner, safe)):
        safe += "_"
    if safe in taken:
        number = 2
        while f"{safe}_{number}" in taken:
            number += 1
        safe = f"{safe}_{number}"
    return safe


def _readable(access: str) -> bool:
    return access not in ("write-only", "writeOnce")


def _writable(access: str) -> bool:
    return access != "read-only"


def _no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist."""
    if name.startswith("_"):  # notebooks probe for such names all the time
        return f"{what} has no attribute {name!r}"
    return f"{what} has no {name!r}; {near(name, known, 'it has')}"


def _enumeration(name: str, values: Any) -> Callable[[int], object] | None:
    if values is None or callable(values):
        return cast("Callable[[int], object] | None", values)
    make: Any = enum.IntEnum
    return cast("Callable[[int], object]", make(name, dict(values)))


def _members(values: Iterable[tuple[str, int]]) -> dict[str, int] | None:
    """Return the members of an enumeration under names that Python can use; None for no enumeration."""
    found: dict[str, int] = {}
    for name, value in values:
        member = _attribute(name, found, enum.IntEnum)
        if hasattr(enum.IntEnum, member) or member.startswith("_"):
            member = f"r{member}"
        found[member] = value
    return found or None


class Register(RegisterBase):
    """A register: its fields as attributes, its bits as slices, its value by ``int()``.

    Slices are written as in hardware description: both ends count, the highest bit first; ``reg[7:4]`` are
    four bits, and ``reg[4:7]`` the same in reverse order.

    Args:
        address: Absolute address; with ``buffer`` a window: offset in it.
        width: Number of bits, 32 or 64.
        buffer: The memory of the register (its first bytes), or a window; None: ask the device for the
        address. access: "read-write", "read-only" or "write-only". device: Where the address is, without
        ``buffer``; None: the active device.
    """

    __slots__ = ()

    _fields: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    reset_value: ClassVar[int | None] = None
    """What the register holds after a reset, where the description tells."""

    if TYPE_CHECKING:
        # Fields come from the description, which type checkers don't read.
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(
        self,
        address: int,
        width: int = 32,
        debug: bool = False,
        buffer: Any = None,
        access: str = "read-write",
        device: Device | str | None = None,
    ) -> None:
        if width not in (32, 64):
            raise FieldValueError(f"a register's width is {width}; it must be 32 or 64 bits")
        nbytes = width // 8
        offset = 0
        if buffer is None:
            window = devices.resolve(device).map(address, nbytes)
        elif isinstance(buffer, Window):
            window, offset = buffer, address
        elif isinstance(buffer, RegisterArray):
            window = buffer.window
        else:
            window = Window.from_memory(buffer, widest=8)
        self._bind(
            window, offset, nbytes, width, _readable(access), _writable(access), hex(address), 0, 0, address
        )

    def __str__(self) -> str:
        return hex(int(self))

    def __repr__(self) -> str:
        if not self._fields:
            shown = "write-only" if self._access == "write-only" else str(int(self))
            return f"Register(value={shown})"
        parts = {name: getattr(type(self), name) for name in self._fields}
        readable = [name for name, field in parts.items() if field.readable]
        # Showing must not take data out of a FIFO. Registers that can be written are shown although HLS
        # declares a read action for most of theirs: CTRL is what everybody wants to see.
        destructive = bool(readable) and all(
            self._fields[name].get("read_action") and not parts[name].writable for name in readable
        )
        if destructive:
            return "Register(not read, as reading changes it)"
        value = self._fetch() if readable else 0  # one access for all fields
        shown_fields = []
        for name, field in parts.items():
            if not field.readable:
                text = "write-only"
            else:
                number = (value >> field.lower) & ((1 << field.bits) - 1)
                text = str(number)
                if field.values is not None:
                    try:
                        text = getattr(field.values(number), "name", text)
                    except ValueError:
                        text = f"{number} (no name)"
            shown_fields.append(f"{name}={text}")
        return f"Register({', '.join(shown_fields)})"

    def __reduce__(self) -> Any:
        raise TypeError(f"register {self._name} is hardware and can't be pickled")

    @classmethod
    def _unknown(cls, name: str) -> str:
        return _no_such(
            f"register {cls.__name__.removeprefix('Register') or cls.__name__}", name, cls._fields
        )

    @classmethod
    def create_subclass(
        cls, name: str, fields: Mapping[str, Mapping[str, Any]], doc: str | None = None
    ) -> type[Register]:
        """Return a class with the fields as attributes.

        Args:
            name: What the class is called, after "Register".
            fields: As in ``ip_dict``: name to ``bit_offset``, ``bit_width``, ``access``, ``description``.
            Also
                understood: ``values`` (an enumeration, or names to values), ``read_action`` and
                ``modified_write`` as in IP-XACT.
            doc: The class's docstring.
        """
        known: dict[str, Mapping[str, Any]] = {}
        members: dict[str, Any] = {"__slots__": (), "_fields": known}
        if doc:
            members["__doc__"] = doc
        for original, entry in fields.items():
            attribute = _attribute(original, known, cls)
            known[attribute] = entry
            access = entry.get("access", "")
            members[attribute] = Field(
                original,
                entry["bit_offset"],
                entry["bit_width"],
                _readable(access),
                _writable(access),
                entry.get("description", ""),
                _enumeration(attribute, entry.get("values")),
            )
        return type(f"Register{_spelled(name)}", (cls,), members)

    @classmethod
    def count(cls, index: int | slice, width: int = 32) -> int:
        """Return the number of bits that an index or slice of a register of ``width`` bits means."""
        return cls._count(index, width)


class RegisterGroup(Sequence[Any]):
    """Registers ``NAME[0]``, ``NAME[1]``, ... of a map, by number. Items are registers; items set are
    written."""

    __slots__ = ("_map", "_name", "_numbers")

    def __init__(self, owner: RegisterMap, name: str, numbers: Mapping[int, str]) -> None:
        self._map = owner
        self._name = name
        self._numbers = numbers

    def _attribute(self, number: SupportsIndex) -> str:
        try:
            return self._numbers[number.__index__()]
        except KeyError:
            numbers = sorted(self._numbers)
            raise FieldValueError(
                f"{self._name}[{number}] does not exist; there are {self._name}[{numbers[0]}] to "
                f"{self._name}[{numbers[-1]}]"
            ) from None

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self._map, self._numbers[number]) for number in sorted(self._numbers))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return getattr(self._map, self._attribute(index))

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            attributes = [self._numbers[number] for number in sorted(self._numbers)][index]
            values = list(value)
            if len(values) != len(attributes):
                raise FieldValueError(f"{len(values)} values for {len(attributes)} registers of {self._name}")
            for attribute, item in zip(attributes, values, strict=True):
                setattr(self._map, attribute, item)
        else:
            setattr(self._map, self._attribute(index), value)

    def _assign(self, value: Any) -> None:
        self[:] = value

    def __repr__(self) -> str:
        numbers = sorted(self._numbers)
        return f"<{len(self)} registers {self._name}[{numbers[0]}] to {self._name}[{numbers[-1]}]>"


class _Words(RegisterArray):
    """A memory among the registers (larger than 64 bits), as an array of words."""

    __slots__ = ()

    def _assign(self, value: Any) -> None:
        self[:] = value


def _halves(window: Window, offset: int) -> Window:
    """Return a window on 64 bits that are not aligned as such; they go over the bus as two words."""

    return Window.from_functions(
        lambda address, width: window.read(offset + address, width),
        lambda address, value, width: window.write(offset + address, value, length=width),
        0,
        8,
    )


class RegisterMap(RegisterMapBase):
    """The registers of an IP, by name; made from a subclass that :meth:`create_subclass` returns.

    Registers are attributes, and items by the name that the description has. Setting one writes it.
    Building a map does not touch the hardware; showing it (``repr``) reads every register that is not
    changed by reading.

    Args:
        buffer: Where the registers are: a window (``ip.mmio``), its ``array``, or memory.
    """

    __slots__ = ()

    _title: ClassVar[str] = ""
    # attribute -> name and entry of the description; None: no registers, this class is not to be instantiated
    _entries: ClassVar[dict[str, tuple[str, Any]] | None] = None
    _groups: ClassVar[dict[str, dict[int, str]]] = {}
    _order: ClassVar[tuple[str, ...]] = ()  # attributes by index
    _names: ClassVar[dict[str, str]] = {}  # name in the description -> attribute
    _classes: ClassVar[dict[str, type[Register]]] = {}

    if TYPE_CHECKING:
        # So do registers.
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, buffer: Any) -> None:
        if self._entries is None:
            raise TypeError("RegisterMap itself has no registers: make a subclass with create_subclass")
        if isinstance(buffer, Window):
            window = buffer
        elif isinstance(buffer, RegisterArray):
            window = buffer.window
        else:
            window = Window.from_memory(buffer)
        self._bind(window, len(self._order))

    def _make(self, index: int) -> Any:
        """Return the register with that number; called once for each."""
        attribute = self._order[index]
        if attribute in self._groups:
            return RegisterGroup(self, attribute, self._groups[attribute])
        assert self._entries is not None
        name, entry = self._entries[attribute]
        offset, size = entry["address_offset"], entry["size"]
        if size > 64:
            return _Words(self._window.window(offset, size // 32 * 4))
        kind = self._classes.get(attribute)
        if kind is None:
            fields, text = entry.get("fields") or {}, entry["description"]
            kind = Register.create_subclass(attribute, fields, text)
            kind.reset_value = entry.get("reset")
            self._classes[attribute] = kind
        width = 8 if size > 32 else 4
        if offset % 4:  # never seen, but then only narrow accesses can reach it
            width = 2 if offset % 2 == 0 and size <= 16 else 1
        window = self._window
        if width == 8 and offset % 8:  # as Vitis HLS places addresses: two words of the bus
            window, offset = _halves(window, offset), 0
        zeros = ones = 0
        for field in (entry.get("fields") or {}).values():
            modified = field.get("modified_write")
            if modified:
                mask = ((1 << field["bit_width"]) - 1) << field["bit_offset"]
                zeros |= mask * (modified in _KEPT_BY_ZERO)
                ones |= mask * (modified in _KEPT_BY_ONE)
        access = entry["access"]
        made = kind.__new__(kind)
        made._bind(window, offset, width, 8 * width, _readable(access), _writable(access), name, zeros, ones)
        return made

    @property
    def _instances(self) -> dict[str, Any]:
        """Every register by its attribute name, in the order of addresses."""
        assert self._entries is not None
        entries = self._entries
        ordered = sorted(entries, key=lambda attribute: entries[attribute][1]["address_offset"])
        return {attribute: getattr(self, attribute) for attribute in ordered}

    def __getitem__(self, name: str) -> Any:
        return getattr(self, self._names.get(name, name))

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, self._names.get(name, name), value)

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._order

    def __iter__(self) -> Iterator[Any]:
        return iter(self._instances.values())

    def __len__(self) -> int:
        return len(self._entries or ())

    def __repr__(self) -> str:
        lines = [f"  {name} = {register!r}" for name, register in self._instances.items()]
        return "RegisterMap {\n" + ",\n".join(lines) + "\n}"

    def __reduce__(self) -> Any:
        raise TypeError(f"register map {self._title} is hardware and can't be pickled")

    @classmethod
    def _unknown(cls, name: str) -> str:
        return _no_such(f"register map {cls._title or cls.__name__}", name, cls._order)

    @classmethod
    def create_subclass(cls, name: str, registers: Mapping[str, Mapping[str, Any]]) -> type[RegisterMap]:
        """Return a class with the registers as attributes.

        Args:
            name: What the class is called, after "RegisterMap".
            registers: As in ``ip_dict``: name to ``address_offset`` (bytes), ``size`` (bits), ``access``,
                ``description`` and ``fields`` (see :meth:`Register.create_subclass`); ``reset`` is
                understood too.
        """
        entries: dict[str, tuple[str, Any]] = {}
        members: dict[str, Any] = {"__slots__": ()}
        names: dict[str, str] = {}
        elements: dict[str, dict[int, str]] = {}
        for original, entry in registers.items():
            attribute = _attribute(original, entries, cls)
            members[attribute] = Slot(original, len(entries), entry["description"])
            entries[attribute] = (original, entry)
            names[original] = attribute
            if original.endswith("]"):
                element = _ELEMENT.fullmatch(original)
                if element:
                    elements.setdefault(element[1], {})[int(element[2])] = attribute
        order = list(entries)
        groups = {}
        for original, numbers in elements.items():
            attribute = _spelled(original)
            if attribute not in members:
                text = f"{len(numbers)} registers {original}[number]"
                members[attribute] = Slot(original, len(order), text)
                groups[attribute] = numbers
                order.append(attribute)
        members.update(
            _title=name, _entries=entries, _groups=groups, _order=tuple(order), _names=names, _classes={}
        )
        return type(f"RegisterMap{_spelled(name)}", (cls,), members)


_made: dict[int, tuple[weakref.ref[Any], type[RegisterMap]]] = {}


def register_map_class(name: str, block: model.AddressBlock) -> type[RegisterMap]:
    """Return the class for the registers of an address block, the same for the same block.

    Unlike ``ip_dict`` the block tells also reset values, and fields that are changed by reading or cleared
    by ones.
    """
    found = _made.get(id(block))
    if found is not None and found[0]() is block:
        return found[1]
    registers = {
        register.name: {
            "address_offset": register.offset,
            "size": register.size,
            "access": register.access,
            "description": register.description,
            "reset": register.reset,
            "fields": {
                field.name: {
                    "bit_offset": field.offset,
                    "bit_width": field.width,
                    "access": field.access,
                    "description": field.description,
                    "modified_write": field.modified_write,
                    "read_action": field.read_action,
                    "values": _members(field.values),
                }
                for field in register.fields
            },
        }
        for register in block.registers
    }
    made = RegisterMap.create_subclass(name, registers)
    key = id(block)
    _made[key] = (weakref.ref(block, lambda _: _made.pop(key, None)), made)
    return made


class FieldRow(NamedTuple):
    """A field for a table. ``lower`` is its lowest bit, ``names`` what its values are called, if anything."""

    attribute: str
    name: str
    lower: int
    width: int
    readable: bool
    writable: bool
    description: str
    names: Mapping[int, str]


class RegisterRow(NamedTuple):
    """A register for a table: offset in bytes, size in bits.

    ``sensitive``: reading changes something (a FIFO, a bit that is cleared by it), so nobody should read it
    without being asked to.
    """

    attribute: str
    name: str
    offset: int
    size: int
    access: str
    readable: bool
    writable: bool
    sensitive: bool
    reset: int | None
    description: str
    fields: tuple[FieldRow, ...]


def register_rows(registers: RegisterMap) -> list[RegisterRow]:
    """Return what there is to tell about each register of a map, by address. Nothing is read."""
    rows = []
    for attribute, register in registers._instances.items():
        assert registers._entries is not None
        name, entry = registers._entries[attribute]
        known = register._fields if isinstance(register, Register) else {}
        access = entry["access"]
        rows.append(
            RegisterRow(
                attribute,
                name,
                entry["address_offset"],
                entry["size"],
                access,
                _readable(access) and isinstance(register, Register),
                _writable(access) and isinstance(register, Register),
                any(field.get("read_action") for field in known.values()),
                entry.get("reset"),
                entry["description"],
                tuple(_field_row(type(register), one, field) for one, field in known.items()),
            )
        )
    return rows


def _field_row(kind: type[Register], attribute: str, entry: Mapping[str, Any]) -> FieldRow:
    field = getattr(kind, attribute)
    names = field.values if isinstance(field.values, type) and issubclass(field.values, enum.IntEnum) else ()
    return FieldRow(
        attribute,
        field.__name__,
        field.lower,
        field.bits,
        field.readable,
        field.writable,
        entry.get("description", ""),
        {int(one): one.name for one in names},
    )
