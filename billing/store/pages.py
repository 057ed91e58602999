"""What pages read: bills with their lines, evidence and payments, for a resident or for the office."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row, scalar_row

from billing.money import split
from billing.store.scalars import number
from billing.views import (
    BillLine,
    BillPage,
    BillPayment,
    BillSummary,
    CompositionPart,
    StandardFound,
    paidness,
)
from config.text import Text

_SUMMARY = """
    SELECT bill.id AS bill_id, bill.number, bill.community_id, community.code AS community,
           community.name_zh AS community_zh, community.name_en AS community_en,
           unit.code AS unit, unit.id AS unit_id,
           building.name_zh AS building_zh, building.name_en AS building_en,
           bill.party_name, bill.period, bill.total_fen, bill.allocated_fen, bill.surplus_fen,
           bill.issued_at, bill.due_on, bill.voided_by, bill.voids,
           (SELECT voided.number FROM bill AS voided WHERE voided.id = bill.voids) AS voids_number
      FROM bill_state AS bill
      JOIN community ON community.id = bill.community_id
      JOIN unit ON unit.id = bill.unit_id
      JOIN building ON building.id = unit.building_id
"""

# A party sees the bills addressed to it, and those of a unit it owned in the bill's month.
_OF_PARTY = """
    bill.id IN (
        SELECT id FROM bill WHERE party_id = %(party_id)s
         UNION ALL
        SELECT owned.id FROM occupancy JOIN bill AS owned ON owned.unit_id = occupancy.unit_id
         WHERE occupancy.party_id = %(party_id)s AND occupancy.role = 'owner'
           AND occupancy.from_date <= (owned.period + interval '1 month - 1 day')::date
           AND (occupancy.to_date IS NULL OR occupancy.to_date >= owned.period))
"""


class _SummaryRow(TypedDict):
    bill_id: int
    number: str
    community_id: int
    community: str
    community_zh: str
    community_en: str
    unit: str
    unit_id: int
    building_zh: str
    building_en: str
    party_name: str
    period: date
    total_fen: int
    allocated_fen: int
    surplus_fen: int
    issued_at: datetime
    due_on: date
    voided_by: str | None
    voids: int | None
    voids_number: str | None


async def bills_of_party(conn: AsyncConnection, party_id: int, limit: int = 120) -> list[BillSummary]:
    """List the bills a resident may see, newest first, credit notes included."""
    rows = await _summaries(
        conn,
        f"{_SUMMARY} WHERE {_OF_PARTY} ORDER BY bill.period DESC, bill.id DESC LIMIT %(limit)s",
        {"party_id": party_id, "limit": limit},
    )
    return [_summary(row) for row in rows]


async def bills_of_office(
    conn: AsyncConnection,
    community_ids: Sequence[int] | None,
    period: date | None = None,
    *,
    limit: int = 200,
    before_id: int | None = None,
) -> list[BillSummary]:
    """List bills of some communities (None: all), newest first; `before_id` continues after a page's last."""
    rows = await _summaries(
        conn,
        f"""{_SUMMARY}
             WHERE (%(communities)s::int[] IS NULL OR bill.community_id = ANY(%(communities)s))
               AND (%(period)s::date IS NULL OR bill.period = %(period)s)
               AND (%(before_id)s::bigint IS NULL OR bill.id < %(before_id)s)
             ORDER BY bill.id DESC LIMIT %(limit)s""",
        {
            "communities": None if community_ids is None else list(community_ids),
            "period": period,
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [_summary(row) for row in rows]


async def bill_for_party(conn: AsyncConnection, number: str, party_id: int) -> BillPage | None:
    """Read one bill for a resident; another party's bill is simply not found."""
    rows = await _summaries(
        conn,
        f"{_SUMMARY} WHERE bill.number = %(number)s AND {_OF_PARTY} ORDER BY bill.id LIMIT 1",
        {"number": number, "party_id": party_id},
    )
    return await _page(conn, rows[0]) if rows else None


async def bill_for_office(
    conn: AsyncConnection, number: str, community_ids: Sequence[int] | None
) -> BillPage | None:
    """Read one bill for the office; `community_ids` None means all communities (an administrator)."""
    rows = await _summaries(
        conn,
        f"""{_SUMMARY}
             WHERE bill.number = %(number)s
               AND (%(communities)s::int[] IS NULL OR bill.community_id = ANY(%(communities)s))
             ORDER BY bill.id LIMIT 1""",
        {"number": number, "communities": None if community_ids is None else list(community_ids)},
    )
    return await _page(conn, rows[0]) if rows else None


async def party_may_see_record(conn: AsyncConnection, party_id: int, record_id: int) -> bool:
    """Tell whether a maintenance record stands behind a bill this party may see."""
    found = await conn.execute(
        f"""SELECT FROM bill
              JOIN bill_line ON bill_line.bill_id = bill.id
              JOIN evidence ON evidence.id = bill_line.evidence_id
             WHERE {_OF_PARTY}
               AND evidence.standards @> jsonb_build_array(
                       jsonb_build_object('records', jsonb_build_array(%(record_id)s::bigint)))
             LIMIT 1""",
        {"party_id": party_id, "record_id": record_id},
    )
    return await found.fetchone() is not None


async def prepaid_of_unit(conn: AsyncConnection, unit_id: int) -> int:
    """Sum what the unit paid and no bill has used yet."""
    return await number(
        conn,
        "SELECT coalesce(sum(fen), 0)::bigint FROM prepaid WHERE unit_id = %(unit_id)s",
        {"unit_id": unit_id},
    )


async def _summaries(conn: AsyncConnection, query: str, values: Mapping[str, object]) -> list[_SummaryRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()  # type: ignore[return-value]


def _summary(row: _SummaryRow) -> BillSummary:
    status = paidness(
        total_fen=row["total_fen"],
        allocated_fen=row["allocated_fen"],
        surplus_fen=row["surplus_fen"],
        voided=row["voided_by"] is not None,
        credit_note=row["voids"] is not None,
    )
    settled = status in ("void", "credit_note")
    return BillSummary(
        bill_id=row["bill_id"],
        number=row["number"],
        community_id=row["community_id"],
        community=row["community"],
        community_name=Text(zh=row["community_zh"], en=row["community_en"]),
        unit=row["unit"],
        building_name=Text(zh=row["building_zh"], en=row["building_en"]),
        party_name=row["party_name"],
        period=row["period"],
        total_fen=row["total_fen"],
        allocated_fen=row["allocated_fen"],
        unpaid_fen=0 if settled else row["total_fen"] - row["allocated_fen"],
        status=status,
        issued_at=row["issued_at"],
        due_on=row["due_on"],
    )


async def _page(conn: AsyncConnection, row: _SummaryRow) -> BillPage:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """SELECT total_fen FROM bill_state
                WHERE unit_id = %(unit_id)s AND period = (%(period)s::date - interval '1 month')::date
                  AND voids IS NULL AND voided_by IS NULL""",
            {"unit_id": row["unit_id"], "period": row["period"]},
        )
        previous: int | None = await cursor.fetchone()
    return BillPage(
        summary=_summary(row),
        previous_total_fen=previous,
        prepaid_fen=await prepaid_of_unit(conn, row["unit_id"]),
        voided_by=row["voided_by"],
        voids=row["voids_number"],
        lines=await _lines(conn, row["bill_id"]),
        payments=await _payments(conn, row["bill_id"]),
    )


async def _lines(conn: AsyncConnection, bill_id: int) -> tuple[BillLine, ...]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT line.*, coalesce(evidence.standards, '[]') AS standards
                 FROM bill_line AS line LEFT JOIN evidence ON evidence.id = line.evidence_id
                WHERE line.bill_id = %(bill_id)s ORDER BY line.position""",
            {"bill_id": bill_id},
        )
        return tuple(
            BillLine(
                position=row["position"],
                name=Text(zh=row["name_zh"], en=row["name_en"]),
                basis=row["basis"],
                quantity=row["quantity"],
                measure=row["measure"],
                price_fen=row["price_fen"],
                amount_fen=row["amount_fen"],
                previous_fen=row["previous_fen"],
                grade=row["grade"],
                contract=row["contract"],
                note=Text(zh=row["note_zh"], en=row["note_en"]),
                composition=_composition(row["composition"], row["amount_fen"]),
                standards=tuple(_standard(found) for found in row["standards"]),
            )
            for row in await cursor.fetchall()
        )


class _Part(TypedDict):
    name: dict[str, str]
    percent: float


class _Standard(TypedDict):
    kind: str
    asset_class: str
    name: dict[str, str]
    promised: int
    delivered: int
    records: list[int]


def _composition(parts: Sequence[_Part], amount_fen: int) -> tuple[CompositionPart, ...]:
    percents = [Decimal(str(part["percent"])) for part in parts]
    if sum(percents) == 0:
        return ()
    return tuple(
        CompositionPart(name=Text(**part["name"]), percent=percent, amount_fen=fen)
        for part, percent, fen in zip(parts, percents, split(amount_fen, percents), strict=True)
    )


def _standard(found: _Standard) -> StandardFound:
    return StandardFound(
        kind=found["kind"],
        asset_class=found["asset_class"],
        name=Text(**found["name"]),
        promised=found["promised"],
        delivered=found["delivered"],
        record_ids=tuple(found["records"]),
    )


async def _payments(conn: AsyncConnection, bill_id: int) -> tuple[BillPayment, ...]:
    async with conn.cursor(row_factory=class_row(BillPayment)) as cursor:
        await cursor.execute(
            """SELECT payment.receipt_no, payment.channel, payment.method, payment.paid_at,
                      payment.amount_fen, coalesce(given.fen, 0) AS allocated_fen
                 FROM payment
                 LEFT JOIN LATERAL (SELECT sum(amount_fen)::bigint AS fen FROM allocation
                                     WHERE payment_id = payment.id AND bill_id = %(bill_id)s) AS given ON true
                WHERE payment.bill_id = %(bill_id)s OR given.fen <> 0
                ORDER BY payment.id""",
            {"bill_id": bill_id},
        )
        return tuple(await cursor.fetchall())
