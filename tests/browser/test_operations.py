"""The operations page in a real browser: how it looks, well and not, and that it lives."""

from dataclasses import replace

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection

from config.text import Language
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.manual_clock import ManualClock
from tests.unit.test_operations_views import process
from web import operations_store


async def well(conn: AsyncConnection, clock: ManualClock) -> None:
    everything = replace(process(1, "gateway", "worker", "web"), seen_at=clock.now(), started_at=clock.now())
    await operations_store.beat(conn, everything)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser,
    server: BaseTestServer,
    conn: AsyncConnection,
    clock: ManualClock,
    language: Language,
    width: int,
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("administrator")
    await reader.look("/operations", "operations-nobody")
    await well(conn, clock)
    await reader.look("/operations", "operations-well")
    full = 'could not extend file "base/16384/24601": No space left on device'
    sick = process(2, "gateway", received=2_400_000, committed=2_399_990, held=75.0, trouble=full, lag=2.5)
    await operations_store.beat(conn, replace(sick, seen_at=clock.now()))
    await reader.look("/operations", "operations-sick")
    await reader.close()
    assert reader.troubles == []


async def test_it_lives(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, server, "zh", 360, dark=True)
    await reader.sign_in("manager")
    await reader.look("/operations", "operations-dark")
    verdict = reader.page.locator(".verdict h2")
    await expect(verdict).to_have_text("消息入库受阻")
    await well(conn, clock)
    await expect(verdict).to_have_text("到达的消息已全部入库")
    await reader.close()
    assert reader.troubles == []
