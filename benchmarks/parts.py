"""What the parts beside the gateway cost: `python -m benchmarks.parts [--pages 200] [--json]`.

The sample community with its past, on our own PostgreSQL, broker, worker and web, each a process of its own.
CPU time of each page that people look at most, in the web process and in the database; of an order from the
alarm to its offer, in gateway, worker and database; and what a stored reading takes on disk. CPU time
survives a busy machine; it says how many a core can serve.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import ClientSession, CookieJar
from psycopg import AsyncConnection

from benchmarks.machine import machine
from benchmarks.processes import cpu_seconds, family
from benchmarks.report import Benchmark, Figures, Option
from clerestory.demo.house import free_port, until_ready
from clerestory.demo.prepare import COMMUNITY, KIOSKS, RESIDENT_UNIT, prepare
from clerestory.demo.secrets import keep_secrets
from clerestory.simulate.timeline import Report, payload, topic
from clerestory.site import Site
from config.clock import SystemClock
from config.settings import Settings
from gateway.broker import free_port as free_broker_port
from gateway.broker import open_broker
from gateway.publisher import Publisher
from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc, open_pool

OVERFLOWING = 92.0
SETTLED_SECONDS = 3.0
LOOK_SECONDS = 0.25
BIN_COUNT = 30


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of one kind of account: a name for the figures, and the path."""

    login: str
    paths: Mapping[str, str]


def _pages(resident: str, device: str) -> tuple[Pages, ...]:
    page = f"/devices/{COMMUNITY}/{device}"
    return (
        Pages("shen-guoqiang", {"technician's list": "/work"}),
        Pages(
            "dispatcher",
            {
                "desk": "/desk",
                "device page": page,
                "chart of a month": f"{page}/series.json?signal=fill_percent&span=month",
            },
        ),
        Pages(resident, {"resident's bills": "/bills"}),
    )


@asynccontextmanager
async def _process(settings: Settings, *command: str) -> AsyncIterator[int]:
    """Run one of the house's processes on these settings; yields its pid."""
    environment = {
        **os.environ,
        "CLERESTORY_DATABASE_URL": settings.database_url or "",
        "CLERESTORY_MQTT_URL": settings.mqtt_url or "",
        "CLERESTORY_DATA_DIR": str(settings.data_dir / command[0]),
        "CLERESTORY_HTTP": settings.http,
        "CLERESTORY_LOG_LEVEL": "warning",
    }
    program = [sys.executable, "-c", "from clerestory.cli import main; main()", *command]
    process = await asyncio.create_subprocess_exec(*program, env=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _signed_in(url: str, login: str, password: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        async with session.get(f"{url}/sign-in") as response:
            form = await response.text()
        csrf = form.partition('name="csrf-token" content="')[2].partition('"')[0]
        fields = {"csrf": csrf, "login": login, "password": password}
        async with session.post(f"{url}/sign-in", data=fields, allow_redirects=False) as response:
            if response.status != HTTP_SEE_OTHER:
                raise RuntimeError(f"{login} could not sign in: {response.status}")
        yield session


async def _page_cost(session: ClientSession, url: str, times: int, pids: tuple[int, int]) -> dict[str, float]:
    """CPU milliseconds a page, in the web process and in the database."""
    await _read(session, url)  # what is made once is not what a page costs
    web, database = pids
    before = cpu_seconds([web]), cpu_seconds(family(database))
    for _ in range(times):
        await _read(session, url)
    spent = cpu_seconds([web]) - before[0], cpu_seconds(family(database)) - before[1]
    return {
        "web_ms": round(1000 * spent[0] / times, 2),
        "database_ms": round(1000 * spent[1] / times, 2),
    }


async def _read(session: ClientSession, url: str) -> None:
    async with session.get(url) as response:
        if response.status != HTTP_OK:
            raise RuntimeError(f"{url} answered {response.status}")
        await response.read()


HTTP_OK, HTTP_SEE_OTHER = 200, 303


async def _order_cost(site: Site, gateway: int, worker: int, database: int) -> dict[str, float]:
    """CPU milliseconds from a bin's message to its order's offer, each bin once."""
    async with site.pool.connection() as conn:
        bins = await _column(
            conn,
            "SELECT code FROM device WHERE profile = 'bin-native' ORDER BY code LIMIT %(most)s",
            {"most": BIN_COUNT},
        )
        known = len(await _column(conn, "SELECT id::text FROM work_order", {}))
    before = [cpu_seconds([gateway]), cpu_seconds([worker]), cpu_seconds(family(database))]
    now = datetime.now(UTC)
    async with Publisher(site.mqtt_url) as publisher:
        await publisher.connect()
        for code in bins:
            reports = [
                Report(now - timedelta(minutes=ago), code, {"fill_percent": OVERFLOWING}) for ago in (8, 4, 0)
            ]
            await publisher.publish(topic(COMMUNITY, code), payload(*reports))
    orders, quiet = 0, 0.0
    while quiet < SETTLED_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        async with site.pool.connection() as conn:
            found = len(await _column(conn, "SELECT id::text FROM work_order", {})) - known
        orders, quiet = found, quiet + LOOK_SECONDS if found == orders and found else 0.0
    after = [cpu_seconds([gateway]), cpu_seconds([worker]), cpu_seconds(family(database))]
    names = ("gateway_ms", "worker_ms", "database_ms")
    cost = {
        name: round(1000 * (then - first) / orders, 1)
        for name, first, then in zip(names, before, after, strict=True)
    }
    return {"orders": orders, **cost}


async def _column(conn: AsyncConnection, query: str, values: Mapping[str, object]) -> list[str]:
    cursor = await conn.execute(query.encode(), values)
    return [str(row[0]) for row in await cursor.fetchall()]


async def _bytes_a_reading(conn: AsyncConnection) -> float:
    """What a month of readings takes, its index with it: bytes a row."""
    await conn.execute(
        """
        INSERT INTO reading (community_id, device_id, signal_id, ts, value)
        SELECT d.community_id, d.id, s.id, date_trunc('hour', now()) - n * interval '5 minutes', n % 100
        FROM (SELECT * FROM device WHERE profile = 'bin-native' LIMIT 20) d,
             (SELECT id FROM signal WHERE name = 'humidity_percent') s,
             generate_series(1, 2000) AS n
        ON CONFLICT DO NOTHING
        """
    )
    [size] = await _column(
        conn,
        """SELECT sum(pg_total_relation_size(relid))::float / (SELECT count(*) FROM reading)
           FROM pg_partition_tree('reading')""",
        {},
    )
    return round(float(size), 1)


async def run(asked: Mapping[str, Any]) -> Figures:
    """Bring everything up, and measure part by part."""
    on, pages = machine(), int(asked["pages"])
    with tempfile.TemporaryDirectory(prefix="clerestory-parts-") as name:
        os.chmod(name, 0o711)  # noqa: PTH101, S103 - reachable for the users our servers run as
        directory = Path(name)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(EmbeddedPostgres(directory / "postgres"))
            await asyncio.to_thread(migrate, server.url)
            broker = await stack.enter_async_context(
                open_broker(directory / "broker", port=free_broker_port())
            )
            settings = Settings(
                database_url=server.url,
                mqtt_url=broker.url,
                data_dir=directory,
                http=f"127.0.0.1:{free_port('127.0.0.1', 0)}",
            )
            pool = await stack.enter_async_context(open_pool(server.url))
            site = Site(settings, SystemClock(), pool, server.url, broker.url)
            secrets = keep_secrets(directory / "secrets.json", KIOSKS)
            prepared = await prepare(site, secrets, Random(7))  # noqa: S311 - the same community each time
            pids = {
                part: await stack.enter_async_context(_process(settings, part))
                for part in ("gateway", "worker", "web")
            }
            await until_ready(settings.public_url)
            order = await _order_cost(site, pids["gateway"], pids["worker"], server.pid)
            shown: dict[str, dict[str, float]] = {}
            async with pool.connection() as conn:
                [device] = await _column(
                    conn, "SELECT min(code) FROM device WHERE profile = 'bin-native'", {}
                )
            for each in _pages(prepared.resident, device):
                async with _signed_in(settings.public_url, each.login, secrets.password) as session:
                    for page, path in each.paths.items():
                        shown[page] = await _page_cost(
                            session, settings.public_url + path, pages, (pids["web"], server.pid)
                        )
            async with await AsyncConnection.connect(in_utc(server.url), autocommit=True) as conn:
                size = await _bytes_a_reading(conn)
    return {
        "benchmark": "parts",
        "unit": RESIDENT_UNIT,
        "order": order,
        "pages": shown,
        "bytes_a_reading": size,
        "machine": on,
    }


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    return [
        ("an order, from the alarm to its offer", _words(figures["order"])),
        *((f"page: {name}", _words(cost)) for name, cost in figures["pages"].items()),
        ("a stored reading with its index", f"{figures['bytes_a_reading']:g} bytes"),
        ("measured on", figures["machine"]),
    ]


def _words(cost: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name.removesuffix('_ms')} {value:g} ms" for name, value in cost.items() if name.endswith("_ms")
    )


BENCHMARK = Benchmark(
    __doc__,
    "parts: CPU time of what is not ingest",
    run,
    rows,
    {"pages": Option(200, 3, "times each page is read")},
)

if __name__ == "__main__":
    BENCHMARK.main()
