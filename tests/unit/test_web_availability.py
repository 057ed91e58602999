"""The share of its time that a device was heard."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.availability import DAYS, HOUR, availability, reach, window

NOW = datetime(2026, 11, 23, 7, 20, tzinfo=UTC)
START, END = window(NOW)
HOURS = [START + index * HOUR for index in range(DAYS * 24)]
CHINA = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)


def test_the_window_is_whole_hours() -> None:
    assert datetime(2026, 11, 23, 7, tzinfo=UTC) == END
    assert timedelta(days=DAYS) == END - START


def test_a_device_heard_every_minute_was_always_there() -> None:
    found = availability(dict.fromkeys(HOURS, 60), MINUTE, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == 1
    assert {day.share for day in found.days} == {1.0}
    assert len(found.days) == DAYS + 1  # the first and the last day are parts


def test_messages_stand_for_their_part_of_the_hour() -> None:
    found = availability(dict.fromkeys(HOURS, 45), MINUTE, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == pytest.approx(0.75)
    # More than expected is not more than always.
    found = availability(dict.fromkeys(HOURS, 500), MINUTE, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == 1


def test_one_lost_message_of_a_slow_device_is_no_outage_and_more_are() -> None:
    interval = timedelta(hours=6)
    every_other = dict.fromkeys(HOURS[::12], 1)
    found = availability(every_other, interval, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == 1
    once = availability({HOURS[0]: 1}, interval, NOW, CHINA, heard_before=True)
    assert once is not None
    assert once.share == pytest.approx(13 / len(HOURS))


def test_what_was_heard_before_the_window_reaches_into_it() -> None:
    found = availability({START - 2 * HOUR: 1}, HOUR, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == pytest.approx(1 / len(HOURS))
    assert reach(HOUR) == 2 * HOUR


def test_nothing_is_expected_before_a_device_was_first_heard() -> None:
    new = dict.fromkeys(HOURS[-30:], 60)
    found = availability(new, MINUTE, NOW, CHINA, heard_before=False)
    assert found is not None
    assert found.share == 1
    assert found.since == HOURS[-29]
    assert [day.share for day in found.days][:5] == [None] * 5
    assert availability({}, MINUTE, NOW, CHINA, heard_before=False) is None
    assert availability({END: 1}, MINUTE, NOW, CHINA, heard_before=False) is None


def test_the_hour_of_the_first_message_is_none_of_its_time() -> None:
    """First heard ten minutes before an hour is over, and ever since: that is always, not less."""
    heard = {HOURS[-3]: 10, HOURS[-2]: 60, HOURS[-1]: 60}
    found = availability(heard, MINUTE, NOW, CHINA, heard_before=False)
    assert found is not None
    assert (found.share, found.since) == (1, HOURS[-2])
    assert availability({HOURS[-1]: 10}, MINUTE, NOW, CHINA, heard_before=False) is None


def test_where_it_counts_the_whole_window_no_beginning_is_told() -> None:
    for heard, before in ((dict.fromkeys(HOURS, 60), True), ({START - HOUR: 1, HOURS[3]: 1}, False)):
        found = availability(heard, HOUR, NOW, CHINA, heard_before=before)
        assert found is not None
        assert found.since is None


def test_a_device_that_fell_silent_before_the_window_was_never_there() -> None:
    found = availability({}, MINUTE, NOW, CHINA, heard_before=True)
    assert found is not None
    assert found.share == 0


def test_days_are_those_of_the_community() -> None:
    silent = {hour: 60 for hour in HOURS if hour.astimezone(CHINA).date().day != 10}
    found = availability(silent, MINUTE, NOW, CHINA, heard_before=True)
    assert found is not None
    assert [day.day.day for day in found.days if day.share == 0] == [10]
    assert {day.share for day in found.days if day.day.day != 10} == {1.0}


counts = st.dictionaries(st.sampled_from(HOURS), st.integers(1, 90), max_size=60)
intervals = st.sampled_from([MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 12 * HOUR, timedelta(days=7)])


@given(heard=counts, interval=intervals, extra=st.sampled_from(HOURS), before=st.booleans())
def test_a_share_is_a_share_and_hearing_more_never_lowers_it(
    heard: dict[datetime, int], interval: timedelta, extra: datetime, *, before: bool
) -> None:
    found = availability(heard, interval, NOW, CHINA, heard_before=before)
    if found is None:
        assert set(heard) <= {HOURS[-1]}
        assert not before
        return
    assert 0 <= found.share <= 1
    assert all(day.share is None or 0 <= day.share <= 1 for day in found.days)
    assert [day.day for day in found.days] == sorted({day.day for day in found.days})
    more = availability({**heard, extra: heard.get(extra, 0) + 1}, interval, NOW, CHINA, heard_before=True)
    same = availability(heard, interval, NOW, CHINA, heard_before=True)
    assert more is not None
    assert same is not None
    assert more.share >= same.share
