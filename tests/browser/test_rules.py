"""The pages of rules in a real browser: how they look, mistakes as one types, and the way to switching on."""

import asyncio
from datetime import timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.site import Site
from clerestory.trials import try_next
from config.settings import Settings
from config.text import Language
from rules.sources import file_sources
from rules.versions import store
from rules.versions.store import NewVersion
from tests import town as towns
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.gateway_world import one
from tests.integration.test_replay_command import fill
from tests.manual_clock import ManualClock
from tests.rule_trials import changed, done_trial
from tests.scene import Scene, add_bin

BIN = next(source.text for source in file_sources(None) if source.name == "bin")


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    """A bin that is 80 % full every afternoon; rules that were switched on and back again."""
    scene = Scene(await towns.build(conn))
    await add_bin(conn, scene)
    start = clock.now() - timedelta(days=28)
    await fill(
        conn, scene, [(start + timedelta(hours=n), 20.0 + 60 * (n % 24 >= 12)) for n in range(24 * 28)]
    )
    words = changed("bin", "default: 90", "default: 85")
    for base, text, reason in (
        (0, words, "居民反映清运太晚，阈值降到 85%"),
        (1, None, "Back to the file for the holidays"),
        (2, words, "恢复到版本 1"),
    ):
        new = NewVersion("bin", base, text, BIN + "# next\n", None if base < 2 else 1, reason, None, "陈经理")
        await store.insert(conn, new, clock.now() - timedelta(days=9 - 3 * base))
    return scene


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(
    chromium: Browser,
    server: BaseTestServer,
    scene: Scene,
    conn: AsyncConnection,
    clock: ManualClock,
    language: Language,
    width: int,
) -> None:
    account = scene.town.accounts["administrator"]
    trial = await done_trial(conn, account, clock.now(), device="bin-7", file="bin")
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("administrator")
    await reader.look("/rules", "rules")
    await reader.look("/rules/bin", "rules-file")
    await reader.look("/rules/bin/versions/1", "rules-version")
    await reader.look("/rules/bin/edit?rule=bin_overflow", "rules-edit")
    await reader.page.goto(f"/rules/trials/{trial}")
    await expect(reader.page.locator(".chart[data-drawn] canvas")).to_have_count(1)
    await reader.check("rules-trial")
    await reader.close()
    assert reader.troubles == []


async def test_from_typing_to_switching_on(
    chromium: Browser,
    server: BaseTestServer,
    pool: AsyncConnectionPool,
    conn: AsyncConnection,
    clock: ManualClock,
    database_url: str,
) -> None:
    reader = await Reader.open(chromium, server, "en", 1280)
    page = reader.page
    await reader.sign_in("administrator")
    await page.goto("/rules/bin/edit?rule=bin_overflow")
    logic = page.locator("#logic")
    good = await logic.input_value()
    await logic.fill(good.replace("fill_percent >=", "fill_prcent >="))
    await expect(page.locator("#p-logic")).to_contain_text("'fill_prcent' is not a signal of bin")
    await expect(page.locator(".code-lines b")).to_have_count(1)
    await expect(page.locator(".rule-said")).to_contain_text("once the mistakes are mended")
    await reader.check("rules-edit-mistake")
    await logic.fill(good.replace("asset.full_percent", "asset.full_percent - 5.0", 1))
    await page.locator("#title-en").fill("Bin full to the brim")
    await expect(page.locator(".check-word")).to_have_text("No mistakes.")
    said = "The fill level is at least 80 % (“Overflowing from” − 5 %, unless set otherwise), and this lasts"
    await expect(page.locator(".rule-said")).to_contain_text(said)
    await page.get_by_role("button", name="Try it on the last 30 days").click()
    await page.wait_for_url("**/rules/trials/*")
    await reader.check("rules-trial-waiting")
    site = Site(Settings(), clock, pool, database_url, "")
    await try_next(site, asyncio.Event())
    await expect(page.locator(".rule-table").first).to_contain_text("new")
    await expect(page.locator(".chart[data-drawn] canvas")).to_have_count(1)
    await reader.check("rules-trial-found")
    await page.locator("#reason").fill("The bins are late")
    await page.locator("input[name=sure]").check()
    await page.get_by_role("button", name="Switch on").click()
    await page.wait_for_url("**/rules/bin")
    await expect(page.locator("main")).to_contain_text("The bins are late")
    await expect(page.locator("main")).to_contain_text("Bin full to the brim")
    await reader.follow(page.get_by_role("button", name="Go back to this").nth(2))
    await expect(page.locator("main")).to_contain_text("Back to version 1")
    newest = (await store.history(conn, "bin"))[0]
    assert (newest.version, newest.back_to, newest.made_by) == (5, 1, "administrator")
    await reader.close()
    assert reader.troubles == []


async def test_without_scripts_mistakes_come_with_the_answer(
    chromium: Browser, server: BaseTestServer
) -> None:
    reader = await Reader.open(chromium, server, "en", 360, scripts=False)
    page = reader.page
    await reader.sign_in("administrator")
    await page.goto("/rules/bin/edit?rule=bin_overflow")
    await page.locator("#title-zh").fill("")
    await page.get_by_role("button", name="Try it on the last 30 days").click()
    await expect(page.locator("#p-title")).not_to_be_empty()
    await expect(page.locator("#logic")).to_have_value(await page.locator("#logic").input_value())
    await reader.close()


@pytest.mark.parametrize(("language", "width"), [("zh", 360), ("en", 1280)])
async def test_a_stale_tab_asks_before_it_ends_a_trial(
    chromium: Browser, server: BaseTestServer, conn: AsyncConnection, language: Language, width: int
) -> None:
    reader = await Reader.open(chromium, server, language, width)
    await reader.sign_in("administrator")
    begin = {"zh": "用最近 30 天", "en": "Try it on the last 30 days"}[language]
    end = {"zh": "结束那次试运行", "en": "End that trial"}[language]
    stale = reader.page
    await stale.goto("/rules/bin/edit?rule=bin_overflow")
    other = await stale.context.new_page()
    await other.goto("/rules/bin/edit?rule=bin_tilted")
    await other.get_by_role("button", name=begin).click()
    await other.wait_for_url("**/rules/trials/*")
    await stale.locator("#title-en").fill("Bin full to the brim")
    await stale.get_by_role("button", name=begin).click()
    question = stale.locator("section", has=stale.locator("#going-on-title"))
    await expect(question.get_by_role("link")).to_have_attribute(
        "href", other.url[other.url.index("/rules") :]
    )
    await expect(stale.locator("#title-en")).to_have_value("Bin full to the brim")
    await reader.check("rules-edit-going-on")
    live = "SELECT array_agg(id ORDER BY id) FROM rule_trial WHERE status = 'waiting'"
    first = int(other.url.rpartition("/")[2])
    assert await one(conn, live) == [first]
    await question.get_by_role("button", name=end).click()
    await stale.wait_for_url("**/rules/trials/*")
    assert await one(conn, live) == [int(stale.url.rpartition("/")[2])] != [first]
    await reader.close()
    assert [trouble for trouble in reader.troubles if "409" not in trouble] == []
