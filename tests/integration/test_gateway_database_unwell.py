"""A database read-only, full, or at the end of a dead line: nothing is acknowledged, then all stored."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from psycopg import AsyncConnection, OperationalError, sql

from clerestory.pipeline import Pipeline
from gateway.publisher import Publisher
from gateway.session import Session
from gateway.tally import Tally
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc, open_pool
from tests.chaos.proxy import Proxy
from tests.integration.gateway_world import PATIENCE, count, make_ingest, make_world, until
from tests.manual_clock import START, ManualClock
from tests.mosquitto import Mosquitto

TOPIC = "clerestory/court/bin-1/up"
BALLAST = 1 << 20


def message(first: int, moments: int = 1) -> str:
    """So many moments of a minute each, in one message."""
    times = [START - timedelta(days=300) + timedelta(minutes=first + n) for n in range(moments)]
    said = [
        {"v": 1, "ts": ts.isoformat(), "readings": {"battery_percent": 50, "angle_x_deg": 1}} for ts in times
    ]
    return json.dumps(said)


@asynccontextmanager
async def gateway(
    database_url: str, broker: Mosquitto, clock: ManualClock, *, longest_commit: float = 60.0
) -> AsyncIterator[tuple[Session, Tally]]:
    """A gateway at work, and its account of what it does."""
    tally = Tally()
    async with open_pool(database_url) as pool, Session(broker.url, "g", clock, tally=tally) as session:
        pipeline = Pipeline(
            session, make_ingest(pool, clock), largest_batch=50, tally=tally, longest_commit=longest_commit
        )
        working = asyncio.create_task(pipeline.run())
        await asyncio.wait_for(session.connected.wait(), PATIENCE)
        yield session, tally
        session.finish()
        await asyncio.wait_for(working, PATIENCE)


async def rows(url: str) -> int:
    """How many readings are stored; none that we know of while the database does not answer."""
    try:
        async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            return await count(conn, "reading")
    except OperationalError:
        return -1


async def has(url: str, expected: int) -> bool:
    return await rows(url) == expected


async def test_a_read_only_database_stops_acknowledging_and_all_is_stored_when_it_is_well(
    database_url: str, conn: AsyncConnection, broker: Mosquitto, clock: ManualClock
) -> None:
    """Need 3: an acknowledgement means stored."""
    await make_world(conn)
    name = sql.Identifier(urlsplit(database_url).path.removeprefix("/"))

    async def read_only(setting: str) -> None:
        to = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
        await conn.execute(to.format(name, sql.Literal(setting)))
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    async with gateway(database_url, broker, clock) as (_, tally), Publisher(broker.url) as publisher:
        await publisher.publish(TOPIC, message(0))
        await until(partial(has, database_url, 2), "the first message")
        await read_only("on")
        await publisher.publish(TOPIC, message(1))
        await until(lambda: "read-only" in tally.trouble, "the gateway to say why")
        assert await count(conn, "reading") == 2
        assert await count(conn, "dead_letter") == 0
        await read_only("off")
        await until(partial(has, database_url, 4), "the second message")
        await until(lambda: not tally.trouble, "the trouble to be over")


async def test_a_line_to_the_database_that_died_without_a_sign_is_given_up(
    database_url: str, conn: AsyncConnection, broker: Mosquitto, clock: ManualClock
) -> None:
    await make_world(conn)
    parts = urlsplit(database_url)
    folder = Path(parts.query.partition("host=")[2].replace("%2F", "/"))
    target = folder / ".s.PGSQL.5432" if folder.is_absolute() else parts.port or 5432
    async with Proxy(target) as proxy:
        user = f"{parts.username}:{quote(parts.password or '', safe='')}"
        url = f"postgresql://{user}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"
        async with (
            gateway(url, broker, clock, longest_commit=1.0) as (_, tally),
            Publisher(broker.url) as publisher,
        ):
            await publisher.publish(TOPIC, message(0))
            await until(partial(has, database_url, 2), "the first message")
            proxy.go_dead()
            await publisher.publish(TOPIC, message(1))
            await until(lambda: "no answer" in tally.trouble, "the gateway to say why")
            await until(partial(has, database_url, 4), "the second message")


@pytest.fixture
def small_disk(reachable_tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 128 MiB: only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = reachable_tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m,mode=0711", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = BALLAST
        while size >= 1:
            try:
                written = file.write(b"\0" * size)
            except OSError:
                written = 0
            if written < size:
                size //= 2
    return ballast


async def test_a_full_disk_stops_acknowledging_and_all_is_stored_when_there_is_room(
    small_disk: Path, broker: Mosquitto, clock: ManualClock
) -> None:
    """Need 3: nothing that was acknowledged is lost to a disk that is full."""
    settings = {"min_wal_size": "32MB", "max_wal_size": "32MB", "shared_buffers": "8MB"}
    messages, moments = 60, 250
    async with EmbeddedPostgres(small_disk / "postgres", settings=settings) as server:
        await asyncio.to_thread(migrate, server.url)
        async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
            await make_world(conn)
        async with gateway(server.url, broker, clock) as (_, tally), Publisher(broker.url) as publisher:
            await publisher.publish(TOPIC, message(0))
            await until(partial(has, server.url, 2), "the first message")
            ballast = fill(small_disk)
            for number in range(messages):
                await publisher.publish(TOPIC, message(1 + number * moments, moments))
            await until(lambda: bool(tally.trouble), "the gateway to say that it cannot store")
            assert await rows(server.url) < 2 + messages * moments * 2
            ballast.unlink()
            await until(partial(has, server.url, 2 + messages * moments * 2), "everything", patience=90)
            await until(lambda: not tally.trouble, "the trouble to be over")
        async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
            assert await count(conn, "dead_letter") == 0
