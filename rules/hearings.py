"""All SQL of what devices said lately, kept where gateways share messages.

The caller owns the transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rules.conditions import Value
from rules.engine import Said
from rules.findings import Key
from rules.flapping import FLAPPED
from rules.moments import from_moment
from rules.rule import Severity
from rules.state import DeviceState, load_state


class _Body(msgspec.Struct):
    values: dict[str, Value] = {}
    events: dict[str, str] = {}


_BODY = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a device's rules knew at first, and what it said since, by event time."""

    base: DeviceState
    log: list[Said] = field(default_factory=list)


async def begin(conn: AsyncConnection, keys: Iterable[Key], now: datetime) -> None:
    """Take the memories as they stand, before they are stepped, as the base of what is kept from here on."""
    await conn.execute(
        """
        UPDATE device_state s SET base = state, base_at = %(now)s
        FROM unnest(%(communities)s::int[], %(devices)s::int[]) AS k (community_id, device_id)
        WHERE s.community_id = k.community_id AND s.device_id = k.device_id AND s.base IS NULL
        """,
        {**_columns(keys), "now": now},
    )


async def keep(conn: AsyncConnection, said: Sequence[tuple[Key, Said]]) -> None:
    """Keep what devices said."""
    await conn.execute(
        """
        INSERT INTO hearing (community_id, device_id, at, received, said)
        SELECT * FROM unnest(%(communities)s::int[], %(devices)s::int[], %(at)s::bigint[],
                             %(received)s::bigint[], %(said)s::json[])
        """,
        {
            **_columns([key for key, _ in said]),
            "at": [each.at for _, each in said],
            "received": [each.received for _, each in said],
            "said": [
                msgspec.json.encode({"values": each.values, "events": each.events}).decode()
                for _, each in said
            ],
        },
    )


async def kept(conn: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Kept]:
    """What is kept of some devices, all of them locked by the caller."""
    found: dict[Key, Kept] = {}
    cursor = await conn.execute(
        """
        SELECT s.community_id, s.device_id, s.base::text
        FROM device_state s
        JOIN unnest(%(communities)s::int[], %(devices)s::int[]) AS k (community_id, device_id)
          ON s.community_id = k.community_id AND s.device_id = k.device_id
        WHERE s.base IS NOT NULL
        """,
        _columns(keys),
    )
    async for community_id, device_id, base in cursor:
        found[community_id, device_id] = Kept(load_state(base))
    cursor = await conn.execute(
        """
        SELECT h.community_id, h.device_id, h.at, h.received, h.said::text
        FROM hearing h
        JOIN unnest(%(communities)s::int[], %(devices)s::int[]) AS k (community_id, device_id)
          ON h.community_id = k.community_id AND h.device_id = k.device_id
        ORDER BY h.community_id, h.device_id, h.at, h.received
        """,
        _columns(keys),
    )
    async for community_id, device_id, at, received, text in cursor:
        body = _BODY.decode(text)
        found[community_id, device_id].log.append(Said(at, received, body.values, body.events))
    return found


async def old(conn: AsyncConnection, keys: Sequence[Key], before: datetime) -> list[Key]:
    """Those whose base was taken before a moment."""
    cursor = await conn.execute(
        """
        SELECT s.community_id, s.device_id
        FROM device_state s
        JOIN unnest(%(communities)s::int[], %(devices)s::int[]) AS k (community_id, device_id)
          ON s.community_id = k.community_id AND s.device_id = k.device_id
        WHERE s.base_at < %(before)s
        """,
        {**_columns(keys), "before": before},
    )
    return [(community_id, device_id) async for community_id, device_id in cursor]


async def fold(conn: AsyncConnection, key: Key, base: bytes, upto: int, now: datetime) -> None:
    """Keep of one device only what it said after event time `upto`, on a new base."""
    values = {"community": key[0], "device": key[1], "base": base.decode(), "upto": upto, "now": now}
    await conn.execute(
        "DELETE FROM hearing"
        " WHERE community_id = %(community)s AND device_id = %(device)s AND at <= %(upto)s",
        values,
    )
    await conn.execute(
        "UPDATE device_state SET base = %(base)s::json, base_at = %(now)s"
        " WHERE community_id = %(community)s AND device_id = %(device)s",
        values,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """An alarm as it is stored."""

    id: int
    raised_at: datetime
    cleared_at: datetime | None
    paged: bool
    severity: Severity
    facts: dict[str, object]


async def alarm_raised(conn: AsyncConnection, device_id: int, rule: str, raised: int) -> Row | None:
    """The alarm that a rule raised on a device at a moment; locked."""
    async with conn.cursor(row_factory=class_row(Row)) as cursor:
        await cursor.execute(
            "SELECT id, raised_at, cleared_at, paged_at IS NOT NULL AS paged, severity, facts FROM alarm"
            " WHERE device_id = %(device)s AND rule = %(rule)s AND raised_at = %(raised)s"
            " ORDER BY id DESC LIMIT 1 FOR UPDATE",
            {"device": device_id, "rule": rule, "raised": from_moment(raised)},
        )
        return await cursor.fetchone()


async def correct_alarm(
    conn: AsyncConnection,
    alarm_id: int,
    *,
    raised: datetime,
    cleared: datetime | None,
    told: bool,
    facts: Mapping[str, object],
    now: datetime,
) -> None:
    """Put right when an alarm was raised and cleared and how it flapped; note that people are told of it."""
    await conn.execute(
        """
        UPDATE alarm
        SET raised_at = %(raised)s, cleared_at = %(cleared)s,
            cleared_known_at = CASE WHEN %(cleared)s::timestamptz IS NOT NULL THEN %(now)s::timestamptz END,
            paged_at = CASE WHEN %(told)s THEN coalesce(paged_at, %(now)s) ELSE paged_at END,
            facts = (facts - %(flapped)s::text[]) || %(facts)s
        WHERE id = %(id)s
        """,
        {
            "id": alarm_id,
            "raised": raised,
            "cleared": cleared,
            "told": told,
            "flapped": list(FLAPPED),
            "facts": Jsonb(dict(facts)),
            "now": now,
        },
    )


def _columns(keys: Iterable[Key]) -> dict[str, list[int]]:
    listed = list(keys)
    return {"communities": [key[0] for key in listed], "devices": [key[1] for key in listed]}
