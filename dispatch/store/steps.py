"""Orders that follow the severity of their alarm."""

from collections.abc import Mapping
from datetime import datetime

from psycopg import AsyncConnection

from dispatch.status import Severity


async def live_order_of(conn: AsyncConnection, alarm_id: int) -> int | None:
    """Find the order that is not over and that the alarm opened or joined."""
    cursor = await conn.execute(
        "SELECT order_id FROM alarm_order WHERE alarm_id = %(alarm)s AND live", {"alarm": alarm_id}
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def lift(
    conn: AsyncConnection,
    order_id: int,
    severity: Severity,
    clock: str,
    deadlines: Mapping[str, datetime | None],
    now: datetime,
) -> None:
    """Make an order more severe and no deadline later than these; the worker looks at it at once."""
    await conn.execute(
        """
        UPDATE work_order
           SET severity = %(severity)s, clock = %(clock)s, due_at = %(now)s,
               respond_by = least(respond_by, %(respond)s), arrive_by = least(arrive_by, %(arrive)s),
               complete_by = least(complete_by, %(complete)s)
         WHERE id = %(id)s
        """,
        {"id": order_id, "severity": severity, "clock": clock, "now": now, **deadlines},
    )
