"""Which periods share a day and which shifts share a minute. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from clerestory.community.mistakes import Path
from clerestory.community.schema import Period, ShiftSpec
from clerestory.community.weekdays import DAYS

_DAY = 24 * 60
_WEEK = 7 * _DAY


def overlapping_periods(found: Sequence[tuple[Path, Period]]) -> Iterator[tuple[Path, Path]]:
    """Give each period that begins before the one before it has ended, with the path of that one."""
    in_order = sorted(found, key=lambda each: each[1].from_)
    for (before_path, before), (path, period) in pairwise(in_order):
        if before.overlaps(period):
            yield path, before_path


def overlapping_shifts(shifts: Sequence[ShiftSpec]) -> Iterator[tuple[int, int, str]]:
    """Give (index, index of the one before, day) of shifts that are on at the same minute of the week."""
    spans = sorted(
        (start, end, index) for index, shift in enumerate(shifts) for start, end in minutes_of_week(shift)
    )
    if not spans:
        return
    first_start, first_end, first = spans[0]
    around = [*spans, (first_start + _WEEK, first_end + _WEEK, first)]
    for (_, before_end, before), (start, _, index) in pairwise(around):
        if start < before_end:
            yield index, before, DAYS[start // _DAY % 7]


def minutes_of_week(shift: ShiftSpec) -> Iterator[tuple[int, int]]:
    """Each working stretch of a shift in minutes since Monday 00:00; one may run past the end of the week."""
    start = shift.from_.hour * 60 + shift.from_.minute
    end = shift.to.hour * 60 + shift.to.minute
    length = (end - start) % _DAY or _DAY
    for day in shift.days:
        begins = (day - 1) * _DAY + start
        yield begins, begins + length
