"""The dispatch policy: what ships is whole, what is wrong is named, the closest deadline wins."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from dispatch.policy import Deadlines, Override, deadlines_of, load_policy, override_for, shipped_policy
from dispatch.status import SEVERITIES

SHIPPED = Path(__file__).parents[2] / "config" / "dispatch.yaml"


def with_change(tmp_path: Path, before: str, after: str) -> Path:
    text = SHIPPED.read_text("utf-8")
    assert before in text
    changed = tmp_path / "dispatch.yaml"
    changed.write_text(text.replace(before, after, 1), "utf-8")
    return changed


def test_what_ships_is_whole() -> None:
    policy = shipped_policy()
    assert policy == load_policy(SHIPPED)
    for severity in SEVERITIES:
        limits = policy.deadlines[severity]
        assert limits.respond
        assert limits.complete
        assert policy.offers.timeout[severity] < limits.respond
        assert policy.matching.capacity[severity] > 0
    assert policy.deadlines["critical"].respond == timedelta(minutes=5)
    assert policy.deadlines["critical"].arrive == timedelta(minutes=30)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("whom: manager", "whom: dispatcher", "it must be the manager's"),
        ("{ after: 10m,", "{ after: 30m,", "must not become shorter"),
        ('saturday: ["09:00-12:00"]', 'saturday: ["12:00-09:00"]', "a span ends after it starts"),
        ('saturday: ["09:00-12:00"]', 'caturday: ["09:00-12:00"]', "caturday"),
        ('"08:30-12:00", "13:30-18:00"', '"08:30-14:00", "13:30-18:00"', "do not overlap"),
        ("respond: 5m", "respond: five", "is not a duration"),
        ("undelivered: [not_possible]", "undelivered: [magic]", "magic: not one of results"),
        ("timeout: { critical: 2m, ", "timeout: { ", "critical missing"),
        ("on_hold_counts: false", "on_hold_count: false", "on_hold_count"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        load_policy(with_change(tmp_path, before, after))


def test_the_rule_goes_before_the_severity_and_the_place_before_both(tmp_path: Path) -> None:
    policy = load_policy(
        with_change(
            tmp_path, "overrides: []", "overrides: [{ area: tower, kind: elevator_rescue, arrive: 15m }]"
        )
    )
    own = Deadlines(arrive=timedelta(minutes=25), respond=timedelta(minutes=3))
    fit = override_for(policy, community="bund", area="tower", kind="elevator_rescue", severity="critical")
    assert fit == Override(area="tower", kind="elevator_rescue", arrive=timedelta(minutes=15))
    limits = deadlines_of(policy, own, fit, "critical")
    assert (limits.respond, limits.arrive, limits.complete) == (
        timedelta(minutes=3),
        timedelta(minutes=15),
        timedelta(hours=4),
    )
    assert (
        override_for(policy, community="bund", area="lake", kind="elevator_rescue", severity="major") is None
    )
