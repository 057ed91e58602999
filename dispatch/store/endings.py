"""Orders whose alarms are over, or whose work another order does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.status import UNACCEPTED


@dataclass(frozen=True, slots=True)
class EndedAlarm:
    """An alarm that has ended, the order it belongs to, and how many of the order's alarms still live."""

    order_id: int
    alarm_id: int
    title: Text
    still: int
    of: int


async def ended_alarms(conn: AsyncConnection, alarm_ids: Sequence[int]) -> list[EndedAlarm]:
    """Read of some ended alarms the live orders they belong to; lock those first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT l.order_id, m.id AS alarm_id, m.title_zh, m.title_en, n.still, n.of
          FROM alarm_order AS l
          JOIN alarm AS m ON m.id = l.alarm_id
          JOIN LATERAL (
               SELECT count(*) FILTER (WHERE x.cleared_at IS NULL AND NOT x.id = ANY(%(ids)s)) AS still,
                      count(*) AS of
                 FROM alarm_order AS k JOIN alarm AS x ON x.id = k.alarm_id
                WHERE k.order_id = l.order_id) AS n ON true
         WHERE l.live AND l.alarm_id = ANY(%(ids)s)
         ORDER BY l.order_id, m.id
        """,
        {"ids": list(alarm_ids)},
    )
    return [
        EndedAlarm(
            row["order_id"],
            row["alarm_id"],
            Text(zh=row["title_zh"], en=row["title_en"]),
            row["still"],
            row["of"],
        )
        async for row in cursor
    ]


async def cancel(conn: AsyncConnection, order_ids: Sequence[int]) -> None:
    """End orders that the caller has locked, and that nobody holds, without work."""
    await conn.execute(
        """
        UPDATE work_order
           SET status = 'cancelled', progress_by = NULL, paused_at = NULL, held_at = NULL, hold_reason = NULL,
               escalation_cause = NULL, escalation_step = 0, escalated_at = NULL, escalation_zh = '',
               escalation_en = '', due_at = NULL
         WHERE id = ANY(%(ids)s) AND status = ANY(%(unaccepted)s)
        """,
        {"ids": list(order_ids), "unaccepted": sorted(UNACCEPTED)},
    )


async def hand_over(conn: AsyncConnection, order_id: int, into: int, now: datetime) -> None:
    """Give the alarms of an order that is merged to the one that does its work."""
    await conn.execute("UPDATE alarm_order SET live = false WHERE order_id = %(id)s", {"id": order_id})
    await conn.execute(
        """
        INSERT INTO alarm_order (order_id, alarm_id, at, live)
        SELECT %(into)s, l.alarm_id, %(now)s, true FROM alarm_order AS l
         WHERE l.order_id = %(id)s
        ON CONFLICT DO NOTHING
        """,
        {"id": order_id, "into": into, "now": now},
    )
