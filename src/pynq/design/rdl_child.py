"""The process that compiles SystemRDL: run by :mod:`pynq.design.systemrdl` with bounded time and memory.

It imports the standard library and ``systemrdl`` only, and starts with the caller's module search path. Perl
segments (``<% %>``) are refused, files are included from the folder of the first one only: an audit hook
sees to it that nothing else is opened and no program is started, whatever the compiler does.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_READ = {"rclr": "clear", "rset": "set", "ruser": "modify"}  # SystemRDL 2.0, table 12
_WRITE = {  # SystemRDL 2.0, table 13
    "woset": "oneToSet",
    "woclr": "oneToClear",
    "wot": "oneToToggle",
    "wzs": "zeroToSet",
    "wzc": "zeroToClear",
    "wzt": "zeroToToggle",
    "wclr": "clear",
    "wset": "set",
    "wuser": "modify",
}
_ACCESS = {
    "rw": "read-write",
    "r": "read-only",
    "w": "write-only",
    "rw1": "read-writeOnce",
    "w1": "writeOnce",
}
_REFUSED = (
    "subprocess.",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.fork",
    "socket.",
    "ctypes.",
)
_WHY = "refused, nothing in a description is executed"
_MODULES = (".py", ".pyc", ".so", ".pth", ".cfg")


class Refused(Exception):
    """Something that a source may not do."""


def collect(file: str, top: str, *, registers: int, size: int) -> dict[str, Any]:
    """Compile a file; return its register map as plain lists, or the problems.

    Args:
        file: Absolute path.
        top: Name of the address map; "" for the last one.
        registers: Most registers.
        size: Most bytes of all files together.
    """
    from systemrdl.compiler import RDLCompiler
    from systemrdl.messages import MessagePrinter, RDLCompileError

    problems: list[list[Any]] = []
    notes: list[list[Any]] = []

    class Printer(MessagePrinter):
        def print_message(self, severity: Any, text: str, src_ref: Any) -> None:
            if severity >= 4 and not (src_ref is None and problems):  # ERROR; the last one only sums up
                problems.append([*_place(src_ref, file), text])
            elif severity == 3 and len(notes) < 50:
                notes.append([*_place(src_ref, file), text])

    _bound_preprocessor(os.path.dirname(file), size)
    try:
        compiler = RDLCompiler(message_printer=Printer())
        compiler.compile_file(file)
        root = compiler.elaborate(top or None)
        return {"notes": notes, "problems": [], **_Map(root.top, registers, file, notes).made()}
    except Refused as error:
        problems.append([*error.args])
    except RDLCompileError as error:
        if not problems:
            problems.append([file, 0, str(error)])
    except UnicodeDecodeError as error:
        problems.append([file, 0, f"is no UTF-8 text (byte {error.start})"])
    except RecursionError:
        problems.append([file, 0, "is nested too deeply"])
    except MemoryError:
        problems.append([file, 0, "needs more memory than a register description may"])
    except Exception as error:  # noqa: BLE001  the compiler's own mistakes come with odd input
        if not problems:
            what = f"{type(error).__name__}: {error}"
            problems.append([file, 0, f"the SystemRDL compiler failed on it ({what[:200]})"])
    return {"problems": problems[:50], "notes": notes}


def _place(source: Any, file: str) -> list[Any]:
    try:
        return [str(getattr(source, "path", file)), int(getattr(source, "line", 0) or 0)]
    except (OSError, ValueError, IndexError):
        return [file, 0]


def _bound_preprocessor(folder: str, size: int) -> None:
    """Let the preprocessor refuse Perl, and includes from elsewhere, with file and line."""
    from systemrdl.preprocessor.perl_preprocessor import PerlPreprocessor

    left = [size]
    inside = os.path.join(os.path.realpath(folder), "")
    original = getattr(PerlPreprocessor, "unbounded_parse_include", PerlPreprocessor.parse_include)

    def take(path: str, line: int, included: str) -> None:
        left[0] -= os.path.getsize(included) + 100
        if left[0] < 0:
            raise Refused(path, line, f"it and what it includes have more than {size} bytes")

    def parse_include(self: Any, start: int) -> Any:
        line = self.text.count("\n", 0, start) + 1
        end, path = original(self, start)
        if not os.path.realpath(path).startswith(inside):
            raise Refused(self.path, line, f"includes {path}, which is outside of {inside}: refused")
        take(self.path, line, path)
        return end, path

    def tokenize(self: Any) -> Any:
        found = list(original_tokenize(self))
        for kind, start, _ in found:
            if kind == "perl":
                line = self.text.count("\n", 0, start) + 1
                raise Refused(
                    self.path, line, "has a Perl segment (<% %>): refused, nothing is executed here"
                )
        return found

    def run(self: Any, segments: Any) -> Any:
        raise Refused(self.path, 0, f"has Perl segments (<% %>): {_WHY}")

    original_tokenize = getattr(PerlPreprocessor, "unbounded_tokenize", PerlPreprocessor.tokenize)
    patched: Any = PerlPreprocessor
    patched.unbounded_parse_include, patched.parse_include = original, parse_include
    patched.unbounded_tokenize, patched.tokenize = original_tokenize, tokenize
    patched.run_perl_miniscript = run


class _Map:
    """Flattens an address map."""

    def __init__(self, top: Any, most: int, file: str, notes: list[list[Any]]) -> None:
        self._top = top
        self._most = most
        self._file = file
        self._notes = notes
        self._fields: list[list[Any]] = []
        self._kinds: dict[int, tuple[int, str, int | None, str]] = {}

    def made(self) -> dict[str, Any]:
        from systemrdl.node import MemNode, RegNode

        count = self._count(self._top)
        if count > self._most:
            message = f"address map {self._top.inst_name!r} has {count} registers; {self._most} are the most"
            raise Refused(*_place(self._top.def_src_ref, self._file), message)
        registers = []
        for node in self._top.descendants(unroll=True):
            if isinstance(node, RegNode) and not isinstance(node.parent, MemNode):
                registers.append(self._register(node))
            elif isinstance(node, MemNode):
                registers.append(self._memory(node))
        registers.sort(key=lambda one: one[1])
        return {
            "name": self._top.inst_name,
            "size": self._top.size,
            "line": self._line(self._top.def_src_ref),
            "registers": [one for one in registers if one[3]],
            "fields": self._fields,
        }

    def _count(self, node: Any) -> int:
        """Return how many registers there are, without making them."""
        from systemrdl.node import AddressableNode, MemNode, RegNode

        below: int
        if isinstance(node, MemNode):
            below = node.total_size // node.n_elements // 4
        elif isinstance(node, RegNode):
            below = 1
        else:
            below = sum(self._count(child) for child in node.children() if isinstance(child, AddressableNode))
        return int(below * node.n_elements)

    def _line(self, source: Any) -> int:
        file, line = _place(source, self._file)
        return line if file == self._file else 0

    def _name(self, node: Any) -> str:
        return str(node.get_rel_path(self._top))

    def _register(self, node: Any) -> list[Any]:
        key = id(node.inst)
        if key not in self._kinds:
            fields = [made for field in node.fields() if (made := self._field(field)) is not None]
            readable, writable = bool(node.has_sw_readable), bool(node.has_sw_writable)
            access = {(True, True): "read-write", (True, False): "read-only", (False, True): "write-only"}
            resets = [(field[3], field[1]) for field in fields if field[3] is not None]
            reset = sum(value << low for value, low in resets) if resets else None
            self._fields.append(fields)
            self._kinds[key] = (
                len(self._fields) - 1,
                access.get((readable, writable), ""),
                reset,
                _about(node),
            )
        place, access_word, reset, about = self._kinds[key]
        offset = node.absolute_address - self._top.absolute_address
        size = node.get_property("regwidth")
        line = self._line(node.inst_src_ref)
        return [self._name(node), offset, size, access_word, reset, about, place, line]

    def _memory(self, node: Any) -> list[Any]:
        """A memory is what it is in other descriptions: a register of more than 64 bits."""
        offset = node.absolute_address - self._top.absolute_address
        access = _ACCESS.get(node.get_property("sw").name, "")
        line = self._line(node.inst_src_ref)
        return [self._name(node), offset, node.size * 8, access, None, _about(node), -1, line]

    def _field(self, node: Any) -> list[Any] | None:
        access = _ACCESS.get(node.get_property("sw").name, "")
        if not access:
            return None  # software neither reads nor writes it
        reset = node.get_property("reset")
        on_write, on_read = node.get_property("onwrite"), node.get_property("onread")
        encoding = node.get_property("encode")
        return [
            node.inst_name,
            node.low,
            node.width,
            reset if isinstance(reset, int) else None,
            access,
            _about(node),
            self._line(node.inst_src_ref),
            _WRITE.get(on_write.name, "") if on_write else "",
            _READ.get(on_read.name, "") if on_read else "",
            [[member.name, int(member.value)] for member in encoding] if encoding else [],
        ]


def _about(node: Any) -> str:
    name = node.get_property("name")
    return " ".join(str(node.get_property("desc") or (name if name != node.inst_name else "")).split())


def _watch(folder: str) -> None:
    """Refuse, from now on, to start programs, to reach a network, and to open other files than allowed."""
    inside = os.path.join(os.path.realpath(folder), "")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_REFUSED):
            raise PermissionError(f"{event} is refused")
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            mode = str(arguments[1] or "r")
            if any(letter in mode for letter in "wax+") or not path.startswith(inside):
                if mode in ("r", "rb") and path.endswith(_MODULES):
                    return  # a module that is imported only now
                raise PermissionError(f"{path} may not be opened")

    sys.addaudithook(hook)


def main() -> None:
    """Read a request from the standard input, write the result to the standard output, both JSON."""
    import resource

    request = json.load(sys.stdin)
    sys.path[:] = request["path"]
    os.environ["PATH"] = ""
    memory, seconds = request["memory"], request["seconds"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import systemrdl  # noqa: F401  before the watch begins

    file = request["file"]
    _watch(os.path.dirname(file))
    found = collect(file, request["top"], registers=request["registers"], size=request["size"])
    json.dump(found, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
