"""The forecast benchmark never looks ahead, counts right, and the house's way wins on what was recorded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cycles import RECORDED, Cycle, read_cycles
from benchmarks.forecast import errors, figures, gain, judged, walk
from benchmarks.forecasters import FORECASTERS, Forecaster, GlobalMean, RunningMean, Typical
from benchmarks.rounds import blind, paths, recorded, visit, watched

steps = st.lists(st.tuples(st.floats(1, 200), st.floats(1, 100)), min_size=1, max_size=12)
town = st.dictionaries(st.sampled_from("abcde"), steps, min_size=1)


def cycles_of(bins: dict[str, list[tuple[float, float]]]) -> list[Cycle]:
    found = []
    for site, each in bins.items():
        at = float(ord(site))
        for hours, percent in each:
            found.append(Cycle(site, at, at + hours, percent))
            at += hours
    return sorted(found, key=lambda cycle: (cycle.end, cycle.site))


@given(town, st.sampled_from(sorted(FORECASTERS)), st.floats(100, 900))
def test_what_happens_later_changes_no_earlier_forecast(
    bins: dict[str, list[tuple[float, float]]], name: str, moment: float
) -> None:
    cycles = cycles_of(bins)
    otherwise = [replace(each, percent=7.0) if each.end > moment else each for each in cycles]
    before = [each.hours for each in walk(cycles, FORECASTERS[name]()) if each.cycle.start <= moment]
    again = [each.hours for each in walk(otherwise, FORECASTERS[name]()) if each.cycle.start <= moment]
    assert before == again


def test_each_way_expects_what_its_name_says() -> None:
    past = [("a", 80.0, 40.0), ("a", 80.0, 10.0), ("b", 20.0, 50.0)]
    ways: list[Forecaster] = [GlobalMean(), RunningMean(), Typical()]
    for way in ways:
        for site, percent, hours in past:
            way.learn(site, percent, hours)
    assert ways[0].rate("a") == pytest.approx(180 / 100)
    assert ways[1].rate("a") == pytest.approx(160 / 50)
    assert ways[1].rate("new") == pytest.approx(180 / 100)
    assert ways[2].rate("a") == pytest.approx(4.0, rel=0.15)  # 2 and 8 an hour: their geometric mean, nearly


def test_a_path_fills_as_recorded_and_a_visit_finds_what_fell_since_the_last() -> None:
    bins = paths([Cycle("a", 0, 10, 50), Cycle("a", 10, 20, 100)])
    assert [bins["a"].fallen(moment) for moment in (0, 5, 10, 15, 20)] == [0, 25, 50, 100, 150]
    known = Typical()
    known.learn("a", 50, 10)
    went = visit(bins, blind, known, 50.0)
    # After 10 hours it is at 50 %. After ten more it should be there again, but filled twice as fast.
    assert (went.visits, went.late, went.needless) == (2, 1, 1)
    assert watched(2.0)(bins["a"], 0.0, 5.0, 50.0) == 10.0  # at 8 h it is 40 %, and 10 % more in two hours


def test_the_house_forecasts_recorded_bins_better_than_both_means_and_is_less_often_late() -> None:
    if not RECORDED.exists():
        pytest.skip(f"the recorded collections are not there: {RECORDED}")
    found = figures(read_cycles(), plans=1)
    assert found["cycles"] == len(read_cycles()) == recorded(read_cycles()).visits
    assert found["gain_over"]["global_mean_rate"]["from"] > 30
    assert found["gain_over"]["running_mean_rate"]["from"] > 3
    ours = found["visits"]["by its past"]["typical_rate"]
    assert abs(ours["visits"] - found["recorded"]["visits"]) <= 2
    assert ours["late_percent"] < found["recorded"]["late_percent"] - 5


def test_errors_and_gain_are_what_they_say() -> None:
    forecasts = walk(cycles_of({"a": [(600.0, 80.0), (40.0, 80.0), (60.0, 90.0)]}), Typical())
    weighed = judged(forecasts)
    assert [each.cycle.percent for each in weighed] == [80.0, 90.0]
    assert errors(weighed)["mean_error_hours"] == pytest.approx(
        sum(abs(each.hours - each.cycle.hours_to_full) for each in weighed) / 2, abs=0.01
    )
    assert gain(weighed, weighed)["percent"] == 0.0
