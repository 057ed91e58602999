"""What a message that was overtaken changes: the past is stepped again in the order of event time. Pure.

Gateways that share messages commit them in any order: of one device, what happened later may be known first.
So they keep what a device said lately (`log`) and what its rules knew before that (`base`). When something
older than the newest arrives, the log is stepped twice, without it and with it; wherever the two tell
different stories of a rule, the second is what should have been told, and `rewind` says how to correct it.

Our clock is stepped too: a timer whose time came before the next thing was heard ran out. Rules about a
device being there at all (silent, offline) depend on our clock alone and are left as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from rules.conditions import Value
from rules.effects import Cleared, Effect, Flapped, Paged, Raised, Stepped
from rules.engine import Facts, Said, Tick, next_due, step
from rules.flapping import FLAPPED, flapped_facts
from rules.rule import Offline, Rule, Severity, Silent
from rules.ruleset import RuleSet
from rules.state import DeviceState

MOST_TICKS = 1000


@dataclass(slots=True)
class Told:
    """One alarm of one rule as it was, or should have been, told. `effects`: from raising to end."""

    rule: Rule
    raised: int
    told: bool = False
    cleared: int | None = None
    severity: Severity | None = None  # what its ladder made of it, where that is not the rule's own
    stepped: int = 0  # when that was
    flapped: Mapping[str, Value] = field(default_factory=dict)  # where it flaps: how often, within what
    effects: list[tuple[Effect, int]] = field(default_factory=list)

    @property
    def outline(self) -> tuple[int, int | None, bool, Severity | None, Mapping[str, Value]]:
        """What two tellings of it agree on, or do not."""
        return self.raised, self.cleared, self.told, self.severity, self.flapped


@dataclass(frozen=True, slots=True)
class Correction:
    """An alarm that was told wrongly: raised at `was`. `now` is what is true, or None: it never was."""

    rule: Rule
    was: int
    now: Told | None


@dataclass(frozen=True, slots=True)
class Rewound:
    """The state after all, what to correct, and the effects of alarms nobody knew of, each with our clock."""

    state: DeviceState
    corrections: tuple[Correction, ...]
    effects: tuple[tuple[Effect, int], ...]


def rewind(
    rules: RuleSet,
    current: DeviceState,
    base: DeviceState,
    log: Sequence[Said],
    late: Sequence[Said],
    facts: Facts,
    now: int,
) -> Rewound:
    """Step `late` where it belongs in `log`.

    Both are about moments after `base`, which `current` came from by `log`. `now` is our clock.
    """
    judged = without_presence(rules)
    was = replay(judged, base, log, facts, now)
    became = replay(judged, base, [*log, *late], facts, now)
    corrections: list[Correction] = []
    effects: list[tuple[Effect, int]] = []
    memories = dict(current.rules)
    for code in judged.index:
        before, after = was.stories.get(code, []), became.stories.get(code, [])
        if was.state.rules.get(code) == became.state.rules.get(code) and _same(before, after):
            continue
        memories.pop(code, None)
        if code in became.state.rules:
            memories[code] = became.state.rules[code]
        changed, unknown = _difference(before, after)
        corrections += changed
        effects += unknown
    newer = became.state
    state = msgspec.structs.replace(
        current,
        v=max(current.v, newer.v),
        rules=memories,
        signals=_newest(current.signals, newer.signals),
        events={
            **current.events,
            **{code: max(at, current.events.get(code, at)) for code, at in newer.events.items()},
        },
        latest=max(current.latest, newer.latest),
        heard=max((each for each in (current.heard, newer.heard) if each is not None), default=None),
        windows=newer.windows,
    )
    return Rewound(state, tuple(corrections), tuple(effects))


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where a replay ended, and the alarms of each rule on its way."""

    state: DeviceState
    stories: Mapping[str, list[Told]]


def replay(rules: RuleSet, base: DeviceState, log: Sequence[Said], facts: Facts, now: int | None) -> Replayed:
    """Step what was said, by event time, and our clock between and, with `now`, up to there."""
    # What was never heard cannot be waited for: without these rules the device is not there or gone.
    state = msgspec.structs.replace(
        base, rules={code: each for code, each in base.rules.items() if code in rules.index}
    )
    teller = _Teller(rules, state)
    for said in _as_if_in_order(log):
        state = teller.until(state, said.received, facts)
        state, effects = step(rules, state, said, facts)
        teller.tell(effects, said.received)
    if now is not None:
        state = teller.until(state, now, facts)
    return Replayed(state, teller.stories)


def _as_if_in_order(log: Sequence[Said]) -> list[Said]:
    """By event time; each known no later than anything newer was, as if nothing had overtaken it."""
    ordered = sorted(log, key=lambda each: (each.at, each.received))
    known_by = ordered[-1].received if ordered else 0
    for position in range(len(ordered) - 1, -1, -1):
        known_by = min(known_by, ordered[position].received)
        if ordered[position].received != known_by:
            ordered[position] = msgspec.structs.replace(ordered[position], received=known_by)
    return ordered


class _Teller:
    def __init__(self, rules: RuleSet, base: DeviceState) -> None:
        self._rules = rules
        self.stories: dict[str, list[Told]] = {}
        for code, memory in base.rules.items():
            if memory.raised is not None:
                rule = rules.rules[rules.index[code]]
                told = memory.page_at is None
                flapped = flapped_facts(rule.flapping, memory.flaps)
                self.stories[code] = [
                    Told(rule, memory.raised, told=told, severity=memory.severity, flapped=flapped)
                ]

    def until(self, state: DeviceState, wall: int, facts: Facts) -> DeviceState:
        """Let our clock run to `wall`: timers whose time comes before that run out."""
        for _ in range(MOST_TICKS):
            due = next_due(self._rules, state, facts)
            if due is None or due >= wall:
                break
            after, effects = step(self._rules, state, Tick(due), facts)
            if after is state and not effects:
                break
            state = after
            self.tell(effects, due)
        return state

    def tell(self, effects: Sequence[Effect], wall: int) -> None:
        for effect in effects:
            told = self.stories.setdefault(effect.rule.code, [])
            if isinstance(effect, Raised):
                flapped = {name: effect.facts[name] for name in FLAPPED if name in effect.facts}
                told.append(Told(effect.rule, effect.at, told=effect.page, flapped=flapped))
            if not told:
                continue
            story = told[-1]
            story.effects.append((effect, wall))
            if isinstance(effect, Paged):
                story.told = True
            elif isinstance(effect, Stepped):
                story.severity = None if effect.severity == effect.rule.severity else effect.severity
                story.stepped = effect.at
            elif isinstance(effect, Flapped):
                story.flapped = effect.facts
            elif isinstance(effect, Cleared):
                story.cleared = effect.at


def _same(before: Sequence[Told], after: Sequence[Told]) -> bool:
    return [each.outline for each in before] == [each.outline for each in after]


def _difference(
    before: Sequence[Told], after: Sequence[Told]
) -> tuple[list[Correction], list[tuple[Effect, int]]]:
    """What was told wrongly, and what was not told at all.

    An alarm that was told and never was lends its row, and the order that people may be on their way with, to
    the next one that should have been told.
    """
    right = {told.raised: told for told in after}
    corrections: list[Correction] = []
    wrong: list[Told] = []
    for told in before:
        true = right.pop(told.raised, None)
        if true is None:
            wrong.append(told)
        elif true.outline != told.outline:
            corrections.append(Correction(told.rule, told.raised, true))
    missing = [right[raised] for raised in sorted(right)]
    for number, told in enumerate(wrong):
        corrections.append(
            Correction(told.rule, told.raised, missing[number] if number < len(missing) else None)
        )
    effects = [effect for told in missing[len(wrong) :] for effect in told.effects]
    return corrections, effects


def _newest(
    one: Mapping[str, tuple[int, bool | float | str]], other: Mapping[str, tuple[int, bool | float | str]]
) -> dict[str, tuple[int, bool | float | str]]:
    merged = dict(one)
    for name, sample in other.items():
        if name not in merged or merged[name][0] < sample[0]:
            merged[name] = sample
    return merged


@lru_cache(maxsize=64)
def _judged(rules: "_ById") -> RuleSet:
    whole = rules.rules
    kept = [rule for rule in whole.rules if not rule.listens_to(Silent) and not rule.listens_to(Offline)]
    return RuleSet.of(whole.asset_class, kept, whole.attributes, whole.signals)


@dataclass(frozen=True, slots=True)
class _ById:
    """A rule set as a key: the same object is the same."""

    rules: RuleSet

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.rules is self.rules


def without_presence(rules: RuleSet) -> RuleSet:
    """The rules of a class that judge what was said, not whether anything was."""
    return _judged(_ById(rules))
