"""What becomes of alarms between the rules and people: held, told, and their history."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from dispatch.holds import Hold


async def hold(conn: AsyncConnection, holds: Mapping[int, Hold], now: datetime) -> None:
    """Keep people from these alarms, and write into the history of each why."""
    await conn.execute(
        """
        WITH given AS (
            SELECT *
              FROM jsonb_to_recordset(%(holds)s::jsonb) AS v (id bigint, because text, zh text, en text)
        ), held AS (
            UPDATE alarm AS m
               SET held_at = %(now)s, held_by = v.because, held_zh = v.zh, held_en = v.en, paged_at = NULL
              FROM given AS v WHERE m.id = v.id
            RETURNING m.id, m.community_id, m.severity, v.because, v.zh, v.en
        )
        INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity, why_zh, why_en)
        SELECT id, community_id, CASE because WHEN 'mute' THEN 'muted' ELSE 'held' END, %(now)s, %(now)s,
               severity, zh, en
          FROM held ORDER BY id
        """,
        {
            "now": now,
            "holds": msgspec.json.encode(
                [
                    {"id": alarm_id, "because": each.because, "zh": each.why.zh, "en": each.why.en}
                    for alarm_id, each in holds.items()
                ]
            ).decode(),
        },
    )


async def tell(conn: AsyncConnection, alarm_ids: Sequence[int], now: datetime) -> None:
    """Note that people are told of these alarms now, and that nothing holds them any more."""
    await conn.execute(
        """
        WITH freed AS (
            UPDATE alarm
               SET held_at = NULL, held_by = NULL, held_zh = '', held_en = '', paged_at = %(now)s
             WHERE id = ANY(%(ids)s) AND held_at IS NOT NULL
            RETURNING id
        )
        INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
        SELECT m.id, m.community_id, 'paged', told.at, told.at, m.severity
          FROM alarm AS m
          LEFT JOIN freed AS f ON f.id = m.id,
          LATERAL (SELECT CASE WHEN f.id IS NULL THEN coalesce(m.paged_at, %(now)s) ELSE %(now)s END AS at)
                  AS told
         WHERE m.id = ANY(%(ids)s)
         ORDER BY m.id
        """,
        {"ids": list(alarm_ids), "now": now},
    )


async def held(conn: AsyncConnection, after: int, limit: int) -> list[tuple[int, str]]:
    """List live alarms that are held, by id: (id, rule)."""
    cursor = await conn.execute(
        """
        SELECT id, rule FROM alarm
         WHERE held_at IS NOT NULL AND cleared_at IS NULL AND id > %(after)s
         ORDER BY id LIMIT %(limit)s
        """,
        {"after": after, "limit": limit},
    )
    return await cursor.fetchall()


async def lock_held(conn: AsyncConnection, alarm_ids: Iterable[int]) -> list[int]:
    """Lock those of these alarms that are still live and held, and that nobody else is changing."""
    cursor = await conn.execute(
        """
        SELECT id FROM alarm
         WHERE id = ANY(%(ids)s) AND held_at IS NOT NULL AND cleared_at IS NULL
         ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        """,
        {"ids": list(alarm_ids)},
    )
    return [alarm_id async for (alarm_id,) in cursor]


async def lock_told_without_order(conn: AsyncConnection, community_id: int) -> list[int]:
    """Lock the live alarms of a community that people were told of and for which no order is live."""
    cursor = await conn.execute(
        """
        SELECT m.id FROM alarm AS m
         WHERE m.community_id = %(community)s AND m.cleared_at IS NULL AND m.held_at IS NULL
           AND m.paged_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM alarm_order AS l WHERE l.alarm_id = m.id AND l.live)
         ORDER BY m.id FOR NO KEY UPDATE OF m SKIP LOCKED
        """,
        {"community": community_id},
    )
    return [alarm_id async for (alarm_id,) in cursor]


async def next_mute_end(conn: AsyncConnection, now: datetime) -> datetime | None:
    """Say when the next mute that stands now ends."""
    cursor = await conn.execute(
        "SELECT min(until) FROM mute WHERE lifted_at IS NULL AND until > %(now)s", {"now": now}
    )
    row = await cursor.fetchone()
    return row[0] if row else None
