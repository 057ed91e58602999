"""Calendar months in UTC: the unit in which readings are kept and dropped."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month; its readings live in one partition."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Self:
        utc = moment.astimezone(UTC)
        return cls(utc.year, utc.month)

    @classmethod
    def of_microseconds(cls, at: int) -> Self:
        """The month of a moment in microseconds since 1970."""
        return cls.of(_EPOCH + timedelta(microseconds=at))

    @classmethod
    def of_table(cls, table: str) -> Self:
        """The month whose partition has this name."""
        _, year, number = table.split("_")
        return cls(int(year), int(number))

    @property
    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def first(self) -> datetime:
        """The moment it begins."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The moment the next one begins."""
        return self.next.first

    @property
    def table(self) -> str:
        return f"reading_{self.year:04}_{self.number:02}"


def months(first: datetime, last: datetime) -> list[Month]:
    """Every month from the one of `first` to the one of `last`, both included."""
    found = [Month.of(first)]
    while found[-1] < Month.of(last):
        found.append(found[-1].next)
    return found
