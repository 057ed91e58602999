"""What is wrong with an order, who must hear of it next, and when to look again. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config.text import Text
from dispatch.lifecycle import CALM
from dispatch.order import Cause, Order
from dispatch.policy import Escalation, Policy, Step
from dispatch.status import HELD, WAITING

# Whatever happens, the worker looks at a live order again within this time.
LONGEST_LOOK_AWAY = timedelta(hours=6)
SOONEST_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why somebody in the office must be asked."""

    cause: Cause
    text: Text


@dataclass(frozen=True, slots=True)
class Climb:
    """The order after its ladder was looked at, and the steps to take now."""

    order: Order
    steps: tuple[Step, ...] = ()


def trouble_of(order: Order, now: datetime, policy: Policy, nobody: Text | None = None) -> Trouble | None:
    """Name what is wrong; `nobody` is the reason why the matching found no one this time."""
    if order.status in WAITING or order.status == "assigned":
        return _unaccepted(order, now, nobody)
    if order.status in HELD:
        return _late(order, now, policy)
    if order.status == "completed" and _passed(_verify_at(order, policy), now):
        return Trouble("verify", Text(zh="已完成，等待核验", en="completed, waiting to be verified"))
    return None


def climb(order: Order, trouble: Trouble | None, now: datetime, ladder: Escalation) -> Climb:
    """Take the steps that are due; another cause begins the ladder anew, no trouble ends it.

    After downtime each step is taken once and the repeated last one only once.
    """
    if trouble is not None and trouble.cause == "unaccepted" and _is_quiet(order, now):
        return Climb(order)
    if trouble is None:
        return Climb(order if order.cause is None else replace(order, **CALM))
    if trouble.cause != order.cause:
        order = replace(order, cause=trouble.cause, step=0, escalated_at=now)
    began = order.escalated_at or now
    steps: list[Step] = []
    climbed = order.step
    while climbed < len(ladder.steps) and began + ladder.steps[climbed].after <= now:
        steps.append(ladder.steps[climbed])
        climbed += 1
    repeats = (now - began - ladder.steps[-1].after) // ladder.repeat
    if climbed >= len(ladder.steps) and len(ladder.steps) + repeats > climbed:
        if not steps:
            steps.append(ladder.steps[-1])
        climbed = len(ladder.steps) + repeats
    return Climb(replace(order, escalated_at=began, step=climbed, escalation=trouble.text), tuple(steps))


def next_look(
    order: Order, now: datetime, policy: Policy, others: Iterable[datetime] = ()
) -> datetime | None:
    """Say when something about the order may change by time alone; None where it is over.

    `others` are moments the order does not know of: offers that run out, somebody who comes on shift.
    """
    if order.status in ("closed", "cancelled", "merged"):
        return None
    moments = [*others, _next_rung(order, policy.escalation)]
    if order.status in WAITING or order.status == "assigned":
        moments += [order.respond_by, order.quiet_until]
    elif order.status in HELD:
        moments += [order.complete_by, order.progress_by] if order.paused_at is None else []
        moments += [order.arrive_by] if order.status in ("accepted", "en_route") else []
        moments.append(_review_at(order, policy))
    elif order.status == "completed":
        moments.append(_verify_at(order, policy))
    elif order.status == "verified":
        moments.append(close_at(order, policy))
    coming = [moment for moment in moments if moment is not None and moment > now]
    return max(min([*coming, now + LONGEST_LOOK_AWAY]), now + SOONEST_LOOK)


def close_at(order: Order, policy: Policy) -> datetime | None:
    """Say when a verified order closes by itself."""
    return None if order.settled_at is None else order.settled_at + policy.verification.close_after


def _unaccepted(order: Order, now: datetime, nobody: Text | None) -> Trouble | None:
    missed = _passed(order.respond_by, now)
    if nobody is None and not missed:
        # Once somebody was asked, the ladder goes on until the order is accepted.
        return Trouble("unaccepted", order.escalation) if order.cause == "unaccepted" else None
    late = Text(zh="响应时限已过，无人接单", en="the time to respond is over and nobody has accepted")
    if nobody is None:
        return Trouble("unaccepted", late)
    if not missed:
        return Trouble("unaccepted", nobody)
    return Trouble("unaccepted", Text(zh=f"{late.zh}；{nobody.zh}", en=f"{late.en}; {nobody.en}"))


def _late(order: Order, now: datetime, policy: Policy) -> Trouble | None:
    if order.status in ("accepted", "en_route") and _passed(order.arrive_by, now):
        return Trouble("arrive", Text(zh="到场时限已过，尚未到场", en="the time to arrive is over"))
    if _passed(_review_at(order, policy), now):
        known = policy.hold_reasons.get(order.hold_reason or "")
        reason = known.name if known else Text(zh=order.hold_reason or "—", en=order.hold_reason or "—")
        return Trouble(
            "hold",
            Text(zh=f"挂起过久：{reason.zh}", en=f"on hold for long: {reason.en[0].lower()}{reason.en[1:]}"),
        )
    if order.paused_at is not None:
        return None
    if _passed(order.complete_by, now):
        return Trouble("complete", Text(zh="完成时限已过", en="the time to complete is over"))
    if _passed(order.progress_by, now):
        return Trouble("progress", Text(zh="久无进展反馈", en="no word about the progress for too long"))
    return None


def _next_rung(order: Order, ladder: Escalation) -> datetime | None:
    if order.cause is None or order.escalated_at is None:
        return None
    if order.step < len(ladder.steps):
        return order.escalated_at + ladder.steps[order.step].after
    beyond = order.step - len(ladder.steps) + 1
    return order.escalated_at + ladder.steps[-1].after + beyond * ladder.repeat


def _review_at(order: Order, policy: Policy) -> datetime | None:
    if order.held_at is None or order.hold_reason is None:
        return None
    known = policy.hold_reasons.get(order.hold_reason)
    return order.held_at + known.review_after if known else order.held_at


def _verify_at(order: Order, policy: Policy) -> datetime | None:
    return None if order.settled_at is None else order.settled_at + policy.verification.ask_after


def _is_quiet(order: Order, now: datetime) -> bool:
    """Whether somebody acknowledged its alarms and their time is not over: then the ladder stands still."""
    return order.quiet_until is not None and order.quiet_until > now


def _passed(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
