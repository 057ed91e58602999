"""Durations as people write them in YAML: 90s, 5m, 36h, 15d, 1h30m."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_SHAPE = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def parse_duration(text: object) -> timedelta:
    """`1h30m` as a timedelta; anything else is refused with what would be right."""
    if isinstance(text, timedelta):
        return text
    match = _SHAPE.fullmatch(text) if isinstance(text, str) and text else None
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 5m, 36h, 15d or 1h30m")
    return timedelta(**{unit: int(amount) for unit, amount in match.groupdict(default="0").items()})


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
