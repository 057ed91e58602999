"""What a trial found is kept for days: what an earlier release wrote is still read."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dispatch.foresight import Foresight
from dispatch.rehearsal.funnel import Funnel

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
EARLIER = {
    "start": START, "end": START + 7 * DAY, "warm_from": START - 2 * DAY, "devices": 1, "readings": 2,
    "events": 3, "seconds": 1.0, "cpu_seconds": 1.0, "skipped": [], "rules": [], "changes": [], "left_out": 0,
    "orders": [{"community": "home", "area": {"zh": "全", "en": "All"}, "kind": "k", "skill": "s", "old": 1.0,
                "new": 2.0, "people": ["王"]}],
}  # fmt: skip


def read(**more: object) -> Foresight:
    return msgspec.json.decode(msgspec.json.encode(EARLIER | more), type=Foresight)


def test_an_earlier_answer_is_read_for_what_it_was() -> None:
    """Orders as alarms asked for them, and nothing known of when things were heard."""
    found = read()
    assert not found.rehearsed
    assert found.orders[0].new == 2.0
    assert found.today == found.changed == Funnel()
    assert found.heard_before == found.end


@pytest.mark.parametrize(("hours", "short"), [(None, False), (0, False), (8, False), (9, True), (168, True)])
def test_a_little_history_that_is_missing_is_not_worth_a_word(hours: int | None, *, short: bool) -> None:
    assert read(history_from=None if hours is None else START + timedelta(hours=hours)).is_short == short


@pytest.mark.parametrize(
    ("since", "before"),
    [(START - DAY, None), (START, None), (START + DAY, START + DAY), (START + 9 * DAY, START + 7 * DAY)],
)
def test_up_to_when_it_is_not_known_what_was_heard_late(since: datetime, before: datetime | None) -> None:
    assert read(heard_since=since).heard_before == before
