"""How long a battery will last, from its level of each day. Pure.

The trend is the Theil–Sen line: the median of the slopes between all pairs of days, which a few wrong
readings or a cold week hardly move. A jump upwards is a new battery: only what follows counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from statistics import median, quantiles
from typing import Final

# Below this a sensor's lithium cell may fail any day, whatever it says.
SPENT: Final = 10.0
# What a trend needs: this many days with a level, over this many days.
FEWEST_DAYS: Final = 10
SHORTEST: Final = timedelta(days=21)
# Older days say little about now, and cost the square of their number.
LONGEST: Final = timedelta(days=180)
# Levels of three days in a row that much above the three before: somebody changed the battery.
NEW_BATTERY: Final = 15.0
# Further ahead nobody plans, and no trend of half a year holds.
HORIZON: Final = timedelta(days=3650)
_AROUND: Final = 3


@dataclass(frozen=True, slots=True)
class TooShort:
    """There is not enough history for a trend yet; `days` have a level."""

    days: int


@dataclass(frozen=True, slots=True)
class Steady:
    """The level does not fall, or so slowly that its end is beyond ten years."""


@dataclass(frozen=True, slots=True)
class Falling:
    """The level falls by `per_month` points; it is spent on `spent`, likely between the other two.

    `latest` is None where the slower half of the days would let it last beyond ten years.
    """

    per_month: float
    spent: date
    earliest: date
    latest: date | None


@dataclass(frozen=True, slots=True)
class Spent:
    """The level is down already: the battery wants changing now."""


Outlook = TooShort | Steady | Falling | Spent


def outlook(levels: Sequence[tuple[date, float]], today: date) -> Outlook:
    """When a battery will be spent, from (day, level in percent), in any order, one a day."""
    known = _of_this_battery(sorted(each for each in levels if today - LONGEST <= each[0] <= today))
    if not known:
        return TooShort(0)
    level = median(value for _, value in known[-_AROUND:])
    if level <= SPENT:
        return Spent()
    if len(known) < FEWEST_DAYS or known[-1][0] - known[0][0] < SHORTEST:
        return TooShort(len(known))
    slopes = [(late[1] - early[1]) / (late[0] - early[0]).days for early, late in combinations(known, 2)]
    slope, last = median(slopes), known[-1][0]
    # Where the line stands on the last day, by the days before it.
    level = median(value + slope * (last - day).days for day, value in known[-FEWEST_DAYS:])
    spent = _end(level, slope, last)
    if spent is None:
        return Steady()
    steep, _, flat = quantiles(slopes, n=4)
    earliest, latest = _end(level, min(steep, slope), last), _end(level, flat, last)
    if spent <= today:
        return Spent()
    return Falling(-slope * 365 / 12, spent, max(earliest or spent, today), latest)


def _of_this_battery(known: list[tuple[date, float]]) -> list[tuple[date, float]]:
    """Leave out the days before the last change of the battery."""
    for at in range(len(known) - 1, 0, -1):
        before = median(level for _, level in known[max(0, at - _AROUND) : at])
        after = median(level for _, level in known[at : at + _AROUND])
        risen = known[at][1] - known[at - 1][1]
        if risen >= NEW_BATTERY and after - before >= NEW_BATTERY:
            return known[at:]
    return known


def _end(level: float, slope: float, day: date) -> date | None:
    """The day a line from `level` on `day` comes down to spent; None beyond the horizon."""
    if slope >= 0:
        return None
    days = (level - SPENT) / -slope
    return day + timedelta(days=round(days)) if days <= HORIZON.days else None
