"""The container ``xclbin2``: its header, its sections and the tables in them.

The form is that of XRT's public header ``xclbin.h`` (``struct axlf`` and what it holds): little-endian, a
fixed header of 456 bytes, a table of section headers of 40 bytes, then the sections. Only headers and the
sections asked for are read, so that a container with a bitstream of 60 MB costs no more than its metadata.
What is read may come from anywhere: places, lengths, overlaps and counts are checked, and everything that is
wrong is collected for one :class:`~pynq.errors.DesignError`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

from pynq.design.bounded import opened
from pynq.errors import DesignError, Problem

__all__ = [
    "IMAGES",
    "KINDS",
    "MAX_ENTRIES",
    "MAX_SECTION",
    "MEMORIES",
    "ClockEntry",
    "Connection",
    "Container",
    "IpEntry",
    "MemEntry",
    "Section",
    "describe_container",
]

MAX_SECTION = 32 << 20
"""Most bytes of a section that is read; metadata of real containers has some 100 KiB."""
MAX_SECTIONS = 1024
"""Most sections; XRT's own limit is 65,536 (XCLBIN_MAX_NUM_SECTION), real files have about 20."""
MAX_ENTRIES = 4096
"""Most entries of one table."""
MAX_PROBLEMS = 50

_MAGIC = b"xclbin2\0"
# struct axlf: magic, length of the signature, 28 reserved, 256 of key block, unique id; then axlf_header.
_AXLF = struct.Struct("<8si28x256xQ")
_HEADER = struct.Struct("<QQQHBBHH16s64s16s16sI4x")
_SECTION = struct.Struct("<I16s4xQQ")
_TABLE = _AXLF.size + _HEADER.size  # 456
_MIRROR = b"XCLBIN_MIRROR_DATA_START"

#: enum axlf_section_kind.
KINDS = (
    "BITSTREAM",
    "CLEARING_BITSTREAM",
    "EMBEDDED_METADATA",
    "FIRMWARE",
    "DEBUG_DATA",
    "SCHED_FIRMWARE",
    "MEM_TOPOLOGY",
    "CONNECTIVITY",
    "IP_LAYOUT",
    "DEBUG_IP_LAYOUT",
    "DESIGN_CHECK_POINT",
    "CLOCK_FREQ_TOPOLOGY",
    "MCS",
    "BMC",
    "BUILD_METADATA",
    "KEYVALUE_METADATA",
    "USER_METADATA",
    "DNA_CERTIFICATE",
    "PDI",
    "BITSTREAM_PARTIAL_PDI",
    "PARTITION_METADATA",
    "EMULATION_DATA",
    "SYSTEM_METADATA",
    "SOFT_KERNEL",
    "ASK_FLASH",
    "AIE_METADATA",
    "GROUP_TOPOLOGY",
    "GROUP_CONNECTIVITY",
    "SMARTNIC",
    "AIE_RESOURCES",
    "OVERLAY",
    "VENDER_METADATA",
    "AIE_PARTITION",
    "IP_METADATA",
    "AIE_RESOURCES_BIN",
    "AIE_TRACE_METADATA",
)
#: What configures the PL.
IMAGES = ("BITSTREAM", "CLEARING_BITSTREAM", "PDI", "BITSTREAM_PARTIAL_PDI")
_SINGLE = frozenset(
    (
        "EMBEDDED_METADATA",
        "MEM_TOPOLOGY",
        "CONNECTIVITY",
        "IP_LAYOUT",
        "CLOCK_FREQ_TOPOLOGY",
        "KEYVALUE_METADATA",
        "BUILD_METADATA",
        "GROUP_TOPOLOGY",
        "GROUP_CONNECTIVITY",
    )
)
#: enum XCLBIN_MODE.
_MODES = ("flat", "partial", "tandem stage 2", "tandem stage 2 partial", "hw_emu", "sw_emu", "hw_emu partial")
#: enum MEM_TYPE, as PYNQ's programs know them; the place is its number.
MEMORIES = (
    "DDR3",
    "DDR4",
    "DRAM",
    "Streaming",
    "Preallocated",
    "ARE",
    "HBM",
    "BRAM",
    "URAM",
    "AXI Stream",
    "HOST",
    "PS_KERNEL",
)
_STREAMING = (3, 9)
_IPS = ("MB", "KERNEL", "DNASC", "DDR4_CONTROLLER", "MEM_DDR4", "MEM_HBM", "MEM_HBM_ECC", "PS_KERNEL")
_CLOCKS = ("UNUSED", "DATA", "KERNEL", "SYSTEM")


class Section(NamedTuple):
    """A section: its kind (a number where that has no name), its own name, its place and size in bytes."""

    kind: str
    name: str
    offset: int
    size: int


class MemEntry(NamedTuple):
    """A bank or group of banks (``struct mem_data``); ``size`` in bytes. Of a stream ``base`` is its flow and
    ``size`` its route.
    """

    number: int
    tag: str
    kind: str
    used: bool
    base: int
    size: int
    streaming: bool


class IpEntry(NamedTuple):
    """Something on the AXI-Lite bus (``struct ip_data``). ``base`` is None where it has no registers."""

    number: int
    name: str  # "vadd:vadd_1"
    kind: str
    base: int | None
    properties: int


class Connection(NamedTuple):
    """Argument ``argument`` of the IP ``ip`` reaches the memory ``memory``; all are numbers of entries."""

    argument: int
    ip: int
    memory: int


class ClockEntry(NamedTuple):
    """A clock: its frequency in Hz and what it is for ("DATA", "KERNEL", "SYSTEM")."""

    name: str
    kind: str
    frequency: int


class Container:
    """The headers of a container, and its sections on demand.

    Raises:
        DesignNotFoundError: There is no such file.
        DesignError: It is no container of this version, or is damaged; every reason is in it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.problems: list[Problem] = []
        self.sections: tuple[Section, ...] = ()
        with opened(self.path) as stream:
            try:
                self._read_headers(stream)
            except OSError as error:
                raise DesignError([Problem(self.path, 0, f"can't be read: {error.strerror}")]) from error
        self.stop()

    def _read_headers(self, stream: BinaryIO) -> None:
        stream.seek(0, os.SEEK_END)
        self.bytes = stream.tell()
        stream.seek(0)
        head = stream.read(_TABLE)
        if not head.startswith(_MAGIC):
            self.fail(_wrong_magic(head))
        if len(head) < _TABLE:
            self.fail(f"is truncated: its {self.bytes} bytes do not hold the header of {_TABLE}")
        _, signature, self.unique_id = _AXLF.unpack_from(head)
        fields = _HEADER.unpack_from(head, _AXLF.size)
        self.length, self.timestamp = fields[0], fields[1]
        self.version = f"{fields[4]}.{fields[5]}.{fields[3]}"
        self.mode = _named(_MODES, fields[6], "mode")
        self.signed = signature > 0
        self.interface_uuid, self.platform = UUID(bytes=fields[8]), _text(fields[9])
        self.uuid = UUID(bytes=fields[10])
        count = fields[12]
        if self.length > self.bytes:
            self.problem(f"is truncated: its header tells {self.length} bytes, it has {self.bytes}")
        if count > MAX_SECTIONS:
            self.fail(f"has {count} sections by its header; at most {MAX_SECTIONS} are read")
        table = stream.read(count * _SECTION.size)
        if len(table) < count * _SECTION.size:
            self.fail(f"is truncated: its {self.bytes} bytes do not hold the headers of {count} sections")
        found = []
        for kind, name, offset, size in _SECTION.iter_unpack(table):
            found.append(Section(KINDS[kind] if kind < len(KINDS) else str(kind), _text(name), offset, size))
        self.sections = tuple(found)
        self._check_sections(_TABLE + len(table))
        end = max((one.offset + one.size for one in self.sections), default=_TABLE)
        stream.seek(min(end, self.bytes))
        self.mirrored = _MIRROR in stream.read(64 + len(_MIRROR))

    def _check_sections(self, start: int) -> None:
        seen: set[str] = set()
        reach, before = start, "the header"
        for section in sorted(self.sections, key=lambda one: one.offset):
            if not section.size:
                continue
            what = f"section {section.kind}"
            if section.offset + section.size > self.bytes:
                self.problem(
                    f"{what} is {section.size} bytes at {section.offset:#x}, beyond the file's {self.bytes}"
                )
            elif section.offset < reach:
                self.problem(f"{what} at {section.offset:#x} overlaps {before}, which ends at {reach:#x}")
            if section.kind in _SINGLE and section.kind in seen:
                self.problem(f"{what} is there twice")
            seen.add(section.kind)
            reach, before = max(reach, section.offset + section.size), what

    # -- reasons ---------------------------------------------------------------------------------------------
    def problem(self, message: str) -> None:
        """Note a reason why the file can't be used."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.path, 0, message))

    def fail(self, message: str) -> None:
        """Note a reason after which nothing more can be told, and raise."""
        self.problem(message)
        self.stop()

    def stop(self) -> None:
        """Raise :class:`~pynq.errors.DesignError` if there is any reason."""
        if self.problems:
            raise DesignError(self.problems)

    # -- sections --------------------------------------------------------------------------------------------
    def section(self, kind: str) -> Section | None:
        """Return the first section of a kind that has contents."""
        return next((one for one in self.sections if one.kind == kind and one.size), None)

    def contents(self, kind: str) -> bytes:
        """Return the bytes of a section; none where it is not there."""
        section = self.section(kind)
        if section is None:
            return b""
        if section.size > MAX_SECTION:
            self.problem(
                f"section {kind} is {section.size} bytes; metadata are read up to {MAX_SECTION >> 20} MiB"
            )
            return b""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(section.offset)
                data = stream.read(section.size)
        except OSError as error:
            raise DesignError([Problem(self.path, 0, f"can't be read: {error.strerror}")]) from error
        if len(data) < section.size:
            self.problem(f"section {kind} ends after {len(data)} of its {section.size} bytes")
        return data

    def _entries(self, kind: str, count: str, start: int, entry: str) -> Iterator[tuple[Any, ...]]:
        """Walk a table: its number of entries, and from ``start`` on the entries."""
        data = self.contents(kind)
        if not data:
            return
        form = struct.Struct(entry)
        if len(data) < struct.calcsize(count):
            self.problem(f"section {kind} has {len(data)} bytes, too few for its number of entries")
            return
        (number,) = struct.unpack_from(count, data)
        if not 0 <= number <= MAX_ENTRIES:
            self.problem(f"section {kind} has {number} entries by its count; expected 0 to {MAX_ENTRIES}")
        elif number and start + number * form.size > len(data):
            self.problem(
                f"section {kind} has {number} entries by its count, which need {start + number * form.size} "
                f"bytes; it has {len(data)}"
            )
        else:
            for place in range(number):
                yield form.unpack_from(data, start + place * form.size)

    def memories(self, kind: str = "MEM_TOPOLOGY") -> tuple[MemEntry, ...]:
        """Return the memory banks (``struct mem_topology``), or with "GROUP_TOPOLOGY" also their groups."""
        found = []
        for number, (kind_of, used, size, base, tag) in enumerate(self._entries(kind, "<i", 8, "<BB6xQQ16s")):
            streaming = kind_of in _STREAMING
            found.append(
                MemEntry(
                    number,
                    _text(tag) or f"{kind.lower()}_{number}",
                    _named(MEMORIES, kind_of, "memory type"),
                    bool(used),
                    base,
                    size if streaming else size * 1024,
                    streaming,
                )
            )
        return tuple(found)

    def ips(self) -> tuple[IpEntry, ...]:
        """Return what is on the AXI-Lite bus (``struct ip_layout``)."""
        return tuple(
            IpEntry(
                number, _text(name), _named(_IPS, kind, "IP type"), None if base == 2**64 - 1 else base, bits
            )
            for number, (kind, bits, base, name) in enumerate(self._entries("IP_LAYOUT", "<i", 8, "<IIQ64s"))
        )

    def connections(self, kind: str = "CONNECTIVITY") -> tuple[Connection, ...]:
        """Return which argument reaches which memory (``struct connectivity``)."""
        return tuple(Connection(*entry) for entry in self._entries(kind, "<i", 4, "<iii"))

    def clocks(self) -> tuple[ClockEntry, ...]:
        """Return the clocks (``struct clock_freq_topology``)."""
        return tuple(
            ClockEntry(_text(name), _named(_CLOCKS, kind, "clock type"), megahertz * 1_000_000)
            for megahertz, kind, name in self._entries("CLOCK_FREQ_TOPOLOGY", "<h", 2, "<HB5x128s")
        )

    @property
    def created(self) -> str:
        """When it was made, as ISO 8601; "" where that can't be."""
        if not 0 < self.timestamp < 1 << 36:
            return ""
        return datetime.fromtimestamp(self.timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def describe_container(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a container is and which sections it has, as plain values.

    ``sections`` are in the file's order, sizes and places in bytes. Raises what :class:`Container` raises.
    """
    container = Container(path)
    return {
        "format": "xclbin2",
        "version": container.version,
        "created": container.created,
        "mode": container.mode,
        "platform": container.platform,
        "uuid": str(container.uuid),
        "interface_uuid": str(container.interface_uuid),
        "signed": container.signed,
        "mirror_data": container.mirrored,
        "bytes": container.bytes,
        "sections": [
            {"kind": one.kind, "name": one.name, "offset": one.offset, "size": one.size}
            for one in container.sections
        ],
    }


def _wrong_magic(head: bytes) -> str:
    if head.startswith((b"xclbin0\0", b"xclbin1\0")):
        return (
            f"is a container of the old version {head[:7].decode()}; only xclbin2 is read "
            "(SDAccel 2017.1 and later): link the kernels anew with a current v++"
        )
    return f"is no xclbin container: it begins with {head[:8]!r}, not with {_MAGIC!r}"


def _named(names: tuple[str, ...], number: int, what: str) -> str:
    return names[number] if number < len(names) else f"{what} {number}"


def _text(data: bytes) -> str:
    """A text of fixed length, up to its first NUL; what is not printable becomes a question mark."""
    text = data.split(b"\0", 1)[0].decode("latin-1")
    return "".join(char if " " <= char <= "~" else "?" for char in text)
