"""A batch is worked on while the one before it is being committed: in order, whatever becomes of that."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from time import monotonic

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.pipeline import Pipeline
from gateway.delivery import Delivery
from gateway.tally import Tally
from tests.integration.gateway_world import (
    PATIENCE,
    count,
    entrapment,
    make_ingest,
    make_world,
    one,
    said,
    until,
    up,
)
from tests.manual_clock import START, ManualClock

LATER = START + timedelta(minutes=1)


class Batches:
    """A source that gives out what it is told to, one batch after the other."""

    def __init__(self, batches: Iterable[Sequence[Delivery]], tally: Tally) -> None:
        self._batches = iter(batches)
        self._tally = tally
        self.given = 0
        self.acknowledged: list[Sequence[Delivery]] = []

    async def take(self, limit: int) -> list[Delivery]:
        batch = list(next(self._batches, []))
        assert len(batch) <= limit
        self._tally.give_out(len(batch), monotonic())
        self.given += 1
        return batch

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged.append(deliveries)


@pytest.fixture
async def gated(conn: AsyncConnection) -> AsyncConnection:
    """COMMIT waits here while somebody holds the advisory lock 4711, and fails where a 13 was written."""
    await make_world(conn)
    await conn.execute(
        """
        CREATE TABLE seen (value double precision, at timestamptz DEFAULT clock_timestamp());
        CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(4711);
            IF NEW.value = 13 THEN RAISE EXCEPTION 'unlucky' USING ERRCODE = 'check_violation'; END IF;
            INSERT INTO seen (value) VALUES (NEW.value);
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON reading DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION wait_at_the_gate()
        """
    )
    return conn


def door_fault(minutes: int) -> Delivery:
    """An elevator's door does not close, and vibrates by as many decibels."""
    at = START + timedelta(minutes=minutes)
    body = {
        "v": 1,
        "ts": at.isoformat(),
        "readings": {"door_vibration_db": minutes},
        "events": [{"code": "door_close_fault"}],
    }
    return said("clerestory/court/lift-1/up", json.dumps(body), at)


async def waiting_at_the_gate(conn: AsyncConnection) -> bool:
    """Whether a COMMIT waits."""
    return bool(await one(conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


async def at_work(conn: AsyncConnection) -> int:
    """How many transactions of others have written something."""
    found: int = await one(
        conn,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()",
    )
    return found


@asynccontextmanager
async def at_work_behind_the_gate(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, source: Batches, tally: Tally
) -> AsyncIterator[None]:
    """The pipeline at work on the batches while the gate is shut; it opens when the block ends."""
    await conn.execute("SELECT pg_advisory_lock(4711)")
    working = asyncio.create_task(Pipeline(source, make_ingest(pool, clock), tally=tally).run())
    try:
        await until(partial(waiting_at_the_gate, conn), "the first COMMIT")
        yield
    finally:
        await conn.execute("SELECT pg_advisory_unlock(4711)")
        await asyncio.wait_for(working, PATIENCE)


async def values(conn: AsyncConnection) -> list[float]:
    """What was committed, in order."""
    rows = await (await conn.execute("SELECT value FROM seen ORDER BY at")).fetchall()
    return [value for (value,) in rows]


async def test_the_next_is_written_while_one_is_being_committed(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    tally = Tally()
    source = Batches([[up("bin-1", fill_percent=1)], [up("bin-2", fill_percent=2)]], tally)

    async def both() -> bool:
        return await at_work(gated) == 2

    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        await until(both, "the second batch to be written")
        assert source.acknowledged == []
        assert await count(gated, "reading") == 0
    assert await values(gated) == [1, 2]
    assert [[each.topic for each in batch] for batch in source.acknowledged] == [
        ["clerestory/court/bin-1/up"],
        ["clerestory/court/bin-2/up"],
    ]
    assert (tally.committed, tally.in_hand, tally.failures) == (2, 0, 0)


async def test_one_device_in_both_is_heard_in_order(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    tally = Tally()
    source = Batches([[up("bin-1", fill_percent=1)], [up("bin-1", LATER, fill_percent=2)]], tally)
    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        pass
    assert await values(gated) == [1, 2]
    state = await one(
        gated, "SELECT state::text FROM device_state JOIN device ON id = device_id WHERE code = 'bin-1'"
    )
    assert json.loads(state)["signals"]["fill_percent"][1] == 2


@pytest.mark.parametrize("second", ["bin-1", "bin-2"])
async def test_what_was_begun_behind_a_lost_connection_is_begun_again_after_it(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, second: str
) -> None:
    third = up("bin-2", LATER + timedelta(minutes=1), fill_percent=3)
    tally = Tally()
    source = Batches([[up("bin-1", fill_percent=1)], [up(second, LATER, fill_percent=2)], [third]], tally)
    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        await gated.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        )
        await until(lambda: tally.failures == 1, "the first to be tried again")
    assert await values(gated) == [1, 2, 3]
    assert len(source.acknowledged) == 3
    assert (tally.committed, tally.in_hand, tally.failures) == (3, 0, 1)


async def test_a_message_that_fails_at_commit_is_set_aside_and_the_next_follows(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    bad = [up("bin-1", fill_percent=1), up("bin-1", LATER, fill_percent=13)]
    tally = Tally()
    source = Batches([bad, [up("bin-2", fill_percent=2)]], tally)
    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        pass
    assert await values(gated) == [1, 2]
    assert await one(gated, "SELECT reason FROM dead_letter") == "refused_by_database"
    assert (tally.committed, tally.refused.total(), tally.in_hand) == (2, 1, 0)


async def test_a_batch_in_which_a_fault_is_looked_for_waits_for_the_one_before(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    """Three faults of a door are an alarm, whatever becomes of the messages and connections beside them."""
    await gated.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON reading FOR EACH ROW WHEN (NEW.value = 14)
            EXECUTE FUNCTION refuse()
        """
    )
    tally = Tally()
    refused = up("bin-2", fill_percent=14)
    source = Batches([[door_fault(1)], [door_fault(2), refused, door_fault(3)]], tally)

    async def waiting_for_the_first() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype <> 'advisory' AND NOT granted"
        return bool(await one(gated, waiting))

    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        await until(waiting_for_the_first, "the second to wait for what the first remembers")
        assert source.acknowledged == []
        await gated.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        )
        await until(lambda: tally.failures == 1, "the first to be tried again")
    assert await values(gated) == [1, 2, 3]
    assert await one(gated, "SELECT rule FROM alarm") == "door_faults_repeated"
    assert await one(gated, "SELECT reason FROM dead_letter") == "refused_by_database"
    assert (tally.committed, tally.refused.total(), tally.in_hand) == (3, 1, 0)


@pytest.mark.parametrize("first", ["alarm", "refusal"])
async def test_nothing_is_begun_behind_what_does_more_than_add(
    gated: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock, first: str
) -> None:
    """An alarm, an order, a dead letter may wait for others: who waits for it must not be one of them."""
    news = {"alarm": entrapment("lift-1"), "refusal": up("nobody", fill_percent=1)}[first]
    tally = Tally()
    source = Batches([[up("bin-1", fill_percent=1), news], [up("bin-2", fill_percent=2)]], tally)
    async with at_work_behind_the_gate(gated, pool, clock, source, tally):
        assert source.given == 1
    assert await values(gated) == [1, 2]
