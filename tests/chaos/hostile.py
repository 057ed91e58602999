"""Messages of one round that must become dead letters, each with the reason that must be given."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from tests.chaos.script import COMMUNITY, Message

Refused = tuple[str, bytes, str]
"""Topic, payload and reason code."""

Make = Callable[[Random, int, str], Refused]
UP = f"clerestory/{COMMUNITY}/bin-0/up"


def hostile(rng: Random, start: datetime, count: int, seconds: float) -> list[tuple[Message, str]]:
    """So many of them, each different from all others, with the reason each must be refused for."""
    made = []
    for number in range(count):
        topic, payload, reason = rng.choice(KINDS)(rng, number, _stamp(start, number))
        message = Message(topic, payload, rng.uniform(0, seconds), rng.choice((1, 1, 2)))
        made.append((message, reason))
    return made


def _stamp(start: datetime, number: int) -> str:
    return (start - timedelta(minutes=5) + timedelta(milliseconds=number)).isoformat()


def _said(ts: str, **more: object) -> bytes:
    return json.dumps({"v": 1, "ts": ts, **more}).encode()


def _noise(rng: Random, number: int, _ts: str) -> Refused:
    return UP, b"\xff" + number.to_bytes(4, "big") + rng.randbytes(rng.randint(0, 200)), "not_json"


def _cut_short(_rng: Random, number: int, ts: str) -> Refused:
    return UP, _said(ts, readings={"fill_percent": number})[:-2], "not_json"


def _too_large(rng: Random, number: int, _ts: str) -> Refused:
    return UP, f"{number} ".encode() + b"x" * rng.randint(65_536, 200_000), "too_large"


def _stranger(_rng: Random, number: int, ts: str) -> Refused:
    topic = f"clerestory/{COMMUNITY}/nobody-{number}/up"
    return topic, _said(ts, readings={"fill_percent": 5.0}), "unknown_device"


def _elsewhere(_rng: Random, number: int, ts: str) -> Refused:
    return f"clerestory/nowhere-{number}/bin-0/up", _said(ts, readings={}), "unknown_community"


def _fast_clock(rng: Random, number: int, ts: str) -> Refused:
    ahead = datetime.fromisoformat(ts) + timedelta(hours=rng.randint(1, 9), milliseconds=number)
    return UP, _said(ahead.isoformat(), readings={"fill_percent": 100.0}), "ts_ahead"


def _impossible(_rng: Random, number: int, ts: str) -> Refused:
    return UP, _said(ts, readings={"fill_percent": 101.0 + number}), "out_of_range"


def _half_good(_rng: Random, number: int, ts: str) -> Refused:
    good = {"v": 1, "ts": ts, "readings": {"fill_percent": 99.0}}
    bad = {"v": 1, "ts": ts, "readings": {f"made_up_{number}": 1.0}}
    return UP, json.dumps([good, bad]).encode(), "unknown_signal"


def _wrong_event(_rng: Random, number: int, ts: str) -> Refused:
    return UP, _said(ts, events=[{"code": f"explosion-{number}"}]), "unknown_event"


def _wrong_status(_rng: Random, number: int, _ts: str) -> Refused:
    return f"clerestory/{COMMUNITY}/bin-0/status", f"perhaps {number}".encode(), "bad_type"


def _sql(_rng: Random, number: int, ts: str) -> Refused:
    topic = f"clerestory/{COMMUNITY}/x'; DROP TABLE reading; --{number}/up"
    return topic, _said(ts, readings={}), "unknown_device"


def _nul(_rng: Random, number: int, ts: str) -> Refused:
    return UP, _said(ts, events=[{"code": "cover_open", "detail": f"{number}\0"}]), "bad_text"


def _zoneless(_rng: Random, _number: int, ts: str) -> Refused:
    return UP, _said(ts.split("+", maxsplit=1)[0], readings={"fill_percent": 99.0}), "not_zoned"


KINDS: tuple[Make, ...] = (
    _noise,
    _cut_short,
    _too_large,
    _stranger,
    _elsewhere,
    _fast_clock,
    _impossible,
    _half_good,
    _wrong_event,
    _wrong_status,
    _sql,
    _nul,
    _zoneless,
)
