"""Opening a work order: by an alarm, by a plan, or by hand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from config.checklist import dump_items
from config.text import Text
from dispatch import clocks
from dispatch.new_order import NewOrder
from dispatch.people import SYSTEM, By
from dispatch.policy import Deadlines, Policy, deadlines_of, override_for, shipped_policy
from dispatch.refusals import AlarmHasOrder, BadField
from dispatch.store import order_moves, orders
from dispatch.words import plain
from storage.notify import notify

__all__ = ["ONE_ORDER_AN_ALARM", "NewOrder", "open_order", "order_fields"]

LONGEST_WORDS = 4000
# The indexes that hold the promise of one live order an alarm.
ONE_ORDER_AN_ALARM = frozenset({"work_order_live_alarm", "alarm_order_live"})


async def open_order(
    conn: AsyncConnection, new: NewOrder, now: datetime, by: By = SYSTEM, policy: Policy | None = None
) -> int:
    """Open the order in the caller's transaction and wake the worker; the order's id.

    May raise BadField, or AlarmHasOrder where the alarm has an order that is not over.
    """
    rules = policy or shipped_policy()
    place = await orders.place_of(conn, new.asset_id)
    if place is None or place["community_id"] != new.community_id:
        right = Text(zh="应为该小区的设备", en="an asset of that community")
        raise BadField("asset_id", new.asset_id, right)
    fields = order_fields(new, place, now, by, rules)
    order_id = await _insert(conn, fields)
    await order_moves.add(conn, order_id, "open", "open", by, now, new.because)
    await notify(conn, "order", [order_id], new.community_id)
    return order_id


def order_fields(
    new: NewOrder, place: Mapping[str, Any], now: datetime, by: By, policy: Policy
) -> dict[str, Any]:
    """The columns of a new order, deadlines counted from now; `place` is its asset's. May raise BadField."""
    _check_words(new)
    limits = _limits(new, place, policy)
    calendar = policy.calendar_for(limits.clock, place["zone"])
    return {
        "community_id": new.community_id,
        "day": now.astimezone(ZoneInfo(place["zone"])).strftime("%Y%m%d"),
        "alarm_id": new.alarm_id,
        "plan_id": new.plan_id,
        "asset_id": new.asset_id,
        "area_id": place["area_id"],
        "kind": new.kind,
        "skill": new.skill,
        "severity": new.severity,
        **_columns("title", new.title),
        **_columns("what", new.what),
        **_columns("todo", new.todo),
        **_columns("safety", new.safety),
        "checklist": dump_items(new.checklist),
        "cancel_on_clear": new.cancel_on_clear,
        "opened_at": now,
        "opened_by": by.account_id,
        "respond_by": limits.respond and clocks.add(calendar, now, limits.respond),
        "arrive_by": limits.arrive and clocks.add(calendar, now, limits.arrive),
        "complete_by": limits.complete and clocks.add(calendar, now, limits.complete),
        "clock": limits.clock,
        "due_at": now,
    }


def _check_words(new: NewOrder) -> None:
    for name, text in (("title", new.title), ("what", new.what), ("todo", new.todo), ("safety", new.safety)):
        for language, words in (("zh", text.zh), ("en", text.en)):
            if not plain(f"{name}.{language}", words, LONGEST_WORDS) and name == "title":
                raise BadField(f"title.{language}", words, Text(zh="不能为空", en="not empty"))


def _limits(new: NewOrder, place: Mapping[str, Any], policy: Policy) -> Deadlines:
    """Lay the severity's deadlines, the order's own and its place's over each other."""
    own = Deadlines(respond=new.respond, arrive=new.arrive, complete=new.complete)
    if new.clock is not None:
        own = own.model_copy(update={"clock": new.clock})
    fit = override_for(
        policy, community=place["community"], area=place["area"], kind=new.kind, severity=new.severity
    )
    return deadlines_of(policy, own, fit, new.severity)


async def _insert(conn: AsyncConnection, fields: dict[str, Any]) -> int:
    """Add the order; where its alarm has a live one already, refuse and leave the transaction usable."""
    try:
        async with conn.transaction():
            return await orders.insert(conn, fields)
    except UniqueViolation as error:
        if error.diag.constraint_name not in ONE_ORDER_AN_ALARM:
            raise
        raise AlarmHasOrder(fields["alarm_id"]) from error


def _columns(name: str, text: Text) -> dict[str, str]:
    return {f"{name}_zh": text.zh, f"{name}_en": text.en}
