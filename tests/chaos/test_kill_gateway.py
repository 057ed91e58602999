"""SIGKILL of the gateway between COMMIT and acknowledgement: nothing lost, nothing twice."""

import asyncio
import json
import signal
import sys
from datetime import timedelta

from psycopg import AsyncConnection

from gateway.publisher import Publisher
from gateway.session import Session
from tests.chaos.ingest_until_killed import BATCH, NAME
from tests.integration.gateway_world import PATIENCE, count, make_world, one, until
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto

MESSAGES = 400
KILLS = 4
FULL_AT = 300
"""From this message on the bin is full: one alarm and one order, however often it is told."""


def message(number: int) -> str:
    ts = START - timedelta(minutes=40) + timedelta(seconds=5 * number)
    fill = 99 if number >= FULL_AT else 10
    events = [{"code": "cover_open", "detail": str(number)}]
    return json.dumps({"v": 1, "ts": ts.isoformat(), "readings": {"fill_percent": fill}, "events": events})


async def gateway(database_url: str, broker: Mosquitto, commits: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.ingest_until_killed", database_url, broker.url, str(commits)
    )


async def test_a_gateway_killed_between_commit_and_acknowledgement(
    database_url: str, broker: Mosquitto, conn: AsyncConnection, clock: ManualClock
) -> None:
    await make_world(conn)
    async with Session(broker.url, NAME, clock) as session:
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
    async with Publisher(broker.url) as publisher:
        topic = "clerestory/court/bin-1/up"
        await asyncio.gather(
            *(publisher.publish(topic, message(number)) for number in range(1, MESSAGES + 1))
        )

    for kill in range(1, KILLS + 1):
        process = await gateway(database_url, broker, commits=2)
        assert await asyncio.wait_for(process.wait(), PATIENCE * 2) == -signal.SIGKILL
        # Two batches were committed and one of them acknowledged: each life moves on by at least that one.
        assert kill < await count(conn, "reading") <= (kill + 1) * BATCH

    process = await gateway(database_url, broker, commits=0)

    async def all_there() -> bool:
        return await count(conn, "reading") == MESSAGES

    await until(all_there, "all readings")
    process.terminate()
    await asyncio.wait_for(process.wait(), PATIENCE)

    assert await one(conn, "SELECT count(DISTINCT ts) FROM reading") == MESSAGES
    assert await count(conn, "event") == MESSAGES
    assert await count(conn, "dead_letter") == 0
    assert await one(conn, "SELECT count(*) FROM alarm WHERE rule = 'bin_overflow'") == 1
    assert await count(conn, "work_order") == 1
