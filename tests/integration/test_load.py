"""Loading a community: once, again, and after the file changed."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.cli import main
from clerestory.commands.load import load_into, report_lines
from clerestory.community.load import LoadReport, load_community
from clerestory.community.mistakes import MistakesFound
from clerestory.demo.secrets import keep_secrets, public_key
from gateway.devices.register import DeviceRefused, Hand, undo
from gateway.devices.store import changes
from rules.moments import to_moment
from rules.replay.store import moved, subjects
from storage.notify import listen
from tests.manual_clock import ManualClock

SAMPLE = Path(__file__).parents[2] / "config" / "communities" / "sample.yaml"
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SMALL = """\
community: {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai}
areas: [{code: all, name: {zh: 全, en: All}}, {code: yard, name: {zh: 场, en: Yard}}]
buildings:
  - {code: B1, name: {zh: 一, en: One}, area: all, floors: {to: 2}, floor_areas: [80, 90.5]}
parties:
  - {code: a, name: 甲, occupancies: [{unit: B1-101, role: owner, from: 2020-01-01}]}
  - {code: b, name: 乙, occupancies: [{unit: B1-102, role: owner, from: 2020-01-01}]}
assets:
  - code: L1
    class: elevator
    building: B1
    name: {zh: 梯, en: Lift}
    device: {code: L1-S, profile: elevator-native}
  - code: W1
    class: bin
    area: yard
    name: {zh: 桶, en: Bin}
    attributes: {empty_distance_mm: 1000, full_distance_mm: 100}
    device: {code: W1-S, profile: milesight-em310-udl, dev_eui: 24E124713C400001}
technicians:
  - code: li
    name: 李
    skills: [{skill: elevator, licence: T1, expires: 2028-01-31}]
    areas: [all, yard]
    shifts: [{days: mon-fri, from: "22:00", to: "06:00"}]
plans:
  - {code: p, name: {zh: 保, en: Care}, kind: elevator_maintenance, skill: elevator, asset_class: elevator,
     every_days: 15, at: "09:00", starts_on: 2026-01-05}
charge_items:
  - {code: lift, name: {zh: 梯, en: Lift}, basis: area, price_yuan: 0.455, contract: "§ 5", from: 2026-01-01}
  - {code: water, name: {zh: 水, en: Water}, basis: metered, measure: m³, price_yuan: 2.9, contract: "§ 6",
     from: 2026-01-01}
parking_spaces: [{code: C1, unit: B1-101, from: 2020-01-01}]
meters: [{code: "W-{unit}", charge_item: water, buildings: [B1]}]
meter_readings: {2026-09: {W-B1-101: 12.5}}
"""


async def load(conn: AsyncConnection, folder: Path, text: str, now: datetime = NOW) -> LoadReport:
    file = folder / "court.yaml"
    file.write_text(text, encoding="utf-8")
    async with conn.transaction():
        return await load_community(conn, file, now)


async def one(conn: AsyncConnection, query: str) -> tuple[object, ...]:
    cursor = await conn.execute(query.encode())
    row: tuple[object, ...] | None = await cursor.fetchone()
    assert row is not None
    return row


async def test_the_sample_loads_once_and_again_changes_nothing(conn: AsyncConnection) -> None:
    async with conn.transaction():
        first = await load_community(conn, SAMPLE, NOW)
    assert {name: len(changes.added) for name, changes in first.sections.items()} == {
        "community": 1,
        "areas": 3,
        "buildings": 6,
        "units": 360,
        "parties": 380,
        "occupancies": 388,
        "assets": 60,
        "devices": 54,
        "technicians": 10,
        "plans": 4,
        "charge_items": 8,
        "parking_spaces": 150,
        "meters": 360,
        "meter_readings": 1080,
    }
    async with conn.transaction():
        again = await load_community(conn, SAMPLE, NOW + timedelta(days=1))
    assert not again.changed
    assert report_lines(again) == ["mingyue: nothing to change"]
    counts = await one(
        conn,
        """
        SELECT (SELECT count(*) FROM asset WHERE class = 'elevator'),
               (SELECT count(*) FROM asset WHERE class = 'bin'),
               (SELECT count(*) FROM device WHERE profile = 'kiosk'), (SELECT count(*) FROM shift),
               (SELECT floor_area::text FROM unit WHERE code = 'B3-1602'),
               (SELECT price_fen::text FROM charge_item WHERE code = 'water')
        """,
    )
    assert counts == (12, 40, 2, 9 * 7 + 6, "139.75", "290.0000")


async def test_what_is_written_is_what_is_stored(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    assert await one(conn, "SELECT dev_eui, attributes FROM device WHERE code = 'W1-S'") == (
        "24e124713c400001",
        {},
    )
    assert await one(
        conn,
        "SELECT area.code, attributes FROM asset JOIN area ON area.id = area_id WHERE asset.code = 'W1'",
    ) == ("yard", {"empty_distance_mm": 1000, "full_distance_mm": 100})
    assert await one(conn, "SELECT count(*), min(weekday), max(weekday), min(ends)::text FROM shift") == (
        5,
        1,
        5,
        "06:00:00",
    )
    assert await one(conn, "SELECT price_fen::text FROM charge_item WHERE code = 'lift'") == ("45.5000",)
    assert await one(conn, "SELECT register::text, period::text FROM meter_reading") == (
        "12.500",
        "2026-09-01",
    )


async def test_what_changed_is_named_and_only_that(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    text = (
        SMALL.replace("name: 甲", "name: 申")
        .replace("licence: T1", "licence: T2")
        .replace("floor_areas: [80, 90.5]", "floor_areas: [80, 90.5, 70]")
    )
    report = await load(conn, tmp_path, text)
    assert report_lines(report) == [
        "court: changed",
        "  units: 2 added: B1-103, B1-203",
        "  parties: 1 changed: a",
        "  technicians: 1 changed: li",
        "  meters: 2 added: W-B1-103, W-B1-203",
    ]


async def test_a_dropped_device_retires_and_comes_back(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    without = SMALL.replace(
        "    device: {code: W1-S, profile: milesight-em310-udl, dev_eui: 24E124713C400001}\n", ""
    )
    report = await load(conn, tmp_path, without)
    assert report.sections["devices"].retired == ["W1-S"]
    assert await one(conn, "SELECT retired_at FROM device WHERE code = 'W1-S'") == (NOW,)
    assert not (await load(conn, tmp_path, without)).changed
    report = await load(conn, tmp_path, SMALL)
    assert report.sections["devices"].changed == ["W1-S"]
    assert await one(conn, "SELECT retired_at FROM device WHERE code = 'W1-S'") == (None,)


async def test_what_a_dropped_or_moved_device_had_alarmed_ends_and_says_why(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    """Whoever writes an alarm need not say what it is about, as an older release does not."""
    await load(conn, tmp_path, SMALL)
    await conn.execute(
        """
        INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,
                           meaning_en, raised_at, recorded_at)
        SELECT community_id, id, 'x', 'major', '', '', '', '', %(at)s, %(at)s FROM device
        """,
        {"at": NOW - timedelta(hours=1)},
    )
    await load(conn, tmp_path, SMALL)
    ended = """
        SELECT array_agg(asset.code || ': ' || coalesce(event.why_en, 'live') ORDER BY asset.code)
          FROM alarm JOIN asset ON asset.id = alarm.asset_id
          LEFT JOIN alarm_event AS event ON event.alarm_id = alarm.id AND event.kind = 'cleared'
    """
    assert await one(conn, ended) == (["L1: live", "W1: live"],)
    radio = "    device: {code: W1-S, profile: milesight-em310-udl, dev_eui: 24E124713C400001}\n"
    other = "  - {code: W2, class: bin, area: yard, name: {zh: 二, en: Two},\n"
    other += "     attributes: {empty_distance_mm: 1000, full_distance_mm: 100},\n"
    other += "     device: {code: W1-S, profile: milesight-em310-udl, dev_eui: 24E124713C400001}}\n"
    lift = "    device: {code: L1-S, profile: elevator-native}\n"
    await load(conn, tmp_path, SMALL.replace(lift, "").replace(radio, other))
    assert await one(conn, ended) == (
        ["L1: its device was retired", "W1: its device was moved to another asset"],
    )


async def test_a_move_by_the_file_is_kept_so_that_no_replay_judges_the_past_at_the_new_place(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    """It stands among the device's changes as if moved at the command line, and can be undone there."""
    await load(conn, tmp_path, SMALL)
    first = "  - code: W1\n"
    bin_ = SMALL[SMALL.index(first) : SMALL.index("technicians:")]
    radio = bin_[bin_.index("    device:") :]
    other = bin_.replace("W1\n", "W2\n")
    beside = SMALL.replace(bin_, bin_.replace(radio, "") + other)
    later = NOW + timedelta(hours=3)
    for _ in range(2):
        await load(conn, tmp_path, beside, later)
        assert await one(conn, "SELECT count(*), min(via), min(what) FROM device_change") == (
            1, "command", "changed",
        )  # fmt: skip
    (lift,) = await one(conn, "SELECT id FROM device WHERE code = 'L1-S'")
    (device,) = await one(conn, "SELECT id FROM device WHERE code = 'W1-S'")
    assert isinstance(lift, int)
    assert isinstance(device, int)
    some = await subjects(conn, [lift, device])
    assert {some[n].device_id: at for n, at in (await moved(conn, some)).items()} == {
        device: to_moment(later)
    }
    change, hand = (await changes(conn, device))[0], Hand(later, "page")
    async with conn.transaction(force_rollback=True):
        await undo(conn, change.id, device, hand)
        assert await one(
            conn, "SELECT a.code FROM device d JOIN asset a ON a.id = d.asset_id WHERE d.code = 'W1-S'"
        ) == ("W1",)
    await load(conn, tmp_path, SMALL.replace(bin_, other), later)
    assert await one(conn, "SELECT count(*) FROM asset WHERE code = 'W1'") == (0,)
    with pytest.raises(DeviceRefused, match="its former asset is gone"):
        await undo(conn, change.id, device, hand)


async def test_a_radio_moves_to_the_device_that_replaces_it(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    report = await load(conn, tmp_path, SMALL.replace("code: W1-S", "code: W1-T"))
    assert (report.sections["devices"].added, report.sections["devices"].retired) == (["W1-T"], ["W1-S"])
    assert await one(conn, "SELECT code FROM device WHERE dev_eui = '24e124713c400001'") == ("W1-T",)


async def test_what_has_history_is_retired_and_the_rest_is_removed(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    await load(conn, tmp_path, SMALL)
    start, end = SMALL.index("plans:"), SMALL.index("parking_spaces:")
    # Nothing refers to the plan and the items yet, so they just go; the elevator has a device, so it retires.
    text = SMALL[:start] + SMALL[end : SMALL.index("meters:")]
    text = text.replace(SMALL[SMALL.index("  - code: L1") : SMALL.index("  - code: W1")], "")
    report = await load(conn, tmp_path, text)
    assert report.sections["plans"].removed == ["p"]
    assert report.sections["charge_items"].removed == ["lift", "water"]
    assert report.sections["assets"].retired == ["L1"]
    assert report.sections["devices"].retired == ["L1-S"]
    assert report.sections["meters"].removed == ["W-B1-102", "W-B1-201", "W-B1-202"]
    assert report.sections["meters"].kept == ["W-B1-101"]
    assert await one(conn, "SELECT retired_on FROM asset WHERE code = 'L1'") == (TODAY,)
    assert report_lines(await load(conn, tmp_path, text)) == [
        "court: nothing to change",
        "  meters: 1 kept, they have history: W-B1-101",
    ]


async def test_who_moves_out_ends_the_day_before_the_next_moves_in(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    await load(conn, tmp_path, SMALL)
    moved = SMALL.replace(
        "{code: a, name: 甲, occupancies: [{unit: B1-101, role: owner, from: 2020-01-01}]}",
        "{code: c, name: 丙, occupancies: [{unit: B1-101, role: owner, from: 2026-10-15}]}",
    )
    report = await load(conn, tmp_path, moved)
    assert (report.sections["occupancies"].added, report.sections["occupancies"].retired) == (
        ["B1-101 c"],
        ["B1-101 a"],
    )
    assert await one(
        conn, "SELECT to_date FROM occupancy JOIN party ON party.id = party_id WHERE party.code = 'a'"
    ) == (date(2026, 10, 14),)
    assert not (await load(conn, tmp_path, moved)).changed


async def test_a_slip_in_an_occupancy_is_corrected_not_ended(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    report = await load(
        conn,
        tmp_path,
        SMALL.replace("B1-101, role: owner, from: 2020-01-01", "B1-101, role: owner, from: 2020-02-01"),
    )
    assert report.sections["occupancies"].removed == ["B1-101 a"]
    assert await one(conn, "SELECT count(*), min(from_date)::text FROM occupancy") == (2, "2020-01-01")


async def test_a_technician_who_leaves_keeps_his_history(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    hired = SMALL.replace("code: li\n    name: 李", "code: wu\n    name: 吴")
    report = await load(conn, tmp_path, hired)
    assert (report.sections["technicians"].added, report.sections["technicians"].retired) == (["wu"], ["li"])
    assert await one(conn, "SELECT left_on FROM staff WHERE code = 'li'") == (TODAY,)
    await load(conn, tmp_path, SMALL)
    assert await one(conn, "SELECT left_on FROM staff WHERE code = 'li'") == (None,)


async def test_a_radio_of_another_community_is_refused(conn: AsyncConnection, tmp_path: Path) -> None:
    await load(conn, tmp_path, SMALL)
    with pytest.raises(MistakesFound, match="already belongs to court/W1-S"):
        await load(conn, tmp_path, SMALL.replace("code: court", "code: other"))
    assert await one(conn, "SELECT count(*) FROM community") == (1,)


async def test_a_change_is_told_to_those_who_listen(
    conn: AsyncConnection, database_url: str, tmp_path: Path
) -> None:
    words = listen(database_url)
    assert (await anext(words)).what == "connected"
    report = await load(conn, tmp_path, SMALL)
    word = await anext(words)
    assert (word.what, word.community_id, len(word.ids)) == ("registry", report.community_id, 2)


def test_the_command_loads_checks_and_says_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    file = tmp_path / "court.yaml"
    file.write_text(SMALL, encoding="utf-8")
    runner = CliRunner()
    checked = runner.invoke(main, ["load", "--check", str(file)])
    assert (checked.exit_code, checked.output.split(";")[0]) == (0, f"{file}: no mistakes")
    tried = runner.invoke(main, ["load", "--dry-run", str(file)])
    assert tried.output.splitlines()[0] == "court: would change"
    loaded = runner.invoke(main, ["load", str(file)])
    assert loaded.output.splitlines()[0] == "court: changed"
    assert runner.invoke(main, ["load", str(file)]).output == "court: nothing to change\n"
    file.write_text(SMALL.replace("area: yard", "area: yar"), encoding="utf-8")
    wrong = runner.invoke(main, ["load", str(file)])
    assert wrong.exit_code == 1
    assert "assets[1].area: 'yar': is not among areas; did you mean 'yard'?" in wrong.output
    assert wrong.output.splitlines()[-1] == "1 mistake; nothing was loaded."


async def test_a_demos_kiosks_keep_their_keys(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, tmp_path: Path
) -> None:
    secrets = keep_secrets(tmp_path / "secrets.json", ("K1", "K2"))
    await load_into(pool, SAMPLE, clock, secrets=secrets)
    again = await load_into(pool, SAMPLE, clock, secrets=secrets)
    assert again.sections["devices"].changed == ["K1", "K2"]  # for a moment, in the same transaction
    keys = "SELECT array_agg(attributes ->> 'public_key' ORDER BY code) FROM device WHERE profile = 'kiosk'"
    assert await one(conn, keys) == ([public_key(secrets.kiosks[code]) for code in ("K1", "K2")],)
