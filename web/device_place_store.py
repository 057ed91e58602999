"""What the pages of registered devices ask beyond the register: names of places, jobs on site, labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from config.text import Text
from dispatch.status import Status
from web.desk_store import patterns, with_texts

MOST_LABELS: Final = 240


@dataclass(frozen=True, slots=True)
class CommunityNamed:
    """A community as people know it."""

    id: int
    code: str
    name: Text


async def communities(conn: AsyncConnection, ids: Sequence[int]) -> list[CommunityNamed]:
    """The communities of an account, by code."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT id, code, name_zh, name_en FROM community WHERE id = ANY(%(ids)s) ORDER BY code",
            {"ids": list(ids)},
        )
        return [CommunityNamed(**with_texts(row, "name")) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Placed:
    """A device with what is said of it on a label. A kiosk has its name and place from its attributes."""

    device_id: int
    community_id: int
    community: str
    community_name: Text
    code: str
    profile: str
    dev_eui: str | None
    asset_id: int | None
    name: Text
    place: Text


_PLACED: Final[LiteralString] = """
    SELECT device.id AS device_id, device.community_id, community.code AS community,
           community.name_zh AS community_name_zh, community.name_en AS community_name_en,
           device.code, device.profile, device.dev_eui, device.asset_id,
           coalesce(asset.name_zh, device.attributes ->> 'name_zh', '') AS name_zh,
           coalesce(asset.name_en, device.attributes ->> 'name_en', '') AS name_en,
           coalesce(asset.place_zh, device.attributes ->> 'place_zh', '') AS place_zh,
           coalesce(asset.place_en, device.attributes ->> 'place_en', '') AS place_en
      FROM device
      JOIN community ON community.id = device.community_id
      LEFT JOIN asset ON asset.id = device.asset_id
     WHERE device.retired_at IS NULL AND device.community_id = ANY(%(communities)s)
"""


def _placed(row: dict[str, Any]) -> Placed:
    return Placed(**with_texts(row, "community_name", "name", "place"))


async def placed(
    conn: AsyncConnection, community: str, code: str, communities: Sequence[int]
) -> Placed | None:
    """One device in use, by its names."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _PLACED + " AND community.code = %(community)s AND device.code = %(code)s",
            {"communities": list(communities), "community": community, "code": code},
        )
        row = await cursor.fetchone()
        return None if row is None else _placed(row)


async def all_placed(conn: AsyncConnection, communities: Sequence[int], words: str) -> list[Placed]:
    """The devices that fit all words; one more than a batch of labels holds tells of more."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _PLACED
            + """
               AND concat_ws(' ', device.code, device.dev_eui, device.profile, asset.code, asset.name_zh,
                             asset.name_en, asset.place_zh, asset.place_en) ILIKE ALL (%(patterns)s::text[])
             ORDER BY community.code, asset.code NULLS LAST, device.code LIMIT %(most)s
            """,
            {"communities": list(communities), "patterns": patterns(words), "most": MOST_LABELS + 1},
        )
        return [_placed(row) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class JobHere:
    """A technician's job at an asset."""

    number: str
    status: Status
    title_zh: str
    title_en: str


async def jobs_here(conn: AsyncConnection, asset_id: int, staff_id: int) -> list[JobHere]:
    """The live jobs at an asset that a technician has, or is asked to take."""
    async with conn.cursor(row_factory=class_row(JobHere)) as cursor:
        await cursor.execute(
            """
            SELECT number, status, title_zh, title_en FROM work_order
             WHERE asset_id = %(asset)s
               AND status NOT IN ('completed', 'verified', 'closed', 'cancelled', 'merged')
               AND (assignee_id = %(staff)s
                    OR EXISTS (SELECT FROM offer WHERE offer.order_id = work_order.id
                                  AND offer.staff_id = %(staff)s AND offer.status = 'offered'))
             ORDER BY id
            """,
            {"asset": asset_id, "staff": staff_id},
        )
        return await cursor.fetchall()
