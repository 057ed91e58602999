"""Which orders must exist, and what alarms are behind them: read from docs/alarms.md, no code shared."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tests.chaos.facts import RULES
from tests.chaos.oracle import Alarm

Order = tuple[str, str, datetime, str, bool]
"""Device, rule and raising time of its alarm; kind of work; whether it is cancelled."""


def orders(expected: Iterable[Alarm]) -> set[Order]:
    """One order for each alarm that people were told of, asks for work, and shares it with no other."""
    rules = {rule.code: rule for rule in RULES}
    return {
        (
            alarm.device,
            alarm.rule,
            alarm.raised,
            kind,
            rules[alarm.rule].cancelled and alarm.cleared is not None,
        )
        for alarm in expected
        if alarm.told and (kind := rules[alarm.rule].order) is not None and not rules[alarm.rule].shares
    }


About = tuple[str, str, datetime]
"""Device, rule and raising time of an alarm."""

Behind = tuple[str, frozenset[About]]
"""Kind of work of an order; every alarm behind it."""


def together(expected: Iterable[Alarm]) -> set[Behind]:
    """The orders whose rules let alarms join for longer than a round: one for each asset and kind of work.

    Nothing ends these orders.
    """
    behind: dict[tuple[str, str], set[About]] = {}
    for kind, (device, rule, raised) in joining(expected, beyond=False):
        behind.setdefault((device, kind), set()).add((device, rule, raised))
    return {(kind, frozenset(alarms)) for (_, kind), alarms in behind.items()}


def joining(expected: Iterable[Alarm], *, beyond: bool) -> set[tuple[str, About]]:
    """Every alarm that must be behind a shared order, with the order's kind.

    `beyond`: of those rules whose alarms open another order after a while, within a round; or of the rest.
    """
    rules = {rule.code: rule for rule in RULES}
    return {
        (kind, (alarm.device, alarm.rule, alarm.raised))
        for alarm in expected
        if alarm.told and (kind := rules[alarm.rule].order) is not None
        if rules[alarm.rule].shares and bool(rules[alarm.rule].within) is beyond
    }


@dataclass(frozen=True, slots=True)
class Link:
    """An alarm behind an order, since a moment."""

    order: int
    kind: str
    opened: datetime
    about: About
    at: datetime


def out_of_span(links: Iterable[Link]) -> list[str]:
    """Alarms that joined an order of the area too late, and orders opened though one was there to join.

    The moment that counts is the one at which the house acts on an alarm, which it writes down. All assets of
    a round are in one area, and nothing ends these orders.
    """
    within = {rule.code: rule.within for rule in RULES}
    wrong = [
        f"{link.about} joined order {link.order} after {link.at - link.opened}"
        for link in links
        if link.at - link.opened > within[link.about[1]]
    ]
    opened = sorted({(link.kind, link.opened, link.order, within[link.about[1]]) for link in links})
    for (kind, first, order, span), (other, second, another, _) in pairwise(opened):
        if kind == other and second - first <= span:
            wrong.append(f"order {another} was opened {second - first} after order {order}, which was there")
    return wrong
