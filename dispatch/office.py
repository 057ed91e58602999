"""What the office does with an order: reassign, withdraw, cancel, merge, verify, close, reopen, note."""

from datetime import datetime

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from config.text import Text
from dispatch import lifecycle, notices
from dispatch.moving import Moved, move
from dispatch.offering import offer_by_hand
from dispatch.order import Order
from dispatch.orders import ONE_ORDER_AN_ALARM
from dispatch.people import By
from dispatch.policy import Policy, shipped_policy
from dispatch.refusals import AlarmHasOrder, BadField, IllegalMove, NoSuchOrder
from dispatch.status import HELD, LIVE
from dispatch.store import endings, offers, order_moves, orders
from dispatch.words import both


async def assign(
    conn: AsyncConnection,
    order_id: int,
    staff_id: int,
    by: By,
    now: datetime,
    why: str = "",
    policy: Policy | None = None,
) -> Moved:
    """Offer the order to this technician, taking it from whoever has it.

    Refused with BadField for who lacks the skill or its licence; area, shift and load the office may judge.
    """
    rules = policy or shipped_policy()

    async def decide(order: Order) -> Order:
        calendar = rules.calendar_for(order.clock, order.zone)
        after = lifecycle.offered(
            lifecycle.freed(order, now, calendar) if order.status in HELD else order, now
        )
        moved_on = Text(zh="已改派", en="reassigned by the office")
        ended = await offers.end(
            conn, order_id, now, was=["offered", "accepted"], becomes="withdrawn", reason=moved_on
        )
        await notices.offers_ended(conn, after, [o for o in ended if o.staff_id != staff_id], now, moved_on)
        await offer_by_hand(conn, after, staff_id, by, now, rules)
        return after

    return await move(conn, order_id, by, now, to=frozenset({"assigned"}), why=both(why), decide=decide)


async def withdraw(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str, policy: Policy | None = None
) -> Moved:
    """Take the order from whoever has it or is offered it; others are matched in this round."""
    rules = policy or shipped_policy()
    reason = both(why)

    async def decide(order: Order) -> Order:
        if order.status in HELD:
            after = lifecycle.freed(order, now, rules.calendar_for(order.clock, order.zone))
        elif order.status == "assigned":
            after = lifecycle.unoffered(order, now)
        else:
            raise IllegalMove(order_id, order.status, "open")
        ended = await offers.end(
            conn, order_id, now, was=["offered", "accepted"], becomes="withdrawn", reason=reason
        )
        await notices.offers_ended(conn, after, ended, now, reason)
        return after

    return await move(conn, order_id, by, now, to=frozenset({"open"}), why=reason, decide=decide)


async def cancel(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: Text | str) -> Moved:
    """End the order without work."""
    reason = both(why)

    async def decide(order: Order) -> Order:
        after = lifecycle.ended(order, "cancelled", now)
        await _nobody_waits(conn, order, after, now, reason)
        return after

    return await move(conn, order_id, by, now, to=frozenset({"cancelled"}), why=reason, decide=decide)


async def merge(
    conn: AsyncConnection, order_id: int, into: int, by: By, now: datetime, why: str = ""
) -> Moved:
    """End the order because another live one of the same community does its work."""
    for each in sorted({order_id, into}):  # in one order, so that two merges never wait for each other
        if await orders.lock(conn, each) is None:
            raise NoSuchOrder(each)
    reason = both(why)

    async def decide(order: Order) -> Order:
        target = await orders.lock(conn, into)
        if target is None or into == order_id or target.status not in LIVE:
            right = Text(zh="应为另一张未结束的工单", en="another order that is not over")
            raise BadField("into", into, right)
        if target.community_id != order.community_id:
            raise BadField("into", into, Text(zh="应为同一小区的工单", en="an order of the same community"))
        after = lifecycle.ended(order, "merged", now, into)
        await _nobody_waits(conn, order, after, now, reason)
        await endings.hand_over(conn, order_id, into, now)
        absorbed = Text(zh=f"已并入工单 {order.number}", en=f"took over order {order.number}")
        await order_moves.add(conn, into, target.status, target.status, By(by.account_id), now, absorbed)
        await notices.order_changed(conn, target)
        return after

    return await move(conn, order_id, by, now, to=frozenset({"merged"}), why=reason, decide=decide)


async def verify(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str = "") -> Moved:
    """Agree with the completed work after looking at it."""

    async def decide(order: Order) -> Order:
        return lifecycle.verified(order, now)

    return await move(conn, order_id, by, now, to=frozenset({"verified"}), why=both(why), decide=decide)


async def close(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: Text | str = "") -> Moved:
    """Close a verified order for good; the worker does it after a while by itself."""

    async def decide(order: Order) -> Order:
        return lifecycle.closed(order, now)

    return await move(conn, order_id, by, now, to=frozenset({"closed"}), why=both(why), decide=decide)


async def reopen(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str, policy: Policy | None = None
) -> Moved:
    """Begin again because the work was not good; who had it knows it and is preferred."""
    rules = policy or shipped_policy()
    if not why.strip():
        raise BadField("why", why, Text(zh="请写明重开原因", en="say why it is reopened"))

    async def decide(order: Order) -> Order:
        return lifecycle.reopened(order, now, rules.calendar_for(order.clock, order.zone))

    try:
        return await move(conn, order_id, by, now, to=frozenset({"reopened"}), why=both(why), decide=decide)
    except UniqueViolation as error:
        if error.diag.constraint_name not in ONE_ORDER_AN_ALARM:
            raise
        raise AlarmHasOrder(order_id) from error


async def note(conn: AsyncConnection, order_id: int, by: By, now: datetime, words: Text | str) -> Moved:
    """Add words to the order's story without moving it."""
    said = both(words, "words")
    if not said.zh:
        raise BadField("words", said.zh, Text(zh="请写下内容", en="write something"))

    async def decide(order: Order) -> Order:
        if by.staff_id is None:
            await notices.holder_told(conn, order, now, said)
        return order

    return await move(conn, order_id, by, now, to=None, why=said, decide=decide)


async def _nobody_waits(
    conn: AsyncConnection, before: Order, after: Order, now: datetime, reason: Text
) -> None:
    ended = await offers.end(conn, before.id, now, was=["offered"], becomes="withdrawn", reason=reason)
    await notices.offers_ended(conn, after, ended, now, reason)
    if before.status in HELD:
        await notices.holder_told(conn, after, now, reason)
