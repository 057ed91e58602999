"""One rule's case on one device, during one step: from what was said to raised, paged, cleared. Pure."""

from collections.abc import Mapping
from contextlib import suppress

from rules.conditions import Value
from rules.effects import Cleared, Effect, Flapped, Paged, Raised, Stepped
from rules.flapping import Beginnings
from rules.ladder import PATIENCE, Climber, Footing
from rules.rule import Happens, Holds
from rules.ruleset import RulePlan
from rules.state import Memory, Since
from rules.view import View

# So long a finding about the past waits for the rest of the backlog, which may end it, before it is told.
PAGE_DELAY = PATIENCE


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
        self._climber = Climber(plan.rule, known.rungs, known.severity)
        self._beginnings = Beginnings(plan.rule.flapping, known.begun, known.flaps)

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
            rungs=self._climber.stands,
            severity=self._climber.severity,
            begun=self._beginnings.begun,
            flaps=self._beginnings.flaps,
        )

    @property
    def is_raised(self) -> bool:
        return self._raised is not None

    @property
    def is_ending(self) -> bool:
        return self._ending is not None

    def read(self, received: int) -> None:
        """Some signal of the rule has a new value."""
        moment = self._view.moment(self._plan)
        since = Since(moment, max(moment, received))
        answers = [
            (n, each, each.when.evaluate(self._view.values, self._view.asset)) for n, each in self._plan.holds
        ]
        for position, trigger, answer in answers:
            if answer is True and self._view.counts(trigger, moment):
                self._begins(position, trigger, since)
            elif answer is not None and self._holding.pop(position, None) is not None and self.is_raised:
                self._last = since
        if not self.is_raised:
            return
        over = self._is_over([answer for _, _, answer in answers])
        if over is True and (self._event_at is None or moment > self._event_at):
            self._ending = self._ending or since
        elif over is False:
            self._back(since)
        self._climber.look(self._view, since)
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
        if not self._view.counts(trigger, since.at):
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
            self._back(since)
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

    def settle(self, clock: int, received: int) -> None:
        """Event time has moved on: what ran out before anything new was said does so first."""
        if self._raised is None:
            return
        over = self._over_at()
        ends = self._ending is None and over is not None and clock >= over
        until = clock if over is None else min(clock, over)
        self._climb(received, until=until, timed=True, patient=not ends)
        # With nothing said for `clear_after` it is over: what comes now begins anew.
        if ends and over is not None:
            self.clear(over)

    def run_out(self, clock: int, received: int) -> None:
        """Event time has moved on: timers that it confirms run out."""
        if self._hits:
            counted: tuple[tuple[int, Holds | Happens], ...] = (*self._plan.holds, *self._plan.happens)
            for position, trigger in counted:
                if position in self._hits and self._hits[position][-1] <= clock - trigger.within:
                    del self._hits[position]
        if self._raised is None:
            at = self._held(clock=clock)
            if at is not None:
                self._raise_held(at, received)
            elif self._beginnings.begun:
                self._beginnings.forget(clock)
        if self._raised is None:
            return
        over = self._over_at()
        self._climb(received, until=clock if over is None else min(clock, over))
        if over is not None and clock >= over:
            self.clear(over)

    def wake(self, now: int) -> None:
        """Our clock has moved on: timers run out for which nothing else was heard."""
        if self._raised is None:
            at = self._held(now=now)
            if at is not None:
                self._raise_held(at, now)
            return
        if self._page_at is None or now >= self._page_at:
            self._climb(now, until=self._over_at(), now=now)
        if self._ending is not None:
            if now >= self._ending.wall + self._keep:
                self.clear(self._ending.at + self._keep)
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
        moments = [each for each in (self._quiet(), self._page_at) if each is not None]
        if self._ending is not None:
            moments = [self._ending.wall + self._keep]
        if self._page_at is None and self._rule.ladder:
            over, turns = self._over_at(), self._climber.turns(self._footing())
            moments += [turn.wall for turn in turns if over is None or turn.at <= over]
        return min(moments, default=None)

    def _held(self, *, clock: int | None = None, now: int | None = None) -> int | None:
        """The moment since which a trigger has held for long enough, by event time or by our clock."""
        due = []
        for position, length in self._plan.timers.items():
            since = self._holding.get(position)
            if since is None or not _is_due(since, length, clock, now):
                continue
            trigger = self._rule.triggers[position]
            if isinstance(trigger, Holds) and not self._is_during(trigger, since.at + length):
                del self._holding[position]  # it did not hold for long enough while it counted
            else:
                due.append(since.at + length)
        return min(due, default=None)

    def _is_during(self, trigger: Holds, moment: int) -> bool:
        return trigger.during is None or trigger.during.has(moment, self._view.zone)

    @property
    def _keep(self) -> int:
        return self._beginnings.quiet(self._rule.keep)

    def _over_at(self) -> int | None:
        """When the alarm is over if nothing more is said, in event time."""
        if self._ending is not None:
            return self._ending.at + self._keep
        return None if self._last is None or self._quiet() is None else self._quiet_until(self._last)

    def _quiet_until(self, last: Since) -> int:
        return last.at + self._beginnings.quiet(self._rule.clear_after or 0)

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
        flapped = self._beginnings.begins(at)
        fresh = wall - evidence <= self._rule.late_after
        self._page_at = None if fresh else wall + PAGE_DELAY
        values = self._view.values
        known: dict[str, Value] = {name: values[name] for name in self._plan.signals if name in values}
        for slot in self._plan.slots:
            with suppress(KeyError):
                known[slot] = values[slot]
        self._effects.append(Raised(self._rule, at, wall, page=fresh, facts=known | dict(said) | flapped))
        self._climber.look(self._view, Since(evidence, max(evidence, wall)))

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
        self._beginnings.calmed()
        self._climber.restart()

    def heard_again(self, at: int, wall: int) -> None:
        """The device is there: what was raised because it was not is over, at once unless it flaps."""
        if self._raised is None or not self._beginnings.flaps:
            self.clear(at)
            return
        self._holding = {}
        self._ending = self._ending or Since(at, wall)

    def gone_again(self, at: int, wall: int) -> None:
        """The device is missing once more while that alarm still waits for quiet."""
        self._back(Since(at, wall))

    def _back(self, since: Since) -> None:
        """What seemed to be over is not."""
        if self._ending is not None and self._beginnings.flaps:
            self._effects.append(Flapped(self._rule, since.wall, self._beginnings.begins(since.at)))
        self._ending = None

    def _footing(self) -> Footing:
        said = [*self._holding.values(), *((self._last,) if self._last is not None else ())]
        raised = self._raised or 0
        latest = max(said, key=lambda since: since.at, default=Since(raised, raised))
        return Footing(raised, latest, busy=bool(self._holding))

    def _climb(
        self,
        received: int,
        *,
        until: int | None = None,
        now: int | None = None,
        timed: bool = False,
        patient: bool = False,
    ) -> None:
        """Let the ladder turn as far as event time (`until`) or our clock (`now`) allow."""
        if not self._rule.ladder:
            return
        for at, severity, worse in self._climber.climb(
            self._footing(), received, until=until, now=now, timed=timed, patient=patient
        ):
            page = worse and self._page_at is None
            self._effects.append(Stepped(self._rule, at, received, severity, page))


def _is_due(since: Since, length: int, clock: int | None, now: int | None) -> bool:
    if clock is not None:
        return since.at + length <= clock
    return now is not None and since.wall + length <= now
