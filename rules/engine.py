"""`step(rules, state, input, facts) -> (state, effects)`: what one thing said, or the clock, changes. Pure.

Event time decides. Of each signal and each event code only what is newer than the newest known steps the
rules; what is late or repeated changes nothing. The wall clock only wakes: it lets a timer run out for which
nothing else was heard. A timer runs out by whichever comes first, something newer from the device that does
not contradict, or the clock. Silence raises its own alarm and ends none.

A finding about the past (heard more than `late_after` after it happened) is kept without telling anybody; it
is told when something fresh confirms it, or `PAGE_DELAY` after it was heard if nothing has ended it by then.
So a backlog that a device sends after an outage pages nobody about what has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import msgspec

from rules.case import Case
from rules.conditions import Value
from rules.effects import Effect
from rules.moments import from_moment
from rules.rule import Offline, Rule, Silent
from rules.ruleset import RulePlan, RuleSet
from rules.state import DeviceState, Memory, Since
from rules.steady import goes_on, waits
from rules.view import View, values_of, view_of
from rules.windows import Pasts, followed


class Said(msgspec.Struct, frozen=True, gc=False):
    """What a device said of one moment: values by signal, event codes with their details."""

    at: int
    received: int
    values: Mapping[str, Value] = {}
    events: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Status:
    """The device, or the broker on its behalf, said that it is there or gone.

    `retained`: it said so at some time before we subscribed, perhaps long ago.
    """

    received: int
    online: bool
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Our clock shows this."""

    now: int


Input = Said | Status | Tick


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the rules need to know of a device beside what it says."""

    asset: Mapping[str, Value] = {}
    stale_after: int | None = None
    zone: str = "UTC"  # of its community


Stepped = tuple[DeviceState, list[Effect]]


def step(rules: RuleSet, state: DeviceState, given: Input, facts: Facts) -> Stepped:
    """The state after one input, and what it caused. The very same state is returned if nothing changed."""
    match given:
        case Said():
            return _said(rules, state, given, facts)
        case Status():
            return _status(rules, state, given, facts)
        case Tick():
            return _tick(rules, state, given, facts)


def next_due(rules: RuleSet, state: DeviceState, facts: Facts) -> int | None:
    """When our clock should next be shown to this device's rules, or None."""
    if not state.rules and rules.plainly_silent is not None:
        return _plainly_silent(rules.plainly_silent, state, facts)  # quickly: nearly always it is this
    waiting = [
        (plan, memory)
        for code, memory in state.rules.items()
        if (position := rules.index.get(code)) is not None and waits(plan := rules.plans[position], memory)
    ]
    if not waiting and rules.plainly_silent is not None and _none_silent(rules, state):
        return _plainly_silent(rules.plainly_silent, state, facts)
    view = view_of(rules, state, facts.asset, facts.zone)
    moments = [Case(plan, memory, view, []).due() for plan, memory in waiting]
    for position in rules.silent:
        memory_of = state.rules.get(rules.rules[position].code)
        if memory_of is None or memory_of.raised is None or memory_of.ending is not None:
            moments.append(_silent_from(rules, position, state, view, facts))
    return min((each for each in moments if each is not None), default=None)


def _none_silent(rules: RuleSet, state: DeviceState) -> bool:
    """Whether no rule has found the device silent."""
    for position in rules.silent:  # noqa: SIM110 - asked at every message, and all() takes twice as long
        if rules.rules[position].code in state.rules:
            return False
    return True


def _plainly_silent(afters: Iterable[int | None], state: DeviceState, facts: Facts) -> int | None:
    """The same where no rule waits for anything and none asks what else is so: nearly always."""
    if state.heard is None:
        return None
    soonest: int | None = None
    for each in afters:
        after = each or facts.stale_after
        if after is not None and (soonest is None or after < soonest):
            soonest = after
    return None if soonest is None else state.heard + soonest


def _said(rules: RuleSet, state: DeviceState, said: Said, facts: Facts) -> Stepped:
    at, known, past = said.at, state.signals, state.events
    values, events = said.values, said.events
    if at <= state.latest or not rules.by_signal.keys() >= values.keys():
        values = {
            name: value
            for name, value in values.items()
            if name in rules.by_signal and (name not in known or known[name][0] < at)
        }
    if events:
        events = {
            code: detail
            for code, detail in events.items()
            if code in rules.by_code and (code not in past or past[code] < at)
        }
    windows = state.windows
    late: list[str] = []
    if rules.windows or windows:
        windows = _followed(rules, windows, said)
        if windows is not state.windows:
            late = [name for name in rules.windows if name in said.values and name not in values]
    if not values and not events and at <= state.latest and windows is state.windows:
        return state, []
    news = bool(values or events) or at > state.latest  # else it only adds to the past that conditions ask
    back = state.online is False and at > state.online_at
    there = min(at, said.received)  # a clock that is ahead tells nothing of what is to come
    after = DeviceState(
        v=max(state.v, rules.version),
        signals=known | {name: (at, value) for name, value in values.items()} if values else known,
        events={**past, **dict.fromkeys(events, at)} if events else past,
        rules=state.rules,
        latest=max(state.latest, at),
        heard=max(state.heard or 0, said.received) if news else state.heard,
        online=True if back else state.online,
        online_at=there if back else state.online_at,
        windows=windows,
        marks=state.marks,
    )
    if not (state.rules or events or late) and not _begins(rules, after, tuple(values), facts):
        return after, []
    steps = _Steps(rules, after, facts)
    return _with_rules(rules, after, steps.said(said, values, events, late, news=news, back=back))


def _begins(rules: RuleSet, state: DeviceState, news: tuple[str, ...], facts: Facts) -> bool:
    """Whether any rule begins to remember something by the news of these signals, where none does yet."""
    values, asset = values_of(rules, state), facts.asset
    for when in rules.beginning(news):  # noqa: SIM110 - a third of the time any() takes
        if when.evaluate(values, asset) is True:
            return True
    return False


def _followed(rules: RuleSet, known: Pasts, said: Said) -> Pasts:
    """The past of the signals that rules follow, without what no rule follows any longer."""
    if not known.keys() <= rules.window_keys:
        known = {key: samples for key, samples in known.items() if key in rules.window_keys}
    return followed(rules.windows, known, said.at, said.values)


def only_repeated(known: DeviceState, *, retained: bool) -> bool:
    """Whether a status is what the broker repeats at every SUBSCRIBE: what we heard ourselves is newer."""
    return retained and (known.online is not None or known.heard is not None)


def _status(rules: RuleSet, state: DeviceState, status: Status, facts: Facts) -> Stepped:
    if status.online == state.online or status.received < state.online_at:
        return state, []
    if only_repeated(state, retained=status.retained):
        return state, []
    at = status.received
    heard = max(state.heard or at, at) if status.online else state.heard
    after = msgspec.structs.replace(state, online=status.online, online_at=at, heard=heard)
    return _with_rules(rules, after, _Steps(rules, after, facts).status(status))


def _tick(rules: RuleSet, state: DeviceState, tick: Tick, facts: Facts) -> Stepped:
    return _with_rules(rules, state, _Steps(rules, state, facts).tick(tick))


Outcome = tuple[dict[str, Memory], list[Effect]]


def _with_rules(rules: RuleSet, state: DeviceState, outcome: Outcome) -> Stepped:
    memories, effects = outcome
    if memories == state.rules:
        return state, effects
    return msgspec.structs.replace(state, rules=memories, v=max(state.v, rules.version)), effects


def _silent_from(rules: RuleSet, position: int, state: DeviceState, view: View, facts: Facts) -> int | None:
    """From when on the device counts as silent if nothing more is heard; None if it never does."""
    for trigger in rules.rules[position].triggers:
        if isinstance(trigger, Silent):
            after = trigger.after or facts.stale_after
            if after is not None and state.heard is not None and not view.blocks(trigger):
                return state.heard + after
    return None


_NONE: AbstractSet[int] = frozenset()


def _by_measure(rules: RuleSet, late: Iterable[str], events: Iterable[str]) -> set[int]:
    """The rules that read no new value and yet have news: of the past of a signal, or of an event."""
    return {
        position
        for index, names in ((rules.by_window, late), (rules.by_since, events))
        for name in names
        for position in index.get(name, ())
    }


class _Steps:
    """One step through all rules that it may concern, in the order of the rule file."""

    def __init__(self, rules: RuleSet, state: DeviceState, facts: Facts) -> None:
        self._rules = rules
        self._state = state
        self._facts = facts
        self._view = view_of(rules, state, facts.asset, facts.zone)
        # What a rule remembers that is no longer in the book is forgotten here.
        self._memories = {code: memory for code, memory in state.rules.items() if code in rules.index}
        self._effects: list[Effect] = []

    def _case(self, position: int) -> Case:
        plan = self._rules.plans[position]
        return Case(plan, self._memories.get(plan.rule.code), self._view, self._effects)

    def _keep(self, position: int, case: Case) -> None:
        code = self._rules.rules[position].code
        memory = case.memory
        if memory.is_empty:
            self._memories.pop(code, None)
        else:
            self._memories[code] = memory

    def said(
        self,
        said: Said,
        values: Mapping[str, Value],
        events: Mapping[str, str],
        late: Sequence[str],
        *,
        news: bool,
        back: bool,
    ) -> Outcome:
        rules, received = self._rules, said.received
        touched = rules.reading(tuple(values))
        if late or (events and rules.by_since):
            touched = touched | _by_measure(rules, late, events)
        happened = {position for code in events for position in rules.by_code[code]} if events else _NONE
        busy = happened | {rules.index[code] for code in self._memories} if self._memories else happened
        for position in sorted(touched | busy) if busy else touched:
            plan = rules.plans[position]
            if position not in happened and self._stays(position, plan):
                continue
            case = self._case(position)
            if position in rules.presence:
                if news and self._state.online is not False:
                    case.heard_again(min(said.at, received) if back else received, received)
                if case.is_ending:
                    case.run_out(self._state.latest, received)
            else:
                case.settle(self._state.latest, received)
                if position in touched:
                    case.read(received)
                if position in happened:
                    mine = {code: detail for code, detail in events.items() if code in plan.codes}
                    case.events(mine, said.at, received)
                case.run_out(self._state.latest, received)
            self._keep(position, case)
        return self._memories, self._effects

    def _stays(self, position: int, plan: RulePlan) -> bool:
        """Whether a rule has nothing to do at what was said: mostly so, and to see that must be quick."""
        memory = self._memories.get(plan.rule.code)
        if memory is None:
            return not self._begins(plan)
        return position not in self._rules.presence and goes_on(plan, memory, self._view, self._state.latest)

    def _begins(self, plan: RulePlan) -> bool:
        """Whether a rule that remembers nothing does so from now on."""
        values, asset = self._view.values, self._view.asset
        for _, each in plan.holds:  # noqa: SIM110 - a third of the time any() takes
            if each.when.evaluate(values, asset) is True:
                return True
        return False

    def status(self, status: Status) -> Outcome:
        at = status.received
        for position in sorted(self._rules.presence if status.online else self._rules.offline):
            case = self._case(position)
            if status.online:
                case.heard_again(at, at)
            else:
                self._gone(case, self._rules.rules[position], at)
            self._keep(position, case)
        return self._memories, self._effects

    def _gone(self, case: Case, rule: Rule, at: int) -> None:
        for number, trigger in enumerate(rule.triggers):
            if isinstance(trigger, Offline) and not self._view.blocks(trigger):
                case.holds(number, Since(at, at))
                case.gone_again(at, at)
        case.run_out(at, at)

    def tick(self, tick: Tick) -> Outcome:
        for position in sorted(self._rules.index[code] for code in self._memories):
            case = self._case(position)
            case.wake(tick.now)
            self._keep(position, case)
        for position in self._rules.silent:
            at = _silent_from(self._rules, position, self._state, self._view, self._facts)
            if at is None or tick.now < at or self._state.heard is None:
                continue
            case = self._case(position)
            if case.is_ending:
                case.gone_again(at, tick.now)
                self._keep(position, case)
            elif not case.is_raised:
                case.found(at, tick.now, {"last_heard": from_moment(self._state.heard).isoformat()})
                self._keep(position, case)
        return self._memories, self._effects
