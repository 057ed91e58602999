"""Migrations: plain SQL files, forward only, each applied once and whole.

A file and the note that it was applied are one transaction, and an advisory lock held by our own connection
keeps two processes apart: a process killed at whatever moment leaves neither a lock nor half a file behind.
"""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

import psycopg

from storage.pool import DatabaseUnreachable, in_utc, where

LOCK = 0x636C65726573  # "cleres": one number for the whole house, so that nobody else takes it by chance


class NewerSchema(RuntimeError):
    """The database was migrated by a newer version than this one."""

    def __init__(self, unknown: list[str]) -> None:
        super().__init__(
            f"the database has migrations that this version does not know: {', '.join(unknown)}. "
            "Start the newer version that made them, or restore a backup from before."
        )
        self.unknown = unknown


class MigrationFailed(RuntimeError):
    """A migration's SQL was refused; nothing of that file was kept."""

    def __init__(self, name: str, line: int, why: str) -> None:
        super().__init__(f"{name}.sql, line {line}: {why}")
        self.name = name
        self.line = line


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; its name is its identity, its digest tells whether it was changed after it was applied."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands: what waits, what it has that we do not know, what was changed afterwards."""

    waiting: list[str]
    unknown: list[str]
    changed: list[str]


def shipped() -> list[Migration]:
    """The migrations of this version, in order."""
    folder = files("storage") / "migrations"
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return [
        Migration(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in sorted(found, key=lambda entry: entry.name)
    ]


def migrate(url: str, migrations: list[Migration] | None = None) -> list[str]:
    """Bring the database up to this version and say what was applied; blocks, so call it in a thread.

    Raises `NewerSchema`, `MigrationFailed` or `DatabaseUnreachable`.
    """
    migrations = shipped() if migrations is None else migrations
    with _connect(url) as connection:
        # If we are killed, the server is to notice it during a long statement and let go of the lock.
        connection.execute("SET client_connection_check_interval = '1s'")
        connection.execute("SELECT pg_advisory_lock(%(lock)s)", {"lock": LOCK})
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration ("
            " name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = _applied(connection)
        unknown = sorted(applied.keys() - {migration.name for migration in migrations})
        if unknown:
            raise NewerSchema(unknown)
        waiting = [migration for migration in migrations if migration.name not in applied]
        for migration in waiting:
            _apply(connection, migration)
        return [migration.name for migration in waiting]


def state(url: str) -> SchemaState:
    """Compare a database with this version without changing anything."""
    migrations = shipped()
    with _connect(url) as connection:
        found = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
        applied = _applied(connection) if found and found[0] else {}
    return SchemaState(
        waiting=[migration.name for migration in migrations if migration.name not in applied],
        unknown=sorted(applied.keys() - {migration.name for migration in migrations}),
        changed=[
            migration.name
            for migration in migrations
            if applied.get(migration.name, migration.digest) != migration.digest
        ],
    )


def _connect(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(in_utc(url), autocommit=True)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"{where(url)} does not answer: {str(error).strip()}") from error


def _applied(connection: psycopg.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, digest FROM schema_migration").fetchall())


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migration (name, digest) VALUES (%(name)s, %(digest)s)",
                {"name": migration.name, "digest": migration.digest},
            )
    except psycopg.DatabaseError as error:
        position = int(error.diag.statement_position or 1)
        line = migration.sql.count("\n", 0, position - 1) + 1
        raise MigrationFailed(migration.name, line, str(error.diag.message_primary or error)) from error
