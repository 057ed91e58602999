"""All SQL of the gateway: who may speak, what was refused, what is to be sent.

The caller owns the transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import args_row, class_row, scalar_row

from gateway.refusals import REASONS, Reason

if TYPE_CHECKING:
    from gateway.deadletters import DeadLetter
    from gateway.outbox import OutboxMessage


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as it stands in the registry.

    With its asset's class, and the attributes of community, area, asset and device laid over each other.
    """

    community_id: int
    community: str
    device_id: int
    code: str
    profile: str
    dev_eui: str | None
    asset_id: int | None
    asset_class: str | None
    attributes: dict[str, Any]
    timezone: str
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as it stands in the database."""

    id: int
    received_at: datetime
    topic: str
    payload: bytes
    reason: Reason
    detail: str
    resolved_at: datetime | None

    @property
    def said(self) -> str:
        """The reason in both languages."""
        text = REASONS[self.reason]
        return f"{text.zh} / {text.en}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message taken from the outbox to be published now; it comes back if nobody marks it delivered."""

    id: int
    key: str
    topic: str
    payload: str
    attempts: int


class RegistryNow(NamedTuple):
    """Two counts: of the changes of communities, assets and devices, and of the switches of rules."""

    version: int
    rules: int


async def registry_now(conn: AsyncConnection) -> RegistryNow:
    """Give what counts now. Rules are not switched while this transaction runs; call it first in one."""
    return await answered(await ask_registry_now(conn))


async def ask_registry_now(conn: AsyncConnection) -> AsyncCursor[RegistryNow]:
    """The same, to be fetched later: in a pipeline nothing has been waited for yet."""
    asked = conn.cursor(row_factory=args_row(RegistryNow))
    return await asked.execute("SELECT version, rules FROM registry_now()")


async def answered(asked: AsyncCursor[RegistryNow]) -> RegistryNow:
    """Fetch what was asked for."""
    found = await asked.fetchone()
    if found is None:
        raise LookupError("registry_now() gave no row")
    return found


async def check_promises(conn: AsyncConnection) -> None:
    """Check now what the schema checks at COMMIT only, while it is still known whose fault it is."""
    await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await conn.execute("SET CONSTRAINTS ALL DEFERRED")


async def devices_by_code(conn: AsyncConnection, names: Collection[tuple[str, str]]) -> list[DeviceRow]:
    """Look devices up by community code and device code."""
    async with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        await cursor.execute(
            "SELECT device.community_id, community.code AS community, device.id AS device_id, device.code,"
            " device.profile, device.dev_eui, device.asset_id, asset.class AS asset_class,"
            " attributes_of(asset.class, community.thresholds, area.thresholds, asset.attributes,"
            " device.attributes) AS attributes, community.timezone, device.retired_at"
            " FROM unnest(%(communities)s::text[], %(codes)s::text[]) AS asked (community, code)"
            " JOIN community ON community.code = asked.community"
            " JOIN device ON device.community_id = community.id AND device.code = asked.code"
            " LEFT JOIN asset ON asset.id = device.asset_id"
            " LEFT JOIN area ON area.id = asset.area_id",
            {"communities": [name[0] for name in names], "codes": [name[1] for name in names]},
        )
        return await cursor.fetchall()


async def devices_by_eui(conn: AsyncConnection, euis: Collection[str]) -> list[DeviceRow]:
    """Look devices up by DevEUI."""
    async with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        await cursor.execute(
            "SELECT device.community_id, community.code AS community, device.id AS device_id, device.code,"
            " device.profile, device.dev_eui, device.asset_id, asset.class AS asset_class,"
            " attributes_of(asset.class, community.thresholds, area.thresholds, asset.attributes,"
            " device.attributes) AS attributes, community.timezone, device.retired_at"
            " FROM device"
            " JOIN community ON community.id = device.community_id"
            " LEFT JOIN asset ON asset.id = device.asset_id"
            " LEFT JOIN area ON area.id = asset.area_id"
            " WHERE device.dev_eui = ANY(%(euis)s)",
            {"euis": list(euis)},
        )
        return await cursor.fetchall()


async def communities_among(conn: AsyncConnection, codes: Collection[str]) -> set[str]:
    """Say which of these communities exist."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT code FROM community WHERE code = ANY(%(codes)s)", {"codes": list(codes)})
        return set(await cursor.fetchall())


async def homes_of(conn: AsyncConnection, codes: Collection[str]) -> dict[str, str]:
    """Say in which community devices of these codes are; one of them where there are several."""
    cursor = await conn.execute(
        "SELECT DISTINCT ON (device.code) device.code, community.code"
        " FROM device JOIN community ON community.id = device.community_id"
        " WHERE device.code = ANY(%(codes)s) ORDER BY device.code, community.code",
        {"codes": list(codes)},
    )
    return dict(await cursor.fetchall())


async def keep_letters(conn: AsyncConnection, letters: "Sequence[DeadLetter]") -> list[int]:
    """Keep refused messages, each once; one that was resolved and is refused again waits again."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "INSERT INTO dead_letter (received_at, topic, payload, digest, reason, detail)"
            " SELECT * FROM unnest(%(received)s::timestamptz[], %(topics)s::text[], %(payloads)s::bytea[],"
            " %(digests)s::bytea[], %(reasons)s::text[], %(details)s::text[])"
            " ON CONFLICT (digest) DO UPDATE SET received_at = EXCLUDED.received_at,"
            " reason = EXCLUDED.reason, detail = EXCLUDED.detail, resolved_at = NULL"
            " RETURNING id",
            {
                "received": [letter.received_at for letter in letters],
                "topics": [letter.topic for letter in letters],
                "payloads": [letter.payload for letter in letters],
                "digests": [letter.digest for letter in letters],
                "reasons": [letter.reason for letter in letters],
                "details": [letter.detail for letter in letters],
            },
        )
        return await cursor.fetchall()


async def letters(
    conn: AsyncConnection, *, resolved: bool, reason: str | None, topic: str | None, limit: int
) -> list[KeptLetter]:
    """List dead letters, newest first; `topic` is a part of it."""
    async with conn.cursor(row_factory=class_row(KeptLetter)) as cursor:
        await cursor.execute(
            "SELECT id, received_at, topic, payload, reason, detail, resolved_at FROM dead_letter"
            " WHERE (%(resolved)s OR resolved_at IS NULL)"
            " AND (%(reason)s::text IS NULL OR reason = %(reason)s)"
            " AND (%(topic)s::text IS NULL OR strpos(topic, %(topic)s) > 0)"
            " ORDER BY id DESC LIMIT %(limit)s",
            {"resolved": resolved, "reason": reason, "topic": topic, "limit": limit},
        )
        return await cursor.fetchall()


async def waiting_letters(conn: AsyncConnection, reason: str | None) -> list[int]:
    """Give the numbers of the dead letters that wait, oldest first."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT id FROM dead_letter WHERE resolved_at IS NULL"
            " AND (%(reason)s::text IS NULL OR reason = %(reason)s) ORDER BY id",
            {"reason": reason},
        )
        return await cursor.fetchall()


async def letter(conn: AsyncConnection, letter_id: int) -> KeptLetter | None:
    """Give one dead letter; locked, so that two retries of it come one after the other."""
    async with conn.cursor(row_factory=class_row(KeptLetter)) as cursor:
        await cursor.execute(
            "SELECT id, received_at, topic, payload, reason, detail, resolved_at FROM dead_letter"
            " WHERE id = %(id)s FOR UPDATE",
            {"id": letter_id},
        )
        return await cursor.fetchone()


async def resolve_letter(conn: AsyncConnection, letter_id: int, now: datetime) -> None:
    """Note that a dead letter was taken after all."""
    await conn.execute(
        "UPDATE dead_letter SET resolved_at = %(now)s WHERE id = %(id)s", {"id": letter_id, "now": now}
    )


async def enqueue(conn: AsyncConnection, messages: "Sequence[OutboxMessage]", now: datetime) -> list[int]:
    """Put messages in the outbox; a key that is there already is sent again."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "INSERT INTO outbox (key, topic, payload, created_at, next_try_at)"
            " SELECT key, topic, payload, %(now)s, %(now)s"
            " FROM unnest(%(keys)s::text[], %(topics)s::text[], %(payloads)s::text[])"
            " AS sent (key, topic, payload)"
            " ON CONFLICT (key) DO UPDATE SET next_try_at = EXCLUDED.next_try_at, delivered_at = NULL"
            " RETURNING id",
            {
                "now": now,
                "keys": [message.key for message in messages],
                "topics": [message.topic for message in messages],
                "payloads": [message.payload for message in messages],
            },
        )
        return await cursor.fetchall()


async def claim_outbox(
    conn: AsyncConnection, now: datetime, limit: int, pause: timedelta, longest: timedelta
) -> list[Waiting]:
    """Take messages that are due and set their next try, twice as far each time; others skip them."""
    async with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        await cursor.execute(
            "UPDATE outbox SET attempts = attempts + 1, next_try_at = %(now)s"
            " + least(%(longest)s::interval, %(pause)s::interval * power(2, least(attempts, 20)))"
            " WHERE id IN (SELECT id FROM outbox WHERE delivered_at IS NULL AND next_try_at <= %(now)s"
            " ORDER BY next_try_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
            " RETURNING id, key, topic, payload, attempts",
            {"now": now, "limit": limit, "pause": pause, "longest": longest},
        )
        return sorted(await cursor.fetchall(), key=lambda waiting: waiting.id)


async def outbox_delivered(conn: AsyncConnection, ids: Sequence[int], now: datetime) -> None:
    """Note that the broker acknowledged these messages; a delivered one starts afresh when sent again."""
    await conn.execute(
        "UPDATE outbox SET delivered_at = %(now)s, attempts = 0 WHERE id = ANY(%(ids)s)",
        {"ids": list(ids), "now": now},
    )


async def next_outbox_try(conn: AsyncConnection) -> datetime | None:
    """Say when the next message is due."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT min(next_try_at) FROM outbox WHERE delivered_at IS NULL")
        return await cursor.fetchone()
