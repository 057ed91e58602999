"""The comparison notices whatever may be lost, doubled or wrong in a round: one difference each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.chaos import money
from tests.chaos.found import Found, Withdrawn
from tests.chaos.hostile import hostile
from tests.chaos.judge import Expected, expect, judge
from tests.chaos.money import Key
from tests.chaos.oracle import Alarm
from tests.chaos.script import SMALL, devices

START = datetime(2026, 11, 25, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def expected() -> Expected:
    rng = Random(7)  # noqa: S311 - always the same round
    return expect(
        devices(rng, START, SMALL),
        hostile(rng, START, SMALL.hostile, SMALL.seconds),
        money.payments(rng, START, SMALL.payments),
        START,
    )


def receipts_of(expected: Expected) -> dict[Key, list[str]]:
    return {key: [f"receipt for {key}"] for key in sorted(expected.keys)}


def _gone(device: str) -> Alarm:
    return Alarm(device, "chaos_gone", START + 4 * SECOND, None, told=True, severity="minor")


def as_it_must_be(expected: Expected) -> Found:
    return Found(
        readings=sorted(expected.readings),
        events=sorted(expected.events),
        at=START + 20 * SECOND,
        alarms=[*sorted(expected.alarms, key=str), *(_gone(device) for device in sorted(expected.gone))],
        steps=sorted(expected.steps, key=lambda step: (step.at, str(step))),
        withdrawn=[],
        orders=sorted(expected.orders),
        together=sorted(expected.together, key=str),
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
        verdict = judge(expected, as_it_must_be(expected), receipts_of(expected), shared=shared)
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
    "orders of several alarms": lambda found: replace(found, together=found.together[1:]),
    "dead letters": lambda found: replace(found, letters=found.letters[1:]),
    "books: cash_fen": lambda found: replace(found, books=replace(found.books, cash_fen=1)),
    "books: taken": lambda found: replace(found, books=replace(found.books, taken=frozenset())),
}
DOUBLED: dict[str, Callable[[Found], Found]] = {
    "readings": lambda found: replace(found, readings=[*found.readings, found.readings[0]]),
    "events": lambda found: replace(found, events=[*found.events, found.events[0]]),
    "alarms": lambda found: replace(found, alarms=[*found.alarms, found.alarms[0]]),
    "orders": lambda found: replace(found, orders=[*found.orders, found.orders[0]]),
    "orders of several alarms": lambda found: replace(found, together=[*found.together, found.together[0]]),
    "dead letters": lambda found: replace(found, letters=[*found.letters, found.letters[0]]),
    "books: receipts": lambda found: replace(found, books=replace(found.books, receipts=0)),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_seen(expected: Expected, what: str, *, shared: bool) -> None:
    verdict = judge(expected, LOST[what](as_it_must_be(expected)), receipts_of(expected), shared=shared)
    assert verdict.lost[what] > 0, verdict.words


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("what", DOUBLED)
def test_what_is_doubled_is_seen(expected: Expected, what: str, *, shared: bool) -> None:
    verdict = judge(expected, DOUBLED[what](as_it_must_be(expected)), receipts_of(expected), shared=shared)
    assert verdict.extra[what] == 1, verdict.words


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("change", [_later, _untold])
def test_an_alarm_that_is_otherwise_is_seen(
    expected: Expected, change: Callable[[Found], Found], *, shared: bool
) -> None:
    verdict = judge(expected, change(as_it_must_be(expected)), receipts_of(expected), shared=shared)
    assert (verdict.lost["alarms"], verdict.extra["alarms"]) == (1, 1), verdict.words


def _milder(found: Found) -> Found:
    alarm = next(each for each in found.alarms if each.severity == "critical")
    return replace(found, alarms=[replace(a, severity="major") if a is alarm else a for a in found.alarms])


@pytest.mark.parametrize("shared", [False, True])
def test_a_severity_that_is_otherwise_is_seen(expected: Expected, *, shared: bool) -> None:
    """Need 7: with any number of gateways an alarm is as severe as its ladder makes it."""
    verdict = judge(expected, _milder(as_it_must_be(expected)), receipts_of(expected), shared=shared)
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
    verdict = judge(expected, cut, receipts_of(expected), shared=shared)
    assert verdict.lost["severity in the end" if shared else "steps of severity"] == 1, verdict.words


def test_a_step_at_another_time_or_twice_is_seen(expected: Expected) -> None:
    found = as_it_must_be(expected)
    first, *rest = found.steps
    late = replace(found, steps=[replace(first, at=first.at + SECOND), *rest])
    assert judge(expected, late, receipts_of(expected), shared=False).lost["steps of severity"] == 1
    twice = replace(found, steps=[first, first, *rest])
    assert judge(expected, twice, receipts_of(expected), shared=False).extra["steps of severity"] == 1


@pytest.mark.parametrize("shared", [False, True])
def test_an_alarm_that_shares_no_order_with_the_others_is_seen(expected: Expected, *, shared: bool) -> None:
    """Need 2: one order for the alarms of a group, and none of them left out of it or alone."""
    found = as_it_must_be(expected)
    kind, alarms = next(each for each in found.together if len(each[1]) > 1)
    one = frozenset({min(alarms)})
    rest = [each for each in found.together if each != (kind, alarms)]
    for wrong in ([*rest, (kind, alarms - one)], [*rest, (kind, alarms - one), (kind, one)]):
        verdict = judge(expected, replace(found, together=wrong), receipts_of(expected), shared=shared)
        assert verdict.lost["orders of several alarms"] == 1, verdict.words


@pytest.mark.parametrize("shared", [False, True])
def test_a_device_gone_twice_not_at_all_or_at_an_impossible_time_is_seen(
    expected: Expected, *, shared: bool
) -> None:
    found = as_it_must_be(expected)
    *rest, gone = found.alarms
    for alarms, lost, extra in (
        (rest, 1, 0),
        ([*found.alarms, gone], 0, 1),
        ([*rest, replace(gone, raised=START - SECOND)], 1, 1),
        ([*rest, replace(gone, raised=START + 60 * SECOND)], 1, 1),
        ([*rest, replace(gone, cleared=gone.raised)], 1, 1),
    ):
        verdict = judge(expected, replace(found, alarms=alarms), receipts_of(expected), shared=shared)
        counts = verdict.lost["alarms of the gone"], verdict.extra["alarms of the gone"]
        assert counts == (lost, extra), verdict.words


def test_a_telling_of_what_was_over_is_forgiven_to_several_gateways_alone(expected: Expected) -> None:
    found = as_it_must_be(expected)
    quiet = next(alarm for alarm in found.alarms if not alarm.told)
    found = replace(
        found, alarms=[replace(each, told=True) if each is quiet else each for each in found.alarms]
    )
    assert not judge(expected, found, receipts_of(expected), shared=False).clean
    several = judge(expected, found, receipts_of(expected), shared=True)
    assert (several.clean, several.early) == (True, 1)


def test_a_withdrawn_alarm_is_one_gateways_mistake_and_leaves_no_order_to_do(expected: Expected) -> None:
    never = Withdrawn("bin-0", "bin_overflow", told=True, ordered=False)
    found = replace(as_it_must_be(expected), withdrawn=[never])
    assert judge(expected, found, receipts_of(expected), shared=False).extra["withdrawn alarms"] == 1
    several = judge(expected, found, receipts_of(expected), shared=True)
    assert (several.clean, several.never) == (True, 1)
    waiting = replace(found, withdrawn=[replace(never, ordered=True)])
    assert not judge(expected, waiting, receipts_of(expected), shared=True).clean


def test_two_different_receipts_for_one_payment_are_seen(expected: Expected) -> None:
    receipts = receipts_of(expected)
    receipts[min(receipts)].append("another one")
    assert not judge(expected, as_it_must_be(expected), receipts, shared=False).clean


def test_a_receipt_that_was_not_handed_out_is_seen(expected: Expected) -> None:
    receipts = receipts_of(expected)
    del receipts[min(receipts)]
    assert judge(expected, as_it_must_be(expected), receipts, shared=False).lost["receipts"] == 1
