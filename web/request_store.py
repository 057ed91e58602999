"""What the pages of requests read beside tickets: own units, a line of a bill, who lives behind a door."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import AsyncConnection

from config.text import Text


@dataclass(frozen=True, slots=True)
class OwnUnit:
    """A unit somebody has now."""

    unit_id: int
    community_id: int
    code: str


@dataclass(frozen=True, slots=True)
class OwnLine:
    """A line of an own bill, as the form says it; its unit is the bill's."""

    unit: OwnUnit
    bill_id: int
    number: str
    position: int
    name: Text
    period: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Household:
    """Who answers for a unit today: the tenant where there is one, else the owner."""

    unit: OwnUnit
    party_id: int


async def units_of(conn: AsyncConnection, party_id: int, now: datetime) -> list[OwnUnit]:
    """List the units somebody has today."""
    cursor = await conn.execute(
        """
        SELECT DISTINCT unit.id, unit.community_id, unit.code
          FROM occupancy
          JOIN unit ON unit.id = occupancy.unit_id
          JOIN community ON community.id = unit.community_id
         WHERE occupancy.party_id = %(party_id)s
           AND (%(now)s::timestamptz AT TIME ZONE community.timezone)::date
               BETWEEN occupancy.from_date AND coalesce(occupancy.to_date, 'infinity')
         ORDER BY unit.code
        """,
        {"party_id": party_id, "now": now},
    )
    return [OwnUnit(*row) for row in await cursor.fetchall()]


async def line_of(conn: AsyncConnection, party_id: int, number: str, position: int) -> OwnLine | None:
    """Return a line of a bill of theirs."""
    cursor = await conn.execute(
        """
        SELECT unit.id, unit.community_id, unit.code, bill.id, bill.number, bill_line.position,
               bill_line.name_zh, bill_line.name_en, bill.period, bill_line.amount_fen
          FROM bill
          JOIN unit ON unit.id = bill.unit_id
          JOIN bill_line ON bill_line.bill_id = bill.id
         WHERE bill.party_id = %(party_id)s AND bill.number = %(number)s
           AND bill_line.position = %(position)s
        """,
        {"party_id": party_id, "number": number, "position": position},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    bill_id, bill, line, zh, en, period, fen = row[3:]
    return OwnLine(OwnUnit(*row[:3]), bill_id, bill, line, Text(zh=zh, en=en), period, fen)


async def household(
    conn: AsyncConnection, communities: Sequence[int], code: str, now: datetime
) -> Household | None:
    """Return who answers for the unit of this code today, in the first of these communities that has it."""
    cursor = await conn.execute(
        """
        SELECT unit.id, unit.community_id, unit.code, occupancy.party_id
          FROM unit
          JOIN community ON community.id = unit.community_id
          JOIN occupancy ON occupancy.unit_id = unit.id
         WHERE unit.community_id = ANY(%(communities)s) AND upper(unit.code) = upper(%(code)s)
           AND (%(now)s::timestamptz AT TIME ZONE community.timezone)::date
               BETWEEN occupancy.from_date AND coalesce(occupancy.to_date, 'infinity')
         ORDER BY community.code, occupancy.role = 'tenant' DESC, occupancy.from_date DESC
         LIMIT 1
        """,
        {"communities": list(communities), "code": code, "now": now},
    )
    row = await cursor.fetchone()
    return Household(OwnUnit(*row[:3]), row[3]) if row else None
