"""In which order a replay hears a device, and which moments count as heard late."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clerestory.lateness import late_moments
from gateway.signals import Device, Event, Heard, Measurement
from rules.engine import Said, Status
from rules.moments import HOUR, MINUTE
from rules.replay.ears import AT_ONCE, Ears
from storage.store import LateMoment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BIN = Device(1, 7, "bund", "bin-7", "bin-native", 3, "bin")


def heard(ears: Ears, moments: list[int]) -> list[Said | Status]:
    """All that is heard of moments in their order."""
    found = [given for at in moments for given in ears.take(Said(at, at))]
    return [*found, *ears.rest()]


@given(
    st.dictionaries(st.integers(0, 600), st.none() | st.integers(2, 300), max_size=30),
    st.dictionaries(st.integers(0, 900), st.booleans(), max_size=4),
)
def test_everything_is_heard_once_in_order_of_hearing(
    minutes: dict[int, int | None], statuses: dict[int, bool]
) -> None:
    moments = [minute * MINUTE for minute in sorted(minutes)]
    late = {at * MINUTE: (at + delay) * MINUTE for at, delay in minutes.items() if delay is not None}
    given_statuses = [(at * MINUTE, online) for at, online in statuses.items()]
    found = heard(Ears(late, given_statuses), moments)
    assert [each.received for each in found] == sorted(each.received for each in found)
    said = [each for each in found if isinstance(each, Said)]
    assert sorted(each.at for each in said) == moments
    assert sorted((each.received, each.online) for each in found if isinstance(each, Status)) == sorted(
        given_statuses
    )
    for each in said:
        if each.at in late:
            assert each.received == late[each.at]
        else:
            assert each.at <= each.received <= each.at + AT_ONCE


def test_what_is_nearly_in_time_waits_behind_a_backlog_that_came_before_it() -> None:
    """Off for an hour, it sends the hour first: also what it measured a second before it was there again."""
    back = 2 * HOUR
    ears = Ears({HOUR: back, HOUR + MINUTE: back + 1}, [])
    found = heard(ears, [HOUR, HOUR + MINUTE, back - MINUTE // 60, back + 10 * MINUTE])
    assert [each.at for each in found if isinstance(each, Said)] == [
        HOUR, HOUR + MINUTE, back - MINUTE // 60, back + 10 * MINUTE,
    ]  # fmt: skip
    assert [each.received for each in found] == [back, back + 1, back + 1, back + 10 * MINUTE]


def test_only_what_took_more_than_a_minute_is_late() -> None:
    minute = timedelta(minutes=1)
    old, fresh = NOON - 2 * minute, NOON - minute
    happened = (Event("tilt_alarm", old), Event("x", NOON))
    batch = [
        Heard(BIN, NOON, (Measurement(fresh, {"fill_percent": 4.0}),)),
        Heard(BIN, NOON, (Measurement(old, {"fill_percent": 3.0}),), happened),
    ]  # fmt: skip
    assert late_moments(batch, {"fill_percent": 9}) == [
        LateMoment(1, 7, old, NOON, 9),
        LateMoment(1, 7, old, NOON, code="tilt_alarm"),
    ]
    assert late_moments([], {}) == []


@given(
    st.dictionaries(st.integers(0, 600), st.none() | st.integers(2, 300), max_size=30),
    st.dictionaries(st.integers(0, 900), st.booleans(), max_size=4),
    st.integers(0, 900),
)
def test_of_what_was_said_elsewhere_only_whether_it_was_there_is_heard(
    minutes: dict[int, int | None], statuses: dict[int, bool], minute: int
) -> None:
    moments, moved = [each * MINUTE for each in sorted(minutes)], minute * MINUTE
    late = {at * MINUTE: (at + delay) * MINUTE for at, delay in minutes.items() if delay is not None}
    given_statuses = [(at * MINUTE, online) for at, online in statuses.items()]
    everything = heard(Ears(late, given_statuses), moments)
    there: bool | None = None
    for each in everything:
        if each.received < moved:
            there = each.online if isinstance(each, Status) else there is not None or None
    since = [
        each
        for each in everything
        if each.received >= moved and (isinstance(each, Status) or each.at >= moved)
    ]
    brought = [] if there is None else [Status(moved, there)]
    assert heard(Ears(late, given_statuses, moved), moments) == brought + since
