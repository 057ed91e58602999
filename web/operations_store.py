"""What the whole installation is at this moment, and which processes run it: SQL of the operations page."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from dispatch.status import LIVE, SEVERITIES
from storage.migrate import shipped

# A timer that is due is run within half a second by a worker that lives.
TIMER_GRACE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class House:
    """How much of everything there is, ages in seconds.

    `late` counts orders by the missed deadline that presses, each once, as the desk shows them.
    """

    alarms: Mapping[str, int]
    orders: Mapping[str, int]
    late: Mapping[str, int]
    escalated: int
    outbox: int
    outbox_age: float
    letters: int
    timers: int
    timer_age: float


@dataclass(frozen=True, slots=True)
class Process:
    """One run of a process, as it last said of itself."""

    id: UUID
    roles: list[str]
    name: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writable:
    """Whether a database takes what is written: `unknown` and `waiting` are migrations."""

    recovering: bool
    read_only: bool
    waiting: list[str]
    unknown: list[str]


async def house(conn: AsyncConnection, now: datetime, communities: Collection[int] | None = None) -> House:
    """Count what waits, what is late and what is wrong; alarms and orders of these communities or all."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            WITH ours AS (
                SELECT * FROM work_order
                 WHERE status = ANY(%(live)s) AND (%(all)s OR community_id = ANY(%(communities)s))
            )
            SELECT (SELECT jsonb_object_agg(severity, n) FROM
                     (SELECT severity, count(*) AS n FROM alarm
                       WHERE cleared_at IS NULL AND (%(all)s OR community_id = ANY(%(communities)s))
                       GROUP BY 1) AS a) AS alarms,
                   (SELECT jsonb_object_agg(status, n) FROM
                     (SELECT status, count(*) AS n FROM ours GROUP BY 1) AS o) AS orders,
                   late.*, outbox.*, timers.*,
                   (SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL) AS letters
              FROM (SELECT count(*) FILTER (WHERE status IN ('open', 'reopened', 'assigned')
                                              AND respond_by <= %(now)s) AS respond,
                           count(*) FILTER (WHERE status IN ('accepted', 'en_route')
                                              AND arrive_by <= %(now)s) AS arrive,
                           count(*) FILTER (WHERE status IN ('in_progress', 'on_hold')
                                              AND progress_by <= %(now)s
                                              AND progress_by < coalesce(complete_by, 'infinity'))
                             AS progress,
                           count(*) FILTER (WHERE complete_by <= %(now)s
                                              AND (status IN ('accepted', 'en_route') AND arrive_by IS NULL
                                                   OR status IN ('in_progress', 'on_hold')
                                                  AND complete_by <= coalesce(progress_by, 'infinity')))
                             AS complete,
                           (SELECT count(*) FROM ours WHERE escalation_cause IS NOT NULL) AS escalated
                      FROM ours WHERE paused_at IS NULL) AS late,
                   (SELECT count(*) AS outbox, min(created_at) AS oldest
                      FROM outbox WHERE delivered_at IS NULL) AS outbox,
                   (SELECT count(*) AS timers, min(next_due) AS overdue
                      FROM device_state WHERE next_due < %(due)s) AS timers
            """,
            {
                "now": now,
                "due": now - TIMER_GRACE,
                "live": sorted(LIVE),
                "all": communities is None,
                "communities": list(communities or ()),
            },
        )
        row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("a SELECT of figures has one row")
    return House(
        alarms={severity: (row["alarms"] or {}).get(severity, 0) for severity in SEVERITIES},
        orders={status: (row["orders"] or {}).get(status, 0) for status in sorted(LIVE)},
        late={goal: row[goal] for goal in ("respond", "arrive", "progress", "complete")},
        escalated=row["escalated"],
        outbox=row["outbox"],
        outbox_age=_age(row["oldest"], now),
        letters=row["letters"],
        timers=row["timers"],
        timer_age=_age(row["overdue"], now),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


async def beat(conn: AsyncConnection, process: Process) -> None:
    """Write a process's sign of life."""
    await conn.execute(
        """
        INSERT INTO process (id, roles, name, host, pid, version, started_at, seen_at, stopped_at, figures)
        VALUES (%(id)s, %(roles)s, %(name)s, %(host)s, %(pid)s, %(version)s, %(started)s, %(seen)s,
                %(stopped)s, %(figures)s)
        ON CONFLICT (id) DO UPDATE
           SET name = EXCLUDED.name, seen_at = EXCLUDED.seen_at, stopped_at = EXCLUDED.stopped_at,
               figures = EXCLUDED.figures
        """,
        {
            "id": process.id,
            "roles": process.roles,
            "name": process.name,
            "host": process.host,
            "pid": process.pid,
            "version": process.version,
            "started": process.started_at,
            "seen": process.seen_at,
            "stopped": process.stopped_at,
            "figures": Jsonb(process.figures),
        },
    )


async def forget_processes(conn: AsyncConnection, before: datetime) -> None:
    """Delete the rows of processes last seen before a moment."""
    await conn.execute("DELETE FROM process WHERE seen_at < %(before)s", {"before": before})


async def processes(conn: AsyncConnection, since: datetime) -> Sequence[Process]:
    """Give the processes seen since a moment, the newest run first."""
    async with conn.cursor(row_factory=class_row(Process)) as cursor:
        await cursor.execute(
            """
            SELECT id, roles, name, host, pid, version, started_at, seen_at, stopped_at, figures
              FROM process WHERE seen_at >= %(since)s ORDER BY started_at DESC, id
            """,
            {"since": since},
        )
        return await cursor.fetchall()


async def writable(conn: AsyncConnection) -> Writable:
    """Ask a database whether it would take what is written, and whether its schema is ours."""
    ours = [migration.name for migration in shipped()]
    async with conn.cursor(row_factory=class_row(Writable)) as cursor:
        await cursor.execute(
            """
            SELECT pg_is_in_recovery() AS recovering,
                   current_setting('transaction_read_only')::boolean AS read_only,
                   ARRAY(SELECT unnest(%(ours)s::text[]) EXCEPT SELECT name FROM schema_migration
                          ORDER BY 1) AS waiting,
                   ARRAY(SELECT name FROM schema_migration EXCEPT SELECT unnest(%(ours)s::text[])
                          ORDER BY 1) AS unknown
            """,
            {"ours": ours},
        )
        found = await cursor.fetchone()
    if found is None:
        raise RuntimeError("a SELECT of settings has one row")
    return found
