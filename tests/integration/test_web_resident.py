"""What a resident reads: the work behind a bill, other people masked, and the proof of the chain."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from tests import town as towns
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock

SUMMARY = Text(
    zh="王建国为B1-102和B1-101检修，电话13812345678。", en="王建国 mended it for B1-102, call 13812345678."
)


@dataclass(frozen=True)
class Home:
    server: BaseTestServer
    bill: str
    records: list[int]


@pytest.fixture
async def home(pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock) -> AsyncIterator[Home]:
    town = await towns.build(conn)
    records = [
        await towns.do_work(
            conn, town, "L1", datetime(2026, 10, 9, 2, tzinfo=UTC), summary=SUMMARY, photo=towns.picture()
        )
    ]
    for day in range(1, 8):
        at = datetime(2026, 10, day, 1, tzinfo=UTC)
        records.append(await towns.do_work(conn, town, "G1", at, kind="cleaning", checklist=()))
    bills = await towns.bill(pool, clock.now())
    async with serve(pool, clock) as server:
        yield Home(server, bills["B1-101"], records)


async def test_a_bill_says_what_was_promised_and_what_was_done(home: Home) -> None:
    async with Browser(home.server) as browser:
        await browser.sign_in("ann")
        status, text = await browser.get(f"/bills/{home.bill}")
    assert status == 200
    for said in (
        "¥162.52",
        "98.5 m²",
        "1/2 次",
        "缺 1 次",
        "6/6 次",
        "维保合同",
        "45%",
        "¥19.95",
    ):
        assert said in text, said
    assert "本月新增" not in text, "the first bill of all has nothing beside it"
    assert f"/records/{home.records[0]}" in text


async def test_a_line_lists_every_record_behind_it(home: Home) -> None:
    async with Browser(home.server) as browser:
        await browser.sign_in("ann")
        text = (await browser.get(f"/bills/{home.bill}"))[1]
        assert "全部 7 条维保记录" in text
        status, text = await browser.get(f"/bills/{home.bill}/lines/2")
        assert status == 200
        assert all(f"/records/{record}" in text for record in home.records[1:])
        assert (await browser.get(f"/bills/{home.bill}/lines/9"))[0] == 404


async def test_a_resident_reads_a_report_without_other_peoples_data(home: Home) -> None:
    async with Browser(home.server) as browser:
        await browser.sign_in("ann")
        text = (await browser.get(f"/records/{home.records[0]}"))[1]
        assert "王师傅" in text
        assert "B1-101" in text, "the reader's own door stays"
        for masked in ("王建国", "B1-102", "13812345678"):
            assert masked not in text
        assert "已验证" in text
    async with Browser(home.server) as desk:
        await desk.sign_in("manager")
        assert "王建国" in (await desk.get(f"/records/{home.records[0]}"))[1]


async def test_a_changed_record_is_said_to_be_changed(home: Home, conn: AsyncConnection) -> None:
    await conn.execute("ALTER TABLE maintenance_record DISABLE TRIGGER maintenance_record_immutable")
    await conn.execute(
        "UPDATE maintenance_record SET body = replace(body, '3.5', '1.5') WHERE id = %(id)s",
        {"id": home.records[0]},
    )
    async with Browser(home.server) as browser:
        await browser.sign_in("ann")
        status, text = await browser.get(f"/records/{home.records[0]}")
    assert status == 200
    assert 'class="seal critical"' in text
    assert "已验证" not in text


async def test_a_photo_is_sent_privately_and_cannot_run_anything(home: Home) -> None:
    async with Browser(home.server) as browser:
        await browser.sign_in("bob")
        text = (await browser.get(f"/records/{home.records[0]}"))[1]
        path = text.split('<img src="/photos/')[1].split('"')[0]
        async with browser.client.get(f"/photos/{path}") as response:
            assert response.status == 200
            assert response.headers["Cache-Control"].startswith("private")
            assert response.headers["Vary"] == "Cookie"
            assert "sandbox" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.content_type == "image/jpeg"


async def test_a_resident_without_bills_is_told_when_the_first_comes(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> None:
    await towns.build(conn)
    async with (
        serve(pool, clock) as server,
        Browser(server) as browser,
    ):
        await browser.sign_in("ann")
        assert "暂无账单" in (await browser.get("/bills"))[1]


async def test_finance_sees_the_ledger_of_its_communities_only(home: Home) -> None:
    async with Browser(home.server) as browser:
        await browser.sign_in("finance")
        text = (await browser.get("/finance"))[1]
        assert "明月苑" in text
        assert "账目借贷平衡" in text
        assert home.bill in text
        assert "远山居" not in text
    async with Browser(home.server) as far:
        await far.sign_in("far-finance")
        text = (await far.get("/finance"))[1]
        assert "远山居" in text
        assert home.bill not in text
