"""What is the same for every unit of a community in one bill run: prices, evidence per building, due date."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from billing import charging, store
from billing.evidence import Month
from billing.issuing import Backing
from billing.period import Period
from billing.policy import Policy
from billing.views import StandardFound


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for every unit of a community in one run."""

    community: store.Community
    period: Period
    now: datetime
    due_on: date
    tariffs: Mapping[int, store.Tariff]
    items: Sequence[charging.ChargeItem]
    backings: Mapping[int, Mapping[int, Backing]]  # building id → charge item id → what stands behind it
    parking: Mapping[int, int]
    credit: bool
    reissue: bool


async def make_plan(
    conn: AsyncConnection,
    community: store.Community,
    period: Period,
    now: datetime,
    policy: Policy,
    *,
    early: bool,
    reissue: bool,
) -> Plan:
    """Read what a run needs to know once, and find the evidence of the month."""
    tariffs = {tariff.item.item_id: tariff for tariff in await store.tariffs(conn, community.community_id)}
    items = charging.in_force([tariff.item for tariff in tariffs.values()], period)
    zone = ZoneInfo(community.timezone)
    await store.open_accounts(conn, community.community_id, [item.code for item in items])
    return Plan(
        community=community,
        period=period,
        now=now,
        due_on=policy.due_on(community.code, period, now.astimezone(zone).date()),
        tariffs=tariffs,
        items=items,
        backings=await _find_evidence(conn, community, period, [tariffs[item.item_id] for item in items]),
        parking=await store.parking_spaces(conn, community.community_id, period),
        credit=not early,
        reissue=reissue,
    )


async def _find_evidence(
    conn: AsyncConnection, community: store.Community, period: Period, tariffs: Sequence[store.Tariff]
) -> dict[int, dict[int, Backing]]:
    """Find what stands behind each charge item with standards, once per building, and keep it."""
    start, end = period.bounds(ZoneInfo(community.timezone))
    month = Month(
        await store.assets_in_service(conn, community.community_id, period),
        await store.records_between(conn, community.community_id, start, end),
    )
    found: dict[tuple[int, int], tuple[store.Tariff, tuple[StandardFound, ...], store.NewEvidence]] = {}
    for building_id in await store.building_ids(conn, community.community_id):
        for tariff in tariffs:
            standards = month.find(tariff.standards, building_id)
            if standards:
                evidence = _evidence(community, period, tariff, building_id, standards)
                found[building_id, tariff.item.item_id] = (tariff, standards, evidence)
    kept = await store.keep_evidence(
        conn, community.community_id, period, [evidence for _, _, evidence in found.values()]
    )
    backings: dict[int, dict[int, Backing]] = {}
    for (building_id, item_id), (tariff, standards, evidence) in found.items():
        backings.setdefault(building_id, {})[item_id] = Backing(
            kept[evidence.digest], tariff.standards, standards
        )
    return backings


def _evidence(
    community: store.Community,
    period: Period,
    tariff: store.Tariff,
    building_id: int,
    found: Sequence[StandardFound],
) -> store.NewEvidence:
    standards: list[dict[str, object]] = [
        {
            "kind": one.kind,
            "asset_class": one.asset_class,
            "name": one.name.model_dump(),
            "promised": one.promised,
            "delivered": one.delivered,
            "records": list(one.record_ids),
        }
        for one in found
    ]
    where = (community.code, str(period), tariff.item.item_id, building_id)
    covered = json.dumps([*where, standards], sort_keys=True).encode()
    return store.NewEvidence(
        charge_item_id=tariff.item.item_id,
        building_id=building_id,
        promised=sum(one.promised for one in found),
        delivered=sum(min(one.delivered, one.promised) for one in found),
        standards=standards,
        digest=sha256(covered).hexdigest(),
    )
