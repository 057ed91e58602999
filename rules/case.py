"""One rule's case on one device, during one step: from what was said to raised, paged, cleared. Pure."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from rules.conditions import Value
from rules.moments import MINUTE
from rules.rule import Happens, Holds, Rule, Trigger
from rules.ruleset import RulePlan
from rules.state import Memory, Since

# So long a finding about the past waits for the rest of the backlog, which may end it, before it is told.
PAGE_DELAY = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Raised:
    """The alarm began at `at` (event time); we knew at `wall`. `page`: people are to be told now."""

    rule: Rule
    at: int
    wall: int
    page: bool
    facts: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Paged:
    """An alarm nobody was told of is still true: people are to be told now."""

    rule: Rule
    wall: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """The alarm ended at `at` (event time)."""

    rule: Rule
    at: int


Effect = Raised | Paged | Cleared


class View(msgspec.Struct, frozen=True, gc=False):
    """What is known of the device in this step: latest values with their moments, attributes."""

    signals: Mapping[str, tuple[int, Value]]
    values: Mapping[str, Value]
    asset: Mapping[str, Value]

    def blocks(self, trigger: Trigger) -> bool:
        """Whether something is known to be the case that keeps a trigger from raising."""
        unless = trigger.unless
        return unless is not None and unless.evaluate(self.values, self.asset) is True

    def moment(self, plan: RulePlan) -> int:
        """Since when all the values a rule reads have been in place."""
        return max((self.signals[name][0] for name in plan.signals if name in self.signals), default=0)


class Case:
    """A working copy of a rule's memory. Feed it what was said, then take `memory` and `effects`."""

    def __init__(self, plan: RulePlan, memory: Memory | None, view: View, effects: list[Effect]) -> None:
        self._plan = plan
        self._rule = plan.rule
        self._view = view
        self._effects = effects
        known = memory or Memory()
        count = len(plan.rule.triggers)
        self._holding = {n: since for n, since in known.holding.items() if n < count}
        self._hits = dict(known.hits)
        self._raised = known.raised
        self._event_at = known.event_at
        self._page_at = known.page_at
        self._last = known.last
        self._ending = known.ending

    @property
    def memory(self) -> Memory:
        """What to remember from here on."""
        return Memory(
            holding=self._holding,
            hits=self._hits,
            raised=self._raised,
            event_at=self._event_at,
            page_at=self._page_at,
            last=self._last,
            ending=self._ending,
        )

    @property
    def is_raised(self) -> bool:
        return self._raised is not None

    def read(self, received: int) -> None:
        """Some signal of the rule has a new value."""
        moment = self._view.moment(self._plan)
        since = Since(moment, max(moment, received))
        answers = [
            (n, each, each.when.evaluate(self._view.values, self._view.asset)) for n, each in self._plan.holds
        ]
        for position, trigger, answer in answers:
            if answer is True and not self._view.blocks(trigger):
                self._begins(position, trigger, since)
            elif answer is not None and self._holding.pop(position, None) is not None and self.is_raised:
                self._last = since
        if not self.is_raised:
            return
        over = self._is_over([answer for _, _, answer in answers])
        if over is True and (self._event_at is None or moment > self._event_at):
            self._ending = self._ending or since
        elif over is False:
            self._ending = None
        confirmed = self._ending is None and (bool(self._holding) or over is False)
        if confirmed and self._page_at is not None and received - moment <= self._rule.late_after:
            self._page(received)

    def _is_over(self, answers: list[bool | None]) -> bool | None:
        if self._rule.clear is not None:
            return self._rule.clear.evaluate(self._view.values, self._view.asset)
        if not self._plan.ends_by_itself or True in answers:
            return False if True in answers else None
        return None if None in answers else True

    def _begins(self, position: int, trigger: Holds, since: Since) -> None:
        if position in self._holding:
            return
        self._holding[position] = since
        if trigger.times > 1 and self._count(position, trigger, since.at):
            self._last = since
            self._raise(self._hits[position][-1], since.wall, since.at, {})

    def events(self, codes: Mapping[str, str], at: int, received: int) -> None:
        """Something happened at a moment: event codes the rule follows, with their details."""
        since = Since(at, max(at, received))
        newer = self._event_at is None or at > self._event_at
        if self.is_raised and newer and not self._rule.clear_on.isdisjoint(codes):
            self._ending = self._ending or since
        for position, trigger in self._plan.happens:
            for code in sorted(trigger.codes & codes.keys()):
                self._happens(position, trigger, {"code": code, "detail": codes[code]}, since, received)

    def _happens(
        self, position: int, trigger: Happens, event: Mapping[str, str], since: Since, received: int
    ) -> None:
        if self._view.blocks(trigger):
            return
        when, view = trigger.when, self._view
        if when is not None and when.evaluate(view.values, view.asset, event) is not True:
            return
        fires = trigger.times == 1 or self._count(position, trigger, since.at)
        if not fires and not self.is_raised:
            return
        self._event_at = max(self._event_at or 0, since.at)
        if self._last is None or since.at >= self._last.at:
            self._last = since
        if self._ending is not None and since.at >= self._ending.at:
            self._ending = None
        if fires:
            facts: dict[str, Value] = {"event": event["code"]}
            if event["detail"]:
                facts["detail"] = event["detail"]
            self._raise(self._event_at, received, since.at, facts)

    def _count(self, position: int, trigger: Holds | Happens, at: int) -> bool:
        hits = sorted((*self._hits.get(position, ()), at))
        recent = [each for each in hits if each > hits[-1] - trigger.within]
        self._hits[position] = tuple(recent[-trigger.times :])
        return len(recent) >= trigger.times

    def holds(self, position: int, since: Since) -> None:
        """A trigger that is no condition (offline) holds since a moment."""
        self._holding.setdefault(position, since)

    def settle(self, clock: int) -> None:
        """Event time has moved on and nothing said so for `clear_after`: what comes now begins anew."""
        if self._raised is None or self._ending is not None or self._last is None or self._quiet() is None:
            return
        if clock >= self._quiet_until(self._last):
            self.clear(self._quiet_until(self._last))

    def run_out(self, clock: int, received: int) -> None:
        """Event time has moved on: timers that it confirms run out."""
        counted: tuple[tuple[int, Holds | Happens], ...] = (*self._plan.holds, *self._plan.happens)
        for position, trigger in counted:
            if position in self._hits and self._hits[position][-1] <= clock - trigger.within:
                del self._hits[position]
        if self._raised is None:
            due = [
                self._holding[n].at + length for n, length in self._plan.timers.items() if n in self._holding
            ]
            if due and min(due) <= clock:
                self._raise_held(min(due), received)
        elif self._ending is None:
            self.settle(clock)
        elif clock >= self._ending.at + self._rule.keep:
            self.clear(self._ending.at + self._rule.keep)

    def wake(self, now: int) -> None:
        """Our clock has moved on: timers run out for which nothing else was heard."""
        if self._raised is None:
            due = [
                (since.wall + length, since.at + length)
                for n, length in self._plan.timers.items()
                if (since := self._holding.get(n)) is not None
            ]
            ready = [at for wall, at in due if wall <= now]
            if ready:
                self._raise_held(min(ready), now)
            return
        if self._ending is not None:
            if now >= self._ending.wall + self._rule.keep:
                self.clear(self._ending.at + self._rule.keep)
            return
        quiet = self._quiet()
        if quiet is not None and now >= quiet and self._last is not None:
            self.clear(self._quiet_until(self._last))
        elif self._page_at is not None and now >= self._page_at:
            self._page(now)

    def due(self) -> int | None:
        """When our clock should next be looked at for this rule."""
        if self._raised is None:
            timers = self._plan.timers.items()
            return min(
                (self._holding[n].wall + length for n, length in timers if n in self._holding), default=None
            )
        if self._ending is not None:
            return self._ending.wall + self._rule.keep
        moments = [each for each in (self._quiet(), self._page_at) if each is not None]
        return min(moments, default=None)

    def _quiet_until(self, last: Since) -> int:
        return last.at + (self._rule.clear_after or 0)

    def _quiet(self) -> int | None:
        """When (by our clock) it has been quiet for long enough; a backlog is given time to arrive."""
        if self._rule.clear_after is None or self._holding or self._last is None:
            return None
        return max(self._quiet_until(self._last), self._last.wall + PAGE_DELAY)

    def _raise_held(self, at: int, received: int) -> None:
        self._raise(at, received, max(at, self._view.moment(self._plan)), {})

    def _raise(self, at: int, wall: int, evidence: int, said: Mapping[str, Value]) -> None:
        if self._raised is not None:
            return
        self._raised = at
        fresh = wall - evidence <= self._rule.late_after
        self._page_at = None if fresh else wall + PAGE_DELAY
        values = self._view.values
        known: dict[str, Value] = {name: values[name] for name in self._plan.signals if name in values}
        for slot in self._plan.slots:
            with suppress(KeyError):
                known[slot] = values[slot]
        self._effects.append(Raised(self._rule, at, wall, page=fresh, facts=known | dict(said)))

    def found(self, at: int, wall: int, facts: Mapping[str, Value]) -> None:
        """Raise for what no condition and no event said: silence."""
        self._raise(at, wall, at, facts)

    def _page(self, wall: int) -> None:
        self._page_at = None
        self._effects.append(Paged(self._rule, wall))

    def clear(self, at: int) -> None:
        """The alarm, or what might have become one, is over; everything begins anew."""
        if self._raised is not None:
            self._effects.append(Cleared(self._rule, max(at, self._raised)))
        self._raised = self._event_at = self._page_at = self._last = self._ending = None
        self._holding, self._hits = {}, {}
