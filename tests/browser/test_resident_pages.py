"""A resident's pages, finance and signing in, as people see them: languages, widths, light and dark."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from billing.period import Period
from config.text import Language, Text
from tests import town as towns
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock


@dataclass(frozen=True)
class Shown:
    """What the pages are about."""

    server: BaseTestServer
    bill: str
    record: int


@pytest.fixture
async def shown(pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock) -> AsyncIterator[Shown]:
    town = await towns.build(conn)
    record = await towns.do_work(
        conn,
        town,
        "L1",
        datetime(2026, 10, 14, 1, 12, tzinfo=UTC),
        photo=towns.picture(),
        summary=Text(
            zh="完成半月维保：调整层门间隙，更换门机皮带，试运行正常。",
            en="Half-monthly maintenance done: doors adjusted, door belt replaced, test ride in order.",
        ),
    )
    for day in range(1, 8):
        at = datetime(2026, 10, day, 23, 5, tzinfo=UTC)
        await towns.do_work(conn, town, "G1", at, kind="cleaning", technician="zhao", checklist=())
    await towns.bill(pool, clock.now() - timedelta(days=52), Period(2026, 9))
    bills = await towns.bill(pool, clock.now() - timedelta(days=21))
    async with serve(pool, clock) as server:
        yield Shown(server, bills["B1-101"], record)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_are_clean_in_both_languages_at_both_widths(
    chromium: Browser, shown: Shown, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, shown.server, language, width)
    await reader.look("/sign-in", "sign-in")
    await reader.sign_in("ann")
    await reader.look("/bills", "bills")
    await reader.look(f"/bills/{shown.bill}", "bill")
    await reader.page.click("details.line >> nth=0")
    await reader.check("bill-open")
    await reader.look(f"/bills/{shown.bill}/lines/1", "bill-line")
    await reader.look(f"/records/{shown.record}", "record")
    await reader.look("/account", "account")
    await reader.page.click("details.menu > summary")
    await reader.check("menu")
    troubles = list(reader.troubles)
    # Chromium itself notes in its console that the page was not found; the page has to be clean all the same.
    await reader.look("/records/999999", "not-found", status=404)
    await reader.close()
    money = await Reader.open(chromium, shown.server, language, width)
    await money.sign_in("finance")
    await money.look("/finance", "finance")
    await money.close()
    missing = [one for one in reader.troubles[len(troubles) :] if "Failed to load resource" not in one]
    assert troubles + missing + money.troubles == []


async def test_pages_are_clean_in_the_dark_and_in_large_text(chromium: Browser, shown: Shown) -> None:
    reader = await Reader.open(chromium, shown.server, "zh", 360, dark=True)
    await reader.look("/sign-in", "dark-sign-in")
    await reader.page.click("button[name=size][value=large]")
    await reader.check("dark-large-sign-in")
    await reader.sign_in("ann")
    for name, path in (
        ("bills", "/bills"),
        ("bill", f"/bills/{shown.bill}"),
        ("record", f"/records/{shown.record}"),
    ):
        await reader.look(path, f"dark-large-{name}")
    wide = await Reader.open(chromium, shown.server, "en", 1280, dark=True)
    await wide.sign_in("ann")
    await wide.look(f"/bills/{shown.bill}", "dark-bill")
    await wide.look(f"/records/{shown.record}", "dark-record")
    assert reader.troubles + wide.troubles == []
    await reader.close()
    await wide.close()


async def test_a_bill_prints_on_paper_with_everything_open(chromium: Browser, shown: Shown) -> None:
    reader = await Reader.open(chromium, shown.server, "zh", 794)
    await reader.sign_in("ann")
    await reader.page.goto(f"/bills/{shown.bill}")
    await reader.page.emulate_media(media="print")
    await reader.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert await reader.page.locator("details.line:not([open])").count() == 0
    assert not await reader.page.locator("header.top").is_visible()
    await reader.check("print-bill")
    await reader.close()


async def test_pages_read_without_scripts(chromium: Browser, shown: Shown) -> None:
    reader = await Reader.open(chromium, shown.server, "en", 360, scripts=False)
    page = reader.page
    await reader.sign_in("ann")
    await page.goto("/bills")
    await reader.follow(f"a[href='/bills/{shown.bill}'] >> nth=0")
    await page.click("details.line >> nth=0")
    await reader.follow("a.record-row >> nth=0")
    assert page.url.endswith(f"/records/{shown.record}")
    await page.click(".seal summary")
    assert await page.locator(".prints code >> nth=0").is_visible()
    await page.click("details.menu > summary")
    await reader.follow("text=Sign out")
    assert page.url.endswith("/sign-in")
    await reader.close()
