"""What must exist after a round, worked out from what was published: no code of the product takes part.

The rules below are written down a second time, by hand, from their meaning in `config/rules`: in the order of
event time, a condition must hold for `hold`; the end must last for `keep`; what is heard more than a quarter
of an hour late tells nobody unless something fresh confirms it. An alarm is as severe as the highest rung of
its ladder that holds (`ladders`). What would begin once more than often enough within a span flaps: it is
one alarm, that counts its beginnings, until its end has lasted for as long as the rule wants quiet.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.chaos.facts import NONE, RULES, RuleFact
from tests.chaos.ladders import NEVER, Ladder
from tests.chaos.script import Device, Message, Moment, Value

FRESH = timedelta(minutes=30)
"""Well between what is sent fresh (ten minutes old at most) and what is past (an hour at least)."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that must exist, in event time; whether people must have been told."""

    device: str
    rule: str
    raised: datetime
    cleared: datetime | None
    told: bool
    severity: str  # as it is in the end
    flapped: int = 0  # how often it began lately, where it flaps


@dataclass(frozen=True, slots=True)
class Step:
    """A change of an alarm's severity, in event time."""

    device: str
    rule: str
    raised: datetime
    at: datetime
    severity: str


@dataclass(slots=True)
class _Live:
    raised: datetime
    told: bool
    said: datetime | None  # the newest event that said so
    ladder: Ladder
    ending: datetime | None = None
    flapped: int = 0


@dataclass(slots=True)
class _Case:
    """One rule on one device, moment after moment."""

    rule: RuleFact
    device: str
    start: datetime
    found: list[Alarm] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    since: datetime | None = None
    measured: datetime | None = None
    value: Value | None = None
    live: _Live | None = None
    begun: list[datetime] = field(default_factory=list)

    def hear(self, moment: Moment) -> None:
        if self.rule.signal in moment.readings:
            self._read(moment.readings[self.rule.signal], moment.ts)
        codes = {code for code, _ in moment.events}
        if self.live is not None and codes & self.rule.ended_by:
            self.live.ending = self.live.ending or moment.ts
        if codes & self.rule.raised_by:
            self._happens(moment.ts)
        self._run_out(moment.ts)

    def _fresh(self, ts: datetime) -> bool:
        return ts > self.start - FRESH

    def _read(self, value: Value, ts: datetime) -> None:
        rule, live = self.rule, self.live
        self.measured, self.value = ts, value
        if rule.begins(value):
            self.since = self.since or ts
        else:
            self.since = None
        if live is None:
            return
        if rule.ends(value):
            if live.said is None or ts > live.said:
                live.ending = live.ending or ts
        else:
            self._comes_back(live, ts)
        live.ladder.read(value, ts)
        if live.ending is None and self._fresh(ts):
            live.told = True

    def _happens(self, ts: datetime) -> None:
        if self.live is None:
            self.live = _Live(ts, self._fresh(ts), ts, self._ladder(ts), flapped=self._begins(ts))
            return
        self.live.said = ts
        if self.live.ending is not None and ts >= self.live.ending:
            self._comes_back(self.live, ts)

    def _run_out(self, ts: datetime) -> None:
        live, rule = self.live, self.rule
        if live is None and self.since is not None and ts >= self.since + rule.hold:
            raised = self.since + rule.hold
            evidence = max(raised, self.measured or raised)
            live = _Live(
                raised, self._fresh(evidence), None, self._ladder(raised), flapped=self._begins(raised)
            )
            if self.value is not None:
                live.ladder.read(self.value, evidence)
            self.live = live
        if live is not None:
            self._climb(live, ts)
            if live.ending is not None and ts >= live.ending + self._keep(live):
                self._end(live, live.ending + self._keep(live))

    def _comes_back(self, live: _Live, ts: datetime) -> None:
        """What seemed to be over is not; where it flaps that is one more beginning."""
        if live.ending is not None and live.flapped:
            live.flapped = self._begins(ts)
        live.ending = None

    def _begins(self, ts: datetime) -> int:
        """How many beginnings there were lately, if that are too many to be told each, or it flaps."""
        flaps = self.rule.flaps
        if flaps is None:
            return 0
        self.begun = [each for each in self.begun if each > ts - flaps.within] + [ts]
        flapped = self.live is not None and self.live.flapped
        return len(self.begun) if flapped or len(self.begun) > flaps.times else 0

    def _keep(self, live: _Live) -> timedelta:
        quiet = self.rule.flaps.quiet if self.rule.flaps is not None and live.flapped else NONE
        return max(self.rule.keep, quiet)

    def _ladder(self, raised: datetime) -> Ladder:
        return Ladder(self.rule.severity, self.rule.rungs, raised)

    def _climb(self, live: _Live, ts: datetime) -> None:
        """Steps up and down until `ts`, or until the alarm is over."""
        if live.ending is not None:
            ts = min(ts, live.ending + self._keep(live))
        self.steps += [
            Step(self.device, self.rule.code, live.raised, at, severity)
            for at, severity in live.ladder.climb(ts)
        ]

    def _alarm(self, live: _Live, cleared: datetime | None) -> Alarm:
        return Alarm(
            self.device,
            self.rule.code,
            live.raised,
            cleared,
            live.told,
            live.ladder.severity,
            live.flapped,
        )

    def _end(self, live: _Live, at: datetime) -> None:
        self.found.append(self._alarm(live, at))
        self.live = self.since = None

    def finish(self) -> None:
        """Nothing more is heard; what runs out by the clock within the round does so."""
        if self.rule.by_clock and self.live is None and self.since is not None:
            raised = self.since + self.rule.hold
            self.live = _Live(
                raised, told=True, said=None, ladder=self._ladder(raised), flapped=self._begins(raised)
            )
            self._climb(self.live, NEVER)
        if self.live is not None:
            self.found.append(self._alarm(self.live, None))


def alarms(devices: Iterable[Device], start: datetime) -> tuple[set[Alarm], set[Step]]:
    """Every alarm that must exist when all is quiet again, and every change of severity on the way."""
    found: set[Alarm] = set()
    steps: set[Step] = set()
    for device in devices:
        moments = in_order(device.messages)
        for rule in RULES:
            if rule.asset_class == device.asset_class:
                case = _Case(rule, device.code, start)
                for moment in moments:
                    case.hear(moment)
                case.finish()
                found.update(case.found)
                steps.update(case.steps)
    return found, steps


def in_order(messages: Iterable[Message]) -> list[Moment]:
    """The moments that messages speak of, by event time; those of one time as one."""
    merged: dict[datetime, Moment] = {}
    for message in messages:
        for moment in message.moments:
            known = merged.get(moment.ts)
            if known == moment:
                continue
            merged[moment.ts] = (
                moment
                if known is None
                else Moment(moment.ts, {**known.readings, **moment.readings}, (*known.events, *moment.events))
            )
    return [merged[ts] for ts in sorted(merged)]


Row = tuple[str, str, datetime, float]
Happening = tuple[str, str, datetime, str]


def readings(devices: Iterable[Device]) -> set[Row]:
    """Every reading that must be stored; booleans as 0 and 1."""
    return {
        (device.code, signal, moment.ts, float(value))
        for device in devices
        for message in device.messages
        for moment in message.moments
        for signal, value in moment.readings.items()
    }


def events(devices: Iterable[Device]) -> set[Happening]:
    """Every event that must be stored."""
    return {
        (device.code, code, moment.ts, detail)
        for device in devices
        for message in device.messages
        for moment in message.moments
        for code, detail in moment.events
    }
