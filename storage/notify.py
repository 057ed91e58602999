"""Word between processes: sent with the COMMIT that made it true, heard within milliseconds.

A word is a hint, never the truth: it may be missed while disconnected, so whoever listens also sweeps.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, cast

import msgspec
from psycopg import AsyncConnection, OperationalError, sql

from storage.pool import in_utc

CHANNEL = "clerestory"
IDS_IN_A_WORD = 300  # PostgreSQL takes at most 8000 bytes; a bigint has up to 19 digits
LONGEST_PAUSE = 2.0

Topic = Literal["reading", "alarm", "order", "outbox", "payment", "deadletter", "registry", "rules", "ticket"]
What = Literal[Topic, "connected", "reconnected"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """Something committed, by kind and ids. After "connected" and "reconnected" look at everything again."""

    what: What
    ids: tuple[int, ...] = ()
    community_id: int | None = None


async def notify(
    conn: AsyncConnection, what: Topic, ids: Sequence[int], community_id: int | None = None
) -> None:
    """Tell all listeners, if and when the caller's transaction commits."""
    await _say(conn, _words(what, ids, community_id))


async def notify_each(conn: AsyncConnection, what: Topic, keys: Iterable[tuple[int, int]]) -> None:
    """The same of things of several communities; keys are (community_id, id), and each is told once."""
    by_community: dict[int, list[int]] = {}
    for community_id, each in sorted(set(keys)):
        by_community.setdefault(community_id, []).append(each)
    words = [word for community_id, ids in by_community.items() for word in _words(what, ids, community_id)]
    if words:
        await _say(conn, words)


def _words(what: Topic, ids: Sequence[int], community_id: int | None) -> list[str]:
    return [
        msgspec.json.encode((what, community_id, list(ids[start : start + IDS_IN_A_WORD]))).decode()
        for start in range(0, max(len(ids), 1), IDS_IN_A_WORD)
    ]


async def _say(conn: AsyncConnection, words: Sequence[str]) -> None:
    await conn.execute(
        "SELECT pg_notify(%(channel)s, word) FROM unnest(%(words)s::text[]) AS word",
        {"channel": CHANNEL, "words": words},
    )


async def listen(url: str) -> AsyncGenerator[Change, None]:
    """Hear every change from now on; reconnects for ever, with a growing pause.

    The first item is "connected": what was committed before it may have gone unheard.
    """
    what: Literal["connected", "reconnected"] = "connected"
    pause = 0.05
    while True:
        try:
            conn = await AsyncConnection.connect(in_utc(url), autocommit=True)
            async with conn:
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                yield Change(what)
                what, pause = "reconnected", 0.05
                async with aclosing(conn.notifies()) as words:
                    async for word in words:
                        yield _parse(word.payload)
        except OperationalError as error:
            log.warning(
                "not listening to the database, trying again in %.2f s: %s", pause, str(error).strip()
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _parse(word: str) -> Change:
    what, community_id, ids = msgspec.json.decode(word, type=tuple[str, int | None, tuple[int, ...]])
    return Change(cast("What", what), ids, community_id)
