"""Months and chart steps, for any moment."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.month import Month, months
from storage.points import Bucket, step_of, with_gaps

moments = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-14 * 4, 14 * 4).map(lambda quarter: timezone(timedelta(minutes=15 * quarter))),
)


@given(moments)
def test_a_moment_lies_in_its_month(moment: datetime) -> None:
    month = Month.of(moment)
    assert month.first <= moment < month.end


@given(moments)
def test_a_month_is_known_by_its_table(moment: datetime) -> None:
    assert Month.of_table(Month.of(moment).table) == Month.of(moment)


@given(moments, moments)
def test_months_follow_each_other_without_a_hole(one: datetime, other: datetime) -> None:
    first, last = min(one, other), max(one, other)
    found = months(first, last)
    assert found[0] == Month.of(first)
    assert found[-1] == Month.of(last)
    assert all(earlier.end == later.first for earlier, later in itertools.pairwise(found))


@given(moments, st.integers(1, 10**8), st.integers(1, 500), st.integers(0, 10**6))
def test_steps_cover_the_span_and_are_not_too_many(
    start: datetime, span: int, points: int, least: int
) -> None:
    end = start + timedelta(seconds=span)
    step = step_of(start, end, points, timedelta(seconds=least))
    drawn = with_gaps([], start, end, step)
    assert 1 <= len(drawn) <= points
    assert drawn[-1].start < end <= drawn[-1].start + step


def test_a_chart_needs_a_span() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(ValueError, match="end must be after start"):
        step_of(moment, moment, 10)


def test_what_was_found_is_kept_in_its_place() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hour = timedelta(hours=1)
    found = Bucket(start + hour, 1.0, 2.0, 3.0)
    assert with_gaps([found], start, start + 3 * hour, hour) == [
        Bucket(start),
        found,
        Bucket(start + 2 * hour),
    ]
