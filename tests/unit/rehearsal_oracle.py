"""What a rehearsal must find, said simply: minute by minute, everything looked at again at each.

It knows nothing of heaps, of what may have changed, or of dispatch's own functions. An order that alarms
open is accepted, worked on and done as the middle one there of its kind, else after the spans of its rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dispatch.rehearsal.past import Past, Place
from rules.moments import MINUTE
from rules.replay.story import Story
from rules.rule import OrderTemplate, Rule

WORST_FIRST = ("critical", "major", "minor", "info")
HOLDS = ("major", "minor", "info")  # what waits in an emergency


@dataclass
class Work:
    """An order."""

    place: Place | None
    asset: int
    area: int
    kind: str
    opened: int
    accepted: int
    working: int
    done: int
    joinable: bool
    goes: bool = False
    alarms: list[int] = field(default_factory=list)
    cancelled: int | None = None

    def live(self, t: int) -> bool:
        return self.opened <= t < self.done and (self.cancelled is None or t < self.cancelled)

    def at_work(self, t: int) -> bool:
        return self.live(t) and t >= self.working


class Oracle:
    """One side of a rehearsal in minutes."""

    def __init__(
        self, stories: Sequence[Story], rules: Mapping[str, Rule], past: Past, by_hand: Sequence[Work]
    ) -> None:
        self.stories = sorted(stories, key=lambda each: (each.known, each.device_id, each.rule))
        self.rules = rules
        self.past = past
        self.by_hand = by_hand
        self.orders = list(by_hand)
        self.work: dict[int, Work] = {}  # by the position of a story: its latest order
        self.holding: dict[int, str] = {}
        self.asking: set[int] = set()  # of those held
        self.told: set[int] = set()
        self.ended: list[tuple[int, str]] = []  # held to its end

    def run(self, end: int) -> tuple[list[tuple[int, list[int]]], list[tuple[int, str]]]:
        """(minute, alarms) of each order, and (alarm, what held it) of those that asked and got none."""
        for t in range(end):
            if any(each.span.start == t * MINUTE for each in self.past.mutes):
                self.mute(t)
            told = {n for n, each in enumerate(self.stories) if each.told == t * MINUTE}
            worse = {
                n
                for n, each in enumerate(self.stories)
                if any(step.at == t * MINUTE and step.page for step in each.steps)
                and (n in self.holding or (n in self.work and not self.served(n, t)))
            }
            self.sort_out(told | worse, t, asks=True)
            for n, each in enumerate(self.stories):
                if each.over == t * MINUTE:
                    self.end(n, t)
            self.sort_out(set(self.holding), t)
        self.ended += [(n, why) for n, why in self.holding.items() if n in self.asking]
        orders = [(each.opened, each.alarms) for each in self.orders if each.place is not None]
        return orders, self.ended

    def served(self, n: int, t: int) -> bool:
        return n in self.work and self.work[n].live(t)

    def mute(self, t: int) -> None:
        """Who was told of an alarm that nobody has an order for is told of it again after the mute."""
        for n in sorted(self.told):
            if not self.served(n, t) and self.muted(n, t):
                self.told.remove(n)
                self.holding[n] = "mute"

    def muted(self, n: int, t: int) -> bool:
        story = self.stories[n]
        place = self.past.places[story.device_id]
        return any(mute.fits(story.rule, place) and mute.span.holds(t * MINUTE) for mute in self.past.mutes)

    def sort_out(self, alarms: set[int], t: int, *, asks: bool = False) -> None:
        free = []
        for n in alarms:
            why = self.why_held(n, t)
            if why is None:
                self.holding.pop(n, None)
                self.asking.discard(n)
                self.told.add(n)
                free.append(n)
            else:
                self.asking.update({n} if asks else ())
                self.told.discard(n)
                self.holding[n] = why
        asking = [
            n for n in free if self.rules[self.stories[n].rule].order is not None and not self.served(n, t)
        ]
        for n in sorted(asking, key=lambda n: (WORST_FIRST.index(self.severity(n, t)), n)):
            self.order_for(n, t)

    def end(self, n: int, t: int) -> None:
        self.told.discard(n)
        if n in self.holding:
            why = self.holding.pop(n)
            self.ended += [(n, why)] if n in self.asking else []
        for work in self.orders:
            over = all((self.stories[m].over or MINUTE * (t + 1)) <= t * MINUTE for m in work.alarms)
            mine = n in work.alarms and work.live(t)
            if mine and work.goes and t < work.accepted and over:
                work.cancelled = t

    def severity(self, n: int, t: int) -> str:
        severity: str = self.stories[n].severity
        for step in self.stories[n].steps:
            if step.at <= t * MINUTE:
                severity = step.severity
        return severity

    def why_held(self, n: int, t: int) -> str | None:
        story, at = self.stories[n], t * MINUTE
        place, rule = self.past.places[story.device_id], self.rules[story.rule]
        held = rule.held_by
        reasons = {
            "mute": self.muted(n, t),
            "inspection": held.inspection
            and any(span.holds(at) for span in self.past.inspections.get(place.asset_id, ())),
            "order": any(
                work.asset == place.asset_id
                and n not in work.alarms
                and (
                    (work.kind in held.orders and work.live(t))
                    or (work.kind in held.work and work.at_work(t))
                )
                for work in self.orders
            ),
            "parent": self.any_live(place.parent_id, held.parents, n, t),
            "alarm": self.any_live(place.asset_id, held.alarms, n, t),
            "emergency": self.severity(n, t) in HOLDS
            and any(
                each.span.holds(at) and each.community_id == place.community_id
                for each in self.past.emergencies
            ),
        }
        return next((reason for reason, is_so in reasons.items() if is_so), None)

    def any_live(self, asset: int | None, rules: tuple[str, ...], but: int, t: int) -> bool:
        return any(
            n != but
            and each.rule in rules
            and self.past.places[each.device_id].asset_id == asset
            and each.known <= t * MINUTE
            and (each.over is None or each.over > t * MINUTE)
            for n, each in enumerate(self.stories)
        )

    def order_for(self, n: int, t: int) -> None:
        rule, place = self.rules[self.stories[n].rule], self.past.places[self.stories[n].device_id]
        wanted = rule.order
        assert wanted is not None
        fits = [work for work in self.orders if self.may_join(rule, place, wanted.kind, work, t)]
        if fits:
            work = max(enumerate(fits), key=lambda each: (each[1].opened, each[0]))[1]
            work.goes = work.goes and wanted.cancel_on_clear
        else:
            respond, arrive, complete = self.lengths(wanted)
            work = Work(
                place, place.asset_id, place.area_id, wanted.kind, t, t + respond, t + max(respond, arrive),
                t + max(respond, arrive, complete), bool(rule.group), wanted.cancel_on_clear,
            )  # fmt: skip
            self.orders.append(work)
        work.alarms.append(n)
        self.work[n] = work

    def lengths(self, wanted: OrderTemplate) -> list[int]:
        there = [each for each in self.by_hand if each.kind == wanted.kind]
        if there:
            columns = (
                [each.accepted - each.opened for each in there],
                [each.working - each.opened for each in there],
                [each.done - each.opened for each in there],
            )
            return [sorted(column)[(len(column) - 1) // 2] for column in columns]
        spans = (wanted.respond, wanted.arrive, wanted.complete)
        return [int((each.total_seconds() if each else 0) // 60) for each in spans]

    @staticmethod
    def may_join(rule: Rule, place: Place, kind: str, work: Work, t: int) -> bool:
        if not rule.group or not work.joinable or work.kind != kind or not work.live(t):
            return False
        if t - work.opened > rule.group.within.total_seconds() // 60:
            return False
        return work.area == place.area_id if rule.group.by == "area" else work.asset == place.asset_id
