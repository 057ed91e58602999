"""SIGKILL of the database under load: the gateway waits, goes on, and nothing is lost or twice."""

import asyncio
import json
import os
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from psycopg import AsyncConnection, OperationalError

from gateway.publisher import Publisher
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc, open_pool
from tests.integration.gateway_world import count, make_ingest, make_world, one, running_gateway, until
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto

MESSAGES = 3000
KILLED_AT = (600, 1500)


def message(number: int) -> str:
    ts = START - timedelta(hours=2) + timedelta(seconds=number)
    return json.dumps({"v": 1, "ts": ts.isoformat(), "readings": {"battery_percent": number % 101}})


@pytest.fixture
def directory(reachable_tmp_path: Path) -> Path:
    return reachable_tmp_path / "data"


async def reached(url: str, rows: int) -> bool:
    """Whether so many readings are committed; not while the database is down."""
    try:
        async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            return await count(conn, "reading") >= rows
    except OperationalError:
        return False


async def send(publisher: Publisher) -> None:
    for start in range(1, MESSAGES + 1, 100):
        numbers = range(start, start + 100)
        topic = f"clerestory/court/bin-{1 + start // 100 % 2}/up"
        await asyncio.gather(*(publisher.publish(topic, message(number)) for number in numbers))


async def test_a_database_killed_under_load(directory: Path, broker: Mosquitto, clock: ManualClock) -> None:
    server = EmbeddedPostgres(directory)
    async with server:
        url = server.url
        await asyncio.to_thread(migrate, url)
        async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            await make_world(conn)
        async with (
            open_pool(url) as pool,
            running_gateway(broker.url, make_ingest(pool, clock), clock, largest_batch=20),
            Publisher(broker.url) as publisher,
        ):
            sending = asyncio.create_task(send(publisher))
            for rows in KILLED_AT:
                await until(partial(reached, url, rows), f"{rows} readings")
                os.kill(server.pid, signal.SIGKILL)
            await asyncio.wait_for(sending, 60)
            await until(partial(reached, url, MESSAGES), "all readings", patience=60)
        async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            assert await count(conn, "reading") == MESSAGES
            assert await one(conn, "SELECT count(DISTINCT ts) FROM reading") == MESSAGES
            assert await count(conn, "dead_letter") == 0
