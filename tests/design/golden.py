"""Compares our views with what PYNQ 4.0's metadata packages make of the same files.

Every leaf of the seven dictionaries is compared. A difference is *explained* if one rule of :data:`RULES`
proves, from the XML itself and not through our reader, that the reference is wrong in the one way the rule is
about. Each rule stands in ``docs/errata.md`` under its identifier. Run as a program, it prints the counts as
JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pynq.design import Design, read, views

VIEWS = (
    "ip_dict",
    "hierarchy_dict",
    "interrupt_pins",
    "interrupt_controllers",
    "gpio_dict",
    "clock_dict",
    "mem_dict",
)
MISSING = "<missing>"


class Facts:
    """What a hand-off file says, looked up in its XML without our reader."""

    def __init__(self, path: Path) -> None:
        self.root = ElementTree.parse(path).getroot()
        self.modules = {module.get("INSTANCE", ""): module for module in self.root.iter("MODULE")}
        self.by_path = {self.path(module): module for module in self.modules.values()}
        self.external = {
            interface.get("NAME") for interface in self.root.iterfind("./EXTERNALINTERFACES/BUSINTERFACE")
        }

    @staticmethod
    def path(module: ElementTree.Element) -> str:
        return (module.get("FULLNAME") or module.get("INSTANCE", "")).lstrip("/")

    @cached_property
    def ps(self) -> ElementTree.Element | None:
        kinds = ("processing_system7", "zynq_ultra_ps_e", "versal_cips", "pspmc")
        return next((module for module in self.modules.values() if module.get("MODTYPE") in kinds), None)

    def windows(self, instance: str) -> set[tuple[int, int]]:
        """(base, size) of what the PS reaches under that name."""
        assert self.ps is not None
        return {
            (
                int(entry.get("BASEVALUE", ""), 16),
                int(entry.get("HIGHVALUE", ""), 16) - int(entry.get("BASEVALUE", ""), 16) + 1,
            )
            for entry in self.ps.iter("MEMRANGE")
            if entry.get("INSTANCE") == instance
        }

    def peers(self, module: ElementTree.Element, port: str) -> list[tuple[str, str]]:
        return [
            (connection.get("INSTANCE", ""), connection.get("PORT", ""))
            for entry in module.iterfind("./PORTS/PORT")
            if entry.get("NAME") == port
            for connection in entry.iter("CONNECTION")
        ]

    def kind(self, instance: str) -> str:
        module = self.modules.get(instance)
        return module.get("MODTYPE", "") if module is not None else ""

    def port(self, path: str) -> tuple[ElementTree.Element, str] | None:
        """The module and the port's name for ``cell/port``."""
        cell, _, port = path.rpartition("/")
        module = self.by_path.get(cell)
        return None if module is None else (module, port)

    def reaches_ps(self, path: str) -> bool:
        """Whether a pin is wired to an interrupt input of the PS, straight or through one concatenation."""
        found = self.port(path)
        if found is None or self.ps is None:
            return False
        module, port = found
        name = self.ps.get("INSTANCE")
        lines = re.compile(r"IRQ_F2P|pl_ps_irq\d+|Core[01]_n(?:IRQ|FIQ)")
        ends = self.peers(module, port)
        if module.get("MODTYPE") == "xlconcat":  # an input of the concatenation itself
            ends = [(module.get("INSTANCE", ""), port)]
        for instance, pin in ends:
            if instance == name and lines.fullmatch(pin):
                return True
            if self.kind(instance) == "xlconcat":
                outputs = self.peers(self.modules[instance], "dout")
                if any(end == name and lines.fullmatch(line) for end, line in outputs):
                    return True
        return False

    def parameter(self, module: ElementTree.Element, name: str) -> str | None:
        for entry in module.iterfind("./PARAMETERS/PARAMETER"):
            if entry.get("NAME") == name:
                return entry.get("VALUE")
        return None


@dataclass(frozen=True)
class Difference:
    """A leaf that differs: where it is, what the reference has there and what we have."""

    view: str
    path: tuple[str, ...]
    golden: Any
    ours: Any

    def __str__(self) -> str:
        return f"{self.view}[{']['.join(self.path)}]: golden {self.golden!r:.80}, ours {self.ours!r:.80}"


Rule = Callable[[Difference, dict[str, Any], Facts], bool]
RULES: dict[str, Rule] = {}


def rule(identifier: str) -> Callable[[Rule], Rule]:
    def add(function: Rule) -> Rule:
        RULES[identifier] = function
        return function

    return add


_PS_ENTRY = {
    "mem_id": None,
    "memtype": "REGISTER",
    "phys_addr": 0,
    "addr_range": 0,
    "registers": {},
    "state": None,
    "bdtype": None,
}


@rule("E-1")
def ps_without_address(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """The PS's own entry has only some of the keys that every other entry has."""
    if d.view not in ("ip_dict", "hierarchy_dict") or facts.ps is None or len(d.path) < 2:
        return False
    path = facts.path(facts.ps)
    owner = d.path[-2] == path or d.path[-2] == path.rpartition("/")[2]
    expected = {**_PS_ENTRY, "fullpath": path}
    return owner and d.golden is MISSING and d.path[-1] in expected and d.ours == expected[d.path[-1]]


@rule("E-2")
def direct_interrupt(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """An interrupt wired to the PS without an axi_intc is not listed at all."""
    if d.view == "interrupt_pins" and len(d.path) == 1:
        pin = d.path[0]
    elif d.view in ("ip_dict", "hierarchy_dict") and len(d.path) >= 3 and d.path[-2] == "interrupts":
        pin = d.ours["fullpath"] if isinstance(d.ours, dict) else ""
    else:
        return False
    return (
        d.golden is MISSING
        and isinstance(d.ours, dict)
        and d.ours["fullpath"] == pin
        and d.ours["controller"] == ""
        and pin not in golden["interrupt_pins"]
        and facts.reaches_ps(pin)
    )


@rule("E-3")
def second_window(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """Of several address ranges of one IP only the last is listed."""
    if d.view != "ip_dict" or len(d.path) != 1 or d.golden is not MISSING:
        return False
    window = (d.ours["phys_addr"], d.ours["addr_range"])
    module = facts.by_path.get(d.ours["fullpath"])
    kept = golden["ip_dict"].get(d.ours["fullpath"])
    if module is None or kept is None or d.path[0] == d.ours["fullpath"]:
        return False
    known = facts.windows(module.get("INSTANCE", ""))
    other = (kept["phys_addr"], kept["addr_range"])
    return window in known and other in known and window != other


@rule("E-4")
def base_of_region(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """A region that is a module reference gets the placeholder 9999999, range 16."""
    if d.view != "ip_dict" or len(d.path) != 2:
        return False
    if (d.path[1], d.golden) not in (("phys_addr", 9999999), ("addr_range", 16)):
        return False
    module = facts.by_path[d.path[0]]
    column = 0 if d.path[1] == "phys_addr" else 1
    return {window[column] for window in facts.windows(module.get("INSTANCE", ""))} == {d.ours}


@rule("E-5")
def external_interface(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """What the PS reaches through an AXI interface of the design itself is not listed."""
    if d.view != "ip_dict" or len(d.path) != 1 or d.golden is not MISSING:
        return False
    name = d.ours["fullpath"]
    window = (d.ours["phys_addr"], d.ours["addr_range"])
    return name in facts.external and name not in facts.modules and window in facts.windows(name)


@rule("E-6")
def constant_as_interrupt(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """A constant that ties unused inputs off is listed as an interrupt."""
    if d.view != "interrupt_pins" or len(d.path) != 1 or d.ours is not MISSING:
        return False
    found = facts.port(d.path[0])
    if found is None:
        return False
    module, port = found
    if module.get("MODTYPE") == "xlconstant":
        return True
    drivers = facts.peers(module, port)
    return module.get("MODTYPE") == "xlconcat" and [facts.kind(end) for end, _ in drivers] == ["xlconstant"]


@rule("E-7")
def cascaded_controller(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """Only controllers at the PS itself are listed, none behind another controller."""
    if d.view != "interrupt_controllers" or len(d.path) != 1 or d.golden is not MISSING:
        return False
    module = facts.by_path.get(d.path[0])
    parent = facts.by_path.get(d.ours["parent"])
    if module is None or parent is None or {module.get("MODTYPE"), parent.get("MODTYPE")} != {"axi_intc"}:
        return False
    ends = facts.peers(module, "irq")
    concats = [instance for instance, _ in ends if facts.kind(instance) == "xlconcat"]
    ends += [end for instance in concats for end in facts.peers(facts.modules[instance], "dout")]
    return any(instance == parent.get("INSTANCE") for instance, _ in ends) and not facts.reaches_ps(
        f"{d.path[0]}/irq"
    )


@rule("E-8")
def pin_of_nobody(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """A port of the design is called ``None/port``."""
    if d.view != "gpio_dict" or d.path[-1] != "pins" or MISSING in (d.golden, d.ours):
        return False
    ports = {port.get("NAME") for port in facts.root.iterfind("./EXTERNALPORTS/PORT")}
    wrong = [pin for pin in d.golden if pin.startswith("None/")]
    repaired = sorted(pin.removeprefix("None/") for pin in d.golden)
    return (
        bool(wrong)
        and repaired == sorted(d.ours)
        and all(pin.removeprefix("None/") in ports for pin in wrong)
    )


@rule("E-9")
def input_as_output(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """What the PS reads over EMIO is listed as if it drove it, with the index 999 and no pins."""
    if d.view != "gpio_dict" or len(d.path) != 1 or d.ours is not MISSING or facts.ps is None:
        return False
    if d.golden != {"index": 999, "pins": [], "state": None}:
        return False
    inputs = [port for name in ("GPIO_I", "emio_gpio_i") for port in facts.peers(facts.ps, name)]
    outputs = [port for name in ("GPIO_O", "emio_gpio_o") for port in facts.peers(facts.ps, name)]
    instance = d.path[0]
    return any(end == instance for end, _ in inputs) and all(end != instance for end, _ in outputs)


@rule("E-10")
def emio_to_port(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """EMIO outputs are left out where the interface is not called GPIO_0, or leads straight out."""
    if d.view != "gpio_dict" or len(d.path) != 1 or d.golden is not MISSING or facts.ps is None:
        return False
    ports = {port.get("NAME") for port in facts.root.iterfind("./EXTERNALPORTS/PORT")}
    outputs = [pin for name in ("GPIO_O", "emio_gpio_o") for _, pin in facts.peers(facts.ps, name)]
    return d.path[0] in ports and d.path[0] in outputs and d.ours["pins"] == [d.path[0]]


@rule("E-11")
def zynq_frequency(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """The frequencies of Zynq-7000 are looked up under the names of UltraScale+ and so never found."""
    if d.view != "clock_dict" or len(d.path) != 2 or d.path[1] != "frequency" or facts.ps is None:
        return False
    if d.golden is not None or facts.ps.get("MODTYPE") != "processing_system7":
        return False
    number = d.path[0]
    text = facts.parameter(facts.ps, f"PCW_ACT_FPGA{number}_PERIPHERAL_FREQMHZ")
    enabled = facts.parameter(facts.ps, f"PCW_FPGA_FCLK{number}_ENABLE") == "1"
    return enabled and text is not None and abs(d.ours - float(text)) < 1e-6


@rule("E-15")
def region_is_a_hierarchy(d: Difference, golden: dict[str, Any], facts: Facts) -> bool:
    """A region that is a module reference is no hierarchy, so that nothing can be downloaded into it."""
    if d.view != "hierarchy_dict" or len(d.path) != 1 or d.golden is not MISSING:
        return False
    module = facts.by_path.get(d.path[0])
    return (
        module is not None and module.get("BDTYPE") == "RBD" and not (d.ours["ip"] or d.ours["hierarchies"])
    )


# Where the reference raises, there is nothing to compare; the rule says what it can't read and checks that we
# did.


def explained_failure(error: str, facts: Facts, design: Design) -> str:
    """The identifier of the entry on a file that the reference can't read at all; "" if there is none."""
    if "IndexError: list index out of range" in error and "ps_blocks" in error:
        return "E-12" if facts.ps is None and not design.ps else ""
    if "'NoneType' object has no attribute 'split'" in error:
        untyped = [
            entry for entry in facts.root.iterfind(".//MODULE//BUSINTERFACE") if entry.get("VLNV") is None
        ]
        return "E-13" if untyped else ""
    match = re.search(r"Could not find physical port (\w+)", error)
    if match:
        ghosts = [
            module
            for module in facts.modules.values()
            for entry in module.iter("PORTMAP")
            if entry.get("PHYSICAL") == match[1]
            and all(port.get("NAME") != match[1] for port in module.iterfind("./PORTS/PORT"))
        ]
        return "E-14" if ghosts else ""
    return ""


@dataclass
class Counts:
    """The result for one file or for all."""

    equal: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    shown_by: dict[str, set[str]] = field(default_factory=dict)  # rule -> files

    def add(self, other: Counts) -> None:
        self.equal += other.equal
        self.explained += other.explained
        self.unexplained += other.unexplained
        for identifier, files in other.shown_by.items():
            self.shown_by.setdefault(identifier, set()).update(files)


def plain(value: Any) -> Any:
    """As JSON would give it back: keys as text, sets as sorted lists."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def leaves(view: str, path: tuple[str, ...], golden: Any, ours: Any) -> Iterator[Difference | None]:
    """None for each leaf that is equal, else the difference; a part that one side lacks whole is one
    difference.
    """
    if isinstance(golden, dict) and isinstance(ours, dict):
        if not golden and not ours:
            yield None
        for key in sorted(golden.keys() | ours.keys()):
            yield from leaves(view, (*path, key), golden.get(key, MISSING), ours.get(key, MISSING))
    elif golden == ours or (
        isinstance(golden, list) and isinstance(ours, list) and sorted(golden) == sorted(ours)
    ):
        yield None
    else:
        yield Difference(view, path, golden, ours)


def compare(hwh: Path, reference: Path) -> Counts:
    """Compare one file."""
    counts = Counts()
    golden = json.loads(reference.read_text())
    design = read(hwh)
    facts = Facts(hwh)
    error = str((golden.get("errors") or {}).get("parse", ""))

    def explained(identifier: str) -> None:
        counts.explained[identifier] += 1
        counts.shown_by.setdefault(identifier, set()).add(hwh.name)

    for view in VIEWS:
        ours = plain(getattr(views, view)(design))
        if view not in golden:
            identifier = explained_failure(error, facts, design)
            if identifier:
                explained(identifier)
            else:
                counts.unexplained.append(f"{hwh.name}: {view}: the reference failed: {error}")
            continue
        for difference in leaves(view, (), plain(golden[view]), ours):
            if difference is None:
                counts.equal += 1
                continue
            matching = [name for name, check in RULES.items() if check(difference, golden, facts)]
            if len(matching) == 1:
                explained(matching[0])
            else:
                reason = f" (explained twice: {matching})" if matching else ""
                counts.unexplained.append(f"{hwh.name}: {difference}{reason}")
    return counts


def compare_all(corpus: Path) -> tuple[Counts, int]:
    """Compare every file that has a reference; also their number."""
    counts = Counts()
    files = sorted((corpus / "golden").glob("*.json"))
    for reference in files:
        counts.add(compare(corpus / "hwh" / f"{reference.stem}.hwh", reference))
    return counts, len(files)


def main(folder: str) -> None:
    counts, files = compare_all(Path(folder))
    result = {
        "files": files,
        "equal": counts.equal,
        "explained": sum(counts.explained.values()),
        "unexplained": len(counts.unexplained),
        "by_rule": dict(sorted(counts.explained.items(), key=lambda item: int(item[0][2:]))),
        "differences": counts.unexplained[:50],
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
