"""The desk and the device pages in a real browser: how they look, and that they live."""

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, Page, expect
from psycopg import AsyncConnection

from config.text import Language
from dispatch import moves
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.manual_clock import ManualClock
from tests.scene import Scene, fill_history, stage

HEARD_HOURS = [*range(1, 9), *range(12, 24)]


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    built = await stage(conn, clock.now())
    await fill_history(conn, built, clock.now(), HEARD_HOURS)
    return built


async def drawn(page: Page) -> None:
    """Wait until the chart is drawn."""
    await expect(page.locator(".chart[data-drawn] canvas")).to_have_count(1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser, server: BaseTestServer, scene: Scene, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    page = reader.page
    await reader.sign_in("dispatcher")
    await reader.look("/desk", "desk")
    await reader.look(f"/desk/orders/{scene.numbers['trapped']}", "desk-order")
    await reader.look(f"/desk/orders/{scene.numbers['nobody']}", "desk-escalated")
    await reader.look(f"/desk/alarms/{scene.alarms['bin_overflow']}", "desk-alarm")
    await reader.look(f"/desk/orders/{scene.numbers['working']}/reassign", "desk-reassign")
    await reader.look(f"/desk/orders/{scene.numbers['working']}/cancel", "desk-cancel")
    await reader.look("/devices", "devices")
    await page.goto("/devices/home/bin-7")
    await drawn(page)
    await reader.check("device")
    await page.goto("/devices/home/bin-7?signal=tilted&span=week")
    await drawn(page)
    await reader.check("device-tilted")
    await reader.look("/devices/home/lift-1", "device-silent")
    await reader.look("/desk/new", "desk-new")
    troubles = [*reader.troubles]
    reader.troubles.clear()
    await page.get_by_role("button", name={"zh": "确认开单", "en": "Open the order"}[language]).click()
    await page.wait_for_selector(".field-error")
    await reader.check("desk-new-mistakes")
    troubles += [trouble for trouble in reader.troubles if "422" not in trouble]
    await reader.close()
    assert troubles == []


@pytest.mark.parametrize("width", WIDTHS)
async def test_dark_and_empty_pages_are_clean(
    chromium: Browser, server: BaseTestServer, scene: Scene, width: int
) -> None:
    reader = await Reader.open(chromium, server, "zh", width, dark=True)
    await reader.sign_in("administrator")
    await reader.look("/desk?community=far", "desk-empty-dark")
    await reader.look(f"/desk/orders/{scene.numbers['nobody']}", "desk-escalated-dark")
    await reader.page.goto("/devices/home/bin-7")
    await drawn(reader.page)
    await reader.check("device-dark")
    await reader.close()
    assert reader.troubles == []


async def test_the_board_and_the_open_order_live(
    chromium: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, server, "zh", 1280)
    page = reader.page
    await reader.sign_in("dispatcher")
    await page.goto(f"/desk/orders/{scene.numbers['trapped']}")
    row = page.locator(f".queue-row[href='/desk/orders/{scene.numbers['trapped']}']")
    await expect(row).to_contain_text("已询问 赵海、王建国")
    await expect(row).to_have_attribute("aria-current", "page")
    await expect(page.locator("body[data-live=on]")).to_have_count(1)
    async with conn.transaction():
        await moves.accept(conn, scene.orders["trapped"], scene.town.by("zhao"), clock.now())
    await expect(row).to_contain_text("赵海")
    await expect(row).to_contain_text("已接单")
    await expect(row).to_contain_text("到场")
    await expect(row).to_have_attribute("aria-current", "page")
    await expect(page.locator("#order .marks")).to_contain_text("已接单")
    await reader.close()
    assert reader.troubles == []


async def test_an_order_is_opened_with_the_keyboard_alone(
    chromium: Browser, server: BaseTestServer, scene: Scene
) -> None:
    assert scene.numbers
    reader = await Reader.open(chromium, server, "zh", 1280)
    page = reader.page
    await reader.sign_in("dispatcher")
    await page.goto("/desk/new")
    await page.focus("#search")
    await page.keyboard.press("Enter")  # asks, and opens nothing
    await page.keyboard.insert_text("1号梯")  # all at once, so that one list comes and no later one
    await expect(page.locator(".found .candidate")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    for key, times in (("ArrowDown", 3), ("ArrowDown", 1), ("ArrowUp", 1)):
        await page.keyboard.press("Tab")
        for _ in range(times):
            await page.keyboard.press(key)
    await page.keyboard.press("Tab")
    await page.keyboard.type("运行有异响")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk/orders/W*")
    await expect(page.locator("#order")).to_contain_text("运行有异响")
    await expect(page.locator("#order")).to_contain_text("电梯维修")
    await expect(page.locator("#order .marks")).to_contain_text("重要")
    await reader.close()
    assert reader.troubles == []


async def test_the_chart_tells_a_value_under_the_pointer(
    chromium: Browser, server: BaseTestServer, scene: Scene
) -> None:
    assert scene.numbers
    reader = await Reader.open(chromium, server, "zh", 1280)
    page = reader.page
    await reader.sign_in("dispatcher")
    await page.goto("/devices/home/bin-7")
    await drawn(page)
    box = await page.locator(".chart .u-over").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] * 23 / 24, box["y"] + 40)
    await expect(page.locator(".chart-reading")).to_contain_text("91.5 %")
    await page.set_viewport_size({"width": 500, "height": 800})
    await page.wait_for_function("() => document.querySelector('.chart canvas').clientWidth < 480")
    await page.get_by_role("link", name="一周").click()
    await drawn(page)
    await reader.close()
    assert reader.troubles == []
