"""What a technician sees: the list of jobs, and one job with all that is needed on the spot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.checklist import ChecklistItem, read_items
from config.text import Text
from dispatch.status import Severity, Status
from dispatch.store.alarm_lists import AlarmLine, alarms_of_order
from dispatch.store.orders import place_text


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the technician's list. `countdown_to` is the deadline that presses now, with its name."""

    order_id: int
    number: str
    status: Status
    severity: Severity
    title: Text
    place: Text
    asset: Text
    offered_until: datetime | None  # set while it is offered to this technician and not yet taken
    countdown: str | None  # "respond" | "arrive" | "complete" | "progress"; "offer" while offered
    countdown_to: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class PastFault:
    """One of the asset's last three faults."""

    at: datetime
    title: Text
    result: Text | None  # the record's summary, where one was written
    record_id: int | None


@dataclass(frozen=True, slots=True)
class PhotoRef:
    """A photo kept with an order; its content comes from `photo`."""

    sha256: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class JobCard:
    """One job, one screen. `mine` is False while it is only offered."""

    job: Job
    mine: bool
    community_id: int
    asset_id: int
    asset_code: str
    asset_class: str
    kind: str
    what: Text
    todo: Text  # one step a line
    safety: Text
    facts: dict[str, Any]  # the alarm's signal values
    alarms: tuple[AlarmLine, ...]  # all alarms the order is about, the one that opened it first
    checklist: tuple[ChecklistItem, ...]
    photos: tuple[PhotoRef, ...]
    faults: tuple[PastFault, ...]
    respond_by: datetime | None
    arrive_by: datetime | None
    progress_by: datetime | None
    complete_by: datetime | None
    paused_at: datetime | None
    hold_reason: str | None  # a code of policy.hold_reasons
    why_you: Text | None  # the explanation kept with the offer


_JOB = """
    SELECT o.id, o.number, o.status, o.severity, o.title_zh, o.title_en, o.opened_at, o.assignee_id,
           o.respond_by, o.arrive_by, o.progress_by, o.complete_by, o.paused_at, o.hold_reason,
           o.community_id, o.asset_id, o.kind, o.what_zh, o.what_en, o.todo_zh, o.todo_en,
           o.safety_zh, o.safety_en, o.checklist,
           a.code AS asset_code, a.class AS asset_class, a.name_zh, a.name_en, a.place_zh, a.place_en,
           f.expires_at, f.why, m.facts
      FROM work_order AS o
      JOIN asset AS a ON a.id = o.asset_id
      LEFT JOIN alarm AS m ON m.id = o.alarm_id
      LEFT JOIN LATERAL (
           SELECT CASE WHEN f.status = 'offered' THEN f.expires_at END AS expires_at, f.status, f.why
             FROM offer AS f
            WHERE f.order_id = o.id AND f.staff_id = %(staff)s
              AND (f.status = 'accepted' OR (f.status = 'offered' AND f.expires_at > %(now)s))
            ORDER BY f.id DESC LIMIT 1) AS f ON true
     WHERE ((o.assignee_id = %(staff)s AND o.status IN ('accepted', 'en_route', 'in_progress', 'on_hold'))
            OR (o.status = 'assigned' AND f.status = 'offered'))
"""


async def jobs_of(conn: AsyncConnection, staff_id: int, now: datetime) -> list[Job]:
    """List what this technician is offered or holds, most pressing first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(_JOB, {"staff": staff_id, "now": now})
    jobs = [_job(row) async for row in cursor]
    return sorted(
        jobs, key=lambda job: (job.countdown_to is None, job.countdown_to or job.opened_at, job.order_id)
    )


async def job_card(conn: AsyncConnection, staff_id: int, order_id: int, now: datetime) -> JobCard | None:
    """Read one job whole; None where it is neither held by nor offered to this technician."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _JOB + " AND o.id = %(order)s", {"staff": staff_id, "now": now, "order": order_id}
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    why = row["why"]
    return JobCard(
        job=_job(row),
        mine=row["assignee_id"] == staff_id,
        community_id=row["community_id"],
        asset_id=row["asset_id"],
        asset_code=row["asset_code"],
        asset_class=row["asset_class"],
        kind=row["kind"],
        what=Text(zh=row["what_zh"], en=row["what_en"]),
        todo=Text(zh=row["todo_zh"], en=row["todo_en"]),
        safety=Text(zh=row["safety_zh"], en=row["safety_en"]),
        facts=row["facts"] or {},
        alarms=tuple(await alarms_of_order(conn, order_id)),
        checklist=read_items(row["checklist"]),
        photos=tuple(await photos_of(conn, order_id)),
        faults=tuple(await past_faults(conn, row["asset_id"], order_id)),
        respond_by=row["respond_by"],
        arrive_by=row["arrive_by"],
        progress_by=row["progress_by"],
        complete_by=row["complete_by"],
        paused_at=row["paused_at"],
        hold_reason=row["hold_reason"],
        why_you=Text(zh=why["zh"], en=why["en"]) if why else None,
    )


async def photos_of(conn: AsyncConnection, order_id: int) -> list[PhotoRef]:
    """List the photos of an order, oldest first."""
    cursor = await conn.execute(
        "SELECT sha256, taken_at FROM order_photo WHERE order_id = %(order)s ORDER BY taken_at, sha256",
        {"order": order_id},
    )
    return [PhotoRef(sha, taken_at) async for sha, taken_at in cursor]


async def past_faults(conn: AsyncConnection, asset_id: int, but: int, most: int = 3) -> list[PastFault]:
    """Find the asset's last faults before this order, with what was done about them."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT m.raised_at, m.title_zh, m.title_en, r.id AS record_id, r.body::jsonb -> 'summary' AS summary
          FROM alarm AS m
          LEFT JOIN LATERAL (
               SELECT r.id, r.body FROM alarm_order AS l
                 JOIN maintenance_record AS r ON r.order_id = l.order_id
                WHERE l.alarm_id = m.id ORDER BY r.seq DESC LIMIT 1) AS r ON true
         WHERE m.asset_id = %(asset)s
           AND NOT EXISTS (SELECT FROM alarm_order AS l WHERE l.alarm_id = m.id AND l.order_id = %(but)s)
         ORDER BY m.raised_at DESC LIMIT %(most)s
        """,
        {"asset": asset_id, "but": but, "most": most},
    )
    return [
        PastFault(
            at=row["raised_at"],
            title=Text(zh=row["title_zh"], en=row["title_en"]),
            result=Text(**row["summary"]) if row["summary"] else None,
            record_id=row["record_id"],
        )
        async for row in cursor
    ]


def pressing(row: dict[str, Any]) -> tuple[str | None, datetime | None]:
    """Pick the deadline that presses in the order's present status."""
    match row["status"]:
        case "open" | "reopened" | "assigned":
            names = ["respond"]
        case "accepted" | "en_route":
            names = ["arrive", "complete"]
        case "in_progress" | "on_hold":
            names = ["complete", "progress"]
        case _:
            names = []
    found: list[tuple[str, datetime]] = [
        (name, row[f"{name}_by"]) for name in names if row[f"{name}_by"] is not None
    ]
    if row["paused_at"] is not None or not found:
        return None, None
    # On the way only arriving counts; at work, whichever comes first.
    return found[0] if row["status"] in ("accepted", "en_route") else min(found, key=lambda each: each[1])


def _job(row: dict[str, Any]) -> Job:
    countdown, to = pressing(row)
    offered_until = row["expires_at"] if row["status"] == "assigned" else None
    if offered_until is not None:
        countdown, to = "offer", offered_until
    return Job(
        order_id=row["id"],
        number=row["number"],
        status=row["status"],
        severity=row["severity"],
        title=Text(zh=row["title_zh"], en=row["title_en"]),
        place=place_text(row),
        asset=Text(zh=row["name_zh"], en=row["name_en"]),
        offered_until=offered_until,
        countdown=countdown,
        countdown_to=to,
        opened_at=row["opened_at"],
    )
