"""What must exist after a round, worked out from what was published: no code of the product takes part.

The rules below are written down a second time, by hand, from their meaning in `config/rules`: in the order of
event time, a condition must hold for `hold`; the end must last for `keep`; what is heard more than a quarter
of an hour late tells nobody unless something fresh confirms it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.chaos.script import Device, Message, Moment, Value

MINUTE = timedelta(minutes=1)
NONE = timedelta()
FRESH = timedelta(minutes=30)
"""Well between what is sent fresh (ten minutes old at most) and what is past (an hour at least)."""


@dataclass(frozen=True, slots=True)
class RuleFact:
    """One rule as its file means it; `by_clock`: its timer runs out within the round."""

    code: str
    asset_class: str
    signal: str = ""
    begins: Callable[[Value], bool] = lambda _: False
    ends: Callable[[Value], bool] = lambda _: False
    hold: timedelta = NONE
    keep: timedelta = NONE
    raised_by: frozenset[str] = frozenset()
    ended_by: frozenset[str] = frozenset()
    by_clock: bool = False
    order: str | None = None
    cancelled: bool = False


def _from(least: float) -> Callable[[Value], bool]:
    return lambda value: float(value) >= least


def _below(most: float) -> Callable[[Value], bool]:
    return lambda value: float(value) < most


RULES = (
    RuleFact("bin_nearly_full", "bin", "fill_percent", _from(75), _below(60), hold=10 * MINUTE),
    RuleFact(
        "bin_overflow",
        "bin",
        "fill_percent",
        _from(90),
        _below(70),
        hold=5 * MINUTE,
        order="waste_collection",
        cancelled=True,
    ),
    RuleFact(
        "bin_tilted",
        "bin",
        "tilted",
        _from(1),
        _below(1),
        hold=2 * MINUTE,
        keep=2 * MINUTE,
        order="bin_repair",
        cancelled=True,
    ),
    RuleFact(
        "bin_fire",
        "bin",
        "temperature_c",
        _from(60),
        _below(45),
        keep=10 * MINUTE,
        raised_by=frozenset({"fire_alarm"}),
        order="inspection",
    ),
    RuleFact(
        "chaos_lean",
        "bin",
        "angle_x_deg",
        _from(30),
        _below(10),
        hold=timedelta(seconds=4),
        by_clock=True,
        order="bin_repair",
        cancelled=True,
    ),
    RuleFact(
        "entrapment",
        "elevator",
        raised_by=frozenset({"passenger_entrapment"}),
        ended_by=frozenset({"automatic_restored"}),
        order="elevator_rescue",
    ),
    RuleFact(
        "safety_circuit",
        "elevator",
        raised_by=frozenset({"safety_circuit_open"}),
        ended_by=frozenset({"automatic_restored"}),
        order="elevator_repair",
    ),
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that must exist, in event time; whether people must have been told."""

    device: str
    rule: str
    raised: datetime
    cleared: datetime | None
    told: bool


@dataclass(slots=True)
class _Live:
    raised: datetime
    told: bool
    said: datetime | None  # the newest event that said so
    ending: datetime | None = None


@dataclass(slots=True)
class _Case:
    """One rule on one device, moment after moment."""

    rule: RuleFact
    device: str
    start: datetime
    found: list[Alarm] = field(default_factory=list)
    since: datetime | None = None
    measured: datetime | None = None
    live: _Live | None = None

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
        self.measured = ts
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
            live.ending = None
        if live.ending is None and self._fresh(ts):
            live.told = True

    def _happens(self, ts: datetime) -> None:
        if self.live is None:
            self.live = _Live(ts, self._fresh(ts), ts)
            return
        self.live.said = ts
        if self.live.ending is not None and ts >= self.live.ending:
            self.live.ending = None

    def _run_out(self, ts: datetime) -> None:
        live, rule = self.live, self.rule
        if live is None:
            if self.since is not None and ts >= self.since + rule.hold:
                raised = self.since + rule.hold
                self.live = _Live(raised, self._fresh(max(raised, self.measured or raised)), None)
        elif live.ending is not None and ts >= live.ending + rule.keep:
            self._end(live, live.ending + rule.keep)

    def _end(self, live: _Live, at: datetime) -> None:
        self.found.append(Alarm(self.device, self.rule.code, live.raised, at, live.told))
        self.live = self.since = None

    def finish(self) -> list[Alarm]:
        if self.rule.by_clock and self.live is None and self.since is not None:
            self.live = _Live(self.since + self.rule.hold, told=True, said=None)
        if self.live is not None:
            self.found.append(Alarm(self.device, self.rule.code, self.live.raised, None, self.live.told))
        return self.found


def alarms(devices: Iterable[Device], start: datetime) -> set[Alarm]:
    """Every alarm that must exist when all is quiet again."""
    found: set[Alarm] = set()
    for device in devices:
        moments = in_order(device.messages)
        for rule in RULES:
            if rule.asset_class == device.asset_class:
                case = _Case(rule, device.code, start)
                for moment in moments:
                    case.hear(moment)
                found.update(case.finish())
    return found


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


Order = tuple[str, str, datetime, str, bool]
"""Device, rule and raising time of its alarm; kind of work; whether it is cancelled."""


def orders(expected: Iterable[Alarm]) -> set[Order]:
    """One order for each alarm that people were told of and that asks for work."""
    rules = {rule.code: rule for rule in RULES}
    return {
        (
            alarm.device,
            alarm.rule,
            alarm.raised,
            kind,
            rules[alarm.rule].cancelled and alarm.cleared is not None,
        )
        for alarm in expected
        if alarm.told and (kind := rules[alarm.rule].order) is not None
    }


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
