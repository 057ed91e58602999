"""What the desk sees: live alarms, and orders by deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.status import Severity, Status
from dispatch.store.jobs import pressing
from dispatch.store.orders import place_text


@dataclass(frozen=True, slots=True)
class BoardAlarm:
    """One live alarm."""

    alarm_id: int
    community_id: int
    device_id: int
    device: str
    rule: str
    severity: Severity
    title: Text
    place: Text
    facts: dict[str, Any]
    raised_at: datetime
    paged_at: datetime | None
    held: Text | None  # why people are kept from it
    order_id: int | None
    order_number: str | None


@dataclass(frozen=True, slots=True)
class BoardOrder:
    """One order that is not over, with the deadline that presses and whether it is missed."""

    order_id: int
    community_id: int
    number: str
    status: Status
    severity: Severity
    title: Text
    place: Text
    area: Text
    kind: str
    skill: str
    opened_at: datetime
    assignee_id: int | None
    assignee: str | None
    offered_to: tuple[str, ...]
    deadline: str | None  # "respond" | "arrive" | "progress" | "complete"
    deadline_at: datetime | None
    missed: bool
    paused: bool
    escalation: Text | None  # the reason somebody in the office is asked
    escalation_step: int


@dataclass(frozen=True, slots=True)
class Board:
    """The desk's board at one moment."""

    at: datetime
    alarms: tuple[BoardAlarm, ...]
    orders: tuple[BoardOrder, ...]


async def board(conn: AsyncConnection, communities: Sequence[int] | None, now: datetime) -> Board:
    """Read the board of these communities (None: all), escalated first, then by deadline."""
    wanted = None if communities is None else list(communities)
    return Board(now, tuple(await _alarms(conn, wanted)), tuple(await _orders(conn, wanted, now)))


async def _alarms(conn: AsyncConnection, communities: list[int] | None) -> list[BoardAlarm]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT m.id, m.community_id, m.device_id, d.code AS device, m.rule, m.severity, m.title_zh,
               m.title_en, m.facts, m.raised_at, m.paged_at, m.held_by, m.held_zh, m.held_en,
               o.id AS order_id, o.number,
               coalesce(a.name_zh, d.code) AS name_zh, coalesce(a.name_en, d.code) AS name_en,
               coalesce(a.place_zh, '') AS place_zh, coalesce(a.place_en, '') AS place_en
          FROM alarm AS m
          JOIN device AS d ON d.id = m.device_id
          LEFT JOIN asset AS a ON a.id = m.asset_id
          LEFT JOIN LATERAL (SELECT w.id, w.number
                               FROM alarm_order AS l JOIN work_order AS w ON w.id = l.order_id
                              WHERE l.alarm_id = m.id ORDER BY l.live DESC, w.id DESC LIMIT 1) AS o ON true
         WHERE m.cleared_at IS NULL
           AND (%(communities)s::int[] IS NULL OR m.community_id = ANY(%(communities)s))
         ORDER BY array_position(ARRAY['critical', 'major', 'minor', 'info'], m.severity), m.raised_at DESC
        """,
        {"communities": communities},
    )
    return [
        BoardAlarm(
            alarm_id=row["id"],
            community_id=row["community_id"],
            device_id=row["device_id"],
            device=row["device"],
            rule=row["rule"],
            severity=row["severity"],
            title=Text(zh=row["title_zh"], en=row["title_en"]),
            place=place_text(row),
            facts=row["facts"],
            raised_at=row["raised_at"],
            paged_at=row["paged_at"],
            held=Text(zh=row["held_zh"], en=row["held_en"]) if row["held_by"] is not None else None,
            order_id=row["order_id"],
            order_number=row["number"],
        )
        async for row in cursor
    ]


async def _orders(conn: AsyncConnection, communities: list[int] | None, now: datetime) -> list[BoardOrder]:
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT o.id, o.community_id, o.number, o.status, o.severity, o.title_zh, o.title_en, o.kind, o.skill,
               o.opened_at, o.assignee_id, s.name AS assignee, o.respond_by, o.arrive_by, o.progress_by,
               o.complete_by, o.paused_at, o.escalation_cause, o.escalation_zh, o.escalation_en,
               o.escalation_step,
               a.name_zh, a.name_en, a.place_zh, a.place_en, r.name_zh AS area_zh, r.name_en AS area_en,
               (SELECT array_agg(t.name ORDER BY f.slot) FROM offer AS f JOIN staff AS t ON t.id = f.staff_id
                 WHERE f.order_id = o.id AND f.status = 'offered') AS offered_to
          FROM work_order AS o
          JOIN asset AS a ON a.id = o.asset_id
          JOIN area AS r ON r.id = o.area_id
          LEFT JOIN staff AS s ON s.id = o.assignee_id
         WHERE o.due_at IS NOT NULL AND o.status NOT IN ('verified', 'closed', 'cancelled', 'merged')
           AND (%(communities)s::int[] IS NULL OR o.community_id = ANY(%(communities)s))
        """,
        {"communities": communities},
    )
    found = [_board_order(row, now) async for row in cursor]
    return sorted(
        found,
        key=lambda o: (o.escalation is None, o.deadline_at is None, o.deadline_at or o.opened_at, o.order_id),
    )


def _board_order(row: dict[str, Any], now: datetime) -> BoardOrder:
    deadline, at = pressing(row)
    escalated = row["escalation_cause"] is not None
    return BoardOrder(
        order_id=row["id"],
        community_id=row["community_id"],
        number=row["number"],
        status=row["status"],
        severity=row["severity"],
        title=Text(zh=row["title_zh"], en=row["title_en"]),
        place=place_text(row),
        area=Text(zh=row["area_zh"], en=row["area_en"]),
        kind=row["kind"],
        skill=row["skill"],
        opened_at=row["opened_at"],
        assignee_id=row["assignee_id"],
        assignee=row["assignee"],
        offered_to=tuple(row["offered_to"] or ()),
        deadline=deadline,
        deadline_at=at,
        missed=at is not None and at <= now,
        paused=row["paused_at"] is not None,
        escalation=Text(zh=row["escalation_zh"], en=row["escalation_en"]) if escalated else None,
        escalation_step=row["escalation_step"],
    )
