"""Races on real connections: whoever is first wins, and the others are told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from dispatch import moves
from dispatch.alarms import follow
from dispatch.orders import NewOrder, open_order
from dispatch.refusals import AlarmHasOrder, BadField, DispatchRefusal
from dispatch.sweep import sweep
from rules.changes import AlarmChange
from rules.rule import OrderTemplate, Rule
from tests.integration.dispatch_world import (
    MINUTE,
    MORNING,
    World,
    add_order,
    add_technician,
    build,
    offers_of,
    status_of,
)

Act = Callable[[AsyncConnection], Awaitable[object]]


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    for code in ("li", "wang"):
        await add_technician(conn, built, code)
    return built


async def at_once(pool: AsyncConnectionPool, *acts: Act) -> list[object]:
    """Do each in a transaction of its own, all at the same time; what came of each."""
    ready = asyncio.Barrier(len(acts))

    async def run(act: Act) -> object:
        async with pool.connection() as conn:
            await conn.execute("SELECT 1")
            await ready.wait()
            try:
                async with conn.transaction():
                    return await act(conn)
            except DispatchRefusal as refused:
                return refused

    return await asyncio.gather(*(run(act) for act in acts))


def refused(results: list[object]) -> list[bool]:
    return [isinstance(result, DispatchRefusal) for result in results]


@pytest.mark.parametrize("_again", range(5))
async def test_two_accepts(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World, _again: int
) -> None:
    order = await add_order(conn, world, severity="critical")
    await sweep(conn, MORNING)
    results = await at_once(
        pool,
        lambda c: moves.accept(c, order, world.by("li"), MORNING + MINUTE),
        lambda c: moves.accept(c, order, world.by("wang"), MORNING + MINUTE),
    )
    assert sorted(refused(results)) == [False, True]
    assert sorted(status for _, _, status in await offers_of(conn, order)) == ["accepted", "withdrawn"]


@pytest.mark.parametrize("_again", range(5))
async def test_the_same_tap_twice_at_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World, _again: int
) -> None:
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    (code, _, _), *_ = await offers_of(conn, order)
    tap = world.by(code, "the-same")
    results = await at_once(
        pool, *[lambda c: moves.accept(c, order, tap, MORNING + MINUTE) for _ in range(4)]
    )
    assert sorted(result.repeated for result in results if isinstance(result, moves.Moved)) == [
        False,
        True,
        True,
        True,
    ]


@pytest.mark.parametrize("_again", range(5))
async def test_an_accept_against_the_offer_s_end(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World, _again: int
) -> None:
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    (code, _, _), *_ = await offers_of(conn, order)
    ends = MORNING + 10 * MINUTE
    results = await at_once(
        pool,
        lambda c: moves.accept(c, order, world.by(code), ends - timedelta(seconds=1)),
        lambda c: sweep(c, ends),
    )
    live = [status for _, _, status in await offers_of(conn, order) if status in ("accepted", "offered")]
    assert len(live) == 1
    # Where the accept came first the sweep leaves the order alone, else the next one is asked.
    assert await status_of(conn, order) == ("assigned" if refused(results)[0] else "accepted")


@pytest.mark.parametrize("_again", range(3))
async def test_two_sweepers_offer_each_order_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World, _again: int
) -> None:
    orders = [await add_order(conn, world) for _ in range(6)]
    await at_once(pool, *[lambda c: sweep(c, MORNING, limit=3) for _ in range(4)])
    await sweep(conn, MORNING)
    for order in orders:
        assert len(await offers_of(conn, order)) == 1
    people = [(await offers_of(conn, order))[0][0] for order in orders]
    assert people.count("li") == people.count("wang") == 3


RULE = Rule(
    code="door_faults",
    asset_class="elevator",
    severity="major",
    title=Text(zh="关门故障", en="Door fault"),
    meaning=Text(zh="门关不上。", en="The door does not close."),
    todo=Text(zh="检查门机", en="Check the door operator"),
    safety=Text(zh="断电", en="Switch it off"),
    order=OrderTemplate(kind="elevator_repair", skill="elevator", cancel_on_clear=True),
)


async def raised(conn: AsyncConnection, world: World) -> AlarmChange:
    """An alarm as the rules store it, before dispatch hears of it."""
    cursor = await conn.execute(
        "INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,"
        " meaning_en, facts, raised_at, recorded_at, paged_at)"
        " VALUES (%s, %s, 'door_faults', 'major', '关门故障', 'Door fault', '', '',"
        """ '{"door_closed": 0, "floor": 3}', %s, %s, %s) RETURNING id""",
        (world.community, world.device, MORNING, MORNING, MORNING),
    )
    (alarm_id,) = await cursor.fetchone() or (0,)
    return change(world, alarm_id, "raised", MORNING)


def change(world: World, alarm_id: int, kind: str, at: datetime) -> AlarmChange:
    assert kind in ("raised", "paged", "cleared")
    return AlarmChange(
        kind=kind,  # type: ignore[arg-type] # asserted above
        alarm_id=alarm_id,
        community_id=world.community,
        device_id=world.device,
        asset_id=world.elevator,
        rule=RULE,
        at=at,
        page=kind != "cleared",
        facts={"door_closed": 0, "floor": 3},
    )


def by_hand(world: World, alarm_id: int) -> NewOrder:
    """An order the office opens for the same alarm."""
    return NewOrder(
        community_id=world.community,
        asset_id=world.elevator,
        kind="elevator_repair",
        skill="elevator",
        severity="minor",
        title=Text(zh="同一告警", en="The same alarm"),
        alarm_id=alarm_id,
    )


async def only_order(conn: AsyncConnection) -> int:
    cursor = await conn.execute("SELECT id FROM work_order")
    ((order,),) = await cursor.fetchall()
    return int(order)


async def test_an_alarm_opens_one_order(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World
) -> None:
    alarm = await raised(conn, world)
    await follow(conn, [alarm], MORNING)
    await follow(conn, [change(world, alarm.alarm_id, "paged", MORNING)], MORNING)
    order = await only_order(conn)
    cursor = await conn.execute("SELECT what_en, what_zh, area_id, skill, respond_by FROM work_order")
    assert await cursor.fetchone() == (
        "The door does not close. (Door closed no, Floor 3)",
        "门关不上。（门已关闭 否，楼层 3）",
        world.east,
        "elevator",
        MORNING + 30 * MINUTE,
    )
    async with pool.connection() as own:
        with pytest.raises(AlarmHasOrder):
            await open_order(own, by_hand(world, alarm.alarm_id), MORNING)
    assert await only_order(conn) == order


async def test_an_alarm_with_another_live_order_keeps_the_old_one_closed(
    conn: AsyncConnection, world: World
) -> None:
    alarm = await raised(conn, world)
    await follow(conn, [alarm], MORNING)
    first = await only_order(conn)
    await conn.execute(
        "UPDATE work_order SET status = 'verified', settled_at = %s WHERE id = %s", (MORNING, first)
    )
    await open_order(conn, by_hand(world, alarm.alarm_id), MORNING)
    with pytest.raises(AlarmHasOrder, match="another order that is not over"):
        await moves.reopen(conn, first, world.office, MORNING, "没修好")
    assert await status_of(conn, first) == "verified"


async def test_words_that_cannot_be_kept_are_refused(conn: AsyncConnection, world: World) -> None:
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    (code, _, _), *_ = await offers_of(conn, order)
    for words in ("a\0b", "\ud83d", "长" * 2001, "  "):
        with pytest.raises(BadField) as refusal:
            await moves.decline(conn, order, world.by(code), MORNING, words)
        assert refusal.value.field == "reason"
    assert await status_of(conn, order) == "assigned"


async def test_a_cleared_alarm_cancels_what_nobody_accepted(conn: AsyncConnection, world: World) -> None:
    alarm = await raised(conn, world)
    await follow(conn, [alarm], MORNING)
    order = await only_order(conn)
    await sweep(conn, MORNING)
    await follow(conn, [change(world, alarm.alarm_id, "cleared", MORNING + MINUTE)], MORNING + MINUTE)
    assert await status_of(conn, order) == "cancelled"
    assert [status for _, _, status in await offers_of(conn, order)] == ["withdrawn"]


async def test_a_cleared_alarm_leaves_a_note_once_somebody_accepted(
    conn: AsyncConnection, world: World
) -> None:
    alarm = await raised(conn, world)
    await follow(conn, [alarm], MORNING)
    order = await only_order(conn)
    await sweep(conn, MORNING)
    (code, _, _), *_ = await offers_of(conn, order)
    await moves.accept(conn, order, world.by(code), MORNING + MINUTE)
    await follow(conn, [change(world, alarm.alarm_id, "cleared", MORNING + MINUTE)], MORNING + MINUTE)
    assert await status_of(conn, order) == "accepted"
    cursor = await conn.execute("SELECT why_en FROM order_move ORDER BY id DESC LIMIT 1")
    assert await cursor.fetchone() == ("the alarm cleared by itself at 2026-11-23 01:01:00 UTC",)


@pytest.mark.parametrize("_again", range(5))
async def test_an_accept_against_the_alarm_s_end(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World, _again: int
) -> None:
    alarm = await raised(conn, world)
    await follow(conn, [alarm], MORNING)
    order = await only_order(conn)
    await sweep(conn, MORNING)
    (code, _, _), *_ = await offers_of(conn, order)
    cleared = change(world, alarm.alarm_id, "cleared", MORNING + MINUTE)
    results = await at_once(
        pool,
        lambda c: moves.accept(c, order, world.by(code), MORNING + MINUTE),
        lambda c: follow(c, [cleared], MORNING + MINUTE),
    )
    assert refused(results)[1] is False
    assert await status_of(conn, order) == ("cancelled" if refused(results)[0] else "accepted")
