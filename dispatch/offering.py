"""Making offers: of all orders that look for somebody at once, or of one by the office's hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import lifecycle, notices
from dispatch.explain import Why, standing, why_chosen, why_nobody
from dispatch.matching import Need, barrier, match, need_of
from dispatch.order import Order
from dispatch.people import SYSTEM, By
from dispatch.policy import Policy
from dispatch.refusals import BadField
from dispatch.roster import Technician, next_on_shift
from dispatch.status import WAITING
from dispatch.store import offers, order_moves, orders, staff
from dispatch.store.offers import Offer


@dataclass(frozen=True, slots=True)
class Matched:
    """What a matching did: the orders as they then are, when new offers run out, why nobody was found.

    `on_shift` says when somebody who could take an unserved order is next on shift.
    """

    orders: dict[int, Order]
    expiries: dict[int, list[datetime]]
    nobody: dict[int, Text]
    on_shift: dict[int, datetime | None]


def wanted(order: Order, asked: Sequence[Offer], policy: Policy) -> int:
    """Count the offers to make now; where the office chose somebody, nobody else is asked meanwhile."""
    if order.status not in WAITING and order.status != "assigned":
        return 0
    standing_now = [offer for offer in asked if offer.status == "offered"]
    if any(offer.chosen_by is not None for offer in standing_now):
        return 0
    return policy.offers.at_once[order.severity] - len(standing_now)


async def offer_all(
    conn: AsyncConnection,
    looking: Sequence[Order],
    asked: Mapping[int, Sequence[Offer]],
    now: datetime,
    policy: Policy,
) -> Matched:
    """Match the orders that want somebody and make the offers, best first, next in a second pass."""
    changed = {order.id: order for order in looking}
    expiries: dict[int, list[datetime]] = {order.id: [] for order in looking}
    nobody: dict[int, Text] = {}
    on_shift: dict[int, datetime | None] = {}
    rest = {order.id: wanted(order, asked[order.id], policy) for order in looking}
    if not looking:
        return Matched(changed, expiries, nobody, on_shift)
    await staff.one_matching_at_a_time(conn)
    roster = await staff.technicians(conn, on_hold_counts=policy.matching.on_hold_counts)
    by_id = {person.staff_id: person for person in roster}
    familiar = await staff.familiar(conn, list(rest))
    taken: dict[int, list[Offer]] = {order.id: list(asked[order.id]) for order in looking}
    for _ in range(max(rest.values())):
        people = [_loaded(person, taken, asked, changed) for person in roster]
        needs = {
            order_id: need_of(
                changed[order_id], [o.staff_id for o in taken[order_id]], familiar[order_id], now
            )
            for order_id, count in rest.items()
            if count > 0
        }
        for order_id, staff_id in match(list(needs.values()), people, now, policy.matching).items():
            rest[order_id] -= 1
            if staff_id is None:
                if not expiries[order_id] and not any(o.status == "offered" for o in asked[order_id]):
                    nobody[order_id] = why_nobody(needs[order_id], people, now, policy)
                    on_shift[order_id] = _next_shift(needs[order_id], people, now, policy)
                continue
            why = why_chosen(needs[order_id], by_id[staff_id], people, now, policy)
            changed[order_id], made = await _offer(
                conn, changed[order_id], by_id[staff_id], taken[order_id], why, now, policy
            )
            expiries[order_id].append(made.expires_at)
            taken[order_id].append(made)
    return Matched(changed, expiries, nobody, on_shift)


async def offer_by_hand(
    conn: AsyncConnection, order: Order, staff_id: int, by: By, now: datetime, policy: Policy
) -> None:
    """Offer an order to whom the office chose; who lacks the skill or the licence is refused."""
    found = await staff.technicians(conn, on_hold_counts=policy.matching.on_hold_counts, staff_ids=[staff_id])
    need = need_of(order, (), frozenset(), now)
    hindered = barrier(need, found[0], now, policy.matching.capacity[order.severity]) if found else "skill"
    skill = policy.skill_name(order.skill)
    if not found or hindered in ("skill", "left", "licence"):
        right = Text(
            zh=f"应为具备“{skill.zh}”有效资质的在职技术员", en=f"a technician with a valid skill “{skill.en}”"
        )
        raise BadField("staff_id", staff_id, right)
    text = standing(need, found[0], now, policy)
    why = Text(zh=f"由调度员指派；{text.zh}", en=f"chosen by the office; {text.en}")
    expires = now + policy.offers.timeout[order.severity]
    offer_id = await offers.add(
        conn,
        order_id=order.id,
        staff_id=staff_id,
        round_no=order.round,
        slot=1,
        offered_at=now,
        expires_at=expires,
        why={"zh": why.zh, "en": why.en, "load": found[0].load},
        chosen_by=by.account_id,
    )
    await notices.offer_made(conn, order, found[0].code, offer_id, expires, why, now)


async def _offer(
    conn: AsyncConnection,
    order: Order,
    person: Technician,
    taken: Sequence[Offer],
    why: Why,
    now: datetime,
    policy: Policy,
) -> tuple[Order, Offer]:
    used = {offer.slot for offer in taken if offer.status == "offered"}
    slot = 1 if 1 not in used else 2
    expires = now + policy.offers.timeout[order.severity]
    offer_id = await offers.add(
        conn,
        order_id=order.id,
        staff_id=person.staff_id,
        round_no=order.round,
        slot=slot,
        offered_at=now,
        expires_at=expires,
        why={"zh": why.text.zh, "en": why.text.en, "eligible": why.eligible, "load": why.load},
    )
    after = order
    if order.status != "assigned":
        after = lifecycle.offered(order, now)
        await orders.write(conn, order, after)
        await order_moves.add(conn, order.id, order.status, after.status, SYSTEM, now, why.text)
    await notices.offer_made(conn, after, person.code, offer_id, expires, why.text, now)
    made = Offer(
        id=offer_id,
        order_id=order.id,
        staff_id=person.staff_id,
        staff=person.code,
        round=order.round,
        slot=slot,
        status="offered",
        expires_at=expires,
        answered_at=None,
        chosen_by=None,
    )
    return after, made


def _next_shift(need: Need, people: Sequence[Technician], now: datetime, policy: Policy) -> datetime | None:
    capacity = policy.matching.capacity[need.severity]
    away = (person for person in people if barrier(need, person, now, capacity) == "shift")
    starts = (next_on_shift(person, need.zone, now) for person in away)
    return min((start for start in starts if start is not None), default=None)


def _loaded(
    person: Technician,
    taken: Mapping[int, Sequence[Offer]],
    asked: Mapping[int, Sequence[Offer]],
    changed: Mapping[int, Order],
) -> Technician:
    """Count the offers just made as load, for the second pass."""
    new = [
        changed[order_id]
        for order_id, all_offers in taken.items()
        for offer in all_offers[len(asked[order_id]) :]
        if offer.staff_id == person.staff_id
    ]
    if not new:
        return person
    return replace(
        person,
        load=person.load + len(new),
        at=person.at | {(order.community_id, order.area_id) for order in new},
    )
