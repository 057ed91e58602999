"""A billing period: one calendar month in a community's time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DECEMBER = 12


class BadPeriod(ValueError):
    """A period that cannot be billed; says what would be right."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One month. Days are counted inclusively: `first` to `last`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read "2026-10", or say what would be right."""
        matched = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text)
        if matched is None:
            raise BadPeriod(f'period {text!r} is not a month; write year and month like "2026-10"')
        return cls(int(matched[1]), int(matched[2]))

    @classmethod
    def of(cls, day: date) -> "Period":
        """Find the month a day lies in."""
        return cls(day.year, day.month)

    @property
    def first(self) -> date:
        """The first day; also how a period is stored."""
        return date(self.year, self.month, 1)

    @property
    def last(self) -> date:
        """The last day."""
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> "Period":
        """The month after."""
        return Period(self.year + self.month // _DECEMBER, self.month % _DECEMBER + 1)

    @property
    def previous(self) -> "Period":
        """The month before."""
        return Period.of(self.first - timedelta(days=1))

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Start (in) and end (out) of the month in UTC."""
        start = datetime.combine(self.first, time.min, zone)
        end = datetime.combine(self.next.first, time.min, zone)
        return start.astimezone(UTC), end.astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02d}"
