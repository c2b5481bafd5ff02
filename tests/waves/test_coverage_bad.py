"""Files of counts that no Verilator wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from pynq.backends.sim.coverage import Coverage
from pynq.errors import PynqError

HEAD = "# SystemC::Coverage-3\n"
POINT = (
    "C '\x01t\x02line\x01page\x02v_line/t\x01f\x02a.v\x01l\x02{line}\x01n\x025\x01o\x02block"
    "\x01S\x02{lines}\x01h\x02TOP.t' {count}\n"
)


@pytest.mark.parametrize(
    ("line", "lines", "count"),
    [("x", "3-5", "1"), ("3", "3-y", "1"), ("3", "3-5", "one"), ("3", "1-99999999999", "1")],
)
def test_what_is_no_number_or_too_many(tmp_path: Path, line: str, lines: str, count: str) -> None:
    (tmp_path / "t-1.dat").write_text(HEAD + POINT.format(line=line, lines=lines, count=count))
    with pytest.raises(PynqError, match=r"t-1\.dat"):
        Coverage.read(tmp_path)


def test_the_same_with_numbers_is_read(tmp_path: Path) -> None:
    (tmp_path / "t-1.dat").write_text(HEAD + POINT.format(line="3", lines="3-5,7", count="12"))
    assert Coverage.read(tmp_path)
