"""The technician's pages in a real browser: how they look, and that they live."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, FilePayload, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Language
from dispatch import moves
from storage.notify import listen
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock
from tests.scene import Scene
from tests.town import picture


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock, database_url: str
) -> AsyncIterator[BaseTestServer]:
    assert scene.numbers
    hear = partial(listen, database_url)
    async with serve(pool, clock, listen=hear, desk_phone="400 800 1234") as running:
        yield running


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser, server: BaseTestServer, scene: Scene, language: Language, width: int
) -> None:
    zhao = await Reader.open(chromium, server, language, width)
    await zhao.sign_in("zhao")
    await zhao.look("/work", "work")
    await zhao.look(f"/work/{scene.numbers['trapped']}", "work-offer")
    await zhao.page.locator("#decline > summary").click()
    await zhao.check("work-decline")
    await zhao.look(f"/work/{scene.numbers['held']}", "work-on-hold")
    qian = await Reader.open(chromium, server, language, width)
    await qian.sign_in("qian")
    await qian.look("/work", "work-empty")
    wang = await Reader.open(chromium, server, language, width)
    await wang.sign_in("wang")
    await wang.look(f"/work/{scene.numbers['working']}", "work-finish")
    await wang.page.locator("#hold > summary").click()
    await wang.check("work-hold")
    await wang.page.fill("[name='check.door_gap_mm']", "9")
    troubles = zhao.troubles + qian.troubles + wang.troubles
    wang.troubles.clear()
    await wang.page.click(".primary-move")
    await wang.page.wait_for_selector("#faults")
    await wang.check("work-mistakes")
    await _fill(wang)
    await wang.page.click(".primary-move")
    await wang.page.wait_for_selector(".review")
    await wang.check("work-review")
    troubles += [trouble for trouble in wang.troubles if "422" not in trouble]
    for reader in (zhao, qian, wang):
        await reader.close()
    assert troubles == []


async def _fill(reader: Reader) -> None:
    """Answer the checklist, one value being out of its range."""
    await reader.page.check("[name='check.doors'][value=yes]")
    await reader.page.fill("[name='check.door_gap_mm']", "9")
    await reader.page.fill("[name='remark.door_gap_mm']", "导轨已磨损")
    await reader.page.fill("[name=labour_minutes]", "45")


async def test_dark_pages_are_clean(chromium: Browser, server: BaseTestServer, scene: Scene) -> None:
    reader = await Reader.open(chromium, server, "zh", 360, dark=True)
    await reader.sign_in("wang")
    await reader.look("/work", "work-dark")
    await reader.look(f"/work/{scene.numbers['working']}", "work-finish-dark")
    await reader.close()
    assert reader.troubles == []


async def test_the_big_button_is_thumb_high_and_stays(
    chromium: Browser, server: BaseTestServer, scene: Scene
) -> None:
    reader = await Reader.open(chromium, server)
    await reader.sign_in("zhao")
    await reader.page.goto(f"/work/{scene.numbers['trapped']}")
    button = reader.page.locator(".primary-move")
    box = await button.bounding_box()
    assert box
    assert box["height"] >= 56
    assert box["y"] + box["height"] < 740
    await reader.page.keyboard.press("End")
    assert await button.bounding_box() == box
    for words in ("出发", "到场", "完成"):
        await button.click()
        await expect(button).to_have_text(words)
    await reader.close()
    assert reader.troubles == []


async def test_the_list_lives_and_says_when_it_is_disconnected(
    chromium: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, server)
    await reader.sign_in("zhao")
    await reader.page.goto("/work")
    page = reader.page
    await expect(page.locator(".job-card.offered")).to_have_count(1)
    await expect(page.locator("body[data-live=on]")).to_have_count(1)
    async with conn.transaction():
        await moves.accept(conn, scene.orders["trapped"], scene.town.by("wang"), clock.now())
    await expect(page.locator(".job-card.offered")).to_have_count(0)
    await expect(page.locator(".job-card")).to_have_count(1)
    await page.context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(page.locator("#live-status")).to_be_visible()
    await reader.close()


async def test_an_open_job_is_told_when_somebody_else_takes_it(
    chromium: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, server)
    await reader.sign_in("zhao")
    await reader.page.goto(f"/work/{scene.numbers['trapped']}")
    await expect(reader.page.locator("body[data-live=on]")).to_have_count(1)
    async with conn.transaction():
        await moves.accept(conn, scene.orders["trapped"], scene.town.by("wang"), clock.now())
    await expect(reader.page.locator(".changed")).to_contain_text("已由同事接单")
    await reader.close()


async def test_what_was_typed_survives_a_reload_and_is_forgotten_when_done(
    chromium: Browser, server: BaseTestServer, scene: Scene
) -> None:
    reader = await Reader.open(chromium, server)
    page = reader.page
    await reader.sign_in("wang")
    await page.goto(f"/work/{scene.numbers['working']}")
    await expect(page.locator("[name='remark.door_gap_mm']")).to_be_hidden()
    await page.fill("[name='check.door_gap_mm']", "9")
    await expect(page.locator("[name='remark.door_gap_mm']")).to_be_visible()
    await _fill(reader)
    await page.reload()
    await expect(page.locator("[name='check.door_gap_mm']")).to_have_value("9")
    await expect(page.locator("[name='check.doors'][value=yes]")).to_be_checked()
    await page.click(".primary-move")
    await page.wait_for_selector(".review")
    await page.click(".primary-move")
    await expect(page.locator(".notice.good")).to_be_visible()
    await page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('draft:'))")
    await reader.close()
    assert reader.troubles == []


async def test_a_photo_is_made_small_sent_and_shown(
    chromium: Browser, server: BaseTestServer, scene: Scene
) -> None:
    reader = await Reader.open(chromium, server)
    page = reader.page
    await reader.sign_in("wang")
    await page.goto(f"/work/{scene.numbers['working']}")
    await expect(page.locator("#photos li")).to_have_count(1)
    large = FilePayload(name="p.jpg", mimeType="image/jpeg", buffer=picture("#b06030", (4000, 3000)))
    async with page.expect_request("**/photos") as sent:
        await page.set_input_files("#photo", [large])
    await expect(page.locator("#photos li")).to_have_count(2)
    assert len((await sent.value).post_data_buffer or b"") < 400_000
    shown = page.locator("#photos img").nth(1)
    await expect(shown).to_be_visible()
    await page.wait_for_function(
        "() => [...document.querySelectorAll('#photos img')].every((i) => i.naturalWidth > 0)"
    )
    assert await shown.evaluate("image => image.naturalWidth") == 1600
    await reader.check("work-photos")
    wrong = FilePayload(name="p.jpg", mimeType="image/jpeg", buffer=b"not a picture")
    await page.set_input_files("#photo", [wrong])
    await expect(page.locator("[data-trouble]")).to_contain_text("无法识别")
    await reader.close()
    assert reader.troubles == []


async def test_the_whole_way_without_scripts(
    chromium: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    reader = await Reader.open(chromium, server, scripts=False)
    page = reader.page
    await reader.sign_in("wang")
    await page.goto(f"/work/{scene.numbers['working']}")
    photo = FilePayload(name="p.jpg", mimeType="image/jpeg", buffer=picture("#30a0b0"))
    await page.set_input_files("#photo", [photo])
    await page.click(".photo-form button[type=submit]")
    await expect(page.locator("#photos li")).to_have_count(2)
    await _fill(reader)
    await page.click(".primary-move")
    await page.wait_for_selector(".review")
    await page.click(".primary-move")
    await expect(page.locator(".notice.good")).to_be_visible()
    status = await (
        await conn.execute("SELECT status FROM work_order WHERE id = %(id)s", {"id": scene.orders["working"]})
    ).fetchone()
    assert status == ("completed",)
    await reader.close()
    assert reader.troubles == []
