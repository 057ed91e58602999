"""The expected end of a battery: robust against odd readings, honest where there is no trend."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.battery import FEWEST_DAYS, SPENT, Falling, Spent, Steady, TooShort, outlook

TODAY = date(2026, 11, 23)


def falling(days: int, level: float, per_day: float, every: int = 1) -> list[tuple[date, float]]:
    """Levels of the last days, the last one today's."""
    return [(TODAY - timedelta(days=ago), level + per_day * ago) for ago in range(0, days, every)]


@pytest.mark.parametrize(("level", "per_day"), [(80.0, 0.1), (42.0, 0.5), (90.0, 0.03)])
def test_a_straight_fall_ends_where_its_line_does(level: float, per_day: float) -> None:
    found = outlook(falling(120, level, per_day), TODAY)
    assert isinstance(found, Falling)
    right = TODAY + timedelta(days=(level - SPENT) / per_day)
    assert abs((found.spent - right).days) <= max(2, 0.02 * (right - TODAY).days)
    assert found.per_month == pytest.approx(per_day * 365 / 12, rel=0.01)
    assert found.earliest <= found.spent
    assert found.latest is None or found.spent <= found.latest


@given(
    seed=st.integers(0, 2**16), wrong=st.lists(st.tuples(st.integers(0, 119), st.floats(0, 100)), max_size=15)
)
def test_a_few_wrong_days_hardly_move_it(seed: int, wrong: list[tuple[int, float]]) -> None:
    noise = Random(seed)  # noqa: S311 - nobody is to be kept from guessing it
    levels = [(day, level + noise.gauss(0, 0.5)) for day, level in falling(120, 60.0, 0.2)]
    for at, value in wrong:
        if at > 5:  # not those that say where it stands today
            levels[at] = (levels[at][0], value)
    found = outlook(levels, TODAY)
    if isinstance(found, TooShort):  # what looked like a new battery
        return
    assert isinstance(found, Falling)
    right = (60.0 - SPENT) / 0.2
    assert 0.6 * right <= (found.spent - TODAY).days <= 1.7 * right


def test_a_device_that_reports_once_a_week_has_a_trend_too() -> None:
    found = outlook(falling(175, 50.0, 0.2, every=7), TODAY)
    assert isinstance(found, Falling)
    assert abs((found.spent - TODAY).days - 200) <= 4


def test_a_new_battery_starts_its_own_history() -> None:
    old = [(TODAY - timedelta(days=ago), 12.0 + 0.5 * (ago - 60)) for ago in range(60, 150)]
    new = falling(60, 90.0, 0.1)
    found = outlook(old + new, TODAY)
    assert isinstance(found, Falling)
    assert abs((found.spent - TODAY).days - 800) <= 10
    fresh = outlook(old + [(day, 99.0) for day, _ in falling(8, 0, 0)], TODAY)
    assert fresh == TooShort(8)


@pytest.mark.parametrize(
    "levels", [falling(90, 80.0, 0.0), falling(90, 80.0, -0.1), falling(90, 80.0, 0.001)]
)
def test_what_does_not_fall_has_no_end(levels: list[tuple[date, float]]) -> None:
    assert outlook(levels, TODAY) == Steady()


def test_a_level_in_whole_steps_that_does_not_move_is_steady() -> None:
    levels = [(day, 100.0 if ago > 3 else 99.0) for ago, (day, _) in enumerate(falling(120, 0, 0))]
    assert outlook(levels, TODAY) == Steady()


def test_too_little_history_is_said() -> None:
    assert outlook([], TODAY) == TooShort(0)
    assert outlook(falling(15, 70.0, 1.0), TODAY) == TooShort(15)
    assert outlook(falling(60, 70.0, 0.5, every=10), TODAY) == TooShort(6)
    assert outlook([(TODAY - timedelta(days=400), 50.0)], TODAY) == TooShort(0)
    assert FEWEST_DAYS > 6


def test_a_spent_battery_is_said_even_without_history() -> None:
    assert outlook([(TODAY, 4.0)], TODAY) == Spent()
    assert outlook(falling(60, 8.0, 1.0), TODAY) == Spent()


def test_one_that_should_have_ended_while_silent_is_spent() -> None:
    silent_since = TODAY - timedelta(days=90)
    levels = [(silent_since - timedelta(days=ago), 30.0 + ago) for ago in range(60)]
    assert outlook(levels, TODAY) == Spent()
