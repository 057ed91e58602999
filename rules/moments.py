"""Moments and spans as the engine counts them: whole microseconds, since 1970 for a moment."""

from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_moment(at: datetime) -> int:
    """Microseconds since 1970 of a zoned datetime, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def from_moment(moment: int) -> datetime:
    """The datetime, in UTC, of a moment."""
    return _EPOCH + timedelta(microseconds=moment)


def span(length: timedelta) -> int:
    """A timedelta in microseconds."""
    return length // _MICROSECOND


def span_in_words(length: int) -> str:
    """A span as rule files write it: 90s, 5m, 1h30m."""
    words = ""
    rest = length // SECOND
    for letter, size in (("d", DAY // SECOND), ("h", HOUR // SECOND), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            words += f"{count}{letter}"
    return words or "0s"
