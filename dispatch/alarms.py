"""What an alarm does to people and orders: held or told, ordered alone or with others, noted at its end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from psycopg import AsyncConnection

from config.signal_words import facts_text
from config.text import Text
from config.vocabulary import Signal, load_vocabulary
from dispatch import notices, stepping, together
from dispatch.grouping import Opening
from dispatch.holds import Hold, Standing, hold_of
from dispatch.notices import AlarmNotice
from dispatch.orders import NewOrder
from dispatch.policy import Policy, shipped_policy
from dispatch.store import acks, alarm_life
from dispatch.store.standing import standings
from rules.book import RuleBook
from rules.changes import AlarmChange
from rules.rule import Group, HeldBy, OrderTemplate, Rule
from storage.notify import notify_each

# Held alarms that are looked at together.
HANDFUL = 1000


async def follow(
    conn: AsyncConnection, changes: Sequence[AlarmChange], now: datetime, policy: Policy | None = None
) -> None:
    """Act on the rules' findings in the transaction that stored them."""
    house = policy or shipped_policy()
    told = {each.alarm_id: each.rule for each in changes if each.page and each.kind in {"raised", "paged"}}
    steps = [each for each in changes if each.kind == "stepped"]
    worse = {each.alarm_id: each.rule for each in steps if each.page}
    ended = {change.alarm_id: change.at for change in changes if change.kind == "cleared"}
    if told or worse:
        await _tell(conn, told, worse, now, house)
    if steps:
        await stepping.step(conn, steps, now, house)
    if ended:
        await acks.end(conn, list(ended), now, "cleared")
        await together.alarms_ended(conn, ended, now)


async def release(conn: AsyncConnection, now: datetime, book: RuleBook, policy: Policy | None = None) -> int:
    """Tell people of live alarms that nothing keeps from them any longer; how many there were.

    An alarm that another worker, or a gateway, is changing at this moment is looked at the next time.
    """
    house = policy or shipped_policy()
    rules = {rule.code: rule for rule in book.rules}
    released = after = 0
    while handful := await alarm_life.held(conn, after, HANDFUL):
        after = handful[-1][0]
        known = {alarm_id: rules[code] for alarm_id, code in handful if code in rules}
        found = {each.alarm_id: each for each in await _standings(conn, known, now)}
        # One whose device watches nothing any more is held by nothing.
        moved = [each for each in known if each not in found or _has_moved(found[each], known, house)]
        # What was read without a lock is read again under it: what held may have come back meanwhile.
        locked = await alarm_life.lock_held(conn, moved) if moved else []
        if locked:
            released += await _release(conn, {each: known[each] for each in locked}, now, house)
    return released


async def _release(conn: AsyncConnection, rules: Mapping[int, Rule], now: datetime, policy: Policy) -> int:
    found = {each.alarm_id: each for each in await _standings(conn, rules, now)}
    holds = {each: hold_of(found[each], rules[each].held_by, policy) for each in found}
    other = {
        each: hold
        for each, hold in holds.items()
        if hold is not None and (hold.because, hold.why) != (found[each].held_by, found[each].held)
    }
    if other:
        await alarm_life.hold(conn, other, now)
        await _alarms_changed(conn, [found[each] for each in other])
    lost = [each for each in rules if each not in found]
    if lost:
        await alarm_life.tell(conn, lost, now)
    free = [found[each] for each, hold in holds.items() if hold is None]
    if free:
        await _open(conn, free, rules, now, policy)
        without = [each for each in free if rules[each.alarm_id].order is None]
        notes = [_released(each, rules[each.alarm_id]) for each in without]
        await notices.alarms_told(conn, notes, ("dispatcher",), now)
        await _alarms_changed(conn, free)
    return len(free) + len(lost)


async def _alarms_changed(conn: AsyncConnection, changed: Iterable[Standing]) -> None:
    """Have live pages look at these alarms again."""
    await notify_each(conn, "alarm", [(each.community_id, each.alarm_id) for each in changed])


def _has_moved(standing: Standing, rules: Mapping[int, Rule], policy: Policy) -> bool:
    hold = hold_of(standing, rules[standing.alarm_id].held_by, policy)
    return hold is None or (hold.because, hold.why) != (standing.held_by, standing.held)


async def _tell(
    conn: AsyncConnection,
    told: Mapping[int, Rule],
    worse: Mapping[int, Rule],
    now: datetime,
    policy: Policy,
) -> None:
    """Hold back what something holds, and tell people of the rest.

    Alarms that became `worse` matter here where they were held: what held them may let them through now.
    """
    rules = {**worse, **told}
    free: list[Standing] = []
    holds: dict[int, Hold] = {}
    for each in await _standings(conn, rules, now):
        hold = hold_of(each, rules[each.alarm_id].held_by, policy)
        if each.alarm_id not in told and each.held_by is None:
            continue
        if hold is None:
            free.append(each)
        elif not each.had_order and (hold.because, hold.why) != (each.held_by, each.held):
            holds[each.alarm_id] = hold
    if holds:
        await alarm_life.hold(conn, holds, now)
    if free:
        await _open(conn, free, rules, now, policy)


async def _standings(conn: AsyncConnection, rules: Mapping[int, Rule], now: datetime) -> list[Standing]:
    asked: dict[int, HeldBy] = {alarm_id: rule.held_by for alarm_id, rule in rules.items()}
    return await standings(conn, asked, now) if asked else []


async def _open(
    conn: AsyncConnection,
    free: Sequence[Standing],
    rules: Mapping[int, Rule],
    now: datetime,
    policy: Policy,
) -> None:
    """Note that people are told, and open what asks for work and never had an order."""
    await alarm_life.tell(conn, [each.alarm_id for each in free], now)
    openings = [
        _opening(each, rule, rule.order, policy)
        for each in free
        if not each.had_order and (rule := rules[each.alarm_id]).order is not None
    ]
    if openings:
        await together.open_for(conn, openings, now, policy)


def _opening(standing: Standing, rule: Rule, template: OrderTemplate, policy: Policy) -> Opening:
    facts = facts_text(dict(sorted(standing.facts.items())), _signals(standing.asset_class))
    return Opening(
        alarm_id=standing.alarm_id,
        area_id=standing.area_id,
        title=rule.title,
        group=_group(rule, policy),
        order=NewOrder(
            community_id=standing.community_id,
            asset_id=standing.asset_id,
            alarm_id=standing.alarm_id,
            kind=template.kind,
            skill=template.skill,
            severity=standing.severity,
            title=rule.title,
            what=_joined(rule.meaning, facts),
            todo=rule.todo,
            safety=rule.safety,
            checklist=template.checklist,
            cancel_on_clear=template.cancel_on_clear,
            respond=template.respond,
            arrive=template.arrive,
            complete=template.complete,
        ),
    )


def _group(rule: Rule, policy: Policy) -> Group | None:
    if rule.group is None:
        return policy.alarms.group.group if policy.alarms.group else None
    return rule.group or None


def _released(standing: Standing, rule: Rule) -> AlarmNotice:
    return AlarmNotice(
        alarm_id=standing.alarm_id,
        community=standing.community,
        severity=standing.severity,
        title=rule.title,
        place=standing.asset,
        what="released",
        why=Text(zh=f"不再暂缓（此前：{standing.held.zh}）", en=f"no longer kept back ({standing.held.en})"),
    )


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
