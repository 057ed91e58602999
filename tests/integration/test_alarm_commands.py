"""`clerestory alarms` and `clerestory emergency`, as an operator uses them."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import AsyncConnection

from clerestory.cli import main
from config.clock import SystemClock
from tests.integration.alarm_world import Place, build, rows, the_book

ALARM = """
    INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh, meaning_en,
                       raised_at, recorded_at, paged_at)
    VALUES (%s, %s, %s, 'minor', '倾倒', 'Tipped', '倒', 'over', %s, %s, %s) RETURNING id
"""


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture
async def place(conn: AsyncConnection, tmp_path: Path) -> Place:
    return await build(conn, the_book(tmp_path))


async def call(run: CliRunner, words: str) -> Result:
    return await asyncio.to_thread(run.invoke, main, words.split("|"), catch_exceptions=False)


async def an_alarm(conn: AsyncConnection, place: Place) -> int:
    now = SystemClock().now()
    found = await rows(
        conn, ALARM, place.community, place.devices["bin-1"].device_id, "bin_tilted", now, now, now
    )
    return int(found[0][0])


async def test_alarms_are_listed_acknowledged_muted_and_all_of_it_undone(
    run: CliRunner, conn: AsyncConnection, place: Place
) -> None:
    assert "no live alarms" in (await call(run, "alarms|list")).output
    alarm = await an_alarm(conn, place)
    assert "bund/bin-1  Tipped  [told]" in (await call(run, "alarms|list")).output

    done = await call(run, f"alarms|ack|{alarm}|--for|45m|--words|on my way|--by|Chen")
    assert done.exit_code == 0
    assert "acknowledged by Chen until" in done.output
    [listed] = json.loads((await call(run, "alarms|list|--json")).output)
    assert (listed["state"], listed["acknowledged_by"]) == ("acknowledged", "Chen")
    assert (await call(run, f"alarms|unack|{alarm}|--by|Chen")).exit_code == 0

    done = await call(run, "alarms|mute|bund|--asset|bin-1|--for|4h|--why|it is being moved|--by|Chen")
    assert done.exit_code == 0
    listed_text = (await call(run, "alarms|list|--state|muted")).output
    assert "muted by Chen until" in listed_text
    assert "it is being moved" in listed_text
    [(mute,)] = await rows(conn, "SELECT id FROM mute")
    assert "(1 held)" in (await call(run, "alarms|mutes")).output
    assert (await call(run, f"alarms|unmute|{mute}|--by|Li")).exit_code == 0
    assert "nothing is muted" in (await call(run, "alarms|mutes|--community|bund")).output


async def test_an_emergency_is_declared_listed_and_ended(
    run: CliRunner, conn: AsyncConnection, place: Place
) -> None:
    assert place.community
    assert "no community was ever" in (await call(run, "emergency|list")).output
    declared = await call(run, "emergency|declare|bund|--kind|storm|--reason|red warning|--by|Chen")
    assert "bund is in an emergency (Storm)" in declared.output
    listed = (await call(run, "emergency|list")).output
    assert "in force  by Chen: red warning  (0 alarms wait)" in listed
    again = await call(run, "emergency|declare|bund|--kind|flood|--reason|x|--by|Chen")
    assert (again.exit_code, "in a declared emergency already" in again.output) == (1, True)
    ended = await call(run, "emergency|end|bund|--reason|it has passed|--by|Chen")
    assert ended.exit_code == 0
    assert await rows(conn, "SELECT ended_name, ended_reason FROM emergency") == [("Chen", "it has passed")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("alarms|list|--community|nowhere", 1, "no community has the code 'nowhere'"),
        ("alarms|ack|999", 1, "there is no alarm 999"),
        ("alarms|ack|0", 2, "is not in the range"),
        ("alarms|ack|1|--for|soon", 2, "write it like 90s, 5m"),
        ("alarms|ack|1|--for|9999999999999999999d", 2, "Invalid value for '--for'"),
        ("alarms|unack|999", 1, "there is no alarm 999"),
        ("alarms|mute|bund|--for|4h", 2, "Missing option '--why'"),
        ("alarms|mute|bund|--why|x", 2, "Missing option '--for'"),
        ("alarms|mute|bund|--why|x|--for|31d", 1, "at most 30 days from now"),
        (
            "alarms|mute|bund|--why|x|--for|1h|--asset|none",
            1,
            "no asset of the community has the code",
        ),
        ("alarms|mute|bund|--why|x|--for|1h|--area|none", 1, "no area of the community has the code 'none'"),
        ("alarms|mute|bund|--why|x|--for|1h|--rule|none", 1, "the code of a rule"),
        ("alarms|mute|bund|--why|x|--for|1h|--asset|bin-1|--area|east", 1, "not both"),
        ("alarms|unmute|1", 1, "there is no mute 1 that stands"),
        ("emergency|declare|bund|--kind|party|--reason|x", 2, "'party' is not one of"),
        ("emergency|end|bund|--reason|x", 1, "in no declared emergency"),
        ("emergency|declare|nowhere|--kind|storm|--reason|x", 1, "no community has the code"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    run: CliRunner, conn: AsyncConnection, place: Place, words: str, code: int, said: str
) -> None:
    assert place.community
    result = await call(run, words)
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert await rows(conn, "SELECT (SELECT count(*) FROM mute) + (SELECT count(*) FROM emergency)") == [(0,)]


async def test_help_says_what_each_command_does(run: CliRunner) -> None:
    for words, said in (
        ("alarms|--help", "unmute"),
        ("alarms|ack|--help", "but told again if nobody follows up"),
        ("emergency|--help", "only critical alarms call people"),
    ):
        assert said in " ".join((await call(run, words)).output.split())
