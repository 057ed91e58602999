"""A recorded day through the real broker and gateway, with time in the test's hand.

Each moment of the recording: the clock is set to it, timers that ran out by then are woken as the worker
would, its messages are published, and the next moment comes when all of them are committed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.community.load import load_community
from clerestory.pipeline import run_gateway
from clerestory.simulate.timeline import Report, payload, topic
from clerestory.simulate.uplinks import Publication
from clerestory.site import Site
from config.settings import Settings
from dispatch.alarms import follow
from gateway.publisher import Publisher
from rules.apply import next_due, wake
from rules.book import load_rulebook
from storage.notify import listen
from tests.manual_clock import ManualClock

RECORDED = Path(__file__).parents[3] / "shared" / "data"
PATIENCE_SECONDS = 60.0


def recording(name: str) -> Path:
    """A recording, or a skip that says where it should be."""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"the recorded input is not there: {path}")
    return path


@dataclass(slots=True)
class RecordedDay:
    """A site whose gateway hears a recording."""

    pool: AsyncConnectionPool
    clock: ManualClock
    publisher: Publisher
    community: str
    _committed: asyncio.Event
    _heard: int = 0

    async def play(self, reports: Iterable[Report]) -> int:
        """Play a timeline in order of time; returns how many messages it had."""
        count = 0
        for moment, group in groupby(reports, key=lambda report: report.ts):
            said = [
                (Publication(topic(self.community, each.device), payload(each)), len(each.readings))
                for each in group
            ]
            await self.at(moment)
            await self.hear([each for each, _ in said], sum(readings for _, readings in said))
            count += len(said)
        return count

    async def at(self, moment: datetime) -> None:
        """Be at a moment: every timer that ran out by then has been woken when it did, as the worker does."""
        async with self.pool.connection() as conn:
            while (due := await next_due(conn)) is not None and due <= moment:
                now = max(due, self.clock.now())
                woken = await wake(conn, now, load_rulebook())
                assert not woken.at_fault
                await follow(conn, woken.changes, now)
        self.clock.set(moment)

    async def hear(self, said: Sequence[Publication], readings: int) -> None:
        """Publish messages and wait until every reading of theirs is committed."""
        self._heard += readings
        await asyncio.gather(*(self.publisher.publish(each.topic, each.payload) for each in said))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._committed.clear()
                if await rows(self.pool, "SELECT count(*) FROM reading") == [(self._heard,)]:
                    return
                await self._committed.wait()


async def rows(pool: AsyncConnectionPool, query: str) -> list[tuple[object, ...]]:
    """All rows of a query."""
    async with pool.connection() as conn:
        cursor = await conn.execute(query.encode())
        return await cursor.fetchall()


async def alarms(pool: AsyncConnectionPool, rule: str) -> list[tuple[str, datetime, datetime | None]]:
    """The alarms of a rule: device, raised, cleared."""
    async with pool.connection() as conn:
        cursor = await conn.execute(
            """
            SELECT device.code, raised_at, cleared_at FROM alarm JOIN device ON device.id = alarm.device_id
             WHERE rule = %(rule)s AND paged_at IS NOT NULL ORDER BY raised_at, device.code
            """,
            {"rule": rule},
        )
        return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


@asynccontextmanager
async def recorded_day(
    database_url: str, pool: AsyncConnectionPool, mqtt_url: str, folder: Path, start: datetime
) -> AsyncIterator[RecordedDay]:
    """A gateway on the real broker at the time of a recording."""
    clock = ManualClock(start)
    settings = Settings(database_url=database_url, mqtt_url=mqtt_url, data_dir=folder)
    site = Site(settings, clock, pool, database_url, mqtt_url)
    stop, committed = asyncio.Event(), asyncio.Event()
    gateway = asyncio.create_task(run_gateway(site, stop))
    listening = asyncio.Event()
    listener = asyncio.create_task(_listen(database_url, committed, listening))
    await listening.wait()
    async with Publisher(mqtt_url) as publisher:
        await _until_subscribed(pool, publisher, committed)
        yield RecordedDay(pool, clock, publisher, "court", committed)
    stop.set()
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)
    await gateway


async def _until_subscribed(
    pool: AsyncConnectionPool, publisher: Publisher, committed: asyncio.Event
) -> None:
    """Knock with a message that becomes a dead letter until it does: then the gateway hears us."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            committed.clear()
            await publisher.publish("clerestory/court/nobody/up", "knock")
            try:
                await asyncio.wait_for(committed.wait(), 0.5)
            except TimeoutError:
                continue
            break
    async with pool.connection() as conn:
        await conn.execute("DELETE FROM dead_letter")


async def _listen(database_url: str, committed: asyncio.Event, listening: asyncio.Event) -> None:
    async with aclosing(listen(database_url)) as changes:
        async for change in changes:
            listening.set()
            if change.what in {"reading", "deadletter"}:
                committed.set()


async def load_court(conn: AsyncConnection, folder: Path, text: str, now: datetime) -> int:
    """Load a small community with what the recording's devices need; returns its id."""
    file = folder / "court.yaml"
    file.write_text(text, encoding="utf-8")
    async with conn.transaction():
        return (await load_community(conn, file, now)).community_id


@dataclass(frozen=True, slots=True)
class Band:
    """A rule on one signal, as its words say it."""

    high: float
    clear_below: float
    hold: timedelta
    keep: timedelta = timedelta()


def expected(
    readings: Sequence[tuple[datetime, float]], band: Band, end: datetime
) -> list[tuple[datetime, datetime | None]]:
    """What a band must find in a device's day, told from the rule's words alone: (raised, cleared)."""
    found: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    ending: datetime | None = None
    live = False
    for ts, value in [*readings, (end, None)]:
        if not live and since is not None and ts >= since + band.hold:
            found.append((since + band.hold, None))
            live, ending = True, None
        if live and ending is not None and ts >= ending + band.keep:
            found[-1] = (found[-1][0], ending + band.keep)
            live, ending = False, None
        if value is None:
            break
        since = (since or ts) if value >= band.high else None
        if live:
            ending = (ending or ts) if value < band.clear_below else None
            if ending is not None and not band.keep:
                found[-1] = (found[-1][0], ending)
                live, ending = False, None
    return found
