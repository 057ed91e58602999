"""When a plan is due. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Every so many days from a first day on, at a local time."""

    zone: ZoneInfo
    starts_on: date
    every_days: int
    at: time
    retired_on: date | None = None

    def moment(self, day: date) -> datetime:
        """Say when an occurrence of that day is due, in UTC."""
        return datetime.combine(day, self.at, self.zone).astimezone(UTC)

    def latest(self, now: datetime) -> date | None:
        """Find the last day whose occurrence is due by now; None before the first, or once retired."""
        today = now.astimezone(self.zone).date()
        passed = (today - self.starts_on).days // self.every_days
        day = self.starts_on + timedelta(days=passed * self.every_days)
        if self.moment(day) > now:
            day -= timedelta(days=self.every_days)
        if day < self.starts_on or (self.retired_on is not None and day >= self.retired_on):
            return None
        return day

    def between(self, after: date, before: date) -> list[date]:
        """List the occurrences strictly between two days."""
        skipped = max((after - self.starts_on).days // self.every_days + 1, 0)
        day = self.starts_on + timedelta(days=skipped * self.every_days)
        days = []
        while day < before:
            days.append(day)
            day += timedelta(days=self.every_days)
        return days
