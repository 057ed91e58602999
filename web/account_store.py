"""Making, listing and ending accounts: the SQL behind the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from config.text import Language
from web.access import Role


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as an administrator lists it."""

    login: str
    name: str
    role: Role
    language: Language
    belongs_to: str
    has_password: bool
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made."""

    login: str
    name: str
    role: Role
    language: Language
    password_hash: str | None
    staff_id: int | None = None
    party_id: int | None = None
    community_ids: Sequence[int] = ()


async def accounts(conn: AsyncConnection) -> list[AccountRow]:
    """List every account by login."""
    async with conn.cursor(row_factory=class_row(AccountRow)) as cursor:
        await cursor.execute(
            """
            SELECT account.login, account.name, account.role, account.language,
                   coalesce(staff.code, party_community.code || '/' || party.code,
                            (SELECT string_agg(community.code, ' ' ORDER BY community.code)
                               FROM account_community JOIN community ON community.id = community_id
                              WHERE account_id = account.id), '') AS belongs_to,
                   account.password_hash IS NOT NULL AS has_password, account.disabled_at
              FROM account
              LEFT JOIN staff ON staff.id = account.staff_id
              LEFT JOIN party ON party.id = account.party_id
              LEFT JOIN community AS party_community ON party_community.id = party.community_id
             ORDER BY account.login
            """
        )
        return await cursor.fetchall()


async def add_account(conn: AsyncConnection, new: NewAccount) -> int | None:
    """Insert an account and the communities it may see; nothing when the login is taken."""
    cursor = await conn.execute(
        """
        INSERT INTO account (login, name, role, language, password_hash, staff_id, party_id)
        VALUES (%(login)s, %(name)s, %(role)s, %(language)s, %(password_hash)s, %(staff_id)s, %(party_id)s)
        ON CONFLICT (login) DO NOTHING RETURNING id
        """,
        {
            "login": new.login,
            "name": new.name,
            "role": new.role,
            "language": new.language,
            "password_hash": new.password_hash,
            "staff_id": new.staff_id,
            "party_id": new.party_id,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    await conn.execute(
        """
        INSERT INTO account_community (account_id, community_id)
        SELECT %(account_id)s, unnest(%(community_ids)s::int[])
        """,
        {"account_id": row[0], "community_ids": list(new.community_ids)},
    )
    account_id: int = row[0]
    return account_id


async def disable(conn: AsyncConnection, account_id: int, now: datetime) -> None:
    """Let an account sign in no more."""
    await conn.execute(
        "UPDATE account SET disabled_at = %(now)s WHERE id = %(account_id)s AND disabled_at IS NULL",
        {"account_id": account_id, "now": now},
    )


async def account_id_of(conn: AsyncConnection, login: str) -> int | None:
    """Return the account behind a login, disabled or not."""
    cursor = await conn.execute("SELECT id FROM account WHERE login = %(login)s", {"login": login})
    row = await cursor.fetchone()
    return row[0] if row else None


async def staff_id_of(conn: AsyncConnection, code: str) -> tuple[int, str] | None:
    """Return a technician's id and name, unless an account has them already or they left."""
    cursor = await conn.execute(
        """
        SELECT id, name FROM staff
         WHERE code = %(code)s AND left_on IS NULL
           AND NOT EXISTS (SELECT FROM account WHERE account.staff_id = staff.id)
        """,
        {"code": code},
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else None


async def party_id_of(conn: AsyncConnection, community_id: int, code: str) -> tuple[int, str] | None:
    """Return a party's id and name, unless an account has it already."""
    cursor = await conn.execute(
        """
        SELECT id, name FROM party
         WHERE community_id = %(community_id)s AND code = %(code)s
           AND NOT EXISTS (SELECT FROM account WHERE account.party_id = party.id)
        """,
        {"community_id": community_id, "code": code},
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else None


async def community_ids_of(conn: AsyncConnection, codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of communities by code."""
    cursor = await conn.execute(
        "SELECT code, id FROM community WHERE code = ANY(%(codes)s)", {"codes": list(codes)}
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}
