"""Roll-ups brought up to a moment, for tests of what is read from them."""

import asyncio
from datetime import datetime

from psycopg import AsyncConnection

from storage import rollup_store, rollups
from storage.levels import DAY, HOUR, floor_to


async def roll_up(conn: AsyncConnection, now: datetime) -> None:
    """Do what the worker does until everything is rolled up and no mark is left."""
    until = floor_to(now - rollups.LAG, HOUR.width)
    async with asyncio.timeout(60):
        while True:
            if await rollups.step(conn, now):
                continue
            hours, days = await rollup_store.span(conn, HOUR), await rollup_store.span(conn, DAY)
            if hours.until >= until and days.until >= floor_to(until, DAY.width):
                return
            await asyncio.sleep(0.01)  # some transaction of another test's database has not ended yet
