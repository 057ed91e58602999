"""The account of a gateway: whatever happens to messages, in whatever order, the sum is exact."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import Delivery
from gateway.refusals import REASONS, Reason, Refusal
from gateway.tally import SECONDS, Spread, Tally
from tests.manual_clock import START

Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(["receive", "take", "settle", "fail", "give_up", "lose"]),
        st.integers(0, 50),
        st.integers(0, 50),
    )
)
REFUSALS: list[Reason] = sorted(REASONS)


def deliveries(promised: int, other: int) -> list[Delivery]:
    return [
        Delivery("t", b"", START, mid=number, qos=1 if number < promised else 0)
        for number in range(promised + other)
    ]


@given(steps)
def test_the_sum_is_exact_after_every_step(done: list[Step]) -> None:
    tally, received = Tally(), 0
    queue: list[Delivery] = []
    hand: list[Delivery] = []
    for what, first, second in done:
        if what == "receive":
            received += first + second
            queue += deliveries(first, second)
        elif what == "take" and not hand and queue:
            hand, queue = queue[: first + 1], queue[first + 1 :]
            tally.give_out(len(hand), 1.0)
        elif what == "settle" and hand:
            refused = min(first, len(hand))
            outcomes: list[Refusal | None] = [
                Refusal(REFUSALS[(second + place) % len(REFUSALS)], "") if place < refused else None
                for place in range(len(hand))
            ]
            tally.settle(outcomes, 2.0)
            hand = []
        elif what == "fail":
            tally.fail("away")
        elif what == "give_up" and hand:
            tally.give_up(len(hand), 2.0)
            hand = []
        elif what == "lose":
            tally.drop(queue, "connection_lost")
            queue = []
        balance = tally.balance(received, len(queue))
        assert balance.missing == 0
        assert balance.in_hand == len(hand)
        assert (tally.hand_since is not None) == bool(hand)


def test_a_message_that_is_forgotten_shows() -> None:
    tally = Tally()
    tally.give_out(10, 1.0)
    tally.settle([None] * 9, 2.0)
    assert tally.balance(10, 0).missing == 0
    assert tally.balance(10, 0).in_hand == 1, "it stays in hand, and its age tells"
    assert tally.balance(11, 0).missing == 1


def test_what_was_not_promised_is_told_apart() -> None:
    tally = Tally()
    tally.drop(deliveries(3, 2), "connection_lost")
    assert dict(tally.dropped) == {"connection_lost": 3, "not_promised": 2}


@given(st.lists(st.floats(-10, 1e9)), st.floats(0.01, 1.0))
def test_a_spread_knows_its_share(values: list[float], share: float) -> None:
    spread = Spread(SECONDS)
    for value in values:
        spread.note(value)
    bound = spread.at_most(share)
    assert spread.count == len(values)
    if not values:
        assert bound is None
        return
    assert bound is not None
    below = sum(1 for value in values if max(value, 0.0) <= bound)
    assert below >= share * len(values) - 1e-9
    tighter = max((each for each in SECONDS if each < bound), default=-inf)
    assert sum(1 for value in values if max(value, 0.0) <= tighter) < share * len(values)
