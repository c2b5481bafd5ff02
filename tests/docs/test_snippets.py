"""Every ``python`` block of the README and of the documentation runs, page by page, in the order of the page.

A page runs in a process and a folder of its own, in which the examples' hand-off files lie. A block marked
``py`` is a fragment and is not run.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pynq.device.base import Device

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *(page for name in ("docs", "examples") for page in sorted((ROOT / name).rglob("*.md"))),
]
FENCE = re.compile(r"^```python[^\S\n]*\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)


def program(page: Path) -> str:
    """The page's blocks as one program in which every line stands where it does in the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for match in FENCE.finditer(text):
        first = text[: match.start(1)].count("\n")
        block = match[1].splitlines()
        lines[first : first + len(block)] = block
    return "\n".join(lines) + "\n"


def pages_with_code() -> list[Path]:
    return [page for page in PAGES if FENCE.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", pages_with_code(), ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page: Path, tmp_path: Path) -> None:
    for file in (ROOT / "examples").glob("*/*.hwh"):
        shutil.copy(file, tmp_path)
    shutil.copy(
        ROOT / "examples" / "polynomial" / "polynomial.py", tmp_path
    )  # its overlay class and its model
    script = tmp_path / f"{page.stem}_blocks.py"  # its lines have the numbers of the page's
    script.write_text(program(page), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYNQ")}
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{page}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def test_links_between_pages_lead_somewhere() -> None:
    link = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
    broken = []
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in link.findall(text):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_every_example_has_a_page() -> None:
    for folder in (ROOT / "examples").iterdir():
        if any(folder.glob("*.hwh")):
            assert (folder / "README.md").exists(), folder


def test_commands_of_the_readme_are_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets


def test_the_contract_of_devices_is_that_of_the_code() -> None:
    """The page names every public method of a device, and each of its rows is one."""
    page = (ROOT / "docs" / "design" / "contracts.md").read_text(encoding="utf-8")
    methods = {name for name, what in vars(Device).items() if inspect.isfunction(what) and name[0] != "_"}
    rows = [line.split("|")[1] for line in page.splitlines() if re.search(r"\| (must|may) \|", line)]
    listed = {name for row in rows for name in re.findall(r"`(\w+)\(", row)}
    assert listed <= methods
    assert methods - listed == set(re.findall(r"`Device\.(\w+)", page))
