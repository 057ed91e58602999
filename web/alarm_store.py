"""What the pages of mutes and emergencies ask beside dispatch: places to choose from, and whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row

from config.text import Text
from dispatch.refusals import BadField


@dataclass(frozen=True, slots=True)
class Community:
    """A community to choose."""

    id: int
    code: str
    name_zh: str
    name_en: str

    @property
    def name(self) -> Text:
        return Text(zh=self.name_zh, en=self.name_en)


@dataclass(frozen=True, slots=True)
class Place:
    """A community, or one of its areas, as a form names it: `bund` or `bund/east`."""

    key: str
    community_id: int
    area_id: int | None
    name_zh: str
    name_en: str

    @property
    def name(self) -> Text:
        return Text(zh=self.name_zh, en=self.name_en)


async def communities(conn: AsyncConnection, seen: Sequence[int]) -> list[Community]:
    """Return these communities by name."""
    cursor = await conn.cursor(row_factory=class_row(Community)).execute(
        "SELECT id, code, name_zh, name_en FROM community WHERE id = ANY(%(seen)s) ORDER BY name_en, id",
        {"seen": list(seen)},
    )
    return await cursor.fetchall()


async def places(conn: AsyncConnection, seen: Sequence[int]) -> list[Place]:
    """Return these communities, each followed by its areas."""
    cursor = await conn.cursor(row_factory=class_row(Place)).execute(
        """
        SELECT key, community_id, area_id, name_zh, name_en
          FROM (SELECT c.code AS key, c.id AS community_id, NULL::int AS area_id, c.name_zh, c.name_en,
                       c.name_en AS sorted
                  FROM community AS c WHERE c.id = ANY(%(seen)s)
                UNION ALL
                SELECT c.code || '/' || r.code, c.id, r.id, c.name_zh || ' · ' || r.name_zh,
                       c.name_en || ' · ' || r.name_en, c.name_en
                  FROM area AS r JOIN community AS c ON c.id = r.community_id
                 WHERE c.id = ANY(%(seen)s)) AS found
         ORDER BY sorted, community_id, area_id NULLS FIRST
        """,
        {"seen": list(seen)},
    )
    return await cursor.fetchall()


async def place_of(conn: AsyncConnection, key: str, seen: Sequence[int]) -> Place | None:
    """Return the place a form names, None where it is none of these communities'."""
    return next((each for each in await places(conn, seen) if each.key == key), None)


async def asset_of(conn: AsyncConnection, place: Place, code: str) -> int:
    """Return the asset of this code in the place's community; raises BadField where there is none."""
    cursor = await conn.execute(
        """
        SELECT id FROM asset
         WHERE code = %(code)s AND community_id = %(community)s
           AND (%(area)s::int IS NULL OR area_id = %(area)s)
        """,
        {"code": code, "community": place.community_id, "area": place.area_id},
    )
    row = await cursor.fetchone()
    if row is None:
        raise BadField("asset", code, Text(zh="应为该处设备的编号", en="the code of an asset there"))
    return int(row[0])


async def may_lift(conn: AsyncConnection, mute_id: int, seen: Sequence[int]) -> bool:
    """Whether the mute is of one of these communities."""
    cursor = await conn.execute(
        "SELECT 1 FROM mute WHERE id = %(id)s AND community_id = ANY(%(seen)s)",
        {"id": mute_id, "seen": list(seen)},
    )
    return await cursor.fetchone() is not None
