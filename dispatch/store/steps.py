"""Orders that follow the severity of their alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from dispatch.order import Order


@dataclass(frozen=True, slots=True)
class Follower:
    """A live order of an alarm, and the area of its asset."""

    order_id: int
    area: str


async def followers(conn: AsyncConnection, alarm_ids: Sequence[int]) -> dict[int, Follower]:
    """Find, by alarm, the live orders that these alarms opened or joined; lock those first."""
    cursor = await conn.execute(
        """
        SELECT l.alarm_id, l.order_id, r.code
          FROM alarm_order AS l
          JOIN work_order AS o ON o.id = l.order_id
          JOIN asset AS a ON a.id = o.asset_id
          JOIN area AS r ON r.id = a.area_id
         WHERE l.live AND l.alarm_id = ANY(%(ids)s)
        """,
        {"ids": list(alarm_ids)},
    )
    return {alarm_id: Follower(order_id, area) async for alarm_id, order_id, area in cursor}


async def lift(conn: AsyncConnection, orders: Sequence[Order], now: datetime) -> None:
    """Store the severity and the deadlines of orders that the caller has locked; the worker looks at once."""
    await conn.execute(
        """
        UPDATE work_order AS o
           SET severity = v.severity, clock = v.clock, due_at = %(now)s, respond_by = v.respond_by,
               arrive_by = v.arrive_by, complete_by = v.complete_by
          FROM unnest(%(ids)s::bigint[], %(severities)s::text[], %(clocks)s::text[],
                      %(respond)s::timestamptz[], %(arrive)s::timestamptz[], %(complete)s::timestamptz[])
               AS v (id, severity, clock, respond_by, arrive_by, complete_by)
         WHERE o.id = v.id
        """,
        {
            "now": now,
            "ids": [order.id for order in orders],
            "severities": [order.severity for order in orders],
            "clocks": [order.clock for order in orders],
            "respond": [order.respond_by for order in orders],
            "arrive": [order.arrive_by for order in orders],
            "complete": [order.complete_by for order in orders],
        },
    )
