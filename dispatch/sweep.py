"""What time does to orders: offers run out, deadlines pass, the ladder is climbed, somebody else is asked."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from psycopg import AsyncConnection, InterfaceError, OperationalError

from config.text import Text
from dispatch import escalation, lifecycle, notices
from dispatch.offering import offer_all, wanted
from dispatch.order import Order
from dispatch.people import SYSTEM
from dispatch.policy import Policy, shipped_policy
from dispatch.status import WAITING
from dispatch.store import offers, order_moves, orders
from dispatch.store.offers import Offer
from dispatch.store.setbacks import put_off

BATCH = 100
SETBACK = timedelta(minutes=3)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Taken:
    """The orders of one sweep as they become: state, their round's offers, who found nobody, what changed."""

    orders: dict[int, Order]
    asked: dict[int, list[Offer]] = field(default_factory=dict)
    expiries: dict[int, list[datetime]] = field(default_factory=dict)
    nobody: dict[int, Text] = field(default_factory=dict)
    on_shift: dict[int, datetime | None] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)


async def sweep(
    conn: AsyncConnection, now: datetime, policy: Policy | None = None, limit: int = BATCH
) -> datetime | None:
    """Take the orders that are due and that nobody else is moving; say when the next one is due.

    Two sweepers share the work: each order is locked by one of them, the other skips it. Every order taken
    gets its next time, so nothing waits for ever and nothing is looked at in a loop.

    An order that we fail at keeps no other from its technician: it is put off for a few minutes, and the
    mistake is told to whoever reads the log.
    """
    rules = policy or shipped_policy()
    due = await orders.claim_due(conn, now, limit)
    if due:
        await _look_after(conn, due, now, rules)
    return await orders.next_due(conn)


async def _look_after(conn: AsyncConnection, due: Sequence[Order], now: datetime, policy: Policy) -> None:
    """Take these orders together, which is fastest, or where that fails one by one."""
    try:
        async with conn.transaction():
            await _take(conn, due, now, policy)
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError):
            raise  # the database is unwell: that is no order's fault
        if len(due) == 1:
            [order] = due
            log.exception("order %s could not be looked after; again in %s", order.number, SETBACK)
            await put_off(conn, [order.id], now + SETBACK)
            return
    else:
        return
    for order in due:
        await _look_after(conn, [order], now, policy)


async def _take(conn: AsyncConnection, due: Sequence[Order], now: datetime, policy: Policy) -> None:
    taken = _Taken({order.id: order for order in due})
    await _expire(conn, taken, now)
    await _close(conn, taken, now, policy)
    await _offer(conn, taken, now, policy)
    for order_id in taken.orders:
        await _look(conn, taken, order_id, now, policy)


async def _expire(conn: AsyncConnection, taken: _Taken, now: datetime) -> None:
    """End offers that nobody answered; an order without any standing offer is open again."""
    ended = await offers.expire(conn, list(taken.orders), now)
    taken.asked = await offers.of_rounds(conn, list(taken.orders))
    over = Text(zh="应答时间已过", en="the time to answer is over")
    for order in list(taken.orders.values()):
        gone = [offer for offer in ended if offer.order_id == order.id]
        if gone:
            taken.touched.add(order.id)
            await notices.offers_ended(conn, order, gone, now, over)
        if order.status == "assigned" and not _standing(taken.asked[order.id]):
            await _moved(conn, taken, order, lifecycle.unoffered(order, now), _silent(gone), now)


async def _close(conn: AsyncConnection, taken: _Taken, now: datetime, policy: Policy) -> None:
    """Close verified orders after their while."""
    why = Text(zh="核验后到期自动关闭", en="closed by itself a while after it was verified")
    for order in list(taken.orders.values()):
        at = escalation.close_at(order, policy)
        if order.status == "verified" and at is not None and at <= now:
            await _moved(conn, taken, order, lifecycle.closed(order, now), why, now)


async def _offer(conn: AsyncConnection, taken: _Taken, now: datetime, policy: Policy) -> None:
    """Ask whom this round has not asked; where nobody is left for long enough, begin a new round."""
    looking = [o for o in taken.orders.values() if wanted(o, taken.asked[o.id], policy) > 0]
    await _match(conn, taken, looking, now, policy)
    again = [
        replace(order, round=order.round + 1)
        for order in taken.orders.values()
        if order.id in taken.nobody and _round_over(order, taken.asked[order.id], now, policy)
    ]
    for order in again:
        taken.asked[order.id] = []
        del taken.nobody[order.id]
    await _match(conn, taken, again, now, policy)


async def _match(
    conn: AsyncConnection, taken: _Taken, looking: Sequence[Order], now: datetime, policy: Policy
) -> None:
    matched = await offer_all(conn, looking, taken.asked, now, policy)
    taken.orders.update(matched.orders)
    taken.nobody.update(matched.nobody)
    taken.on_shift.update(matched.on_shift)
    for order_id, expiries in matched.expiries.items():
        if expiries:
            taken.touched.add(order_id)
            taken.expiries.setdefault(order_id, []).extend(expiries)


async def _look(conn: AsyncConnection, taken: _Taken, order_id: int, now: datetime, policy: Policy) -> None:
    """Climb the ladder where something is wrong, and set when to look again."""
    order, nobody = taken.orders[order_id], taken.nobody.get(order_id)
    trouble = escalation.trouble_of(order, now, policy, nobody)
    climb = escalation.climb(order, trouble, now, policy.escalation)
    standing = [offer.expires_at for offer in _standing(taken.asked[order_id])]
    moments = standing + taken.expiries.get(order_id, [])
    if nobody is not None:
        starts = taken.on_shift.get(order_id)
        moments += [now + policy.offers.round_again[order.severity], *([starts] if starts else [])]
    due_at = escalation.next_look(climb.order, now, policy, moments)
    after = replace(climb.order, due_at=due_at)
    await orders.write(conn, order, after)
    if climb.steps:
        whom = "、".join(_ROLES[step.whom].zh for step in climb.steps)
        whom_en = ", ".join(_ROLES[step.whom].en for step in climb.steps)
        said = after.escalation
        why = Text(zh=f"升级至{whom}：{said.zh}", en=f"escalated to the {whom_en}: {said.en}")
        await order_moves.add(conn, order_id, after.status, after.status, SYSTEM, now, why)
        await notices.escalated(conn, after, climb.steps, now)
    if climb.steps or order_id in taken.touched or after.escalation != order.escalation:
        await notices.order_changed(conn, after)


async def _moved(
    conn: AsyncConnection, taken: _Taken, before: Order, after: Order, why: Text, now: datetime
) -> None:
    await orders.write(conn, before, after)
    await order_moves.add(conn, before.id, before.status, after.status, SYSTEM, now, why)
    taken.orders[before.id] = after
    taken.touched.add(before.id)


def _silent(gone: Sequence[Offer]) -> Text:
    people = [offer.staff for offer in gone]
    if not people:
        return Text(zh="", en="")
    return Text(zh=f"{'、'.join(people)} 未在时限内应答", en=f"{', '.join(people)} did not answer in time")


def _standing(asked: Sequence[Offer]) -> list[Offer]:
    return [offer for offer in asked if offer.status == "offered"]


def _round_over(order: Order, asked: Sequence[Offer], now: datetime, policy: Policy) -> bool:
    """Whether everybody may be asked again: a while after the last answer of this round."""
    answers = [offer.answered_at for offer in asked if offer.answered_at is not None]
    if order.status not in WAITING or not answers:
        return False
    return max(answers) + policy.offers.round_again[order.severity] <= now


_ROLES: Mapping[str, Text] = {
    "dispatcher": Text(zh="调度员", en="dispatcher"),
    "manager": Text(zh="经理", en="manager"),
}
