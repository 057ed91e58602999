"""Devices that fall silent or go, and come back: what they say hangs on what was noticed of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from tests.chaos.script import COMMUNITY, MINUTE, Device, Gate, Message, Moment, message_of

STILL, GONE = "bin_silent", "chaos_gone"


def gone_bin(rng: Random, code: str, start: datetime, seconds: float, *, alone: bool) -> Device:
    """The last will of a device, perhaps repeated; how it comes back, if it does, and goes once more.

    `alone`: one gateway hears everything. With several it stays gone: they may hear once more of its going.
    """
    topic = f"clerestory/{COMMUNITY}/{code}/status"
    noticed = Gate(code, known=False, rule=GONE)

    def status(payload: bytes, number: int, gate: Gate | None) -> tuple[Message, ...]:
        return (Message(topic, payload, retain=True, gate=gate, number=number),)

    will = Message(topic, b"offline", rng.uniform(0, seconds * 0.5), rng.choice((1, 1, 3)), retain=True)
    how = rng.choice(("stays", "speaks late", "answers", "returns", "flickers")[: 5 if alone else 2])
    if how == "stays":
        return Device(code, "bin", ((will,),) * rng.choice((1, 2)), rule=GONE)
    steps: list[tuple[Message, ...]] = [(replace(will, times=1),)]
    if how == "answers":  # by a clock that is a little ahead, so that it surely speaks of a later moment
        ahead = start + 4 * MINUTE
        steps.append((replace(message_of(code, [_mild(rng, ahead)], 0.0), gate=noticed),))
        if alone and rng.random() < 0.5:
            steps.append(status(b"offline", 2, Gate(code, ahead, GONE, live=False)))
    elif how == "speaks late":  # what was on its way
        steps.append((replace(message_of(code, [_mild(rng, start - 4 * MINUTE)], 0.0), gate=noticed),))
    else:
        steps.append(status(b"online", 1, noticed if how == "returns" else replace(noticed, live=None)))
        if rng.random() < 0.7:
            steps.append(status(b"offline", 2, Gate(code, known=True, rule=GONE, live=False)))
    return Device(code, "bin", tuple(steps), rule=GONE)


def _mild(rng: Random, ts: datetime) -> Moment:
    return Moment(ts, {"temperature_c": float(rng.randint(5, 20))})


def still_bin(rng: Random, code: str, start: datetime, seconds: float) -> Device:
    """A bin that says something now and then, and stays away between until that was noticed.

    What it repeats, and what it says of before, is nothing new: it stays silent.
    """
    ts = start - 9 * MINUTE
    steps: list[tuple[Message, ...]] = []
    after = rng.uniform(0, seconds * 0.3)
    for turn in range(rng.choice((2, 2, 2, 3))):
        gate = Gate(code, ts, STILL) if turn else None
        if gate is not None and rng.random() < 0.5:
            steps.append((replace(rng.choice(steps)[0], gate=gate),))
        if gate is not None and rng.random() < 0.5:
            past = Moment(start - rng.randint(60, 600) * MINUTE, {"fill_percent": 7.0})
            steps.append((replace(message_of(code, [past], 0.0), gate=gate),))
        for _ in range(rng.choice((1, 2, 3))):
            ts += timedelta(seconds=rng.randint(1, 30))
            said = Moment(ts, {"fill_percent": float(rng.randint(5, 50))})
            message = message_of(code, [said], after, times=rng.choice((1, 1, 2)))
            steps.append((replace(message, gate=gate),))
            gate, after = None, after + rng.uniform(0.0, 0.6)
        after = 0.0
    return Device(code, "bin", tuple(steps), profile="chaos-still", rule=STILL)
