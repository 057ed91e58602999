"""What a database says about itself, for `clerestory doctor`."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import class_row

from storage.pool import CONNECT_SECONDS, DatabaseUnreachable, in_utc, where


@dataclass(frozen=True, slots=True)
class Health:
    """One look at a database. `timescaledb` is its version, empty where it is not installed here."""

    version: str
    major: int
    encoding: str
    timezone: str
    session_timezone: str
    now: datetime
    timescaledb: str
    timescaledb_available: bool
    community_timezones: list[str]
    read_only: bool  # nothing can be stored: a replica, or set so


async def inspect(url: str) -> Health:
    """Look into a database, migrated or not; raises `DatabaseUnreachable`."""
    try:
        # As a session that asks for nothing sees it; ours always ask for UTC.
        async with await AsyncConnection.connect(url, connect_timeout=CONNECT_SECONDS) as plain:
            timezone = plain.info.parameter_status("TimeZone") or "unknown"
        async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
            return await _ask(conn, timezone)
    except OperationalError as error:
        raise DatabaseUnreachable(f"{where(url)} does not answer: {str(error).strip()}") from error


async def _ask(conn: AsyncConnection, timezone: str) -> Health:
    loaded = await (await conn.execute("SELECT to_regclass('community') IS NOT NULL")).fetchone()
    zones = (
        await (await conn.execute("SELECT DISTINCT timezone FROM community ORDER BY 1")).fetchall()
        if loaded and loaded[0]
        else []
    )
    async with conn.cursor(row_factory=class_row(Health)) as cursor:
        await cursor.execute(
            "SELECT current_setting('server_version') AS version,"
            " current_setting('server_version_num')::int / 10000 AS major,"
            " current_setting('server_encoding') AS encoding,"
            " %(timezone)s AS timezone,"
            " current_setting('TimeZone') AS session_timezone,"
            " clock_timestamp() AS now,"
            " coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), '')"
            " AS timescaledb,"
            " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
            " AS timescaledb_available,"
            " %(zones)s::text[] AS community_timezones,"
            " current_setting('transaction_read_only')::boolean AS read_only",
            {"zones": [zone for (zone,) in zones], "timezone": timezone},
        )
        found = await cursor.fetchone()
    if found is None:
        raise DatabaseUnreachable("the database answered a question with nothing")
    return found
