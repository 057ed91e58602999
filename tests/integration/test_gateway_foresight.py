"""Messages read as they arrive: taken as if read in the transaction, whatever changed in between."""

from datetime import timedelta

import msgspec
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.ingest import Ingest
from gateway.delivery import Delivery
from gateway.refusals import Refusal
from tests.integration.gateway_world import count, make_ingest, make_world, one, said, up
from tests.manual_clock import START, ManualClock


@pytest.fixture
def ingest(pool: AsyncConnectionPool, clock: ManualClock) -> Ingest:
    return make_ingest(pool, clock)


def arriving(ingest: Ingest, delivery: Delivery) -> Delivery:
    """The same message as the session would queue it."""
    read = ingest.foresight(delivery.topic, delivery.payload, delivery.received_at, delivery.retained)
    return msgspec.structs.replace(delivery, read=read)


async def test_what_was_read_on_arrival_is_stored(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    assert await ingest.take([arriving(ingest, up("bin-1", fill_percent=1))]) == [None]
    later = arriving(ingest, up("bin-1", START + timedelta(seconds=1), fill_percent=2))
    assert later.read is not None
    assert await ingest.take([later, later]) == [None, None]
    assert await count(conn, "reading") == 2


async def test_a_device_nobody_has_looked_up_is_read_in_the_transaction(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn)
    assert await ingest.take([up("bin-1", fill_percent=1)]) == [None]
    stranger = arriving(ingest, up("bin-2", fill_percent=2))
    assert stranger.read is None
    known = arriving(ingest, up("bin-1", START + timedelta(seconds=1), fill_percent=2))
    assert await ingest.take([known, stranger]) == [None, None]
    assert await count(conn, "reading") == 3


async def test_a_device_retired_since_its_message_arrived_is_refused(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    await make_world(conn)
    assert await ingest.take([up("bin-1", fill_percent=1)]) == [None]
    waiting = arriving(ingest, up("bin-1", START + timedelta(seconds=1), fill_percent=2))
    assert waiting.read is not None
    await conn.execute("UPDATE device SET retired_at = %(now)s WHERE code = 'bin-1'", {"now": START})
    [outcome] = await ingest.take([waiting])
    assert outcome is not None
    assert outcome.reason == "retired_device"
    assert await count(conn, "reading") == 1


async def test_a_refusal_that_was_mended_since_the_message_arrived_is_forgotten(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    world = await make_world(conn)
    attach = "UPDATE device SET asset_id = %(asset)s WHERE code = 'bin-1'"
    asset = await one(conn, "SELECT asset_id FROM device WHERE code = 'bin-1'", {})
    assert "bin-1" in world.devices
    await conn.execute(attach, {"asset": None})
    [outcome] = await ingest.take([up("bin-1", fill_percent=1)])
    assert outcome is not None
    assert outcome.reason == "no_asset"
    waiting = arriving(ingest, up("bin-1", START + timedelta(seconds=1), fill_percent=2))
    assert waiting.read is not None
    assert isinstance(waiting.read.said, Refusal)
    await conn.execute(attach, {"asset": asset})
    assert await ingest.take([waiting]) == [None]
    assert await count(conn, "reading") == 1


async def test_what_is_large_waits_to_be_read(conn: AsyncConnection, ingest: Ingest) -> None:
    await make_world(conn)
    assert await ingest.take([up("bin-1", fill_percent=1)]) == [None]
    assert arriving(ingest, said("clerestory/court/bin-1/up", b" " * 5000)).read is None


async def test_a_batch_that_fails_at_commit_is_looked_at_one_by_one(
    conn: AsyncConnection, ingest: Ingest
) -> None:
    """What is sent together with COMMIT fails together with it; only the message at fault is set aside."""
    await make_world(conn)
    assert await ingest.take([up("bin-1", fill_percent=1), up("bin-2", fill_percent=1)]) == [None, None]
    await conn.execute(
        """
        CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.state::text LIKE '%,66.0]%' THEN RAISE check_violation; END IF;
            RETURN NEW;
        END $$
        """
    )
    await conn.execute(
        "CREATE TRIGGER picky BEFORE UPDATE ON device_state FOR EACH ROW EXECUTE FUNCTION picky()"
    )
    soon = START + timedelta(seconds=1)
    batch = [up("bin-1", soon, fill_percent=66), up("bin-2", soon, fill_percent=5)]
    bad, good = await ingest.take([arriving(ingest, each) for each in batch])
    assert bad is not None
    assert (bad.reason, good) == ("refused_by_database", None)
    assert await count(conn, "reading") == 3
    assert await count(conn, "dead_letter") == 1
