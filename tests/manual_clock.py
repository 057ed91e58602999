"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # a Monday, 15:00 in Shanghai


class ManualClock:
    """Implements `config.clock.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move forward and return the new moment."""
        self._now += step
        return self._now

    def set(self, moment: datetime) -> None:
        """Move to a moment, also backwards."""
        self._now = moment
