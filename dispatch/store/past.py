"""What was so in the past and decides about orders: reads only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

from dispatch.rehearsal.past import EmergencySpan, Move, MuteSpan, PastAlarm, PastOrder, Place, Span
from rules.moments import to_moment
from rules.replay.story import CHANGED, TODAY, Story
from rules.rule import MODE


@dataclass(frozen=True, slots=True)
class Asked:
    """Communities and a time: what was so in any part of it counts."""

    communities: Sequence[int]
    start: datetime
    end: datetime

    @property
    def fields(self) -> dict[str, Any]:
        return {"communities": list(self.communities), "start": self.start, "end": self.end}


async def places(conn: AsyncConnection, devices: Collection[int]) -> dict[int, Place]:
    """Where these devices belong today, by device; without those that watch nothing."""
    cursor = await conn.cursor(row_factory=class_row(Place)).execute(
        """
        SELECT d.id AS device_id, d.community_id, c.code AS community, c.timezone AS zone, d.asset_id,
               a.class AS asset_class, a.parent_id, a.area_id, r.code AS area
          FROM device AS d
          JOIN asset AS a ON a.id = d.asset_id
          JOIN area AS r ON r.id = a.area_id
          JOIN community AS c ON c.id = d.community_id
         WHERE d.id = ANY(%(devices)s)
        """,
        {"devices": list(devices)},
    )
    return {place.device_id: place async for place in cursor}


async def communities(conn: AsyncConnection, code: str | None) -> list[int]:
    """The community of a code; without one all of them."""
    cursor = await conn.execute(
        "SELECT id FROM community WHERE %(code)s::text IS NULL OR code = %(code)s ORDER BY id",
        {"code": code},
    )
    return [int(id_) async for (id_,) in cursor]


async def mutes(conn: AsyncConnection, asked: Asked) -> tuple[MuteSpan, ...]:
    """Mutes, each as long as it stood."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT community_id, rule, asset_id, area_id, at, until, least(until, lifted_at) AS ended
          FROM mute
         WHERE community_id = ANY(%(communities)s) AND at < %(end)s AND least(until, lifted_at) > %(start)s
         ORDER BY id
        """,
        asked.fields,
    )
    return tuple(
        [
            MuteSpan(
                row["community_id"],
                row["rule"],
                row["asset_id"],
                row["area_id"],
                to_moment(row["until"]),
                _span(row["at"], row["ended"]),
            )
            async for row in cursor
        ]
    )


async def emergencies(conn: AsyncConnection, asked: Asked) -> tuple[EmergencySpan, ...]:
    """Declared emergencies, each as long as it stood."""
    cursor = await conn.execute(
        """
        SELECT community_id, kind, reason, declared_at, ended_at
          FROM emergency
         WHERE community_id = ANY(%(communities)s) AND declared_at < %(end)s
           AND (ended_at IS NULL OR ended_at > %(start)s)
         ORDER BY id
        """,
        asked.fields,
    )
    return tuple(
        [
            EmergencySpan(community, kind, reason, _span(declared, ended))
            async for community, kind, reason, declared, ended in cursor
        ]
    )


async def orders(conn: AsyncConnection, asked: Asked, kinds: Collection[str]) -> tuple[PastOrder, ...]:
    """Orders of some kinds that were live at some time, with their moves and the alarms they were about."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT o.id, o.number, o.community_id, o.asset_id, o.area_id, o.kind, o.skill, o.severity,
               o.joinable, o.cancel_on_clear, o.opened_at, o.opened_by, lead.rule AS lead,
               v.moves, l.alarms
          FROM work_order AS o
          LEFT JOIN alarm AS lead ON lead.id = o.alarm_id
          LEFT JOIN LATERAL (
               SELECT array_agg(ROW (m.at, m.to_status, m.account_id IS NULL) ORDER BY m.at, m.id) AS moves
                 FROM order_move AS m
                WHERE m.order_id = o.id AND m.from_status <> m.to_status) AS v ON true
          LEFT JOIN LATERAL (
               SELECT array_agg(ROW (y.device_id, y.rule, y.raised_at, y.cleared_at) ORDER BY y.id) AS alarms
                 FROM alarm_order AS k JOIN alarm AS y ON y.id = k.alarm_id
                WHERE k.order_id = o.id) AS l ON true
         WHERE o.community_id = ANY(%(communities)s) AND o.kind = ANY(%(kinds)s) AND o.opened_at < %(end)s
           AND (o.opened_at >= %(start)s OR order_is_live(o.status)
                OR EXISTS (SELECT FROM order_move AS m WHERE m.order_id = o.id AND m.at >= %(start)s))
         ORDER BY o.opened_at, o.id
        """,
        {**asked.fields, "kinds": list(kinds)},
        binary=True,
    )
    return tuple([_order(row) async for row in cursor])


def _order(row: dict[str, Any]) -> PastOrder:
    plain = {
        name: row[name]
        for name in (
            "id", "number", "community_id", "asset_id", "area_id", "kind", "skill", "severity", "joinable",
            "cancel_on_clear",
        )
    }  # fmt: skip
    return PastOrder(
        **plain,
        opened=to_moment(row["opened_at"]),
        lead=row["lead"] if row["opened_by"] is None else None,
        moves=tuple(Move(to_moment(at), status, itself) for at, status, itself in row["moves"] or ()),
        alarms=tuple(
            PastAlarm(device, rule, to_moment(raised), _moment(cleared))
            for device, rule, raised, cleared in row["alarms"] or ()
        ),
    )


async def inspections(
    conn: AsyncConnection, asked: Asked, said_by: Mapping[str, int]
) -> dict[int, tuple[Span, ...]]:
    """When assets said that they were in inspection, by asset; `said_by`: the stored number that says so."""
    cursor = await conn.execute(
        """
        WITH said AS (
            SELECT d.asset_id, q.inspection, r.ts, r.value,
                   lead(r.ts) OVER (PARTITION BY d.id ORDER BY r.ts) AS following
              FROM device AS d
              JOIN asset AS a ON a.id = d.asset_id
              JOIN unnest(%(classes)s::text[], %(numbers)s::int[]) AS q (class, inspection)
                ON q.class = a.class
              JOIN signal AS s ON s.name = %(mode)s
              JOIN LATERAL (
                   (SELECT ts, value FROM reading
                     WHERE community_id = d.community_id AND device_id = d.id AND signal_id = s.id
                       AND ts < %(start)s
                     ORDER BY ts DESC LIMIT 1)
                    UNION ALL
                   (SELECT ts, value FROM reading
                     WHERE community_id = d.community_id AND device_id = d.id AND signal_id = s.id
                       AND ts >= %(start)s AND ts < %(end)s)) AS r ON true
             WHERE d.community_id = ANY(%(communities)s)
        )
        SELECT asset_id, ts, following FROM said WHERE value = inspection ORDER BY asset_id, ts
        """,
        {**asked.fields, "mode": MODE, "classes": list(said_by), "numbers": list(said_by.values())},
    )
    found: dict[int, list[Span]] = {}
    async for asset_id, ts, following in cursor:
        spans, here = found.setdefault(asset_id, []), _span(ts, following)
        if spans and spans[-1].end is not None and spans[-1].end >= here.start:
            spans[-1] = _both(spans[-1], here)
        else:
            spans.append(here)
    return {asset_id: tuple(spans) for asset_id, spans in found.items()}


async def alarms(conn: AsyncConnection, asked: Asked, rules: Collection[str]) -> tuple[Story, ...]:
    """Recorded alarms of some rules that were on at some time, as if replayed, by whichever rules.

    That people were told of them is left out: they only keep other alarms from people.
    """
    cursor = await conn.execute(
        """
        SELECT y.device_id, y.rule, y.severity, y.raised_at, y.recorded_at, y.cleared_at,
               CASE WHEN y.cleared_at IS NOT NULL
                    THEN greatest(coalesce(y.cleared_known_at, y.cleared_at), y.recorded_at) END
          FROM alarm AS y
         WHERE y.community_id = ANY(%(communities)s) AND y.rule = ANY(%(rules)s) AND y.raised_at < %(end)s
           AND (y.cleared_at IS NULL OR y.cleared_at > %(start)s)
         ORDER BY y.id
        """,
        {**asked.fields, "rules": list(rules)},
    )
    return tuple(
        [
            Story(
                device,
                rule,
                TODAY | CHANGED,
                severity,
                to_moment(raised),
                to_moment(known),
                cleared=_moment(cleared),
                over=_moment(over),
            )
            async for device, rule, severity, raised, known, cleared, over in cursor
        ]
    )


def _span(start: datetime, end: datetime | None) -> Span:
    return Span(to_moment(start), _moment(end))


def _both(one: Span, other: Span) -> Span:
    """Two spans that touch, as one."""
    end = None if one.end is None or other.end is None else max(one.end, other.end)
    return Span(one.start, end)


def _moment(at: datetime | None) -> int | None:
    return None if at is None else to_moment(at)
