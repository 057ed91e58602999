"""Technicians with their page open: what a phone does while it waits for work, without the phone.

Each keeps the page's stream of events open and, as the page does, loads its list of jobs again when told that
an order changed. A job counts as visible when it stands in the list's HTML.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter

from aiohttp import ClientSession, ClientTimeout, CookieJar
from psycopg import AsyncConnection

from web.session import cookie_name, hashed

SKILL = "security"
OPEN_SECONDS = 60


async def employ(conn: AsyncConnection, count: int) -> list[str]:
    """Enter technicians who are always on shift in the fleet's area, and sign them in; gives the cookies."""
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    now = datetime.now(UTC)
    await conn.execute(_EMPLOY, {"count": count, "skill": SKILL})
    await conn.execute(
        """
        INSERT INTO session (token_hash, account_id, csrf, created_at, expires_at)
        SELECT hash, account.id, 'bench', %(now)s, %(until)s
          FROM unnest(%(hashes)s::bytea[]) WITH ORDINALITY AS given (hash, n)
          JOIN account ON account.login = 'bench-' || n
        """,
        {"hashes": [hashed(token) for token in tokens], "now": now, "until": now + timedelta(days=30)},
    )
    return tokens


_EMPLOY = """
    WITH people AS (
        INSERT INTO staff (code, name, phone)
        SELECT 'bench-' || n, 'Technician ' || n, '138' FROM generate_series(1, %(count)s::int) AS n
        RETURNING id, code
    ), skilled AS (
        INSERT INTO staff_skill (staff_id, skill, licence) SELECT id, %(skill)s, 'L-1' FROM people
    ), placed AS (
        INSERT INTO staff_area (staff_id, area_id) SELECT people.id, area.id FROM people CROSS JOIN area
    ), at_work AS (
        INSERT INTO shift (staff_id, weekday, starts, ends)
        SELECT id, weekday, '00:00', '00:00' FROM people CROSS JOIN generate_series(1, 7) AS weekday
    )
    INSERT INTO account (login, name, role, staff_id) SELECT code, code, 'technician', id FROM people"""


class Watchers:
    """All those pages, and when each thing was first seen on any of them."""

    def __init__(self, url: str, tokens: list[str]) -> None:
        self._url = url
        self._tokens = tokens
        self._awaited: dict[str, asyncio.Future[float]] = {}

    def expect(self, name: str) -> asyncio.Future[float]:
        """The moment at which a job of this name is first seen."""
        self._awaited[name] = asyncio.get_running_loop().create_future()
        return self._awaited[name]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Have all pages open; the block begins when each has loaded for the first time."""
        async with AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(self._browser(token)) for token in self._tokens]
            ready = [asyncio.Event() for _ in sessions]
            tasks = [
                asyncio.create_task(self._watch(session, event))
                for session, event in zip(sessions, ready, strict=True)
            ]
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await asyncio.gather(*(event.wait() for event in ready))
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error

    def _browser(self, token: str) -> ClientSession:
        return ClientSession(
            self._url,
            cookies={cookie_name(secure=False): token},
            cookie_jar=CookieJar(unsafe=True),
            timeout=ClientTimeout(total=None),
        )

    async def _watch(self, session: ClientSession, ready: asyncio.Event) -> None:
        async with session.get("/events", raise_for_status=True) as stream:
            async for line in stream.content:
                if line.startswith((b"event: order", b"event: reconnected")):
                    await self._look(session)
                    ready.set()

    async def _look(self, session: ClientSession) -> None:
        async with session.get("/work/jobs", raise_for_status=True) as response:
            text = await response.text()
        now = perf_counter()
        for name in [each for each in self._awaited if f">{each}<" in text]:
            seen = self._awaited.pop(name)
            if not seen.done():
                seen.set_result(now)
