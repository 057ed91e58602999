"""What a bill run reads once: communities, prices, what is maintained and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row, scalar_row

from billing.charging import ChargeItem
from billing.evidence import Asset, Record, Standard
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
    """List the records of work done in a stretch of time; of a corrected one, only the correction.

    Work about alarms of several assets is on its record with all of them, and is listed for each.
    """
    async with conn.cursor(row_factory=class_row(Record)) as cursor:
        await cursor.execute(
            """SELECT r.id AS record_id, r.kind, covered.asset_id
                 FROM maintenance_record AS r
                 JOIN LATERAL (
                      SELECT r.asset_id
                      UNION
                      SELECT (each -> 'asset' ->> 'id')::int
                        FROM jsonb_array_elements(r.body::jsonb -> 'alarms') AS each) AS covered ON true
                WHERE r.community_id = %(community_id)s AND r.delivered
                  AND r.completed_at >= %(start)s AND r.completed_at < %(end)s
                  AND NOT EXISTS (SELECT FROM maintenance_record AS later WHERE later.supersedes = r.id)
                ORDER BY r.id, covered.asset_id""",
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
