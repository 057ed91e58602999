"""A recorded car door (4 Hz) as the messages an elevator gateway would send.

Four samples a second are more than anybody needs: one message tells of a window (5 s unless chosen otherwise)
with the highest vibration in it, the mean humidity and the last count of bearing revolutions. The highest,
because what rules look for is a peak that a mean would hide.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

from clerestory.simulate.timeline import RecordingUnreadable, Report, rows_of

SAMPLES_A_SECOND = 4
WINDOW = timedelta(seconds=5)
COLUMNS = ("ball_bearing_revolutions", "humidity_percent", "vibration_db")
# The recording went through a German spreadsheet, which took 18.01 for the 18th of January ("18. Jan") and
# 6.93 for June of '93 ("Jun 93"). Both can be told back exactly.
_MONTHS = ("Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez")
_DAY_AND_MONTH = re.compile(r"(\d\d)\. ([A-Z][a-z]{2})")
_MONTH_AND_YEAR = re.compile(r"([A-Z][a-z]{2}) (\d\d)")


@dataclass(frozen=True, slots=True)
class Sample:
    """A quarter of a second of the door."""

    revolutions: float
    humidity_percent: float
    vibration_db: float


def read_samples(file: Path) -> list[Sample]:
    """Read the recording; raises `RecordingUnreadable` naming line, column and value."""
    return [
        Sample(*(_number(file, line, column, row[column]) for column in COLUMNS))
        for line, row in rows_of(file, COLUMNS)
    ]


def _number(file: Path, line: int, column: str, written: str) -> float:
    day = _DAY_AND_MONTH.fullmatch(written)
    if day and day[2] in _MONTHS:
        return int(day[1]) + (_MONTHS.index(day[2]) + 1) / 100
    month = _MONTH_AND_YEAR.fullmatch(written)
    if month and month[1] in _MONTHS:
        return _MONTHS.index(month[1]) + 1 + int(month[2]) / 100
    try:
        return float(written)
    except ValueError:
        raise RecordingUnreadable(f"{file}:{line}: {column}: {written!r} should be a number") from None


def elevator_timeline(
    samples: Iterable[Sample], device: str, start: datetime, window: timedelta = WINDOW
) -> Iterator[Report]:
    """One report at the end of each full window; a window that the recording does not fill is left out."""
    size = int(window.total_seconds() * SAMPLES_A_SECOND)
    if size < 1:
        raise ValueError(f"window = {window}: a message tells of at least a quarter of a second")
    held: list[Sample] = []
    moment = start
    for sample in samples:
        held.append(sample)
        if len(held) == size:
            moment += window
            yield Report(
                moment,
                device,
                {
                    "door_vibration_db": max(each.vibration_db for each in held),
                    "humidity_percent": round(fmean(each.humidity_percent for each in held), 3),
                    "ball_bearing_revolutions": held[-1].revolutions,
                },
            )
            held.clear()
