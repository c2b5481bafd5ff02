"""A block-design script (``.tcl``) as Vivado's ``write_bd_tcl`` would export it.

It holds what such a script holds and nothing else: cells with the parameters that the user set, hierarchies
with their pins, nets and address segments. What ports, registers and
defaults IP has the tool knows from its catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Script", "ScriptBus", "ScriptCell", "ScriptNet", "ScriptPort", "ScriptSegment"]


@dataclass(frozen=True)
class ScriptCell:
    """A cell. ``kind``: "ip", "module", "container"; ``type`` is its VLNV, or the module's name."""

    path: str
    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    kind: str = "ip"


@dataclass(frozen=True)
class ScriptPort:
    """A port of the design: of a bus (``mode`` is "Master" or "Slave", ``type`` a VLNV), or a wire."""

    name: str
    mode: str  # "Master", "Slave", or "I", "O", "IO"
    type: str = ""  # VLNV of the bus; "clk", "rst", "intr" of a wire
    left: int | None = None
    right: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScriptNet:
    """A wire: its ends as (cell, pin), the driver first; the cell is "" for a port of the design."""

    ends: Sequence[tuple[str, str]]
    type: str = ""
    left: int | None = None
    right: int | None = None


@dataclass(frozen=True)
class ScriptBus:
    """A bus: its ends as (cell, interface), the one that begins transfers first."""

    ends: Sequence[tuple[str, str]]
    type: str = "xilinx.com:interface:aximm_rtl:1.0"


@dataclass(frozen=True)
class ScriptSegment:
    """A range of an address space."""

    space: str  # "axi_dma_0/Data_MM2S"
    slave: str  # "axi_dma_0/S_AXI_LITE/Reg"
    offset: int
    size: int


@dataclass
class Script:
    """Everything that a script makes."""

    name: str
    part: str
    board: str
    vivado: str
    cells: Sequence[ScriptCell]
    ports: Sequence[ScriptPort]
    nets: Sequence[ScriptNet]
    buses: Sequence[ScriptBus]
    segments: Sequence[ScriptSegment]

    def text(self) -> str:
        """The script."""
        hierarchies = sorted({parent for cell in self.cells for parent in _parents(cell.path)}, key=_depth)
        names = {path: f"create_hier_cell_{path.replace('/', '_')}" for path in hierarchies}
        wires = _Level(self.nets, hierarchies)
        buses = _Level(self.buses, hierarchies)
        out = [_HEAD.format(name=self.name, part=self.part, vivado=self.vivado)]
        if self.board:
            out[0] = out[0].replace("#BOARD", f"set_property BOARD_PART {self.board} [current_project]")
        out[0] = out[0].replace("   #BOARD\n", "")
        for path in reversed(hierarchies):
            out += self._procedure(path, names, wires, buses)
        out += self._root(names, wires, buses)
        return "\n".join(out) + "\n"

    def _procedure(self, path: str, names: Mapping[str, str], wires: _Level, buses: _Level) -> list[str]:
        name = path.rpartition("/")[2]
        out = [
            "",
            f"# Hierarchical cell: {name}",
            f"proc {names[path]} {{ parentCell nameHier }} {{",
            "",
            "  variable script_folder",
            "",
            '  if { $parentCell eq "" || $nameHier eq "" } {',
            f'     catch {{common::send_gid_msg -ssname BD::TCL -id 2092 -severity "ERROR" "{names[path]}() -'
            ' Empty argument(s)!"}',
            "     return",
            "  }",
            "",
            *_PARENT,
            "  # Create cell and set as current instance",
            "  set hier_obj [create_bd_cell -type hier $nameHier]",
            "  current_bd_instance $hier_obj",
            "",
            "  # Create interface pins",
        ]
        for pin, index, inward in buses.pins(path):
            mode = "Slave" if inward else "Master"
            out += [f"  create_bd_intf_pin -mode {mode} -vlnv {self.buses[index].type} {pin}", ""]
        out += ["", "  # Create pins"]
        for pin, index, inward in wires.pins(path):
            net = self.nets[index]
            out.append(f"  create_bd_pin -dir {'I' if inward else 'O'}{_bounds(net)}{_type(net.type)} {pin}")
        out += self._inside(path, names, wires, buses)
        return [*out, "  # Restore current instance", "  current_bd_instance $oldCurInst", "}"]

    def _inside(self, path: str, names: Mapping[str, str], wires: _Level, buses: _Level) -> list[str]:
        out = [""]
        for child in (one for one in names if one.rpartition("/")[0] == path):
            name = child.rpartition("/")[2]
            out += [f"  # Create instance: {name}", f"  {names[child]} [current_bd_instance .] {name}", ""]
        for cell in self.cells:
            if cell.path.rpartition("/")[0] == path:
                out += _cell(cell)
        out.append("  # Create interface connections")
        for index, ends in buses.connections(path):
            out.append(_connect("intf_", buses.name(index), ends, path))
        out += ["", "  # Create port connections"]
        for index, ends in wires.connections(path):
            out.append(_connect("", wires.name(index), ends, path))
        return [*out, ""]

    def _root(self, names: Mapping[str, str], wires: _Level, buses: _Level) -> list[str]:
        out = [
            "",
            "# Procedure to create entire design; Provide argument to make",
            '# procedure reusable. If parentCell is "", will use root.',
            "proc create_root_design { parentCell } {",
            "",
            "  variable script_folder",
            "  variable design_name",
            "",
            '  if { $parentCell eq "" } {',
            "     set parentCell [get_bd_cells /]",
            "  }",
            "",
            *_PARENT,
            "",
            "  # Create interface ports",
        ]
        for port in self.ports:
            if port.mode in ("Master", "Slave"):
                made = f"create_bd_intf_port -mode {port.mode} -vlnv {port.type} {port.name}"
                out += [f"  set {port.name} [ {made} ]", *_properties(port.name, port.parameters), ""]
        out += ["", "  # Create ports"]
        for port in self.ports:
            if port.mode not in ("Master", "Slave"):
                made = f"create_bd_port -dir {port.mode}{_bounds(port)}{_type(port.type)} {port.name}"
                out += [f"  set {port.name} [ {made} ]", *_properties(port.name, port.parameters)]
        out += self._inside("", names, wires, buses)
        out.append("  # Create address segments")
        for one in self.segments:
            out.append(
                f"  assign_bd_address -offset 0x{one.offset:08X} -range 0x{one.size:08X}"
                f" -target_address_space [get_bd_addr_spaces {one.space}]"
                f" [get_bd_addr_segs {one.slave}] -force"
            )
        return [*out, *_TAIL]


def _parents(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _within(path: str, hierarchy: str) -> bool:
    return not hierarchy or path.startswith(f"{hierarchy}/")


def _bounds(one: ScriptNet | ScriptPort) -> str:
    return "" if one.left is None else f" -from {one.left} -to {one.right or 0}"


def _type(kind: str) -> str:
    return f" -type {kind}" if kind in ("clk", "rst", "intr") else ""


def _properties(name: str, parameters: Mapping[str, str]) -> list[str]:
    if not parameters:
        return []
    lines = [f"   CONFIG.{key} {{{value}}} \\" for key, value in sorted(parameters.items())]
    return ["  set_property -dict [ list \\", *lines, f" ] ${name}"]


def _cell(cell: ScriptCell) -> list[str]:
    name = cell.path.rpartition("/")[2]
    if cell.kind == "module":
        return [
            f"  # Create instance: {name}, and set properties",
            f"  set block_name {cell.type}",
            f"  set block_cell_name {name}",
            f"  if {{ [catch {{set {name} [create_bd_cell -type module -reference $block_name"
            " $block_cell_name] } errmsg] } {",
            '     catch {common::send_gid_msg -ssname BD::TCL -id 2095 -severity "ERROR" "Unable to add'
            ' referenced block <$block_name>."}',
            "     return 1",
            "   }",
            *_properties(name, cell.parameters),
            "",
        ]
    made = f"create_bd_cell -type {cell.kind} "
    made += f"-reference {cell.type} {name}" if cell.kind == "container" else f"-vlnv {cell.type} {name}"
    return [
        f"  # Create instance: {name}, and set properties",
        f"  set {name} [ {made} ]",
        *_properties(name, cell.parameters),
        "",
    ]


def _connect(kind: str, name: str, ends: Sequence[tuple[str, str]], level: str) -> str:
    words = []
    for cell, pin in ends:
        top = not cell and not level
        words.append(f"[get_bd_{kind}{'ports' if top else 'pins'} {f'{cell}/{pin}' if cell else pin}]")
    return f"  connect_bd_{kind}net -{kind}net {name} {' '.join(words)}"


class _Level:
    """Where nets cross the borders of hierarchies."""

    def __init__(self, nets: Sequence[ScriptNet | ScriptBus], hierarchies: Sequence[str]) -> None:
        self._nets = nets
        self._pins: dict[str, list[tuple[str, int, bool]]] = {path: [] for path in hierarchies}
        self._named: dict[tuple[str, int], str] = {}
        self._names: list[str] = []
        taken: set[str] = set()
        for net in nets:
            cell, pin = net.ends[0]
            base = name = f"{cell.rpartition('/')[2]}_{pin}" if cell else f"{pin}_1"
            number = 0
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            taken.add(name)
            self._names.append(name)
        for path in hierarchies:
            used: set[str] = set()
            for index, net in enumerate(nets):
                inside = [_within(cell, path) for cell, _ in net.ends]
                if any(inside) and not all(inside):
                    base = next(pin for (cell, pin), one in zip(net.ends, inside, strict=True) if one)
                    name, number = base, 0
                    while name in used:
                        number += 1
                        name = f"{base}{number}"
                    used.add(name)
                    self._pins[path].append((name, index, not inside[0]))
                    self._named[path, index] = name

    def pins(self, path: str) -> list[tuple[str, int, bool]]:
        """The pins of a hierarchy: name, number of the net, whether the net comes from outside."""
        return self._pins[path]

    def name(self, index: int) -> str:
        """The net's name: that of its driver, made unique."""
        return self._names[index]

    def connections(self, path: str) -> Iterable[tuple[int, list[tuple[str, str]]]]:
        """What each net joins at one level: (cell or hierarchy, pin), "" for what the level itself has."""
        for index, net in enumerate(self._nets):
            ends: dict[tuple[str, str], None] = {}
            if path and (path, index) in self._named:
                ends["", self._named[path, index]] = None
            for cell, pin in net.ends:
                if not cell:
                    if not path:
                        ends["", pin] = None
                elif _within(cell, path):
                    rest = cell[len(path) + 1 if path else 0 :]
                    first, _, deeper = rest.partition("/")
                    if deeper:
                        child = f"{path}/{first}" if path else first
                        if (child, index) in self._named:
                            ends[first, self._named[child, index]] = None
                    else:
                        ends[first, pin] = None
            if len(ends) > 1:
                yield index, list(ends)


_PARENT = (
    "  # Get object for parentCell",
    "  set parentObj [get_bd_cells $parentCell]",
    '  if { $parentObj == "" } {',
    '     catch {common::send_gid_msg -ssname BD::TCL -id 2090 -severity "ERROR" "Unable to find parent cell'
    ' <$parentCell>!"}',
    "     return",
    "  }",
    "",
    "  # Save current instance; Restore later",
    "  set oldCurInst [current_bd_instance .]",
    "",
    "  # Set parent object as current",
    "  current_bd_instance $parentObj",
    "",
)

_HEAD = """\
# The block design {name}, in the form of Vivado's write_bd_tcl; written by examples/tools.

set scripts_vivado_version {vivado}
set current_vivado_version [version -short]

if {{ [string first $scripts_vivado_version $current_vivado_version] == -1 }} {{
   puts "This script is for Vivado $scripts_vivado_version, and this is $current_vivado_version."
   return 1
}}

set list_projs [get_projects -quiet]
if {{ $list_projs eq "" }} {{
   create_project project_1 myproj -part {part}
   #BOARD
}}

variable design_name
set design_name {name}

create_bd_design $design_name
current_bd_design $design_name
"""

_TAIL = (
    "",
    "  # Restore current instance",
    "  current_bd_instance $oldCurInst",
    "",
    "  validate_bd_design",
    "  save_bd_design",
    "}",
    "",
    'create_root_design ""',
)
