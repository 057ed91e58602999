"""A plan is due on its days, whatever the zone does."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dispatch.recurrence import Recurrence

SHANGHAI = ZoneInfo("Asia/Shanghai")
FORTNIGHT = Recurrence(SHANGHAI, date(2026, 11, 1), 15, time(8, 0))


def test_due_days() -> None:
    assert FORTNIGHT.latest(datetime(2026, 10, 31, 23, 59, tzinfo=UTC)) is None
    assert FORTNIGHT.latest(datetime(2026, 11, 1, 0, 0, tzinfo=UTC)) == date(2026, 11, 1)
    assert FORTNIGHT.latest(datetime(2026, 11, 15, 23, 59, tzinfo=UTC)) == date(2026, 11, 1)
    assert FORTNIGHT.latest(datetime(2026, 11, 16, 0, 0, tzinfo=UTC)) == date(2026, 11, 16)
    assert FORTNIGHT.between(date(2026, 11, 1), date(2026, 12, 16)) == [date(2026, 11, 16), date(2026, 12, 1)]


def test_a_retired_plan_is_not_due() -> None:
    retired = Recurrence(SHANGHAI, date(2026, 11, 1), 1, time(8, 0), date(2026, 11, 10))
    assert retired.latest(datetime(2026, 11, 9, 12, tzinfo=UTC)) == date(2026, 11, 9)
    assert retired.latest(datetime(2026, 11, 12, 12, tzinfo=UTC)) is None


@given(
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.integers(1, 40),
    st.times(),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_latest_is_due_and_the_next_is_not(
    zone: str, starts: date, every: int, at: time, now: datetime
) -> None:
    plan = Recurrence(ZoneInfo(zone), starts, every, at)
    latest = plan.latest(now)
    if latest is None:
        assert plan.moment(starts) > now
        return
    assert (latest - starts).days % every == 0
    assert plan.moment(latest) <= now
    assert plan.moment(latest + timedelta(days=every)) > now
