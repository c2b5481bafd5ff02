"""Commands by which a script leaves work to Vivado: ``apply_bd_automation``, ``apply_board_connection``.

What the rules do is told by UG994 ("Using the Designer Assistance Feature", "Using the Connection Automation
Feature") and by the hand-off files of designs that were made so; names of cells are those that they have
there. Every design that leans on this has a note: Vivado's choices also depend on its version and on the
board.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pynq.design.tcl import known_pins
from pynq.design.tcl.commands_address import default_name
from pynq.design.tcl.commands_connect import join
from pynq.design.tcl.commands_find import objects
from pynq.design.tcl.commands_make import free
from pynq.design.tcl.diagram import Diagram, Sheet
from pynq.design.tcl.netlist import Cell, InterfacePin, Segment
from pynq.design.tcl.nets import parent
from pynq.design.tcl.words import options, split_list

__all__ = ["COMMANDS"]

#: Interfaces that the automation of a PS makes external, and their types.
_EXTERNAL = {
    "DDR": "xilinx.com:interface:ddrx_rtl:1.0",
    "FIXED_IO": "xilinx.com:display_processing_system7:fixedio_rtl:1.0",
}
_HUBS = {"New AXI Interconnect": "axi_interconnect", "New AXI SmartConnect": "smartconnect"}
_VERSIONS = {"axi_interconnect": "2.1", "smartconnect": "1.0", "proc_sys_reset": "5.0"}
#: What names are made of for a PS, its first clock and its first reset.
_PS = {
    "processing_system7": ("ps7", "FCLK_CLK0", "FCLK_RESET0_N"),
    "zynq_ultra_ps_e": ("ps8", "pl_clk0", "pl_resetn0"),
}
_MICROBLAZE = {"(Periph)": "M_AXI_DP"}
#: From here on a PS's type is shortened in names: ps7_0_axi_periph, before processing_system7_0_axi_periph.
_SHORT_NAMES = (2016, 3)
_SMART = (2018, 1)  # from here on a SmartConnect leads to memory where the script leaves the choice

Config = Mapping[str, str]


def _leaf(path: str) -> str:
    return path.rpartition("/")[2]


def _release(diagram: Diagram) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"[0-9]{1,6}", diagram.version)[:2]) or (9999,)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,9})?", text.strip()) else None


def _word(config: Config, *names: str) -> str:
    """The path that a configuration gives, without the rate after it: ``/ps/FCLK_CLK0 (100 MHz)``."""
    for name in names:
        words = config.get(name, "").split()
        if words and words[0].startswith("/"):
            return words[0]
    return ""


# -- the processor's own rules ----
def _processor(diagram: Diagram, config: Config, targets: Sequence[str]) -> None:
    sheet = diagram.sheet()
    cells = [path for path in targets if path in sheet.cells]
    made = []
    for name in re.split(r"[\s,]+", config.get("make_external", "")) if cells else ():
        if name in _EXTERNAL and name not in sheet.interfaces:
            path = diagram.new(f"/{name}", "port")
            sheet.interfaces[path] = InterfacePin(path, "Master", _EXTERNAL[name], line=diagram.line)
            join(diagram, "intf_net", [f"/{cells[0]}/{name}", f"/{name}"])
            made.append(name)
    if config.get("apply_board_preset", "0").strip() not in ("0", ""):
        diagram.note(
            "apply_bd_automation: the board's settings of the PS (clocks, memory, pins) are in the board's "
            "files, which are not read; export the finished design by write_bd_tcl"
        )


# -- clocks and resets ----
def _on_one_net(sheet: Sheet, one: str, other: str) -> bool:
    return one == other or bool(set(sheet.wires.of(one)) & set(sheet.wires.of(other)))


def _processor_cell(sheet: Sheet) -> Cell | None:
    return next((cell for cell in sheet.cells.values() if known_pins.short(cell) in _PS), None)


def _clock(sheet: Sheet, config: Config, names: Sequence[str], *near: str) -> str:
    """The clock that a configuration names, else the one that some pin has already, else the PS's first."""
    word = _word(config, *names)
    if word:
        return sheet.path(word)
    for pin in near:
        if pin and sheet.wires.of(pin):
            return pin
    processor = _processor_cell(sheet)
    return f"{processor.path}/{_PS[known_pins.short(processor)][1]}" if processor else ""


def _plain_name(diagram: Diagram, cell: Cell) -> str:
    """What names of helpers begin with: ``ps7_0`` for ``processing_system7_0``."""
    short, name = known_pins.short(cell), _leaf(cell.path)
    if short in _PS and _release(diagram) >= _SHORT_NAMES and name.startswith(short):
        return _PS[short][0] + name.removeprefix(short)
    return name


def _megahertz(sheet: Sheet, config: Config, clock: str) -> int:
    """The rate in a reset's name: that of the configuration, else of the PS's parameters, in whole MHz."""
    for text in config.values():
        found = re.search(r"\(([0-9]{1,6})(\.[0-9]{1,9})? MHz\)", text)
        if found and text.split()[0].strip("/") == clock:
            return int(found[1])
    cell = sheet.cells.get(parent(clock))
    values = cell.parameters if cell else {}
    number = clock[-1:] if clock[-1:].isdecimal() else "0"
    if cell and known_pins.short(cell) == "zynq_ultra_ps_e":
        name = f"PSU__CRL_APB__PL{number}_REF_CTRL__"
        actual = _number(values.get(f"{name}ACT_FREQMHZ", ""))
        # Divided from a crystal of 33.333 MHz, what is asked for is missed by some 10 ppm.
        return int(actual or (_number(values.get(f"{name}FREQMHZ", "")) or 100) * 0.99999)
    actual = _number(values.get(f"PCW_ACT_FPGA{number}_PERIPHERAL_FREQMHZ", ""))
    return int(actual or _number(values.get(f"PCW_FPGA{number}_PERIPHERAL_FREQMHZ", "")) or 50)


def _make(diagram: Diagram, short: str, name: str, **parameters: str) -> Cell:
    sheet = diagram.sheet()
    path = free(sheet.cells.__contains__, diagram.new(f"/{name}", "cell"))
    kind = f"xilinx.com:ip:{short}:{_VERSIONS[short]}"
    cell = sheet.cells[path] = Cell(path, "ip", kind, dict(parameters), diagram.line)
    diagram.spend(len(kind))
    return cell


def _reset(diagram: Diagram, config: Config, clock: str) -> str:
    """The cell that makes the resets of a clock: the one there is, else a new one."""
    sheet = diagram.sheet()
    for cell in sheet.cells.values():
        pin = f"{cell.path}/slowest_sync_clk"
        if known_pins.short(cell) == "proc_sys_reset" and _on_one_net(sheet, pin, clock):
            return cell.path
    source = next((pin for name in sheet.wires.of(clock) for pin in sheet.wires.all[name].pins), clock)
    owner = sheet.cells.get(parent(source)) or _processor_cell(sheet)
    begin = _plain_name(diagram, owner) if owner else "clk"
    made = _make(diagram, "proc_sys_reset", f"rst_{begin}_{_megahertz(sheet, config, source)}M")
    join(diagram, "net", [f"/{source}", f"/{made.path}/slowest_sync_clk"])
    processor = _processor_cell(sheet)
    if processor:
        reset = _PS[known_pins.short(processor)][2]
        join(diagram, "net", [f"/{processor.path}/{reset}", f"/{made.path}/ext_reset_in"])
    else:
        diagram.note(f"apply_bd_automation: what resets '{made.path}' is not known")
    return made.path


def _wire(diagram: Diagram, source: str, pin: str) -> None:
    if source and pin and not diagram.sheet().wires.of(pin):
        join(diagram, "net", [f"/{source}", f"/{pin}"])


def _clocked(diagram: Diagram, config: Config, pin: str, clock: str) -> None:
    """Give the cell of an interface its clock and reset, as far as its type tells which pins those are."""
    sheet = diagram.sheet()
    cell = sheet.cells.get(parent(pin))
    if cell is None or not clock:
        return
    face = _leaf(pin)
    own = known_pins.clock_of(cell, face)
    if not own:
        diagram.note(f"apply_bd_automation: the clock and the reset of '{pin}' are not known")
        return
    _wire(diagram, clock, f"{cell.path}/{own}")
    reset = known_pins.reset_of(cell, face)
    if reset and not sheet.wires.of(f"{cell.path}/{reset}"):
        _wire(diagram, f"{_reset(diagram, config, clock)}/peripheral_aresetn", f"{cell.path}/{reset}")


def _clkrst(diagram: Diagram, config: Config, targets: Sequence[str]) -> None:
    """A clock for a pin, and the reset that goes with it."""
    sheet = diagram.sheet()
    for pin in targets:
        cell = sheet.cells.get(parent(pin))
        clock = _clock(sheet, config, ("Clk",), pin)
        if cell is None or not clock or "/" not in pin:
            diagram.note(f"apply_bd_automation -rule clkrst: the clock of '/{pin}' is not known")
            continue
        _wire(diagram, clock, pin)
        face = next(
            (
                name
                for name in (*known_pins.names(cell, "intf_pin"), "")
                if known_pins.clock_of(cell, name) == _leaf(pin)
            ),
            None,
        )
        reset = known_pins.reset_of(cell, face) if face is not None else ""
        if reset and not sheet.wires.of(f"{cell.path}/{reset}"):
            _wire(diagram, f"{_reset(diagram, config, clock)}/peripheral_aresetn", f"{cell.path}/{reset}")


# -- memory-mapped buses ----
def _axi4(diagram: Diagram, config: Config, targets: Sequence[str]) -> None:
    """A way from a master to a slave: an interconnect between them, clocks, resets, an address."""
    sheet = diagram.sheet()
    for target in targets:
        master, slave = _end(sheet, config, "Master"), _end(sheet, config, "Slave")
        if not master or not slave:
            master, slave = (master, target) if master else (target, slave)
        known = [
            path for path in (master, slave) if path and (sheet.opaque(path) or path in sheet.interfaces)
        ]
        if len(known) != 2 or master == slave:
            diagram.note(f"apply_bd_automation -rule axi4: what leads to '/{target}' is not known")
            continue
        _way(diagram, config, master, slave)


def _end(sheet: Sheet, config: Config, name: str) -> str:
    word = _word(config, name)
    path = sheet.path(word) if word else ""
    cell = sheet.cells.get(path)
    if cell is None:
        return path
    side = _MICROBLAZE.get(config[name].strip()[len(word) :].strip())
    return f"{path}/{side}" if side and known_pins.short(cell) == "microblaze" else ""


def _way(diagram: Diagram, config: Config, master: str, slave: str) -> None:
    sheet = diagram.sheet()
    of_master, of_slave = _hub_at(sheet, master), _hub_at(sheet, slave)
    taken = [pin for pin, hub in ((master, of_master), (slave, of_slave)) if not hub and sheet.buses.of(pin)]
    if (of_master and of_slave and of_master != of_slave) or taken:
        pin = (taken or [master])[0]
        diagram.note(f"apply_bd_automation -rule axi4: '/{pin}' is connected to something else already")
        return
    clocks = [_clock_pin(sheet, pin) for pin in (master, slave)]
    at_master = _clock(sheet, config, ("Clk_master", "Clk"), *clocks)
    at_slave = _clock(sheet, config, ("Clk_slave", "Clk"), clocks[1], at_master, clocks[0])
    hub = sheet.cells[of_master or of_slave or _hub(diagram, config, master, slave)]
    crossbar = _clock(sheet, config, ("Clk_xbar", "Clk"), *_hub_clocks(hub), at_master)
    for pin, clock in ((master, at_master), (slave, at_slave)):
        _clocked(diagram, config, pin, clock)
    _common(diagram, config, hub, crossbar)
    if not of_master:
        side = _side(diagram, config, hub, "S", at_master)
        join(diagram, "intf_net", [f"/{master}", f"/{hub.path}/{side}"])
    if not of_slave:
        side = _side(diagram, config, hub, "M", at_slave)
        join(diagram, "intf_net", [f"/{hub.path}/{side}", f"/{slave}"])
    _address(diagram, master, slave)


def _clock_pin(sheet: Sheet, pin: str) -> str:
    cell = sheet.cells.get(parent(pin))
    name = known_pins.clock_of(cell, _leaf(pin)) if cell else ""
    return f"{parent(pin)}/{name}" if name else ""


def _hub_at(sheet: Sheet, pin: str) -> str:
    """The interconnect that an interface is connected to, "" for none."""
    for name in sheet.buses.of(pin):
        for other in sheet.buses.all[name].pins:
            cell = sheet.cells.get(parent(other))
            if cell and other != pin and known_pins.short(cell) in _HUBS.values():
                return cell.path
    return ""


def _hub(diagram: Diagram, config: Config, master: str, slave: str) -> str:
    """The interconnect that the configuration names, or a new one."""
    sheet = diagram.sheet()
    wanted = config.get("intc_ip", "").strip()
    if wanted.startswith("/") and sheet.path(wanted) in sheet.cells:
        return sheet.path(wanted)
    near, far = sheet.cells.get(parent(master)), sheet.cells.get(parent(slave))
    to_memory = far is not None and known_pins.short(far) in _PS
    smart = to_memory and "intc_ip" in config and _release(diagram) >= _SMART
    short = _HUBS.get(wanted, "smartconnect" if smart else "axi_interconnect")
    if short == "smartconnect":
        name = "axi_smc"
    elif near is None or to_memory:
        name = "axi_mem_intercon"
    else:
        name = f"{_plain_name(diagram, near)}_axi_periph"
    counts = {"NUM_SI": "1", "NUM_MI": "1"}
    return _make(diagram, short, name, **counts).path


def _hub_clocks(hub: Cell) -> list[str]:
    return [f"{hub.path}/{'aclk' if known_pins.short(hub) == 'smartconnect' else 'ACLK'}"]


def _common(diagram: Diagram, config: Config, hub: Cell, clock: str) -> None:
    """The interconnect's own clock and reset."""
    _wire(diagram, clock, _hub_clocks(hub)[0])
    reset = f"{hub.path}/{'aresetn' if known_pins.short(hub) == 'smartconnect' else 'ARESETN'}"
    if clock and not diagram.sheet().wires.of(reset):
        _wire(diagram, f"{_reset(diagram, config, clock)}/interconnect_aresetn", reset)


def _side(diagram: Diagram, config: Config, hub: Cell, side: str, clock: str) -> str:
    """An interface of an interconnect that is free, with its clock and reset."""
    sheet = diagram.sheet()
    key = f"NUM_{side}I"
    text = hub.parameters.get(key) or diagram.defaults(hub.type).get(key, "1")
    count = int(text) if re.fullmatch("[0-9]{1,2}", text) else 1
    name = next(
        name
        for number in range(100)
        if not sheet.buses.of(f"{hub.path}/{(name := f'{side}{number:02d}_AXI')}")
    )
    hub.parameters[key] = str(max(count, int(name[1:3]) + 1))
    if known_pins.short(hub) == "smartconnect":
        _further_clock(sheet, hub, clock, diagram)
        return name
    _wire(diagram, clock, f"{hub.path}/{name[:3]}_ACLK")
    reset = f"{hub.path}/{name[:3]}_ARESETN"
    if clock and not sheet.wires.of(reset):
        _wire(diagram, f"{_reset(diagram, config, clock)}/peripheral_aresetn", reset)
    return name


def _further_clock(sheet: Sheet, hub: Cell, clock: str, diagram: Diagram) -> None:
    """Another clock of a SmartConnect, where it has not the one of an interface yet (PG247, NUM_CLKS)."""
    for number in range(16):
        pin = f"{hub.path}/aclk{number or ''}"
        if not sheet.wires.of(pin):
            hub.parameters["NUM_CLKS"] = str(number + 1)
            _wire(diagram, clock, pin)
            return
        if _on_one_net(sheet, pin, clock):
            return


def _address(diagram: Diagram, master: str, slave: str) -> None:
    """The slave in the master's address space; the place is chosen as for ``assign_bd_address`` alone."""
    sheet = diagram.sheet()
    near, far = sheet.cells.get(parent(master)), sheet.cells.get(parent(slave))
    space = f"{near.path}/{known_pins.space_of(near, _leaf(master))}" if near else master
    segment = f"{far.path}/{known_pins.segment_of(far, _leaf(slave), diagram.version)}" if far else slave
    if any(one.space in ("", space) and parent(one.slave) == parent(segment) for one in sheet.segments):
        return
    diagram.spend(len(space) + len(segment))
    sheet.segments.append(Segment(space, segment, default_name(segment), line=diagram.line))


# -- the board ----
def _board(diagram: Diagram, config: Config, targets: Sequence[str]) -> None:
    name = next(iter(config.get("Board_Interface", config.get("board_interface", "")).split()), "")
    for target in targets:
        if name and name.lower() != "custom":
            apply_board_connection(diagram, ["-board_interface", name, "-ip_intf", f"/{target}"])
        else:
            diagram.note(f"apply_bd_automation -rule board: what is at '/{target}' is not known")


def apply_board_connection(diagram: Diagram, words: Sequence[str]) -> str:
    """The interface of a board becomes a port with its name, wired to the IP's."""
    given = options(
        "apply_board_connection", words, "board_interface ip_intf ip_pin diagram board_component", ""
    )
    sheet = diagram.sheet()
    name, pin = given.get("board_interface").strip(), sheet.path(given.get("ip_intf").strip() or "/")
    if not name or not sheet.opaque(pin):
        diagram.note("apply_board_connection: what it makes is not known")
        return ""
    cell = sheet.cells[parent(pin)]
    diagram.spend(len(name) * 2)
    cell.parameters[f"{_leaf(pin).upper()}_BOARD_INTERFACE"] = name
    if name not in sheet.interfaces:
        path = diagram.new(f"/{name}", "port")
        sheet.interfaces[path] = InterfacePin(path, "Master", "", line=diagram.line)
    join(diagram, "intf_net", [f"/{pin}", f"/{name}"])
    diagram.note(f"apply_board_connection: of what it makes, the port '{name}' only is known")
    return ""


_RULES: Mapping[str, Callable[[Diagram, Config, Sequence[str]], None]] = {
    "processing_system7": _processor,
    "zynq_ultra_ps_e": _processor,
    "clkrst": _clkrst,
    "axi4": _axi4,
    "board": _board,
}


def apply_bd_automation(diagram: Diagram, words: Sequence[str]) -> str:
    given = options("apply_bd_automation", words, "rule config opts dict")
    rule = given.get("rule").strip().rpartition(":")[2]
    if rule not in _RULES or "dict" in given.values:
        diagram.note(
            f"apply_bd_automation -rule {rule[:60] or '?'}: what it makes is not known; export the finished "
            "design by write_bd_tcl"
        )
        return ""
    pairs = split_list(given.get("config"))
    config = dict(zip(pairs[::2], pairs[1::2]))  # noqa: B905 (an odd word has no value)
    sheet = diagram.sheet()
    if rule in ("axi4", "clkrst") and not diagram.automated:
        diagram.automated = True
        diagram.note(
            "apply_bd_automation: what Vivado adds (interconnects, clocks, resets, addresses) is as its "
            "guide tells, names and addresses may differ; to be sure, export the finished design by "
            "write_bd_tcl"
        )
    _RULES[rule](diagram, config, [sheet.path(word) for word in objects(given.rest)])
    return ""


COMMANDS: Mapping[str, Callable[[Diagram, Sequence[str]], str]] = {
    "apply_board_connection": apply_board_connection,
    "apply_bd_automation": apply_bd_automation,
}
