"""What is learnt of how fast a bin fills."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.filling import Filling

rises = st.floats(1, 100)
spans = st.floats(0.5, 500)
cycles = st.lists(st.tuples(rises, spans), min_size=1, max_size=30)


def learnt(past: list[tuple[float, float]]) -> Filling:
    filling = Filling()
    for percent, hours in past:
        filling = filling.learn(percent, hours)
    return filling


@given(rises, spans, st.integers(1, 40))
def test_what_is_always_the_same_is_expected_again(percent: float, hours: float, times: int) -> None:
    assert learnt([(percent, hours)] * times).rate() == pytest.approx(percent / hours)


@given(cycles)
def test_the_expected_rate_lies_within_the_past(past: list[tuple[float, float]]) -> None:
    rates = [percent / hours for percent, hours in past]
    rate = learnt(past).rate()
    assert rate is not None
    assert min(rates) * (1 - 1e-9) <= rate <= max(rates) * (1 + 1e-9)


@given(cycles, cycles)
def test_what_is_usual_elsewhere_counts_as_half_a_cycle(
    past: list[tuple[float, float]], others: list[tuple[float, float]]
) -> None:
    mine, elsewhere = learnt(past), learnt(others)
    own, usual, rate = mine.rate(), elsewhere.rate(), mine.rate(elsewhere)
    assert own is not None
    assert usual is not None
    assert rate is not None
    expected = (mine.weight * math.log(own) + 0.5 * math.log(usual)) / (mine.weight + 0.5)
    assert math.log(rate) == pytest.approx(expected, abs=1e-9)


def test_a_bin_without_a_past_fills_as_others_do_and_without_others_nothing_is_known() -> None:
    assert Filling().rate(learnt([(80, 40)])) == pytest.approx(2.0)
    assert Filling().rate() is None
    assert Filling().rate(Filling()) is None


def test_one_strange_cycle_moves_the_expectation_little() -> None:
    usual = learnt([(80, 40)] * 9)
    rate = usual.learn(80, 4).rate()
    assert rate is not None
    assert 2.0 < rate < 3.0  # ten times as fast, once


@given(cycles)
def test_a_cycle_without_a_rise_or_a_length_teaches_nothing(past: list[tuple[float, float]]) -> None:
    filling = learnt(past)
    assert filling.learn(0, 10) is filling
    assert filling.learn(-3, 10) is filling
    assert filling.learn(10, 0) is filling
