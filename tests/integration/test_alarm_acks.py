"""“I am on it until then”: what it quiets, what ends it, and that people are told again when nobody does."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation, RestrictViolation, UniqueViolation
from psycopg_pool import AsyncConnectionPool

from dispatch import acknowledging, moves, office
from dispatch.people import By, Who
from dispatch.refusals import AlarmOver, BadField, DispatchRefusal, NoSuchAlarm, NotAcknowledged
from dispatch.sweep import sweep
from tests.integration.alarm_world import (
    DESK,
    Place,
    alarm_of,
    build,
    history,
    moment,
    orders,
    rows,
    the_book,
)

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
async def place(conn: AsyncConnection, tmp_path: Path) -> Place:
    return await build(conn, the_book(tmp_path))


async def told(conn: AsyncConnection) -> list[tuple[str, str]]:
    """Messages to the office: whom, and what."""
    return await rows(
        conn,
        "SELECT split_part(topic, '/', 4), payload::jsonb ->> 'what' FROM outbox"
        " WHERE topic LIKE '%%/office/%%' ORDER BY id",
    )


async def test_an_acknowledgement_that_nobody_follows_up_expires(conn: AsyncConnection, place: Place) -> None:
    """Need 5: people are told again when its time is over. Need 6: and reminded until somebody takes it."""
    await place.say(conn, "bin-1", 0, battery_percent=5)
    alarm = await alarm_of(conn, "low")
    until = await acknowledging.acknowledge(conn, alarm, DESK, moment(1), HALF_AN_HOUR, "去拿电池")
    assert until == moment(31)
    assert await place.look(conn, 30) == moment(31)
    assert await told(conn) == []
    for minute in (31, 61, 91, 121):
        assert await place.look(conn, minute) == moment(minute + 30)
        assert await place.look(conn, minute + 1) == moment(minute + 30)
    # The ladder of the house: the dispatcher twice, then the manager again and again.
    assert await told(conn) == [
        ("dispatcher", "ack_expired"),
        ("dispatcher", "reminded"),
        ("manager", "reminded"),
        ("manager", "reminded"),
    ]
    await acknowledging.acknowledge(conn, alarm, Who("李经理"), moment(125), HALF_AN_HOUR)
    assert await place.look(conn, 130) == moment(155)
    await place.say(conn, "bin-1", 140, battery_percent=90)
    assert await place.look(conn, 200) is None
    assert len(await told(conn)) == 4
    assert await history(conn, alarm) == [
        ("raised", 0),
        ("paged", 0),
        ("acknowledged", 1),
        ("ack_expired", 31),
        ("reminded", 61),
        ("reminded", 91),
        ("reminded", 121),
        ("acknowledged", 125),
        ("cleared", 140),
    ]
    ends = await rows(conn, "SELECT name, ended_by FROM alarm_ack ORDER BY id")
    assert ends == [("陈调度", "replaced"), ("李经理", "cleared")]


async def test_the_ladder_of_an_order_stands_still_and_then_goes_on(
    conn: AsyncConnection, place: Place
) -> None:
    """Nobody has the skill, so the office is asked at once; not while somebody says that they are on it."""
    await place.say(conn, "bin-1", 0, tilted=1)
    await acknowledging.acknowledge(conn, await alarm_of(conn, "tipped"), DESK, moment(0), HALF_AN_HOUR)
    await sweep(conn, moment(0))
    assert await told(conn) == []
    assert await sweep(conn, moment(20)) == moment(30)
    await place.look(conn, 30)
    await sweep(conn, moment(30))
    await sweep(conn, moment(50))
    assert await told(conn) == [
        ("dispatcher", "ack_expired"),
        ("dispatcher", "escalated"),
        ("dispatcher", "escalated"),
        ("manager", "escalated"),
    ]
    # The order's own ladder reminds people: the acknowledgement does not do so as well.
    await place.look(conn, 60)
    await place.look(conn, 90)
    assert len(await told(conn)) == 4


async def test_an_order_is_quiet_only_while_all_its_alarms_are_acknowledged(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say_all(conn, 0, {"bin-1": {"fill_percent": 95}, "bin-2": {"fill_percent": 95}})
    first, second = await alarm_of(conn, "full", "bin-1"), await alarm_of(conn, "full", "bin-2")
    await acknowledging.acknowledge(conn, first, DESK, moment(0), HALF_AN_HOUR)
    await sweep(conn, moment(0))
    assert len(await told(conn)) == 1
    await acknowledging.acknowledge(conn, second, DESK, moment(1), HALF_AN_HOUR)
    await sweep(conn, moment(15))
    assert len(await told(conn)) == 1
    await acknowledging.withdraw(conn, second, DESK, moment(16))
    await sweep(conn, moment(16))
    assert len(await told(conn)) > 1


async def _accepted(conn: AsyncConnection, place: Place, minute: float) -> None:
    await conn.execute("INSERT INTO staff (code, name) VALUES ('li', 'Li') ON CONFLICT DO NOTHING")
    await conn.execute("INSERT INTO staff_skill SELECT id, 'cleaning' FROM staff")
    await conn.execute("INSERT INTO staff_area SELECT staff.id, area.id FROM staff, area")
    await conn.execute("INSERT INTO shift SELECT id, 1, '00:00', '00:00' FROM staff")
    await conn.execute(
        "INSERT INTO account (login, name, role, staff_id) SELECT 'li', 'Li', 'technician', id FROM staff"
    )
    [(order, staff, account)] = await rows(
        conn,
        "SELECT o.id, a.staff_id, a.id FROM work_order o, account a WHERE a.login = 'li'",
    )
    await office.assign(conn, order, staff, By(place.account), moment(minute))
    await moves.accept(conn, order, By(account, staff), moment(minute))


@pytest.mark.parametrize("word", ["accepted", "noted", "cancelled"])
async def test_what_follows_an_acknowledgement_up(conn: AsyncConnection, place: Place, word: str) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    await acknowledging.acknowledge(conn, alarm, DESK, moment(1), HALF_AN_HOUR)
    [(order,)] = await rows(conn, "SELECT id FROM work_order")
    if word == "accepted":
        await _accepted(conn, place, 5)
    elif word == "noted":
        await office.note(conn, order, By(place.account), moment(5), "已联系师傅")
    else:
        await office.cancel(conn, order, By(place.account), moment(5), "误报")
    await place.look(conn, 31)
    assert (await history(conn, alarm))[-1] == ("followed_up", 31)
    assert ("dispatcher", "ack_expired") not in await told(conn)
    assert await place.look(conn, 62) is None


async def test_word_from_before_is_no_follow_up(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    [(order,)] = await rows(conn, "SELECT id FROM work_order")
    await office.note(conn, order, By(place.account), moment(1), "看一下")
    alarm = await alarm_of(conn, "tipped")
    await acknowledging.acknowledge(conn, alarm, DESK, moment(2), HALF_AN_HOUR)
    await place.look(conn, 32)
    assert (await history(conn, alarm))[-1] == ("ack_expired", 32)


async def test_what_cannot_be_acknowledged(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    for lasting in (timedelta(), timedelta(minutes=-5), timedelta(hours=25)):
        with pytest.raises(BadField, match="lasting"):
            await acknowledging.acknowledge(conn, alarm, DESK, moment(1), lasting)
    with pytest.raises(BadField, match="name"):
        await acknowledging.acknowledge(conn, alarm, Who("  "), moment(1))
    with pytest.raises(BadField, match="words"):
        await acknowledging.acknowledge(conn, alarm, DESK, moment(1), words="长" * 501)
    with pytest.raises(NoSuchAlarm):
        await acknowledging.acknowledge(conn, 999, DESK, moment(1))
    with pytest.raises(NotAcknowledged):
        await acknowledging.withdraw(conn, alarm, DESK, moment(1))
    await place.say(conn, "bin-1", 2, tilted=0)
    with pytest.raises(AlarmOver):
        await acknowledging.acknowledge(conn, alarm, DESK, moment(3))
    assert await rows(conn, "SELECT count(*) FROM alarm_ack") == [(0,)]


@pytest.mark.parametrize("_again", range(6))
async def test_acknowledging_while_the_alarm_ends_and_another_one_expires(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    """Whichever is first: nothing stands about an alarm that is over, and nobody is told of it afterwards."""
    await place.say(conn, "bin-1", 0, battery_percent=5)
    alarm = await alarm_of(conn, "low")
    await acknowledging.acknowledge(conn, alarm, DESK, moment(0), HALF_AN_HOUR)
    ready = asyncio.Barrier(3)

    async def one(act: str) -> object:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            if act == "clear":
                await place.say(own, "bin-1", 30, battery_percent=90)
            elif act == "look":
                await place.look(own, 30)
            else:
                try:
                    async with own.transaction():
                        await acknowledging.acknowledge(own, alarm, Who("李"), moment(30), HALF_AN_HOUR)
                except DispatchRefusal as refused:
                    return refused
        return None

    _, _, refused = await asyncio.gather(one("clear"), one("look"), one("acknowledge"))
    before = await told(conn)
    await place.look(conn, 100)
    assert await told(conn) == before
    assert await rows(conn, "SELECT count(*) FROM alarm_ack WHERE ended_at IS NULL") == [(0,)]
    assert isinstance(refused, AlarmOver | None)
    kinds = [kind for kind, _ in await history(conn, alarm)]
    assert kinds.count("cleared") == 1
    assert kinds.count("acknowledged") == (1 if refused else 2)


@pytest.mark.parametrize("_again", range(4))
async def test_two_people_acknowledge_at_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, _again: int
) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    ready = asyncio.Barrier(3)

    async def one(name: str) -> None:
        async with pool.connection() as own:
            await own.execute("SELECT 1")
            await ready.wait()
            async with own.transaction():
                await acknowledging.acknowledge(own, alarm, Who(name), moment(1), HALF_AN_HOUR)

    await asyncio.gather(*(one(name) for name in ("a", "b", "c")))
    ends = await rows(conn, "SELECT ended_by FROM alarm_ack ORDER BY ended_by")
    assert ends == [("replaced",), ("replaced",), (None,)]


async def test_two_workers_tell_again_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, battery_percent=5)
    await acknowledging.acknowledge(conn, await alarm_of(conn, "low"), DESK, moment(0), HALF_AN_HOUR)

    async def looks() -> None:
        async with pool.connection() as own:
            await place.look(own, 31)

    await asyncio.gather(*(looks() for _ in range(4)))
    assert await told(conn) == [("dispatcher", "ack_expired")]


async def test_the_history_of_an_alarm_is_durable_and_its_times_are_right(
    conn: AsyncConnection, place: Place
) -> None:
    """Need 9: event time and ours, by whom, never changed, never twice; a duration is what it was."""
    await place.say(conn, "bin-1", 0, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    await acknowledging.acknowledge(conn, alarm, Who("陈", place.account), moment(2))
    await place.say(conn, "bin-1", 45, tilted=0)
    lines = await rows(
        conn, "SELECT kind, at, recorded_at, severity, name, account_id FROM alarm_event ORDER BY id"
    )
    assert lines == [
        ("raised", moment(0), moment(0), "minor", "", None),
        ("paged", moment(0), moment(0), "minor", "", None),
        ("ordered", moment(0), moment(0), "minor", "", None),
        ("acknowledged", moment(2), moment(2), "minor", "陈", place.account),
        ("cleared", moment(45), moment(45), "minor", "", None),
    ]
    assert await rows(conn, "SELECT cleared_at - raised_at FROM alarm") == [(timedelta(minutes=45),)]
    for change in ("UPDATE alarm_event SET name = 'x'", "DELETE FROM alarm_event", "TRUNCATE alarm_event"):
        with pytest.raises(RestrictViolation, match="append-only"):
            await conn.execute(change)
    with pytest.raises(UniqueViolation, match="alarm_event_once"):
        await conn.execute(
            """
            INSERT INTO alarm_event (alarm_id, community_id, kind, at, recorded_at, severity)
            SELECT alarm_id, 1, 'cleared', at, at, 'minor' FROM alarm_event LIMIT 1
            """
        )


async def test_no_alarm_changes_without_its_line_of_history(conn: AsyncConnection, place: Place) -> None:
    """Whoever writes it, and whatever code they forgot to call."""
    await place.say(conn, "bin-1", 0, tilted=1)
    alarm = await alarm_of(conn, "tipped")
    await conn.execute("UPDATE alarm SET severity = 'major', severity_at = %s", (moment(5),))
    await conn.execute("UPDATE alarm SET cleared_at = %s, cleared_known_at = %s", (moment(7), moment(9)))
    assert (await history(conn, alarm))[-2:] == [("severity", 5), ("cleared", 7)]
    [(severity, known)] = await rows(
        conn, "SELECT severity, recorded_at FROM alarm_event ORDER BY id DESC LIMIT 1"
    )
    assert (severity, known) == ("major", moment(9))


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE alarm_ack SET look_at = NULL",
        "UPDATE alarm_ack SET until = at",
        "UPDATE alarm_ack SET until = at + interval '8 days'",
        "UPDATE alarm_ack SET name = ''",
        "UPDATE alarm SET held_at = now()",
        """INSERT INTO mute (community_id, why, name, at, until)
           SELECT id, '', 'x', now(), now() + interval '1 h' FROM community""",
        """INSERT INTO mute (community_id, why, name, at, until)
           SELECT id, 'x', 'x', now(), now() + interval '91 d' FROM community""",
        """INSERT INTO emergency (community_id, kind, reason, declared_at, name)
           SELECT id, 'storm', '', now(), 'x' FROM community""",
    ],
)
async def test_the_schema_refuses_what_would_be_forgotten(
    conn: AsyncConnection, place: Place, broken: str
) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    await acknowledging.acknowledge(conn, await alarm_of(conn, "tipped"), DESK, moment(1))
    with pytest.raises(CheckViolation):
        await conn.execute(broken.encode())
    assert len(await orders(conn)) == 1
