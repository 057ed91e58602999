"""Names of places and devices for a foresight."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from config.text import Text


async def places(conn: AsyncConnection, area_ids: Sequence[int]) -> dict[int, tuple[str, Text]]:
    """The community's code and the area's name of each area."""
    cursor = await conn.execute(
        """
        SELECT r.id, c.code, r.name_zh, r.name_en FROM area r
          JOIN community c ON c.id = r.community_id WHERE r.id = ANY(%(ids)s)
        """,
        {"ids": list(area_ids)},
    )
    return {int(id_): (code, Text(zh=zh, en=en)) for id_, code, zh, en in await cursor.fetchall()}


async def names(conn: AsyncConnection, device_ids: Sequence[int]) -> dict[int, tuple[str, str, Text]]:
    """The community's code, the device's code and its asset's name of each device."""
    cursor = await conn.execute(
        """
        SELECT d.id, c.code, d.code, coalesce(a.name_zh, d.code), coalesce(a.name_en, d.code) FROM device d
          JOIN community c ON c.id = d.community_id
          LEFT JOIN asset a ON a.id = d.asset_id WHERE d.id = ANY(%(ids)s)
        """,
        {"ids": list(device_ids)},
    )
    return {
        int(id_): (community, code, Text(zh=zh, en=en))
        for id_, community, code, zh, en in await cursor.fetchall()
    }
