"""Compressing old months of readings, where TimescaleDB is there under its community licence.

Plain PostgreSQL and TimescaleDB's Apache edition cannot: there nothing happens. What is compressed reads and
takes late readings as before, only these more slowly; so only what is rolled up and old is.
"""

from datetime import datetime, timedelta
from typing import Final

from psycopg import AsyncConnection

from storage import rollup_store, store
from storage.levels import LEVELS

# Few readings are so late; the hours of a month's chart are not rolled up from it any more either.
UNTOUCHED: Final = timedelta(days=45)


async def compress_older_than(conn: AsyncConnection, before: datetime) -> list[str]:
    """Compress the chunks that ended by `before` and are wholly rolled up; returns their names.

    Each in a transaction of its own where `conn` is in none; it waits at most two seconds for who uses one.
    Raises `psycopg.Error` where TimescaleDB refuses.
    """
    async with conn.transaction():
        if not await store.may_compress(conn):
            return []
        spans = [await rollup_store.span(conn, level) for level in LEVELS]
        waiting = await store.uncompressed_chunks(conn, min(before, *(each.until for each in spans)))
        if waiting:
            await store.enable_compression(conn)
    for name in waiting:
        async with conn.transaction():
            await store.set_lock_timeout(conn, "2s")
            await store.compress_chunk(conn, name)
            await store.set_lock_timeout(conn, None)
    return [name[-1] for name in waiting]
