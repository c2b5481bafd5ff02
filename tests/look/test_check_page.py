"""The page of the rules is made from the rules: ``python tests/look/test_check_page.py`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from pynq.cli.check import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "check.md"
HEAD = PAGE.read_text(encoding="utf-8").partition("## The rules\n")[0] if PAGE.exists() else ""


def rules() -> str:
    """The part of the page that lists the rules."""
    text = "## The rules\n"
    for one in RULES:
        text += f"\n### {one.name}\n*{one.severity.capitalize()}.* {one.title}\n\n{one.why}\n\n"
        text += f"**What to do:** {one.remedy}\n"
    return text


def test_page_has_every_rule_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == HEAD + rules(), f"run python {Path(__file__).name}"


def test_table_of_the_page_has_every_rule() -> None:
    assert re.findall(r"^\| \[([a-z-]+)\]", HEAD, re.M) == [one.name for one in RULES]


if __name__ == "__main__":
    table = "".join(f"| [{one.name}](#{one.name}) | {one.severity} | {one.title} |\n" for one in RULES)
    head = HEAD.partition("| rule |")[0]
    PAGE.write_text(f"{head}| rule | severity | finds |\n|---|---|---|\n{table}\n{rules()}", encoding="utf-8")
