"""How fast a device's past is drawn from many stored readings: `python -m benchmarks.readback`.

Fills our own PostgreSQL in a temporary directory (7 GB for 50 million readings) with a year of elevators
reporting every minute and bins reporting every half hour, rolls it up as the worker does, and lets some
readings come late. Then it draws the chart of an hour, a month and a year of each device in turn: as the
page's code does (chart), over HTTP as the page itself does (page), with everything else on that page (whole
page), and, as the baseline, straight from the readings. What is drawn must be equal.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, isclose
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from aiohttp import ClientSession, CookieJar, web
from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg_pool import AsyncConnectionPool

from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, verdict
from config.clock import SystemClock
from config.profiles import load_profiles
from gateway.broker import free_port
from storage import levels, rollups, store, telemetry
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.month import months
from storage.points import Bucket, with_gaps
from storage.pool import in_utc, open_pool
from web import accounts
from web.accounts import Wanted
from web.app import create_app
from web.device_chart import FEWEST_POINTS, POINTS, SPANS
from web.passwords import Passwords

YEAR: Final = timedelta(days=366)
WANTED_MS: Final = 150
DRAWN: Final = ("hour", "month", "year")
# The baseline is slow: it is drawn for as many devices as show its spread.
BASELINES: Final = 5
LATE_HOURS: Final = 10
LOGIN, PASSWORD = "bench", "only on loopback"


@dataclass(frozen=True, slots=True)
class Kind:
    """Devices alike: how often they report, and what share of all readings is theirs."""

    name: str
    profile: str
    asset_class: str
    signals: tuple[str, ...]
    every: timedelta
    share: float

    def count(self, readings: int) -> int:
        """How many of them send this share of all readings in a year."""
        return ceil(readings * self.share / (len(self.signals) * (YEAR / self.every)))


KINDS: Final = (
    Kind(
        "elevator, every minute",
        "elevator-native",
        "elevator",
        ("door_vibration_db", "humidity_percent", "running_hours"),
        timedelta(minutes=1),
        0.8,
    ),
    Kind(
        "bin, every half hour",
        "bin-native",
        "bin",
        ("fill_percent", "battery_percent", "temperature_c"),
        timedelta(minutes=30),
        0.2,
    ),
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One device whose charts are drawn."""

    kind: Kind
    device_id: int
    code: str


# --- filling ------------------------------------------------------------------------------------------

_PLACES = (
    "INSERT INTO community (code, name_zh, name_en, timezone) VALUES ('bench', '测', 'Bench', 'UTC')",
    "INSERT INTO area (community_id, code, name_zh, name_en) SELECT id, 'all', '全', 'All' FROM community",
)
_DEVICES = """
    WITH assets AS (
        INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
        SELECT community_id, id, %(class)s, %(class)s || '-' || n, '物', 'Thing'
          FROM area, generate_series(1, %(count)s::int) AS n
        RETURNING community_id, id, code)
    INSERT INTO device (community_id, asset_id, code, profile)
    SELECT community_id, id, code, %(profile)s FROM assets
"""
# In the order in which they would have arrived: all devices of one moment, then the next moment.
_READINGS = """
    INSERT INTO reading (community_id, device_id, signal_id, ts, value)
    SELECT device.community_id, device.id, signal.id, moment + device.id * interval '13 ms',
           50 + 30 * sin(extract(epoch FROM moment) / 9000 + device.id)
              + (hashint8(extract(epoch FROM moment)::bigint + device.id) %% 1000) / 100.0
      FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, %(every)s) AS moment
     CROSS JOIN device JOIN signal ON signal.name = ANY(%(signals)s)
     WHERE device.profile = %(profile)s
"""


async def fill(conn: AsyncConnection, readings: int, now: datetime) -> None:
    """Enter the devices and a year of their readings, month by month."""
    for statement in _PLACES:
        await conn.execute(statement)
    for kind in KINDS:
        await telemetry.ensure_signals(conn, kind.signals)
        known = {"class": kind.asset_class, "count": kind.count(readings), "profile": kind.profile}
        await conn.execute(_DEVICES, known)
    await telemetry.ensure_partitions(conn, now - YEAR, now)
    await conn.execute("SET synchronous_commit = off")
    for month in months(now - YEAR, now):
        for kind in KINDS:
            first = max(month.first, levels.floor_to(now - YEAR, kind.every))
            last = min(month.end - kind.every, now - kind.every)
            await conn.execute(
                _READINGS,
                {
                    "first": first,
                    "last": last,
                    "every": kind.every,
                    "signals": list(kind.signals),
                    "profile": kind.profile,
                },
            )
    await conn.execute("SET synchronous_commit = on")
    await conn.execute("VACUUM ANALYZE reading")  # as autovacuum does sooner or later


async def roll_up(conn: AsyncConnection, now: datetime) -> int:
    """Do all that the worker does; returns in how many steps."""
    steps = 0
    while await rollups.step(conn, now):
        steps += 1
    return steps


async def come_late(conn: AsyncConnection, drawn: Sequence[Drawn], now: datetime) -> None:
    """Let ten readings of each device arrive now, all over its year: ten hours to be rolled up again."""
    ids = await telemetry.ensure_signals(conn, [each.kind.signals[0] for each in drawn])
    rows = [
        (1, one.device_id, ids[one.kind.signals[0]], now - YEAR * (part + 0.5) / LATE_HOURS, 149.5)
        for one in drawn
        for part in range(LATE_HOURS)
    ]
    await telemetry.write_readings(conn, *zip(*rows, strict=True))


# --- drawing ------------------------------------------------------------------------------------------


async def chart(conn: AsyncConnection, one: Drawn, span: str, now: datetime) -> list[Bucket]:
    """As the page's code draws it."""
    length, interval = SPANS[span].length, load_profiles()[one.kind.profile].report_interval
    least = min(interval or timedelta(), length / FEWEST_POINTS)
    return await telemetry.series(
        conn, 1, one.device_id, one.kind.signals[0], now - length, now, POINTS, at_least=least
    )


async def from_readings(conn: AsyncConnection, one: Drawn, span: str, now: datetime) -> list[Bucket]:
    """The same chart from nothing but readings: the baseline."""
    length, interval = SPANS[span].length, load_profiles()[one.kind.profile].report_interval
    over = levels.grid(now - length, now, POINTS, min(interval or timedelta(), length / FEWEST_POINTS))
    found = await store.buckets(
        conn,
        community_id=1,
        device_id=one.device_id,
        signal=one.kind.signals[0],
        start=over.start,
        end=now,
        step=over.step,
    )
    return with_gaps(found, over.start, now, over.step)


def check_same(one: Sequence[Bucket], other: Sequence[Bucket], span: str) -> None:
    """Refuse to measure what is wrong."""
    for left, right in zip(one, other, strict=True):
        same = (left.start, left.minimum, left.maximum) == (right.start, right.minimum, right.maximum)
        if not same or not isclose(left.mean or 0, right.mean or 0, rel_tol=1e-9):
            raise RuntimeError(f"the chart of a {span} shows {left}; the readings say {right}")


async def timed(draw: Callable[[Drawn], Awaitable[object]], devices: Sequence[Drawn]) -> dict[str, float]:
    """Draw for each device; how long it took, in milliseconds."""
    took = []
    for one in devices:
        began = perf_counter()
        await draw(one)
        took.append((perf_counter() - began) * 1000)
    return {"p50_ms": round(median(took), 1), "max_ms": round(max(took), 1)}


@asynccontextmanager
async def signed_in(pool: AsyncConnectionPool) -> AsyncIterator[tuple[ClientSession, str]]:
    """The pages served on loopback, and somebody of the office at them."""
    passwords = Passwords()
    async with pool.connection() as conn:
        await accounts.add(
            conn, Wanted(LOGIN, "manager", "Bench", communities=("bench",)), PASSWORD, passwords
        )
    runner = web.AppRunner(create_app(pool, SystemClock(), passwords=passwords), access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    at = f"http://127.0.0.1:{port}"
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            async with session.get(f"{at}/sign-in") as page:
                token = re.search(r'name="csrf-token" content="([^"]+)"', await page.text())
            form = {
                "csrf": token[1] if token else "",
                "login": LOGIN,
                "password": PASSWORD,
                "next": "/devices",
            }
            async with session.post(f"{at}/sign-in", data=form) as answer:
                answer.raise_for_status()
            yield session, at
    finally:
        await runner.cleanup()


async def measure(pool: AsyncConnectionPool, drawn: Sequence[Drawn], now: datetime) -> dict[str, Any]:
    """Draw every span of every kind, each device in turn."""
    found: dict[str, Any] = {}
    async with signed_in(pool) as (session, at), pool.connection() as conn:
        for kind in KINDS:
            devices = [one for one in drawn if one.kind is kind]
            for span in DRAWN:

                async def over_http(one: Drawn, span: str = span) -> None:
                    path = f"/devices/bench/{one.code}/series.json"
                    asked = {"signal": one.kind.signals[0], "span": span}
                    async with session.get(at + path, params=asked) as answer:
                        answer.raise_for_status()
                        await answer.read()

                async def whole(one: Drawn, span: str = span) -> None:
                    asked = {"signal": one.kind.signals[0], "span": span}
                    async with session.get(f"{at}/devices/bench/{one.code}", params=asked) as answer:
                        answer.raise_for_status()
                        await answer.read()

                async def by_code(one: Drawn, span: str = span) -> list[Bucket]:
                    return await chart(conn, one, span, now)

                async def plain(one: Drawn, span: str = span) -> list[Bucket]:
                    return await from_readings(conn, one, span, now)

                check_same(await by_code(devices[0]), await plain(devices[0]), span)
                found[f"{kind.name}: {span}"] = {
                    "page": await timed(over_http, devices),
                    "whole_page": await timed(whole, devices),
                    "chart": await timed(by_code, devices),
                    "from_readings": await timed(plain, devices[:BASELINES]),
                }
    return found


# --- all of it ----------------------------------------------------------------------------------------


async def _one(conn: AsyncConnection, statement: str) -> int:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement.encode())
        value: int | None = await cursor.fetchone()
    return value or 0


async def run(asked: Mapping[str, Any]) -> Figures:
    """Fill, roll up, come late, draw; then let the worker take the late ones in, and draw again."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - reachable for the user PostgreSQL runs as
        async with EmbeddedPostgres(Path(directory, "postgres")) as server:
            await asyncio.to_thread(migrate, server.url)
            figures: Figures = {}
            async with (
                open_pool(server.url) as pool,
                await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn,
            ):
                began = perf_counter()
                await fill(conn, asked["readings"], now)
                figures["filled_seconds"] = round(perf_counter() - began)
                figures["readings"] = await _one(conn, "SELECT count(*) FROM reading")
                began = perf_counter()
                figures["rollup_steps"] = await roll_up(conn, now)
                figures["rolled_up_seconds"] = round(perf_counter() - began)
                await conn.execute("VACUUM ANALYZE reading_hour, reading_day")
                drawn = await _devices(conn, int(asked["devices"]))
                await come_late(conn, drawn, now)
                figures["late_hours_waiting"] = await _one(conn, "SELECT count(*) FROM rollup_late")
                figures["late_waiting"] = await measure(pool, drawn, now)
                await roll_up(conn, now)
                figures["late_taken_in"] = await _again(pool, drawn, now)
                figures["bytes"] = await _sizes(conn)
    figures["machine"] = machine()
    worst = max(each["page"]["max_ms"] for each in figures["late_waiting"].values())
    return figures | {"wanted_ms": WANTED_MS, "worst_page_ms": worst, "reached": worst <= WANTED_MS}


async def _again(pool: AsyncConnectionPool, drawn: Sequence[Drawn], now: datetime) -> dict[str, Any]:
    """Only the charts: the pages and the baseline are as before."""
    found = {}
    async with pool.connection() as conn:
        for kind in KINDS:
            for span in DRAWN:

                async def by_code(one: Drawn, span: str = span) -> list[Bucket]:
                    return await chart(conn, one, span, now)

                found[f"{kind.name}: {span}"] = await timed(by_code, [o for o in drawn if o.kind is kind])
    return found


async def _devices(conn: AsyncConnection, most: int) -> list[Drawn]:
    """As many of each kind, spread over all there are."""
    found = []
    for kind in KINDS:
        rows = await (
            await conn.execute(
                "SELECT id, code FROM device WHERE profile = %(profile)s ORDER BY id",
                {"profile": kind.profile},
            )
        ).fetchall()
        found += [Drawn(kind, *row) for row in rows[:: max(1, len(rows) // most)][:most]]
    return found


async def _sizes(conn: AsyncConnection) -> dict[str, int]:
    readings = await _one(
        conn,
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'reading'::regclass",
    )
    rolled = await _one(
        conn, "SELECT pg_total_relation_size('reading_hour') + pg_total_relation_size('reading_day')"
    )
    return {"readings": int(readings), "rollups": int(rolled)}


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures for people."""
    told: list[tuple[str, object]] = [
        ("readings stored", f"{figures['readings']:,} in {figures['bytes']['readings'] / 1e9:.1f} GB"),
        ("rolled up", f"in {figures['rolled_up_seconds']} s, {figures['rollup_steps']} steps"),
        ("roll-ups take", f"{figures['bytes']['rollups'] / 1e9:.2f} GB"),
        ("hours with late readings", figures["late_hours_waiting"]),
    ]
    for name, each in figures["late_waiting"].items():
        for how, took in each.items():
            said = f"{took['p50_ms']:7.1f} ms, at most {took['max_ms']:7.1f} ms"
            told.append((f"{name}: {how.replace('_', ' ')}", said))
    wanted = f"{figures['worst_page_ms']} ms, wanted {figures['wanted_ms']} ms"
    return [*told, ("slowest page", f"{wanted}: {verdict(good=figures['reached'])}")]


BENCHMARK = Benchmark(
    __doc__,
    "reading back",
    run,
    rows,
    {
        "readings": Option(50_000_000, 300_000, "readings stored; at least one device of each kind"),
        "devices": Option(25, 3, "devices of each kind whose charts are drawn"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
