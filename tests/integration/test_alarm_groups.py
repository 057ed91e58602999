"""Several alarms, one order: who joins whom, what the order becomes, when it ends, and how much it costs."""

import asyncio
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg_pool import AsyncConnectionPool

from billing.evidence import Asset, Month, Standard
from billing.store import records_between
from config.text import Text
from dispatch import moves, office, records
from dispatch.people import By
from dispatch.policy import Policy, shipped_policy
from dispatch.store import chain_status, job_card, record_view, story
from dispatch.sweep import sweep
from tests.integration.alarm_world import (
    Place,
    add_asset,
    alarm_of,
    build,
    history,
    moment,
    orders,
    rows,
    the_book,
)
from tests.integration.statements import counted

FULL: dict[str, float | str] = {"fill_percent": 95}


@pytest.fixture
async def place(conn: AsyncConnection, tmp_path: Path) -> Place:
    return await build(conn, the_book(tmp_path))


async def test_alarms_of_one_area_within_a_time_are_one_order(conn: AsyncConnection, place: Place) -> None:
    await place.say_all(conn, 0, {"bin-1": FULL, "bin-2": FULL, "bin-3": FULL})
    together = ("open", "minor", ["full@bin-1", "full@bin-2"])
    alone = ("open", "minor", ["full@bin-3"])  # of another area
    assert sorted(await orders(conn)) == [together, alone]
    [(why,)] = await rows(
        conn, "SELECT why_en FROM order_move m JOIN work_order o ON o.id = order_id WHERE area_id = 1"
    )
    assert why == "2 alarms together: “full” × 2"


async def test_a_later_alarm_joins_until_the_time_is_over(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "bin-1", 0, fill_percent=95)
    await place.say(conn, "bin-2", 10, fill_percent=95)
    assert await orders(conn) == [("open", "minor", ["full@bin-1", "full@bin-2"])]
    joined = await alarm_of(conn, "full", "bin-2")
    assert await history(conn, joined) == [("raised", 10), ("paged", 10), ("ordered", 10)]
    await add_asset(conn, place, "bin-4", "bin", "east")
    await place.say(conn, "bin-4", 10.5, fill_percent=95)
    assert len(await orders(conn)) == 2


async def test_what_the_order_becomes_when_a_more_severe_alarm_joins(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, fill_percent=95)
    [before] = await rows(conn, "SELECT respond_by, arrive_by FROM work_order")
    await place.say(conn, "bin-1", 1, temperature_c=50)
    assert await orders(conn) == [("open", "major", ["full@bin-1", "smelly@bin-1"])]
    [(respond, arrive, todo, due)] = await rows(
        conn, "SELECT respond_by, arrive_by, todo_en, due_at FROM work_order"
    )
    assert respond < before[0]
    assert arrive < before[1]
    assert todo == "Look at full\nLook at smelly"
    assert due == moment(1)  # the worker offers it anew at once
    moved = await rows(conn, "SELECT why_en FROM order_move ORDER BY id")
    assert moved[-1] == ("joined by another alarm: “smelly”",)


async def test_an_asset_group_takes_no_alarm_of_another_asset(conn: AsyncConnection, place: Place) -> None:
    hot: dict[str, float | str] = {"temperature_c": 50}
    await place.say_all(conn, 0, {"bin-1": hot, "bin-2": hot})
    assert sorted(found for _, _, found in await orders(conn)) == [["smelly@bin-1"], ["smelly@bin-2"]]


async def test_the_order_is_cancelled_only_when_all_its_alarms_are_over(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say_all(conn, 0, {"bin-1": FULL, "bin-2": FULL})
    await place.say(conn, "bin-1", 5, fill_percent=10)
    assert [status for status, _, _ in await orders(conn)] == ["open"]
    [*_, (why,)] = await rows(conn, "SELECT why_en FROM order_move ORDER BY id")
    assert why == (
        "the alarm “full” cleared by itself at 2026-11-23 01:05:00 UTC; 1 of its alarms still live"
    )
    await place.say(conn, "bin-2", 6, fill_percent=10)
    assert [status for status, _, _ in await orders(conn)] == ["cancelled"]
    assert await rows(conn, "SELECT count(*) FROM alarm_order WHERE live") == [(0,)]
    # It is full again: an order of its own, for the old one is over.
    await place.say(conn, "bin-1", 7, fill_percent=95)
    assert (await orders(conn))[1] == ("open", "minor", ["full@bin-1"])


async def test_the_house_may_group_what_rules_leave_open(conn: AsyncConnection, place: Place) -> None:
    said = shipped_policy().model_dump()
    said["alarms"]["group"] = {"by": "area", "within": "10m"}
    house = Policy.model_validate(said)
    tipped: dict[str, float | str] = {"tilted": 1}
    await place.say_all(conn, 0, {"bin-1": tipped, "bin-2": tipped}, house)
    assert await orders(conn) == [("open", "minor", ["tipped@bin-1", "tipped@bin-2"])]


async def test_an_alarm_belongs_to_one_live_order(conn: AsyncConnection, place: Place) -> None:
    """The schema holds it, also for alarms that joined."""
    await place.say_all(conn, 0, {"bin-1": FULL, "bin-2": FULL})
    second = await alarm_of(conn, "full", "bin-2")
    insert = (
        "INSERT INTO work_order (community_id, number, alarm_id, asset_id, area_id, kind, skill, severity,"
        " title_zh, title_en, opened_at, due_at)"
        " SELECT community_id, 'X', %s, asset_id, area_id, kind, skill, severity, '', '', opened_at, due_at"
        " FROM work_order LIMIT 1"
    )
    with pytest.raises(UniqueViolation, match="alarm_order_live"):
        await conn.execute(insert, (second,))


async def test_a_merged_order_hands_its_alarms_over(conn: AsyncConnection, place: Place) -> None:
    hot: dict[str, float | str] = {"temperature_c": 50}
    await place.say_all(conn, 0, {"bin-1": hot, "bin-2": hot})
    [(first,), (second,)] = await rows(conn, "SELECT id FROM work_order ORDER BY id")
    async with conn.transaction():
        await office.merge(conn, second, first, By(place.account), moment(1))
    live = await rows(conn, "SELECT order_id, count(*) FROM alarm_order WHERE live GROUP BY order_id")
    assert live == [(first, 2)]
    await place.say_all(conn, 2, {"bin-1": {"temperature_c": 10}})
    assert [status for status, _, _ in await orders(conn)] == ["open", "merged"]
    await place.say_all(conn, 3, {"bin-2": {"temperature_c": 10}})
    assert [status for status, _, _ in await orders(conn)] == ["cancelled", "merged"]


@pytest.mark.parametrize("_again", range(5))
async def test_two_gateways_group_into_one_order(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    ready = asyncio.Barrier(2)

    async def gateway(code: str) -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            await place.say(own, code, 0, fill_percent=95)

    await asyncio.gather(gateway("bin-1"), gateway("bin-2"))
    assert await orders(conn) == [("open", "minor", ["full@bin-1", "full@bin-2"])]


@pytest.mark.parametrize("_again", range(5))
async def test_an_alarm_that_joins_while_the_order_ends(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    """It joins the order before it is cancelled, which then stays, or finds none and opens its own."""
    await place.say(conn, "bin-1", 0, fill_percent=95)
    ready = asyncio.Barrier(2)

    async def says(code: str, percent: float) -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            await place.say(own, code, 1, fill_percent=percent)

    await asyncio.gather(says("bin-1", 10), says("bin-2", 95))
    found = await orders(conn)
    assert found in (
        [("open", "minor", ["full@bin-1", "full@bin-2"])],
        [("cancelled", "minor", ["full@bin-1"]), ("open", "minor", ["full@bin-2"])],
    )


async def test_one_alarm_under_near_simultaneous_messages(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place
) -> None:
    """Need 2: eight gateways hear of one bin at once; there is one alarm, one order, one history."""
    ready = asyncio.Barrier(8)

    async def gateway(second: int) -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            await place.say(own, "bin-1", second / 60, fill_percent=95)

    await asyncio.gather(*(gateway(second) for second in range(8)))
    assert await orders(conn) == [("open", "minor", ["full@bin-1"])]
    kinds = [kind for kind, _ in await history(conn, await alarm_of(conn, "full"))]
    assert kinds == ["raised", "paged", "ordered"]


async def test_a_storm_takes_as_many_statements_as_one_alarm(conn: AsyncConnection, place: Place) -> None:
    codes = [f"b{n}" for n in range(250)]
    for code in codes:
        await add_asset(conn, place, code, "bin", "west")
    tilted: dict[str, float | str] = {"tilted": 1, "temperature_c": 50}
    upright: dict[str, float | str] = {"tilted": 0, "temperature_c": 10}
    with counted(conn) as one:
        await place.say_all(conn, 0, {"bin-3": tilted})
    with counted(conn) as storm:
        await place.say_all(conn, 1, dict.fromkeys(codes, tilted))
    assert len(await orders(conn)) == 2 * 251
    with counted(conn) as calm_one:
        await place.say_all(conn, 2, {"bin-3": upright})
    with counted(conn) as calm:
        await place.say_all(conn, 3, dict.fromkeys(codes, upright))
    assert {status for status, _, _ in await orders(conn)} == {"cancelled"}
    assert (len(storm), len(calm)) == (len(one), len(calm_one))
    assert len(one) < 20


async def test_a_technician_is_offered_a_group_once(conn: AsyncConnection, place: Place) -> None:
    [(staff,)] = await rows(conn, "INSERT INTO staff (code, name) VALUES ('li', 'Li') RETURNING id")
    await conn.execute("INSERT INTO staff_skill VALUES (%s, 'cleaning')", (staff,))
    await conn.execute("INSERT INTO staff_area VALUES (%s, %s)", (staff, place.areas["east"]))
    await conn.execute("INSERT INTO shift VALUES (%s, 1, '00:00', '00:00')", (staff,))
    [(account,)] = await rows(
        conn,
        "INSERT INTO account (login, name, role, staff_id) VALUES ('li', 'Li', 'technician', %s)"
        " RETURNING id",
        staff,
    )
    await place.say_all(conn, 0, {"bin-1": FULL, "bin-2": FULL})
    await sweep(conn, moment(0))
    [(order,)] = await rows(conn, "SELECT order_id FROM offer")
    await moves.accept(conn, order, By(account, staff), moment(1))
    card = await job_card(conn, staff, order, moment(2))
    assert card is not None
    assert [(each.title.en, each.device) for each in card.alarms] == [("full", "bin-1"), ("full", "bin-2")]
    # Somebody is on the way: a third bin joins, and the technician is told.
    await add_asset(conn, place, "bin-4", "bin", "east")
    await place.say(conn, "bin-4", 5, fill_percent=95)
    assert [found for _, _, found in await orders(conn)] == [["full@bin-1", "full@bin-2", "full@bin-4"]]
    told = await rows(conn, "SELECT payload::jsonb -> 'why' ->> 'en' FROM outbox ORDER BY id DESC LIMIT 1")
    assert told == [("joined by another alarm: “full”",)]

    # One record proves the work on all of them: it names each, and counts for each asset, once per scope.
    for step in (moves.set_off, moves.arrive):
        await step(conn, order, By(account, staff), moment(6))
    done = await records.complete(
        conn, order, By(account, staff), records.Completion(answers=(), labour_minutes=30), moment(30)
    )
    view = await record_view(conn, done.record_id)
    assert view is not None
    assert [(title.en, asset.en) for title, asset in view.alarms] == [
        ("full", "bin-1"),
        ("full", "bin-2"),
        ("full", "bin-4"),
    ]
    assert (await chain_status(conn, done.record_id)).state == "good"
    found = await records_between(conn, place.community, moment(0), moment(60))
    assert [each.asset_id for each in found] == sorted(place.assets[f"bin-{n}"] for n in (1, 2, 4))
    bins = [Asset(place.assets[f"bin-{n}"], "bin", None) for n in (1, 2, 3, 4)]
    counted_per = {}
    for per in ("asset", "scope"):
        name = Text(zh="清运", en="Collection")
        standard = Standard("waste_collection", "bin", 1, per, name)
        [evidence] = Month(bins, found).find([standard], 1)
        counted_per[per] = (evidence.promised, evidence.delivered, evidence.record_ids)
    assert counted_per == {"asset": (4, 3, (done.record_id,)), "scope": (1, 1, (done.record_id,))}
    told_story = [entry.title.en for entry in await story(conn, order) if entry.chapter == "alarm"]
    assert told_story == ["Alarm: full"] * 3
