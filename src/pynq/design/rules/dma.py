"""Rules of AXI DMA (PG021) and its sisters."""

from __future__ import annotations

from collections.abc import Iterator

from pynq.design.findings import Facts, Hit, rule, sends
from pynq.design.model import Cell, Processor

__all__ = ["RULES"]

_DMA = ("axi_dma", "axi_mcdma")
_USUAL = 23  # bits: 8 MiB
_NARROW = 16


def _engines(facts: Facts) -> Iterator[Cell]:
    for cell in facts.design.cells.values():
        if cell.type_name in _DMA:
            yield cell


def _value(cell: Cell, name: str) -> int | None:
    """A parameter's value; hand-off files have it in small letters, in capitals, or both."""
    text = cell.parameters.get(name, cell.parameters.get(name.upper(), ""))
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _channels(cell: Cell) -> Iterator[str]:
    for name in ("mm2s", "s2mm"):
        if _value(cell, f"c_include_{name}") != 0:
            yield name


@rule("dma-length-width", "warning")
def length(facts: Facts) -> Iterator[Hit]:
    """A DMA's length register is narrow, so transfers are short.

    With the default of 14 bits a transfer has at most 16,383 bytes; a longer one is refused by the driver
    (PG021, "Width of Buffer Length Register"). Up to 16 bits is a warning, fewer than 23 a note.

    Set "Width of Buffer Length Register" (`c_sg_length_width`) to 26 in the block design; it costs little.
    """
    for cell in _engines(facts):
        width = _value(cell, "c_sg_length_width")
        if width is not None and width < _USUAL:
            yield Hit(
                cell.path,
                f"one transfer has at most {(1 << width) - 1:,} bytes (c_sg_length_width={width} bits)",
                "set c_sg_length_width to 26 (67,108,863 bytes), or transfer in pieces",
                cell.source,
                "warning" if width <= _NARROW else "note",
            )


@rule("dma-unaligned", "note")
def unaligned(facts: Facts) -> Iterator[Hit]:
    """A DMA can't begin at any address.

    Without "Allow Unaligned Transfers" (`c_include_mm2s_dre`, `c_include_s2mm_dre`) a transfer begins at a
    multiple of the memory side's width (PG021, "Start Address"). Buffers of `allocate` do; a view such as
    `buffer[1:]` may not, and is refused by the driver.

    Start transfers at such multiples, or allow unaligned transfers in the block design.
    """
    for cell in _engines(facts):
        off = [name for name in _channels(cell) if _value(cell, f"c_include_{name}_dre") == 0]
        widths = [_value(cell, f"c_m_axi_{name}_data_width") or 32 for name in off]
        if off and max(widths) > 8:
            yield Hit(
                cell.path,
                "transfers begin at multiples of "
                + ", ".join(
                    f"{width // 8} bytes ({name.upper()}: c_include_{name}_dre=0)"
                    for name, width in zip(off, widths, strict=True)
                ),
                "begin buffers there, or allow unaligned transfers",
                cell.source,
            )


@rule("dma-no-tlast", "warning")
def last(facts: Facts) -> Iterator[Hit]:
    """A DMA receives from a stream without TLAST.

    The S2MM channel ends a transfer with TLAST (PG021): without it `recvchannel.wait()` may never end, or
    the channel stops with an error after the last byte.

    Give the source a TLAST (in HLS `ap_axiu`, or `hls::axis`), or put an `axis_subset_converter` in between
    that makes one after a fixed number of beats.
    """
    for sender, receiver in facts.pairs():
        cell = receiver.cell
        if cell is None or cell.type_name not in _DMA or "S2MM" not in receiver.interface.name.upper():
            continue
        parameters = sender.interface.parameters
        told = parameters.get("HAS_TLAST")
        maps = sender.interface.port_map
        if told == "0" or (told is None and maps and "TLAST" not in maps and "TVALID" in maps):
            yield Hit(
                receiver.path,
                f"{sender.path} sends no TLAST, which ends a transfer",
                "let the source send TLAST, or add an axis_subset_converter that makes it",
                receiver.interface.source,
            )


@rule("dma-address-width", "note")
def reach(facts: Facts) -> Iterator[Hit]:
    """A DMA with addresses of 32 bits, and memory beyond 4 GiB.

    It can't reach a buffer in the upper part of the memory. Whether there are such buffers is the system's
    choice: `allocate` refuses none, the driver does.

    Set the DMA's address width (`c_addr_width`) to 40 or 64, or keep buffers below 4 GiB (zocl and CMA do,
    on most systems).
    """
    beyond = [memory for memory in facts.design.memories if memory.base + memory.size > 1 << 32]
    for cell in facts.design.cells.values():
        width = _value(cell, "c_addr_width")
        if beyond and cell.type_name in (*_DMA, "axi_vdma", "axi_cdma") and width is not None and width <= 32:
            names = ", ".join(f"{memory.name} at {memory.base:#x}" for memory in beyond)
            yield Hit(
                cell.path,
                f"addresses have {width} bits, but there is memory beyond: {names}",
                "raise c_addr_width, or keep buffers below 4 GiB",
                cell.source,
            )


@rule("coherent-port", "note")
def coherent(facts: Facts) -> Iterator[Hit]:
    """Something goes through a cache-coherent port of the PS.

    Through HPC, ACP and ACE an access sees the processor's caches only where its attributes say so. On a
    Zynq-7000 these are AxCACHE[1] and AxUSER[0] (UG585, "ACP Requests"): AXI
    DMA, which drives 0011, is coherent where AxUSER is tied to 1 (`PCW_USE_DEFAULT_ACP_USER_VAL`). A Zynq
    UltraScale+ looks up nothing where AxCACHE[3:2] is 00 (UG1085, "APU Coherent Interfaces"), as in 0011;
    then the port is no better than an HP one, and buffers have to be flushed and invalidated as ever. Its
    CCI has to be told to snoop, too; and its ACP refuses every AxCACHE but 0111, 1011 and 1111, and bursts
    of other lengths than 16 and 64 bytes (UG1085, "ACP Limitations"). A warning where the
    parameters say that the accesses are not coherent.

    Use ordinary buffers and `flush`/`invalidate`; or drive AxCACHE 1111 and AxPROT 010 (an HLS kernel: the
    master's parameter C_M_AXI_..._CACHE_VALUE), and then `allocate(..., cacheable=True)` needs no flush.
    """
    ps = facts.design.cells.get(facts.design.ps)
    old = facts.design.processor is Processor.ZYNQ
    for interface in ps.interfaces.values() if ps is not None else ():
        name = interface.name.upper()
        if sends(interface) or not any(word in name for word in ("_HPC", "_ACP", "_ACE")):
            continue
        if ps is None or not facts.connected(ps, interface):
            continue
        masters = sorted(_behind(facts, interface.net))
        plain = []
        for path in masters:
            cell = facts.design.cells[path]
            values = {
                value.strip('"')
                for key, value in cell.parameters.items()
                if key.upper().startswith("C_M_AXI") and key.upper().endswith("CACHE_VALUE")
            }
            if cell.type_name in (*_DMA, "axi_vdma", "axi_cdma"):
                values = {"0011"}
            if any((_bits(value) & 2 == 0) if old else _bits(value) < 4 for value in values):
                plain.append(path)
        unset = name.endswith("_ACP") and ps.parameters.get("PCW_USE_DEFAULT_ACP_USER_VAL") == "0"
        who = ", ".join(masters) or "something"
        if plain or (unset and masters):
            value = "0000" if old else "0011"
            if "_ACP" in name and not old:
                value += ", which the ACP refuses"
            reason = f"AxCACHE is {value}" if plain else "AxUSER[0] is not tied to 1"
            if plain and plain != masters:
                reason = f"{', '.join(plain)}: {reason}"
            yield Hit(
                f"{ps.path}/{interface.name}",
                f"a coherent port for {who}, but accesses are not coherent: {reason}",
                "flush and invalidate buffers as with an HP port, or make the accesses coherent",
                interface.source,
                "warning",
            )
        else:
            yield Hit(
                f"{ps.path}/{interface.name}",
                f"a coherent port for {who}: caches are seen only where AxCACHE says so",
                "check AxCACHE (1111) and AxPROT (010); else flush and invalidate buffers",
                interface.source,
            )


def _bits(value: str) -> int:
    """AxCACHE as parameters have it ("0011", "0b0011", "3"); what is no number counts as 1111."""
    digits = value.lower().removeprefix("0b")
    if digits.isdecimal() and len(digits) <= 4:
        return int(digits, 2) if len(digits) == 4 and not digits.strip("01") else int(digits) & 15
    return 15


def _behind(facts: Facts, net: str) -> set[str]:
    """The cells that send to a bus, through interconnects."""
    found: set[str] = set()
    seen = {net}
    pending = [net]
    for bus in pending:
        for end in facts.nets.get(bus, ()):
            if end.cell is None or not sends(end.interface):
                continue
            if end.cell.ranges:
                found.add(end.cell.path)
                continue
            for other in end.cell.interfaces.values():
                if not sends(other) and other.net in facts.nets and other.net not in seen:
                    seen.add(other.net)
                    pending.append(other.net)
    return found


RULES = (length, unaligned, last, reach, coherent)
