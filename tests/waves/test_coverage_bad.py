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
    [
        ("x", "3-5", "1"),
        ("3", "3-y", "1"),
        ("3", "3-5", "one"),
        ("3", "1-99999999999", "1"),
        ("3", "3-5", "12\x1f"),  # white space for a regular expression, not for int()
        ("3", "3-5", "1_2"),
        ("3", "3-5", "\u0661\u0662"),  # digits, but not ASCII's
        ("3\x1f", "3-5", "1"),
        ("3", "3-5\x1f", "1"),
        ("\u0663", "3-5", "1"),
    ],
)
def test_what_is_no_number_or_too_many(tmp_path: Path, line: str, lines: str, count: str) -> None:
    (tmp_path / "t-1.dat").write_text(HEAD + POINT.format(line=line, lines=lines, count=count), "utf-8")
    with pytest.raises(PynqError, match=r"t-1\.dat"):
        Coverage.read(tmp_path)


def test_the_same_with_numbers_is_read(tmp_path: Path) -> None:
    (tmp_path / "t-1.dat").write_text(HEAD + POINT.format(line="3", lines="3-5,7", count="12"))
    assert Coverage.read(tmp_path)


def test_a_toggle_of_a_bit_with_an_odd_number_is_no_crash(tmp_path: Path) -> None:
    point = POINT.format(line="3", lines="", count="0").replace("\x02line\x01", "\x02toggle\x01")
    names = ["n[3]:0->1", f"n[{'9' * 5000}]:0->1", "n[\u0663]:1->0", "n[3]x"]
    text = HEAD + "".join(point.replace("block", name) for name in names)
    (tmp_path / "t-1.dat").write_text(text.replace("a.v", str(tmp_path / "a.v")), "utf-8")
    (tmp_path / "a.v").write_text("a\nb\nc\n")
    assert "n[3] never rose" in Coverage.read(tmp_path).annotated("a.v")
