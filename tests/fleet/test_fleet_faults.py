"""Cases that hang, workers that die, sweeps that are interrupted: nobody else pays, nothing stays behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fleet_jobs
import pytest

import pynq.fleet
from pynq.errors import CaseError, FleetError
from pynq.fleet import guard

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

HERE = Path(__file__).resolve().parent
MARK = "PYNQ_FLEET_TEST"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Any]:
    with pynq.fleet.local(2) as running:
        yield running
        pids = running.pids
        assert len(pids) == 2
    assert not [pid for pid in pids if alive(pid)]


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynq.fleet, "_GRACE", 0.6)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def marked(mark: str) -> list[int]:
    """Every process that has the mark in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # ended meanwhile
            continue
    return found


def wait_for(what: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


@contextlib.contextmanager
def meanwhile(ready: Callable[[], object], action: Callable[[], object]) -> Iterator[None]:
    """Do something in another thread as soon as ``ready()`` is true; errors of it come at the end."""

    def watch() -> None:
        wait_for(ready)
        action()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        yield
    watching.result()


def begun(folder: Path) -> list[int]:
    """The processes of the "mark" cases that have begun, one entry a case."""
    return [int(file.name.partition("-")[0]) for file in folder.iterdir()]


def sweep(cases: list[Any], fleet: Any, **options: Any) -> Any:
    return pynq.fleet.sweep(fleet_jobs.mischief, cases, scheduler=fleet, pandas=False, **options)


def all_there(fleet: Any) -> None:
    """Wait until the fleet has its two workers."""
    fleet.tend()
    fleet.client.wait_for_workers(2)
    wait_for(lambda: len(fleet.client.nthreads()) == 2)


def statuses(table: Any) -> list[str]:
    return [row["status"] for row in table]


def test_hangs_that_an_exception_ends_cost_only_themselves(
    fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynq.fleet, "_GRACE", 60.0)  # or a slow machine ends the worker
    cases = ["fine", "loop", "fine", "engine", *["fine"] * 9]
    before = fleet.pids
    table = sweep(cases, fleet, timeout=3.0)
    assert statuses(table) == ["ok" if case == "fine" else "timeout" for case in cases]
    assert table[1]["error"] == table[3]["error"] == "over its time limit of 3 s"
    assert "device.run()" in table.tracebacks[3]
    assert fleet.pids == before


def test_hangs_that_end_the_worker_cost_only_themselves(fleet: Any) -> None:
    cases = ["fine", "sleep", "fine", "stubborn", *["fine"] * 9]
    before = set(fleet.pids)
    table = sweep(cases, fleet, timeout=3)
    assert statuses(table) == ["ok" if case == "fine" else "timeout" for case in cases]
    for number in (1, 3):
        assert table[number]["error"] == "over its time limit of 3 s; its worker was ended"
        assert table[number]["attempts"] == 1
        assert "time.sleep(" in table.tracebacks[number]
    assert not [pid for pid in before - set(fleet.pids) if alive(pid)]


def test_a_hang_that_keeps_the_interpreter_to_itself(fleet: Any, capfd: pytest.CaptureFixture[str]) -> None:
    table = sweep(["fine", "native", "fine", "fine"], fleet, timeout=3)
    assert statuses(table) == ["ok", "timeout", "ok", "ok"]
    assert "fleet_jobs.py" in table.tracebacks[1]  # where it was, from the timer that needs no interpreter
    assert "Timeout" in capfd.readouterr().err


def test_a_case_that_keeps_the_interpreter_is_known_at_once() -> None:
    """Not by being run a second time, alone: the report of the case before it may not have got out either."""
    with pynq.fleet.local(1) as single:
        table = sweep(["fine", "native", ("wait", 0.01), "fine"], single, timeout=3)
    assert statuses(table) == ["ok", "timeout", "ok", "ok"]
    assert table[1]["attempts"] == 1
    assert "fleet_jobs.py" in table.tracebacks[1]


def test_a_worker_killed_in_the_middle_loses_no_case(fleet: Any, tmp_path: Path) -> None:
    all_there(fleet)
    victim = fleet.pids[0]
    with meanwhile(lambda: begun(tmp_path).count(victim) >= 3, lambda: os.kill(victim, signal.SIGKILL)):
        table = sweep([("mark", str(tmp_path), 0.1)] * 20, fleet)
    assert not alive(victim)
    assert statuses(table) == ["ok"] * 20
    assert [row["result"] for row in table] == [0.1] * 20
    assert len(begun(tmp_path)) > 20  # what the victim was at was run again
    assert victim not in fleet.pids


def test_a_case_that_lost_its_worker_is_run_again(fleet: Any, tmp_path: Path) -> None:
    # With one worker the case may wait behind another, be given to a worker that joins, and begin on both.
    all_there(fleet)
    table = sweep(["fine", ("kill once", str(tmp_path / "once")), "fine"], fleet)
    assert statuses(table) == ["ok"] * 3
    assert table[1]["result"] == 2
    assert table[1]["attempts"] == 2


def test_a_case_that_always_ends_its_worker_is_lost(fleet: Any, capfd: pytest.CaptureFixture[str]) -> None:
    table = sweep(["fine", "kill", *["fine"] * 20, "crash"], fleet)
    assert statuses(table) == ["ok", "lost", *["ok"] * 20, "lost"]
    assert table[1]["error"] == "its worker was lost (ended by SIGKILL)"
    assert table[-1]["error"] == "its worker was lost (ended by SIGSEGV)"
    assert "Segmentation fault" in table.tracebacks[22]
    assert "fleet_jobs.py" in table.tracebacks[22]
    assert "Segmentation fault" in capfd.readouterr().err
    assert 2 <= table[1]["attempts"] <= 3


def test_a_case_is_not_tried_again_where_that_is_not_wanted(fleet: Any) -> None:
    (row,) = sweep(["kill"], fleet, retries=0)
    assert (row["status"], row["attempts"]) == ("lost", 1)


def test_no_case_waits_behind_a_long_one(fleet: Any, tmp_path: Path) -> None:
    """Those that travelled with it in one batch have to wait; the batch behind it is taken back."""
    all_there(fleet)
    short = ("mark", str(tmp_path), 0.02)
    cases = [*[short] * 6, ("until", str(tmp_path), 24), *[short] * 30]
    table = sweep(cases, fleet)
    assert statuses(table) == ["ok"] * len(cases), table[6]["error"]
    assert {row["attempts"] for row in table} == {1}
    assert table[6]["others"] >= 24


def test_ctrl_c_in_this_process(fleet: Any, tmp_path: Path) -> None:
    all_there(fleet)
    hang = ("mark", str(tmp_path), 1000)
    stopped = []

    def interrupt() -> None:
        stopped.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    with (
        meanwhile(lambda: len(begun(tmp_path)) == 2, interrupt),
        pytest.raises(pynq.fleet.SweepInterrupted, match=r"interrupted; 3 of 5 cases were done") as info,
    ):
        sweep(["fine", "fine", "fine", hang, hang], fleet)
    assert time.monotonic() - stopped[0] < 20
    assert isinstance(info.value, KeyboardInterrupt)
    assert statuses(info.value.partial) == ["ok"] * 3
    assert statuses(sweep(["fine"], fleet)) == ["ok"]


def test_no_scheduler_there() -> None:
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(FleetError, match=r"no scheduler answers at 'tcp://127.0.0.1:1'"),
    ):
        pynq.fleet.sweep(abs, [1], scheduler="tcp://127.0.0.1:1")


def test_processes_that_do_not_start(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pynq.fleet.workers._BOOT", "raise SystemExit('no such luck')")
    with pytest.raises(FleetError, match="worker processes don't start: ended with status 1\nno such luck"):
        pynq.fleet.sweep(abs, [1], workers=1)
    assert "no such luck" in capfd.readouterr().err


SCRIPT = """
import os, sys, time, pynq, pynq.fleet
from pynq.sim import Model

def job(case):  # of __main__, which the workers don't have
    if case == "report":
        return os.getpid()
    if case == "class":
        return Own().value
    open(f"{case}-{os.getpid()}", "w").close()
    time.sleep(1000)

class Own:
    value = 5

# Without `if __name__ == "__main__"`: nothing of this runs again in a worker.
print("started", flush=True)
"""


def script(folder: Path, mark: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, MARK: mark},
    )


def test_a_script_that_is_interrupted(tmp_path: Path) -> None:
    mark, file = uuid.uuid4().hex, tmp_path / "script.py"
    file.write_text(
        SCRIPT
        + """
sys.modules["rich.progress"] = None  # progress in plain lines, each at once
pynq.fleet.progress._EVERY = 0.0
try:
    pynq.fleet.sweep(job, ["report", "class", "hang", "hang"], workers=2, progress=True, pandas=False)
except pynq.fleet.SweepInterrupted as stop:
    print([row["status"] for row in stop.partial], stop.partial[1]["result"])
    raise
"""
    )
    process = script(tmp_path, mark, str(file))
    try:
        wait_for(lambda: len(list(tmp_path.glob("hang-*"))) == 2)
        assert process.stderr is not None
        while "sweep: 2 of 4 cases" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out.splitlines() == ["started", "['ok', 'ok'] 5"]
    assert "SweepInterrupted: interrupted; 2 of 4 cases were done" in err
    assert marked(mark) == []


def test_a_script_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    mark, file = uuid.uuid4().hex, tmp_path / "script.py"
    file.write_text(SCRIPT + "pynq.fleet.sweep(job, ['hang'] * 4, workers=2)\n")
    process = script(tmp_path, mark, str(file))
    try:
        wait_for(lambda: len(list(tmp_path.glob("hang-*"))) == 2)
        assert len(marked(mark)) == 3
    finally:
        process.kill()
        process.communicate()
    wait_for(lambda: not marked(mark))


def test_at_the_prompt(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    process = script(tmp_path, mark, "-q", "-i", "-")
    text = SCRIPT + "\nprint(pynq.fleet.sweep(job, ['class'] * 3, workers=1, pandas=False)[2]['result'])\n"
    out, err = process.communicate(text, timeout=60)
    assert out.splitlines() == ["started", "5"], err
    assert marked(mark) == []


def test_workers_of_somebody_else(tmp_path: Path) -> None:
    """A cluster as Dask makes it, whose nannies start workers again."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        cases = ["fine", "sleep", ("kill once", str(tmp_path / "once")), "raise", *["fine"] * 10]
        table = sweep(cases, client, timeout=4)
        address = cluster.scheduler_address
        with pytest.raises(CaseError):
            # One raises, the other would go on for ever, and would not be ended: it is told to stop.
            sweep([("wait", 0.5, "raise"), "loop"], address, on_error="raise")
        wait_for(lambda: not any(client.processing().values()))
    assert statuses(table) == ["ok", "timeout", "ok", "error", *["ok"] * 10]


def test_the_guard_leaves_nothing_behind() -> None:
    """A call that ends just when its time is over is done or stopped, and what follows is not touched."""
    watch = guard.Guard()
    seen = {"done": 0, "stopped": 0}
    end = time.monotonic() + 60
    # Sleeps about as long as the limit; on a busy machine it takes more of them until both have happened.
    for number in itertools.count():
        late: list[str] = []
        try:
            watch.run(
                lambda number=number: time.sleep(0.03 + 0.002 * (number % 40)),
                owner="test",
                seconds=0.05,
                grace=60.0,
                over=late.append,
                stop=lambda: None,
            )
            seen["done"] += 1
        except guard.Stopped:
            seen["stopped"] += 1
        for _ in range(100):
            pass
        if number >= 40 and min(seen.values()) > 3:
            break
        assert time.monotonic() < end, seen
    watch.abort("test", "nothing runs")


def test_a_stop_at_any_moment_leaves_the_guard_in_order() -> None:
    """Python 3.14 once left its lock locked, by a stop right after it was taken."""
    watch = guard.Guard()
    seen = {"done": 0, "stopped": 0}
    finished = threading.Event()

    def calls() -> None:
        for _ in range(1000):
            try:
                watch.run(
                    lambda: sum(range(4000)),
                    owner="test",
                    seconds=None,
                    grace=60.0,
                    over=lambda _: None,
                    stop=lambda: None,
                )
                seen["done"] += 1
            except guard.Stopped:
                seen["stopped"] += 1
        finished.set()

    threading.Thread(target=calls, daemon=True).start()
    while not finished.wait(0.0001):
        watch.abort("test", "at any moment")
    assert seen["done"] + seen["stopped"] == 1000
    assert seen["stopped"]
