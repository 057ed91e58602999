"""Registering, changing and adopting devices: all or nothing, undone; what waited is taken once."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg_pool import AsyncConnectionPool

from clerestory.adopting import BATCH, adopt_some
from clerestory.commands.load import load_into
from clerestory.site import Site
from clerestory.worker import run_worker
from config.profiles import load_profiles
from config.settings import Settings
from gateway.delivery import Delivery
from gateway.devices import adopting, guessing, listing, register, store, strangers
from gateway.devices.draft import Fit, Registered, Wanted
from gateway.devices.judging import judge
from gateway.devices.register import DeviceRefused, GoneMeanwhile, Hand
from rules.book import load_rulebook
from tests.integration.gateway_world import (
    PATIENCE,
    WINDOW,
    World,
    make_ingest,
    make_world,
    one,
    said,
    until,
    up,
)
from tests.integration.test_broker_files import Answer, command
from tests.manual_clock import START, ManualClock

ATTRIBUTES = listing.rule_attributes(load_rulebook())
EUI = "24e124713c400001"


async def judged(conn: AsyncConnection, *wanted: Wanted) -> list[Fit]:
    land = await register.survey(conn, wanted, load_profiles(), ATTRIBUTES)
    fits = [judge(each, land) for each in wanted]
    assert all(isinstance(fit, Fit) for fit in fits), fits
    return [fit for fit in fits if isinstance(fit, Fit)]


def native(code: str, asset: str = "asset-bin-1", **attributes: str) -> Wanted:
    return Wanted("court", code, "bin-native", asset, attributes=attributes)


def radio(code: str, eui: str = EUI) -> Wanted:
    return Wanted("court", code, "milesight-em310-udl", "asset-bin-1", eui)


async def put(conn: AsyncConnection, *wanted: Wanted, hand: Hand | None = None) -> list[int]:
    async with conn.transaction():
        await register.apply(conn, await judged(conn, *wanted), hand or Hand(START, "page"))
    return [await id_of(conn, each.code) for each in wanted]


async def id_of(conn: AsyncConnection, code: str) -> int:
    found = await store.device_named(conn, "court", code)
    assert found is not None
    return found.device_id


async def row(conn: AsyncConnection, device_id: int) -> Registered:
    found = await store.device(conn, device_id)
    assert found is not None
    return found


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    return await make_world(conn)


@pytest.fixture
def site(pool: AsyncConnectionPool, clock: ManualClock, database_url: str) -> Site:
    return Site(Settings(), clock, pool, database_url, "")


# --- registering -----------------------------------------------------------------------------------------


async def test_a_device_is_added_changed_moved_retired_and_all_of_it_undone(
    conn: AsyncConnection, world: World
) -> None:
    assert world
    [device_id] = await put(conn, native("new-1", volume_l="240"))
    added = await row(conn, device_id)
    await put(conn, native("new-1", "asset-bin-2", note_key="under the mat"))
    moved = await row(conn, device_id)
    assert (moved.asset, moved.attributes) == ("asset-bin-2", {"note_key": "under the mat"})
    later = Hand(START + timedelta(hours=1), "page")
    async with conn.transaction():
        await register.retire(conn, device_id, later)
        await register.retire(conn, device_id, later)
    assert (await row(conn, device_id)).retired_at == later.at

    changes = await store.changes(conn, device_id)
    assert [change.what for change in changes] == ["retired", "changed", "added"]
    with pytest.raises(GoneMeanwhile):
        await register.undo(conn, changes[1].id, device_id, later)
    for change in changes[:2]:
        async with conn.transaction():
            await register.undo(conn, change.id, device_id, later)
        with pytest.raises(GoneMeanwhile):
            await register.undo(conn, change.id, device_id, later)
    assert await row(conn, device_id) == added
    async with conn.transaction():
        await register.undo(conn, changes[2].id, device_id, later)
    assert (await row(conn, device_id)).retired_at == later.at
    async with conn.transaction():
        await register.bring_back(conn, device_id, later)
    assert await row(conn, device_id) == added


async def test_many_are_registered_all_or_none(conn: AsyncConnection, world: World) -> None:
    assert world
    fits = await judged(conn, native("new-1"), native("new-2"), radio("new-3"))
    await put(conn, radio("faster"))
    with pytest.raises(UniqueViolation):
        async with conn.transaction():
            await register.apply(conn, fits, Hand(START, "import"))
    assert await one(conn, "SELECT count(*) FROM device WHERE code LIKE 'new-%%'") == 0


async def test_a_change_judged_on_an_old_row_is_refused(conn: AsyncConnection, world: World) -> None:
    assert world
    await put(conn, native("new-1"))
    [fit] = await judged(conn, native("new-1", volume_l="240"))
    await put(conn, native("new-1", volume_l="120"))
    with pytest.raises(GoneMeanwhile):
        async with conn.transaction():
            await register.apply(conn, [fit], Hand(START, "page"))


async def test_radios_swap_and_a_retired_ones_eui_is_free(conn: AsyncConnection, world: World) -> None:
    assert world
    other = "24e124713c400002"
    first, second = await put(conn, radio("r-1"), radio("r-2", other))
    land = await register.survey(conn, [radio("r-1", other), radio("r-2")], load_profiles(), ATTRIBUTES)
    swapped = [judge(each, replace(land, euis={})) for each in (radio("r-1", other), radio("r-2"))]
    async with conn.transaction():
        await register.apply(conn, [fit for fit in swapped if isinstance(fit, Fit)], Hand(START, "import"))
    assert [(await row(conn, each)).dev_eui for each in (first, second)] == [other, EUI]
    async with conn.transaction():
        await register.retire(conn, second, Hand(START, "page"))
    [third] = await put(conn, radio("r-3"))
    assert (await row(conn, third)).dev_eui == EUI
    retired = next(each for each in await store.changes(conn, second) if each.what == "retired")
    with pytest.raises(DeviceRefused):
        await register.undo(conn, retired.id, second, Hand(START, "page"))


async def test_loading_a_file_leaves_alone_what_people_registered(
    pool: AsyncConnectionPool, conn: AsyncConnection, tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "court.yaml"
    file.write_text(
        "community: {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai}\n"
        "areas: [{code: all, name: {zh: 全, en: All}}]\n"
        "assets:\n  - {code: A1, class: bin, area: all, name: {zh: 物, en: Thing}}\n",
        encoding="utf-8",
    )
    await load_into(pool, file, clock)
    [device_id] = await put(conn, native("new-1", "A1"))
    report = await load_into(pool, file, clock)
    assert not report.changed
    assert (await row(conn, device_id)).retired_at is None


# --- strangers -------------------------------------------------------------------------------------------


def chirpstack(number: int, eui: str = EUI) -> Delivery:
    """An uplink of `number` per cent battery, a minute later each."""
    body = {
        "deviceInfo": {"devEui": eui},
        "time": (START + timedelta(minutes=number)).isoformat(),
        "object": {"battery": number, "distance": 1500, "position": "normal"},
    }
    return said(f"application/1/device/{eui}/event/up", json.dumps(body), START)


def things_stack(number: int, eui: str = EUI) -> Delivery:
    body = {
        "end_device_ids": {"device_id": "my-sensor", "dev_eui": eui.upper()},
        "uplink_message": {"received_at": START.isoformat(), "decoded_payload": {"battery": number}},
    }
    return said("v3/app@tenant/devices/my-sensor/up", json.dumps(body), START)


async def test_strangers_are_grouped_by_who_they_are(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World
) -> None:
    assert world
    ingest = make_ingest(pool, clock)
    await ingest.take([up("who-1", fill_percent=number) for number in range(3)])
    await ingest.take([chirpstack(1), things_stack(2), up("who-2", community="nowhere")])
    await ingest.take([said("clerestory/court/who-1/status", "online")])
    found = {each.speaker: each for each in await strangers.latest(conn, ["court"])}
    assert set(found) == {"clerestory/court/who-1", f"eui/{EUI}"}
    assert [found[each].count for each in sorted(found)] == [4, 2]
    assert [each.speaker for each in await strangers.latest(conn, [])] == [f"eui/{EUI}"]
    assert [each.code for each in await strangers.latest(conn, ["court"], search="WHO")] == ["who-1"]
    await strangers.ignore(conn, "clerestory/court/who-1", START, None)
    await strangers.ignore(conn, "clerestory/court/who-1", START, None)
    assert [each.speaker for each in await strangers.latest(conn, ["court"])] == [f"eui/{EUI}"]
    assert [each.code for each in await strangers.latest(conn, ["court"], ignored=True)] == ["who-1"]
    await strangers.heed(conn, "clerestory/court/who-1")
    assert len(await strangers.latest(conn, ["court"])) == 2


async def test_a_flood_of_names_hides_nobody_and_costs_little(conn: AsyncConnection, world: World) -> None:
    assert world
    await conn.execute(
        """
        INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)
        SELECT %(at)s::timestamptz + n * interval '1 second', 'clerestory/court/' || name || '/up', 'x',
               sha256((name || n)::bytea), 'unknown_device', 'no device'
          FROM (SELECT n, 'flood-' || n AS name FROM generate_series(1, 6000) AS n
                UNION ALL SELECT n, 'chatty' FROM generate_series(6001, 12000) AS n
                UNION ALL SELECT 0, 'quiet') AS made
        """,
        {"at": START},
    )
    first, *rest = await strangers.latest(conn, ["court"])
    assert (first.code, first.count) == ("chatty", strangers.MOST_COUNTED)
    assert len(rest) == strangers.MOST_SHOWN - 1
    assert [each.count for each in await strangers.latest(conn, ["court"], search="quiet")] == [1]
    assert await strangers.forget(conn, START) == 1, "the one that is too old"
    assert await strangers.forget(conn, START, most=5_000) == 7_000
    assert await strangers.forget(conn, START, most=5_000) == 0
    assert {each.code for each in await strangers.latest(conn, ["court"])} == {"chatty"}


def test_profiles_that_understand_come_first() -> None:
    ranked = guessing.likely_profiles([chirpstack(1)], load_profiles(), WINDOW)
    assert ranked[0][0].name in {"milesight-em310-udl", "milesight-em400"}
    assert ranked[0][1] == 3
    assert {profile.envelope for profile, _ in ranked} == {"lorawan"}
    ranked = guessing.likely_profiles([up("x", speed_m_s=1.0)], load_profiles(), WINDOW)
    assert ranked[0][0].name == "elevator-native", "the one that knows least beyond what was said"
    assert ranked[-1][1] == 0
    assert guessing.likely_profiles([said("no/topic", b"\xff")], load_profiles(), WINDOW) == []


# --- adopting --------------------------------------------------------------------------------------------


async def work(site: Site, pool: AsyncConnectionPool, clock: ManualClock) -> None:
    """Work until nothing is left, as a worker does."""
    ingest = make_ingest(pool, clock)
    while await adopt_some(site, ingest):
        pass


async def values(conn: AsyncConnection, device_id: int, signal: str) -> Sequence[float]:
    cursor = await conn.execute(
        "SELECT value FROM reading JOIN signal ON signal.id = signal_id"
        " WHERE device_id = %(id)s AND name = %(name)s ORDER BY ts",
        {"id": device_id, "name": signal},
    )
    return [each[0] for each in await cursor.fetchall()]


async def test_what_waited_is_taken_in_order_and_what_is_still_wrong_stays(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    assert world
    ingest = make_ingest(pool, clock)
    clock.advance(timedelta(hours=5))
    many = BATCH + 7
    times = [START + timedelta(seconds=number) for number in range(many)]
    await ingest.take([up("new-1", ts, fill_percent=min(99.0, at / 3)) for at, ts in enumerate(times)])
    await ingest.take([up("new-1", START, fill_percent=400), up("new-1", START, nonsense=1)])
    await ingest.take([up("other", START, fill_percent=1)])
    [device_id] = await put(conn, native("new-1"), hand=Hand(clock.now(), "adoption"))
    before = await adopting.progress(conn, device_id)
    assert before is not None
    assert (before.waiting, before.done) == (many + 2, False)
    await work(site, pool, clock)
    assert len(await values(conn, device_id, "fill_percent")) == many
    after = await adopting.progress(conn, device_id)
    assert after == adopting.Progress(taken=many, refused=2, waiting=0, done=True)
    cursor = await conn.execute("SELECT reason FROM dead_letter WHERE resolved_at IS NULL ORDER BY reason")
    assert [each[0] for each in await cursor.fetchall()] == [
        "out_of_range",
        "unknown_device",
        "unknown_signal",
    ]


async def test_a_radio_is_adopted_by_its_dev_eui_from_either_network_server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    assert world
    clock.advance(timedelta(hours=1))
    await make_ingest(pool, clock).take([chirpstack(number) for number in (3, 1, 2)] + [things_stack(4)])
    fits = await judged(conn, Wanted("court", "r-1", "milesight-em310-udl", "asset-bin-1", EUI))
    async with conn.transaction():
        await register.apply(conn, fits, Hand(clock.now(), "adoption"))
    device_id = await id_of(conn, "r-1")
    await work(site, pool, clock)
    assert await values(conn, device_id, "battery_percent") == [4, 1, 2, 3]
    assert await one(conn, "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == 0


async def test_the_past_of_an_adopted_device_raises_no_alarm_and_live_messages_are_not_held_up(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    """Need 4: a backlog, here of a device adopted late, without loss and without false alarms."""
    assert world
    ingest = make_ingest(pool, clock)
    clock.advance(timedelta(hours=8))
    full = [START + timedelta(minutes=number) for number in range(240)]
    await ingest.take([up("new-1", ts, fill_percent=95) for ts in full])
    [device_id] = await put(conn, native("new-1"), hand=Hand(clock.now(), "adoption"))
    live = [
        said(each.topic, each.payload, clock.now())
        for each in (
            up("new-1", clock.now() - timedelta(seconds=60 - number), fill_percent=10) for number in range(60)
        )
    ]

    async def speak() -> None:
        gateway = make_ingest(pool, clock)
        for each in live:
            assert await gateway.take([each]) == [None]

    await asyncio.gather(speak(), work(site, pool, clock), work(site, pool, clock))
    await work(site, pool, clock)
    assert len(await values(conn, device_id, "fill_percent")) == len(full) + len(live)
    state = await one(
        conn, "SELECT state::text FROM device_state WHERE device_id = %(id)s", {"id": device_id}
    )
    assert "10" in state
    assert await one(conn, "SELECT count(*) FROM alarm WHERE cleared_at IS NULL") == 0
    assert await one(conn, "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == 0


async def test_a_message_refused_while_its_device_was_registered_is_found(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    assert world
    [device_id] = await put(conn, native("new-1"))
    await work(site, pool, clock)
    progress = await adopting.progress(conn, device_id)
    assert progress is not None
    assert progress.done
    # A gateway that looked the device up just before commits its refusal just after.
    await conn.execute(
        "INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)"
        " VALUES (%(at)s, %(topic)s, %(payload)s, 'd', 'unknown_device', 'no device')",
        {"at": START, "topic": "clerestory/court/new-1/up", "payload": up("new-1", fill_percent=1).payload},
    )
    await work(site, pool, clock)
    assert await values(conn, device_id, "fill_percent") == [1]


async def test_letters_of_a_name_that_changed_meanwhile_do_not_spin(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    assert world
    clock.advance(timedelta(hours=1))
    await make_ingest(pool, clock).take([chirpstack(1)])
    await put(conn, radio("r-1"))
    await conn.execute("UPDATE device SET dev_eui = NULL WHERE code = 'r-1'")
    await work(site, pool, clock)
    assert await one(conn, "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == 1


async def test_the_worker_takes_them_as_soon_as_the_device_is_registered(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, world: World, site: Site
) -> None:
    assert world
    clock.advance(timedelta(hours=1))
    times = [START + timedelta(seconds=number) for number in range(5)]
    await make_ingest(pool, clock).take([up("new-1", ts, fill_percent=50) for ts in times])
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(site, stop))
    try:
        [device_id] = await put(conn, native("new-1"), hand=Hand(clock.now(), "adoption"))

        async def taken() -> bool:
            return len(await values(conn, device_id, "fill_percent")) == len(times)

        await until(taken, "the messages that waited")
    finally:
        stop.set()
        await asyncio.wait_for(worker, PATIENCE)


# --- commands --------------------------------------------------------------------------------------------


async def test_the_commands(
    world: World, pool: AsyncConnectionPool, clock: ManualClock, database_url: str, tmp_path: Path
) -> None:
    assert world

    def run(*words: str) -> Answer:
        return command(database_url, "devices", *words)

    wrong = run("add", "court/b-1", "--profile", "bin-nativ", "--set", "volume_l=much")
    assert wrong.returncode == 1
    assert "did you mean 'bin-native'?" in wrong.stderr
    broken = run(
        "add", "court/b-1", "--profile", "bin-native", "--asset", "asset-bin-1", "--set", "note_a=\udcff\v"
    )
    assert (broken.returncode, "U+DCFF" in broken.stderr) == (1, True)
    added = run("add", "court/b-1", "--profile", "bin-native", "--asset", "asset-bin-1")
    assert added.stdout == "court/b-1: added\n", added.stderr
    sheet = tmp_path / "all.xlsx"
    assert run("export", str(sheet)).stdout == f"{sheet}: 6 devices\n"
    checked = run("import", str(sheet), "--check")
    assert checked.returncode == 1, "the world's kiosk has no key"
    assert "public_key: '': should be the kiosk's Ed25519 public key" in checked.stderr
    assert "1 mistake; nothing was imported." in checked.stderr
    small = tmp_path / "some.csv"
    small.write_text(
        "小区,设备编码,型号,资产\ncourt,b-1,bin-native,asset-bin-2\ncourt,b-2,bin-native,asset-bin-2\n", "gbk"
    )
    imported = run("import", str(small))
    assert imported.stdout == f"{small}: imported\n  new: 1: court/b-2\n  changed: 1: court/b-1\n"
    await make_ingest(pool, clock).take([up("who-1", fill_percent=1)])
    assert run("strangers").stdout.startswith("court/who-1\t1 messages\tfirst 2026-11-23")
    assert run("strangers", "--ignored").stdout == "nobody\n"
    assert run("retire", "court/b-2").stdout == "court/b-2: retired\n"
    listed = run("list", "--community", "court").stdout
    assert "court/b-1\tbin-native\tasset-bin-2\t-\n" in listed
    assert "b-2" not in listed
