"""Scripts that can't be used: one small file per rule in ``bad/``, with a regular expression beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tcl_scripts import exported, needs_tcl, run

from pynq.design.tcl import sandbox
from pynq.errors import DesignError, Problem

pytestmark = needs_tcl

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.tcl"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_rule(file: Path) -> None:
    expected = file.with_suffix(".re").read_text().splitlines()
    with pytest.raises(DesignError) as caught:
        sandbox.run(file.read_bytes(), str(file))
    problems = caught.value.problems
    assert len(problems) == len(expected), str(caught.value)
    for problem, pattern in zip(problems, expected, strict=True):
        assert re.search(pattern, str(problem)), f"{problem} does not match {pattern}"
        assert problem.file == str(file)


def test_every_file_has_its_pattern() -> None:
    assert {file.stem for file in FILES} == {file.stem for file in BAD.glob("*.re")}
    assert len(FILES) > 30


def test_a_script_that_gives_up_says_why() -> None:
    text = exported("2020.2").replace("set design_name system", 'set design_name ""')
    line = next(number for number, one in enumerate(text.split("\n"), 1) if "-id 114" in one)
    with pytest.raises(DesignError) as caught:
        run(text, "x.tcl")
    assert caught.value.problems == (
        Problem("x.tcl", line, "Please set the variable <design_name> to a non-empty value."),
    )
