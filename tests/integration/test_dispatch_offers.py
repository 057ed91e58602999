"""Offers on a real database: one at a time, the next after silence, both at once when it is critical."""

import json
from datetime import date, time

import pytest
from psycopg import AsyncConnection

from dispatch import moves
from dispatch.refusals import BadField, IllegalMove, NotYours, OfferGone, RequestReused
from dispatch.sweep import sweep
from tests.integration.dispatch_world import (
    HOUR,
    MINUTE,
    MORNING,
    World,
    add_order,
    add_technician,
    build,
    offers_of,
    status_of,
)


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    return await build(conn)


async def test_an_order_is_offered_with_its_reason_and_told(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    order = await add_order(conn, world)
    due = await sweep(conn, MORNING)
    assert await status_of(conn, order) == "assigned"
    assert await offers_of(conn, order) == [("li", 1, "offered")]
    cursor = await conn.execute("SELECT topic, payload FROM outbox")
    ((topic, payload),) = await cursor.fetchall()
    assert topic == "clerestory/bund/technician/li/job"
    told = json.loads(payload)
    assert told["what"] == "offered"
    assert told["why"] == {
        "zh": "1 人符合条件；负荷最低（0 单）；负责该区域",
        "en": "1 eligible; lowest load (0 in hand); covers the area",
    }
    assert due == MORNING + 10 * MINUTE


async def test_silence_passes_the_order_on_and_excludes_for_the_round(
    conn: AsyncConnection, world: World
) -> None:
    await add_technician(conn, world, "li")
    await add_technician(conn, world, "wang")
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await sweep(conn, MORNING + 10 * MINUTE)
    assert await offers_of(conn, order) == [("li", 1, "expired"), ("wang", 1, "offered")]
    with pytest.raises(OfferGone):
        await moves.accept(conn, order, world.by("li"), MORNING + 11 * MINUTE)
    await moves.accept(conn, order, world.by("wang"), MORNING + 11 * MINUTE)
    assert await status_of(conn, order) == "accepted"


async def test_when_all_declined_the_dispatcher_hears_why_and_a_new_round_follows(
    conn: AsyncConnection, world: World
) -> None:
    await add_technician(conn, world, "li")
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await moves.decline(conn, order, world.by("li"), MORNING + MINUTE, "busy")
    await sweep(conn, MORNING + MINUTE)
    cursor = await conn.execute("SELECT status, escalation_cause, escalation_en, round FROM work_order")
    status, cause, text, round_no = await cursor.fetchone() or ()
    assert (status, cause, round_no) == ("open", "unaccepted", 1)
    assert text == "1 hold the skill “elevator work”, 1 declined or did not answer in this round"
    cursor = await conn.execute("SELECT topic FROM outbox WHERE topic LIKE '%/office/%'")
    assert await cursor.fetchall() == [("clerestory/bund/office/dispatcher/escalation",)]
    await sweep(conn, MORNING + 11 * MINUTE)
    assert await offers_of(conn, order) == [("li", 1, "declined"), ("li", 1, "offered")]
    await moves.accept(conn, order, world.by("li"), MORNING + 12 * MINUTE)
    cursor = await conn.execute("SELECT escalation_cause, escalation_step FROM work_order")
    assert await cursor.fetchone() == (None, 0)


async def test_the_empty_choice_is_explained(conn: AsyncConnection, world: World) -> None:
    for code in ("li", "wang"):
        await add_technician(conn, world, code, starts=time(14, 0), ends=time(22, 0))
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    cursor = await conn.execute("SELECT escalation_en, escalation_zh FROM work_order WHERE id = %s", (order,))
    assert await cursor.fetchone() == (
        "2 hold the skill “elevator work”, none on shift until 14:00",
        "2 人具备“电梯作业”技能，均未当班，14:00 起当班",
    )


async def test_who_comes_on_shift_is_asked_at_once(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li", starts=time(9, 7), ends=time(22, 0))
    order = await add_order(conn, world, severity="info")
    await conn.execute("UPDATE work_order SET respond_by = NULL")
    now = MORNING
    while now < MORNING + 7 * MINUTE:
        due = await sweep(conn, now)
        assert due is not None
        now = due
    assert now == MORNING + 7 * MINUTE
    await sweep(conn, now)
    assert await offers_of(conn, order) == [("li", 1, "offered")]


async def test_the_ladder_ends_at_the_manager_and_repeats(conn: AsyncConnection, world: World) -> None:
    order = await add_order(conn, world)
    now = MORNING
    for _ in range(60):
        due = await sweep(conn, now)
        assert due is not None
        assert due > now
        now = due
        if now > MORNING + 2 * HOUR:
            break
    cursor = await conn.execute(
        "SELECT split_part(topic, '/', 4) FROM outbox WHERE topic LIKE '%/office/%' ORDER BY created_at, id"
    )
    assert [whom for (whom,) in await cursor.fetchall()][:5] == [
        "dispatcher",
        "dispatcher",
        "manager",
        "manager",
        "manager",
    ]
    assert await status_of(conn, order) == "open"


async def test_a_critical_order_goes_to_the_best_and_the_next_at_once(
    conn: AsyncConnection, world: World
) -> None:
    for code in ("li", "wang", "zhao"):
        await add_technician(conn, world, code)
    order = await add_order(conn, world, severity="critical")
    await sweep(conn, MORNING)
    assert await offers_of(conn, order) == [("li", 1, "offered"), ("wang", 2, "offered")]
    await moves.accept(conn, order, world.by("wang"), MORNING + MINUTE)
    assert await offers_of(conn, order) == [("li", 1, "withdrawn"), ("wang", 2, "accepted")]
    with pytest.raises(OfferGone) as gone:
        await moves.accept(conn, order, world.by("li"), MORNING + MINUTE)
    assert "somebody else" in gone.value.text.en
    cursor = await conn.execute("SELECT payload FROM outbox WHERE topic LIKE '%/li/job' ORDER BY id DESC")
    (payload,) = await cursor.fetchone() or ("{}",)
    assert json.loads(payload)["what"] == "withdrawn"


async def test_a_declined_slot_of_a_critical_order_is_filled_again(
    conn: AsyncConnection, world: World
) -> None:
    for code in ("li", "wang", "zhao"):
        await add_technician(conn, world, code)
    order = await add_order(conn, world, severity="critical")
    await sweep(conn, MORNING)
    await moves.decline(conn, order, world.by("li"), MORNING + MINUTE, "脚扭伤了")
    assert await status_of(conn, order) == "assigned"
    await sweep(conn, MORNING + MINUTE)
    assert await offers_of(conn, order) == [
        ("li", 1, "declined"),
        ("wang", 2, "offered"),
        ("zhao", 1, "offered"),
    ]


async def test_a_repeated_tap_is_answered_and_not_repeated(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    tap = world.by("li", "tap-1")
    first = await moves.accept(conn, order, tap, MORNING + MINUTE)
    again = await moves.accept(conn, order, tap, MORNING + 2 * MINUTE)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.at == first.at
    with pytest.raises(RequestReused):
        await moves.set_off(conn, order, tap, MORNING + 2 * MINUTE)
    await moves.set_off(conn, order, world.by("li", "tap-2"), MORNING + 2 * MINUTE)
    cursor = await conn.execute("SELECT count(*) FROM order_move WHERE request_id IS NOT NULL")
    assert await cursor.fetchone() == (2,)


async def test_others_cannot_move_an_order(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await add_technician(conn, world, "wang")
    with pytest.raises(NotYours):
        await moves.accept(conn, order, world.by("wang"), MORNING)
    await moves.accept(conn, order, world.by("li"), MORNING)
    with pytest.raises(NotYours):
        await moves.set_off(conn, order, world.by("wang"), MORNING)
    with pytest.raises(IllegalMove):
        await moves.arrive(conn, order, world.by("li"), MORNING)


async def test_the_office_reassigns_within_the_law(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    await add_technician(conn, world, "wang", starts=time(14, 0), ends=time(22, 0))
    await add_technician(conn, world, "chen", skill="cleaning")
    await add_technician(conn, world, "old", expires=date(2026, 11, 22))
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await moves.accept(conn, order, world.by("li"), MORNING)
    for code in ("chen", "old"):
        with pytest.raises(BadField):
            await moves.assign(conn, order, world.technicians[code], world.office, MORNING)
    await moves.assign(conn, order, world.technicians["wang"], world.office, MORNING + MINUTE, "就近")
    assert await offers_of(conn, order) == [("li", 1, "withdrawn"), ("wang", 1, "offered")]
    await sweep(conn, MORNING + MINUTE)
    assert await status_of(conn, order) == "assigned"
    await moves.accept(conn, order, world.by("wang"), MORNING + 2 * MINUTE)
    await moves.hand_back(conn, order, world.by("wang"), MORNING + 3 * MINUTE, "no_tools")
    await sweep(conn, MORNING + 3 * MINUTE)
    assert await status_of(conn, order) == "open"
    cursor = await conn.execute("SELECT escalation_en FROM work_order")
    (text,) = await cursor.fetchone() or ("",)
    assert "2 declined or did not answer in this round" in text


async def test_withdrawing_asks_somebody_else(conn: AsyncConnection, world: World) -> None:
    await add_technician(conn, world, "li")
    await add_technician(conn, world, "wang")
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await moves.withdraw(conn, order, world.office, MORNING + MINUTE, "李师傅请假")
    await sweep(conn, MORNING + MINUTE)
    assert await offers_of(conn, order) == [("li", 1, "withdrawn"), ("wang", 1, "offered")]


async def test_load_is_spread(conn: AsyncConnection, world: World) -> None:
    for code in ("li", "wang"):
        await add_technician(conn, world, code)
    made = [await add_order(conn, world) for _ in range(4)]
    await sweep(conn, MORNING)
    people = [(await offers_of(conn, order))[0][0] for order in made]
    assert sorted(people) == ["li", "li", "wang", "wang"]


async def test_a_day_full_of_planned_work_keeps_nobody_from_an_alarm(
    conn: AsyncConnection, world: World
) -> None:
    await add_technician(conn, world, "li")
    planned = [await add_order(conn, world, severity="info") for _ in range(9)]
    await sweep(conn, MORNING)
    assert "open" in [await status_of(conn, order) for order in planned]  # more than one person can hold
    alarm = await add_order(conn, world, severity="major")
    await sweep(conn, MORNING + MINUTE)
    assert await offers_of(conn, alarm) == [("li", 1, "offered")]
