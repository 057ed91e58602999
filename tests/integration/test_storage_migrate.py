"""Migrations: each once and whole, whoever races, and never backwards."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from storage.migrate import Migration, MigrationFailed, NewerSchema, migrate, shipped, state
from storage.pool import DatabaseUnreachable, in_utc

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
