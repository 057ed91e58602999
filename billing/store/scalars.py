"""One number from the database."""

from collections.abc import Mapping

from psycopg import AsyncConnection
from psycopg.rows import scalar_row


async def number(conn: AsyncConnection, query: str, values: Mapping[str, object]) -> int:
    """Read the one number a query always returns."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, values)
        found: int = await cursor.fetchone()  # type: ignore[assignment]
        return found
