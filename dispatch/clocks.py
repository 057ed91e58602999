"""Deadlines around the clock or in business hours. Pure; moments are UTC, a calendar knows its zone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

# A calendar without a working hour in this many days is a mistake in the configuration, not a long holiday.
HORIZON_DAYS = 400
ZERO = timedelta(0)


class NoWorkingHours(ValueError):
    """A calendar that never opens: a deadline in business hours would never come."""

    def __init__(self, start: datetime) -> None:
        super().__init__(
            f"the calendar has no working hour within {HORIZON_DAYS} days of {start.isoformat()}"
        )
        self.start = start


@dataclass(frozen=True, slots=True)
class Span:
    """Working hours within one local day; `ends` 00:00 means the end of the day."""

    starts: time
    ends: time


@dataclass(frozen=True, slots=True)
class Calendar:
    """When the office works: spans by ISO weekday, except holidays; extra days work like a Monday."""

    zone: ZoneInfo
    week: Mapping[int, tuple[Span, ...]]
    holidays: frozenset[date] = frozenset()
    extra_days: frozenset[date] = field(default=frozenset())

    def spans(self, day: date) -> tuple[Span, ...]:
        """List the working spans of one local day, in order."""
        if day in self.extra_days:
            return self.week.get(1, ())
        if day in self.holidays:
            return ()
        return self.week.get(day.isoweekday(), ())

    def windows(self, start: datetime, days: int = HORIZON_DAYS) -> Iterator[tuple[datetime, datetime]]:
        """Yield the working windows of so many days, in UTC, cut to begin no earlier than `start`.

        Converting each edge to UTC makes a day with a clock change as long as it really is.
        """
        today = start.astimezone(self.zone).date()
        for offset in range(days):
            day = today + timedelta(days=offset)
            for span in self.spans(day):
                opens = self._moment(day, span.starts)
                midnight = span.ends == time(0)
                closes = self._moment(day + timedelta(days=1) if midnight else day, span.ends)
                if closes > start and closes > opens:
                    yield max(opens, start), closes

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)


def add(calendar: Calendar | None, start: datetime, amount: timedelta) -> datetime:
    """Say when `amount` of working time has passed since `start`; None is a calendar that never closes."""
    if calendar is None:
        return start + amount
    if amount <= ZERO:
        return start
    left = amount
    for opens, closes in calendar.windows(start):
        if left <= closes - opens:
            return opens + left
        left -= closes - opens
    raise NoWorkingHours(start)


def elapsed(calendar: Calendar | None, start: datetime, end: datetime) -> timedelta:
    """Measure the working time between two moments; zero where the end is not after the start."""
    if end <= start:
        return ZERO
    if calendar is None:
        return end - start
    total = ZERO
    for opens, closes in calendar.windows(start, (end - start).days + 2):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total


def shifted(
    calendar: Calendar | None, deadline: datetime | None, paused: datetime, resumed: datetime
) -> datetime | None:
    """Move a deadline by a pause: what was left when the clocks stopped is left when they run again.

    A deadline already missed when the pause began stays missed.
    """
    if deadline is None or deadline <= paused:
        return deadline
    if calendar is None:
        return deadline + (resumed - paused)
    return add(calendar, resumed, elapsed(calendar, paused, deadline))
