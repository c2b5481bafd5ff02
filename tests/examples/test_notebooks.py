"""The notebooks: what is in them, and that their cells run as in Jupyter, where an event loop is running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from example_ways import unexpected

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*/run.ipynb"))

#: What Jupyter does with a notebook, in short: its cells one after the other, in one namespace, awaited in
#: the loop that runs already.
KERNEL = """
import ast, asyncio, inspect, json, sys

async def run(cells):
    names = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        code = compile("".join(cell), f"cell {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.iscoroutine(waiting := eval(code, names)):
            await waiting

with open(sys.argv[1], encoding="utf-8") as file:
    found = json.load(file)
asyncio.run(run([cell["source"] for cell in found["cells"] if cell["cell_type"] == "code"]))
"""


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT))
    from examples.tools import notebooks

    yield notebooks
    for name in [name for name in sys.modules if name == "examples" or name.startswith("examples.")]:
        del sys.modules[name]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_cells_run(path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYNQ")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", KERNEL, path.name],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not unexpected(done.stderr), done.stderr
    assert len(done.stdout.splitlines()) >= 1


def test_every_program_has_one() -> None:
    programs = sorted((ROOT / "examples").glob("*/run.py"))
    assert [path.with_suffix(".ipynb") for path in programs] == NOTEBOOKS
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_format_and_no_outputs(path: Path) -> None:
    """What nbformat 4.5 asks for."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    cells = found["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        expected = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            expected |= {"execution_count", "outputs"}
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        assert set(cell) == expected
        assert all(line.endswith("\n") for line in cell["source"][:-1])
    assert cells[0]["source"][0].startswith("# ")
    text = "".join(line for cell in cells for line in cell["source"])
    for word in ("__file__", "asyncio.run(", "noqa", "# %%"):
        assert word not in text


def test_what_is_translated(tool: ModuleType) -> None:
    program = """\
# %% [markdown]
# # Title
# Text.

# %% Load it
from __future__ import annotations

import asyncio
from pathlib import Path

import x  # noqa: E402, F401  the model
import y  # noqa: E402

ol = load(str(Path(__file__).resolve().parent / "a.bit"))

# %%
asyncio.run(main(1))
"""
    cells = json.loads(tool.notebook(program))["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells] == [
        ("markdown", "# Title\nText."),
        ("markdown", "### Load it"),
        ("code", 'import x  # the model\nimport y\n\nol = load("a.bit")'),
        ("code", "await (main(1))"),
    ]


def test_code_before_the_first_cell(tool: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"before the first cell .*: import x"):
        tool.notebook("import x\n# %% Cell\n")
