"""`clerestory rules replay` as a person meets it: on a real database, by processes of its own."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import AsyncConnection

from clerestory.cli import main
from config.text import Text
from rules.replay.crew import Done, Order, ReplayFailed, replay
from rules.sources import Source, file_sources, put_in, shipped_rules
from storage import telemetry
from tests import town as towns
from tests.scene import Scene, add_alarm, add_bin

START = datetime(2026, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 14
BIN = next(path for path in shipped_rules() if path.stem == "bin").read_text(encoding="utf-8")


async def fill(conn: AsyncConnection, scene: Scene, levels: Sequence[tuple[datetime, float]]) -> None:
    """Let the bin have said how full it was."""
    await telemetry.ensure_partitions(conn, levels[0][0], levels[-1][0])
    ids = await telemetry.ensure_signals(conn, ["fill_percent"])
    count = len(levels)
    await telemetry.write_readings(
        conn,
        [scene.town.communities["home"]] * count,
        [scene.devices["bin-7"]] * count,
        [ids["fill_percent"]] * count,
        [at for at, _ in levels],
        [level for _, level in levels],
    )


@pytest.fixture
async def scene(conn: AsyncConnection, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Scene:
    """Two weeks of a bin that is half empty every morning, 85 % at noon, and 95 % at noon on Sundays only."""
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    scene = Scene(await towns.build(conn))
    await add_bin(conn, scene)
    levels = []
    for hour in range(-24 * 3, 24 * DAYS, 2):
        at = START + hour * HOUR
        noon = 12 <= at.hour < 18
        levels.append((at, (95.0 if at.isoweekday() == 7 else 85.0) if noon else 40.0))
    await fill(conn, scene, levels)
    return scene


def changed(folder: Path, before: str, after: str) -> Path:
    assert before in BIN
    file = folder / "bin.yaml"
    file.write_text(BIN.replace(before, after), encoding="utf-8")
    return file


async def run(*arguments: object) -> Result:
    """The command in a thread: it brings an event loop of its own."""
    words = ["rules", "replay", *map(str, arguments)]
    return await asyncio.to_thread(CliRunner().invoke, main, words)


TIMES = ("--from", "2026-10-05", "--to", "2026-10-19", "--processes", "1")


async def test_it_says_what_would_be_new_how_many_orders_and_for_whom(
    scene: Scene, conn: AsyncConnection, tmp_path: Path
) -> None:
    at = datetime(2026, 10, 11, 12, 5, tzinfo=UTC)
    title = Text(zh="满", en="Full")
    await add_alarm(
        conn, scene, "bin_overflow", device="bin-7", at=at, severity="major", title=title, meaning=title,
        cleared_at=at.replace(hour=18, minute=0),
    )  # fmt: skip
    file = changed(tmp_path, "default: 90", "default: 80")
    result = await run("--rules", file, *TIMES, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["readings"] == 12 * (DAYS + 3)
    [overflow] = [line for line in found["rules"] if line["rule"] == "bin_overflow"]
    # On Sundays it was on by both; on the other twelve days only by the changed rules.
    assert overflow["counts"] == {
        "old": 2, "new": 14, "same": 2, "fresh": 12, "gone": 0, "different": 0,
        "recorded": 1, "reproduced": 1,
    }  # fmt: skip
    [collection] = [line for line in found["orders"] if line["kind"] == "waste_collection"]
    assert (collection["old"], collection["new"]) == (1.0, 7.0)
    assert collection["people"] == ["王建国", "赵海"]
    first = next(change for change in found["changes"] if change["rule"] == "bin_overflow")
    assert first["kind"] == "new"
    assert (first["community"], first["device"]) == ("home", "bin-7")
    assert first["new"]["raised"] == "2026-10-05T12:05:00Z"
    assert first["new"]["cleared"] == "2026-10-05T18:00:00Z"
    assert "100 %" in result.stderr


async def test_it_reads_well(scene: Scene, tmp_path: Path) -> None:
    assert scene.devices
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *TIMES)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "warming up from 2026-09-05 00:00Z: 1 devices, 204 readings" in lines[0]
    overflow = next(line for line in lines if line.startswith("bin_overflow"))
    assert overflow.split() == ["bin_overflow", "2", "14", "12", "0", "0", "0", "0"]
    assert any("waste_collection in home/All" in line and "王建国, 赵海" in line for line in lines)
    assert "+ bin_overflow home/bin-7: major 10-05 12:05:00–10-05 18:00:00; not recorded" in lines
    assert "today    2 alarms → 2 orders" in lines
    assert "changed  14 alarms → 14 orders" in lines
    assert "orders nobody ever had (2 today, 14 changed) are taken to last as such orders usually do" in lines
    # This database is newer than the history in it.
    assert "up to the end it is not known what came late: all is taken as heard when it happened" in lines


async def test_a_week_is_reckoned_from_where_there_is_history(scene: Scene, tmp_path: Path) -> None:
    """A new community, or new sensors: six weeks are asked for, and seventeen days are there."""
    assert scene.devices
    file = changed(tmp_path, "default: 90", "default: 80")
    times = ("--from", "2026-09-01", "--to", "2026-10-19", "--processes", "1")
    result = await run("--rules", file, *times)
    [line] = [each for each in result.stdout.splitlines() if each.startswith("waste_collection")]
    assert line.split()[3:5] == ["1.2", "7.0"]  # 3 and 17 orders
    assert "there is no history before 2026-10-02 00:00Z: a week is reckoned from there on" in result.stdout


async def test_rules_that_say_the_same_change_nothing(scene: Scene, tmp_path: Path) -> None:
    assert scene.devices
    result = await run(
        "--rules", changed(tmp_path, "垃圾桶满溢", "垃圾桶很满"), *TIMES, "--community", "home"
    )
    assert result.exit_code == 0
    assert "no alarm would be new, gone or different" in result.stdout


async def test_what_held_before_is_known(scene: Scene, tmp_path: Path) -> None:
    """From the middle of a noon: the alarm began before, opens no order now, and is no difference."""
    assert scene.devices
    times = ("--from", "2026-10-06T15:00", "--to", "2026-10-07", "--processes", "1", "--json")
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *times)
    found = json.loads(result.stdout)
    [change] = [each for each in found["changes"] if each["rule"] == "bin_overflow"]
    assert change["new"]["earlier"]
    assert change["new"]["cleared"] == "2026-10-06T18:00:00Z"
    assert found["orders"] == []


async def test_a_value_older_than_the_warming_up_is_known_too(
    scene: Scene, conn: AsyncConnection, tmp_path: Path
) -> None:
    """Nothing was said for a month; it was full then, and silent since."""
    await conn.execute("DELETE FROM reading")
    await fill(conn, scene, [(START - timedelta(days=30), 95.0)])
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *TIMES, "--json")
    found = json.loads(result.stdout)
    assert {line["rule"]: (line["counts"]["old"], line["counts"]["new"]) for line in found["rules"]} == {
        "bin_nearly_full": (1, 1),
        "bin_overflow": (1, 1),
        "bin_silent": (1, 1),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-10-19", "--to", "2026-10-05"), "is not before --to"),
        (("--from", "yesterday"), "'yesterday' is no moment; write it like"),
        (("--community", "nowhere"), "no community 'nowhere'; there are: far, home"),
        (("--replaces", "lamp"), "no rule file 'lamp' is in use; there are: bin, elevator"),
        (("--warm-up", "long"), "'long' is not a duration"),
    ],
)
async def test_what_cannot_be_is_said(
    scene: Scene, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert scene.devices
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


async def test_a_mistake_in_the_file_is_said_at_its_place(scene: Scene, tmp_path: Path) -> None:
    assert scene.devices
    result = await run("--rules", changed(tmp_path, "fill_percent >=", "fill_prcent >="))
    assert result.exit_code == 1
    assert "bin.yaml:" in result.stderr
    assert "'fill_prcent' is not a signal of bin" in result.stderr


async def test_more_processes_find_the_same(scene: Scene, conn: AsyncConnection, database_url: str) -> None:
    for number in range(3):
        await conn.execute(
            "INSERT INTO device (community_id, asset_id, code, profile)"
            " SELECT community_id, asset_id, %(code)s, profile FROM device WHERE id = %(id)s",
            {"code": f"bin-8{number}", "id": scene.devices["bin-7"]},
        )
    await conn.execute(
        "INSERT INTO reading SELECT r.community_id, d.id, r.signal_id, r.ts, r.value FROM reading r, device d"
        " WHERE d.code LIKE 'bin-8%'"
    )
    old = file_sources(None)
    new = put_in(old, Source("bin", "changed", BIN.replace("default: 90", "default: 80")))
    order = Order(old, new, ("bin",), START, START + timedelta(days=DAYS))
    told: list[Done] = []
    alone, together = [await replay(database_url, order, told.append, processes=n) for n in (1, 3)]
    assert (alone.processes, together.processes) == (1, 3)
    assert alone.tally.rules == together.tally.rules
    assert alone.tally.differences == together.tally.differences
    assert alone.tally.devices == together.tally.devices == 4
    assert told[-1].share <= 1


async def test_a_process_that_fails_says_why(scene: Scene, conn: AsyncConnection, database_url: str) -> None:
    assert scene.devices
    await conn.execute("ALTER TABLE event RENAME TO events")
    old = file_sources(None)
    with pytest.raises(ReplayFailed, match='relation "event" does not exist'):
        await replay(database_url, Order(old, old, ("bin",), START, START + HOUR), lambda _: None)


async def test_what_was_said_elsewhere_is_not_judged_here(
    scene: Scene, conn: AsyncConnection, tmp_path: Path
) -> None:
    """The sensor was moved to this bin after a week: what it said before, and its alarms, are another's."""
    await conn.execute(
        "INSERT INTO device_change (device_id, at, via, what, before, after) VALUES (%(id)s, %(at)s, 'page',"
        " 'changed', '{\"asset_id\": 99}', '{\"asset_id\": 1}')",
        {"id": scene.devices["bin-7"], "at": START + timedelta(days=7)},
    )
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *TIMES, "--json")
    [overflow] = [line for line in json.loads(result.stdout)["rules"] if line["rule"] == "bin_overflow"]
    assert (overflow["counts"]["old"], overflow["counts"]["new"]) == (1, 7)


async def test_the_alarms_of_a_retired_device_end_with_it(
    scene: Scene, conn: AsyncConnection, tmp_path: Path
) -> None:
    gone = datetime(2026, 10, 6, 15, tzinfo=UTC)  # in the middle of a noon
    await conn.execute(
        "UPDATE device SET retired_at = %(at)s WHERE id = %(id)s", {"at": gone, "id": scene.devices["bin-7"]}
    )
    result = await run("--rules", changed(tmp_path, "default: 90", "default: 80"), *TIMES, "--json")
    found = [each for each in json.loads(result.stdout)["changes"] if each["rule"] == "bin_overflow"]
    assert [each["new"]["cleared"] for each in found] == ["2026-10-05T18:00:00Z", "2026-10-06T15:00:00Z"]
