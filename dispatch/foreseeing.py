"""Makes a foresight of a replay: rehearses what orders its alarms would have become, and names everything."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from psycopg import AsyncConnection

from config.text import Text
from dispatch.foresight import AlarmTime, Change, Foresight, OrdersLine, RuleLine, Words
from dispatch.policy import Policy, shipped_policy
from dispatch.rehearsal.funnel import Funnel, Key, funnels, recorded
from dispatch.rehearsal.rehearse import rehearse
from dispatch.rehearsal.remember import remember
from dispatch.roster import Technician
from dispatch.store import foresight as store
from dispatch.store import staff
from rules.moments import from_moment, to_moment
from rules.replay.crew import Order, Report
from rules.replay.device import Alarm
from rules.replay.story import CHANGED, TODAY
from rules.replay.tally import Difference, Orders

WEEK = timedelta(days=7)
SHORTEST = timedelta(days=1)  # the history of an hour says nothing of a week


@dataclass(slots=True)
class _Counts:
    """Of one place and kind of work, in all the time."""

    today: Funnel = field(default_factory=Funnel)
    changed: Funnel = field(default_factory=Funnel)
    recorded: int = 0


async def foresee(
    conn: AsyncConnection, order: Order, report: Report, now: datetime, policy: Policy | None = None
) -> Foresight:
    """Tell a replay in names, and rehearse what orders its alarms would have become."""
    tally = report.tally
    rehearsed = not tally.untold
    history_from = max(order.start, tally.first or order.start)
    length = max(order.end - history_from, min(SHORTEST, order.end - order.start))
    counts = await _rehearsed(conn, order, report, policy) if rehearsed else _asked(tally.orders)
    return Foresight(
        start=order.start,
        end=order.end,
        warm_from=report.warm_from,
        devices=tally.devices,
        readings=tally.readings,
        events=tally.events,
        seconds=report.seconds,
        cpu_seconds=tally.cpu_seconds,
        skipped=report.skipped,
        rules=_rules(report),
        orders=await _orders(conn, counts, length, now.date()),
        changes=await _changes(conn, tally.differences),
        left_out=tally.left_out,
        rehearsed=rehearsed,
        partly=report.partly,
        heard_since=report.heard_since,
        history_from=history_from,
    )


async def _rehearsed(
    conn: AsyncConnection, order: Order, report: Report, policy: Policy | None
) -> dict[Key, _Counts]:
    """What dispatch would have made of the alarms; in a thread, as it may take a second."""
    past = await remember(conn, order, report)
    start, end = to_moment(order.start), to_moment(order.end)
    found: dict[Key, _Counts] = {}
    for side, book in ((TODAY, report.before), (CHANGED, report.after)):
        stories = [each for each in report.tally.stories if each.sides & side]
        rules = {rule.code: rule for rule in book.rules}
        settled = await asyncio.to_thread(rehearse, stories, rules, past, policy or shipped_policy(), end)
        for key, funnel in funnels(settled, start).items():
            counts = found.setdefault(key, _Counts())
            if side == TODAY:
                counts.today = funnel
            else:
                counts.changed = funnel
    for key, count in recorded(past.for_alarms, start, end).items():
        found.setdefault(key, _Counts()).recorded = count
    return found


def _asked(orders: Iterable[Orders]) -> dict[Key, _Counts]:
    """What alarms asked for, where nothing more is known."""
    return {
        (each.community_id, each.area_id, each.kind, each.skill): _Counts(
            Funnel(each.old, each.old), Funnel(each.new, each.new)
        )
        for each in orders
    }


def _rules(report: Report) -> tuple[RuleLine, ...]:
    known = {rule.code: rule for book in (report.before, report.after) for rule in book.rules}
    lines = []
    for code, counts in report.tally.rules.items():
        rule = known[code]
        lines.append(RuleLine(code, _words(rule.title), rule.severity, counts))
    return tuple(sorted(lines, key=lambda line: (-line.counts.changed, -line.counts.new, line.rule)))


async def _orders(
    conn: AsyncConnection, counts: Mapping[Key, _Counts], length: timedelta, today: date
) -> tuple[OrdersLine, ...]:
    places = await store.places(conn, [area_id for _, area_id, _, _ in counts])
    people = await staff.technicians(conn, on_hold_counts=False)
    lines = []
    for (_, area_id, kind, skill), each in counts.items():
        community, area = places[area_id]
        per_week = [n * WEEK / length for n in (each.today.orders, each.changed.orders, each.recorded)]
        able = tuple(person.name for person in people if _able(person, skill, area_id, today))
        line = OrdersLine(
            community=community,
            area=_words(area),
            kind=kind,
            skill=skill,
            old=per_week[0],
            new=per_week[1],
            people=able,
            today=each.today,
            changed=each.changed,
            recorded=per_week[2],
        )
        lines.append(line)
    return tuple(sorted(lines, key=lambda each: (-abs(each.new - each.old), -each.new, each.community)))


def _able(person: Technician, skill: str, area_id: int, today: date) -> bool:
    if skill not in person.skills or area_id not in person.areas:
        return False
    expires = person.skills[skill]
    gone = person.left_on is not None and person.left_on <= today
    return not gone and (expires is None or expires >= today)


async def _changes(conn: AsyncConnection, differences: Iterable[Difference]) -> tuple[Change, ...]:
    listed = list(differences)
    names = await store.names(conn, [each.device_id for each in listed])
    return tuple(
        Change(
            *names[each.device_id][:2],
            _words(names[each.device_id][2]),
            each.rule,
            each.kind,
            _time(each.old),
            _time(each.new),
            _time(each.recorded),
        )
        for each in listed
    )


def _time(alarm: Alarm | None) -> AlarmTime | None:
    if alarm is None:
        return None
    cleared = None if alarm.cleared is None else from_moment(alarm.cleared)
    return AlarmTime(alarm.severity, from_moment(alarm.raised), cleared, alarm.paged, alarm.earlier)


def _words(text: Text) -> Words:
    return Words(zh=text.zh, en=text.en)
