"""Requests as people see them: languages, widths, large text, and both sides of a conversation alive."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest
from aiohttp.test_utils import BaseTestServer
from playwright.async_api import Browser, expect
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from desk import store, tickets
from desk.tickets import NewTicket
from dispatch.orders import NewOrder
from dispatch.people import By
from storage.notify import listen
from tests import town as towns
from tests.browser.conftest import LANGUAGES, WIDTHS, Reader
from tests.integration.web_client import serve
from tests.manual_clock import ManualClock
from tests.scene import one
from tests.town import Town

MINUTE = timedelta(minutes=1)


@dataclass
class Shown:
    """The requests the pages show, by what they are about."""

    server: BaseTestServer
    town: Town
    bill: str
    numbers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
async def shown(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, database_url: str
) -> AsyncIterator[Shown]:
    town = await towns.build(conn)
    bills = await towns.bill(pool, clock.now() - timedelta(days=21))
    hear = partial(listen, database_url)
    async with serve(pool, clock, listen=hear) as server:
        built = Shown(server, town, bills["B1-101"])
        await _stage(conn, built, clock)
        yield built


async def _stage(conn: AsyncConnection, shown: Shown, clock: ManualClock) -> None:
    """Ann asked four times: late, about a bill, under way with an order, and closed."""
    town, now = shown.town, clock.now()
    ann, desk = By(account_id=town.accounts["ann"]), By(account_id=town.accounts["dispatcher"])
    bill_id = await one(conn, "SELECT id FROM bill WHERE number = %(n)s", {"n": shown.bill})
    about = {"bill_id": bill_id, "line": 1}
    for name, kind, minutes, body, more in (
        ("late", "complaint", 150, "三楼楼道堆放杂物，影响消防通道，已经三天了没有人清理。", {}),
        ("bill", "complaint", 50, "十月份电梯维保只来了一次，为什么按两次收费？", about),
        ("work", "repair", 300, "1号楼电梯运行时有异响，\n晚上更明显。", {}),
        ("done", "enquiry", 2000, "地下车位怎么续租？", {}),
    ):
        ticket = NewTicket(
            community_id=town.communities["home"],
            unit_id=town.units["B1-101"],
            party_id=town.parties["ann"],
            kind=kind,  # type: ignore[arg-type]
            channel="page",
            body=body,
            **more,
        )
        shown.numbers[name] = await tickets.open_ticket(conn, ticket, ann, now - minutes * MINUTE)
    work, done = [
        await store.ticket(conn, shown.numbers[n], party_id=town.parties["ann"]) for n in ("work", "done")
    ]
    assert work is not None
    assert done is not None
    order = NewOrder(
        community_id=town.communities["home"],
        asset_id=town.assets["L1"],
        kind="elevator_repair",
        skill="elevator",
        severity="minor",
        title=Text(zh="电梯异响", en="Noise in the elevator"),
    )
    async with conn.transaction():
        for each in (work, done):
            await tickets.take(conn, each.id, town.accounts["dispatcher"])
        await tickets.open_work(conn, work.id, desk, order, "已派师傅，今天下午检查。", now - 280 * MINUTE)
        await tickets.add_word(conn, work.id, ann, "谢谢，我下午在家。", now - 270 * MINUTE)
        await tickets.close(conn, done.id, desk, "请带身份证到前台办理。", now - 1900 * MINUTE)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_pages_are_clean(chromium: Browser, shown: Shown, language: str, width: int) -> None:
    ann = await Reader.open(chromium, shown.server, language, width)  # type: ignore[arg-type]
    await ann.sign_in("ann")
    await ann.look("/requests", "requests")
    await ann.look("/requests/new", "request-new")
    await ann.look(f"/requests/{shown.numbers['work']}", "request")
    await ann.look(f"/requests/{shown.numbers['done']}", "request-closed")
    await ann.page.goto(f"/bills/{shown.bill}")
    await ann.page.click("details.line >> nth=0")
    await ann.check("bill-disagree")
    await ann.follow("a.disagree >> nth=0")
    await ann.check("request-about-a-bill")
    desk = await Reader.open(chromium, shown.server, language, width)  # type: ignore[arg-type]
    await desk.sign_in("administrator")
    await desk.look("/desk/requests", "desk-requests-all")
    await desk.look(f"/desk/requests/{shown.numbers['late']}", "desk-request-late")
    await desk.look("/desk/requests/new", "desk-request-new")
    assert ann.troubles + desk.troubles == []
    await ann.close()
    await desk.close()


async def test_both_sides_of_a_conversation_live(chromium: Browser, shown: Shown) -> None:
    ann = await Reader.open(chromium, shown.server, "zh", 360)
    desk = await Reader.open(chromium, shown.server, "zh", 1280)
    await ann.sign_in("ann")
    await desk.sign_in("dispatcher")
    await desk.page.goto("/desk/requests")
    await expect(desk.page.locator("body[data-live=on]")).to_have_count(1)
    await ann.page.goto("/bills")
    await ann.page.goto(f"/bills/{shown.bill}")
    await ann.page.click("details.line >> nth=0")
    await ann.follow("a.disagree >> nth=0")
    await ann.page.fill("#body", "保洁费为什么涨了？")
    await ann.page.get_by_role("button", name="提交诉求").click()
    await ann.page.wait_for_url("**/requests/T-*")
    await expect(ann.page.locator("body[data-live=on]")).to_have_count(1)
    await desk.page.get_by_role("link", name="保洁费为什么涨了？").click()
    await desk.page.get_by_role("button", name="我来接手").click()
    await expect(ann.page.locator("#talk")).to_contain_text("首问责任人 dispatcher 跟进到底")
    await ann.page.fill("#text", "还没写完")
    await desk.page.fill("#text", "我们核对后答复您。")
    await desk.page.get_by_role("button", name="发送答复").click()
    await expect(ann.page.locator("#talk")).to_contain_text("我们核对后答复您。")
    await expect(ann.page.locator("#text")).to_have_value("还没写完")
    await desk.check("desk-request-mine")
    await desk.follow(desk.page.get_by_role("link", name="开工单"))
    await desk.check("desk-request-work")
    await desk.page.go_back()
    await desk.page.fill("#text", "已更正账单说明。")
    await desk.page.get_by_role("button", name="发送并办结").click()
    await expect(ann.page.locator("#talk")).to_contain_text("您对这次处理满意吗？")
    await expect(ann.page.locator("#text")).to_have_count(0)
    await ann.page.get_by_label("很满意").check()
    await ann.page.get_by_role("button", name="提交评价").click()
    await expect(ann.page.locator(".rated")).to_contain_text("很满意")
    await expect(desk.page.locator("#talk .facts")).to_contain_text("很满意")
    assert ann.troubles + desk.troubles == []
    await ann.close()
    await desk.close()


async def test_large_text_fits_in_the_dark(chromium: Browser, shown: Shown) -> None:
    reader = await Reader.open(chromium, shown.server, "en", 360, dark=True)
    await reader.page.goto("/sign-in")
    await reader.page.click("button[name=size][value=large]")
    await reader.sign_in("ann")
    await reader.look("/requests", "dark-large-requests")
    await reader.look("/requests/new", "dark-large-request-new")
    await reader.look(f"/requests/{shown.numbers['work']}", "dark-large-request")
    assert reader.troubles == []
    await reader.close()
