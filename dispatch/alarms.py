"""What an alarm does to orders: opens one when it pages, cancels or notes it when it clears."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from psycopg import AsyncConnection

from config.signal_words import facts_text
from config.text import Text
from config.vocabulary import Signal, load_vocabulary
from dispatch import office, stepping
from dispatch.orders import NewOrder, open_order
from dispatch.people import SYSTEM
from dispatch.policy import Policy, shipped_policy
from dispatch.refusals import AlarmHasOrder
from dispatch.status import WAITING
from dispatch.store import orders
from rules.changes import AlarmChange
from rules.rule import OrderTemplate


async def follow(
    conn: AsyncConnection, changes: Sequence[AlarmChange], now: datetime, policy: Policy | None = None
) -> None:
    """Act on the rules' findings in the transaction that stored them."""
    rules = policy or shipped_policy()
    for change in changes:
        if change.kind == "cleared":
            await _cleared(conn, change, now)
        elif change.kind == "stepped":
            await stepping.step(conn, change, now, rules)
        elif change.page and change.rule.order is not None:
            await _raised(conn, change, change.rule.order, now, rules)


async def _raised(
    conn: AsyncConnection, change: AlarmChange, template: OrderTemplate, now: datetime, policy: Policy
) -> None:
    if await orders.has_order(conn, change.alarm_id):
        return  # told again about an alarm whose order is there, or was dealt with
    rule = change.rule
    place = await orders.place_of(conn, change.asset_id)
    facts = facts_text(dict(sorted(change.facts.items())), _signals(place["class"] if place else ""))
    new = NewOrder(
        community_id=change.community_id,
        asset_id=change.asset_id,
        alarm_id=change.alarm_id,
        kind=template.kind,
        skill=template.skill,
        severity=change.severity,
        title=rule.title,
        what=_joined(rule.meaning, facts),
        todo=rule.todo,
        safety=rule.safety,
        checklist=template.checklist,
        cancel_on_clear=template.cancel_on_clear,
        respond=template.respond,
        arrive=template.arrive,
        complete=template.complete,
        because=Text(zh=f"告警“{rule.title.zh}”触发", en=f"alarm “{rule.title.en}” was raised"),
    )
    with suppress(AlarmHasOrder):  # the office was faster, in this very moment
        await open_order(conn, new, now, SYSTEM, policy)


async def _cleared(conn: AsyncConnection, change: AlarmChange, now: datetime) -> None:
    order_id = await orders.live_order_of(conn, change.alarm_id)
    order = None if order_id is None else await orders.lock(conn, order_id)
    if order is None:
        return
    why = Text(
        zh=f"告警已于 {change.at:%Y-%m-%d %H:%M:%S} UTC 自行恢复",
        en=f"the alarm cleared by itself at {change.at:%Y-%m-%d %H:%M:%S} UTC",
    )
    if order.status in WAITING | {"assigned"} and order.cancel_on_clear:
        await office.cancel(conn, order.id, SYSTEM, now, why)
    elif order.due_at is not None:
        await office.note(conn, order.id, SYSTEM, now, why)


def _signals(asset_class: str) -> Mapping[str, Signal]:
    vocabulary = load_vocabulary()
    return vocabulary.signals(asset_class) if asset_class in vocabulary.asset_classes else {}


def _joined(meaning: Text, facts: Sequence[tuple[Text, Text]]) -> Text:
    """Say what it means, and behind it in brackets what was heard."""
    if not facts:
        return meaning
    zh = "，".join(f"{label.zh} {value.zh}" for label, value in facts)
    en = ", ".join(f"{label.en} {value.en}" for label, value in facts)
    return Text(zh=f"{meaning.zh}（{zh}）", en=f"{meaning.en} ({en})")
