"""`clerestory doctor` and `clerestory migrate`, as an operator calls them."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clerestory.commands.storage import COMMANDS
from clerestory.doctor import check_broker, judge, judge_schema
from config.settings import Settings
from storage.embedded import EmbeddedPostgres
from storage.health import inspect
from storage.migrate import SchemaState, shipped
from tests.manual_clock import START
from tests.mosquitto import Mosquitto


@pytest.fixture
def home(reachable_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a command runs with nothing set: neither variables nor a `.env` of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("CLERESTORY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(reachable_tmp_path)
    return reachable_tmp_path


def clerestory(home: Path, name: str, *arguments: str, **variables: str) -> Result:
    """Call a command as the console script does."""
    commands = {str(command.name): command for command in COMMANDS}
    env = {"CLERESTORY_DATA_DIR": str(home / "data")} | variables
    return CliRunner().invoke(commands[name], arguments, env=env, catch_exceptions=False)


def problems(home: Path, **variables: str) -> dict[str, str]:
    """What the doctor finds wrong, with how to mend it; the exit code agrees."""
    done = clerestory(home, "doctor", "--json", **variables)
    report = json.loads(done.stdout)
    found = {
        each["about"]: f"{each['what']} → {each['mend']}"
        for each in report["findings"]
        if each["status"] == "problem"
    }
    assert report["ok"] is not bool(found)
    assert done.exit_code == (1 if found else 0)
    assert all(each["mend"] for each in report["findings"] if each["status"] == "problem")
    return found


def test_a_fresh_machine_is_in_order_and_left_as_it_was(home: Path) -> None:
    done = clerestory(home, "doctor")
    assert done.exit_code == 0
    assert "does not exist yet and can be made" in done.stdout
    assert "our own, made in" in done.stdout
    assert done.stdout.endswith("Everything is in order.\n")
    assert list(home.iterdir()) == []


async def test_our_own_database_is_looked_into_while_it_runs(home: Path) -> None:
    async with EmbeddedPostgres(home / "data" / "postgres"):
        found = await asyncio.to_thread(problems, home)
    assert "migrations wait" in found["schema"]


def test_our_own_database_is_started_for_the_look(home: Path) -> None:
    done = clerestory(home, "migrate")
    assert done.stdout.splitlines() == [f"applied {migration.name}" for migration in shipped()]
    assert problems(home) == {}
    assert "not running, started for this look" in clerestory(home, "doctor").stdout


def test_a_given_database_and_broker_that_answer_are_in_order(
    home: Path, database_url: str, broker: Mosquitto
) -> None:
    assert problems(home, CLERESTORY_DATABASE_URL=database_url, CLERESTORY_MQTT_URL=broker.url) == {}


def test_a_database_not_migrated_is_mended_by_migrate(home: Path, empty_database_url: str) -> None:
    assert "run `clerestory migrate`" in problems(home, CLERESTORY_DATABASE_URL=empty_database_url)["schema"]
    assert clerestory(home, "migrate", CLERESTORY_DATABASE_URL=empty_database_url).exit_code == 0
    again = clerestory(home, "migrate", CLERESTORY_DATABASE_URL=empty_database_url)
    assert again.stdout == "nothing to apply: the database is up to date\n"
    assert problems(home, CLERESTORY_DATABASE_URL=empty_database_url) == {}


def test_what_does_not_answer_is_named(home: Path) -> None:
    found = problems(
        home,
        CLERESTORY_DATABASE_URL="postgresql://u:s3cret@127.0.0.1:1/d",
        CLERESTORY_MQTT_URL="mqtt://u:s3cret@127.0.0.1:1",
    )
    assert "correct CLERESTORY_DATABASE_URL" in found["database"]
    assert "correct CLERESTORY_MQTT_URL" in found["broker"]
    assert "s3cret" not in str(found)


def test_settings_that_cannot_be_used_are_named(home: Path) -> None:
    assert (
        "CLERESTORY_HTTP=nowhere: right would be HOST:PORT"
        in problems(home, CLERESTORY_HTTP="nowhere")["settings"]
    )
    misspelt = problems(home, CLERESTORY_DATABSE_URL="x")["settings"]
    assert "rename it to CLERESTORY_DATABASE_URL" in misspelt


def test_a_data_directory_in_the_way_is_named(home: Path) -> None:
    (home / "data").write_text("")
    found = problems(home)
    assert "set CLERESTORY_DATA_DIR" in found["data directory"]


def test_migrate_says_why_it_cannot(home: Path) -> None:
    env = {**os.environ, "CLERESTORY_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/d"}
    command = Path(sys.executable).with_name("clerestory")
    done = subprocess.run(
        [command, "migrate"], check=False, capture_output=True, text=True, cwd=home, env=env
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: database d on 127.0.0.1, port 1 does not answer")
    assert "Traceback" not in done.stderr


async def test_without_mosquitto_the_doctor_says_what_amqtt_is_worth() -> None:
    finding = await check_broker(Settings(mqtt_url=None), lambda: None)
    assert finding.status == "note"
    assert "only for trying out" in finding.what
    assert "install mosquitto" in finding.mend


async def test_odd_databases_are_recognised(database_url: str) -> None:
    health = replace(await inspect(database_url), now=START)

    def said(**changes: object) -> set[str]:
        odd = replace(health, **changes)  # type: ignore[arg-type]
        return {finding.about for finding in judge(odd, START, START) if finding.status == "problem"}

    assert said() == set()
    assert said(major=13) == {"database"}
    assert said(encoding="SQL_ASCII") == {"database"}
    assert said(community_timezones=["Asia/Shanghai", "Asia/Shanghia"]) == {"time zone"}
    assert said(now=START + timedelta(seconds=5)) == set()
    assert said(now=START + timedelta(seconds=6)) == {"clock"}
    assert said(now=START - timedelta(seconds=6)) == {"clock"}


async def test_the_look_into_a_database_is_true(database_url: str) -> None:
    before = datetime.now(UTC)
    health = await inspect(database_url)
    assert health.session_timezone == "UTC"
    assert health.encoding == "UTF8"
    assert abs(health.now - before) < timedelta(minutes=1)
    assert health.timescaledb == "" or health.timescaledb_available


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (SchemaState([], [], []), "ok", "up to date"),
        (SchemaState(["0009_x"], [], []), "problem", "0009_x"),
        (SchemaState([], ["0099_y"], []), "problem", "newer version (0099_y)"),
        (SchemaState([], [], ["0001_places"]), "problem", "changed after they were applied"),
    ],
)
def test_the_schema_is_judged(found: SchemaState, status: str, word: str) -> None:
    finding = judge_schema(found)
    assert finding.status == status
    assert word in finding.what


def test_a_read_only_database_is_a_problem(home: Path, database_url: str) -> None:
    joined = f"{database_url}{'&' if '?' in database_url else '?'}"
    found = problems(home, CLERESTORY_DATABASE_URL=f"{joined}options=-cdefault_transaction_read_only%3Don")
    assert "read-only" in found["database"]
    assert "default_transaction_read_only" in found["database"]


def test_a_disk_that_is_nearly_full_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clerestory.doctor.LEAST_FREE", 1 << 60)
    assert "make room" in problems(home)["data directory"]
