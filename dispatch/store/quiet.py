"""What people decided for a while: mutes and declared emergencies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from config.text import Text
from dispatch.people import Who


@dataclass(frozen=True, slots=True)
class MuteRow:
    """A mute, with what it is about in words."""

    id: int
    community_id: int
    community: str
    community_name: Text
    rule: str | None
    asset: Text | None
    area: Text | None
    why: str
    name: str
    at: datetime
    until: datetime
    lifted_at: datetime | None
    lifted_name: str | None
    holding: int  # live alarms that are kept from people by a mute of this community and that this one fits


@dataclass(frozen=True, slots=True)
class EmergencyRow:
    """A declared emergency of a community."""

    id: int
    community_id: int
    community: str
    community_zh: str
    community_en: str
    kind: str
    reason: str
    declared_at: datetime
    name: str
    ended_at: datetime | None
    ended_name: str | None
    ended_reason: str | None
    holding: int  # live alarms that wait for its end


async def add_mute(conn: AsyncConnection, fields: dict[str, Any]) -> int:
    """Keep a mute; its id. A tap that comes again gets the mute it made."""
    cursor = await conn.execute(
        """
        INSERT INTO mute (community_id, rule, asset_id, area_id, why, account_id, name, at, until, request_id)
        VALUES (%(community_id)s, %(rule)s, %(asset_id)s, %(area_id)s, %(why)s, %(account_id)s, %(name)s,
                %(at)s, %(until)s, %(request_id)s)
        ON CONFLICT (request_id) DO UPDATE SET request_id = excluded.request_id
        RETURNING id
        """,
        fields,
    )
    (mute_id,) = await cursor.fetchone() or (0,)
    return int(mute_id)


async def lift_mute(conn: AsyncConnection, mute_id: int, who: Who, now: datetime) -> int | None:
    """End a standing mute before its time; its community, or None where it does not stand."""
    cursor = await conn.execute(
        """
        UPDATE mute SET lifted_at = %(now)s, lifted_name = %(name)s
         WHERE id = %(id)s AND lifted_at IS NULL AND until > %(now)s
        RETURNING community_id
        """,
        {"id": mute_id, "now": now, "name": who.name},
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def belongs(
    conn: AsyncConnection, community_id: int, asset_id: int | None, area_id: int | None
) -> bool:
    """Whether an asset or an area, where given, is of this community."""
    cursor = await conn.execute(
        """
        SELECT (%(asset)s::int IS NULL
                OR EXISTS (SELECT FROM asset WHERE id = %(asset)s AND community_id = %(community)s))
           AND (%(area)s::int IS NULL
                OR EXISTS (SELECT FROM area WHERE id = %(area)s AND community_id = %(community)s))
        """,
        {"asset": asset_id, "area": area_id, "community": community_id},
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def mutes(
    conn: AsyncConnection,
    communities: Sequence[int] | None,
    now: datetime,
    *,
    standing: bool,
    most: int = 100,
) -> list[MuteRow]:
    """List the mutes that stand, or those that are over, of these communities (None: all)."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT u.id, u.community_id, c.code AS community, c.name_zh, c.name_en, u.rule, a.name_zh AS asset_zh,
               a.name_en AS asset_en, r.name_zh AS area_zh, r.name_en AS area_en, u.why, u.name, u.at,
               u.until, u.lifted_at, u.lifted_name,
               CASE WHEN u.lifted_at IS NULL AND u.until > %(now)s THEN (
                    SELECT count(*) FROM alarm AS m
                      LEFT JOIN asset AS b ON b.id = m.asset_id
                     WHERE m.held_by = 'mute' AND m.cleared_at IS NULL AND m.community_id = u.community_id
                       AND (u.rule IS NULL OR u.rule = m.rule) AND (u.asset_id IS NULL OR u.asset_id = b.id)
                       AND (u.area_id IS NULL OR u.area_id = b.area_id)) ELSE 0 END AS holding
          FROM mute AS u
          JOIN community AS c ON c.id = u.community_id
          LEFT JOIN asset AS a ON a.id = u.asset_id
          LEFT JOIN area AS r ON r.id = u.area_id
         WHERE (%(communities)s::int[] IS NULL OR u.community_id = ANY(%(communities)s))
           AND (u.lifted_at IS NULL AND u.until > %(now)s) = %(standing)s
         ORDER BY CASE WHEN %(standing)s THEN u.until END, u.id DESC
         LIMIT %(most)s
        """,
        {
            "communities": None if communities is None else list(communities),
            "now": now,
            "standing": standing,
            "most": most,
        },
    )
    return [_mute(row) async for row in cursor]


def _mute(row: dict[str, Any]) -> MuteRow:
    plain = {name: value for name, value in row.items() if not name.endswith(("_zh", "_en"))}
    return MuteRow(
        **plain,
        community_name=Text(zh=row["name_zh"], en=row["name_en"]),
        asset=Text(zh=row["asset_zh"], en=row["asset_en"]) if row["asset_zh"] is not None else None,
        area=Text(zh=row["area_zh"], en=row["area_en"]) if row["area_zh"] is not None else None,
    )


async def add_emergency(
    conn: AsyncConnection, community_id: int, kind: str, reason: str, who: Who, now: datetime
) -> int | None:
    """Declare an emergency; its id, or None where the community is in one."""
    cursor = await conn.execute(
        """
        INSERT INTO emergency (community_id, kind, reason, declared_at, account_id, name)
        VALUES (%(community)s, %(kind)s, %(reason)s, %(now)s, %(account)s, %(name)s)
        ON CONFLICT (community_id) WHERE ended_at IS NULL DO NOTHING
        RETURNING id
        """,
        {
            "community": community_id,
            "kind": kind,
            "reason": reason,
            "now": now,
            "account": who.account_id,
            "name": who.name,
        },
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def end_emergency(
    conn: AsyncConnection, community_id: int, reason: str, who: Who, now: datetime
) -> bool:
    """End the community's emergency; False where it is in none."""
    cursor = await conn.execute(
        """
        UPDATE emergency
           SET ended_at = greatest(%(now)s, declared_at), ended_name = %(name)s, ended_reason = %(reason)s
         WHERE community_id = %(community)s AND ended_at IS NULL
        """,
        {"community": community_id, "now": now, "name": who.name, "reason": reason},
    )
    return cursor.rowcount == 1


async def emergencies(
    conn: AsyncConnection, communities: Sequence[int] | None, most: int = 50
) -> list[EmergencyRow]:
    """List the emergencies of these communities (None: all): those that stand, then the latest."""
    cursor = await conn.cursor(row_factory=class_row(EmergencyRow)).execute(
        """
        SELECT e.id, e.community_id, c.code AS community, c.name_zh AS community_zh,
               c.name_en AS community_en, e.kind, e.reason, e.declared_at, e.name, e.ended_at, e.ended_name,
               e.ended_reason,
               CASE WHEN e.ended_at IS NULL THEN (
                    SELECT count(*) FROM alarm AS m
                     WHERE m.held_by = 'emergency' AND m.cleared_at IS NULL
                       AND m.community_id = e.community_id) ELSE 0 END AS holding
          FROM emergency AS e JOIN community AS c ON c.id = e.community_id
         WHERE %(communities)s::int[] IS NULL OR e.community_id = ANY(%(communities)s)
         ORDER BY e.ended_at IS NOT NULL, e.declared_at DESC, e.id DESC
         LIMIT %(most)s
        """,
        {"communities": None if communities is None else list(communities), "most": most},
    )
    return await cursor.fetchall()
