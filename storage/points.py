"""Points of a chart: what was heard in each step of time, with gaps where nothing was; and late ones."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Sample:
    """One signal's newest value."""

    signal: str
    ts: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a chart; the values are None where nothing was heard, so that a gap is drawn as a gap."""

    start: datetime
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None


def step_of(start: datetime, end: datetime, points: int, at_least: timedelta = timedelta()) -> timedelta:
    """The width of a step: whole seconds, at most `points` of them, never narrower than `at_least`."""
    if end <= start or points < 1:
        raise ValueError(
            f"a chart from {start} to {end} in {points} points shows nothing: end must be after start"
        )
    seconds = math.ceil((end - start).total_seconds() / points)
    return max(timedelta(seconds=seconds), at_least)


def with_gaps(found: list[Bucket], start: datetime, end: datetime, step: timedelta) -> list[Bucket]:
    """Every step from start to end, those without readings empty."""
    known = {bucket.start: bucket for bucket in found}
    count = math.ceil((end - start) / step)
    return [known.get(start + index * step, Bucket(start + index * step)) for index in range(count)]
