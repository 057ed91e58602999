"""Live pages: who hears of which change."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from storage.notify import listen, notify
from tests import town as towns
from tests.integration.gateway_world import PATIENCE
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.town import Town
from web import events, live
from web.house import HOUSE


@dataclass(frozen=True)
class Place:
    server: BaseTestServer
    town: Town


@pytest.fixture
async def place(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, database_url: str
) -> AsyncIterator[Place]:
    town = await towns.build(conn)
    listening = asyncio.Event()

    async def heard() -> AsyncIterator[live.Change]:
        async for change in listen(database_url):
            listening.set()
            yield change

    async with serve(pool, clock, listen=heard) as server:
        await listening.wait()
        yield Place(server, town)


async def _next(stream: ClientResponse) -> tuple[str, str] | None:
    """Return the next event and its data, or None when the stream ended."""
    what = ""
    async with asyncio.timeout(PATIENCE):
        while line := await stream.content.readline():
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                what = text.removeprefix("event: ")
            elif text.startswith("data:") and what:
                return what, text.removeprefix("data:").strip()
    return None


async def _open(browser: Browser, login: str) -> ClientResponse:
    await browser.sign_in(login)
    stream = await browser.stream("/events")
    assert stream.content_type == "text/event-stream"
    assert await _next(stream) == ("reconnected", "")
    return stream


async def test_the_desk_hears_its_own_community_only(place: Place, conn: AsyncConnection) -> None:
    home, far = place.town.communities["home"], place.town.communities["far"]
    async with Browser(place.server) as browser:
        stream = await _open(browser, "dispatcher")
        await notify(conn, "order", [7], far)
        await notify(conn, "order", [8, 9], home)
        assert await _next(stream) == ("order", "8 9")
        await notify(conn, "registry", [3])
        assert await _next(stream) == ("registry", "3")


async def test_a_technician_hears_of_their_own_orders_only(
    place: Place, conn: AsyncConnection, clock: ManualClock
) -> None:
    now = clock.now()
    async with Browser(place.server) as wang, Browser(place.server) as zhao, Browser(place.server) as desk:
        streams = [await _open(wang, "wang"), await _open(zhao, "zhao"), await _open(desk, "dispatcher")]
        order_id = await towns.begin_work(conn, place.town, "L1", now, technician="wang")
        assert await _next(streams[0]) == ("order", ""), "that something changed, not which"
        assert await _next(streams[2]) == ("order", str(order_id))
        place.server.app[HOUSE].hub.close()  # type: ignore[attr-defined]
        assert await _next(streams[1]) is None


async def test_residents_hear_of_their_own_payments_only(
    place: Place, conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    await towns.bill(pool, clock.now())
    home = place.town.communities["home"]
    payment = await _pay(conn, place.town, "ann", clock.now())
    async with Browser(place.server) as ann, Browser(place.server) as bob:
        hers, his = await _open(ann, "ann"), await _open(bob, "bob")
        for what in ("order", "alarm", "reading"):
            await notify(conn, what, [1], home)
        await notify(conn, "payment", [payment], home)
        assert await _next(hers) == ("payment", "")
        place.server.app[HOUSE].hub.close()  # type: ignore[attr-defined]
        assert await _next(his) is None


async def _pay(conn: AsyncConnection, town: Town, who: str, now: datetime) -> int:
    cursor = await conn.execute(
        """
        INSERT INTO payment (community_id, channel, transaction_id, unit_id, bill_id, amount_fen, method,
                             paid_at, recorded_at, body, receipt_no, receipt)
        SELECT community_id, 'kiosk', '1', unit_id, id, 100, 'cash', %(now)s, %(now)s, '{}', 'R1', '{}'
          FROM bill WHERE party_id = %(party)s RETURNING id
        """,
        {"party": town.parties[who], "now": now},
    )
    row = await cursor.fetchone()
    assert row is not None
    payment: int = row[0]
    return payment


async def test_too_many_changes_become_one_reload(place: Place, conn: AsyncConnection) -> None:
    async with Browser(place.server) as browser:
        stream = await _open(browser, "dispatcher")
        async with conn.transaction():
            await notify(conn, "order", range(live.MOST_IDS + 1), place.town.communities["home"])
        assert await _next(stream) == ("reconnected", "")


async def test_a_lost_listener_has_pages_load_everything_again(place: Place, conn: AsyncConnection) -> None:
    async with Browser(place.server) as browser:
        stream = await _open(browser, "dispatcher")
        await conn.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE query LIKE 'LISTEN%' AND datname = current_database()
            """
        )
        assert await _next(stream) == ("reconnected", "")


async def test_a_stream_ends_with_its_session(
    place: Place, conn: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE_SECONDS", 0.02)
    async with Browser(place.server) as browser:
        stream = await _open(browser, "wang")
        await conn.execute("DELETE FROM session")
        assert await _next(stream) is None


async def test_a_stream_that_is_never_quiet_ends_with_its_session(
    place: Place, conn: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "ALIVE_SECONDS", 0.3)
    monkeypatch.setattr(events, "MERGE_SECONDS", 0.01)
    async with Browser(place.server) as desk:
        stream = await _open(desk, "dispatcher")
        await conn.execute("DELETE FROM session")
        async with asyncio.timeout(PATIENCE):
            while True:
                await notify(conn, "deadletter", [1])
                if await _next(stream) is None:
                    break


async def test_an_account_with_too_many_streams_loses_its_oldest(place: Place) -> None:
    async with Browser(place.server) as browser:
        first = await _open(browser, "dispatcher")
        others = [await browser.stream("/events") for _ in range(live.MOST_STREAMS)]
        assert await _next(first) is None
        assert await _next(others[-1]) == ("reconnected", "")
