"""What the devices of one chaos round say, drawn from its seed: the same seed says the same again.

Event times hang on the moment the round starts. Each device speaks with ascending times; what it repeats, or
sends late, is such that the alarms it must give are determined (see `oracle`):

- what is fresh lies within the ten minutes before the start, what is past an hour or more before it;
- what is sent late carries values that no rule minds;
- a slow clock and a backlog end calm or are confirmed by something fresh.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from random import Random

COMMUNITY = "chaos"

Value = float | bool | str
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a device measured, and what happened, at one time."""

    ts: datetime
    readings: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[tuple[str, str], ...] = ()

    def body(self) -> dict[str, object]:
        """As it stands in a message."""
        said: dict[str, object] = {"v": 1, "ts": self.ts.isoformat()}
        if self.readings:
            said["readings"] = dict(self.readings)
        if self.events:
            said["events"] = [{"code": code, "detail": detail} for code, detail in self.events]
        return said


Mark = datetime | bool
"""How a message is seen to be stored: its moment is, or its device is known to be there, or gone."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A device keeps a message to itself until `known` is, and its `rule` has a live alarm, or has none."""

    device: str
    known: Mark
    rule: str
    live: bool | None = True  # None: either


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message: what it says, when (seconds after the start) it may be sent, how often."""

    topic: str
    payload: bytes
    after: float = 0.0
    times: int = 1
    moments: tuple[Moment, ...] = ()
    retain: bool = False
    gate: Gate | None = None
    number: int = 0  # tells apart messages that say the same again

    @property
    def key(self) -> tuple[str, bytes, int]:
        """Which of all messages it is."""
        return self.topic, self.payload, self.number

    @property
    def mark(self) -> tuple[Mark, int]:
        """How it is seen to be stored."""
        return (self.moments[-1].ts if self.moments else self.payload == b"online"), self.number


@dataclass(frozen=True, slots=True)
class Device:
    """A device and what it sends, step after step; the messages of one step are sent at once."""

    code: str
    asset_class: str
    steps: tuple[tuple[Message, ...], ...] = ()
    profile: str = ""  # left out: the native one of its class
    rule: str = ""  # it is there for this rule, which asks when it was heard

    @property
    def messages(self) -> Iterator[Message]:
        """All of them."""
        return chain.from_iterable(self.steps)


def message_of(code: str, moments: Sequence[Moment], after: float, times: int = 1) -> Message:
    """A message about these moments."""
    bodies = [moment.body() for moment in moments]
    payload = json.dumps(bodies[0] if len(bodies) == 1 else bodies).encode()
    return Message(f"clerestory/{COMMUNITY}/{code}/up", payload, after, times, tuple(moments))


def _fill(rng: Random, known: float) -> float:
    """The next fill level: mostly the same again, else calm, between the thresholds, nearly full or full."""
    if rng.random() < 0.6:
        return known
    low, high = rng.choice([(5, 50), (61, 69), (76, 89), (91, 100)])
    return float(rng.randint(low, high))


def _path(rng: Random, times: Sequence[datetime]) -> list[Moment]:
    """What a bin measures at these times; never a temperature that neither burns nor is cool."""
    fill, moments = float(rng.randint(5, 50)), []
    for ts in times:
        fill = _fill(rng, fill)
        heat = rng.randint(61, 90) if rng.random() < 0.1 else rng.randint(-5, 44)
        said: dict[str, Value] = {"fill_percent": fill, "temperature_c": float(heat)}
        if rng.random() < 0.3:
            said["tilted"] = rng.random() < 0.4
        happens = rng.random()
        events = (
            (("fire_alarm", ""),) if happens < 0.04 else (("cover_open", "lid"),) if happens < 0.2 else ()
        )
        moments.append(Moment(ts, said, events))
    return moments


def _calm(ts: datetime) -> list[Moment]:
    """Nothing is wrong any longer; said twice, far enough apart for everything that is kept to end."""
    said: dict[str, Value] = {"fill_percent": 3.0, "temperature_c": 20.0, "tilted": False}
    return [Moment(ts + each * MINUTE, said) for each in (1, 13)]


def _times(rng: Random, first: datetime, last: datetime, count: int) -> list[datetime]:
    """So many different times, ascending, to the millisecond."""
    span = int((last - first).total_seconds() * 1000)
    return [first + timedelta(milliseconds=each) for each in sorted(rng.sample(range(span), count))]


def busy_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    slow = rng.random() < 0.25
    count = rng.randint(15, 40)
    if slow:  # its clock is hours behind: to us it looks like a backlog
        begin = start - rng.randint(3, 9) * HOUR
        moments = _path(rng, _times(rng, begin, begin + 40 * MINUTE, count))
        moments += _calm(moments[-1].ts)
    else:
        moments = _path(rng, _times(rng, start - 10 * MINUTE, start - 4 * MINUTE, count))
        # What is kept for two minutes must have ended before our own clock could end it.
        moments += [
            Moment(start - 3.5 * MINUTE, {"tilted": False}),
            Moment(start - MINUTE, {"battery_percent": 80.0}),
        ]
    after = sorted(rng.uniform(0, seconds) for _ in moments)
    steps: list[tuple[Message, ...]] = []
    for moment, when in zip(moments, after, strict=True):
        steps.append((message_of(code, [moment], when, times=rng.choices((1, 2, 3), (8, 2, 1))[0]),))
        if rng.random() < 0.2:
            steps.append(rng.choice(steps))  # once more, long after it was taken
        if rng.random() < 0.2:
            steps.append((_late(rng, code, moments[0].ts, when),))
    if not slow:
        now = start + timedelta(seconds=seconds * 0.6)
        steps.append(
            _lean(code, now, seconds * 0.6) if rng.random() < 0.5 else _fire(code, now, seconds * 0.6)
        )
    return Device(code, "bin", tuple(steps))


def _lean(code: str, ts: datetime, after: float) -> tuple[Message, ...]:
    """A condition whose timer runs out by our clock, some seconds later."""
    return (message_of(code, [Moment(ts, {"angle_x_deg": 45.0})], after, times=2),)


def _fire(code: str, ts: datetime, after: float) -> tuple[Message, ...]:
    """Two messages about the same fire in the same moment: whichever comes first, one alarm."""
    return (
        message_of(code, [Moment(ts, {"temperature_c": 75.0})], after, times=2),
        message_of(code, [Moment(ts, {}, (("fire_alarm", "both"),))], after, times=2),
    )


def _late(rng: Random, code: str, first: datetime, after: float) -> Message:
    """A measurement of before all others that comes after some of them; no rule minds its value."""
    ts = first - timedelta(microseconds=rng.randint(1, HOUR // timedelta(microseconds=1)))
    return message_of(code, [Moment(ts, {"angle_z_deg": float(rng.randint(-90, 90))})], after)


def backlog_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """A day of hourly measurements at once, in a few messages; some then say that it is still so."""
    begin = start - 26 * HOUR
    times = [begin + each * HOUR + timedelta(seconds=rng.randint(0, 600)) for each in range(24)]
    moments = _path(rng, times)
    confirmed = rng.random() < 0.3
    if not confirmed:
        moments += _calm(times[-1])
    flush = seconds * 0.3
    steps, rest = [], moments
    while rest:
        count = rng.choice((1, 6, 12))
        steps.append((message_of(code, rest[:count], flush),))
        rest = rest[count:]
    if confirmed:
        now: dict[str, Value] = {"fill_percent": 97.0, "temperature_c": 18.0, "tilted": False}
        steps += [(message_of(code, [Moment(start - each * MINUTE, now)], flush),) for each in (8, 2)]
    return Device(code, "bin", tuple(steps))


def lift(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """An elevator: trapped people, an open safety circuit, and, perhaps, that it runs again."""
    steps = []
    after = sorted(rng.uniform(0, seconds) for _ in range(12))
    for ts, when in zip(_times(rng, start - 9 * MINUTE, start - MINUTE, 12), after, strict=True):
        event = rng.choice(("passenger_entrapment", "safety_circuit_open", "automatic_restored", "", "", ""))
        said: dict[str, Value] = {"floor": float(rng.randint(1, 20)), "humidity_percent": 40.0}
        moment = Moment(ts, said, ((event, ""),) if event else ())
        steps.append((message_of(code, [moment], when, times=rng.choice((1, 1, 2))),))
    return Device(code, "elevator", tuple(steps))


def swaying_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """An angle that lifts its alarm rung by rung, and lets it come down; some with a clock hours behind."""
    slow = rng.random() < 0.5
    begin = start - (rng.randint(3, 9) * HOUR if slow else 10 * MINUTE)
    last = begin + 2 * HOUR if slow else start - 3.5 * MINUTE
    angle, moments = 15.0, []
    for ts in _times(rng, begin, last, rng.randint(15, 30)):
        if rng.random() < 0.5:
            angle = rng.choice((2.0, 7.0, 15.0, 15.0, 35.0, 35.0, 65.0))
        moments.append(Moment(ts, {"angle_y_deg": angle}))
    if not slow or rng.random() < 0.4:  # every span has run out by event time before our clock could end it
        moments.append(Moment(start - MINUTE, {"battery_percent": 80.0}))
    if slow:
        moments += [Moment(start - 0.5 * MINUTE, {"angle_y_deg": rng.choice((2.0, 35.0, 65.0))})]
    after = sorted(rng.uniform(0, seconds) for _ in moments)
    steps: list[tuple[Message, ...]] = []
    for moment, when in zip(moments, after, strict=True):
        steps.append((message_of(code, [moment], when, times=rng.choices((1, 2, 3), (8, 2, 1))[0]),))
        if rng.random() < 0.1:
            steps.append(rng.choice(steps))
    return Device(code, "bin", tuple(steps))


def turned_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """Two alarms of one asset, or one that shares an order with those of other assets; they come and go."""
    angles = (130.0, 160.0, 130.0, -5.0, 20.0) if rng.random() < 0.6 else (-130.0, -100.0, 20.0)
    times = _times(rng, start - 9 * MINUTE, start - MINUTE, rng.randint(2, 6))
    after = sorted(rng.uniform(0, seconds) for _ in times)
    return Device(
        code,
        "bin",
        tuple(
            (
                message_of(
                    code, [Moment(ts, {"angle_z_deg": rng.choice(angles)})], when, rng.choice((1, 1, 2))
                ),
            )
            for ts, when in zip(times, after, strict=True)
        ),
    )


def fluttering_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """An angle that comes and goes, often too often for an alarm each; some with a clock hours behind."""
    slow = rng.random() < 0.5
    begin = start - (rng.randint(3, 9) * HOUR if slow else 10 * MINUTE)
    last = begin + HOUR if slow else start - MINUTE
    angle, moments = -5.0, []
    for ts in _times(rng, begin, last, rng.randint(12, 30)):
        if rng.random() < 0.6:
            angle = -25.0 if angle > -10 else -5.0
        moments.append(Moment(ts, {"angle_x_deg": angle}))
    if slow:
        moments.append(Moment(start - 0.5 * MINUTE, {"angle_x_deg": rng.choice((-5.0, -25.0))}))
    after = sorted(rng.uniform(0, seconds) for _ in moments)
    steps: list[tuple[Message, ...]] = []
    for moment, when in zip(moments, after, strict=True):
        steps.append((message_of(code, [moment], when, times=rng.choices((1, 2, 3), (8, 2, 1))[0]),))
        if rng.random() < 0.1:
            steps.append(rng.choice(steps))
    return Device(code, "bin", tuple(steps))
