"""What an alarm is about stays so when its device is moved or retired: it ends, and its orders say why."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.profiles import load_profiles
from dispatch import acknowledging, leaving
from dispatch.alarms import follow
from dispatch.store import alarm_lists, jobs, proof
from dispatch.store.board import board
from dispatch.store.standing import standings
from dispatch.store.story import story
from gateway.devices import register, store
from gateway.devices.draft import Fit, Wanted
from gateway.devices.judging import judge
from gateway.devices.register import GoneMeanwhile, Hand
from gateway.signals import Device, Heard, Reading
from rules.apply import hear, wake
from rules.places import settle
from rules.rule import HeldBy
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
from web.desk_store import alarm_view
from web.device_store import alarms as device_alarms

MOVED, RETIRED = "its device was moved to another asset", "its device was retired"


@pytest.fixture
async def place(conn: AsyncConnection, tmp_path: Path) -> Place:
    return await build(conn, the_book(tmp_path))


def hand(minute: float) -> Hand:
    return Hand(moment(minute), "page")


async def fit(conn: AsyncConnection, code: str, asset: str) -> Fit:
    wanted = Wanted("bund", code, "bin-native", asset)
    judged = judge(wanted, await register.survey(conn, [wanted], load_profiles(), {}))
    assert isinstance(judged, Fit), judged
    return judged


async def move(conn: AsyncConnection, place: Place, code: str, asset: str, minute: float) -> None:
    """Give a device another asset, as the page does; gateways hear of it."""
    async with conn.transaction():
        await leaving.apply(conn, [await fit(conn, code, asset)], hand(minute))
    place.devices[code] = _at(place, code, asset)


def _at(place: Place, code: str, asset: str) -> Device:
    device = place.devices[code]
    return Device(
        device.community_id, device.device_id, "bund", code, device.profile, place.assets[asset], "bin"
    )


async def live(conn: AsyncConnection) -> list[tuple[str, int]]:
    """The live alarms: rule, and the asset it is about."""
    return await rows(conn, "SELECT rule, asset_id FROM alarm WHERE cleared_at IS NULL ORDER BY id")


async def why(conn: AsyncConnection, alarm_id: int) -> list[tuple[str, str]]:
    """The end of an alarm's history, with its reason."""
    return [(each.kind, each.why.en) for each in (await alarm_lists.alarm_events(conn, alarm_id))[-1:]]


async def notes(conn: AsyncConnection) -> list[tuple[str, str]]:
    """The newest move of every order."""
    return await rows(
        conn,
        "SELECT DISTINCT ON (order_id) to_status, why_en FROM order_move ORDER BY order_id, id DESC",
    )


async def test_a_moved_devices_alarms_end_and_stay_where_they_were(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, fill_percent=95)
    alarm = await alarm_of(conn, "full")
    await acknowledging.acknowledge(conn, alarm, DESK, moment(1), timedelta(hours=1), "去看")
    await move(conn, place, "bin-1", "bin-3", 5)

    assert await live(conn) == []
    assert await history(conn, alarm) == [
        ("raised", 0),
        ("paged", 0),
        ("ordered", 0),
        ("acknowledged", 1),
        ("cleared", 5),
    ]
    assert await why(conn, alarm) == [("cleared", MOVED)]
    assert await notes(conn) == [("cancelled", MOVED)]
    assert await rows(conn, "SELECT ended_by FROM alarm_ack") == [("cleared",)]

    # What was is told of the place where it was; the new place has no past.
    [line] = await alarm_lists.past_alarms(conn, None, moment(-1), moment(9))
    view = await alarm_view(conn, alarm, [place.community])
    assert view is not None
    old, new = place.assets["bin-1"], place.assets["bin-3"]
    assert (line.asset_id, line.area_id, view.asset_id) == (old, place.areas["east"], old)
    assert (line.place.en, view.place.en) == ("bin-1", "bin-1")
    assert (line.ended.en, view.ended.en) == (MOVED, MOVED)
    told = await story(conn, (await rows(conn, "SELECT max(id) FROM work_order"))[0][0])
    assert ("Alarm ended: full", f"device bin-1: {MOVED}") in [
        (each.title.en, each.detail.en) for each in told
    ]
    [shown] = await device_alarms(conn, place.devices["bin-1"].device_id)
    assert shown.elsewhere.en == "bin-1"
    assert [len(await jobs.past_faults(conn, each, 0)) for each in (old, new)] == [1, 0]
    histories = [await proof.asset_history(conn, each) for each in (old, new)]
    assert [[entry.kind for entry in each.entries] if each else None for each in histories] == [
        ["alarm", "order"],
        [],
    ]

    # At the new place everything begins anew.
    await place.say(conn, "bin-1", 6, fill_percent=95)
    assert await live(conn) == [("full", new)]
    found = await board(conn, None, moment(7))
    assert [(each.place.en, each.device) for each in found.alarms] == [("bin-3", "bin-1")]
    assert await orders(conn) == [
        ("cancelled", "minor", ["full@bin-1"]),
        ("open", "minor", ["full@bin-1"]),
    ]
    places = await rows(conn, "SELECT asset_id, area_id FROM work_order ORDER BY id")
    assert places == [(old, place.areas["east"]), (new, place.areas["west"])]


async def test_a_retired_devices_alarms_end_and_begin_anew_when_it_is_back(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, temperature_c=80)
    hot = await alarm_of(conn, "hot")
    device = place.devices["bin-1"].device_id
    async with conn.transaction():
        await leaving.retire(conn, device, hand(5))
    assert await live(conn) == []
    assert await why(conn, hot) == [("cleared", RETIRED)]
    # Both orders say so; the one that does not go with its alarm stays, with a note.
    assert await notes(conn) == [("open", RETIRED), ("cancelled", RETIRED)]
    for minute in (60, 60 * 24 * 60):
        async with conn.transaction():
            assert (await wake(conn, moment(minute), place.book)).changes == []

    # What a batch has in hand of it is judged by nothing.
    await place.say(conn, "bin-1", 4, temperature_c=90)
    assert await live(conn) == []

    [retired] = await store.changes(conn, device)
    async with conn.transaction():
        await leaving.undo(conn, retired.id, device, hand(7))
    assert await live(conn) == []  # what ended stays ended
    await place.say(conn, "bin-1", 8, temperature_c=85)
    assert sorted(rule for rule, _ in await live(conn)) == ["hot", "smelly"]
    assert await rows(conn, "SELECT count(*) FROM alarm") == [(4,)]


async def test_a_move_taken_back_ends_what_began_at_the_new_place(
    conn: AsyncConnection, place: Place
) -> None:
    await move(conn, place, "bin-1", "bin-3", 0)
    await place.say(conn, "bin-1", 1, temperature_c=80)
    device = place.devices["bin-1"].device_id
    [moved] = await store.changes(conn, device)
    async with conn.transaction():
        await leaving.undo(conn, moved.id, device, hand(2))
    assert await live(conn) == []
    with pytest.raises(GoneMeanwhile):
        async with conn.transaction():
            await leaving.undo(conn, moved.id, device, hand(3))
    place.devices["bin-1"] = _at(place, "bin-1", "bin-1")
    await place.say(conn, "bin-1", 4, battery_percent=5)
    assert await live(conn) == [("low", place.assets["bin-1"])]


async def test_a_change_that_moves_nothing_ends_nothing(conn: AsyncConnection, place: Place) -> None:
    await place.say(conn, "bin-1", 0, fill_percent=95)
    memory = "SELECT state::text, since, next_due FROM device_state ORDER BY device_id"
    before = await rows(conn, memory)
    wanted = Wanted("bund", "bin-1", "bin-native", "bin-1", attributes={"note_key": "under the mat"})
    judged = judge(wanted, await register.survey(conn, [wanted], load_profiles(), {}))
    assert isinstance(judged, Fit)
    async with conn.transaction():
        await leaving.apply(conn, [judged], hand(1))
    assert await live(conn) == [("full", place.assets["bin-1"])]
    assert await rows(conn, memory) == before


async def test_what_was_measured_before_the_move_is_not_judged_after_it(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, fill_percent=20)
    await move(conn, place, "bin-1", "bin-3", 10)
    device = place.devices["bin-1"]
    backlog = [Heard.of(device, moment(12), (Reading("temperature_c", moment(9), 80.0),))]
    for shared_at in (None, moment(12)):
        async with conn.transaction():
            assert await hear(conn, backlog, place.book, shared_at) == []
    assert await live(conn) == []
    await place.say(conn, "bin-1", 13, temperature_c=80)
    assert sorted(rule for rule, _ in await live(conn)) == ["hot", "smelly"]


async def test_what_gateways_kept_to_put_in_order_is_forgotten_with_the_move(
    conn: AsyncConnection, place: Place
) -> None:
    """An alarm that ended by a move would else be put right, and live again at the old place."""
    device = place.devices["bin-1"]

    async def says(minute: float, received: float, percent: float) -> None:
        heard = [Heard.of(device, moment(received), (Reading("fill_percent", moment(minute), percent),))]
        async with conn.transaction():
            await follow(conn, await hear(conn, heard, place.book, moment(received)), moment(received))

    await says(1, 1, 95)
    assert await live(conn) == [("full", place.assets["bin-1"])]
    await move(conn, place, "bin-1", "bin-3", 5)
    assert await rows(conn, "SELECT count(*) FROM hearing") == [(0,)]
    device = place.devices["bin-1"]
    await says(2, 6, 40)
    await says(0, 6, 96)
    assert await live(conn) == []
    assert await rows(conn, "SELECT cleared_at FROM alarm") == [(moment(5),)]


async def test_a_silent_device_that_is_moved_is_not_forgotten(conn: AsyncConnection, place: Place) -> None:
    """Missing data is not recovery: it is heard of in time at its new place, or told of as silent again."""
    await place.say(conn, "bin-1", 0, fill_percent=20)
    await move(conn, place, "bin-1", "bin-3", 10)
    assert await rows(
        conn,
        "SELECT heard_at, next_due > since FROM device_state WHERE device_id = %s",
        place.devices["bin-1"].device_id,
    ) == [(moment(0), True)]


async def test_an_asset_that_retires_on_a_day_ends_its_alarms_when_the_day_comes(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, temperature_c=80)
    await place.say(conn, "bin-2", 0, temperature_c=80)
    await conn.execute("UPDATE asset SET retired_on = '2026-11-24' WHERE code = 'bin-1'")
    day = 24 * 60
    for minute, left in ((10, 4), (day, 2)):
        async with conn.transaction():
            await leaving.settle(conn, moment(minute))
        assert len(await live(conn)) == left
    assert await why(conn, await alarm_of(conn, "hot", "bin-1")) == [("cleared", "the asset was retired")]
    async with conn.transaction():
        assert await leaving.settle(conn, moment(day + 1)) == []


async def test_what_holds_an_alarm_is_looked_for_where_the_alarm_is(
    conn: AsyncConnection, place: Place
) -> None:
    await place.say(conn, "bin-1", 0, tilted=1)
    await place.say(conn, "bin-1", 1, temperature_c=80)
    await conn.execute(
        "UPDATE device SET asset_id = %(to)s WHERE code = 'bin-1'", {"to": place.assets["bin-3"]}
    )
    tipped = await alarm_of(conn, "tipped")
    [found] = await standings(conn, {tipped: HeldBy(alarms=("hot",))}, moment(2))
    assert (found.asset_id, found.area_id) == (place.assets["bin-1"], place.areas["east"])
    assert found.alarm is not None


# --- races -----------------------------------------------------------------------------------------------


async def _blocked(conn: AsyncConnection, work: "asyncio.Task[None]") -> None:
    """Wait until somebody waits for a lock."""
    async with asyncio.timeout(20):
        while not await rows(
            conn,
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        ):
            assert not work.done(), work
            await asyncio.sleep(0.01)


def _task(work: Awaitable[None]) -> "asyncio.Task[None]":
    return asyncio.ensure_future(work)


async def test_a_batch_before_the_move_raises_at_the_old_place_and_the_move_ends_it(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place
) -> None:
    judged = await fit(conn, "bin-1", "bin-3")

    async def moves() -> None:
        async with pool.connection() as own, own.transaction():
            await leaving.apply(own, [judged], hand(2))

    heard = [Heard.of(place.devices["bin-1"], moment(1), (Reading("fill_percent", moment(1), 95.0),))]
    async with pool.connection() as batch:
        async with batch.transaction():
            changes = await hear(batch, heard, place.book)
            moving = _task(moves())
            await _blocked(conn, moving)
            await follow(batch, changes, moment(1))
        await moving
    assert await live(conn) == []
    assert await rows(conn, "SELECT asset_id, ended_en FROM alarm") == [(place.assets["bin-1"], MOVED)]
    assert await notes(conn) == [("cancelled", MOVED)]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_batch_behind_the_move_raises_at_the_new_place(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place, *, shared: bool
) -> None:
    """Its messages were understood with the old asset, and it waits for the memory while the device moves."""
    await place.say(conn, "bin-1", 0, fill_percent=20)
    heard = [Heard.of(place.devices["bin-1"], moment(3), (Reading("fill_percent", moment(3), 95.0),))]

    async def hears() -> None:
        async with pool.connection() as own, own.transaction():
            shared_at = moment(3) if shared else None
            await follow(own, await hear(own, heard, place.book, shared_at), moment(3))

    async with pool.connection() as mover:
        async with mover.transaction():
            await leaving.apply(mover, [await fit(mover, "bin-1", "bin-3")], hand(2))
            hearing = _task(hears())
            await _blocked(conn, hearing)
        await hearing
    assert await live(conn) == [("full", place.assets["bin-3"])]
    assert await rows(conn, "SELECT area_id FROM work_order") == [(place.areas["west"],)]


async def test_a_batch_behind_the_end_of_its_device_raises_nothing(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place
) -> None:
    heard = [Heard.of(place.devices["bin-1"], moment(3), (Reading("fill_percent", moment(3), 95.0),))]

    async def hears() -> None:
        async with pool.connection() as own, own.transaction():
            await follow(own, await hear(own, heard, place.book), moment(3))

    async with pool.connection() as mover:
        async with mover.transaction():
            await leaving.retire(mover, place.devices["bin-1"].device_id, hand(2))
            hearing = _task(hears())
            await _blocked(conn, hearing)
        await hearing
    assert await rows(conn, "SELECT FROM alarm") == []


async def test_many_moves_and_many_batches_leave_no_alarm_where_no_device_is(
    conn: AsyncConnection, pool: AsyncConnectionPool, place: Place
) -> None:
    """Whatever comes first: a live alarm is about what its device watches, and nobody waits in a ring."""
    codes = ("bin-1", "bin-2", "bin-3")

    async def hears(turn: int) -> None:
        for minute in range(1, 13):
            percent = 95.0 if (minute + turn) % 2 else 20.0
            at = moment(minute)
            heard = [
                Heard.of(place.devices[code], at, (Reading("fill_percent", at, percent),)) for code in codes
            ]
            async with pool.connection() as own, own.transaction():
                await follow(own, await hear(own, heard, place.book), at)

    async def moves(code: str) -> None:
        for turn in range(6):
            async with pool.connection() as own, own.transaction():
                try:
                    await leaving.apply(own, [await fit(own, code, codes[turn % 3])], hand(turn))
                except GoneMeanwhile:
                    continue

    await asyncio.gather(hears(0), hears(1), *(moves(code) for code in codes))
    strays = await rows(
        conn,
        "SELECT m.id FROM alarm m JOIN device d ON d.id = m.device_id"
        " WHERE m.cleared_at IS NULL AND m.asset_id <> d.asset_id",
    )
    assert strays == []
    assert (
        await rows(
            conn,
            "SELECT FROM device_state s JOIN device d ON d.id = s.device_id"
            " WHERE s.asset_id IS DISTINCT FROM d.asset_id",
        )
        == []
    )


async def test_settling_one_device_reads_no_others_memory(conn: AsyncConnection, place: Place) -> None:
    """An edit of a device costs the same in one community as beside a thousand."""
    await conn.execute(
        "INSERT INTO community (code, name_zh, name_en, timezone)"
        " SELECT 'other-' || n, '', '', 'UTC' FROM generate_series(1, 1000) AS n"
    )
    await conn.execute(
        "INSERT INTO device (community_id, code, profile)"
        " SELECT id, 'many-' || n, 'bin-native' FROM community, generate_series(1, 5) AS n"
    )
    for table in ("device", "device_state"):
        await conn.execute(f"ANALYZE {table}".encode())
    device = place.devices["bin-1"].device_id
    async with conn.transaction():
        await conn.execute(
            "UPDATE device SET retired_at = %(at)s WHERE id = %(id)s", {"at": moment(0), "id": device}
        )
        await settle(conn, moment(1), [device])
        [(passed, searched)] = await rows(
            conn,
            "SELECT seq_tup_read, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'device_state'",
        )
    assert passed == 0
    assert searched <= 10
    assert await rows(conn, "SELECT count(*) FROM device_state WHERE retired") == [(1,)]
