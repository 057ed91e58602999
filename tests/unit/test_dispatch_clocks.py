"""Deadlines: nothing is lost at midnight, on a clock change, or in a pause."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.clocks import ZERO, Calendar, NoWorkingHours, Span, add, elapsed, shifted
from dispatch.policy import shipped_policy

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
OFFICE = (Span(time(8, 30), time(12, 0)), Span(time(13, 30), time(18, 0)))
WEEK = dict.fromkeys(range(1, 6), OFFICE)
ROUND_THE_CLOCK = {day: (Span(time(0), time(0)),) for day in range(1, 8)}

moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
amounts = st.timedeltas(timedelta(0), timedelta(days=20))
calendars = st.builds(
    lambda zone, holidays, extra: Calendar(ZoneInfo(zone), WEEK, frozenset(holidays), frozenset(extra)),
    st.sampled_from(ZONES),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=10),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=3),
)


@given(calendars, moments, amounts)
def test_what_was_added_has_elapsed(calendar: Calendar, start: datetime, amount: timedelta) -> None:
    end = add(calendar, start, amount)
    assert end >= start
    assert elapsed(calendar, start, end) == amount


@given(calendars, moments, amounts, amounts)
def test_adding_twice_is_adding_the_sum(
    calendar: Calendar, start: datetime, one: timedelta, two: timedelta
) -> None:
    assert elapsed(calendar, start, add(calendar, add(calendar, start, one), two)) == one + two


@given(st.sampled_from(ZONES), moments, amounts)
def test_a_calendar_that_never_closes_is_no_calendar(zone: str, start: datetime, amount: timedelta) -> None:
    always = Calendar(ZoneInfo(zone), ROUND_THE_CLOCK)
    assert add(always, start, amount) == add(None, start, amount)


@given(st.none() | calendars, moments, amounts, amounts, amounts)
def test_a_pause_leaves_what_was_left(
    calendar: Calendar | None, opened: datetime, limit: timedelta, before: timedelta, pause: timedelta
) -> None:
    deadline = add(calendar, opened, limit)
    paused = opened + before
    resumed = paused + pause
    after = shifted(calendar, deadline, paused, resumed)
    assert after is not None
    if deadline <= paused:
        assert after == deadline
    else:
        assert elapsed(calendar, resumed, after) == elapsed(calendar, paused, deadline)
        assert after >= deadline


@given(st.none() | calendars, moments, amounts)
def test_no_pause_changes_no_time_that_is_left(
    calendar: Calendar | None, opened: datetime, limit: timedelta
) -> None:
    deadline = add(calendar, opened, limit)
    after = shifted(calendar, deadline, opened, opened)
    assert after is not None
    assert elapsed(calendar, opened, after) == elapsed(calendar, opened, deadline)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-23 09:00", 2, "2026-11-23 11:00"),
        ("2026-11-23 11:00", 2, "2026-11-23 14:30"),  # over lunch
        ("2026-11-23 17:00", 2, "2026-11-24 09:30"),  # over night
        ("2026-11-27 17:00", 2, "2026-11-28 10:00"),  # into Saturday's hours, which begin at nine
        ("2026-11-28 11:30", 1, "2026-11-30 09:00"),  # over Sunday
        ("2026-09-30 17:00", 2, "2026-10-08 09:30"),  # over the national holiday
        ("2026-10-09 17:30", 1, "2026-10-10 09:00"),  # onto an extra working day
    ],
)
def test_the_shipped_calendar(start: str, hours: int, end: str) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    calendar = shipped_policy().calendar.calendar("Asia/Shanghai")
    begins, ends = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (start, end))
    assert add(calendar, begins.astimezone(UTC), timedelta(hours=hours)) == ends


def test_a_working_night_with_a_clock_change_is_as_long_as_it_is() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"), ROUND_THE_CLOCK)
    # 2026-03-29 has 23 hours in Berlin, 2026-10-25 has 25.
    for day, hours in ((29, 23), (28, 24)):
        start = datetime(2026, 3, day, tzinfo=ZoneInfo("Europe/Berlin"))
        end = datetime(2026, 3, day + 1, tzinfo=ZoneInfo("Europe/Berlin"))
        assert elapsed(berlin, start.astimezone(UTC), end.astimezone(UTC)) == timedelta(hours=hours)


def test_a_calendar_without_hours_says_so() -> None:
    with pytest.raises(NoWorkingHours, match="no working hour"):
        add(Calendar(ZoneInfo("UTC"), {}), datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))


def test_time_does_not_run_backwards() -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    assert elapsed(None, later, later - timedelta(hours=1)) == ZERO
