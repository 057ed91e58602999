"""One alarm's life as a replay finds it, with the moments at which the house would have acted on it. Pure."""

import msgspec

from rules.rule import Severity

# By which rules the alarm is there: today's, the changed ones, or (TODAY | CHANGED) the same by both.
TODAY, CHANGED = 1, 2
# So many lives are kept by one process, for the orders they mean; beyond that alarms are only counted.
MOST_STORIES = 200_000


class Step(msgspec.Struct, frozen=True, array_like=True):
    """It became more or less severe; `page`: people are to be told now."""

    at: int
    severity: Severity
    page: bool


class Story(msgspec.Struct, frozen=True, array_like=True):
    """One alarm of one device; all moments in microseconds since 1970.

    `raised` and `cleared` are event time; `known`, `told` (people were to hear of it) and `over` are when
    gateway or worker found that out. None: not within the time replayed.
    """

    device_id: int
    rule: str
    sides: int
    severity: Severity
    raised: int
    known: int
    told: int | None = None
    cleared: int | None = None
    over: int | None = None
    steps: tuple[Step, ...] = ()
