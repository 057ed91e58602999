"""The alarms' pages in a real browser: how they look, and that they live."""

from datetime import timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection

from config.text import Language, Text
from dispatch import acknowledging, quieting
from dispatch.people import Who
from dispatch.quieting import NewMute
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.manual_clock import ManualClock
from tests.scene import Scene, add_alarm, stage

HOUR = timedelta(hours=1)


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    built, now, who = await stage(conn, clock.now()), clock.now(), Who("陈调度")
    home = built.town.communities["home"]
    await conn.execute(
        "DELETE FROM alarm_order WHERE alarm_id = %(id)s", {"id": built.alarms["bin_overflow"]}
    )
    await acknowledging.acknowledge(
        conn, built.alarms["elevator_entrapment"], who, now, HOUR, "已通知维保，正在路上"
    )
    new = NewMute(home, "南门花园施工，桶已移走", now + 4 * HOUR, "bin_overflow", built.town.assets["N7"])
    await quieting.mute(conn, new, who, now, {"bin_overflow"})
    await quieting.declare(conn, home, "storm", "台风红色预警，全部人员在防汛", who, now)
    return built


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser, server: BaseTestServer, scene: Scene, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("manager")
    await reader.look("/alarms", "alarms")
    await reader.look("/alarms?state=late&severity=info", "alarms-none")
    await reader.look(f"/alarms/{scene.alarms['elevator_entrapment']}", "alarm-acknowledged")
    await reader.look(f"/alarms/{scene.alarms['bin_overflow']}", "alarm-muted")
    for summary in await reader.page.query_selector_all("details.act > summary"):
        await summary.click()
    await reader.check("alarm-forms")
    await reader.look("/alarms/history", "alarms-history")
    await reader.look("/alarms/mutes", "alarms-mutes")
    await reader.look("/alarms/emergencies", "alarms-emergencies")
    await reader.close()
    assert reader.troubles == []


@pytest.mark.parametrize(("language", "width", "said"), [("zh", 360, "请删除"), ("en", 1280, "take it out")])
async def test_words_that_cannot_be_kept_are_marked_where_they_stand(
    chromium: Browser, server: BaseTestServer, scene: Scene, language: Language, width: int, said: str
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("manager")
    for path, opened, field, name in (
        (f"/alarms/{scene.alarms['bin_overflow']}", "details.act:not(#mute)", "ack-words", "ack"),
        (f"/alarms/{scene.alarms['bin_overflow']}", "#mute", "mute-why", "mute"),
        ("/alarms/mutes", "details.act", "why", "mutes"),
        ("/alarms/emergencies", "section.emergency", "end-1", "emergency"),
    ):
        await reader.page.goto(path)
        form = reader.page.locator(opened)
        if await form.locator("> summary").count() and await form.get_attribute("open") is None:
            await form.locator("> summary").click()
        await reader.page.fill(f"#{field}", "楼道\x07施工")
        await reader.follow(form.locator("form button[type=submit]").last)
        marked = reader.page.locator(f"#{field}")
        await expect(marked).to_be_visible()
        assert await marked.get_attribute("aria-describedby") == f"fault-{field}"
        fault = reader.page.locator(f"#fault-{field}")
        await expect(fault).to_contain_text("U+0007")
        await expect(fault).to_contain_text(said)
        assert await reader.page.locator(".field-error").count() == 1
        await reader.check(f"alarms-mistaken-{name}")
    await reader.close()
    assert [trouble for trouble in reader.troubles if "422" not in trouble] == []


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_job_and_an_order_show_all_their_alarms(
    chromium: Browser,
    server: BaseTestServer,
    scene: Scene,
    conn: AsyncConnection,
    clock: ManualClock,
    width: int,
) -> None:
    titles = {
        "door_faults": ("关门故障反复", "Door fails again and again"),
        "power": ("断电", "Mains power lost"),
    }
    for name, (zh, en) in titles.items():
        alarm = await add_alarm(
            conn,
            scene,
            f"joined_{name}",
            device="lift-1",
            at=clock.now() - timedelta(minutes=9),
            severity="major",
            title=Text(zh=zh, en=en),
            meaning=Text(zh=zh, en=en),
            cleared_at=clock.now() if name == "power" else None,
        )
        await conn.execute(
            "INSERT INTO alarm_order (order_id, alarm_id, at, live) VALUES (%s, %s, %s, true)",
            (scene.orders["working"], alarm, clock.now()),
        )
    for login, path, name in (
        ("wang", f"/work/{scene.numbers['working']}", "job-of-several-alarms"),
        ("dispatcher", f"/desk/orders/{scene.numbers['working']}", "order-of-several-alarms"),
    ):
        reader = await Reader.open(chromium, server, "zh", width)
        await reader.sign_in(login)
        await reader.look(path, name)
        await expect(reader.page.get_by_role("heading", name="本工单含")).to_have_count(1)
        await reader.close()
        assert reader.troubles == []


async def test_the_list_lives_and_an_acknowledgement_is_undone(
    chromium: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    reader = await Reader.open(chromium, server, "en", 1280)
    page = reader.page
    await reader.sign_in("dispatcher")
    alarm = scene.alarms["elevator_entrapment"]
    async with page.expect_response(lambda answer: "/alarms/live" in answer.url):
        await page.goto("/alarms")
    row = page.locator(".alarm-row", has=page.locator(f"a[href='/alarms/{alarm}']"))
    await expect(row.locator(".why-quiet")).to_contain_text("陈调度 is on it until")
    await acknowledging.withdraw(conn, alarm, Who("李经理"), clock.now())
    await expect(row.locator(".why-quiet")).to_have_count(0)

    await row.get_by_role("button", name="Acknowledge for 30 min").click()
    await expect(row.locator(".why-quiet")).to_contain_text("is on it until")
    await row.get_by_role("button", name="Take the acknowledgement back").click()
    await expect(row.locator(".why-quiet")).to_have_count(0)
    await row.get_by_role("link", name="Mute").click()
    await expect(page.get_by_label("Why?")).to_be_visible()

    await page.goto(f"/alarms/{alarm}")
    await page.click("details.act >> nth=0")
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    await expect(page.locator(".why-quiet")).to_contain_text("is on it until")
    await page.get_by_role("button", name="Take the acknowledgement back").click()
    await expect(page.locator(".why-quiet")).to_have_count(0)
    assert reader.troubles == []
    await reader.close()
