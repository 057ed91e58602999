"""What orders become when their alarms step up or down their severity ladders."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import lifecycle, notices
from dispatch.order import Order
from dispatch.policy import Deadlines, Policy, deadlines_of, override_for
from dispatch.status import LIVE, SEVERITIES, Severity
from dispatch.store import order_moves, orders, steps
from dispatch.store.order_moves import Move
from rules.changes import AlarmChange

_WORDS = {
    "critical": Text(zh="紧急", en="critical"),
    "major": Text(zh="重要", en="major"),
    "minor": Text(zh="一般", en="minor"),
    "info": Text(zh="提示", en="info"),
}


async def step(conn: AsyncConnection, changes: Sequence[AlarmChange], now: datetime, policy: Policy) -> None:
    """Let live orders follow their alarms upward, and tell people; downward they only get a note.

    Work that was promised soon is not promised later because things look better for a while. However many
    alarms step, it takes as many statements as for one.
    """
    alarm_ids = [change.alarm_id for change in changes]
    locked = await orders.lock_of_alarms(conn, alarm_ids)
    if not locked:
        return
    live = {order.id: order for order in locked.values() if order.status in LIVE}
    followers = await steps.followers(conn, alarm_ids)
    noted: list[tuple[Order, Text]] = []
    lifted: list[tuple[Order, Text]] = []
    for change in changes:
        follower = followers.get(change.alarm_id)
        order = None if follower is None else live.get(follower.order_id)
        if follower is None or order is None:
            continue
        word, at = _WORDS[change.severity], f"{change.at:%Y-%m-%d %H:%M:%S} UTC"
        if SEVERITIES.index(change.severity) < SEVERITIES.index(order.severity):
            why = Text(zh=f"告警于 {at} 升级为“{word.zh}”", en=f"the alarm stepped up to {word.en} at {at}")
            order = live[order.id] = _lifted(order, change.severity, follower.area, now, policy)
            lifted.append((order, why))
        elif change.page:
            continue
        else:
            why = Text(zh=f"告警于 {at} 降为“{word.zh}”", en=f"the alarm stepped down to {word.en} at {at}")
        noted.append((order, why))
    if lifted:
        await steps.lift(conn, [live[each] for each in sorted({order.id for order, _ in lifted})], now)
        await notices.stepped_up(conn, lifted, now)
    if noted:
        moves = [Move(order.id, order.status, order.status, why) for order, why in noted]
        await order_moves.add_many(conn, moves, now)
        await notices.holders_told(conn, noted, now)
        await notices.orders_changed(conn, [order for order, _ in noted])


def _lifted(order: Order, severity: Severity, area: str, now: datetime, policy: Policy) -> Order:
    """Give the order the deadlines of its new severity."""
    fit = override_for(policy, community=order.community, area=area, kind=order.kind, severity=severity)
    limits = deadlines_of(policy, Deadlines(clock=policy.deadlines[severity].clock), fit, severity)
    return lifecycle.lifted(order, severity, limits, now, policy.calendar_for(limits.clock, order.zone))
