"""How severe an alarm must be, moment after moment: the oracle's own ladder, without the product's code.

A rung by time holds once the alarm has been there for `after`. A rung by condition holds once what was
measured has said so for `hold`, until it has said otherwise for `down_after`; as with alarms, only something
newer from the device that does not contradict lets such a span run out. An alarm is as severe as the highest
rung that holds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.chaos.script import Value

LEVELS = ("info", "minor", "major", "critical")
NONE = timedelta()
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RungFact:
    """One rung as its file means it; without `begins` it goes by time."""

    severity: str
    begins: Callable[[Value], bool] | None = None
    after: timedelta = NONE
    hold: timedelta = NONE
    down_after: timedelta = NONE


@dataclass(slots=True)
class Ladder:
    """The ladder of one alarm while it lives."""

    base: str
    rungs: tuple[RungFact, ...]
    raised: datetime
    severity: str = ""
    _up: set[int] = field(default_factory=set)
    _otherwise: dict[int, datetime] = field(default_factory=dict)  # since when a rung should be otherwise

    def __post_init__(self) -> None:
        self.severity = self.base

    def read(self, value: Value, ts: datetime) -> None:
        """Spans begin, go on, or begin anew by what was measured."""
        for number, rung in enumerate(self.rungs):
            if rung.begins is None:
                continue
            if rung.begins(value) == (number in self._up):
                self._otherwise.pop(number, None)
            else:
                self._otherwise.setdefault(number, ts)

    def climb(self, until: datetime) -> Iterator[tuple[datetime, str]]:
        """Each change of severity up to then, in order."""
        while ready := [turn for turn in self._turns() if turn[0] <= until]:
            at = min(ready)[0]
            self._up ^= {number for when, number in ready if when == at}
            for when, number in ready:
                if when == at:
                    self._otherwise.pop(number, None)
            held = [self.rungs[number].severity for number in self._up]
            severity = max((self.base, *held), key=LEVELS.index)
            if severity != self.severity:
                self.severity = severity
                yield max(at, self.raised), severity

    def _turns(self) -> Iterator[tuple[datetime, int]]:
        for number, rung in enumerate(self.rungs):
            if rung.begins is None:
                if number not in self._up:
                    yield self.raised + rung.after, number
            elif number in self._otherwise:
                span = rung.down_after if number in self._up else rung.hold
                yield self._otherwise[number] + span, number
