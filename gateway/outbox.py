"""Messages that leave: kept in the transaction that caused them, sent until the broker acknowledges."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message to publish. The same key sent again re-sends the same row instead of adding one."""

    key: str
    topic: str
    payload: str
