"""Word between processes: with the commit, in order, and again after the database was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psycopg
from psycopg_pool import AsyncConnectionPool

from storage.embedded import EmbeddedPostgres
from storage.notify import Change, listen, notify


async def next_of(changes: AsyncIterator[Change]) -> Change:
    async with asyncio.timeout(30):
        return await anext(changes)


async def test_a_change_is_heard_when_it_is_committed(pool: AsyncConnectionPool, database_url: str) -> None:
    async with aclosing(listen(database_url)) as changes:
        assert await next_of(changes) == Change("connected")
        async with pool.connection() as conn:
            async with conn.transaction(force_rollback=True):
                await notify(conn, "alarm", [1], 1)
            async with conn.transaction():
                await notify(conn, "order", [2, 3], 1)
                await notify(conn, "registry", [])
        assert await next_of(changes) == Change("order", (2, 3), 1)
        assert await next_of(changes) == Change("registry", (), None)


async def test_any_number_of_ids_is_told(conn: psycopg.AsyncConnection, database_url: str) -> None:
    ids = list(range(2**62, 2**62 + 1000))
    async with aclosing(listen(database_url)) as changes:
        await next_of(changes)
        await notify(conn, "reading", ids, 7)
        heard: list[int] = []
        while len(heard) < len(ids):
            heard.extend((await next_of(changes)).ids)
    assert heard == ids


async def test_every_listener_hears(conn: psycopg.AsyncConnection, database_url: str) -> None:
    async with aclosing(listen(database_url)) as one, aclosing(listen(database_url)) as other:
        for changes in (one, other):
            await next_of(changes)
        await notify(conn, "payment", [5], 1)
        assert await next_of(one) == await next_of(other) == Change("payment", (5,), 1)


async def test_a_listener_cut_off_says_so_and_hears_again(
    conn: psycopg.AsyncConnection, database_url: str
) -> None:
    async with aclosing(listen(database_url)) as changes:
        await next_of(changes)
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%%' AND pid <> pg_backend_pid()"
        )
        assert await next_of(changes) == Change("reconnected")
        await notify(conn, "alarm", [9], 1)
        assert await next_of(changes) == Change("alarm", (9,), 1)


async def test_a_listener_outlives_a_restart_of_the_database(reachable_tmp_path: Path) -> None:
    directory = reachable_tmp_path / "data"
    async with EmbeddedPostgres(directory) as server:
        changes = listen(server.url)
        assert await next_of(changes) == Change("connected")
    waiting = asyncio.create_task(next_of(changes))
    async with EmbeddedPostgres(directory):
        assert await waiting == Change("reconnected")
    await changes.aclose()
