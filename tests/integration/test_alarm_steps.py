"""Severity ladders and flapping on a real database: rows, their history, orders that follow, people told."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection, sql

from dispatch.alarms import follow
from dispatch.sweep import sweep
from gateway.signals import Device, Event, Heard, Reading
from rules.apply import hear, next_due, wake
from rules.book import RuleBook, load_rulebook
from tests.integration.dispatch_world import MINUTE, MORNING, World, build

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
        await follow(conn, await wake(conn, due, book), due)  # silence: our clock lets it climb
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
        await follow(conn, await wake(conn, MORNING + at * MINUTE, book), MORNING + at * MINUTE)
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
