"""The stub and the module agree: classes, members, which can be set, parameters and their defaults."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import pynq.backends.sim
from pynq.backends.sim import _engine

STUB = ast.parse((Path(pynq.backends.sim.__file__).parent / "_engine.pyi").read_text("utf-8"))
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}


def members(node: ast.ClassDef) -> dict[str, ast.FunctionDef | ast.AnnAssign]:
    out: dict[str, ast.FunctionDef | ast.AnnAssign] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            out[item.name] = item
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            out[item.target.id] = item
    return out


def is_property(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list
    )


def parameters(signature: str) -> list[tuple[str, bool]]:
    """Names of the parameters of a ``def`` line, and whether they have a default."""
    [function] = ast.parse(f"{signature.splitlines()[0]}: ...").body
    assert isinstance(function, ast.FunctionDef)
    return of_function(function)


def of_function(function: ast.FunctionDef) -> list[tuple[str, bool]]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    missing = len(plain) - len(given.defaults)
    names = [(one.arg, index >= missing) for index, one in enumerate(plain)]
    names += [
        (one.arg, default is not None)
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    if given.kwarg:
        names.append((given.kwarg.arg, False))
    return names[1:]


def test_classes() -> None:
    runtime = {name for name, value in vars(_engine).items() if isinstance(value, type)}
    assert runtime == set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_members(name: str) -> None:
    promised = {member for member in members(CLASSES[name]) if not member.startswith("__")}
    there = {member for member in vars(getattr(_engine, name)) if not member.startswith("__")}
    assert promised == there


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_what_can_be_set(name: str) -> None:
    for member, node in members(CLASSES[name]).items():
        value = vars(getattr(_engine, name)).get(member)
        if isinstance(value, property) or is_property(node):
            assert isinstance(value, property), member
            assert (value.fset is None) == is_property(node), member


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_parameters(name: str) -> None:
    for member, node in members(CLASSES[name]).items():
        if not isinstance(node, ast.FunctionDef) or is_property(node) or member.startswith("__"):
            continue
        function = vars(getattr(_engine, name))[member]
        text = function.__nb_signature__[0][0]
        # Defaults are printed as back references (\\0): any expression does here.
        assert parameters(text.replace("\\", "d")) == of_function(node), member
