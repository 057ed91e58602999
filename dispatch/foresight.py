"""A replay told to people: which alarms change, how many orders a week that means, and for whom.

Orders are counted by a rehearsal of what dispatch would have done; where there are too many alarms for that,
as many as alarms asked for. It is kept and sent as JSON; all names are those of the day it was made. Pure.
"""

from datetime import datetime

import msgspec

from dispatch.rehearsal.funnel import Funnel
from rules.replay.compare import Kind
from rules.replay.tally import RuleTally


class Words(msgspec.Struct, frozen=True):
    """A text in both languages."""

    zh: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class RuleLine(msgspec.Struct, frozen=True):
    """How often one rule was on by today's rules (`old`), by the changed ones (`new`), and as recorded."""

    rule: str
    title: Words
    severity: str
    counts: RuleTally


class OrdersLine(msgspec.Struct, frozen=True):
    """Orders a week of one kind in one area; `people` hold the skill and cover the area today.

    `today` and `changed` say how they come of alarms, in all the time; `recorded`: as many a week there were.
    """

    community: str
    area: Words
    kind: str
    skill: str
    old: float
    new: float
    people: tuple[str, ...]
    today: Funnel = msgspec.field(default_factory=Funnel)
    changed: Funnel = msgspec.field(default_factory=Funnel)
    recorded: float = 0.0


class AlarmTime(msgspec.Struct, frozen=True):
    """One alarm; `cleared` is None where it was still on at the end, `earlier` where it began before."""

    severity: str
    raised: datetime
    cleared: datetime | None
    paged: bool
    earlier: bool


class Change(msgspec.Struct, frozen=True):
    """One alarm that is new, gone or different."""

    community: str
    device: str
    asset: Words
    rule: str
    kind: Kind
    old: AlarmTime | None
    new: AlarmTime | None
    recorded: AlarmTime | None


class Foresight(msgspec.Struct, frozen=True):
    """All of it. `skipped` are rules that cannot be replayed; `left_out` changes are only counted.

    `partly` are rules of which only a part is known before `heard_since`: until then who was gone is not, nor
    what was heard late; where it is None, of all the time.

    `history_from`: between `start` and it there is no history; orders a week are reckoned from there on, or
    from a day where there is less.

    `rehearsed`: orders are what would have been opened, after holds and grouping; else what was asked for.
    """

    start: datetime
    end: datetime
    warm_from: datetime
    devices: int
    readings: int
    events: int
    seconds: float
    cpu_seconds: float
    skipped: tuple[str, ...]
    rules: tuple[RuleLine, ...]
    orders: tuple[OrdersLine, ...]
    changes: tuple[Change, ...]
    left_out: int
    rehearsed: bool = False
    partly: tuple[str, ...] = ()
    heard_since: datetime | None = None
    history_from: datetime | None = None

    @property
    def heard_before(self) -> datetime | None:
        """Up to when of this time all is taken as heard when it happened; None where it is known of all."""
        since = self.heard_since
        return None if since is not None and since <= self.start else min(since or self.end, self.end)

    @property
    def is_short(self) -> bool:
        """Whether a good part of the time has no history."""
        begun = self.history_from
        return begun is not None and begun - self.start > (self.end - self.start) / 20

    @property
    def today(self) -> Funnel:
        """How orders come of alarms by today's rules, everywhere."""
        return Funnel.sum(line.today for line in self.orders)

    @property
    def changed(self) -> Funnel:
        """The same by the changed rules."""
        return Funnel.sum(line.changed for line in self.orders)

    @property
    def sums(self) -> RuleTally:
        """The counts of all rules together."""
        whole = RuleTally()
        for line in self.rules:
            whole.add(line.counts)
        return whole
