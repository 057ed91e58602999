"""What each move makes of an order. Pure: an order and the time go in, the order after the move comes out.

A move of a live order makes it due at once: the next sweep looks at it and sets the precise next time.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from config.text import Text
from dispatch import clocks
from dispatch.clocks import Calendar
from dispatch.order import Order
from dispatch.policy import Deadlines, Policy
from dispatch.refusals import BadField, IllegalMove
from dispatch.status import HELD, UNACCEPTED, Severity, Status, allowed

CALM: dict[str, Any] = {"cause": None, "step": 0, "escalated_at": None, "escalation": Text(zh="", en="")}
FREED: dict[str, Any] = {"assignee_id": None, "progress_by": None}
ENDED: dict[str, Any] = {"due_at": None, "paused_at": None, "held_at": None, "hold_reason": None, **CALM}


def moved(order: Order, to: Status, now: datetime, **changes: Any) -> Order:  # noqa: ANN401 - any field of Order
    """Take the order to another status if the table of moves allows it, and make it due."""
    if not allowed(order.status, to):
        raise IllegalMove(order.id, order.status, to)
    return replace(order, **{"status": to, "due_at": now, **changes})


def offered(order: Order, now: datetime) -> Order:
    """Have somebody been offered the order."""
    if order.status == "assigned":
        return replace(order, due_at=now)
    return moved(order, "assigned", now)


def accepted(order: Order, staff_id: int, now: datetime, policy: Policy, calendar: Calendar | None) -> Order:
    """Give the order an owner; whatever was being escalated about nobody taking it is over."""
    return moved(
        order,
        "accepted",
        now,
        assignee_id=staff_id,
        progress_by=progress_due(order, now, policy, calendar),
        **CALM,
    )


def unoffered(order: Order, now: datetime) -> Order:
    """Nobody has it any more and no offer stands: it waits to be matched again."""
    return moved(order, "open", now)


def freed(order: Order, now: datetime, calendar: Calendar | None) -> Order:
    """Take the order from whoever holds it; the time to respond begins anew."""
    after = _running(order, now, calendar)
    return moved(
        after, "open", now, respond_by=_renewed(after, order.respond_by, now, calendar), **FREED, **CALM
    )


def under_way(order: Order, to: Status, now: datetime, policy: Policy, calendar: Calendar | None) -> Order:
    """Set off or arrive; each is a word about the order, so progress is due anew."""
    return moved(order, to, now, progress_by=progress_due(order, now, policy, calendar))


def held(order: Order, reason: str, now: datetime, policy: Policy) -> Order:
    """Put the work on hold; whether the clocks stop is the reason's."""
    known = policy.hold_reasons.get(reason)
    if known is None:
        listed = ", ".join(policy.hold_reasons)
        raise BadField("reason", reason, Text(zh=f"应为 {listed} 之一", en=f"one of {listed}"))
    paused = now if known.stops_clock else None
    return moved(order, "on_hold", now, hold_reason=reason, held_at=now, paused_at=paused)


def resumed(order: Order, now: datetime, policy: Policy, calendar: Calendar | None) -> Order:
    """Go on with the work; deadlines move by the time the clocks stood still."""
    if order.status != "on_hold":
        raise IllegalMove(order.id, order.status, "in_progress")
    after = _running(order, now, calendar)
    return moved(after, "in_progress", now, progress_by=progress_due(order, now, policy, calendar))


def progressed(order: Order, now: datetime, policy: Policy, calendar: Calendar | None) -> Order:
    """Take word about a held order: the next is due a whole interval later."""
    if order.status not in HELD:
        raise IllegalMove(order.id, order.status, order.status)
    if order.paused_at is not None:
        return replace(order, due_at=now)
    return replace(order, progress_by=progress_due(order, now, policy, calendar), due_at=now)


def completed(order: Order, now: datetime) -> Order:
    """Finish the work; verification is the office's turn."""
    return moved(order, "completed", now, settled_at=now, progress_by=None, **CALM)


def verified(order: Order, now: datetime) -> Order:
    """Agree with the completed work."""
    return moved(order, "verified", now, settled_at=now, **CALM)


def closed(order: Order, now: datetime) -> Order:
    """End a verified order."""
    return moved(order, "closed", now, **ENDED)


def reopened(order: Order, now: datetime, calendar: Calendar | None) -> Order:
    """Begin again: a new round, every deadline as long as it was."""
    return moved(
        order,
        "reopened",
        now,
        round=order.round + 1,
        settled_at=None,
        respond_by=_renewed(order, order.respond_by, now, calendar),
        arrive_by=_renewed(order, order.arrive_by, now, calendar),
        complete_by=_renewed(order, order.complete_by, now, calendar),
        **FREED,
        **CALM,
    )


def ended(order: Order, to: Status, now: datetime, into: int | None = None) -> Order:
    """Cancel or merge: nobody needs to look at it again."""
    return moved(order, to, now, merged_into=into, progress_by=None, **ENDED)


def lifted(
    order: Order, severity: Severity, limits: Deadlines, now: datetime, calendar: Calendar | None
) -> Order:
    """Make the order more severe; a deadline counted from now holds where it is earlier than the order's."""
    waits = order.status in UNACCEPTED
    on_the_way = waits or order.status in {"accepted", "en_route"}
    if order.paused_at is not None:  # its clocks stand still, and move on by the pause when they go again
        limits = Deadlines(clock=limits.clock)

    def earlier(deadline: datetime | None, limit: timedelta | None, *, runs: bool = True) -> datetime | None:
        if limit is None or not runs:
            return deadline
        new = clocks.add(calendar, now, limit)
        return new if deadline is None else min(deadline, new)

    return replace(
        order,
        severity=severity,
        clock=limits.clock,
        respond_by=earlier(order.respond_by, limits.respond, runs=waits),
        arrive_by=earlier(order.arrive_by, limits.arrive, runs=on_the_way),
        complete_by=earlier(order.complete_by, limits.complete),
        due_at=now,
    )


def progress_due(order: Order, now: datetime, policy: Policy, calendar: Calendar | None) -> datetime | None:
    """Say when the next word about the order is due."""
    limit = policy.deadlines[order.severity].progress
    return None if limit is None else clocks.add(calendar, now, limit)


def _running(order: Order, now: datetime, calendar: Calendar | None) -> Order:
    """Let stopped clocks run again, whatever move ends the hold."""
    if order.status != "on_hold":
        return order
    after = replace(order, held_at=None, hold_reason=None, paused_at=None)
    paused = order.paused_at
    if paused is None:
        return after
    return replace(
        after,
        respond_by=clocks.shifted(calendar, order.respond_by, paused, now),
        arrive_by=clocks.shifted(calendar, order.arrive_by, paused, now),
        complete_by=clocks.shifted(calendar, order.complete_by, paused, now),
        progress_by=clocks.shifted(calendar, order.progress_by, paused, now),
    )


def _renewed(
    order: Order, deadline: datetime | None, now: datetime, calendar: Calendar | None
) -> datetime | None:
    if deadline is None:
        return None
    return clocks.add(calendar, now, clocks.elapsed(calendar, order.opened_at, deadline))
