"""The Python file beside a bitstream, whose ``Overlay`` stands for the overlay."""

from __future__ import annotations

import ast
import grp
import importlib.util
import inspect
import os
import pwd
import stat
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pynq.device.notes import emit
from pynq.errors import CompanionError, PynqWarning

__all__ = ["call", "find", "load", "shown"]

_PREFIX = "pynq_overlay_"


def find(beside: Path) -> Path | None:
    """Return the Python file of the same stem, unless it is the program that is running."""
    path = beside.with_suffix(".py")
    if not path.is_file():
        return None
    running = getattr(sys.modules.get("__main__"), "__file__", None)
    if running and os.path.exists(running) and path.samefile(running):
        return None  # `python fir.py` that loads fir.bit is a program, no companion
    return path


def load(path: Path) -> Callable[..., Any] | None:
    """Import a companion and return its ``Overlay``; None when the file binds no such name and so is
    something else.

    The file becomes a module of its own under a name made from its path, with ``__path__`` set to its
    folder, so that ``from .helpers import X`` works. Every call runs it anew: its drivers count as defined
    again.

    Raises:
        CompanionError: The file is owned by, or may be written by, somebody else than root and the caller,
        or it fails
            while it is imported. The message says which, with file and line.
    """
    source = _read(path)
    try:
        tree = ast.parse(source, str(path))
        code = compile(source, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise CompanionError(f"{path}:{line}: {type(error).__name__}: {error}") from error
    if not _binds_overlay(tree):
        if not _imports_overlay(tree):
            emit(
                PynqWarning(
                    f"{path} lies beside the bitstream but binds no name Overlay, so it was not imported; "
                    "end it with `Overlay = YourClass` to have it used"
                )
            )
        return None
    factory = getattr(_run(path, code), "Overlay", None)
    if not callable(factory):
        raise CompanionError(f"{path}: Overlay is {factory!r}; it must be a class or a function")
    return factory  # type: ignore[no-any-return]


def _read(path: Path) -> bytes:
    """Return the file's text after checking, on the open file, who else could have written it."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid not in _trusted_users():
            raise CompanionError(
                f"{path} is not run: it is owned by {_user(status.st_uid)}, "
                f"not by you ({_user(os.geteuid())}) or root; chown it if you trust what it says"
            )
        if status.st_mode & stat.S_IWOTH:
            raise CompanionError(f"{path} is not run: everybody may write it; chmod o-w it if you trust it")
        if status.st_mode & stat.S_IWGRP and not _private_group(status.st_uid, status.st_gid):
            raise CompanionError(
                f"{path} is not run: its group {_group(status.st_gid)} may write it; "
                "chmod g-w it if you trust it"
            )
        return file.read()


def _trusted_users() -> set[int]:
    """Root, the caller and, under sudo, who called that."""
    trusted = {0, os.geteuid()}
    caller = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and caller.isdecimal():
        trusted.add(int(caller))
    return trusted


def _private_group(user: int, group: int) -> bool:
    """Say whether a group is its owner's alone, as most Linux systems give one to every user."""
    try:
        owner, entry = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    return owner.pw_gid == group and set(entry.gr_mem) <= {owner.pw_name} and entry.gr_name == owner.pw_name


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _top_level(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that run when the module is imported and bind names in it."""
    found = []
    for statement in statements:
        found.append(statement)
        for part in ("body", "orelse", "finalbody"):
            if isinstance(statement, (ast.If, ast.Try, ast.With)):
                found.extend(_top_level(getattr(statement, part, [])))
        for handler in getattr(statement, "handlers", []):
            found.extend(_top_level(handler.body))
    return found


def _binds_overlay(tree: ast.Module) -> bool:
    """Say whether the module defines, assigns or imports (from elsewhere than pynq) a name ``Overlay``."""
    for node in _top_level(tree.body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == "Overlay":
            return True
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            if any(name.id == "Overlay" for name in names):
                return True
        if isinstance(node, ast.ImportFrom) and not _is_pynq(node):
            imported = {alias.asname or alias.name for alias in node.names}
            if not imported.isdisjoint({"Overlay", "*"}):
                return True
    return False


def _imports_overlay(tree: ast.Module) -> bool:
    """Say whether the module uses pynq's own ``Overlay``, which makes it a program."""
    return any(
        isinstance(node, ast.ImportFrom)
        and _is_pynq(node)
        and any(alias.name in ("Overlay", "*") for alias in node.names)
        for node in ast.walk(tree)
    )


def shown(module: str) -> str:
    """Return a module's name as readers know it: for a companion, whose own has a hash, its file's stem."""
    return module.removeprefix(_PREFIX).rpartition("_")[0] if module.startswith(_PREFIX) else module


def _is_pynq(node: ast.ImportFrom) -> bool:
    return node.level == 0 and node.module in ("pynq", "pynq.overlay")


def _run(path: Path, code: CodeType) -> ModuleType:
    name = f"{_PREFIX}{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    spec = ModuleSpec(name, None, origin=str(path), is_package=True)
    assert spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module
    for helper in [known for known in sys.modules if known.startswith(f"{name}.")]:
        del sys.modules[helper]  # what the companion imports from its folder is run anew as well
    try:
        exec(code, module.__dict__)
    except Exception as error:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        trace = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in trace if frame.filename == str(path)]
        where = f"{path}:{lines[-1]}" if lines and lines[-1] else str(path)
        raise CompanionError(f"{where}: {type(error).__name__}: {error}") from error
    return module


def call(factory: Callable[..., Any], bitfile_name: str, download: bool, options: Mapping[str, Any]) -> Any:
    """Call a companion's ``Overlay`` with what its signature takes.

    The seed's ``(bitfile_name, download)`` and PYNQ's ``(bitfile_name, dtbo, download, ignore_version,
    device)`` both work; ``options`` are passed where a parameter of that name, or ``**kwargs``, takes them.
    """
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # a callable that does not tell
        return factory(bitfile_name, download)
    kinds = {parameter.kind for parameter in parameters.values()}
    catch_all = inspect.Parameter.VAR_KEYWORD in kinds
    taken = {
        name: value
        for name, value in options.items()
        if name in parameters or (catch_all and value not in (None, False))
    }
    if "download" in parameters or catch_all:
        return factory(bitfile_name, download=download, **taken)
    positional = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ]
    if inspect.Parameter.VAR_POSITIONAL in kinds or (len(positional) > 1 and positional[1] not in taken):
        return factory(bitfile_name, download, **taken)
    return factory(bitfile_name, **taken)
