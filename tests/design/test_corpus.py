"""All real files load, and what is loaded hangs together."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pynq.design import CellKind, Design, Processor, read, views

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def designs(corpus: Path) -> dict[str, Design]:
    return {path.name: read(path) for path in sorted((corpus / "hwh").glob("*.hwh"))}


def test_all_load(designs: dict[str, Design]) -> None:
    assert len(designs) == 67


def test_nothing_in_the_file_is_lost(corpus: Path, designs: dict[str, Design]) -> None:
    """Counts of what is in the XML and in the model, without sharing code with the reader."""
    for name, design in designs.items():
        root = ElementTree.parse(corpus / "hwh" / name).getroot()
        cells = list(design.cells.values())
        modules = root.findall("./MODULES/MODULE")
        assert len(cells) == len(modules), name
        for module, cell in zip(modules, cells, strict=True):
            where = f"{name}: {cell.path}"
            assert len(cell.ports) == len(module.findall("./PORTS/PORT")), where
            assert len(cell.interfaces) == len(module.findall("./BUSINTERFACES/BUSINTERFACE")), where
            assert len(cell.parameters) == len(
                {p.get("NAME") for p in module.findall("./PARAMETERS/PARAMETER")}
            ), where
            closed = [r for r in module.findall("./MEMORYMAP/MEMRANGE") if r.get("HIGHVALUE") != "0x"]
            assert len(cell.ranges) == len(closed), where
            assert sum(len(block.registers) for block in cell.blocks) == len(module.findall(".//REGISTER")), (
                where
            )
            fields = sum(len(register.fields) for block in cell.blocks for register in block.registers)
            assert fields == len(module.findall(".//FIELD")), where
            peers = sum(len(port.peers) for port in cell.ports.values())
            assert peers == len(module.findall("./PORTS/PORT/CONNECTIONS/CONNECTION")), where
        assert len(design.ports) == len(root.findall("./EXTERNALPORTS/PORT")), name
        assert len(design.interfaces) == len(root.findall("./EXTERNALINTERFACES/BUSINTERFACE")), name


def test_lines_point_at_the_elements(corpus: Path, designs: dict[str, Design]) -> None:
    for name, design in designs.items():
        lines = (corpus / "hwh" / name).read_text(encoding="utf-8-sig").split("\n")
        for cell in design.cells.values():
            line = lines[cell.source.line - 1]
            assert line.lstrip().startswith("<MODULE ")
            assert f'INSTANCE="{cell.attributes["INSTANCE"]}"' in line
            for port in cell.ports.values():
                assert f'NAME="{port.name}"' in lines[port.line - 1]
            for interface in cell.interfaces.values():
                assert f'NAME="{interface.name}"' in lines[interface.source.line - 1]
            for block in cell.blocks:
                assert "<ADDRESSBLOCK " in lines[block.source.line - 1]
                for register in block.registers:
                    assert "<REGISTER " in lines[register.line - 1]
            for entry in cell.ranges:
                assert "<MEMRANGE " in lines[entry.source.line - 1]


def test_references_resolve(designs: dict[str, Design]) -> None:
    for name, design in designs.items():
        for hierarchy in design.hierarchies:
            parent = hierarchy.rpartition("/")[0]
            assert not parent or design.hierarchies.index(parent) < design.hierarchies.index(hierarchy), name
        for cell in design.cells.values():
            assert not cell.hierarchy or cell.hierarchy in design.hierarchies, name
        for entry in design.reachable:
            assert entry.slave in design.cells or entry.slave_interface in design.interfaces, name
            assert entry.size > 0
        for pin in design.interrupt_pins.values():
            ports = design.cells[pin.cell].ports if pin.cell else design.ports
            assert pin.port in ports, name
            assert not pin.controller or pin.controller in design.interrupt_controllers, name
            assert pin.gic is None or (pin.controller == "" and pin.gic >= 28), name
        for controller in design.interrupt_controllers.values():
            assert controller.path in design.cells, name
            assert not controller.parent or controller.parent in design.interrupt_controllers, name
        for memory in design.memories:
            assert memory.cell in design.cells, name


def test_designs_with_a_ps(designs: dict[str, Design]) -> None:
    """The index of the corpus says which files have a PS; Versal sub-designs that hold its core count too."""
    families = {"zynq": Processor.ZYNQ, "zynquplus": Processor.ZYNQMP, "zynquplusRFSOC": Processor.ZYNQMP}
    with_ps = {name for name, design in designs.items() if design.ps}
    assert len(with_ps) == 49
    for name in with_ps:
        design = designs[name]
        assert design.cells[design.ps].kind is CellKind.PROCESSOR
        if design.architecture in families:
            assert design.processor is families[design.architecture]
        if design.processor is not Processor.VERSAL:
            assert any(memory.name == "PSDDR" and memory.size >= 1 << 29 for memory in design.memories), name
        clock = next(clock for clock in design.clocks if clock.index == 0)
        if clock.enabled:
            assert clock.frequency is not None
            assert 1_000_000 <= clock.frequency <= 1_000_000_000, name


def test_every_address_range_of_the_ps_is_in_a_view(designs: dict[str, Design]) -> None:
    for name, design in designs.items():
        entries = [*views.ip_dict(design).values(), *views.mem_dict(design).values()]
        shown = {(entry["phys_addr"], entry["addr_range"]) for entry in entries}
        assert {(entry.base, entry.size) for entry in design.reachable} <= shown, name


def test_designs_survive_pickling_and_copying(designs: dict[str, Design]) -> None:
    design = designs["Xilinx__PYNQ__base__ZCU104.hwh"]
    assert pickle.loads(pickle.dumps(design)) == design  # noqa: S301 (our own bytes)
    assert copy.deepcopy(design) == design


def test_views_are_fresh_and_mutable(designs: dict[str, Design]) -> None:
    design = designs["Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"]
    for view in (views.ip_dict, views.hierarchy_dict, views.mem_dict, views.gpio_dict, views.interrupt_pins):
        first = view(design)
        before = copy.deepcopy(first)

        def wreck(value: object) -> None:
            if isinstance(value, dict):
                for entry in value.values():
                    wreck(entry)
                value.clear()

        wreck(first)
        assert view(design) == before


def test_known_facts_of_the_base_overlay(designs: dict[str, Design]) -> None:
    """Numbers that its users know by heart."""
    design = designs["Xilinx__PYNQ__base__Pynq-Z2__2018.3.hwh"]
    ip = views.ip_dict(design)
    assert ip["video/axi_vdma"]["phys_addr"] == 0x43000000
    assert design.cells["video/axi_vdma"].type == "xilinx.com:ip:axi_vdma:6.3"
    assert views.interrupt_controllers(design)["system_interrupts"] == {
        "parent": "",
        "index": 0,
        "raw_irq": 61,
    }
    assert design.part == "xc7z020clg400-1"
    assert design.interrupt_pins["video/axi_vdma/mm2s_introut"].controller == "system_interrupts"
