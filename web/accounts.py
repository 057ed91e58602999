"""Making and ending accounts: what the command line does with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import AsyncConnection

from config.text import Language, misprint
from web import account_store, store
from web.access import Role
from web.passwords import Passwords

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


class AccountRefused(ValueError):
    """An account that cannot be made or found; `field` and `value` are what is wrong."""

    def __init__(self, field: str, value: str, right: str) -> None:
        super().__init__(f"{field} {value!r}: {right}")
        self.field = field
        self.value = value


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account somebody asks for, by codes. An empty `name` is the technician's or resident's own."""

    login: str
    role: Role
    name: str = ""
    language: Language = "zh"
    staff: str | None = None
    party: str | None = None
    communities: Sequence[str] = ()


async def add(conn: AsyncConnection, wanted: Wanted, password: str | None, passwords: Passwords) -> int:
    """Make an account, or raise AccountRefused or UnfitPassword; without a password it cannot sign in yet."""
    if not _LOGIN.fullmatch(wanted.login):
        raise AccountRefused("login", wanted.login, "2 to 64 of a–z, 0–9, dot, dash, underscore and @")
    wrong = misprint(wanted.name)
    if wrong is not None:
        raise AccountRefused("name", wanted.name, wrong.en)
    _check_role(wanted)
    communities = await account_store.community_ids_of(conn, wanted.communities)
    for code in wanted.communities:
        if code not in communities:
            raise AccountRefused("community", code, "no community has this code; load it first")
    name, staff_id, party_id = wanted.name, None, None
    if wanted.staff is not None:
        staff = await account_store.staff_id_of(conn, wanted.staff)
        if staff is None:
            raise AccountRefused("staff", wanted.staff, "must be the code of a technician without an account")
        staff_id, name = staff[0], name or staff[1]
    if wanted.party is not None:
        party = await account_store.party_id_of(conn, communities[wanted.communities[0]], wanted.party)
        if party is None:
            raise AccountRefused("party", wanted.party, "must be the code of a resident without an account")
        party_id, name = party[0], name or party[1]
    new = account_store.NewAccount(
        login=wanted.login,
        name=name or wanted.login,
        role=wanted.role,
        language=wanted.language,
        password_hash=None if password is None else await passwords.hash(password),
        staff_id=staff_id,
        party_id=party_id,
        community_ids=[] if party_id is not None or staff_id is not None else list(communities.values()),
    )
    account_id = await account_store.add_account(conn, new)
    if account_id is None:
        raise AccountRefused("login", wanted.login, "is taken")
    return account_id


def _check_role(wanted: Wanted) -> None:
    """Refuse what does not go together with the role."""
    if wanted.role == "resident":
        if wanted.party is None or len(wanted.communities) != 1:
            raise AccountRefused("role", wanted.role, "needs --community and --party, one of each")
    elif wanted.party is not None:
        raise AccountRefused("party", wanted.party, "belongs to the role resident")
    elif wanted.role == "technician" and wanted.staff is None:
        raise AccountRefused("role", wanted.role, "needs --staff, the technician's code")
    elif wanted.role in {"manager", "dispatcher", "finance"} and not wanted.communities:
        raise AccountRefused("role", wanted.role, "needs at least one --community")


async def set_password(conn: AsyncConnection, login: str, password: str, passwords: Passwords) -> None:
    """Give an account a new password, and sign it out everywhere."""
    account_id = await _known(conn, login)
    await store.set_password(conn, account_id, await passwords.hash(password))
    await store.close_sessions(conn, account_id)


async def disable(conn: AsyncConnection, login: str, now: datetime) -> None:
    """End an account's access at once; its name stays on what it did."""
    account_id = await _known(conn, login)
    await account_store.disable(conn, account_id, now)
    await store.close_sessions(conn, account_id)


async def _known(conn: AsyncConnection, login: str) -> int:
    account_id = await account_store.account_id_of(conn, login)
    if account_id is None:
        raise AccountRefused(
            "login", login, "no account has this login; “clerestory account list” shows them"
        )
    return account_id
