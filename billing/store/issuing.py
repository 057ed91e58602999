"""What a bill run writes: evidence once, bills and lines by COPY."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import AsyncConnection
from psycopg.rows import scalar_row
from psycopg.types.json import Jsonb

from billing.issuing import DraftLine
from billing.period import Period
from billing.store.tariffs import Tariff


@dataclass(frozen=True, slots=True)
class NewBill:
    """A bill about to be stored, with its lines."""

    bill_id: int
    number: str
    unit_id: int
    unit: str
    party_id: int
    party_name: str
    revision: int
    total_fen: int
    due_on: date
    lines: Sequence[DraftLine]


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """Findings for a charge item and a building, by the digest that makes the same findings one row."""

    charge_item_id: int
    building_id: int
    promised: int
    delivered: int
    standards: Sequence[Mapping[str, object]]
    digest: str


async def keep_evidence(
    conn: AsyncConnection, community_id: int, period: Period, found: Sequence[NewEvidence]
) -> dict[str, int]:
    """Keep findings, each once; returns evidence ids by digest."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            """INSERT INTO evidence (community_id, charge_item_id, building_id, period, promised, delivered,
                                     standards, digest)
               VALUES (%(community_id)s, %(charge_item_id)s, %(building_id)s, %(period)s, %(promised)s,
                       %(delivered)s, %(standards)s, %(digest)s)
               ON CONFLICT (digest) DO NOTHING""",
            [
                {
                    "community_id": community_id,
                    "charge_item_id": one.charge_item_id,
                    "building_id": one.building_id,
                    "period": period.first,
                    "promised": one.promised,
                    "delivered": one.delivered,
                    "standards": Jsonb(one.standards),
                    "digest": one.digest,
                }
                for one in found
            ],
        )
        await cursor.execute(
            "SELECT digest, id FROM evidence WHERE digest = ANY(%(digests)s)",
            {"digests": [one.digest for one in found]},
        )
        return {digest: evidence_id for digest, evidence_id in await cursor.fetchall()}  # noqa: C416 - rows are tuples of any


async def next_bill_ids(conn: AsyncConnection, count: int) -> list[int]:
    """Take ids for bills, so that their lines can be copied in beside them."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('bill', 'id')) FROM generate_series(1, %(count)s)",
            {"count": count},
        )
        return await cursor.fetchall()


async def add_bills(
    conn: AsyncConnection,
    community_id: int,
    period: Period,
    bills: Sequence[NewBill],
    tariffs_by_item: Mapping[int, Tariff],
    now: datetime,
) -> None:
    """Store bills with all their lines."""
    async with conn.cursor() as cursor:
        async with cursor.copy(
            """COPY bill (id, community_id, number, unit_id, party_id, party_name, period, revision,
                          total_fen, issued_at, due_on) FROM STDIN"""
        ) as copy:
            for bill in bills:
                await copy.write_row(
                    (
                        bill.bill_id,
                        community_id,
                        bill.number,
                        bill.unit_id,
                        bill.party_id,
                        bill.party_name,
                        period.first,
                        bill.revision,
                        bill.total_fen,
                        now,
                        bill.due_on,
                    )
                )
        compositions = {
            item_id: json.dumps(tariff.composition) for item_id, tariff in tariffs_by_item.items()
        }
        async with cursor.copy(
            """COPY bill_line (bill_id, position, charge_item_id, name_zh, name_en, basis, ref, quantity,
                               measure, price_fen, amount_fen, previous_fen, grade, contract, composition,
                               evidence_id, note_zh, note_en) FROM STDIN"""
        ) as copy:
            for bill in bills:
                for position, line in enumerate(bill.lines, 1):
                    tariff = tariffs_by_item[line.item.item_id]
                    await copy.write_row(
                        (
                            bill.bill_id,
                            position,
                            line.item.item_id,
                            line.name.zh,
                            line.name.en,
                            line.basis,
                            line.ref,
                            line.quantity,
                            line.measure,
                            line.price_fen,
                            line.amount_fen,
                            line.previous_fen,
                            tariff.grade,
                            tariff.contract,
                            "[]" if line.basis == "credit" else compositions[line.item.item_id],
                            line.evidence_id,
                            line.note.zh,
                            line.note.en,
                        )
                    )
