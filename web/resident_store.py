"""What residents' pages read beside bills and records: short rows of records, own units, whose a photo is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text


@dataclass(frozen=True, slots=True)
class RecordLine:
    """A record in a list."""

    record_id: int
    asset_id: int
    asset: Text
    completed_at: datetime


async def record_lines(conn: AsyncConnection, record_ids: Sequence[int]) -> dict[int, RecordLine]:
    """Read the short rows of some records, by id."""
    cursor = await conn.execute(
        """
        SELECT record.id, asset.id, asset.name_zh, asset.name_en, record.completed_at
          FROM maintenance_record AS record JOIN asset ON asset.id = record.asset_id
         WHERE record.id = ANY(%(ids)s)
        """,
        {"ids": list(record_ids)},
    )
    return {
        row[0]: RecordLine(row[0], row[1], Text(zh=row[2], en=row[3]), row[4])
        for row in await cursor.fetchall()
    }


async def units_of_party(conn: AsyncConnection, party_id: int) -> list[str]:
    """List the codes of the units somebody has or had."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT unit.code FROM occupancy JOIN unit ON unit.id = occupancy.unit_id
         WHERE occupancy.party_id = %(party_id)s ORDER BY unit.code
        """,
        {"party_id": party_id},
    )
    return [row[0] for row in await cursor.fetchall()]


async def records_of_orders(conn: AsyncConnection, order_ids: Sequence[int]) -> list[int]:
    """List the records that these orders led to."""
    cursor = await conn.execute(
        "SELECT id FROM maintenance_record WHERE order_id = ANY(%(ids)s) ORDER BY id",
        {"ids": list(order_ids)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def communities_of_orders(conn: AsyncConnection, order_ids: Sequence[int]) -> set[int]:
    """Return the communities these orders belong to."""
    cursor = await conn.execute(
        "SELECT DISTINCT community_id FROM work_order WHERE id = ANY(%(ids)s)", {"ids": list(order_ids)}
    )
    return {row[0] for row in await cursor.fetchall()}


async def has_order(conn: AsyncConnection, staff_id: int, order_ids: Sequence[int]) -> bool:
    """Tell whether a technician has, or was offered, one of these orders."""
    cursor = await conn.execute(
        """
        SELECT FROM work_order WHERE id = ANY(%(ids)s) AND assignee_id = %(staff_id)s
        UNION ALL
        SELECT FROM offer WHERE order_id = ANY(%(ids)s) AND staff_id = %(staff_id)s
        LIMIT 1
        """,
        {"ids": list(order_ids), "staff_id": staff_id},
    )
    return await cursor.fetchone() is not None
