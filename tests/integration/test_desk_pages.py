"""The desk and device pages over real HTTP: queue, story, the office's moves, opening by hand, the chart."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection

from config.text import Text
from dispatch import records
from dispatch.checklist import CheckAnswer
from tests.integration.web_client import Browser, tap
from tests.manual_clock import ManualClock
from tests.scene import HOUR, MINUTE, Scene, add_order, fill_history, one, order_for, stage

HEARD_HOURS = [*range(1, 9), *range(12, 24)]
NEW = {"kind": "elevator_repair", "skill": "elevator", "severity": "major", "title_zh": "门有异响"}


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    built = await stage(conn, clock.now())
    await fill_history(conn, built, clock.now(), HEARD_HOURS)
    return built


@pytest.fixture
async def desk(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as browser:
        await browser.sign_in("dispatcher")
        yield browser


async def status_of(conn: AsyncConnection, number: str) -> str:
    status: str = await one(conn, "SELECT status FROM work_order WHERE number = %(n)s", {"n": number})
    return status


async def far_order(conn: AsyncConnection, scene: Scene, clock: ManualClock) -> str:
    """Open an order in the community the dispatcher has nothing to do with."""
    title = Text(zh="远处的门有异响", en="Noise at a door far away")
    new = order_for(scene, "L9", kind="elevator_repair", skill="elevator", title=title)
    await add_order(conn, scene, "far", replace(new, community_id=scene.town.communities["far"]), clock.now())
    return scene.numbers["far"]


async def test_the_queue_goes_by_need_and_deadline(desk: Browser, scene: Scene) -> None:
    status, text = await desk.get("/desk")
    assert status == 200
    order = [
        text.index(words)
        for words in (
            "需要您处理",
            scene.numbers["nobody"],
            "进行中 ",
            scene.numbers["trapped"],
            scene.numbers["working"],
            "告警，无工单",
            "垃圾桶满溢",
        )
    ]
    assert order == sorted(order)
    for words in ("无人具备“绿化”技能", "接单已超时", "已询问 赵海、王建国", "计时已暂停", "谁有空"):
        assert words in text


async def test_an_order_tells_its_story_and_why(desk: Browser, scene: Scene) -> None:
    status, text = await desk.get(f"/desk/orders/{scene.numbers['trapped']}")
    assert status == 200
    story = [text.index(words) for words in ("传感器上报", "告警：电梯困人", "开单 W", "派单给 赵海")]
    assert story == sorted(story)
    assert re.search(r"<strong>赵海</strong> — 2 人符合条件", text)
    assert "已询问，待答复" in text
    assert "/devices/home/lift-1" in text
    status, part = await desk.get(f"/desk/orders/{scene.numbers['trapped']}/live", **{"HX-Request": "true"})
    assert (status, "<html" in part) == (200, False)


async def test_reassigning_asks_first_and_then_offers(
    desk: Browser, scene: Scene, conn: AsyncConnection
) -> None:
    number = scene.numbers["working"]
    status, text = await desk.get(f"/desk/orders/{number}/reassign")
    assert (status, "赵海" in text, "钱勇" in text) == (200, True, True)
    answer = await desk.post(f"/desk/orders/{number}/reassign", tap(why="更近"))
    assert (answer.status, "请选择改派给谁" in await answer.text()) == (422, True)
    zhao = str(scene.town.staff["zhao"])
    answer = await desk.post(f"/desk/orders/{number}/reassign", tap(staff=zhao, why="更近"))
    assert (answer.status, answer.headers["Location"]) == (303, f"/desk/orders/{number}")
    assert await status_of(conn, number) == "assigned"
    answer = await desk.post(f"/desk/orders/{number}/reassign", tap(staff="best"))
    assert answer.status == 303
    assert await status_of(conn, number) == "open"
    unskilled = await one(conn, "INSERT INTO staff (code, name) VALUES ('x', '新人') RETURNING id", {})
    answer = await desk.post(f"/desk/orders/{number}/reassign", tap(staff=str(unskilled)))
    assert answer.status == 422


async def test_cancelling_needs_a_reason_and_a_stale_page_is_told(
    desk: Browser, scene: Scene, conn: AsyncConnection
) -> None:
    number = scene.numbers["nobody"]
    answer = await desk.post(f"/desk/orders/{number}/cancel", tap())
    assert (answer.status, "请填写：取消原因" in await answer.text()) == (422, True)
    answer = await desk.post(f"/desk/orders/{number}/cancel", tap(why="已由园林公司处理"))
    assert answer.status == 303
    assert await status_of(conn, number) == "cancelled"
    answer = await desk.post(f"/desk/orders/{number}/cancel", tap(why="再次"))
    assert answer.status == 409
    assert "已取消" in await answer.text()
    _, text = await desk.get(f"/desk/orders/{number}/reassign")
    assert "工单状态已变" in text
    _, text = await desk.get(f"/desk/orders/{number}")
    assert "已由园林公司处理" in text


async def test_completed_work_is_verified_closed_and_reopened(
    desk: Browser, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    number, order_id = scene.numbers["working"], scene.orders["working"]
    answers = (CheckAnswer(code="doors", value=True), CheckAnswer(code="door_gap_mm", value=3.0))
    async with conn.transaction():
        done = records.Completion(answers=answers, labour_minutes=30)
        await records.complete(conn, order_id, scene.town.by("wang"), done, clock.now())
    _, text = await desk.get("/desk")
    assert text.index("已完成，待核验") < text.index(number)
    _, text = await desk.get(f"/desk/orders/{number}")
    assert "/records/" in text
    photo = re.search(rf"/desk/orders/{number}/photos/[0-9a-f]{{64}}", text)
    assert photo
    assert (await desk.client.get(photo[0])).status == 200
    for act, why, status in (
        ("verify", "", "verified"),
        ("close", "", "closed"),
        ("reopen", "门还是响", "reopened"),
    ):
        assert (await desk.get(f"/desk/orders/{number}/{act}"))[0] == 200
        assert (await desk.post(f"/desk/orders/{number}/{act}", tap(why=why))).status == 303
        assert await status_of(conn, number) == status
    answer = await desk.post(f"/desk/orders/{number}/note", tap(why="业主来电催促"))
    assert answer.status == 303
    _, text = await desk.get(f"/desk/orders/{number}")
    assert "业主来电催促" in text


async def test_opening_an_order_by_hand(
    desk: Browser, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    _, text = await desk.get("/desk/assets?q=1号 梯", **{"HX-Request": "true"})
    assert "1号楼1号梯" in text
    assert "9号楼1号梯" not in text
    _, text = await desk.get("/desk/assets?q=50%25")
    assert "没有找到“50%”" in text
    answer = await desk.post("/desk/new", tap(title_en="x" * 121, severity="urgent"))
    text = await answer.text()
    assert answer.status == 422
    for words in ("请搜索并选择", "请选择工作类型", "请选择所需技能", "请选择级别", "请不超过 120 个字"):
        assert words in text
    foreign = tap(asset=str(scene.town.assets["L9"]), **NEW)
    assert (await desk.post("/desk/new", foreign)).status == 422
    fields = tap(asset=str(scene.town.assets["L1"]), todo_zh="检查\n清洁", **NEW)
    answers = [await desk.post("/desk/new", fields) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    _, text = await desk.get(answers[0].headers["Location"])
    assert "门有异响" in text
    row = await (
        await conn.execute("SELECT title_en, todo_en, opened_at FROM work_order ORDER BY id DESC LIMIT 1")
    ).fetchone()
    assert row == ("门有异响", "检查\n清洁", clock.now())


async def test_an_alarm_without_an_order_gets_one(desk: Browser, scene: Scene, conn: AsyncConnection) -> None:
    alarm_id = scene.alarms["bin_overflow"]
    status, text = await desk.get(f"/desk/alarms/{alarm_id}")
    assert (status, "96 %" in text) == (200, True)
    link = re.search(r'href="(/desk/new\?asset=[^"]+)"', text)
    assert link
    status, text = await desk.get(link[1].replace("&amp;", "&"))
    assert (status, 'value="垃圾桶满溢"' in text, " checked" in text) == (200, True, True)
    fields = {"asset": str(scene.town.assets["N7"]), "alarm": str(alarm_id), **NEW, "skill": "cleaning"}
    answer = await desk.post("/desk/new", tap(**fields))
    assert answer.status == 303
    assert await one(conn, "SELECT alarm_id FROM work_order ORDER BY id DESC LIMIT 1", {}) == alarm_id
    answer = await desk.post("/desk/new", tap(**fields))
    assert (answer.status, "已有另一张未结束的工单" in await answer.text()) == (409, True)
    answer = await desk.post("/desk/new", tap(**fields | {"asset": str(scene.town.assets["L1"])}))
    assert (answer.status, "告警属于另一个设备" in await answer.text()) == (422, True)


async def test_a_desk_sees_only_its_communities(
    desk: Browser, server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    number = await far_order(conn, scene, clock)
    _, text = await desk.get("/desk")
    assert number not in text
    assert "钱勇" not in text
    for path in (f"/desk/orders/{number}", f"/desk/orders/{number}/cancel", f"/desk/orders/{number}/live"):
        assert (await desk.get(path))[0] == 404
    assert (await desk.post(f"/desk/orders/{number}/cancel", tap(why="x"))).status == 404
    assert (await desk.get("/devices/far/lift-9"))[0] == 404
    assert (await desk.get("/devices/far/lift-9/series.json?signal=floor"))[0] == 404
    _, text = await desk.get("/devices")
    assert "lift-9" not in text
    async with Browser(server) as admin:
        await admin.sign_in("administrator")
        _, text = await admin.get("/desk")
        assert number in text
        _, text = await admin.get("/desk?community=home")
        assert number not in text
        assert (await admin.get("/devices/far/lift-9"))[0] == 200
    for login in ("wang", "ann", "finance"):
        async with Browser(server) as other:
            await other.sign_in(login)
            for path in ("/desk", f"/desk/orders/{number}", "/devices", "/desk/new", "/desk/assets?q=1"):
                assert (await other.get(path))[0] == 403


async def test_a_device_shows_values_alarms_and_what_was_refused(
    desk: Browser, conn: AsyncConnection, clock: ManualClock
) -> None:
    await conn.execute(
        """
        INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)
        VALUES (%(at)s, 'clerestory/home/bin-7/up', '', '1', 'out_of_range', 'fill_percent = 130: 0 to 100'),
               (%(at)s, 'clerestory/home/bin-70/up', '', '2', 'not_json', 'another device')
        """,
        {"at": clock.now() - HOUR},
    )
    status, text = await desk.get("/devices/home/bin-7")
    assert status == 200
    for words in (
        "91.5 <small>%</small>",
        "否",
        "在线",
        "仍在告警",
        "数值超出物理范围",
        "fill_percent = 130",
    ):
        assert words in text
    assert "another device" not in text
    assert "最低 4 %，最高 91.5 %" in text
    status, text = await desk.get("/devices?q=bin 花园")
    assert (status, "bin-7" in text, "lift-1" in text) == (200, True, False)
    _, text = await desk.get("/devices?q=nothing")
    assert "没有符合的设备" in text
    status, text = await desk.get("/devices/home/lift-1")
    assert (status, "还没有收到数据" in text) == (200, True)


async def test_the_chart_has_gaps_thresholds_and_alarms(
    desk: Browser, clock: ManualClock, conn: AsyncConnection, scene: Scene
) -> None:
    await conn.execute(
        "UPDATE asset SET attributes = '{\"full_percent\": 85}' WHERE id = %(id)s",
        {"id": scene.town.assets["N7"]},
    )
    path = "/devices/home/bin-7/series.json?span=day&signal="
    async with desk.client.get(path + "fill_percent") as answer:
        series = await answer.json()
    now = clock.now().timestamp()
    assert (series["to"], series["from"], series["unit"]) == (now, now - 86400, "%")
    known = {round((now - t) / 3600): value for t, value in zip(series["t"], series["mean"], strict=True)}
    assert [known[hour] for hour in (1, 8)] == [91.5, 60.0]
    assert [known[hour] for hour in (9, 10, 11)] == [None, None, None]
    assert [(line["value"], line["label"]) for line in series["lines"]] == [
        (75, "垃圾桶将满"),
        (85, "垃圾桶满溢"),
    ]
    assert [(alarm["t"], alarm["severity"]) for alarm in series["alarms"]] == [
        ((clock.now() - 20 * MINUTE).timestamp(), "major")
    ]
    async with desk.client.get(path + "tilted") as answer:
        assert (await answer.json())["values"] == ["否", "是"]
    assert (await desk.get(path + "floor"))[0] == 404
