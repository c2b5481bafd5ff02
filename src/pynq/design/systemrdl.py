"""Register maps from SystemRDL 2.0 (Accellera), through the package ``systemrdl-compiler``.

The compiler runs in a process of its own, with bounded time and memory: a few lines of SystemRDL can ask for
any number of registers. Perl segments are refused, includes reach no further than the file's own folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from pynq.design.ipxact_maps import MAX_REGISTERS
from pynq.design.model import AddressBlock, Field, Register, SourceRef
from pynq.errors import DesignError, DesignNotFoundError, MissingPackageError, Problem

__all__ = ["MAX_BYTES", "Registers", "decode", "registers"]

MAX_BYTES = 8 << 20
"""Most bytes of a file and all that it includes."""
MAX_MEMORY = 1 << 30
"""Most memory that compiling takes, in bytes."""
MAX_SECONDS = 30
"""Longest time of the processor that compiling takes, in seconds."""
_PATIENCE = 5 * MAX_SECONDS  # by the clock, for busy machines


class Registers(NamedTuple):
    """The registers of an address map, and what the compiler warned of."""

    blocks: tuple[AddressBlock, ...]
    notes: tuple[Problem, ...]


def registers(path: str | os.PathLike[str], top: str = "") -> Registers:
    """Compile a file; return the registers of its address map ``top`` ("": the last one of the file).

    Registers in register files and address maps within have the names of these before theirs
    (``lane[2].ctrl``), those of arrays their number (``COEFF[3]``); a memory is one register of all its bits.

    Raises:
        DesignNotFoundError: There is no such file.
        DesignError: It can't be used; every message of the compiler, with file and line.
        MissingPackageError: ``systemrdl-compiler`` is not installed.
    """
    name = os.fspath(path)
    file = Path(path).absolute()
    if not file.is_file():
        if not file.exists():
            raise DesignNotFoundError(f"no register description {name!r}: there is no such file")
        raise DesignError([Problem(name, 0, "is no file")])
    if file.stat().st_size > MAX_BYTES:
        raise DesignError([Problem(name, 0, f"is larger than {MAX_BYTES >> 20} MiB")])
    if importlib.util.find_spec("systemrdl") is None:
        raise MissingPackageError(
            f"reading {name} (SystemRDL) needs the package systemrdl-compiler: "
            "pip install 'pynq-anywhere[systemrdl]'"
        )
    return decode(_compile(str(file), top, name), str(file), name)


def _compile(file: str, top: str, name: str) -> Any:
    request = {
        "path": [os.path.abspath(entry) for entry in sys.path],
        "file": file,
        "top": top,
        "registers": MAX_REGISTERS,
        "size": MAX_BYTES,
        "memory": MAX_MEMORY,
        "seconds": MAX_SECONDS,
    }
    child = Path(__file__).with_name("rdl_child.py")
    too_much = f"compiling it takes more than {MAX_SECONDS} s or {MAX_MEMORY >> 30} GiB of memory"
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(child)],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DesignError([Problem(name, 0, too_much)]) from error
    try:
        return json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        killed = done.returncode < 0 or any("MemoryError" in line for line in said)
        last = said[-1][:200] if said else "it said nothing"
        reason = too_much if killed else f"the SystemRDL compiler failed on it ({last})"
        raise DesignError([Problem(name, 0, reason)]) from error


def decode(found: Any, file: str, name: str) -> Registers:
    """Make the registers of what the child process found. ``name`` is what messages call ``file``.

    Raises :class:`~pynq.errors.DesignError` for the problems in it.
    """

    def shown(entries: Any) -> tuple[Problem, ...]:
        return tuple(
            Problem(name if where == file else where, line, message) for where, line, message in entries
        )

    if found["problems"]:
        raise DesignError(shown(found["problems"]))
    kinds = [tuple(_field(entry) for entry in fields) for fields in found["fields"]]
    block = AddressBlock(
        name=found["name"],
        interface="",
        offset=0,
        range=found["size"],
        usage="register",
        access="read-write",
        registers=tuple(
            Register(title, offset, size, access, reset, about, kinds[kind] if kind >= 0 else (), line)
            for title, offset, size, access, reset, about, kind, line in found["registers"]
        ),
        source=SourceRef(name, found["line"]),
    )
    return Registers((block,), shown(found["notes"]))


def _field(entry: Any) -> Field:
    name, low, width, reset, access, about, line, on_write, on_read, values = entry
    members = tuple((member, value) for member, value in values)
    return Field(name, low, width, access, reset, about, line, on_write, on_read, members)
