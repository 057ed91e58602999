"""Connections: in UTC, transactions by default, and alive again after the database was away."""

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from storage.pool import DatabaseUnreachable, in_utc, open_pool


async def test_sessions_are_in_utc_whatever_the_address_asks(database_url: str) -> None:
    asking = psycopg.conninfo.make_conninfo(database_url, options="-c timezone=Asia/Shanghai -c work_mem=8MB")
    async with open_pool(asking) as pool, pool.connection() as conn:
        row = await (
            await conn.execute("SELECT '2026-11-23 07:00'::timestamptz, current_setting('work_mem')")
        ).fetchone()
    assert row == (datetime(2026, 11, 23, 7, tzinfo=UTC), "8MB")


async def test_a_connection_given_back_after_an_error_keeps_nothing(pool: AsyncConnectionPool) -> None:
    async def fail() -> None:
        async with pool.connection() as conn:
            await conn.execute(
                "INSERT INTO community (code, name_zh, name_en, timezone) VALUES ('c', '', '', 'UTC')"
            )
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with pool.connection() as conn:
        assert await (await conn.execute("SELECT 1 FROM community")).fetchone() is None


async def test_dead_connections_are_not_handed_out(pool: AsyncConnectionPool, database_url: str) -> None:
    async with pool.connection() as conn:
        pid = conn.info.backend_pid
    async with await psycopg.AsyncConnection.connect(in_utc(database_url), autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%(pid)s, 10000)", {"pid": pid})
    async with pool.connection() as conn:
        assert conn.info.backend_pid != pid
        await conn.execute("SELECT 1")


async def test_an_address_that_cannot_be_read_is_said_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachable, match="the database address cannot be read") as caught:
        async with open_pool("postgresql://u:s3cret@[::1/d"):
            pass
    assert "s3cret" not in str(caught.value)


async def test_a_database_that_does_not_answer_is_named_at_once() -> None:
    with pytest.raises(
        DatabaseUnreachable, match=r"database d on 127\.0\.0\.1, port 1 does not answer"
    ) as caught:
        async with open_pool("postgresql://u:s3cret@127.0.0.1:1/d"):
            pass
    assert "s3cret" not in str(caught.value)
