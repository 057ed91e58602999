"""What a stream of events tells, and how often."""

from hypothesis import given
from hypothesis import strategies as st

from web.live import PACE_SECONDS, Subscriber
from web.store import Account

_KINDS = ("reading", "order")
_ACTS = st.lists(
    st.tuples(st.sampled_from(("reading", "order", "take")), st.integers(0, 9), st.integers(0, 3)),
    max_size=40,
)


def _subscriber() -> Subscriber:
    return Subscriber(Account(1, "desk", "Li", "dispatcher", "en", 1, None, (1,), "Asia/Shanghai"))


@given(_ACTS)
def test_everything_is_told_and_what_has_a_pace_no_oftener(acts: list[tuple[str, int, int]]) -> None:
    subscriber, now = _subscriber(), 100.0
    untold: dict[str, set[int]] = {what: set() for what in _KINDS}
    last: dict[str, float] = {}
    for what, number, passed in [*acts, ("take", 0, 0), ("take", 0, 3)]:
        now += passed
        if what != "take":
            subscriber.add(what, [number])
            untold[what].add(number)
            continue
        for told, ids in subscriber.take(now):
            assert set(ids) == untold[told]
            assert now - last.get(told, 0.0) >= PACE_SECONDS.get(told, 0.0)
            last[told] = now
            untold[told] = set()
        assert subscriber.ready.is_set() == any(untold.values())
        assert not untold["order"]
    assert not any(untold.values())
