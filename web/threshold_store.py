"""Thresholds of communities, areas and assets: what is set where, setting it, and who set what before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from web.alarm_store import Place

Value = bool | float | str


@dataclass(frozen=True, slots=True)
class Levels:
    """What is set for one asset class at each level, the outermost first."""

    community: dict[str, Any]
    area: dict[str, Any]
    asset: dict[str, Any]
    asset_id: int | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An area or an asset of the community with values of its own."""

    key: str
    asset: str | None
    name_zh: str
    name_en: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one threshold."""

    id: int
    key: str
    asset: str | None
    place: str
    asset_class: str
    name: str
    was: Any
    becomes: Any
    at: datetime
    who: str


async def lock(conn: AsyncConnection, community_id: int) -> None:
    """Let nobody else change a community's thresholds until this transaction ends."""
    await conn.execute("SELECT FROM community WHERE id = %(id)s FOR NO KEY UPDATE", {"id": community_id})


async def levels(conn: AsyncConnection, place: Place, asset_class: str, asset: str) -> Levels | None:
    """What is set for a place, and for an asset of it where one is named; None where that is not there."""
    cursor = await conn.execute(
        """
        SELECT coalesce(c.thresholds -> %(class)s, '{}'), coalesce(r.thresholds -> %(class)s, '{}'),
               coalesce(a.attributes, '{}'), a.id
          FROM community AS c
          LEFT JOIN asset AS a ON a.community_id = c.id AND a.code = %(asset)s AND a.class = %(class)s
           AND (%(area)s::int IS NULL OR a.area_id = %(area)s)
          LEFT JOIN area AS r ON r.id = coalesce(a.area_id, %(area)s)
         WHERE c.id = %(community)s
        """,
        {"class": asset_class, "asset": asset, "area": place.area_id, "community": place.community_id},
    )
    row = await cursor.fetchone()
    if row is None or (asset and row[3] is None):
        return None
    return Levels(*row)


async def elsewhere(
    conn: AsyncConnection, place: Place, asset_class: str, names: Sequence[str], most: int
) -> list[Elsewhere]:
    """Areas and assets of the place's community that have values of their own, areas first."""
    cursor = await conn.cursor(row_factory=class_row(Elsewhere)).execute(
        """
        SELECT key, asset, name_zh, name_en, values
          FROM (SELECT 0 AS n, c.code || '/' || r.code AS key, NULL AS asset, r.name_zh, r.name_en,
                       r.thresholds -> %(class)s AS values
                  FROM area AS r JOIN community AS c ON c.id = r.community_id
                 WHERE c.id = %(community)s
                UNION ALL
                SELECT 1, c.code, a.code, a.name_zh, a.name_en,
                       (SELECT jsonb_object_agg(key, value) FROM jsonb_each(a.attributes)
                         WHERE key = ANY (%(names)s::text[]))
                  FROM asset AS a JOIN community AS c ON c.id = a.community_id
                 WHERE c.id = %(community)s AND a.class = %(class)s AND a.retired_on IS NULL) AS found
         WHERE values <> '{}'
         ORDER BY n, key, asset
         LIMIT %(most)s
        """,
        {"class": asset_class, "community": place.community_id, "names": list(names), "most": most},
    )
    return await cursor.fetchall()


async def changes(
    conn: AsyncConnection, seen: Sequence[int], asset_class: str, names: Sequence[str], most: int
) -> list[Change]:
    """The latest changes of a class in these communities, the newest first."""
    cursor = await conn.cursor(row_factory=class_row(Change)).execute(
        """
        SELECT t.id, c.code || coalesce('/' || r.code, '') AS key, a.code AS asset, t.place, t.asset_class,
               t.name, t.was, t.becomes, t.at, t.who
          FROM threshold_change AS t
          JOIN community AS c ON c.id = t.community_id
          LEFT JOIN area AS r ON r.id = t.area_id
          LEFT JOIN asset AS a ON a.id = t.asset_id
         WHERE t.community_id = ANY (%(seen)s) AND t.asset_class = %(class)s
           AND t.name = ANY (%(names)s::text[])
         ORDER BY t.at DESC, t.id DESC
         LIMIT %(most)s
        """,
        {"seen": list(seen), "class": asset_class, "names": list(names), "most": most},
    )
    return await cursor.fetchall()


async def last_change(
    conn: AsyncConnection, place: Place, asset_class: str, asset_id: int | None, name: str
) -> tuple[str, datetime] | None:
    """Who changed a threshold of a place or of one asset last, and when; None where nobody did."""
    cursor = await conn.execute(
        """
        SELECT who, at FROM threshold_change
         WHERE community_id = %(community)s AND asset_class = %(class)s AND name = %(name)s
           AND asset_id IS NOT DISTINCT FROM %(asset)s
           AND area_id IS NOT DISTINCT FROM CASE WHEN %(asset)s::int IS NULL THEN %(area)s::int END
         ORDER BY at DESC, id DESC LIMIT 1
        """,
        {
            "community": place.community_id,
            "area": place.area_id,
            "asset": asset_id,
            "class": asset_class,
            "name": name,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else (str(row[0]), row[1])


async def put(
    conn: AsyncConnection,
    place: Place,
    asset_class: str,
    asset_id: int | None,
    values: Mapping[str, Value | None],
    who: tuple[str, int],
) -> None:
    """Set thresholds of a place or of one asset; None takes one away. The schema writes who did."""
    await conn.execute(
        "SELECT set_config('clerestory.who', %(who)s, true),"
        " set_config('clerestory.account', %(account)s, true)",
        {"who": who[0], "account": str(who[1])},
    )
    given = {
        "class": asset_class,
        "set": Jsonb({name: value for name, value in values.items() if value is not None}),
        "gone": [name for name, value in values.items() if value is None],
        "community": place.community_id,
        "area": place.area_id,
        "asset": asset_id,
    }
    if asset_id is not None:
        await conn.execute(
            """
            UPDATE asset SET attributes = (attributes - %(gone)s::text[]) || %(set)s
             WHERE id = %(asset)s AND community_id = %(community)s
            """,
            given,
        )
    elif place.area_id is not None:
        await conn.execute(
            """
            UPDATE area SET thresholds = thresholds || jsonb_build_object(%(class)s::text,
                   (coalesce(thresholds -> %(class)s, '{}') - %(gone)s::text[]) || %(set)s)
             WHERE id = %(area)s AND community_id = %(community)s
            """,
            given,
        )
    else:
        await conn.execute(
            """
            UPDATE community SET thresholds = thresholds || jsonb_build_object(%(class)s::text,
                   (coalesce(thresholds -> %(class)s, '{}') - %(gone)s::text[]) || %(set)s)
             WHERE id = %(community)s
            """,
            given,
        )
