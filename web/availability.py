"""How much of its time a device was heard, from how often it was heard in each hour. Pure.

A device that reports every half hour or more often was heard for as much of an hour as its messages stand
for: 45 of 60 a minute apart are three quarters. One that reports more rarely was heard as long as its last
message is at most two reporting intervals old: a single message lost on the air is no outage. Before it was
first heard nothing is expected of a device, nor in the hour of its first message: it had only a part of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import Final
from zoneinfo import ZoneInfo

HOUR: Final = timedelta(hours=1)
DAYS: Final = 30
# Two intervals that fit into an hour: the messages of an hour are counted.
_OFTEN: Final = HOUR / 2


@dataclass(frozen=True, slots=True)
class Day:
    """One day in the community's time zone; `share` is None where nothing was expected yet."""

    day: date
    share: float | None


@dataclass(frozen=True, slots=True)
class Availability:
    """The share of the time (0 to 1) that a device was heard, and of each day, oldest first.

    `since` says from when on it counts, where that is less than the thirty days.
    """

    share: float
    since: datetime | None
    days: tuple[Day, ...]


def window(now: datetime) -> tuple[datetime, datetime]:
    """The whole hours that are looked at: thirty days up to the last full hour."""
    end = now.replace(minute=0, second=0, microsecond=0)
    return end - timedelta(days=DAYS), end


def availability(
    heard: Mapping[datetime, int], interval: timedelta, now: datetime, zone: ZoneInfo, *, heard_before: bool
) -> Availability | None:
    """How much of the last thirty days a device was heard; None where it was not heard for a full hour.

    `heard` says how many messages each hour (by its beginning) holds, also before the window, as far back as
    `reach(interval)`. `heard_before` says that it was heard at some time before the window.
    """
    start, end = window(now)
    earliest = min((hour for hour in heard if hour < end), default=None)
    if heard_before or (earliest is not None and earliest < start):
        first = start
    elif earliest is not None:
        first = earliest + HOUR
    else:
        return None
    by_day: dict[date, list[float]] = {}
    hour = start
    while hour < end:
        shares = by_day.setdefault(hour.astimezone(zone).date(), [])
        if hour >= first:
            shares.append(_share(heard, interval, hour))
        hour += HOUR
    all_hours = [share for shares in by_day.values() for share in shares]
    if not all_hours:
        return None
    days = (Day(day, sum(shares) / len(shares) if shares else None) for day, shares in by_day.items())
    return Availability(sum(all_hours) / len(all_hours), first if first > start else None, tuple(days))


def reach(interval: timedelta) -> timedelta:
    """How long a message says that its device is there, in whole hours."""
    return ceil(2 * interval / HOUR) * HOUR


def _share(heard: Mapping[datetime, int], interval: timedelta, hour: datetime) -> float:
    if interval <= _OFTEN:
        return min(1.0, heard.get(hour, 0) * interval / HOUR)
    back = reach(interval) // HOUR
    return float(any(heard.get(hour - ago * HOUR) for ago in range(back + 1)))
