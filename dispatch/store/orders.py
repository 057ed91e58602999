"""Orders: open, lock, read, write."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from config.text import Text
from dispatch.order import Order

_ORDER: LiteralString = """
    SELECT o.id, o.number, o.community_id, c.code AS community, c.timezone AS zone, o.asset_id, o.area_id,
           o.alarm_id,
           o.plan_id, o.kind, o.skill, o.severity, o.title_zh, o.title_en, a.name_zh, a.name_en,
           a.place_zh, a.place_en,
           o.opened_at, o.clock, o.cancel_on_clear, o.status, o.assignee_id, o.round,
           o.respond_by, o.arrive_by, o.progress_by, o.complete_by, o.paused_at, o.held_at, o.hold_reason,
           o.settled_at, o.merged_into, o.escalation_cause AS cause, o.escalation_step AS step,
           o.escalated_at,
           o.escalation_zh, o.escalation_en, o.due_at,
           (SELECT CASE WHEN bool_and(k.id IS NOT NULL) THEN min(k.until) END
              FROM alarm_order AS l
              JOIN alarm AS m ON m.id = l.alarm_id AND m.cleared_at IS NULL
              LEFT JOIN alarm_ack AS k
                ON k.alarm_id = m.id AND k.ended_at IS NULL AND k.expired_at IS NULL
             WHERE l.order_id = o.id) AS quiet_until
      FROM work_order AS o
      JOIN community AS c ON c.id = o.community_id
      JOIN asset AS a ON a.id = o.asset_id
"""
_LOCKED_LIVE_OF_ALARMS: LiteralString = """
     WHERE o.id IN (SELECT l.order_id FROM alarm_order AS l WHERE l.live AND l.alarm_id = ANY(%(ids)s))
     ORDER BY o.id FOR NO KEY UPDATE OF o
"""


def place_text(row: dict[str, Any]) -> Text:
    """Join an asset's name and its place."""
    return Text(
        zh=" · ".join(part for part in (row["place_zh"], row["name_zh"]) if part),
        en=" · ".join(part for part in (row["place_en"], row["name_en"]) if part),
    )


def _order(row: dict[str, Any]) -> Order:
    """An order from a row of that query."""
    fields = {name: value for name, value in row.items() if not name.endswith(("_zh", "_en"))}
    return Order(
        **fields,
        title=Text(zh=row["title_zh"], en=row["title_en"]),
        escalation=Text(zh=row["escalation_zh"], en=row["escalation_en"]),
        place=place_text(row),
    )


async def place_of(conn: AsyncConnection, asset_id: int) -> dict[str, Any] | None:
    """Read what opening an order needs to know about its asset: community, area, names, zone."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT a.community_id, a.area_id, c.code AS community, c.timezone AS zone, r.code AS area,
               r.name_zh AS area_zh, r.name_en AS area_en, a.code, a.class, a.name_zh, a.name_en,
               a.place_zh, a.place_en
          FROM asset AS a
          JOIN area AS r ON r.id = a.area_id
          JOIN community AS c ON c.id = a.community_id
         WHERE a.id = %(asset)s
        """,
        {"asset": asset_id},
    )
    return await cursor.fetchone()


async def insert(conn: AsyncConnection, fields: dict[str, Any]) -> int:
    """Add an order; its id. `fields` are the columns, `day` the date in its number."""
    cursor = await conn.execute(
        """
        INSERT INTO work_order (
            community_id, number, alarm_id, plan_id, asset_id, area_id, kind, skill, severity, title_zh,
            title_en,
            what_zh, what_en, todo_zh, todo_en, safety_zh, safety_en, checklist, cancel_on_clear,
            opened_at, opened_by,
            respond_by, arrive_by, complete_by, clock, due_at)
        VALUES (
            %(community_id)s, 'W' || %(day)s || '-' || lpad(nextval('work_order_number')::text, 6, '0'),
            %(alarm_id)s, %(plan_id)s, %(asset_id)s, %(area_id)s, %(kind)s, %(skill)s, %(severity)s,
            %(title_zh)s, %(title_en)s, %(what_zh)s, %(what_en)s, %(todo_zh)s, %(todo_en)s, %(safety_zh)s,
            %(safety_en)s,
            %(checklist)s, %(cancel_on_clear)s, %(opened_at)s, %(opened_by)s,
            %(respond_by)s, %(arrive_by)s, %(complete_by)s, %(clock)s, %(due_at)s)
        RETURNING id
        """,
        {**fields, "checklist": Jsonb(fields["checklist"])},
    )
    (order_id,) = await cursor.fetchone() or (0,)
    return int(order_id)


async def lock(conn: AsyncConnection, order_id: int) -> Order | None:
    """Read one order and keep others from moving it until the transaction ends."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _ORDER + " WHERE o.id = %(id)s FOR NO KEY UPDATE OF o", {"id": order_id}
    )
    row = await cursor.fetchone()
    return _order(row) if row else None


async def lock_of_alarms(conn: AsyncConnection, alarm_ids: Sequence[int]) -> dict[int, Order]:
    """Lock the live orders of some alarms, in the order of their ids whoever else does the same."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _ORDER + _LOCKED_LIVE_OF_ALARMS, {"ids": list(alarm_ids)}
    )
    return {row["id"]: _order(row) async for row in cursor}


async def read(conn: AsyncConnection, order_id: int) -> Order | None:
    """Read one order without keeping others from it."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _ORDER + " WHERE o.id = %(id)s", {"id": order_id}
    )
    row = await cursor.fetchone()
    return _order(row) if row else None


async def read_held(conn: AsyncConnection, order_ids: Sequence[int]) -> list[Order]:
    """Read those of these orders that somebody has."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _ORDER + " WHERE o.id = ANY(%(ids)s) AND o.assignee_id IS NOT NULL ORDER BY o.id",
        {"ids": list(order_ids)},
    )
    return [_order(row) async for row in cursor]


async def claim_due(conn: AsyncConnection, now: datetime, limit: int) -> list[Order]:
    """Lock orders that are due and that nobody else is moving, longest due first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _ORDER
        + """
         WHERE o.due_at <= %(now)s
         ORDER BY o.due_at, o.id
         LIMIT %(limit)s
           FOR NO KEY UPDATE OF o SKIP LOCKED
        """,
        {"now": now, "limit": limit},
    )
    return [_order(row) async for row in cursor]


async def next_due(conn: AsyncConnection) -> datetime | None:
    """Say when the next order is due."""
    cursor = await conn.execute("SELECT min(due_at) FROM work_order WHERE due_at IS NOT NULL")
    row = await cursor.fetchone()
    return row[0] if row else None


async def write(conn: AsyncConnection, before: Order, after: Order) -> bool:
    """Store what a decision made of an order; False where its status is no longer what was decided on."""
    cursor = await conn.execute(
        """
        UPDATE work_order
           SET status = %(status)s, assignee_id = %(assignee)s, round = %(round)s, respond_by = %(respond)s,
               arrive_by = %(arrive)s, progress_by = %(progress)s, complete_by = %(complete)s,
               paused_at = %(paused)s,
               held_at = %(held)s, hold_reason = %(reason)s, settled_at = %(settled)s, merged_into = %(into)s,
               escalation_cause = %(cause)s, escalation_step = %(step)s, escalated_at = %(escalated)s,
               escalation_zh = %(zh)s, escalation_en = %(en)s, due_at = %(due)s
         WHERE id = %(id)s AND status = %(was)s
        RETURNING id
        """,
        {
            "id": before.id,
            "was": before.status,
            "status": after.status,
            "assignee": after.assignee_id,
            "round": after.round,
            "respond": after.respond_by,
            "arrive": after.arrive_by,
            "progress": after.progress_by,
            "complete": after.complete_by,
            "paused": after.paused_at,
            "held": after.held_at,
            "reason": after.hold_reason,
            "settled": after.settled_at,
            "into": after.merged_into,
            "cause": after.cause,
            "step": after.step,
            "escalated": after.escalated_at,
            "zh": after.escalation.zh,
            "en": after.escalation.en,
            "due": after.due_at,
        },
    )
    return await cursor.fetchone() is not None


async def staff_code(conn: AsyncConnection, staff_ids: Sequence[int]) -> dict[int, str]:
    """Read staff codes."""
    cursor = await conn.execute(
        "SELECT id, code FROM staff WHERE id = ANY(%(ids)s)", {"ids": list(staff_ids)}
    )
    return {staff_id: code async for staff_id, code in cursor}
