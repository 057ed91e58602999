"""What keeps an alarm from people, and what happens when it ends: the alarm stays true and recorded."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from dispatch import leaving, quieting
from dispatch.orders import NewOrder, open_order
from dispatch.people import Who
from dispatch.quieting import NewMute
from dispatch.refusals import BadField, EmergencyStands, NoEmergency, NoSuchMute
from tests.integration.alarm_world import (
    DESK,
    Place,
    alarm_of,
    build,
    held,
    history,
    moment,
    orders,
    rows,
    the_book,
)


@pytest.fixture
async def place(conn: AsyncConnection, tmp_path: Path) -> Place:
    return await build(conn, the_book(tmp_path))


async def an_order(
    conn: AsyncConnection, place: Place, asset: str, kind: str, skill: str = "elevator"
) -> int:
    new = NewOrder(
        community_id=place.community,
        asset_id=place.assets[asset],
        kind=kind,
        skill=skill,
        severity="info",
        title=Text(zh="工作", en="Work"),
    )
    return await open_order(conn, new, moment(0))


async def set_status(conn: AsyncConnection, order_id: int, status: str) -> None:
    await conn.execute("INSERT INTO staff (code, name) VALUES ('s', 's') ON CONFLICT DO NOTHING")
    await conn.execute(
        "UPDATE work_order SET status = %s, assignee_id = (SELECT min(id) FROM staff) WHERE id = %s",
        (status, order_id),
    )


async def test_an_asset_under_an_open_order_of_a_kind(conn: AsyncConnection, place: Place) -> None:
    work = await an_order(conn, place, "lift", "elevator_maintenance")
    await place.say(conn, "lift", 1, door_vibration_db=60)
    alarm = await alarm_of(conn, "shaken")
    [(number,)] = await rows(conn, "SELECT number FROM work_order")
    why = f"held: lift is under elevator maintenance order {number}"
    assert await held(conn, alarm) == ("order", why)
    assert len(await orders(conn)) == 1
    assert await rows(conn, "SELECT paged_at, cleared_at FROM alarm") == [(None, None)]
    await place.look(conn, 2)
    assert await history(conn, alarm) == [("raised", 1), ("held", 1)]

    await set_status(conn, work, "completed")
    await place.look(conn, 3)
    assert await held(conn, alarm) is None
    assert (await orders(conn))[1] == ("open", "minor", ["shaken@lift"])
    assert await history(conn, alarm) == [("raised", 1), ("held", 1), ("paged", 3), ("ordered", 3)]
    await place.look(conn, 4)
    assert len(await orders(conn)) == 2


async def test_an_alarm_that_ends_while_it_is_held_is_told_to_nobody(
    conn: AsyncConnection, place: Place
) -> None:
    work = await an_order(conn, place, "lift", "elevator_maintenance")
    await place.say(conn, "lift", 1, door_vibration_db=60)
    await place.say(conn, "lift", 5, door_vibration_db=10)
    await set_status(conn, work, "completed")
    await place.look(conn, 6)
    assert await history(conn, await alarm_of(conn, "shaken")) == [("raised", 1), ("held", 1), ("cleared", 5)]
    assert len(await orders(conn)) == 1
    assert await rows(conn, "SELECT count(*) FROM outbox") == [(0,)]


async def test_somebody_at_work_holds_but_an_order_nobody_has_begun_does_not(
    conn: AsyncConnection, place: Place
) -> None:
    work = await an_order(conn, place, "bin-1", "waste_collection", "cleaning")
    await place.say(conn, "bin-1", 1, tilted=1)
    assert await held(conn, await alarm_of(conn, "tipped")) is None
    await set_status(conn, work, "in_progress")
    await place.say(conn, "bin-1", 2, tilted=0)
    await place.say(conn, "bin-1", 3, tilted=1)
    found = await held(conn, await alarm_of(conn, "tipped"))
    assert found is not None
    assert found[0] == "order"


async def test_an_asset_in_inspection(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "lift", 1, service_mode="inspection")
    await place.say(conn, "lift", 2, door_vibration_db=60)
    alarm = await alarm_of(conn, "shaken")
    assert await held(conn, alarm) == ("inspection", "held: lift is in inspection")
    await place.say(conn, "lift", 9, service_mode="normal")
    await place.look(conn, 9)
    assert await held(conn, alarm) is None
    assert await orders(conn) == [("open", "minor", ["shaken@lift"])]


@pytest.mark.parametrize("together", [True, False])
async def test_the_alarm_of_a_parent_asset_holds_that_of_its_child(
    conn: AsyncConnection, place: Place, *, together: bool
) -> None:
    dark, tipped = {"lift": {"power_on": 0.0}}, {"bin-1": {"tilted": 1.0}, "bin-3": {"tilted": 1.0}}
    if together:
        await place.say_all(conn, 1, {**tipped, **dark})
    else:
        await place.say_all(conn, 1, dark)
        await place.say_all(conn, 1, tipped)
    child = await alarm_of(conn, "tipped", "bin-1")
    assert await held(conn, child) == ("parent", "held: its parent lift has the alarm “dark”")
    assert await held(conn, await alarm_of(conn, "tipped", "bin-3")) is None  # the elevator is not its parent
    await place.say(conn, "lift", 8, power_on=1)
    await place.look(conn, 8)
    assert await held(conn, child) is None
    assert ("open", "minor", ["tipped@bin-1"]) in await orders(conn)


async def test_an_alarm_of_the_same_asset_holds_another(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "bin-1", 1, temperature_c=90)
    await place.say(conn, "bin-1", 2, tilted=1)
    await place.say(conn, "bin-2", 2, tilted=1)
    assert await held(conn, await alarm_of(conn, "tipped", "bin-1")) == (
        "alarm",
        "held: bin-1 has the alarm “hot”",
    )
    assert await held(conn, await alarm_of(conn, "tipped", "bin-2")) is None


async def test_in_an_emergency_only_critical_alarms_go_through(conn: AsyncConnection, place: Place) -> None:
    await quieting.declare(conn, place.community, "storm", "台风红色预警", DESK, moment(0))
    await place.say(conn, "bin-1", 1, temperature_c=90, fill_percent=95)
    found = await rows(conn, "SELECT rule, held_by FROM alarm ORDER BY rule")
    assert found == [("full", "emergency"), ("hot", None), ("smelly", "emergency")]
    assert await held(conn, await alarm_of(conn, "full")) == (
        "emergency",
        "held: the community is in a declared emergency (storm): 台风红色预警",
    )
    assert await orders(conn) == [("open", "critical", ["hot@bin-1"])]
    with pytest.raises(EmergencyStands):
        await quieting.declare(conn, place.community, "flood", "又一个", DESK, moment(2))

    await quieting.end_emergency(conn, place.community, "台风已过", Who("李经理"), moment(30))
    with pytest.raises(NoEmergency):
        await quieting.end_emergency(conn, place.community, "再次", DESK, moment(31))
    await place.look(conn, 30)
    # Both ask for the same kind of work on one asset: they come out as one order.
    assert (await orders(conn))[1:] == [("open", "major", ["full@bin-1", "smelly@bin-1"])]


async def test_a_mute_with_a_reason_and_an_end(conn: AsyncConnection, place: Place) -> None:
    new = NewMute(place.community, "设备检修", moment(60), rule="tipped", asset_id=place.assets["bin-1"])
    await quieting.mute(conn, new, DESK, moment(0), place.codes)
    await place.say_all(conn, 1, {"bin-1": {"tilted": 1}, "bin-2": {"tilted": 1}})
    muted = await alarm_of(conn, "tipped", "bin-1")
    assert await held(conn, muted) == ("mute", "muted by 陈调度 until 2026-11-23 10:00: 设备检修")
    assert await orders(conn) == [("open", "minor", ["tipped@bin-2"])]
    assert await place.look(conn, 2) == moment(60)  # the worker knows when the mute ends
    assert await held(conn, muted) is not None
    await place.look(conn, 60)
    assert await held(conn, muted) is None
    assert await history(conn, muted) == [("raised", 1), ("muted", 1), ("paged", 60), ("ordered", 60)]


@pytest.mark.parametrize("scope", ["community", "area", "asset", "rule"])
async def test_what_a_mute_covers_and_lifting_it(conn: AsyncConnection, place: Place, scope: str) -> None:
    new = NewMute(
        place.community,
        "夜间",
        moment(60),
        rule="tipped" if scope == "rule" else None,
        asset_id=place.assets["bin-1"] if scope == "asset" else None,
        area_id=place.areas["east"] if scope == "area" else None,
    )
    mute = await quieting.mute(conn, new, DESK, moment(0), place.codes)
    east: dict[str, float | str] = {"tilted": 1, "fill_percent": 95}
    await place.say_all(conn, 1, {"bin-1": east, "bin-2": east, "bin-3": east})
    muted = await rows(
        conn,
        "SELECT m.rule, d.code FROM alarm m JOIN device d ON d.id = m.device_id"
        " WHERE held_by = 'mute' ORDER BY 1, 2",
    )
    bins = ("bin-1", "bin-2", "bin-3")
    assert (
        muted
        == {
            "community": [(rule, code) for rule in ("full", "tipped") for code in bins],
            "area": [(rule, code) for rule in ("full", "tipped") for code in bins[:2]],
            "asset": [("full", "bin-1"), ("tipped", "bin-1")],
            "rule": [("tipped", code) for code in bins],
        }[scope]
    )
    await quieting.lift(conn, mute, Who("李经理"), moment(5))
    with pytest.raises(NoSuchMute):
        await quieting.lift(conn, mute, DESK, moment(6))
    await place.look(conn, 5)
    assert await rows(conn, "SELECT count(*) FROM alarm WHERE held_at IS NOT NULL") == [(0,)]


async def test_an_alarm_people_were_told_of_can_still_be_muted(conn: AsyncConnection, place: Place) -> None:
    """One without an order leaves the desk; one whose order is out keeps it: somebody may be on the way."""
    await place.say(conn, "bin-1", 1, battery_percent=5, tilted=1)
    new = NewMute(place.community, "电池已订", moment(600), asset_id=place.assets["bin-1"])
    await quieting.mute(conn, new, DESK, moment(2), place.codes)
    assert (await held(conn, await alarm_of(conn, "low")) or ("",))[0] == "mute"
    assert await held(conn, await alarm_of(conn, "tipped")) is None
    await place.look(conn, 600)
    assert await rows(conn, "SELECT topic, payload::jsonb ->> 'what' FROM outbox") == [
        ("clerestory/bund/office/dispatcher/alarm", "released")
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"why": "  "}, "why"),
        ({"why": "a\0b"}, "why"),
        ({"until": moment(0)}, "until"),
        ({"until": moment(0) + timedelta(days=31)}, "until"),
        ({"rule": "nothing"}, "rule"),
        ({"asset_id": 1, "area_id": 1}, "area"),
        ({"asset_id": 999}, "asset"),
        ({"area_id": 999}, "area"),
    ],
)
async def test_a_mute_is_refused_with_the_field_that_is_wrong(
    conn: AsyncConnection, place: Place, change: dict[str, object], field: str
) -> None:
    given: dict[str, object] = {"community_id": place.community, "why": "修", "until": moment(60), **change}
    with pytest.raises(BadField) as refused:
        await quieting.mute(conn, NewMute(**given), DESK, moment(0), place.codes)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert await rows(conn, "SELECT count(*) FROM mute") == [(0,)]


@pytest.mark.parametrize("_again", range(6))
async def test_a_mute_that_ends_while_the_alarm_does(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    """Whichever commits first, nobody is left with an order for an alarm that is over."""
    new = NewMute(place.community, "修", moment(60), rule="tipped")
    await quieting.mute(conn, new, DESK, moment(0), place.codes)
    await place.say(conn, "bin-1", 1, tilted=1)
    ready = asyncio.Barrier(3)

    async def ends() -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            await place.say(own, "bin-1", 60, tilted=0)

    async def looks() -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            await place.look(own, 60)

    await asyncio.gather(ends(), looks(), looks())
    await place.look(conn, 61)
    kinds = [kind for kind, _ in await history(conn, await alarm_of(conn, "tipped"))]
    told = [] if "paged" not in kinds else ["paged", "ordered"]
    assert kinds == ["raised", "muted", *told, "cleared"]
    assert [status for status, _, _ in await orders(conn)] == ["cancelled"] * (len(told) // 2)


@pytest.mark.parametrize("_again", range(3))
async def test_two_workers_release_each_alarm_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    await quieting.declare(conn, place.community, "storm", "台风", DESK, moment(0))
    await place.say_all(conn, 1, {code: {"tilted": 1} for code in ("bin-1", "bin-2", "bin-3")})
    await quieting.end_emergency(conn, place.community, "已过", DESK, moment(5))

    async def looks() -> None:
        async with pool.connection() as own:
            await place.look(own, 5)

    await asyncio.gather(*(looks() for _ in range(4)))
    assert len(await orders(conn)) == 3
    found = await rows(conn, "SELECT count(*) FROM alarm_event WHERE kind = 'paged' GROUP BY alarm_id")
    assert found == [(1,)] * 3


async def test_an_alarm_whose_device_was_taken_off_its_asset_is_not_held_for_ever(
    conn: AsyncConnection, place: Place
) -> None:
    await quieting.declare(conn, place.community, "storm", "台风", DESK, moment(0))
    await place.say(conn, "bin-1", 1, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    await conn.execute("UPDATE device SET asset_id = NULL WHERE code = 'bin-1'")
    async with conn.transaction():
        await leaving.settle(conn, moment(2))
    await place.look(conn, 3)
    assert await history(conn, alarm) == [("raised", 1), ("held", 1), ("cleared", 2)]
