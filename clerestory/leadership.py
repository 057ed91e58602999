"""One worker leads the schedule: whoever holds an advisory lock on a connection of their own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from psycopg import AsyncConnection, OperationalError

from clerestory.site import Site
from storage.pool import in_utc

# Any number, as long as every worker means the same and nobody else means it.
LEADER_LOCK = 0x436C657265
ASK_EVERY = 2.0
LONGEST_PAUSE = 5.0

log = logging.getLogger(__name__)

Work = Callable[[asyncio.Event], Awaitable[None]]


async def lead(site: Site, stop: asyncio.Event, work: Work) -> None:
    """Do `work` while nobody else leads, until told to stop.

    With the connection the lock is lost, and with it the lead: another worker may have it already.
    """
    pause = 0.1
    while not stop.is_set():
        try:
            conn = await AsyncConnection.connect(in_utc(site.database_url), autocommit=True)
            async with conn:
                pause = 0.1
                await _lead_on(site, conn, stop, work)
        except OperationalError as error:
            log.warning("lost the lead, trying again in %.1f s: %s", pause, str(error).strip())
            await _nap(stop, pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def _lead_on(site: Site, conn: AsyncConnection, stop: asyncio.Event, work: Work) -> None:
    while not await _try(conn):
        if stop.is_set():
            return
        await _nap(stop, ASK_EVERY)
    log.info("leading the schedule")
    over = asyncio.Event()
    working = asyncio.ensure_future(work(over))
    site.watch.leading = True
    try:
        while not stop.is_set() and not working.done():
            await conn.execute("SELECT 1")
            await _nap(stop, ASK_EVERY)
    finally:
        site.watch.leading = False
        over.set()
        await working


async def _try(conn: AsyncConnection) -> bool:
    cursor = await conn.execute("SELECT pg_try_advisory_lock(%(lock)s)", {"lock": LEADER_LOCK})
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _nap(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
