"""A device with a past in a real browser: its year, its health, and a refused message tried again."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Language
from gateway.deadletters import DeadLetter
from gateway.store import keep_letters
from storage import telemetry
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.gateway_world import make_ingest
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock
from tests.rolling import roll_up
from tests.scene import HOUR, Scene, one, stage

SILENT_HOURS = {*range(70, 100), *range(300, 310)}


async def live_a_year(conn: AsyncConnection, scene: Scene, clock: ManualClock) -> None:
    """Fill and empty the bin for a year, hourly of late; its battery falls, and twice it is not heard."""
    ids = await telemetry.ensure_signals(conn, ["fill_percent", "battery_percent", "temperature_c"])
    hours = [*range(24 * 31), *range(24 * 31, 24 * 360, 6)]
    rows = [
        (ids[name], clock.now() - hour * HOUR, value)
        for hour in hours
        if hour not in SILENT_HOURS
        for name, value in (
            ("fill_percent", 8.0 + (-hour) % 60 * 1.4),
            ("battery_percent", 31.0 + hour * 0.008),
            ("temperature_c", 18.0 - hour % 24),
        )
    ]
    home, device = scene.town.communities["home"], scene.devices["bin-7"]
    size = len(rows)
    await telemetry.write_readings(conn, [home] * size, [device] * size, *zip(*rows, strict=True))
    await telemetry.write_events(
        conn,
        [home] * 2,
        [device] * 2,
        ["low_battery"] * 2,
        [clock.now() - HOUR, clock.now() - 90 * HOUR],
        ["", ""],
    )
    await conn.execute(
        "UPDATE device_state SET heard_at = %(at)s, online = true WHERE device_id = %(device)s",
        {"at": clock.now(), "device": device},
    )
    await roll_up(conn, clock.now())


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    built = await stage(conn, clock.now())
    await live_a_year(conn, built, clock)
    said = (
        b'{"v": 1, "ts": "%s", "readings": {"fill_percent": 61.5, "battery_percent": 31}}'
        % (clock.now() - timedelta(minutes=95)).isoformat().encode()
    )
    wrong = said.replace(b"61.5", b"615")
    topic, at = "clerestory/home/bin-7/up", clock.now() - HOUR
    await keep_letters(conn, [DeadLetter(at, topic, said, "no_asset", "device 'bin-7' watches nothing")])
    await keep_letters(
        conn, [DeadLetter(at, topic, wrong, "out_of_range", "fill_percent is 615; right would be 0 to 100 %")]
    )
    return built


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    assert scene.devices
    async with serve(pool, clock, retake=make_ingest(pool, clock).retry) as running:
        yield running


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_device_with_a_past_is_clean(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    page = reader.page
    await reader.sign_in("dispatcher")
    await reader.look("/devices?show=problems", "devices-problems")
    await page.goto("/devices/home/bin-7?span=year")
    await expect(page.locator(".chart[data-drawn] canvas")).to_have_count(1)
    await page.click("details:has(.day-list) > summary")
    await reader.check("device-year")
    await page.click("details:has(.day-list) > summary")
    for reason, name, tone in (("out_of_range", "refused", "major"), ("no_asset", "taken", "good")):
        letter = await one(conn, "SELECT id FROM dead_letter WHERE reason = %(reason)s", {"reason": reason})
        await page.goto("/devices/home/bin-7")
        await reader.follow(f"a[href$='/letters/{letter}']")
        await reader.check("letter")
        await page.get_by_role(
            "button", name={"zh": "重新处理这条消息", "en": "Try this message again"}[language]
        ).click()
        await expect(page.locator(f".notice.{tone}[role=status]")).to_be_visible()
        await reader.check(f"letter-{name}")
    await reader.close()
    assert reader.troubles == []


async def test_a_device_is_read_without_scripts(chromium: Browser, server: BaseTestServer) -> None:
    reader = await Reader.open(chromium, server, "en", 360, scripts=False)
    await reader.sign_in("dispatcher")
    await reader.page.goto("/devices/home/bin-7?span=year")
    for words in ("Expected to last until about", "of the time heard", "Lowest", "Low battery"):
        await expect(reader.page.locator("main")).to_contain_text(words)
    await reader.close()
