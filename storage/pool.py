"""Connections to PostgreSQL, always in UTC."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

CONNECT_SECONDS = 10
RECONNECT_SECONDS = 8


class DatabaseUnreachable(ConnectionError):
    """The database does not answer; the message says where and why."""


def in_utc(url: str) -> str:
    """The same database, in sessions whose time zone is UTC and whose every statement sees what is committed.

    Whatever the server's defaults are: roll-ups, for one, are exact only so.
    """
    try:
        known = conninfo_to_dict(url)
    except ProgrammingError as error:
        # libpq quotes the whole address, password included.
        why = str(error).strip().replace(url, "the address")
        raise DatabaseUnreachable(f"the database address cannot be read: {why}") from None
    ours = r"-c timezone=UTC -c default_transaction_isolation=read\ committed"
    options = f"{known.get('options') or ''} {ours}".strip()
    timeout = known.get("connect_timeout") or CONNECT_SECONDS
    return make_conninfo(url, options=options, connect_timeout=timeout)


def where(url: str) -> str:
    """The database's address without its password, for messages."""
    known = conninfo_to_dict(url)
    host, port = known.get("host") or "the default host", known.get("port") or 5432
    return f"database {known.get('dbname') or ''} on {host}, port {port}"


async def _check(conn: AsyncConnection) -> None:
    """Ask the server only where something has come on an idle connection: its end, or a last word.

    What ends a server or a connection to it is heard on the socket; asking every time is a round trip.
    """
    said = select.poll()
    said.register(conn.fileno(), select.POLLIN)
    if said.poll(0):
        await AsyncConnectionPool.check_connection(conn)


@asynccontextmanager
async def open_pool(url: str, *, max_size: int = 8) -> AsyncIterator[AsyncConnectionPool]:
    """Open a pool; raises `DatabaseUnreachable` at once where nobody answers.

    A connection taken from it is one transaction: it commits when given back, rolls back on an error.
    """
    conninfo = in_utc(url)
    try:
        # The pool itself would only report that its time ran out, not why.
        await (await AsyncConnection.connect(conninfo)).close()
    except OperationalError as error:
        raise DatabaseUnreachable(f"{where(url)} does not answer: {str(error).strip()}") from error
    pool = AsyncConnectionPool(
        conninfo,
        min_size=1,
        max_size=max_size,
        open=False,
        # After a restart of the database the first user must not find a dead connection.
        check=_check,
        # Its pauses double up to this; whoever still wants a connection then starts afresh. The pool's own
        # five minutes would leave us waiting long after the database is back.
        reconnect_timeout=RECONNECT_SECONDS,
        name="clerestory",
    )
    async with pool:
        yield pool
