"""What the device pages ask: devices to search, one device, its alarms, its refused messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow, class_row, dict_row

from config.text import Text
from dispatch.status import Severity
from web.desk_store import patterns, with_texts

MOST_DEVICES: Final = 100
MOST_ALARMS: Final = 10
MOST_LETTERS: Final = 5


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device in the list, or at the head of its page. `severity` is that of its worst live alarm."""

    device_id: int
    community_id: int
    community: str
    community_name: Text
    timezone: str
    code: str
    profile: str
    dev_eui: str | None
    asset_class: str | None
    asset: Text
    place: Text
    attributes: Mapping[str, Any]
    heard_at: datetime | None
    online: bool | None
    alarms: int
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class DeviceAlarm:
    """An alarm of a device."""

    alarm_id: int
    severity: Severity
    title: Text
    raised_at: datetime
    cleared_at: datetime | None
    order_number: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was not taken."""

    id: int
    received_at: datetime
    reason: str
    detail: str
    resolved_at: datetime | None


_DEVICE: Final[LiteralString] = """
    SELECT device.id AS device_id, device.community_id, community.code AS community,
           community.name_zh AS community_name_zh, community.name_en AS community_name_en,
           community.timezone,
           device.code, device.profile, device.dev_eui, asset.class AS asset_class,
           coalesce(asset.name_zh, '') AS asset_zh, coalesce(asset.name_en, '') AS asset_en,
           coalesce(asset.place_zh, '') AS place_zh, coalesce(asset.place_en, '') AS place_en,
           attributes_of(asset.class, community.thresholds, area.thresholds, asset.attributes,
                         device.attributes) AS attributes,
           device_state.heard_at, device_state.online, live.alarms,
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
     WHERE device.community_id = ANY(%(communities)s) AND device.retired_at IS NULL
"""


def _device(row: DictRow) -> DeviceRow:
    return DeviceRow(**with_texts(row, "community_name", "asset", "place"))


async def search_devices(conn: AsyncConnection, communities: Sequence[int], words: str) -> list[DeviceRow]:
    """Return devices that fit all words, those with live alarms first; one more than shown tells of more."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _DEVICE
            + """
               AND concat_ws(' ', device.code, device.dev_eui, asset.code, asset.name_zh, asset.name_en,
                             asset.place_zh, asset.place_en) ILIKE ALL (%(patterns)s::text[])
             ORDER BY live.worst NULLS LAST, device.code
             LIMIT %(most)s
            """,
            {"communities": list(communities), "patterns": patterns(words), "most": MOST_DEVICES + 1},
        )
        return [_device(row) for row in await cursor.fetchall()]


async def device(
    conn: AsyncConnection, community: str, code: str, communities: Sequence[int]
) -> DeviceRow | None:
    """Return one device of these communities."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _DEVICE + " AND community.code = %(community)s AND device.code = %(code)s",
            {"communities": list(communities), "community": community, "code": code},
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
                   alarm.cleared_at,
                   (SELECT number FROM work_order
                     WHERE alarm_id = alarm.id ORDER BY id DESC LIMIT 1) AS order_number
              FROM alarm
             WHERE alarm.device_id = %(device)s
               AND (%(since)s::timestamptz IS NULL OR alarm.cleared_at IS NULL
                    OR alarm.cleared_at >= %(since)s)
             ORDER BY alarm.raised_at DESC, alarm.id DESC
             LIMIT %(most)s
            """,
            {"device": device_id, "since": since, "most": most},
        )
        return [DeviceAlarm(**with_texts(row, "title")) for row in await cursor.fetchall()]


async def letters(conn: AsyncConnection, shown: DeviceRow, since: datetime) -> list[Letter]:
    """Return the device's newest refused messages: those on its own topics, or on its network server's."""
    async with conn.cursor(row_factory=class_row(Letter)) as cursor:
        await cursor.execute(
            """
            SELECT id, received_at, reason, detail, resolved_at FROM dead_letter
             WHERE received_at > %(since)s
               AND (starts_with(topic, %(own)s) OR lower(topic) LIKE '%%/' || %(dev_eui)s || '/%%')
             ORDER BY id DESC LIMIT %(most)s
            """,
            {
                "since": since,
                "own": f"clerestory/{shown.community}/{shown.code}/",
                "dev_eui": shown.dev_eui,
                "most": MOST_LETTERS,
            },
        )
        return await cursor.fetchall()
