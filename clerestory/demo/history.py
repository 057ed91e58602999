"""What happened before: plans and collections of the last month, worked off through the real dispatch room.

Nothing is written that could not have happened: orders are opened by the plans, offered by the matching,
accepted by whoever was asked, and completed with answered checklists. Only the clock is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from clerestory import store
from config.checklist import ChecklistItem, read_items
from config.text import Text
from dispatch import moves, records
from dispatch.checklist import CheckAnswer
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.plans import run_due
from dispatch.records import Completion
from dispatch.sweep import sweep

MORNING = time(7, 30)
ROUNDS_A_DAY = 12
COLLECTIONS_A_MONTH = 31
MINUTE = timedelta(minutes=1)
# What was promised and not done, so that a newcomer sees how a bill says so.
NEGLECTED = ("fire_check", "B3-LOBBY")
WHY_NEGLECTED = Text(
    zh="灭火器厂家未到货，改期", en="the extinguishers were not delivered; put off to another date"
)


@dataclass(frozen=True, slots=True)
class Past:
    """Which community, in whose time, and who verifies for the office."""

    community_id: int
    zone: ZoneInfo
    verifier: By


def last_month(today: date) -> tuple[date, date]:
    """The first day of the month before, and the first of this one."""
    this = today.replace(day=1)
    return (this - timedelta(days=1)).replace(day=1), this


def days(first: date, until: date) -> Iterator[date]:
    """Each day from the first until before the last."""
    for number in range((until - first).days):
        yield first + timedelta(days=number)


async def live_through(
    conn: AsyncConnection, past: Past, first: date, until: datetime, chance: Random
) -> None:
    """Have every day from `first` on happen as far as it lies before `until`, in the caller's transaction.

    Statements go in a pipeline: whatever nobody reads an answer of does not wait for one.
    """
    async with conn.pipeline():
        await _live(conn, past, first, until, chance)
    await store.silence_outbox(conn, until)


async def _live(conn: AsyncConnection, past: Past, first: date, until: datetime, chance: Random) -> None:
    times = [time.fromisoformat(each) for each in await store.plan_times(conn, past.community_id)]
    bins = await store.asset_ids(conn, past.community_id, "bin")
    last = until.astimezone(past.zone).date()
    for day in days(first, last + timedelta(days=1)):
        for at in times:
            moment = datetime.combine(day, at, past.zone).astimezone(UTC)
            if moment < until:
                await run_due(conn, moment)
        morning = datetime.combine(day, MORNING, past.zone).astimezone(UTC)
        if morning < until and day.day <= COLLECTIONS_A_MONTH:
            await open_order(conn, _collection(past, chance.choice(bins)), morning)
        await _work_off(conn, past, morning + timedelta(hours=3), until, chance)


def _collection(past: Past, asset_id: int) -> NewOrder:
    return NewOrder(
        community_id=past.community_id,
        asset_id=asset_id,
        kind="waste_collection",
        skill="cleaning",
        severity="minor",
        title=Text(zh="垃圾桶清运", en="Waste collection"),
        what=Text(zh="晨间巡查发现将满", en="found nearly full on the morning round"),
        todo=Text(zh="清空垃圾桶并清扫周边", en="Empty the bin and sweep around it"),
        because=Text(zh="晨间巡查", en="morning round"),
    )


async def _work_off(
    conn: AsyncConnection, past: Past, moment: datetime, until: datetime, chance: Random
) -> None:
    """Offer and complete until nobody is asked any more; at the end of the past the rest stays open."""
    for _ in range(ROUNDS_A_DAY):
        if moment + 40 * MINUTE > until:
            return
        await sweep(conn, moment)
        offered = await store.offered_orders(conn, past.community_id)
        if not offered:
            return
        for order in offered:
            if (order.kind, order.asset) == NEGLECTED:
                await moves.cancel(conn, order.order_id, past.verifier, moment, WHY_NEGLECTED)
            else:
                await _work(conn, past, order, moment, chance)
        moment += 45 * MINUTE


async def _work(
    conn: AsyncConnection, past: Past, order: store.OfferedOrder, moment: datetime, chance: Random
) -> None:
    by = By(account_id=order.account_id, staff_id=order.staff_id)
    start = moment + chance.randint(1, 4) * MINUTE
    done = start + chance.randint(12, 30) * MINUTE
    await moves.accept(conn, order.order_id, by, start)
    await moves.set_off(conn, order.order_id, by, start + MINUTE)
    await moves.arrive(conn, order.order_id, by, start + 5 * MINUTE)
    items = read_items(order.checklist)
    completion = Completion(
        answers=tuple(answer(item, chance) for item in items),
        labour_minutes=int((done - start) / MINUTE),
        result="maintained" if order.plan_id else "fixed",
    )
    await records.complete(conn, order.order_id, by, completion, done)
    await moves.verify(conn, order.order_id, past.verifier, done + 5 * MINUTE)


def answer(item: ChecklistItem, chance: Random) -> CheckAnswer:
    """What a technician finds where all is well."""
    if item.type == "check":
        return CheckAnswer(code=item.code, value=item.expected)
    if item.type == "text":
        return CheckAnswer(code=item.code, value="正常 / fine")
    low = item.min if item.min is not None else 0.0
    high = item.max if item.max is not None else low + 10
    return CheckAnswer(code=item.code, value=round(chance.triangular(low, high), 1))
