"""A place for alarms: an elevator, two bins below it in one area, a bin elsewhere, and rules that hold them.

What devices say goes the real way: rules, memory, alarms, dispatch, all on PostgreSQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from config.vocabulary import load_vocabulary
from dispatch.alarms import follow
from dispatch.lookout import look_after
from dispatch.people import Who
from dispatch.policy import Policy
from gateway.signals import Device, Heard, Reading
from rules.apply import hear
from rules.book import RuleBook, load_rulebook

# A Monday, 09:00 in Shanghai.
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DESK = Who("陈调度")

_TEXTS = """
    title: { zh: TITLE, en: TITLE }
    meaning: { zh: 是, en: It is so }
    todo: { zh: [看 TITLE], en: [Look at TITLE] }
    safety: { zh: 小心, en: Take care }
"""

_BINS = """asset_class: bin
rules:
  full:
    severity: minor
    when: fill_percent >= 90.0
    clear: fill_percent < 50.0
    order: { kind: waste_collection, skill: cleaning, cancel_on_clear: true, CHECKS: 0 }
    group: { by: area, within: 10m }
  smelly:
    severity: major
    when: temperature_c > 40.0
    clear: temperature_c < 30.0
    order: { kind: waste_collection, skill: cleaning, cancel_on_clear: true }
    group: { by: asset, within: 10m }
  hot:
    severity: critical
    when: temperature_c > 70.0
    clear: temperature_c < 30.0
    order: { kind: bin_repair, skill: cleaning }
  tipped:
    severity: minor
    when: tilted
    order: { kind: bin_repair, skill: cleaning, cancel_on_clear: true }
    inhibited_by: [{ at_work: waste_collection }, { parent: dark }, { alarm: hot }]
  low:
    severity: info
    when: battery_percent < 10.0
""".replace(", CHECKS: 0", "")

_LIFTS = """asset_class: elevator
rules:
  dark:
    severity: major
    when: "!power_on"
    order: { kind: elevator_repair, skill: elevator, cancel_on_clear: true }
  shaken:
    severity: minor
    when: door_vibration_db > 50.0
    order: { kind: elevator_repair, skill: elevator, cancel_on_clear: true }
    inhibited_by: [{ inspection: true }, { order: elevator_maintenance }]
"""


def the_book(folder: Path) -> RuleBook:
    """The rules of this place."""
    files = []
    for name, text in (("bins", _BINS), ("lifts", _LIFTS)):
        lines = []
        for line in text.splitlines():
            lines.append(line)
            if line.startswith("  ") and not line.startswith("   "):
                lines.append(_TEXTS.replace("TITLE", line.strip(" :")).strip("\n"))
        file = folder / f"{name}.yaml"
        file.write_text("\n".join(lines), encoding="utf-8")
        files.append(file)
    return load_rulebook(files)


@dataclass
class Place:
    """Ids and devices of what the tests work on."""

    book: RuleBook
    community: int = 0
    areas: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    account: int = 0

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all rules."""
        return frozenset(rule.code for rule in self.book.rules)

    async def say(
        self,
        conn: AsyncConnection,
        code: str,
        minute: float,
        policy: Policy | None = None,
        **signals: float | str,
    ) -> None:
        """A device says something at a minute, and it is taken."""
        await self.say_all(conn, minute, {code: signals}, policy)

    async def say_all(
        self,
        conn: AsyncConnection,
        minute: float,
        said: Mapping[str, Mapping[str, float | str]],
        policy: Policy | None = None,
    ) -> None:
        """Several devices say something in one batch."""
        at = moment(minute)
        heard = [
            Heard.of(
                self.devices[code],
                at,
                tuple(
                    Reading(name, at, _number(self.devices[code].asset_class or "", name, value))
                    for name, value in signals.items()
                ),
            )
            for code, signals in said.items()
        ]
        async with conn.transaction():
            await follow(conn, await hear(conn, heard, self.book), at, policy)

    async def look(
        self, conn: AsyncConnection, minute: float, policy: Policy | None = None
    ) -> datetime | None:
        """The worker looks at the alarms."""
        async with conn.transaction():
            return await look_after(conn, moment(minute), self.book, policy)


def _number(asset_class: str, name: str, value: float | str) -> float:
    signal = load_vocabulary().signals(asset_class)[name]
    return float(signal.values.index(value)) if isinstance(value, str) else float(value)


def moment(minute: float) -> datetime:
    """So many minutes after the start."""
    return START + timedelta(minutes=minute)


async def build(conn: AsyncConnection, book: RuleBook) -> Place:
    """Add the community with its areas, assets and devices."""
    place = Place(book)
    place.community = await _id(
        conn,
        "INSERT INTO community (code, name_zh, name_en, timezone)"
        " VALUES ('bund', '外滩', 'Bund', 'Asia/Shanghai') RETURNING id",
    )
    for area in ("east", "west"):
        place.areas[area] = await _id(
            conn,
            "INSERT INTO area (community_id, code, name_zh, name_en) VALUES (%s, %s, %s, %s) RETURNING id",
            place.community,
            area,
            area,
            area,
        )
    for code, kind, area in (
        ("lift", "elevator", "east"),
        ("bin-1", "bin", "east"),
        ("bin-2", "bin", "east"),
        ("bin-3", "bin", "west"),
    ):
        await add_asset(conn, place, code, kind, area)
    place.account = await _id(
        conn, "INSERT INTO account (login, name, role) VALUES ('desk', '陈调度', 'dispatcher') RETURNING id"
    )
    return place


async def add_asset(conn: AsyncConnection, place: Place, code: str, kind: str, area: str) -> None:
    """Add an asset with its device; bins of the east stand below the elevator."""
    parent = place.assets.get("lift") if kind == "bin" and area == "east" else None
    place.assets[code] = await _id(
        conn,
        "INSERT INTO asset (community_id, area_id, parent_id, class, code, name_zh, name_en)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        place.community,
        place.areas[area],
        parent,
        kind,
        code,
        code,
        code,
    )
    device = await _id(
        conn,
        "INSERT INTO device (community_id, asset_id, code, profile) VALUES (%s, %s, %s, %s) RETURNING id",
        place.community,
        place.assets[code],
        code,
        f"{kind}-native",
    )
    place.devices[code] = Device(
        place.community, device, "bund", code, f"{kind}-native", place.assets[code], kind
    )


async def _id(conn: AsyncConnection, query: str, *values: object) -> int:
    row = await (await conn.execute(query.encode(), values)).fetchone()
    assert row is not None
    return int(row[0])


async def alarm_of(conn: AsyncConnection, rule: str, device: str = "%") -> int:
    """The id of the latest alarm of a rule."""
    return await _id(
        conn,
        "SELECT m.id FROM alarm m JOIN device d ON d.id = m.device_id"
        " WHERE m.rule = %s AND d.code LIKE %s ORDER BY m.id DESC LIMIT 1",
        rule,
        device,
    )


async def history(conn: AsyncConnection, alarm_id: int) -> list[tuple[str, float]]:
    """What happened to an alarm, and at which minute."""
    cursor = await conn.execute(
        "SELECT kind, at FROM alarm_event WHERE alarm_id = %s ORDER BY id", (alarm_id,)
    )
    return [(kind, (at - START) / timedelta(minutes=1)) async for kind, at in cursor]


async def held(conn: AsyncConnection, alarm_id: int) -> tuple[str, str] | None:
    """What holds an alarm, and the words for it."""
    cursor = await conn.execute("SELECT held_by, held_en FROM alarm WHERE id = %s", (alarm_id,))
    row = await cursor.fetchone()
    assert row is not None
    return None if row[0] is None else (row[0], row[1])


async def orders(conn: AsyncConnection) -> list[tuple[str, str, list[str]]]:
    """Every order: status, severity, and the alarms it is about as rule@device."""
    cursor = await conn.execute(
        """
        SELECT o.status, o.severity,
               coalesce(array_agg(m.rule || '@' || d.code ORDER BY m.rule, d.code)
                        FILTER (WHERE m.id IS NOT NULL), '{}')
          FROM work_order o
          LEFT JOIN alarm_order l ON l.order_id = o.id
          LEFT JOIN alarm m ON m.id = l.alarm_id
          LEFT JOIN device d ON d.id = m.device_id
         GROUP BY o.id ORDER BY o.id
        """
    )
    return [(status, severity, list(found)) async for status, severity, found in cursor]


async def rows(conn: AsyncConnection, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return await (await conn.execute(query.encode(), values)).fetchall()
