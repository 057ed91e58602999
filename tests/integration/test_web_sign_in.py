"""Signing in: sessions, throttling, the reader's choices."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests.integration.web_client import QUICK_HASH, Browser, quick_passwords, server_of
from tests.manual_clock import ManualClock
from web.app import create_app


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> AsyncIterator[TestServer]:
    await conn.execute(
        """
        INSERT INTO account (login, name, role, language, password_hash) VALUES ('boss', '王经理', 'manager', 'zh', %(hash)s)
        """,
        {"hash": QUICK_HASH},
    )
    async with server_of(create_app(pool, clock, passwords=quick_passwords())) as running:
        yield running


async def test_a_password_opens_a_session(server: TestServer) -> None:
    async with Browser(server) as browser:
        response = await browser.sign_in("boss", then="/account")
        assert response.status == 303, await response.text()
        assert (response.status, response.headers["Location"]) == (303, "/account")
        cookie = response.cookies["session"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        status, text = await browser.get("/account")
        assert status == 200
        assert "王经理" in text
