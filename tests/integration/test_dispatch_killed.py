"""A worker that is killed at any moment leaves nothing undone and does nothing twice."""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from config.clock import SystemClock
from tests.integration.dispatch_world import World, add_order, add_technician, build
from tests.integration.gateway_world import until
from tests.mosquitto import Mosquitto

ORDERS = 12


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    for code in ("li", "wang", "zhao", "qian"):
        await add_technician(conn, built, code)
    return built


async def start(database_url: str, broker: Mosquitto, data_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "clerestory"),
        "worker",
        env={
            **os.environ,
            "CLERESTORY_DATABASE_URL": database_url,
            "CLERESTORY_MQTT_URL": broker.url,
            "CLERESTORY_DATA_DIR": str(data_dir),
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_killed_and_started_again(
    conn: AsyncConnection, database_url: str, broker: Mosquitto, world: World, tmp_path: Path
) -> None:
    now = SystemClock().now()

    async def first_offer() -> bool:
        cursor = await conn.execute("SELECT count(*) > 0 FROM offer")
        return await cursor.fetchone() == (True,)

    async def all_done() -> bool:
        cursor = await conn.execute(
            "SELECT (SELECT count(*) FROM work_order WHERE status = 'assigned'),"
            " (SELECT count(*) FROM outbox WHERE delivered_at IS NULL)"
        )
        return await cursor.fetchone() == (ORDERS, 0)

    workers = [await start(database_url, broker, tmp_path / str(number)) for number in range(2)]
    try:
        for _ in range(ORDERS):
            await add_order(conn, world, now)
        await until(first_offer, "the first offer")
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        workers = [await start(database_url, broker, tmp_path / "again")]
        await until(all_done, "every order to be offered")
    finally:
        for worker in workers:
            worker.terminate()
            assert await worker.wait() in (0, -signal.SIGTERM)
    cursor = await conn.execute(
        "SELECT (SELECT count(*) FROM offer), (SELECT count(DISTINCT order_id) FROM offer),"
        " (SELECT count(*) FROM outbox WHERE topic LIKE '%/job')"
    )
    assert await cursor.fetchone() == (ORDERS, ORDERS, ORDERS)


HELD = """
    WITH a AS (
        INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
        SELECT %(community)s, %(area)s, 'elevator', 'held-' || n, '梯', 'Lift'
          FROM generate_series(1, %(many)s) n
        RETURNING id, code
    ), d AS (
        INSERT INTO device (community_id, asset_id, code, profile)
        SELECT %(community)s, id, code, 'elevator-native' FROM a RETURNING id
    )
    INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh, meaning_en,
                       raised_at, recorded_at, held_at, held_by, held_zh, held_en)
    SELECT %(community)s, id, 'power_lost', 'major', '断电', 'Power lost', '断', 'lost', %(now)s, %(now)s,
           %(now)s, 'emergency', '暂缓', 'held' FROM d
"""
ALARMS = 2000


async def test_killed_while_it_tells_of_alarms_that_an_emergency_held(
    conn: AsyncConnection, database_url: str, broker: Mosquitto, world: World, tmp_path: Path
) -> None:
    """The emergency is over, and two workers die telling of it: each alarm is told once, with one order."""
    now = SystemClock().now()

    async def told(at_least: int) -> bool:
        cursor = await conn.execute("SELECT count(*) >= %s FROM alarm WHERE held_at IS NULL", (at_least,))
        return await cursor.fetchone() == (True,)

    values = {"community": world.community, "area": world.east, "many": ALARMS, "now": now}
    await conn.execute(HELD, values)
    workers = [await start(database_url, broker, tmp_path / str(number)) for number in range(2)]
    try:
        await until(partial(told, 1), "the first to be told")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
    last = await start(database_url, broker, tmp_path / "last")
    try:
        await until(partial(told, ALARMS), "all to be told")
    finally:
        last.terminate()
        await last.wait()
    cursor = await conn.execute(
        "SELECT count(*), count(DISTINCT alarm_id), count(*) FILTER (WHERE kind = 'paged'),"
        " count(*) FILTER (WHERE kind = 'ordered') FROM alarm_event WHERE kind IN ('paged', 'ordered')"
    )
    assert await cursor.fetchone() == (2 * ALARMS, ALARMS, ALARMS, ALARMS)
    cursor = await conn.execute("SELECT count(*), count(DISTINCT alarm_id) FROM work_order")
    assert await cursor.fetchone() == (ALARMS, ALARMS)
