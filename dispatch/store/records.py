"""Maintenance records: the chain's head, a new link, and the links in order."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from dispatch.report import Stored

_STORED = """
    SELECT r.id, c.code AS community, r.seq, r.order_id, o.number AS order_number, r.asset_id, r.kind,
           r.staff_id, r.completed_at, r.body, r.prev_hash, r.hash, r.delivered, s.seq AS supersedes_seq
      FROM maintenance_record AS r
      JOIN community AS c ON c.id = r.community_id
      JOIN work_order AS o ON o.id = r.order_id
      LEFT JOIN maintenance_record AS s ON s.id = r.supersedes
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """An order's latest record."""

    id: int
    seq: int


async def lock_chain(conn: AsyncConnection, community_id: int) -> Head | None:
    """Wait until nobody else adds to the community's chain; its last record, None where it has none."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtext('clerestory record chain'), %(community)s)",
        {"community": community_id},
    )
    cursor = await conn.cursor(row_factory=class_row(Head)).execute(
        """
        SELECT seq, hash FROM maintenance_record
         WHERE community_id = %(community)s ORDER BY seq DESC LIMIT 1
        """,
        {"community": community_id},
    )
    return await cursor.fetchone()


async def latest_of_order(conn: AsyncConnection, order_id: int) -> Earlier | None:
    """Find the order's record, the last one where a reopened order has several."""
    cursor = await conn.cursor(row_factory=class_row(Earlier)).execute(
        "SELECT id, seq FROM maintenance_record WHERE order_id = %(order)s ORDER BY seq DESC LIMIT 1",
        {"order": order_id},
    )
    return await cursor.fetchone()


async def insert(conn: AsyncConnection, fields: dict[str, Any]) -> int:
    """Add a record; its id."""
    cursor = await conn.execute(
        """
        INSERT INTO maintenance_record (community_id, seq, order_id, asset_id, kind, staff_id, completed_at,
                                        body, prev_hash, hash, delivered, supersedes)
        VALUES (%(community_id)s, %(seq)s, %(order_id)s, %(asset_id)s, %(kind)s, %(staff_id)s,
                %(completed_at)s, %(body)s, %(prev_hash)s, %(hash)s, %(delivered)s,
                %(supersedes)s)
        RETURNING id
        """,
        fields,
    )
    (record_id,) = await cursor.fetchone() or (0,)
    return int(record_id)


async def facts_for(conn: AsyncConnection, order_id: int) -> dict[str, Any]:
    """Read what a record copies from elsewhere: asset, technician, the plan's next due date."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT a.id AS asset_id, a.code AS asset_code, a.class AS asset_class, a.name_zh, a.name_en,
               a.place_zh, a.place_en, s.id AS staff_id, s.code AS staff_code, s.name AS staff_name,
               n.due_on + p.every_days AS next_due, o.checklist,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'title', jsonb_build_object('zh', m.title_zh, 'en', m.title_en),
                           'asset', jsonb_build_object('id', x.id, 'code', x.code,
                                        'name', jsonb_build_object('zh', x.name_zh, 'en', x.name_en)))
                         ORDER BY m.id), '[]')
                  FROM alarm_order AS l
                  JOIN alarm AS m ON m.id = l.alarm_id
                  JOIN asset AS x ON x.id = m.asset_id
                 WHERE l.order_id = o.id) AS alarms
          FROM work_order AS o
          JOIN asset AS a ON a.id = o.asset_id
          JOIN staff AS s ON s.id = o.assignee_id
          LEFT JOIN plan_run AS n ON n.order_id = o.id
          LEFT JOIN plan AS p ON p.id = n.plan_id
         WHERE o.id = %(order)s
        """,
        {"order": order_id},
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"order {order_id} has no asset or nobody holds it")
    next_due: date | None = row["next_due"]
    return {**row, "next_due": next_due}


async def chain(conn: AsyncConnection, community_id: int, upto: int | None = None) -> AsyncIterator[Stored]:
    """Walk a community's chain from its first record, without holding it in memory."""
    async with conn.cursor(name="chain", row_factory=class_row(Stored)) as cursor:
        await cursor.execute(
            _STORED
            + """
             WHERE r.community_id = %(community)s AND (%(upto)s::bigint IS NULL OR r.seq <= %(upto)s)
             ORDER BY r.seq
            """,
            {"community": community_id, "upto": upto},
        )
        async for record in cursor:
            yield record


async def around(conn: AsyncConnection, record_id: int) -> list[Stored]:
    """Read a record between its two neighbours, in order of the chain."""
    cursor = await conn.cursor(row_factory=class_row(Stored)).execute(
        _STORED
        + """
          JOIN maintenance_record AS t ON t.id = %(id)s
         WHERE r.community_id = t.community_id AND r.seq BETWEEN t.seq - 1 AND t.seq + 1
         ORDER BY r.seq
        """,
        {"id": record_id},
    )
    return await cursor.fetchall()


async def communities(conn: AsyncConnection, code: str | None) -> list[tuple[int, str]]:
    """List the communities, or the one of this code."""
    cursor = await conn.execute(
        "SELECT id, code FROM community WHERE %(code)s::text IS NULL OR code = %(code)s ORDER BY code",
        {"code": code},
    )
    return await cursor.fetchall()


async def photo_misfit(conn: AsyncConnection, hashes: list[str]) -> str | None:
    """Find the first of these photos that is missing or whose content is not what its hash says."""
    cursor = await conn.execute(
        """
        SELECT wanted.sha256
          FROM unnest(%(hashes)s::text[]) WITH ORDINALITY AS wanted (sha256, place)
          LEFT JOIN photo AS p ON p.sha256 = wanted.sha256 AND encode(sha256(p.content), 'hex') = p.sha256
         WHERE p.sha256 IS NULL
         ORDER BY wanted.place LIMIT 1
        """,
        {"hashes": hashes},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def finished_without_record(conn: AsyncConnection, community_id: int) -> str | None:
    """Find an order that is finished although its record is gone."""
    cursor = await conn.execute(
        """
        SELECT o.number FROM work_order AS o
         WHERE o.community_id = %(community)s AND o.status IN ('completed', 'verified', 'closed')
           AND NOT EXISTS (SELECT FROM maintenance_record AS r WHERE r.order_id = o.id)
         ORDER BY o.id LIMIT 1
        """,
        {"community": community_id},
    )
    row = await cursor.fetchone()
    return row[0] if row else None
