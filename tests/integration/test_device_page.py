"""The device pages over real HTTP: the list with the worst first, a device's health, its refused messages."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from storage import telemetry
from tests.integration.gateway_world import make_ingest
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.rolling import roll_up
from tests.scene import HOUR, MINUTE, Scene, one
from web.device_letters import SHOWN_BYTES, readable

DAY = timedelta(days=1)


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, scene: Scene, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    assert scene.devices
    async with serve(pool, clock, retake=make_ingest(pool, clock).retry) as running:
        yield running


@pytest.fixture
async def desk(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as browser:
        await browser.sign_in("dispatcher")
        await browser.post("/language", {"language": "en", "next": "/"})
        yield browser


async def report(
    conn: AsyncConnection,
    scene: Scene,
    device: str,
    clock: ManualClock,
    values: dict[str, float],
    *agos: timedelta,
) -> None:
    """Let a device send these values at these times before now."""
    ids = await telemetry.ensure_signals(conn, list(values))
    rows = [(ids[name], clock.now() - ago, value) for ago in agos for name, value in values.items()]
    size = len(rows)
    await telemetry.write_readings(
        conn,
        [scene.town.communities["home"]] * size,
        [scene.devices[device]] * size,
        *zip(*rows, strict=True),
    )


async def state(
    conn: AsyncConnection, scene: Scene, device: str, clock: ManualClock, *, ago: timedelta, online: bool
) -> None:
    await conn.execute(
        "UPDATE device_state SET heard_at = %(at)s, online = %(online)s WHERE device_id = %(device)s",
        {"at": clock.now() - ago, "online": online, "device": scene.devices[device]},
    )


async def refuse(conn: AsyncConnection, clock: ManualClock, topic: str, payload: bytes, reason: str) -> int:
    letter_id: int = await one(
        conn,
        """
        INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)
        VALUES (%(at)s, %(topic)s, %(payload)s, %(digest)s, %(reason)s, 'why')
        RETURNING id
        """,
        {
            "at": clock.now() - HOUR,
            "topic": topic,
            "payload": payload,
            "digest": sha256(topic.encode() + b"\0" + payload).digest(),
            "reason": reason,
        },
    )
    return letter_id


# --- the list -----------------------------------------------------------------------------------------


async def test_the_list_shows_the_worst_first_with_what_matters(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    await report(conn, scene, "bin-7", clock, {"battery_percent": 14.4}, HOUR)
    await state(conn, scene, "bin-7", clock, ago=26 * HOUR, online=True)
    await state(conn, scene, "lift-1", clock, ago=MINUTE, online=True)
    _, text = await desk.get("/devices")
    rows = re.findall(r'<a class="device-row" href="/devices/home/([^"]+)">(.*?)</a>', text, re.DOTALL)
    codes = [code for code, _ in rows]
    assert codes.index("lift-1") < codes.index("bin-7")  # a critical alarm before a major one
    said = dict(rows)
    assert "silent" in said["bin-7"]  # its profile allows 25 hours
    assert "14 %" in said["bin-7"]
    assert "last heard" in said["bin-7"]
    assert "online" in said["lift-1"]
    assert "lift-9" not in text


async def test_the_list_of_problems_leaves_out_who_is_well(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    await conn.execute("UPDATE alarm SET cleared_at = raised_at WHERE cleared_at IS NULL")
    await state(conn, scene, "lift-1", clock, ago=MINUTE, online=True)
    await state(conn, scene, "bin-7", clock, ago=HOUR, online=True)
    _, text = await desk.get("/devices?show=problems")
    assert "No device has a problem." in text
    await state(conn, scene, "bin-7", clock, ago=HOUR, online=False)
    _, text = await desk.get("/devices?show=problems")
    assert ("bin-7" in text, "lift-1" in text) == (True, False)
    _, text = await desk.get("/devices?show=problems&q=zzz%00'%25")
    assert "No device fits." in text


# --- one device ---------------------------------------------------------------------------------------


async def test_a_device_shows_how_well_it_was_heard(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    _, text = await desk.get("/devices/home/bin-7")
    assert "Nothing can be said yet" in text
    # Every hour but two days of the last thirty: 28 of 30, and a message reaches two hours further.
    silent = range(24 * 10, 24 * 12)
    await report(
        conn, scene, "bin-7", clock, {"fill_percent": 30.0},
        *(hour * HOUR for hour in range(24 * 40) if hour not in silent),
    )  # fmt: skip
    for _ in range(2):
        _, text = await desk.get("/devices/home/bin-7")
        assert "<strong>93.6 %</strong>" in text
        assert text.count(": 100 %</li>") >= 27
        await roll_up(conn, clock.now())


async def test_a_device_with_a_day_of_history_does_not_boast_of_thirty(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    await report(conn, scene, "bin-7", clock, {"fill_percent": 30.0}, *(hour * HOUR for hour in range(1, 25)))
    _, text = await desk.get("/devices/home/bin-7")
    begins = (clock.now() - 23 * HOUR).replace(minute=0).astimezone(ZoneInfo("Asia/Shanghai"))
    assert "<strong>100 %</strong>" in text
    shown = re.search(r"of the time heard since <time[^>]*>([^<]*)<", text)
    assert shown is not None
    assert shown[1] == f"{begins.day} {begins:%b %Y, %H:%M}"
    assert "last 30 days" not in text


async def test_a_device_shows_when_its_battery_ends(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    for day in range(60):
        await report(conn, scene, "bin-7", clock, {"battery_percent": 40.0 + day * 0.5}, day * DAY)
    end = clock.now() + timedelta(days=60)
    _, text = await desk.get("/devices/home/bin-7")
    assert f"Expected to last until about {end:%B %Y}." in text
    assert "Falls by 15.2 points a month" in text


async def test_a_battery_without_history_says_so(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    await report(conn, scene, "bin-7", clock, {"battery_percent": 77.0}, HOUR, DAY)
    _, text = await desk.get("/devices/home/bin-7")
    assert "Not enough history" in text
    _, text = await desk.get("/devices/home/lift-1")
    assert "Battery" not in text


async def test_a_device_shows_its_events_and_orders(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    device, community = scene.devices["lift-1"], scene.town.communities["home"]
    at = [clock.now() - index * MINUTE for index in range(30)]
    await telemetry.write_events(
        conn, [community] * 30, [device] * 30, ["door_close_fault"] * 30, at, [f"try {n}" for n in range(30)]
    )
    await telemetry.write_events(
        conn, [community], [device + 1000], ["passenger_entrapment"], [clock.now()], ["not mine"]
    )
    _, text = await desk.get("/devices/home/lift-1")
    assert text.count("Door-close fault") == 15
    assert ("try 0" in text, "try 14<" in text, "try 15<" in text, "not mine" in text) == (
        True,
        True,
        False,
        False,
    )
    for name in ("trapped", "working"):
        assert f"/desk/orders/{scene.numbers[name]}" in text
    assert f"/desk/orders/{scene.numbers['held']}" not in text
    _, text = await desk.get("/devices/home/bin-7")
    assert "No event yet." in text


async def test_a_year_is_a_span(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    await report(conn, scene, "bin-7", clock, {"fill_percent": 30.0}, *(day * DAY for day in range(360)))
    await report(conn, scene, "bin-7", clock, {"fill_percent": 90.0}, 200 * DAY - MINUTE)
    for _ in range(2):
        path = "/devices/home/bin-7/series.json?signal=fill_percent&span=year"
        async with desk.client.get(path) as answer:
            series = await answer.json()
        assert (max(v for v in series["max"] if v is not None), len(series["t"])) == (90.0, 184)
        assert series["from"] == series["t"][0]
        _, text = await desk.get("/devices/home/bin-7?signal=fill_percent&span=year")
        assert "<noscript>" in text, "without JavaScript it does not say for ever that it is loading"
        day = clock.now() - 200 * DAY
        assert re.search(rf"highest 90 % \({day.day - 1}|{day.day} {day:%b} {day.year}\)", text)
        await roll_up(conn, clock.now())


# --- refused messages ---------------------------------------------------------------------------------


def message(clock: ManualClock, **readings: float) -> bytes:
    at = (clock.now() - 2 * HOUR).isoformat()
    return json.dumps({"v": 1, "ts": at, "readings": readings}).encode()


async def test_a_refused_message_is_taken_after_its_cause_is_mended(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    letter_id = await refuse(
        conn, clock, "clerestory/home/bin-7/up", message(clock, fill_percent=42), "no_asset"
    )
    path = f"/devices/home/bin-7/letters/{letter_id}"
    _, text = await desk.get("/devices/home/bin-7")
    assert f'href="{path}"' in text
    status, text = await desk.get(path)
    assert (status, "&#34;fill_percent&#34;: 42" in text) == (200, True)
    for _ in range(2):  # a second tap changes nothing
        answer = await desk.post(path, {})
        assert (answer.status, answer.headers["Location"]) == (303, f"{path}?tried=again")
    _, text = await desk.get(f"{path}?tried=again")
    assert "Taken: its readings and events are stored now." in text
    assert "Try this message again" not in text
    last = await telemetry.latest(conn, scene.town.communities["home"], scene.devices["bin-7"])
    assert last["fill_percent"].value == 42


async def test_a_message_refused_again_says_so_and_stays(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    payload = message(clock, fill_percent=130)
    letter_id = await refuse(conn, clock, "clerestory/home/bin-7/up", payload, "out_of_range")
    path = f"/devices/home/bin-7/letters/{letter_id}"
    await desk.get(path)
    await desk.post(path, {})
    _, text = await desk.get(f"{path}?tried=again")
    assert "Refused again" in text
    assert "Try this message again" in text
    assert await one(conn, "SELECT resolved_at FROM dead_letter WHERE id = %(id)s", {"id": letter_id}) is None
    assert await telemetry.latest(conn, 1, scene.devices["bin-7"]) == {}


async def test_another_devices_messages_are_not_to_be_seen_nor_tried(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    assert scene.devices
    far = await refuse(conn, clock, "clerestory/far/lift-9/up", b"{}", "missing_field")
    other = await refuse(conn, clock, "clerestory/home/bin-70/up", b"{}", "missing_field")
    await desk.get("/devices/home/bin-7")
    for path in (
        f"/devices/home/bin-7/letters/{far}",
        f"/devices/home/bin-7/letters/{other}",
        f"/devices/far/lift-9/letters/{far}",
        "/devices/home/bin-7/letters/0",
        "/devices/home/bin-7/letters/x",
        f"/devices/home/bin-7/letters/{10**30}",
    ):
        assert (await desk.get(path))[0] == 404
        assert (await desk.post(path, {})).status == 404
    waiting = await one(conn, "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL", {})
    assert waiting == 2


async def test_hostile_bytes_are_shown_and_do_nothing(
    desk: Browser, conn: AsyncConnection, scene: Scene, clock: ManualClock
) -> None:
    assert scene.devices
    for payload, shown in (
        (b"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (b"\xff\x00\xfe", "ff 00 fe"),
        (b"", "the message was empty"),
        (b"[" * 3000, "[[[["),
        (b"x" * (SHOWN_BYTES + 1), "Only the beginning is shown."),
        ("中".encode() * 3000, "Only the beginning is shown."),
    ):
        letter_id = await refuse(conn, clock, "clerestory/home/bin-7/up", payload, "not_json")
        status, text = await desk.get(f"/devices/home/bin-7/letters/{letter_id}")
        assert (status, shown in text) == (200, True)
        assert "<script>alert" not in text


def test_a_payload_is_laid_out_or_shown_as_it_is() -> None:
    assert readable(b'{"a":1}') == '{\n  "a": 1\n}'
    assert readable("温".encode()) == "温"
    assert readable(b'{"a":1') == '{"a":1'
    assert readable(b"[" * 4000) == "[" * 4000
