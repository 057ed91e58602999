"""The steps of charts: never narrower than asked for, whole where they are drawn from roll-ups."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.levels import DAY, HOUR, ORIGIN, floor_to, grid

NOW = datetime(2026, 11, 23, 7, 20, 31, tzinfo=UTC)
moments = st.datetimes(datetime(1950, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(timedelta(minutes=1), timedelta(days=3000))


@given(moment=moments, width=st.sampled_from([HOUR.width, DAY.width, timedelta(hours=3)]))
def test_a_step_begins_whole_steps_from_the_origin(moment: datetime, width: timedelta) -> None:
    start = floor_to(moment, width)
    assert start <= moment < start + width
    assert (start - ORIGIN) % width == timedelta(0)


@given(end=moments, span=spans, points=st.integers(1, 500), at_least=spans)
def test_a_grid_covers_what_was_asked_for(
    end: datetime, span: timedelta, points: int, at_least: timedelta
) -> None:
    over = grid(end - span, end, points, at_least)
    assert over.start <= end - span < over.start + over.step
    assert over.end == end
    assert over.step >= at_least
    assert (end - over.start) / over.step <= points + 1
    if over.level is None:
        assert over.start == end - span
    else:
        assert over.step % over.level.width == timedelta(0)
        assert (over.start - ORIGIN) % over.level.width == timedelta(0)


@pytest.mark.parametrize(
    ("days", "step", "level"),
    [
        (1 / 24, timedelta(seconds=15), None),
        (1, timedelta(minutes=6), None),
        (7, timedelta(hours=1), HOUR),
        (30, timedelta(hours=3), HOUR),
        (365, timedelta(days=2), DAY),
    ],
)
def test_the_device_pages_spans(days: float, step: timedelta, level: object) -> None:
    over = grid(NOW - timedelta(days=days), NOW, 240)
    assert (over.step, over.level) == (step, level)


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="end must be after start"):
        grid(NOW, NOW, 240)
