"""The pages of registering devices in a real browser: how they look, and that they live."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, Route, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.adopting import adopt_some
from clerestory.site import Site
from config.settings import Settings
from config.text import Language
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.gateway_world import make_ingest, said, up
from tests.manual_clock import ManualClock
from tests.scene import Scene, stage
from tests.town import PASSWORD

EUI = "24e124713c400001"
MISTAKEN = "小区,设备编码,型号,资产,DevEUI\n{home},a 1,bin-nativ,L7,\n{home},a-2,milesight-em310-udl,,12\n"


# Marks the page when a list came and was dealt with, and when a dead letter was told of.
_WATCH = """
    const mark = (name) => setTimeout(() => document.body.setAttribute(name, ""), 100);
    document.body.addEventListener("htmx:afterRequest", (event) => {
        if (event.detail.target.id === "strangers") mark("data-test-listed");
    });
    document.body.addEventListener("htmx:sseMessage", (event) => {
        if (event.detail.type === "deadletter") mark("data-test-told");
    });
"""


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock, pool: AsyncConnectionPool) -> Scene:
    built = await stage(conn, clock.now())
    home = await _community(conn)
    ingest = make_ingest(pool, clock)
    ago = clock.now() - timedelta(hours=3)
    for number in range(3):
        await ingest.take([up("L1-T", ago + timedelta(minutes=number), home, speed_m_s=1.5, floor=number)])
    uplink = {
        "deviceInfo": {"devEui": EUI, "applicationName": "bins", "deviceProfileName": "EM310-UDL"},
        "time": clock.now().isoformat(),
        "object": {"battery": 92, "distance": 1200, "position": "normal"},
    }
    await ingest.take([said(f"application/1/device/{EUI}/event/up", json.dumps(uplink), clock.now())])
    return built


async def _community(conn: AsyncConnection) -> str:
    cursor = await conn.execute(
        "SELECT community.code FROM device JOIN community ON community.id = community_id"
        " WHERE device.code = 'L1-S'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, tmp_path: Path,
    language: Language, width: int,
) -> None:  # fmt: skip
    home = await _community(conn)
    reader = await Reader.open(chromium, server, language, width)
    page = reader.page
    await reader.sign_in("manager")
    await reader.look("/devices", "devices-keeper")
    await reader.look("/devices/strangers", "strangers")
    await reader.look("/devices/strangers?ignored", "strangers-ignored")
    await reader.look(f"/devices/new?speaker=clerestory/{home}/L1-T", "adopt")
    await reader.look("/devices/new", "device-new")
    await reader.look(f"/devices/{home}/L1-S/manage", "manage")
    await reader.look(f"/devices/{home}/L1-S/edit", "device-edit")
    await reader.look("/devices/labels", "labels")
    await reader.look("/devices/import", "import")
    sheet = tmp_path / "devices.csv"
    sheet.write_text(MISTAKEN.format(home=home), "gbk")
    await page.set_input_files("#file", sheet)
    await reader.follow("form[enctype] button")
    await reader.check("import-mistakes")
    reader.troubles = [each for each in reader.troubles if "422" not in each]  # as it should be
    sheet.write_text(f"小区,设备编码,型号,资产\n{home},L1-U,elevator-native,L1\n", "gbk")
    await page.goto("/devices/import")
    await page.set_input_files("#file", sheet)
    await reader.follow("form[enctype] button")
    await reader.check("import-preview")
    await reader.follow("form[enctype] button")
    await reader.check("imported")
    await page.goto(f"/devices/{home}/L1-S/manage")
    await page.check("input[name=on_label]")
    await reader.follow("form[action$=issue] button")
    await reader.check("issued")
    await reader.look(f"/devices/{home}/L1-U/manage", "manage-new")
    assert reader.troubles == []
    await reader.close()


async def test_an_adopted_device_shows_when_its_messages_are_taken(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, clock: ManualClock,
    pool: AsyncConnectionPool, database_url: str,
) -> None:  # fmt: skip
    """Unknown device → list → adopt → its waiting messages appear, without loading the page again."""
    home = await _community(conn)
    reader = await Reader.open(chromium, server, "en", 1280)
    page = reader.page
    await reader.sign_in("manager")
    await page.goto("/devices/strangers")
    ingest = make_ingest(pool, clock)
    await ingest.take([up("LATE-1", clock.now(), home, speed_m_s=0.5)])
    await expect(page.locator("article:has-text('LATE-1')")).to_have_count(1)
    await page.click("article:has-text('LATE-1') summary")
    await page.evaluate(_WATCH)
    await ingest.take([up("LATE-2", clock.now(), home, speed_m_s=0.5)])
    await expect(page.locator("body[data-test-listed]")).to_have_count(1)
    await expect(page.locator("article:has-text('LATE-1') pre")).to_be_visible()
    await expect(page.locator("article:has-text('LATE-2')")).to_have_count(0)
    await page.click("article:has-text('LATE-1') summary")
    await page.evaluate("document.activeElement.blur()")
    await expect(page.locator("article:has-text('LATE-2')")).to_have_count(1)
    await reader.follow("article:has-text('L1-T') >> text=Adopt")
    await page.fill("#search", "L1")
    await page.click("#found label:has-text('L1')")
    await page.click("form[data-once] .order-actions button.primary")
    await expect(page).to_have_url(f"{server.make_url('/')}devices/{home}/L1-T/manage")
    await expect(page.locator("#waiting")).to_contain_text("3 to go")
    site = Site(Settings(), clock, pool, database_url, "")
    while await adopt_some(site, make_ingest(pool, clock)):
        pass
    await expect(page.locator("#waiting")).to_contain_text("were taken: 3")
    assert reader.troubles == []
    await reader.close()


async def test_what_happens_while_the_list_is_on_its_way_is_asked_for_next(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, clock: ManualClock,
    pool: AsyncConnectionPool,
) -> None:  # fmt: skip
    home = await _community(conn)
    reader = await Reader.open(chromium, server, "en", 1280)
    page = reader.page
    await reader.sign_in("manager")
    on_its_way, heard = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.resource_type != "xhr" or on_its_way.is_set():
            await route.continue_()
            return
        old = await route.fetch()
        on_its_way.set()
        await heard.wait()
        await route.fulfill(response=old)

    await page.route("**/devices/strangers", late)
    await page.goto("/devices/strangers")
    await on_its_way.wait()
    await page.evaluate(_WATCH)
    await make_ingest(pool, clock).take([up("LATE-1", clock.now(), home, speed_m_s=0.5)])
    await expect(page.locator("body[data-test-told]")).to_have_count(1)
    heard.set()
    await expect(page.locator("article:has-text('LATE-1')")).to_have_count(1)
    await reader.close()


async def test_it_works_without_scripts(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection
) -> None:
    home = await _community(conn)
    reader = await Reader.open(chromium, server, "zh", 360, scripts=False)
    page = reader.page
    await page.goto("/sign-in")
    await page.fill("input[name=login]", "manager")
    await page.fill("input[name=password]", PASSWORD)
    await reader.follow("form.sign-in-form button")
    await page.goto("/devices/new")
    await page.fill("#code", "L1-V")
    await page.select_option("#profile", "elevator-native")
    await page.fill("#search", "L1")
    await reader.follow(".with-button:has(#search) button")
    await expect(page.locator("#a-floors")).to_have_count(1)
    assert await page.input_value("#code") == "L1-V"
    await page.click("#found label:has-text('L1')")
    await page.click("form[data-once] .order-actions button.primary")
    await expect(page).to_have_url(f"{server.make_url('/')}devices/{home}/L1-V/manage")
    await reader.close()
