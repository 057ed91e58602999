"""Plans on a real database: on time, also after downtime, and never twice."""

import asyncio
from datetime import date, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from dispatch import moves, plans
from dispatch.sweep import sweep
from tests.integration.dispatch_world import HOUR, MORNING, World, add_technician, build, offers_of

DAY = timedelta(days=1)


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    await conn.execute(
        "INSERT INTO plan (community_id, code, name_zh, name_en, kind, skill, asset_class, every_days,"
        " at_time, starts_on, checklist)"
        " VALUES (%s, 'daily', '每日保洁', 'Daily cleaning', 'cleaning', 'elevator', 'elevator', 1, '08:00',"
        ' \'2026-11-23\', \'[{"code": "floor", "name": {"zh": "地面", "en": "Floor"}, "type": "check"}]\')',
        (built.community,),
    )
    return built


async def runs(conn: AsyncConnection) -> list[tuple[date, bool]]:
    cursor = await conn.execute("SELECT due_on, order_id IS NOT NULL FROM plan_run ORDER BY due_on")
    return await cursor.fetchall()


async def test_an_occurrence_is_opened_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World
) -> None:
    assert world.elevator
    assert await plans.run_due(conn, MORNING - 2 * HOUR) == []

    async def run() -> list[int]:
        async with pool.connection() as own, own.transaction():
            return await plans.run_due(own, MORNING)

    opened = await asyncio.gather(*(run() for _ in range(4)))
    assert sorted(len(orders) for orders in opened) == [0, 0, 0, 1]
    assert await plans.run_due(conn, MORNING + HOUR) == []
    cursor = await conn.execute("SELECT kind, checklist -> 0 ->> 'code', complete_by FROM work_order")
    assert await cursor.fetchone() == ("cleaning", "floor", MORNING + DAY)


async def test_after_downtime_the_latest_is_opened_and_the_rest_said_missed(
    conn: AsyncConnection, world: World
) -> None:
    assert world.elevator
    (first,) = await plans.run_due(conn, MORNING)
    (second,) = await plans.run_due(conn, MORNING + 4 * DAY)
    assert await runs(conn) == [
        (date(2026, 11, 23), True),
        (date(2026, 11, 24), False),
        (date(2026, 11, 25), False),
        (date(2026, 11, 26), False),
        (date(2026, 11, 27), True),
    ]
    cursor = await conn.execute("SELECT id, status FROM work_order ORDER BY id")
    assert await cursor.fetchall() == [(first, "cancelled"), (second, "open")]


async def test_accepted_work_is_not_cancelled_by_the_next(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    (first,) = await plans.run_due(conn, MORNING)
    await sweep(conn, MORNING)
    assert await offers_of(conn, first) == [("li", 1, "offered")]
    await moves.accept(conn, first, world.by("li"), MORNING)
    await plans.run_due(conn, MORNING + DAY)
    cursor = await conn.execute("SELECT status FROM work_order ORDER BY id")
    assert await cursor.fetchall() == [("accepted",), ("open",)]
