"""Photos and the orders they belong to."""

from datetime import datetime

from psycopg import AsyncConnection


async def keep(
    conn: AsyncConnection, order_id: int, sha256: str, mime: str, content: bytes, now: datetime
) -> None:
    """Store a photo once, and that it belongs to the order."""
    await conn.execute(
        """
        INSERT INTO photo (sha256, mime, content) VALUES (%(sha)s, %(mime)s, %(content)s)
        ON CONFLICT (sha256) DO NOTHING
        """,
        {"sha": sha256, "mime": mime, "content": content},
    )
    await conn.execute(
        """
        INSERT INTO order_photo (order_id, sha256, taken_at) VALUES (%(order)s, %(sha)s, %(now)s)
        ON CONFLICT (order_id, sha256) DO NOTHING
        """,
        {"order": order_id, "sha": sha256, "now": now},
    )


async def of_order(conn: AsyncConnection, order_id: int) -> list[str]:
    """List the hashes of an order's photos, oldest first."""
    cursor = await conn.execute(
        "SELECT sha256 FROM order_photo WHERE order_id = %(order)s ORDER BY taken_at, sha256",
        {"order": order_id},
    )
    return [sha async for (sha,) in cursor]
