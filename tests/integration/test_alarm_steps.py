"""Severity ladders and flapping on a real database: rows, their history, orders that follow, people told."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, sql

from dispatch import stepping
from dispatch.alarms import follow
from dispatch.policy import shipped_policy
from dispatch.sweep import sweep
from gateway.signals import Device, Event, Heard, Reading
from rules.apply import hear, next_due, wake
from rules.book import RuleBook, load_rulebook
from rules.changes import AlarmChange
from tests.integration import alarm_world
from tests.integration.dispatch_world import MINUTE, MORNING, World, build
from tests.integration.statements import counted

TEXTS = """
    title: { zh: 试, en: Tried }
    meaning: { zh: 试, en: tried }
    todo: { zh: [试], en: [try] }
    safety: { zh: 试, en: tried }
"""
RULES = f"""
asset_class: elevator
rules:
  shaking:
    severity: minor
    when: door_vibration_db >= 30.0
    clear: door_vibration_db < 20.0
    ladder:
      - {{ severity: critical, after: 30m }}
      - {{ severity: major, when: door_vibration_db >= 50.0, down_after: 5m }}
    order: {{ kind: elevator_repair, skill: elevator, complete: 3d }}
{TEXTS}
  dripping:
    severity: minor
    when: humidity_percent >= 50.0
    clear: humidity_percent < 40.0
    ladder:
      - {{ severity: critical, when: humidity_percent >= 90.0 }}
      - {{ severity: major, when: humidity_percent >= 70.0 }}
    order: {{ kind: elevator_repair, skill: elevator, complete: 3d }}
    group: {{ by: area, within: 1h }}
{TEXTS}
  jamming:
    severity: minor
    on: door_close_fault
    clear_on: automatic_restored
    flapping: {{ times: 2, within: 1h }}
    order: {{ kind: elevator_repair, skill: elevator, cancel_on_clear: true }}
{TEXTS}
"""


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    return await build(conn)


@pytest.fixture
def book(tmp_path: Path) -> RuleBook:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    return load_rulebook([file])


def device(world: World) -> Device:
    return Device(
        world.community, world.device, "bund", "e1-box", "elevator-native", world.elevator, "elevator"
    )


def shakes(world: World, decibel: float, minute: float) -> Heard:
    at = MORNING + minute * MINUTE
    return Heard.of(device(world), at, (Reading("door_vibration_db", at, decibel),))


def happens(world: World, code: str, minute: float) -> Heard:
    at = MORNING + minute * MINUTE
    return Heard(device(world), at, events=(Event(code, at),))


async def take(conn: AsyncConnection, book: RuleBook, *heard: Heard) -> None:
    await follow(conn, await hear(conn, heard, book), heard[-1].received_at)


async def rows(conn: AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(sql.SQL(query))
    return await cursor.fetchall()


def minute(moment: datetime) -> float:
    return (moment - MORNING) / MINUTE


async def history(conn: AsyncConnection) -> list[tuple[str, str, float]]:
    found = await rows(conn, "SELECT kind, severity, at FROM alarm_event ORDER BY id")
    return [
        (kind, severity, minute(at))
        for kind, severity, at in found
        if kind in {"raised", "severity", "cleared"}
    ]


async def test_an_order_follows_its_alarm_upward_and_people_are_told(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    """Need 7: severity steps down in time; the alarm keeps the history of its severities (need 9)."""
    await take(conn, book, shakes(world, 35, 0))
    assert await rows(conn, "SELECT severity, clock FROM work_order") == [("minor", "business_hours")]

    await take(conn, book, shakes(world, 55, 10))
    [(severity, clock, respond, complete)] = await rows(
        conn, "SELECT severity, clock, respond_by, complete_by FROM work_order"
    )
    # From here on as for any major order: answered within 30 minutes, done within a day.
    assert (severity, clock, minute(respond), minute(complete)) == (
        "major",
        "around_the_clock",
        40,
        10 + 24 * 60,
    )
    told = await rows(conn, "SELECT payload::jsonb ->> 'severity' FROM outbox WHERE key LIKE 'stepped-%'")
    assert told == [("major",)]

    await take(conn, book, shakes(world, 40, 12))
    await take(conn, book, shakes(world, 40, 20))
    assert await rows(conn, "SELECT severity FROM alarm") == [("minor",)]
    assert await rows(conn, "SELECT severity, respond_by FROM work_order") == [("major", respond)]

    while (due := await next_due(conn)) is not None and due <= MORNING + 30 * MINUTE:
        await follow(conn, (await wake(conn, due, book)).changes, due)  # silence: our clock lets it climb
    assert await rows(conn, "SELECT severity FROM work_order") == [("critical",)]
    await sweep(conn, MORNING + 30 * MINUTE)  # a worker can still look at it

    await take(conn, book, shakes(world, 10, 40))
    assert await history(conn) == [
        ("raised", "minor", 0),
        ("severity", "major", 10),
        ("severity", "minor", 17),
        ("severity", "critical", 30),
        ("cleared", "critical", 40),
    ]
    words = [why for (why,) in await rows(conn, "SELECT why_en FROM order_move ORDER BY id")]
    assert [why.split(" at ")[0] for why in words][1:4] == [
        "the alarm stepped up to major",
        "the alarm stepped down to minor",
        "the alarm stepped up to critical",
    ]


async def test_a_backlog_of_steps_in_one_batch_writes_each_of_them(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    await take(
        conn, book, *(shakes(world, level, at) for at, level in enumerate([35, 55, 40, 40, 40, 40, 40, 40]))
    )
    assert await history(conn) == [
        ("raised", "minor", 0),
        ("severity", "major", 1),
        ("severity", "minor", 7),
    ]
    assert await rows(conn, "SELECT count(*), min(severity) FROM work_order") == [(1, "minor")]


async def test_what_flaps_is_one_alarm_with_one_order(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    for at in range(0, 50, 10):
        await take(conn, book, happens(world, "door_close_fault", at))
        await take(conn, book, happens(world, "automatic_restored", at + 5))
    alarms = await rows(
        conn, "SELECT raised_at, cleared_at, facts ->> 'flapped' FROM alarm ORDER BY raised_at"
    )
    assert [
        (minute(raised), cleared and minute(cleared), flapped) for raised, cleared, flapped in alarms
    ] == [
        (0, 5, None),
        (10, 15, None),
        (20, None, "5.0"),
    ]
    orders = await rows(conn, "SELECT status FROM work_order ORDER BY id")
    assert orders == [("cancelled",), ("cancelled",), ("open",)]
    for at in (104, 105):
        await follow(conn, (await wake(conn, MORNING + at * MINUTE, book)).changes, MORNING + at * MINUTE)
        live = await rows(conn, "SELECT count(*) FROM alarm WHERE cleared_at IS NULL")
        assert live == [(1 if at == 104 else 0,)]  # quiet since 45: an hour later it is over


async def test_what_another_gateway_overtook_moves_the_ladder_as_if_nothing_had(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    for heard in (shakes(world, 35, 0), shakes(world, 35, 12), shakes(world, 55, 11), shakes(world, 35, 13)):
        at = MORNING + 13 * MINUTE
        await follow(conn, await hear(conn, [heard], book, shared_at=at), at)
    assert await rows(conn, "SELECT severity FROM alarm") == [("major",)]
    assert await rows(conn, "SELECT severity FROM work_order") == [("major",)]
    assert await history(conn) == [("raised", "minor", 0), ("severity", "major", 11)]
    at = MORNING + 20 * MINUTE
    await follow(conn, await hear(conn, [shakes(world, 35, 20)], book, shared_at=at), at)
    assert (await history(conn))[-1] == ("severity", "minor", 17)


async def overtaken(conn: AsyncConnection, book: RuleBook, *heard: Heard) -> None:
    """Hear messages in this order, as several gateways do."""
    newest = max(each.received_at for each in heard)
    for each in heard:
        await follow(conn, await hear(conn, [each], book, shared_at=newest), newest)


async def test_what_another_gateway_overtook_is_counted_where_an_alarm_flaps(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    """Need 10: how often it came back is told as if everything had been heard in order."""
    comes = [happens(world, "door_close_fault", at) for at in (0, 10, 20, 26)]
    goes = [happens(world, "automatic_restored", at) for at in (5, 15, 25)]
    await overtaken(conn, book, comes[0], goes[0], comes[1], goes[1], comes[2], comes[3], goes[2])
    flapped = "SELECT facts ->> 'flapped', facts ->> 'flapped_within' FROM alarm ORDER BY raised_at"
    assert await rows(conn, flapped) == [(None, None), (None, None), ("4.0", "1h")]


async def test_an_alarm_that_lives_on_when_all_is_known_has_an_order_again(
    conn: AsyncConnection, world: World, book: RuleBook
) -> None:
    """Need 10: its order was cancelled when it seemed to be over."""
    comes = [happens(world, "door_close_fault", at) for at in (0, 10, 20)]
    goes = [happens(world, "automatic_restored", at) for at in (5, 15, 25)]
    for back, gone in zip(comes, goes, strict=True):
        await overtaken(conn, book, back, gone)
    await overtaken(conn, book, shakes(world, 0, 90))
    assert await rows(conn, "SELECT count(*) FROM alarm WHERE cleared_at IS NULL") == [(0,)]
    await overtaken(conn, book, happens(world, "door_close_fault", 84))
    live = "SELECT raised_at, facts ->> 'flapped' FROM alarm WHERE cleared_at IS NULL"
    assert await rows(conn, live) == [(MORNING + 20 * MINUTE, "1.0")]  # of the last hour
    orders = await rows(conn, "SELECT status FROM work_order ORDER BY id")
    assert orders == [("cancelled",), ("cancelled",), ("cancelled",), ("open",)]


@pytest.mark.parametrize(("status", "count"), [("completed", 2), ("cancelled", 2), ("accepted", 1)])
async def test_an_alarm_that_becomes_worse_when_its_order_is_over_asks_for_one_again(
    conn: AsyncConnection, world: World, book: RuleBook, status: str, count: int
) -> None:
    """Need 7: who is to come must know that it is worse than what was done about it."""
    await conn.execute("INSERT INTO staff (code, name, phone) VALUES ('li', 'LI', '138')")
    await take(conn, book, shakes(world, 35, 0))
    await conn.execute(
        "UPDATE work_order SET status = %(status)s, assignee_id = (SELECT id FROM staff WHERE code = 'li')",
        {"status": status},
    )
    await take(conn, book, shakes(world, 55, 10))
    orders = await rows(conn, "SELECT status, severity FROM work_order ORDER BY id")
    assert orders[0][0] == status
    assert orders[1:] == [("open", "major")] * (count - 1)


# Where the work on an order may stand when its alarm steps; the last is over.
STATES = ("open", "assigned", "accepted", "en_route", "in_progress", "on_hold", "completed")


async def storm(conn: AsyncConnection, book: RuleBook, lifts: int) -> list[AlarmChange]:
    """Alarms of many elevators step up or down at once, their orders in every state; three share one."""
    place = await alarm_world.build(conn, book)
    codes = [f"lift-{n}" for n in range(lifts)]
    for code in codes:
        await alarm_world.add_asset(conn, place, code, "elevator", "west")
    first = {code: {"door_vibration_db": 55.0 if n % 3 == 0 else 35.0} for n, code in enumerate(codes)}
    await place.say_all(conn, 0, first)
    await place.say_all(conn, 1, {code: {"door_vibration_db": 35.0} for code in codes})
    await place.say_all(conn, 2, {code: {"humidity_percent": 60.0} for code in codes[:3]})
    await conn.execute("INSERT INTO staff (code, name, phone) VALUES ('li', 'LI', '138')")
    await conn.execute(
        """
        UPDATE work_order AS o
           SET status = v.status, paused_at = CASE v.status WHEN 'on_hold' THEN opened_at END,
               held_at = CASE v.status WHEN 'on_hold' THEN opened_at END,
               hold_reason = CASE v.status WHEN 'on_hold' THEN 'parts' END,
               assignee_id = CASE WHEN v.status IN ('open', 'assigned') THEN NULL ELSE staff.id END
          FROM staff, unnest(%(states)s::text[]) WITH ORDINALITY AS v (status, n)
         WHERE v.n = o.id %% %(count)s + 1
        """,
        {"states": list(STATES), "count": len(STATES)},
    )
    at = alarm_world.moment(10)
    said = [
        Heard.of(
            place.devices[code],
            at,
            (
                Reading("door_vibration_db", at, 35.0 if n % 3 == 0 else 55.0),
                *([Reading("humidity_percent", at, (75.0, 95.0, 85.0)[n])] if n < 3 else []),
            ),
        )
        for n, code in enumerate(codes)
    ]
    return [each for each in await hear(conn, said, book) if each.kind == "stepped"]


async def what_became(conn: AsyncConnection) -> list[list[tuple[Any, ...]]]:
    """Every order, its story, and the messages, without the numbers of rows."""
    return [
        await rows(conn, "SELECT * FROM work_order ORDER BY id"),
        await rows(
            conn,
            "SELECT order_id, from_status, to_status, at, account_id, why_zh, why_en"
            "  FROM order_move ORDER BY order_id, id",
        ),
        await rows(conn, "SELECT key, topic, payload FROM outbox WHERE key LIKE 'stepped-%' ORDER BY key"),
        await rows(conn, "SELECT key, topic FROM outbox WHERE key LIKE 'job-changed-%' ORDER BY key"),
    ]


async def test_many_steps_at_once_do_what_they_do_one_by_one(conn: AsyncConnection, book: RuleBook) -> None:
    changes = await storm(conn, book, 24)
    policy, now = shipped_policy(), alarm_world.moment(10)
    before = await what_became(conn)
    async with conn.transaction(force_rollback=True):
        for each in changes:
            await stepping.step(conn, [each], now, policy)
        one_by_one = await what_became(conn)
    assert await what_became(conn) == before
    await stepping.step(conn, changes, now, policy)
    assert await what_became(conn) == one_by_one
    orders, story, raised, told = one_by_one
    assert (len(changes), len(orders)) == (27, 25)
    assert (len(story) - len(before[1]), len(raised), len(told)) == (23, 16, 15)


async def test_a_storm_of_steps_takes_as_many_statements_as_one(
    conn: AsyncConnection, book: RuleBook
) -> None:
    changes = await storm(conn, book, 100)
    policy, now = shipped_policy(), alarm_world.moment(10)
    async with conn.transaction(force_rollback=True):
        up = next(each for each in changes if each.severity == "major")
        with counted(conn) as one:
            await stepping.step(conn, [up], now, policy)
    with counted(conn) as many:
        await stepping.step(conn, changes, now, policy)
    assert len(changes) == 103
    assert len(many) <= len(one) + 3, "only the holders are asked for, and told, besides"
