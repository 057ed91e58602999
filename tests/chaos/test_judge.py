"""The comparison notices whatever may be lost, doubled or wrong in a round: one difference each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.chaos import money, presence
from tests.chaos.cast import SMALL, devices
from tests.chaos.found import Found, Withdrawn
from tests.chaos.hostile import hostile
from tests.chaos.judge import Expected, expect, judge
from tests.chaos.money import Key
from tests.chaos.oracle import Alarm
from tests.chaos.presence import Heard, Spell
from tests.chaos.watch import Bounds
from tests.chaos.work import Link

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AT = START + 200 * SECOND


@pytest.fixture(scope="module")
def expected() -> Expected:
    rng = Random(8)  # noqa: S311 - always the same round; somebody flickers in it
    return expect(
        devices(rng, START, SMALL),
        hostile(rng, START, SMALL.hostile, SMALL.seconds),
        money.payments(rng, START, SMALL.payments),
        START,
    )


def receipts_of(expected: Expected) -> dict[Key, list[str]]:
    return {key: [f"receipt for {key}"] for key in sorted(expected.keys)}


def bounds_of(expected: Expected) -> Bounds:
    """Every word that somebody waits for is heard within half a second, ten seconds after the last."""
    bounds = Bounds()
    for device in expected.watched:
        for number, message in enumerate(device.messages):
            at = START + 10 * number * SECOND
            bounds.sent.setdefault(message.key, at)
            bounds.stored.setdefault((device.code, message.mark), at + 0.5 * SECOND)
    return bounds


def spells_of(expected: Expected) -> list[Spell]:
    known = presence.spells(expected.watched, bounds_of(expected), AT, shared=False)
    return [spell for spells in known.values() for spell in spells]


def _about(spell: Spell) -> Alarm:
    """As it may have been heard."""
    [begun] = spell.begun
    raised = begun.first + 0.2 * SECOND + presence.DELAYS[spell.rule]
    end = spell.ended
    cleared = None if end is None else min(end.first + 0.2 * SECOND, end.last)
    return Alarm(spell.device, spell.rule, raised, cleared, told=True, severity="minor")


def _links(expected: Expected) -> list[Link]:
    """Alarms that share orders; where these can be joined for two seconds, always two of them."""
    long = [
        Link(number, kind, START, about, START)
        for number, (kind, alarms) in enumerate(sorted(expected.together, key=str))
        for about in sorted(alarms)
    ]
    short = []
    for number, (kind, about) in enumerate(sorted(expected.joining)):
        opened = START + number // 2 * 10 * SECOND
        short.append(Link(1000 + number // 2, kind, opened, about, opened + number % 2 * SECOND))
    return [*long, *short]


def as_it_must_be(expected: Expected) -> Found:
    spells = [_about(spell) for spell in spells_of(expected)]
    return Found(
        readings=sorted(expected.readings),
        events=sorted(expected.events),
        at=AT,
        alarms=[
            *sorted(expected.alarms, key=str),
            *spells,
        ],
        steps=sorted(expected.steps, key=lambda step: (step.at, str(step))),
        withdrawn=[],
        orders=[*sorted(expected.orders), *presence.orders(spells)],
        links=_links(expected),
        letters=sorted(expected.letters),
        books=expected.books,
        unsent=0,
        receipts={
            (channel, transaction): f"receipt for {(transaction, 'accepted')}"
            for channel, transaction, _ in expected.books.taken
        },
    )


def test_what_is_as_it_must_be_is_clean(expected: Expected) -> None:
    for shared in (False, True):
        verdict = judge(
            expected, as_it_must_be(expected), receipts_of(expected), bounds_of(expected), shared=shared
        )
        assert verdict.clean, verdict.words


def _later(found: Found) -> Found:
    return replace(
        found, alarms=[replace(found.alarms[0], raised=found.alarms[0].raised + SECOND), *found.alarms[1:]]
    )


def _untold(found: Found) -> Found:
    told = next(alarm for alarm in found.alarms if alarm.told)
    return replace(
        found, alarms=[replace(each, told=False) if each is told else each for each in found.alarms]
    )


LOST: dict[str, Callable[[Found], Found]] = {
    "readings": lambda found: replace(found, readings=found.readings[1:]),
    "events": lambda found: replace(found, events=found.events[1:]),
    "alarms": lambda found: replace(found, alarms=found.alarms[1:]),
    "orders": lambda found: replace(found, orders=found.orders[1:]),
    "orders of several alarms": lambda found: replace(found, links=found.links[1:]),
    "alarms behind orders": lambda found: replace(found, links=found.links[:-1]),
    "dead letters": lambda found: replace(found, letters=found.letters[1:]),
    "books: cash_fen": lambda found: replace(found, books=replace(found.books, cash_fen=1)),
    "books: taken": lambda found: replace(found, books=replace(found.books, taken=frozenset())),
}
DOUBLED: dict[str, Callable[[Found], Found]] = {
    "readings": lambda found: replace(found, readings=[*found.readings, found.readings[0]]),
    "events": lambda found: replace(found, events=[*found.events, found.events[0]]),
    "alarms": lambda found: replace(found, alarms=[*found.alarms, found.alarms[0]]),
    "orders": lambda found: replace(found, orders=[*found.orders, found.orders[0]]),
    "orders of several alarms": lambda found: replace(
        found, links=[*found.links, *(replace(each, order=99) for each in found.links if each.order == 0)]
    ),
    "alarms behind orders": lambda found: replace(found, links=[*found.links, found.links[-1]]),
    "dead letters": lambda found: replace(found, letters=[*found.letters, found.letters[0]]),
    "books: receipts": lambda found: replace(found, books=replace(found.books, receipts=0)),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_seen(expected: Expected, what: str, *, shared: bool) -> None:
    verdict = judge(
        expected,
        LOST[what](as_it_must_be(expected)),
        receipts_of(expected),
        bounds_of(expected),
        shared=shared,
    )
    assert verdict.lost[what] > 0, verdict.words


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("what", DOUBLED)
def test_what_is_doubled_is_seen(expected: Expected, what: str, *, shared: bool) -> None:
    verdict = judge(
        expected,
        DOUBLED[what](as_it_must_be(expected)),
        receipts_of(expected),
        bounds_of(expected),
        shared=shared,
    )
    assert verdict.extra[what] == 1, verdict.words


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("change", [_later, _untold])
def test_an_alarm_that_is_otherwise_is_seen(
    expected: Expected, change: Callable[[Found], Found], *, shared: bool
) -> None:
    verdict = judge(
        expected, change(as_it_must_be(expected)), receipts_of(expected), bounds_of(expected), shared=shared
    )
    assert (verdict.lost["alarms"], verdict.extra["alarms"]) == (1, 1), verdict.words


@pytest.mark.parametrize("shared", [False, True])
def test_an_alarm_that_flapped_otherwise_is_seen(expected: Expected, *, shared: bool) -> None:
    """That it stayed one alarm, and how often it came back."""
    found = as_it_must_be(expected)
    flapped = next(alarm for alarm in found.alarms if alarm.flapped > 3)
    rest = [alarm for alarm in found.alarms if alarm is not flapped]
    middle = flapped.raised + SECOND
    two = replace(flapped, cleared=middle), replace(flapped, raised=middle)
    for alarms, extra in (([replace(flapped, flapped=3)], 1), (two, 2), ([replace(flapped, flapped=0)], 1)):
        changed = replace(found, alarms=[*rest, *alarms])
        verdict = judge(expected, changed, receipts_of(expected), bounds_of(expected), shared=shared)
        assert (verdict.lost["alarms"], verdict.extra["alarms"]) == (1, extra), verdict.words


def _milder(found: Found) -> Found:
    alarm = next(each for each in found.alarms if each.severity == "critical")
    return replace(found, alarms=[replace(a, severity="major") if a is alarm else a for a in found.alarms])


@pytest.mark.parametrize("shared", [False, True])
def test_a_severity_that_is_otherwise_is_seen(expected: Expected, *, shared: bool) -> None:
    """Need 7: with any number of gateways an alarm is as severe as its ladder makes it."""
    verdict = judge(
        expected, _milder(as_it_must_be(expected)), receipts_of(expected), bounds_of(expected), shared=shared
    )
    assert (verdict.lost["alarms"], verdict.extra["alarms"]) == (1, 1), verdict.words


@pytest.mark.parametrize("shared", [False, True])
def test_a_step_that_is_missing_is_seen(expected: Expected, *, shared: bool) -> None:
    """Several gateways may have taken steps too early: where they end is seen, with one gateway each step."""
    found = as_it_must_be(expected)
    alarm = next(each for each in found.alarms if each.rule == "chaos_sway" and each.severity != "info")
    about = (alarm.device, alarm.rule, alarm.raised)
    steps = [step for step in found.steps if (step.device, step.rule, step.raised) == about]
    last = max(steps, key=lambda step: step.at)
    cut = replace(found, steps=[step for step in found.steps if step is not last])
    verdict = judge(expected, cut, receipts_of(expected), bounds_of(expected), shared=shared)
    assert verdict.lost["severity in the end" if shared else "steps of severity"] == 1, verdict.words


def test_a_step_at_another_time_or_twice_is_seen(expected: Expected) -> None:
    found = as_it_must_be(expected)
    first, *rest = found.steps
    late = replace(found, steps=[replace(first, at=first.at + SECOND), *rest])
    assert (
        judge(expected, late, receipts_of(expected), bounds_of(expected), shared=False).lost[
            "steps of severity"
        ]
        == 1
    )
    twice = replace(found, steps=[first, first, *rest])
    assert (
        judge(expected, twice, receipts_of(expected), bounds_of(expected), shared=False).extra[
            "steps of severity"
        ]
        == 1
    )


@pytest.mark.parametrize("shared", [False, True])
def test_an_alarm_that_shares_no_order_with_the_others_is_seen(expected: Expected, *, shared: bool) -> None:
    """Need 2: one order for the alarms of a group, and none of them left out of it or alone."""
    found = as_it_must_be(expected)
    orders = Counter(link.order for link in found.links if link.order < 1000)
    several = next(order for order, count in orders.items() if count > 1)
    one = next(link for link in found.links if link.order == several)
    rest = [link for link in found.links if link is not one]
    for wrong in (rest, [*rest, replace(one, order=999)]):
        verdict = judge(
            expected, replace(found, links=wrong), receipts_of(expected), bounds_of(expected), shared=shared
        )
        assert verdict.lost["orders of several alarms"] == 1, verdict.words


@pytest.mark.parametrize("shared", [False, True])
def test_an_order_that_is_joined_too_late_or_opened_beside_another_is_seen(
    expected: Expected, *, shared: bool
) -> None:
    """Need 2: alarms join what was opened lately, and nothing older."""
    found = as_it_must_be(expected)
    first, second, third = [link for link in found.links if 1000 <= link.order < 1002][:3]
    for link, wrong in (
        (second, replace(second, at=second.at + 2 * SECOND)),
        (second, replace(second, order=999, opened=second.at)),
        (third, replace(third, order=first.order, opened=first.opened)),
    ):
        links = [wrong if each is link else each for each in found.links]
        verdict = judge(
            expected, replace(found, links=links), receipts_of(expected), bounds_of(expected), shared=shared
        )
        assert verdict.extra["orders of several alarms in time"] == 1, verdict.words
        assert verdict.lost.total() == 0


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("rule", ["bin_silent", "chaos_gone"])
def test_a_device_silent_or_gone_not_at_all_twice_or_at_an_impossible_time_is_seen(
    expected: Expected, rule: str, *, shared: bool
) -> None:
    """Need 8: a device that says nothing new is found silent, once each time, until it speaks again."""
    found = as_it_must_be(expected)
    certain = [spell for spell in spells_of(expected) if spell.certain and spell.rule == rule]
    ended, live = (
        next(_about(spell) for spell in certain if (spell.ended is None) is still) for still in (False, True)
    )
    for wrong, instead, lost, extra in (
        (ended, (), 1, 0),
        (live, (), 1, 0),
        (ended, (ended, ended), 0, 1),
        (live, (live, live), 0, 1),
        (ended, (replace(ended, raised=ended.raised + SECOND),), 1, 1),
        (ended, (replace(ended, cleared=ended.raised),), 1, 1),
        (ended, (replace(ended, cleared=None),), 1, 1),
        (live, (replace(live, cleared=live.raised + SECOND),), 1, 1),
        (live, (replace(live, told=False),), 1, 1),
    ):
        alarms = [*(alarm for alarm in found.alarms if alarm != wrong), *instead]
        orders = [order for order in found.orders if order[1] != "bin_silent"]
        changed = replace(found, alarms=alarms, orders=[*orders, *presence.orders(alarms)])
        verdict = judge(expected, changed, receipts_of(expected), bounds_of(expected), shared=shared)
        assert (verdict.lost["silent or gone"], verdict.extra["silent or gone"]) == (lost, extra), (
            verdict.words
        )


@pytest.mark.parametrize("rule", ["bin_silent", "chaos_gone"])
def test_what_the_bounds_leave_room_for_is_seen_only_if_it_is_there_twice(
    expected: Expected, rule: str
) -> None:
    found = as_it_must_be(expected)
    possible = next(
        _about(spell) for spell in spells_of(expected) if spell.rule == rule and not spell.certain
    )
    for times, extra in ((0, 0), (1, 0), (2, 1)):
        alarms = [*(alarm for alarm in found.alarms if alarm != possible), *[possible] * times]
        orders = [order for order in found.orders if order[1] != "bin_silent"]
        changed = replace(found, alarms=alarms, orders=[*orders, *presence.orders(alarms)])
        verdict = judge(expected, changed, receipts_of(expected), bounds_of(expected), shared=False)
        assert (verdict.lost.total(), verdict.extra["silent or gone"]) == (0, extra), verdict.words


def test_alarms_that_may_be_about_several_spells_are_set_against_one_each() -> None:
    """What was heard late may have begun any of them."""
    whole = Heard(START, START + 20 * SECOND)

    def spell(name: str, first: int, *, certain: bool) -> Spell:
        ended = Heard(START + first * SECOND, START + (first + 2) * SECOND)
        return Spell("a", "bin_silent", name, (whole,), ended, certain)

    there = (spell("possible", 5, certain=False), spell("certain", 4, certain=True))
    known = {("a", "bin_silent"): there}

    def ending(second: float) -> Alarm:
        moment = START + second * SECOND
        return Alarm("a", "bin_silent", moment - 2 * SECOND, moment, told=True, severity="minor")

    either, first = ending(5.5), ending(4.5)
    for alarms in ([either, first], [first, either], [either], [first]):
        assert presence.found(known, alarms) == [("a", "bin_silent", "certain")]
    assert [name for _, _, name in presence.found(known, [ending(6.5)])] == []
    assert len(presence.found(known, [either, first, ending(5.6)])) == 2


def test_a_device_that_came_back_before_it_counts_as_gone_must_not_be_found_gone(expected: Expected) -> None:
    """Whether it was gone for long enough is known only within the bounds of what was heard."""
    found = as_it_must_be(expected)
    quick = next(spell for spell in spells_of(expected) if spell.rule == "chaos_gone" and not spell.certain)
    alarm = _about(quick)
    bounds = bounds_of(expected)
    topic = f"clerestory/chaos/{quick.device}/status"
    for seconds, extra in ((0.8, 1), (1.5, 0)):
        back = START + seconds * SECOND
        bounds.sent[topic, b"online", 1] = back - 0.2 * SECOND
        bounds.stored[quick.device, (True, 1)] = back
        early = replace(alarm, raised=max(START, back - 0.3 * SECOND), cleared=back)
        alarms = [*(each for each in found.alarms if each != alarm), early]
        verdict = judge(expected, replace(found, alarms=alarms), receipts_of(expected), bounds, shared=False)
        assert verdict.extra["silent or gone"] == extra, verdict.words


def test_of_what_may_have_been_heard_twice_only_the_end_is_known(expected: Expected) -> None:
    """A line that broke just then excuses any absence but that of a device which is gone in the end."""
    found, bounds = as_it_must_be(expected), bounds_of(expected)
    goes_again = next(
        spell for spell in spells_of(expected) if spell.rule == "chaos_gone" and spell.name == "time 2"
    )
    about = [alarm for alarm in found.alarms if alarm.device == goes_again.device]
    rest = [alarm for alarm in found.alarms if alarm not in about]
    last = _about(goes_again)
    ended = replace(last, cleared=last.raised)
    for broken, alarms, lost, extra in (
        ([], [*about, ended], 0, 1),
        ([START + SECOND], [*about, ended], 0, 0),
        ([START + SECOND], [last], 0, 0),
        ([START + SECOND], [ended], 1, 0),
        ([START - SECOND], [*about, ended], 0, 1),
    ):
        bounds.broken[:] = broken
        changed = replace(found, alarms=[*rest, *alarms])
        verdict = judge(expected, changed, receipts_of(expected), bounds, shared=False)
        counts = verdict.lost["silent or gone"], verdict.extra["silent or gone"]
        assert counts == (lost, extra), verdict.words


@pytest.mark.parametrize("shared", [False, True])
def test_an_order_of_a_silence_that_is_missing_or_still_to_be_done_is_seen(
    expected: Expected, *, shared: bool
) -> None:
    found = as_it_must_be(expected)
    wrong = next(order for order in found.orders if order[1] == "bin_silent" and order[-1])
    rest = [order for order in found.orders if order is not wrong]
    for orders, extra in ((rest, 0), ([*rest, (*wrong[:-1], False)], 1)):
        changed = replace(found, orders=orders)
        verdict = judge(expected, changed, receipts_of(expected), bounds_of(expected), shared=shared)
        counts = verdict.lost["orders of silences"], verdict.extra["orders of silences"]
        assert counts == (1, extra), verdict.words


def test_a_telling_of_what_was_over_is_forgiven_to_several_gateways_alone(expected: Expected) -> None:
    found = as_it_must_be(expected)
    quiet = next(alarm for alarm in found.alarms if not alarm.told)
    found = replace(
        found, alarms=[replace(each, told=True) if each is quiet else each for each in found.alarms]
    )
    assert not judge(expected, found, receipts_of(expected), bounds_of(expected), shared=False).clean
    several = judge(expected, found, receipts_of(expected), bounds_of(expected), shared=True)
    assert (several.clean, several.early) == (True, 1)


def test_a_withdrawn_alarm_is_one_gateways_mistake_and_leaves_no_order_to_do(expected: Expected) -> None:
    never = Withdrawn("bin-0", "bin_overflow", told=True, ordered=False)
    found = replace(as_it_must_be(expected), withdrawn=[never])
    assert (
        judge(expected, found, receipts_of(expected), bounds_of(expected), shared=False).extra[
            "withdrawn alarms"
        ]
        == 1
    )
    several = judge(expected, found, receipts_of(expected), bounds_of(expected), shared=True)
    assert (several.clean, several.never) == (True, 1)
    waiting = replace(found, withdrawn=[replace(never, ordered=True)])
    assert not judge(expected, waiting, receipts_of(expected), bounds_of(expected), shared=True).clean


def test_two_different_receipts_for_one_payment_are_seen(expected: Expected) -> None:
    receipts = receipts_of(expected)
    receipts[min(receipts)].append("another one")
    assert not judge(expected, as_it_must_be(expected), receipts, bounds_of(expected), shared=False).clean


def test_a_receipt_that_was_not_handed_out_is_seen(expected: Expected) -> None:
    receipts = receipts_of(expected)
    del receipts[min(receipts)]
    assert (
        judge(expected, as_it_must_be(expected), receipts, bounds_of(expected), shared=False).lost["receipts"]
        == 1
    )
