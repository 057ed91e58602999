"""Alarms as people look at them: what is live and why nobody was told, what was, and the history of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from config.text import Text
from dispatch.status import Severity, Status
from dispatch.store.orders import place_text

AlarmState = Literal["told", "acknowledged", "held", "muted", "late", "over"]
STATES: tuple[AlarmState, ...] = ("told", "acknowledged", "held", "muted", "late")


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One alarm with what became of it so far; `ended` says why it is over where no rule found it so."""

    alarm_id: int
    community_id: int
    community: str
    community_name: Text
    rule: str
    severity: Severity
    title: Text
    meaning: Text
    place: Text
    device: str
    asset_class: str | None
    asset_id: int | None
    area_id: int | None
    facts: dict[str, Any]
    raised_at: datetime
    recorded_at: datetime
    paged_at: datetime | None
    cleared_at: datetime | None
    cleared_known_at: datetime | None
    held_at: datetime | None
    held_by: str | None
    held: Text
    ended: Text
    order_number: str | None
    order_status: Status | None
    ack_name: str | None
    ack_at: datetime | None
    ack_until: datetime | None
    ack_expired: bool

    @property
    def state(self) -> AlarmState:
        """What an office must know of it first."""
        if self.cleared_at is not None:
            return "over"
        if self.held_by is not None:
            return "muted" if self.held_by == "mute" else "held"
        if self.ack_until is not None and not self.ack_expired:
            return "acknowledged"
        return "late" if self.paged_at is None else "told"

    def lasted(self, now: datetime) -> timedelta:
        """How long it has been true, in event time; of a live one until now."""
        return max((self.cleared_at or now) - self.raised_at, timedelta())


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One line of an alarm's history. `name` is a person's; empty for a device, a rule or the worker."""

    kind: str
    at: datetime
    recorded_at: datetime
    severity: Severity
    name: str
    order_number: str | None
    why: Text


_LINE: LiteralString = """
    SELECT m.id, m.community_id, c.code AS community, c.name_zh AS community_zh, c.name_en AS community_en,
           m.rule, m.severity, m.title_zh, m.title_en, m.meaning_zh, m.meaning_en, d.code AS device,
           a.class AS asset_class, a.id AS asset_id, a.area_id, m.facts, m.raised_at, m.recorded_at,
           m.paged_at, m.cleared_at, m.cleared_known_at, m.held_at, m.held_by, m.held_zh, m.held_en,
           m.ended_zh, m.ended_en,
           coalesce(a.name_zh, d.code) AS name_zh, coalesce(a.name_en, d.code) AS name_en,
           coalesce(a.place_zh, '') AS place_zh, coalesce(a.place_en, '') AS place_en,
           o.number AS order_number, o.status AS order_status,
           k.name AS ack_name, k.at AS ack_at, k.until AS ack_until,
           coalesce(k.expired_at IS NOT NULL, false) AS ack_expired
      FROM alarm AS m
      JOIN community AS c ON c.id = m.community_id
      JOIN device AS d ON d.id = m.device_id
      LEFT JOIN asset AS a ON a.id = m.asset_id
      LEFT JOIN alarm_ack AS k ON k.alarm_id = m.id AND k.ended_at IS NULL
      LEFT JOIN LATERAL (SELECT w.number, w.status
                           FROM alarm_order AS l JOIN work_order AS w ON w.id = l.order_id
                          WHERE l.alarm_id = m.id ORDER BY l.live DESC, w.id DESC LIMIT 1) AS o ON true
"""


async def live_alarms(
    conn: AsyncConnection,
    communities: Sequence[int] | None,
    severity: str | None = None,
    most: int = 500,
) -> list[AlarmLine]:
    """List live alarms of these communities (None: all), the most severe and then the newest first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _LINE
        + """
         WHERE m.cleared_at IS NULL
           AND (%(communities)s::int[] IS NULL OR m.community_id = ANY(%(communities)s))
           AND (%(severity)s::text IS NULL OR m.severity = %(severity)s)
         ORDER BY array_position(ARRAY['critical', 'major', 'minor', 'info'], m.severity), m.raised_at DESC,
                  m.id DESC
         LIMIT %(most)s
        """,
        {
            "communities": None if communities is None else list(communities),
            "severity": severity,
            "most": most,
        },
    )
    return [_line(row) async for row in cursor]


async def past_alarms(
    conn: AsyncConnection,
    communities: Sequence[int] | None,
    since: datetime,
    until: datetime,
    severity: str | None = None,
    most: int = 200,
) -> list[AlarmLine]:
    """List the alarms that began in a time, live ones too, the newest first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _LINE
        + """
         WHERE m.raised_at >= %(since)s AND m.raised_at < %(until)s
           AND (%(communities)s::int[] IS NULL OR m.community_id = ANY(%(communities)s))
           AND (%(severity)s::text IS NULL OR m.severity = %(severity)s)
         ORDER BY m.raised_at DESC, m.id DESC
         LIMIT %(most)s
        """,
        {
            "communities": None if communities is None else list(communities),
            "severity": severity,
            "since": since,
            "until": until,
            "most": most,
        },
    )
    return [_line(row) async for row in cursor]


async def alarm_line(
    conn: AsyncConnection, alarm_id: int, communities: Sequence[int] | None
) -> AlarmLine | None:
    """Read one alarm of these communities (None: all)."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _LINE
        + """
         WHERE m.id = %(id)s AND (%(communities)s::int[] IS NULL OR m.community_id = ANY(%(communities)s))
        """,
        {"id": alarm_id, "communities": None if communities is None else list(communities)},
    )
    row = await cursor.fetchone()
    return _line(row) if row else None


async def alarms_of_order(conn: AsyncConnection, order_id: int) -> list[AlarmLine]:
    """List the alarms an order is about, the one that opened it first."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        _LINE
        + """
         JOIN alarm_order AS mine ON mine.alarm_id = m.id AND mine.order_id = %(order)s
         JOIN work_order AS whole ON whole.id = mine.order_id
         ORDER BY m.id <> whole.alarm_id, mine.at, m.id
        """,
        {"order": order_id},
    )
    return [_line(row) async for row in cursor]


async def alarm_events(conn: AsyncConnection, alarm_id: int) -> list[AlarmEvent]:
    """Tell the history of an alarm in the order in which it was written."""
    cursor = await conn.cursor(row_factory=dict_row).execute(
        """
        SELECT e.kind, e.at, e.recorded_at, e.severity, e.name, o.number, e.why_zh, e.why_en
          FROM alarm_event AS e LEFT JOIN work_order AS o ON o.id = e.order_id
         WHERE e.alarm_id = %(id)s ORDER BY e.id
        """,
        {"id": alarm_id},
    )
    return [
        AlarmEvent(
            row["kind"],
            row["at"],
            row["recorded_at"],
            row["severity"],
            row["name"],
            row["number"],
            Text(zh=row["why_zh"], en=row["why_en"]),
        )
        async for row in cursor
    ]


def _line(row: dict[str, Any]) -> AlarmLine:
    plain = {name: value for name, value in row.items() if not name.endswith(("_zh", "_en")) and name != "id"}
    return AlarmLine(
        **plain,
        alarm_id=row["id"],
        community_name=Text(zh=row["community_zh"], en=row["community_en"]),
        title=Text(zh=row["title_zh"], en=row["title_en"]),
        meaning=Text(zh=row["meaning_zh"], en=row["meaning_en"]),
        held=Text(zh=row["held_zh"], en=row["held_en"]),
        ended=Text(zh=row["ended_zh"], en=row["ended_en"]),
        place=place_text(row),
    )
