"""What a replay found, in bounded space: counts by rule, orders by place and skill, some details. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Self

import msgspec

from rules.replay.compare import Kind, Pair, overlapping, pairs
from rules.replay.device import Alarm
from rules.replay.ears import AT_ONCE
from rules.replay.story import MOST_STORIES, Story
from rules.rule import Rule

# So many differences of one rule are kept with their moments; beyond that they are counted.
MOST_DETAILS = 200
# What was heard within this is taken as heard when it happened; what is recorded knows when it was received.
RECORDED_TOLERANCE = AT_ONCE


class RuleTally(msgspec.Struct):
    """How often one rule was on: today's rules against the changed ones, and against what was recorded."""

    old: int = 0
    new: int = 0
    same: int = 0
    fresh: int = 0
    gone: int = 0
    different: int = 0
    recorded: int = 0
    reproduced: int = 0  # recorded alarms that today's rules give again

    @property
    def changed(self) -> int:
        """How many are not the same."""
        return self.fresh + self.gone + self.different

    def add(self, other: "RuleTally") -> None:
        """Count the other's in."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Orders(msgspec.Struct):
    """How many orders alarms would have asked for in one place, of one kind of work, for one skill."""

    community_id: int
    area_id: int
    kind: str
    skill: str
    old: int = 0
    new: int = 0


class Difference(msgspec.Struct, frozen=True):
    """One alarm that is new, gone or different, with what was recorded at that time, if anything was."""

    community_id: int
    device_id: int
    rule: str
    kind: Kind
    old: Alarm | None
    new: Alarm | None
    recorded: Alarm | None

    @property
    def at(self) -> int:
        """When it begins."""
        return min(side.raised for side in (self.old, self.new) if side is not None)


class Place(msgspec.Struct, frozen=True):
    """Where a device belongs."""

    community_id: int
    device_id: int
    area_id: int


class Tally(msgspec.Struct):
    """The sum over many devices; sums of parts can be added up."""

    devices: int = 0
    readings: int = 0
    events: int = 0
    first: datetime | None = None  # when the first of them happened, warming up included
    cpu_seconds: float = 0.0
    rules: dict[str, RuleTally] = {}
    orders: list[Orders] = []
    differences: list[Difference] = []
    left_out: int = 0  # differences that are only counted
    stories: list[Story] = []  # of the alarms that mean work, in no order
    untold: int = 0  # stories beyond those that are kept

    def note(
        self,
        place: Place,
        old: Sequence[Alarm],
        new: Sequence[Alarm],
        recorded: Sequence[Alarm],
        books: tuple[Mapping[str, Rule], Mapping[str, Rule]],
    ) -> None:
        """Take in one device; `books` are today's rules and the changed ones, by code."""
        for alarm in old:
            self._rule(alarm.rule).old += 1
        for alarm in new:
            self._rule(alarm.rule).new += 1
        for pair in pairs(old, new):
            self._note_pair(place, pair, recorded)
        self._note_recorded(old, recorded)
        for side, (alarms, rules) in enumerate(zip((old, new), books, strict=True)):
            for alarm in alarms:
                self._note_order(place, alarm, rules.get(alarm.rule), side)

    def begin(self, first: datetime | None) -> None:
        """There is history from here on, if not from before."""
        if first is not None:
            self.first = first if self.first is None else min(self.first, first)

    def keep(self, story: Story) -> None:
        """Keep the life of an alarm that means work, while there is room."""
        if len(self.stories) < MOST_STORIES:
            self.stories.append(story)
        else:
            self.untold += 1

    def _rule(self, code: str) -> RuleTally:
        return self.rules.setdefault(code, RuleTally())

    def _note_pair(self, place: Place, pair: Pair, recorded: Sequence[Alarm]) -> None:
        side = pair.new or pair.old
        if side is None:
            return
        tally, kind = self._rule(side.rule), pair.kind()
        if kind is None:
            tally.same += 1
            return
        count = tally.changed
        if kind == "new":
            tally.fresh += 1
        elif kind == "gone":
            tally.gone += 1
        else:
            tally.different += 1
        if count >= MOST_DETAILS:
            self.left_out += 1
            return
        self.differences.append(
            Difference(
                place.community_id,
                place.device_id,
                side.rule,
                kind,
                pair.old,
                pair.new,
                overlapping(recorded, pair),
            )
        )

    def _note_recorded(self, old: Sequence[Alarm], recorded: Sequence[Alarm]) -> None:
        for alarm in recorded:
            self._rule(alarm.rule).recorded += 1
        for pair in pairs(recorded, old):
            if pair.old is not None and pair.kind(RECORDED_TOLERANCE) is None:
                self._rule(pair.old.rule).reproduced += 1

    def _note_order(self, place: Place, alarm: Alarm, rule: Rule | None, side: int) -> None:
        if rule is None or rule.order is None or not alarm.paged or alarm.earlier:
            return
        key = (place.community_id, place.area_id, rule.order.kind, rule.order.skill)
        for orders in self.orders:
            if (orders.community_id, orders.area_id, orders.kind, orders.skill) == key:
                break
        else:
            orders = Orders(*key)
            self.orders.append(orders)
        if side:
            orders.new += 1
        else:
            orders.old += 1

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """Add up the tallies of parts, differences in order of time."""
        whole = cls()
        orders: dict[tuple[int, int, str, str], Orders] = {}
        for part in parts:
            whole.devices += part.devices
            whole.readings += part.readings
            whole.events += part.events
            whole.begin(part.first)
            whole.cpu_seconds += part.cpu_seconds
            whole.left_out += part.left_out
            whole.differences += part.differences
            whole.stories += part.stories
            whole.untold += part.untold
            for code, tally in part.rules.items():
                whole._rule(code).add(tally)
            for each in part.orders:
                key = (each.community_id, each.area_id, each.kind, each.skill)
                mine_too = orders.setdefault(key, Orders(*key))
                mine_too.old += each.old
                mine_too.new += each.new
        whole.orders = [orders[key] for key in sorted(orders)]
        whole._bound_details()
        return whole

    def _bound_details(self) -> None:
        kept: list[Difference] = []
        counts: dict[str, int] = {}
        for each in sorted(self.differences, key=lambda one: (one.at, one.device_id, one.rule)):
            counts[each.rule] = counts.get(each.rule, 0) + 1
            if counts[each.rule] <= MOST_DETAILS:
                kept.append(each)
        self.left_out += len(self.differences) - len(kept)
        self.differences = kept
