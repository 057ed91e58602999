"""What the desk asks beyond dispatch's board: one order, one alarm, communities, assets to search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from config.text import Text
from dispatch.status import Severity, Status

MOST_ASSETS: Final = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """A technician with the words kept with their offer."""

    name: str
    status: str
    why: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order with what the desk needs to decide about it.

    `chosen` are the technicians it stands offered to or was accepted by, each with the explanation kept
    with the offer.
    """

    order_id: int
    community_id: int
    community: str
    number: str
    status: Status
    severity: Severity
    title: Text
    what: Text
    place: Text
    asset: Text
    asset_code: str
    kind: str
    skill: str
    opened_at: datetime
    assignee: str | None
    respond_by: datetime | None
    arrive_by: datetime | None
    progress_by: datetime | None
    complete_by: datetime | None
    paused: bool
    escalation: Text
    device: str | None
    record_id: int | None
    chosen: tuple[Chosen, ...]
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm, with the order it opened, if it did."""

    alarm_id: int
    community_id: int
    community: str
    device: str
    asset_class: str | None
    asset_id: int | None
    severity: Severity
    title: Text
    meaning: Text
    place: Text
    facts: Mapping[str, Any]
    raised_at: datetime
    paged_at: datetime | None
    cleared_at: datetime | None
    ended: Text
    order_number: str | None


@dataclass(frozen=True, slots=True)
class CommunityName:
    """A community the desk may see."""

    id: int
    code: str
    name: Text


@dataclass(frozen=True, slots=True)
class AssetFound:
    """An asset an order can be opened for."""

    asset_id: int
    community_id: int
    code: str
    name: Text
    place: Text


def with_texts(row: DictRow, *names: str) -> DictRow:
    """Return the row with each `name_zh`, `name_en` made one text."""
    for name in names:
        row[name] = Text(zh=row.pop(f"{name}_zh"), en=row.pop(f"{name}_en"))
    return row


async def order_view(conn: AsyncConnection, number: str, communities: Sequence[int]) -> OrderView | None:
    """Return an order of these communities by its number."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT o.id AS order_id, o.community_id, community.code AS community, o.number, o.status,
                   o.severity,
                   o.title_zh, o.title_en, o.what_zh, o.what_en,
                   concat_ws(' · ', nullif(asset.place_zh, ''), asset.name_zh) AS place_zh,
                   concat_ws(' · ', nullif(asset.place_en, ''), asset.name_en) AS place_en,
                   asset.name_zh AS asset_zh, asset.name_en AS asset_en, asset.code AS asset_code,
                   o.kind, o.skill, o.opened_at, staff.name AS assignee,
                   o.respond_by, o.arrive_by, o.progress_by, o.complete_by,
                   o.paused_at IS NOT NULL AS paused,
                   o.escalation_zh, o.escalation_en, device.code AS device,
                   (SELECT json_agg(json_build_object('name', who.name, 'status', offer.status,
                                                      'why', offer.why) ORDER BY offer.id)
                      FROM offer JOIN staff AS who ON who.id = offer.staff_id
                     WHERE offer.order_id = o.id AND offer.round = o.round
                       AND offer.status IN ('offered', 'accepted')) AS chosen,
                   (SELECT max(id) FROM maintenance_record WHERE order_id = o.id) AS record_id,
                   ARRAY(SELECT sha256 FROM order_photo WHERE order_id = o.id
                          ORDER BY taken_at, sha256) AS photos
              FROM work_order AS o
              JOIN community ON community.id = o.community_id
              JOIN asset ON asset.id = o.asset_id
              LEFT JOIN staff ON staff.id = o.assignee_id
              LEFT JOIN alarm ON alarm.id = o.alarm_id
              LEFT JOIN device ON device.id = alarm.device_id
             WHERE o.number = %(number)s AND o.community_id = ANY(%(communities)s)
            """,
            {"number": number, "communities": list(communities)},
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    row["photos"] = tuple(row["photos"])
    row["chosen"] = tuple(Chosen(**each) for each in row["chosen"] or ())
    return OrderView(**with_texts(row, "title", "what", "place", "asset", "escalation"))


async def alarm_view(conn: AsyncConnection, alarm_id: int, communities: Sequence[int]) -> AlarmView | None:
    """Return an alarm of these communities."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT alarm.id AS alarm_id, alarm.community_id, community.code AS community,
                   device.code AS device,
                   asset.class AS asset_class, asset.id AS asset_id, alarm.severity,
                   alarm.title_zh, alarm.title_en, alarm.meaning_zh, alarm.meaning_en,
                   concat_ws(' · ', nullif(asset.place_zh, ''), asset.name_zh) AS place_zh,
                   concat_ws(' · ', nullif(asset.place_en, ''), asset.name_en) AS place_en,
                   alarm.facts, alarm.raised_at, alarm.paged_at, alarm.cleared_at, alarm.ended_zh,
                   alarm.ended_en,
                   (SELECT w.number FROM alarm_order AS l JOIN work_order AS w ON w.id = l.order_id
                     WHERE l.alarm_id = alarm.id ORDER BY l.live DESC, w.id DESC LIMIT 1) AS order_number
              FROM alarm
              JOIN community ON community.id = alarm.community_id
              JOIN device ON device.id = alarm.device_id
              LEFT JOIN asset ON asset.id = alarm.asset_id
             WHERE alarm.id = %(alarm_id)s AND alarm.community_id = ANY(%(communities)s)
            """,
            {"alarm_id": alarm_id, "communities": list(communities)},
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    return AlarmView(**with_texts(row, "title", "meaning", "place", "ended"))


async def community_names(conn: AsyncConnection, communities: Sequence[int]) -> list[CommunityName]:
    """Return these communities by name."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT id, code, name_zh, name_en FROM community WHERE id = ANY(%(ids)s) ORDER BY code",
            {"ids": list(communities)},
        )
        return [CommunityName(**with_texts(row, "name")) for row in await cursor.fetchall()]


async def staff_of(conn: AsyncConnection, communities: Sequence[int]) -> list[int]:
    """Return who covers an area of these communities."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT staff_area.staff_id FROM staff_area JOIN area ON area.id = staff_area.area_id
         WHERE area.community_id = ANY(%(communities)s)
        """,
        {"communities": list(communities)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def search_assets(
    conn: AsyncConnection, communities: Sequence[int], words: str, *, asset_id: int | None = None
) -> list[AssetFound]:
    """Return assets all of whose words fit code, name or place; one that is chosen already comes first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT asset.id AS asset_id, asset.community_id, asset.code, asset.name_zh, asset.name_en,
                   asset.place_zh, asset.place_en
              FROM asset
             WHERE asset.community_id = ANY(%(communities)s) AND asset.retired_on IS NULL
               AND (asset.id = %(asset_id)s OR (cardinality(%(patterns)s::text[]) > 0 AND
                    concat_ws(' ', asset.code, asset.name_zh, asset.name_en, asset.place_zh, asset.place_en)
                    ILIKE ALL (%(patterns)s::text[])))
             ORDER BY asset.id = %(asset_id)s DESC NULLS LAST, asset.code
             LIMIT %(most)s
            """,
            {
                "communities": list(communities),
                "patterns": patterns(words),
                "asset_id": asset_id,
                "most": MOST_ASSETS,
            },
        )
        return [AssetFound(**with_texts(row, "name", "place")) for row in await cursor.fetchall()]


def patterns(words: str) -> list[str]:
    """Return a LIKE pattern for each word, its own wildcards meaning themselves."""
    escape = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})
    return [f"%{word.translate(escape)}%" for word in words.split()]


async def photo_of_order(conn: AsyncConnection, number: str, sha256: str, communities: Sequence[int]) -> bool:
    """Whether the photo was kept with this order of these communities."""
    cursor = await conn.execute(
        """
        SELECT 1 FROM order_photo JOIN work_order ON work_order.id = order_photo.order_id
         WHERE work_order.number = %(number)s AND order_photo.sha256 = %(sha256)s
           AND work_order.community_id = ANY(%(communities)s)
        """,
        {"number": number, "sha256": sha256, "communities": list(communities)},
    )
    return await cursor.fetchone() is not None


async def opened_by_tap(
    conn: AsyncConnection, account_id: int, request_id: str, since: datetime
) -> str | None:
    """Return the number of the order this very tap opened; a second tap waits until the first is done."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%(tap)s, 0))", {"tap": f"{account_id} {request_id}"}
    )
    cursor = await conn.execute(
        """
        SELECT work_order.number FROM work_order JOIN order_move ON order_move.order_id = work_order.id
         WHERE work_order.opened_by = %(account_id)s AND work_order.opened_at > %(since)s
           AND order_move.request_id = %(request_id)s AND order_move.account_id = %(account_id)s
        """,
        {"account_id": account_id, "request_id": request_id, "since": since},
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def number_of(conn: AsyncConnection, order_id: int) -> str:
    """Return the number people know an order by."""
    cursor = await conn.execute("SELECT number FROM work_order WHERE id = %(id)s", {"id": order_id})
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"order {order_id} was just opened and is not there")
    return str(row[0])
