"""What the pages read, on a real database."""

from datetime import time, timedelta

import pytest
from psycopg import AsyncConnection

from dispatch import moves
from dispatch.store import board, candidates, job_card, jobs_of, story
from dispatch.sweep import sweep
from tests.integration.dispatch_world import (
    HOUR,
    MINUTE,
    MORNING,
    World,
    add_order,
    add_technician,
    build,
)


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    await add_technician(conn, built, "li")
    return built


async def test_a_technician_sees_what_is_offered_and_held(conn: AsyncConnection, world: World) -> None:
    li = world.technicians["li"]
    first, second = await add_order(conn, world), await add_order(conn, world, severity="critical")
    await sweep(conn, MORNING)
    jobs = await jobs_of(conn, li, MORNING + MINUTE)
    assert [(job.order_id, job.countdown, job.countdown_to) for job in jobs] == [
        (second, "offer", MORNING + 2 * MINUTE),
        (first, "offer", MORNING + 10 * MINUTE),
    ]
    assert jobs[0].place.en == "Building 3 · Elevator 1"
    await moves.accept(conn, second, world.by("li"), MORNING + MINUTE)
    card = await job_card(conn, li, second, MORNING + 2 * MINUTE)
    assert card is not None
    assert (card.mine, card.job.countdown, card.job.countdown_to) == (True, "arrive", MORNING + 30 * MINUTE)
    assert card.why_you is not None
    # An offer that ran out is not shown, even before the sweep has seen it.
    assert [job.order_id for job in await jobs_of(conn, li, MORNING + 11 * MINUTE)] == [second]
    stranger = await add_technician(conn, world, "wang")
    assert await job_card(conn, stranger, second, MORNING) is None


async def test_a_pause_stops_the_clock_and_shifts_the_deadline(conn: AsyncConnection, world: World) -> None:
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    by, li = world.by("li"), world.technicians["li"]
    await moves.accept(conn, order, by, MORNING)
    await moves.set_off(conn, order, by, MORNING)
    await moves.arrive(conn, order, by, MORNING + HOUR)
    await moves.hold(conn, order, by, MORNING + 2 * HOUR, "waiting_for_parts", "皮带明日到")
    card = await job_card(conn, li, order, MORNING + 3 * HOUR)
    assert card is not None
    assert (card.job.countdown_to, card.paused_at, card.hold_reason) == (
        None,
        MORNING + 2 * HOUR,
        "waiting_for_parts",
    )
    await sweep(conn, MORNING + 30 * HOUR)  # past every deadline, but the clocks stand still
    cursor = await conn.execute("SELECT escalation_cause FROM work_order")
    assert await cursor.fetchone() == (None,)
    await moves.resume(conn, order, by, MORNING + 31 * HOUR)
    card = await job_card(conn, li, order, MORNING + 31 * HOUR)
    assert card is not None
    assert card.complete_by == MORNING + timedelta(hours=24 + 29)


async def test_the_board_puts_trouble_first(conn: AsyncConnection, world: World) -> None:
    early, late = await add_order(conn, world), await add_order(conn, world, MORNING - 2 * HOUR)
    await conn.execute("DELETE FROM shift")
    await sweep(conn, MORNING, limit=1)
    seen = await board(conn, [world.community], MORNING)
    assert [(o.order_id, o.missed, o.escalation is not None) for o in seen.orders] == [
        (late, True, True),
        (early, False, False),
    ]
    assert seen.orders[0].escalation is not None
    assert "the time to respond is over" in seen.orders[0].escalation.en
    assert (await board(conn, [], MORNING)).orders == ()
    assert len((await board(conn, None, MORNING)).orders) == 2


async def test_candidates_say_why(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "night", starts=time(22), ends=time(6))
    await add_technician(conn, world, "far", areas=[world.west])
    await add_technician(conn, world, "chen", skill="cleaning")
    order = await add_order(conn, world)
    found = await candidates(conn, order, MORNING)
    assert [(each.code, each.eligible, each.on_shift, each.why.en) for each in found] == [
        ("li", True, True, "lowest load (0 in hand); covers the area"),
        ("night", False, False, "off shift until 22:00"),
        ("far", False, True, "does not cover the area"),
    ]
    assert await candidates(conn, 999_999, MORNING) == []


async def test_a_story_is_told_in_order(conn: AsyncConnection, world: World) -> None:
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await moves.decline(conn, order, world.by("li"), MORNING + MINUTE, "too_far")
    await sweep(conn, MORNING + MINUTE)
    told = await story(conn, order)
    assert [(entry.chapter, entry.who) for entry in told] == [
        ("order", None),
        ("offer", None),
        ("move", None),
        ("answer", "LI"),
        ("move", "LI"),
        ("note", None),
    ]
    assert told[-1].detail.en.startswith("escalated to the dispatcher: 1 hold the skill")
    assert await story(conn, 999_999) == []
