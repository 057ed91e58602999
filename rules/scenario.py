"""Trying rules without a device or a database: a timeline of what is said, and the exact alarms it gives.

Messages come in the order they were heard. Between them the clock moves from timer to timer, as the worker's
does. The memory is written out and read back at every step, so a scenario also tries that it can travel.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from config.profiles import load_profiles
from config.vocabulary import Signal
from gateway.signals import Device, Event, Heard, Measurement
from rules.book import RuleBook
from rules.conditions import Value
from rules.effects import Cleared, Effect, Flapped, Paged, Raised, Stepped
from rules.engine import Facts, Input, Tick, next_due, step
from rules.hearing import inputs
from rules.moments import SECOND, span, span_in_words, to_moment
from rules.rule import Severity
from rules.ruleset import RuleSet
from rules.scenario_file import Entry, Expected, Scenario, read_scenarios
from rules.state import DeviceState, dump_state, load_state

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
START_MOMENT = to_moment(START)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of a scenario, in microseconds from its start."""

    raised: int
    rule: str
    paged: int | None = None
    cleared: int | None = None
    steps: tuple[tuple[int, Severity], ...] = ()
    flapped: int | None = None

    def __str__(self) -> str:
        raised, paged, cleared = (_shown(each) for each in (self.raised, self.paged, self.cleared))
        steps = "".join(f", {severity} at {_shown(at)}" for at, severity in self.steps)
        flapped = f", flapped {self.flapped} times" if self.flapped else ""
        return f"{self.rule}: raised {raised}, paged {paged}{steps}{flapped}, cleared {cleared}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario should give and what it gave."""

    name: str
    expected: tuple[Alarm, ...]
    happened: tuple[Alarm, ...]

    @property
    def is_right(self) -> bool:
        """Whether both are the same."""
        return self.expected == self.happened

    def difference(self) -> list[str]:
        """What is missing (-), what is too much (+), and what is as expected."""
        missing = [f"- {alarm}" for alarm in self.expected if alarm not in self.happened]
        extra = [f"+ {alarm}" for alarm in self.happened if alarm not in self.expected]
        right = [f"  {alarm}" for alarm in self.expected if alarm in self.happened]
        return [*missing, *extra, *right]


def run_file(path: Path) -> list[Outcome]:
    """Run all scenarios of a file, or raise RuleFileError with every mistake in it or in its rules."""
    book, scenarios = read_scenarios(path)
    return [run(scenario, book) for scenario in scenarios]


def run(scenario: Scenario, book: RuleBook) -> Outcome:
    """Run one scenario through the engine."""
    profile = load_profiles()[scenario.device.profile]
    rules = book.for_class(profile.asset_class)
    attributes = dict(scenario.device.attributes)
    device = Device(1, 1, "scenario", "scenario", profile.name, 1, profile.asset_class, attributes)
    stale_after = None if profile.stale_after is None else span(profile.stale_after)
    start = START
    if scenario.start is not None:
        start = scenario.start.replace(tzinfo=ZoneInfo(scenario.zone)).astimezone(UTC)
    facts = Facts(rules.asset(attributes), stale_after, scenario.zone)
    site = Rehearsal(rules, facts, to_moment(start))
    messages = [heard for entry in scenario.timeline for heard in _messages(entry, device, rules, start)]
    for heard in sorted(messages, key=lambda each: each.received_at):
        site.sleep(to_moment(heard.received_at))
        for given in inputs(heard, rules):
            site.take(given)
    site.sleep(max(site.now, to_moment(start) + span(scenario.until or timedelta())))
    return Outcome(scenario.name, _in_order(map(_alarm, scenario.expect)), _in_order(site.alarms))


class Rehearsal:
    """One device's memory, our clock, and the alarms there have been: the engine without a database."""

    def __init__(self, rules: RuleSet, facts: Facts, start: int = START_MOMENT) -> None:
        self.now = start
        self._start = start
        self.alarms: list[Alarm] = []
        self._rules = rules
        self._facts = facts
        self._memory = dump_state(DeviceState())

    def sleep(self, until: int) -> None:
        """Let the clock move on, and every timer on the way run out at its time."""
        while (
            due := next_due(self._rules, load_state(self._memory), self._facts)
        ) is not None and due <= until:
            self.now = max(self.now, due)
            self.take(Tick(self.now))
        self.now = max(self.now, until)

    def take(self, given: Input) -> None:
        """Step the rules."""
        state, effects = step(self._rules, load_state(self._memory), given, self._facts)
        self._memory = dump_state(state)
        for effect in effects:
            self._note(effect)

    def _note(self, effect: Effect) -> None:
        match effect:
            case Raised(rule=rule, at=at, wall=wall, page=page, facts=facts):
                paged = wall - self._start if page else None
                self.alarms.append(Alarm(at - self._start, rule.code, paged, flapped=_flapped(facts)))
            case Stepped(rule=rule, at=at, severity=severity):
                step: tuple[int, Severity] = (at - self._start, severity)
                self._live(rule.code, lambda alarm: replace(alarm, steps=(*alarm.steps, step)))
            case Flapped(rule=rule, facts=facts):
                self._live(rule.code, lambda alarm: replace(alarm, flapped=_flapped(facts)))
            case Paged(rule=rule, wall=wall):
                self._live(rule.code, lambda alarm: replace(alarm, paged=wall - self._start))
            case Cleared(rule=rule, at=at):
                self._live(rule.code, lambda alarm: replace(alarm, cleared=at - self._start))

    def _live(self, code: str, change: Callable[[Alarm], Alarm]) -> None:
        live = next(n for n, each in enumerate(self.alarms) if each.rule == code and each.cleared is None)
        self.alarms[live] = change(self.alarms[live])


def _messages(entry: Entry, device: Device, rules: RuleSet, start: datetime) -> Iterator[Heard]:
    for moment in entry.moments():
        ts = start + moment
        received = ts if entry.heard is None else start + entry.heard
        values = {name: _number(rules.signals[name], value) for name, value in entry.readings.items()}
        measured = (Measurement(ts, values),) if values else ()
        events = tuple(Event(each.code, ts, each.detail) for each in entry.events)
        yield Heard(device, received, measured, events, entry.online)


def _number(signal: Signal, value: Value) -> float:
    return float(signal.values.index(value)) if isinstance(value, str) else float(value)


def _flapped(facts: Mapping[str, Value]) -> int | None:
    times = facts.get("flapped")
    return int(times) if isinstance(times, float) else None


def _alarm(expected: Expected) -> Alarm:
    paged = None if expected.paged == "never" else span(expected.paged)
    cleared = None if expected.cleared == "never" else span(expected.cleared)
    steps = tuple((span(at), severity) for each in expected.steps for severity, at in each.items())
    return Alarm(span(expected.raised), expected.rule, paged, cleared, steps, expected.flapped)


def _in_order(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    return tuple(sorted(alarms, key=lambda alarm: (alarm.raised, alarm.rule)))


def _shown(moment: int | None) -> str:
    if moment is None:
        return "never"
    if moment < 0:
        return f"-{_shown(-moment)}"
    return span_in_words(moment) if moment % SECOND == 0 else f"{moment / SECOND}s"
