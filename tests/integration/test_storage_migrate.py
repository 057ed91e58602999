"""Migrations: each once and whole, whoever races, and never backwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from storage.migrate import Migration, MigrationFailed, NewerSchema, migrate, shipped, state
from storage.pool import DatabaseUnreachable, in_utc
from tests.integration.schema_rows import plant

ROOT = Path(__file__).parents[2]
ONE = Migration("0001_one", "CREATE TABLE one (n int);\nINSERT INTO one VALUES (1);")
TWO = Migration(
    "0002_two",
    # A body between $$ with semicolons, quotes and a comment: all of it is one statement.
    "-- two; 'really'\nCREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$\n"
    "BEGIN\n  -- not; the end\n  RETURN (SELECT count(*) * 2 FROM one); -- 100 %\nEND\n$$;",
)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(in_utc(url)) as connection:
        return connection.execute(query).fetchall()


def test_the_shipped_migrations_apply_once(empty_database_url: str) -> None:
    names = [migration.name for migration in shipped()]
    assert names == sorted(names)
    assert names[0] == "0001_places"
    assert state(empty_database_url).waiting == names
    assert migrate(empty_database_url) == names
    assert migrate(empty_database_url) == []
    now = state(empty_database_url)
    assert (now.waiting, now.unknown, now.changed) == ([], [], [])


def test_numbers_are_not_given_twice() -> None:
    numbers = [migration.name.partition("_")[0] for migration in shipped()]
    assert len(set(numbers)) == len(numbers)


def test_only_what_is_new_is_applied(empty_database_url: str) -> None:
    assert migrate(empty_database_url, [ONE]) == ["0001_one"]
    assert migrate(empty_database_url, [ONE, TWO]) == ["0002_two"]
    assert rows(empty_database_url, "SELECT two()") == [(2,)]


def test_a_refused_migration_leaves_nothing_and_names_its_line(empty_database_url: str) -> None:
    bad = Migration("0002_bad", "CREATE TABLE kept (n int);\n\nCREATE TABEL lost (n int);")
    with pytest.raises(MigrationFailed, match=r'0002_bad\.sql, line 3: syntax error at or near "TABEL"'):
        migrate(empty_database_url, [ONE, bad])
    assert rows(empty_database_url, "SELECT to_regclass('kept'), to_regclass('one')::text") == [(None, "one")]
    assert migrate(empty_database_url, [ONE, TWO]) == ["0002_two"]


def test_a_newer_schema_is_refused_untouched(empty_database_url: str) -> None:
    migrate(empty_database_url, [ONE, TWO])
    with pytest.raises(NewerSchema, match="0002_two") as caught:
        migrate(empty_database_url, [ONE])
    assert caught.value.unknown == ["0002_two"]
    assert rows(empty_database_url, "SELECT two()") == [(2,)]


def test_a_migration_changed_afterwards_is_noticed(empty_database_url: str) -> None:
    migrate(empty_database_url)
    with psycopg.connect(in_utc(empty_database_url)) as connection:
        connection.execute("UPDATE schema_migration SET digest = 'other' WHERE name LIKE '0002%'")
    assert [name[:4] for name in state(empty_database_url).changed] == ["0002"]


async def test_processes_that_migrate_at_once_all_succeed(empty_database_url: str) -> None:
    done = await asyncio.gather(*(asyncio.to_thread(migrate, empty_database_url) for _ in range(4)))
    assert sorted(map(len, done)) == [0, 0, 0, len(shipped())]


def test_a_process_killed_while_migrating_blocks_nobody(empty_database_url: str) -> None:
    slow = (
        "from storage.migrate import Migration, migrate; import sys\n"
        "migrate(sys.argv[1], [Migration('0001_one', "
        "'CREATE TABLE one (n int); NOTIFY begun; SELECT pg_sleep(600)')])"
    )
    with psycopg.connect(in_utc(empty_database_url), autocommit=True) as watcher:
        process = subprocess.Popen([sys.executable, "-c", slow, empty_database_url], cwd=ROOT)
        sleeping = (
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )
        while not watcher.execute(sleeping).fetchone():
            assert process.poll() is None
        process.kill()
        process.wait()
    assert migrate(empty_database_url, [ONE]) == ["0001_one"]


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachable, match=r"database d on 127\.0\.0\.1, port 1 ") as caught:
        migrate("postgresql://u:s3cret@127.0.0.1:1/d")
    assert "s3cret" not in str(caught.value)


async def test_alarms_of_before_0019_are_placed_where_they_were(empty_database_url: str) -> None:
    """By the order one opened, by what people changed about its device since, or where the device is."""
    before = [each for each in shipped() if each.name < "0019"]
    await asyncio.to_thread(migrate, empty_database_url, before)
    async with await psycopg.AsyncConnection.connect(in_utc(empty_database_url), autocommit=True) as conn:
        await plant(conn)
        await conn.execute(
            """
            INSERT INTO asset (community_id, area_id, building_id, class, code, name_zh, name_en)
            VALUES (1, 1, 1, 'elevator', 'E2', '', ''), (1, 1, 1, 'elevator', 'E3', '', '');
            INSERT INTO alarm (community_id, device_id, rule, severity, title_zh, title_en, meaning_zh,
                               meaning_en, raised_at, recorded_at)
            SELECT 1, 1, rule, 'major', '', '', '', '', at, at
              FROM (VALUES ('ordered', '2026-11-23'::timestamptz), ('moved', '2026-11-24'),
                           ('since', '2026-11-26')) AS v (rule, at);
            INSERT INTO work_order (community_id, number, asset_id, area_id, kind, skill, severity, title_zh,
                                    title_en, opened_at, due_at, alarm_id)
            SELECT 1, 'W9', 3, 1, 'repair', 'elevator', 'major', '', '', '2026-11-23', '2026-11-23', id
              FROM alarm WHERE rule = 'ordered';
            INSERT INTO device_change (device_id, at, via, what, before, after)
            VALUES (1, '2026-11-22', 'page', 'changed', '{"asset_id": 3}', '{"asset_id": 1}'),
                   (1, '2026-11-25', 'page', 'changed', '{"asset_id": 1, "dev_eui": "a"}',
                    '{"asset_id": 1, "dev_eui": null}'),
                   (1, '2026-11-25', 'page', 'changed', '{"asset_id": 1}', '{"asset_id": 2}');
            UPDATE device SET asset_id = 2
            """
        )
    await asyncio.to_thread(migrate, empty_database_url)
    found = rows(empty_database_url, "SELECT rule, asset_id FROM alarm ORDER BY id")
    assert found == [("past", 1), ("ordered", 3), ("moved", 1), ("since", 2)]
    assert rows(empty_database_url, "SELECT count(*) FROM alarm_event WHERE kind <> 'raised'") == [(1,)]
    assert rows(empty_database_url, "SELECT asset_id, retired FROM device_state") == [(2, False)]
