"""Which alarms become one order, by any order of arrival; and what holds an alarm."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.grouping import Joinable, Opening, Party, group, joined, together
from dispatch.holds import Emergency, Mute, OtherAlarm, OtherOrder, Standing, hold_of, waits
from dispatch.new_order import NewOrder
from dispatch.policy import shipped_policy
from dispatch.status import SEVERITIES, Severity
from rules.rule import Group, HeldBy

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TEN = timedelta(minutes=10)
EMPTY = Text(zh="", en="")
POLICY = shipped_policy()
KINDS = ("waste_collection", "bin_repair")


def text(words: str) -> Text:
    return Text(zh=words, en=words)


def an_opening(
    alarm: int,
    asset: int,
    *,
    severity: Severity = "minor",
    kind: str = KINDS[0],
    grouped: Group | None = Group("area", TEN),  # noqa: B008 - frozen
    **more: object,
) -> Opening:
    order = NewOrder(1, asset, kind, "cleaning", severity, text("full"), alarm_id=alarm)
    return Opening(alarm, asset // 10, replace(order, **more), text("full"), grouped)  # type: ignore[arg-type]


def a_joinable(number: int, asset: int, minutes_ago: float, kind: str = KINDS[0]) -> Joinable:
    return Joinable(
        id=number,
        number=f"W{number}",
        community_id=1,
        asset_id=asset,
        area_id=asset // 10,
        kind=kind,
        skill="cleaning",
        severity="minor",
        status="open",
        opened_at=NOW - timedelta(minutes=minutes_ago),
        cancel_on_clear=True,
        checklist=(),
        todo=text("a"),
        safety=EMPTY,
        respond_by=None,
        arrive_by=None,
        complete_by=None,
        assignee_id=None,
    )


openings = st.lists(
    st.builds(
        an_opening,
        st.integers(1, 10_000),
        st.integers(10, 49),
        severity=st.sampled_from(SEVERITIES),
        kind=st.sampled_from(KINDS),
        grouped=st.sampled_from([None, Group("area", TEN), Group("asset", TEN)]),
    ),
    max_size=25,
    unique_by=lambda each: each.alarm_id,
)
joinables = st.lists(
    st.builds(
        a_joinable,
        st.integers(1, 100),
        st.integers(10, 49),
        st.floats(0, 30, allow_nan=False),
        kind=st.sampled_from(KINDS),
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)


@given(openings, joinables, st.randoms(use_true_random=False))
def test_every_alarm_gets_one_order_whatever_the_order_of_arrival(
    given_openings: list[Opening], there: list[Joinable], chance: Random
) -> None:
    grouped = group(given_openings, there, NOW)
    placed = [each.alarm_id for party in (*grouped.new, *grouped.joined) for each in party.openings]
    assert sorted(placed) == sorted(each.alarm_id for each in given_openings)
    shuffled = list(given_openings)
    chance.shuffle(shuffled)
    again = group(shuffled, list(reversed(there)), NOW)
    assert _parties(again.new) == _parties(grouped.new)
    assert _parties(again.joined) == _parties(grouped.joined)


def _parties(parties: Sequence[Party]) -> list[list[int]]:
    return [[each.alarm_id for each in party.openings] for party in parties]


@given(openings, joinables)
def test_only_what_fits_comes_together(given_openings: list[Opening], there: list[Joinable]) -> None:
    grouped = group(given_openings, there, NOW)
    for party in (*grouped.new, *grouped.joined):
        assert len({each.order.kind for each in party.openings}) == 1
        assert len({each.area_id for each in party.openings}) == 1
        severities = [SEVERITIES.index(each.order.severity) for each in party.openings]
        assert severities == sorted(severities)  # the lead is the most severe
        if len(party.openings) > 1 or party.order is not None:
            assert all(each.group is not None for each in party.openings[1:])
    for party in grouped.joined:
        assert party.order is not None
        for each in party.openings:
            assert each.group is not None
            assert NOW - party.order.opened_at <= each.group.within
            assert each.order.kind == party.order.kind
            here = party.order.asset_id if each.group.by == "asset" else party.order.area_id
            assert here == (each.order.asset_id if each.group.by == "asset" else each.area_id)


def test_the_latest_order_that_fits_is_joined() -> None:
    there = [a_joinable(1, 10, 9), a_joinable(2, 11, 3), a_joinable(3, 20, 1), a_joinable(4, 12, 2, KINDS[1])]
    grouped = group([an_opening(7, 13)], there, NOW)
    assert [party.order and party.order.id for party in grouped.joined] == [2]
    assert group([an_opening(7, 13)], [a_joinable(1, 10, 10.1)], NOW).joined == []


CHECK = ChecklistItem(code="emptied", name=text("emptied"))
OTHER = ChecklistItem(code="cleaned", name=text("cleaned"))


def test_words_and_checks_are_said_once_and_all_must_allow_cancelling() -> None:
    first = an_opening(1, 10, todo=text("a\nb"), checklist=(CHECK,), cancel_on_clear=True)
    second = an_opening(2, 11, todo=text("b\nc"), checklist=(CHECK, OTHER), cancel_on_clear=False)
    new = together(Party([first, second]))
    assert (new.todo.en, new.checklist, new.cancel_on_clear) == ("a\nb\nc", (CHECK, OTHER), False)
    major = an_opening(3, 10, severity="major", todo=text("d"))
    after = joined(a_joinable(1, 10, 1), Party([major]))
    assert (after.severity, after.todo.en, after.cancel_on_clear) == ("major", "a\nd", False)


STANDING = Standing(
    alarm_id=1,
    community_id=1,
    community="bund",
    asset_id=1,
    area_id=1,
    asset_class="elevator",
    zone="Asia/Shanghai",
    severity="minor",
    facts={},
    asset=Text(zh="3 号电梯", en="elevator 3"),
    held_by=None,
    held=EMPTY,
    had_order=False,
    has_order=False,
    mute=None,
    in_inspection=False,
    order=None,
    parent=None,
    alarm=None,
    emergency=None,
)
REASONS = {
    "mute": Mute("Chen", "moved", NOW),
    "in_inspection": True,
    "order": OtherOrder("W7", "elevator_maintenance"),
    "parent": OtherAlarm(text("dark"), text("main")),
    "alarm": OtherAlarm(text("stuck"), text("elevator 3")),
    "emergency": Emergency("storm", "red"),
}
ORDER = tuple(REASONS)


@given(
    reasons=st.sets(st.sampled_from(ORDER)),
    severity=st.sampled_from(SEVERITIES),
    emergency=st.sampled_from([None, True, False]),
)
def test_the_first_reason_holds_and_only_an_emergency_looks_at_severity(
    *, reasons: set[str], severity: Severity, emergency: bool | None
) -> None:
    rule = HeldBy(emergency=emergency)
    standing = replace(STANDING, severity=severity, **{name: REASONS[name] for name in reasons})  # type: ignore[arg-type]
    hold = hold_of(standing, rule, POLICY)
    effective = [name for name in ORDER if name in reasons]
    if not waits(severity, rule, POLICY.alarms.emergency):
        effective = [name for name in effective if name != "emergency"]
    if not effective:
        assert hold is None
        return
    assert hold is not None
    assert hold.because == {"in_inspection": "inspection"}.get(effective[0], effective[0])
    assert hold.why.zh
    assert hold.why.en


@pytest.mark.parametrize("said", [None, True, False])
def test_a_critical_alarm_never_waits(said: Literal[True, False] | None) -> None:
    assert not waits("critical", HeldBy(emergency=said), POLICY.alarms.emergency)


def test_what_holds_is_said_in_both_languages() -> None:
    hold = hold_of(replace(STANDING, order=OtherOrder("W7", "elevator_maintenance")), HeldBy(), POLICY)
    assert hold is not None
    assert hold.why.en == "held: elevator 3 is under elevator maintenance order W7"
    assert hold.why.zh == "暂不通知：3 号电梯 有电梯维保工单 W7"
    muted = hold_of(replace(STANDING, mute=Mute("陈", "修", NOW)), HeldBy(), POLICY)
    assert muted is not None
    assert muted.why.zh == "已由 陈 静音至 2026-11-23 09:00：修"
