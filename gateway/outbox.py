"""Messages that leave: kept in the transaction that caused them, sent until the broker acknowledges."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection

from gateway import store
from gateway.store import Waiting
from storage.notify import notify

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One message to publish. The same key sent again re-sends the same row instead of adding one."""

    key: str
    topic: str
    payload: str


async def enqueue(conn: AsyncConnection, messages: Sequence[OutboxMessage], now: datetime) -> list[int]:
    """Keep messages to send, in the caller's transaction, and tell the workers; gives their ids."""
    if not messages:
        return []
    # Each key once, the last one said, in an order all writers share: two of them then never deadlock.
    unique = sorted({message.key: message for message in messages}.values(), key=lambda message: message.key)
    ids = await store.enqueue(conn, unique, now)
    await notify(conn, "outbox", ids)
    return ids


async def claim(conn: AsyncConnection, now: datetime, limit: int = 200) -> list[Waiting]:
    """Take what is due, oldest first; what is not marked delivered is due again later, ever less often.

    Commit before publishing: then no lock is held while the broker takes its time, and two workers never send
    the same message at once.
    """
    return await store.claim_outbox(conn, now, limit, FIRST_PAUSE, LONGEST_PAUSE)


async def delivered(conn: AsyncConnection, ids: Sequence[int], now: datetime) -> None:
    """Note that the broker acknowledged these messages."""
    await store.outbox_delivered(conn, ids, now)


async def next_due(conn: AsyncConnection) -> datetime | None:
    """Say when there is something to send next; None when nothing waits."""
    return await store.next_outbox_try(conn)
