"""The alarms' pages over real HTTP: lists and their choices, one alarm, mutes and emergencies, the CSV."""

import csv
from collections.abc import AsyncIterator
from datetime import timedelta
from io import StringIO

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection

from tests.integration.web_client import Browser, tap
from tests.manual_clock import ManualClock
from tests.scene import Scene
from web.alarms import COLUMNS


@pytest.fixture
async def desk(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as browser:
        await browser.sign_in("dispatcher")
        await browser.post("/language", {"language": "en", "next": "/"})
        yield browser


async def one(conn: AsyncConnection, query: str) -> int:
    row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])


async def page(desk: Browser, path: str) -> str:
    status, text = await desk.get(path)
    assert status == 200
    return text


async def test_live_alarms_by_severity_with_what_became_of_them(
    desk: Browser, scene: Scene, conn: AsyncConnection
) -> None:
    text = await page(desk, "/alarms")
    live = await one(conn, "SELECT count(*) FROM alarm WHERE cleared_at IS NULL")
    assert text.count('class="card alarm-row') == live > 0
    assert scene.alarms
    for chosen, nothing in (
        ("severity=critical", False),
        ("state=muted", True),
        ("severity=nonsense", False),
    ):
        shown = await page(desk, f"/alarms?{chosen}")
        assert ("No alarm fits this choice." in shown) is nothing
    part = await page(desk, "/alarms/live?state=told")
    assert "<html" not in part


async def test_acknowledging_and_taking_it_back(desk: Browser, scene: Scene, conn: AsyncConnection) -> None:
    address = f"/alarms/{scene.alarms['bin_overflow']}"
    await page(desk, address)
    answer = await desk.post(f"{address}/acknowledge", tap(seconds="1800", words="已联系保洁"))
    assert (answer.status, answer.headers["Location"]) == (303, address)
    text = await page(desk, address)
    assert "is on it until" in text
    assert "will follow it up within 30 min: 已联系保洁" in text
    assert "acknowledged" in await page(desk, "/alarms?state=acknowledged")
    assert (await desk.post(f"{address}/withdraw", tap())).status == 303
    assert "is on it until" not in await page(desk, address)
    assert (await desk.post(f"{address}/withdraw", tap())).status == 409
    assert await one(conn, "SELECT count(*) FROM alarm_ack WHERE ended_at IS NULL") == 0


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"seconds": "999999"}, 422),
        ({"seconds": "0"}, 422),
        ({"seconds": "-5"}, 400),
        ({"seconds": "٣"}, 400),
        ({}, 400),
        ({"seconds": "900", "words": "x" * 600}, 422),
    ],
)
async def test_an_acknowledgement_that_cannot_be_taken(
    desk: Browser, scene: Scene, conn: AsyncConnection, fields: dict[str, str], status: int
) -> None:
    address = f"/alarms/{scene.alarms['bin_overflow']}"
    await page(desk, address)
    assert (await desk.post(f"{address}/acknowledge", tap(**fields))).status == status
    assert await one(conn, "SELECT count(*) FROM alarm_ack") == 0


async def test_muting_an_alarm_and_lifting_it(desk: Browser, scene: Scene, conn: AsyncConnection) -> None:
    alarm = scene.alarms["bin_overflow"]
    await conn.execute("DELETE FROM alarm_order WHERE alarm_id = %(id)s", {"id": alarm})
    address = f"/alarms/{alarm}"
    await page(desk, address)
    assert (
        await desk.post(f"{address}/mute", tap(scope="rule_asset", seconds="3600", why=" "))
    ).status == 422
    fields = tap(scope="rule_asset", seconds="3600", why="桶在维修")
    assert (await desk.post(f"{address}/mute", fields)).status == 303
    assert (await desk.post(f"{address}/mute", fields)).status == 303  # the same tap again
    assert await one(conn, "SELECT count(*) FROM mute") == 1
    text = await page(desk, address)
    assert "桶在维修" in text
    listed = await page(desk, "/alarms/mutes")
    assert '<a class="menu-item" href="/devices">' in listed, "the office finds its devices from every page"
    assert "1 alarm kept quiet now" in listed
    mute = await one(conn, "SELECT id FROM mute")
    assert (await desk.post(f"/alarms/mutes/{mute}/lift", tap())).status == 303
    assert "lifted by" in await page(desk, "/alarms/mutes")
    assert (await desk.post(f"/alarms/mutes/{mute}/lift", tap())).status == 409


async def test_muting_from_the_list_of_mutes(desk: Browser, scene: Scene, conn: AsyncConnection) -> None:
    await page(desk, "/alarms/mutes")
    good = {"place": "home", "asset": "L1", "rule": "", "seconds": "3600", "why": "保养"}
    for wrong, status, said in (
        ({"asset": "nothing"}, 422, "an asset there"),
        ({"rule": "nothing"}, 422, "the code of a rule"),
        ({"place": "far"}, 404, ""),
        ({"place": "nowhere"}, 404, ""),
        ({"seconds": "9999999"}, 422, "at most 30 days"),
    ):
        answer = await desk.post("/alarms/mutes", tap(**{**good, **wrong}))
        assert answer.status == status
        assert said in await answer.text()
    assert await one(conn, "SELECT count(*) FROM mute") == 0
    assert (await desk.post("/alarms/mutes", tap(**good))).status == 303
    assert await one(conn, "SELECT asset_id FROM mute") == scene.town.assets["L1"]


async def test_declaring_and_ending_an_emergency(desk: Browser, scene: Scene, conn: AsyncConnection) -> None:
    assert scene.numbers
    await page(desk, "/alarms/emergencies")
    fields = {"community": "home", "kind": "storm", "reason": "台风红色预警"}
    for wrong, status in (({"kind": "party"}, 422), ({"reason": " "}, 422), ({"community": "far"}, 404)):
        assert (await desk.post("/alarms/emergencies", tap(**{**fields, **wrong}))).status == status
    blank = await (await desk.post("/alarms/emergencies", tap(**{**fields, "reason": ""}))).text()
    assert "say why" in blank
    assert "reason =" not in blank
    assert (await desk.post("/alarms/emergencies", tap(**fields))).status == 303
    text = await page(desk, "/alarms/emergencies")
    assert "台风红色预警" in text
    again = await desk.post("/alarms/emergencies", tap(**fields))
    assert again.status == 409
    assert (await desk.post("/alarms/emergencies/home/end", tap(reason="台风已过"))).status == 303
    assert (await desk.post("/alarms/emergencies/home/end", tap(reason="台风已过"))).status == 409
    assert "台风已过" in await page(desk, "/alarms/emergencies")
    assert await one(conn, "SELECT count(*) FROM emergency WHERE ended_at IS NULL") == 0


async def test_the_history_says_how_long_and_goes_to_a_spreadsheet(
    desk: Browser, scene: Scene, conn: AsyncConnection, clock: ManualClock
) -> None:
    """Need 9: durations are what they were, and whoever opens the sheet runs nothing."""
    alarm = scene.alarms["bin_overflow"]
    began = clock.now() - timedelta(hours=5)
    await conn.execute(
        "UPDATE alarm SET raised_at = %(began)s, cleared_at = %(ended)s, title_en = '=cmd|x'"
        " WHERE id = %(id)s",
        {"began": began, "ended": began + timedelta(minutes=95), "id": alarm},
    )
    assert "1 h 35 min" in await page(desk, "/alarms/history")
    assert "No alarm began in this time." in await page(
        desk, "/alarms/history?first=2001-01-01&last=2001-02-01"
    )
    assert (await desk.get("/alarms/history?first=x&last=9999-99-99"))[0] == 200
    async with desk.client.get("/alarms/history.csv") as response:
        assert response.headers["Content-Disposition"].startswith("attachment")
        text = (await response.read()).decode("utf-8-sig")
    read = {row["alarm"]: row for row in csv.DictReader(StringIO(text))}
    assert tuple(next(iter(read.values()))) == COLUMNS
    row = read[str(alarm)]
    assert (row["seconds"], row["state"], row["title_en"]) == ("5700", "over", "'=cmd|x")
    assert row["began"] == f"{began:%Y-%m-%d %H:%M:%S}"
