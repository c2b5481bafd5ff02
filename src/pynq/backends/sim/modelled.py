"""What would stand for each cell of a design, were it loaded into the simulated board. Nothing is loaded."""

from __future__ import annotations

from pynq.backends.sim import models as built_in
from pynq.backends.sim.assembly import NATIVE
from pynq.backends.sim.model import ModelRegistry, models
from pynq.design.model import CellKind, Design, MemoryKind

__all__ = ["model_names"]


def model_names(design: Design, registry: ModelRegistry = models) -> dict[str, str]:
    """Return the model of each cell that has one, by path, in the order in which the board chooses.

    A Python model is named by its class, a component of the engine is "engine", a memory "memory". What is
    missing gets a register file, or is infrastructure that needs nothing. RTL of the user's, which comes
    before all models, is not known here.
    """
    built_in.load()
    memories = {
        entry.slave
        for cell in design.cells.values()
        for entry in cell.ranges
        if entry.kind is MemoryKind.MEMORY
    }
    found = {}
    for path, cell in design.cells.items():
        if cell.kind is CellKind.PROCESSOR or path == design.ps:
            found[path] = "engine"
            continue
        model = registry.find(cell.vlnv, cell.type)
        if model is not None and model.applies(cell):
            found[path] = f"{model.__module__}.{model.__qualname__}"
        elif cell.type_name in NATIVE and (cell.vlnv is None or cell.vlnv.vendor == "xilinx.com"):
            found[path] = "engine"
        elif cell.kind is CellKind.MEMORY_CONTROLLER or path in memories:
            found[path] = "memory"
    return found
