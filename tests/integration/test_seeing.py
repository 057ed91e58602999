"""What machines see of a running site: /metrics, /healthz, /readyz, and the signs of life in the database."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from psycopg import AsyncConnection, sql

from clerestory.door import CannotServe, try_metrics
from clerestory.processes import run_all
from clerestory.seeing.listener import seen
from clerestory.site import Site, open_site
from config.clock import SystemClock
from config.settings import Settings
from gateway.publisher import Publisher
from tests.deployment import expressions, labels_of, metric_names
from tests.integration.gateway_world import PATIENCE, make_world, one, until
from tests.mosquitto import Mosquitto, free_port
from web.vitals import VITALS, Part, Vitals, routes

TOKEN = "a-token-of-some-length"


@asynccontextmanager
async def whole_site(settings: Settings) -> AsyncIterator[Site]:
    """Everything in one process, as `clerestory up` runs it."""
    stop = asyncio.Event()
    async with open_site(settings, SystemClock()) as site, seen(site, "gateway", "worker", "web"):
        running = asyncio.create_task(run_all(site, stop))
        try:
            yield site
        finally:
            stop.set()
            await asyncio.wait_for(running, PATIENCE)


async def asked(http: ClientSession, url: str) -> dict[str, object]:
    async with http.get(url, headers={"Accept": "application/json"}) as answer:
        said: dict[str, object] = json.loads(await answer.text())
        return {"status": answer.status} | said


def is_not_ready(http: ClientSession, url: str, part: str, why: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        said = await asked(http, url)
        parts = said["parts"]
        assert isinstance(parts, dict)
        return said["status"] == 503 and not parts[part]["ok"] and why in parts[part]["said"]

    return told


def is_ready(http: ClientSession, url: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return (await asked(http, url))["status"] == 200

    return told


async def scraped(http: ClientSession, url: str) -> dict[str, float]:
    """Every sample without labels by its name, those with labels summed up."""
    async with http.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(await answer.text()):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums


async def test_a_site_tells_what_it_does_and_what_it_lacks(
    broker: Mosquitto, conn: AsyncConnection, database_url: str, admin: psycopg.Connection, tmp_path: Path
) -> None:
    await make_world(conn)
    metrics = f"127.0.0.1:{free_port()}"
    settings = Settings(
        data_dir=tmp_path,
        database_url=database_url,
        mqtt_url=broker.url,
        http=f"127.0.0.1:{free_port()}",
        metrics=metrics,
    )
    pages, own = f"http://{settings.http}", f"http://{metrics}"
    async with whole_site(settings) as site, ClientSession() as http, Publisher(broker.url) as publisher:
        await until(lambda: site.watch.session is not None and bool(site.watch.loops), "everything runs")
        await until(is_ready(http, f"{own}/readyz"), "the site is ready")
        assert (await asked(http, f"{pages}/healthz"))["status"] == 200
        await publisher.publish("clerestory/court/bin-1/up", "no JSON")
        await publisher.publish("clerestory/court/bin-1/status", "online")

        async def settled() -> bool:
            said = await scraped(http, pages)
            return said["clerestory_gateway_received_total"] == 2 and not said["clerestory_gateway_in_flight"]

        await until(settled, "both messages are settled")
        figures = await scraped(http, own)
        assert figures["clerestory_gateway_committed_total"] == 1
        assert figures["clerestory_gateway_refused_total"] == 1
        assert figures["clerestory_gateway_received_to_commit_seconds_count"] >= 1
        assert figures["clerestory_house_readable"] == 1
        assert figures["clerestory_web_answers_total"] >= 2
        assert figures["clerestory_web_answer_seconds_count"] == figures["clerestory_web_answers_total"]
        assert figures["process_resident_memory_bytes"] > 1e6
        await check_deployed(http, own)

        async def beaten() -> bool:
            rows = await one(
                conn, "SELECT count(*) FROM process WHERE figures ? 'gateway' AND figures ? 'work'"
            )
            return bool(rows)

        await until(beaten, "the process gave a sign of life with its figures")

        name = sql.Identifier(conn.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        hang_up(admin, conn)
        await until(is_not_ready(http, f"{own}/readyz", "database", "read-only"), "it says: read-only")
        assert (await asked(http, f"{own}/healthz"))["status"] == 200, "alive, though it can do nothing"
        admin.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        hang_up(admin, conn)
        await until(is_ready(http, f"{own}/readyz"), "it has recovered by itself")

        await asyncio.to_thread(broker.stop)
        await until(is_not_ready(http, f"{pages}/readyz", "broker", "not connected"), "it says: no broker")
        await asyncio.to_thread(broker.start)
        await until(is_ready(http, f"{pages}/readyz"), "the broker is back")
    assert await one(conn, "SELECT count(*) FROM process WHERE stopped_at IS NULL") == 0


async def check_deployed(http: ClientSession, url: str) -> None:
    """Prove that whatever the dashboard and the alert rules ask for is there, with the labels they use."""
    async with http.get(f"{url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    there = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    asked = {name for _, expression in expressions() for name in metric_names(expression)}
    assert len(asked) > 30
    assert asked - set(there) == set()
    for where, expression in expressions():
        for name, label in labels_of(expression):
            assert label in there[name], f"{where}: {name} has no label {label}"


def hang_up(admin: psycopg.Connection, conn: AsyncConnection) -> None:
    """End every session but the test's, so that each begins anew with what is set now."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %(name)s AND pid <> %(mine)s",
        {"name": conn.info.dbname, "mine": conn.info.backend_pid},
    )


async def test_a_taken_address_for_figures_is_said_before_anything_starts() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        with pytest.raises(CannotServe, match=f"CLERESTORY_METRICS={address}"):
            await try_metrics(Settings(metrics=address))


@asynccontextmanager
async def listener(vitals: Vitals) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    app[VITALS] = vitals
    app.add_routes(routes())
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


async def parts_of_a_sick_process() -> list[Part]:
    return [Part("database", ok=False, said="db.internal does not answer"), Part("broker", ok=True, said="")]


async def some_figures() -> bytes:
    return b"clerestory_gateway_paused 0.0\n"


@pytest.mark.parametrize(
    ("near", "headers", "status"),
    [
        (True, {}, 200),
        (True, {"X-Forwarded-For": "203.0.113.9"}, 401),
        (True, {"Forwarded": "for=203.0.113.9"}, 401),
        (True, {"Authorization": "Bearer wrong-wrong-wrong-wrong"}, 200),
        (False, {}, 401),
        (False, {"Authorization": f"Bearer {TOKEN}"}, 200),
        (False, {"Authorization": f"bearer  {TOKEN}"}, 200),
        (False, {"Authorization": f"Basic {TOKEN}"}, 401),
        (False, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        (False, {"Authorization": "Bearer ключ"}, 401),
        (False, {"Authorization": "Bearer"}, 401),
    ],
)
async def test_figures_are_for_this_machine_and_for_the_token(
    near: bool,  # noqa: FBT001 - a parameter of the test
    headers: dict[str, str],
    status: int,
) -> None:
    async with listener(Vitals(metrics=some_figures, token=TOKEN, near=near)) as client:
        answer = await client.get("/metrics", headers=headers)
        assert answer.status == status
        assert ("clerestory_gateway" in await answer.text()) == (status == 200)


async def test_strangers_learn_what_is_not_ready_but_not_why() -> None:
    async with listener(Vitals(ready=parts_of_a_sick_process, near=False, token=TOKEN)) as client:
        answer = await client.get("/readyz")
        assert answer.status == 503
        assert await answer.text() == "not ok\ndatabase: not ok\nbroker: ok\n"
        answer = await client.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"})
        assert "database: not ok: db.internal does not answer" in await answer.text()
        answer = await client.get("/readyz", headers={"Accept": "application/json"})
        assert await answer.json() == {
            "ok": False,
            "parts": {"database": {"ok": False}, "broker": {"ok": True}},
        }


async def test_without_a_token_nobody_else_reads_figures() -> None:
    async with listener(Vitals(metrics=some_figures, near=False)) as client:
        answer = await client.get("/metrics", headers={"Authorization": "Bearer "})
        assert answer.status == 401
