"""Orders of many alarms: opened, or joined, each in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from config.checklist import dump_items, read_items
from config.text import Text
from dispatch.grouping import Joinable


@dataclass(frozen=True, slots=True)
class Opened:
    """An order that was opened for alarms."""

    id: int
    community_id: int
    alarm_id: int


async def places(conn: AsyncConnection, asset_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Read what opening orders needs to know about their assets."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT a.id, a.community_id, a.area_id, c.code AS community, c.timezone AS zone, r.code AS area
          FROM asset AS a
          JOIN area AS r ON r.id = a.area_id
          JOIN community AS c ON c.id = a.community_id
         WHERE a.id = ANY(%(ids)s)
        """,
        {"ids": list(asset_ids)},
    )
    return {row["id"]: row async for row in cursor}


async def insert(
    conn: AsyncConnection, orders: Sequence[Mapping[str, Any]], alarm_ids: Sequence[Sequence[int]]
) -> list[Opened]:
    """Open an order for each list of alarms; an alarm that has a live order is left out of its list.

    Whoever links an alarm first has it: where nobody is left of a list, no order is opened.
    """
    rows = [{**order, "alarms": list(alarms)} for order, alarms in zip(orders, alarm_ids, strict=True)]
    cursor = await conn.cursor(row_factory=class_row(Opened)).execute(
        """
        WITH new AS (
            SELECT nextval(pg_get_serial_sequence('work_order', 'id')) AS id, v.*
              FROM jsonb_to_recordset(%(rows)s) AS v (
                   community_id int, day text, alarms bigint[], asset_id int, area_id int, kind text,
                   skill text, severity text, title_zh text, title_en text, what_zh text, what_en text,
                   todo_zh text, todo_en text, safety_zh text, safety_en text, checklist jsonb,
                   cancel_on_clear boolean, joinable boolean, opened_at timestamptz, respond_by timestamptz,
                   arrive_by timestamptz, complete_by timestamptz, clock text, due_at timestamptz)
        ), linked AS (
            INSERT INTO alarm_order (order_id, alarm_id, at, live)
            SELECT id, alarm_id, opened_at, true FROM new, unnest(alarms) AS alarm_id ORDER BY alarm_id
            ON CONFLICT DO NOTHING
            RETURNING order_id, alarm_id
        ), leads AS (
            SELECT DISTINCT ON (new.id) new.id, l.alarm_id
              FROM new JOIN linked AS l ON l.order_id = new.id
             ORDER BY new.id, array_position(new.alarms, l.alarm_id)
        )
        INSERT INTO work_order (
            id, community_id, number, alarm_id, asset_id, area_id, kind, skill, severity, title_zh, title_en,
            what_zh, what_en, todo_zh, todo_en, safety_zh, safety_en, checklist, cancel_on_clear, joinable,
            opened_at, respond_by, arrive_by, complete_by, clock, due_at)
        OVERRIDING SYSTEM VALUE
        SELECT id, community_id, 'W' || day || '-' || lpad(nextval('work_order_number')::text, 6, '0'),
               leads.alarm_id, asset_id, area_id, kind, skill, severity, title_zh, title_en, what_zh, what_en,
               todo_zh, todo_en, safety_zh, safety_en, checklist, cancel_on_clear, joinable, opened_at,
               respond_by, arrive_by, complete_by, clock, due_at
          FROM new JOIN leads USING (id) ORDER BY id
        RETURNING id, community_id, alarm_id
        """,
        {"rows": Jsonb(rows, msgspec.json.encode)},
    )
    return await cursor.fetchall()


async def lock_joinable(
    conn: AsyncConnection, area_ids: Sequence[int], kinds: Sequence[str], since: datetime
) -> list[Joinable]:
    """Lock the live orders that alarms of these areas may join, and the areas: who comes next waits.

    The areas are locked first and in their order, so that of two gateways one opens the order and the other
    finds it.
    """
    await conn.execute(
        "SELECT FROM area WHERE id = ANY(%(areas)s) ORDER BY id FOR NO KEY UPDATE", {"areas": list(area_ids)}
    )
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT id, number, community_id, asset_id, area_id, kind, skill, severity, status, opened_at,
               cancel_on_clear, checklist, todo_zh, todo_en, safety_zh, safety_en, respond_by, arrive_by,
               complete_by, assignee_id
          FROM work_order
         WHERE joinable AND status NOT IN ('completed', 'verified', 'closed', 'cancelled', 'merged')
           AND area_id = ANY(%(areas)s) AND kind = ANY(%(kinds)s) AND opened_at >= %(since)s
         ORDER BY id FOR NO KEY UPDATE
        """,
        {"areas": list(area_ids), "kinds": list(kinds), "since": since},
    )
    return [_joinable(row) async for row in cursor]


def _joinable(row: dict[str, Any]) -> Joinable:
    plain = {name: value for name, value in row.items() if not name.endswith(("_zh", "_en"))}
    return Joinable(
        **{**plain, "checklist": read_items(row["checklist"])},
        todo=Text(zh=row["todo_zh"], en=row["todo_en"]),
        safety=Text(zh=row["safety_zh"], en=row["safety_en"]),
    )


async def join(
    conn: AsyncConnection, orders: Sequence[Joinable], alarm_ids: Sequence[Sequence[int]], now: datetime
) -> None:
    """Let alarms join orders that the caller has locked, which become as given and are looked at now."""
    await conn.execute(
        """
        INSERT INTO alarm_order (order_id, alarm_id, at, live)
        SELECT order_id, alarm_id, %(now)s, true
          FROM jsonb_to_recordset(%(links)s) AS v (order_id bigint, alarms bigint[]),
               unnest(alarms) AS alarm_id
         ORDER BY alarm_id
        ON CONFLICT DO NOTHING
        """,
        {
            "now": now,
            "links": Jsonb(
                [
                    {"order_id": order.id, "alarms": list(alarms)}
                    for order, alarms in zip(orders, alarm_ids, strict=True)
                ]
            ),
        },
    )
    await conn.execute(
        """
        UPDATE work_order AS o
           SET severity = v.severity, todo_zh = v.todo_zh, todo_en = v.todo_en, safety_zh = v.safety_zh,
               safety_en = v.safety_en, checklist = v.checklist, cancel_on_clear = v.cancel_on_clear,
               respond_by = v.respond_by, arrive_by = v.arrive_by, complete_by = v.complete_by,
               due_at = %(now)s
          FROM jsonb_to_recordset(%(orders)s) AS v (
               id bigint, severity text, todo_zh text, todo_en text, safety_zh text, safety_en text,
               checklist jsonb, cancel_on_clear boolean, respond_by timestamptz, arrive_by timestamptz,
               complete_by timestamptz)
         WHERE o.id = v.id
        """,
        {"now": now, "orders": Jsonb([_joined(order) for order in orders], msgspec.json.encode)},
    )


def _joined(order: Joinable) -> dict[str, Any]:
    return {
        "id": order.id,
        "severity": order.severity,
        "todo_zh": order.todo.zh,
        "todo_en": order.todo.en,
        "safety_zh": order.safety.zh,
        "safety_en": order.safety.en,
        "checklist": dump_items(order.checklist),
        "cancel_on_clear": order.cancel_on_clear,
        "respond_by": order.respond_by,
        "arrive_by": order.arrive_by,
        "complete_by": order.complete_by,
    }
