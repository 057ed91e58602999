"""Alarms side by side: every one in exactly one pair, and what the pairs are called."""

from hypothesis import given
from hypothesis import strategies as st

from rules.replay.compare import Pair, overlapping, pairs
from rules.replay.device import Alarm, seen
from rules.replay.tally import MOST_DETAILS, Place, Tally


def alarm(raised: int, cleared: int | None = None, rule: str = "full", severity: str = "major") -> Alarm:
    return Alarm(rule, severity, raised, cleared, paged=True)


@st.composite
def histories(draw: st.DrawFn) -> list[Alarm]:
    """Alarms as one device may have had them: of one rule never two at a time."""
    found = []
    for rule in ("empty", "full"):
        moments = sorted(draw(st.sets(st.integers(0, 40), max_size=10)))
        for start, end in zip(moments[::2], [*moments[1::2], None], strict=False):
            found.append(alarm(start, end, rule))
    return found


@given(histories(), histories())
def test_every_alarm_stands_in_one_pair(old: list[Alarm], new: list[Alarm]) -> None:
    found = pairs(old, new)
    key = lambda one: (one.rule, one.raised)  # noqa: E731 - a name would say no more
    assert sorted((each.old for each in found if each.old), key=key) == sorted(old, key=key)
    assert sorted((each.new for each in found if each.new), key=key) == sorted(new, key=key)
    for pair in found:
        if pair.old and pair.new:
            assert pair.old.rule == pair.new.rule
            assert overlapping([pair.old], Pair(None, pair.new)) == pair.old


@given(histories())
def test_the_same_is_the_same(alarms: list[Alarm]) -> None:
    assert [pair.kind() for pair in pairs(alarms, reversed(alarms))] == [None] * len(alarms)


@given(histories(), histories())
def test_the_other_way_round_new_is_gone(old: list[Alarm], new: list[Alarm]) -> None:
    names = {"new": "gone", "gone": "new", "different": "different", None: None}
    forth = sorted(str(pair.kind()) for pair in pairs(old, new))
    back = sorted(str(names[pair.kind()]) for pair in pairs(new, old))
    assert forth == back


def test_what_pairs_are_called() -> None:
    found = pairs(
        [alarm(10, 20), alarm(30, 40), alarm(50, 60)],
        [alarm(10, 20), alarm(35, 45), alarm(70, None)],
    )
    assert [pair.kind() for pair in found] == [None, "different", "gone", "new"]
    assert Pair(alarm(10, 20), alarm(12, 19)).kind(tolerance=2) is None
    assert Pair(alarm(10, 20), alarm(10, None)).kind(tolerance=2) == "different"
    assert Pair(alarm(10, 20), alarm(10, 20, severity="minor")).kind(tolerance=2) == "different"


def test_one_looks_from_the_start_to_the_end_and_no_further() -> None:
    found = seen([alarm(1, 5), alarm(8, 12), alarm(14, 25), alarm(30, None)], 10, 20)
    assert [(each.raised, each.cleared, each.earlier) for each in found] == [
        (10, 12, True),
        (14, None, False),
    ]


@given(st.lists(st.tuples(histories(), histories(), histories()), max_size=5), st.integers(1, 4))
def test_parts_add_up_to_the_whole(
    devices: list[tuple[list[Alarm], list[Alarm], list[Alarm]]], processes: int
) -> None:
    def tally(numbers: range) -> Tally:
        made = Tally()
        for number in numbers:
            made.devices += 1
            made.note(Place(1, number, 1), *devices[number], ({}, {}))
        return made

    whole = Tally.sum([tally(range(len(devices)))])
    parts = Tally.sum([tally(range(n, len(devices), processes)) for n in range(processes)])
    assert parts == whole
    for counts in whole.rules.values():
        assert counts.new == counts.same + counts.fresh + counts.different
        assert counts.old == counts.same + counts.gone + counts.different
        assert counts.reproduced <= counts.recorded


def test_details_are_bounded_and_counted() -> None:
    rings = [alarm(n * 10, n * 10 + 5) for n in range(MOST_DETAILS + 7)]
    tally = Tally()
    tally.note(Place(1, 1, 1), [], rings, [], ({}, {}))
    tally.note(Place(1, 2, 1), [], rings, [], ({}, {}))
    whole = Tally.sum([tally, tally])
    assert len(whole.differences) == MOST_DETAILS
    assert whole.left_out == 4 * len(rings) - MOST_DETAILS
    assert whole.rules["full"].fresh == 4 * len(rings)
