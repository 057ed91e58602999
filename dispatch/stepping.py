"""What an order becomes when its alarm steps up or down its severity ladder."""

from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import clocks, notices, office
from dispatch.order import Order
from dispatch.people import SYSTEM
from dispatch.policy import Deadlines, Policy, deadlines_of, override_for
from dispatch.status import LIVE, SEVERITIES, WAITING
from dispatch.store import orders, steps
from rules.changes import AlarmChange

_WORDS = {
    "critical": Text(zh="紧急", en="critical"),
    "major": Text(zh="重要", en="major"),
    "minor": Text(zh="一般", en="minor"),
    "info": Text(zh="提示", en="info"),
}


async def step(conn: AsyncConnection, change: AlarmChange, now: datetime, policy: Policy) -> None:
    """Let a live order follow its alarm upward, and tell people; downward it only gets a note.

    Work that was promised soon is not promised later because things look better for a while.
    """
    order_id = await steps.live_order_of(conn, change.alarm_id)
    order = None if order_id is None else await orders.lock(conn, order_id)
    if order is None or order.status not in LIVE:
        return
    word, at = _WORDS[change.severity], f"{change.at:%Y-%m-%d %H:%M:%S} UTC"
    if SEVERITIES.index(change.severity) < SEVERITIES.index(order.severity):
        why = Text(zh=f"告警于 {at} 升级为“{word.zh}”", en=f"the alarm stepped up to {word.en} at {at}")
        await _lift(conn, order, change, now, policy)
        await office.note(conn, order.id, SYSTEM, now, why)
        await notices.stepped_up(conn, order, change.severity, now, why)
    elif not change.page:
        why = Text(zh=f"告警于 {at} 降为“{word.zh}”", en=f"the alarm stepped down to {word.en} at {at}")
        await office.note(conn, order.id, SYSTEM, now, why)


async def _lift(
    conn: AsyncConnection, order: Order, change: AlarmChange, now: datetime, policy: Policy
) -> None:
    """Take the deadlines of the new severity, counted from now, where they are earlier than the order's."""
    place = await orders.place_of(conn, order.asset_id)
    area = place["area"] if place is not None else ""
    fit = override_for(
        policy, community=order.community, area=area, kind=order.kind, severity=change.severity
    )
    limits = deadlines_of(
        policy, Deadlines(clock=policy.deadlines[change.severity].clock), fit, change.severity
    )
    calendar = policy.calendar_for(limits.clock, order.zone)
    asleep = (
        order.paused_at is not None
    )  # its clocks stand still, and move on by the pause when they go again
    waits = order.status in WAITING | {"assigned"}
    on_the_way = waits or order.status in {"accepted", "en_route"}
    lengths = {
        "respond": limits.respond if waits else None,
        "arrive": limits.arrive if on_the_way else None,
        "complete": limits.complete,
    }
    await steps.lift(
        conn,
        order.id,
        change.severity,
        limits.clock,
        {
            name: None if length is None or asleep else clocks.add(calendar, now, length)
            for name, length in lengths.items()
        },
        now,
    )
