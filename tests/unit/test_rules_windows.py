"""Windows over a signal's past: exact in whatever order readings come, and bounded."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.vocabulary import load_vocabulary
from rules.engine import Facts, Said, step
from rules.filling import Filling
from rules.forecast import EMPTYING
from rules.measures import HISTORY, Measure, Window
from rules.moments import DAY, HOUR, MINUTE, SECOND
from rules.rule import Holds
from rules.ruleset import RuleSet
from rules.scenario import START_MOMENT
from rules.state import DeviceState, dump_state, load_state
from rules.windows import MOST, Past, measured, with_sample
from tests.unit.rule_parts import a_rule, a_set, when

CELL = HISTORY // MOST
FILL = load_vocabulary().signals("bin")["fill_percent"]
Readings = list[tuple[int, float]]

_levels = st.sampled_from([0.0, 20.0, 55.5, 80.0, 100.0])
# Some close together (several to a cell of a window), some far apart.
_readings = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 90), st.integers(0, 8 * 60)).map(lambda m: START_MOMENT + m * MINUTE),
        _levels,
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda reading: reading[0],
)
_lengths = st.sampled_from([10 * MINUTE, HOUR, 90 * MINUTE, 5 * HOUR])


def rules_of(*sources: str, clear: str | None = None) -> RuleSet:
    return a_set(*(a_rule(Holds(when(each)), code=f"r{n}", clear=clear) for n, each in enumerate(sources)))


def thinned(readings: Readings, length: int) -> Readings:
    """What the window's cells leave over, from the definition: of each cell the newest."""
    cells: dict[int, tuple[int, float]] = {}
    for reading in sorted(readings):
        cells[reading[0] // (length // MOST)] = reading
    return sorted(cells.values())


def mean_of(readings: Readings, length: int) -> float | None:
    """Second by second: each minute has the value of the newest reading before or at it."""
    counted = thinned(readings, length)
    start = counted[-1][0] - length
    if counted[0][0] > start:
        return None
    total = 0.0
    for minute in range(start, counted[-1][0], MINUTE):
        total += next(value for at, value in reversed(counted) if at <= minute)
    return total / (length // MINUTE)


def rate_of(readings: Readings, length: int) -> float | None:
    counted = thinned(readings, length)
    newest, value = counted[-1]
    before = [reading for reading in counted if reading[0] <= newest - length]
    return (value - before[-1][1]) / ((newest - before[-1][0]) / HOUR) if before else None


def forecast_of(readings: Readings, ahead: int) -> float | None:
    """From the definition, all samples read at once."""
    values = [value for _, value in readings]
    if len(readings) < 3:
        return None
    fall = EMPTYING * (max(values) - min(values))
    cycles = [[readings[0]]]
    for before, after in pairwise(readings):
        if before[1] - after[1] > fall:
            cycles.append([])
        cycles[-1].append(after)
    if sum(each[-1][0] - each[0][0] for each in cycles) < ahead:
        return None
    filling, gains = Filling(), [(c[-1][1] - c[0][1], (c[-1][0] - c[0][0]) / HOUR) for c in cycles]
    for gained, hours in gains[:-1]:
        filling = filling.learn(gained, hours)
    rate = filling.rate() or filling.learn(*gains[-1]).rate() or 0.0
    return min(100.0, max(0.0, values[-1] + rate * ahead / HOUR))


def hear_all(rules: RuleSet, readings: Readings) -> DeviceState:
    """Through the engine, the state written out and read back each time."""
    state = DeviceState()
    for at, value in readings:
        state, _ = step(rules, state, Said(at, START_MOMENT + DAY, {"fill_percent": value}), Facts())
        state = load_state(dump_state(state))
    return state


@given(_readings, _lengths, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_a_window_says_the_same_in_whatever_order_readings_come(
    readings: Readings, length: int, random: Random
) -> None:
    minutes = length // MINUTE
    rules = rules_of(f"mean(fill_percent, {minutes}m) > 50.0 || rate(fill_percent, {minutes}m) > 50.0")
    shuffled = [*readings]
    random.shuffle(shuffled)
    state = hear_all(rules, shuffled)
    assert state.windows == hear_all(rules, sorted(readings)).windows
    assert measured(Measure("mean", "fill_percent", length), state.windows, FILL) == pytest.approx(
        mean_of(readings, length)
    )
    assert measured(Measure("rate", "fill_percent", length), state.windows, FILL) == pytest.approx(
        rate_of(readings, length)
    )


@given(_readings, st.randoms(use_true_random=False))
def test_a_forecast_is_the_same_in_whatever_order_readings_come(readings: Readings, random: Random) -> None:
    rules = rules_of("forecast(fill_percent, 1h) >= 90.0")
    shuffled = [*readings, *random.sample(readings, len(readings) // 2)]
    random.shuffle(shuffled)
    expected = forecast_of(thinned(readings, HISTORY), HOUR)
    found = measured(Measure("forecast", "fill_percent", HOUR), hear_all(rules, shuffled).windows, FILL)
    assert found == (None if expected is None else pytest.approx(expected))


@given(_readings, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_alarms_agree_wherever_the_readings_decide(readings: Readings, random: Random) -> None:
    """Between `when` and `clear` an alarm may be there or not; beyond them late readings must not matter."""
    rules = rules_of("mean(fill_percent, 1h) >= 60.0", clear="mean(fill_percent, 1h) < 40.0")
    shuffled = [*readings]
    random.shuffle(shuffled)
    mean = mean_of(readings, HOUR)
    for order in (sorted(readings), shuffled):
        memory = hear_all(rules, order).rules.get("r0")
        raised = memory is not None and memory.raised is not None
        if mean is not None and not 40.0 <= mean < 60.0:
            assert raised is (mean >= 60.0)


@given(
    st.lists(st.tuples(st.integers(0, 100 * DAY), st.floats(0, 100)), max_size=300),
    st.integers(MINUTE, 31 * DAY),
)
@settings(max_examples=50)
def test_a_window_is_bounded_and_in_order(said: Readings, length: int) -> None:
    window = Window("fill_percent", length)
    past: Past | None = None
    for at, value in said:
        past = with_sample(past, window, at, value)
    samples = [] if past is None else past.samples
    assert len(samples) <= MOST + 4
    assert all(first[0] < second[0] for first, second in pairwise(samples))
    assert not said or samples[-1][0] == max(at for at, _ in said)


def test_a_device_that_never_stops_talking_keeps_its_memory_small() -> None:
    rules = rules_of("mean(fill_percent, 1h) > 50.0 || forecast(fill_percent, 6h) > 90.0")
    state = DeviceState()
    for tick in range(8_000):
        at = START_MOMENT + tick * SECOND
        state, _ = step(rules, state, Said(at, at, {"fill_percent": tick % 100 / 1.0}), Facts())
    assert len(dump_state(state)) < 8_000


def test_what_is_repeated_within_a_window_changes_nothing() -> None:
    rules = rules_of("rate(fill_percent, 10m) > 100.0")
    state = hear_all(rules, [(START_MOMENT + n * MINUTE, 1.0 * n) for n in range(20)])
    again = Said(START_MOMENT + 15 * MINUTE, START_MOMENT + DAY, {"fill_percent": 99.0})
    after, effects = step(rules, state, again, Facts())
    assert after is state
    assert effects == []


def test_a_late_reading_may_raise_and_a_late_reading_may_end() -> None:
    """It corrects the mean of the last hour although it is not the newest."""
    rules = rules_of("mean(fill_percent, 1h) >= 60.0", clear="mean(fill_percent, 1h) < 45.0")
    state = hear_all(rules, [(START_MOMENT, 50.0), (START_MOMENT + HOUR, 90.0)])
    assert state.rules == {}
    state, _ = step(
        rules, state, Said(START_MOMENT + 30 * MINUTE, START_MOMENT + HOUR, {"fill_percent": 80.0}), Facts()
    )
    assert state.rules["r0"].raised == START_MOMENT + HOUR
    state, _ = step(
        rules, state, Said(START_MOMENT + MINUTE, START_MOMENT + HOUR, {"fill_percent": 0.0}), Facts()
    )
    assert state.rules == {}


def test_a_window_that_no_rule_follows_any_longer_is_forgotten() -> None:
    state = hear_all(rules_of("mean(fill_percent, 1h) > 50.0"), [(START_MOMENT, 10.0)])
    assert list(state.windows) == ["fill_percent 1h"]
    later = Said(START_MOMENT + MINUTE, START_MOMENT + MINUTE, {"fill_percent": 12.0})
    assert step(rules_of("fill_percent > 50.0"), state, later, Facts())[0].windows == {}


def test_an_event_says_how_long_ago_it_was() -> None:
    rule = a_rule(Holds(when("fill_percent > 50.0 && since(cover_open) < 30m")), clear="fill_percent < 10.0")
    rules, at = a_set(rule), START_MOMENT
    said = [
        Said(at, at, {"fill_percent": 60.0}),  # never opened yet: unknown
        Said(at + HOUR, at + HOUR, {"fill_percent": 70.0}),
        Said(at + 40 * MINUTE, at + HOUR, events={"cover_open": ""}),  # heard late: 20 minutes ago
    ]
    state, raised = DeviceState(), []
    for each in said:
        state, effects = step(rules, state, each, Facts())
        raised.append(len(effects))
    assert raised == [0, 0, 1]
    assert state.rules["tried"].raised == at + HOUR


def forecast(samples: Readings, ahead: int) -> float | None:
    """As a window makes it of samples that come in order."""
    window, past = Window("fill_percent", HISTORY), None
    for at, value in samples:
        past = with_sample(past, window, at, value)
    pasts = {} if past is None else {window.key: past}
    return measured(Measure("forecast", "fill_percent", ahead), pasts, FILL)


@given(
    st.lists(
        st.tuples(st.integers(1, 30 * 60).map(lambda m: m * MINUTE), st.one_of(_levels, st.floats(0, 100))),
        max_size=60,
    )
)
@settings(max_examples=300)
def test_a_forecast_is_what_all_samples_together_say(steps: list[tuple[int, float]]) -> None:
    """What was worked out before the newest sample, and that sample, come to the same as the whole."""
    samples: Readings = []
    at = START_MOMENT
    for gap, value in steps:
        at += gap
        samples.append((at, value))
        if len(samples) % 7:
            continue
        inside = thinned(samples, HISTORY)
        first = (at // CELL * CELL - HISTORY) // CELL * CELL
        older = [each for each in inside if each[0] < first]
        expected = forecast_of([*older[-1:], *(each for each in inside if each[0] >= first)], HOUR)
        assert forecast(samples, HOUR) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.tuples(st.integers(0, 2**52), st.floats(0, 100)), min_size=1, max_size=30), st.randoms())
def test_no_microsecond_is_lost_whatever_the_order(readings: Readings, random: Random) -> None:
    """Moments that are no whole seconds, and gaps of years."""
    window = Window("fill_percent", HOUR)
    pasts = []
    once = dict(reversed(readings)).items()
    for order in (sorted(once), random.sample([*once], len(once))):
        past: Past | None = None
        for at, value in order:
            past = with_sample(past, window, at, value)
        assert past is not None
        pasts.append(past)
    assert pasts[0] == pasts[1]
    assert {*pasts[0].samples} <= {*once}


def test_a_forecast_goes_on_as_the_level_rose_without_the_emptyings() -> None:
    # 2 % an hour, emptied at 50 %, and now at 20 % again.
    samples = [(n * HOUR, 2.0 * n) for n in range(26)] + [(n * HOUR, 2.0 * (n - 26)) for n in range(26, 37)]
    assert forecast(samples, 6 * HOUR) == pytest.approx(20.0 + 6 * 2.0)


@pytest.mark.parametrize(
    "samples", [[], [(0, 1.0)], [(0, 1.0), (HOUR, 2.0)], [(0, 1.0), (HOUR, 2.0), (2 * HOUR, 3.0)]]
)
def test_a_forecast_is_not_made_from_too_little(samples: Readings) -> None:
    assert forecast(samples, 3 * HOUR) is None
