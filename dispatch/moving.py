"""One move: lock, decide, write if nobody was faster, keep the row of the story, tell."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import notices
from dispatch.order import Order
from dispatch.people import By
from dispatch.refusals import IllegalMove, NoSuchOrder, NotYours, RequestReused
from dispatch.status import Status
from dispatch.store import order_moves, orders
from dispatch.words import plain

# Longer than any name of a tap has to be.
LONGEST_REQUEST = 200

Decide = Callable[[Order], Awaitable[Order]]


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the order. `repeated`: this very tap had been taken before, nothing happened now."""

    order_id: int
    before: Status
    after: Status
    at: datetime
    repeated: bool = False


async def move(
    conn: AsyncConnection,
    order_id: int,
    by: By,
    now: datetime,
    *,
    to: frozenset[Status] | None,
    why: Text,
    decide: Decide,
) -> Moved:
    """Move one order as `decide` says, or raise a refusal that leaves the caller's transaction usable.

    `to` is where this move can lead; None for words that do not move it. A tap that comes again is answered
    with what it did the first time: the lock makes the second wait for the first.
    """
    async with conn.transaction():
        order = await orders.lock(conn, order_id)
        if order is None:
            raise NoSuchOrder(order_id)
        earlier = await _earlier(conn, order_id, by, to)
        if earlier is not None:
            return earlier
        after = await decide(order)
        if not await orders.write(conn, order, after):
            raise IllegalMove(order_id, order.status, after.status)
        await order_moves.add(conn, order_id, order.status, after.status, by, now, why)
        await notices.order_changed(conn, after)
        return Moved(order_id, order.status, after.status, now)


def only_holder(order: Order, by: By) -> None:
    """Refuse a technician who does not hold the order; the office may speak for whoever does."""
    if by.staff_id is not None and order.assignee_id != by.staff_id:
        raise NotYours(order.id)


async def _earlier(
    conn: AsyncConnection, order_id: int, by: By, to: frozenset[Status] | None
) -> Moved | None:
    if by.request_id is None:
        return None
    plain("request_id", by.request_id, LONGEST_REQUEST)
    found = await order_moves.of_request(conn, order_id, by.request_id)
    if found is None:
        return None
    before, after, at = found
    if (to is None and before != after) or (to is not None and after not in to):
        raise RequestReused(order_id, by.request_id)
    return Moved(order_id, before, after, at, repeated=True)
