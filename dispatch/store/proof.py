"""What stands behind the work: records, their chain, photos, an asset's history."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.checklist import range_text, value_text
from dispatch.report import Stored, misfit
from dispatch.store import records

NOT_ANSWERED = Text(zh="—", en="—")


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """One line of the report: what was checked and what was found."""

    code: str
    name: Text
    value: Text  # in words: "3.2 mm", "是 / yes"
    range: Text | None
    good: bool
    remark: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """A maintenance record as a resident can read it."""

    record_id: int
    community_id: int
    community: Text
    seq: int
    order_id: int
    order_number: str
    asset_id: int
    building_id: int | None
    asset: Text
    asset_code: str
    place: Text
    kind: str
    kind_name: Text
    completed_at: datetime
    technician: str
    checklist: tuple[CheckedItem, ...]
    parts: tuple[tuple[str, str], ...]  # name, "2 pcs"
    labour_minutes: int
    photos: tuple[str, ...]  # sha256
    summary: Text
    result: Text
    next_due: date | None
    hash: str
    prev_hash: str
    superseded_by: int | None  # the record that corrects this one
    alarms: tuple[tuple[Text, Text], ...] = ()  # of work about several: each alarm's title and its asset


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """Whether a record is unchanged and fits its neighbours."""

    state: Literal["good", "broken"]
    text: Text  # "verified: unchanged since 2026-10-14", or what does not fit


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo's bytes."""

    mime: str
    content: bytes
    order_ids: tuple[int, ...]  # the orders it belongs to, for checking who may see it


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to an asset."""

    at: datetime
    kind: Literal["alarm", "order", "record"]
    title: Text
    id: int


@dataclass(frozen=True, slots=True)
class AssetHistory:
    """An asset and what happened to it, newest first."""

    asset_id: int
    name: Text
    place: Text
    entries: tuple[HistoryEntry, ...]


async def record_view(conn: AsyncConnection, record_id: int) -> RecordView | None:
    """Read a record for its page, from its body as it was written; None where there is none."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT r.id, r.community_id, c.name_zh AS community_zh, c.name_en AS community_en, r.order_id,
               r.asset_id, a.building_id, r.completed_at, r.body, r.hash, r.prev_hash, n.id AS superseded_by
          FROM maintenance_record AS r
          JOIN community AS c ON c.id = r.community_id
          JOIN asset AS a ON a.id = r.asset_id
          LEFT JOIN maintenance_record AS n ON n.supersedes = r.id
         WHERE r.id = %(id)s
        """,
        {"id": record_id},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    body = json.loads(row["body"])
    return RecordView(
        record_id=row["id"],
        community_id=row["community_id"],
        community=Text(zh=row["community_zh"], en=row["community_en"]),
        seq=body["seq"],
        order_id=row["order_id"],
        order_number=body["order"]["number"],
        asset_id=row["asset_id"],
        building_id=row["building_id"],
        asset=Text(**body["asset"]["name"]),
        asset_code=body["asset"]["code"],
        place=Text(**body["asset"]["place"]),
        kind=body["kind"],
        kind_name=Text(**body["kind_name"]),
        completed_at=row["completed_at"],
        technician=body["technician"]["name"],
        checklist=tuple(_checked(item) for item in body["checklist"]),
        parts=tuple((part["name"], f"{part['quantity']:g} {part['unit']}".strip()) for part in body["parts"]),
        labour_minutes=body["labour_minutes"],
        photos=tuple(body["photos"]),
        summary=Text(**body["summary"]),
        result=Text(zh=body["result"]["zh"], en=body["result"]["en"]),
        next_due=date.fromisoformat(body["next_due"]) if body["next_due"] else None,
        hash=row["hash"],
        prev_hash=row["prev_hash"],
        superseded_by=row["superseded_by"],
        alarms=tuple(
            (Text(**each["title"]), Text(**each["asset"]["name"])) for each in body.get("alarms", ())
        ),
    )


async def chain_status(conn: AsyncConnection, record_id: int) -> ChainStatus:
    """Recompute the record's hash and check its links to both neighbours."""
    around = await records.around(conn, record_id)
    before: Stored | None = None
    for record in around:
        # The first of the three only stands for what comes before, unless it begins the chain.
        fault = misfit(record, before) if before is not None or record.seq == 1 else None
        if fault is not None and (record.id == record_id or (before and before.id == record_id)):
            return ChainStatus("broken", fault)
        before = record
    this = next((record for record in around if record.id == record_id), None)
    if this is None or (this.seq > 1 and around[0].id == record_id):
        return ChainStatus("broken", Text(zh="前一记录缺失", en="the record before it is gone"))
    on = this.completed_at.date().isoformat()
    return ChainStatus("good", Text(zh=f"已验证：自 {on} 起未改动", en=f"verified: unchanged since {on}"))


async def photo(conn: AsyncConnection, sha256: str) -> Photo | None:
    """Read a photo."""
    cursor = await conn.execute(
        """
        SELECT p.mime, p.content,
               (SELECT array_agg(o.order_id) FROM order_photo AS o WHERE o.sha256 = p.sha256) AS orders
          FROM photo AS p WHERE p.sha256 = %(sha)s
        """,
        {"sha": sha256},
    )
    row = await cursor.fetchone()
    return Photo(row[0], row[1], tuple(row[2] or ())) if row else None


async def asset_history(conn: AsyncConnection, asset_id: int, limit: int = 50) -> AssetHistory | None:
    """Read what happened to an asset."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        "SELECT id, name_zh, name_en, place_zh, place_en FROM asset WHERE id = %(id)s", {"id": asset_id}
    )
    asset = await cursor.fetchone()
    if asset is None:
        return None
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        (SELECT m.raised_at AS at, 'alarm' AS kind, m.title_zh, m.title_en, m.id
           FROM alarm AS m
          WHERE m.asset_id = %(id)s ORDER BY m.raised_at DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT o.opened_at, 'order', o.title_zh, o.title_en, o.id
           FROM work_order AS o WHERE o.asset_id = %(id)s ORDER BY o.opened_at DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT r.completed_at, 'record', r.body::jsonb -> 'summary' ->> 'zh',
                r.body::jsonb -> 'summary' ->> 'en', r.id
           FROM maintenance_record AS r
          WHERE r.asset_id = %(id)s ORDER BY r.completed_at DESC LIMIT %(limit)s)
        ORDER BY at DESC LIMIT %(limit)s
        """,
        {"id": asset_id, "limit": limit},
    )
    return AssetHistory(
        asset_id=asset_id,
        name=Text(zh=asset["name_zh"], en=asset["name_en"]),
        place=Text(zh=asset["place_zh"], en=asset["place_en"]),
        entries=tuple(
            [
                HistoryEntry(row["at"], row["kind"], Text(zh=row["title_zh"], en=row["title_en"]), row["id"])
                async for row in cursor
            ]
        ),
    )


def _checked(item: dict[str, Any]) -> CheckedItem:
    asked = ChecklistItem.model_validate({name: item[name] for name in ChecklistItem.model_fields})
    return CheckedItem(
        code=asked.code,
        name=asked.name,
        value=NOT_ANSWERED if item["value"] is None else value_text(asked, item["value"]),
        range=range_text(asked),
        good=item["good"],
        remark=item["remark"],
    )
