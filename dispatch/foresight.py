"""A replay told to people: which alarms change, how many orders a week that means, and for whom.

It is kept and sent as JSON; all names are those of the day it was made.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

import msgspec
from psycopg import AsyncConnection

from config.text import Text
from dispatch.roster import Technician
from dispatch.store import foresight as store
from dispatch.store import staff
from rules.moments import from_moment
from rules.replay.compare import Kind
from rules.replay.crew import Order, Report
from rules.replay.device import Alarm
from rules.replay.tally import Difference, Orders, RuleTally

WEEK = timedelta(days=7)


class Words(msgspec.Struct, frozen=True):
    """A text in both languages."""

    zh: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class RuleLine(msgspec.Struct, frozen=True):
    """How often one rule was on by today's rules (`old`), by the changed ones (`new`), and as recorded."""

    rule: str
    title: Words
    severity: str
    counts: RuleTally


class OrdersLine(msgspec.Struct, frozen=True):
    """Orders a week of one kind in one area; `people` hold the skill and cover the area today."""

    community: str
    area: Words
    kind: str
    skill: str
    old: float
    new: float
    people: tuple[str, ...]


class AlarmTime(msgspec.Struct, frozen=True):
    """One alarm; `cleared` is None where it was still on at the end, `earlier` where it began before."""

    severity: str
    raised: datetime
    cleared: datetime | None
    paged: bool
    earlier: bool


class Change(msgspec.Struct, frozen=True):
    """One alarm that is new, gone or different."""

    community: str
    device: str
    asset: Words
    rule: str
    kind: Kind
    old: AlarmTime | None
    new: AlarmTime | None
    recorded: AlarmTime | None


class Foresight(msgspec.Struct, frozen=True):
    """All of it. `skipped` are rules that cannot be replayed; `left_out` changes are only counted."""

    start: datetime
    end: datetime
    warm_from: datetime
    devices: int
    readings: int
    events: int
    seconds: float
    cpu_seconds: float
    skipped: tuple[str, ...]
    rules: tuple[RuleLine, ...]
    orders: tuple[OrdersLine, ...]
    changes: tuple[Change, ...]
    left_out: int

    @property
    def sums(self) -> RuleTally:
        """The counts of all rules together."""
        whole = RuleTally()
        for line in self.rules:
            whole.add(line.counts)
        return whole


async def foresee(conn: AsyncConnection, order: Order, report: Report, now: datetime) -> Foresight:
    """Tell a replay in names."""
    tally = report.tally
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
        orders=await _orders(conn, tally.orders, order.end - order.start, now.date()),
        changes=await _changes(conn, tally.differences),
        left_out=tally.left_out,
    )


def _rules(report: Report) -> tuple[RuleLine, ...]:
    known = {rule.code: rule for book in (report.before, report.after) for rule in book.rules}
    lines = []
    for code, counts in report.tally.rules.items():
        rule = known[code]
        lines.append(RuleLine(code, _words(rule.title), rule.severity, counts))
    return tuple(sorted(lines, key=lambda line: (-line.counts.changed, -line.counts.new, line.rule)))


async def _orders(
    conn: AsyncConnection, orders: Iterable[Orders], length: timedelta, today: date
) -> tuple[OrdersLine, ...]:
    listed = list(orders)
    places = await store.places(conn, [each.area_id for each in listed])
    people = await staff.technicians(conn, on_hold_counts=False)
    lines = [_orders_line(each, places, people, length / WEEK, today) for each in listed]
    return tuple(sorted(lines, key=lambda each: (-abs(each.new - each.old), -each.new, each.community)))


def _orders_line(
    orders: Orders,
    places: Mapping[int, tuple[str, Text]],
    people: Iterable[Technician],
    weeks: float,
    today: date,
) -> OrdersLine:
    community, area = places[orders.area_id]
    able = tuple(each.name for each in people if _able(each, orders, today))
    per_week = (orders.old / weeks, orders.new / weeks)
    return OrdersLine(community, _words(area), orders.kind, orders.skill, *per_week, able)


def _able(person: Technician, orders: Orders, today: date) -> bool:
    if orders.skill not in person.skills or orders.area_id not in person.areas:
        return False
    expires = person.skills[orders.skill]
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
