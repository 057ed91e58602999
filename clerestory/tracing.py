"""One id from a message to what came of it: kept on the alarm, read by its orders, said in every log line.

The id is the beginning of the message's digest, which a dead letter of the same message has, too. So it needs
no room in the message, a message that comes again has the id it had, and it is only worked out where
something came of the message.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import monotonic
from typing import Final

from psycopg import AsyncConnection

from gateway.deadletters import DeadLetter
from gateway.delivery import Delivery
from gateway.signals import Heard
from rules import trace_store
from rules.changes import AlarmChange

DIGITS: Final = 16
WINDOW_SECONDS: Final = 10.0
MOST_LINES: Final = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Traced:
    """What was found about an alarm, and by which message's id; "" where a rule ended by itself."""

    change: AlarmChange
    trace: str


def trace_of(delivery: Delivery) -> str:
    """Give a message's id."""
    return digest_of(delivery.topic, delivery.payload)


def digest_of(topic: str, payload: bytes) -> str:
    """Give the id of a message of these bytes on this topic."""
    return sha256(topic.encode() + b"\0" + payload).hexdigest()[:DIGITS]


def minted(change: AlarmChange) -> str:
    """Give the id of a finding that no message made, as a silence: the same however often it is found."""
    said = f"{change.community_id}/{change.device_id}/{change.rule.code}@{change.at.isoformat()}"
    return digest_of(said, b"")


def cause(moment: datetime, of_device: Sequence[tuple[Heard, Delivery]]) -> Delivery | None:
    """Say which of a device's messages made a finding: the one of its moment, else the last. Pure."""
    for said, delivery in of_device:
        if _speaks_of(said, moment):
            return delivery
    return of_device[-1][1] if of_device else None


def _speaks_of(said: Heard, moment: datetime) -> bool:
    return any(each.ts == moment for each in said.measured) or any(each.ts == moment for each in said.events)


async def mark(
    conn: AsyncConnection, changes: Sequence[AlarmChange], heard: Sequence[tuple[Heard, Delivery]] = ()
) -> list[Traced]:
    """Keep on each alarm the id of what raised it, before anybody acts on it."""
    found = []
    by_device: dict[int, list[tuple[Heard, Delivery]]] = {change.device_id: [] for change in changes}
    for each in heard:
        if each[0].device.device_id in by_device:
            by_device[each[0].device.device_id].append(each)
    for change in changes:
        message = cause(change.at, by_device[change.device_id])
        found.append(Traced(change, minted(change) if message is None else trace_of(message)))
    raised = {one.change.alarm_id: one.trace for one in found if one.change.kind != "cleared"}
    if raised:
        await trace_store.mark(conn, raised)
    return found


def tell(found: Sequence[Traced]) -> None:
    """Say in the log what was found, once it is committed."""
    for each in found:
        change = each.change
        log.info(
            "alarm %d %s: %s",
            change.alarm_id,
            change.kind,
            change.rule.code,
            extra={"trace": each.trace, "alarm": change.alarm_id, "device": change.device_id},
        )


class RefusalLog:
    """Says which messages were refused; a flood of them is summed up."""

    def __init__(self) -> None:
        self._since = float("-inf")
        self._lines = 0
        self._more = 0

    def tell(self, letters: Sequence[DeadLetter]) -> None:
        """Say it in the log, once the dead letters are committed."""
        if monotonic() - self._since > WINDOW_SECONDS:
            if self._more:
                log.warning("%d more messages were refused; see clerestory deadletters list", self._more)
            self._since, self._lines, self._more = monotonic(), 0, 0
        for letter in letters:
            if self._lines >= MOST_LINES:
                self._more += 1
                continue
            self._lines += 1
            log.warning(
                "message refused: %s: %s",
                letter.reason,
                letter.detail,
                extra={"trace": digest_of(letter.topic, letter.payload), "topic": letter.topic},
            )
