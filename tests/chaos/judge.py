"""Compares what a round left with what the oracle says, and puts each difference in words."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.deadletters import KEPT_PAYLOAD
from tests.chaos import oracle, presence, work
from tests.chaos.away import STILL
from tests.chaos.facts import RULES
from tests.chaos.found import Found, Letter, Withdrawn
from tests.chaos.money import Books, Key, Payment, books
from tests.chaos.oracle import Alarm, Happening, Row, Step
from tests.chaos.script import Device, Message
from tests.chaos.watch import Bounds
from tests.chaos.work import About, Behind, Link, Order

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What must exist after a round."""

    readings: frozenset[Row]
    events: frozenset[Happening]
    alarms: frozenset[Alarm]
    steps: frozenset[Step]
    orders: frozenset[Order]
    together: frozenset[Behind]
    joining: frozenset[tuple[str, About]]
    letters: frozenset[Letter]
    books: Books
    keys: frozenset[Key]
    watched: tuple[Device, ...]
    start: datetime

    @property
    def spells(self) -> tuple[int, int]:
        """How many spells of silence and absence are certain, and how many of them ask for an order."""
        rules = [
            rule
            for _, rule, _ in presence.certain(
                presence.spells(self.watched, Bounds(), self.start, shared=False)
            )
        ]
        return len(rules), rules.count(STILL)

    @property
    def rows(self) -> int:
        """Readings and events."""
        return len(self.readings) + len(self.events)


def expect(
    devices: Sequence[Device],
    refused: Iterable[tuple[Message, str]],
    paid: Sequence[Payment],
    start: datetime,
) -> Expected:
    """Ask the oracle."""
    alarms, steps = oracle.alarms(devices, start)
    return Expected(
        readings=frozenset(oracle.readings(devices)),
        events=frozenset(oracle.events(devices)),
        alarms=frozenset(alarms),
        steps=frozenset(steps),
        orders=frozenset(work.orders(alarms)),
        together=frozenset(work.together(alarms)),
        joining=frozenset(work.joining(alarms, beyond=True)),
        letters=frozenset(
            (message.topic, message.payload[:KEPT_PAYLOAD], reason) for message, reason in refused
        ),
        books=books(paid),
        keys=frozenset(each.key for each in paid),
        watched=tuple(device for device in devices if device.rule),
        start=start,
    )


@dataclass(slots=True)
class Verdict:
    """How many of what are missing or too many, and in words."""

    lost: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)
    early: int = 0
    never: int = 0

    @property
    def clean(self) -> bool:
        """Nothing differs."""
        return not self.words

    def compare(self, what: str, expected: Iterable[object], found: Iterable[object]) -> None:
        """Both as bags: what is there twice is one too many."""
        must, is_ = Counter(iter(expected)), Counter(iter(found))
        for counter, difference, word in ((self.lost, must - is_, "lacks"), (self.extra, is_ - must, "has")):
            if difference:
                counter[what] += difference.total()
                some = ", ".join(str(each) for each in list(difference)[:SHOWN])
                self.words.append(f"{what}: {word} {difference.total()}: {some}")


def judge(
    expected: Expected, found: Found, receipts: Mapping[Key, Sequence[str]], bounds: Bounds, *, shared: bool
) -> Verdict:
    """Say what differs.

    `bounds`: within which what devices said was heard, as far as anything hangs on it.

    `shared`: with several gateways people may have been told of an alarm by something fresh before what had
    ended that alarm, and was overtaken, came; once told, nobody can be untold. Such tellings are counted, and
    so are those of alarms that never were. Their orders are cancelled where the rule lets its orders be.
    With one gateway nothing is overtaken, so nothing is withdrawn. The history of an alarm keeps the steps of
    severity that several gateways took too early; where it ends must be right with any number of them.
    """
    verdict = Verdict()
    spells = presence.spells(expected.watched, bounds, found.at, shared=shared)
    verdict.compare("silent or gone", presence.certain(spells), presence.found(spells, found.alarms))
    verdict.compare(
        "orders of silences",
        presence.orders(found.alarms),
        (order for order in found.orders if order[1] == STILL),
    )
    found = _of_known_rules(found)
    if shared:
        found, verdict.early = _without_early(expected, found)
        verdict.never = sum(alarm.told for alarm in found.withdrawn)
    verdict.compare("withdrawn alarms", (), _wrongly_withdrawn(found, shared=shared))
    verdict.compare("readings", expected.readings, found.readings)
    verdict.compare("events", expected.events, found.events)
    verdict.compare("alarms", expected.alarms, found.alarms)
    if shared:
        verdict.compare(
            "severity in the end", _last(sorted(expected.steps, key=lambda step: step.at)), _last(found.steps)
        )
    else:
        verdict.compare("steps of severity", expected.steps, found.steps)
    verdict.compare("orders", expected.orders, found.orders)
    long, short = _shared_orders(found)
    verdict.compare("orders of several alarms", expected.together, long)
    verdict.compare("alarms behind orders", expected.joining, ((link.kind, link.about) for link in short))
    verdict.compare("orders of several alarms in time", (), work.out_of_span(short))
    verdict.compare("dead letters", expected.letters, found.letters)
    for name in Books.__slots__:
        must, is_ = getattr(expected.books, name), getattr(found.books, name)
        if isinstance(must, frozenset):
            verdict.compare(f"books: {name}", must, is_)
        else:
            verdict.compare(f"books: {name}", [must], [is_])
    verdict.compare("receipts", expected.keys, receipts)
    verdict.compare("different receipts for one payment", (), _differing(receipts))
    stored = {transaction: text for (_, transaction), text in found.receipts.items()}
    handed = {transaction: texts[0] for (transaction, what), texts in receipts.items() if what == "accepted"}
    verdict.compare("receipts as stored", stored.items(), handed.items())
    if found.unsent:
        verdict.words.append(f"outbox: {found.unsent} receipts are not sent")
    return verdict


def _of_known_rules(found: Found) -> Found:
    """Without the forecast's alarms: when a bin will be full is an estimate, with tests of its own."""
    known = {rule.code for rule in RULES}
    sharing = {rule.code for rule in RULES if rule.shares}
    links = [link for link in found.links if link.about[1] in sharing]
    return replace(
        found,
        alarms=[alarm for alarm in found.alarms if alarm.rule in known],
        steps=[step for step in found.steps if step.rule in known],
        orders=[order for order in found.orders if order[1] in known - sharing],
        links=links,
    )


def _shared_orders(found: Found) -> tuple[list[Behind], list[Link]]:
    """The orders that last for longer than a round, with their alarms; of the others each alarm."""
    short = {rule.code for rule in RULES if rule.within}
    behind: dict[tuple[int, str], list[About]] = {}
    for link in found.links:
        if link.about[1] not in short:
            behind.setdefault((link.order, link.kind), []).append(link.about)
    return (
        [(kind, frozenset(alarms)) for (_, kind), alarms in behind.items()],
        [link for link in found.links if link.about[1] in short],
    )


def _without_early(expected: Expected, found: Found) -> tuple[Found, int]:
    """What was found without tellings, and orders, of what was already over; how many there were."""
    early = {
        alarm: replace(alarm, told=False)
        for alarm in found.alarms
        if alarm.told and alarm not in expected.alarms and replace(alarm, told=False) in expected.alarms
    }
    about = {(alarm.device, alarm.rule, alarm.raised) for alarm in early}
    return replace(
        found,
        alarms=[early.get(alarm, alarm) for alarm in found.alarms],
        orders=[order for order in found.orders if order[:3] not in about],
    ), len(early)


def _last(steps: Iterable[Step]) -> set[tuple[object, ...]]:
    """Where each history of severity ends; that of an alarm which ends where it began says nothing."""
    base = {rule.code: rule.severity for rule in RULES}
    last: dict[tuple[object, ...], str] = {}
    for step in steps:
        last[step.device, step.rule, step.raised] = step.severity
    return {(*about, severity) for about, severity in last.items() if severity != base[str(about[1])]}


def _wrongly_withdrawn(found: Found, *, shared: bool) -> list[Withdrawn]:
    """Those that one gateway withdrew, or whose orders are still to be done though they may be cancelled."""
    cancelled = {rule.code for rule in RULES if rule.cancelled}
    return [alarm for alarm in found.withdrawn if not shared or (alarm.ordered and alarm.rule in cancelled)]


def _differing(receipts: Mapping[Key, Sequence[str]]) -> list[Key]:
    return [key for key, texts in receipts.items() if len(set(texts)) > 1]
