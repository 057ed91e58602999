"""What a bill run reads and writes: units in chunks, evidence once, bills and lines by COPY."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row, scalar_row
from psycopg.types.json import Jsonb

from billing.charging import ChargeItem, Meter, Occupancy
from billing.evidence import Asset, Record, Standard
from billing.issuing import DraftLine, LineKey
from billing.period import Period
from config.text import Text


@dataclass(frozen=True, slots=True)
class Community:
    """A community to bill."""

    community_id: int
    code: str
    timezone: str
    units: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """A charge item with all that its lines copy."""

    item: ChargeItem
    grade: str
    contract: str
    standards: tuple[Standard, ...]
    composition: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class UnitToBill:
    """A unit without a valid bill for the month; `voided` tells how many it had that were voided."""

    unit_id: int
    code: str
    building_id: int
    floor_area: Decimal
    voided: int


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


async def communities(conn: AsyncConnection) -> list[Community]:
    """List all communities by code."""
    async with conn.cursor(row_factory=class_row(Community)) as cursor:
        await cursor.execute(
            """SELECT id AS community_id, code, timezone,
                      (SELECT count(*) FROM unit WHERE unit.community_id = community.id) AS units
                 FROM community ORDER BY code"""
        )
        return await cursor.fetchall()


async def tariffs(conn: AsyncConnection, community_id: int) -> list[Tariff]:
    """Read every version of every charge item, in the order of the bill."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """SELECT * FROM charge_item WHERE community_id = %(community_id)s
                ORDER BY position, code, from_date""",
            {"community_id": community_id},
        )
        return [
            Tariff(
                item=ChargeItem(
                    item_id=row["id"],
                    code=row["code"],
                    name=Text(zh=row["name_zh"], en=row["name_en"]),
                    basis=row["basis"],
                    price_fen=row["price_fen"],
                    measure=row["measure"],
                    from_date=row["from_date"],
                    to_date=row["to_date"],
                ),
                grade=row["grade"],
                contract=row["contract"],
                standards=tuple(_standard(written) for written in row["standards"]),
                composition=row["composition"],
            )
            for row in await cursor.fetchall()
        ]


def _standard(written: Mapping[str, object]) -> Standard:
    return Standard(**{**written, "name": Text.model_validate(written["name"])})  # type: ignore[arg-type]


async def assets_in_service(conn: AsyncConnection, community_id: int, period: Period) -> list[Asset]:
    """List the assets in service on the last day of the month."""
    async with conn.cursor(row_factory=class_row(Asset)) as cursor:
        await cursor.execute(
            """SELECT id AS asset_id, class AS asset_class, building_id FROM asset
                WHERE community_id = %(community_id)s AND (retired_on IS NULL OR retired_on > %(last)s)
                ORDER BY id""",
            {"community_id": community_id, "last": period.last},
        )
        return await cursor.fetchall()


async def records_between(
    conn: AsyncConnection, community_id: int, start: datetime, end: datetime
) -> list[Record]:
    """List the records of work done in a stretch of time; of a corrected one, only the correction."""
    async with conn.cursor(row_factory=class_row(Record)) as cursor:
        await cursor.execute(
            """SELECT r.id AS record_id, r.kind, r.asset_id FROM maintenance_record AS r
                WHERE r.community_id = %(community_id)s AND r.delivered
                  AND r.completed_at >= %(start)s AND r.completed_at < %(end)s
                  AND NOT EXISTS (SELECT FROM maintenance_record AS later WHERE later.supersedes = r.id)
                ORDER BY r.id""",
            {"community_id": community_id, "start": start, "end": end},
        )
        return await cursor.fetchall()


async def building_ids(conn: AsyncConnection, community_id: int) -> list[int]:
    """List a community's buildings."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT id FROM building WHERE community_id = %(community_id)s ORDER BY id",
            {"community_id": community_id},
        )
        return await cursor.fetchall()


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


async def parking_spaces(conn: AsyncConnection, community_id: int, period: Period) -> dict[int, int]:
    """Count each unit's parking spaces: a space counts for the unit that held it last in the month."""
    rows = await conn.execute(
        """SELECT unit_id, count(*)
             FROM (SELECT DISTINCT ON (code) code, unit_id FROM parking_space
                    WHERE community_id = %(community_id)s
                      AND from_date <= %(last)s AND (to_date IS NULL OR to_date >= %(first)s)
                    ORDER BY code, from_date DESC) AS held
            GROUP BY unit_id""",
        {"community_id": community_id, "first": period.first, "last": period.last},
    )
    return dict(await rows.fetchall())


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
