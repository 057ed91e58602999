"""Who could work when: technicians with skills, areas, shifts and what they have in hand. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Shift:
    """One weekly shift, ISO weekday; an end that is not after the start is on the next day."""

    weekday: int
    starts: time
    ends: time


@dataclass(frozen=True, slots=True)
class Technician:
    """One technician. `skills` says when each licence expires, None where it does not.

    `load` counts orders in hand and offers standing; `at` are the (community, area) of the orders in hand.
    """

    staff_id: int
    code: str
    name: str
    phone: str | None
    skills: Mapping[str, date | None]
    areas: frozenset[int]
    shifts: tuple[Shift, ...]
    load: int = 0
    at: frozenset[tuple[int, int]] = frozenset()
    left_on: date | None = None


def on_shift(technician: Technician, zone: ZoneInfo, now: datetime) -> bool:
    """Whether one of the technician's shifts is on, in the community's time."""
    local = now.astimezone(zone)
    return any(_covers(shift, zone, local.date(), now) for shift in technician.shifts)


def next_on_shift(technician: Technician, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Say when the technician's next shift begins; None for who has none."""
    today = now.astimezone(zone).date()
    starts = (
        datetime.combine(day, shift.starts, zone)
        for offset in range(8)
        for day in [today + timedelta(days=offset)]
        for shift in technician.shifts
        if shift.weekday == day.isoweekday()
    )
    return min((start for start in starts if start > now), default=None)


def _covers(shift: Shift, zone: ZoneInfo, today: date, now: datetime) -> bool:
    overnight = shift.ends <= shift.starts
    for day in (today, today - timedelta(days=1)):
        if shift.weekday != day.isoweekday():
            continue
        starts = datetime.combine(day, shift.starts, zone)
        ends = datetime.combine(day + timedelta(days=1) if overnight else day, shift.ends, zone)
        if starts <= now < ends:
            return True
    return False
