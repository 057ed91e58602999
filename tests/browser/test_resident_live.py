"""A bill that lives: a kiosk's payment shows at once, and a lost connection is said."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from gateway.signals import Device
from storage.notify import Change, listen
from tests import town as towns
from tests.browser.conftest import Reader
from tests.integration.billing_town import KEYS, pay_whole, payment
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock


@dataclass(frozen=True)
class Home:
    server: BaseTestServer
    bill: str
    kiosk: Device


@pytest.fixture
async def home(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, database_url: str
) -> AsyncIterator[Home]:
    town = await towns.build(conn)
    bills = await towns.bill(pool, clock.now())
    kiosk = Device(
        community_id=town.communities["home"],
        device_id=0,
        community="home",
        code="K1",
        profile="kiosk",
        asset_id=None,
        asset_class=None,
        attributes={"public_key": KEYS.public_key},
    )
    listening = asyncio.Event()

    async def heard() -> AsyncIterator[Change]:
        async for change in listen(database_url):
            listening.set()
            yield change

    async with serve(pool, clock, listen=heard) as server:
        await listening.wait()
        yield Home(server, bills["B1-101"], kiosk)


async def test_a_payment_at_the_kiosk_shows_on_the_open_bill(
    chromium: Browser, home: Home, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, home.server)
    await reader.sign_in("ann")
    await reader.page.goto(f"/bills/{home.bill}")
    amount = reader.page.locator(".bill-amount")
    await expect(amount).to_contain_text("待缴")
    await pay_whole(conn, payment(home.kiosk, home.bill, "B1-101", 10000), clock.now())
    await expect(amount).to_contain_text("部分缴纳")
    await expect(amount).to_contain_text("¥62.52")
    await pay_whole(conn, payment(home.kiosk, home.bill, "B1-101", 7000, transaction_id="K1-2"), clock.now())
    await expect(amount).to_contain_text("已缴清")
    await expect(amount).to_contain_text("您的预存余额为 ¥7.48")
    await reader.check("bill-paid")
    assert reader.troubles == []
    await reader.close()


async def test_a_lost_connection_is_said_in_a_sentence(chromium: Browser, home: Home) -> None:
    reader = await Reader.open(chromium, home.server, "en")
    await reader.sign_in("ann")
    await reader.page.goto(f"/bills/{home.bill}")
    await expect(reader.page.locator("body[data-live=on]")).to_have_count(1)
    await expect(reader.page.locator("#live-status")).to_be_hidden()
    await home.server.close()
    await expect(reader.page.locator("#live-status")).to_contain_text("Connection lost")
    await reader.close()
