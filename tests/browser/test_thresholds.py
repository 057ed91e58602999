"""The page of thresholds in a real browser: how it looks in both languages, widths, and without scripts."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Language
from tests import town as towns
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock

ELEVATOR = "/thresholds?class=elevator&place=home"
HIGH = "door_vibration_high_db"


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    await towns.build(conn)
    await conn.execute(
        """
        UPDATE area SET thresholds = '{"elevator": {"door_vibration_high_db": 26}}' WHERE code = 'all';
        UPDATE asset SET attributes = attributes || '{"rated_speed_m_s": 1.75}' WHERE code = 'L1'
        """
    )
    async with serve(pool, clock) as running:
        yield running


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser, server: BaseTestServer, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("manager")
    await reader.look(ELEVATOR, "thresholds")
    await expect(reader.page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=1)
    await reader.page.fill(f"#t-{HIGH}", "900")
    await reader.page.click("main form[method=post] button.primary")
    await expect(reader.page.locator("#faults")).to_be_visible()
    await reader.check("thresholds-refused")
    # The one complaint of the browser is the refusal itself.
    reader.troubles = [each for each in reader.troubles if "422" not in each]
    assert reader.troubles == []
    await reader.close()


async def test_it_works_without_scripts(chromium: Browser, server: BaseTestServer) -> None:
    reader = await Reader.open(chromium, server, "zh", 360, scripts=False)
    await reader.sign_in("manager")
    await reader.page.goto(ELEVATOR)
    await reader.page.fill(f"#t-{HIGH}", "25")
    await reader.page.click("main form[method=post] button.primary")
    await expect(reader.page.locator(f"#t-{HIGH}")).to_have_value("25")
    await reader.page.locator("text=取消设定").first.click()
    await expect(reader.page.locator(f"#t-{HIGH}")).to_have_value("")
    await reader.close()
