"""Recorded collections of litter bins as the fill readings their sensors would have sent between them.

A collection empties the bin, so between two collections of one site the fill rises in a straight line from 0
to what the second one found. A sensor reports at fixed steps of the day, at the collection itself (full), and
a minute later (empty). Before its first collection nothing is known of a site, and nothing is said.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from clerestory.simulate.timeline import RecordingUnreadable, Report, rows_of

RECORDED_IN = ZoneInfo("Europe/London")
STEP = timedelta(minutes=15)
EMPTIED_AFTER = timedelta(minutes=1)
COLUMNS = ("site_id", "site_name", "collected_at", "fill_before_pct")
FULL = 100.0


@dataclass(frozen=True, slots=True)
class Collection:
    """One bin was emptied: when (UTC), and how full it was then (%)."""

    site: str
    name: str
    at: datetime
    fill_percent: float


def read_collections(file: Path) -> list[Collection]:
    """Read the recording; raises `RecordingUnreadable` naming line, column and value."""
    return [_collection(file, line, row) for line, row in rows_of(file, COLUMNS)]


def _collection(file: Path, line: int, row: dict[str, str]) -> Collection:
    try:
        local = datetime.fromisoformat(row["collected_at"]).replace(tzinfo=RECORDED_IN)
    except ValueError:
        raise RecordingUnreadable(
            f"{file}:{line}: collected_at: {row['collected_at']!r} should be like 2016-06-03 13:23:26"
        ) from None
    try:
        fill = float(row["fill_before_pct"])
    except ValueError:
        fill = -1.0
    if not 0 <= fill <= FULL:
        raise RecordingUnreadable(
            f"{file}:{line}: fill_before_pct: {row['fill_before_pct']!r} should be a number from 0 to 100"
        )
    return Collection(row["site_id"], row["site_name"], local.astimezone(UTC), fill)


def bins_timeline(
    collections: Iterable[Collection],
    *,
    first: datetime | None = None,
    last: datetime | None = None,
    step: timedelta = STEP,
) -> Iterator[Report]:
    """What all sensors say from `first` until before `last`, in order of time; a device is a site's id."""
    in_order = sorted(collections, key=lambda each: (each.site, each.at))
    sites = [
        _site_timeline(list(visits), step) for _, visits in groupby(in_order, key=lambda each: each.site)
    ]
    for report in merge(*sites, key=lambda report: report.key):
        if (first is None or report.ts >= first) and (last is None or report.ts < last):
            yield report


def _site_timeline(visits: list[Collection], step: timedelta) -> Iterator[Report]:
    before: Collection | None = None
    for visit in visits:
        if before is not None and visit.at <= before.at + EMPTIED_AFTER:
            continue  # the same visit, written down twice
        if before is not None:
            yield from _rising(before.at, visit, step)
        yield _report(visit, visit.at, visit.fill_percent)
        yield _report(visit, visit.at + EMPTIED_AFTER, 0.0)
        before = visit


def _rising(emptied: datetime, visit: Collection, step: timedelta) -> Iterator[Report]:
    start = emptied + EMPTIED_AFTER
    span = visit.at - emptied
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + step * ((start - midnight) // step + 1)
    while moment < visit.at:
        yield _report(visit, moment, round(visit.fill_percent * ((moment - emptied) / span), 1))
        moment += step


def _report(visit: Collection, moment: datetime, fill: float) -> Report:
    return Report(moment, visit.site, {"fill_percent": fill})
