"""Credit notes: the mirror of a bill."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from billing.store.scalars import number as read_number


@dataclass(frozen=True, slots=True)
class BillToVoid:
    """A bill as voiding meets it, locked; `income` is its lines summed by charge item."""

    bill_id: int
    community_id: int
    unit: str
    total_fen: int
    is_credit_note: bool
    voided_by: str | None
    income: Mapping[str, int]


async def bill_to_void(conn: AsyncConnection, community: str, number: str) -> BillToVoid | None:
    """Lock a bill, then read it as the lock left it."""
    locked = await conn.execute(
        """SELECT bill.id FROM bill JOIN community ON community.id = bill.community_id
            WHERE community.code = %(community)s AND bill.number = %(number)s
              FOR NO KEY UPDATE OF bill""",
        {"community": community, "number": number},
    )
    found = await locked.fetchone()
    if found is None:
        return None
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT bill.id AS bill_id, bill.community_id, unit.code AS unit, bill.total_fen,
                      bill.voids IS NOT NULL AS is_credit_note, bill.voided_by,
                      (SELECT jsonb_object_agg(code, fen)
                         FROM (SELECT charge_item.code, sum(line.amount_fen) AS fen
                                 FROM bill_line AS line
                                 JOIN charge_item ON charge_item.id = line.charge_item_id
                                WHERE line.bill_id = bill.id GROUP BY charge_item.code) AS by_item) AS income
                 FROM bill_state AS bill JOIN unit ON unit.id = bill.unit_id
                WHERE bill.id = %(bill_id)s""",
            {"bill_id": found[0]},
        )
        [row] = await cursor.fetchall()
        return BillToVoid(**row)


async def add_credit_note(conn: AsyncConnection, bill_id: int, note: str, now: datetime) -> None:
    """Write the mirror of a bill: the same lines with negative quantities and amounts."""
    values = {"bill_id": bill_id, "note": note, "now": now}
    note_id = await read_number(
        conn,
        """INSERT INTO bill (community_id, number, unit_id, party_id, party_name, period, revision, total_fen,
                             issued_at, due_on, voids)
           SELECT community_id, %(note)s, unit_id, party_id, party_name, period, revision, -total_fen,
                  %(now)s, due_on, id
             FROM bill WHERE id = %(bill_id)s
        RETURNING id""",
        values,
    )
    await conn.execute(
        """INSERT INTO bill_line (bill_id, position, charge_item_id, name_zh, name_en, basis, ref, quantity,
                                  measure, price_fen, amount_fen, grade, contract, composition, evidence_id,
                                  note_zh, note_en)
           SELECT %(note_id)s, position, charge_item_id, name_zh, name_en, basis, ref, -quantity,
                  measure, price_fen, -amount_fen, grade, contract, composition, evidence_id,
                  note_zh, note_en
             FROM bill_line WHERE bill_id = %(bill_id)s""",
        {**values, "note_id": note_id},
    )


async def reverse_allocations(conn: AsyncConnection, bill_id: int, now: datetime) -> int:
    """Reverse what was allocated to a bill; returns how much became free."""
    return await read_number(
        conn,
        """WITH reversed AS (
               INSERT INTO allocation (payment_id, bill_id, amount_fen, at, reverses)
               SELECT payment_id, bill_id, -amount_fen, %(now)s, id
                 FROM allocation AS original
                WHERE bill_id = %(bill_id)s AND reverses IS NULL
                  AND NOT EXISTS (SELECT FROM allocation WHERE reverses = original.id)
            RETURNING amount_fen)
           SELECT coalesce(-sum(amount_fen), 0)::bigint FROM reversed""",
        {"bill_id": bill_id, "now": now},
    )
