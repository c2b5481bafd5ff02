"""A type stub (``.pyi``) of an overlay, so that editors complete and type checkers check its names.

The stub says what the object tree says: the names come from the code that the tree takes them from (bound
drivers, :func:`register_map_of`, ``RegisterMap.create_subclass``), in the same order, so that a name that
hides another in the tree does so in the stub.

Nodes of the tree, and registers, answer to any name as far as type checkers know (``__getattr__``). In a
stub all names are known: ``__getattr__: None`` takes that method away, and a typo is an error.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pynq.binding.hls import Kernel
from pynq.binding.ip import DefaultIP, register_map_of
from pynq.binding.plan import Plan
from pynq.binding.tree import DefaultHierarchy, memory_entries
from pynq.design import Design
from pynq.registers import Register, RegisterMap

__all__ = ["stubs"]

_PARTS = ("hierarchies", "ip", "interrupts", "gpio", "memories")
_HIDE = "__getattr__: None  # type: ignore"
_STRICT = """\
class _Register(pynq.Register):
    __getattr__: None  # type: ignore
    __setattr__: None  # type: ignore

class _RegisterMap(pynq.RegisterMap):
    __getattr__: None  # type: ignore
    __setattr__: None  # type: ignore"""
_NARROWER = "# pyright: ignore[reportIncompatibleVariableOverride]"
_INDENT = "    "
_HEADER = """\
# What {file} holds, for editors and type checkers. Made by `pynq stubs`; make it anew after each build.
"""

#: What a stub's own text uses: an attribute of that name would hide it from the others.
_RESERVED = ("Any", "int", "property", "pynq")

Lines = list[str]


def stubs(design: Design, plan: Plan, file: str, base: type[Any]) -> str:
    """Return the stub of a design.

    Args:
        design: What the overlay holds.
        plan: The drivers that are bound to it.
        file: What the header calls it; should be a name without folders.
        base: The class of the overlay.
    """
    return _Writer(design, plan).text(file, base)


class _Writer:
    """Collects the classes of a stub, innermost first."""

    def __init__(self, design: Design, plan: Plan) -> None:
        self._design = design
        self._plan = plan
        self._modules = {"pynq"}
        self._typing: set[str] = set()
        self._classes: dict[str, Lines] = {}
        self._maps: dict[tuple[str, ...], str] = {}  # a body -> the name of the class that has it
        paths = (*plan.views.ip_dict, *plan.views.hierarchy_dict, *plan.views.mem_dict)
        self._taken = {"Overlay", *_RESERVED, *(name for path in paths for name in path.split("/"))}

    def text(self, file: str, base: type[Any]) -> str:
        views = self._plan.views
        tree: dict[str, Any] = {
            "ip": views.ip_dict,
            "hierarchies": views.hierarchy_dict,
            "memories": memory_entries(views.mem_dict, self._design),
        }
        # The drivers' own attributes hide names of the description: they are found first.
        body = self._node(tree, base, f"Overlay of {file}.")
        name = self._free(_camel(self._design.name or file.partition(".")[0]) + "Overlay")
        self._classes[name] = [f"class {name}({self._base(base)}):", *body]
        imports = [f"import {module}" for module in sorted(self._modules)]
        if self._typing:
            imports.insert(0, f"from typing import {', '.join(sorted(self._typing))}")
        classes = ["\n".join(lines) for lines in self._classes.values()]
        alias = [] if name == "Overlay" else [f"Overlay = {name}"]
        strict = [_STRICT] if self._maps else []
        return (
            "\n\n".join([_HEADER.format(file=_plain(file)) + "\n".join(imports), *strict, *classes, *alias])
            + "\n"
        )

    # -- classes ----------------------------------------------------------------------------------------
    def _free(self, name: str) -> str:
        """Return a name of a class that is not taken: the name, or with a number."""
        taken = {*self._classes, *self._taken}
        number, found = 2, name
        while found in taken or keyword.iskeyword(found):
            found = f"{name}{number}"
            number += 1
        return found

    def _base(self, kind: type[Any]) -> str:
        """Return the nearest class of a driver that can be imported by name, as text."""
        for one in kind.__mro__:
            module = one.__module__
            if one is DefaultIP or one is DefaultHierarchy:
                return f"pynq.{one.__name__}"
            if module in ("pynq.overlay", "pynq.binding"):
                return f"pynq.{one.__qualname__}"
            names = [*module.split("."), *one.__qualname__.split(".")]
            if (
                all(name.isidentifier() for name in names)
                and module != "__main__"
                and not module.startswith("pynq_overlay_")
                and _importable(one)
            ):
                self._modules.add(module)
                return f"{module}.{one.__qualname__}"
        raise AssertionError("every driver is a DefaultIP or DefaultHierarchy, or at least an object")

    def _node(self, description: Mapping[str, Any], kind: type[Any], title: str) -> Lines:
        """Return the body of an overlay or a hierarchy."""
        lines = _doc(title)
        lines.append(_INDENT + _HIDE)
        seen: set[str] = set()
        hidden: list[str] = []
        for part in _PARTS:
            for name, entry in description.get(part, {}).items():
                if "/" in name or name in seen:
                    continue
                seen.add(name)
                if not _spellable(name) or hasattr(kind, name):
                    hidden.append(name)
                    continue
                made, text = self._child(part, entry)
                lines += _attribute(name, made, text)
        if hidden:
            lines.append(f"{_INDENT}# no attributes, write overlay[...]: {_plain(', '.join(hidden))}")
        return lines

    def _child(self, part: str, entry: Mapping[str, Any]) -> tuple[str, str]:
        """Return the type of an attribute and what is said about it, making its class."""
        path = entry.get("fullpath", "")
        if part == "interrupts":
            return "pynq.Interrupt", "An interrupt: `await` its `wait()`."
        if part == "gpio":
            return "pynq.GPIO", "A GPIO of the processor."
        if part == "memories":
            self._modules.add("pynq.binding")
            return "pynq.binding.Memory", f"{entry.get('type') or 'Memory'}{_place(entry)}."
        name = self._free(_camel(path))
        self._classes[name] = []  # the name is taken; what is below comes before it in the file
        driver = entry["driver"]
        if part == "hierarchies":
            text = f"Hierarchy {path}."
            lines = [f"class {name}({self._base(driver)}):", *self._node(entry, driver, text)]
        else:
            text = f"{entry.get('type') or 'Without type'}{_place(entry)}."
            lines = self._ip(name, entry, driver, text)
        del self._classes[name]
        self._classes[name] = lines
        return name, text

    def _ip(self, name: str, entry: Mapping[str, Any], driver: type[Any], text: str) -> Lines:
        lines = [f"class {name}({self._base(driver)}):", *_doc(text), _INDENT + _HIDE]
        for part in ("interrupts", "gpio"):
            for wire, one in entry.get(part, {}).items():
                if _spellable(wire) and not hasattr(driver, wire):
                    lines += _attribute(wire, *self._child(part, one))
        for attribute, made in sorted(_attribute_types(driver, entry).items()):
            if _spellable(attribute):
                self._modules.add(made.rpartition(".")[0] or "pynq")
                # Narrower than the driver's own annotation, which pyright takes amiss.
                lines.append(f"{_INDENT}{attribute}: {made}  {_NARROWER}")
        kind = register_map_of(entry, self._design)
        if kind is not None and getattr(driver, "register_map", None) is DefaultIP.register_map:
            lines += _property("register_map", self._registers(name, kind), "The registers, by name.")
        kernel = Kernel.of(entry.get("fullpath", ""), entry.get("registers"))
        if kernel is not None:
            lines += self._kernel(kernel, driver)
        return lines

    def _kernel(self, kernel: Kernel, driver: type[Any]) -> Iterator[str]:
        """``start`` and ``call``, with the arguments of the kernel."""
        parameters = list(kernel.signature.parameters.values())
        if not all(_spellable(one.name) for one in parameters):
            return
        self._typing.add("Any")
        arguments = "".join(f", {one.name}: Any" for one in parameters)
        if not hasattr(driver, "start"):
            self._modules.add("pynq.binding.hls")
            yield f"{_INDENT}def start(self{arguments}) -> pynq.binding.hls.Run: ..."
        if not hasattr(driver, "call"):
            star = "" if "timeout" in kernel.signature.parameters else ", *, timeout: float | None = None"
            yield f"{_INDENT}def call(self{arguments}{star}) -> None: ..."

    # -- registers --------------------------------------------------------------------------------------
    def _registers(self, owner: str, kind: type[RegisterMap]) -> str:
        """Return the name of the class for a register map; equal ones share a class."""
        body: Lines = []
        entries = kind._entries or {}
        for attribute, (original, entry) in entries.items():
            if not _spellable(attribute):
                continue
            text = _register_text(original, entry)
            if entry["size"] > 64:
                self._modules.add("pynq.memory")
                body += _property(attribute, "pynq.memory.RegisterArray", text)
                continue
            fields = Register.create_subclass(attribute, entry.get("fields") or {}, None)._fields
            made = _inner(attribute, (*entries, *kind._groups)) if fields else "_Register"
            if fields:
                body += [f"{_INDENT}class {made}(_Register):", *_fields(fields)]
            body += _property(attribute, made, text, settable=True)
        for attribute, numbers in kind._groups.items():
            if not _spellable(attribute):
                continue
            self._modules.add("pynq.registers")
            body += _property(
                attribute,
                "pynq.registers.RegisterGroup",
                f"{len(numbers)} registers, by number.",
                settable=True,
            )
        key = tuple(body)
        if key not in self._maps:
            self._maps[key] = name = self._free(f"{owner}Registers")
            self._classes[name] = [f"class {name}(_RegisterMap):", *body]
        return self._maps[key]


def _attribute_types(driver: type[Any], entry: Mapping[str, Any]) -> Mapping[str, str]:
    """What a driver says of its own attributes; one of PYNQ's protocol may have no such method."""
    ask = getattr(driver, "attribute_types", None)
    told: Mapping[str, str] = ask(entry) if ask is not None else {}
    return told


def _spellable(name: str) -> bool:
    """Whether a name can be written after a dot, and in a class of a stub (Python mangles ``__x``)."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("__")
        and name not in _RESERVED
    )


def _importable(kind: type[Any]) -> bool:
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


def _fields(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The body of a register's class."""
    for name, entry in fields.items():
        if not _spellable(name):
            continue
        low, width = entry["bit_offset"], entry["bit_width"]
        bits = f"bit {low}" if width == 1 else f"bits {low + width - 1}:{low}"
        text = _sentence(f"{bits}, {entry.get('access') or 'read-write'}", entry.get("description", ""))
        if entry.get("access") == "read-only":
            lines: Iterable[str] = _property(name, "int", text)
        else:
            lines = _attribute(name, "int", text)
        for line in lines:
            yield _INDENT + line


def _register_text(name: str, entry: Mapping[str, Any]) -> str:
    reset = entry.get("reset")
    known = f", reset {reset:#x}" if reset is not None else ""
    where = (
        f"{name}: {entry['address_offset']:#x}, {entry['size']} bits, {entry.get('access') or 'read-write'}"
    )
    return _sentence(where + known, entry.get("description", ""))


def _inner(attribute: str, taken: Iterable[str]) -> str:
    """The name of a register's class within its map's."""
    name, names = f"{attribute.lstrip('_')}_register", set(taken)
    while name in names:
        name += "_"
    return name


def _camel(path: str) -> str:
    """``video/axi_vdma_0``: ``VideoAxiVdma0``."""
    words = re.split(r"[^A-Za-z0-9]+", path)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name and not name[0].isdigit() else f"N{name}"


def _place(entry: Mapping[str, Any]) -> str:
    size = entry.get("addr_range")
    return f" at {entry['phys_addr']:#x}, {size:#x} bytes" if size else ""


def _sentence(head: str, description: str) -> str:
    words = " ".join(description.split())
    return f"{head}. {words}" if words else f"{head}."


def _plain(text: str) -> str:
    """Return text in one line, whatever is in it."""
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))


def _quoted(text: str) -> str:
    """Return text as a docstring of one line, whatever is in it."""
    plain = _plain(text)[:400].replace("\\", "\\\\").replace('"', "'")
    return f'"""{plain}"""'


def _doc(text: str) -> Lines:
    return [_INDENT + _quoted(text)]


def _attribute(name: str, kind: str, text: str) -> Lines:
    return [f"{_INDENT}{name}: {kind}", _INDENT + _quoted(text)]


def _property(name: str, kind: str, text: str, *, settable: bool = False) -> Lines:
    lines = [f"{_INDENT}@property", f"{_INDENT}def {name}(self) -> {kind}:", 2 * _INDENT + _quoted(text)]
    if settable:
        lines += [f"{_INDENT}@{name}.setter", f"{_INDENT}def {name}(self, value: int) -> None: ..."]
    return lines
