"""What is drawn of a time in which the hardware mostly rests."""

from __future__ import annotations

from pynq.waves import Trace, Waveform


def waveform(*changes: tuple[int, int], end: int = 1_000_000) -> Waveform:
    return Waveform((Trace("a", 1, ((0, 0), *changes)), Trace("still", 4, ((0, 3),))), 0, end)


def test_rest_before_and_after_is_left_out() -> None:
    busy = waveform((500_000, 1), (500_240, 0)).busy()
    assert (busy.begin, busy.end) == (500_000 - 11, 500_240 + 11)
    assert busy.names == ["a", "still"]


def test_one_change_is_shown() -> None:
    busy = waveform((7, 1)).busy()
    assert busy.begin < 7 < busy.end


def test_the_ends_stay_inside() -> None:
    busy = waveform((1, 1), (1_000_000, 0)).busy()
    assert (busy.begin, busy.end) == (0, 1_000_000)


def test_where_nothing_changes_all_is_shown() -> None:
    whole = waveform()
    assert whole.busy() is whole
    later = waveform((2_000_000, 1))
    assert later.busy() is later
