"""What an alarm does to people and orders: held or told, ordered alone or with others, noted at its end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import notices, stepping, together
from dispatch.holds import Standing, hold_of
from dispatch.notices import AlarmNotice
from dispatch.policy import Policy, shipped_policy
from dispatch.store import acks, alarm_life
from dispatch.store.standing import standings
from dispatch.telling import openings_of, sort_out
from rules.book import RuleBook
from rules.changes import AlarmChange
from rules.rule import HeldBy, Rule
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
        # One that is about no asset is held by nothing.
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

    Alarms that became `worse` matter here where they were held: what held them may let them through now. And
    where their order is over: they ask for one like new alarms.
    """
    rules = {**worse, **told}
    found = sort_out(await _standings(conn, rules, now), rules, told.keys(), policy)
    if found.holds:
        await alarm_life.hold(conn, found.holds, now)
    if found.free:
        await _open(conn, found.free, rules, now, policy)


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
    """Note that people are told, and open what asks for work and has no order."""
    await alarm_life.tell(conn, [each.alarm_id for each in free], now)
    openings = openings_of(free, rules, policy)
    if openings:
        await together.open_for(conn, openings, now, policy)


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
