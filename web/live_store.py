"""Whom a changed row concerns: the SQL behind the live streams' filter."""

from collections.abc import Sequence

from psycopg import AsyncConnection


async def people_of_orders(conn: AsyncConnection, ids: Sequence[int]) -> frozenset[tuple[str, int]]:
    """Return the technicians who have or were offered these orders, and the residents who asked for them."""
    cursor = await conn.execute(
        """
        SELECT 'staff', assignee_id FROM work_order WHERE id = ANY(%(ids)s) AND assignee_id IS NOT NULL
        UNION
        SELECT 'staff', staff_id FROM offer WHERE order_id = ANY(%(ids)s)
        UNION
        SELECT 'party', ticket.party_id FROM ticket_entry JOIN ticket ON ticket.id = ticket_entry.ticket_id
         WHERE ticket_entry.order_id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
    )
    return frozenset([(row[0], row[1]) for row in await cursor.fetchall()])


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


async def parties_of_tickets(conn: AsyncConnection, ids: Sequence[int]) -> frozenset[tuple[str, int]]:
    """Return the residents whose requests these are."""
    cursor = await conn.execute("SELECT party_id FROM ticket WHERE id = ANY(%(ids)s)", {"ids": list(ids)})
    return frozenset([("party", row[0]) for row in await cursor.fetchall()])
