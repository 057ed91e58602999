"""One order's story from the signal to the record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.status import STATUS_LABELS

# In the order in which things of one moment are told.
Chapter = Literal["signal", "alarm", "order", "offer", "answer", "move", "note", "photo", "record"]


@dataclass(frozen=True, slots=True)
class StoryEntry:
    """One moment. `who` is a person's name; None for the system."""

    at: datetime
    chapter: Chapter
    title: Text
    detail: Text
    who: str | None
    device_at: datetime | None = None
    device_id: int | None = None
    record_id: int | None = None


async def story(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    """Tell an order's story, oldest first; empty where there is no such order."""
    entries = [
        *await _alarms(conn, order_id),
        *await _moves(conn, order_id),
        *await _offers(conn, order_id),
        *await _photos(conn, order_id),
        *await _records(conn, order_id),
    ]
    return sorted(entries, key=lambda entry: (entry.at, _ORDER[entry.chapter]))


async def _alarms(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT m.title_zh, m.title_en, m.meaning_zh, m.meaning_en, m.raised_at, m.recorded_at, m.cleared_at,
               m.device_id, d.code, m.trace, m.ended_zh, m.ended_en
          FROM alarm_order AS l
          JOIN alarm AS m ON m.id = l.alarm_id
          JOIN device AS d ON d.id = m.device_id
         WHERE l.order_id = %(order)s
         ORDER BY l.at, m.id
        """,
        {"order": order_id},
    )
    return [entry async for row in cursor for entry in _of_alarm(row)]


def _of_alarm(row: dict[str, Any]) -> list[StoryEntry]:
    title = Text(zh=row["title_zh"], en=row["title_en"])
    device = Text(zh=f"设备 {row['code']}", en=f"device {row['code']}")
    entries = [
        StoryEntry(
            at=row["raised_at"],
            chapter="signal",
            title=Text(zh="传感器上报", en="Sensor reported"),
            detail=device if row["trace"] is None else _traced(device, row["trace"]),
            who=None,
            device_id=row["device_id"],
        ),
        StoryEntry(
            at=row["recorded_at"],
            chapter="alarm",
            title=Text(zh=f"告警：{title.zh}", en=f"Alarm: {title.en}"),
            detail=Text(zh=row["meaning_zh"], en=row["meaning_en"]),
            who=None,
            device_id=row["device_id"],
        ),
    ]
    if row["cleared_at"] is not None:
        over, why = Text(zh="告警恢复", en="Alarm cleared"), device
        if row["ended_en"]:
            over = Text(zh="告警终止", en="Alarm ended")
            why = Text(zh=f"{device.zh}：{row['ended_zh']}", en=f"{device.en}: {row['ended_en']}")
        over = Text(zh=f"{over.zh}：{title.zh}", en=f"{over.en}: {title.en}")
        entries.append(StoryEntry(row["cleared_at"], "alarm", over, why, None))
    return entries


def _traced(device: Text, trace: str) -> Text:
    return Text(zh=f"{device.zh}，追踪号 {trace}", en=f"{device.en}, trace {trace}")


async def _moves(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT v.id, v.from_status, v.to_status, v.at, v.device_at, v.why_zh, v.why_en, c.name AS who,
               o.number
          FROM order_move AS v
          JOIN work_order AS o ON o.id = v.order_id
          LEFT JOIN account AS c ON c.id = v.account_id
         WHERE v.order_id = %(order)s
         ORDER BY v.id
        """,
        {"order": order_id},
    )
    entries: list[StoryEntry] = []
    async for row in cursor:
        chapter: Chapter = "move"
        title = STATUS_LABELS[row["to_status"]]
        if not entries:
            chapter = "order"
            title = Text(zh=f"开单 {row['number']}", en=f"Order {row['number']} opened")
        elif row["from_status"] == row["to_status"]:
            chapter = "note"
            title = Text(zh="备注", en="Note")
        elif row["to_status"] in ("open", "assigned"):
            title = Text(zh=f"转为{title.zh}", en=f"Now {title.en}")
        entries.append(
            StoryEntry(
                at=row["at"],
                chapter=chapter,
                title=title,
                detail=Text(zh=row["why_zh"], en=row["why_en"]),
                who=row["who"],
                device_at=row["device_at"],
            )
        )
    return entries


async def _offers(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT f.id, s.name, f.status, f.offered_at, f.answered_at, f.reason_zh, f.reason_en, f.why
          FROM offer AS f
          JOIN staff AS s ON s.id = f.staff_id
         WHERE f.order_id = %(order)s
         ORDER BY f.id
        """,
        {"order": order_id},
    )
    entries = []
    async for row in cursor:
        entries.append(
            StoryEntry(
                at=row["offered_at"],
                chapter="offer",
                title=Text(zh=f"派单给 {row['name']}", en=f"Offered to {row['name']}"),
                detail=Text(zh=row["why"]["zh"], en=row["why"]["en"]),
                who=None,
            )
        )
        if row["answered_at"] is not None:
            entries.append(
                StoryEntry(
                    at=row["answered_at"],
                    chapter="answer",
                    title=_ANSWERS[row["status"]],
                    detail=Text(zh=row["reason_zh"], en=row["reason_en"]),
                    who=row["name"],
                )
            )
    return entries


async def _photos(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    cursor = await conn.execute(
        """
        SELECT max(taken_at), count(*) FROM order_photo WHERE order_id = %(order)s
         GROUP BY date_trunc('minute', taken_at)
        """,
        {"order": order_id},
    )
    nothing = Text(zh="", en="")
    return [
        StoryEntry(at, "photo", Text(zh=f"照片 {count} 张", en=f"{count} photo(s)"), nothing, None)
        async for at, count in cursor
    ]


async def _records(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT r.id, r.seq, r.completed_at, s.name, r.body::jsonb -> 'summary' AS summary
          FROM maintenance_record AS r
          JOIN staff AS s ON s.id = r.staff_id
         WHERE r.order_id = %(order)s
        """,
        {"order": order_id},
    )
    return [
        StoryEntry(
            at=row["completed_at"],
            chapter="record",
            title=Text(zh=f"维保记录 #{row['seq']}", en=f"Maintenance record #{row['seq']}"),
            detail=Text(**row["summary"]),
            who=row["name"],
            record_id=row["id"],
        )
        async for row in cursor
    ]


_ORDER: dict[Chapter, int] = {chapter: place for place, chapter in enumerate(get_args(Chapter))}
_ANSWERS: dict[str, Text] = {
    "accepted": Text(zh="接单", en="Accepted"),
    "declined": Text(zh="拒单", en="Declined"),
    "expired": Text(zh="未应答", en="Did not answer"),
    "withdrawn": Text(zh="派单收回", en="Offer withdrawn"),
}
