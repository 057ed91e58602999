"""Whom a changed row concerns: the SQL behind the live streams' filter."""

from collections.abc import Sequence

from psycopg import AsyncConnection


async def staff_of_orders(conn: AsyncConnection, ids: Sequence[int]) -> frozenset[tuple[str, int]]:
    """Return the technicians who have or were offered one of these orders."""
    cursor = await conn.execute(
        """
        SELECT assignee_id FROM work_order WHERE id = ANY(%(ids)s) AND assignee_id IS NOT NULL
        UNION
        SELECT staff_id FROM offer WHERE order_id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
    )
    return frozenset([("staff", row[0]) for row in await cursor.fetchall()])


async def parties_of_payments(conn: AsyncConnection, ids: Sequence[int]) -> frozenset[tuple[str, int]]:
    """Return the residents whose bills these payments pay."""
    cursor = await conn.execute(
        """
        SELECT bill.party_id FROM payment JOIN bill ON bill.id = payment.bill_id
         WHERE payment.id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
    )
    return frozenset([("party", row[0]) for row in await cursor.fetchall()])
