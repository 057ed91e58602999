"""Maintenance plans and what they opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan as it is kept."""

    id: int
    community_id: int
    zone: str
    name_zh: str
    name_en: str
    kind: str
    skill: str
    asset_class: str
    every_days: int
    at_time: time
    starts_on: date
    todo_zh: str
    todo_en: str
    checklist: Any
    retired_on: date | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An asset without a run on the due date, and the last date it had one."""

    asset_id: int
    last_on: date | None


async def plans(conn: AsyncConnection) -> list[Plan]:
    """Read all plans."""
    cursor = await conn.cursor(row_factory=class_row(Plan)).execute(
        """
        SELECT p.id, p.community_id, c.timezone AS zone, p.name_zh, p.name_en, p.kind, p.skill, p.asset_class,
               p.every_days, p.at_time, p.starts_on, p.todo_zh, p.todo_en, p.checklist, p.retired_on
          FROM plan AS p
          JOIN community AS c ON c.id = p.community_id
         ORDER BY p.id
        """
    )
    return await cursor.fetchall()


async def waiting(conn: AsyncConnection, plan: Plan, due_on: date) -> list[Waiting]:
    """Find the plan's assets that have no run on that day or later."""
    cursor = await conn.cursor(row_factory=class_row(Waiting)).execute(
        """
        SELECT a.id AS asset_id, max(r.due_on) AS last_on
          FROM asset AS a
          LEFT JOIN plan_run AS r ON r.asset_id = a.id AND r.plan_id = %(plan)s
         WHERE a.community_id = %(community)s AND a.class = %(class)s AND a.retired_on IS NULL
         GROUP BY a.id
        HAVING max(r.due_on) IS NULL OR max(r.due_on) < %(due)s
         ORDER BY a.id
        """,
        {"plan": plan.id, "community": plan.community_id, "class": plan.asset_class, "due": due_on},
    )
    return await cursor.fetchall()


async def begin_run(conn: AsyncConnection, plan_id: int, asset_id: int, due_on: date) -> bool:
    """Take the occurrence; False where somebody else has it."""
    cursor = await conn.execute(
        """
        INSERT INTO plan_run (plan_id, asset_id, due_on) VALUES (%(plan)s, %(asset)s, %(due)s)
        ON CONFLICT (plan_id, asset_id, due_on) DO NOTHING
        RETURNING due_on
        """,
        {"plan": plan_id, "asset": asset_id, "due": due_on},
    )
    return await cursor.fetchone() is not None


async def opened(conn: AsyncConnection, plan_id: int, asset_id: int, due_on: date, order_id: int) -> None:
    """Keep the order an occurrence opened."""
    await conn.execute(
        """
        UPDATE plan_run SET order_id = %(order)s
         WHERE plan_id = %(plan)s AND asset_id = %(asset)s AND due_on = %(due)s
        """,
        {"order": order_id, "plan": plan_id, "asset": asset_id, "due": due_on},
    )


async def missed(conn: AsyncConnection, plan_id: int, asset_id: int, days: Sequence[date]) -> None:
    """Record occurrences that passed without an order."""
    await conn.execute(
        """
        INSERT INTO plan_run (plan_id, asset_id, due_on)
        SELECT %(plan)s, %(asset)s, day FROM unnest(%(days)s::date[]) AS day
        ON CONFLICT (plan_id, asset_id, due_on) DO NOTHING
        """,
        {"plan": plan_id, "asset": asset_id, "days": list(days)},
    )


async def untaken(conn: AsyncConnection, plan_id: int, asset_id: int) -> list[int]:
    """Find the plan's earlier orders for the asset that nobody accepted."""
    cursor = await conn.execute(
        """
        SELECT id FROM work_order
         WHERE plan_id = %(plan)s AND asset_id = %(asset)s AND status IN ('open', 'assigned')
         ORDER BY id
        """,
        {"plan": plan_id, "asset": asset_id},
    )
    return [order_id async for (order_id,) in cursor]
