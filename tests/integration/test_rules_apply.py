"""The rules on a real database: one alarm whoever races, timers that survive, memory that travels."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection, sql
from psycopg_pool import AsyncConnectionPool

from gateway.signals import Device, Event, Heard, Reading
from rules.apply import SETBACK, end_retired_rules, hear, next_due, wake
from rules.book import RuleBook, load_rulebook
from rules.changes import AlarmChange
from rules.places import settle
from storage.notify import listen

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def book() -> RuleBook:
    return load_rulebook()


async def install(
    conn: AsyncConnection, code: str = "bin-1", asset_class: str = "bin", profile: str = "bin-native"
) -> Device:
    """An asset with its sensor, in a community that is made with the first."""
    cursor = await conn.execute(
        """
        WITH c AS (
            INSERT INTO community (code, name_zh, name_en, timezone)
            VALUES ('bund', '外滩', 'Bund', 'Asia/Shanghai')
            ON CONFLICT (code) DO UPDATE SET code = excluded.code RETURNING id
        ), r AS (
            INSERT INTO area (community_id, code, name_zh, name_en)
            SELECT id, %(code)s, '东', 'East' FROM c RETURNING id
        ), a AS (
            INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en, attributes)
            SELECT c.id, r.id, %(class)s, %(code)s, '设备', 'Asset', '{"full_percent": 90}' FROM c, r
            RETURNING id
        ), d AS (
            INSERT INTO device (community_id, asset_id, code, profile)
            SELECT c.id, a.id, %(code)s, %(profile)s FROM c, a RETURNING id
        )
        SELECT c.id, d.id, a.id FROM c, d, a
        """,
        {"code": code, "class": asset_class, "profile": profile},
    )
    row = await cursor.fetchone()
    assert row is not None
    return Device(row[0], row[1], "bund", code, profile, row[2], asset_class)


def fill(device: Device, percent: float, minute: float, heard: float | None = None) -> Heard:
    ts = NOON + timedelta(minutes=minute)
    received = ts if heard is None else NOON + timedelta(minutes=heard)
    return Heard.of(device, received, (Reading("fill_percent", ts, percent),))


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def shown(changes: Sequence[AlarmChange]) -> list[tuple[str, str, float, bool]]:
    """Kind, rule, minute and whether people are told, of each change."""
    return [
        (change.kind, change.rule.code, (change.at - NOON) / timedelta(minutes=1), change.page)
        for change in changes
    ]


async def rows(conn: AsyncConnection, table: str, columns: str, order: str = "1") -> list[tuple[Any, ...]]:
    query = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(columns),
        sql.Identifier(table),
        sql.SQL(order),
    )
    return await (await conn.execute(query)).fetchall()


async def test_the_clock_raises_and_a_reading_clears(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    assert await hear(conn, [fill(device, 95, 0)], book) == []
    assert await next_due(conn) == minutes(5)
    assert (await wake(conn, minutes(4), book)).changes == []
    raised = (await wake(conn, minutes(5), book)).changes
    assert shown(raised) == [("raised", "bin_overflow", 5, True)]
    assert raised[0].facts == {"fill_percent": 95.0}
    assert raised[0].asset_id == device.asset_id
    assert (await wake(conn, minutes(6), book)).changes == []
    cleared = await hear(conn, [fill(device, 3, 9)], book)
    assert shown(cleared) == [("cleared", "bin_overflow", 9, True)]
    assert cleared[0].alarm_id == raised[0].alarm_id
    assert cleared[0].facts == {"fill_percent": 95.0}
    stored = await rows(
        conn, "alarm", "rule, severity, title_en, raised_at, recorded_at, paged_at, cleared_at"
    )
    five, nine = minutes(5), minutes(9)
    assert stored == [("bin_overflow", "major", "Bin overflowing", five, five, five, nine)]


async def test_an_alarm_that_comes_and_goes_within_one_batch_is_one_row_each_time(
    conn: AsyncConnection, book: RuleBook
) -> None:
    device = await install(conn)
    said = [(0, 95), (6, 96), (7, 4), (20, 95), (26, 96), (27, 4), (40, 95), (46, 96)]
    changes = await hear(conn, [fill(device, percent, minute, 46) for minute, percent in said], book)
    overflow = [change for change in shown(changes) if change[1] == "bin_overflow"]
    assert overflow == [
        ("raised", "bin_overflow", 5, False),
        ("cleared", "bin_overflow", 7, False),
        ("raised", "bin_overflow", 25, False),
        ("cleared", "bin_overflow", 27, False),
        ("raised", "bin_overflow", 45, True),
    ]
    stored = await rows(conn, "alarm", "raised_at, paged_at, cleared_at")
    assert stored == [
        (minutes(5), None, minutes(7)),
        (minutes(25), None, minutes(27)),
        (minutes(45), minutes(46), None),
    ]


async def test_a_finding_about_the_past_is_told_once_it_is_confirmed(
    conn: AsyncConnection, book: RuleBook
) -> None:
    device = await install(conn)
    backlog = [fill(device, 95, 0, 300), fill(device, 96, 6, 300)]
    assert shown(await hear(conn, backlog, book)) == [("raised", "bin_overflow", 5, False)]
    assert shown(await hear(conn, [fill(device, 97, 301)], book)) == [
        ("raised", "bin_nearly_full", 10, True),
        ("paged", "bin_overflow", 301, True),
    ]
    stored = await rows(conn, "alarm", "rule, paged_at")
    assert ("bin_overflow", minutes(301)) in stored


async def test_what_is_heard_again_changes_nothing(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    heard = [fill(device, 95, 0), fill(device, 96, 6)]
    await hear(conn, heard, book)
    before = await rows(conn, "device_state", "state::text, heard_at, next_due, xmin::text")
    again = [fill(device, 95, 0, 30), fill(device, 96, 6, 30)]
    assert await hear(conn, again, book) == []
    assert await rows(conn, "device_state", "state::text, heard_at, next_due, xmin::text") == before
    assert len(await rows(conn, "alarm", "id")) == 1


async def test_two_who_hear_one_device_at_once_raise_one_alarm(
    conn: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection], book: RuleBook
) -> None:
    devices = [await install(conn, f"bin-{n}") for n in range(8)]
    for device in devices:
        await hear(conn, [fill(device, 95, 0)], book)

    async def take(order: Sequence[Device], minute: float) -> list[AlarmChange]:
        async with pool.connection() as mine, mine.transaction():
            return await hear(mine, [fill(device, 96, minute) for device in order], book)

    takers = [take(devices if n % 2 else devices[::-1], 6 + n / 10) for n in range(6)]
    changes = [change for each in await asyncio.gather(*takers) for change in each]
    assert sorted(change.device_id for change in changes) == [device.device_id for device in devices]
    assert len(await rows(conn, "alarm", "id")) == len(devices)


async def test_two_who_wake_at_once_share_the_work(
    conn: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection], book: RuleBook
) -> None:
    devices = [await install(conn, f"bin-{n}") for n in range(6)]
    await hear(conn, [fill(device, 95, 0) for device in devices], book)
    async with pool.connection() as first, pool.connection() as second:
        mine = (await wake(first, minutes(5), book, limit=4)).changes
        theirs = (await wake(second, minutes(5), book, limit=4)).changes
    assert len(mine) == 4
    assert len(theirs) == 2
    assert {change.device_id for change in (*mine, *theirs)} == {device.device_id for device in devices}
    assert (await wake(conn, minutes(5), book)).changes == []


async def test_one_who_wakes_does_not_wait_for_one_who_hears(
    conn: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection], book: RuleBook
) -> None:
    device = await install(conn)
    await hear(conn, [fill(device, 95, 0)], book)
    async with pool.connection() as gateway, gateway.transaction():
        changes = await hear(gateway, [fill(device, 96, 6)], book)
        assert shown(changes) == [("raised", "bin_overflow", 5, True)]
        assert (await wake(conn, minutes(6), book)).changes == []
    assert (await wake(conn, minutes(6), book)).changes == []


async def test_what_a_lost_transaction_found_is_found_again(
    conn: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection], book: RuleBook
) -> None:
    """The gateway is killed before COMMIT: the broker sends the message again, to another gateway."""
    device = await install(conn)
    await hear(conn, [fill(device, 95, 0)], book)
    async with pool.connection() as killed:
        await hear(killed, [fill(device, 96, 6)], book)
        await killed.rollback()
    assert shown(await hear(conn, [fill(device, 96, 6, 8)], book)) == [("raised", "bin_overflow", 5, True)]


async def test_a_timer_outlives_the_process_that_began_it(database_url: str, book: RuleBook) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as one:
        device = await install(one)
        await hear(one, [fill(device, 95, 0)], book)
    async with await AsyncConnection.connect(database_url, autocommit=True) as other:
        assert shown((await wake(other, minutes(12), book)).changes) == [
            ("raised", "bin_nearly_full", 10, True),
            ("raised", "bin_overflow", 5, True),
        ]


async def test_an_alarm_raised_while_its_memory_was_lost_is_not_raised_twice(
    conn: AsyncConnection, book: RuleBook
) -> None:
    device = await install(conn)
    await hear(conn, [fill(device, 95, 0), fill(device, 96, 6)], book)
    await conn.execute("UPDATE device_state SET state = '{}'")
    assert await hear(conn, [fill(device, 95, 20), fill(device, 96, 26)], book) == []
    assert shown(await hear(conn, [fill(device, 2, 40)], book)) == [("cleared", "bin_overflow", 40, True)]


async def test_a_memory_that_was_deleted_begins_anew(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    await conn.execute("DELETE FROM device_state")
    changes = await hear(conn, [fill(device, 95, 0), fill(device, 96, 6)], book)
    assert shown(changes) == [("raised", "bin_overflow", 5, True)]


async def test_the_due_time_moves_only_when_it_must(conn: AsyncConnection, book: RuleBook) -> None:
    """A device that reports as it should: its silence is due ever later, its row keeps the first."""
    device = await install(conn)
    await hear(conn, [fill(device, 20, 0)], book)
    first = await next_due(conn)
    assert first == NOON + timedelta(hours=25)
    await hear(conn, [fill(device, 21, 60)], book)
    assert await next_due(conn) == first
    assert (await wake(conn, first, book)).changes == []
    assert await next_due(conn) == NOON + timedelta(hours=26)
    assert shown((await wake(conn, NOON + timedelta(hours=26), book)).changes) == [
        ("raised", "bin_silent", 26 * 60, True)
    ]
    assert await next_due(conn) == NOON + timedelta(hours=26, days=3)  # the next rung of its ladder
    back = await hear(conn, [fill(device, 22, 27 * 60)], book)
    assert shown(back) == [("cleared", "bin_silent", 27 * 60, True)]


async def test_a_retired_device_is_left_in_peace(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    await hear(conn, [fill(device, 20, 0)], book)
    await conn.execute("UPDATE device SET retired_at = %(at)s", {"at": minutes(10)})
    later = NOON + timedelta(days=9)
    woken = await wake(conn, later, book)
    assert (woken.changes, [each.code for each in woken.left]) == ([], ["bin-1"])
    assert await next_due(conn) == later + SETBACK
    await settle(conn, later, [each.device_id for each in woken.left])
    assert await next_due(conn) is None


async def test_a_kiosk_is_only_remembered_as_heard(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn, "kiosk-1", "lobby", "kiosk")
    kiosk = Device(device.community_id, device.device_id, "bund", "kiosk-1", "kiosk", None, None)
    assert await hear(conn, [Heard(kiosk, NOON, online=True)], book) == []
    assert await rows(conn, "device_state", "heard_at, online") == [(NOON, True)]


async def test_many_devices_and_rules_in_one_batch(conn: AsyncConnection, book: RuleBook) -> None:
    bins = [await install(conn, f"bin-{n}") for n in range(3)]
    lift = await install(conn, "lift-1", "elevator", "elevator-native")
    heard = [fill(device, 40 + 30 * n, 0) for n, device in enumerate(bins)]
    heard += [Heard(lift, NOON, events=(Event("passenger_entrapment", NOON, "floor 3"),))]
    heard += [fill(device, 40 + 30 * n, 20) for n, device in enumerate(bins)]
    heard += [Heard.of(lift, minutes(20), (Reading("passenger_present", minutes(20), 0.0),))]
    changes = await hear(conn, heard, book)
    assert sorted(shown(changes)) == [
        ("cleared", "entrapment", 20, True),
        ("raised", "bin_nearly_full", 10, True),
        ("raised", "bin_overflow", 5, True),
        ("raised", "entrapment", 0, True),
    ]
    stored = await rows(conn, "alarm", "rule, facts")
    assert ("entrapment", {"event": "passenger_entrapment", "detail": "floor 3"}) in stored


async def test_alarms_of_a_rule_that_is_gone_are_ended(conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    await hear(conn, [fill(device, 95, 0), fill(device, 96, 6)], book)
    await conn.execute("UPDATE alarm SET rule = 'of_old'")
    assert await end_retired_rules(conn, book, minutes(7)) == 1
    assert await rows(conn, "alarm", "cleared_at") == [(minutes(7),)]
    assert await end_retired_rules(conn, book, minutes(8)) == 0


async def test_listeners_are_told_of_alarms(database_url: str, conn: AsyncConnection, book: RuleBook) -> None:
    device = await install(conn)
    words = listen(database_url)
    assert (await anext(words)).what == "connected"
    (raised,) = await hear(conn, [fill(device, 95, 0), fill(device, 96, 6)], book)
    word = await asyncio.wait_for(anext(words), 60)
    assert (word.what, word.ids, word.community_id) == ("alarm", (raised.alarm_id,), device.community_id)
    await words.aclose()
