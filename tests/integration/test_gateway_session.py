"""The gateway between a real broker and a real database: nothing lost, nothing twice, whatever breaks."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory import pipeline
from clerestory.ingest import Ingest
from clerestory.site import Site
from config.settings import Settings
from gateway.delivery import Delivery
from gateway.link import LinkFailed
from gateway.publisher import Publisher
from gateway.session import Bounds, Session
from tests.integration.gateway_world import (
    PATIENCE,
    count,
    make_ingest,
    make_world,
    one,
    running_gateway,
    until,
)
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto


@pytest.fixture
def ingest(pool: AsyncConnectionPool, clock: ManualClock) -> Ingest:
    return make_ingest(pool, clock)


def message(number: int) -> str:
    ts = START - timedelta(days=1) + timedelta(seconds=number)
    return json.dumps({"v": 1, "ts": ts.isoformat(), "readings": {"battery_percent": number % 100}})


async def publish(publisher: Publisher, first: int, last: int, code: str = "bin-1") -> None:
    """Send messages number `first` to `last` and wait until the broker has them all."""
    topic = f"clerestory/court/{code}/up"
    numbers = range(first, last + 1)
    await asyncio.gather(*(publisher.publish(topic, message(number)) for number in numbers))


async def enough(conn: AsyncConnection, rows: int) -> bool:
    return await count(conn, "reading") >= rows


async def subscribe_once(broker: Mosquitto, clock: ManualClock) -> None:
    """Let the broker know the gateway, so that messages wait for it."""
    async with Session(broker.url, "gateway-test", clock) as session:
        await asyncio.wait_for(session.connected.wait(), PATIENCE)


async def test_messages_wait_for_a_gateway_that_is_away(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    await subscribe_once(broker, clock)
    async with Publisher(broker.url) as publisher:
        await publish(publisher, 1, 200)
    async with running_gateway(broker.url, ingest, clock):
        await until(lambda: enough(conn, 200), "200 readings")
    assert await count(conn, "reading") == 200
    assert await count(conn, "dead_letter") == 0


async def test_what_was_not_acknowledged_comes_again(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    await subscribe_once(broker, clock)
    async with Publisher(broker.url) as publisher:
        await publish(publisher, 1, 50)
    async with Session(broker.url, "gateway-test", clock) as session:
        taken: list[Delivery] = []
        while len(taken) < 50:
            taken += await asyncio.wait_for(session.take(100), PATIENCE)
        await ingest.take(taken)  # committed, and then this gateway is gone without a word
    assert await count(conn, "reading") == 50
    async with running_gateway(broker.url, ingest, clock) as session:
        async with Publisher(broker.url) as publisher:
            await publish(publisher, 51, 51)
        await until(lambda: enough(conn, 51), "the reading after the repeats")
    assert await count(conn, "reading") == 51
    async with Session(broker.url, "gateway-test", clock) as session:
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        async with Publisher(broker.url) as publisher:
            await publish(publisher, 52, 52)
        last = await asyncio.wait_for(session.take(100), PATIENCE)
    assert [json.loads(delivery.payload)["readings"] for delivery in last] == [{"battery_percent": 52}]


async def test_a_full_queue_stops_reading_and_goes_on_later(broker: Mosquitto, clock: ManualClock) -> None:
    bounds = Bounds(messages=100)
    async with Session(broker.url, "gateway-test", clock, bounds=bounds) as session:
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        async with Publisher(broker.url) as publisher:
            sending = asyncio.create_task(publish(publisher, 1, 1000))
            await until(lambda: not session.reading, "the queue to be full")
            await sending
            assert session.waiting == 100
            taken: list[Delivery] = []
            while len(taken) < 1000:
                batch = await asyncio.wait_for(session.take(30), PATIENCE)
                session.acknowledge(batch)
                taken += batch
                assert session.waiting <= 100
    numbers = [json.loads(delivery.payload)["ts"] for delivery in taken]
    assert numbers == sorted(set(numbers))


async def test_large_messages_fill_the_queue_by_their_size(broker: Mosquitto, clock: ManualClock) -> None:
    async with Session(broker.url, "gateway-test", clock, bounds=Bounds(octets=500_000)) as session:
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        async with Publisher(broker.url) as publisher:
            await asyncio.gather(*(publisher.publish("clerestory/a/b/up", b"x" * 90_000) for _ in range(20)))
        await until(lambda: not session.reading, "the queue to be full")
        assert session.waiting == 8
        batch = await session.take(1)
        assert len(batch[0].payload) == 65_537


async def test_a_broker_restart_loses_nothing(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    async with running_gateway(broker.url, ingest, clock) as session, Publisher(broker.url) as publisher:
        await publish(publisher, 1, 300)
        broker.stop()
        await until(lambda: not session.connected.is_set(), "the gateway to notice")
        with pytest.raises(LinkFailed):
            await publisher.publish("clerestory/court/bin-1/up", message(301))
        broker.start()
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        await publish(publisher, 301, 400)
        await until(lambda: enough(conn, 400), "all readings")
    assert await count(conn, "reading") == 400
    assert await count(conn, "dead_letter") == 0


async def test_a_killed_broker_keeps_what_waited_for_a_gateway_that_was_away(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    await subscribe_once(broker, clock)
    async with Publisher(broker.url) as publisher:
        await publish(publisher, 1, 100)
        # The broker saves a message with the next one; this one may go down with it.
        await publisher.publish("clerestory/court/bin-2/status", "online")
    broker.kill()
    broker.start()
    async with running_gateway(broker.url, ingest, clock):
        await until(lambda: enough(conn, 100), "100 readings")
    assert await count(conn, "reading") == 100


async def test_two_gateways_share_the_messages(
    broker: Mosquitto, conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await make_world(conn)
    first, second = make_ingest(pool, clock), make_ingest(pool, clock)
    async with (
        running_gateway(broker.url, first, clock, name="one", share="us"),
        running_gateway(broker.url, second, clock, name="two", share="us"),
        Publisher(broker.url) as publisher,
    ):
        await asyncio.gather(publish(publisher, 1, 200), publish(publisher, 1, 200, "bin-2"))
        await until(lambda: enough(conn, 400), "400 readings")
    assert await count(conn, "reading") == 400


async def test_the_database_goes_away_and_comes_back(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    async with running_gateway(broker.url, ingest, clock), Publisher(broker.url) as publisher:
        await publish(publisher, 1, 20)
        await until(lambda: enough(conn, 20), "20 readings")
        for start in range(21, 201, 20):
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await publish(publisher, start, start + 19)
        await until(lambda: enough(conn, 200), "200 readings")
    assert await count(conn, "reading") == 200
    assert await count(conn, "dead_letter") == 0


async def test_the_will_of_a_device_is_heard(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    world = await make_world(conn)
    async with Publisher(broker.url) as publisher:
        await publisher.publish("clerestory/court/bin-1/status", "online", retain=True)

        async def online() -> bool | None:
            cursor = await conn.execute(
                "SELECT online FROM device_state WHERE device_id = %(id)s", {"id": world.devices["bin-1"]}
            )
            row = await cursor.fetchone()
            return None if row is None else row[0]

        async def is_online() -> bool:
            return await online() is True

        async def is_offline() -> bool:
            return await online() is False

        async with running_gateway(broker.url, ingest, clock):
            await until(is_online, "the retained status")
            await publisher.publish("clerestory/court/bin-1/status", "offline", retain=True)
            await until(is_offline, "the will")


async def test_a_gateway_that_is_told_to_stop_finishes_its_batch(
    broker: Mosquitto, conn: AsyncConnection, ingest: Ingest, clock: ManualClock
) -> None:
    await make_world(conn)
    async with Publisher(broker.url) as publisher:
        async with running_gateway(broker.url, ingest, clock, largest_batch=10) as session:
            await publish(publisher, 1, 100)
            await until(lambda: enough(conn, 1), "the first reading")
            session.finish()
        committed = await count(conn, "reading")
        async with running_gateway(broker.url, ingest, clock):
            await until(lambda: enough(conn, 100), "the rest")
    assert committed >= 1
    assert await count(conn, "reading") == 100
    assert await one(conn, "SELECT count(DISTINCT ts) FROM reading") == 100


async def test_a_gateway_that_is_told_to_stop_does_not_wait_for_a_database_that_stays_away(
    broker: Mosquitto,
    conn: AsyncConnection,
    pool: AsyncConnectionPool,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "GRACE_SECONDS", 0.2)
    await make_world(conn)
    settings = Settings(data_dir=tmp_path, gateway_id="gateway-test")
    site = Site(settings, clock, pool, "", broker.url)
    stop = asyncio.Event()
    await subscribe_once(broker, clock)
    await pool.close()
    running = asyncio.create_task(pipeline.run_gateway(site, stop))
    async with Publisher(broker.url) as publisher:
        await publish(publisher, 1, 10)
    stop.set()
    await asyncio.wait_for(running, PATIENCE)
    async with Session(broker.url, "gateway-test", clock) as session:
        taken: list[Delivery] = []
        while len(taken) < 10:
            taken += await asyncio.wait_for(session.take(100), PATIENCE)
