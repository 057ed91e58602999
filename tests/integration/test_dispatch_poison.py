"""What we fail at, be it one order or one kind of work, keeps no other order from its technician."""

import asyncio
from datetime import datetime

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.site import Site
from clerestory.worker import run_worker
from config.settings import Settings
from dispatch.sweep import SETBACK, sweep
from tests.integration.dispatch_world import (
    MINUTE,
    MORNING,
    World,
    add_order,
    add_technician,
    build,
    status_of,
)
from tests.integration.gateway_world import PATIENCE, one, until
from tests.manual_clock import ManualClock
from tests.mosquitto import Mosquitto


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    for code in ("li", "wang", "zhao"):
        await add_technician(conn, built, code)
    await conn.execute(
        """
        CREATE TABLE poison (order_id bigint);
        CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.order_id IN (SELECT order_id FROM poison) THEN RAISE EXCEPTION 'no offer of this'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER poisoned BEFORE INSERT ON offer FOR EACH ROW EXECUTE FUNCTION poisoned()
        """
    )
    return built


async def poison(conn: AsyncConnection, order_id: int) -> None:
    await conn.execute("INSERT INTO poison VALUES (%s)", (order_id,))


async def due_of(conn: AsyncConnection, order_id: int) -> datetime:
    due: datetime = await one(conn, "SELECT due_at FROM work_order WHERE id = %(id)s", {"id": order_id})
    return due


async def test_a_failing_order_is_put_off_and_the_others_go_on(
    conn: AsyncConnection, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, other = [await add_order(conn, world) for _ in range(3)]
    await poison(conn, bad)
    async with conn.transaction():
        await sweep(conn, MORNING)
    assert [await status_of(conn, each) for each in (good, bad, other)] == ["assigned", "open", "assigned"]
    assert await due_of(conn, bad) == MORNING + SETBACK
    [record] = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "could not be looked after" in record.getMessage()
    assert record.exc_info is not None
    await conn.execute("DELETE FROM poison")
    async with conn.transaction():
        await sweep(conn, MORNING + SETBACK - MINUTE)
    assert await status_of(conn, bad) == "open"
    async with conn.transaction():
        await sweep(conn, MORNING + SETBACK)
    assert await status_of(conn, bad) == "assigned"


async def test_the_worker_survives_a_failing_order(
    conn: AsyncConnection, pool: AsyncConnectionPool, database_url: str, broker: Mosquitto, world: World
) -> None:
    bad = await add_order(conn, world)
    await poison(conn, bad)
    site = Site(Settings(), ManualClock(MORNING), pool, database_url, broker.url)
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(site, stop))

    async def put_off() -> bool:
        return await due_of(conn, bad) > MORNING

    async def assigned() -> bool:
        return await status_of(conn, good) == "assigned"

    try:
        await until(put_off, "the failing order to be put off")
        good = await add_order(conn, world)
        await until(assigned, "another order to be assigned")
        assert not running.done()
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE)


async def test_a_loop_that_fails_by_our_mistake_stops_no_other(
    conn: AsyncConnection,
    pool: AsyncConnectionPool,
    database_url: str,
    broker: Mosquitto,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await conn.execute("ALTER TABLE plan RENAME TO mislaid")
    site = Site(Settings(), ManualClock(MORNING), pool, database_url, broker.url)
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(site, stop))

    def failed() -> bool:
        return any(record.getMessage().startswith("plans failed") for record in caplog.records)

    async def assigned() -> bool:
        return await status_of(conn, order) == "assigned"

    try:
        await until(failed, "the plans to fail")
        order = await add_order(conn, world)
        await until(assigned, "the order to be assigned")
        assert not running.done()
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE)
