"""A worker that is killed at any moment leaves nothing undone and does nothing twice."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from config.clock import SystemClock
from tests.integration.dispatch_world import World, add_order, add_technician, build
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


async def until(met: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await met():  # noqa: ASYNC110 - the event is in the database
            await asyncio.sleep(0.01)


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
        await until(first_offer, 30)
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            await worker.wait()
        workers = [await start(database_url, broker, tmp_path / "again")]
        await until(all_done, 60)
    finally:
        for worker in workers:
            worker.terminate()
            assert await worker.wait() in (0, -signal.SIGTERM)
    cursor = await conn.execute(
        "SELECT (SELECT count(*) FROM offer), (SELECT count(DISTINCT order_id) FROM offer),"
        " (SELECT count(*) FROM outbox WHERE topic LIKE '%/job')"
    )
    assert await cursor.fetchone() == (ORDERS, ORDERS, ORDERS)
