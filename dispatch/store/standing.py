"""What decides whether people hear of alarms: one query for however many, by what their rules ask about."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.holds import Emergency, Mute, OtherAlarm, OtherOrder, Standing
from dispatch.status import AT_WORK
from rules.rule import INSPECTION, MODE, HeldBy


async def standings(conn: AsyncConnection, asked: Mapping[int, HeldBy], now: datetime) -> list[Standing]:
    """Read how each of these alarms stands; alarms of devices that watched no asset are left out."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT m.id, m.community_id, c.code AS community, m.asset_id, a.area_id, a.class AS asset_class,
               c.timezone AS zone, m.severity, m.facts, a.name_zh, a.name_en, m.held_by, m.held_zh, m.held_en,
               EXISTS (SELECT FROM alarm_order AS l WHERE l.alarm_id = m.id) AS had_order,
               EXISTS (SELECT FROM alarm_order AS l WHERE l.alarm_id = m.id AND l.live) AS has_order,
               mu.name AS mute_name, mu.why AS mute_why, mu.until AS mute_until,
               coalesce(ins.is_so, false) AS in_inspection,
               o.number AS order_number, o.kind AS order_kind,
               p.title_zh AS parent_zh, p.title_en AS parent_en, p.name_zh AS parent_name_zh,
               p.name_en AS parent_name_en, x.title_zh AS other_zh, x.title_en AS other_en,
               e.kind AS emergency_kind, e.reason AS emergency_reason
          FROM jsonb_to_recordset(%(asked)s::jsonb)
               AS q (id bigint, orders text[], work text[], parents text[], alarms text[], inspection boolean)
          JOIN alarm AS m ON m.id = q.id
          JOIN asset AS a ON a.id = m.asset_id
          JOIN community AS c ON c.id = m.community_id
          LEFT JOIN emergency AS e ON e.community_id = m.community_id AND e.ended_at IS NULL
          LEFT JOIN LATERAL (
               SELECT u.name, u.why, u.until FROM mute AS u
                WHERE u.community_id = m.community_id AND u.lifted_at IS NULL AND u.until > %(now)s
                  AND (u.rule IS NULL OR u.rule = m.rule) AND (u.asset_id IS NULL OR u.asset_id = a.id)
                  AND (u.area_id IS NULL OR u.area_id = a.area_id)
                ORDER BY u.until DESC, u.id LIMIT 1) AS mu ON true
          LEFT JOIN LATERAL (
               SELECT true AS is_so FROM device AS w
                 JOIN device_state AS s ON s.community_id = w.community_id AND s.device_id = w.id
                WHERE q.inspection AND w.asset_id = a.id
                  AND s.state -> 'signals' -> %(mode)s ->> 1 = %(inspection)s LIMIT 1) AS ins ON true
          LEFT JOIN LATERAL (
               SELECT w.number, w.kind FROM work_order AS w
                WHERE w.asset_id = a.id
                  AND ((w.kind = ANY(q.orders) AND order_is_live(w.status))
                       OR (w.kind = ANY(q.work) AND w.status = ANY(%(at_work)s)))
                  AND NOT EXISTS (SELECT FROM alarm_order AS l WHERE l.order_id = w.id AND l.alarm_id = m.id)
                ORDER BY w.id LIMIT 1) AS o ON true
          LEFT JOIN LATERAL (
               SELECT y.title_zh, y.title_en, b.name_zh, b.name_en
                 FROM asset AS b
                 JOIN alarm AS y ON y.asset_id = b.id AND y.cleared_at IS NULL
                WHERE b.id = a.parent_id AND y.rule = ANY(q.parents)
                ORDER BY y.id LIMIT 1) AS p ON true
          LEFT JOIN LATERAL (
               SELECT y.title_zh, y.title_en
                 FROM alarm AS y
                WHERE y.asset_id = a.id AND y.cleared_at IS NULL AND y.rule = ANY(q.alarms) AND y.id <> m.id
                ORDER BY y.id LIMIT 1) AS x ON true
         ORDER BY m.id
        """,
        {
            "asked": _asked(asked),
            "now": now,
            "mode": MODE,
            "inspection": INSPECTION,
            "at_work": sorted(AT_WORK),
        },
    )
    return [_standing(row) async for row in cursor]


def _asked(asked: Mapping[int, HeldBy]) -> str:
    rows = [
        {
            "id": alarm_id,
            "orders": rule.orders,
            "work": rule.work,
            "parents": rule.parents,
            "alarms": rule.alarms,
            "inspection": rule.inspection,
        }
        for alarm_id, rule in asked.items()
    ]
    return msgspec.json.encode(rows).decode()


def _standing(row: dict[str, Any]) -> Standing:
    asset = Text(zh=row["name_zh"], en=row["name_en"])
    muted = row["mute_until"] is not None
    return Standing(
        alarm_id=row["id"],
        community_id=row["community_id"],
        community=row["community"],
        asset_id=row["asset_id"],
        area_id=row["area_id"],
        asset_class=row["asset_class"],
        zone=row["zone"],
        severity=row["severity"],
        facts=row["facts"],
        asset=asset,
        held_by=row["held_by"],
        held=Text(zh=row["held_zh"], en=row["held_en"]),
        had_order=row["had_order"],
        has_order=row["has_order"],
        mute=Mute(row["mute_name"], row["mute_why"], row["mute_until"]) if muted else None,
        in_inspection=row["in_inspection"],
        order=OtherOrder(row["order_number"], row["order_kind"]) if row["order_number"] else None,
        parent=_other(row, "parent", Text(zh=row["parent_name_zh"] or "", en=row["parent_name_en"] or "")),
        alarm=_other(row, "other", asset),
        emergency=(
            Emergency(row["emergency_kind"], row["emergency_reason"]) if row["emergency_kind"] else None
        ),
    )


def _other(row: dict[str, Any], which: str, asset: Text) -> OtherAlarm | None:
    if row[f"{which}_zh"] is None:
        return None
    return OtherAlarm(Text(zh=row[f"{which}_zh"], en=row[f"{which}_en"]), asset)
