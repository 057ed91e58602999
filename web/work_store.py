"""What the technician's pages ask beyond dispatch's read models: how one stands to an order."""

from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from dispatch.status import Status


@dataclass(frozen=True, slots=True)
class Standing:
    """How a technician stands to an order they hold, or once held or were offered.

    `offer` is what became of their last offer; `record_id` the record, where they finished the work.
    """

    order_id: int
    number: str
    status: Status
    held: bool
    taken_by_other: bool
    offer: str | None
    record_id: int | None
    planned: bool


async def standing(conn: AsyncConnection, number: str, staff_id: int) -> Standing | None:
    """Return how they stand to the order; None where it never was theirs to know."""
    async with conn.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            """
            SELECT work_order.id AS order_id, work_order.number, work_order.status,
                   coalesce(work_order.assignee_id = %(staff)s, false) AS held,
                   coalesce(work_order.assignee_id <> %(staff)s, false) AS taken_by_other,
                   mine.status AS offer,
                   (SELECT max(id) FROM maintenance_record AS record
                     WHERE record.order_id = work_order.id AND record.staff_id = %(staff)s) AS record_id,
                   work_order.plan_id IS NOT NULL AS planned
              FROM work_order
              LEFT JOIN LATERAL (SELECT status FROM offer
                                  WHERE offer.order_id = work_order.id AND offer.staff_id = %(staff)s
                                  ORDER BY id DESC LIMIT 1) AS mine ON true
             WHERE work_order.number = %(number)s
               AND (mine.status IS NOT NULL OR work_order.assignee_id = %(staff)s)
            """,
            {"number": number, "staff": staff_id},
        )
        return await cursor.fetchone()


async def has_photo(conn: AsyncConnection, order_id: int, sha256: str) -> bool:
    """Whether the photo was kept with this order."""
    cursor = await conn.execute(
        "SELECT 1 FROM order_photo WHERE order_id = %(order_id)s AND sha256 = %(sha256)s",
        {"order_id": order_id, "sha256": sha256},
    )
    return await cursor.fetchone() is not None
