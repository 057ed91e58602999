"""Severity ladders: how severe a live alarm is, as time goes on and things get worse or calm down. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.moments import MINUTE
from rules.rule import SEVERITIES, Rule, Rung, Severity
from rules.state import Since, Stand
from rules.view import View

# So long a silence of events waits for a backlog that may break it, by our clock.
PATIENCE = 2 * MINUTE


@dataclass(frozen=True, slots=True)
class Footing:
    """What a ladder stands on: the alarm's beginning, and what says that it is still so.

    `said`: since when something says so, or when something last did; `busy`: it does right now.
    """

    raised: int
    said: Since
    busy: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A rung begins to hold or ceases to, at an event time; by our clock it is so from `wall` on."""

    at: int
    wall: int
    rung: int
    up: bool


class Climber:
    """A working copy of how one alarm's ladder stands. `severity` is None while it is the rule's own."""

    def __init__(self, rule: Rule, stands: Mapping[int, Stand], severity: Severity | None) -> None:
        self._rule = rule
        self.stands = dict(stands)
        self.severity = severity

    def restart(self) -> None:
        """There is no alarm any longer."""
        self.stands, self.severity = {}, None

    def look(self, view: View, since: Since) -> None:
        """What the rungs' conditions say now; their timers begin or stop."""
        for n, rung in enumerate(self._rule.ladder):
            if rung.when is None:
                continue
            answer = rung.when.evaluate(view.values, view.asset)
            if answer is True and rung.during is not None:
                answer = rung.during.has(since.at, view.zone)
            stand = self.stands.get(n, Stand())
            contrary = answer is not stand.up
            if answer is not None and contrary != (stand.since is not None):
                self.stands[n] = Stand(stand.up, since if contrary else None)

    def climb(
        self,
        footing: Footing,
        received: int,
        *,
        until: int | None = None,
        now: int | None = None,
        timed: bool = False,
        patient: bool = False,
    ) -> Iterator[tuple[int, Severity, bool]]:
        """Turn the rungs whose time has come; gives each change of severity: when, which, and if it is worse.

        By event time they turn up to `until`, by our clock up to `now` (None: no matter). `timed`: only
        those without a condition. `patient`: of these not what comes after a condition's rung, if the reading
        that is about to be heard agrees with the condition: then both turn in their order.
        """
        while ready := [
            turn
            for turn in (self._sure(footing) if patient else self.turns(footing))
            if (until is None or turn.at <= until)
            and (now is None or turn.wall <= now)
            and not (timed and self._rule.ladder[turn.rung].when is not None)
        ]:
            at = min(turn.at for turn in ready)
            for turn in ready:
                if turn.at == at:
                    down = not turn.up and self._rule.ladder[turn.rung].when is None
                    self.stands[turn.rung] = Stand(turn.up, Since(at, max(at, received)) if down else None)
            before, after = self.severity or self._rule.severity, self._severity()
            if before != after:
                self.severity = None if after == self._rule.severity else after
                worse = SEVERITIES.index(after) > SEVERITIES.index(before)
                yield max(at, footing.raised), after, worse

    def _severity(self) -> Severity:
        """The highest of the rungs that hold."""
        held = [self._rule.ladder[n].severity for n, stand in self.stands.items() if stand.up]
        return max((self._rule.severity, *held), key=SEVERITIES.index)

    def _sure(self, footing: Footing) -> list[Turn]:
        """The next turns without those that may yet find another before them."""
        turns, ladder = self.turns(footing), self._rule.ladder
        first = min((turn.at for turn in turns if ladder[turn.rung].when is not None), default=None)
        return [
            turn
            for turn in turns
            if first is None or turn.at < first or ladder[turn.rung].down_after is not None
        ]

    def turns(self, footing: Footing) -> list[Turn]:
        """The next turn of each rung if nothing more is heard."""
        found: list[Turn | None] = []
        for n, rung in enumerate(self._rule.ladder):
            stand = self.stands.get(n, Stand())
            by_condition = rung.when is not None
            found.append(_by_condition(n, rung, stand) if by_condition else _by_time(n, rung, stand, footing))
        return [turn for turn in found if turn is not None]


def _by_condition(n: int, rung: Rung, stand: Stand) -> Turn | None:
    if stand.since is None:
        return None
    length = (rung.down_after or 0) if stand.up else rung.hold
    return Turn(stand.since.at + length, stand.since.wall + length, n, not stand.up)


def _by_time(n: int, rung: Rung, stand: Stand, footing: Footing) -> Turn | None:
    calm, said = rung.down_after, footing.said
    if stand.up:
        if calm is None or footing.busy:
            return None
        return Turn(said.at + calm, max(said.at + calm, said.wall + PATIENCE), n, up=False)
    if stand.since is not None and said.at < stand.since.at:
        return None  # nothing has said so since it came down
    at = max(footing.raised + rung.after, said.at if stand.since is not None else 0)
    if calm is not None and not footing.busy and at >= said.at + calm:
        return None
    return Turn(at, at, n, up=True)
