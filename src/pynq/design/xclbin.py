"""Reader of ``.xclbin`` containers: the compute units of a card, their arguments and memories.

Where a compute unit is comes from IP_LAYOUT, what it is from EMBEDDED_METADATA, which memory an argument
reaches from CONNECTIVITY, the memories and clocks from MEM_TOPOLOGY, GROUP_TOPOLOGY and CLOCK_FREQ_TOPOLOGY;
see :mod:`~pynq.design.xclbin_container`. The registers of a kernel are those of UG1399, "S_AXILITE Control
Register Map", with one register for each argument, of its whole size and by its own name. Lines of a compute
unit are those of the XML in EMBEDDED_METADATA.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pynq.design.addresses import conflicts
from pynq.design.model import (
    AddressBlock,
    BusInterface,
    Cell,
    CellKind,
    Clock,
    Design,
    Endpoint,
    Field,
    Memory,
    MemoryKind,
    MemoryRange,
    Port,
    Register,
    SourceRef,
    Vlnv,
)
from pynq.design.model import Argument as Held
from pynq.design.resolve import resolve
from pynq.design.xclbin_container import (
    ClockEntry,
    Connection,
    Container,
    IpEntry,
    MemEntry,
    describe_container,
)
from pynq.design.xclbin_kernels import Argument, Kernel, Metadata, Unit, read_metadata
from pynq.errors import Problem

__all__ = ["CONTROL", "describe_container", "read"]

CONTROL = "s_axi_control"
_RANGE = 0x10000  # what v++ gives a kernel that does not tell
_LARGEST = 1 << 32
#: The master: the card's PCI Express bridge, or the PS of an embedded platform. It has registers only: memory
#: of a card is reached by DMA, at addresses that registers may have as well.
_HOST = "HOST"
_WITHOUT_CONTROL = ("ap_ctrl_none", "user_managed")
#: CLOCK_TYPE of the clock inputs that a kernel may have: ap_clk gets the platform's clock 0, ap_clk_2 clock 1
#: (kernel_frequency in Vitis_Accel_Examples' rtl_vadd_2clks); clock 0 is DATA_CLK of type DATA, clock 1 is
#: KERNEL_CLK of type KERNEL (UG1702, "Clocks").
_INPUTS = {"ap_clk": "DATA", "ap_clk_2": "KERNEL"}


def read(path: str | os.PathLike[str]) -> Design:
    """Read a container.

    Raises:
        DesignNotFoundError: there is no such file.
        DesignError: the file can't be used; ``problems`` holds every reason.
    """
    return _Builder(Container(path)).design()


class _Builder:
    def __init__(self, container: Container) -> None:
        self._container = container
        self._file = container.path
        self._metadata: Metadata = read_metadata(container)
        self._ips = container.ips()
        self._banks = container.memories("MEM_TOPOLOGY")
        self._groups = container.memories("GROUP_TOPOLOGY") or self._banks
        self._clocks = container.clocks()
        to_banks, to_groups = container.connections(), container.connections("GROUP_CONNECTIVITY")
        if not self._banks:
            self._banks, to_banks = self._groups, to_groups
        self._to_banks = self._checked(to_banks or to_groups, self._banks, "CONNECTIVITY")
        self._to_groups = self._checked(to_groups or to_banks, self._groups, "GROUP_CONNECTIVITY")
        container.stop()
        self._bases = {one.name.partition(":")[2].strip("{}") or one.name: one for one in self._ips}

    def design(self) -> Design:
        container, metadata = self._container, self._metadata
        boundary: list[MemoryRange] = []
        cells = {cell.path: cell for cell in self._bank_cells()}
        for kernel in metadata.kernels:
            for unit in kernel.units:
                if unit.name in cells:
                    container.problem(f"EMBEDDED_METADATA, line {unit.line}: {unit.name!r} is there twice")
                    continue
                cells[unit.name] = self._unit_cell(kernel, unit)
                boundary += self._registers_range(cells[unit.name], kernel, unit)
        for name, ip in self._bases.items():
            if ip.kind == "KERNEL" and name not in cells:
                cells[name] = self._unknown_cell(name, ip)
                boundary += self._window(cells[name], ip.base, _RANGE)
        for first, second in conflicts(boundary):
            container.problem(
                f"{first.slave!r} at {first.base:#x} to {first.high:#x} and {second.slave!r} at "
                f"{second.base:#x} to {second.high:#x} overlap"
            )
        ports = {port.name: port for port in self._ports()}
        container.stop()
        fields = resolve(self._file, cells, ports, boundary)
        fields["memories"] = tuple(self._memories(cells))
        fields["clocks"] = tuple(self._clock(entry) for entry in self._clocks)
        architecture, device, package, speed = self._part()
        return Design(
            name=metadata.name or Path(self._file).stem,
            file=self._file,
            tool_version=f"xclbin {container.version}",
            timestamp=container.created,
            architecture=architecture,
            device=device,
            package=package,
            speed_grade=speed,
            board=container.platform or metadata.board,
            interfaces=MappingProxyType({}),
            source=SourceRef(self._file, 0),
            format="xclbin",
            notes=tuple(self._notes()),
            **fields,
        )

    def _notes(self) -> Iterator[Problem]:
        if not self._metadata.kernels:
            why = (
                "has no" if self._container.section("EMBEDDED_METADATA") is None else "names no kernel in its"
            )
            yield Problem(self._file, 0, f"{why} EMBEDDED_METADATA: registers and arguments are not known")
        for one in self._groups:
            if one.streaming:
                yield Problem(self._file, 0, f"stream {one.tag!r} to the host: no buffers go there")
        if self._container.mode.endswith("emu"):
            yield Problem(
                self._file, 0, f"is built for {self._container.mode}: no card can be programmed with it"
            )

    def _checked(
        self, connections: Iterable[Connection], memories: tuple[MemEntry, ...], section: str
    ) -> list[Connection]:
        good = []
        for one in connections:
            if not 0 <= one.memory < len(memories):
                self._container.problem(f"{section}: memory {one.memory} of {len(memories)} is connected")
            elif not 0 <= one.ip < len(self._ips):
                self._container.problem(f"{section}: IP {one.ip} of {len(self._ips)} is connected")
            else:
                good.append(one)
        return good

    # -- compute units ---------------------------------------------------------------------------------------
    def _unit_cell(self, kernel: Kernel, unit: Unit) -> Cell:
        source = SourceRef(self._file, unit.line)
        parts = kernel.vlnv.split(":")
        vlnv = Vlnv(*parts) if len(parts) == 4 else None
        ip = self._bases.get(unit.name)
        argument_memory = self._argument_memory(ip)
        registers = self._control(kernel) if kernel.protocol not in _WITHOUT_CONTROL else []
        end = max((one.offset + one.size // 8 for one in registers), default=0)
        for argument in kernel.arguments:
            if argument.stream:
                continue
            register = _argument_register(argument, argument_memory.get(argument.number, ""))
            if register.offset < end and unit is kernel.units[0]:
                self._container.problem(
                    f"EMBEDDED_METADATA, line {argument.line}: argument {argument.name!r} of {kernel.name!r} "
                    f"at offset {argument.offset:#x} is among the control registers, which end at {end:#x}"
                )
            registers.append(register)
        slave = self._slave(kernel)
        size = self._range_of(kernel)
        beyond = [one for one in registers if one.offset + -(-one.size // 8) > size]
        for one in beyond if unit is kernel.units[0] else ():
            self._container.problem(
                f"EMBEDDED_METADATA, line {one.line}: argument {one.name!r} of {kernel.name!r} at offset "
                f"{one.offset:#x} is beyond the {size:#x} bytes of {slave}"
            )
        return Cell(
            path=unit.name,
            vlnv=vlnv,
            module_type=kernel.name,
            kind=CellKind.PERIPHERAL,
            parameters=MappingProxyType({}),
            ports=MappingProxyType({port.name: port for port in self._cell_ports(unit)}),
            interfaces=MappingProxyType({one.name: one for one in self._interfaces(kernel, unit, source)}),
            blocks=(AddressBlock("Reg", slave, 0, size, "register", "read-write", tuple(registers), source),),
            ranges=tuple(self._reach(kernel, unit, ip)),
            source=source,
            attributes=MappingProxyType(
                {
                    "CU_NAME": f"{kernel.name}:{unit.name}",
                    "HW_CONTROL_PROTOCOL": kernel.protocol,
                    "XCLBIN_UUID": self._container.uuid.hex,
                    "IP_INDEX": "" if ip is None else str(ip.number),
                }
            ),
        )

    def _unknown_cell(self, name: str, ip: IpEntry) -> Cell:
        empty = MappingProxyType[str, str]({})
        return Cell(
            path=name,
            vlnv=None,
            module_type=ip.name.partition(":")[0],
            kind=CellKind.PERIPHERAL,
            parameters=empty,
            ports=MappingProxyType({}),
            interfaces=MappingProxyType({}),
            blocks=(),
            ranges=(),
            source=SourceRef(self._file, 0),
        )

    def _slave(self, kernel: Kernel) -> str:
        return next((port.name for port in kernel.ports.values() if port.mode == "slave"), CONTROL)

    def _range_of(self, kernel: Kernel) -> int:
        sizes = [port.range for port in kernel.ports.values() if port.mode == "slave" and port.range]
        return min(max(sizes, default=_RANGE), _LARGEST)

    def _registers_range(self, cell: Cell, kernel: Kernel, unit: Unit) -> list[MemoryRange]:
        ip = self._bases.get(unit.name)
        base = unit.base if ip is None else ip.base
        if not any(port.mode == "slave" for port in kernel.ports.values()):
            return []
        return self._window(cell, base, self._range_of(kernel))

    def _window(self, cell: Cell, base: int | None, size: int) -> list[MemoryRange]:
        if base is None:
            return []
        slave = cell.blocks[0].interface if cell.blocks else CONTROL
        kind = MemoryKind.REGISTER
        return [MemoryRange("", _HOST, cell.path, slave, "Reg", base, base + size - 1, kind, cell.source)]

    def _interfaces(self, kernel: Kernel, unit: Unit, source: SourceRef) -> Iterator[BusInterface]:
        nets: dict[tuple[str, str], str] = {}
        for first, second in self._metadata.connections:
            for end in (first, second):
                nets[end] = "_".join(first)
        for port in kernel.ports.values():
            stream = port.mode in ("read_only", "write_only")
            role = "MASTER" if port.mode in ("master", "write_only") else "SLAVE"
            bus = "axis" if stream else "aximm"
            protocol = "AXIS" if stream else "AXI4" if port.mode == "master" else "AXI4LITE"
            parameters = {"TDATA_NUM_BYTES": str(port.width // 8)} if stream else {"PROTOCOL": protocol}
            carried = next((one for one in kernel.arguments if one.stream and one.port == port.name), None)
            yield BusInterface(
                port.name,
                role,
                nets.get((unit.name, port.name), f"{unit.name}_{port.name}"),
                Vlnv("xilinx.com", "interface", bus, "1.0"),
                protocol,
                port.width or None,
                MappingProxyType(parameters),
                MappingProxyType({}),
                source,
                None if carried is None or not stream else _held(carried, ""),
            )

    def _cell_ports(self, unit: Unit) -> Iterator[Port]:
        clocks = {entry.kind: entry for entry in reversed(self._clocks)}
        for name, kind in _INPUTS.items():
            entry = clocks.get(kind)
            if entry is not None and (name == "ap_clk" or kind in clocks):
                peers = (Endpoint("", entry.name),)
                yield Port(
                    name, "I", None, None, "clk", entry.name, "", "", entry.frequency, peers, unit.line
                )
        signal = f"{unit.name}_interrupt"
        yield Port("interrupt", "O", None, None, "INTERRUPT", signal, "", "LEVEL_HIGH", None, (), unit.line)

    def _argument_memory(self, ip: IpEntry | None) -> dict[int, str]:
        found: dict[int, str] = {}
        for one in self._to_groups:
            if ip is not None and one.ip == ip.number:
                found.setdefault(one.argument, self._groups[one.memory].tag)
        return found

    def _reach(self, kernel: Kernel, unit: Unit, ip: IpEntry | None) -> Iterator[MemoryRange]:
        """What the kernel's memory ports reach: the banks that its arguments are connected to."""
        ports = {argument.number: argument.port for argument in kernel.arguments if argument.memory}
        seen: set[tuple[str, int]] = set()
        for one in self._to_banks:
            port = ports.get(one.argument)
            bank = self._banks[one.memory]
            if ip is None or one.ip != ip.number or port is None or (port, one.memory) in seen:
                continue
            seen.add((port, one.memory))
            if bank.size and not bank.streaming:
                yield replace(self._memory_range(port, bank), master=unit.name)

    # -- memories and clocks ---------------------------------------------------------------------------------
    def _bank_cells(self) -> Iterator[Cell]:
        source = SourceRef(self._file, 0)
        seen: set[str] = set()
        for bank in self._banks:
            if bank.streaming or not bank.size:
                continue
            if bank.base + bank.size > 1 << 64:
                self._container.problem(
                    f"memory {bank.tag!r}: {bank.size} bytes at {bank.base:#x} wrap around"
                )
            elif bank.tag in seen or "/" in bank.tag:
                self._container.problem(
                    f"memory {bank.number}: the name {bank.tag!r} can't be used or is taken"
                )
            else:
                seen.add(bank.tag)
                empty = MappingProxyType[str, str]({})
                yield Cell(
                    path=bank.tag,
                    vlnv=None,
                    module_type=bank.kind.lower(),
                    kind=CellKind.MEMORY_CONTROLLER,
                    parameters=empty,
                    ports=MappingProxyType({}),
                    interfaces=MappingProxyType({}),
                    blocks=(),
                    ranges=(),
                    source=source,
                )

    def _memory_range(self, interface: str, bank: MemEntry) -> MemoryRange:
        high = bank.base + bank.size - 1
        kind, source = MemoryKind.MEMORY, SourceRef(self._file, 0)
        return MemoryRange("", interface, bank.tag, "", bank.tag, bank.base, high, kind, source)

    def _memories(self, cells: dict[str, Cell]) -> Iterator[Memory]:
        names: set[str] = set()
        for one in self._groups:
            if one.streaming or not one.size or one.tag in names:
                continue
            names.add(one.tag)
            inside = next(
                (bank.tag for bank in self._banks if bank.base == one.base and bank.tag in cells), ""
            )
            cell = one.tag if one.tag in cells else inside
            if cell:
                source = SourceRef(self._file, 0)
                base, size = one.base, one.size
                yield Memory(one.tag, cell, "", one.tag, base, size, one.kind, source, one.used, one.number)

    def _ports(self) -> Iterator[Port]:
        seen: set[str] = set()
        for entry in self._clocks:
            if entry.name in seen:
                self._container.problem(f"clock {entry.name!r} is there twice")
            seen.add(entry.name)
            yield Port(entry.name, "I", None, None, "clk", entry.name, "", "", entry.frequency, (), 0)

    def _clock(self, entry: ClockEntry) -> Clock:
        source = SourceRef(self._file, 0)
        name, hertz = entry.name, entry.frequency
        return Clock(name, "", name, hertz, None, True, (), entry.kind, name, source)

    def _part(self) -> tuple[str, str, str, str]:
        """``virtexuplusHBM:xcu50:fsvh2104:-2:e`` in its parts."""
        parts = self._metadata.part.split(":")
        if len(parts) < 4:
            return "", "", "", ""
        speed = "".join(f"-{part.lstrip('-')}" for part in parts[3:] if part)
        return parts[0], parts[1], f"-{parts[2]}" if parts[2] else "", speed

    # -- registers -------------------------------------------------------------------------------------------
    def _control(self, kernel: Kernel) -> list[Register]:
        """UG1399, "S_AXILITE Control Register Map"."""
        line = kernel.line
        chained = kernel.protocol == "ap_ctrl_chain"
        control = [
            Field("AP_START", 0, 1, "read-write", None, "Write 1 to start", line),
            Field("AP_DONE", 1, 1, "read-only", None, "A run is over", line, "", "" if chained else "clear"),
            Field("AP_IDLE", 2, 1, "read-only", None, "Nothing runs", line),
            Field("AP_READY", 3, 1, "read-only", None, "The next run may be started", line, "", "clear"),
        ]
        if chained:
            control.append(Field("AP_CONTINUE", 4, 1, "read-write", None, "Write 1 to take the result", line))
        control.append(Field("AUTO_RESTART", 7, 1, "read-write", None, "Start again at each end", line))
        rows = (
            ("CTRL", 0x0, 0x4, "Control signals", control),
            ("GIER", 0x4, 0, "Global interrupt enable", [("Enable", 0, "")]),
            ("IP_IER", 0x8, 0, "Interrupt enable", [("CHAN0_INT_EN", 0, ""), ("CHAN1_INT_EN", 1, "")]),
            (
                "IP_ISR",
                0xC,
                0,
                "Interrupt status",
                [("CHAN0_INT_ST", 0, "oneToToggle"), ("CHAN1_INT_ST", 1, "oneToToggle")],
            ),
        )
        found = []
        for name, offset, reset, text, fields in rows:
            held = tuple(
                one
                if isinstance(one, Field)
                else Field(one[0], one[1], 1, "read-write", None, "", line, one[2])
                for one in fields
            )
            found.append(Register(name, offset, 32, "read-write", reset, text, held, line))
        return found


def _held(argument: Argument, memory: str) -> Held:
    name = argument.name if argument.stream else ""
    size, host_size = argument.size, argument.host_size
    return Held(argument.number, argument.type, size, host_size, argument.port, memory, name)


def _argument_register(argument: Argument, memory: str) -> Register:
    held = _held(argument, memory)
    text = f"Argument {argument.number}: {argument.type}" if argument.number >= 0 else argument.type
    size = 8 * max(4, argument.size)
    return Register(argument.name, argument.offset, size, "read-write", None, text, (), argument.line, held)
