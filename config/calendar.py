"""The days and hours of the house: holidays, extra working days, and named times that rules go by. Pure.

A time is judged as people in the community see it: by the date and the clock of its own zone.
"""

from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from ruamel.yaml import YAML

from config.text import Text

Day = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    "workdays", "days_off", "holidays",
]  # fmt: skip
_WEEKDAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SATURDAY = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Hours(_Part):
    """From one time of day to another; past midnight where it ends at or before it starts."""

    starts: time
    ends: time

    def has(self, at: time) -> bool:
        """Whether a time belongs to hours that began the same day."""
        return self.starts <= at and (at < self.ends or self.ends <= self.starts)

    def has_after_midnight(self, at: time) -> bool:
        """Whether a time belongs to hours that began the day before."""
        return self.ends <= self.starts and at < self.ends


def _parse_hours(value: object) -> object:
    """Read "22:00-06:00"; 24:00 is the day's end."""
    if not isinstance(value, str):
        return value
    starts, dash, ends = value.partition("-")
    if not dash:
        raise ValueError(f"{value!r} are no hours; write them like 22:00-06:00")
    return Hours(
        starts=time.fromisoformat(starts), ends=time(0) if ends == "24:00" else time.fromisoformat(ends)
    )


class Schedule(_Part):
    """A named time: on some days, at some hours of them."""

    name: Text
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = _WEEKDAYS
    hours: Annotated[tuple[Annotated[Hours, BeforeValidator(_parse_hours)], ...], Field(min_length=1)] = (
        Hours(starts=time(0), ends=time(0)),
    )


class HouseCalendar(_Part):
    """All of config/calendar.yaml."""

    holidays: frozenset[date] = frozenset()
    extra_days: frozenset[date] = frozenset()
    schedules: dict[str, Schedule] = {}

    def has(self, schedule: Schedule, at: datetime) -> bool:
        """Whether a moment, given in the community's own zone, belongs to a named time."""
        day, clock = at.date(), at.time()
        if self._is_one_of(schedule.days, day) and any(hours.has(clock) for hours in schedule.hours):
            return True
        before = day - timedelta(days=1)
        return any(hours.has_after_midnight(clock) for hours in schedule.hours) and self._is_one_of(
            schedule.days, before
        )

    def is_workday(self, day: date) -> bool:
        """Monday to Friday but no holiday, and the extra days."""
        return day in self.extra_days or (day.weekday() < _SATURDAY and day not in self.holidays)

    def _is_one_of(self, days: tuple[Day, ...], day: date) -> bool:
        return (
            _WEEKDAYS[day.weekday()] in days
            or ("workdays" if self.is_workday(day) else "days_off") in days
            or ("holidays" in days and day in self.holidays)
        )


@cache
def shipped_calendar() -> HouseCalendar:
    """Read the calendar that ships with the house, once."""
    return HouseCalendar.model_validate(
        YAML(typ="safe").load(files("config").joinpath("calendar.yaml").read_text("utf-8"))
    )
