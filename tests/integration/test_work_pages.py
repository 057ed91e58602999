"""The technician's pages over real HTTP: the list, a job from offer to record, stale pages."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from aiohttp import FormData
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from storage.pool import open_pool
from tests.integration.gateway_world import PATIENCE
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.scene import MINUTE, Scene, one
from tests.town import picture
from web.app import PHOTOS_AT_ONCE
from web.house import HOUSE

GOOD = {"check.doors": "yes", "check.door_gap_mm": "3,2", "labour_minutes": "45", "result": "fixed"}


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    assert scene.numbers
    async with serve(pool, clock, desk_phone="400 800 1234") as running:
        yield running


def tap(**fields: str) -> dict[str, str]:
    """Return what a form of these pages carries."""
    return {"request_id": uuid4().hex, "device_at": "2026-11-23T06:59:58.000Z", **fields}


async def status_of(conn: AsyncConnection, scene: Scene, name: str) -> str:
    status: str = await one(
        conn, "SELECT status FROM work_order WHERE id = %(id)s", {"id": scene.orders[name]}
    )
    return status


async def test_offers_come_first_and_only_my_jobs_are_there(server: BaseTestServer, scene: Scene) -> None:
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        status, text = await zhao.get("/work")
    assert status == 200
    offered, held = text.index(scene.numbers["trapped"]), text.index(scene.numbers["held"])
    assert offered < held
    assert scene.numbers["working"] not in text
    assert "请在 1:00 内答复" in text
    assert "计时已暂停" in text


async def test_an_address_that_names_no_finished_job_is_the_list(server: BaseTestServer) -> None:
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        for nonsense in ("W1", "%00", "%ED%A0%80"):
            assert (await zhao.get(f"/work?finished={nonsense}"))[0] == 200


async def test_nothing_to_do_says_how_long_the_shift_is(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    await conn.execute("DELETE FROM shift WHERE staff_id = %(id)s", {"id": scene.town.staff["qian"]})
    await conn.execute(
        "INSERT INTO shift VALUES (%(id)s, 1, '09:00', '18:00')", {"id": scene.town.staff["qian"]}
    )
    async with Browser(server) as qian:
        await qian.sign_in("qian")
        _, text = await qian.get("/work")
    assert "现在没有工单" in text
    assert "您当班至 18:00" in text


async def test_one_job_says_where_what_and_how(server: BaseTestServer, scene: Scene) -> None:
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        status, text = await zhao.get(f"/work/{scene.numbers['trapped']}")
    assert status == 200
    for words in ("东单元 · 1号楼1号梯", "电梯困人", "轿厢停在两层之间", "安全第一", "盘车前必须切断主电源"):
        assert words in text
    assert text.index("安全第一") < text.index("处理步骤") < text.index("盘车至平层")
    assert 'href="tel:400 800 1234"' in text
    assert re.findall(r"<span>(关门故障反复出现|门机振动升高|主电源断电|楼层位置丢失)", text) == [
        "关门故障反复出现",
        "门机振动升高",
        "主电源断电",
    ]
    assert ">接单</button>" in text
    assert "<script>" not in text


async def test_from_the_offer_to_the_record(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    number = scene.numbers["trapped"]
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        for move, words, becomes in (
            ("accept", "出发", "accepted"),
            ("set-off", "到场", "en_route"),
            ("arrive", "完成", "in_progress"),
        ):
            clock.advance(MINUTE / 6)
            answer = await zhao.post(f"/work/{number}/{move}", tap())
            assert (answer.status, answer.headers["Location"]) == (303, f"/work/{number}")
            _, text = await zhao.get(f"/work/{number}")
            assert f">{words}</button>" in text
            assert await status_of(conn, scene, "trapped") == becomes
        await zhao.post(f"/work/{number}/hold", tap(reason="waiting_for_parts", remark="曳引轮"))
        _, text = await zhao.get(f"/work/{number}")
        assert "计时已暂停" in text
        await zhao.post(f"/work/{number}/resume", tap())
        await zhao.post(f"/work/{number}/progress", tap(words="乘客已安抚"))

        answer = await zhao.post(f"/work/{number}/review", GOOD)
        review = await answer.text()
        assert "3.2 mm" in review
        assert "记录写入后不能修改" in review
        answer = await zhao.post(f"/work/{number}/complete", tap(**GOOD))
        assert (answer.status, answer.headers["Location"]) == (303, f"/work?finished={number}")
        _, text = await zhao.get(f"/work?finished={number}")
        assert "已完成，记录已保存" in text
        status, text = await zhao.get(f"/work/{number}")
    assert (status, "您已完成这张工单" in text) == (410, True)
    body = await one(
        conn,
        "SELECT body FROM maintenance_record WHERE order_id = %(id)s",
        {"id": scene.orders["trapped"]},
    )
    assert '"labour_minutes":45' in body
    device_at = await one(
        conn,
        "SELECT device_at FROM order_move WHERE order_id = %(id)s AND to_status = 'accepted'",
        {"id": scene.orders["trapped"]},
    )
    assert device_at.isoformat() == "2026-11-23T06:59:58+00:00"


async def test_a_double_tap_is_one_move(server: BaseTestServer, scene: Scene, conn: AsyncConnection) -> None:
    number, fields = scene.numbers["trapped"], tap()
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        answers = [await zhao.post(f"/work/{number}/accept", fields) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    moves = await one(
        conn,
        "SELECT count(*) FROM order_move WHERE order_id = %(id)s AND to_status = 'accepted'",
        {"id": scene.orders["trapped"]},
    )
    assert moves == 1


async def test_a_double_tap_on_finish_is_one_record(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    number, fields = scene.numbers["working"], tap(**GOOD)
    async with Browser(server) as wang:
        await wang.sign_in("wang")
        answers = [await wang.post(f"/work/{number}/complete", fields) for _ in range(2)]
    assert {answer.headers["Location"] for answer in answers} == {f"/work?finished={number}"}
    assert await one(conn, "SELECT count(*) FROM maintenance_record", {}) == 1


async def test_a_stale_page_is_told_what_happened(server: BaseTestServer, scene: Scene) -> None:
    number = scene.numbers["trapped"]
    async with Browser(server) as wang, Browser(server) as zhao:
        await zhao.sign_in("zhao")
        await wang.sign_in("wang")
        await wang.post(f"/work/{number}/accept", tap())
        answer = await zhao.post(f"/work/{number}/accept", tap())
        assert answer.status == 410
        assert "这张工单已由同事接单" in await answer.text()
        _, head = await zhao.get(f"/work/{number}/head?seen=assigned-offered", **{"HX-Request": "true"})
        assert "这张工单已由同事接单" in head
        answer = await wang.post(f"/work/{number}/arrive", tap())
        assert answer.status == 409
        assert "工单现为“已接单”" in await answer.text()
        _, head = await wang.get(f"/work/{number}/head?seen=assigned-offered")
        assert "这张工单已有变化" in head
        _, head = await wang.get(f"/work/{number}/head?seen=accepted-mine")
        assert "到场" in head


async def test_declining_asks_the_next_and_leaves_the_job(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    number = scene.numbers["trapped"]
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        answer = await zhao.post(f"/work/{number}/decline", tap(reason="too_far"))
        assert (answer.status, answer.headers["Location"]) == (303, "/work")
        status, text = await zhao.get(f"/work/{number}")
    assert (status, "您已拒单" in text) == (410, True)
    kept = await one(
        conn,
        "SELECT reason_zh FROM offer WHERE order_id = %(order)s AND staff_id = %(staff)s",
        {"order": scene.orders["trapped"], "staff": scene.town.staff["zhao"]},
    )
    assert kept == "距离太远"


async def test_a_value_out_of_range_needs_a_remark(server: BaseTestServer, scene: Scene) -> None:
    number = scene.numbers["working"]
    async with Browser(server) as wang:
        await wang.sign_in("wang")
        wide = GOOD | {
            "check.door_gap_mm": "9",
            "labour_minutes": "",
            "part_name": "皮带",
            "part_quantity": "x",
        }
        answer = await wang.post(f"/work/{number}/review", wide)
        text = await answer.text()
        assert answer.status == 422
        for words in ("超出 1–6 mm", "工时请填", "备件“皮带”", 'value="9"'):
            assert words in text
        answer = await wang.post(f"/work/{number}/complete", tap(**wide))
        assert answer.status == 422
        mended = GOOD | {"check.door_gap_mm": "9", "remark.door_gap_mm": "已报修", "part_name": "皮带"}
        answer = await wang.post(f"/work/{number}/review", mended)
        text = await answer.text()
        assert answer.status == 200
        assert "不合格" in text
        assert "皮带" in text
        answer = await wang.post(f"/work/{number}/edit", mended)
        assert 'value="已报修"' in await answer.text()


async def test_photos_are_kept_shown_and_refused(
    server: BaseTestServer, scene: Scene, conn: AsyncConnection
) -> None:
    number = scene.numbers["working"]
    async with Browser(server) as wang:
        await wang.sign_in("wang")
        for content, htmx, status, words in (
            (picture("#335577"), True, 200, 'id="photos"'),
            (b"not a picture", True, 422, "照片"),
            (picture("#775533"), False, 303, ""),
            (b"", False, 409, "照片"),
        ):
            form = FormData({"csrf": wang.csrf, **tap()})
            form.add_field("photo", content, filename="p.jpg", content_type="image/jpeg")
            headers = {"HX-Request": "true"} if htmx else {}
            async with wang.client.post(
                f"/work/{number}/photos", data=form, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.text()
            assert (answer.status, words in text) == (status, True)
        _, text = await wang.get(f"/work/{number}")
        found = re.findall(rf'src="(/work/{number}/photos/[0-9a-f]+)"', text)
        assert len(found) == 3
        async with wang.client.get(found[0]) as photo:
            assert (photo.status, photo.content_type) == (200, "image/jpeg")
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        assert (await zhao.get(found[0]))[0] == 404
        sha256 = found[0].rpartition("/")[2]
        assert (await zhao.get(f"/work/{scene.numbers['held']}/photos/{sha256}"))[0] == 404
    assert await one(conn, "SELECT count(*) FROM order_photo", {}) == 3


async def test_photos_being_made_small_hold_no_connection(
    database_url: str, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    number = scene.numbers["working"]
    async with (
        open_pool(database_url, max_size=1) as pool,
        serve(pool, clock) as server,
        Browser(server) as wang,
        AsyncExitStack() as busy,
    ):
        await wang.sign_in("wang")
        darkroom = server.app[HOUSE].darkroom  # type: ignore[attr-defined]
        for _ in range(PHOTOS_AT_ONCE):
            await busy.enter_async_context(darkroom)
        form = FormData({"csrf": wang.csrf, **tap()})
        form.add_field("photo", picture("#335577"), filename="p.jpg", content_type="image/jpeg")
        sent = asyncio.create_task(
            wang.client.session.post(
                server.make_url(f"/work/{number}/photos"), data=form, allow_redirects=False
            )
        )
        async with asyncio.timeout(PATIENCE):
            while "waiters" not in repr(darkroom):  # noqa: ASYNC110 - a semaphore tells nobody
                await asyncio.sleep(0)
            assert (await wang.get(f"/work/{number}"))[0] == 200, "the only connection is free"
        assert not sent.done()
        await busy.aclose()
        async with await sent as answer:
            assert answer.status == 303
    assert await one(conn, "SELECT count(*) FROM order_photo", {}) == 2


async def test_nobody_else_sees_a_job(server: BaseTestServer, scene: Scene) -> None:
    number = scene.numbers["working"]
    async with Browser(server) as qian:
        await qian.sign_in("qian")
        assert (await qian.get(f"/work/{number}"))[0] == 404
        assert (await qian.get("/work/W1-000000"))[0] == 404
        assert (await qian.post(f"/work/{number}/accept", tap())).status == 404
        assert (await qian.post(f"/work/{number}/complete", tap(**GOOD))).status == 404
        assert (await qian.post(f"/work/{number}/accept", {"request_id": "x"})).status == 400
    for login in ("dispatcher", "ann", "finance"):
        async with Browser(server) as other:
            await other.sign_in(login)
            assert (await other.get("/work"))[0] == 403
    async with Browser(server) as visitor:
        assert (await visitor.get("/work"))[0] == 303


async def test_english_says_the_same(server: BaseTestServer, scene: Scene) -> None:
    async with Browser(server) as zhao:
        await zhao.sign_in("zhao")
        await zhao.post("/language", {"language": "en", "next": "/"})
        _, text = await zhao.get(f"/work/{scene.numbers['trapped']}")
    for words in ("1:00 left to answer", "Safety first", "What to do", "Call the desk", "Accept</button>"):
        assert words in text
