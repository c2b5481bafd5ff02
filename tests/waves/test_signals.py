"""Signals by name: find, read, cut, list."""

from __future__ import annotations

import pytest
from tests.waves.boards import Board

from pynq.backends.sim.signals import Directory, Signal, SignalArray, SignalScope
from pynq.errors import PynqError, SignalNotFoundError

CELL = "filter.watched_0"


@pytest.fixture
def board() -> Board:
    made = Board()
    made.reset()
    made.enable.drive(1)
    made.mode.drive(9)
    made.run(21)
    return made


@pytest.fixture
def directory(board: Board) -> Directory:
    return Directory(board.engine)


def test_values(board: Board, directory: Directory) -> None:
    count = directory.find("filter.watched_0.count")
    assert isinstance(count, Signal)
    before = board.engine.now
    assert (count.value, int(count), count.bits, count.kind) == (63, 63, 32, "variable")
    assert board.engine.now == before
    board.run(1)
    assert count.value == 66
    assert repr(count) == "<Signal filter.watched_0.count[31:0] = 0x42>"
    assert f"{count.value:08b}" == "01000010"
    assert [1, 2, 3][directory.find(f"{CELL}.resetn")] == 2  # type: ignore[index]
    assert bool(directory.find(f"{CELL}.enable"))


def test_kinds(directory: Directory) -> None:
    assert directory.find(f"{CELL}.STEP").value == 3  # type: ignore[union-attr]
    assert directory.find(f"{CELL}.STEP").kind == "parameter"  # type: ignore[union-attr]
    level = directory.find(f"{CELL}.level")
    assert isinstance(level, Signal)
    assert level.value == 5.25
    assert level.kind == "real"
    assert "5.25" in repr(level)
    wide = directory.find(f"{CELL}.wide")
    assert isinstance(wide, Signal)
    assert wide.value == 1 << 21
    assert wide.bits == 100
    assert wide.signed == 1 << 21


def test_wide_values_above_64_bits(board: Board, directory: Directory) -> None:
    board.run(99 - 21)
    wide = directory.find(f"{CELL}.wide")
    assert isinstance(wide, Signal)
    assert wide.value == 1 << 99
    assert wide.signed == -(1 << 99)
    assert wide[99].value == 1
    assert wide[99:64].value == 1 << 35


@pytest.mark.parametrize(
    "name",
    [
        "filter/watched_0/count",
        "filter/watched_0.count",
        "watched_0.count",
        " count",
        "filter.watched_0.count",
    ],
)
def test_spellings(directory: Directory, name: str) -> None:
    found = directory.find(name)
    assert isinstance(found, Signal)
    assert found.name == "filter.watched_0.count"


def test_bits(directory: Directory) -> None:
    count = directory.find("count")
    assert isinstance(count, Signal)
    assert count[5:2].value == 0b1111
    assert directory.find("count[5:2]").value == 0b1111  # type: ignore[union-attr]
    assert directory.find("count[0]").value == 1  # type: ignore[union-attr]
    assert count[5:2][3:3].value == 1
    assert count[6:0].signed == 63
    assert count[5:0].signed == -1
    assert repr(count[5:2]) == "<Signal filter.watched_0.count[5:2] = 0xf>"
    for wrong in ("count[32]", "count[2:5]"):
        with pytest.raises(IndexError):
            directory.find(wrong)
    with pytest.raises(IndexError, match=r"\[31:0\]"):
        count[::2]
    with pytest.raises(TypeError, match="no sequence"):
        list(count)
    with pytest.raises(IndexError):
        directory.find("level[3:0]")


def test_arrays(directory: Directory) -> None:
    memory = directory.find("filter.watched_0.memory")
    assert isinstance(memory, SignalArray)
    assert len(memory) == 4
    assert memory.values == [each.value for each in memory]
    assert memory[2].value == directory.find("memory[2]").value  # type: ignore[union-attr]
    assert directory.find("memory[2][3:0]").value == memory[2].value & 15  # type: ignore[operator, union-attr]
    with pytest.raises(IndexError, match=r"memory\[0\] to \[3\]"):
        memory[4]
    with pytest.raises(IndexError):
        directory.find("memory[4]")
    assert repr(memory) == "<SignalArray filter.watched_0.memory[0:3]>"


def test_a_wrong_name_gets_near_ones(directory: Directory) -> None:
    with pytest.raises(SignalNotFoundError, match=r"did you mean filter\.watched_0\.count"):
        directory.find("filter.watched_0.cuont")
    with pytest.raises(SignalNotFoundError, match=r"filter\.watched_0\.double_0\.out_data"):
        directory.find("watched_0.out_data")
    with pytest.raises(SignalNotFoundError, match="could be"):
        directory.find("clk")
    with pytest.raises(SignalNotFoundError, match="signals"):
        directory.find("filter.*")
    with pytest.raises(PynqError):
        directory.choose(["nothing.like.*"])


def test_globs(directory: Directory) -> None:
    assert directory.choose(["*.double_0.out_*"]) == [
        f"{CELL}.double_0.{name}" for name in ("out_data", "out_valid", "out_ready", "out_last")
    ]
    assert directory.choose(["double_0.out_*"]) == directory.choose(["*.double_0.out_*"])  # the end is enough
    assert directory.choose(["*memory[?]"]) == [f"{CELL}.memory[{i}]" for i in range(4)]


def test_as_attributes(directory: Directory) -> None:
    scope = SignalScope(directory)
    assert scope.filter.watched_0.count.value == 63
    assert scope("filter.watched_0.count").value == 63  # type: ignore[union-attr]
    assert scope.filter.watched_0("double_0.out_valid").value == 0  # type: ignore[union-attr]
    assert isinstance(scope.filter.watched_0.memory, SignalArray)
    assert {"filter", "board", "host"} <= set(dir(scope))
    assert {"count", "double_0", "memory", "status"} <= set(dir(scope.filter.watched_0))
    assert scope.filter.watched_0.status.state.value == 9
    assert not hasattr(scope, "nowhere")
    with pytest.raises(AttributeError, match="did you mean"):
        _ = scope.filter.watched_0.conut
    assert "count" in repr(scope.filter.watched_0)


def test_nets_and_streams(board: Board, directory: Directory) -> None:
    assert directory.find("board.board_mode").value == 9  # type: ignore[union-attr]
    assert directory.find("host.out.beats").value == 0  # type: ignore[union-attr]
    board.engine.net("late_net", 3, 5)
    assert directory.find("board.late_net").value == 5  # type: ignore[union-attr]
