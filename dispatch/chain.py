"""Whether the maintenance records are what they were: every chain walked from its first record."""

import json
from dataclasses import dataclass

from psycopg import AsyncConnection

from config.text import Text
from dispatch.report import Stored, misfit
from dispatch.store import records


@dataclass(frozen=True, slots=True)
class ChainReport:
    """One community's chain: how many records fit, and the first that does not."""

    community: str
    good: int
    broken: Stored | None = None
    fault: Text | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None


async def check_chains(conn: AsyncConnection, community: str | None = None) -> list[ChainReport]:
    """Walk the chains of all communities, or of one."""
    found = await records.communities(conn, community)
    return [await _check(conn, community_id, code) for community_id, code in found]


async def _check(conn: AsyncConnection, community_id: int, code: str) -> ChainReport:
    before: Stored | None = None
    good = 0
    broken: Stored | None = None
    fault: Text | None = None
    async with conn.transaction():
        async for record in records.chain(conn, community_id):
            fault = misfit(record, before) or await _photo_fault(conn, record)
            if fault is not None:
                broken = record
                break
            before, good = record, good + 1
        if fault is None:
            number = await records.finished_without_record(conn, community_id)
            if number is not None:
                fault = Text(
                    zh=f"工单 {number} 已完成却没有记录", en=f"order {number} is finished but has no record"
                )
    return ChainReport(code, good, broken, fault)


async def _photo_fault(conn: AsyncConnection, record: Stored) -> Text | None:
    hashes = json.loads(record.body)["photos"]
    missing = await records.photo_misfit(conn, hashes) if hashes else None
    if missing is None:
        return None
    return Text(zh=f"照片 {missing} 缺失或被改动", en=f"its photo {missing} is missing or was altered")
