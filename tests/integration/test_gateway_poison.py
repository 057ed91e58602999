"""A message that we fail at after reading it harms nobody else's, and does not stop the gateway."""

import json

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gateway import store
from gateway.publisher import Publisher
from gateway.session import Session
from tests.integration.gateway_world import count, make_ingest, make_world, running_gateway, until, up
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto

POISON = "clerestory/court/lift-1/up"


async def test_an_alarm_that_cannot_be_stored_stops_nobody(
    broker: Mosquitto, conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await make_world(conn, bins=20)
    await conn.execute(
        """
        CREATE FUNCTION poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.device_id = (SELECT id FROM device WHERE code = 'lift-1') THEN
                RAISE EXCEPTION 'no alarm about this one';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER poisoned BEFORE INSERT ON alarm FOR EACH ROW EXECUTE FUNCTION poisoned()
        """
    )
    ingest = make_ingest(pool, clock)
    event = {"v": 1, "ts": START.isoformat(), "events": [{"code": "passenger_entrapment"}]}

    async def readings(expected: int) -> bool:
        return await count(conn, "reading") == expected

    async with Session(broker.url, "gateway-test", clock) as session, Publisher(broker.url) as publisher:
        await session.connected.wait()  # from now on messages wait for it, so that they come as one batch
        session.finish()
        for number in range(1, 21):
            said = up(f"bin-{number}", fill_percent=number)
            await publisher.publish(said.topic, said.payload)
            if number == 7:
                await publisher.publish(POISON, json.dumps(event))
    async with running_gateway(broker.url, ingest, clock), Publisher(broker.url) as publisher:
        await until(lambda: readings(20), "everybody else's readings")
        said = up("lift-1", floor=3)
        await publisher.publish(said.topic, said.payload)
        await until(lambda: readings(21), "a reading after the poison")
    [letter] = await store.letters(conn, resolved=False, reason=None, topic=None, limit=9)
    assert (letter.topic, letter.reason) == (POISON, "our_fault")
    assert letter.detail.startswith("RaiseException: no alarm about this one")
    assert await count(conn, "event") == 0
    await conn.execute("DROP TRIGGER poisoned ON alarm")
    assert await ingest.retry(letter.id) is None
    assert await count(conn, "alarm") == 1
