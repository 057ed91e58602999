"""SQL of the wiring: what the demo, the simulators and the doctor ask across rooms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class OfferedOrder:
    """An order that somebody was asked to take, with what completing it needs."""

    order_id: int
    kind: str
    asset: str
    staff_id: int
    account_id: int | None
    plan_id: int | None
    checklist: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class SensorRow:
    """A device of a community that reports on an asset."""

    code: str
    profile: str
    dev_eui: str | None
    asset: str
    asset_class: str
    attributes: dict[str, object]


async def community_id_of(conn: AsyncConnection, code: str) -> int | None:
    """The id of a community, None where there is none of that code."""
    cursor = await conn.execute("SELECT id FROM community WHERE code = %(code)s", {"code": code})
    row = await cursor.fetchone()
    return row[0] if row else None


async def offered_orders(conn: AsyncConnection, community_id: int) -> list[OfferedOrder]:
    """Every order that is offered to somebody now, the first of two offers."""
    async with conn.cursor(row_factory=class_row(OfferedOrder)) as cursor:
        await cursor.execute(
            """
            SELECT DISTINCT ON (work_order.id) work_order.id AS order_id, work_order.kind,
                   asset.code AS asset, offer.staff_id, account.id AS account_id,
                   work_order.plan_id, work_order.checklist
              FROM work_order
              JOIN asset ON asset.id = work_order.asset_id
              JOIN offer ON offer.order_id = work_order.id AND offer.status = 'offered'
              LEFT JOIN account ON account.staff_id = offer.staff_id
             WHERE work_order.community_id = %(community_id)s
             ORDER BY work_order.id, offer.slot
            """,
            {"community_id": community_id},
        )
        return await cursor.fetchall()


async def sensors(conn: AsyncConnection, community_id: int) -> list[SensorRow]:
    """The devices of a community that watch an asset, by code."""
    async with conn.cursor(row_factory=class_row(SensorRow)) as cursor:
        await cursor.execute(
            """
            SELECT device.code, device.profile, device.dev_eui, asset.code AS asset,
                   asset.class AS asset_class, asset.attributes || device.attributes AS attributes
              FROM device JOIN asset ON asset.id = device.asset_id
             WHERE device.community_id = %(community_id)s AND device.retired_at IS NULL
             ORDER BY device.code
            """,
            {"community_id": community_id},
        )
        return await cursor.fetchall()


async def latest_values(
    conn: AsyncConnection, community_id: int, signal: str
) -> dict[str, tuple[datetime, float]]:
    """When every device last sent one signal, and what it was, by device code."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT ON (device.id) device.code, reading.ts, reading.value
          FROM device
          JOIN signal ON signal.name = %(signal)s
          JOIN reading ON reading.community_id = device.community_id AND reading.device_id = device.id
                      AND reading.signal_id = signal.id
         WHERE device.community_id = %(community_id)s
         ORDER BY device.id, reading.ts DESC
        """,
        {"community_id": community_id, "signal": signal},
    )
    return {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}


async def mended(conn: AsyncConnection, order_ids: Sequence[int]) -> list[str]:
    """The devices of what these orders were about, as far as they were opened by alarms and are completed."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT device.code
          FROM work_order
          JOIN device ON device.asset_id = work_order.asset_id AND device.retired_at IS NULL
         WHERE work_order.id = ANY(%(order_ids)s) AND work_order.status IN ('completed', 'verified', 'closed')
           AND work_order.alarm_id IS NOT NULL
        """,
        {"order_ids": list(order_ids)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def set_public_key(conn: AsyncConnection, community_id: int, code: str, public_key: str) -> None:
    """Give a kiosk another key; one that it has already changes nothing."""
    await conn.execute(
        """
        UPDATE device SET attributes = attributes || %(attributes)s
         WHERE community_id = %(community_id)s AND code = %(code)s AND NOT attributes @> %(attributes)s
        """,
        {"community_id": community_id, "code": code, "attributes": Jsonb({"public_key": public_key})},
    )


async def silence_outbox(conn: AsyncConnection, now: datetime) -> None:
    """Count what waits in the outbox as delivered: notices of a past that nobody needs to hear about."""
    await conn.execute(
        "UPDATE outbox SET delivered_at = %(now)s WHERE delivered_at IS NULL AND created_at < %(now)s",
        {"now": now},
    )


async def staff_without_account(conn: AsyncConnection) -> list[str]:
    """The codes of staff who cannot sign in yet."""
    cursor = await conn.execute(
        """
        SELECT code FROM staff
         WHERE NOT EXISTS (SELECT FROM account WHERE account.staff_id = staff.id) ORDER BY code
        """
    )
    return [row[0] for row in await cursor.fetchall()]


async def accounts_by_login(conn: AsyncConnection) -> dict[str, int]:
    """Every account's id by its login."""
    cursor = await conn.execute("SELECT login, id FROM account")
    return dict(await cursor.fetchall())


async def payers(conn: AsyncConnection, community_id: int, today: date) -> list[tuple[str, str]]:
    """Who pays for each unit today, the tenant before the owner: (unit, party code), by unit."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT ON (unit.code) unit.code, party.code
          FROM occupancy
          JOIN unit ON unit.id = occupancy.unit_id
          JOIN party ON party.id = occupancy.party_id
         WHERE unit.community_id = %(community_id)s AND occupancy.from_date <= %(today)s
           AND (occupancy.to_date IS NULL OR occupancy.to_date >= %(today)s)
         ORDER BY unit.code, occupancy.role DESC
        """,
        {"community_id": community_id, "today": today},
    )
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def read_meters(conn: AsyncConnection, community_id: int, until: date) -> None:
    """Carry every meter on by a believable use a month, from its last reading to the month of `until`."""
    await conn.execute(
        """
        INSERT INTO meter_reading (meter_id, period, register)
        SELECT meter.id, month::date,
               last.register + row_number() OVER (PARTITION BY meter.id ORDER BY month) * (5 + meter.id %% 17)
          FROM meter
          JOIN LATERAL (SELECT period, register FROM meter_reading
                         WHERE meter_id = meter.id ORDER BY period DESC LIMIT 1) AS last ON true
         CROSS JOIN LATERAL generate_series(last.period + interval '1 month', %(until)s::date,
                                            interval '1 month') AS month
         WHERE meter.community_id = %(community_id)s
        """,
        {"community_id": community_id, "until": until},
    )


async def asset_ids(conn: AsyncConnection, community_id: int, asset_class: str) -> list[int]:
    """The assets of one class that are in use, by code."""
    cursor = await conn.execute(
        """
        SELECT id FROM asset
         WHERE community_id = %(community_id)s AND class = %(class)s AND retired_on IS NULL ORDER BY code
        """,
        {"community_id": community_id, "class": asset_class},
    )
    return [row[0] for row in await cursor.fetchall()]


async def plan_times(conn: AsyncConnection, community_id: int) -> list[str]:
    """The times of day at which plans of a community come due, as HH:MM."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT to_char(at_time, 'HH24:MI') FROM plan
         WHERE community_id = %(community_id)s AND retired_on IS NULL ORDER BY 1
        """,
        {"community_id": community_id},
    )
    return [row[0] for row in await cursor.fetchall()]


async def has_orders(conn: AsyncConnection, community_id: int) -> bool:
    """Whether any work was ever done or asked for here."""
    cursor = await conn.execute(
        "SELECT EXISTS (SELECT FROM work_order WHERE community_id = %(community_id)s)",
        {"community_id": community_id},
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def loop_counts(conn: AsyncConnection, community_id: int, since: datetime) -> Mapping[str, int]:
    """What the loop did since a moment: one number for each of its parts."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT (SELECT count(*) FROM dead_letter WHERE received_at >= %(since)s) AS refused,
                   (SELECT count(*) FROM alarm
                     WHERE community_id = %(community_id)s AND recorded_at >= %(since)s) AS alarms,
                   (SELECT count(*) FROM work_order
                     WHERE community_id = %(community_id)s AND opened_at >= %(since)s) AS orders,
                   (SELECT count(*) FROM work_order
                     WHERE community_id = %(community_id)s AND opened_at >= %(since)s
                       AND status IN ('completed', 'verified', 'closed')) AS completed,
                   (SELECT count(*) FROM maintenance_record
                     WHERE community_id = %(community_id)s AND completed_at >= %(since)s) AS records,
                   (SELECT count(*) FROM payment
                     WHERE community_id = %(community_id)s AND recorded_at >= %(since)s) AS payments
            """,
            {"community_id": community_id, "since": since},
        )
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT of scalars has one row
    return row


async def register_bins(
    conn: AsyncConnection, community_id: int, bins: Mapping[str, str], profile: str = "bin-native"
) -> list[int]:
    """Make an asset and a native device of the same code for each bin (code: name); the new devices' ids."""
    cursor = await conn.execute(
        """
        WITH wanted AS (
            SELECT key AS code, value AS name FROM jsonb_each_text(%(bins)s)
        ), assets AS (
            INSERT INTO asset (community_id, area_id, class, code, name_zh, name_en)
            SELECT %(community_id)s, (SELECT id FROM area WHERE community_id = %(community_id)s
                                       ORDER BY code LIMIT 1), 'bin', code, name, name
              FROM wanted
            ON CONFLICT (community_id, code) DO NOTHING
            RETURNING id, code
        )
        INSERT INTO device (community_id, asset_id, code, profile)
        SELECT %(community_id)s, id, code, %(profile)s FROM assets
        ON CONFLICT (community_id, code) DO NOTHING
        RETURNING id
        """,
        {"community_id": community_id, "bins": Jsonb(dict(bins)), "profile": profile},
    )
    return [row[0] for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One value that is set for a place or an asset, which is named in words."""

    place: str
    asset_class: str
    name: str
    value: Any


async def all_thresholds(conn: AsyncConnection) -> list[Threshold]:
    """Every value set for a community or an area, and every attribute of an asset."""
    async with conn.cursor(row_factory=class_row(Threshold)) as cursor:
        await cursor.execute(
            """
            SELECT 'community ' || code AS place, class.key AS asset_class, each.key AS name, each.value
              FROM community, jsonb_each(thresholds) AS class, jsonb_each(class.value) AS each
            UNION ALL
            SELECT 'area ' || community.code || '/' || area.code, class.key, each.key, each.value
              FROM area JOIN community ON community.id = area.community_id,
                   jsonb_each(area.thresholds) AS class, jsonb_each(class.value) AS each
            UNION ALL
            SELECT 'asset ' || community.code || '/' || asset.code, asset.class, each.key, each.value
              FROM asset JOIN community ON community.id = asset.community_id,
                   jsonb_each(asset.attributes) AS each
             WHERE asset.retired_on IS NULL
             ORDER BY 1, 2, 3
            """
        )
        return await cursor.fetchall()
