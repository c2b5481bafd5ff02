"""Counts of Verilator's coverage: read, added, reported."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.waves.boards import RTL, Board, words

from pynq.backends.sim import _engine
from pynq.backends.sim.coverage import Coverage, Point, Tally, missed_toggles
from pynq.errors import PynqError

SOURCE = (RTL / "watched.sv").read_text().splitlines()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(SOURCE, 1) if text in line)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one that stays in reset, one that counts and sends."""
    place = tmp_path_factory.mktemp("counts")
    for run in range(2):
        board = Board(coverage=True)
        board.resetn.drive(0)
        board.run(5)
        if run:
            board.resetn.drive(1)
            board.enable.drive(1)
            board.host.send("out", words(range(8)), last=True)
            board.run(40)
        (place / "deep").mkdir(exist_ok=True)
        assert _engine.write_coverage(board.rtl, str(place / "deep" / f"run{run}.dat"))
    return place


def test_a_module_without_counts_says_so(tmp_path: Path) -> None:
    assert _engine.write_coverage(Board().rtl, str(tmp_path / "x.dat")) is False
    assert not (tmp_path / "x.dat").exists()
    counted = Board(coverage=True)
    with pytest.raises(FileNotFoundError):
        _engine.write_coverage(counted.rtl, str(tmp_path / "no" / "x.dat"))


def test_runs_are_added(folder: Path) -> None:
    first = Coverage.read(folder / "deep" / "run0.dat")
    second = Coverage.read(folder / "deep" / "run1.dat")
    both = Coverage.read(folder)
    assert both.runs == 2
    assert both.points == (first + second).points
    counting, in_reset = line_of("count             <= count"), line_of("count  <= 0")
    (file,) = both.files()
    assert Path(file.path) == RTL / "watched.sv"
    for coverage, expected in ((first, 0), (second, 40), (both, 40)):
        (each,) = coverage.files()
        counts = [count for _, count in each.line_counts()[counting]]
        assert max(counts) == pytest.approx(expected, abs=2)
    resets = [count for _, count in file.line_counts()[in_reset]]
    assert max(resets) >= 8
    assert first.lines.hit < both.lines.hit <= both.lines.total
    assert first.toggles.hit < both.toggles.hit < both.toggles.total


def test_the_table(folder: Path) -> None:
    text = Coverage.read(folder).text()
    assert re.search(r"^watched\.sv +\d+/\d+ +[\d.]+ % +\d+/\d+ +[\d.]+ %$", text, re.MULTILINE)
    assert text.splitlines()[0].split() == ["file", "lines", "toggles"]
    assert "2 runs" in text


def test_the_source_with_its_counts(folder: Path, tmp_path: Path) -> None:
    coverage = Coverage.read(folder / "deep" / "run0.dat")
    lines = coverage.annotated("watched.sv").splitlines()
    (missed,) = [line for line in lines if "count             <= count" in line]
    assert missed.startswith("! ")
    (reached,) = [line for line in lines if "count  <= 0" in line]
    assert reached.startswith(". ")
    assert any("never rose" in line for line in lines)
    with pytest.raises(KeyError, match=r"watched\.sv"):
        coverage.annotated("other.sv")
    (written,) = coverage.write_annotated(tmp_path)
    assert written.read_text() == coverage.annotated("watched.sv")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole(folder: Path, tmp_path: Path) -> None:
    path = Coverage.read(folder).write_html(tmp_path / "page.html")
    page = _Page()
    page.feed(path.read_text())
    assert page.open == []
    assert all(link.startswith("#") for link in page.outside)
    for line in filter(None, SOURCE):
        assert line.expandtabs(4) in page.text
    assert "never" in page.text


def test_lcov(folder: Path, tmp_path: Path) -> None:
    coverage = Coverage.read(folder)
    text = coverage.write_lcov(tmp_path / "c.info").read_text()
    assert f"SF:{RTL / 'watched.sv'}\n" in text
    counts = dict(map(int, pair) for pair in re.findall(r"^DA:(\d+),(\d+)$", text, re.MULTILINE))
    (file,) = coverage.files()
    assert set(counts) == set(file.line_counts())
    found = re.search(r"LF:(\d+)\nLH:(\d+)\nend_of_record", text)
    assert found
    assert (int(found[1]), int(found[2])) == (len(counts), sum(count > 0 for count in counts.values()))
    assert len(re.findall("^BRDA:", text, re.MULTILINE)) == file.tally("branch").total


def test_a_changed_source_is_told(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.v"
    source.write_text("module a;\nendmodule\n")
    coverage = Coverage({Point(str(source), 1, 1, "line", "block", "1"): 3}, runs=1, newest=1.0)
    assert coverage.changed_since() == [str(source)]
    assert "changed after the last run" in coverage.text()
    source.unlink()
    assert coverage.changed_since() == []
    assert "not there any more" in coverage.write_html(tmp_path / "p.html").read_text()


def test_bits_that_never_changed() -> None:
    def toggle(what: str, count: int) -> tuple[Point, int]:
        return Point("a.v", 1, 1, "toggle", what, ""), count

    points = [toggle(f"n[{i}]:{edge}", 0) for i in (7, 6, 5, 2) for edge in ("0->1", "1->0")]
    points += [toggle("n[0]:0->1", 4), toggle("clk:1->0", 0), toggle("old[3]", 0)]
    assert missed_toggles(points) == "n[7:5,2] never rose, never fell; clk never fell; old[3] never changed"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PynqError, match="no counts of a run"):
        Coverage.read(tmp_path)
    with pytest.raises(PynqError, match="No such file"):
        Coverage.read(tmp_path / "x.dat")
    for text, message in (
        ("hello\n", "first line"),
        ("", "first line"),
        ("# SystemC::Coverage-3\nC 'abc", r":2: not a line"),
        ("# SystemC::Coverage-3\nC '\x01f\x02a.v' many", r":2: not a line"),
    ):
        (tmp_path / "x.dat").write_text(text)
        with pytest.raises(PynqError, match=message):
            Coverage.read(tmp_path)


def test_tallies() -> None:
    assert str(Tally(1, 2)) == "1/2  50.0 %"
    assert str(Tally(0, 0)) == "-"
    assert Tally(0, 0).percent == 100


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("typer")
    from pynq.cli import main

    arguments = ["--html", str(tmp_path / "c.html"), "--lcov", str(tmp_path / "c.info")]
    arguments += ["--annotate", str(tmp_path / "sources"), "--fail-under", "10"]
    assert main(["coverage", "report", str(folder), *arguments]) == 0
    out = capsys.readouterr().out
    assert Coverage.read(folder).text() in out
    assert out.count("wrote ") == 3
    assert (tmp_path / "c.html").stat().st_size > 5000
    assert main(["coverage", "report", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 2
    assert told["lines"] == Coverage.read(folder).lines._asdict()
    assert main(["coverage", "report", str(folder), "--fail-under", "99.9"]) == 1
    assert "below 99.9 %" in capsys.readouterr().err
    assert main(["coverage", "report", str(tmp_path / "sources")]) == 1
    assert "no counts of a run" in capsys.readouterr().err
