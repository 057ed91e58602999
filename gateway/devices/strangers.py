"""Strangers: who publishes without being registered, and the messages of theirs that wait for it.

Names come from whoever can publish, so there may be any number of them: a list looks at a bounded number of
names and messages, shows those heard last, and counts no further than `MOST_COUNTED`. Of all their messages
the newest `MOST_KEPT` are kept.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row

LOOKED_AT: Final = 5_000
MOST_NAMES: Final = 2_000
MOST_SHOWN: Final = 50
MOST_COUNTED: Final = 1_000
MOST_KEPT: Final = 1_000_000
NATIVE: Final = "clerestory/"
RADIO: Final = "eui/"


def speakers_of(community: str, code: str, dev_eui: str | None) -> list[str]:
    """The names by which a device's messages waited before it was registered."""
    return [f"{NATIVE}{community}/{code}", *([f"{RADIO}{dev_eui}"] if dev_eui else [])]


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who publishes and is not registered, with the last message; `count` stops at MOST_COUNTED."""

    speaker: str
    count: int
    first_at: datetime
    last_at: datetime
    topic: str
    payload: bytes
    ignored_at: datetime | None = None
    ignored_by: str = ""

    @property
    def dev_eui(self) -> str:
        """The DevEUI of a radio; empty for who speaks native."""
        return self.speaker.removeprefix(RADIO) if self.speaker.startswith(RADIO) else ""

    @property
    def community(self) -> str:
        """The code of the community in the topic; empty for a radio."""
        return self.speaker.split("/")[1] if self.speaker.startswith(NATIVE) else ""

    @property
    def code(self) -> str:
        """The name in the topic; empty for a radio."""
        return self.speaker.split("/", 2)[2] if self.speaker.startswith(NATIVE) else ""


_LATEST: LiteralString = """
    WITH RECURSIVE names (speaker) AS (  -- each name once, however often it was heard
        (SELECT speaker FROM dead_letter
          WHERE resolved_at IS NULL AND reason = 'unknown_device' ORDER BY speaker LIMIT 1)
        UNION ALL
        SELECT (SELECT dead_letter.speaker FROM dead_letter
                 WHERE resolved_at IS NULL AND reason = 'unknown_device'
                   AND dead_letter.speaker > names.speaker
                 ORDER BY dead_letter.speaker LIMIT 1)
          FROM names WHERE names.speaker IS NOT NULL
    ), recent AS (  -- and of more names than that, those heard last
        SELECT speaker FROM dead_letter
         WHERE resolved_at IS NULL AND reason = 'unknown_device'
         ORDER BY received_at DESC LIMIT %(looked_at)s
    ), heard AS (
        SELECT named.speaker, latest.received_at AS last_at
          FROM (SELECT speaker FROM (SELECT speaker FROM names LIMIT %(names)s) AS bounded
                 WHERE strpos(lower(speaker), lower(%(search)s)) > 0
                UNION
                SELECT speaker FROM recent WHERE strpos(lower(speaker), lower(%(search)s)) > 0
                UNION
                SELECT unnest(%(exact)s::text[]) WHERE %(search)s <> '') AS named
         CROSS JOIN LATERAL (
               SELECT received_at FROM dead_letter
                WHERE resolved_at IS NULL AND reason = 'unknown_device' AND speaker = named.speaker
                ORDER BY received_at DESC, id DESC LIMIT 1) AS latest
    ), chosen AS (
        SELECT heard.speaker, stranger_ignored.at AS ignored_at,
               coalesce(account.name, '') AS ignored_by
          FROM heard
          LEFT JOIN stranger_ignored ON stranger_ignored.speaker = heard.speaker
          LEFT JOIN account ON account.id = stranger_ignored.account_id
         WHERE (stranger_ignored.speaker IS NOT NULL) = %(ignored)s
           AND (heard.speaker LIKE 'eui/%%'
                OR split_part(heard.speaker, '/', 2) = ANY(%(communities)s))
         ORDER BY heard.last_at DESC, heard.speaker LIMIT %(most)s
    )
    SELECT chosen.speaker, counted.count, counted.first_at, latest.received_at AS last_at,
           latest.topic, latest.payload, chosen.ignored_at, chosen.ignored_by
      FROM chosen
     CROSS JOIN LATERAL (
           SELECT count(*) AS count, min(received_at) AS first_at FROM (
               SELECT received_at FROM dead_letter
                WHERE resolved_at IS NULL AND reason = 'unknown_device'
                  AND speaker = chosen.speaker
                ORDER BY received_at LIMIT %(counted)s) AS bounded) AS counted
     CROSS JOIN LATERAL (
           SELECT received_at, topic, payload FROM dead_letter
            WHERE resolved_at IS NULL AND reason = 'unknown_device' AND speaker = chosen.speaker
            ORDER BY received_at DESC, id DESC LIMIT 1) AS latest
     ORDER BY latest.received_at DESC, chosen.speaker
"""


async def latest(
    conn: AsyncConnection, communities: Collection[str], *, ignored: bool = False, search: str = ""
) -> list[Stranger]:
    """Who was heard last, newest first: radios, and those in topics of these communities.

    A search finds by a whole name (a code, a DevEUI) whoever waits, by a part of it among those heard last.
    """
    exact = [f"{NATIVE}{community}/{search}" for community in communities] + [f"{RADIO}{search.lower()}"]
    async with conn.cursor(row_factory=class_row(Stranger)) as cursor:
        await cursor.execute(
            _LATEST,
            {
                "looked_at": LOOKED_AT,
                "names": MOST_NAMES,
                "search": search,
                "exact": exact,
                "ignored": ignored,
                "communities": list(communities),
                "most": MOST_SHOWN,
                "counted": MOST_COUNTED,
            },
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a stranger."""

    id: int
    received_at: datetime
    topic: str
    payload: bytes


async def messages(conn: AsyncConnection, speaker: str, most: int) -> list[Message]:
    """The last messages of a stranger, newest first."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(
            """
            SELECT id, received_at, topic, payload FROM dead_letter
             WHERE resolved_at IS NULL AND reason = 'unknown_device' AND speaker = %(speaker)s
             ORDER BY received_at DESC, id DESC LIMIT %(most)s
            """,
            {"speaker": speaker, "most": most},
        )
        return await cursor.fetchall()


async def forget(conn: AsyncConnection, before: datetime, most: int = MOST_KEPT) -> int:
    """Forget strangers' messages received by a moment, and the oldest beyond `most`; how many those were."""
    cursor = await conn.execute(
        """
        DELETE FROM dead_letter
         WHERE resolved_at IS NULL AND reason = 'unknown_device'
           AND received_at <= greatest(
               %(before)s::timestamptz,
               (SELECT received_at FROM dead_letter
                 WHERE resolved_at IS NULL AND reason = 'unknown_device'
                 ORDER BY received_at DESC OFFSET %(most)s LIMIT 1))
        """,
        {"before": before, "most": most},
    )
    return cursor.rowcount


async def ignore(conn: AsyncConnection, speaker: str, now: datetime, account_id: int | None) -> None:
    """Show a stranger in the list no more; its messages wait on."""
    await conn.execute(
        """
        INSERT INTO stranger_ignored (speaker, at, account_id) VALUES (%(speaker)s, %(now)s, %(account)s)
        ON CONFLICT (speaker) DO NOTHING
        """,
        {"speaker": speaker, "now": now, "account": account_id},
    )


async def heed(conn: AsyncConnection, speaker: str) -> None:
    """Show an ignored stranger again."""
    await conn.execute("DELETE FROM stranger_ignored WHERE speaker = %(speaker)s", {"speaker": speaker})
