"""The levels at which readings are rolled up, and the steps of a chart that fit them. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from storage.points import step_of

# Every step of every level begins a whole number of steps after this moment.
ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Stands in the schema for "before every reading".
BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Level:
    """Readings rolled up to steps of one width, in UTC. `stretch` is how much one transaction advances it."""

    name: Literal["hour", "day"]
    width: timedelta
    stretch: timedelta


HOUR: Final = Level("hour", timedelta(hours=1), timedelta(days=1))
DAY: Final = Level("day", timedelta(days=1), timedelta(days=7))
LEVELS: Final = (HOUR, DAY)
# Longer charts are drawn from days; hours are kept for those up to here that end now.
LONGEST_OF_HOURS: Final = timedelta(days=31)
HOURS_KEPT: Final = timedelta(days=35)


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps of a chart: from `start` (not after the moment asked for) to `end`, drawn from `level`.

    `level` is None where the steps are too narrow for any: such a chart is drawn from the readings.
    """

    start: datetime
    end: datetime
    step: timedelta
    level: Level | None


def floor_to(moment: datetime, width: timedelta) -> datetime:
    """The beginning of the step in which a moment lies."""
    return moment - (moment - ORIGIN) % width


def grid(start: datetime, end: datetime, points: int, at_least: timedelta = timedelta()) -> Grid:
    """The steps of a chart in about `points` steps, none narrower than `at_least`.

    Steps of at least half a level's width, and those of a long chart, are widened to whole ones of that level
    and begin where its steps do. Narrower steps begin at `start`. Raises ValueError where `end` is not after
    `start`.
    """
    step = step_of(start, end, points, at_least)
    if end - start > LONGEST_OF_HOURS:
        step = max(step, DAY.width)
    for level in reversed(LEVELS):
        if step * 2 >= level.width:
            whole = -(-step // level.width) * level.width
            return Grid(floor_to(start, whole), end, whole, level)
    return Grid(start, end, step, None)
