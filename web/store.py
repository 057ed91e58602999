"""Accounts, sessions and failed sign-ins: all SQL of the web room about who somebody is."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row

from config.text import Language
from web.access import Role


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in, and what they may see. `communities` is every one for an administrator."""

    id: int
    login: str
    name: str
    role: Role
    language: Language
    staff_id: int | None
    party_id: int | None
    communities: tuple[int, ...]
    timezone: str


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser."""

    account: Account
    token_hash: bytes
    csrf: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against."""

    id: int
    role: Role
    language: Language
    password_hash: str | None


async def session(conn: AsyncConnection, token_hash: bytes, now: datetime) -> Session | None:
    """Return the live session behind a cookie, unless it ended or its account was disabled."""
    cursor = await conn.execute(
        """
        SELECT account.id, account.login, account.name, account.role, account.language, account.staff_id,
               account.party_id, seen.communities,
               coalesce((SELECT timezone FROM community WHERE community.id = seen.communities[1]), 'UTC'),
               session.csrf, session.created_at, session.expires_at
          FROM session
          JOIN account ON account.id = session.account_id
         CROSS JOIN LATERAL (SELECT
          CASE account.role
              WHEN 'administrator' THEN ARRAY(SELECT id FROM community ORDER BY id)
              WHEN 'resident' THEN ARRAY(SELECT community_id FROM party WHERE party.id = account.party_id)
              WHEN 'technician' THEN ARRAY(
                  SELECT DISTINCT area.community_id FROM staff_area JOIN area ON area.id = staff_area.area_id
                   WHERE staff_area.staff_id = account.staff_id ORDER BY 1)
              ELSE ARRAY(SELECT community_id FROM account_community
                          WHERE account_community.account_id = account.id ORDER BY 1)
          END AS communities) AS seen
         WHERE session.token_hash = %(token_hash)s AND session.expires_at > %(now)s
           AND account.disabled_at IS NULL
        """,
        {"token_hash": token_hash, "now": now},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    who, (csrf, created_at, expires_at) = row[:9], row[9:]
    return Session(_account(*who), token_hash, csrf, created_at, expires_at)


def _account(
    account_id: int,
    login: str,
    name: str,
    role: Role,
    language: Language,
    staff_id: int | None,
    party_id: int | None,
    communities: list[int],
    timezone: str,
) -> Account:
    return Account(account_id, login, name, role, language, staff_id, party_id, tuple(communities), timezone)


async def open_session(
    conn: AsyncConnection,
    *,
    token_hash: bytes,
    account_id: int,
    csrf: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Start a session, and forget those that ended."""
    await conn.execute("DELETE FROM session WHERE expires_at <= %(now)s", {"now": now})
    await conn.execute(
        """
        INSERT INTO session (token_hash, account_id, csrf, created_at, expires_at)
        VALUES (%(token_hash)s, %(account_id)s, %(csrf)s, %(now)s, %(expires_at)s)
        """,
        {
            "token_hash": token_hash,
            "account_id": account_id,
            "csrf": csrf,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def extend_session(conn: AsyncConnection, token_hash: bytes, expires_at: datetime) -> None:
    """Let a session that is in use last longer."""
    await conn.execute(
        "UPDATE session SET expires_at = %(expires_at)s WHERE token_hash = %(token_hash)s",
        {"token_hash": token_hash, "expires_at": expires_at},
    )


async def close_session(conn: AsyncConnection, token_hash: bytes) -> None:
    """End one session."""
    await conn.execute("DELETE FROM session WHERE token_hash = %(token_hash)s", {"token_hash": token_hash})


async def close_sessions(conn: AsyncConnection, account_id: int, *, keep: bytes = b"") -> None:
    """End every session of an account but one."""
    await conn.execute(
        "DELETE FROM session WHERE account_id = %(account_id)s AND token_hash <> %(keep)s",
        {"account_id": account_id, "keep": keep},
    )


async def credentials(conn: AsyncConnection, login: str) -> Credentials | None:
    """Return what to check a sign-in against; nothing for an unknown or disabled login."""
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(
            """
            SELECT id, role, language, password_hash FROM account
             WHERE login = %(login)s AND disabled_at IS NULL
            """,
            {"login": login},
        )
        return await cursor.fetchone()


async def set_password(conn: AsyncConnection, account_id: int, password_hash: str) -> None:
    """Replace an account's password."""
    await conn.execute(
        "UPDATE account SET password_hash = %(password_hash)s WHERE id = %(account_id)s",
        {"account_id": account_id, "password_hash": password_hash},
    )


async def set_language(conn: AsyncConnection, account_id: int, language: Language) -> None:
    """Remember the language somebody chose."""
    await conn.execute(
        "UPDATE account SET language = %(language)s WHERE id = %(account_id)s",
        {"account_id": account_id, "language": language},
    )


class Tries(NamedTuple):
    """How many wrong tries a login has from one address, from all of them, and an address with any login.

    The first is strict, as it can hold up nobody but who tries. The second is what many addresses together
    can use up, to guess or to keep somebody out, so it is looser.
    """

    together: int
    login: int
    address: int


# A failed try is written before the password is looked at and taken back when it fits: of many tries at
# once no more than the limit are looked at. The locks are taken login first, address second, always.
async def begin_try(
    conn: AsyncConnection,
    login: str,
    address: str,
    *,
    now: datetime,
    since: datetime,
    limits: Tries,
) -> tuple[int | None, datetime | None]:
    """Count one more try: (its id, None), or (None, the oldest try that counts) when there were too many."""
    await conn.execute("SELECT pg_advisory_xact_lock(7101, hashtext(%(login)s)), 1", {"login": login})
    await conn.execute("SELECT pg_advisory_xact_lock(7102, hashtext(%(address)s)), 1", {"address": address})
    await conn.execute("DELETE FROM sign_in_failure WHERE at <= %(since)s", {"since": since})
    cursor = await conn.execute(
        """
        SELECT at FROM (
            (SELECT at FROM sign_in_failure WHERE login = %(login)s AND address = %(address)s
              ORDER BY at DESC OFFSET %(together)s LIMIT 1)
            UNION ALL
            (SELECT at FROM sign_in_failure WHERE login = %(login)s
              ORDER BY at DESC OFFSET %(by_login)s LIMIT 1)
            UNION ALL
            (SELECT at FROM sign_in_failure WHERE address = %(address)s
              ORDER BY at DESC OFFSET %(by_address)s LIMIT 1)
        ) AS full_window ORDER BY at DESC LIMIT 1
        """,
        {
            "login": login,
            "address": address,
            "together": limits.together - 1,
            "by_login": limits.login - 1,
            "by_address": limits.address - 1,
        },
    )
    row = await cursor.fetchone()
    if row is not None:
        return None, row[0]
    cursor = await conn.execute(
        """
        INSERT INTO sign_in_failure (login, address, at) VALUES (%(login)s, %(address)s, %(now)s) RETURNING id
        """,
        {"login": login, "address": address, "now": now},
    )
    row = await cursor.fetchone()
    return (row[0] if row else None), None


async def forgive(conn: AsyncConnection, login: str, try_id: int) -> None:
    """Take this try back, and the login's failures from the same address; those of others stand."""
    await conn.execute(
        """
        DELETE FROM sign_in_failure
         WHERE id = %(try_id)s
            OR login = %(login)s AND address = (SELECT address FROM sign_in_failure WHERE id = %(try_id)s)
        """,
        {"login": login, "try_id": try_id},
    )
