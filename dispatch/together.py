"""Orders of many alarms at once: opened, joined, cancelled, noted, in as many statements as for one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from psycopg import AsyncConnection

from config.text import Text
from dispatch import grouping, notices
from dispatch.grouping import Joinable, Opening, Party
from dispatch.order import Order
from dispatch.orders import order_fields
from dispatch.people import SYSTEM
from dispatch.policy import Policy
from dispatch.store import alarm_orders, endings, offers, order_moves, orders
from dispatch.store.order_moves import Move


async def open_for(conn: AsyncConnection, openings: Sequence[Opening], now: datetime, policy: Policy) -> None:
    """Open an order for each alarm, or for those that may share one together, or let it join one."""
    grouped = grouping.group(openings, await _joinable(conn, openings, now), now)
    places = await alarm_orders.places(conn, sorted({each.order.asset_id for each in openings}))
    fields = {
        each.alarm_id: order_fields(each.order, places[each.order.asset_id], now, SYSTEM, policy)
        for each in openings
    }
    if grouped.new:
        await _open(conn, grouped.new, fields, now)
    if grouped.joined:
        await _join(conn, grouped.joined, fields, now)


async def _joinable(conn: AsyncConnection, openings: Iterable[Opening], now: datetime) -> list[Joinable]:
    sharing = [each for each in openings if each.group is not None]
    if not sharing:
        return []
    longest = max((each.group.within for each in sharing if each.group is not None), default=timedelta())
    areas = sorted({each.area_id for each in sharing})
    kinds = sorted({each.order.kind for each in sharing})
    return await alarm_orders.lock_joinable(conn, areas, kinds, now - longest)


async def _open(
    conn: AsyncConnection, parties: Sequence[Party], fields: Mapping[int, dict[str, object]], now: datetime
) -> None:
    rows, reasons = [], {}
    for party in parties:
        order = grouping.together(party)
        own = [fields[each.alarm_id] for each in party.openings]
        rows.append(
            {
                **fields[party.lead.alarm_id],
                "todo_zh": order.todo.zh,
                "todo_en": order.todo.en,
                "safety_zh": order.safety.zh,
                "safety_en": order.safety.en,
                "checklist": [item.model_dump(mode="json") for item in order.checklist],
                "cancel_on_clear": order.cancel_on_clear,
                "joinable": party.lead.group is not None,
                "respond_by": _soonest(own, "respond_by"),
                "arrive_by": _soonest(own, "arrive_by"),
                "complete_by": _soonest(own, "complete_by"),
            }
        )
        for each in party.openings:
            reasons[each.alarm_id] = _because(party)
    opened = await alarm_orders.insert(conn, rows, _alarms(parties))
    if opened:
        moves = [Move(each.id, "open", "open", reasons[each.alarm_id]) for each in opened]
        await order_moves.add_many(conn, moves, now)
        await notices.orders_changed(conn, opened)


async def _join(
    conn: AsyncConnection, parties: Sequence[Party], fields: Mapping[int, dict[str, object]], now: datetime
) -> None:
    after, moves = [], []
    for party in parties:
        there = party.order
        if there is None:
            continue
        own = [fields[each.alarm_id] for each in party.openings]
        order = replace(
            grouping.joined(there, party),
            respond_by=_soonest([{"respond_by": there.respond_by}, *own], "respond_by"),
            arrive_by=_soonest([{"arrive_by": there.arrive_by}, *own], "arrive_by"),
            complete_by=_soonest([{"complete_by": there.complete_by}, *own], "complete_by"),
        )
        after.append(order)
        titles = _titles(party)
        why = Text(zh=f"又有告警并入：{titles.zh}", en=f"joined by another alarm: {titles.en}")
        moves.append(Move(order.id, there.status, there.status, why))
    await alarm_orders.join(conn, after, _alarms(parties), now)
    await order_moves.add_many(conn, moves, now)
    await _tell_holders(conn, {move.order_id: move.why for move in moves}, now)
    await notices.orders_changed(conn, after)


async def alarms_ended(
    conn: AsyncConnection, ended: Mapping[int, datetime], now: datetime, *, because: Text | None = None
) -> None:
    """Cancel or note the live orders of alarms that have ended, by alarm id with its end (event time).

    `because` says why where they did not clear by themselves. An order is cancelled only when all its alarms
    are over, it says so, and nobody has accepted it.
    """
    locked = await orders.lock_of_alarms(conn, list(ended))
    if not locked:
        return
    why: dict[int, Text] = {}
    still: dict[int, int] = {}
    for alarm in await endings.ended_alarms(conn, list(ended)):
        said = because or _over(alarm.title if alarm.of > 1 else None, ended[alarm.alarm_id])
        before = why.get(alarm.order_id)
        why[alarm.order_id] = said if before is None else _and(before, said)
        still[alarm.order_id] = alarm.still
    over = [
        order
        for order in locked.values()
        if grouping.goes(order.status, cancel_on_clear=order.cancel_on_clear, still=still[order.id])
    ]
    rest = [order for order in locked.values() if order not in over and order.due_at is not None]
    if over:
        await _cancel(conn, over, why, now)
    if rest:
        left = {order.id: _left(why[order.id], still[order.id]) for order in rest}
        await order_moves.add_many(conn, [Move(o.id, o.status, o.status, left[o.id]) for o in rest], now)
        await _tell_holders(conn, left, now)
    await notices.orders_changed(conn, [*over, *rest])


async def _cancel(
    conn: AsyncConnection, over: Sequence[Order], why: Mapping[int, Text], now: datetime
) -> None:
    ids = [order.id for order in over]
    await order_moves.add_many(conn, [Move(o.id, o.status, "cancelled", why[o.id]) for o in over], now)
    await endings.cancel(conn, ids)
    gone = await offers.withdraw(conn, {each: why[each] for each in ids}, now)
    by_id = {order.id: replace(order, status="cancelled") for order in over}
    await notices.many_offers_ended(conn, [(by_id[each.order_id], each) for each in gone], now, why)


def _over(title: Text | None, at: datetime) -> Text:
    which = Text(zh="告警", en="the alarm")
    if title is not None:
        which = Text(zh=f"告警“{title.zh}”", en=f"the alarm “{title.en}”")
    return Text(
        zh=f"{which.zh}已于 {at:%Y-%m-%d %H:%M:%S} UTC 自行恢复",
        en=f"{which.en} cleared by itself at {at:%Y-%m-%d %H:%M:%S} UTC",
    )


def _and(first: Text, second: Text) -> Text:
    return Text(zh=f"{first.zh}；{second.zh}", en=f"{first.en}; {second.en}")


def _left(said: Text, still: int) -> Text:
    if still == 0:
        return said
    return _and(said, Text(zh=f"仍有 {still} 个告警", en=f"{still} of its alarms still live"))


def _because(party: Party) -> Text:
    titles = _titles(party)
    if len(party.openings) == 1:
        return Text(zh=f"告警{titles.zh}触发", en=f"alarm {titles.en} was raised")
    return Text(
        zh=f"{len(party.openings)} 个告警合为一单：{titles.zh}",
        en=f"{len(party.openings)} alarms together: {titles.en}",
    )


def _titles(party: Party) -> Text:
    """Name the alarms of a party, each title once, and how many there are of each."""
    count: dict[tuple[str, str], int] = {}
    for each in party.openings:
        title = each.title
        count[title.zh, title.en] = count.get((title.zh, title.en), 0) + 1
    return Text(
        zh="、".join(f"“{zh}”" + (f"×{n}" if n > 1 else "") for (zh, _), n in count.items()),
        en=", ".join(f"“{en}”" + (f" × {n}" if n > 1 else "") for (_, en), n in count.items()),
    )


def _alarms(parties: Iterable[Party]) -> list[list[int]]:
    return [[each.alarm_id for each in party.openings] for party in parties]


def _soonest(rows: Iterable[Mapping[str, object]], name: str) -> datetime | None:
    return grouping.soonest(value for row in rows if isinstance(value := row[name], datetime))


async def _tell_holders(conn: AsyncConnection, why: Mapping[int, Text], now: datetime) -> None:
    held = await orders.read_held(conn, list(why))
    await notices.holders_told(conn, [(order, why[order.id]) for order in held], now)
