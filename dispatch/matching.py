"""Who is offered what: hard limits first, then the cheapest assignment of all due orders at once. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from dispatch.order import Order
from dispatch.policy import Matching
from dispatch.roster import Technician, on_shift
from dispatch.status import Severity

Barrier = Literal["skill", "left", "licence", "area", "excluded", "shift", "full"]
# Dearer than anything the weights can add up to: a pair that must not be.
FORBIDDEN = 1e12


@dataclass(frozen=True, slots=True)
class Need:
    """An order that looks for somebody. `excluded` were asked in this round; `familiar` know the asset."""

    order_id: int
    community_id: int
    area_id: int
    zone: ZoneInfo
    skill: str
    severity: Severity
    excluded: frozenset[int] = frozenset()
    familiar: frozenset[int] = frozenset()
    late_hours: float = 0.0


def need_of(order: Order, asked: Iterable[int], familiar: frozenset[int], now: datetime) -> Need:
    """Say what an order needs of a technician; who was asked in this round is not asked again."""
    late = (now - order.respond_by).total_seconds() / 3600 if order.respond_by else 0.0
    return Need(
        order_id=order.id,
        community_id=order.community_id,
        area_id=order.area_id,
        zone=ZoneInfo(order.zone),
        skill=order.skill,
        severity=order.severity,
        excluded=frozenset(asked),
        familiar=familiar,
        late_hours=max(late, 0.0),
    )


def barrier(need: Need, technician: Technician, now: datetime, capacity: int) -> Barrier | None:
    """Name the first hard limit that keeps this technician from this order; None for who is eligible."""
    today = now.astimezone(need.zone).date()
    if need.skill not in technician.skills:
        return "skill"
    if technician.left_on is not None and technician.left_on <= today:
        return "left"
    expires = technician.skills[need.skill]
    checks: list[tuple[bool, Barrier]] = [
        (expires is not None and expires < today, "licence"),
        (need.area_id not in technician.areas, "area"),
        (technician.staff_id in need.excluded, "excluded"),
        (not on_shift(technician, need.zone, now), "shift"),
        (technician.load >= capacity, "full"),
    ]
    return next((name for hindered, name in checks if hindered), None)


def pair_cost(need: Need, technician: Technician, matching: Matching) -> float:
    """Price what this technician costs this order, whatever else is assigned: travel and continuity."""
    weights = matching.weights
    cost = 0.0
    if technician.at and (need.community_id, need.area_id) not in technician.at:
        near = any(community == need.community_id for community, _ in technician.at)
        cost += weights.other_area if near else weights.other_community
    if technician.staff_id in need.familiar:
        cost += weights.continuity
    return cost


def slot_cost(need: Need, place: int, matching: Matching) -> float:
    """Price being somebody's job number `place` (0 is the first): load is convex, urgency waits dearly."""
    weights = matching.weights
    return weights.load * (2 * place + 1) + weights.waiting[need.severity] * place


def unserved_cost(need: Need, matching: Matching) -> float:
    """Price offering an order to nobody."""
    weights = matching.weights
    return weights.unserved[need.severity] + weights.overdue_hour * max(need.late_hours, 0.0)


def get_ready() -> None:
    """Load what matching computes with: half a second that the first alarm would have to wait for."""
    import scipy.optimize  # noqa: F401, PLC0415


def match(
    needs: Sequence[Need], technicians: Sequence[Technician], now: datetime, matching: Matching
) -> dict[int, int | None]:
    """Choose a technician for each order, or nobody, so that the whole costs least.

    Each technician has as many slots as their capacity leaves free; an order may stay unserved at its price.
    """
    top = max(matching.capacity.values())
    slots = [(t, place) for t in technicians for place in range(t.load, top)]
    if not needs:
        return {}
    # Imported by who matches: a gateway never does, and they are 50 MB of a process.
    import numpy as np  # noqa: PLC0415
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    costs = np.full((len(needs), len(slots) + len(needs)), FORBIDDEN)
    for row, need in enumerate(needs):
        capacity = matching.capacity[need.severity]
        pairs: Mapping[int, float] = {
            t.staff_id: pair_cost(need, t, matching)
            for t in technicians
            if barrier(need, t, now, capacity) is None
        }
        for column, (technician, place) in enumerate(slots):
            if technician.staff_id in pairs and place < capacity:
                costs[row, column] = pairs[technician.staff_id] + slot_cost(need, place, matching)
        costs[row, len(slots) + row] = unserved_cost(need, matching)
    chosen: dict[int, int | None] = {}
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        served = column < len(slots)
        chosen[needs[row].order_id] = slots[column][0].staff_id if served else None
    return chosen
