"""Which devices must have been found silent or gone, and when: read from docs/rules.md, no code shared.

- A device is silent when nothing new was heard of it for `STALE`: raised `STALE` after the last news was
  heard, over when the next is. What is repeated, or older than the newest, is no news.
- It is gone when it, or the broker for it, has said `offline` and for `GONE_FOR` nothing else. It is back
  when it says `online`, or something of a later moment: then at that moment, or when heard if its clock is
  ahead.

All this goes by when we heard, which no device says. It is known within bounds: not before a message was
sent, not after it was seen stored. So a spell is certain where the device waited until it was noticed, and
after its last word. It is possible wherever the bounds leave room: what breaks may keep words for long. A
silence that nobody was there to notice leaves nothing, so no other is certain.

Neither `online` nor `offline` has a time. Where a device had said both, and then something broke that lets
the broker hand out again what it believes not to be heard, it may have come and gone once more: of such a
device only the end is known, if it is gone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.chaos.away import GONE, STILL
from tests.chaos.oracle import Alarm
from tests.chaos.script import Device, Message
from tests.chaos.watch import Bounds
from tests.chaos.work import Order

STALE = timedelta(seconds=1)
GONE_FOR = timedelta(seconds=1)
DELAYS = {STILL: STALE, GONE: GONE_FOR}


@dataclass(frozen=True, slots=True)
class Heard:
    """When something was heard: at some moment from `first` to `last`."""

    first: datetime
    last: datetime

    def has(self, moment: datetime) -> bool:
        """Whether it may have been that moment."""
        return self.first <= moment <= self.last


@dataclass(frozen=True, slots=True)
class Spell:
    """A time of silence or absence: it began with one of `begun` and ended at `ended`, or lasts."""

    device: str
    rule: str
    name: str
    begun: tuple[Heard, ...]
    ended: Heard | None
    certain: bool
    loose: bool = False  # once or several times, whenever it was

    def has(self, alarm: Alarm) -> bool:
        """Whether an alarm may be about it."""
        if not alarm.told or alarm.severity != "minor":
            return False
        since = alarm.raised - DELAYS[self.rule]
        if not any(heard.has(since) for heard in self.begun):
            return False
        if self.ended is None or alarm.cleared is None:
            return self.ended is None and alarm.cleared is None
        return alarm.raised <= alarm.cleared and self.ended.has(alarm.cleared)


Spells = Mapping[tuple[str, str], Sequence[Spell]]
"""By device and rule."""


def spells(devices: Iterable[Device], bounds: Bounds, now: datetime, *, shared: bool) -> Spells:
    """All that are certain or may be. What was not seen yet is heard until `now`.

    `shared`: with several gateways a word may be overtaken by the next ones, and is then no news.
    """
    found: dict[tuple[str, str], list[Spell]] = {}
    for device in devices:
        if device.rule == STILL:
            found[device.code, STILL] = list(_silences(device, bounds, now, shared=shared))
        elif device.rule == GONE:
            found[device.code, GONE] = list(
                _roughly(device, bounds, now)
                if _is_uncertain(device, bounds, now)
                else _absences(device, bounds, now)
            )
    return found


def certain(known: Spells) -> list[tuple[str, str, str]]:
    """The spells that must have been found, each once: device, rule, which."""
    return [(each.device, each.rule, each.name) for all_ in known.values() for each in all_ if each.certain]


def found(known: Spells, alarms: Iterable[Alarm]) -> list[tuple[str, str, str]]:
    """Which spells the alarms are about; without those that are possible and no more."""
    about: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in alarms:
        if alarm.rule in DELAYS:
            about.setdefault((alarm.device, alarm.rule), []).append(alarm)
    names = []
    for (device, rule), mine in about.items():
        there = known.get((device, rule), ())
        owners = _assigned(mine, there)
        names += [(device, rule, there[n].name) for n in owners if there[n].certain]
        left = set(range(len(mine))) - set(owners.values())
        if not any(spell.loose for spell in there):
            names += [(device, rule, f"{mine[n]}, one too many of {there}") for n in sorted(left)]
    return names


def _assigned(alarms: Sequence[Alarm], there: Sequence[Spell]) -> dict[int, int]:
    """Give as many alarms as possible a spell each that they may be about; the certain ones first.

    Gives the alarm of each spell, both by position.
    """
    owners: dict[int, int] = {}

    def place(alarm: int, among: Sequence[int], tried: set[int]) -> bool:
        for n in among:
            if n not in tried and there[n].has(alarms[alarm]):
                tried.add(n)
                if n not in owners or place(owners[n], among, tried):
                    owners[n] = alarm
                    return True
        return False

    single = [n for n, spell in enumerate(there) if not spell.loose]
    for among in ([n for n in single if there[n].certain], single):
        for alarm in range(len(alarms)):
            if alarm not in owners.values():
                place(alarm, among, set())
    return owners


def orders(alarms: Iterable[Alarm]) -> list[Order]:
    """One order for each alarm of silence, cancelled when the device spoke again; none for the gone."""
    return [
        (alarm.device, alarm.rule, alarm.raised, "bin_repair", alarm.cleared is not None)
        for alarm in alarms
        if alarm.rule == STILL
    ]


def _heard(device: Device, message: Message, bounds: Bounds, now: datetime) -> Heard:
    known = bounds.stored.get((device.code, message.mark), now)
    return Heard(bounds.sent.get(message.key, now), known)


def _silences(device: Device, bounds: Bounds, now: datetime, *, shared: bool) -> Iterator[Spell]:
    words: list[Heard] = []
    newest: datetime | None = None
    for message in device.messages:
        ts = message.moments[-1].ts
        if newest is not None and ts <= newest:
            continue
        newest = ts
        heard = _heard(device, message, bounds, now)
        if words:
            begun = tuple(words) if shared else (words[-1],)
            name = f"before word {len(words)}"
            yield Spell(device.code, STILL, name, begun, heard, message.gate is not None)
        words.append(heard)
    yield Spell(device.code, STILL, "still", tuple(words) if shared else (words[-1],), None, certain=True)


def _absences(device: Device, bounds: Bounds, now: datetime) -> Iterator[Spell]:
    since: Heard | None = None
    count = 0
    for message in device.messages:
        heard = _heard(device, message, bounds, now)
        if message.payload == b"offline":
            since, count = since or heard, count + (since is None)
            continue
        if message.moments:  # what is older than its going says nothing of whether it is there
            ts = message.moments[-1].ts
            if since is None or ts <= since.last:
                continue
            heard = Heard(min(ts, heard.first), min(ts, heard.last))
        if since is not None:
            noticed = message.gate is not None and message.gate.live is True
            yield Spell(device.code, GONE, f"time {count}", (since,), heard, noticed)
        since = None
    if since is not None:
        yield Spell(device.code, GONE, f"time {count}", (since,), None, certain=True)


AFTERWARDS = timedelta(seconds=2)
"""So long after it was acknowledged the broker may forget, if it is killed, that it was."""


def _is_uncertain(device: Device, bounds: Bounds, now: datetime) -> bool:
    """Whether a device that had gone and come back may have been heard doing so once more."""
    heard = [_heard(device, message, bounds, now) for message in device.messages]
    first, last = heard[0].first, heard[-1].last + AFTERWARDS
    returns = {message.payload for message in device.messages if not message.moments} != {b"offline"}
    answers = any(message.moments and message.moments[0].ts > first for message in device.messages)
    return (returns or answers) and any(first <= moment <= last for moment in bounds.broken)


def _roughly(device: Device, bounds: Bounds, now: datetime) -> Iterator[Spell]:
    """That it is gone in the end, if it is; whatever else."""
    *_, last = device.messages
    begun = (Heard(bounds.sent.get(last.key, now), now),)
    if last.payload == b"offline":
        yield Spell(device.code, GONE, "in the end", begun, None, certain=True)
    yield Spell(device.code, GONE, "before", begun, None, certain=False, loose=True)
