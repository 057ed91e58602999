"""Orders that could not be looked after this time."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection


async def put_off(conn: AsyncConnection, order_ids: Sequence[int], until: datetime) -> None:
    """Look at these orders again at that time; nothing else about them changes."""
    await conn.execute(
        "UPDATE work_order SET due_at = %(until)s WHERE id = ANY(%(ids)s)",
        {"ids": list(order_ids), "until": until},
    )
