"""Modules that need each other can't be read one after the other: no circle of imports, of any kind."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp

from pynq.design.formats import FORMATS

# Compiled modules of our own: the walk sees an import of the package that they are in.
NATIVE = ("import _native", "import _engine")
# What is imported by a name that is data, and so unseen by the walk.
BY_NAME = {
    "pynq.design.formats": [f"pynq.design.{kind.module}" for kind in FORMATS],
    "pynq.design.tcl.child": ["pynq.design.tcl.catalogue"],
    "pynq.design.tcl.known_pins": ["pynq.design.tcl.catalogue"],
}


def test_no_module_needs_one_that_needs_it() -> None:
    """Imports inside functions, and those for type checkers alone, count as all others do."""
    graph = grimp.build_graph("pynq", cache_dir=None)
    needs: TopologicalSorter[str] = TopologicalSorter(BY_NAME)
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            details = graph.get_import_details(importer=module, imported=other)
            if not all(detail["line_contents"].endswith(NATIVE) for detail in details):
                needs.add(module, other)
    try:
        needs.prepare()
    except CycleError as error:
        raise AssertionError(
            f"a circle of imports: {' <- '.join(error.args[1])}; move what they share below them"
        ) from None
