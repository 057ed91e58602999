"""A retained status is repeated by the broker whenever a gateway subscribes: it is no news by then."""

import asyncio
from datetime import timedelta

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gateway.delivery import Delivery
from gateway.publisher import Publisher
from gateway.session import Session
from rules.apply import wake
from rules.book import load_rulebook
from tests.integration.gateway_world import (
    PATIENCE,
    count,
    make_ingest,
    make_world,
    one,
    running_gateway,
    until,
    up,
)
from tests.manual_clock import ManualClock
from tests.mosquitto import Mosquitto

MINUTE = timedelta(minutes=1)
STATUS = "clerestory/court/lift-1/status"


def lose_the_device(broker: Mosquitto) -> None:
    """Connect with a will and hang up without a word, so that the broker says the will."""
    device = Client(CallbackAPIVersion.VERSION2, client_id="lift-1")
    device.will_set(STATUS, "offline", qos=1, retain=True)
    device.connect("127.0.0.1", broker.port)
    while not device.is_connected():
        device.loop(0.1)
    connection = device.socket()
    assert connection is not None
    connection.close()


async def send(publisher: Publisher, said: Delivery) -> None:
    await publisher.publish(said.topic, said.payload)


@pytest.mark.parametrize("restarted_as", ["gateway-test", "gateway-new"])
async def test_a_repeated_will_raises_nothing_about_a_device_that_spoke_since(
    broker: Mosquitto,
    conn: AsyncConnection,
    pool: AsyncConnectionPool,
    clock: ManualClock,
    restarted_as: str,
) -> None:
    await make_world(conn)
    ingest = make_ingest(pool, clock)

    async def online_is(*, expected: bool) -> bool:
        query = "SELECT count(*) FROM device_state WHERE online = %(online)s"
        return bool(await one(conn, query, {"online": expected}) == 1)

    async with Publisher(broker.url) as publisher:
        async with running_gateway(broker.url, ingest, clock):
            await asyncio.to_thread(lose_the_device, broker)
            await until(lambda: online_is(expected=False), "the will")
            clock.advance(MINUTE)
            await send(publisher, up("lift-1", clock.now(), floor=3))
            await until(lambda: online_is(expected=True), "the device to be back")
        clock.advance(MINUTE)
        async with running_gateway(broker.url, ingest, clock, name=restarted_as):
            # The broker repeats the status before anything that is published later.
            await send(publisher, up("bin-1", clock.now(), fill_percent=5))

            async def heard() -> bool:
                return await count(conn, "reading") == 2

            await until(heard, "a reading after the restart")
    assert await online_is(expected=True)
    clock.advance(2.5 * MINUTE)
    async with conn.transaction():
        assert (await wake(conn, clock.now(), load_rulebook())).changes == []
    assert await count(conn, "alarm") == 0


async def test_the_session_says_what_the_broker_retained(broker: Mosquitto, clock: ManualClock) -> None:
    async with Publisher(broker.url) as publisher:
        await publisher.publish(STATUS, "offline", retain=True)
        async with Session(broker.url, "gateway-test", clock) as session:
            [repeated] = await asyncio.wait_for(session.take(9), PATIENCE)
            await publisher.publish(STATUS, "online", retain=True)
            [fresh] = await asyncio.wait_for(session.take(9), PATIENCE)
    assert (repeated.payload, repeated.retained) == (b"offline", True)
    assert (fresh.payload, fresh.retained) == (b"online", False)
