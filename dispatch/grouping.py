"""Which alarms become one order: joined to one that is there, opened together, or each alone. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.new_order import NewOrder
from dispatch.status import SEVERITIES, UNACCEPTED, Severity, Status
from rules.rule import Group


@dataclass(frozen=True, slots=True)
class Opening:
    """An alarm that asks for an order, and what it may share one with (None: nothing)."""

    alarm_id: int
    area_id: int
    order: NewOrder
    title: Text  # the alarm's own
    group: Group | None


@dataclass(frozen=True, slots=True)
class Joinable:
    """A live order that alarms may join."""

    id: int
    number: str
    community_id: int
    asset_id: int
    area_id: int
    kind: str
    skill: str
    severity: Severity
    status: Status
    opened_at: datetime
    cancel_on_clear: bool
    checklist: tuple[ChecklistItem, ...]
    todo: Text
    safety: Text
    respond_by: datetime | None
    arrive_by: datetime | None
    complete_by: datetime | None
    assignee_id: int | None


@dataclass(slots=True)
class Party:
    """Alarms that come to one order; the first of them, which is the most severe, gives it its words."""

    openings: list[Opening]
    order: Joinable | None = None  # None: it is opened now

    @property
    def lead(self) -> Opening:
        """The alarm that gives a new order its words."""
        return self.openings[0]


@dataclass(frozen=True, slots=True)
class Grouped:
    """What to do with alarms that ask for orders."""

    new: Sequence[Party] = field(default_factory=tuple)
    joined: Sequence[Party] = field(default_factory=tuple)


def group(openings: Iterable[Opening], joinable: Iterable[Joinable], now: datetime) -> Grouped:
    """Give every alarm its order, the most severe alarms first; of orders the latest that fits."""
    parties = [Party([], order) for order in sorted(joinable, key=lambda each: each.id)]
    for opening in sorted(openings, key=_first):
        party = next((each for each in reversed(parties) if _fits(opening, each, now)), None)
        if party is None:
            parties.append(Party([opening]))
        else:
            party.openings.append(opening)
    used = [party for party in parties if party.openings]
    return Grouped(
        new=[party for party in used if party.order is None],
        joined=[party for party in used if party.order is not None],
    )


def more_severe(severities: Iterable[Severity]) -> Severity:
    """The highest of some severities."""
    return min(severities, key=SEVERITIES.index)


def _first(opening: Opening) -> tuple[int, int]:
    return SEVERITIES.index(opening.order.severity), opening.alarm_id


def _fits(opening: Opening, party: Party, now: datetime) -> bool:
    wanted, mine = opening.group, opening.order
    if wanted is None:
        return False
    there = party.order
    if there is None:
        lead = party.lead
        if lead.group is None:
            return False
        at, place = now, (lead.order.asset_id, lead.area_id)
        theirs: tuple[int, str, str] = (lead.order.community_id, lead.order.kind, lead.order.skill)
    else:
        at, place = there.opened_at, (there.asset_id, there.area_id)
        theirs = (there.community_id, there.kind, there.skill)
    if theirs != (mine.community_id, mine.kind, mine.skill) or now - at > wanted.within:
        return False
    return place[0] == mine.asset_id if wanted.by == "asset" else place[1] == opening.area_id


def together(party: Party) -> NewOrder:
    """The new order for some alarms: the lead's words, everybody's steps and checks, and what all allow."""
    lead, orders = party.lead.order, [each.order for each in party.openings]
    return replace(
        lead,
        todo=_steps(lead.todo, [each.todo for each in orders]),
        safety=_steps(lead.safety, [each.safety for each in orders]),
        checklist=union_of_checks(each.checklist for each in orders),
        cancel_on_clear=all(each.cancel_on_clear for each in orders),
    )


def joined(order: Joinable, party: Party) -> Joinable:
    """An order after alarms have joined it: the highest severity, everybody's steps and checks."""
    orders = [each.order for each in party.openings]
    return replace(
        order,
        severity=more_severe([order.severity, *(each.severity for each in orders)]),
        todo=_steps(order.todo, [each.todo for each in orders]),
        safety=_steps(order.safety, [each.safety for each in orders]),
        checklist=union_of_checks([order.checklist, *(each.checklist for each in orders)]),
        cancel_on_clear=order.cancel_on_clear and all(each.cancel_on_clear for each in orders),
    )


def goes(status: Status, *, cancel_on_clear: bool, still: int) -> bool:
    """Whether an order goes when alarms of it end: all are over, it says so, and nobody has accepted it."""
    return cancel_on_clear and still == 0 and status in UNACCEPTED


def soonest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of some deadlines; None where none runs."""
    return min((each for each in moments if each is not None), default=None)


def union_of_checks(lists: Iterable[Sequence[ChecklistItem]]) -> tuple[ChecklistItem, ...]:
    """Checklists as one: an item that several have, by its code, is asked once."""
    found: dict[str, ChecklistItem] = {}
    for items in lists:
        for item in items:
            found.setdefault(item.code, item)
    return tuple(found.values())


def _steps(first: Text, others: Sequence[Text]) -> Text:
    return Text(
        zh=_lines(first.zh, [each.zh for each in others]), en=_lines(first.en, [each.en for each in others])
    )


def _lines(first: str, others: Iterable[str]) -> str:
    """Steps, one a line, each said once, in the order in which they were first said."""
    lines = [line for text in (first, *others) for line in text.split("\n") if line]
    return "\n".join(dict.fromkeys(lines))
