"""Which devices must have been found silent, and when: read from docs/rules.md, without the product's code.

A device is silent when nothing new was heard of it for `STALE`, by our clock: the alarm is raised `STALE`
after the last news was heard, and ends when the next is. What is repeated, or older than the newest, is no
news. When a message was heard is known within bounds alone: not before it was sent, not after it was seen
stored. So a silence is certain where the device stayed away until it was noticed, and after its last word. It
is possible wherever the bounds leave room: what breaks may keep news for long. A silence that nobody was
there to notice leaves nothing, so no other is certain.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.chaos.oracle import Alarm, Order
from tests.chaos.script import STILL as RULE
from tests.chaos.script import Device
from tests.chaos.watch import Bounds

STALE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Word:
    """Something new that a device said; between `sent` and `stored` it was heard."""

    sent: datetime
    stored: datetime
    awaited: bool  # it was said after its device had been found silent

    def has(self, moment: datetime) -> bool:
        """Whether it may have been heard at that moment."""
        return self.sent <= moment <= self.stored


def words(devices: Iterable[Device], bounds: Bounds, now: datetime) -> dict[str, list[Word]]:
    """What each device said anew, in order; what was not seen yet is heard until now."""
    said: dict[str, list[Word]] = {}
    for device in devices:
        said[device.code], newest = [], None
        for message in device.messages:
            ts = message.moments[-1].ts
            if newest is None or ts > newest:
                newest = ts
                word = Word(
                    bounds.sent.get((message.topic, message.payload), now),
                    bounds.stored.get((device.code, ts), now),
                    message.gate is not None,
                )
                said[device.code].append(word)
    return said


Silence = tuple[str, str]
"""A device, and which of its silences: up to which of its words, or still."""


def certain(said: Mapping[str, Sequence[Word]]) -> list[Silence]:
    """The silences that must have been found, each once."""
    ended = [
        (code, f"silent before word {number}")
        for code, spoken in said.items()
        for number, word in enumerate(spoken)
        if word.awaited
    ]
    return ended + [(code, "silent still") for code in said]


def found(said: Mapping[str, Sequence[Word]], alarms: Iterable[Alarm], *, shared: bool) -> list[Silence]:
    """Which silences the alarms are about; without those that are possible and no more.

    `shared`: with several gateways a word may be overtaken by the next ones, and is then no news.
    """
    silences: list[Silence] = []
    known: set[tuple[str, int]] = set()
    for alarm in alarms:
        if alarm.rule != RULE:
            continue
        spoken = said.get(alarm.device, ())
        until = _ends(spoken, alarm, shared=shared)
        if until is None or not alarm.told or alarm.severity != "minor":
            silences.append((alarm.device, f"impossible: {alarm} after {spoken}"))
        elif until == len(spoken):
            silences.append((alarm.device, "silent still"))
        elif spoken[until].awaited:
            silences.append((alarm.device, f"silent before word {until}"))
        elif (alarm.device, until) in known:
            silences.append((alarm.device, f"silent twice before word {until}"))
        else:
            known.add((alarm.device, until))
    return silences


def orders(alarms: Iterable[Alarm]) -> list[Order]:
    """One order for each alarm of silence; cancelled when the device spoke again."""
    return [
        (alarm.device, alarm.rule, alarm.raised, "bin_repair", alarm.cleared is not None)
        for alarm in alarms
        if alarm.rule == RULE
    ]


def _ends(spoken: Sequence[Word], alarm: Alarm, *, shared: bool) -> int | None:
    """The word that ended a silence, or their number if none did; None if no history of words gives it."""
    possible = [
        end
        for last, word in enumerate(spoken)
        if word.has(alarm.raised - STALE)
        for end in range(last + 1, len(spoken) + 1 if shared else last + 2)
        if _is_end(spoken, end, alarm)
    ]
    awaited = [end for end in possible if end < len(spoken) and spoken[end].awaited]
    return min(awaited or possible, default=None)


def _is_end(spoken: Sequence[Word], end: int, alarm: Alarm) -> bool:
    if end == len(spoken):
        return alarm.cleared is None
    return alarm.cleared is not None and alarm.raised <= alarm.cleared and spoken[end].has(alarm.cleared)
