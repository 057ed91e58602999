"""Durations as people write them in YAML: 90s, 5m, 36h, 15d, 1h30m."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

# Longer than any device or rule waits; what is added to a moment or taken from it is still a moment.
LONGEST = timedelta(days=36_500)
_SHOWN = 40
_SHAPE = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def parse_duration(text: object) -> timedelta:
    """`1h30m` as a timedelta; anything else is refused (ValueError) with what would be right."""
    if isinstance(text, timedelta):
        return text
    match = _SHAPE.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 5m, 36h, 15d or 1h30m")
    try:
        length = timedelta(**{unit: int(amount) for unit, amount in match.groupdict(default="0").items()})
    except (OverflowError, ValueError):  # more days, or more digits, than can be counted
        length = timedelta.max
    if length > LONGEST:
        shown = match[0] if len(match[0]) <= _SHOWN else f"{match[0][:_SHOWN]}…"
        raise ValueError(f"{shown!r} is longer than {LONGEST.days}d, a hundred years")
    return length


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
