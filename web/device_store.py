"""What the device pages ask: devices to search, one device, and what happened to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow, class_row, dict_row, tuple_row
from psycopg.types.json import Jsonb

from config.profiles import load_profiles
from config.text import Text
from dispatch.status import Severity, Status
from web.desk_store import patterns, with_texts

MOST_DEVICES: Final = 100
MOST_ALARMS: Final = 10
MOST_LETTERS: Final = 5
MOST_EVENTS: Final = 15
MOST_ORDERS: Final = 8


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device in the list, or at the head of its page. `severity` is that of its worst live alarm.

    `silent` says that it was heard once, but for longer than its profile allows no more.
    """

    device_id: int
    community_id: int
    community: str
    community_name: Text
    timezone: str
    code: str
    profile: str
    dev_eui: str | None
    asset_id: int | None
    asset_class: str | None
    asset: Text
    place: Text
    attributes: Mapping[str, Any]
    heard_at: datetime | None
    online: bool | None
    silent: bool
    alarms: int
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class DeviceAlarm:
    """An alarm of a device; `elsewhere` is the name of its asset, where the device watches another now."""

    alarm_id: int
    severity: Severity
    title: Text
    raised_at: datetime
    cleared_at: datetime | None
    elsewhere: Text
    order_number: str | None


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """Something a device said has happened."""

    code: str
    ts: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class DeviceOrder:
    """Work on what a device watches."""

    number: str
    status: Status
    severity: Severity
    title: Text
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was not taken. Of one too large only the payload's beginning is kept."""

    id: int
    received_at: datetime
    reason: str
    detail: str
    resolved_at: datetime | None
    topic: str
    payload: bytes


_DEVICE: Final[LiteralString] = """
    SELECT device.id AS device_id, device.community_id, community.code AS community,
           community.name_zh AS community_name_zh, community.name_en AS community_name_en,
           community.timezone,
           device.code, device.profile, device.dev_eui, asset.id AS asset_id, asset.class AS asset_class,
           coalesce(asset.name_zh, '') AS asset_zh, coalesce(asset.name_en, '') AS asset_en,
           coalesce(asset.place_zh, '') AS place_zh, coalesce(asset.place_en, '') AS place_en,
           attributes_of(asset.class, community.thresholds, area.thresholds, asset.attributes,
                         device.attributes) AS attributes,
           device_state.heard_at, device_state.online, live.alarms,
           hush.silent,
           (ARRAY['critical', 'major', 'minor', 'info'])[live.worst] AS severity
      FROM device
      JOIN community ON community.id = device.community_id
      LEFT JOIN asset ON asset.id = device.asset_id
      LEFT JOIN area ON area.id = asset.area_id
      LEFT JOIN device_state ON device_state.community_id = device.community_id
                            AND device_state.device_id = device.id
     CROSS JOIN LATERAL (
           SELECT count(*) AS alarms,
                  min(array_position(ARRAY['critical', 'major', 'minor', 'info'], alarm.severity)) AS worst
             FROM alarm WHERE alarm.device_id = device.id AND alarm.cleared_at IS NULL) AS live
     CROSS JOIN LATERAL (
           SELECT coalesce(device_state.heard_at < %(now)s::timestamptz - make_interval(
                               secs => (%(stale)s::jsonb ->> device.profile)::double precision),
                           false) AS silent) AS hush
     WHERE device.community_id = ANY(%(communities)s) AND device.retired_at IS NULL
"""


_SEARCH: Final[LiteralString] = """
       AND concat_ws(' ', device.code, device.dev_eui, asset.code, asset.name_zh, asset.name_en,
                     asset.place_zh, asset.place_en) ILIKE ALL (%(patterns)s::text[])
       AND (NOT %(troubled)s OR live.alarms > 0 OR device_state.online IS FALSE OR hush.silent)
     ORDER BY live.worst NULLS LAST, device_state.online IS FALSE DESC, hush.silent DESC, device.code
     LIMIT %(most)s
"""


def _device(row: DictRow) -> DeviceRow:
    return DeviceRow(**with_texts(row, "community_name", "asset", "place"))


def _known(communities: Sequence[int], now: datetime) -> dict[str, object]:
    """The values that `_DEVICE` asks for."""
    profiles = load_profiles()
    stale = {name: after.total_seconds() for name in profiles.names if (after := profiles[name].stale_after)}
    return {"communities": list(communities), "now": now, "stale": Jsonb(stale)}


async def search_devices(
    conn: AsyncConnection, communities: Sequence[int], words: str, now: datetime, *, troubled: bool = False
) -> list[DeviceRow]:
    """Return devices that fit all words, the worst first; one more than shown tells of more.

    Worst are those with live alarms by severity, then those offline, then those silent. `troubled` leaves
    out all others.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _DEVICE + _SEARCH,
            _known(communities, now)
            | {"patterns": patterns(words), "most": MOST_DEVICES + 1, "troubled": troubled},
        )
        return [_device(row) for row in await cursor.fetchall()]


async def batteries(conn: AsyncConnection, devices: Sequence[DeviceRow]) -> dict[int, float]:
    """Return the last battery level of each device that ever said one, by device id, in percent."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """
            SELECT device_id, last.value
              FROM unnest(%(communities)s::int[], %(devices)s::int[]) AS asked (community_id, device_id)
              JOIN signal ON signal.name = 'battery_percent'
             CROSS JOIN LATERAL (
                   SELECT value FROM reading
                    WHERE reading.community_id = asked.community_id AND reading.device_id = asked.device_id
                      AND reading.signal_id = signal.id
                    ORDER BY ts DESC LIMIT 1) AS last
            """,
            {
                "communities": [each.community_id for each in devices],
                "devices": [each.device_id for each in devices],
            },
        )
        return dict(await cursor.fetchall())


async def device(
    conn: AsyncConnection, community: str, code: str, communities: Sequence[int], now: datetime
) -> DeviceRow | None:
    """Return one device of these communities."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _DEVICE + " AND community.code = %(community)s AND device.code = %(code)s",
            _known(communities, now) | {"community": community, "code": code},
        )
        row = await cursor.fetchone()
    return _device(row) if row else None


async def alarms(
    conn: AsyncConnection, device_id: int, *, since: datetime | None = None, most: int = MOST_ALARMS
) -> list[DeviceAlarm]:
    """Return a device's alarms, newest first; those that were on at some time after `since`."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT alarm.id AS alarm_id, alarm.severity, alarm.title_zh, alarm.title_en, alarm.raised_at,
                   alarm.cleared_at, coalesce(asset.name_zh, '') AS elsewhere_zh,
                   coalesce(asset.name_en, '') AS elsewhere_en,
                   (SELECT w.number FROM alarm_order AS l JOIN work_order AS w ON w.id = l.order_id
                     WHERE l.alarm_id = alarm.id ORDER BY l.live DESC, w.id DESC LIMIT 1) AS order_number
              FROM alarm
              JOIN device ON device.id = alarm.device_id
              LEFT JOIN asset ON asset.id = alarm.asset_id AND asset.id IS DISTINCT FROM device.asset_id
             WHERE alarm.device_id = %(device)s
               AND (%(since)s::timestamptz IS NULL OR alarm.cleared_at IS NULL
                    OR alarm.cleared_at >= %(since)s)
             ORDER BY alarm.raised_at DESC, alarm.id DESC
             LIMIT %(most)s
            """,
            {"device": device_id, "since": since, "most": most},
        )
        return [DeviceAlarm(**with_texts(row, "title", "elsewhere")) for row in await cursor.fetchall()]


async def events(conn: AsyncConnection, shown: DeviceRow, codes: Sequence[str]) -> list[DeviceEvent]:
    """Return the newest events of these codes, newest first."""
    async with conn.cursor(row_factory=class_row(DeviceEvent)) as cursor:
        # A short leap for each code: a busy device has many events of few kinds.
        await cursor.execute(
            """
            SELECT last.code, last.ts, last.detail
              FROM unnest(%(codes)s::text[]) AS asked (code)
             CROSS JOIN LATERAL (
                   SELECT code, ts, detail FROM event
                    WHERE community_id = %(community)s AND device_id = %(device)s AND event.code = asked.code
                    ORDER BY ts DESC LIMIT %(most)s) AS last
             ORDER BY last.ts DESC, last.code LIMIT %(most)s
            """,
            {
                "community": shown.community_id,
                "device": shown.device_id,
                "codes": list(codes),
                "most": MOST_EVENTS,
            },
        )
        return await cursor.fetchall()


async def orders(conn: AsyncConnection, shown: DeviceRow) -> list[DeviceOrder]:
    """Return the newest orders on the device's asset or for its alarms, those still live first."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT number, status, severity, title_zh, title_en, opened_at
              FROM work_order
             WHERE community_id = %(community)s
               AND (asset_id = %(asset)s
                    OR id IN (SELECT order_id FROM alarm_order JOIN alarm ON alarm.id = alarm_id
                               WHERE alarm.device_id = %(device)s))
             ORDER BY status IN ('completed', 'verified', 'closed', 'cancelled', 'merged'), opened_at DESC, id
             LIMIT %(most)s
            """,
            {
                "community": shown.community_id,
                "asset": shown.asset_id,
                "device": shown.device_id,
                "most": MOST_ORDERS,
            },
        )
        return [DeviceOrder(**with_texts(row, "title")) for row in await cursor.fetchall()]


# A device's own messages: those on its topics, or on its network server's with its DevEUI in them.
_OWN_LETTERS: Final[LiteralString] = """
    SELECT id, received_at, reason, detail, resolved_at, topic, payload FROM dead_letter
     WHERE (starts_with(topic, %(own)s) OR lower(topic) LIKE '%%/' || %(dev_eui)s || '/%%')
"""


def _own(shown: DeviceRow) -> dict[str, object]:
    return {"own": f"clerestory/{shown.community}/{shown.code}/", "dev_eui": shown.dev_eui}


async def letters(conn: AsyncConnection, shown: DeviceRow, since: datetime) -> list[Letter]:
    """Return the device's newest refused messages, those still waiting first."""
    async with conn.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(
            _OWN_LETTERS
            + """
               AND received_at > %(since)s
             ORDER BY resolved_at IS NOT NULL, id DESC LIMIT %(most)s
            """,
            _own(shown) | {"since": since, "most": MOST_LETTERS},
        )
        return await cursor.fetchall()


async def letter(conn: AsyncConnection, shown: DeviceRow, letter_id: int) -> Letter | None:
    """Return one refused message of this very device."""
    async with conn.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(_OWN_LETTERS + " AND id = %(id)s", _own(shown) | {"id": letter_id})
        return await cursor.fetchone()
