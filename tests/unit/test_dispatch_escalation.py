"""The ladder: each step once, in time, ending at the manager, who is told again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from config.text import Text
from dispatch.escalation import Trouble, climb, next_look, trouble_of
from dispatch.order import Order
from dispatch.policy import shipped_policy
from dispatch.status import Status

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
POLICY = shipped_policy()
MINUTE = timedelta(minutes=1)
TROUBLE = Trouble("unaccepted", Text(zh="无人", en="nobody"))
ORDER = Order(
    id=1,
    number="W1",
    community_id=1,
    community="bund",
    zone="Asia/Shanghai",
    asset_id=1,
    area_id=1,
    alarm_id=None,
    plan_id=None,
    kind="elevator_repair",
    skill="elevator",
    severity="major",
    title=Text(zh="题", en="title"),
    place=Text(zh="地", en="place"),
    opened_at=NOW,
    clock="around_the_clock",
    cancel_on_clear=False,
    status="open",
    assignee_id=None,
    round=1,
    respond_by=NOW + 30 * MINUTE,
    arrive_by=NOW + 120 * MINUTE,
    progress_by=None,
    complete_by=NOW + 24 * 60 * MINUTE,
    paused_at=None,
    held_at=None,
    hold_reason=None,
    settled_at=None,
    merged_into=None,
    cause=None,
    step=0,
    escalated_at=None,
    escalation=Text(zh="", en=""),
    due_at=NOW,
)


def whom(order: Order, at: datetime, trouble: Trouble | None = TROUBLE) -> tuple[Order, list[str]]:
    done = climb(order, trouble, at, POLICY.escalation)
    return done.order, [step.whom for step in done.steps]


def test_the_steps_in_time() -> None:
    order, told = whom(ORDER, NOW)
    assert told == ["dispatcher"]
    assert whom(order, NOW + 9 * MINUTE)[1] == []
    order, told = whom(order, NOW + 10 * MINUTE)
    assert told == ["dispatcher"]
    order, told = whom(order, NOW + 20 * MINUTE)
    assert told == ["manager"]
    assert whom(order, NOW + 49 * MINUTE)[1] == []
    order, told = whom(order, NOW + 50 * MINUTE)
    assert told == ["manager"]
    assert whom(order, NOW + 79 * MINUTE)[1] == []


def test_after_downtime_each_step_is_taken_once() -> None:
    order, _ = whom(ORDER, NOW)
    order, told = whom(order, NOW + 500 * MINUTE)
    assert told == ["dispatcher", "manager"]
    assert whom(order, NOW + 501 * MINUTE)[1] == []


def test_another_cause_begins_anew_and_none_ends_it() -> None:
    order, _ = whom(ORDER, NOW)
    late = Trouble("arrive", Text(zh="迟", en="late"))
    order, told = whom(order, NOW + 15 * MINUTE, late)
    assert told == ["dispatcher"]
    assert order.escalated_at == NOW + 15 * MINUTE
    calm, told = whom(order, NOW + 16 * MINUTE, None)
    assert (calm.cause, calm.step, calm.escalated_at, told) == (None, 0, None, [])


def test_what_is_wrong() -> None:
    held = replace(ORDER, status="accepted", assignee_id=7, progress_by=NOW + 60 * MINUTE)
    assert trouble_of(ORDER, NOW, POLICY) is None
    missed = trouble_of(ORDER, NOW + 30 * MINUTE, POLICY)
    assert missed is not None
    assert missed.cause == "unaccepted"
    cases = [
        (held, NOW + 120 * MINUTE, "arrive"),
        (replace(held, status="in_progress"), NOW + 61 * MINUTE, "progress"),
        (replace(held, status="in_progress"), NOW + 1440 * MINUTE, "complete"),
    ]
    for order, at, cause in cases:
        trouble = trouble_of(order, at, POLICY)
        assert trouble is not None
        assert trouble.cause == cause
    waiting = replace(held, status="on_hold", hold_reason="waiting_for_parts", held_at=NOW, paused_at=NOW)
    assert trouble_of(waiting, NOW + timedelta(hours=71), POLICY) is None
    review = trouble_of(waiting, NOW + timedelta(hours=72), POLICY)
    assert review is not None
    assert review.text.en == "on hold for long: waiting for parts"
    done = replace(held, status="completed", settled_at=NOW)
    asked = trouble_of(done, NOW + timedelta(hours=24), POLICY)
    assert asked is not None
    assert asked.cause == "verify"


@given(
    st.sampled_from(
        ["open", "assigned", "accepted", "en_route", "in_progress", "completed", "verified", "reopened"]
    ),
    st.integers(0, 60 * 72),
    st.integers(0, 60 * 72),
)
def test_a_live_order_is_always_due_again_and_never_at_once(status: Status, later: int, settled: int) -> None:
    order = replace(ORDER, status=status, assignee_id=7, settled_at=NOW + settled * MINUTE)
    now = NOW + later * MINUTE
    order = climb(order, trouble_of(order, now, POLICY), now, POLICY.escalation).order
    due = next_look(order, now, POLICY)
    assert due is not None
    assert now < due <= now + timedelta(hours=6)


def test_what_is_over_is_not_due() -> None:
    over: tuple[Status, ...] = ("closed", "cancelled", "merged")
    for status in over:
        assert next_look(replace(ORDER, status=status), NOW, POLICY) is None
