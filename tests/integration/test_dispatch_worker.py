"""The worker on a real database and broker: woken by COMMIT, through outages, one leader."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory import steps
from clerestory.site import Site
from clerestory.worker import run_worker
from config.settings import Settings
from dispatch import moves
from gateway.link import Link
from gateway.readahead import Publish
from gateway.signals import Device, Heard, Reading
from rules.apply import hear
from rules.book import load_rulebook
from storage.pool import in_utc
from tests.integration.dispatch_world import MORNING, World, add_order, add_technician, build, status_of
from tests.integration.gateway_world import PATIENCE, until
from tests.manual_clock import ManualClock
from tests.mosquitto import Mosquitto


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    return await build(conn)


@pytest.fixture
def site(pool: AsyncConnectionPool, database_url: str, broker: Mosquitto) -> Site:
    clock = ManualClock(MORNING)
    return Site(Settings(), clock, pool, database_url, broker.url)


@asynccontextmanager
async def working(site: Site) -> AsyncIterator[None]:
    """Have a worker run beside the block; it stops in good order."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(site, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE)


async def _leads(conn: AsyncConnection) -> bool:
    cursor = await conn.execute(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return await cursor.fetchone() is not None


async def _delivered(conn: AsyncConnection) -> bool:
    cursor = await conn.execute("SELECT count(*) FILTER (WHERE delivered_at IS NULL), count(*) FROM outbox")
    return await cursor.fetchone() == (0, 1)


async def _assigned(conn: AsyncConnection, order: int) -> bool:
    return await status_of(conn, order) == "assigned"


async def test_word_of_the_commit_takes_an_order_to_the_technician(
    site: Site, conn: AsyncConnection, world: World, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LONGEST_NAP", 3600.0)  # no loop looks by itself
    await add_technician(conn, world, "li")
    heard: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    def hear(messages: list[Publish]) -> None:
        for message in messages:
            heard.put_nowait(json.loads(message.payload))

    phone = Link(
        broker.url,
        "phone-li",
        clean_session=True,
        on_messages=hear,
    )
    await phone.open()
    try:
        await phone.subscribe(["clerestory/bund/technician/li/job"])
        async with working(site):
            await until(lambda: _leads(conn), "a leader")
            async with conn.transaction():
                order = await add_order(conn, world)
            told = await asyncio.wait_for(heard.get(), PATIENCE)
            assert (told["what"], told["order_id"]) == ("offered", order)
            await moves.accept(conn, order, world.by("li"), MORNING)
            await until(lambda: _delivered(conn), "the message to be delivered")
    finally:
        await phone.close()


async def test_it_survives_the_loss_of_every_connection(
    site: Site, conn: AsyncConnection, world: World
) -> None:
    await add_technician(conn, world, "li")
    async with working(site):
        await until(lambda: _leads(conn), "a leader")
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        order = await add_order(conn, world)

        async def assigned() -> bool:
            return await status_of(conn, order) == "assigned"

        await until(assigned, "the order to be assigned")
        await until(lambda: _leads(conn), "a leader")


async def test_messages_wait_for_a_broker_that_is_away(
    site: Site, conn: AsyncConnection, world: World, broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    await add_technician(conn, world, "li")
    caplog.set_level(logging.DEBUG, logger="clerestory.steps")
    broker.stop()

    def said(level: int) -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.levelno == level and record.getMessage().startswith("outbox:")
        ]

    async def tried() -> bool:
        return len(said(logging.DEBUG)) > 1

    async with working(site):
        await until(tried, "the outbox to be tried")  # before anything waits
        order = await add_order(conn, world)
        await until(lambda: _assigned(conn, order), "the order to be assigned")
        broker.start()
        # The clock stands still: an offer runs out in minutes, so it must not wait once the broker is back.
        await until(lambda: _delivered(conn), "the message to be delivered")
    away = said(logging.WARNING)[0]
    assert f"broker 127.0.0.1:{broker.port} cannot be reached" in away
    assert said(logging.INFO) == ["outbox: works again"]


async def test_another_worker_takes_the_lead(site: Site, conn: AsyncConnection) -> None:
    async with working(site):
        await until(lambda: _leads(conn), "a leader")
        cursor = await conn.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")
        (first,) = await cursor.fetchone() or (0,)
        async with working(site):
            # The lost leader's connection takes the lock with it; one of the two gets it.
            await conn.execute("SELECT pg_terminate_backend(%s)", (first,))

            async def led_anew() -> bool:
                held = await conn.execute(
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> %s", (first,)
                )
                return await held.fetchone() is not None

            await until(led_anew, "another leader")


async def test_plans_open_orders_by_themselves(site: Site, conn: AsyncConnection, world: World) -> None:
    async with working(site):
        await until(lambda: _leads(conn), "a leader")
        async with await psycopg.AsyncConnection.connect(in_utc(site.database_url)) as other:
            await other.execute(
                "INSERT INTO plan (community_id, code, name_zh, name_en, kind, skill, asset_class, "
                " every_days, at_time, starts_on) VALUES (%s, 'm15', '半月', 'Half-month',"
                " 'elevator_maintenance', 'elevator', 'elevator', 15, '08:00', '2026-11-23')",
                (world.community,),
            )
            await other.execute(
                "SELECT pg_notify('clerestory', %s)", (json.dumps(["registry", world.community, []]),)
            )

        async def opened() -> bool:
            cursor = await conn.execute("SELECT count(*) FROM work_order")
            return await cursor.fetchone() == (1,)

        await until(opened, "the order to be opened")


async def test_a_timer_runs_out_and_opens_an_order(site: Site, conn: AsyncConnection, world: World) -> None:
    clock = site.clock
    assert isinstance(clock, ManualClock)
    cursor = await conn.execute(
        "INSERT INTO device (community_id, asset_id, code, profile) VALUES (%s, %s, 'n1', 'bin-native')"
        " RETURNING id",
        (world.community, world.bin),
    )
    (device_id,) = await cursor.fetchone() or (0,)
    device = Device(world.community, device_id, "bund", "n1", "bin-native", world.bin, "bin")
    full = Heard.of(device, MORNING, (Reading("fill_percent", MORNING, 97.0),))
    async with conn.transaction():
        assert await hear(conn, [full], load_rulebook()) == []

    async def opened() -> bool:
        found = await conn.execute(
            "SELECT 1 FROM work_order AS o JOIN alarm AS a ON a.id = o.alarm_id WHERE a.rule = 'bin_overflow'"
        )
        return await found.fetchone() is not None

    async with working(site):
        await until(lambda: _leads(conn), "a leader")
        assert not await opened()
        clock.advance(timedelta(minutes=5))
        await until(opened, "the order to be opened")
