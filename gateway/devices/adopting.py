"""Adopting: the worker takes what devices said before they were registered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from gateway.devices.strangers import MOST_COUNTED


async def take_what_waits(
    conn: AsyncConnection,
    speakers: Sequence[tuple[int, str]],
    now: datetime,
    account_id: int | None,
    until: datetime,
) -> None:
    """Have the worker take what devices said before they were registered, and watch for more until then.

    `speakers` are devices' ids with the names they went by. A gateway may be refusing a message in a
    transaction that began before this one: it is found a moment later.
    """
    names = [name for _, name in speakers]
    await conn.execute(
        """
        INSERT INTO adoption (device_id, speaker, asked_at, asked_by, watched_until)
        SELECT device_id, speaker, %(now)s, %(account)s, %(until)s
          FROM unnest(%(devices)s::int[], %(speakers)s::text[]) AS named (device_id, speaker)
        """,
        {
            "devices": [device_id for device_id, _ in speakers],
            "speakers": names,
            "now": now,
            "account": account_id,
            "until": until,
        },
    )
    await conn.execute("DELETE FROM stranger_ignored WHERE speaker = ANY(%(speakers)s)", {"speakers": names})


@dataclass(frozen=True, slots=True)
class Adoption:
    """A registration whose messages are being taken, or were."""

    id: int
    device_id: int
    speaker: str


async def claim(conn: AsyncConnection, now: datetime) -> Adoption | None:
    """Lock an adoption that has messages waiting, the longest waiting first; others skip it.

    One without any is marked as done.
    """
    await conn.execute(
        """
        UPDATE adoption SET done_at = %(now)s
         WHERE id IN (SELECT id FROM adoption
                       WHERE done_at IS NULL
                         AND NOT EXISTS (SELECT FROM dead_letter
                                          WHERE resolved_at IS NULL AND reason = 'unknown_device'
                                            AND dead_letter.speaker = adoption.speaker)
                         FOR UPDATE SKIP LOCKED)
        """,
        {"now": now},
    )
    async with conn.cursor(row_factory=class_row(Adoption)) as cursor:
        await cursor.execute(
            """
            SELECT id, device_id, speaker FROM adoption
             WHERE (done_at IS NULL OR watched_until > %(now)s)
               AND EXISTS (SELECT FROM dead_letter
                            WHERE resolved_at IS NULL AND reason = 'unknown_device'
                              AND dead_letter.speaker = adoption.speaker)
             ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
            """,
            {"now": now},
        )
        return await cursor.fetchone()


async def close(conn: AsyncConnection, adoption_id: int, now: datetime) -> None:
    """Look for no more messages: the device goes by another name meanwhile."""
    await conn.execute(
        "UPDATE adoption SET done_at = %(now)s, watched_until = %(now)s WHERE id = %(id)s",
        {"id": adoption_id, "now": now},
    )


async def next_letters(conn: AsyncConnection, speaker: str, most: int) -> list[int]:
    """The oldest messages of a name that wait for it to be registered, oldest first."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            SELECT id FROM dead_letter
             WHERE resolved_at IS NULL AND reason = 'unknown_device' AND speaker = %(speaker)s
             ORDER BY received_at, id LIMIT %(most)s
            """,
            {"speaker": speaker, "most": most},
        )
        return await cursor.fetchall()


async def count(conn: AsyncConnection, adoption_id: int, taken: int, refused: int) -> None:
    """Note how a batch of messages went."""
    await conn.execute(
        """
        UPDATE adoption SET taken = taken + %(taken)s, refused = refused + %(refused)s, done_at = NULL
         WHERE id = %(id)s
        """,
        {"id": adoption_id, "taken": taken, "refused": refused},
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the messages of a device are; `waiting` stops at MOST_COUNTED."""

    taken: int
    refused: int
    waiting: int
    done: bool


async def progress(conn: AsyncConnection, device_id: int) -> Progress | None:
    """How far the messages of a device are; None where it never had any waiting to be registered."""
    async with conn.cursor(row_factory=class_row(Progress)) as cursor:
        await cursor.execute(
            """
            WITH asked AS (SELECT taken, refused, speaker, done_at FROM adoption WHERE device_id = %(device)s)
            SELECT sum(taken)::int AS taken, sum(refused)::int AS refused,
                   (SELECT count(*) FROM (
                       SELECT FROM dead_letter
                        WHERE resolved_at IS NULL AND reason = 'unknown_device'
                          AND speaker IN (SELECT speaker FROM asked)
                        LIMIT %(most)s) AS bounded)::int AS waiting,
                   bool_and(done_at IS NOT NULL) AS done
              FROM asked
            HAVING count(*) > 0
            """,
            {"device": device_id, "most": MOST_COUNTED},
        )
        return await cursor.fetchone()
