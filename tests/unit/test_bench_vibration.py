"""The account of the vibration rule on a recorded door: alarms that are there, and why."""

import pytest

from benchmarks.vibration import Account, account, main, mended, told
from clerestory.simulate.elevator import Sample

MINUTE = 60 * 4


def door(*parts: tuple[float, int]) -> list[Sample]:
    """So many decibels for so many minutes, one after the other."""
    return [Sample(1.0, 50.0, level) for level, minutes in parts for _ in range(minutes * MINUTE)]


def test_a_door_that_shakes_is_told_from_a_recording_that_lost_its_points() -> None:
    samples = door((8.0, 5), (25.0, 5), (8.0, 5), (99.5, 5), (8.0, 5))
    raw = account(samples)
    assert [round(each.raised_minute) for each in raw.alarms] == [6, 16]
    shaking, lost = raw.alarms
    assert shaking.lost_point_percent == 0
    assert "the door did shake" in shaking.why
    assert lost.lost_point_percent > 50
    assert "lost their decimal point" in lost.why
    assert raw.lost == 5 * MINUTE
    assert raw.hours == pytest.approx(25 / 60)
    assert raw.a_day == pytest.approx(2 * 24 * 60 / 25)

    put_back = account(mended(samples))
    assert [round(each.raised_minute) for each in put_back.alarms] == [6]
    assert put_back.lost == 0


def test_an_alarm_that_never_ends_is_told_to_the_end() -> None:
    found: Account = account(door((8.0, 2), (25.0, 3)))
    assert "minute 3 to the end" in told("tried", found)


def test_a_recording_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--recording", "nowhere.csv"])
    assert "the recording is not at nowhere.csv; name it with --recording" in capsys.readouterr().err
