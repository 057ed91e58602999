"""All SQL that puts a community's rows in place. Upserts touch only what differs and say what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import AsyncConnection
from psycopg.errors import ForeignKeyViolation
from psycopg.types.json import Jsonb

from clerestory.community.statements import ABSENT, DELETES, END_OCCUPANCIES, RETIREMENTS, UPSERTS

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Touched:
    """A row that an upsert added or changed, by the name people know it by."""

    name: str
    added: bool


async def put_community(conn: AsyncConnection, row: Row) -> tuple[int, Touched | None]:
    """Add or change the community itself; give its id and whether anything was touched."""
    cursor = await conn.execute(
        """
        INSERT INTO community (code, name_zh, name_en, timezone, thresholds)
        VALUES (%(code)s, %(name_zh)s, %(name_en)s, %(timezone)s, coalesce(%(thresholds)s::jsonb, '{}'))
        ON CONFLICT (code) DO UPDATE
              SET name_zh = excluded.name_zh, name_en = excluded.name_en, timezone = excluded.timezone,
                  thresholds = coalesce(%(thresholds)s, community.thresholds)
            WHERE (community.name_zh, community.name_en, community.timezone, community.thresholds)
                  IS DISTINCT FROM (excluded.name_zh, excluded.name_en, excluded.timezone,
                                    coalesce(%(thresholds)s, community.thresholds))
        RETURNING code, xmax = 0
        """,
        {**row, "thresholds": None if row["thresholds"] is None else Jsonb(row["thresholds"])},
    )
    found = await cursor.fetchone()
    cursor = await conn.execute(
        "SELECT id FROM community WHERE code = %(code)s FOR UPDATE", {"code": row["code"]}
    )
    community = await cursor.fetchone()
    assert community is not None  # noqa: S101 - just put there, in this transaction
    return community[0], Touched(found[0], found[1]) if found else None


async def put(
    conn: AsyncConnection, section: str, community_id: int, rows: Sequence[Row], today: date
) -> list[Touched]:
    """Add and change the rows of one section; rows that are as they should be are left alone."""
    cursor = await conn.execute(
        UPSERTS[section], {"community_id": community_id, "rows": Jsonb(list(rows)), "today": today}
    )
    return [Touched(name, added) for name, added in await cursor.fetchall()]


async def free_dev_euis(conn: AsyncConnection, community_id: int, rows: Sequence[Row]) -> None:
    """Take a DevEUI from the device that had it when the file now gives it to another device here."""
    await conn.execute(
        """
        UPDATE device SET dev_eui = NULL
          FROM jsonb_to_recordset(%(rows)s) AS row (code text, dev_eui text)
         WHERE device.community_id = %(community_id)s
           AND device.dev_eui = row.dev_eui AND device.code <> row.code
        """,
        {"community_id": community_id, "rows": Jsonb(list(rows))},
    )


async def foreign_dev_euis(conn: AsyncConnection, community: str, dev_euis: Sequence[str]) -> dict[str, str]:
    """Which of these DevEUIs belong to devices of other communities, and to which (`community/device`)."""
    cursor = await conn.execute(
        """
        SELECT device.dev_eui, community.code || '/' || device.code
          FROM device JOIN community ON community.id = device.community_id
         WHERE device.dev_eui = ANY(%(dev_euis)s) AND community.code <> %(community)s
        """,
        {"dev_euis": list(dev_euis), "community": community},
    )
    return dict(await cursor.fetchall())


async def device_ids(
    conn: AsyncConnection, community_id: int, codes: Sequence[str] | None = None
) -> list[int]:
    """The ids of a community's devices with these codes, or of all."""
    cursor = await conn.execute(
        """
        SELECT id FROM device
         WHERE community_id = %(community_id)s AND (%(codes)s::text[] IS NULL OR code = ANY(%(codes)s))
         ORDER BY id
        """,
        {"community_id": community_id, "codes": None if codes is None else list(codes)},
    )
    return [row[0] for row in await cursor.fetchall()]


async def absent(
    conn: AsyncConnection, section: str, community_id: int, rows: Sequence[Row]
) -> list[tuple[int, str]]:
    """The rows of a section that are live in the database and not in the file: (id, name)."""
    cursor = await conn.execute(ABSENT[section], {"community_id": community_id, "rows": Jsonb(list(rows))})
    return [(row[0], row[1]) for row in await cursor.fetchall()]


async def delete_or_keep(conn: AsyncConnection, section: str, row_id: int) -> bool:
    """Delete a row unless something refers to it: the schema knows what has history. True if it is gone.

    What is told of later months even when nothing refers to it (devices, parking spaces) is never deleted.
    """
    if section not in DELETES:
        return False
    try:
        async with conn.transaction():
            await conn.execute(DELETES[section], {"id": row_id})
    except ForeignKeyViolation:
        return False
    return True


async def retire(conn: AsyncConnection, section: str, row_id: int, now: datetime, today: date) -> bool:
    """End what must not disappear; False where the section has nothing to end and the row simply stays."""
    statement = RETIREMENTS.get(section)
    if statement is None:
        return False
    await conn.execute(statement, {"id": row_id, "now": now, "today": today})
    return True


async def end_occupancies(
    conn: AsyncConnection, community_id: int, rows: Sequence[Row], today: date
) -> tuple[list[str], list[str]]:
    """Take out or end occupancies that are no longer in the file; give the names of both.

    One that the file now tells differently (same party, or the same role from no later a day) was a slip and
    goes. Any other ends: the day before its successor moves in, or today.
    """
    cursor = await conn.execute(
        END_OCCUPANCIES, {"community_id": community_id, "rows": Jsonb(list(rows)), "today": today}
    )
    found = await cursor.fetchall()
    return [name for name, gone in found if gone], [name for name, gone in found if not gone]


async def leave_areas(conn: AsyncConnection, community_id: int, staff_id: int, today: date) -> None:
    """A technician the file no longer has covers nothing here; who covers nothing anywhere has left."""
    parameters = {"community_id": community_id, "staff_id": staff_id, "today": today}
    await conn.execute(
        """
        DELETE FROM staff_area USING area
         WHERE staff_area.area_id = area.id
           AND area.community_id = %(community_id)s AND staff_id = %(staff_id)s
        """,
        parameters,
    )
    await conn.execute(
        """
        UPDATE staff SET left_on = %(today)s
         WHERE id = %(staff_id)s AND left_on IS NULL
           AND NOT EXISTS (SELECT FROM staff_area WHERE staff_id = staff.id)
        """,
        parameters,
    )
