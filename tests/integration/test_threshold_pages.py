"""The page of thresholds over real HTTP: what holds and why, changing it, setting it back, and who may."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests import town as towns
from tests.integration.gateway_world import until
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from web.times import exact

ELEVATOR = "/thresholds?class=elevator&place=home"
HERE = {"class": "elevator", "place": "home", "asset": ""}
HIGH = "door_vibration_high_db"


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    await towns.build(conn)
    async with serve(pool, clock) as running:
        yield running


@pytest.fixture
async def manager(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as browser:
        await browser.sign_in("manager")
        await browser.post("/language", {"language": "en", "next": "/account"})
        await browser.get("/account")
        yield browser


async def rows(conn: AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(query.encode())
    return await cursor.fetchall()


async def test_each_level_goes_before_the_one_around_it(manager: Browser, conn: AsyncConnection) -> None:
    [(asset,)] = await rows(
        conn, "SELECT a.code FROM asset a JOIN community c ON c.id = a.community_id"
        " WHERE a.class = 'elevator' AND c.code = 'home' ORDER BY a.id LIMIT 1"
    )  # fmt: skip
    places = [HERE, {**HERE, "place": "home/all"}, {**HERE, "asset": asset}]
    for place, value in zip(places, ("26", "28.5", "30"), strict=True):
        assert (
            await manager.post("/thresholds", {**place, f"t-{HIGH}": value, f"was-{HIGH}": ""})
        ).status == 303
    _, text = await manager.get(f"/thresholds?class=elevator&place=home&asset={asset}")
    assert 'value="30"' in text
    assert "<strong>28.5</strong> · set for its area" in text
    _, text = await manager.get("/thresholds?class=elevator&place=home/all")
    assert "<strong>26</strong> · set for its community" in text
    _, text = await manager.get(ELEVATOR)
    assert "<strong>24</strong> · the rule&#39;s default" in text
    assert f"asset={asset}" in text  # listed among what has values of its own
    lines = await rows(
        conn, "SELECT place, was, becomes, who, account_id IS NOT NULL FROM threshold_change ORDER BY id"
    )
    [(name,)] = await rows(conn, "SELECT name FROM account WHERE login = 'manager'")
    assert lines == [
        ("home", None, 26, name, True),
        ("all", None, 28.5, name, True),
        (asset, None, 30, name, True),
    ]

    # An empty field lets the outer value hold again.
    assert (
        await manager.post("/thresholds", {**places[2], f"t-{HIGH}": "", f"was-{HIGH}": "30"})
    ).status == 303
    assert await rows(conn, "SELECT attributes FROM asset WHERE code = 'L1'") == [({},)]


async def test_all_that_cannot_be_is_said_at_once_and_nothing_is_set(
    manager: Browser, conn: AsyncConnection
) -> None:
    await manager.get(ELEVATOR)
    wrong = {**HERE, f"t-{HIGH}": "9999", "t-rated_speed_m_s": "fast"}
    answer = await manager.post("/thresholds", wrong)
    text = await answer.text()
    assert answer.status == 422
    assert "a number from 10 to 150" in text
    assert "a number from 0.25 to 20" in text
    assert 'value="9999"' in text  # what was typed is still there
    for value in ("nan", "inf", "1e400", "\0", "１２３"):
        await manager.post("/thresholds", {**HERE, f"t-{HIGH}": value, f"was-{HIGH}": "x"})
        [(kept,)] = await rows(conn, "SELECT thresholds FROM community WHERE code = 'home'")
        assert kept.get("elevator", {}).get(HIGH) in (None, 123.0)


async def test_what_was_not_touched_is_left_to_others(manager: Browser, conn: AsyncConnection) -> None:
    await manager.get(ELEVATOR)
    await conn.execute(
        "UPDATE community SET thresholds = '{\"elevator\": {\"rated_speed_m_s\": 1.75}}' WHERE code = 'home'"
    )
    form = {**HERE, f"t-{HIGH}": "25", f"was-{HIGH}": "", "t-rated_speed_m_s": "", "was-rated_speed_m_s": ""}
    await manager.post("/thresholds", form)
    assert await rows(conn, "SELECT thresholds FROM community WHERE code = 'home'") == [
        ({"elevator": {"rated_speed_m_s": 1.75, HIGH: 25}},)
    ]


async def test_what_somebody_else_set_meanwhile_is_not_overwritten_unseen(
    manager: Browser, conn: AsyncConnection
) -> None:
    query = "SELECT becomes FROM threshold_change ORDER BY id"
    assert (await manager.post("/thresholds", {**HERE, f"t-{HIGH}": "25", f"was-{HIGH}": ""})).status == 303
    late = await manager.post("/thresholds", {**HERE, f"t-{HIGH}": "26", f"was-{HIGH}": ""})
    assert late.status == 409
    said = await late.text()
    [(who, at)] = await rows(conn, "SELECT who, at FROM threshold_change")
    when = exact(at, ZoneInfo("Asia/Shanghai"), "en")
    assert f"{who} ({when}) set this meanwhile, it is now: 25" in said
    assert f'name="was-{HIGH}" value="25"' in said, "saving once more is a decision, and goes through"
    assert await rows(conn, query) == [(25,)]
    same = await manager.post("/thresholds", {**HERE, f"t-{HIGH}": "25", f"was-{HIGH}": ""})
    assert same.status == 303, "both meant the same"


async def test_of_two_who_save_in_the_same_moment_the_second_is_told(
    manager: Browser, conn: AsyncConnection, pool: AsyncConnectionPool
) -> None:
    def save(value: str) -> "asyncio.Task[ClientResponse]":
        fields = {**HERE, f"t-{HIGH}": value, f"was-{HIGH}": ""}
        return asyncio.create_task(manager.post("/thresholds", fields))

    async def both_wait() -> bool:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with pool.connection() as looking:
            return await rows(looking, waiting) == [(2,)]

    async with conn.transaction():
        await conn.execute("SELECT FROM community WHERE code = 'home' FOR UPDATE")
        saving = [save("25"), save("26")]
        await until(both_wait, "both to wait for their turn")
    answers = [await each for each in saving]
    assert sorted(each.status for each in answers) == [303, 409]
    [(kept,)] = await rows(conn, "SELECT becomes FROM threshold_change")
    [told] = [await each.text() for each in answers if each.status == 409]
    assert f'name="was-{HIGH}" value="{kept:g}"' in told


async def test_a_change_is_set_back_with_one_button(manager: Browser, conn: AsyncConnection) -> None:
    await manager.get(ELEVATOR)
    await manager.post("/thresholds", {**HERE, f"t-{HIGH}": "25", f"was-{HIGH}": ""})
    _, text = await manager.get(ELEVATOR)
    assert "Take it away" in text
    await manager.post("/thresholds", {**HERE, f"t-{HIGH}": ""})
    assert await rows(conn, "SELECT thresholds -> 'elevator' FROM community WHERE code = 'home'") == [({},)]
    assert await rows(conn, "SELECT count(*) FROM threshold_change") == [(2,)]


@pytest.mark.parametrize(
    "query",
    [
        "place=far",
        "place=far/all",
        "place=home&asset=L9",
        "class=lobby&place=home",
        "place=nowhere",
        "asset=%00x",
    ],
)
async def test_nothing_of_another_community_is_there(manager: Browser, query: str) -> None:
    status, _ = await manager.get(
        f"/thresholds?class=elevator&{query}" if "class" not in query else f"/thresholds?{query}"
    )
    assert status == 404
    fields = dict(part.split("=") for part in query.replace("%00", "\0").split("&"))
    answer = await manager.post("/thresholds", {"class": "elevator", **fields, f"t-{HIGH}": "25"})
    assert answer.status == 404


async def test_a_dispatcher_reads_and_does_not_change(server: BaseTestServer) -> None:
    async with Browser(server) as desk:
        await desk.sign_in("dispatcher")
        status, text = await desk.get(ELEVATOR)
        assert status == 200
        assert 'action="/thresholds"' in text
        assert 'type="submit">保存' not in text
        assert (await desk.post("/thresholds", {**HERE, f"t-{HIGH}": "25"})).status == 403
