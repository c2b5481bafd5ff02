"""Sweeps whose cases behave, or fail in an orderly way."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleet_jobs
import pytest

import pynq.fleet
from pynq.errors import CaseError, FleetError
from pynq.fleet.case import Outcome, seed_of
from pynq.fleet.progress import Lines, make_progress
from pynq.fleet.table import Records, Row, make_table
from pynq.sim import SimDevice

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Any]:
    with pynq.fleet.local(2) as running:
        running.client.wait_for_workers(2)
        yield running


def rows(job: Any, cases: Any, fleet: Any, **options: Any) -> list[dict[str, Any]]:
    result = pynq.fleet.sweep(job, cases, scheduler=fleet, pandas=False, **options)
    assert isinstance(result, Records)
    return result


def test_each_case_has_a_board_of_its_own(fleet: Any) -> None:
    cases = pynq.fleet.grid(seed=range(3), n=[64, 1000])
    table = rows(fleet_jobs.loop_back, cases, fleet)
    assert [row["case"] for row in table] == list(range(6))
    assert [row["n"] for row in table] == [64, 1000] * 3
    assert [row["seed"] for row in table] == [0, 0, 1, 1, 2, 2]
    assert {row["status"] for row in table} == {"ok"}
    assert [row["sum"] for row in table] == [64 * 63 // 2, 1000 * 999 // 2] * 3
    assert all(row["cycles"] > row["n"] and row["board_seconds"] > 0 < row["host_seconds"] for row in table)
    assert len({row["cycles"] for row in table if row["n"] == 1000}) > 1  # the stalls come from the seed
    # The very same on a board in this process.
    with SimDevice("sim:here", deterministic=True, seed=2) as device:
        pynq.Device.active_device = device
        fleet_jobs.loop_back({"n": 1000})
        assert device.cycles(0) == table[-1]["cycles"]


def test_a_job_can_have_the_device(fleet: Any) -> None:
    table = rows(fleet_jobs.add, [5, 6, 7, 8, 9], fleet)
    assert [row["status"] for row in table] == ["ok"] * 5, table[0]["error"]
    assert [(row["input"], row["last"]) for row in table] == [(n, 9 + n) for n in (5, 6, 7, 8, 9)]
    assert {row["device"] for row in table} == {"sim:case"}


def test_chance_comes_from_the_seed(fleet: Any) -> None:
    first = rows(fleet_jobs.chance, range(6), fleet, seed=1)
    again = rows(fleet_jobs.chance, range(6), fleet, seed=1)
    other = rows(fleet_jobs.chance, range(6), fleet, seed=2)
    assert [row["result"] for row in first] == [row["result"] for row in again]
    assert not {row["result"] for row in first} & {row["result"] for row in other}
    assert [row["seed"] for row in first] == [seed_of(1, index) for index in range(6)]


def test_short_cases_share_a_journey_and_the_order_is_that_of_the_cases(fleet: Any) -> None:
    table = rows(lambda case: case * case, range(400), fleet)
    assert [row["result"] for row in table] == [n * n for n in range(400)]
    assert {row["attempts"] for row in table} == {1}
    assert len({row["worker"] for row in table}) == 2
    assert table[0]["cycles"] is None  # no design was loaded


def test_a_case_that_fails_costs_no_other(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("fleet_reader", "1")
    cases = ["raise", "fine", "exit", "fine", "lock", "unreadable", "fine"]
    table = rows(fleet_jobs.mischief, cases, fleet)
    good = "ok", ""
    expected = [
        ("error", "OddError: something odd"),
        good,
        ("error", "SystemExit: 3"),
        good,
        ("error", "cannot pickle"),
        ("error", "can't be read here: RuntimeError: not here"),
        good,
    ]
    for row, (status, text) in zip(table, expected, strict=True):
        assert row["status"] == status
        assert text in row["error"]
    assert isinstance(table, Records)
    assert "fleet_jobs.py" in table.tracebacks[0]
    assert 'raise OddError("something odd"' in table.tracebacks[0]
    assert set(table.tracebacks) == {0, 2, 4}


def test_a_case_that_can_not_be_sent(fleet: Any) -> None:
    table = rows(lambda case: 1, [iter([1]), 2, (n for n in ())], fleet)
    assert [row["status"] for row in table] == ["ok", "ok", "error"]
    assert "can't be sent" in table[2]["error"]
    assert "generator" in table[2]["error"]


def test_the_first_error_can_end_the_sweep(fleet: Any) -> None:
    cases = ["fine", "fine", "raise", *[("wait", 30)] * 4]
    with pytest.raises(
        CaseError, match=r"case 2 \('raise'\): error: OddError: something odd\n.*Traceback"
    ) as info:
        rows(fleet_jobs.mischief, cases, fleet, on_error="raise")
    partial = info.value.partial
    assert isinstance(partial, Records)
    assert 2 in [row["case"] for row in partial]
    # What was still running ended with it: the fleet is free again.
    assert rows(lambda case: case, [1], fleet)[0]["status"] == "ok"


def test_what_cases_print_is_kept(fleet: Any) -> None:
    def talk(case: int) -> None:
        print("word", case)  # noqa: T201
        print("x" * 200_000 if case == 2 else "", end="")  # noqa: T201

    table = rows(talk, range(3), fleet)
    assert isinstance(table, Records)
    assert table.outputs[0] == "word 0\n"
    assert table.outputs[1] == "word 1\n"
    assert table.outputs[2] == "x" * 65_536


def test_a_scheduler_by_address_and_a_client(fleet: Any) -> None:
    by_address = pynq.fleet.sweep(abs, [-1, -2], scheduler=fleet.address, pandas=False)
    by_client = pynq.fleet.sweep(abs, [-1, -2], scheduler=fleet.client, pandas=False)
    assert [row["result"] for row in by_address] == [row["result"] for row in by_client] == [1, 2]


def test_relative_paths_mean_the_same(fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.txt").write_text("found")
    monkeypatch.chdir(tmp_path)
    assert rows(lambda case: open("here.txt").read(), [0], fleet)[0]["result"] == "found"  # noqa: SIM115


def test_frames(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pynq.fleet.sweep(fleet_jobs.mischief, ["fine", "raise"], scheduler=fleet)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns[:5]) == ["case", "input", "status", "error", "result"]
    assert frame["result"].tolist()[0] == 1
    assert "OddError" in frame.attrs["tracebacks"][1]
    assert frame["cycles"].isna().all()

    def without(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("pynq.fleet.table.importlib.import_module", without)
    assert isinstance(make_table([], None), Records)
    with pytest.raises(ImportError):
        make_table([], True)


def test_progress_in_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq.fleet.progress._EVERY", 0.0)
    lines = Lines(2)
    lines.update(1, 0)
    lines.update(2, 1)
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("sweep: 1 of 2 cases (")
    assert told[1].startswith("sweep: 2 of 2 cases, 1 failed (")
    make_progress(None, 2).update(1, 0)  # nobody looks
    assert capsys.readouterr().err == ""


def test_progress_is_shown(
    fleet: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return load(name)

    load = importlib.import_module
    rows(abs, [1, 2], fleet, progress=True)
    assert "2/2" in capsys.readouterr().err
    monkeypatch.setattr("pynq.fleet.progress.importlib.import_module", without)
    rows(abs, [1, 2], fleet, progress=True)
    assert "sweep: 2 of 2 cases" in capsys.readouterr().err


def test_names_that_are_taken() -> None:
    out = Outcome(0, "ok", cycles=7)
    (record,) = make_table(
        [Row({"width": 1, "status": "a", "seed": 4}, 4, out, {"width": 2, "cycles": 3})], False
    )
    assert record["width"] == 1
    assert record["case.status"] == "a"
    assert record["status"] == "ok"
    assert record["result.width"] == 2
    assert record["result.cycles"] == 3
    assert record["cycles"] == 7
    assert record["seed"] == 4
    assert "case.seed" not in record
    (record,) = make_table([Row({"seed": "s"}, 9, out, None)], False)
    assert (record["case.seed"], record["seed"], record["result"]) == ("s", 9, None)


def test_grid() -> None:
    assert pynq.fleet.grid(a=[1, 2], b="xy") == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_no_cases() -> None:
    assert pynq.fleet.sweep(abs, [], pandas=False) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"retries": -1}, "retries=-1"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"workers": 0}, "workers=0"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:1"}, "workers are processes"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pynq.fleet.sweep(abs, [1], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": "2"}, "workers='2': expected a whole number"),
        ({"timeout": "3"}, "timeout='3': expected seconds"),
        ({"retries": 1.5}, r"retries=1\.5: expected a whole number"),
        ({"cases": 5}, "cases=5: expected a list"),
        ({"scheduler": 5}, "scheduler=5: expected an address"),
    ],
)
def test_options_of_the_wrong_type(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        pynq.fleet.sweep(abs, options.pop("cases", [1]), **options)


def test_a_scheduler_that_is_no_address() -> None:
    with pytest.raises(ValueError, match=r"scheduler='foo': expected an address as 'tcp://"):
        pynq.fleet.sweep(abs, [1], scheduler="foo")


def test_a_job_must_be_callable() -> None:
    with pytest.raises(TypeError, match="job is 3"):
        pynq.fleet.sweep(3, [1])  # type: ignore[arg-type]


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("pynq.fleet.dask.importlib.import_module", without)
    with pytest.raises(FleetError, match=r"pip install 'pynq-anywhere\[fleet\]'"):
        pynq.fleet.sweep(abs, [1])
