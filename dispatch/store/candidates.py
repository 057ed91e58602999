"""Who could take an order, and why: the desk's right column."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from config.text import Text
from dispatch.explain import standing
from dispatch.matching import barrier, need_of, pair_cost, slot_cost
from dispatch.policy import Policy, shipped_policy
from dispatch.roster import on_shift
from dispatch.store import offers, orders, staff


@dataclass(frozen=True, slots=True)
class Candidate:
    """A technician as the matching sees them for one order; `why` says it in words."""

    staff_id: int
    code: str
    name: str
    phone: str | None
    eligible: bool
    on_shift: bool
    load: int
    why: Text


async def candidates(
    conn: AsyncConnection, order_id: int, now: datetime, policy: Policy | None = None
) -> list[Candidate]:
    """List the technicians who hold the skill, best first, each with what speaks for or against them."""
    rules = policy or shipped_policy()
    order = await orders.read(conn, order_id)
    if order is None:
        return []
    asked = (await offers.of_rounds(conn, [order_id]))[order_id]
    familiar = (await staff.familiar(conn, [order_id]))[order_id]
    need = need_of(order, [offer.staff_id for offer in asked], familiar, now)
    people = await staff.technicians(conn, on_hold_counts=rules.matching.on_hold_counts)
    capacity = rules.matching.capacity[order.severity]
    ranked: list[tuple[tuple[bool, bool, float], Candidate]] = []
    for person in people:
        hindered = barrier(need, person, now, capacity)
        if hindered in ("skill", "left"):
            continue
        cost = pair_cost(need, person, rules.matching) + slot_cost(need, person.load, rules.matching)
        candidate = Candidate(
            staff_id=person.staff_id,
            code=person.code,
            name=person.name,
            phone=person.phone,
            eligible=hindered is None,
            on_shift=on_shift(person, ZoneInfo(order.zone), now),
            load=person.load,
            why=standing(need, person, now, rules),
        )
        ranked.append(((hindered is not None, hindered == "licence", cost), candidate))
    return [candidate for _, candidate in sorted(ranked, key=lambda each: each[0])]
