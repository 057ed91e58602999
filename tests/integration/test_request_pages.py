"""Requests over real HTTP: a resident asks; the desk takes, answers, opens work; all see their own."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests import town as towns
from tests.integration.web_client import Browser, serve, tap
from tests.manual_clock import ManualClock
from tests.scene import one
from tests.town import Town
from web import live_store


@dataclass(frozen=True)
class House:
    """A town with its pages, a resident and a dispatcher at them."""

    server: BaseTestServer
    town: Town
    ann: Browser
    desk: Browser

    async def ask(self, text: str = "楼道灯不亮", **more: str) -> str:
        """Have ann ask; the number of her request."""
        unit = str(self.town.units["B1-101"])
        answer = await self.ann.post("/requests/new", tap(kind="repair", unit=unit, body=text, **more))
        assert answer.status == 303
        return answer.headers["Location"].removeprefix("/requests/")


@pytest.fixture
async def house(pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock) -> AsyncIterator[House]:
    town = await towns.build(conn)
    async with (
        serve(pool, clock) as server,
        Browser(server) as ann,
        Browser(server) as desk,
    ):
        await ann.sign_in("ann")
        await desk.sign_in("dispatcher")
        yield House(server, town, ann, desk)


async def test_a_request_from_asking_to_its_rating(house: House, clock: ManualClock) -> None:
    number = await house.ask("楼道灯不亮 <b>")
    mine, desks = f"/requests/{number}", f"/desk/requests/{number}"
    _, text = await house.ann.get(mine)
    assert "楼道灯不亮 &lt;b&gt;" in text
    assert "待首次答复" in text
    _, text = await house.desk.get("/desk/requests")
    assert (number in text, "还剩 2 小时首次答复" in text, "还没有人接手" in text) == (True, True, True)
    answer = await house.desk.post(f"{desks}/answer", tap(text="您好"))
    assert (answer.status, "只有首问责任人可以答复" in await answer.text()) == (409, True)
    assert (await house.desk.post(f"{desks}/take", {})).status == 303
    clock.advance(timedelta(minutes=20))
    assert (await house.desk.post(f"{desks}/answer", tap(text="下午来修"))).status == 303
    assert (await house.ann.post(f"{mine}/words", tap(text="谢谢，我在家"))).status == 303
    _, text = await house.desk.get(desks)
    assert text.index("楼道灯不亮") < text.index("下午来修") < text.index("谢谢，我在家")
    answer = await house.ann.post(f"{mine}/satisfaction", tap(satisfaction="5"))
    assert (answer.status, "在办结之后" in await answer.text()) == (409, True)
    assert (await house.desk.post(f"{desks}/close", tap(text="已修好"))).status == 303
    answer = await house.ann.post(f"{mine}/words", tap(text="还有一盏"))
    text = await answer.text()
    assert (answer.status, "请新提一个" in text, "还有一盏" in text) == (409, True, True)
    answer = await house.ann.post(f"{mine}/satisfaction", tap(satisfaction="9"))
    assert (answer.status, "请选择一项评价" in await answer.text()) == (422, True)
    assert (await house.ann.post(f"{mine}/satisfaction", tap(satisfaction="4"))).status == 303
    _, text = await house.desk.get("/desk/requests")
    assert text.index("最近办结") < text.index(number) < text.index("满意")


async def test_one_tap_asks_once(house: House, conn: AsyncConnection) -> None:
    fields = tap(kind="enquiry", unit=str(house.town.units["B1-101"]), body="停车收费？")
    answers = [await house.ann.post("/requests/new", fields) for _ in range(2)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    location = answers[0].headers["Location"]
    fields = tap(text="补充")
    for _ in range(2):
        await house.ann.post(f"{location}/words", fields)
    assert await one(conn, "SELECT count(*) FROM ticket_entry", {}) == 1


async def test_mistakes_are_told_beside_their_fields(house: House, conn: AsyncConnection) -> None:
    for fields in ({}, {"kind": "rant", "unit": str(house.town.units["B1-102"]), "body": "\0"}):
        answer = await house.ann.post("/requests/new", tap(**fields))
        text = await answer.text()
        assert answer.status == 422
        assert all(words in text for words in ("请选择一项：报修", "请选择房号", "请写 1 到 2000 个字"))
    answer = await house.ann.post("/requests/new", tap(kind="repair", body="长" * 2001))
    assert (answer.status, "长" * 2001 in await answer.text()) == (422, True), "what was typed is kept"
    assert (await house.ann.post("/requests/new", {"body": "x"})).status == 400
    assert await one(conn, "SELECT count(*) FROM ticket", {}) == 0


async def test_a_line_of_a_bill_is_asked_about_in_words(
    house: House, pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> None:
    bills = await towns.bill(pool, clock.now())
    _, text = await house.ann.get(f"/bills/{bills['B1-101']}")
    links = re.findall(r'href="(/requests/new\?[^"]+)"', text)
    assert len(links) == 3
    status, text = await house.ann.get(links[0].replace("&amp;", "&"))
    assert (status, "电梯运行维护费" in text, "2026年10月" in text, "¥44.3" in text) == (
        200,
        True,
        True,
        True,
    )
    about = {"bill": bills["B1-101"], "line": "1"}
    number = await house.ask("这个月只来了一次", **about)
    assert await one(conn, "SELECT line FROM ticket WHERE number = %(n)s", {"n": number}) == 1
    _, text = await house.desk.get(f"/desk/requests/{number}")
    assert "电梯运行维护费" in text
    for bill, line in ((bills["B1-102"], "1"), (bills["B1-101"], "9"), ("x%00", "1"), (bills["B1-101"], "x")):
        assert (await house.ann.get(f"/requests/new?bill={bill}&line={line}"))[0] == 404
    answer = await house.ann.post(
        "/requests/new", tap(bill=bills["B1-102"], line="1", kind="repair", body="?")
    )
    assert answer.status == 404
    async with Browser(house.server) as manager:
        await manager.sign_in("manager")
        _, text = await manager.get(f"/bills/{bills['B1-101']}")
        assert "/requests/new" not in text


async def test_a_call_is_kept_for_whoever_lives_there_and_owned_by_who_took_it(house: House) -> None:
    answer = await house.desk.post("/desk/requests/new", tap(unit="B9-101", kind="x", channel="page"))
    text = await answer.text()
    assert answer.status == 422
    for words in ("没有这个房号", "请选择一项：报修", "请选择：电话或前台", "请写 1 到 2000 个字"):
        assert words in text
    fields = tap(unit="b1-101", kind="repair", channel="phone", body="厨房漏水")
    answer = await house.desk.post("/desk/requests/new", fields)
    assert answer.status == 303
    location = answer.headers["Location"]
    _, text = await house.desk.get(location)
    assert all(words in text for words in ("安然", "13800000000", "电话", "您的答复", "还剩 2 小时首次答复"))
    _, text = await house.ann.get(location.removeprefix("/desk"))
    assert "首问责任人 dispatcher 跟进到底" in text


async def test_work_is_opened_from_a_request(house: House, conn: AsyncConnection) -> None:
    number = await house.ask("电梯有异响\n晚上更大声")
    desks = f"/desk/requests/{number}"
    work = {"kind": "elevator_repair", "skill": "elevator", "severity": "minor", "title_zh": "电梯有异响"}
    chosen = {"asset": str(house.town.assets["L1"]), "reply": "已派师傅", **work}
    answer = await house.desk.post(f"{desks}/work", tap(**chosen))
    assert (answer.status, "只有首问责任人" in await answer.text()) == (409, True)
    await house.desk.post(f"{desks}/take", {})
    status, text = await house.desk.get(f"{desks}/work")
    assert (status, 'value="电梯有异响"' in text, "晚上更大声" in text, number in text) == (
        200,
        True,
        True,
        True,
    )
    assert f"/desk/assets?within={house.town.communities['home']}" in text
    answer = await house.desk.post(f"{desks}/work", tap())
    text = await answer.text()
    assert answer.status == 422
    assert all(words in text for words in ("请搜索并选择", "请选择工作类型", "请写 1 到 2000 个字"))
    foreign = tap(**chosen | {"asset": str(house.town.assets["L9"])})
    assert (await house.desk.post(f"{desks}/work", foreign)).status == 422
    assert await one(conn, "SELECT count(*) FROM work_order", {}) == 0
    fields = tap(**chosen)
    for _ in range(2):
        assert (await house.desk.post(f"{desks}/work", fields)).status == 303
    order = await one(conn, "SELECT number FROM work_order", {})
    _, text = await house.ann.get(f"/requests/{number}")
    assert ("已派师傅" in text, order in text, "待派" in text) == (True, True, True)
    assert f"/desk/orders/{order}" not in text
    _, text = await house.desk.get(f"/desk/orders/{order}")
    assert f"B1-101 业主诉求 {number}" in text


async def test_others_see_nothing_of_it(house: House, conn: AsyncConnection) -> None:
    number = await house.ask()
    for login, prefix in (("bob", ""), ("eve", ""), ("far-desk", "/desk")):
        async with Browser(house.server) as other:
            await other.sign_in(login)
            assert number not in (await other.get(f"{prefix}/requests"))[1]
            for path in ("", "/talk"):
                assert (await other.get(f"{prefix}/requests/{number}{path}"))[0] == 404
            for path in ("words", "satisfaction") if not prefix else ("take", "answer", "close", "work"):
                assert (await other.post(f"{prefix}/requests/{number}/{path}", tap(text="x"))).status == 404
    ticket_id = await one(conn, "SELECT id FROM ticket", {})
    assert await live_store.parties_of_tickets(conn, [ticket_id]) == {("party", house.town.parties["ann"])}


async def test_who_asked_hears_of_the_work_too(house: House, conn: AsyncConnection) -> None:
    number = await house.ask()
    await house.desk.post(f"/desk/requests/{number}/take", {})
    work = {"kind": "elevator_repair", "skill": "elevator", "title_zh": "灯", "reply": "已派师傅"}
    fields = tap(asset=str(house.town.assets["L1"]), **work)
    assert (await house.desk.post(f"/desk/requests/{number}/work", fields)).status == 303
    order_id = await one(conn, "SELECT id FROM work_order", {})
    assert ("party", house.town.parties["ann"]) in await live_store.people_of_orders(conn, [order_id])
