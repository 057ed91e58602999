"""What a stream of events tells, and how often."""

from hypothesis import given
from hypothesis import strategies as st

from web.live import MOST_IDS, PACE_SECONDS, Subscriber
from web.store import Account

_ACTS = st.lists(
    st.tuples(st.sampled_from(("reading", "order", "take")), st.integers(0, 9), st.integers(0, 3)),
    max_size=40,
)


def _subscriber() -> Subscriber:
    return Subscriber(Account(1, "desk", "Li", "dispatcher", "en", 1, None, (1,), "Asia/Shanghai"))


@given(_ACTS)
def test_everything_is_told_and_what_has_a_pace_no_oftener(acts: list[tuple[str, int, int]]) -> None:
    subscriber, now = _subscriber(), 100.0
    untold: dict[str, set[int]] = {}
    last: dict[str, float] = {}
    for what, number, passed in [*acts, ("take", 0, 0), ("take", 0, 3)]:
        now += passed
        if what != "take":
            subscriber.add(what, [number])
            untold.setdefault(what, set()).add(number)
            continue
        for told, ids in subscriber.take(now):
            changed = untold.pop(told)
            assert set(ids) == (set() if told in PACE_SECONDS else changed)
            assert now - last.get(told, 0.0) >= PACE_SECONDS.get(told, 0.0)
            last[told] = now
        assert subscriber.ready.is_set() == bool(untold)
        assert "order" not in untold
    assert not untold


def test_a_house_full_of_devices_that_report_has_no_page_load_everything() -> None:
    subscriber = _subscriber()
    subscriber.add("reading", range(10 * MOST_IDS))
    assert subscriber.take(0.0) == [("reading", [])]
    subscriber.add("order", range(10 * MOST_IDS))
    assert subscriber.take(0.0) == [("reconnected", [])]
