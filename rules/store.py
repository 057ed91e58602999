"""All SQL of the rules. Whoever calls owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import args_row, class_row
from psycopg.types.json import Jsonb

from gateway.signals import Device
from rules.findings import AlarmMove, Key, MovedAlarm, NewAlarm, SeverityStep
from storage import columns


class StateRow(NamedTuple):
    """A device's memory, locked; moments in microseconds since 1970.

    `asset_id` is what the device watches, `since` when; what it said of earlier times is about another place.
    """

    community_id: int
    device_id: int
    state: bytes
    next_due: int | None
    asset_id: int | None
    since: int | None
    retired: bool

    @property
    def key(self) -> Key:
        return self.community_id, self.device_id


# What a device's rules need to know of it; of device d, asset a, its area r and its community c.
WATCHED = """
    d.community_id, d.id AS device_id, c.code AS community, d.code, d.profile, d.asset_id,
    a.class AS asset_class, c.timezone,
    attributes_of(a.class, c.thresholds, r.thresholds, a.attributes, d.attributes) AS attributes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a device's rules need to know of it: the columns `WATCHED`."""

    community_id: int
    device_id: int
    community: str
    code: str
    profile: str
    asset_id: int | None
    asset_class: str | None
    attributes: dict[str, Any]
    timezone: str

    @property
    def key(self) -> Key:
        return self.community_id, self.device_id

    @property
    def device(self) -> Device:
        return Device(
            community_id=self.community_id,
            device_id=self.device_id,
            community=self.community,
            code=self.code,
            profile=self.profile,
            asset_id=self.asset_id,
            asset_class=self.asset_class,
            attributes=self.attributes,
            timezone=self.timezone,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRow(Watched):
    """A device's memory, locked because its time has come, with what its rules need to know of it.

    `left`: it was moved, retired or brought back since, which nobody has settled (`rules.places`).
    """

    state: bytes
    next_due: datetime | None
    retired: bool
    left: bool


class Save(NamedTuple):
    """A device's memory to be stored; moments in microseconds since 1970."""

    key: Key
    state: bytes
    heard_at: int | None
    online: bool | None
    next_due: int | None


class Presence(NamedTuple):
    """A device was said to be there or gone, by our clock."""

    key: Key
    heard_at: datetime
    online: bool


async def note_presence(conn: AsyncConnection, said: Sequence[Presence]) -> None:
    """Keep for replays who was said to be there or gone."""
    await conn.execute(
        """
        INSERT INTO presence (community_id, device_id, heard_at, online)
        SELECT * FROM unnest(%(communities)b::int[], %(devices)b::int[], %(heard)s::timestamptz[],
                             %(online)s::boolean[])
               AS v (community_id, device_id, heard_at, online)
         ORDER BY community_id, device_id, heard_at
        ON CONFLICT DO NOTHING
        """,
        {
            **_columns([each.key for each in said]),
            "heard": [each.heard_at for each in said],
            "online": [each.online for each in said],
        },
    )


async def lock_states(conn: AsyncConnection, keys: Sequence[Key]) -> AsyncCursor[StateRow]:
    """Lock the memories of some devices, in the order of their keys whoever else does the same.

    Gives them when asked for: in a pipeline nothing has been waited for yet.
    """
    cursor = conn.cursor(row_factory=args_row(StateRow), binary=True)
    cursor.adapters.register_loader("timestamptz", columns.MomentLoader)
    # As bytea: the driver then gives the bytes as they are, and nothing is decoded twice.
    return await cursor.execute(
        """
        SELECT s.community_id, s.device_id, convert_to(s.state::text, 'UTF8') AS state, s.next_due,
               s.asset_id, s.since, s.retired
        FROM device_state s
        JOIN unnest(%(communities)b::int[], %(devices)b::int[]) AS k (community_id, device_id)
          ON s.community_id = k.community_id AND s.device_id = k.device_id
        ORDER BY s.community_id, s.device_id
        FOR UPDATE OF s
        """,
        _columns(keys),
    )


async def watched(conn: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Device]:
    """Read what the rules of some devices need to know of them, as it is now."""
    async with conn.cursor(row_factory=class_row(Watched)) as cursor:
        await cursor.execute(
            """
            SELECT"""
            + WATCHED
            + """
            FROM device d
            JOIN community c ON c.id = d.community_id
            LEFT JOIN asset a ON a.id = d.asset_id
            LEFT JOIN area r ON r.id = a.area_id
            WHERE d.id = ANY(%(ids)s)
            """,
            {"ids": [key[1] for key in keys]},
        )
        return {row.key: row.device for row in await cursor.fetchall()}


async def make_states(conn: AsyncConnection, keys: Sequence[Key]) -> None:
    """Make empty memories for devices that have none (a new device gets one; it may be deleted)."""
    await conn.execute(
        """
        INSERT INTO device_state (community_id, device_id, state, asset_id)
        SELECT k.community_id, k.device_id, '{}', d.asset_id
        FROM unnest(%(communities)b::int[], %(devices)b::int[]) AS k (community_id, device_id)
        LEFT JOIN device d ON d.id = k.device_id
        ORDER BY k.community_id, k.device_id
        ON CONFLICT DO NOTHING
        """,
        _columns(keys),
    )


async def lock_due(conn: AsyncConnection, now: datetime, limit: int) -> list[DueRow]:
    """Lock the memories whose time has come and that nobody else is working on."""
    async with conn.cursor(row_factory=class_row(DueRow)) as cursor:
        await cursor.execute(
            """
            SELECT"""
            + WATCHED
            + """
                   , convert_to(s.state::text, 'UTF8') AS state, s.next_due, s.retired,
                   s.asset_id IS DISTINCT FROM d.asset_id
                     OR s.retired <> (coalesce(d.retired_at <= %(now)s, false)
                        OR coalesce(a.retired_on <= (%(now)s AT TIME ZONE c.timezone)::date, false)) AS left
            FROM device_state s
            JOIN device d ON d.id = s.device_id
            JOIN community c ON c.id = s.community_id
            LEFT JOIN asset a ON a.id = d.asset_id
            LEFT JOIN area r ON r.id = a.area_id
            WHERE s.next_due <= %(now)s
            ORDER BY s.next_due
            LIMIT %(limit)s
            FOR UPDATE OF s SKIP LOCKED
            """,
            {"now": now, "limit": limit},
        )
        return await cursor.fetchall()


async def next_due(conn: AsyncConnection) -> datetime | None:
    """When the first timer of all runs out; may be early, never late."""
    cursor = await conn.execute("SELECT min(next_due) FROM device_state WHERE next_due IS NOT NULL")
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def save_states(conn: AsyncConnection, saves: Sequence[Save]) -> None:
    """Store the memories of some devices, all of them locked by the caller."""
    await conn.execute(
        """
        UPDATE device_state s
        SET state = v.state::json, heard_at = v.heard_at, online = v.online, next_due = v.next_due
        FROM unnest(%(communities)b::int[], %(devices)b::int[], %(states)b::text[],
                    %(heard)b::timestamptz[], %(online)b::boolean[], %(due)b::timestamptz[])
             AS v (community_id, device_id, state, heard_at, online, next_due)
        WHERE s.community_id = v.community_id AND s.device_id = v.device_id
        """,
        {
            **_columns([save.key for save in saves]),
            "states": columns.texts([save.state for save in saves]),
            "heard": columns.moments_or_null([save.heard_at for save in saves]),
            "online": columns.booleans_or_null([save.online for save in saves]),
            "due": columns.moments_or_null([save.next_due for save in saves]),
        },
    )


async def put_off(conn: AsyncConnection, keys: Sequence[Key], until: datetime) -> None:
    """Let the timers of these devices wait until then; nothing else about them changes."""
    await conn.execute(
        """
        UPDATE device_state s SET next_due = %(until)s
          FROM unnest(%(communities)b::int[], %(devices)b::int[]) AS k (community_id, device_id)
         WHERE s.community_id = k.community_id AND s.device_id = k.device_id
        """,
        {**_columns(keys), "until": until},
    )


async def insert_alarms(conn: AsyncConnection, alarms: Sequence[NewAlarm]) -> dict[int, int]:
    """Store alarms; gives the id of each by its position, leaving out those that are live already."""
    cursor = await conn.execute(
        """
        WITH new AS (
            SELECT nextval(pg_get_serial_sequence('alarm', 'id')) AS id, v.*
            FROM unnest(%(communities)s::int[], %(devices)s::int[], %(assets)s::int[],
                        %(rules)s::text[], %(severities)s::text[],
                        %(titles_zh)s::text[], %(titles_en)s::text[],
                        %(meanings_zh)s::text[], %(meanings_en)s::text[],
                        %(facts)s::jsonb[], %(raised)s::timestamptz[], %(recorded)s::timestamptz[],
                        %(paged)s::timestamptz[], %(cleared)s::timestamptz[], %(known)s::timestamptz[])
                 WITH ORDINALITY
                 AS v (community_id, device_id, asset_id, rule, severity, title_zh, title_en, meaning_zh,
                       meaning_en, facts, raised_at, recorded_at, paged_at, cleared_at, cleared_known_at, n)
        ), stored AS (
            INSERT INTO alarm (id, community_id, device_id, asset_id, rule, severity, title_zh, title_en,
                               meaning_zh, meaning_en, facts, raised_at, recorded_at, paged_at, cleared_at,
                               cleared_known_at)
            OVERRIDING SYSTEM VALUE
            SELECT id, community_id, device_id, asset_id, rule, severity, title_zh, title_en,
                   meaning_zh, meaning_en, facts, raised_at, recorded_at, paged_at, cleared_at,
                   cleared_known_at
            FROM new ORDER BY n
            ON CONFLICT DO NOTHING
            RETURNING id
        )
        SELECT new.n::int, new.id FROM new JOIN stored USING (id)
        """,
        {
            "communities": [alarm.key[0] for alarm in alarms],
            "devices": [alarm.key[1] for alarm in alarms],
            "assets": [alarm.asset_id or None for alarm in alarms],
            "rules": [alarm.rule for alarm in alarms],
            "severities": [alarm.severity for alarm in alarms],
            "titles_zh": [alarm.title[0] for alarm in alarms],
            "titles_en": [alarm.title[1] for alarm in alarms],
            "meanings_zh": [alarm.meaning[0] for alarm in alarms],
            "meanings_en": [alarm.meaning[1] for alarm in alarms],
            "facts": [Jsonb(alarm.facts) for alarm in alarms],
            "raised": [alarm.raised_at for alarm in alarms],
            "recorded": [alarm.recorded_at for alarm in alarms],
            "paged": [alarm.paged_at for alarm in alarms],
            "cleared": [alarm.cleared_at for alarm in alarms],
            "known": [alarm.cleared_known_at for alarm in alarms],
        },
    )
    return {int(n) - 1: int(id_) for n, id_ in await cursor.fetchall()}


async def move_alarms(conn: AsyncConnection, moves: Sequence[AlarmMove]) -> list[MovedAlarm]:
    """Tell of live alarms, end them, or both; those that are not live are left out."""
    async with conn.cursor(row_factory=class_row(MovedAlarm)) as cursor:
        await cursor.execute(
            """
            UPDATE alarm a
            SET paged_at = coalesce(a.paged_at, v.paged_at),
                cleared_at = CASE WHEN v.cleared_at IS NOT NULL THEN greatest(v.cleared_at, a.raised_at) END,
                cleared_known_at = v.cleared_known_at,
                facts = a.facts || v.facts
            FROM unnest(%(devices)s::int[], %(rules)s::text[], %(paged)s::timestamptz[],
                        %(cleared)s::timestamptz[], %(known)s::timestamptz[], %(facts)s::jsonb[])
                 AS v (device_id, rule, paged_at, cleared_at, cleared_known_at, facts)
            WHERE a.device_id = v.device_id AND a.rule = v.rule AND a.cleared_at IS NULL
            RETURNING a.id, a.device_id, a.rule, a.paged_at IS NOT NULL AS paged, a.cleared_at,
                      a.severity, a.facts
            """,
            {
                "devices": [move.device_id for move in moves],
                "rules": [move.rule for move in moves],
                "paged": [move.paged_at for move in moves],
                "cleared": [move.cleared_at for move in moves],
                "known": [move.cleared_known_at for move in moves],
                "facts": [Jsonb(move.facts) for move in moves],
            },
        )
        return await cursor.fetchall()


async def step_alarms(conn: AsyncConnection, steps: Sequence[SeverityStep]) -> None:
    """Make alarms more or less severe, none of them twice; the schema writes the lines of their history."""
    await conn.execute(
        """
        UPDATE alarm a SET severity = v.severity, severity_at = v.at
        FROM unnest(%(ids)s::bigint[], %(severities)s::text[], %(at)s::timestamptz[]) AS v (id, severity, at)
        WHERE a.id = v.id
        """,
        {
            "ids": [step.alarm_id for step in steps],
            "severities": [step.severity for step in steps],
            "at": [step.at for step in steps],
        },
    )


async def end_alarms_of_other_rules(
    conn: AsyncConnection, known: Sequence[str], now: datetime
) -> list[tuple[int, int]]:
    """End live alarms whose rule is not among `known`: (alarm id, community id) of each."""
    cursor = await conn.execute(
        """
        UPDATE alarm SET cleared_at = greatest(%(now)s, raised_at), cleared_known_at = %(now)s
        WHERE cleared_at IS NULL AND NOT rule = ANY (%(known)s::text[])
        RETURNING id, community_id
        """,
        {"known": list(known), "now": now},
    )
    return [(int(id_), int(community_id)) for id_, community_id in await cursor.fetchall()]


def _columns(keys: Sequence[Key]) -> dict[str, columns.Column]:
    return {
        "communities": columns.integers([key[0] for key in keys]),
        "devices": columns.integers([key[1] for key in keys]),
    }
