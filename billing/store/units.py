"""What a bill run reads for each chunk of units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.charging import Meter, Occupancy
from billing.issuing import LineKey
from billing.period import Period


@dataclass(frozen=True, slots=True)
class UnitToBill:
    """A unit without a valid bill for the month; `voided` tells how many it had that were voided."""

    unit_id: int
    code: str
    building_id: int
    floor_area: Decimal
    voided: int


async def lock_billing(conn: AsyncConnection, community_id: int) -> None:
    """Let one transaction at a time issue bills in a community."""
    await conn.execute(
        "SELECT pg_advisory_xact_lock(hashtext('bill run'), %(community_id)s)", {"community_id": community_id}
    )


async def units_to_bill(
    conn: AsyncConnection, community_id: int, period: Period, *, after_unit: int, limit: int
) -> list[UnitToBill]:
    """List the next units that have no bill for the month, or only voided ones."""
    async with conn.cursor(row_factory=class_row(UnitToBill)) as cursor:
        await cursor.execute(
            """SELECT unit.id AS unit_id, unit.code, unit.building_id, unit.floor_area, before.voided
                 FROM unit
                CROSS JOIN LATERAL (
                      SELECT count(*) AS issued, count(note.id) AS voided
                        FROM bill LEFT JOIN bill AS note ON note.voids = bill.id
                       WHERE bill.community_id = unit.community_id AND bill.unit_id = unit.id
                         AND bill.period = %(period)s AND bill.voids IS NULL) AS before
                WHERE unit.community_id = %(community_id)s AND unit.id > %(after_unit)s
                  AND before.issued = before.voided
                ORDER BY unit.id LIMIT %(limit)s""",
            {
                "community_id": community_id,
                "period": period.first,
                "after_unit": after_unit,
                "limit": limit,
            },
        )
        return await cursor.fetchall()


async def occupancies(
    conn: AsyncConnection, unit_ids: Sequence[int], period: Period
) -> dict[int, list[Occupancy]]:
    """Read who held the units in the month."""
    rows = await conn.execute(
        """SELECT unit_id, party_id, party.name, role, from_date, to_date
             FROM occupancy JOIN party ON party.id = occupancy.party_id
            WHERE unit_id = ANY(%(unit_ids)s)
              AND from_date <= %(last)s AND (to_date IS NULL OR to_date >= %(first)s)""",
        {"unit_ids": list(unit_ids), "first": period.first, "last": period.last},
    )
    held: dict[int, list[Occupancy]] = {}
    for unit_id, *occupancy in await rows.fetchall():
        held.setdefault(unit_id, []).append(Occupancy(*occupancy))
    return held


async def meters(conn: AsyncConnection, unit_ids: Sequence[int], period: Period) -> dict[int, list[Meter]]:
    """Read the units' meters with the month's register and the newest earlier one."""
    rows = await conn.execute(
        """SELECT meter.unit_id, meter.code, meter.charge_item, now.register, earlier.period, earlier.register
             FROM meter
             LEFT JOIN LATERAL (SELECT register FROM meter_reading
                                 WHERE meter_id = meter.id AND period = %(period)s LIMIT 1) AS now ON true
             LEFT JOIN LATERAL (SELECT period, register FROM meter_reading
                                 WHERE meter_id = meter.id AND period < %(period)s
                                 ORDER BY period DESC LIMIT 1) AS earlier ON true
            WHERE meter.unit_id = ANY(%(unit_ids)s)
            ORDER BY meter.unit_id, meter.code""",
        {"unit_ids": list(unit_ids), "period": period.first},
    )
    found: dict[int, list[Meter]] = {}
    for unit_id, code, item, now, earlier_period, earlier in await rows.fetchall():
        registers: dict[date, Decimal] = {}
        if earlier is not None:
            registers[earlier_period] = earlier
        if now is not None:
            registers[period.first] = now
        found.setdefault(unit_id, []).append(Meter(code, item, registers))
    return found


async def lines_of_month(
    conn: AsyncConnection, unit_ids: Sequence[int], period: Period
) -> dict[int, dict[LineKey, int]]:
    """Read the amounts of the units' valid bills of a month, by line."""
    rows = await conn.execute(
        """SELECT bill.unit_id, charge_item.code, line.basis, line.ref, line.amount_fen
             FROM bill
             JOIN bill_line AS line ON line.bill_id = bill.id
             JOIN charge_item ON charge_item.id = line.charge_item_id
            WHERE bill.unit_id = ANY(%(unit_ids)s) AND bill.period = %(period)s AND bill.voids IS NULL
              AND NOT EXISTS (SELECT FROM bill AS note WHERE note.voids = bill.id)""",
        {"unit_ids": list(unit_ids), "period": period.first},
    )
    found: dict[int, dict[LineKey, int]] = {}
    for unit_id, code, basis, ref, amount_fen in await rows.fetchall():
        found.setdefault(unit_id, {})[code, basis, ref] = amount_fen
    return found


async def prepaid_balances(
    conn: AsyncConnection, unit_ids: Sequence[int]
) -> dict[int, list[tuple[int, int]]]:
    """Read what the units paid and no bill has used: (payment id, fen), oldest first."""
    rows = await conn.execute(
        "SELECT unit_id, payment_id, fen FROM prepaid WHERE unit_id = ANY(%(unit_ids)s) ORDER BY payment_id",
        {"unit_ids": list(unit_ids)},
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for unit_id, payment_id, fen in await rows.fetchall():
        found.setdefault(unit_id, []).append((payment_id, fen))
    return found
