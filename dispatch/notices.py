"""Telling people: a message to the technician's device or to the office, and word to every live page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
from psycopg import AsyncConnection

from config.text import Text
from dispatch.order import Order
from dispatch.policy import Step
from dispatch.status import Severity
from dispatch.store import orders
from dispatch.store.offers import Offer
from gateway.outbox import OutboxMessage, enqueue
from storage.notify import notify_each

JobNews = Literal["offered", "withdrawn", "changed"]
AlarmNews = Literal["released", "ack_expired", "reminded"]
Whom = Literal["dispatcher", "manager"]


@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """Word to the office about an alarm that nobody follows up, or that is held no longer."""

    alarm_id: int
    community: str
    severity: Severity
    title: Text
    place: Text
    what: AlarmNews
    why: Text


class Changed(Protocol):
    """An order of which something changed."""

    @property
    def id(self) -> int: ...
    @property
    def community_id(self) -> int: ...


async def orders_changed(conn: AsyncConnection, changed: Iterable[Changed]) -> None:
    """Wake the worker and the live pages when the transaction commits."""
    await notify_each(conn, "order", [(order.community_id, order.id) for order in changed])


async def order_changed(conn: AsyncConnection, order: Changed) -> None:
    """The same of one order."""
    await orders_changed(conn, [order])


async def offers_ended(
    conn: AsyncConnection, order: Order, offers: Iterable[Offer], now: datetime, why: Text
) -> None:
    """Tell technicians that what they were offered, or held, is not theirs any more."""
    await many_offers_ended(conn, [(order, offer) for offer in offers], now, {order.id: why})


async def many_offers_ended(
    conn: AsyncConnection, ended: Iterable[tuple[Order, Offer]], now: datetime, why: Mapping[int, Text]
) -> None:
    """The same for offers of many orders, each with its order's reason."""
    messages = [
        _job(
            order,
            offer.staff,
            f"withdrawn-{offer.id}-{now.timestamp():.6f}",
            "withdrawn",
            now,
            {"why": _text(why[order.id])},
        )
        for order, offer in ended
    ]
    await _send(conn, messages, now)


async def alarms_told(
    conn: AsyncConnection, told: Iterable[AlarmNotice], whom: tuple[Whom, ...], now: datetime
) -> None:
    """Take word of alarms to people of the office; a message each, named by what it says."""
    messages = [
        OutboxMessage(
            key=f"alarm-{notice.alarm_id}-{notice.what}-{role}-{now.timestamp():.6f}",
            topic=f"clerestory/{notice.community}/office/{role}/alarm",
            payload=msgspec.json.encode(
                {
                    "v": 1,
                    "at": now.isoformat(),
                    "what": notice.what,
                    "alarm_id": notice.alarm_id,
                    "severity": notice.severity,
                    "title": _text(notice.title),
                    "place": _text(notice.place),
                    "why": _text(notice.why),
                }
            ).decode(),
        )
        for notice in told
        for role in whom
    ]
    await _send(conn, messages, now)


async def offer_made(
    conn: AsyncConnection,
    order: Order,
    staff: str,
    offer_id: int,
    expires_at: datetime,
    why: Text,
    now: datetime,
) -> None:
    """Tell a technician about an offer."""
    more = {"expires_at": expires_at.isoformat(), "why": _text(why)}
    await _send(conn, [_job(order, staff, f"offered-{offer_id}", "offered", now, more)], now)


async def holder_told(conn: AsyncConnection, order: Order, now: datetime, why: Text) -> None:
    """Tell the technician who holds the order that somebody else changed it."""
    await holders_told(conn, [(order, why)], now)


async def holders_told(conn: AsyncConnection, told: Sequence[tuple[Order, Text]], now: datetime) -> None:
    """The same of many orders, each with what changed about it."""
    holders = {order.assignee_id for order, _ in told if order.assignee_id is not None}
    codes = await orders.staff_code(conn, sorted(holders)) if holders else {}
    messages = [
        _job(
            order,
            code,
            f"changed-{order.id}-{now.timestamp():.6f}-{code}",
            "changed",
            now,
            {"why": _text(why)},
        )
        for order, why in told
        if (code := codes.get(order.assignee_id or 0)) is not None
    ]
    await _send(conn, messages, now)


async def escalated(conn: AsyncConnection, order: Order, steps: Iterable[Step], now: datetime) -> None:
    """Take the message of each step of the ladder to its role."""
    messages = [
        OutboxMessage(
            key=f"escalation-{order.id}-{order.step}-{step.whom}-{now.timestamp():.6f}",
            topic=f"clerestory/{order.community}/office/{step.whom}/escalation",
            payload=_payload(
                order, now, {"what": "escalated", "whom": step.whom, "why": _text(order.escalation)}
            ),
        )
        for step in steps
        if "message" in step.how
    ]
    await _send(conn, messages, now)


async def stepped_up(conn: AsyncConnection, told: Iterable[tuple[Order, Text]], now: datetime) -> None:
    """Tell the dispatcher that orders are more urgent than they were; the orders as they are now."""
    messages = [
        OutboxMessage(
            key=f"stepped-{order.id}-{order.severity}-{now.timestamp():.6f}",
            topic=f"clerestory/{order.community}/office/dispatcher/escalation",
            payload=_payload(order, now, {"what": "stepped_up", "whom": "dispatcher", "why": _text(why)}),
        )
        for order, why in told
    ]
    await _send(conn, messages, now)


def _job(
    order: Order, staff: str, key: str, what: JobNews, now: datetime, more: dict[str, Any]
) -> OutboxMessage:
    return OutboxMessage(
        key=f"job-{key}",
        topic=f"clerestory/{order.community}/technician/{staff}/job",
        payload=_payload(order, now, {"what": what, **more}),
    )


def _payload(order: Order, now: datetime, more: dict[str, Any]) -> str:
    body = {
        "v": 1,
        "at": now.isoformat(),
        "order_id": order.id,
        "number": order.number,
        "status": order.status,
        "severity": order.severity,
        "title": _text(order.title),
        "place": _text(order.place),
        **more,
    }
    return msgspec.json.encode(body).decode()


def _text(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}


async def _send(conn: AsyncConnection, messages: list[OutboxMessage], now: datetime) -> None:
    if messages:
        await enqueue(conn, messages, now)
