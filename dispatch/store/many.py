"""Many orders in one statement each: what a storm of alarms does to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from config.checklist import dump_items, read_items
from config.text import Text
from dispatch.grouping import Joinable
from dispatch.order import Order
from dispatch.status import Status
from dispatch.store.offers import Offer
from dispatch.store.orders import order_of_row, say_move, select_orders


@dataclass(frozen=True, slots=True)
class Opened:
    """An order that was opened for alarms."""

    id: int
    community_id: int
    alarm_id: int


@dataclass(frozen=True, slots=True)
class Move:
    """A row of an order's story that the system writes."""

    order_id: int
    before: Status
    after: Status
    why: Text


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


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
              FROM jsonb_to_recordset(%(rows)s::jsonb) AS v (
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
        {"rows": _json(rows)},
    )
    return await cursor.fetchall()


async def add_moves(conn: AsyncConnection, moves: Sequence[Move], at: datetime) -> None:
    """Add a row to the story of each order, by the system."""
    cursor = await conn.execute(
        """
        WITH moved AS (
            INSERT INTO order_move (order_id, from_status, to_status, at, why_zh, why_en)
            SELECT order_id, before, after, %(at)s, zh, en
              FROM jsonb_to_recordset(%(moves)s::jsonb)
                   AS v (order_id bigint, before text, after text, zh text, en text)
             ORDER BY order_id
            RETURNING order_id
        )
        SELECT o.id, o.number, (SELECT left(string_agg(DISTINCT m.trace, ' '), 1000)
                                  FROM alarm_order AS l JOIN alarm AS m ON m.id = l.alarm_id
                                 WHERE l.order_id = o.id)
          FROM moved JOIN work_order AS o ON o.id = moved.order_id
        """,
        {
            "at": at,
            "moves": _json(
                [
                    {
                        "order_id": each.order_id,
                        "before": each.before,
                        "after": each.after,
                        "zh": each.why.zh,
                        "en": each.why.en,
                    }
                    for each in moves
                ]
            ),
        },
    )
    by_order = {each.order_id: each for each in moves}
    async for order_id, number, trace in cursor:
        move = by_order[order_id]
        say_move(number, trace, move.before, move.after, move.why)


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
          FROM jsonb_to_recordset(%(links)s::jsonb) AS v (order_id bigint, alarms bigint[]),
               unnest(alarms) AS alarm_id
         ORDER BY alarm_id
        ON CONFLICT DO NOTHING
        """,
        {
            "now": now,
            "links": _json(
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
          FROM jsonb_to_recordset(%(orders)s::jsonb) AS v (
               id bigint, severity text, todo_zh text, todo_en text, safety_zh text, safety_en text,
               checklist jsonb, cancel_on_clear boolean, respond_by timestamptz, arrive_by timestamptz,
               complete_by timestamptz)
         WHERE o.id = v.id
        """,
        {"now": now, "orders": _json([_joined(order) for order in orders])},
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


@dataclass(frozen=True, slots=True)
class EndedAlarm:
    """An alarm that has ended, the order it belongs to, and how many of the order's alarms still live."""

    order_id: int
    alarm_id: int
    title: Text
    still: int
    of: int


async def lock_orders_of(conn: AsyncConnection, alarm_ids: Sequence[int]) -> dict[int, Order]:
    """Lock the live orders of some alarms, in the order of their ids whoever else does the same."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        select_orders(
            """
            WHERE o.id IN (SELECT l.order_id FROM alarm_order AS l WHERE l.live AND l.alarm_id = ANY(%(ids)s))
            ORDER BY o.id FOR NO KEY UPDATE OF o
            """
        ),
        {"ids": list(alarm_ids)},
    )
    return {row["id"]: order_of_row(row) async for row in cursor}


async def ended_alarms(conn: AsyncConnection, alarm_ids: Sequence[int]) -> list[EndedAlarm]:
    """Read of some ended alarms the live orders they belong to; lock those first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT l.order_id, m.id AS alarm_id, m.title_zh, m.title_en, n.still, n.of
          FROM alarm_order AS l
          JOIN alarm AS m ON m.id = l.alarm_id
          JOIN LATERAL (
               SELECT count(*) FILTER (WHERE x.cleared_at IS NULL AND NOT x.id = ANY(%(ids)s)) AS still,
                      count(*) AS of
                 FROM alarm_order AS k JOIN alarm AS x ON x.id = k.alarm_id
                WHERE k.order_id = l.order_id) AS n ON true
         WHERE l.live AND l.alarm_id = ANY(%(ids)s)
         ORDER BY l.order_id, m.id
        """,
        {"ids": list(alarm_ids)},
    )
    return [
        EndedAlarm(
            row["order_id"],
            row["alarm_id"],
            Text(zh=row["title_zh"], en=row["title_en"]),
            row["still"],
            row["of"],
        )
        async for row in cursor
    ]


async def cancel(conn: AsyncConnection, order_ids: Sequence[int]) -> None:
    """End orders that the caller has locked, and that nobody holds, without work."""
    await conn.execute(
        """
        UPDATE work_order
           SET status = 'cancelled', progress_by = NULL, paused_at = NULL, held_at = NULL, hold_reason = NULL,
               escalation_cause = NULL, escalation_step = 0, escalated_at = NULL, escalation_zh = '',
               escalation_en = '', due_at = NULL
         WHERE id = ANY(%(ids)s) AND status IN ('open', 'reopened', 'assigned')
        """,
        {"ids": list(order_ids)},
    )


async def withdraw_offers(
    conn: AsyncConnection, order_ids: Sequence[int], now: datetime, reasons: Mapping[int, Text]
) -> list[Offer]:
    """Take back every standing offer of some orders, each with its order's reason."""
    cursor = await conn.cursor(row_factory=class_row(Offer)).execute(
        """
        UPDATE offer AS f
           SET status = 'withdrawn', answered_at = %(now)s, reason_zh = v.zh, reason_en = v.en
          FROM staff AS s, jsonb_to_recordset(%(reasons)s::jsonb) AS v (order_id bigint, zh text, en text)
         WHERE s.id = f.staff_id AND f.order_id = v.order_id AND f.status = 'offered'
        RETURNING f.id, f.order_id, f.staff_id, s.code AS staff, f.round, f.slot, f.status, f.expires_at,
                  f.answered_at, f.chosen_by
        """,
        {
            "now": now,
            "reasons": _json(
                [{"order_id": each, "zh": reasons[each].zh, "en": reasons[each].en} for each in order_ids]
            ),
        },
    )
    return await cursor.fetchall()


async def hand_over(conn: AsyncConnection, order_id: int, into: int, now: datetime) -> None:
    """Give the alarms of an order that is merged to the one that does its work."""
    await conn.execute("UPDATE alarm_order SET live = false WHERE order_id = %(id)s", {"id": order_id})
    await conn.execute(
        """
        INSERT INTO alarm_order (order_id, alarm_id, at, live)
        SELECT %(into)s, l.alarm_id, %(now)s, true FROM alarm_order AS l
         WHERE l.order_id = %(id)s
        ON CONFLICT DO NOTHING
        """,
        {"id": order_id, "into": into, "now": now},
    )
