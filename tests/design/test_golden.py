"""The legacy views against the reference, file by file; every difference is explained in docs/errata.md."""

from __future__ import annotations

import re
from pathlib import Path

import golden
import pytest

ERRATA = Path(__file__).resolve().parents[2] / "docs" / "errata.md"


@pytest.fixture(scope="module")
def result(corpus: Path) -> tuple[golden.Counts, int]:
    return golden.compare_all(corpus)


@pytest.mark.corpus
def test_nothing_is_unexplained(
    result: tuple[golden.Counts, int], record_property: pytest.RecordProperty
) -> None:
    counts, files = result
    explained = sum(counts.explained.values())
    record_property("equal", counts.equal)
    record_property("explained", explained)
    assert counts.unexplained == []
    assert files == 67
    assert counts.equal > 180_000
    assert explained < 800


@pytest.mark.corpus
def test_every_rule_is_in_the_errata_with_a_file_that_shows_it(result: tuple[golden.Counts, int]) -> None:
    rows = dict(re.findall(r"^\| (E-\d+) \|.*\| `(\S+\.hwh)` \|$", ERRATA.read_text(), re.MULTILINE))
    counts, _ = result
    assert set(rows) == set(counts.shown_by), "each rule is used, and each one used is documented"
    for identifier, file in rows.items():
        assert file in counts.shown_by[identifier], f"{identifier}: {file} does not show it"


def test_rules_are_narrow() -> None:
    """A changed value that no rule is about stays unexplained, even where another rule's difference is."""
    wrong = golden.Difference("ip_dict", ("axi_dma_0", "phys_addr"), 0x40400000, 0x40400004)

    class Nothing(golden.Facts):
        def __init__(self) -> None:
            self.root = golden.ElementTree.fromstring("<EDKSYSTEM/>")
            self.modules = {}
            self.by_path = {}
            self.external = set()

    assert not [name for name, check in golden.RULES.items() if check(wrong, {}, Nothing())]
