"""The moves of a work order, each one guarded write and one row of its story.

Each may raise NoSuchOrder, IllegalMove, NotYours or RequestReused (dispatch.refusals), all DispatchRefusal
with a `text: Text` for people. The caller owns the transaction; a refused move leaves it usable. The office's
moves are in dispatch.office and offered here too.
"""

from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import lifecycle, notices
from dispatch.clocks import Calendar
from dispatch.moving import Moved, move, only_holder
from dispatch.office import assign, cancel, close, merge, note, reopen, verify, withdraw
from dispatch.order import Order
from dispatch.people import By
from dispatch.policy import Policy, shipped_policy
from dispatch.refusals import BadField, DispatchRefusal, IllegalMove, NotYours, OfferGone
from dispatch.status import Status
from dispatch.store import offers
from dispatch.words import both, plain

__all__ = [
    "Moved",
    "accept",
    "arrive",
    "assign",
    "cancel",
    "close",
    "decline",
    "hand_back",
    "hold",
    "merge",
    "note",
    "progress",
    "reopen",
    "resume",
    "set_off",
    "verify",
    "withdraw",
]

NO_WORDS = Text(zh="", en="")


async def accept(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, policy: Policy | None = None
) -> Moved:
    """Take an offered order; of two who are offered a critical one, the first wins. May raise OfferGone."""
    rules = policy or shipped_policy()
    staff_id = _technician(by)

    async def decide(order: Order) -> Order:
        if await offers.answer(conn, order_id, staff_id, now, status="accepted") is None:
            raise await _gone(conn, order, staff_id)
        after = lifecycle.accepted(order, staff_id, now, rules, _calendar(order, rules))
        taken = Text(zh="已由他人接单", en="somebody else accepted first")
        others = await offers.end(conn, order_id, now, was=["offered"], becomes="withdrawn", reason=taken)
        await notices.offers_ended(conn, after, others, now, taken)
        return after

    return await move(conn, order_id, by, now, to=frozenset({"accepted"}), why=NO_WORDS, decide=decide)


async def decline(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, reason: str, policy: Policy | None = None
) -> Moved:
    """Turn an offer down. `reason`: a code of policy.decline_reasons, or the technician's own words."""
    why = _reason(reason, policy or shipped_policy())
    staff_id = _technician(by)

    async def decide(order: Order) -> Order:
        if await offers.answer(conn, order_id, staff_id, now, status="declined", reason=why) is None:
            raise await _gone(conn, order, staff_id)
        rounds = await offers.of_rounds(conn, [order_id])
        if any(offer.status == "offered" for offer in rounds[order_id]):
            return lifecycle.offered(order, now)
        return lifecycle.unoffered(order, now)

    return await move(conn, order_id, by, now, to=frozenset({"open", "assigned"}), why=why, decide=decide)


async def set_off(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, policy: Policy | None = None
) -> Moved:
    """Go on the way."""
    return await _under_way(conn, order_id, by, now, "en_route", policy or shipped_policy())


async def arrive(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, policy: Policy | None = None
) -> Moved:
    """Be on the spot; work begins."""
    return await _under_way(conn, order_id, by, now, "in_progress", policy or shipped_policy())


async def hold(
    conn: AsyncConnection,
    order_id: int,
    by: By,
    now: datetime,
    reason: str,
    remark: str = "",
    policy: Policy | None = None,
) -> Moved:
    """Interrupt the work. `reason`: a code of policy.hold_reasons, which says whether the clocks stop."""
    rules = policy or shipped_policy()

    async def decide(order: Order) -> Order:
        only_holder(order, by)
        return lifecycle.held(order, reason, now, rules)

    known = rules.hold_reasons.get(reason)
    words = known.name if known else both(reason, "reason")
    said = plain("remark", remark)
    if said:
        words = Text(zh=f"{words.zh}：{said}", en=f"{words.en}: {said}")
    return await move(conn, order_id, by, now, to=frozenset({"on_hold"}), why=words, decide=decide)


async def resume(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, policy: Policy | None = None
) -> Moved:
    """Go on; stopped clocks run again, deadlines move by the time they stood still."""
    rules = policy or shipped_policy()

    async def decide(order: Order) -> Order:
        only_holder(order, by)
        return lifecycle.resumed(order, now, rules, _calendar(order, rules))

    return await move(conn, order_id, by, now, to=frozenset({"in_progress"}), why=NO_WORDS, decide=decide)


async def progress(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, words: str, policy: Policy | None = None
) -> Moved:
    """Say how it goes; the next progress note is due a whole interval later."""
    rules = policy or shipped_policy()
    if not words.strip():
        raise BadField("words", words, Text(zh="请写明进展", en="say how it goes"))

    async def decide(order: Order) -> Order:
        only_holder(order, by)
        return lifecycle.progressed(order, now, rules, _calendar(order, rules))

    return await move(conn, order_id, by, now, to=None, why=both(words, "words"), decide=decide)


async def hand_back(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, reason: str, policy: Policy | None = None
) -> Moved:
    """Give an accepted order back; it is offered to others."""
    rules = policy or shipped_policy()
    why = _reason(reason, rules)

    async def decide(order: Order) -> Order:
        only_holder(order, by)
        if order.assignee_id is None:
            raise IllegalMove(order_id, order.status, "open")
        await offers.end(conn, order_id, now, was=["accepted"], becomes="declined", reason=why)
        return lifecycle.freed(order, now, _calendar(order, rules))

    return await move(conn, order_id, by, now, to=frozenset({"open"}), why=why, decide=decide)


async def _under_way(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, to: Status, policy: Policy
) -> Moved:
    async def decide(order: Order) -> Order:
        only_holder(order, by)
        if order.status == "on_hold":  # that is resuming, and clocks may stand still
            raise IllegalMove(order_id, order.status, to)
        return lifecycle.under_way(order, to, now, policy, _calendar(order, policy))

    return await move(conn, order_id, by, now, to=frozenset({to}), why=NO_WORDS, decide=decide)


async def _gone(conn: AsyncConnection, order: Order, staff_id: int) -> DispatchRefusal:
    match await offers.latest_of(conn, order.id, staff_id):
        case None:
            return NotYours(order.id)
        case "accepted":
            return IllegalMove(order.id, order.status, "accepted")
        case "declined":
            return OfferGone(order.id, Text(zh="您已拒绝这张工单", en="you turned this order down"))
        case "withdrawn":
            return OfferGone(
                order.id,
                Text(
                    zh="这张工单已由他人接走或被收回", en="the order went to somebody else or was taken back"
                ),
            )
        case _:
            return OfferGone(order.id, Text(zh="应答时间已过", en="the time to answer this offer is over"))


def _reason(reason: str, policy: Policy) -> Text:
    if not reason.strip():
        listed = ", ".join(policy.decline_reasons)
        raise BadField(
            "reason", reason, Text(zh=f"请选择 {listed} 或写明原因", en=f"one of {listed}, or own words")
        )
    return policy.decline_reasons.get(reason) or both(reason, "reason")


def _technician(by: By) -> int:
    if by.staff_id is None:
        raise BadField(
            "staff_id", None, Text(zh="只有技术员可以应答", en="only a technician answers an offer")
        )
    return by.staff_id


def _calendar(order: Order, policy: Policy) -> Calendar | None:
    return policy.calendar_for(order.clock, order.zone)
