"""Technicians as the matching needs them."""

from collections.abc import Sequence
from datetime import date, time
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from dispatch.roster import Shift, Technician


async def one_matching_at_a_time(conn: AsyncConnection) -> None:
    """Wait for other matchings, so that nobody's load is counted while it changes."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('clerestory dispatch matching'))")


async def technicians(
    conn: AsyncConnection, *, on_hold_counts: bool, staff_ids: Sequence[int] | None = None
) -> list[Technician]:
    """Read the technicians, or only some, with what they have in hand."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        WITH hand AS (
            SELECT assignee_id AS staff_id, community_id, area_id, status <> 'on_hold' OR %(holds)s AS counts
              FROM work_order
             WHERE status IN ('accepted', 'en_route', 'in_progress', 'on_hold')
            UNION ALL
            SELECT f.staff_id, o.community_id, o.area_id, true
              FROM offer AS f
              JOIN work_order AS o ON o.id = f.order_id
             WHERE f.status = 'offered'
        )
        SELECT s.id, s.code, s.name, s.phone, s.left_on,
               (SELECT json_agg(json_build_array(k.skill, k.licence_expires)) FROM staff_skill AS k
                 WHERE k.staff_id = s.id) AS skills,
               (SELECT array_agg(r.area_id) FROM staff_area AS r WHERE r.staff_id = s.id) AS areas,
               (SELECT json_agg(json_build_array(h.weekday, h.starts, h.ends)) FROM shift AS h
                 WHERE h.staff_id = s.id) AS shifts,
               (SELECT count(*) FROM hand AS d WHERE d.staff_id = s.id AND d.counts) AS load,
               (SELECT json_agg(DISTINCT array[d.community_id, d.area_id]) FROM hand AS d
                 WHERE d.staff_id = s.id) AS at
          FROM staff AS s
         WHERE EXISTS (SELECT FROM staff_skill AS k WHERE k.staff_id = s.id)
           AND (%(ids)s::int[] IS NULL OR s.id = ANY(%(ids)s))
         ORDER BY s.id
        """,
        {"holds": on_hold_counts, "ids": None if staff_ids is None else list(staff_ids)},
    )
    return [_technician(row) async for row in cursor]


async def familiar(conn: AsyncConnection, order_ids: Sequence[int]) -> dict[int, frozenset[int]]:
    """Find who worked on these orders' assets last, or had the very order before."""
    cursor = await conn.execute(
        """
        SELECT o.id, f.staff_id
          FROM work_order AS o
          JOIN offer AS f ON f.order_id = o.id AND f.round < o.round AND f.status = 'accepted'
         WHERE o.id = ANY(%(ids)s)
        UNION
        SELECT o.id, m.staff_id
          FROM work_order AS o
         CROSS JOIN LATERAL (SELECT staff_id FROM maintenance_record
                              WHERE asset_id = o.asset_id ORDER BY completed_at DESC LIMIT 3) AS m
         WHERE o.id = ANY(%(ids)s)
        """,
        {"ids": list(order_ids)},
    )
    known: dict[int, set[int]] = {order_id: set() for order_id in order_ids}
    async for order_id, staff_id in cursor:
        known[order_id].add(staff_id)
    return {order_id: frozenset(people) for order_id, people in known.items()}


def _technician(row: dict[str, Any]) -> Technician:
    return Technician(
        staff_id=row["id"],
        code=row["code"],
        name=row["name"],
        phone=row["phone"],
        skills={
            skill: date.fromisoformat(expires) if expires else None for skill, expires in row["skills"] or ()
        },
        areas=frozenset(row["areas"] or ()),
        shifts=tuple(_shift(*shift) for shift in row["shifts"] or ()),
        load=row["load"],
        at=frozenset((community, area) for community, area in row["at"] or ()),
        left_on=row["left_on"],
    )


def _shift(weekday: int, starts: str, ends: str) -> Shift:
    return Shift(weekday, _time(starts), _time(ends))


def _time(text: str) -> time:
    # PostgreSQL knows 24:00:00 as the end of a day; for a shift that is the next day's 00:00.
    return time(0) if text.startswith("24:") else time.fromisoformat(text)
