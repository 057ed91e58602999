"""All SQL of rule versions. Whoever calls owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

RULES_LOCK = 0x72756C65  # "rule", as in the function registry_now()


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a rule file; `text` is None where it went back to the file, `shipped` the file then."""

    file: str
    version: int
    text: str | None
    shipped: str | None
    back_to: int | None
    reason: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be kept; its number is the one after `base`."""

    file: str
    base: int
    text: str | None
    shipped: str | None
    back_to: int | None
    reason: str
    account_id: int | None
    made_by: str


async def switch_alone(conn: AsyncConnection, patience: str) -> None:
    """Wait until no batch is under way, and keep new ones waiting until this transaction ends.

    Raises psycopg's LockNotAvailable when one is still under way after `patience`.
    """
    await conn.execute("SELECT set_config('lock_timeout', %(patience)s, true)", {"patience": patience})
    await conn.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": RULES_LOCK})


async def newest(conn: AsyncConnection) -> list[Version]:
    """The newest version of each file that ever had one."""
    async with conn.cursor(row_factory=class_row(Version)) as cursor:
        await cursor.execute(
            """
            SELECT DISTINCT ON (file) file, version, text, shipped, back_to, reason, made_by, made_at
            FROM rule_version ORDER BY file, version DESC
            """
        )
        return await cursor.fetchall()


async def history(conn: AsyncConnection, file: str) -> list[Version]:
    """All versions of a file, newest first."""
    async with conn.cursor(row_factory=class_row(Version)) as cursor:
        await cursor.execute(
            """
            SELECT file, version, text, shipped, back_to, reason, made_by, made_at
            FROM rule_version WHERE file = %(file)s ORDER BY version DESC
            """,
            {"file": file},
        )
        return await cursor.fetchall()


async def insert(conn: AsyncConnection, new: NewVersion, now: datetime) -> bool:
    """Keep a version; False where somebody was faster with one of the same number."""
    cursor = await conn.execute(
        """
        INSERT INTO rule_version (file, version, text, shipped, back_to, reason, account_id, made_by, made_at)
        VALUES (%(file)s, %(base)s + 1, %(text)s, %(shipped)s, %(back_to)s, %(reason)s, %(account)s, %(by)s,
                %(now)s)
        ON CONFLICT (file, version) DO NOTHING
        """,
        {
            "file": new.file,
            "base": new.base,
            "text": new.text,
            "shipped": new.shipped,
            "back_to": new.back_to,
            "reason": new.reason,
            "account": new.account_id,
            "by": new.made_by,
            "now": now,
        },
    )
    return cursor.rowcount == 1


async def look_again(conn: AsyncConnection, classes: Sequence[str], now: datetime) -> None:
    """Have the clock look at every device of some asset classes: a timer may run out sooner than before."""
    await conn.execute(
        """
        UPDATE device_state s SET next_due = %(now)s
        FROM device d JOIN asset a ON a.id = d.asset_id
        WHERE s.community_id = d.community_id AND s.device_id = d.id AND a.class = ANY(%(classes)s)
          AND d.retired_at IS NULL AND s.state::text <> '{}'
          AND (s.next_due IS NULL OR s.next_due > %(now)s)
        """,
        {"classes": list(classes), "now": now},
    )


async def end_alarms_of(conn: AsyncConnection, rules: Sequence[str], now: datetime) -> list[tuple[int, int]]:
    """End the live alarms of rules that are no more: (alarm id, community id) of each."""
    cursor = await conn.execute(
        """
        UPDATE alarm SET cleared_at = greatest(%(now)s, raised_at), cleared_known_at = %(now)s
        WHERE cleared_at IS NULL AND rule = ANY (%(rules)s::text[])
        RETURNING id, community_id
        """,
        {"rules": list(rules), "now": now},
    )
    return [(int(id_), int(community_id)) for id_, community_id in await cursor.fetchall()]
